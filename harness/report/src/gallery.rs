//! The gallery of published runs: `results/README.md`.

use crate::markdown::escaped;
use freeweights_cost::Assessment;
use freeweights_cost::people::number;
use std::fmt::Write as _;

/// A published run and what its measurements cost on the day of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Published {
    /// The name of its folder.
    pub name: String,
    /// When it began, as its records tell.
    pub begun: String,
    /// The machine: its GPU, or its CPU.
    pub machine: Option<String>,
    /// By model and engine, in the order of the file.
    pub assessments: Vec<Assessment>,
}

const HEAD: &str = "\
# Published runs

Made from the folders in [runs](runs) by a test (`BLESS=1 cargo test --workspace --release --test gallery` writes it anew). Each folder holds the raw samples, the machine and the command; `freeweights report results/runs/NAME` makes its page. USD are those of the preset this-machine at the prices of that day: on a machine that is never idle, and at its demand of 1,000 requests a day.

| run | machine | model | engine | batch | prefill tok/s | decode tok/s | USD/Mtok, never idle | at 1,000 requests a day |
|-|-|-|-|-:|-:|-:|-:|-:|
";

const TAIL: &str = "
The rate is that of the measured point that costs least. How it is measured and costed: [METHODOLOGY.md](METHODOLOGY.md). Where it leans: [BIAS.md](BIAS.md). The columns: [SCHEMA.md](SCHEMA.md). Why things are as they are: [decisions](decisions).
";

/// The runs as a Markdown document, the latest first.
#[must_use]
pub fn gallery(runs: &[Published]) -> String {
    let mut sorted: Vec<&Published> = runs.iter().collect();
    sorted.sort_by(|a, b| b.begun.cmp(&a.begun));
    let mut text = HEAD.to_owned();
    for run in sorted {
        for one in &run.assessments {
            let point = &one.operating_point;
            let rate = |rate: Option<f64>| rate.map_or_else(|| "-".to_owned(), number);
            let quant = one.quant.as_deref().map(|quant| format!(" {quant}")).unwrap_or_default();
            // Writing to a String cannot fail.
            let _ = writeln!(
                text,
                "| [{name}](runs/{name}) | {} | {}{} | {} | {} | {} | {} | {} | {} |",
                escaped(run.machine.as_deref().unwrap_or("-")),
                escaped(&one.model),
                escaped(&quant),
                escaped(&one.engine),
                point.batch,
                rate(point.prefill.as_ref().map(|rate| rate.value.get())),
                rate(point.decode.as_ref().map(|rate| rate.value.get())),
                number(one.saturated.blended.value.get()),
                number(one.cost.blended.value.get()),
                name = escaped(&run.name),
            );
        }
    }
    text.push_str(TAIL);
    text
}
