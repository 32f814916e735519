//! Runs that are alike must not be told apart: in at most 5 of 100 tables is any rate of any case
//! better or worse.

use crate::noise::Noise;
use crate::runs::{add, compared};
use freeweights_record::compare::Comparison;
use freeweights_record::{CaseSamples, Measurements, ReadOptions, read_results};
use rand::rngs::SmallRng;
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use std::path::{Path, PathBuf};

fn alarm(compared: &Comparison) -> bool {
    compared.tally.better + compared.tally.worse > 0
}

/// Tables of `cases` cases, `samples` of each on both sides, in which there is an alarm.
fn alarms(tables: u32, cases: u32, samples: usize, noise: Noise, seed: u64) -> u32 {
    let mut rng = SmallRng::seed_from_u64(seed);
    let mut count = 0;
    for _ in 0..tables {
        let mut side = || {
            let mut run = Measurements::default();
            for batch in 1..=cases {
                let prefill = noise.rates(2_000.0, samples, &mut rng);
                let decode = noise.rates(100.0, samples, &mut rng);
                add(&mut run, "run", batch, &prefill, &decode);
            }
            run
        };
        count += u32::from(alarm(&compared(&side(), &side())));
    }
    count
}

#[test]
fn made_up_noise_gives_no_more_than_5_alarms_in_100_tables() {
    for (seed, deviation, cases, samples, autocorrelation) in [
        (1, 0.01, 4, 10, 0.0),
        (2, 0.05, 4, 10, 0.0),
        (3, 0.05, 2, 20, 0.0),
        (4, 0.01, 4, 10, 0.3),
        (5, 0.03, 2, 20, 0.3),
        (6, 0.05, 4, 20, 0.3),
        (7, 0.05, 1, 5, 0.3),
    ] {
        let noise = Noise { deviation, stragglers: true, autocorrelation };
        let count = alarms(100, cases, samples, noise, seed);
        assert!(count <= 5, "{count} of 100 with {noise:?}, {cases} cases of {samples}");
    }
}

/// Every published run, and the runs repeated beside them.
fn published() -> Vec<PathBuf> {
    let runs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../results/runs");
    let mut found = Vec::new();
    let mut open = vec![runs];
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.join("raw.csv").exists() {
                found.push(path.clone());
            }
            if path.is_dir() {
                open.push(path);
            }
        }
    }
    found.sort();
    found
}

/// The samples of each case dealt out to two runs at random.
fn halves(run: &Measurements, rng: &mut SmallRng) -> (Measurements, Measurements) {
    let (mut one, mut other) = (Measurements::default(), Measurements::default());
    for (batch, record) in (0..).zip(&run.records) {
        let CaseSamples { prefill, decode } = run.samples.of(record).unwrap();
        let mut places: Vec<usize> = (0..prefill.len()).collect();
        places.shuffle(rng);
        let (left, right) = places.split_at(places.len() / 2);
        for (side, places) in [(&mut one, left), (&mut other, right)] {
            let mut places = places.to_vec();
            places.sort_unstable();
            let pick = |rates: &[freeweights_record::units::TokensPerSecond]| -> Vec<f64> {
                places.iter().map(|&at| rates[at].get()).collect()
            };
            add(side, "run", batch, &pick(prefill), &pick(decode));
        }
    }
    (one, other)
}

#[test]
fn published_runs_dealt_into_halves_give_no_more_than_5_alarms_in_100_tables() {
    let mut rng = SmallRng::seed_from_u64(8);
    let runs: Vec<Measurements> = published()
        .iter()
        .map(|path| read_results(path, &ReadOptions::default()).unwrap())
        .collect();
    assert!(runs.len() >= 8, "{} runs", runs.len());
    let count = (0..100)
        .filter(|_| {
            let (one, other) = halves(&runs[rng.random_range(0..runs.len())], &mut rng);
            alarm(&compared(&one, &other))
        })
        .count();
    assert!(count <= 5, "{count} of 100");
}

/// As `scripts/compare-power` shows it.
#[test]
#[ignore = "prints a table; minutes"]
#[expect(clippy::print_stdout, reason = "the table is the point")]
fn table_of_false_alarms() {
    println!(
        "\n| noise | autocorrelation | 1 case, 5 samples | 2, 10 | 8, 10 | 4, 20 |\n|-|-|-|-|-|-|"
    );
    for stragglers in [false, true] {
        for deviation in [0.01, 0.05] {
            for autocorrelation in [0.0, 0.3, 0.6] {
                let noise = Noise { deviation, stragglers, autocorrelation };
                let cells = [(1, 5), (2, 10), (8, 10), (4, 20)];
                let cells = cells.map(|(cases, samples)| {
                    let share = alarms(200, cases, samples, noise, 9);
                    format!("{:.1}", f64::from(share) / 2.0)
                });
                let straggle = if stragglers { ", stragglers" } else { "" };
                let percent = deviation * 100.0;
                println!("| {percent}%{straggle} | {autocorrelation} | {} |", cells.join(" | "));
            }
        }
    }
}
