//! How many words make so many tokens.

use freeweights_record::units::Tokens;

/// What a word is worth, and what is there without any.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Calibration {
    /// Tokens of a word.
    pub per_word: f64,
    /// Tokens of the template and the marks around a prompt.
    pub around: f64,
}

impl Default for Calibration {
    /// One token a word, and nothing around them.
    fn default() -> Self {
        Self { per_word: 1.0, around: 0.0 }
    }
}

impl Calibration {
    /// From two prompts, their words and the tokens that were counted.
    ///
    /// `per_word = (t2 - t1) / (w2 - w1)`, `around = t1 - per_word * w1`. `None` where that is no
    /// straight line up: then somebody does not count.
    #[must_use]
    pub fn of(first: (usize, u64), second: (usize, u64)) -> Option<Self> {
        let words = second.0 as f64 - first.0 as f64;
        let per_word = (second.1 as f64 - first.1 as f64) / words;
        let around = first.1 as f64 - per_word * first.0 as f64;
        (words > 0.0 && (0.2..=10.0).contains(&per_word))
            .then_some(Self { per_word, around: around.max(0.0) })
    }

    /// Words of a whole prompt of so many tokens; one at the least.
    #[must_use]
    pub fn words_for(&self, tokens: Tokens) -> usize {
        whole((tokens.as_f64() - self.around) / self.per_word).max(1)
    }

    /// Words of a part of a prompt.
    #[must_use]
    pub fn words_of(&self, tokens: Tokens) -> usize {
        whole(tokens.as_f64() / self.per_word)
    }
}

fn whole(words: f64) -> usize {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "at least 0, and no prompt has 2^53 words"
    )]
    let words = words.round().max(0.0) as usize;
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_prompts_tell_words_and_template_apart() {
        // 31 tokens around, a token a word
        let chat = Calibration::of((64, 95), (256, 287)).unwrap();
        assert_eq!(chat, Calibration { per_word: 1.0, around: 31.0 });
        assert_eq!(chat.words_for(Tokens::new(128)), 97);
        assert_eq!(chat.words_for(Tokens::new(8)), 1);
        assert_eq!(chat.words_of(Tokens::new(512)), 512);
        assert_eq!(Calibration::of((64, 10), (256, 10)), None);
        assert_eq!(Calibration::of((64, 10), (64, 20)), None);
    }
}
