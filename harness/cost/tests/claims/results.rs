//! The published run, and the output of another tool from a GPU, are judged.

use crate::fixture::TODAY;
use crate::sentences::check;
use freeweights_cost::claims::{ClaimAnswers, ClaimId, Verdict, answers};
use freeweights_cost::{Catalogue, CostError, Drawing, Scenario};
use freeweights_record::{Measurements, ReadOptions, read_results};
use std::num::NonZero;
use std::path::Path;

fn read(path: &str, map: Option<&str>) -> Measurements {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path);
    let mapping = map.map(|map| map.parse().unwrap());
    read_results(&path, &ReadOptions { lenient: false, mapping }).unwrap()
}

fn judged(read: &Measurements, sets: &[&str]) -> Vec<Result<ClaimAnswers, CostError>> {
    let sets: Vec<_> = sets.iter().map(|set| set.parse().unwrap()).collect();
    let scenario = Scenario::preset("this-machine", &sets).unwrap();
    let drawing = Drawing { samples: &read.samples, threads: NonZero::<usize>::MIN };
    answers(&read.records, &scenario, &Catalogue::bundled(), TODAY, Some(drawing), &[])
}

fn verdicts(answers: &ClaimAnswers) -> String {
    let lines = answers.answers.iter().map(|answer| format!("{} {}", answer.id, answer.verdict));
    lines.collect::<Vec<_>>().join("\n")
}

const PUBLISHED: &str = "results/runs/2026-11-22-xeon-2cpu-91bb77a";

#[test]
fn the_published_run_answers_every_claim_or_says_what_it_lacks() {
    let groups = judged(&read(PUBLISHED, None), &[]);
    assert_eq!(groups.len(), 1);
    let answers = groups[0].as_ref().unwrap();
    assert_eq!(answers.answers.len(), ClaimId::ALL.len());
    check(answers);
    insta::assert_snapshot!(verdicts(answers), @"
    C1 supported
    C2 not measured here
    C3 supported
    C4 supported
    C5 depends
    C6 depends
    C7 supported
    C8 depends
    C9 refuted
    C10 supported
    C11 not measured here
    C12 depends
    C13 depends
    C14 supported
    C15 supported
    C16 supported
    C17 supported
    ");
}

#[test]
fn engines_side_by_side_answer_the_second_claim() {
    let groups = judged(&read(&format!("{PUBLISHED}/engines"), None), &[]);
    let engines: Vec<String> =
        groups.iter().map(|group| group.as_ref().unwrap().engine.clone()).collect();
    assert!(engines.contains(&"fused".to_owned()) && engines.contains(&"candle".to_owned()));
    for group in groups {
        let group = group.unwrap();
        check(&group);
        let second = &group.answers[1];
        assert_eq!(second.verdict, Verdict::Depends, "{}", second.sentence);
    }
}

/// What another tool does not say: the GPU.
const GPU: &str = "gpu_name='NVIDIA H100 80GB HBM3',gpu_count=1";

#[test]
fn an_imported_gpu_result_is_judged_too() {
    let read = read("harness/record/tests/fixtures/vllm/serve.json", Some(GPU));
    let shape = |tokens: Option<freeweights_record::units::Tokens>| tokens.unwrap().get();
    let record = &read.records[0];
    let (isl, osl) = (shape(record.isl), shape(record.osl));
    let sets = [format!("demand.isl={isl}"), format!("demand.osl={osl}")];
    let groups = judged(&read, &[&sets[0], &sets[1]]);
    assert_eq!(groups.len(), 1);
    let answers = groups[0].as_ref().unwrap();
    assert_eq!(answers.answers.len(), ClaimId::ALL.len());
    check(answers);
    insta::assert_snapshot!(verdicts(answers), @"
    C1 supported
    C2 not measured here
    C3 not measured here
    C4 not measured here
    C5 not measured here
    C6 depends
    C7 supported
    C8 supported
    C9 refuted
    C10 supported
    C11 not measured here
    C12 depends
    C13 depends
    C14 refuted
    C15 supported
    C16 supported
    C17 not measured here
    ");
    // The presets ask for another shape, and a server's phases overlap.
    let third = &answers.answers[2];
    assert!(third.needs.as_ref().unwrap().contains("measure"), "{third:#?}");
}

#[test]
fn what_cannot_be_costed_says_why() {
    let read = read("harness/record/tests/fixtures/vllm/serve.json", None);
    let groups = judged(&read, &[]);
    assert!(groups[0].as_ref().unwrap_err().to_string().contains("measure"), "{groups:#?}");
    let none = judged(&Measurements::default(), &[]);
    assert_eq!(none, [Err(CostError::NoRecords)]);
}
