//! What a cache of prefixes would save: blocks of input that an earlier request had already.

use super::{PrefixHits, Request};
use freeweights_record::units::{Fraction, Tokens};
use std::collections::HashSet;

/// Input tokens of a block; the last block of a request may hold fewer.
///
/// # Source
/// kvcache-ai/Mooncake, `FAST25-release/traces`.
pub const PREFIX_BLOCK: Tokens = Tokens::new(512);

/// The blocks of every request, one after the other.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Prefixes {
    /// An id stands for a block and everything before it.
    ids: Vec<u64>,
    /// Where in `ids` each request ends.
    ends: Vec<usize>,
}

impl Prefixes {
    /// Adds the blocks of the next request; or says why they do not fit its input.
    pub(super) fn push(&mut self, isl: Tokens, ids: &[u64]) -> Result<(), String> {
        let blocks = isl.get().div_ceil(PREFIX_BLOCK.get());
        if u64::try_from(ids.len()) != Ok(blocks) {
            return Err(format!(
                "{} input tokens make {blocks} blocks of {}, and there are {} hash_ids",
                isl.get(),
                PREFIX_BLOCK.get(),
                ids.len(),
            ));
        }
        self.ids.extend_from_slice(ids);
        self.ends.push(self.ids.len());
        Ok(())
    }

    /// The blocks of one request.
    pub(super) fn of(&self, place: usize) -> &[u64] {
        let end = self.ends.get(place).copied().unwrap_or(0);
        let start = place.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.ids[start.min(end)..end]
    }

    /// Shares of tokens and of blocks that were seen before.
    ///
    /// A request finds its blocks from the first on, up to the first one that is new. Its own
    /// blocks are known to those after it, not to itself.
    pub(super) fn hits(&self, requests: &[Request]) -> PrefixHits {
        let mut seen: HashSet<u64> = HashSet::with_capacity(self.ids.len());
        let (mut blocks, mut tokens, mut start) = (0, 0, 0);
        for (request, &end) in requests.iter().zip(&self.ends) {
            let ids = &self.ids[start..end];
            let found = ids.iter().take_while(|id| seen.contains(id)).count();
            blocks += found as u64;
            tokens += (found as u64 * PREFIX_BLOCK.get()).min(request.isl.get());
            seen.extend(ids);
            start = end;
        }
        let all: Tokens = requests.iter().map(|request| request.isl).sum();
        let share = |part: u64, all: u64| {
            Fraction::new(if all == 0 { 0.0 } else { part as f64 / all as f64 })
        };
        PrefixHits {
            tokens: share(tokens, all.get()),
            blocks: share(blocks, self.ids.len() as u64),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use freeweights_record::units::Seconds;

    fn hits(requests: &[(u64, &[u64])]) -> PrefixHits {
        let mut prefixes = Prefixes::default();
        let mut list = Vec::new();
        for (isl, ids) in requests {
            let isl = Tokens::new(*isl);
            prefixes.push(isl, ids).unwrap();
            list.push(Request { arrival: Seconds::new(0.0), isl, osl: Tokens::new(1) });
        }
        prefixes.hits(&list)
    }

    #[test]
    fn a_repeated_prompt_is_found_whole_and_its_last_block_is_short() {
        // The second of two prompts of 600 tokens: all 600 of 1,200 tokens, 2 of 4 blocks.
        let hits = hits(&[(600, &[1, 2]), (600, &[1, 2])]);
        assert_eq!((hits.tokens, hits.blocks), (Fraction::new(0.5), Fraction::new(0.5)));
    }

    #[test]
    fn what_follows_a_new_block_is_new_and_a_request_does_not_feed_itself() {
        let hits = hits(&[(1_024, &[1, 2]), (1_024, &[3, 2]), (1_024, &[4, 4])]);
        assert_eq!((hits.tokens, hits.blocks), (Fraction::new(0.0), Fraction::new(0.0)));
    }
}
