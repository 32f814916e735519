//! What was measured, in as few words as tell it apart from the rest.

use crate::svg::{SERIES, brief};
use freeweights_cost::Assessment;
use freeweights_record::{Record, Status};
use std::collections::BTreeMap;

/// Whether a record has figures to show.
pub(crate) fn is_good(record: &Record) -> bool {
    record.status == Status::Ok
}

/// Each name once, as many as there are colours, in the order in which they first stand.
pub(crate) fn distinct<'a>(names: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut seen: Vec<&str> = Vec::new();
    for name in names {
        if !seen.contains(&name) {
            seen.push(name);
        }
    }
    seen.truncate(SERIES.len());
    seen
}

/// The parts of a name that differ between the records of a report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Names {
    differ: [bool; 6],
    /// Whether a case was measured in several runs, which are no one line.
    runs: bool,
}

type Parts = [Option<String>; 6];

impl Names {
    pub(crate) fn of(records: &[Record]) -> Self {
        let all: Vec<Parts> = records.iter().map(parts).collect();
        let differ =
            std::array::from_fn(|at| all.windows(2).any(|pair| pair[0][at] != pair[1][at]));
        let mut run_of = BTreeMap::new();
        let runs = all.iter().zip(records).any(|(parts, record)| {
            *run_of.entry((parts, &*record.case_id)).or_insert(&*record.run_id) != &*record.run_id
        });
        Self { differ, runs }
    }

    /// Model, quantisation, engine, threads, device and machine, as far as they differ, and the run
    /// where several hold the same case; the model where nothing differs.
    pub(crate) fn subject(&self, record: &Record) -> String {
        let parts = parts(record);
        let told: Vec<String> = parts
            .iter()
            .zip(self.differ)
            .filter(|(_, differs)| *differs)
            .filter_map(|(part, _)| part.clone())
            .chain(self.runs.then(|| format!("run {}", record.run_id)))
            .collect();
        if told.is_empty() { parts[0].clone().unwrap_or_default() } else { told.join(", ") }
    }
}

/// The subject, and the depth where records differ in it.
pub(crate) fn with_depth(names: &Names, record: &Record, depths_differ: bool) -> String {
    let subject = names.subject(record);
    match record.depth {
        Some(depth) if depths_differ => format!("{subject}, depth {}", brief(depth.as_f64())),
        _ => subject,
    }
}

/// What a point is of: the subject, the batch, and the depth where there is one.
pub(crate) fn with_case(names: &Names, record: &Record) -> String {
    let mut name = names.subject(record);
    if let Some(batch) = record.batch {
        name = format!("{name}, batch {batch}");
    }
    if let Some(depth) = record.depth.filter(|depth| depth.get() > 0) {
        name = format!("{name}, depth {}", brief(depth.as_f64()));
    }
    name
}

fn parts(record: &Record) -> Parts {
    let threads = record.threads.map(|threads| match threads {
        1 => "1 thread".to_owned(),
        threads => format!("{threads} threads"),
    });
    let machine = record.gpu_name.as_deref().or(record.cpu_model.as_deref());
    [
        Some(without_source(&record.model).to_owned()),
        record.quant.as_deref().map(str::to_owned),
        Some(record.engine.to_string()),
        threads,
        Some(record.device.to_string()).filter(|device| !device.is_empty()),
        machine.map(str::to_owned),
    ]
}

/// A model without the word that says where it came from.
fn without_source(model: &str) -> &str {
    let name = model.strip_prefix("dummy:").or_else(|| model.strip_prefix("hf:"));
    Some(name.unwrap_or(model)).filter(|name| !name.is_empty()).unwrap_or("a model without a name")
}

/// The model of an assessment: `smollm2-135m q4_0`.
pub(crate) fn model_of(assessment: &Assessment) -> String {
    let model = without_source(&assessment.model);
    match &assessment.quant {
        Some(quant) => format!("{model} {quant}"),
        None => model.to_owned(),
    }
}

/// What ran it: `fused, cpu, 2 threads`.
pub(crate) fn ran_by(assessment: &Assessment) -> String {
    let threads = assessment.threads.map(|threads| match threads {
        1 => "1 thread".to_owned(),
        threads => format!("{threads} threads"),
    });
    let device = Some(assessment.device.clone()).filter(|device| !device.is_empty());
    let parts = [Some(assessment.engine.clone()), device, threads];
    parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

/// What an assessment is of: `smollm2-135m q4_0, fused, cpu, 2 threads`.
pub(crate) fn assessed(assessment: &Assessment) -> String {
    format!("{}, {}", model_of(assessment), ran_by(assessment))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_hold_what_differs() {
        let record = |engine: &str, threads| Record {
            model: "dummy:smollm2-135m".into(),
            engine: engine.into(),
            device: "cpu".into(),
            threads: Some(threads),
            ..Record::default()
        };
        let records = [record("fused", 2), record("candle", 2)];
        assert_eq!(Names::of(&records).subject(&records[1]), "candle");
        let records = [record("fused", 1), record("fused", 2)];
        assert_eq!(Names::of(&records).subject(&records[0]), "1 thread");
        assert_eq!(Names::of(&records[..1]).subject(&records[0]), "smollm2-135m");
    }

    #[test]
    fn runs_of_the_same_case_have_names_of_their_own() {
        let record = |run: &str, case: &str| Record {
            run_id: run.into(),
            case_id: case.into(),
            model: "dummy:smollm2-135m".into(),
            ..Record::default()
        };
        let records = [record("1", "b1"), record("1", "b2"), record("2", "b1")];
        let names = Names::of(&records);
        assert_eq!(records.each_ref().map(|r| names.subject(r)), ["run 1", "run 1", "run 2"]);
        // A ladder in two parts is one line.
        let records = [record("1", "b1"), record("2", "b2")];
        assert_eq!(Names::of(&records).subject(&records[1]), "smollm2-135m");
    }
}
