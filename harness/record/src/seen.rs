//! What was seen of the machine while samples ran, as figures of a record.
//!
//! Not here: how fast the samples were (`summarise`), and how the machine is watched.

use crate::metric;
use crate::record::Record;
use crate::sample::{Readings, Sample};
use crate::stats::mean;
use crate::summarise::Shape;
use crate::units::{Joules, Megahertz, Percent, Seconds, Tokens};
use std::collections::BTreeSet;

/// Fills memory, energy, clocks, temperature and stolen time of `record`. Peaks are of all samples,
/// warm-ups too; means are of those that count.
pub(crate) fn seen(record: &mut Record, samples: &[Sample], shape: Shape) {
    let counted: Vec<&Sample> = samples.iter().filter(|sample| !sample.warmup).collect();
    memory(record, samples);
    energy(record, &counted, shape);
    condition(record, samples, &counted);
}

fn memory(record: &mut Record, samples: &[Sample]) {
    let all = || samples.iter().map(|sample| &sample.readings);
    record.rss_peak_bytes = all().filter_map(|seen| seen.rss_peak).max();
    record.rss_prefill_peak_bytes = all().filter_map(|seen| seen.rss_prefill_peak).max();
    record.rss_decode_peak_bytes = all().filter_map(|seen| seen.rss_decode_peak).max();
    record.device_peak_bytes = all().filter_map(|seen| seen.device_peak).max();
}

fn energy(record: &mut Record, counted: &[&Sample], shape: Shape) {
    let batch = u64::from(shape.batch);
    let prefill =
        Spent::of(counted, |sample| Some((sample.readings.prefill_energy?, sample.prefill)));
    if let Some(prefill) = prefill {
        let tokens = shape.isl * batch * prefill.samples;
        record.prefill_w = metric::mean_power(prefill.energy, prefill.time).ok();
        record.prefill_j_per_token = metric::energy_per_token(prefill.energy, tokens).ok();
    }
    let decode = Spent::of(counted, |sample| {
        Some((sample.readings.decode_energy?, sample.gaps.iter().copied().sum()))
    });
    if let Some(decode) = decode {
        let steps = Tokens::new(shape.osl.get().saturating_sub(1));
        let tokens = steps * batch * decode.samples;
        record.decode_w = metric::mean_power(decode.energy, decode.time).ok();
        record.decode_j_per_token = metric::energy_per_token(decode.energy, tokens).ok();
    }
    let (mut first, mut second) = (Joules::new(0.0), Joules::new(0.0));
    for (counter, power) in counted.iter().filter_map(|sample| sample.readings.energy_check) {
        (first, second) = (first + counter, second + power);
    }
    record.energy_check_percent = (first.get() > 0.0)
        .then(|| Percent::new(100.0 * ((second - first).get().abs() / first.get())));
}

/// Energy of one phase over the samples of which it is known.
struct Spent {
    energy: Joules,
    time: Seconds,
    samples: u64,
}

impl Spent {
    /// `None` where it is known of less than half of the samples: the rest would speak for all.
    fn of(
        counted: &[&Sample],
        phase: impl Fn(&Sample) -> Option<(Joules, Seconds)>,
    ) -> Option<Self> {
        let known: Vec<(Joules, Seconds)> =
            counted.iter().filter_map(|sample| phase(sample)).collect();
        (!known.is_empty() && 2 * known.len() >= counted.len()).then(|| Self {
            energy: known.iter().map(|(energy, _)| *energy).sum(),
            time: known.iter().map(|(_, time)| *time).sum(),
            samples: known.len() as u64,
        })
    }
}

fn condition(record: &mut Record, samples: &[Sample], counted: &[&Sample]) {
    let seen = || counted.iter().map(|sample| &sample.readings);
    let clocks: Vec<Megahertz> = seen().filter_map(|seen| seen.clock).collect();
    record.clock_mhz_mean = mean(&clocks).ok();
    let hottest = samples.iter().filter_map(|sample| sample.readings.temperature);
    record.temperature_max_c = hottest.max_by(|a, b| a.get().total_cmp(&b.get()));
    throttling(record, seen());
    let stolen: Seconds = seen().filter_map(|seen| seen.stolen).sum();
    let cpu_time: Seconds = seen().filter_map(|seen| seen.cpu_time).sum();
    // Ticks are hundredths of a second: of less than a second nothing can be said.
    record.steal_percent =
        (cpu_time.get() >= 1.0).then(|| Percent::new(100.0 * (stolen / cpu_time)));
    let busy: Seconds = seen().filter_map(|seen| Some(seen.sampler?.0)).sum();
    let watched: Seconds = seen().filter_map(|seen| Some(seen.sampler?.1)).sum();
    record.sampler_percent = (watched.get() > 0.0).then(|| Percent::new(100.0 * (busy / watched)));
}

