//! T1, a day of tokens, and T9, what prices mean.

use crate::case::Case;
use freeweights_cost::blend::{blend, price_ratio};
use freeweights_cost::convention::usd_per_million;
use freeweights_cost::margin::markup;
use freeweights_cost::sales::{SellingPrices, TokensSold, machines_busy, revenue};
use freeweights_record::units::{
    Hours, Tokens, TokensPerSecond, TokensPerSecondPerGpu, UsdPerGpuHour, UsdPerHour,
    UsdPerMillionTokens,
};
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Day {
    nodes: f64,
    gpus_per_node: f64,
    hours: Hours,
    usd_per_gpu_hour: UsdPerGpuHour,
    cached_input_tokens: Tokens,
    input_tokens: Tokens,
    output_tokens: Tokens,
    cached_input_usd_per_million: UsdPerMillionTokens,
    input_usd_per_million: UsdPerMillionTokens,
    output_usd_per_million: UsdPerMillionTokens,
    input_tokens_per_s_per_node: TokensPerSecond,
    output_tokens_per_s_per_node: TokensPerSecond,
}

#[test]
fn t1_a_day_of_deepseek() {
    let mut case = Case::<Day>::read(include_str!("cases/t1.toml"));
    let day = case.inputs();
    let node = UsdPerHour::new((day.usd_per_gpu_hour * day.gpus_per_node).get());
    let cost = node * (day.hours * day.nodes);
    let sold = TokensSold {
        cached_input: day.cached_input_tokens,
        input: day.input_tokens,
        output: day.output_tokens,
    };
    let earned = revenue(
        sold,
        SellingPrices {
            cached_input: day.cached_input_usd_per_million,
            input: day.input_usd_per_million,
            output: day.output_usd_per_million,
        },
    );
    let markup = markup(earned, cost).get() * 100.0;
    let price = |node: TokensPerSecond| {
        let gpu = TokensPerSecondPerGpu::new(node.get() / day.gpus_per_node);
        usd_per_million(day.usd_per_gpu_hour, gpu).get()
    };
    let (input, output) =
        (price(day.input_tokens_per_s_per_node), price(day.output_tokens_per_s_per_node));
    let all_input = sold.cached_input + sold.input;
    let prefill = machines_busy(all_input, day.input_tokens_per_s_per_node, day.hours).get();
    let decode = machines_busy(sold.output, day.output_tokens_per_s_per_node, day.hours).get();

    case.check("cost", cost.get());
    case.check("revenue", earned.get());
    case.check_as_stated("revenue", "rounded_tokens", earned.get());
    case.check("markup", markup);
    case.check_as_stated("markup", "rounded_tokens", markup);
    case.check("input price", input);
    case.check("output price", output);
    case.check("nodes for input", prefill);
    case.check("nodes for output", decode);
    case.check("nodes", prefill + decode);
    case.check_as_stated("nodes", "rounded_rates", prefill + decode);
    case.finish();
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Prices {
    input_usd_per_million: UsdPerMillionTokens,
    blend: (Tokens, Tokens),
    dear: (UsdPerMillionTokens, UsdPerMillionTokens),
    cheap: (UsdPerMillionTokens, UsdPerMillionTokens),
}

#[test]
fn t9_prices_of_apis() {
    let mut case = Case::<Prices>::read(include_str!("cases/t9.toml"));
    let Prices { input_usd_per_million: price, blend: (a, b), dear, cheap } = *case.inputs();
    let dear = blend(dear.0, dear.1, a, b);
    let cheap = blend(cheap.0, cheap.1, a, b);
    for tokens in [100_000, 200_000] {
        case.check(&format!("{tokens} tokens"), (price * Tokens::new(tokens)).get());
    }
    case.check("blend of the dear", dear.get());
    case.check("blend of the cheap", cheap.get());
    case.check("ratio", price_ratio(dear, cheap).get());
    case.finish();
}
