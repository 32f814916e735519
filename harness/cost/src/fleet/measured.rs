//! The curve of a replica from records: what a sweep over batch, isl and depth says.

use super::error::FleetError;
use super::service::{MeasuredTime, ServiceCurve};
use crate::group::groups;
use freeweights_record::units::{Bytes, Seconds, Tokens};
use freeweights_record::{Record, Status};

/// The two phases of one group of records.
#[derive(Default)]
struct Phases {
    prefill: Vec<MeasuredTime>,
    decode: Vec<MeasuredTime>,
    served: bool,
}

impl ServiceCurve {
    /// The curve of records of one model, engine, device and number of threads.
    ///
    /// In process, a decode step of a batch takes `batch / decode_mean_tps`, at a depth of
    /// `depth + isl + osl / 2` tokens, the mean over its steps; a prefill takes
    /// `batch * isl / prefill_mean_tps`, from records at depth 0. At a server, a step takes
    /// `tpot_mean_s` at a batch of `concurrency` (of a closed loop), and a prefill `ttft_mean_s` of
    /// the smallest concurrency, where nobody waits.
    ///
    /// # Errors
    /// [`FleetError::NoRecords`], [`FleetError::SeveralGroups`], [`FleetError::NoPhase`].
    pub fn of_records(records: &[Record]) -> Result<Self, FleetError> {
        let groups = groups(records);
        let [(group, members)] = groups.as_slice() else {
            let names: Vec<String> = groups.iter().map(|(group, _)| group.to_string()).collect();
            return Err(if names.is_empty() {
                FleetError::NoRecords
            } else {
                FleetError::SeveralGroups { groups: names.join("; ") }
            });
        };
        Self::of_members(&group.to_string(), members)
    }

    /// The curve of one group.
    pub(super) fn of_members(group: &str, members: &[&Record]) -> Result<Self, FleetError> {
        let phases = phases(members);
        let lacks = |phase| FleetError::NoPhase { group: group.to_owned(), phase };
        if phases.prefill.is_empty() {
            return Err(lacks("prefill"));
        }
        if phases.decode.is_empty() {
            return Err(lacks("a decode step"));
        }
        let mut curve = Self::of_points(&phases.prefill, &phases.decode)?;
        if phases.served {
            curve.note("The curve is of a server: its times per output token hold the pauses that prefills of others make, and the simulation adds its own, so decode is told too slow.");
        }
        Ok(curve)
    }
}

fn phases(members: &[&Record]) -> Phases {
    let mut phases = Phases::default();
    let good = members.iter().filter(|record| record.status == Status::Ok);
    let mut served: Vec<(u32, MeasuredTime)> = Vec::new();
    for record in good {
        let (Some(isl), Some(osl)) = (record.isl, record.osl) else { continue };
        let depth = record.depth.unwrap_or(Tokens::new(0));
        let middle = Tokens::new(depth.get() + isl.get() + osl.get() / 2);
        if let Some(concurrency) = record.concurrency {
            let open = record.rate_rps.is_some();
            if open || concurrency == 0 {
                continue;
            }
            phases.served = true;
            if let Some(time) = positive(record.tpot_mean_s).filter(|_| osl.get() > 1) {
                phases.decode.push(MeasuredTime { batch: concurrency, tokens: middle, time });
            }
            if let Some(time) = positive(record.ttft_mean_s) {
                served.push((concurrency, MeasuredTime { batch: 1, tokens: isl, time }));
            }
            continue;
        }
        let Some(batch) = record.batch.filter(|batch| *batch > 0) else { continue };
        let together = f64::from(batch);
        if let Some(rate) = record.decode_mean_tps.filter(|rate| rate.get() > 0.0 && osl.get() > 1)
        {
            let time = Seconds::new(together / rate.get());
            phases.decode.push(MeasuredTime { batch, tokens: middle, time });
        }
        if let Some(rate) = record.prefill_mean_tps.filter(|rate| rate.get() > 0.0)
            && depth.get() == 0
        {
            let time = Seconds::new(together * isl.as_f64() / rate.get());
            phases.prefill.push(MeasuredTime { batch, tokens: isl, time });
        }
    }
    let quietest = served.iter().map(|(concurrency, _)| *concurrency).min();
    let quiet = served.into_iter().filter(|(concurrency, _)| Some(*concurrency) == quietest);
    phases.prefill.extend(quiet.map(|(_, time)| time));
    phases
}

/// Share of the memory that weights and KV cache may take.
///
/// # Source
/// The default of vLLM's `gpu_memory_utilization`.
const USABLE_MEMORY: f64 = 0.9;

