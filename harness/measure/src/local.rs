//! The engine that runs a [`Decoder`] in this process.

use crate::case::Case;
use crate::engine::{Check, Engine, EngineError, EngineInfo, Timing};
use crate::fit::shorter;
use crate::host::available_memory;
use crate::prefixes::Prefixes;
use crate::reading::Reading;
use freeweights_models::{Decoder, ModelError, ModelSpec};
use freeweights_record::metric;
use freeweights_record::stats::mean;
use freeweights_record::units::{Bytes, Flops, Fraction, Seconds, Tokens};
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use std::collections::HashMap;
use std::time::{Duration, Instant};

/// Normalised mean squared error up to which fast kernels are right: eight-bit activations and
/// sixteen-bit keys and values make some 1e-5.
const MOST_ERROR: f64 = 1e-3;

/// Runs a decoder and holds the stopwatch.
pub struct LocalEngine {
    decoder: Box<dyn Decoder>,
    info: EngineInfo,
    reading: Reading,
    prefixes: Prefixes,
    /// The case that the KV cache was filled for, and how often it was only rewound.
    filled: Option<Case>,
    rewound: u64,
    started: Instant,
    /// What its clock showed when it started.
    clock: Seconds,
    /// Token ids the last sample wrote, first sequence only.
    last_output: Vec<u32>,
    /// Error of the kernels' check, by batch.
    checks: HashMap<u32, f64>,
    /// Shares of experts that samples read, by case.
    experts_read: HashMap<Case, Vec<Fraction>>,
}

impl LocalEngine {
    /// Wraps a loaded decoder.
    #[must_use]
    pub fn new(decoder: Box<dyn Decoder>, info: EngineInfo, reading: Reading) -> Self {
        Self {
            decoder,
            info,
            reading,
            prefixes: Prefixes::default(),
            filled: None,
            rewound: 0,
            started: Instant::now(),
            clock: Seconds::new(0.0),
            last_output: Vec::new(),
            checks: HashMap::new(),
            experts_read: HashMap::new(),
        }
    }

    /// Memory that kept KV states take now, and how often one was put back, or the cache rewound, in
    /// place of a fill.
    #[must_use]
    pub fn kept(&self) -> (Bytes, u64) {
        (self.prefixes.bytes(), self.prefixes.restored() + self.rewound)
    }

    /// Has the clock show this now: the time since the run began.
    pub fn set_clock(&mut self, now: Seconds) {
        (self.started, self.clock) = (Instant::now(), now);
    }

    /// The decoder, for what times it in another way. What it has in its KV cache is not counted on
    /// afterwards.
    pub fn decoder_mut(&mut self) -> &mut dyn Decoder {
        self.filled = None;
        self.decoder.as_mut()
    }

    /// Token ids the last sample wrote into its first sequence.
    #[must_use]
    pub fn last_output(&self) -> &[u32] {
        &self.last_output
    }

    /// Starts to count where the time goes, or stops.
    pub fn set_profiling(&mut self, on: bool) {
        self.decoder.set_profiling(on);
    }

    /// What its user should know of how it runs.
    #[must_use]
    pub fn notes(&self) -> Vec<String> {
        self.decoder.notes()
    }

    /// Each operation and the time spent in it; empty without profiling.
    #[must_use]
    pub fn profile(&self) -> Vec<(&'static str, Duration)> {
        self.decoder.profile()
    }

    /// Fills the cache up to the depth of the case, untimed: with the same tokens in every
    /// repetition, so that what was kept of an earlier one can be put back.
    fn fill(&mut self, case: &Case) -> Result<(), ModelError> {
        // What stands in front of a prompt depends on the case alone.
        let again = self.filled.take() == Some(*case) && case.depth > 0;
        if again && self.decoder.rewind(case.depth as usize)? {
            (self.filled, self.rewound) = (Some(*case), self.rewound + 1);
            return self.decoder.synchronize();
        }
        self.decoder.reset()?;
        let held = usize::try_from(case.tokens_held()).unwrap_or(usize::MAX);
        self.decoder.reserve(case.batch as usize, held)?;
        if case.depth > 0 && !self.prefixes.restore(self.decoder.as_mut(), case)? {
            let past = self.reading.prefix(case, self.decoder.spec().vocab);
            self.decoder.prefill(&slices(&past))?;
            // What a device has free is not known.
            if self.info.device == "cpu"
                && let Some(free) = available_memory()
            {
                self.prefixes.keep(self.decoder.as_mut(), case, free)?;
            }
        }
        self.filled = Some(*case);
        self.decoder.synchronize()
    }
}

/// Seeded random token ids.
#[must_use]
pub fn random_tokens(length: usize, vocab: usize, seed: u64) -> Vec<u32> {
    let length = u32::try_from(length).unwrap_or(u32::MAX);
    random_ids(&mut SmallRng::seed_from_u64(seed), length, vocab)
}

pub(crate) fn random_ids(rng: &mut SmallRng, length: u32, vocab: usize) -> Vec<u32> {
    let vocab = u32::try_from(vocab).unwrap_or(u32::MAX);
    (0..length).map(|_| rng.random_range(0..vocab)).collect()
}

fn slices(rows: &[Vec<u32>]) -> Vec<&[u32]> {
    rows.iter().map(Vec::as_slice).collect()
}

impl Engine for LocalEngine {
    fn info(&self) -> &EngineInfo {
        &self.info
    }

