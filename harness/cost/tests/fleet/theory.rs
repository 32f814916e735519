//! Waiting times that queueing theory knows in closed form.

use freeweights_cost::figure::Machines;
use freeweights_cost::fleet::{
    Arrivals, Demand, FleetConfig, Lengths, Outcome, Routing, Service, Synthetic, simulate,
};
use freeweights_record::units::{RequestsPerSecond, Seconds, Tokens};

/// Requests of a run: the mean of a wait converges slowly when waits are correlated.
const REQUESTS: u64 = 2_000_000;

fn run(service: &Service, rate: f64, servers: u32, seed: u64) -> Outcome {
    let lengths = Lengths::fixed(Tokens::new(1), Tokens::new(1));
    let demand = Synthetic::steady(RequestsPerSecond::new(rate), Arrivals::Poisson, lengths)
        .unwrap()
        .with_requests(REQUESTS)
        .with_seed(seed);
    let config =
        FleetConfig { routing: Routing::SharedQueue, ..FleetConfig::of(Machines::new(servers), 1) };
    simulate(service, &Demand::Synthetic(demand), &config).unwrap()
}

fn near(outcomes: &[Outcome], wait: f64) {
    let means = outcomes.iter().map(|outcome| outcome.wait.mean().unwrap().get());
    let ours = means.sum::<f64>() / outcomes.len() as f64;
    assert!((ours / wait - 1.0).abs() < 0.01, "the mean wait is {ours}, in theory {wait}");
    for outcome in outcomes {
        assert!(outcome.littles_law.off().get() < 1e-3, "{:?}", outcome.littles_law);
        assert_eq!(outcome.finished, REQUESTS);
    }
}

/// Erlang's C formula: the probability that one has to wait.
fn erlang_c(servers: u32, load: f64) -> f64 {
    // B(0) = 1, B(c) = a B(c - 1) / (c + a B(c - 1))
    let blocked = (1..=servers).fold(1.0, |b, c| load * b / (f64::from(c) + load * b));
    let share = load / f64::from(servers);
    blocked / (1.0 - share * (1.0 - blocked))
}

#[test]
fn m_m_1_waits_as_in_theory() {
    // W = rho / (mu - lambda): 0.5 / (1 - 0.5) = 1 and 0.7 / 0.3 = 2.33.
    for (rate, wait) in [(0.5, 1.0), (0.7, 7.0 / 3.0)] {
        near(&[run(&Service::Exponential(Seconds::new(1.0)), rate, 1, 11)], wait);
    }
}

#[test]
fn m_d_1_waits_half_as_long() {
    // W = rho / (2 (1 - rho)) of the service time: 0.8 / 0.4 = 2.
    near(&[run(&Service::Constant(Seconds::new(1.0)), 0.8, 1, 5)], 2.0);
    near(&[run(&Service::Constant(Seconds::new(0.5)), 1.0, 1, 6)], 0.25);
}

#[test]
fn m_m_c_waits_as_erlang_says() {
    // C(2, 1) = 1/3, and W = C / (c mu - lambda) = 1/3.
    assert!((erlang_c(2, 1.0) - 1.0 / 3.0).abs() < 1e-12);
    // Four runs each: waits of a busy fleet hang together, and one run is off by 1% by chance alone.
    let service = Service::Exponential(Seconds::new(1.0));
    for (servers, load) in [(2, 1.0), (8, 5.6)] {
        let wait = erlang_c(servers, load) / (f64::from(servers) - load);
        let one = |seed| run(&service, load, servers, seed);
        let outcomes: Vec<Outcome> = std::thread::scope(|scope| {
            let runs: Vec<_> = (1..=4).map(|seed| scope.spawn(move || one(seed))).collect();
            runs.into_iter().map(|run| run.join().unwrap()).collect()
        });
        near(&outcomes, wait);
    }
}

#[test]
fn the_wait_of_m_m_1_is_exponential_beyond_nothing() {
    // P(W > t) = rho exp(-(mu - lambda) t): at rho 0.8 the 90th percentile is ln(8) / 0.2 = 10.4.
    let outcome = run(&Service::Exponential(Seconds::new(1.0)), 0.8, 1, 3);
    let p90 = outcome.wait.at(90.0).unwrap().get();
    assert!((p90 / (8.0_f64.ln() / 0.2) - 1.0).abs() < 0.03, "{p90}");
    assert_eq!(outcome.wait.at(15.0), Some(Seconds::new(0.0)));
    // A server works for rho of the time.
    assert!((outcome.utilisation().get() - 0.8).abs() < 0.004, "{}", outcome.utilisation());
}
