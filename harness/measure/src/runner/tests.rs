use super::*;
use crate::case::Prompts;
use crate::instruments::Unwatched;
use crate::scripted::{Fault, ScriptedEngine};

const CASE: Case = Case { isl: 10, osl: 3, depth: 0, batch: 2, prompts: Prompts::Random };

#[derive(Default)]
struct Log {
    order: Vec<(Case, bool)>,
    ended: Vec<(Case, Status)>,
    stop_after: Option<usize>,
    stop: std::sync::Arc<AtomicBool>,
}

impl Observer for Log {
    fn begins(&mut self, case: &Case, warmup: bool, _: usize) -> Told {
        self.order.push((*case, warmup));
        if self.stop_after == Some(self.order.len()) {
            self.stop.store(true, Ordering::Relaxed);
        }
        Ok(())
    }
    fn sampled(&mut self, _: &Case, _: &Sample) -> Told {
        Ok(())
    }
    fn ended(&mut self, result: &CaseResult) -> Told {
        self.ended.push((result.case, result.status));
        Ok(())
    }
}

fn go(
    engine: &mut ScriptedEngine,
    cases: &[Case],
    options: &RunOptions,
    log: &mut Log,
) -> Vec<CaseResult> {
    let stop = std::sync::Arc::clone(&log.stop);
    run(engine, cases, options, &mut Unwatched, &stop, log).unwrap()
}

fn timing(total: f64) -> Timing {
    let third = Seconds::new(total / 3.0);
    Timing { started: Seconds::new(0.0), prefill: third, ttft: third, gaps: vec![third, third] }
}

#[test]
fn it_warms_up_until_steady_and_stops_when_the_interval_is_narrow() {
    let mut engine = ScriptedEngine::playing(
        [9.0, 3.0, 3.0, 3.0].map(timing).into_iter().chain(vec![timing(3.0); 10]).collect(),
    );
    let mut log = Log::default();
    let options = RunOptions { max_time: Seconds::new(100.0), ..RunOptions::default() };
    let results = go(&mut engine, &[CASE], &options, &mut log);
    let result = &results[0];
    assert_eq!((result.status, result.steady), (Status::Ok, true));
    // Four warm-ups (three of 3 s are level), then the fewest: equal samples have no spread.
    assert_eq!(result.samples.iter().filter(|s| s.warmup).count(), 4);
    assert_eq!(result.samples.len(), 14);
    assert_eq!(result.samples[13].index, 13);
    // The clock is the script's: 9 + 12 * 3 s had passed before the last sample.
    assert!((result.samples[13].offset.get() - 45.0).abs() < 1e-9);
    assert!((result.samples[13].started.get() - 45.0).abs() < 1e-9);
}

#[test]
fn it_goes_on_while_the_interval_is_wide_until_the_time_is_up() {
    let mut high = false;
    let mut engine = ScriptedEngine::new(move |_, _| {
        high = !high;
        Ok(timing(if high { 1.2 } else { 0.8 }))
    });
    let options = RunOptions { max_time: Seconds::new(16.0), ..RunOptions::default() };
    let results = go(&mut engine, &[CASE], &options, &mut Log::default());
    // It scatters, but not in one direction: six warm-ups tell.
    assert!(results[0].steady);
    assert_eq!(results[0].samples.iter().filter(|s| s.warmup).count(), 6);
    let counted = results[0].samples.iter().filter(|s| !s.warmup).count();
    // 16 s of samples of 1 s on average
    assert_eq!(counted, 16);
}

#[test]
fn a_case_that_keeps_getting_slower_is_not_steady_and_drifts() {
    let mut time = 1.0;
    let mut engine = ScriptedEngine::new(move |_, _| {
        time *= 1.02;
        Ok(timing(time))
    });
    let options = RunOptions { max_time: Seconds::new(30.0), ..RunOptions::default() };
    let results = go(&mut engine, &[CASE], &options, &mut Log::default());
    assert!(!results[0].steady);
    assert_eq!(results[0].samples.iter().filter(|s| s.warmup).count(), steady::MOST);
}

#[test]
fn short_samples_are_taken_for_a_least_time() {
    let mut engine = ScriptedEngine::new(|_, _| Ok(timing(0.01)));
    let results = go(&mut engine, &[CASE], &RunOptions::default(), &mut Log::default());
    let counted = results[0].samples.iter().filter(|s| !s.warmup).count();
    // 2 s of samples of 10 ms; the sum of the times is a rounding away from it
    assert!((200..=201).contains(&counted), "{counted}");
}

#[test]
fn cases_take_turns() {
    let other = Case { batch: 4, ..CASE };
    let mut log = Log::default();
    let mut engine = ScriptedEngine::steady(100.0, 10.0);
    go(&mut engine, &[CASE, other], &RunOptions::default(), &mut log);
    let measured: Vec<Case> =
        log.order.iter().filter(|(_, warmup)| !warmup).map(|(c, _)| *c).collect();
    for round in measured.chunks_exact(2).take(5) {
        assert!(round.contains(&CASE) && round.contains(&other), "{round:?}");
    }
    let first = measured.chunks_exact(2).map(|round| round[0]).collect::<Vec<_>>();
    assert!(first.contains(&CASE) && first.contains(&other), "always the same order");
}

