//! T11, the convention of dashboards.

use crate::case::Case;
use freeweights_cost::convention::{gpu_hours, usd_per_million};
use freeweights_record::units::TokensPerSecondPerGpu;
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Convention {
    tokens_per_s_per_gpu: TokensPerSecondPerGpu,
}

#[test]
fn t11_the_convention_of_dashboards() {
    let mut case = Case::<Convention>::read(include_str!("cases/t11.toml"));
    let rate = case.inputs().tokens_per_s_per_gpu;
    for row in gpu_hours() {
        let name = format!("{}, {}", row.device, row.tenure);
        let price = row.usd_per_gpu_hour;
        case.check(&name, price.get());
        case.check_as_stated(&name, "million_tokens", usd_per_million(price, rate).get());
    }
    case.finish();
}
