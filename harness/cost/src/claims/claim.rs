//! The claims as data: `data/claims.toml`. How each is judged is not here.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use std::sync::LazyLock;
use thiserror::Error;

macro_rules! ids {
    ($($id:ident)+) => {
        /// A claim of the list.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum ClaimId {
            $(#[doc = concat!("`", stringify!($id), "`.")] $id,)+
        }

        impl ClaimId {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$id,)+];

            /// As it is written.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$id => stringify!($id),)+ }
            }
        }
    };
}

ids! { C1 C2 C3 C4 C5 C6 C7 C8 C9 C10 C11 C12 C13 C14 C15 C16 C17 }

impl fmt::Display for ClaimId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// There is no such claim.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("there is no claim {text:?}; write C1 to C17, for example --only C1,C7")]
pub struct UnknownClaim {
    /// What was asked for.
    text: String,
}

impl FromStr for ClaimId {
    type Err = UnknownClaim;

    fn from_str(text: &str) -> Result<Self, UnknownClaim> {
        let wanted = |id: &&Self| id.name().eq_ignore_ascii_case(text.trim());
        let found = Self::ALL.iter().find(wanted).copied();
        found.ok_or_else(|| UnknownClaim { text: text.to_owned() })
    }
}

/// A claim, in words of ours.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Claim {
    /// Which.
    pub id: ClaimId,
    /// A few words about it.
    pub title: String,
    /// What is claimed.
    pub claim: String,
    /// Who claims it, and when.
    pub source: String,
    /// How the verdict comes about, in one sentence.
    pub rule: String,
    /// The figures that come with it.
    #[serde(default)]
    pub given: Vec<Given>,
}

/// A figure that comes with a claim.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Given {
    /// Which, for programs.
    pub key: String,
    /// Which, for people.
    pub what: String,
    /// The bare number, or the low end of a band.
    pub value: f64,
    /// Low end of a band.
    pub low: Option<f64>,
    /// High end of a band.
    pub high: Option<f64>,
    /// Its unit; `1` for a share.
    pub unit: String,
}

impl Claim {
    /// The claim of an id.
    pub(super) fn of(id: ClaimId) -> &'static Self {
        let found = claims().iter().find(|claim| claim.id == id);
        found.expect("invariant: a test finds every id in the embedded list")
    }

    /// A figure of it by its key.
    pub(super) fn given(&self, key: &str) -> f64 {
        let found = self.given.iter().find(|given| given.key == key);
        found.map(|given| given.value).expect("invariant: a test judges every claim")
    }
}

/// A challenger's model and those it was compared with, as ids of the catalogue of prices.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Rivals {
    pub(super) challenger: String,
    pub(super) peers: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct List {
    claim: Vec<Claim>,
    rivals: Vec<Rivals>,
}

static CLAIMS: LazyLock<List> = LazyLock::new(|| {
    toml::from_str(include_str!("../../data/claims.toml"))
        .expect("invariant: the embedded claims are tested")
});

/// All claims, by rising id.
#[must_use]
pub fn claims() -> &'static [Claim] {
    &CLAIMS.claim
}

/// Whose prices claim C9 compares.
pub(super) fn rivals() -> &'static [Rivals] {
    &CLAIMS.rivals
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_id_has_a_claim_in_its_order() {
        let listed: Vec<ClaimId> = claims().iter().map(|claim| claim.id).collect();
        assert_eq!(listed, ClaimId::ALL);
        assert_eq!(ClaimId::ALL.len(), 17);
        for claim in claims() {
            let texts = [&claim.title, &claim.claim, &claim.source, &claim.rule];
            assert!(texts.iter().all(|text| !text.is_empty()), "{}", claim.id);
            assert!(claim.rule.contains("upported"), "{} names no verdict", claim.id);
        }
    }

    #[test]
    fn an_id_is_read_as_it_is_written_in_any_case() {
        for id in ClaimId::ALL {
            assert_eq!(id.to_string().parse::<ClaimId>().unwrap(), *id);
        }
        assert_eq!("c7".parse::<ClaimId>().unwrap(), ClaimId::C7);
        let error = "C18".parse::<ClaimId>().unwrap_err().to_string();
        insta::assert_snapshot!(error, @r#"there is no claim "C18"; write C1 to C17, for example --only C1,C7"#);
    }
}
