//! One repetition of a case, and how it is kept.

use crate::column::{Column, columns};
use crate::metric;
use crate::stats::NoValue;
use crate::text::Text;
use crate::units::{Bytes, Seconds, Tokens, TokensPerSecond};
use serde::Serialize;

/// One repetition of a case, as the stopwatch saw it. All sequences of a batch step together, so
/// one sample stands for the whole batch.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// Position among the samples of its case, warm-ups included.
    pub index: u32,
    /// Whether it only warmed up and is left out of the summary.
    pub warmup: bool,
    /// Start, since the run began.
    pub offset: Seconds,
    /// Prompt in, logits of the last position out.
    pub prefill: Seconds,
    /// Start to first token: prefill and the first pick.
    pub ttft: Seconds,
    /// Every gap between output tokens, in order: `osl - 1` of them.
    pub gaps: Vec<Seconds>,
    /// Highest resident memory seen while it ran.
    pub rss_peak: Option<Bytes>,
}

impl Sample {
    /// Whole latency.
    #[must_use]
    pub fn e2e(&self) -> Seconds {
        metric::e2e(self.ttft, &self.gaps)
    }

    /// Time per output token.
    ///
    /// # Errors
    /// [`NoValue::TooFewTokens`] with a single output token.
    pub fn tpot(&self) -> Result<Seconds, NoValue> {
        metric::tpot(self.e2e(), self.ttft, Tokens::new(self.gaps.len() as u64 + 1))
    }
}

/// Columns of `raw.csv`: one row per sample, warm-ups too.
pub const RAW_COLUMNS: &[Column] = RawRow::COLUMNS;

/// Header of `itl.csv`: one row per gap between two output tokens.
pub const ITL_COLUMNS: &[(&str, &str)] = &[
    ("run_id", "The run, as in summary.csv."),
    ("case_id", "The case, as in summary.csv."),
    ("sample", "The sample, as in raw.csv."),
    ("step", "Decode step, from 1: the gap before output token step + 1."),
    ("itl_s", "Length of the gap."),
];

columns! {
    /// A row of `raw.csv`. A sample that another tool kept has no more than its rates.
    #[derive(Debug, Clone, PartialEq, Default, Serialize)]
    pub(crate) struct RawRow;
    #[doc = "The run, as in summary.csv."] run_id: Text,
    #[doc = "The case, as in summary.csv."] case_id: Text,
    #[doc = "Position among the samples of the case, from 0, warm-ups included."] sample: u32,
    #[doc = "Whether the sample is left out of the summary."] warmup: bool,
    #[doc = "Start of the sample since the run began."] offset_s: Option<Seconds>,
    #[doc = "Prompt in, logits out, device synchronised."] prefill_s: Option<Seconds>,
    #[doc = "Start to first token: prefill and the first pick."] ttft_s: Option<Seconds>,
    #[doc = "Sum of all gaps between output tokens."] decode_s: Option<Seconds>,
    #[doc = "`ttft_s + decode_s`."] e2e_s: Option<Seconds>,
    #[doc = "`batch * isl / prefill_s`."] prefill_tps: Option<TokensPerSecond>,
    #[doc = "`batch * (osl - 1) / decode_s`; empty with a single output token."] decode_tps: Option<TokensPerSecond>,
    #[doc = "Highest resident memory of the process seen while the sample ran."] rss_peak_bytes: Option<Bytes>,
}

/// A row of `itl.csv`. Its fields are [`ITL_COLUMNS`].
#[derive(Serialize)]
pub(crate) struct ItlRow<'a> {
    pub(crate) run_id: &'a str,
    pub(crate) case_id: &'a str,
    pub(crate) sample: u32,
    pub(crate) step: usize,
    pub(crate) itl_s: Seconds,
}
