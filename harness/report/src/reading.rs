//! Text against random ids: what the difference makes, in a sentence a model.
//!
//! Not here: whether the difference is more than chance; the intervals are in the table.

use freeweights_cost::people::percent;
use freeweights_record::units::TokensPerSecond;
use freeweights_record::{Record, Status};

/// A sentence for each engine and model that read both, over the cases that differ in nothing else:
/// the median ratio of decode and of prefill, and the shares of experts that were read.
pub(crate) fn text_against_random(records: &[Record]) -> Vec<String> {
    let good = |record: &&Record| record.status == Status::Ok;
    let read = |record: &Record, what: &str| record.prompts.as_deref() == Some(what);
    let pairs: Vec<(&Record, &Record)> = records
        .iter()
        .filter(good)
        .filter(|record| read(record, "text"))
        .filter_map(|text| {
            let mut others = records.iter().filter(good);
            let random = others.find(|other| read(other, "random") && alike(text, other))?;
            Some((text, random))
        })
        .collect();
    let mut told: Vec<String> = Vec::new();
    let mut seen = Vec::new();
    for (text, _) in &pairs {
        let subject = subject(text);
        if !seen.contains(&subject) {
            seen.push(subject);
            let of_subject: Vec<_> = pairs
                .iter()
                .filter(|(other, _)| self::subject(other) == subject)
                .copied()
                .collect();
            told.extend(sentence(text, &of_subject));
        }
    }
    told
}

type Subject<'a> = (&'a str, &'a str, &'a str, Option<&'a str>, Option<u32>);

fn subject(record: &Record) -> Subject<'_> {
    let Record { engine, device, model, quant, threads, .. } = record;
    (engine, device, model, quant.as_deref(), *threads)
}

fn alike(a: &Record, b: &Record) -> bool {
    let shape = |r: &Record| (r.isl, r.osl, r.depth, r.batch);
    a.run_id == b.run_id && subject(a) == subject(b) && shape(a) == shape(b)
}

fn sentence(subject: &Record, pairs: &[(&Record, &Record)]) -> Option<String> {
    let ratio = |of: fn(&Record) -> Option<TokensPerSecond>| {
        median(pairs.iter().filter_map(|(text, random)| Some(of(text)? / of(random)?)).collect())
    };
    let decode = ratio(|record| record.decode_median_tps);
    let prefill = ratio(|record| record.prefill_median_tps);
    let mut parts: Vec<String> = Vec::new();
    for (what, ratio) in [("decode", decode), ("prefill", prefill)] {
        parts.extend(ratio.map(|ratio| format!("{what} x{ratio:.2}")));
    }
    let shares = pairs
        .iter()
        .filter_map(|(text, random)| Some((text.experts_read?.get(), random.experts_read?.get())));
    let (of_text, of_random): (Vec<f64>, Vec<f64>) = shares.unzip();
    if let (Some(text), Some(random)) = (median(of_text), median(of_random)) {
        let (text, random) = (percent(text), percent(random));
        parts.push(format!("experts read {text} of a layer against {random}"));
    }
    if parts.is_empty() {
        return None;
    }
    let cases = if pairs.len() == 1 { "1 case".into() } else { format!("{} cases", pairs.len()) };
    Some(format!(
        "Text against random ids, {} on {}, medians over {cases}: {}.",
        subject.model,
        subject.engine,
        parts.join(", ")
    ))
}

fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => None,
        count if count % 2 == 1 => Some(values[middle]),
        _ => Some(f64::midpoint(values[middle - 1], values[middle])),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use freeweights_record::units::Fraction;

    fn record(prompts: &str, batch: u32, decode: f64, experts: Option<f64>) -> Record {
        Record {
            engine: "fused".into(),
            model: "moe".into(),
            prompts: Some(prompts.into()),
            batch: Some(batch),
            decode_median_tps: Some(TokensPerSecond::new(decode)),
            prefill_median_tps: Some(TokensPerSecond::new(100.0)),
            experts_read: experts.map(Fraction::new),
            ..Record::default()
        }
    }

    #[test]
    fn cases_that_differ_in_what_is_read_alone_are_compared() {
        let records = [
            record("random", 1, 10.0, Some(0.25)),
            record("text", 1, 10.5, Some(0.25)),
            record("random", 4, 20.0, Some(0.75)),
            record("text", 4, 22.0, Some(0.5)),
            record("text", 8, 1.0, Some(0.5)),
        ];
        // 1.05 and 1.10; 25% and 50% against 25% and 75%
        assert_eq!(
            text_against_random(&records),
            [
                "Text against random ids, moe on fused, medians over 2 cases: decode x1.08, prefill x1.00, experts read 37.5% of a layer against 50%."
            ]
        );
        assert!(text_against_random(&records[..1]).is_empty());
        let dense = [record("random", 1, 10.0, None), record("text", 1, 10.0, None)];
        assert_eq!(
            text_against_random(&dense),
            [
                "Text against random ids, moe on fused, medians over 1 case: decode x1.00, prefill x1.00."
            ]
        );
    }
}
