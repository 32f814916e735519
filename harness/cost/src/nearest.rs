//! Names that look like what the user wrote.

/// How many names are offered.
const OFFERED: usize = 3;

/// Below this likeness (Jaro-Winkler, 0 to 1) a name is no help.
const LIKENESS: f64 = 0.7;

/// A name this much less like the wanted one than the best is not offered beside it.
const BEHIND: f64 = 0.08;

/// The names most like `wanted`, best first.
pub(crate) fn nearest<'a>(wanted: &str, names: impl Iterator<Item = &'a str>) -> Vec<String> {
    let wanted = wanted.to_lowercase();
    let mut scored: Vec<(f64, &str)> = names
        .map(|name| (likeness(&wanted, &name.to_lowercase()), name))
        .filter(|(score, _)| *score >= LIKENESS)
        .collect();
    scored.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(b.1)));
    let best = scored.first().map_or(0.0, |(score, _)| *score);
    scored.retain(|(score, _)| *score >= best - BEHIND);
    scored.into_iter().take(OFFERED).map(|(_, name)| name.to_owned()).collect()
}

/// A dotted or slashed name may be meant by its last part alone.
fn likeness(wanted: &str, name: &str) -> f64 {
    let last = name.rsplit(['.', '/']).next().unwrap_or(name);
    let last_wanted = wanted.rsplit(['.', '/']).next().unwrap_or(wanted);
    let whole = strsim::jaro_winkler(wanted, name);
    // Slightly less, so that an equal whole wins over an equal end.
    whole.max(0.99 * strsim::jaro_winkler(last_wanted, last))
}

/// The end of a message about an unknown name.
pub(crate) fn advice(names: &[String]) -> String {
    if names.is_empty() {
        "nothing known looks like it".to_owned()
    } else {
        format!("did you mean {}?", names.join(" or "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_finds_the_name_and_nonsense_finds_nothing() {
        let names = ["hosting.pue", "hosting.kind", "staff.fte"];
        assert_eq!(nearest("hosting.pu", names.into_iter())[0], "hosting.pue");
        assert_eq!(nearest("fte", names.into_iter()), ["staff.fte"]);
        assert!(nearest("zzzzzz", names.into_iter()).is_empty());
        assert_eq!(advice(&["a".into(), "b".into()]), "did you mean a or b?");
    }
}
