//! Real request traces against the sums published with them.
//!
//! The traces are data of others and not in the repository: tests look for them in
//! `$FREEWEIGHTS_TRACES` and in `../shared/traces`, and skip what is not there.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]
#![expect(clippy::print_stderr, reason = "a skipped test says so")]

use freeweights_cost::trace::Trace;
use freeweights_record::units::{Tokens, TokensPerRequest, UsdPerMillionTokens};
use std::path::PathBuf;

fn trace(name: &str) -> Option<Trace> {
    let beside = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/traces");
    let folder = std::env::var_os("FREEWEIGHTS_TRACES").unwrap_or_else(|| beside.into());
    let path = PathBuf::from(folder).join(name);
    let Ok(text) = std::fs::read_to_string(&path) else {
        eprintln!("skipped: there is no {name}; name its folder in FREEWEIGHTS_TRACES");
        return None;
    };
    Some(Trace::parse(&text).unwrap())
}

/// Whether a mean is what was published to one decimal.
fn close(mean: TokensPerRequest, published: f64) -> bool {
    (mean.get() - published).abs() <= 0.05
}

/// What the trace costs at 1.25 USD per million in and 10 out.
fn cost(trace: &Trace) -> f64 {
    trace.cost(UsdPerMillionTokens::new(1.25), UsdPerMillionTokens::new(10.0)).get()
}

#[test]
fn the_azure_conversation_of_2023() {
    let Some(trace) = trace("azure-2023-conversation.csv") else { return };
    assert_eq!(trace.len(), 19_366);
    assert_eq!(trace.input_tokens(), Tokens::new(22_361_870));
    assert_eq!(trace.output_tokens(), Tokens::new(4_088_665));
    assert!((trace.span().get() - 3_501.7).abs() < 0.05);
    assert!((trace.mean_rate().get() - 5.53).abs() < 0.005);
    assert!(close(trace.mean_isl(), 1_154.7) && close(trace.mean_osl(), 211.1));
    assert_eq!(trace.median_isl(), TokensPerRequest::new(1_020.0));
    assert_eq!(trace.median_osl(), TokensPerRequest::new(129.0));
    let busiest = trace.busiest_minute().unwrap();
    assert_eq!(busiest.requests, 507);
    assert!((507.0 / busiest.peak_to_mean.get() - 331.8).abs() < 0.05);
    assert!((cost(&trace) - 68.838_988).abs() < 1e-6);
    assert_eq!(trace.prefix_hits(), None);
}

#[test]
fn the_azure_code_of_2023() {
    let Some(trace) = trace("azure-2023-code.csv") else { return };
    assert_eq!(trace.len(), 8_819);
    assert_eq!(trace.input_tokens(), Tokens::new(18_059_974));
    assert_eq!(trace.output_tokens(), Tokens::new(245_896));
    assert!((trace.mean_rate().get() - 2.57).abs() < 0.005);
    let peak = trace.busiest_minute().unwrap().peak_to_mean;
    assert!((peak.get() - 4.1).abs() < 0.05, "{peak}");
    assert!((cost(&trace) - 25.033_928).abs() < 1e-6);
}

#[test]
fn the_mooncake_conversation() {
    let Some(trace) = trace("mooncake-conversation.jsonl") else { return };
    assert_eq!(trace.len(), 12_031);
    assert!((trace.mean_isl().get() - 12_035.0).abs() < 0.5);
    assert!((trace.mean_osl().get() - 343.0).abs() < 0.5);
    // Published is 36.6%: the share of blocks. Of the tokens it is more, because the last block of
    // a request, which is rarely seen again, is short.
    let hits = trace.prefix_hits().unwrap();
    assert!((hits.blocks.get() - 0.366).abs() < 0.0005, "{}", hits.blocks);
    assert!((hits.tokens.get() - 0.3736).abs() < 0.0001, "{}", hits.tokens);
}

#[test]
fn one_price_for_all_requests_is_a_price_for_each() {
    let Some(trace) = trace("azure-2023-code.csv") else { return };
    let (input, output) = (UsdPerMillionTokens::new(1.25), UsdPerMillionTokens::new(10.0));
    let one_by_one = trace.cost_by(|request| input * request.isl + output * request.osl);
    assert!((one_by_one.get() - cost(&trace)).abs() < 1e-9);
}
