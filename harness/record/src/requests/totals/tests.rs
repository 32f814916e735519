//! The figures of requests whose times are known.

use super::*;

/// Sent at `sent`, a first token after 0.1 s, ten tokens a second, eleven of them.
fn request(index: u32, phase: Phase, sent: f64) -> RequestSample {
    RequestSample {
        index,
        phase,
        scheduled: Seconds::new(sent),
        sent: Seconds::new(sent),
        ttft: Some(Seconds::new(0.1)),
        e2e: Some(Seconds::new(1.1)),
        gaps: vec![Seconds::new(0.1); 10],
        events: 11,
        tokens_in: Some(Tokens::new(100)),
        tokens_out: Some(Tokens::new(11)),
        tokens_asked: Tokens::new(11),
        error: None,
    }
}

/// One request after the other, 1.1 s each.
fn one_by_one(count: u32) -> RequestTotals {
    let mut totals = RequestTotals::new(Some("ttft=0.2".parse().unwrap()));
    totals.push(&request(0, Phase::Warmup, 0.0));
    for i in 1..=count {
        totals.push(&request(i, Phase::Measured, f64::from(i) * 1.1));
    }
    totals.push(&request(count + 1, Phase::Drain, f64::from(count + 1) * 1.1));
    totals
}

#[test]
fn throughput_is_that_of_the_window() {
    let mut record = Record::default();
    one_by_one(20).summarise(&mut record, 1);
    // From 1.1 s to 23.1 s: 20 requests of 11 tokens.
    assert!((record.window_s.unwrap().get() - 22.0).abs() < 1e-9);
    assert!((record.decode_mean_tps.unwrap().get() - 10.0).abs() < 1e-3);
    assert!((record.requests_per_s.unwrap().get() - 20.0 / 22.0).abs() < 1e-9);
    assert_eq!(record.goodput_rps, record.requests_per_s);
    // 100 tokens read and 11 written every 1.1 s
    assert!((record.total_mean_tps.unwrap().get() - 111.0 / 1.1).abs() < 0.1);
    assert!((record.tpot_mean_s.unwrap().get() - 0.1).abs() < 1e-12);
    assert_eq!(
        (record.requests, record.warmups, record.repetitions),
        (Some(20), Some(1), Some(20))
    );
    assert_eq!(record.itl_max_s, Some(Seconds::new(0.1)));
    assert_eq!(record.tokens_per_event, Some(TokensPerEvent::new(1.0)));
    assert_eq!((record.drifting, record.steady), (Some(false), Some(true)));
}

#[test]
fn failures_are_counted_by_their_word_and_have_no_latency() {
    let mut totals = one_by_one(3);
    for (i, error) in
        ["timeout: no token for 30 s", "http_500: oops", "http_500"].iter().enumerate()
    {
        let failed = RequestSample {
            error: Some((*error).into()),
            ttft: None,
            e2e: None,
            ..request(10 + u32::try_from(i).unwrap(), Phase::Measured, 2.0)
        };
        totals.push(&failed);
    }
    let mut record = Record::default();
    totals.summarise(&mut record, 1);
    assert_eq!(record.errors.as_deref(), Some("http_500 2, timeout 1"));
    assert_eq!(
        (record.requests, record.requests_failed, record.repetitions),
        (Some(6), Some(3), Some(3))
    );
    assert_eq!(totals.good_share(), Some(Fraction::new(0.5)));
    assert_eq!(record.ttft_p90_s, None);
}

#[test]
fn a_load_that_falls_at_the_end_does_not_count() {
    // Ten requests at once, of which one takes five times as long.
    let mut totals = RequestTotals::default();
    for i in 0..10 {
        totals.push(&request(i, Phase::Measured, f64::from(i) * 0.1));
    }
    totals
        .push(&RequestSample { e2e: Some(Seconds::new(5.0)), ..request(10, Phase::Measured, 1.0) });
    // 6.0 is when the last one ended, 1.0 when the last one was sent.
    assert_eq!(totals.window(), Some((Seconds::new(0.0), Seconds::new(1.0))));
    let none = RequestTotals::default();
    assert_eq!((none.window(), none.slices()), (None, Vec::new()));
    let mut record = Record::default();
    none.summarise(&mut record, 1);
    assert_eq!((record.requests, record.decode_mean_tps), (Some(0), None));
}

#[test]
fn what_was_cut_off_was_written_in_the_window_all_the_same() {
    // Two at a time, each 1.1 s; the second slot's last one is cut off half-way.
    let mut totals = RequestTotals::default();
    for i in 0..10 {
        totals.push(&request(2 * i, Phase::Measured, f64::from(i) * 1.1));
        let sent = 0.55 + f64::from(i) * 1.1;
        let other = request(2 * i + 1, Phase::Drain, sent);
        totals.push(&if i < 9 {
            other
        } else {
            // first token at 0.1 s and five more until 0.5 s
            let e2e = Some(Seconds::new(0.5));
            let error = Some("cut: the case ended first".into());
            RequestSample { e2e, events: 5, tokens_out: None, tokens_in: None, error, ..other }
        });
    }
    let mut record = Record::default();
    totals.summarise(&mut record, 1);
    // To 10.45 s, when the last was sent: 9 whole ones of the first slot and 5 + 3.5 of its last
    // (from 9.9 s on: at 10.0 the first token, ten a second), 9 of the other slot.
    let tokens = 9.0 * 11.0 + 5.5 + 9.0 * 11.0;
    let tps = record.decode_mean_tps.unwrap().get();
    assert!((tps - tokens / 10.45).abs() < 0.01, "{tps}");
    assert_eq!(record.requests_failed, Some(0));
}

#[test]
fn a_load_that_is_borne_goes_up_and_down() {
    // Eight in flight when the window begins; of 100 sent, 93 end in it: 7 < 2 sqrt(16) = 8.
    let totals = |ended: u32| {
        let mut totals = RequestTotals::default();
        for i in 0..8 {
            let e2e = Some(Seconds::new(1e3));
            totals.push(&RequestSample { e2e, ..request(i, Phase::Warmup, 0.0) });
        }
        for i in 0..100 {
            let e2e = Some(Seconds::new(if i < ended { 0.5 } else { 1e3 }));
            let sent = 1.0 + f64::from(i) * 0.1;
            totals.push(&RequestSample { e2e, ..request(8 + i, Phase::Measured, sent) });
        }
        totals.push(&request(200, Phase::Drain, 11.5));
        totals.served_share().unwrap().get()
    };
    assert!((totals(93) - 1.0).abs() < 1e-12);
    assert!((totals(72) - 0.8).abs() < 1e-12, "{}", totals(72));
}

#[test]
fn slower_and_slower_is_not_steady() {
    let mut totals = RequestTotals::default();
    for i in 0..40 {
        let e2e = Some(Seconds::new(1.1 + f64::from(i) * 0.05));
        totals.push(&RequestSample { e2e, ..request(i, Phase::Measured, f64::from(i)) });
    }
    let mut record = Record::default();
    totals.summarise(&mut record, 1);
    assert_eq!((record.drifting, record.steady), (Some(true), Some(false)));
}
