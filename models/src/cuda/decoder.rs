//! The [`Decoder`] over passes on a GPU.

use super::cache::KvCache;
use super::pass::{Angles, Pass};
use super::step::Recorded;
use super::takes;
use super::weights::Weights;
use super::workspace::{Extent, Lists, Workspace};
use crate::decoder::{Decoder, MemoryUse};
use crate::error::ModelError;
use crate::spec::ModelSpec;
use crate::stored::StoredTensors;
use freeweights_kernels::cuda::{Buffer, Gpu, GpuError, Place, steps};
use freeweights_kernels::rope::RopeTable;
use std::sync::Arc;

/// Rows of a prompt that go through the model together: enough for the vendor's library to be at its
/// best, few enough that their activations are small beside the weights.
const PROMPT_ROWS: usize = 8_192;

/// Rows of which all logits are made at a time.
const SCORED_ROWS: usize = 128;

/// Positions whose angles are made at once, where the model has as many: a few megabytes.
const FEWEST_ANGLES: usize = 16_384;

/// Fewest tokens that the KV cache makes room for.
pub(super) const FEWEST_POSITIONS: usize = 256;

/// A model on a GPU.
pub struct CudaDecoder {
    pub(super) spec: ModelSpec,
    /// Steps as they were recorded. They go before the memory that they use.
    pub(super) recorded: Vec<Recorded>,
    pub(super) memory: Option<Workspace>,
    cache: Option<KvCache>,
    angles: Option<Angles>,
    pub(super) weights: Weights,
    pub(super) gpu: Arc<dyn Gpu>,
    /// Tokens in the KV cache of each sequence.
    pub(super) lengths: Vec<usize>,
    /// The tokens that the GPU has as those of the next step, where they are known here.
    pub(super) next: Option<Vec<u32>>,
    /// Whether the GPU's list of positions and rows is that of the next step.
    pub(super) positions_known: bool,
    /// Whether the logits are those of the last position of every sequence.
    ready: bool,
    /// Error of the part of the kernels' check that is the same for every batch.
    pub(super) checked: Option<f64>,
    /// Why steps are not recorded.
    pub(super) unrecorded: Option<String>,
}

impl CudaDecoder {
    /// Whether the kernels have code for models of this shape, whatever they are quantised to.
    #[must_use]
    pub fn takes(spec: &ModelSpec) -> bool {
        takes::check(spec).is_ok()
    }

    /// Reads the weights into the GPU's memory; `made` makes up those of a dummy there.
    ///
    /// # Errors
    /// [`ModelError::NotFused`] for a shape or a type the kernels have not, [`ModelError::Weights`]
    /// if a tensor cannot be read, [`ModelError::GpuMemory`] if it does not fit.
    pub(crate) fn load(
        spec: &ModelSpec,
        stored: &dyn StoredTensors,
        gpu: Arc<dyn Gpu>,
        made: bool,
    ) -> Result<Self, ModelError> {
        takes::check(spec)?;
        let weights = Weights::load(&gpu, spec, stored, made)?;
        Ok(Self {
            spec: spec.clone(),
            recorded: Vec::new(),
            memory: None,
            cache: None,
            angles: None,
            weights,
            gpu,
            lengths: Vec::new(),
            next: None,
            positions_known: false,
            ready: false,
            checked: None,
            unrecorded: None,
        })
    }

    fn bad<T>(reason: String) -> Result<T, ModelError> {
        Err(ModelError::BadCall { reason })
    }