/// Reasons of any sample that counts, in the order of the alphabet.
fn throttling<'a>(record: &mut Record, seen: impl Iterator<Item = &'a Readings>) {
    let told: Vec<&str> = seen.filter_map(|seen| seen.throttle.as_deref()).collect();
    if told.is_empty() {
        return;
    }
    let reasons: BTreeSet<&str> =
        told.iter().flat_map(|told| told.split(' ')).filter(|word| *word != "none").collect();
    record.throttled = Some(!reasons.is_empty());
    let words: Vec<&str> = reasons.into_iter().collect();
    record.throttle_reasons =
        Some(if words.is_empty() { "none".into() } else { words.join(" ").into() });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::{Celsius, JoulesPerToken, Watts};

    const SHAPE: Shape = Shape { isl: Tokens::new(10), osl: Tokens::new(5), batch: 2 };

    fn sample(readings: Readings) -> Sample {
        Sample {
            prefill: Seconds::new(0.5),
            ttft: Seconds::new(0.6),
            gaps: vec![Seconds::new(0.25); 4],
            readings,
            ..Sample::default()
        }
    }

    fn spent(prefill: f64, decode: f64) -> Sample {
        sample(Readings {
            prefill_energy: Some(Joules::new(prefill)),
            decode_energy: Some(Joules::new(decode)),
            ..Readings::default()
        })
    }

    fn seen_of(samples: &[Sample]) -> Record {
        let mut record = Record::default();
        seen(&mut record, samples, SHAPE);
        record
    }

    #[test]
    fn energy_is_that_of_all_samples_over_all_their_tokens() {
        let warm = Sample { warmup: true, ..spent(1e9, 1e9) };
        let record = seen_of(&[warm, spent(30.0, 80.0), spent(50.0, 120.0)]);
        // 80 J in 2 * 0.5 s for 2 * 2 * 10 tokens; 200 J in 2 * 1 s for 2 * 2 * 4 tokens
        assert_eq!(record.prefill_w, Some(Watts::new(80.0)));
        assert_eq!(record.prefill_j_per_token, Some(JoulesPerToken::new(2.0)));
        assert_eq!(record.decode_w, Some(Watts::new(100.0)));
        assert_eq!(record.decode_j_per_token, Some(JoulesPerToken::new(12.5)));
    }

    #[test]
    fn a_sample_without_energy_is_left_out_with_its_tokens_unless_most_are() {
        let unknown = || sample(Readings::default());
        let half = seen_of(&[spent(30.0, 80.0), unknown()]);
        assert_eq!(half.prefill_j_per_token, Some(JoulesPerToken::new(1.5)));
        let third = seen_of(&[spent(30.0, 80.0), unknown(), unknown()]);
        assert_eq!((third.prefill_w, third.decode_w), (None, None));
        assert_eq!((third.prefill_j_per_token, third.decode_j_per_token), (None, None));
        assert_eq!(seen_of(&[]).prefill_w, None);
    }

    #[test]
    fn what_disagrees_is_a_share_of_the_counter() {
        let checked = |counter, power| {
            sample(Readings {
                energy_check: Some((Joules::new(counter), Joules::new(power))),
                ..Readings::default()
            })
        };
        // (60 + 50 - 100) / 100
        let record = seen_of(&[checked(50.0, 60.0), checked(50.0, 50.0)]);
        assert_eq!(record.energy_check_percent, Some(Percent::new(10.0)));
        assert_eq!(seen_of(&[checked(0.0, 5.0)]).energy_check_percent, None);
    }

    #[test]
    fn throttling_is_known_only_where_somebody_told() {
        let told = |throttle: Option<&str>| {
            sample(Readings { throttle: throttle.map(Into::into), ..Readings::default() })
        };
        assert_eq!(seen_of(&[told(None)]).throttled, None);
        let calm = seen_of(&[told(None), told(Some("none"))]);
        assert_eq!((calm.throttled, calm.throttle_reasons.as_deref()), (Some(false), Some("none")));
        let hot = seen_of(&[
            told(Some("sw_power_cap")),
            told(Some("none")),
            told(Some("hw_thermal sw_power_cap")),
        ]);
        assert_eq!(hot.throttled, Some(true));
        assert_eq!(hot.throttle_reasons.as_deref(), Some("hw_thermal sw_power_cap"));
    }

    #[test]
    fn the_sampler_and_the_heat_are_on_record() {
        let at = |celsius, busy| {
            sample(Readings {
                temperature: Some(Celsius::new(celsius)),
                sampler: Some((Seconds::new(busy), Seconds::new(2.0))),
                ..Readings::default()
            })
        };
        let record = seen_of(&[at(61.0, 0.002), at(74.0, 0.006), at(70.0, 0.001)]);
        assert_eq!(record.temperature_max_c, Some(Celsius::new(74.0)));
        // 9 ms of 6 s
        assert!((record.sampler_percent.unwrap().get() - 0.15).abs() < 1e-12);
    }
}
