//! Models in several GGUF files: `name-00001-of-00003.gguf` and its like.
//!
//! # Source
//! `llama_split_path` and the keys `split.*` of llama.cpp.

/// A file's place among the parts of a model, from its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PartName {
    /// What all parts begin with.
    prefix: String,
    /// Counted from 1.
    pub(crate) number: u64,
    /// How many there are.
    pub(crate) count: u64,
}

impl PartName {
    /// The place that a file's name gives; `None` for other names.
    pub(crate) fn of(name: &str) -> Option<Self> {
        let stem = name.strip_suffix(".gguf")?;
        let (rest, count) = stem.rsplit_once("-of-")?;
        let (prefix, number) = rest.rsplit_once('-')?;
        let digits = |text: &str| {
            let plain = text.len() == 5 && text.bytes().all(|byte| byte.is_ascii_digit());
            plain.then(|| text.parse::<u64>().ok()).flatten()
        };
        let (number, count) = (digits(number)?, digits(count)?);
        let known = (1..=count).contains(&number);
        known.then(|| Self { prefix: prefix.to_owned(), number, count })
    }

    /// What all parts begin with.
    pub(crate) fn prefix(&self) -> &str {
        &self.prefix
    }

    /// The name of part `number`, counted from 1.
    pub(crate) fn part(&self, number: u64) -> String {
        format!("{}-{number:05}-of-{:05}.gguf", self.prefix, self.count)
    }

    /// The names of all parts in their order.
    pub(crate) fn all(&self) -> impl Iterator<Item = String> {
        (1..=self.count).map(|number| self.part(number))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_give_their_place_and_the_other_names() {
        let part = PartName::of("q/llama-3-of-2-00002-of-00003.gguf").unwrap();
        assert_eq!((part.prefix(), part.number, part.count), ("q/llama-3-of-2", 2, 3));
        assert_eq!(
            part.all().collect::<Vec<_>>(),
            [1, 2, 3].map(|n| format!("q/llama-3-of-2-0000{n}-of-00003.gguf"))
        );
        for name in [
            "llama.gguf",
            "llama-00001-of-00003.bin",
            "llama-1-of-3.gguf",
            "llama-00000-of-00003.gguf",
            "llama-00004-of-00003.gguf",
            "00001-of-00003.gguf",
            "llama-+0001-of-00003.gguf",
        ] {
            assert_eq!(PartName::of(name), None, "{name}");
        }
    }
}