    /// Refuses token ids that the model has not, before anything changes.
    fn check_tokens<'a>(
        &self,
        tokens: impl IntoIterator<Item = &'a u32>,
    ) -> Result<(), ModelError> {
        let vocab = self.spec.vocab;
        match tokens.into_iter().find(|token| **token as usize >= vocab) {
            None => Ok(()),
            Some(token) => Self::bad(format!("token {token} is not in a vocabulary of {vocab}")),
        }
    }

    /// Takes in a batch and makes room for what is to be added.
    fn admit(&mut self, added: &[usize]) -> Result<(), ModelError> {
        if added.is_empty() || added.contains(&0) {
            let reason = "a batch needs at least one sequence, each of one token at least";
            return Self::bad(reason.into());
        }
        if !self.lengths.is_empty() && self.lengths.len() != added.len() {
            return Self::bad("the batch cannot change before a reset".into());
        }
        let held = self.lengths.iter().copied().chain(std::iter::repeat(0));
        let wanted = held.zip(added).map(|(held, added)| held + added).max().unwrap_or(0);
        if wanted > self.spec.context {
            let limit = self.spec.context;
            return Err(ModelError::BeyondContext { wanted, limit, whose: "the model".into() });
        }
        let fits = |cache: &KvCache| added.len() <= cache.sequences && wanted <= cache.capacity;
        if !self.cache.as_ref().is_some_and(fits) {
            // Never asked for before: doubling keeps copies few.
            let room = (wanted.max(FEWEST_POSITIONS)).next_power_of_two().min(self.spec.context);
            self.make_cache(added.len(), room.max(wanted))?;
        }
        if self.lengths.is_empty() {
            self.lengths = vec![0; added.len()];
        }
        Ok(())
    }

    /// A cache of this size; what the old one holds stays if there is any.
    fn make_cache(&mut self, sequences: usize, tokens: usize) -> Result<(), ModelError> {
        if self.lengths.is_empty() {
            // Nothing is in it: where the old memory is too small it goes before the new one comes.
            let old = self.cache.take();
            self.cache = old.and_then(|old| old.reshaped(&self.spec, sequences, tokens));
            if self.cache.is_none() {
                self.recorded.clear();
                self.cache = Some(KvCache::new(&self.gpu, &self.spec, sequences, tokens)?);
            }
        } else {
            self.recorded.clear();
            let cache = KvCache::new(&self.gpu, &self.spec, sequences, tokens)?;
            if let Some(old) = &self.cache {
                cache.take_over(&*self.gpu, &self.spec, old)?;
            }
            self.cache = Some(cache);
        }
        let capacity = self.cache.as_ref().map_or(0, |cache| cache.capacity);
        if self.angles.as_ref().is_none_or(|angles| angles.positions < capacity) {
            self.recorded.clear();
            let positions = capacity.max(self.spec.context.min(FEWEST_ANGLES));
            self.angles = Some(angles(&self.gpu, &self.spec, positions)?);
        }
        Ok(())
    }

    /// Workspace for a pass; where it grows, what was recorded and listed is gone.
    fn make_room(&mut self, extent: Extent) -> Result<(), ModelError> {
        let wanted = match &self.memory {
            None => extent,
            Some(memory) => match memory.grown(extent) {
                None => return Ok(()),
                Some(wanted) => wanted,
            },
        };
        self.recorded.clear();
        self.next = None;
        self.positions_known = false;
        // The old memory goes before the new one comes.
        self.memory = None;
        self.ready = false;
        let quantised = self.weights.quantised();
        self.memory = Some(Workspace::new(&self.gpu, &self.spec, quantised, wanted)?);
        Ok(())
    }

    /// The memory of passes, which [`Self::admit`] and [`Self::make_room`] have made.
    pub(super) fn parts(&self) -> (&Workspace, &KvCache, &Angles) {
        let made = "invariant: a batch was admitted";
        (
            self.memory.as_ref().expect(made),
            self.cache.as_ref().expect(made),
            self.angles.as_ref().expect(made),
        )
    }

    pub(super) fn pass<'a>(&'a self, lists: &'a Lists, rows: steps::Rows) -> Pass<'a> {
        let (memory, cache, angles) = self.parts();
        let (gpu, spec, weights) = (&*self.gpu, &self.spec, &self.weights);
        Pass { gpu, spec, weights, cache, angles, memory, lists, rows }
    }

    /// Sends some rows of a prompt through the first layers. `kept` are the rows of which logits are
    /// wanted; their inputs go to the head's row `first_head` on.
    fn run_rows(
        &mut self,
        rows: &[Row],
        layers: usize,
        kept: &[usize],
        first_head: usize,
    ) -> Result<(), ModelError> {
        let word = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        let column = |of: &dyn Fn(&Row) -> u32| bytes_of(rows.iter().map(of));
        // A sequence's rows are neighbours.
        let mut first_rows = vec![0];
        for (at, pair) in rows.windows(2).enumerate() {
            if pair[0].sequence != pair[1].sequence {
                first_rows.push(at + 1);
            }
        }
        let count = first_rows.len();
        first_rows.push(rows.len());
        let longest = first_rows.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap_or(0);
        let keys = rows.iter().map(|row| row.position + 1).max().unwrap_or(0);
        let lists = &self.parts().0.prompt;
        lists.tokens.write(0, &column(&|row| row.token))?;
        lists.sequences.write(0, &column(&|row| word(row.sequence)))?;
        lists.positions.write(0, &column(&|row| word(row.position)))?;
        lists.first_rows.write(0, &bytes_of(first_rows.iter().map(|row| word(*row))))?;
        lists.chosen.write(0, &bytes_of(kept.iter().map(|row| word(*row))))?;
        let rows = lists.rows(rows.len(), count, longest, keys);
        self.pass(lists, rows).run(layers, first_head, kept.len())?;
        Ok(())
    }

    /// The next rows of a sequence.
    fn rows_of(&mut self, sequence: usize, tokens: &[u32]) -> impl Iterator<Item = Row> {
        let first = self.lengths[sequence];
        self.lengths[sequence] += tokens.len();
        let row =
            move |(at, token): (usize, &u32)| Row { token: *token, sequence, position: first + at };
        tokens.iter().enumerate().map(row)
    }

    /// Logits of all sequences, and the likeliest tokens, which become those of the next step.
    pub(super) fn finish(&mut self, positions: Place) -> Result<(), GpuError> {
        let (memory, ..) = self.parts();
        let sequences = self.lengths.len();
        let rows = memory.step.rows(sequences, sequences, 1, 0);
        self.pass(&memory.step, rows).logits(sequences)?;
        let [logits, picked, tokens] =
            [&memory.logits, &memory.picked, &memory.step.tokens].map(Buffer::place);
        let places = [logits, picked, tokens, positions];
        // SAFETY: the buffers have room for a batch, as `make_room` saw to.
        unsafe { steps::pick(&*self.gpu, places, sequences, self.spec.vocab) }
    }

    /// What the first layer makes of the residual of so many tokens of one sequence, some at a time.
    pub(super) fn first_layer(
        &mut self,
        count: usize,
        at_once: usize,
    ) -> Result<Vec<f32>, ModelError> {
        self.reset()?;
        self.admit(&[count])?;
        self.make_room(Extent { rows: at_once, heads: at_once, sequences: 1 })?;
        let hidden = self.spec.hidden;
        let tokens: Vec<u32> = (0..count).map(|at| self.checked_token(at)).collect();
        let mut residual = Vec::with_capacity(count * hidden);
        for tokens in tokens.chunks(at_once) {
            let rows: Vec<Row> = self.rows_of(0, tokens).collect();
            let all: Vec<usize> = (0..rows.len()).collect();
            self.run_rows(&rows, 1, &all, 0)?;
            let mut bytes = vec![0; 4 * rows.len() * hidden];
            self.parts().0.residual.read(0, &mut bytes)?;
            residual.extend(bytes.as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)));
        }
        self.reset()?;
        Ok(residual)
    }

    /// Any tokens would do for a check; these are far from each other.
    pub(super) fn checked_token(&self, at: usize) -> u32 {
        u32::try_from((at * 7919 + 1) % self.spec.vocab).unwrap_or(0)
    }

    fn check_ready(&self) -> Result<(), ModelError> {
        if self.ready { Ok(()) } else { Self::bad("no prompt was read yet".into()) }
    }

    /// Rows of the logits that are there.
    fn logit_rows(&self, rows: usize) -> Result<Vec<Vec<f32>>, ModelError> {
        let mut bytes = vec![0; 4 * rows * self.spec.vocab];
        self.parts().0.logits.read(0, &mut bytes)?;
        let scale = self.spec.logit_scale;
        let row = |bytes: &[u8]| {
            let numbers = bytes.as_chunks::<4>().0.iter();
            numbers.map(|number| scale * f32::from_le_bytes(*number)).collect()
        };
        Ok(bytes.chunks_exact(4 * self.spec.vocab).map(row).collect())
    }
}

