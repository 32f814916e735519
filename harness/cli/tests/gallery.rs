//! The gallery of published runs is current, and every published run can be costed and shown.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use freeweights_cost::{Catalogue, Scenario, assess_all};
use freeweights_record::{ReadOptions, read_results};
use freeweights_report::{Published, gallery};
use std::path::PathBuf;

fn results() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../results"))
}

fn published() -> Vec<Published> {
    let scenario = Scenario::preset("this-machine", &[]).unwrap();
    let mut runs = Vec::new();
    for entry in std::fs::read_dir(results().join("runs")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let records = read_results(&path, &ReadOptions::default()).unwrap().records;
        // The prices of the day of the run: the gallery does not change by itself.
        let day = name[..10].parse().unwrap();
        let assessments = assess_all(&records, &scenario, &Catalogue::bundled(), day, None)
            .into_iter()
            .map(Result::unwrap)
            .collect();
        let first = &records[0];
        let machine = first.gpu_name.as_deref().or(first.cpu_model.as_deref());
        let (begun, machine) = (first.started_at.to_string(), machine.map(str::to_owned));
        runs.push(Published { name, begun, machine, assessments });
    }
    runs
}

#[test]
fn the_gallery_is_current() {
    let (path, now) = (results().join("README.md"), gallery(&published()));
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&path, &now).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(kept == now, "results/README.md is not what the runs say; BLESS=1 writes it anew");
}
