//! The [`Decoder`] over fused passes.

use super::largest::largest;
use super::pass::Pass;
use super::plan::{Plan, Row};
use super::profile::Profile;
use super::ropes::Ropes;
use super::weights::FusedWeights;
use super::workspace::{Extent, Workspace};
use crate::decoder::{Decoder, MemoryUse};
use crate::error::ModelError;
use crate::kv_state::{Content, KvState};
use crate::nmse::nmse;
use crate::spec::ModelSpec;
use crate::stored::StoredTensors;
use freeweights_kernels::attention::{KvCache, KvType};
use freeweights_kernels::isa::Isa;
use freeweights_kernels::pool::Pool;
use freeweights_kernels::team::Team;
use std::num::NonZeroUsize;
use std::time::Duration;

/// Rows of a prompt that go through the model together: enough to use each weight many times, few
/// enough that their activations stay in the second-level caches.
const PROMPT_ROWS: usize = 256;

/// Rows of which all logits are made at a time.
const SCORED_ROWS: usize = 64;

/// Rows that the slow reference is asked for.
const PAIR: usize = 2;

/// Rows of the prompt that kernels are checked with: more than two matrix tiles, and no whole one.
const CHECKED_PROMPT: usize = 37;

/// Steps that are checked: in the last of them threads share the keys of a head.
const CHECKED_STEPS: usize = 136;

/// Fewest tokens that the KV cache makes room for.
const FEWEST_POSITIONS: usize = 256;

/// How the fused engine runs.
#[derive(Debug, Clone, Copy)]
pub struct FusedOptions {
    /// Threads, the caller's included.
    pub threads: NonZeroUsize,
    /// Instructions to use: [`Isa::best`] unless somebody compares.
    pub isa: Isa,
    /// Data type of the KV cache.
    pub kv: KvType,
    /// Whether each thread but the caller's stays on the CPU of its number.
    pub pinned: bool,
}

/// A model on kernels of our own: weights packed at load, one call of a pool of threads a pass.
pub struct FusedDecoder {
    spec: ModelSpec,
    weights: FusedWeights,
    options: FusedOptions,
    pool: Pool,
    cache: KvCache,
    ropes: Ropes,
    memory: Workspace,
    plan: Plan,
    profile: Profile,
    /// Tokens in the KV cache of each sequence.
    lengths: Vec<usize>,
    /// Tokens that each sequence will have behind the call that is running.
    wanted: Vec<usize>,
    /// Whether the logits are those of the last position of every sequence.
    ready: bool,
    /// Error of the part of the kernels' check that is the same for every batch.
    checked: Option<f64>,
}

impl FusedDecoder {
    /// Whether the kernels have code for models of this shape, whatever they are quantised to.
    #[must_use]
    pub fn takes(spec: &ModelSpec) -> bool {
        FusedWeights::check(spec).is_ok()
    }

    /// Reads and packs the weights.
    ///
    /// # Errors
    /// [`ModelError::NotFused`] for a shape or a type the kernels have not, [`ModelError::Weights`]
    /// if a tensor cannot be read.
    pub(crate) fn load(
        spec: &ModelSpec,
        stored: &dyn StoredTensors,
        options: FusedOptions,
    ) -> Result<Self, ModelError> {
        if !options.isa.is_available() {
            let reason = format!("this CPU has no {}", options.isa);
            return Err(ModelError::BadCall { reason });
        }
        let weights = FusedWeights::load(spec, stored, options.threads)?;
        Ok(Self {
            pool: if options.pinned {
                Pool::pinned(options.threads)
            } else {
                Pool::new(options.threads)
            },
            cache: KvCache::new(options.kv, spec.layers, spec.kv_heads, spec.head_dim),
            memory: Workspace::new(spec, options.threads.get()),
            plan: Plan::default(),
            profile: Profile::default(),
            lengths: Vec::new(),
            wanted: Vec::new(),
            ready: false,
            checked: None,
            spec: spec.clone(),
            weights,
            options,
            ropes: Ropes::new(spec, FEWEST_POSITIONS),
        })
    }

