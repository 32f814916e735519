//! The JSON of a cost report, against `results/assessment.schema.json`.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod described;
mod refused;
mod reports;

use boon::{Compiler, SchemaIndex, Schemas};
use freeweights_cost::scenario::PRESETS;
use freeweights_record::{Host, ReadOptions, read_results};
use freeweights_report::{Format, run_report};
use reports::{TODAY, costed, cpu, documents, json_of, without_samples};
use serde_json::Value;
use std::path::Path;

const SCHEMA: &str = include_str!("../../../../results/assessment.schema.json");

/// The schema of a document, and of the list that `assessment.json` is.
struct Checker {
    schemas: Schemas,
    document: SchemaIndex,
    list: SchemaIndex,
}

impl Checker {
    fn new() -> Self {
        let mut compiler = Compiler::new();
        compiler.enable_format_assertions();
        let place = "file:///assessment.schema.json";
        compiler.add_resource(place, schema()).unwrap();
        let mut schemas = Schemas::new();
        let document = compiler.compile(place, &mut schemas).unwrap();
        let list = compiler.compile(&format!("{place}#/$defs/Assessments"), &mut schemas).unwrap();
        Self { schemas, document, list }
    }

    fn holds(&self, document: &Value) -> bool {
        self.schemas.validate(document, self.document).is_ok()
    }

    fn require(&self, name: &str, document: &Value) {
        if let Err(error) = self.schemas.validate(document, self.document) {
            panic!("{name}: {error:#}");
        }
    }
}

fn schema() -> Value {
    serde_json::from_str(SCHEMA).unwrap()
}

#[test]
fn every_report_follows_the_schema() {
    let checker = Checker::new();
    for (name, document) in documents() {
        assert!(!document["assessments"].as_array().unwrap().is_empty(), "{name}");
        checker.require(&name, &document);
    }
}

#[test]
fn a_run_follows_it_too_and_its_assessment_json_is_the_list() {
    let checker = Checker::new();
    let records = [cpu()];
    let assessments = costed(&without_samples(&records), "this-machine", &[], TODAY);
    let text =
        run_report(&records, &Host::default(), &assessments, true, Format::Json, 80).unwrap();
    checker.require("run", &serde_json::from_str(&text).unwrap());
    let list = serde_json::to_value(&assessments).unwrap();
    assert!(checker.schemas.validate(&list, checker.list).is_ok());
    assert!(!checker.holds(&list), "a list is no document");
}

#[test]
fn the_published_runs_cost_as_the_schema_says() {
    let checker = Checker::new();
    let runs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../results/runs");
    let mut count = 0;
    for entry in std::fs::read_dir(runs).unwrap() {
        let summary = entry.unwrap().path().join("summary.csv");
        let read = read_results(&summary, &ReadOptions::default()).unwrap();
        // Prefill and decode of a server overlap: it says nothing about another shape than its own.
        let served = read.records[0].arrival.is_some();
        let shape = ["demand.isl=64", "demand.osl=32"];
        let sets = if served { &shape[..] } else { &[] };
        for preset in PRESETS {
            let name = format!("{}, {}", summary.display(), preset.name);
            checker.require(&name, &json_of(&costed(&read, preset.name, sets, TODAY)));
            count += 1;
        }
    }
    assert!(count >= PRESETS.len(), "no run is published");
}
