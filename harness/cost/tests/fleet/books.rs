//! What the simulator keeps must add up, whatever the configuration.

use crate::traces::gpu;
use freeweights_cost::figure::Machines;
use freeweights_cost::fleet::{
    Arrivals, Bounds, Demand, Failures, FleetConfig, FleetError, Length, Lengths, MeasuredTime,
    Outcome, Replay, Routing, Scaling, Service, ServiceCurve, Synthetic, simulate, simulate_all,
};
use freeweights_cost::trace::Trace;
use freeweights_record::units::{
    Fraction, Ratio, RequestsPerSecond, Seconds, Tokens, TokensPerRequest,
};

/// 10 ms a token of prompt, 100 ms a step of one and 200 ms of two; no overhead, no depth.
fn simple() -> Service {
    let at = |batch, tokens, time| MeasuredTime {
        batch,
        tokens: Tokens::new(tokens),
        time: Seconds::new(time),
    };
    let prefill = [at(1, 100, 1.0)];
    let decode = [at(1, 100, 0.1), at(2, 100, 0.2)];
    Service::Curve(ServiceCurve::of_points(&prefill, &decode).unwrap())
}

fn run(service: &Service, rows: &str, config: &FleetConfig) -> Outcome {
    let trace = Trace::parse(&format!("arrival_s,isl,osl\n{rows}")).unwrap();
    let outcome = simulate(service, &Demand::Replay(Replay::once(&trace)), config).unwrap();
    assert!(outcome.littles_law.off().get() < 1e-9, "{:?}", outcome.littles_law);
    outcome
}

fn close(ours: Option<Seconds>, wanted: f64) {
    let ours = ours.unwrap().get();
    assert!((ours - wanted).abs() < 1e-9, "{ours} and not {wanted}");
}

#[test]
fn two_requests_by_hand() {
    // The first: prefill 0 to 1 s, and 10 steps of 0.1 s alone would end at 2 s. The second comes at
    // 1.25 s, is admitted with the step that ends at 1.3 s (3 steps done), and is read until 1.8 s.
    // Both step together: the second needs 3 steps of 0.2 s, to 2.4 s; the first has 10 - 6 = 4 left
    // by 2.4 s, and steps alone to 2.8 s.
    let outcome = run(&simple(), "0,100,11\n1.25,50,4\n", &FleetConfig::of(Machines::new(1), 2));
    close(outcome.ttft.at(100.0), 1.0);
    close(outcome.ttft.at(0.0), 0.55);
    close(outcome.wait.at(100.0), 0.05);
    close(outcome.e2e.at(0.0), 2.4 - 1.25);
    close(outcome.e2e.at(100.0), 2.8);
    close(outcome.tpot.at(100.0), 0.2);
    close(outcome.tpot.at(0.0), 0.18);
    close(Some(outcome.busy_time), 2.8);
    // Admitted: 1 until 1.3 s, 2 until 2.4 s, 1 until 2.8 s.
    close(Some(outcome.admitted_time), 1.3 + 2.2 + 0.4);
    assert_eq!(outcome.output_tokens, Tokens::new(15));
}

#[test]
fn chunks_share_the_steps() {
    // A budget of 11 tokens a step: alone, the first is read in 10 steps of 0.1 s, 9 of 11 tokens
    // and one of 1: 1 s in all. With one that decodes, 10 tokens are read beside each step of 0.1 s.
    let config = FleetConfig {
        chunked: true,
        step_tokens: Tokens::new(11),
        ..FleetConfig::of(Machines::new(1), 2)
    };
    let outcome = run(&simple(), "0,100,101\n1.95,20,2\n", &config);
    // The first decodes from 1 s. The second joins with the step that ends at 2 s, and is read in 2 steps of 0.1 + 0.1 s, to
    // 2.4 s; then one step of both of 0.2 s, to 2.6 s.
    close(outcome.ttft.at(0.0), 0.45);
    close(outcome.ttft.at(100.0), 1.0);
    close(outcome.e2e.at(0.0), 0.65);
    // 100 steps: 10 until 2 s, 2 until 2.4 s, 1 until 2.6 s, 87 of 0.1 s.
    close(outcome.e2e.at(100.0), 2.6 + 8.7);
}

#[test]
fn a_step_that_lengthens_with_depth_is_summed() {
    let at = |batch, tokens, time| MeasuredTime {
        batch,
        tokens: Tokens::new(tokens),
        time: Seconds::new(time),
    };
    let curve = ServiceCurve::of_points(&[at(1, 10, 1.0)], &[at(1, 0, 1.0), at(1, 1_000, 2.0)]);
    // Depths 11, 12, 13, 14: 4 + 0.05 s after 1 s of prefill.
    let config = FleetConfig::of(Machines::new(1), 1);
    let outcome = run(&Service::Curve(curve.unwrap()), "0,10,5\n100,10,1\n", &config);
    close(outcome.e2e.at(100.0), 5.05);
}