    fn now(&self) -> Seconds {
        self.clock + Seconds::from_duration(self.started.elapsed())
    }

    fn admit(&mut self, case: &Case) -> Result<(), EngineError> {
        self.reading.check(case)?;
        self.prefixes.expect_one_more();
        let wanted = usize::try_from(case.tokens_held()).unwrap_or(usize::MAX);
        let limit = self.decoder.max_context();
        if wanted > limit {
            let whose = if limit < self.decoder.spec().context {
                format!("engine {}", self.info.engine)
            } else {
                "the model".into()
            };
            return Err(ModelError::BeyondContext { wanted, limit, whose }.into());
        }
        // On a CPU the cache comes out of the machine's memory; candle holds it twice while it grows.
        let needed = self.kv_bytes(case).map_or(0, Bytes::get);
        if let Some(available) = available_memory().filter(|_| self.info.device == "cpu")
            && needed > available.get()
        {
            let (per_token, context) = (self.decoder.kv_bytes_per_token(), limit as u64);
            let advice = shorter(per_token, context, case, available.get())
                .unwrap_or_else(|| "close other programs, or use a smaller model".into());
            let (needed, available) = (Bytes::new(needed).human(), available.human());
            return Err(EngineError::OutOfMemory { needed, available, advice });
        }
        if !self.checks.contains_key(&case.batch)
            && let Some(error) = self.decoder.check(case.batch as usize)?
        {
            self.checks.insert(case.batch, error);
        }
        match self.checks.get(&case.batch) {
            Some(&error) if error.is_nan() || error > MOST_ERROR => {
                Err(EngineError::Wrong { error, most: MOST_ERROR })
            }
            _ => Ok(()),
        }
    }

    fn sample(&mut self, case: &Case, seed: u64) -> Result<Timing, EngineError> {
        let mut rng = SmallRng::seed_from_u64(seed);
        let prompts = self.reading.prompts(case, self.decoder.spec().vocab, &mut rng);
        let prompts = slices(&prompts);
        let mut picked = Vec::with_capacity(prompts.len());
        let mut marks = Vec::with_capacity(case.osl as usize);
        let mut output = Vec::with_capacity(case.osl as usize);
        self.fill(case)?;

        // The timed region: inputs ready, device idle before, synchronised after. The greedy pick is
        // inside, as every generated token needs one; end-of-sequence is ignored.
        let start = Instant::now();
        self.decoder.prefill(&prompts)?;
        self.decoder.synchronize()?;
        let prefilled = Instant::now();
        self.decoder.greedy(&mut picked)?;
        marks.push(Instant::now());
        output.push(picked[0]);
        for _ in 1..case.osl {
            self.decoder.step(&picked)?;
            self.decoder.greedy(&mut picked)?;
            marks.push(Instant::now());
            output.push(picked[0]);
        }
        // End of the timed region: the pick of the last token waited for the device.

        if self.decoder.logits()?.iter().flatten().any(|logit| !logit.is_finite()) {
            return Err(EngineError::Diverged);
        }
        self.last_output = output;
        if let Some(share) = self.decoder.experts_read() {
            self.experts_read.entry(*case).or_default().push(Fraction::new(share));
        }
        let since = |a: Instant, b: Instant| Seconds::from_duration(b - a);
        Ok(Timing {
            started: self.clock + since(self.started, start),
            prefill: since(start, prefilled),
            ttft: since(start, marks[0]),
            gaps: marks.windows(2).map(|pair| since(pair[0], pair[1])).collect(),
        })
    }

    fn check(&self, case: &Case) -> Check {
        let error = self.checks.get(&case.batch).copied();
        Check { against: if error.is_some() { "reference" } else { "finite" }, error }
    }

    fn kv_bytes(&self, case: &Case) -> Option<Bytes> {
        let per_token = self.decoder.kv_bytes_per_token();
        Some(Bytes::new(per_token) * case.tokens_held() * u64::from(case.batch))
    }

    fn workspace_bytes(&self) -> Option<Bytes> {
        Some(Bytes::new(self.decoder.memory().workspace)).filter(|bytes| bytes.get() > 0)
    }

    fn decode_bytes_per_step(&self, case: &Case) -> Option<Bytes> {
        let middle = u64::from(case.depth) + u64::from(case.isl) + u64::from(case.osl / 2);
        Some(metric::decode_bytes_per_step(
            Bytes::new(
                self.decoder.weights_per_step(
                    case.batch as usize,
                    self.experts_read(case).map(Fraction::get),
                ),
            ),
            case.batch,
            Tokens::new(middle),
            kv_read(self.decoder.spec(), self.decoder.kv_bytes_per_token(), middle),
        ))
    }

    fn experts_read(&self, case: &Case) -> Option<Fraction> {
        mean(self.experts_read.get(case)?).ok()
    }

    fn prefill_flops(&self, case: &Case) -> Option<Flops> {
        let one = self.decoder.spec().prefill_flops(case.isl as usize, case.depth as usize);
        Some(Flops::new(one * f64::from(case.batch)))
    }
}

/// What a step reads of the KV cache, per token that is in it: less than what a token adds where
/// layers have windows.
pub(crate) fn kv_read(spec: &ModelSpec, per_token: u64, context: u64) -> Bytes {
    let context = usize::try_from(context).unwrap_or(usize::MAX);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a share of a count of bytes"
    )]
    let read = (per_token as f64 * spec.kv_share_read(context)) as u64;
    Bytes::new(read)
}
