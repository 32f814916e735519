//! The table of open models and the hosts that sell them, and how a model's name finds its row.
//!
//! Not here: prices ([`super::Catalogue`]), what a record asks for ([`super::comparators`]).

use serde::Deserialize;
use std::sync::LazyLock;

/// Everything under `data/baselines`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Table {
    pub(super) baseline: Vec<Baseline>,
    pub(super) by_size: Vec<BySize>,
    pub(super) frontier: Frontier,
}

/// An open model and what its prices are called in the catalogue.
#[derive(Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Baseline {
    /// What must all occur in a name.
    pub(super) matches: Vec<String>,
    /// Ids of the model that it is compared with by default; empty where no host sells it.
    pub same: Vec<String>,
    /// Ids of the model at further hosts.
    #[serde(default)]
    pub also: Vec<String>,
    /// Ids of the nearest other open models.
    #[serde(default)]
    pub similar: Vec<String>,
}

impl Baseline {
    /// Every id of the model, the default ones first.
    pub fn hosts(&self) -> impl Iterator<Item = &String> {
        self.same.iter().chain(&self.also)
    }
}

/// What models below a size are compared with if nothing else is known of them.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct BySize {
    pub(super) params_below: u64,
    pub(super) similar: Vec<String>,
}

/// Closed models.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Frontier {
    pub(super) models: Vec<String>,
}

/// What a measured model is compared with when the scenario says api.models = ["baseline", ..].
///
/// The fair baseline is the same open model on a host. Where no host sells it, it is the open model
/// nearest in kind and size, labelled as similar. The first entry whose `matches` all occur in the name
/// of the model wins, so the order of these files and in them counts.
const TEXT: &str = concat!(
    include_str!("../../../data/baselines/distilled.toml"),
    include_str!("../../../data/baselines/llama.toml"),
    include_str!("../../../data/baselines/mistral.toml"),
    include_str!("../../../data/baselines/qwen.toml"),
    include_str!("../../../data/baselines/gemma.toml"),
    include_str!("../../../data/baselines/deepseek.toml"),
    include_str!("../../../data/baselines/phi.toml"),
    include_str!("../../../data/baselines/glm.toml"),
    include_str!("../../../data/baselines/others.toml"),
    include_str!("../../../data/baselines/by_size.toml"),
);

pub(super) static TABLE: LazyLock<Table> =
    LazyLock::new(|| toml::from_str(TEXT).expect("invariant: the embedded baselines are tested"));

/// The row of a model that goes by these names: those of files, of repositories on the hub, with
/// `dummy:` or a quantisation, in any case. `None` where the table has no such model.
#[must_use]
pub fn baseline_of(names: &[&str]) -> Option<&'static Baseline> {
    let plain_names: Vec<String> = names.iter().map(|name| plain(name)).collect();
    let is_named = |row: &&Baseline| {
        plain_names.iter().any(|name| row.matches.iter().all(|part| has(name, part)))
    };
    TABLE.baseline.iter().find(is_named)
}

/// Families whose names are written with and without a dash before the version.
const FAMILIES: [&str; 8] = ["llama", "qwen", "gemma", "phi", "glm", "granite", "mistral", "olmo"];

/// Lower case, with one dash for every run of other characters than letters and digits, before a
/// version, and at both ends: `-llama-3-1-8b-` of `Llama3.1:8B`.
fn plain(name: &str) -> String {
    let lower = name.to_lowercase();
    let mut text = String::with_capacity(lower.len() + 4);
    for part in lower.split(|c: char| !c.is_ascii_alphanumeric()).filter(|part| !part.is_empty()) {
        let version = FAMILIES.iter().find_map(|family| part.strip_prefix(family));
        let at = version
            .filter(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
            .map_or(0, |rest| part.len() - rest.len());
        text.push('-');
        text.push_str(&part[..at]);
        if at > 0 {
            text.push('-');
        }
        text.push_str(&part[at..]);
    }
    text.push('-');
    text
}

/// Whether `part` stands in a plain name between dashes: `8b` is not in `18b`.
fn has(name: &str, part: &str) -> bool {
    let dashes = name.bytes().enumerate().filter(|(_, byte)| *byte == b'-');
    dashes.filter_map(|(at, _)| name[at + 1..].strip_prefix(part)).any(|rest| rest.starts_with('-'))
}
