//! Every number of a sentence is among the figures of its answer.

use crate::fixture::{all, records, scenario};
use freeweights_cost::Catalogue;
use freeweights_cost::claims::{ClaimAnswer, ClaimAnswers};

/// The numbers of a sentence: `81.3 million` is one, `15.3%` is 0.153; words, names and dates are
/// none.
fn numbers(sentence: &str) -> Vec<f64> {
    let words: Vec<&str> =
        sentence.split(' ').map(|word| word.trim_matches(|c: char| ".,;:()".contains(c))).collect();
    let size = |word: Option<&&str>| match word.copied() {
        Some("million") => 1e6,
        Some("billion") => 1e9,
        Some("trillion") => 1e12,
        _ => 1.0,
    };
    let read = |(at, word): (usize, &&str)| {
        let (word, share) = word.strip_suffix('%').map_or((*word, 1.0), |word| (word, 0.01));
        let number: f64 = word.replace(',', "").parse().ok()?;
        Some(number * share * size(words.get(at + 1)))
    };
    words.iter().enumerate().filter_map(read).collect()
}

/// The numbers of an answer as its JSON has them.
fn known(answer: &ClaimAnswer) -> Vec<f64> {
    let json = serde_json::to_value(answer).unwrap();
    let mut list = Vec::new();
    for figure in json["figures"].as_array().unwrap() {
        list.extend(["value", "low", "high"].iter().filter_map(|end| figure[end].as_f64()));
    }
    list.extend(json["threshold"]["value"].as_f64());
    list
}

/// Three digits are shown.
fn agree(shown: f64, known: f64) -> bool {
    (shown - known).abs() <= known.abs() * 0.005_01
}

pub fn check(answers: &ClaimAnswers) {
    for answer in &answers.answers {
        let known = known(answer);
        let shown = numbers(&answer.sentence);
        for number in &shown {
            assert!(
                known.iter().any(|known| agree(*number, *known)),
                "{}: {number} of {:?} is in none of {known:?}",
                answer.id,
                answer.sentence
            );
        }
        let filled = !answer.sentence.contains(['{', '}']) && !answer.sentence.contains(" - ");
        assert!(filled, "{}: {}", answer.id, answer.sentence);
        match &answer.needs {
            None => assert!(shown.len() >= 2, "{}: {}", answer.id, answer.sentence),
            Some(needs) => assert!(!needs.is_empty() && shown.is_empty()),
        }
    }
}

#[test]
fn numbers_are_read_as_people_write_them() {
    let sentence = "It costs 1,234 USD (12.5% of 81.3 million), checked 2026-10-18; P5 is -3.";
    assert_eq!(numbers(sentence), [1_234.0, 0.125, 81.3e6, -3.0]);
}

#[test]
fn sentences_and_figures_agree_on_every_side() {
    let dear = "api.models=openai/gpt-6.1-sol";
    for (preset, sets) in [
        ("this-machine", &[][..]),
        ("this-machine", &["demand.requests_per_day=200000"]),
        ("this-machine", &["staff.fte=0", dear, "demand.requests_per_day=10"]),
        ("this-machine", &["staff.fte=0", dear, "demand.requests_per_day=5000"]),
        ("this-machine", &["backfill.idle_share=1", "backfill.usd_per_million_tokens=100"]),
        ("this-machine", &["training.one_off_usd=5000"]),
        ("internal-chatbot", &[]),
        ("rented-cloud", &["demand.elasticity=1.4"]),
        ("enterprise", &[]),
    ] {
        let answers = all(&records(), &scenario(preset, sets), &Catalogue::bundled());
        assert_eq!(answers.answers.len(), 17);
        check(&answers);
    }
}

#[test]
fn answers_survive_their_json() {
    let answers = all(&records(), &scenario("internal-chatbot", &[]), &Catalogue::bundled());
    let json = serde_json::to_value(&answers).unwrap();
    assert_eq!(serde_json::from_value::<ClaimAnswers>(json).unwrap(), answers);
}
