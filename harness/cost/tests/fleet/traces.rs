//! Real traces, skipped where they are not there.

use freeweights_cost::figure::Machines;
use freeweights_cost::fleet::{
    Demand, FleetConfig, MeasuredTime, Replay, Routing, Service, ServiceCurve, simulate,
};
use freeweights_cost::trace::Trace;
use freeweights_record::units::{Seconds, Tokens};
use std::path::PathBuf;

#[expect(clippy::print_stderr, reason = "a skipped test says so")]
pub fn trace(name: &str) -> Option<Trace> {
    let beside = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/traces");
    let folder = std::env::var_os("FREEWEIGHTS_TRACES").unwrap_or_else(|| beside.into());
    let Ok(text) = std::fs::read_to_string(PathBuf::from(folder).join(name)) else {
        eprintln!("skipped: there is no {name}; name its folder in FREEWEIGHTS_TRACES");
        return None;
    };
    Some(Trace::parse(&text).unwrap())
}

/// A GPU of about 8,000 prompt tokens a second, with steps of 10 to 26 ms.
pub fn gpu() -> Service {
    let at = |batch, tokens, time| MeasuredTime {
        batch,
        tokens: Tokens::new(tokens),
        time: Seconds::new(time),
    };
    let prefill = [at(1, 128, 0.02), at(1, 1_024, 0.13), at(1, 8_192, 1.1), at(1, 16_384, 2.6)];
    let decode = [
        at(1, 128, 0.010),
        at(1, 8_192, 0.011),
        at(16, 128, 0.012),
        at(16, 8_192, 0.016),
        at(64, 128, 0.016),
        at(64, 8_192, 0.026),
    ];
    Service::Curve(ServiceCurve::of_points(&prefill, &decode).unwrap())
}

#[test]
fn an_hour_of_azure_is_served_whole() {
    let Some(trace) = trace("azure-2023-conversation.csv") else { return };
    let demand = Demand::Replay(Replay::once(&trace));
    for routing in
        [Routing::RoundRobin, Routing::LeastLoaded, Routing::PrefixAffine, Routing::SharedQueue]
    {
        for chunked in [false, true] {
            let config = FleetConfig { routing, chunked, ..FleetConfig::of(Machines::new(4), 64) };
            let outcome = simulate(&gpu(), &demand, &config).unwrap();
            assert_eq!((outcome.finished, outcome.gave_up), (19_366, false));
            assert_eq!(outcome.input_tokens, trace.input_tokens());
            assert_eq!(outcome.output_tokens, trace.output_tokens());
            assert!(outcome.littles_law.off().get() < 1e-9, "{:?}", outcome.littles_law);
        }
    }
}

#[test]
fn prefixes_of_mooncake_are_found_where_there_is_room_for_them() {
    let Some(trace) = trace("mooncake-conversation.jsonl") else { return };
    let demand = Demand::Replay(Replay::once(&trace));
    let share = |replicas, tokens, routing| {
        let config = FleetConfig {
            prefix_tokens: Some(Tokens::new(tokens)),
            routing,
            ..FleetConfig::of(Machines::new(replicas), 64)
        };
        let outcome = simulate(&gpu(), &demand, &config).unwrap();
        assert!(outcome.littles_law.off().get() < 1e-9);
        outcome.cached_share().get()
    };
    // One replica that forgets nothing is slow, but finds nearly what an unbounded cache finds:
    // all but the last token of a prompt, and what is not read yet when it is asked for again.
    let unbounded = trace.prefix_hits().unwrap().tokens.get();
    let one = share(1, 1 << 40, Routing::LeastLoaded);
    assert!(one <= unbounded && one > unbounded - 0.03, "{one} of {unbounded}");
    let (scattered, affine) =
        (share(16, 1 << 20, Routing::RoundRobin), share(16, 1 << 20, Routing::PrefixAffine));
    assert!(affine > scattered + 0.05, "{scattered} {affine}");
    assert!(share(16, 1 << 14, Routing::PrefixAffine) < affine);
}
