//! C14: idle hours filled with batch work.

use super::answer::{ClaimAnswer, Line, Point, Series, Verdict};
use super::claim::ClaimId;
use super::draft::Draft;
use super::subject::Subject;
use crate::error::CostError;
use crate::figure::Label;
use crate::inputs::Inputs;
use crate::outcome::outcome;
use crate::utilisation::{busy_hours, utilisation};
use freeweights_record::units::{Fraction, Hours, TokensPerYear, UsdPerMillionTokens, UsdPerYear};

/// Points of the chart beyond the first.
const STEPS: u32 = 10;

/// All of the machines at one share of the idle hours that is filled.
struct Filled {
    /// The bill after what that work earns.
    net: UsdPerYear,
    /// The bill without that, over all tokens.
    whole: UsdPerMillionTokens,
    /// The bill after what that work earns, over the tokens of the demand.
    own: UsdPerMillionTokens,
}

/// The machines with a share of their idle hours filled at a price.
fn filled(
    inputs: &Inputs,
    share: Fraction,
    price: UsdPerMillionTokens,
) -> Result<Filled, CostError> {
    let of_request = inputs.isl + inputs.osl;
    let at = |price| outcome(&Inputs { sold_share: share, sold_at: price, ..*inputs });
    let (net, gross) = (at(price)?, at(UsdPerMillionTokens::new(0.0))?);
    let own = inputs.requests() * of_request;
    let waiting = idle(inputs).get() * share.get();
    let batch = inputs.capacity() * Hours::new(waiting) * of_request;
    let all = TokensPerYear::new(own.get() + batch.get());
    Ok(Filled { net: net.total, whole: gross.total / all, own: net.total / own })
}

/// Hours of all paid machines together in which they wait.
fn idle(inputs: &Inputs) -> Hours {
    let fleet = inputs.fleet();
    let paid = inputs.hours * fleet.serving.plus(fleet.spares).as_f64();
    paid - busy_hours(inputs.requests(), inputs.capacity())
}

pub(super) fn pool(subject: &Subject<'_>) -> Result<ClaimAnswer, CostError> {
    let mut draft = Draft::of(ClaimId::C14);
    let inputs = subject.inputs();
    let price = &subject.question.scenario.backfill.usd_per_million_tokens;
    let share = Fraction::new;
    let (empty, full) =
        (filled(inputs, share(0.0), price.value)?, filled(inputs, share(1.0), price.value)?);
    if idle(inputs).get() <= 0.0 {
        return Ok(draft.lacks("machines that wait: at this demand they are never idle"));
    }
    let fleet = inputs.fleet();
    let busy = busy_hours(inputs.requests(), inputs.capacity());
    let used = utilisation(busy, fleet.serving.plus(fleet.spares), inputs.hours);
    draft.put("full", "all tokens, idle hours filled", full.whole, Label::Derived);
    draft.put("empty", "all tokens, idle hours empty", empty.whole, Label::Derived);
    draft.put(
        "own_full",
        "tokens of the demand, after what batch work earns",
        full.own,
        Label::Derived,
    );
    draft.put("net", "bill after what batch work earns", full.net, Label::Derived);
    draft.put("bill", "bill with idle hours empty", empty.net, Label::Derived);
    draft.put("used", "use of the paid hours by the demand", used, Label::Derived);
    draft.put("price", "price of batch work", price.value, price.label);
    draft.flips_at("price of batch work that pays for its electricity", Some(pays_from(inputs)?));
    let mut points = (Vec::new(), Vec::new());
    for step in 0..=STEPS {
        let x = f64::from(step) / f64::from(STEPS);
        let at = filled(inputs, share(x), price.value)?;
        points.0.push(Point { x, y: at.whole.get(), name: None });
        points.1.push(Point { x, y: at.own.get(), name: None });
    }
    let unit = UsdPerMillionTokens::SYMBOL.to_owned();
    let line = |name: &str, points| Line { name: name.to_owned(), unit: unit.clone(), points };
    draft.draw(Series {
        x: "share of the idle hours that is filled".to_owned(),
        x_unit: Fraction::SYMBOL.to_owned(),
        lines: vec![
            line("all tokens, before what batch work earns", points.0),
            line("tokens of the demand, after it", points.1),
        ],
    });
    draft.leans_on(
        &subject.assessment.figures,
        &["backfill.", "hosting.electricity_usd_per_kwh", "machine.", "measured.requests_per_s"],
    );
    let template = "The demand uses {used} of the paid hours; filled with batch work at {price} USD per million tokens, the machines make a million tokens for {full} USD instead of {empty}, and the yearly bill is {net} USD instead of {bill}; such work pays above {threshold} USD.";
    let pays = full.net < empty.net;
    let verdict = if pays { Verdict::Supported } else { Verdict::Refuted };
    Ok(draft.done(verdict, template, &[]))
}

/// The price from which filled hours lower the bill, which is a straight line in it.
fn pays_from(inputs: &Inputs) -> Result<UsdPerMillionTokens, CostError> {
    let net = |share: f64, price: f64| {
        let (share, price) = (Fraction::new(share), UsdPerMillionTokens::new(price));
        filled(inputs, share, price).map(|filled| filled.net)
    };
    let (unpaid, paid) = (net(1.0, 0.0)?, net(1.0, 1.0)?);
    Ok(UsdPerMillionTokens::new((unpaid - net(0.0, 0.0)?) / (unpaid - paid)))
}
