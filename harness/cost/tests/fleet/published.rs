//! T1: a day of `DeepSeek`'s inference service, from its rates to its nodes.

use freeweights_cost::figure::Machines;
use freeweights_cost::fleet::{
    Arrivals, Demand, FleetConfig, Lengths, Routing, Service, Synthetic, offered_load, simulate,
};
use freeweights_record::units::{RequestsPerSecond, Seconds, Tokens, TokensPerRequest};

const DAY: f64 = 86_400.0;

/// Tokens of one piece of work: the day is cut into pieces of equal length.
const PIECE: f64 = 1_000.0;

/// Nodes that work on average under so many tokens a day, at so many tokens a second: by the offered
/// load, and as a simulated fleet of 400 nodes counts them.
fn nodes(tokens: f64, rate: f64) -> (f64, f64) {
    let service = Service::Constant(Seconds::new(PIECE / rate));
    let pieces = RequestsPerSecond::new(tokens / PIECE / DAY);
    let one = TokensPerRequest::new(1.0);
    let load = offered_load(&service, pieces, (one, one), 1).get();
    let lengths = Lengths::fixed(Tokens::new(1), Tokens::new(1));
    let demand = Synthetic::steady(pieces, Arrivals::Poisson, lengths).unwrap();
    let config =
        FleetConfig { routing: Routing::SharedQueue, ..FleetConfig::of(Machines::new(400), 1) };
    let demand = Demand::Synthetic(demand.with_requests(400_000));
    let outcome = simulate(&service, &demand, &config).unwrap();
    assert!(outcome.littles_law.off().get() < 1e-3);
    (load, outcome.busy_time / outcome.span)
}

#[test]
fn t1_the_nodes_of_the_day() {
    let input = nodes(342e9 + 266e9, 73_700.0);
    let output = nodes(168e9, 14_800.0);
    assert!((input.0 - 95.48).abs() < 0.005, "{}", input.0);
    assert!((output.0 - 131.38).abs() < 0.005, "{}", output.0);
    // 226.75 nodes ran on average; the published rates are rounded.
    assert!((input.0 + output.0 - 226.75).abs() < 0.12);
    assert!((input.1 / input.0 - 1.0).abs() < 0.005, "{}", input.1);
    assert!((output.1 / output.0 - 1.0).abs() < 0.005, "{}", output.1);
}
