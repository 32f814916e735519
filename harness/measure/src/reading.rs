//! What a case reads: random token ids, pieces of a text, or one given prompt.

use crate::case::{Case, Prompts};
use crate::engine::EngineError;
use crate::local::random_ids;
use rand::rngs::SmallRng;
use rand::{Rng, RngCore, SeedableRng};

/// What there is to read, in token ids.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Reading {
    /// Seed of what stands in the KV cache in front of a prompt.
    pub seed: u64,
    /// The prompt that was given.
    pub fixed: Option<Vec<u32>>,
    /// The text that prompts are cut from.
    pub text: Option<Vec<u32>>,
}

impl Reading {
    /// Refuses a case that the text is too short for.
    pub(crate) fn check(&self, case: &Case) -> Result<(), EngineError> {
        let there = self.text.as_ref().map_or(0, Vec::len);
        let wanted = case.isl.max(case.depth);
        if case.prompts == Prompts::Text && there < wanted as usize {
            return Err(EngineError::ShortText { there, wanted });
        }
        Ok(())
    }

    /// A prompt for each sequence.
    pub(crate) fn prompts(&self, case: &Case, vocab: usize, rng: &mut SmallRng) -> Vec<Vec<u32>> {
        (0..case.batch).map(|_| self.piece(case.prompts, case.isl, vocab, rng)).collect()
    }

    /// What stands in front of the prompt of each sequence: the same in every repetition.
    pub(crate) fn prefix(&self, case: &Case, vocab: usize) -> Vec<Vec<u32>> {
        // A given prompt says nothing of what was before it.
        let kind = if case.prompts == Prompts::Fixed { Prompts::Random } else { case.prompts };
        let of = |sequence: u32| {
            let mixed = SmallRng::seed_from_u64(self.seed ^ 0xdeb7_4000).next_u64();
            let mut rng = SmallRng::seed_from_u64(mixed ^ u64::from(sequence));
            self.piece(kind, case.depth, vocab, &mut rng)
        };
        (0..case.batch).map(of).collect()
    }

    fn piece(&self, kind: Prompts, length: u32, vocab: usize, rng: &mut SmallRng) -> Vec<u32> {
        match (kind, &self.fixed, &self.text) {
            (Prompts::Fixed, Some(ids), _) => ids.clone(),
            (Prompts::Text, _, Some(text)) => {
                let length = (length as usize).min(text.len());
                let place = rng.random_range(0..=text.len() - length);
                text[place..place + length].to_vec()
            }
            _ => random_ids(rng, length, vocab),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CASE: Case = Case { isl: 7, osl: 2, depth: 20, batch: 3, prompts: Prompts::Text };

    fn reading() -> Reading {
        Reading { seed: 1, fixed: Some(vec![9, 9]), text: Some((0..100).collect()) }
    }

    fn prompts(case: &Case, seed: u64) -> Vec<Vec<u32>> {
        reading().prompts(case, 1_000, &mut SmallRng::seed_from_u64(seed))
    }

    #[test]
    fn pieces_of_a_text_have_the_exact_length_and_lie_at_seeded_places() {
        let pieces = prompts(&CASE, 5);
        assert_eq!(pieces, prompts(&CASE, 5));
        assert_ne!(pieces, prompts(&CASE, 6));
        assert_ne!(pieces[0], pieces[1]);
        for piece in pieces {
            assert_eq!(piece.len(), 7);
            assert!(piece.windows(2).all(|pair| pair[1] == pair[0] + 1), "{piece:?}");
        }
        assert_eq!(prompts(&Case { prompts: Prompts::Fixed, ..CASE }, 5), vec![vec![9, 9]; 3]);
        let random = prompts(&Case { prompts: Prompts::Random, ..CASE }, 5);
        assert!(random.iter().all(|ids| ids.len() == 7 && ids.iter().any(|id| *id >= 100)));
    }

    #[test]
    fn what_stands_in_front_depends_on_neither_repetition_nor_length() {
        let prefix = |case: &Case| reading().prefix(case, 1_000);
        assert_eq!(prefix(&CASE), prefix(&Case { isl: 3, osl: 9, ..CASE }));
        assert_eq!(prefix(&CASE)[..2], prefix(&Case { batch: 2, ..CASE }));
        assert_ne!(prefix(&CASE)[0], prefix(&CASE)[1]);
        let random = Case { prompts: Prompts::Random, ..CASE };
        assert_eq!(prefix(&random), prefix(&Case { prompts: Prompts::Fixed, ..CASE }));
        // A deeper one begins as the shallower does.
        assert_eq!(prefix(&random)[0], prefix(&Case { depth: 50, ..random })[0][..20]);
    }

    #[test]
    fn a_text_that_is_too_short_is_refused_with_its_length() {
        let refused = |case: Case| reading().check(&case).map_err(|error| error.to_string());
        assert_eq!(refused(Case { isl: 100, ..CASE }), Ok(()));
        assert_eq!(
            refused(Case { isl: 101, ..CASE }).unwrap_err(),
            "the text has 100 tokens, and this case needs 101 in a row; give a longer text with --text, or lower --isl or --depth"
        );
        assert!(refused(Case { depth: 101, ..CASE }).is_err());
        assert_eq!(refused(Case { isl: 101, prompts: Prompts::Random, ..CASE }), Ok(()));
    }
}
