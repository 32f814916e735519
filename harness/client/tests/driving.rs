//! The loop that sends requests, on a clock that does not run: every time is known beforehand.

#![expect(clippy::unwrap_used, reason = "tests stop where something is not as expected")]

use freeweights_client::find_max::{Search, Verdict};
use freeweights_client::load::{
    Arrivals, CaseEnd, Lengths, LoadCase, Rate, Replay, ReplayRequest, Schedule, Shard, Spread,
    WhyEnded, Written, drive,
};
use freeweights_client::prompt::{Calibration, Prefix, Prompts};
use freeweights_client::{Prepared, Script, Scripted};
use freeweights_record::Record;
use freeweights_record::requests::{Phase, RequestSample, RequestTotals};
use freeweights_record::units::{Ratio, RequestsPerSecond, Seconds, Tokens};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;
use tokio::time::Instant;

fn ms(count: u64) -> Duration {
    Duration::from_millis(count)
}

fn lengths() -> Lengths {
    Lengths { isl: Tokens::new(16), osl: Tokens::new(11), spread: Spread::Fixed }
}

fn case(schedule: Schedule) -> LoadCase {
    LoadCase {
        schedule,
        shard: Shard::default(),
        seed: 9,
        warmup: 4,
        until_ended: false,
        requests: Some(40),
        time: None,
        counted_elsewhere: false,
    }
}

/// 100 ms and then 10 ms a token.
fn even(_: &Prepared) -> Script {
    Script { ttft: ms(100), gap: ms(10), fault: None }
}

fn run(
    case: &LoadCase,
    script: impl Fn(&Prepared) -> Script + Send + Sync + 'static,
) -> (Vec<RequestSample>, CaseEnd) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .unwrap();
    runtime.block_on(async {
        let prompts = Prompts::new(Calibration::default(), Prefix::Bust, 1, 2);
        let mut rows = Vec::new();
        let mut sink = |row: RequestSample, _: Option<Written>| rows.push(row);
        let now = Instant::now();
        let stop = AtomicBool::new(false);
        let server = Arc::new(Scripted::new(script));
        let end = drive(server, &prompts, case, (now, now), &stop, &mut sink).await;
        (rows, end)
    })
}

fn record(rows: &[RequestSample]) -> Record {
    let mut totals = RequestTotals::default();
    for row in rows {
        totals.push(row);
    }
    let mut record = Record::default();
    totals.summarise(&mut record, 1);
    record
}

fn near(a: Seconds, b: f64) -> bool {
    (a.get() - b).abs() < 2e-3
}

#[test]
fn a_closed_loop_keeps_its_slots_full_until_the_last_measured_one_ended() {
    let (rows, end) = run(&case(Schedule::Closed { concurrency: 4, lengths: lengths() }), even);
    assert_eq!((end.why, end.most_in_flight), (WhyEnded::Done, 4));
    let count = |phase| rows.iter().filter(|row| row.phase == phase).count();
    assert_eq!((count(Phase::Warmup), count(Phase::Measured)), (4, 40));
    let record = record(&rows);
    // 100 ms + 10 gaps; four of them at a time: 4 / 0.2 s
    assert!(near(record.ttft_mean_s.unwrap(), 0.1) && near(record.tpot_mean_s.unwrap(), 0.01));
    assert!((record.requests_per_s.unwrap().get() - 20.0).abs() < 0.1);
    assert!((record.decode_mean_tps.unwrap().get() - 220.0).abs() < 1.0);
    assert_eq!(record.requests_failed, Some(0));
}

#[test]
fn an_open_loop_does_not_wait_for_answers() {
    let rate = Rate { rate: RequestsPerSecond::new(50.0), arrivals: Arrivals::Poisson };
    let slow = |_: &Prepared| Script { ttft: ms(5_000), gap: ms(0), fault: None };
    let (rows, end) = run(&case(Schedule::Open { rate, lengths: lengths() }), slow);
    // All 44 are sent before the first answer, and so are many more to keep the load up.
    assert!(end.most_in_flight > 200, "{end:?}");
    let mut measured: Vec<_> = rows.iter().filter(|row| row.phase == Phase::Measured).collect();
    measured.sort_by_key(|row| row.index);
    assert_eq!(measured.len(), 40);
    assert!(measured.iter().all(|row| row.late().get() < 2e-3), "{measured:?}");
    let span = measured[39].scheduled - measured[0].scheduled;
    assert!((0.4..1.4).contains(&span.get()), "{span}");
    let cut = rows.iter().filter(|row| row.phase == Phase::Drain).collect::<Vec<_>>();
    assert!(cut.iter().all(|row| row.error.as_deref() == Some("cut: the case ended first")));
}