/// A token on its way through the model.
#[derive(Debug, Clone, Copy)]
struct Row {
    token: u32,
    sequence: usize,
    position: usize,
}

pub(super) fn bytes_of(words: impl Iterator<Item = u32>) -> Vec<u8> {
    words.flat_map(u32::to_le_bytes).collect()
}

fn angles(gpu: &Arc<dyn Gpu>, spec: &ModelSpec, positions: usize) -> Result<Angles, ModelError> {
    let frequencies = spec.rope.inverse_frequencies(false);
    let magnitude = spec.rope.magnitude();
    let table = RopeTable::with_magnitude(spec.head_dim, &frequencies, magnitude, positions);
    let all = table.cosines().iter().chain(table.sines());
    let bytes: Vec<u8> = all.flat_map(|number| number.to_le_bytes()).collect();
    Ok(Angles { table: Buffer::of(gpu, &bytes)?, positions })
}

impl Decoder for CudaDecoder {
    fn spec(&self) -> &ModelSpec {
        &self.spec
    }

    fn max_context(&self) -> usize {
        self.spec.context
    }

    fn kv_dtype(&self) -> &'static str {
        "bf16"
    }

    fn kv_bytes_per_token(&self) -> u64 {
        self.spec.kv_bytes_per_token(2)
    }

    fn depth(&self) -> usize {
        self.lengths.iter().copied().max().unwrap_or(0)
    }

    fn reserve(&mut self, sequences: usize, tokens: usize) -> Result<(), ModelError> {
        let tokens = tokens.min(self.spec.context);
        let fits = |cache: &KvCache| sequences <= cache.sequences && tokens <= cache.capacity;
        if self.lengths.is_empty() && !self.cache.as_ref().is_some_and(fits) {
            self.make_cache(sequences, tokens)?;
        }
        Ok(())
    }

    fn reset(&mut self) -> Result<(), ModelError> {
        self.lengths.clear();
        self.ready = false;
        self.next = None;
        self.positions_known = false;
        Ok(())
    }

    /// What is behind them is overwritten before it is read again.
    fn rewind(&mut self, tokens: usize) -> Result<bool, ModelError> {
        if self.lengths.is_empty() || self.lengths.iter().any(|held| *held < tokens) {
            return Ok(false);
        }
        self.lengths.fill(tokens);
        (self.ready, self.next, self.positions_known) = (false, None, false);
        Ok(true)
    }

    fn prefill(&mut self, prompts: &[&[u32]]) -> Result<(), ModelError> {
        self.check_tokens(prompts.iter().copied().flatten())?;
        let added: Vec<usize> = prompts.iter().map(|prompt| prompt.len()).collect();
        self.admit(&added)?;
        let (all, sequences) = (added.iter().sum::<usize>(), added.len());
        let rows = all.min(PROMPT_ROWS).max(sequences);
        self.make_room(Extent { rows, heads: sequences, sequences })?;
        (self.ready, self.next, self.positions_known) = (false, None, false);
        let (mut rows, mut kept, mut heads) = (Vec::new(), Vec::new(), 0);
        for (sequence, prompt) in prompts.iter().enumerate() {
            let mut rest = *prompt;
            while !rest.is_empty() {
                let (now, later) = rest.split_at(rest.len().min(PROMPT_ROWS - rows.len()));
                let more: Vec<Row> = self.rows_of(sequence, now).collect();
                rows.extend(more);
                if later.is_empty() {
                    kept.push(rows.len() - 1);
                }
                let last = later.is_empty() && sequence + 1 == sequences;
                if rows.len() == PROMPT_ROWS || last {
                    self.run_rows(&rows, self.spec.layers, &kept, heads)?;
                    heads += kept.len();
                    rows.clear();
                    kept.clear();
                }
                rest = later;
            }
        }
        self.finish(Place::NONE)?;
        self.ready = true;
        Ok(())
    }

    fn step(&mut self, tokens: &[u32]) -> Result<(), ModelError> {
        if tokens.len() != self.lengths.len() || tokens.is_empty() {
            let (tokens, sequences) = (tokens.len(), self.lengths.len());
            return Self::bad(format!("{tokens} tokens for {sequences} sequences"));
        }
        self.check_ready()?;
        self.check_tokens(tokens)?;
        self.admit(&vec![1; tokens.len()])?;
        self.ready = false;
        self.write_step_lists(tokens)?;
        self.step_recorded()?;
        for length in &mut self.lengths {
            *length += 1;
        }
        (self.ready, self.next) = (true, None);
        Ok(())
    }

    fn greedy(&mut self, picked: &mut Vec<u32>) -> Result<(), ModelError> {
        self.check_ready()?;
        let mut bytes = vec![0; 4 * self.lengths.len()];
        self.parts().0.picked.read(0, &mut bytes)?;
        picked.clear();
        picked.extend(bytes.as_chunks::<4>().0.iter().map(|word| u32::from_le_bytes(*word)));
        self.next = Some(picked.clone());
        Ok(())
    }

    fn logits(&self) -> Result<Vec<Vec<f32>>, ModelError> {
        self.check_ready()?;
        self.logit_rows(self.lengths.len())
    }

    fn score(
        &mut self,
        tokens: &[u32],
        each: &mut dyn FnMut(usize, &[f32]),
    ) -> Result<(), ModelError> {
        self.reset()?;
        self.check_tokens(tokens)?;
        self.admit(&[tokens.len()])?;
        let rows = tokens.len().min(SCORED_ROWS);
        self.make_room(Extent { rows, heads: rows, sequences: 1 })?;
        for (chunk, tokens) in tokens.chunks(SCORED_ROWS).enumerate() {
            let rows: Vec<Row> = self.rows_of(0, tokens).collect();
            let all: Vec<usize> = (0..rows.len()).collect();
            self.run_rows(&rows, self.spec.layers, &all, 0)?;
            let lists = &self.parts().0.prompt;
            self.pass(lists, lists.rows(rows.len(), 1, rows.len(), 0)).logits(rows.len())?;
            for (place, row) in self.logit_rows(rows.len())?.iter().enumerate() {
                each(chunk * SCORED_ROWS + place, row);
            }
        }
        // What is left are the logits of a chunk, not of a last position.
        self.reset()
    }

    fn synchronize(&self) -> Result<(), ModelError> {
        Ok(self.gpu.synchronize()?)
    }

    fn memory(&self) -> MemoryUse {
        let held = &self.weights.held;
        let tokens: usize = self.lengths.iter().sum();
        let of = |role| held.get(&role).copied().unwrap_or(0);
        MemoryUse {
            weights: held.values().sum(),
            weights_per_step: self
                .spec
                .step_bytes(self.lengths.len(), None, |tensor| of(tensor.role)),
            kv_cache: self.kv_bytes_per_token() * tokens as u64,
            workspace: self.memory.as_ref().map_or(0, Workspace::bytes) as u64,
        }
    }

    /// The first layer against plain arithmetic on the CPU, with weights read back from the GPU, for
    /// two tokens; and as many rows as the batch has, and as a prompt has, against single tokens.
    fn check(&mut self, batch: usize) -> Result<Option<f64>, ModelError> {
        self.check_kernels(batch).map(Some)
    }

    fn notes(&self) -> Vec<String> {
        let peak = self.gpu.allocated_peak() as f64 / 1e9;
        let allocated = format!("the engine allocated {peak:.3} GB of the GPU's memory at most");
        self.unrecorded.iter().cloned().chain([allocated]).collect()
    }
}

impl Drop for CudaDecoder {
    fn drop(&mut self) {
        // What was recorded must go before the memory that it uses, and not while it runs.
        let _ = self.gpu.synchronize();
        self.recorded.clear();
    }
}
