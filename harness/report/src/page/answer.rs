//! The first screen: how much, compared with what, from which volume on, how sure.

use freeweights_cost::people::{number, percent, thousands, volume};
use freeweights_cost::{ApiComparison, Assessment};
use freeweights_record::units::TokensPerMonth;
use serde::Serialize;

/// A figure as people read it, and in full.
#[derive(Serialize)]
struct Told {
    /// Where the same number stands in `--format json`, as a path below the assessment.
    key: String,
    value: Option<f64>,
    shown: String,
}

/// One of the four answers.
#[derive(Serialize)]
struct Card {
    question: &'static str,
    figure: Told,
    unit: String,
    more: Vec<String>,
}

/// The four of them.
#[derive(Serialize)]
pub(super) struct Answer {
    cards: Vec<Card>,
}

impl Answer {
    pub(super) fn of(assessment: &Assessment) -> Self {
        let api = assessment.main_comparison();
        let mut cards = vec![how_much(assessment)];
        cards.extend(api.map(|api| compared(assessment, api)));
        cards.extend(api.map(|api| from_where(assessment, api)));
        cards.push(how_sure(assessment, api));
        Self { cards }
    }
}

fn how_much(assessment: &Assessment) -> Card {
    let usd = assessment.cost.blended.value.get();
    let never_idle = assessment.saturated.blended.value.get();
    Card {
        question: "How much",
        figure: Told { key: "cost.blended.value".into(), value: Some(usd), shown: number(usd) },
        unit: "USD per million tokens, in and out".into(),
        more: vec![
            format!("{} USD a year", number(assessment.bill.total_usd_per_year.get())),
            format!("{} of the machine time is used", percent(assessment.utilisation.get())),
            format!("{} USD if it were never idle", number(never_idle)),
        ],
    }
}

fn compared(assessment: &Assessment, api: &ApiComparison) -> Card {
    let index = assessment.apis.iter().position(|one| one.price.id() == api.price.id());
    let ratio = api.ratio.get();
    let (shown, unit) = if ratio < 0.0 {
        ("below nothing".to_owned(), "because batch work pays more than all of it costs")
    } else if ratio >= 1.0 {
        (number(ratio), "times what the API charges")
    } else {
        (percent(ratio), "of what the API charges")
    };
    let stale = if api.stale { ", older than 90 days" } else { "" };
    Card {
        question: "Compared with what",
        figure: Told {
            key: format!("apis.{}.ratio", index.unwrap_or(0)),
            value: Some(ratio),
            shown,
        },
        unit: unit.into(),
        more: vec![
            api.price.id(),
            format!("{} USD per million tokens, {}", number(api.blended.get()), api.class),
            format!("price {}{stale}", api.price.dated()),
        ],
    }
}

fn from_where(assessment: &Assessment, api: &ApiComparison) -> Card {
    let index = assessment.apis.iter().position(|one| one.price.id() == api.price.id());
    let key = format!("apis.{}.break_even_tokens_per_month", index.unwrap_or(0));
    let own = &assessment.staircase;
    let of_request = (assessment.demand.isl + assessment.demand.osl).as_f64();
    let capacity = own.capacity.get() * own.machines_max.as_f64() * of_request / 12.0;
    let asked = assessment.demand.tokens_per_year.get() / 12.0;
    let mut more = vec![
        format!("asked for here: {} tokens a month", volume(asked)),
        format!("measured capacity: {} tokens a month", volume(capacity)),
    ];
    let met = api.break_even_tokens_per_month.map(TokensPerMonth::get);
    let (shown, unit) = match met {
        // Each machine more can make it the dearer again.
        Some(tokens) if tokens <= asked && api.ratio.get() > 1.0 => {
            (volume(tokens), "tokens a month: cheaper there, and dearer again at this demand")
        }
        Some(tokens) if tokens > 0.0 => (volume(tokens), "tokens a month: cheaper from there on"),
        Some(_) => ("the first token".to_owned(), "on, it is the cheaper"),
        None => {
            more.extend(api.never_because.clone());
            ("never".to_owned(), "within what was measured")
        }
    };
    Card {
        question: "Cheaper from which volume on",
        figure: Told { key, value: met, shown },
        unit: unit.into(),
        more,
    }
}

fn how_sure(assessment: &Assessment, api: Option<&ApiComparison>) -> Card {
    let rate = &assessment.operating_point.requests_per_s;
    let interval = rate.low.zip(rate.high).map(|(low, high)| {
        let half = (high.get() - low.get()) / 2.0 / rate.value.get();
        format!("speed measured within ±{} (95%)", percent(half))
    });
    let measured = interval.unwrap_or_else(|| "no interval of the speed in these results".into());
    let drawn = assessment.simulation.as_ref().and_then(|simulation| {
        let id = api?.price.id();
        let at = simulation.odds.iter().position(|odds| odds.api == id)?;
        Some((simulation, at, simulation.odds[at].self_hosting_cheaper.get()))
    });
    match drawn {
        Some((simulation, at, share)) => {
            let mut more = vec![measured];
            let bill = simulation.headlines.iter().find(|one| one.unit == "USD/year");
            more.extend(bill.map(|bill| {
                format!(
                    "{}: {} to {} USD a year (P5 to P95)",
                    bill.name,
                    number(bill.p5),
                    number(bill.p95)
                )
            }));
            Card {
                question: "How sure",
                figure: Told {
                    key: format!("simulation.odds.{at}.self_hosting_cheaper"),
                    value: Some(share),
                    shown: percent(share),
                },
                unit: format!(
                    "of {} drawn scenarios have self-hosting the cheaper",
                    thousands(f64::from(simulation.draws))
                ),
                more,
            }
        }
        None => Card {
            question: "How sure",
            figure: Told { key: String::new(), value: None, shown: "not drawn".into() },
            unit: "no scenarios were drawn around these figures".into(),
            more: vec![measured],
        },
    }
}
