//! Runs made up from rates, and comparing two of them.

use freeweights_record::compare::{CompareOptions, Comparison, Side, compare};
use freeweights_record::stats::{bootstrap_t_interval, mean, sample_stddev};
use freeweights_record::units::TokensPerSecond;
use freeweights_record::{CaseSamples, Measurements, Record, SCHEMA_VERSION};

/// When `bench` stops repeating a case.
#[derive(Debug, Clone, Copy)]
pub struct Rule {
    /// The fewest samples.
    pub repetitions: usize,
    /// Half-width of the interval of the decode rate, as a share of its mean, that is narrow enough.
    pub precision: f64,
    /// The most samples: as many as fit into `--max-time`.
    pub most: usize,
}

impl Rule {
    /// How many of these decode rates would have been measured.
    pub fn stops_at(self, decode: &[f64]) -> usize {
        let enough = |&n: &usize| {
            let rates = tps(&decode[..n]);
            let centre = mean(&rates).unwrap();
            // The interval is never narrower than Student's t puts it, and that never than 1.96: the
            // resamples are spared where that is too wide already.
            let error = sample_stddev(&rates).unwrap().get() / (n as f64).sqrt();
            if 1.96 * error > self.precision * centre.get() {
                return false;
            }
            let interval = bootstrap_t_interval(&rates, 42).unwrap();
            interval.relative_half_width(centre) <= self.precision
        };
        (self.repetitions..self.most.min(decode.len())).find(enough).unwrap_or(self.most)
    }
}

fn tps(rates: &[f64]) -> Vec<TokensPerSecond> {
    rates.iter().copied().map(TokensPerSecond::new).collect()
}

/// Adds a case, told from others by its batch.
pub fn add(run: &mut Measurements, run_id: &str, batch: u32, prefill: &[f64], decode: &[f64]) {
    let record = Record {
        schema_version: SCHEMA_VERSION,
        run_id: run_id.into(),
        case_id: batch.to_string().into(),
        batch: Some(batch),
        prefill_mean_tps: mean(&tps(prefill)).ok(),
        decode_mean_tps: mean(&tps(decode)).ok(),
        ..Record::default()
    };
    let samples = CaseSamples { prefill: tps(prefill), decode: tps(decode) };
    run.samples.insert(&record, samples);
    run.records.push(record);
}

/// Both compared at the defaults.
pub fn compared(base: &Measurements, new: &Measurements) -> Comparison {
    let side = |measurements| Side { measurements, hosts: &[] };
    compare(side(base), side(new), &CompareOptions::default()).unwrap()
}
