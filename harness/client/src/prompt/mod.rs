//! Prompts of so many tokens, alike or unlike from the first word on.
//!
//! A client that has no tokenizer cannot cut text to tokens. It writes common short words, each of
//! which is one token to nearly every vocabulary, and a [`Calibration`] learns from the server's
//! own counts what a word is worth and what a chat template adds. What was really read is in each
//! row: nothing is taken for granted.

mod calibration;
mod words;

pub use calibration::Calibration;

use freeweights_record::units::Tokens;
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use words::WORDS;

/// Tokens of a block of a trace with prefixes.
pub const BLOCK: u64 = 512;

/// What prompts have in common, which a server's prefix cache can use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Prefix {
    /// Nothing, from the first word on.
    #[default]
    Bust,
    /// The first tokens, so many of them.
    Share(Tokens),
    /// The blocks that a trace says two requests share.
    Trace,
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bust => f.write_str("bust"),
            Self::Share(tokens) => write!(f, "share:{}", tokens.get()),
            Self::Trace => f.write_str("trace"),
        }
    }
}

impl FromStr for Prefix {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let shared = |count: &str| count.parse().ok().filter(|count| *count > 0_u64);
        match (text, text.strip_prefix("share:").and_then(shared)) {
            ("bust", _) => Ok(Self::Bust),
            ("trace", _) => Ok(Self::Trace),
            (_, Some(tokens)) => Ok(Self::Share(Tokens::new(tokens))),
            _ => Err("give bust, share:TOKENS as in share:512, or trace".into()),
        }
    }
}

/// Writes the prompts of a run.
#[derive(Debug, Clone)]
pub struct Prompts {
    calibration: Calibration,
    prefix: Prefix,
    seed: u64,
    /// Differs between runs, so that a server remembers nothing of an earlier one.
    nonce: u64,
}

impl Prompts {
    /// Prompts by a calibration. `nonce` differs between runs, `seed` need not.
    #[must_use]
    pub const fn new(calibration: Calibration, prefix: Prefix, seed: u64, nonce: u64) -> Self {
        Self { calibration, prefix, seed, nonce }
    }

    /// What prompts have in common.
    #[must_use]
    pub const fn prefix(&self) -> Prefix {
        self.prefix
    }

    /// The prompt of request `index`, of `isl` tokens as far as they can be foreseen. `blocks` are
    /// the ids of the blocks that it shares with other requests of a trace.
    #[must_use]
    pub fn write(&self, index: u32, isl: Tokens, blocks: &[u64]) -> Arc<str> {
        let words = self.calibration.words_for(isl);
        let mut text = String::with_capacity(words * 6);
        let own = mix(mix(self.seed, self.nonce), u64::from(index) + 1);
        match self.prefix {
            Prefix::Bust => push(&mut text, own, words),
            Prefix::Share(shared) => {
                let alike = self.calibration.words_for(shared).min(words);
                // The same in every run with this seed: what is shared may be remembered.
                push(&mut text, mix(self.seed, 0), alike);
                push(&mut text, own, words - alike);
            }
            Prefix::Trace => {
                let mut left = words;
                for block in blocks {
                    let count = self.calibration.words_of(Tokens::new(BLOCK)).min(left);
                    push(&mut text, mix(self.nonce, *block), count);
                    left -= count;
                }
                push(&mut text, own, left);
            }
        }
        text.into()
    }
}

/// So many words, the same for the same seed.
fn push(text: &mut String, seed: u64, count: usize) {
    let mut random = SmallRng::seed_from_u64(seed);
    for _ in 0..count {
        if !text.is_empty() {
            text.push(' ');
        }
        text.push_str(WORDS[random.random_range(0..WORDS.len())]);
    }
}

/// Two numbers into one that differs where either does (the finaliser of `SplitMix64`).
const fn mix(a: u64, b: u64) -> u64 {
    let mut z = a.rotate_left(32).wrapping_add(b).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    fn prompts(prefix: Prefix, nonce: u64) -> Prompts {
        Prompts::new(Calibration::default(), prefix, 42, nonce)
    }

    fn words(text: &str) -> Vec<&str> {
        text.split(' ').collect()
    }

    #[test]
    fn unlike_prompts_share_not_even_their_beginning() {
        let prompts = prompts(Prefix::Bust, 1);
        let heads: HashSet<String> = (0..10_000)
            .map(|i| words(&prompts.write(i, Tokens::new(16), &[]))[..5].join(" "))
            .collect();
        assert_eq!(heads.len(), 10_000);
        let text = prompts.write(0, Tokens::new(16), &[]);
        assert_eq!(words(&text).len(), 16);
        assert_eq!(text, prompts.write(0, Tokens::new(16), &[]));
        assert_ne!(text, self::prompts(Prefix::Bust, 2).write(0, Tokens::new(16), &[]));
    }

    #[test]
    fn alike_prompts_share_what_was_asked_for_and_no_more() {
        let prompts = prompts("share:6".parse().unwrap(), 1);
        let (a, b) =
            (prompts.write(0, Tokens::new(10), &[]), prompts.write(1, Tokens::new(10), &[]));
        assert_eq!(words(&a)[..6], words(&b)[..6]);
        assert_ne!(words(&a)[6..], words(&b)[6..]);
        assert_eq!(words(&prompts.write(2, Tokens::new(4), &[])).len(), 4);
        for wrong in ["share", "share:0", "none"] {
            assert!(wrong.parse::<Prefix>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn blocks_of_a_trace_are_shared_where_their_ids_are() {
        let prompts = prompts(Prefix::Trace, 1);
        let a = prompts.write(0, Tokens::new(1_200), &[7, 8, 9]);
        let b = prompts.write(1, Tokens::new(1_100), &[7, 8, 10]);
        let (a, b) = (words(&a), words(&b));
        assert_eq!((a.len(), b.len()), (1_200, 1_100));
        assert_eq!(a[..1_024], b[..1_024]);
        assert_ne!(a[1_024..1_100], b[1_024..1_100]);
    }
}