    /// Makes room for so many tokens of each sequence. What is in the cache stays.
    fn make_room(&mut self, tokens: usize) {
        let (sequences, capacity) = (self.lengths.len(), self.cache.capacity());
        if sequences > self.cache.sequences() {
            // Only after a reset: nothing is lost.
            self.cache.reserve(sequences, tokens.max(FEWEST_POSITIONS));
        } else if tokens > capacity {
            // Never asked for before: doubling keeps copies few.
            let capacity = tokens.max(2 * capacity).min(self.spec.context);
            self.cache.reserve(self.cache.sequences(), capacity);
        }
        self.ropes.cover(tokens);
    }

    /// Takes in a batch of sequences and checks that what is to be added fits.
    fn admit(&mut self, added: impl Iterator<Item = usize> + Clone) -> Result<(), ModelError> {
        let count = added.clone().count();
        if count == 0 || added.clone().any(|length| length == 0) {
            let reason = "a batch needs at least one sequence, each of one token at least".into();
            return Err(ModelError::BadCall { reason });
        }
        if !self.lengths.is_empty() && self.lengths.len() != count {
            let reason = "the batch cannot change before a reset".into();
            return Err(ModelError::BadCall { reason });
        }
        let held = self.lengths.iter().copied().chain(std::iter::repeat(0));
        self.wanted.clear();
        self.wanted.extend(held.zip(added).map(|(held, added)| held + added));
        let wanted = self.wanted.iter().copied().max().unwrap_or(0);
        if wanted > self.spec.context {
            let limit = self.spec.context;
            return Err(ModelError::BeyondContext { wanted, limit, whose: "the model".into() });
        }
        if self.lengths.is_empty() {
            self.lengths.resize(count, 0);
        }
        self.make_room(wanted);
        Ok(())
    }

    /// Refuses token ids that the model has not, before anything changes.
    fn check_tokens<'a>(
        &self,
        tokens: impl IntoIterator<Item = &'a u32>,
    ) -> Result<(), ModelError> {
        let vocab = self.spec.vocab;
        match tokens.into_iter().find(|token| **token as usize >= vocab) {
            None => Ok(()),
            Some(token) => {
                let reason = format!("token {token} is not in a vocabulary of {vocab}");
                Err(ModelError::BadCall { reason })
            }
        }
    }

    /// Adds a token to the plan.
    fn add_row(&mut self, sequence: usize, token: u32) {
        let position = self.lengths[sequence];
        self.lengths[sequence] += 1;
        let long = self.spec.rope.long_from().is_some_and(|from| self.wanted[sequence] > from);
        self.plan.rows.push(Row { token, sequence, position, long });
    }

    /// Runs the plan. `kept` rows are kept for the output head, by this pass and those before.
    fn run(&mut self, kept: usize) {
        self.run_layers(self.options.isa, self.weights.layers.len(), kept);
    }

    /// Runs the plan through the first layers.
    fn run_layers(&mut self, isa: Isa, layers: usize, kept: usize) {
        let (kv_heads, threads) = (self.spec.kv_heads, self.options.threads.get());
        self.plan.share_attention(kv_heads, threads, self.spec.window);
        let extent = Extent {
            rows: self.plan.rows.len(),
            heads: self.plan.heads,
            kept,
            parts: self.plan.parts(),
        };
        self.memory.shape(&self.spec, &self.weights, isa, extent);
        let team = Team::new(self.pool.threads());
        let pass = Pass {
            spec: &self.spec,
            weights: &self.weights,
            layers: &self.weights.layers[..layers],
            plan: &self.plan,
            memory: &self.memory,
            cache: &self.cache,
            ropes: &self.ropes,
            isa,
            team: &team,
            profile: &self.profile,
        };
        self.pool.run(|thread, _| pass.run(thread));
    }

    /// What the first layer makes of so many tokens, some at a time.
    fn first_layer(
        &mut self,
        isa: Isa,
        count: usize,
        at_once: usize,
    ) -> Result<Vec<f32>, ModelError> {
        self.reset()?;
        self.admit(std::iter::once(count))?;
        self.plan.dealt = true;
        for first in (0..count).step_by(at_once) {
            self.plan.clear();
            for place in first..count.min(first + at_once) {
                // Any tokens would do; these are far from each other.
                let token = (place * 7919 + 1) % self.spec.vocab;
                self.add_row(0, u32::try_from(token).unwrap_or(0));
                self.plan.keep.push((place - first, place));
            }
            self.run_layers(isa, 1, count);
        }
        self.plan.dealt = false;
        self.reset()?;
        // SAFETY: no pass runs.
        Ok(unsafe { self.memory.kept.slice(0..count * self.spec.hidden) }.to_vec())
    }

    fn check_kernels(&mut self, batch: usize) -> Result<f64, ModelError> {
        let (isa, most) = (self.options.isa, self.spec.context);
        let few = |rows: usize| rows.min(most);
        let mut error = if let Some(error) = self.checked {
            error
        } else {
            let slow = self.first_layer(Isa::Reference, few(PAIR), PAIR)?;
            let fast = self.first_layer(isa, few(PAIR), PAIR)?;
            let together = self.first_layer(isa, few(CHECKED_STEPS), CHECKED_STEPS)?;
            let steps = self.first_layer(isa, few(CHECKED_STEPS), 1)?;
            worse(nmse(&fast, &slow), nmse(&together, &steps))
        };
        self.checked = Some(error);
        for rows in [few(batch), few(CHECKED_PROMPT)] {
            let pairs = self.first_layer(isa, rows, PAIR)?;
            let together = self.first_layer(isa, rows, rows)?;
            error = worse(error, nmse(&together, &pairs));
        }
        Ok(error)
    }

    /// The logits of the last position of a sequence.
    fn last_logits(&self, sequence: usize) -> &[f32] {
        let vocab = self.spec.vocab;
        // SAFETY: no pass runs: that takes a mutable borrow of the decoder.
        unsafe { self.memory.logits.slice(sequence * vocab..(sequence + 1) * vocab) }
    }

    fn check_ready(&self) -> Result<(), ModelError> {
        if self.ready {
            return Ok(());
        }
        Err(ModelError::BadCall { reason: "no prompt was read yet".into() })
    }
}