#[test]
fn what_is_cut_off_at_the_end_was_served_all_the_same() {
    // Every fourth request is written ten times as slowly; those on their way when the last measured
    // one ends are cut off, with what came of them.
    let uneven = |request: &Prepared| {
        let slow = if request.index.is_multiple_of(4) { 10 } else { 1 };
        Script { ttft: ms(100), gap: ms(10 * slow), fault: None }
    };
    let lengths = Lengths { osl: Tokens::new(101), ..lengths() };
    let (rows, _) = run(&case(Schedule::Closed { concurrency: 4, lengths }), uneven);
    let cut: Vec<_> = rows.iter().filter(|row| row.is_cut()).collect();
    // Of the other three slots, one may be between two requests.
    assert!((2..=3).contains(&cut.len()), "{cut:?}");
    assert!(cut.iter().any(|row| row.events > 20 && row.tokens_out.is_none()), "{cut:?}");
    let totals = rows.iter().fold(RequestTotals::default(), |mut totals, row| {
        totals.push(row);
        totals
    });
    let (from, to) = totals.window().unwrap();
    // Every single token whose time lies in the window.
    let tokens = rows.iter().flat_map(|row| {
        let first = row.ttft.map(|ttft| row.sent + ttft);
        first.into_iter().flat_map(|first| {
            let later = row.gaps.iter().scan(first, |at, gap| {
                *at = *at + *gap;
                Some(*at)
            });
            std::iter::once(first).chain(later).collect::<Vec<_>>()
        })
    });
    let within = tokens.filter(|at| *at > from && *at <= to).count() as f64;
    let tps = record(&rows).decode_mean_tps.unwrap().get();
    let counted = tps * (to - from).get();
    assert!((counted / within - 1.0).abs() < 0.01, "{counted} {within}");
}

#[test]
fn an_open_loop_is_warm_when_as_many_end_as_are_sent() {
    let rate = Rate { rate: RequestsPerSecond::new(50.0), arrivals: Arrivals::Constant };
    let slow = |_: &Prepared| Script { ttft: ms(2_000), gap: ms(0), fault: None };
    let warm = LoadCase {
        until_ended: true,
        ..case(Schedule::Open { rate, lengths: Lengths { osl: Tokens::new(1), ..lengths() } })
    };
    let (rows, _) = run(&warm, slow);
    // The fourth is sent at 0.08 s and ends at 2.08 s; what comes till then does not count.
    let first = rows.iter().filter(|row| row.phase == Phase::Measured).map(|row| row.sent.get());
    let first = first.reduce(f64::min).unwrap();
    assert!((2.08..2.13).contains(&first), "{first}");
    let served = rows.iter().fold(RequestTotals::default(), |mut totals, row| {
        totals.push(row);
        totals
    });
    assert!((served.served_share().unwrap().get() - 1.0).abs() < 1e-12);
    assert!((record(&rows).requests_per_s.unwrap().get() - 50.0).abs() < 1.0);
}

