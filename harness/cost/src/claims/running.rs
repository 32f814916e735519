//! C1 and C2: that running a model costs money, and that somebody has to make it fast.

use super::answer::{ClaimAnswer, Verdict};
use super::claim::ClaimId;
use super::draft::Draft;
use super::subject::{Question, Subject};
use crate::assessment::{Assessment, Estimate};
use crate::bill::ComponentKind;
use crate::error::CostError;
use crate::figure::Label;
use crate::group::groups;
use crate::inputs::Inputs;
use crate::outcome::outcome;
use freeweights_record::Record;
use freeweights_record::units::{Fraction, Ratio, RequestsPerDay, UsdPerMillionTokens, UsdPerYear};

/// The inputs of a bill that matter most.
pub(super) const MACHINE: [&str; 8] = [
    "measured.",
    "machine.",
    "hardware.price_factor",
    "hardware.life_years",
    "hosting.electricity_usd_per_kwh",
    "hosting.pue",
    "staff.",
    "demand.requests_per_day",
];

pub(super) fn free(subject: &Subject<'_>) -> Result<ClaimAnswer, CostError> {
    let Assessment { cost, saturated, bill, demand, .. } = &subject.assessment;
    let record = subject.costing.record;
    let mut draft = Draft::of(ClaimId::C1);
    let per_token = |usd: UsdPerYear| usd / demand.tokens_per_year;
    let energy = bill.of(ComponentKind::EnergyActive) + bill.of(ComponentKind::EnergyIdle);
    draft.range("cost", "tokens at this demand", cost.blended, Label::Derived);
    draft.range("saturated", "tokens if it never waited", saturated.blended, Label::Derived);
    if energy.get() > 0.0 {
        draft.put("energy", "electricity of these tokens", per_token(energy), Label::Derived);
    }
    draft.put("bill", "bill of a year", bill.total_usd_per_year, Label::Derived);
    let point = &subject.costing.point;
    draft.range("throughput", "requests a machine finishes", point.requests_per_s, point.basis);
    if let Some(decode) = point.decode {
        draft.range("decode", "generated tokens", decode, Label::Measured);
    }
    if let Some(memory) = record.device_peak_bytes.or(record.rss_peak_bytes) {
        draft.put("memory", "memory at its peak", memory, Label::Measured);
    }
    if let Some(joules) = record.decode_j_per_token {
        draft.put("joules", "energy of a generated token", joules, Label::Measured);
    }
    draft.flips_at(
        "price of batch work that pays the whole bill, all idle hours sold",
        free_at(subject.inputs())?,
    );
    draft.leans_on(&subject.assessment.figures, &MACHINE);
    draft.leans_on(&subject.assessment.figures, &["backfill."]);
    if bill.total_usd_per_year.get() <= 0.0 {
        let template = "At this demand a million tokens cost {cost} USD and the year {bill} USD: what idle hours earn with batch work pays for everything.";
        return Ok(draft.done(Verdict::Refuted, template, &[]));
    }
    let mut template =
        "A million tokens cost {cost} USD at this demand, and {saturated} USD if the machine never waited"
            .to_owned();
    let power = subject.assessment.figures.iter().find(|figure| figure.name == "machine.decode_w");
    let label = power.map(|power| power.label.to_string()).unwrap_or_default();
    if draft.has("energy") {
        template.push_str("; {energy} USD of the former is electricity, its power {label}");
    }
    if draft.flips() {
        template.push_str("; they would be free if batch work in all idle hours were paid {threshold} USD per million tokens");
    }
    template.push('.');
    Ok(draft.done(Verdict::Supported, &template, &[("label", &label)]))
}

/// The price of batch work at which idle hours pay the whole bill: the bill is a straight line in
/// it. All idle hours are sold where the scenario sells none.
fn free_at(inputs: &Inputs) -> Result<Option<UsdPerMillionTokens>, CostError> {
    let sold_share = inputs.sold_share.get();
    let sold_share = Fraction::new(if sold_share > 0.0 { sold_share } else { 1.0 });
    let at = |usd: f64| {
        let sold_at = UsdPerMillionTokens::new(usd);
        outcome(&Inputs { sold_share, sold_at, ..*inputs }).map(|outcome| outcome.total)
    };
    let (unpaid, paid) = (at(0.0)?, at(1.0)?);
    let earned = unpaid - paid;
    Ok((earned.get() > 0.0).then(|| UsdPerMillionTokens::new(unpaid / earned)))
}

/// One engine on the weights of the group.
struct Engine {
    name: String,
    saturated: Estimate<UsdPerMillionTokens>,
    now: UsdPerMillionTokens,
    /// What one machine serves, room for the peak left.
    capacity: RequestsPerDay,
}