#[test]
fn a_failing_case_is_a_result_and_the_others_go_on() {
    let other = Case { batch: 4, ..CASE };
    let too_long = Case { isl: 5_000, ..CASE };
    let mut engine = ScriptedEngine::new(|case, _| {
        if case.batch == 4 { Err(EngineError::Diverged) } else { Ok(timing(1.0)) }
    });
    let results =
        go(&mut engine, &[CASE, other, too_long], &RunOptions::default(), &mut Log::default());
    assert_eq!(results[0].status, Status::Ok);
    assert_eq!(results[1].status, Status::Failed);
    assert_eq!(
        results[1].error.as_deref(),
        Some("the output diverged: the logits hold NaN or infinity")
    );
    assert_eq!(results[2].status, Status::Failed);
    assert!(results[2].samples.is_empty());
}

#[test]
fn stopping_keeps_what_was_measured() {
    let other = Case { batch: 4, ..CASE };
    let mut log = Log { stop_after: Some(9), ..Log::default() };
    let mut engine = ScriptedEngine::steady(100.0, 10.0);
    let results = go(&mut engine, &[CASE, other], &RunOptions::default(), &mut log);
    assert_eq!(log.ended.len(), 2);
    assert!(log.ended.iter().all(|(_, status)| *status == Status::Interrupted));
    assert_eq!(results.iter().map(|r| r.samples.len()).sum::<usize>(), 9);
}

#[test]
fn prompts_differ_within_a_run_and_not_between_runs() {
    let seeds = |seed| (0..4).map(|i| sample_seed(seed, &CASE, i)).collect::<Vec<_>>();
    assert_eq!(seeds(1), seeds(1));
    assert_ne!(seeds(1), seeds(2));
    assert_ne!(seeds(1)[0], seeds(1)[1]);
}

#[test]
fn a_device_that_is_lost_fails_its_cases_and_keeps_their_samples() {
    let other = Case { batch: 4, ..CASE };
    let mut engine = ScriptedEngine::steady(100.0, 10.0).with_fault(20, Fault::DeviceLost);
    let results = go(&mut engine, &[CASE, other], &RunOptions::default(), &mut Log::default());
    assert!(results.iter().all(|result| result.status == Status::Failed));
    assert_eq!(results.iter().map(|result| result.samples.len()).sum::<usize>(), 20);
    let why = "the device is lost: a script said so";
    assert!(results.iter().all(|result| result.error.as_deref() == Some(why)));
}

#[test]
fn an_engine_that_panics_fails_its_case_and_is_not_asked_again() {
    let others = [2, 4].map(|osl| Case { osl, ..CASE });
    let mut engine = ScriptedEngine::steady(100.0, 10.0).with_fault(3, Fault::Panic);
    let results =
        go(&mut engine, &[CASE, others[0], others[1]], &RunOptions::default(), &mut Log::default());
    let errors: Vec<&str> = results.iter().filter_map(|r| r.error.as_deref()).collect();
    let panicked = "the engine panicked: a script said so";
    assert_eq!(errors.iter().filter(|error| **error == panicked).count(), 1, "{errors:?}");
    let later = format!("not measured, as {panicked} before");
    assert_eq!(errors.iter().filter(|error| **error == later).count(), 2, "{errors:?}");
    assert_eq!(results.iter().map(|result| result.samples.len()).sum::<usize>(), 3);
}

/// Keeps what is written while there is room for it.
struct Disk {
    samples_left: usize,
    rows: Vec<(Status, Option<String>, usize)>,
}

impl Observer for Disk {
    fn sampled(&mut self, _: &Case, _: &Sample) -> Told {
        let left = self.samples_left.checked_sub(1);
        self.samples_left =
            left.ok_or_else(|| Box::<dyn Error + Send + Sync>::from("disk full"))?;
        Ok(())
    }
    fn ended(&mut self, result: &CaseResult) -> Told {
        self.rows.push((result.status, result.error.clone(), result.samples.len()));
        Ok(())
    }
}

#[test]
fn a_sample_that_cannot_be_kept_ends_the_run_with_a_row_for_every_case() {
    let other = Case { batch: 4, ..CASE };
    for (ladders, cases) in [
        (vec![], vec![CASE, other]),
        (vec![Ladder { first: CASE, most: None, known: Vec::new() }], vec![other]),
    ] {
        let work = Work { cases: cases.into_iter().map(Begun::fresh).collect(), ladders };
        let mut disk = Disk { samples_left: 9, rows: Vec::new() };
        let mut engine = ScriptedEngine::steady(100.0, 10.0);
        let error = resume(
            &mut engine,
            work,
            &RunOptions::default(),
            &mut Unwatched,
            &AtomicBool::new(false),
            &mut disk,
        );
        assert_eq!(error.unwrap_err().to_string(), "disk full");
        assert_eq!(disk.rows.len(), 2, "{:?}", disk.rows);
        for (status, error, _) in &disk.rows {
            assert_eq!((*status, error.as_deref()), (Status::Interrupted, Some("disk full")));
        }
        // The tenth is in no row: its case may be measured again, and nothing is counted twice.
        assert_eq!(disk.rows.iter().map(|(_, _, samples)| samples).sum::<usize>(), 9);
    }
}

#[test]
fn a_clock_that_jumps_an_hour_is_one_slow_sample() {
    let mut calls = 0;
    let mut engine = ScriptedEngine::new(move |_, _| {
        calls += 1;
        Ok(timing(if calls == 12 { 3_600.0 } else { 1.0 }))
    });
    let results = go(&mut engine, &[CASE], &RunOptions::default(), &mut Log::default());
    assert_eq!(results[0].status, Status::Ok);
    let slow = results[0].samples.iter().filter(|sample| sample.e2e().get() > 1_000.0).count();
    assert_eq!(slow, 1);
}
