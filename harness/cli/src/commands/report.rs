//! `freeweights report RESULTS..`: one HTML file with the answer, the charts and every figure.

use super::cost::{self, Terms};
use super::today;
use crate::exit::Exit;
use crate::print;
use crate::results::{self, Reading};
use anyhow::Context;
use clap::Args;
use freeweights_cost::claims::{ClaimAnswers, answers};
use freeweights_cost::{Assessment, Catalogue, Drawing, PricedCase, Scenario, priced_cases};
use freeweights_record::{Gaps, Host, Measurements, read_gaps};
use freeweights_report::{Chart, Page, charts, html_report, png};
use std::num::NonZero;
use std::path::{Path, PathBuf};

/// What measured records cost, as one HTML file: the answer, the charts, the claims, every figure
/// with its source. It needs no network, and shows without a server.
#[derive(Args)]
#[command(
    after_help = "Examples:\n  freeweights report RESULTS\n  freeweights report results/runs --out all.html\n  freeweights report RESULTS --scenario internal-chatbot --out chatbot.html\n  freeweights report RESULTS --charts charts"
)]
pub struct ReportArgs {
    /// Folders of runs, folders that hold such folders, summary.csv files, or files of another tool
    /// as `import` reads them.
    #[arg(required = true)]
    results: Vec<PathBuf>,
    #[command(flatten)]
    reading: Reading,
    #[command(flatten)]
    terms: Terms,
    /// The file to write; `-` is standard output. Without it report.html in the folder of a single
    /// run, and in the current folder for several.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Write every chart by itself too, as SVG, PNG and CSV files in a folder.
    #[arg(long, value_name = "DIR")]
    charts: Option<PathBuf>,
}

/// Everything that a page shows.
pub struct Contents {
    pub read: Measurements,
    gaps: Gaps,
    hosts: Vec<(String, Host)>,
    pub assessments: Vec<Assessment>,
    priced: Vec<PricedCase>,
    claims: Vec<ClaimAnswers>,
    pub costed: Exit,
}

impl Contents {
    /// Reads the runs and costs them.
    pub fn of(
        paths: &[PathBuf],
        reading: &Reading,
        scenario: &Scenario,
        prices: &Catalogue,
    ) -> anyhow::Result<Self> {
        let paths = results::runs_of(paths)?;
        let mut read = results::read_all(&paths, &reading.options())?;
        let mut gaps = Gaps::default();
        for path in paths.iter().filter(|path| path.is_dir()) {
            gaps.extend(read_gaps(path, reading.lenient(), &mut read.skipped)?);
        }
        let named = |path: &PathBuf| Some((name_of(path), results::host(path)?));
        let hosts = paths.iter().filter_map(named).collect();
        let (assessments, costed) = cost::assess(&read, scenario, prices)?;
        let by_case = priced_cases(&read.records, scenario, prices, today());
        let threads = std::thread::available_parallelism().unwrap_or(NonZero::<usize>::MIN);
        let drawing = Drawing { samples: &read.samples, threads };
        let judged = answers(&read.records, scenario, prices, today(), Some(drawing), &[]);
        // What cannot be costed was told above.
        let claims = judged.into_iter().filter_map(Result::ok).collect();
        Ok(Self { read, gaps, hosts, assessments, priced: by_case, claims, costed })
    }

    fn page<'a>(&'a self, command: &'a str, made: &'a str) -> Page<'a> {
        Page {
            records: &self.read.records,
            gaps: &self.gaps,
            hosts: &self.hosts,
            assessments: &self.assessments,
            priced: &self.priced,
            claims: &self.claims,
            command,
            made,
        }
    }

    /// The page as it was asked for on this command line.
    pub fn html(&self) -> anyhow::Result<String> {
        Ok(html_report(&self.page(&command_line(), &made()))?)
    }
}

pub fn run(args: &ReportArgs) -> anyhow::Result<Exit> {
    let scenario = args.terms.scenario()?;
    let prices = args.terms.prices.catalogue()?;
    let contents = Contents::of(&args.results, &args.reading, &scenario, &prices)?;
    let html = contents.html()?;
    match &args.out {
        Some(path) if path.as_os_str() == "-" => print::data(&html)?,
        Some(path) => write(path, html.as_bytes())?,
        None => write(&beside(&args.results), html.as_bytes())?,
    }
    if let Some(folder) = &args.charts {
        draw(&contents, folder)?;
    }
    let all_read = results::complain_of_skipped(&contents.read);
    Ok(if contents.costed == Exit::Good { all_read } else { contents.costed })
}

/// Where the page goes without `--out`.
fn beside(given: &[PathBuf]) -> PathBuf {
    match given {
        [run] if run.join("summary.csv").is_file() => run.join("report.html"),
        _ => PathBuf::from("report.html"),
    }
}

fn write(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    std::fs::write(path, bytes).with_context(|| {
        format!("cannot write {}; name another file with --out", path.display())
    })?;
    print::note(&format!("report: {}", path.display()));
    Ok(())
}

fn draw(contents: &Contents, folder: &Path) -> anyhow::Result<()> {
    let (command, made) = (command_line(), made());
    let all = charts(&contents.page(&command, &made))?;
    write_charts(&all, folder)
}

/// Every chart as SVG, PNG and CSV.
pub fn write_charts(all: &[Chart], folder: &Path) -> anyhow::Result<()> {
    let cannot =
        |path: &Path| format!("cannot write {}; name another folder with --charts", path.display());
    std::fs::create_dir_all(folder).with_context(|| cannot(folder))?;
    for chart in all {
        let svg = chart.wide.file(&chart.title, &chart.about);
        let csv = chart.table.render(freeweights_report::Format::Csv, 0)?;
        for (ending, bytes) in
            [("svg", svg.as_bytes()), ("png", &png(&svg)?), ("csv", csv.as_bytes())]
        {
            let path = folder.join(format!("{}.{ending}", chart.id));
            std::fs::write(&path, bytes).with_context(|| cannot(&path))?;
        }
    }
    print::note(&format!("{} charts: {}", all.len(), folder.display()));
    Ok(())
}

/// The name of a run: that of its folder, or of the file.
fn name_of(path: &Path) -> String {
    path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}

/// This command line as one could type it again.
pub fn command_line() -> String {
    let quoted = |arg: String| {
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,@+%".contains(c);
        if !arg.is_empty() && arg.chars().all(plain) {
            arg
        } else {
            format!("'{}'", arg.replace('\'', r"'\''"))
        }
    };
    let rest = std::env::args_os().skip(1).map(|arg| quoted(arg.to_string_lossy().into_owned()));
    std::iter::once("freeweights".to_owned()).chain(rest).collect::<Vec<_>>().join(" ")
}

/// Which version made a page, and when.
pub fn made() -> String {
    format!("freeweights {}, {}", env!("CARGO_PKG_VERSION"), today())
}