#[test]
fn a_rate_beyond_all_bounds_can_be_stopped() {
    let rate = Rate { rate: RequestsPerSecond::new(1e6), arrivals: Arrivals::Constant };
    let long = Lengths { isl: Tokens::new(2_000), osl: Tokens::new(1), ..lengths() };
    let endless = LoadCase {
        requests: None,
        time: Some(Seconds::new(1e6)),
        ..case(Schedule::Open { rate, lengths: long })
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let raised = Arc::clone(&stop);
    std::thread::spawn(move || {
        std::thread::sleep(ms(1_000));
        raised.store(true, std::sync::atomic::Ordering::Relaxed);
    });
    let (mut ended, mut cut) = (0, 0);
    let end = runtime.block_on(async {
        let prompts = Prompts::new(Calibration::default(), Prefix::Bust, 1, 2);
        let mut sink = |row: RequestSample, _: Option<Written>| {
            cut += u32::from(row.is_cut());
            ended += u32::from(row.error.is_none());
        };
        let now = Instant::now();
        let at_once = |_: &Prepared| Script { ttft: ms(5), gap: ms(1), fault: None };
        let server = Arc::new(Scripted::new(at_once));
        drive(server, &prompts, &endless, (now, now), &stop, &mut sink).await
    });
    // Answers are taken all the while, though more is due than can be sent.
    assert_eq!(end.why, WhyEnded::Interrupted);
    assert!(ended > 0 && cut > 0, "{ended} {cut}");
}

#[test]
fn the_highest_rate_is_found_within_five_percent_whatever_the_arrivals() {
    const CAPACITY: f64 = 40.0;
    for (arrivals, share) in [(Arrivals::Constant, 0.95), (Arrivals::Poisson, 0.5)] {
        let mut search =
            Search::new(7.0, (1e-3, 1e5), false, freeweights_record::units::Fraction::new(0.03));
        let mut steps = 0;
        while let Some(load) = search.next() {
            // One worker, first come, first served: waits grow without end beyond its capacity.
            let free = std::sync::Mutex::new(None::<Instant>);
            let queue = move |_: &Prepared| {
                let now = Instant::now();
                let mut free = free.lock().unwrap();
                let begins = free.map_or(now, |free| free.max(now));
                let until = begins + Duration::from_secs_f64(1.0 / CAPACITY);
                *free = Some(until);
                Script { ttft: until - now, gap: ms(0), fault: None }
            };
            let rate = Rate { rate: RequestsPerSecond::new(load), arrivals };
            let one = Lengths { osl: Tokens::new(1), ..lengths() };
            let step = LoadCase {
                warmup: 10,
                until_ended: true,
                requests: None,
                time: Some(Seconds::new(240.0)),
                ..case(Schedule::Open { rate, lengths: one })
            };
            let (rows, _) = run(&step, queue);
            let mut totals = RequestTotals::new(Some("ttft=1s".parse().unwrap()));
            for row in &rows {
                totals.push(row);
            }
            let share = freeweights_record::units::Fraction::new(share);
            search.tell(load, Verdict::of(&totals, share, totals.served_share()).kept);
            steps += 1;
            assert!(steps < 40);
        }
        let (kept, missed) = search.found();
        let (kept, missed) = (kept.unwrap() / CAPACITY, missed.unwrap() / CAPACITY);
        assert!((0.95..=1.05).contains(&kept), "{arrivals}: {kept} to {missed}");
    }
}

#[test]
fn a_panic_is_a_failure_of_its_request() {
    let fragile = |request: &Prepared| {
        assert!(request.index != 10, "as the test wants it");
        even(request)
    };
    let (rows, end) = run(&case(Schedule::Closed { concurrency: 4, lengths: lengths() }), fragile);
    assert_eq!(end.why, WhyEnded::Done);
    let row = rows.iter().find(|row| row.index == 10).unwrap();
    assert_eq!(row.error.as_deref(), Some("client: its task ended in a panic"));
    assert_eq!(record(&rows).errors.as_deref(), Some("client 1"));
}

#[test]
fn a_shard_without_a_slot_sends_nothing_and_ends() {
    let closed = case(Schedule::Closed { concurrency: 2, lengths: lengths() });
    let (rows, end) = run(&LoadCase { shard: "3/3".parse().unwrap(), ..closed }, even);
    assert_eq!((rows.len(), end.why), (0, WhyEnded::Done));
}

#[test]
fn time_ends_a_case_too() {
    let timed = LoadCase {
        requests: None,
        time: Some(Seconds::new(3.0)),
        ..case(Schedule::Closed { concurrency: 2, lengths: lengths() })
    };
    let (rows, _) = run(&timed, even);
    // Two every 0.2 s for 3 s.
    let measured = rows.iter().filter(|row| row.phase == Phase::Measured).count();
    assert!((29..=32).contains(&measured), "{measured}");
}

#[test]
fn a_trace_is_replayed_at_its_pace_and_ends() {
    let request = |i: u32| ReplayRequest {
        arrival: Seconds::new(f64::from(i)),
        isl: Tokens::new(8 + u64::from(i)),
        osl: Tokens::new(2),
        blocks: Vec::new(),
    };
    let requests: Arc<[ReplayRequest]> = (0..10).map(request).collect();
    let replay = Replay { requests, speed: Ratio::new(4.0) };
    let (rows, end) =
        run(&LoadCase { warmup: 0, requests: None, ..case(Schedule::Trace(replay)) }, even);
    assert_eq!((end.why, rows.len()), (WhyEnded::Done, 10));
    let mut rows = rows;
    rows.sort_by_key(|row| row.index);
    assert!(near(rows[9].scheduled, 2.25), "{:?}", rows[9]);
    assert_eq!(rows[9].tokens_in, Some(Tokens::new(17)));
}

#[test]
fn failures_do_not_end_a_case_unless_nothing_else_comes() {
    let every_third = |request: &Prepared| Script {
        fault: request.index.is_multiple_of(3).then_some(freeweights_client::Fault::Refused),
        ..even(request)
    };
    let closed = case(Schedule::Closed { concurrency: 4, lengths: lengths() });
    let (rows, end) = run(&closed, every_third);
    assert_eq!(end.why, WhyEnded::Done);
    let record = record(&rows);
    assert_eq!(record.errors.as_deref(), Some("refused 13"));
    let none = |_: &Prepared| Script {
        fault: Some(freeweights_client::Fault::Refused),
        ttft: ms(0),
        gap: ms(0),
    };
    let (rows, end) = run(&closed, none);
    assert!(matches!(end.why, WhyEnded::ServerGone(_)), "{end:?}");
    assert!((20..30).contains(&rows.len()), "{}", rows.len());
}

#[test]
fn two_shards_together_are_one_process_to_the_last_digit() {
    // Latencies that differ from request to request.
    let varied = |request: &Prepared| Script {
        ttft: ms(20 + u64::from(request.index * 7_919 % 83)),
        gap: ms(1 + u64::from(request.index * 104_729 % 13)),
        fault: (request.index % 29 == 3).then_some(freeweights_client::Fault::Refused),
    };
    let rate = Rate { rate: RequestsPerSecond::new(100.0), arrivals: Arrivals::Gamma(0.5) };
    let lengths = Lengths { spread: Spread::LogNormal(0.5), ..lengths() };
    let open = Schedule::Open { rate, lengths };
    let whole = LoadCase { warmup: 20, requests: Some(400), ..case(open) };
    let (one, _) = run(&whole, varied);
    let shard = |shard: &str| {
        let part = LoadCase {
            shard: shard.parse().unwrap(),
            warmup: 10,
            requests: Some(200),
            ..whole.clone()
        };
        run(&part, varied).0
    };
    let counted = |rows: &[RequestSample]| -> Vec<RequestSample> {
        rows.iter().filter(|row| row.phase == Phase::Measured).cloned().collect()
    };
    let mut joined = counted(&shard("1/2"));
    joined.extend(counted(&shard("2/2")));
    let mut one = counted(&one);
    // A process has its first 20 as warm-ups, and so have two of 10.
    joined.sort_by_key(|row| row.index);
    one.sort_by_key(|row| row.index);
    assert_eq!(joined.len(), 400);
    let indices = |rows: &[RequestSample]| rows.iter().map(|row| row.index).collect::<Vec<_>>();
    assert_eq!(indices(&joined), indices(&one));
    let (a, b) = (record(&joined), record(&one));
    let percentiles = |r: &Record| {
        [
            r.ttft_p50_s,
            r.ttft_p90_s,
            r.ttft_p99_s,
            r.tpot_p50_s,
            r.tpot_p99_s,
            r.itl_p50_s,
            r.itl_p99_s,
            r.e2e_p99_s,
        ]
        .map(|time| time.unwrap())
    };
    assert_eq!(percentiles(&a), percentiles(&b));
    assert_eq!((a.errors, a.requests_failed), (b.errors, b.requests_failed));
}