/// Tokens that fit the KV cache beside the weights, where a record says how much memory there is and
/// what a token takes.
///
/// `(0.9 * memory - weights - workspace) / (kv_peak / (batch * (depth + isl + osl)))`; the smallest of
/// the records.
pub(super) fn kv_room(records: &[Record]) -> Option<Tokens> {
    let room = |record: &Record| {
        let memory = match record.gpu_memory_bytes {
            Some(one) => one.as_f64() * f64::from(record.gpu_count.unwrap_or(1)),
            None => record.memory_total_bytes?.as_f64(),
        };
        let depth = record.depth.map_or(0.0, Tokens::as_f64);
        let length = depth + record.isl?.as_f64() + record.osl?.as_f64();
        let tokens = length * f64::from(record.batch.or(record.concurrency)?);
        let per_token = record.kv_peak_bytes.filter(|bytes| bytes.get() > 0)?.as_f64() / tokens;
        let workspace = record.workspace_bytes.map_or(0.0, Bytes::as_f64);
        let free = USABLE_MEMORY * memory - record.weights_bytes?.as_f64() - workspace;
        (free > 0.0).then(|| free / per_token)
    };
    let rooms = records.iter().filter(|record| record.status == Status::Ok).filter_map(room);
    let least = rooms.fold(f64::INFINITY, f64::min);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count")]
    let tokens = least as u64;
    least.is_finite().then(|| Tokens::new(tokens))
}

fn positive(time: Option<Seconds>) -> Option<Seconds> {
    time.filter(|time| time.get() > 0.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use freeweights_record::units::TokensPerSecond;

    fn record(batch: u32, depth: u64, prefill: f64, decode: f64) -> Record {
        Record {
            model: "m".into(),
            engine: "fused".into(),
            isl: Some(Tokens::new(100)),
            osl: Some(Tokens::new(20)),
            depth: Some(Tokens::new(depth)),
            batch: Some(batch),
            prefill_mean_tps: Some(TokensPerSecond::new(prefill)),
            decode_mean_tps: Some(TokensPerSecond::new(decode)),
            ..Record::default()
        }
    }

    #[test]
    fn a_sweep_is_a_curve() {
        let records = [
            record(1, 0, 1_000.0, 50.0),
            record(4, 0, 2_000.0, 100.0),
            record(1, 1_000, 500.0, 25.0),
        ];
        let curve = ServiceCurve::of_records(&records).unwrap();
        // 1 / 50 s at 0 + 100 + 10 tokens, 4 / 100 s, and 1 / 25 s at 1,110; halfway in between.
        let step = |batch, depth| curve.step(batch, Tokens::new(depth)).get();
        assert!((step(1, 110) - 0.02).abs() < 1e-12 && (step(4, 110) - 0.04).abs() < 1e-12);
        assert!((step(1, 610) - 0.03).abs() < 1e-12);
        // 100 / 1,000 s and 4 * 100 / 2,000 s; what was read at a depth tells another story.
        let prefill = |batch, isl| curve.prefill(batch, Tokens::new(isl)).get();
        assert!((prefill(1, 100) - 0.1).abs() < 1e-12 && (prefill(4, 100) - 0.2).abs() < 1e-12);
    }

    #[test]
    fn what_fits_beside_the_weights() {
        let with = Record {
            memory_total_bytes: Some(Bytes::new(10_000)),
            weights_bytes: Some(Bytes::new(3_000)),
            kv_peak_bytes: Some(Bytes::new(2_400)),
            ..record(2, 0, 1.0, 1.0)
        };
        // 10 bytes a token of 2 * 120; 0.9 * 10,000 - 3,000 = 6,000 bytes.
        assert_eq!(kv_room(std::slice::from_ref(&with)), Some(Tokens::new(600)));
        assert_eq!(kv_room(&[record(1, 0, 1.0, 1.0)]), None);
        let full = Record { weights_bytes: Some(Bytes::new(9_500)), ..with };
        assert_eq!(kv_room(&[full]), None);
    }

    #[test]
    fn a_server_is_one_too() {
        let at = |concurrency, ttft, tpot| Record {
            batch: None,
            concurrency: Some(concurrency),
            ttft_mean_s: Some(Seconds::new(ttft)),
            tpot_mean_s: Some(Seconds::new(tpot)),
            ..record(1, 0, 0.0, 0.0)
        };
        let curve = ServiceCurve::of_records(&[at(1, 0.1, 0.02), at(8, 0.9, 0.05)]).unwrap();
        assert!((curve.step(8, Tokens::new(110)).get() - 0.05).abs() < 1e-12);
        // What eight wait for is no prefill.
        assert!((curve.prefill(1, Tokens::new(100)).get() - 0.1).abs() < 1e-12);
        assert!(curve.notes()[0].contains("a server"));
    }

    #[test]
    fn records_without_a_phase_are_refused() {
        let error = |records: &[Record]| ServiceCurve::of_records(records).unwrap_err().to_string();
        insta::assert_snapshot!(error(&[]), @"there is no record to take the speed of a replica from; measure first with: freeweights bench --batch 1,2,4,8");
        insta::assert_snapshot!(error(&[record(1, 0, 0.0, 9.0)]), @"m on fused: no record says how long prefill takes; measure it with: freeweights bench --isl 512 --osl 128 --batch 1,2,4,8");
        insta::assert_snapshot!(error(&[record(1, 0, 9.0, 0.0)]), @"m on fused: no record says how long a decode step takes; measure it with: freeweights bench --isl 512 --osl 128 --batch 1,2,4,8");
        let other = Record { model: "n".into(), ..record(1, 0, 9.0, 9.0) };
        insta::assert_snapshot!(error(&[record(1, 0, 9.0, 9.0), other]), @"these records are of several groups: m on fused; n on fused; simulate each group by itself");
    }
}