impl Decoder for FusedDecoder {
    fn spec(&self) -> &ModelSpec {
        &self.spec
    }

    fn max_context(&self) -> usize {
        self.spec.context
    }

    fn kv_dtype(&self) -> &'static str {
        self.options.kv.name()
    }

    fn kv_bytes_per_token(&self) -> u64 {
        let layer = self.options.kv.bytes_per_token(self.spec.kv_heads, self.spec.head_dim);
        (self.spec.layers * layer) as u64
    }

    fn depth(&self) -> usize {
        self.lengths.iter().copied().max().unwrap_or(0)
    }

    fn reserve(&mut self, sequences: usize, tokens: usize) -> Result<(), ModelError> {
        let tokens = tokens.min(self.spec.context);
        if self.lengths.is_empty()
            && (sequences > self.cache.sequences() || tokens > self.cache.capacity())
        {
            // Nothing is in it: the old memory goes before the new one comes.
            let (kv, spec) = (self.options.kv, &self.spec);
            self.cache = KvCache::new(kv, spec.layers, spec.kv_heads, spec.head_dim);
            self.cache.reserve(sequences, tokens);
        }
        self.ropes.cover(tokens);
        Ok(())
    }

    fn reset(&mut self) -> Result<(), ModelError> {
        self.lengths.clear();
        self.ready = false;
        Ok(())
    }

    fn keep(&mut self) -> Result<Option<KvState>, ModelError> {
        let copy = self.cache.copy(self.lengths.len(), self.depth());
        let bytes = copy.bytes() as u64;
        let content = Content::Fused { copy, lengths: self.lengths.clone() };
        Ok(Some(KvState { content, bytes }))
    }

    fn restore(&mut self, state: &KvState) -> Result<(), ModelError> {
        let Content::Fused { copy, lengths } = &state.content else {
            let reason = "the state is that of another engine".into();
            return Err(ModelError::BadCall { reason });
        };
        self.reset()?;
        self.cache.put_back(copy);
        self.lengths.clone_from(lengths);
        Ok(())
    }

    fn experts_read(&self) -> Option<f64> {
        // SAFETY: no pass runs: that takes a mutable borrow of the decoder.
        unsafe { self.memory.choices.read() }.share_read()
    }

    fn weights_per_step(&self, sequences: usize, experts_read: Option<f64>) -> u64 {
        self.weights.bytes(&self.spec, sequences, experts_read).1
    }

    fn prefill(&mut self, prompts: &[&[u32]]) -> Result<(), ModelError> {
        self.check_tokens(prompts.iter().copied().flatten())?;
        self.admit(prompts.iter().map(|prompt| prompt.len()))?;
        self.ready = false;
        self.plan.clear();
        for (sequence, prompt) in prompts.iter().enumerate() {
            for (at, &token) in prompt.iter().enumerate() {
                self.add_row(sequence, token);
                let last_of_sequence = at + 1 == prompt.len();
                if last_of_sequence {
                    self.plan.keep.push((self.plan.rows.len() - 1, sequence));
                }
                let last = last_of_sequence && sequence + 1 == prompts.len();
                if self.plan.rows.len() == PROMPT_ROWS || last {
                    self.plan.heads = if last { prompts.len() } else { 0 };
                    self.run(prompts.len());
                    self.plan.clear();
                }
            }
        }
        // What is counted from here on are steps.
        self.memory.choices.get_mut().clear_tally();
        self.ready = true;
        Ok(())
    }

    fn step(&mut self, tokens: &[u32]) -> Result<(), ModelError> {
        if tokens.len() != self.lengths.len() || tokens.is_empty() {
            let reason = format!("{} tokens for {} sequences", tokens.len(), self.lengths.len());
            return Err(ModelError::BadCall { reason });
        }
        self.check_ready()?;
        self.check_tokens(tokens)?;
        self.admit(tokens.iter().map(|_| 1))?;
        self.ready = false;
        self.plan.clear();
        for (sequence, &token) in tokens.iter().enumerate() {
            self.add_row(sequence, token);
            self.plan.keep.push((sequence, sequence));
        }
        self.plan.heads = tokens.len();
        self.run(tokens.len());
        self.ready = true;
        Ok(())
    }

    fn greedy(&mut self, picked: &mut Vec<u32>) -> Result<(), ModelError> {
        self.check_ready()?;
        picked.clear();
        for sequence in 0..self.lengths.len() {
            picked.push(largest(self.last_logits(sequence)));
        }
        Ok(())
    }

    fn logits(&self) -> Result<Vec<Vec<f32>>, ModelError> {
        self.check_ready()?;
        Ok((0..self.lengths.len()).map(|sequence| self.last_logits(sequence).to_vec()).collect())
    }

    fn score(
        &mut self,
        tokens: &[u32],
        each: &mut dyn FnMut(usize, &[f32]),
    ) -> Result<(), ModelError> {
        self.reset()?;
        self.check_tokens(tokens)?;
        self.admit(std::iter::once(tokens.len()))?;
        for (chunk, tokens) in tokens.chunks(SCORED_ROWS).enumerate() {
            self.plan.clear();
            for (place, &token) in tokens.iter().enumerate() {
                self.add_row(0, token);
                self.plan.keep.push((place, place));
            }
            self.plan.heads = tokens.len();
            self.run(tokens.len());
            for place in 0..tokens.len() {
                each(chunk * SCORED_ROWS + place, self.last_logits(place));
            }
        }
        // What is left are the logits of a chunk, not of a last position.
        self.reset()
    }

    fn synchronize(&self) -> Result<(), ModelError> {
        Ok(())
    }

    fn memory(&self) -> MemoryUse {
        let sequences = self.lengths.len();
        let (weights, weights_per_step) = self.weights.bytes(&self.spec, sequences, None);
        let tokens: usize = self.lengths.iter().sum();
        MemoryUse {
            weights,
            weights_per_step,
            kv_cache: self.kv_bytes_per_token() * tokens as u64,
            workspace: self.memory.bytes() as u64,
        }
    }

    /// The first layer on the kernels in use against the reference ones for two tokens at a time;
    /// and as many rows as the batch has, and as a prompt has, against two at a time, of one
    /// sequence; and once a prompt against single steps that share a head among threads.
    fn check(&mut self, batch: usize) -> Result<Option<f64>, ModelError> {
        let profile = std::mem::take(&mut self.profile);
        let error = self.check_kernels(batch);
        self.profile = profile;
        error.map(Some)
    }

    fn set_profiling(&mut self, on: bool) {
        self.profile.switch(on);
    }

    fn profile(&self) -> Vec<(&'static str, Duration)> {
        self.profile.spent()
    }
}

/// The larger error. What is no number is worse than any: `f64::max` would lose it.
fn worse(a: f64, b: f64) -> f64 {
    if a.is_nan() || b.is_nan() { f64::NAN } else { a.max(b) }
}

#[cfg(test)]
mod tests {
    use super::worse;

    #[test]
    fn what_is_no_number_is_worse_than_any() {
        assert!(worse(f64::NAN, 1.0).is_nan() && worse(1.0, f64::NAN).is_nan());
    }
}