#[test]
fn memory_decides_who_is_admitted() {
    // Room for one request of 111 tokens at a time: the second waits for the first.
    let config =
        FleetConfig { kv_tokens: Some(Tokens::new(150)), ..FleetConfig::of(Machines::new(1), 2) };
    let outcome = run(&simple(), "0,100,11\n0.5,100,11\n1,100,200\n", &config);
    close(outcome.wait.at(100.0), 1.5);
    assert_eq!((outcome.arrived, outcome.finished, outcome.refused), (3, 2, 1));
}

#[test]
fn a_full_queue_turns_away() {
    let config = FleetConfig { queue_max: Some(1), ..FleetConfig::of(Machines::new(1), 1) };
    let outcome = run(&simple(), "0,100,1\n0.1,100,1\n0.2,100,1\n5,100,1\n", &config);
    assert_eq!((outcome.finished, outcome.turned_away), (3, 1));
}

#[test]
fn round_robin_takes_turns_and_the_least_loaded_does_not() {
    // A long one and a short one, again and again: in turn, one replica gets all the long ones.
    let rows: Vec<String> =
        (0..40).map(|i| format!("{i},{},1", if i % 2 == 0 { 180 } else { 10 })).collect();
    let wait = |routing| {
        let config = FleetConfig { routing, ..FleetConfig::of(Machines::new(2), 1) };
        run(&simple(), &rows.join("\n"), &config).wait.mean().unwrap().get()
    };
    assert!(wait(Routing::LeastLoaded) <= wait(Routing::RoundRobin));
    assert!(wait(Routing::SharedQueue) <= wait(Routing::RoundRobin));
}

fn demand(rate: f64, requests: u64, arrivals: Arrivals) -> Demand<'static> {
    let length = |mean, most| Length::LogNormal {
        mean: TokensPerRequest::new(mean),
        variation: Ratio::new(1.0),
        most: Tokens::new(most),
    };
    let lengths = Lengths::Drawn { isl: length(1_000.0, 16_000), osl: length(200.0, 2_000) };
    let steady = Synthetic::steady(RequestsPerSecond::new(rate), arrivals, lengths).unwrap();
    Demand::Synthetic(steady.with_requests(requests))
}

#[test]
fn littles_law_holds_in_every_configuration() {
    let demand = demand(6.0, 20_000, Arrivals::Gamma { variation: Ratio::new(2.0) });
    let base = FleetConfig::of(Machines::new(4), 64);
    let mut configs = Vec::new();
    for routing in
        [Routing::RoundRobin, Routing::LeastLoaded, Routing::PrefixAffine, Routing::SharedQueue]
    {
        for chunked in [false, true] {
            for kv in [None, Some(Tokens::new(60_000))] {
                let plain = FleetConfig { routing, chunked, kv_tokens: kv, ..base.clone() };
                let scaling = Scaling {
                    min: Machines::new(1),
                    max: Machines::new(8),
                    in_flight: 20.0,
                    interval: Seconds::new(15.0),
                    hold: Seconds::new(120.0),
                };
                let cold_start = Seconds::new(30.0);
                let failures = Failures { mtbf: Seconds::new(900.0), mttr: Seconds::new(200.0) };
                configs.push(FleetConfig { scaling: Some(scaling), cold_start, ..plain.clone() });
                configs.push(FleetConfig {
                    failures: Some(failures),
                    spares: Machines::new(1),
                    cold_start,
                    ..plain.clone()
                });
                configs.push(plain);
            }
        }
    }
    let outcomes = simulate_all(&gpu(), &demand, &configs, 2).unwrap();
    for (config, outcome) in configs.iter().zip(&outcomes) {
        assert!(!outcome.gave_up, "{config:?}");
        assert_eq!(outcome.finished + outcome.refused, 20_000, "{config:?}");
        assert!(outcome.littles_law.off().get() < 1e-3, "{config:?} {:?}", outcome.littles_law);
        assert!(outcome.utilisation().get() <= 1.0 + 1e-9, "{config:?}");
        let restarts = config.failures.is_some() && outcome.finished > 0;
        assert_eq!(outcome.restarted > 0, restarts, "{config:?}");
    }
    assert_eq!(outcomes.len(), 48);
}

