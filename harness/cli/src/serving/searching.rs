//! `--find-max`: the highest load that keeps the objective, step by step.

use super::loads::Load;
use super::session::Session;
use crate::commands::server_args::ServerArgs;
use crate::exit::Exit;
use crate::print;
use anyhow::{Context, bail, ensure};
use freeweights_client::find_max::{Search, Verdict};
use freeweights_client::load::{Schedule, WhyEnded};
use freeweights_record::Record;
use freeweights_record::units::{Fraction, Seconds};
use serde_json::{Value, json};

/// Ends of the search.
const RATES: (f64, f64) = (1e-3, 1e5);
const IN_FLIGHT: (f64, f64) = (1.0, 4_096.0);

/// A miss is not believed where this client stood still for so long, and the step taken again, so
/// many times.
const PAUSE: Seconds = Seconds::new(0.05);
const AGAIN: u32 = 2;

/// The load that a search begins with, where there can be one.
pub fn base<'a>(server: &ServerArgs, loads: &'a [Load]) -> anyhow::Result<&'a Load> {
    let [base] = loads else {
        bail!(
            "--find-max searches from one load on: give one --rate or --concurrency, one --isl and one --osl"
        );
    };
    ensure!(
        matches!(base.schedule, Schedule::Open { .. }) || server.objective.is_some(),
        "a closed loop bears any load, only slower: say with --objective what is too slow, or search a --rate"
    );
    Ok(base)
}

/// Searches, with every step a case of the run.
pub fn search(session: &mut Session<'_>, base: &Load) -> anyhow::Result<Exit> {
    let given = &session.args.server;
    let open = matches!(base.schedule, Schedule::Open { .. });
    let start = match &base.schedule {
        Schedule::Open { rate, .. } => rate.rate.get(),
        Schedule::Closed { concurrency, .. } => f64::from(*concurrency),
        Schedule::Trace(_) => bail!("--find-max searches with --rate or --concurrency"),
    };
    let share = Fraction::new(given.good / 100.0);
    let within = Fraction::new(given.within / 100.0);
    let ends = if open { RATES } else { IN_FLIGHT };
    let mut search = Search::new(start, ends, !open, within);
    let mut steps = Vec::new();
    let mut best: Option<(f64, Verdict)> = None;
    let mut interrupted = false;
    let mut alone = None;
    let mut again = AGAIN;
    while let Some(load) = search.next() {
        if !session.settle(&mut alone) {
            interrupted = true;
            break;
        }
        let done = session.run(&base.at(load), true)?;
        if session.broken.is_some()
            || (done.why == WhyEnded::Interrupted && done.totals.measured() == 0)
        {
            interrupted = true;
            break;
        }
        let served = open.then(|| done.totals.served_share()).flatten();
        let verdict = Verdict::of(&done.totals, share, served);
        print::note(&step_words(load, open, &verdict));
        let record = session.records.last().context("a step left no record")?;
        steps.push(step(load, &verdict, record));
        if !verdict.kept && again > 0 && done.longest_pause > PAUSE && done.why == WhyEnded::Done {
            again -= 1;
            print::note("this client stood still for a while: the step is taken again");
            continue;
        }
        again = AGAIN;
        search.tell(load, verdict.kept);
        if verdict.kept && best.as_ref().is_none_or(|(before, _)| load > *before) {
            best = Some((load, verdict));
        }
        if done.why == WhyEnded::Interrupted {
            interrupted = true;
            break;
        }
    }
    let (kept, missed) = search.found();
    let objective = given.objective.as_ref().map(ToString::to_string);
    let document = json!({
        "search_json_version": 1,
        "of": if open { "rate_rps" } else { "concurrency" },
        "objective": objective,
        "good_share_at_least": share.get(),
        "served_share_at_least": open.then_some(freeweights_client::find_max::SERVED_AT_LEAST),
        "within": within.get(),
        "kept": kept,
        "missed": missed,
        "complete": !interrupted,
        "steps": steps,
    });
    let folder = session.folder.as_ref().context("the folder of the run is gone")?;
    let text = format!("{}\n", serde_json::to_string_pretty(&document)?);
    let written = folder.write_file("search.json", &text);
    session.broken = session.broken.take().or(written.err());
    let unit = if open { "requests/s" } else { "requests in flight" };
    Ok(match (best, missed) {
        (Some((load, verdict)), missed) => {
            let beyond = missed.map_or_else(
                || "more was not tried".to_owned(),
                |missed| format!("{} is too much", figure(missed)),
            );
            print::note(&format!(
                "highest load: {} {unit}, where {}; {beyond}",
                figure(load),
                good_words(&verdict)
            ));
            if interrupted { Exit::Inconclusive } else { Exit::Good }
        }
        (None, Some(missed)) => {
            print::note(&format!(
                "not even {} {unit} was borne: relax the objective, or look why",
                figure(missed)
            ));
            Exit::SomeFailed
        }
        (None, None) => Exit::Inconclusive,
    })
}

fn step(load: f64, verdict: &Verdict, record: &Record) -> Value {
    json!({
        "load": load,
        "case_id": record.case_id.as_str(),
        "kept": verdict.kept,
        "requests": record.requests,
        "good_share": verdict.good.get(),
        "good_share_ci95": [verdict.interval.0.get(), verdict.interval.1.get()],
        "served_share": verdict.served.map(Fraction::get),
        "ttft_p99_s": record.ttft_p99_s,
        "tpot_p99_s": record.tpot_p99_s,
        "requests_per_s": record.requests_per_s,
    })
}

fn step_words(load: f64, open: bool, verdict: &Verdict) -> String {
    let unit = if open { "requests/s" } else { "in flight" };
    let kept = if verdict.kept { "kept" } else { "too much" };
    format!("{} {unit}: {kept}, {}", figure(load), good_words(verdict))
}

fn good_words(verdict: &Verdict) -> String {
    let percent = |share: Fraction| format!("{:.1}", 100.0 * share.get());
    let served = verdict
        .served
        .map(|served| format!(", and {}% of what is offered is served", percent(served)))
        .unwrap_or_default();
    format!(
        "{}% of requests are good (95% interval {} to {}){served}",
        percent(verdict.good),
        percent(verdict.interval.0),
        percent(verdict.interval.1)
    )
}

/// Three digits.
fn figure(load: f64) -> String {
    match load {
        load if load >= 100.0 || (load.fract().abs() < 1e-9 && load >= 1.0) => format!("{load:.0}"),
        load if load >= 10.0 => format!("{load:.1}"),
        load => format!("{load:.3}"),
    }
}
