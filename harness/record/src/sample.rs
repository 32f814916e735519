//! One repetition of a case, and how it is kept.

use crate::column::{Column, columns};
use crate::metric;
use crate::requests::Phase;
use crate::stats::NoValue;
use crate::text::Text;
use crate::units::{Bytes, Celsius, Joules, Megahertz, Seconds, Tokens, TokensPerSecond};
use serde::Serialize;

/// One repetition of a case, as the stopwatch saw it. All sequences of a batch step together, so
/// one sample stands for the whole batch.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Sample {
    /// Position among the samples of its case, warm-ups included.
    pub index: u32,
    /// Whether it only warmed up and is left out of the summary.
    pub warmup: bool,
    /// When it was begun, since the run began; the KV cache may still have to be filled.
    pub offset: Seconds,
    /// Start of the timed region, since the run began.
    pub started: Seconds,
    /// Prompt in, logits of the last position out.
    pub prefill: Seconds,
    /// Start to first token: prefill and the first pick.
    pub ttft: Seconds,
    /// Every gap between output tokens, in order: `osl - 1` of them.
    pub gaps: Vec<Seconds>,
    /// What the machine was seen to do meanwhile.
    pub readings: Readings,
}

/// What was seen of the machine while a sample ran. What nobody could read is `None`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Readings {
    /// Highest resident memory of the process.
    pub rss_peak: Option<Bytes>,
    /// The same, during prefill.
    pub rss_prefill_peak: Option<Bytes>,
    /// The same, during decode.
    pub rss_decode_peak: Option<Bytes>,
    /// Highest memory in use on the device.
    pub device_peak: Option<Bytes>,
    /// Energy of the prefill, idle power included.
    pub prefill_energy: Option<Joules>,
    /// Energy of the decode, idle power included.
    pub decode_energy: Option<Joules>,
    /// Mean clock.
    pub clock: Option<Megahertz>,
    /// Highest temperature.
    pub temperature: Option<Celsius>,
    /// Why clocks were throttled, separated by spaces; `none` where they were not.
    pub throttle: Option<Text>,
    /// CPU time that the hypervisor gave to others, summed over CPUs.
    pub stolen: Option<Seconds>,
    /// All CPU time there was meanwhile, summed over CPUs: what `stolen` is a share of.
    pub cpu_time: Option<Seconds>,
    /// Time that the sampler worked, and the time in which it did. Not in `raw.csv`.
    pub sampler: Option<(Seconds, Seconds)>,
    /// Energy of the sample by a counter, and by the integral of power. Not in `raw.csv`.
    pub energy_check: Option<(Joules, Joules)>,
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

/// Columns of `itl.csv`: one row per gap between two output tokens.
pub const ITL_COLUMNS: &[Column] = ItlRow::COLUMNS;

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
    #[doc = "Start of the timed region since the run began; `offset_s` is when the KV cache began to be filled."] started_s: Option<Seconds>,
    #[doc = "Highest resident memory during prefill."] rss_prefill_peak_bytes: Option<Bytes>,
    #[doc = "Highest resident memory during decode."] rss_decode_peak_bytes: Option<Bytes>,
    #[doc = "Highest memory in use on the GPU."] device_peak_bytes: Option<Bytes>,
    #[doc = "Energy of the prefill, idle power included."] prefill_j: Option<Joules>,
    #[doc = "Energy of the decode, idle power included."] decode_j: Option<Joules>,
    #[doc = "Mean clock of the CPUs, or of the GPU where one was used."] clock_mhz: Option<Megahertz>,
    #[doc = "Highest temperature."] temperature_c: Option<Celsius>,
    #[doc = "Why clocks were throttled, separated by spaces; `none` where they were not, empty where nobody could tell."] throttle_reasons: Option<Text>,
    #[doc = "CPU time that the hypervisor gave to others while the sample ran, summed over CPUs, in the kernel's ticks."] stolen_s: Option<Seconds>,
    #[doc = "All CPU time meanwhile, summed over CPUs: what `stolen_s` is a share of."] cpu_time_s: Option<Seconds>,
    #[doc = "Of a request to a server: `warmup`, `measured`, or `drain` (sent to keep the load up until the last measured one ended, and cut off then)."] phase: Option<Phase>,
    #[doc = "When the request was to be sent, since the run began; in a closed loop when its slot became free."] scheduled_s: Option<Seconds>,
    #[doc = "When it was sent, since the run began."] sent_s: Option<Seconds>,
    #[doc = "When the first chunk with content came, since the run began."] first_token_s: Option<Seconds>,
    #[doc = "When the last chunk with content came, since the run began."] last_token_s: Option<Seconds>,
    #[doc = "Input tokens, as they were counted."] tokens_in: Option<Tokens>,
    #[doc = "Output tokens, as they were counted."] tokens_out: Option<Tokens>,
    #[doc = "Output tokens that were asked for."] tokens_asked: Option<Tokens>,
    #[doc = "Chunks with content."] events: Option<u32>,
    #[doc = "Why the request failed; empty where it did not."] error: Option<Text>,
}

/// How many columns `raw.csv` had in version 2 of the schema and before.
pub(crate) const RAW_COLUMNS_OF_VERSION_2: usize = 12;

columns! {
    /// A row of `itl.csv`.
    #[derive(Debug, Clone, PartialEq, Serialize)]
    pub(crate) struct ItlRow;
    #[doc = "The run, as in summary.csv."] run_id: Text,
    #[doc = "The case, as in summary.csv."] case_id: Text,
    #[doc = "The sample, as in raw.csv."] sample: u32,
    #[doc = "Decode step, from 1: the gap before output token step + 1."] step: u32,
    #[doc = "Length of the gap."] itl_s: Seconds,
}