#[test]
fn the_same_seed_gives_the_same_run_on_any_number_of_threads() {
    let demand = demand(6.0, 5_000, Arrivals::Poisson);
    let configs: Vec<_> = (2..6).map(|n| FleetConfig::of(Machines::new(n), 32)).collect();
    let figures = |threads| -> Vec<_> {
        let outcomes = simulate_all(&gpu(), &demand, &configs, threads).unwrap();
        outcomes.iter().map(|o| (o.events, o.e2e.sum(), o.ttft.at(95.0), o.busy_time)).collect()
    };
    assert_eq!(figures(1), figures(3));
}

#[test]
fn more_replicas_wait_less_and_cost_more() {
    let demand = demand(8.0, 10_000, Arrivals::Poisson);
    let configs: Vec<_> = (3..9).map(|n| FleetConfig::of(Machines::new(n), 64)).collect();
    let outcomes = simulate_all(&gpu(), &demand, &configs, 2).unwrap();
    for pair in outcomes.windows(2) {
        assert!(pair[1].ttft.at(95.0) <= pair[0].ttft.at(95.0));
        assert!(pair[1].utilisation().get() < pair[0].utilisation().get());
    }
}

#[test]
fn a_scaled_fleet_follows_the_demand_and_pays_for_less() {
    let on = Fraction::new(0.3);
    let bursts = demand(3.0, 60_000, Arrivals::OnOff { on, cycle: Seconds::new(1_800.0) });
    let scaling = Scaling {
        min: Machines::new(1),
        max: Machines::new(10),
        in_flight: 16.0,
        interval: Seconds::new(10.0),
        hold: Seconds::new(120.0),
    };
    let fixed = FleetConfig::of(Machines::new(10), 64);
    let slow = FleetConfig {
        scaling: Some(scaling),
        cold_start: Seconds::new(120.0),
        ..FleetConfig::of(Machines::new(1), 64)
    };
    let fast = FleetConfig { cold_start: Seconds::new(1.0), ..slow.clone() };
    let runs = simulate_all(&gpu(), &bursts, &[fixed, slow, fast], 2).unwrap();
    let paid = |i: usize| runs[i].mean_replicas().get();
    let ttft = |i: usize| runs[i].ttft.at(95.0).unwrap();
    assert!(paid(1) < 0.6 * paid(0), "{} {}", paid(1), paid(0));
    assert!(ttft(1) > ttft(0) && ttft(2) < ttft(1), "a slow start is felt");
}

#[test]
fn a_spare_shortens_an_outage() {
    let demand = demand(6.0, 20_000, Arrivals::Poisson);
    let failures = Failures { mtbf: Seconds::new(2_000.0), mttr: Seconds::new(600.0) };
    let alone = FleetConfig { failures: Some(failures), ..FleetConfig::of(Machines::new(3), 64) };
    let with = FleetConfig { spares: Machines::new(2), ..alone.clone() };
    let runs = simulate_all(&gpu(), &demand, &[alone, with], 2).unwrap();
    assert!(runs[1].ttft.at(95.0) < runs[0].ttft.at(95.0));
    assert!((runs[1].mean_replicas().get() - 5.0).abs() < 1e-9, "spares are paid");
}

#[test]
fn a_fleet_that_does_not_keep_up_is_given_up() {
    let demand = demand(100.0, 1_000_000, Arrivals::Poisson);
    let config = FleetConfig { give_up_at: 5_000, ..FleetConfig::of(Machines::new(1), 64) };
    let outcome = simulate(&gpu(), &demand, &config).unwrap();
    assert!(outcome.gave_up && outcome.arrived < 6_000, "{}", outcome.arrived);
}

#[test]
fn goodput_counts_what_meets_every_bound() {
    let bounds = Bounds { ttft_s: Some(Seconds::new(0.6)), ..Bounds::default() };
    let config = FleetConfig { bounds, ..FleetConfig::of(Machines::new(1), 2) };
    let outcome = run(&simple(), "0,100,11\n1.25,50,4\n", &config);
    assert_eq!((outcome.met, outcome.met_share()), (1, Fraction::new(0.5)));
    assert!((outcome.goodput().get() - 1.0 / 2.8).abs() < 1e-9);
}

#[test]
fn more_together_than_was_measured_is_refused() {
    let trace = Trace::parse("arrival_s,isl,osl\n0,1,1\n1,1,1\n").unwrap();
    let demand = Demand::Replay(Replay::once(&trace));
    let error = simulate(&simple(), &demand, &FleetConfig::of(Machines::new(1), 3)).unwrap_err();
    assert_eq!(error, FleetError::BatchNotMeasured { asked: 3, measured: 2 });
    insta::assert_snapshot!(error, @"a batch of 3 was asked for, but the largest that was measured is 2; measure more with: freeweights bench --batch 3, or leave --max-batch out");
}
