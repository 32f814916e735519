//! A published case: what went in, what came out, and where the two disagree in the source itself.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::collections::{BTreeMap, BTreeSet};

/// A file of `cases/`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Fixture<I> {
    id: String,
    title: String,
    source: String,
    /// What in the source contradicts what else is in it.
    quirk: String,
    inputs: I,
    expect: Vec<Expect>,
}

/// One published figure.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Expect {
    name: String,
    unit: String,
    published: f64,
    /// How exactly it was published, both sides included.
    tolerance: f64,
    /// What the inputs give as the source states them, by what is taken as stated.
    #[serde(default)]
    as_stated: BTreeMap<String, f64>,
    /// It may be left out: it needs data that are not in the repository.
    #[serde(default)]
    optional: bool,
}

/// A case and which of its figures have been compared.
pub struct Case<I> {
    fixture: Fixture<I>,
    seen: BTreeSet<String>,
}

impl<I: DeserializeOwned> Case<I> {
    /// Reads a case; it names its source and its quirk.
    pub fn read(text: &str) -> Self {
        let fixture: Fixture<I> = toml::from_str(text).unwrap();
        for text in [&fixture.id, &fixture.title, &fixture.source, &fixture.quirk] {
            assert!(!text.trim().is_empty());
        }
        Self { fixture, seen: BTreeSet::new() }
    }

    pub fn inputs(&self) -> &I {
        &self.fixture.inputs
    }

    /// Compares our figure with the published one.
    pub fn check(&mut self, name: &str, ours: f64) {
        let (published, tolerance) = {
            let expect = self.expect(name);
            (expect.published, expect.tolerance)
        };
        self.compare(name, name, ours, published, tolerance);
    }

    /// Compares what the inputs give as stated with what stands beside the published figure, to
    /// half a unit of its last decimal.
    pub fn check_as_stated(&mut self, name: &str, stated: &str, ours: f64) {
        let expected = self.expect(name).as_stated[stated];
        let decimals = expected.to_string().split_once('.').map_or(0, |(_, digits)| digits.len());
        // A trailing zero is lost in the number, so one decimal more is asked for at most.
        let tolerance = 0.505 * 0.1_f64.powi(i32::try_from(decimals).unwrap());
        self.compare(name, &format!("{name}/{stated}"), ours, expected, tolerance);
    }

    /// Every figure of the case has been compared.
    pub fn finish(self) {
        for expect in self.fixture.expect.iter().filter(|expect| !expect.optional) {
            let stated = expect.as_stated.keys().map(|stated| format!("{}/{stated}", expect.name));
            for name in stated.chain([expect.name.clone()]) {
                assert!(self.seen.contains(&name), "{}: {name} was not compared", self.fixture.id);
            }
        }
    }

    fn expect(&self, name: &str) -> &Expect {
        let found = self.fixture.expect.iter().find(|expect| expect.name == name);
        found.unwrap_or_else(|| panic!("{}: nothing is published as {name}", self.fixture.id))
    }

    fn compare(&mut self, name: &str, seen: &str, ours: f64, theirs: f64, tolerance: f64) {
        let unit = &self.expect(name).unit;
        // Both are decimal numbers in binary: a hair is no difference.
        let off = (ours - theirs).abs() - 1e-12 * theirs.abs();
        assert!(
            off <= tolerance,
            "{} {seen}: ours is {ours} {unit}, theirs {theirs} within {tolerance}",
            self.fixture.id
        );
        self.seen.insert(seen.to_owned());
    }
}