impl Engine {
    fn of(subject: &Subject<'_>) -> Self {
        let Assessment { engine, saturated, cost, staircase, .. } = &subject.assessment;
        Self {
            name: engine.clone(),
            saturated: saturated.blended,
            now: cost.blended.value,
            capacity: RequestsPerDay::new(staircase.capacity.get() / subject.inputs().days.get()),
        }
    }
}

/// The group's engine, and the best group of each other engine on the same weights and machine.
fn engines(subject: &Subject<'_>) -> Vec<Engine> {
    let own = subject.costing.record;
    let mut list = vec![Engine::of(subject)];
    let question = Question { drawing: None, ..subject.question };
    for (group, members) in groups(question.records) {
        let same = members.first().is_some_and(|record| same_weights(own, record));
        if !same {
            continue;
        }
        let Ok(other) = Subject::of(group.to_string(), &members, question) else { continue };
        let other = Engine::of(&other);
        let known = list.iter_mut().skip(1).find(|known| known.name == other.name);
        match known {
            Some(known) if other.saturated.value < known.saturated.value => *known = other,
            Some(_) => {}
            None => list.push(other),
        }
    }
    list
}

/// Whether another record is of the same weights on the same machine, by another engine.
fn same_weights(own: &Record, other: &Record) -> bool {
    let model = |record: &Record| {
        let name = record.model.to_lowercase();
        name.strip_prefix("dummy:")
            .or_else(|| name.strip_prefix("hf:"))
            .map_or(name.clone(), str::to_owned)
    };
    let quant = |record: &Record| record.quant.as_ref().map(|quant| quant.to_lowercase());
    own.engine != other.engine
        && model(own) == model(other)
        && quant(own) == quant(other)
        && own.weights == other.weights
        && own.gpu_name == other.gpu_name
        && own.gpu_count == other.gpu_count
        && own.cpu_model == other.cpu_model
}

pub(super) fn fast(subject: &Subject<'_>) -> ClaimAnswer {
    let mut draft = Draft::of(ClaimId::C2);
    draft.leans_on(&subject.assessment.figures, &["measured.", "demand.requests_per_day"]);
    let engines = engines(subject);
    let by_cost =
        |a: &&Engine, b: &&Engine| a.saturated.value.get().total_cmp(&b.saturated.value.get());
    let (Some(fast), Some(slow)) = (engines.iter().min_by(by_cost), engines.iter().max_by(by_cost))
    else {
        return draft.lacks(TWO_ENGINES);
    };
    if engines.len() < 2 {
        return draft.lacks(TWO_ENGINES);
    }
    let factor = Ratio::new(slow.saturated.value / fast.saturated.value);
    draft.put("factor", "slow engine over fast engine, never idle", factor, Label::Derived);
    draft.range(
        "slow_cost",
        "tokens with the slow engine, never idle",
        slow.saturated,
        Label::Derived,
    );
    draft.range(
        "fast_cost",
        "tokens with the fast engine, never idle",
        fast.saturated,
        Label::Derived,
    );
    draft.put("slow_now", "tokens with the slow engine at this demand", slow.now, Label::Derived);
    draft.put("fast_now", "tokens with the fast engine at this demand", fast.now, Label::Derived);
    let demand = &subject.question.scenario.demand.requests_per_day;
    draft.put("demand", "requests of a day", demand.value, demand.label);
    // The ends of the intervals where they are known.
    let slow_at_least = slow.saturated.low.unwrap_or(slow.saturated.value);
    let fast_at_most = fast.saturated.high.unwrap_or(fast.saturated.value);
    let texts = [("slow", slow.name.as_str()), ("fast", fast.name.as_str())];
    let both = "On the same weights a million tokens cost {slow_cost} USD with {slow} and {fast_cost} USD with {fast} on machines that never wait, a factor of {factor}; at this demand {slow_now} and {fast_now} USD";
    if slow_at_least <= fast_at_most {
        let template = format!("{both}. The intervals of the two overlap.");
        return draft.done(Verdict::Refuted, &template, &texts);
    }
    draft.flips_at("demand that one machine with the slow engine serves", Some(slow.capacity));
    let (verdict, end) = if demand.value > slow.capacity {
        (
            Verdict::Supported,
            ", {demand} requests a day, more than the {threshold} that one machine with {slow} serves.",
        )
    } else {
        (
            Verdict::Depends,
            ", {demand} requests a day, for which one machine is enough with either; speed saves machines from {threshold} requests a day on.",
        )
    };
    draft.done(verdict, &format!("{both}{end}"), &texts)
}

const TWO_ENGINES: &str = "a second engine on the same weights and machine: freeweights bench MODEL --engine fused,candle, or results of another engine beside these";
