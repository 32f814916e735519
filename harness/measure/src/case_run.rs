//! A case on its way through a run, and what is left of it in the end.
//!
//! Not here: when it is warm (`steady`), and whose turn it is (`runner`).

use crate::begun::Begun;
use crate::case::Case;
use crate::engine::{Check, Engine};
use crate::runner::RunOptions;
use freeweights_record::stats::{mean, series_interval};
use freeweights_record::units::{Bytes, Flops, Fraction, Seconds, TokensPerSecond};
use freeweights_record::{Sample, Status, metric};

/// Everything measured of one case.
#[derive(Debug, Clone, PartialEq)]
pub struct CaseResult {
    /// The case.
    pub case: Case,
    /// Warm-ups and samples in the order in which they ran.
    pub samples: Vec<Sample>,
    /// Whether the latest warm-ups showed no trend.
    pub steady: bool,
    /// How it ended.
    pub status: Status,
    /// Why it failed.
    pub error: Option<String>,
    /// What the engine knows of the case without running it.
    pub facts: CaseFacts,
    /// How much the pace of the machine changed up to the end of the case; `None` where the run had
    /// too few samples by then to tell.
    pub pace_spread: Option<Fraction>,
}

impl CaseResult {
    /// A case of which nothing is known but why it failed.
    #[must_use]
    pub fn failed(case: Case, error: String) -> Self {
        Self {
            case,
            samples: Vec::new(),
            steady: false,
            status: Status::Failed,
            error: Some(error),
            facts: CaseFacts::default(),
            pace_spread: None,
        }
    }
}

/// What an engine knows of a case without running it.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct CaseFacts {
    /// What the output was checked against.
    pub check: Check,
    /// Bytes of the KV cache when the case ends.
    pub kv_bytes: Option<Bytes>,
    /// Bytes of the engine's buffers beside weights and KV cache, after the last sample.
    pub workspace: Option<Bytes>,
    /// Bytes one decode step in the middle of the case must read.
    pub decode_bytes_per_step: Option<Bytes>,
    /// Operations of the whole batch's prefill.
    pub prefill_flops: Option<Flops>,
    /// Share of a layer's experts that a decode step read.
    pub experts_read: Option<Fraction>,
}

impl CaseFacts {
    pub(crate) fn of(engine: &dyn Engine, case: &Case) -> Self {
        Self {
            check: engine.check(case),
            kv_bytes: engine.kv_bytes(case),
            workspace: engine.workspace_bytes(),
            decode_bytes_per_step: engine.decode_bytes_per_step(case),
            prefill_flops: engine.prefill_flops(case),
            experts_read: engine.experts_read(case),
        }
    }
}

/// A case under way.
pub(crate) struct CaseRun {
    pub(crate) case: Case,
    pub(crate) samples: Vec<Sample>,
    /// How many of them an earlier process took.
    earlier: usize,
    pub(crate) steady: bool,
    /// Samples that count from which on the interval is looked at next.
    look_at: usize,
    pub(crate) ended: bool,
    pub(crate) status: Status,
    pub(crate) error: Option<String>,
    pub(crate) result: Option<CaseResult>,
}

impl CaseRun {
    pub(crate) fn new(Begun { case, samples }: Begun) -> Self {
        Self {
            case,
            earlier: samples.len(),
            samples,
            steady: false,
            look_at: 0,
            ended: false,
            status: Status::Ok,
            error: None,
            result: None,
        }
    }

    /// End-to-end times of the warm-ups of this process, or of all samples that count.
    pub(crate) fn times(&self, warmup: bool) -> Vec<Seconds> {
        let from = if warmup { self.earlier } else { 0 };
        self.samples[from..].iter().filter(|s| s.warmup == warmup).map(Sample::e2e).collect()
    }

    /// Whether the interval of decode, or of prefill where nothing is decoded, is narrow enough.
    ///
    /// Making an interval takes longer the more samples there are, so it is made when their number
    /// has grown by a tenth.
    pub(crate) fn reached_precision(&mut self, counted: usize, options: &RunOptions) -> bool {
        if counted < self.look_at {
            return false;
        }
        self.look_at = counted + counted.div_ceil(10);
        let rates = rates(&self.case, &self.samples);
        let (Ok(centre), Ok(interval)) = (mean(&rates), series_interval(&rates, options.seed))
        else {
            return false;
        };
        interval.relative_half_width(centre) <= options.precision
    }

    pub(crate) fn result(&self, facts: CaseFacts, pace_spread: Option<Fraction>) -> CaseResult {
        CaseResult {
            case: self.case,
            samples: self.samples.clone(),
            steady: self.steady,
            status: self.status,
            error: self.error.clone(),
            facts,
            pace_spread,
        }
    }
}

/// Decode rates of the samples that count, or those of prefill where nothing is decoded.
pub(crate) fn rates(case: &Case, samples: &[Sample]) -> Vec<TokensPerSecond> {
    let shape = case.shape();
    let rate = |sample: &Sample| match case.osl {
        1 => metric::prefill_throughput(shape.batch, shape.isl, sample.prefill),
        _ => metric::decode_throughput(shape.batch, &sample.gaps),
    };
    let counted = samples.iter().filter(|sample| !sample.warmup);
    counted.filter_map(|sample| rate(sample).ok()).collect()
}
