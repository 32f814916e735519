//! What was not measured: so that nobody takes its absence for a good sign.

use crate::charts::is_good;
use freeweights_cost::{Assessment, Label};
use freeweights_record::{Record, Weights};

/// A sentence for each thing that the figures do not rest on.
pub(super) fn unmeasured(records: &[Record], assessments: &[Assessment]) -> Vec<String> {
    let good: Vec<&Record> = records.iter().filter(|record| is_good(record)).collect();
    let all = |holds: fn(&Record) -> bool| good.iter().all(|record| holds(record));
    let any = |holds: fn(&Record) -> bool| good.iter().any(|record| holds(record));
    let mut told = Vec::new();
    let mut tell = |holds: bool, text: &str| {
        if holds {
            told.push(text.to_owned());
        }
    };
    let energy =
        |record: &Record| record.energy_source.as_deref().is_none_or(|what| what == "none");
    tell(
        any(energy),
        "Energy: no counter was read in some of these results, so their bill takes assumed watts.",
    );
    tell(
        any(|record| record.weights == Some(Weights::Dummy)),
        "Quality: weights are random where the model is a dummy. Its speed is that of the real one, its words mean nothing.",
    );
    tell(
        all(|record| record.concurrency.is_none()),
        "Traffic: sequences of a batch begin together and have one length. No server was asked, so there is no queue, no network and no tokenising in these figures.",
    );
    tell(
        all(|record| record.depth.is_none_or(|depth| depth.get() == 0)),
        "Long contexts: every case began with an empty KV cache.",
    );
    let at_once = |record: &Record| record.batch.or(record.concurrency);
    let first = good.first().map(|record| at_once(record));
    tell(
        good.iter().all(|record| Some(at_once(record)) == first),
        "Other batches: one batch only, so there is no curve of throughput against latency to choose from.",
    );
    tell(
        all(|record| record.temperature_max_c.is_none()),
        "Heat: these results tell no temperature, and so no reason for throttling.",
    );
    tell(
        any(|record| record.steady == Some(false)),
        "Some cases were not steady when measuring began: their warm-ups still had a trend.",
    );
    tell(
        any(|record| record.drifting == Some(true)),
        "Some cases drifted while they were measured.",
    );
    tell(
        any(|record| record.decode_mean_tps.is_some() && record.decode_ci95_low_tps.is_none()),
        "Some cases have too few samples for an interval.",
    );
    for record in records.iter().filter(|record| !is_good(record)) {
        let why = record.error.as_deref().unwrap_or("no reason recorded");
        told.push(format!("{}: {why}", record.case_id));
    }
    if let Some(assessment) = assessments.first() {
        let assumed =
            assessment.figures.iter().filter(|figure| figure.label == Label::Assumed).count();
        told.push(format!(
            "{assumed} of the {} figures behind the cost are assumed, not measured; each is listed below with its source and its date.",
            assessment.figures.len()
        ));
    }
    told
}
