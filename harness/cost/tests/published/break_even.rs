//! T2, months until hardware has paid for itself, and T3, hours.

use crate::case::Case;
use freeweights_cost::blend::blend;
use freeweights_cost::break_even::break_even_time;
use freeweights_cost::months::{break_even_months, monthly_energy_cost, tokens_of_month};
use freeweights_record::units::{
    Hours, Tokens, TokensPerSecond, Usd, UsdPerHour, UsdPerKilowattHour, UsdPerMillionTokens, Watts,
};
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Premises {
    electricity_usd_per_kwh: UsdPerKilowattHour,
    hours_per_month: Hours,
    stated_hours_per_month: Hours,
    blend: (Tokens, Tokens),
    apis: Vec<Api>,
    models: Vec<Model>,
}

#[derive(Deserialize, Clone)]
#[serde(deny_unknown_fields)]
struct Api {
    name: String,
    input: UsdPerMillionTokens,
    output: UsdPerMillionTokens,
}

#[derive(Deserialize, Clone)]
#[serde(deny_unknown_fields)]
struct Model {
    name: String,
    gpus: u32,
    /// For readers.
    #[serde(rename = "gpu")]
    _gpu: String,
    watts_per_gpu: Watts,
    stated_watts_per_gpu: Watts,
    tokens_per_s: TokensPerSecond,
    usd: Usd,
}

impl Premises {
    /// `C / (Q * (p_in + 2 p_out) / 3 - N * kW * H * price)`
    fn months(&self, model: &Model, api: &Api, watts: Watts, hours: Hours) -> f64 {
        let tokens = tokens_of_month(model.tokens_per_s, hours);
        let price = blend(api.input, api.output, self.blend.0, self.blend.1);
        let energy = watts * f64::from(model.gpus) * hours;
        let operations = monthly_energy_cost(energy, self.electricity_usd_per_kwh);
        break_even_months(model.usd, price * tokens, operations).unwrap().get()
    }
}

#[test]
fn t2_on_premises() {
    let mut case = Case::<Premises>::read(include_str!("cases/t2.toml"));
    for model in case.inputs().models.clone() {
        let hours = case.inputs().hours_per_month;
        let tokens = tokens_of_month(model.tokens_per_s, hours).get() / 1e6;
        case.check(&format!("{}: tokens", model.name), tokens);
        for api in case.inputs().apis.clone() {
            let name = format!("{} against {}", model.name, api.name);
            let stated_hours = case.inputs().stated_hours_per_month;
            let months = |watts, hours| case.inputs().months(&model, &api, watts, hours);
            let ours = months(model.watts_per_gpu, hours);
            let power = months(model.stated_watts_per_gpu, hours);
            let both = months(model.stated_watts_per_gpu, stated_hours);
            case.check(&name, ours);
            case.check_as_stated(&name, "power", power);
            case.check_as_stated(&name, "power_and_hours", both);
        }
    }
    case.finish();
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Rivals {
    server_usd: Usd,
    operations_usd_per_hour: UsdPerHour,
    cloud_usd_per_hour: Vec<UsdPerHour>,
    hours_per_month: Hours,
}

#[test]
fn t3_server_against_cloud() {
    let mut case = Case::<Rivals>::read(include_str!("cases/t3.toml"));
    for cloud in case.inputs().cloud_usd_per_hour.clone() {
        let server = case.inputs();
        let month = server.hours_per_month;
        let hours = break_even_time(server.server_usd, cloud, server.operations_usd_per_hour);
        let hours = hours.unwrap();
        case.check(&format!("hours at {}", cloud.get()), hours.get());
        case.check_as_stated(&format!("hours at {}", cloud.get()), "unrounded", hours.get());
        case.check(&format!("months at {}", cloud.get()), hours / month);
    }
    case.finish();
}
