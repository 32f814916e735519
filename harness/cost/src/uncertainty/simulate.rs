//! All inputs at once: drawn scenarios.

use super::draw::Sampler;
use super::{Headline, Odds, Simulation, Speed};
use crate::allocation::{Allocation, split, token_prices};
use crate::break_even::first_break_even;
use crate::error::CostError;
use crate::figure::Machines;
use crate::inputs::{Inputs, ListedRequest};
use crate::knobs::{Knob, Setter};
use crate::outcome::outcome;
use crate::outlook::Course;
use crate::utilisation::{busy_hours, utilisation};
use freeweights_record::units::{
    Fraction, Ratio, RequestsPerDay, Usd, UsdPerMillionTokens, UsdPerRequest, UsdPerYear,
};
use rand::SeedableRng;
use rand::rngs::SmallRng;
use std::num::NonZero;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

/// Scenarios drawn from one stream; each chunk has its own, so that the answer does not depend on
/// the number of threads.
const CHUNK: usize = 4_096;

/// The headlines in the order of a row: key, words, unit.
const HEADLINES: [(&str, &str, &str); 10] = [
    ("blended_usd_per_mtok", "cost, blended", UsdPerMillionTokens::SYMBOL),
    ("input_usd_per_mtok", "cost, input", UsdPerMillionTokens::SYMBOL),
    ("output_usd_per_mtok", "cost, output", UsdPerMillionTokens::SYMBOL),
    ("usd_per_request", "cost of a request", UsdPerRequest::SYMBOL),
    ("usd_per_year", "bill of a year", UsdPerYear::SYMBOL),
    ("machines", "machines", Machines::SYMBOL),
    ("utilisation", "utilisation", Fraction::SYMBOL),
    ("self_hosted_over_api", "times the API's bill", Ratio::SYMBOL),
    ("break_even_requests_per_day", "break-even", RequestsPerDay::SYMBOL),
    ("net_present_saving_usd", "saved over the years ahead", Usd::SYMBOL),
];

/// The headlines of one scenario.
type Row = [f64; HEADLINES.len()];

/// The headlines of a chunk of scenarios, one after the other: all values of the first, then all of
/// the second, so that a headline is read at a stretch.
struct Block {
    values: Vec<f64>,
    rows: usize,
}

impl Block {
    fn new(rows: usize) -> Self {
        Self { values: vec![0.0; rows * HEADLINES.len()], rows }
    }

    fn set(&mut self, row: usize, headlines: &Row) {
        for (column, value) in headlines.iter().enumerate() {
            self.values[column * self.rows + row] = *value;
        }
    }

    fn column(&self, headline: usize) -> &[f64] {
        &self.values[headline * self.rows..(headline + 1) * self.rows]
    }
}

/// What scenarios are drawn from.
#[derive(Debug)]
pub(crate) struct Drawn<'a> {
    pub(crate) base: Inputs,
    pub(crate) knobs: &'a [Knob],
    pub(crate) speed: Speed,
    pub(crate) policy: Allocation,
    /// Ids and prices; the first is the main comparison.
    pub(crate) apis: Vec<(String, ListedRequest)>,
    pub(crate) draws: u32,
    pub(crate) seed: u64,
}

/// Draws the scenarios on so many threads and sums them up.
///
/// # Errors
/// [`CostError::NotFinite`] where a drawn scenario has no finite cost.
pub(crate) fn simulate(
    drawn: &Drawn<'_>,
    threads: NonZero<usize>,
) -> Result<Simulation, CostError> {
    let mut blocks = blocks(drawn.draws as usize);
    let samplers: Vec<(Setter, Sampler)> =
        drawn.knobs.iter().map(|knob| (knob.set, Sampler::of(knob))).collect();
    let chunks = Mutex::new(blocks.iter_mut().enumerate());
    let work = || -> Result<Vec<u64>, CostError> {
        let mut cheaper = vec![0; drawn.apis.len()];
        loop {
            let next = chunks.lock().unwrap_or_else(PoisonError::into_inner).next();
            let Some((index, block)) = next else { return Ok(cheaper) };
            let mut rng = SmallRng::seed_from_u64(chunk_seed(drawn.seed, index));
            for row in 0..block.rows {
                block.set(row, &drawn.row(&samplers, &mut rng, &mut cheaper)?);
            }
        }
    };
    let counts: Vec<Result<Vec<u64>, CostError>> = thread::scope(|scope| {
        let others: Vec<_> = (1..threads.get()).map(|_| scope.spawn(work)).collect();
        let own = work();
        let joined = others.into_iter().map(|other| {
            other.join().unwrap_or(Err(CostError::NotFinite { what: "a drawn scenario" }))
        });
        std::iter::once(own).chain(joined).collect()
    });
    let mut cheaper = vec![0_u64; drawn.apis.len()];
    for count in counts {
        for (sum, part) in cheaper.iter_mut().zip(count?) {
            *sum += part;
        }
    }
    Ok(Simulation {
        draws: drawn.draws,
        seed: drawn.seed,
        throughput: drawn.speed.kind(),
        headlines: headlines(&blocks, threads),
        odds: odds(&drawn.apis, &cheaper, drawn.draws),
    })
}

/// The seed of a chunk. Seeds that follow each other must not share chunks: the answer of another
/// seed tells how far the draws can be trusted.
///
/// `seed * m + index`, with the odd `m` of `SplitMix64`, 2^64 over the golden ratio.
const fn chunk_seed(seed: u64, index: usize) -> u64 {
    seed.wrapping_mul(0x9E37_79B9_7F4A_7C15).wrapping_add(index as u64)
}

fn blocks(draws: usize) -> Vec<Block> {
    (0..draws.div_ceil(CHUNK)).map(|index| Block::new(CHUNK.min(draws - index * CHUNK))).collect()
}

impl Drawn<'_> {
    /// One scenario: every headline, and a count for each API that costs more.
    fn row(
        &self,
        samplers: &[(Setter, Sampler)],
        rng: &mut SmallRng,
        cheaper: &mut [u64],
    ) -> Result<Row, CostError> {
        let mut inputs = self.base;
        for (set, sampler) in samplers {
            set(&mut inputs, sampler.draw(rng));
        }
        let (factor, share) = self.speed.draw(rng);
        inputs.throughput = inputs.throughput * factor;
        inputs.prefill_share = share.or(inputs.prefill_share);

        let outcome = outcome(&inputs)?;
        let requests = inputs.requests();
        let total = outcome.total;
        if !total.get().is_finite() {
            return Err(CostError::NotFinite { what: "the bill of a drawn scenario" });
        }
        let prefill_share = inputs.prefill_share.unwrap_or(Fraction::new(0.0));
        let parts = split(total, self.policy, inputs.isl, inputs.osl, prefill_share);
        let (input, output) = token_prices(parts, requests, inputs.isl, inputs.osl);
        let busy = busy_hours(requests, inputs.capacity());

        // What a scenario does not have is not a number, and takes no part in the percentiles.
        let (mut ratio, mut crossing, mut saved) = (f64::NAN, f64::NAN, f64::NAN);
        let fixed = inputs.api_staff()?;
        for (index, (_, listed)) in self.apis.iter().enumerate() {
            let hosted = inputs.hosted_with(*listed, fixed);
            let api = hosted.fixed + hosted.per_request * requests;
            cheaper[index] += u64::from(total < api);
            if index == 0 {
                ratio = total / api;
                if let Some(first) = first_break_even(outcome.staircase, hosted) {
                    crossing = first.get() / inputs.days.get();
                }
                saved = Course::of(&inputs).net_present_saving(outcome.staircase, hosted).get();
            }
        }
        Ok([
            (total / (requests * (inputs.isl + inputs.osl))).get(),
            input.get(),
            output.get(),
            (total / requests).get(),
            total.get(),
            outcome.paid().as_f64(),
            utilisation(busy, outcome.paid(), inputs.hours).get(),
            ratio,
            crossing,
            saved,
        ])
    }
}

/// Every headline that any scenario has, its percentiles found on so many threads.
fn headlines(blocks: &[Block], threads: NonZero<usize>) -> Vec<Headline> {
    let next = AtomicUsize::new(0);
    let found = Mutex::new(Vec::with_capacity(HEADLINES.len()));
    let work = || {
        let mut column = Vec::new();
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            if index >= HEADLINES.len() {
                return;
            }
            if let Some(headline) = headline(blocks, index, &mut column) {
                found.lock().unwrap_or_else(PoisonError::into_inner).push((index, headline));
            }
        }
    };
    thread::scope(|scope| {
        for _ in 1..threads.get() {
            scope.spawn(work);
        }
        work();
    });
    let mut found = found.into_inner().unwrap_or_else(PoisonError::into_inner);
    found.sort_by_key(|(index, _)| *index);
    found.into_iter().map(|(_, headline)| headline).collect()
}

fn headline(blocks: &[Block], index: usize, column: &mut Vec<f64>) -> Option<Headline> {
    let all: usize = blocks.iter().map(|block| block.rows).sum();
    column.clear();
    column.reserve(all);
    for block in blocks {
        column.extend_from_slice(block.column(index));
    }
    column.retain(|value| value.is_finite());
    if column.is_empty() {
        return None;
    }
    let exists = Fraction::new(column.len() as f64 / all as f64);
    let [p5, p50, p95] = percentiles(column);
    let [key, name, unit] = <[&str; 3]>::from(HEADLINES[index]).map(str::to_owned);
    Some(Headline { key, name, unit, p5, p50, p95, exists })
}

/// The values of which 5, 50 and 95 in 100 are no larger: those of the nearest rank.
fn percentiles(values: &mut [f64]) -> [f64; 3] {
    ranks(values, [0.05, 0.5, 0.95])
}

/// The values of which three rising shares are no larger: those of the nearest rank.
fn ranks(values: &mut [f64], shares: [f64; 3]) -> [f64; 3] {
    let last = values.len() - 1;
    let rank = |share: f64| {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a rank among the values"
        )]
        let rank = (last as f64 * share).round() as usize;
        rank
    };
    let [low, middle, high] = shares.map(rank);
    let (below, at_middle, above) = values.select_nth_unstable_by(middle, f64::total_cmp);
    let at_middle = *at_middle;
    let at_low =
        if low < middle { *below.select_nth_unstable_by(low, f64::total_cmp).1 } else { at_middle };
    let at_high = if high > middle {
        *above.select_nth_unstable_by(high - middle - 1, f64::total_cmp).1
    } else {
        at_middle
    };
    [at_low, at_middle, at_high]
}

/// One input drawn by itself: the values of which three rising shares of at least one draw are no
/// larger.
pub(crate) fn drawn_ranks(knob: &Knob, draws: u32, seed: u64, shares: [f64; 3]) -> [f64; 3] {
    let sampler = Sampler::of(knob);
    let mut rng = SmallRng::seed_from_u64(seed);
    let mut values: Vec<f64> = (0..draws.max(1)).map(|_| sampler.draw(&mut rng)).collect();
    ranks(&mut values, shares)
}

fn odds(apis: &[(String, ListedRequest)], cheaper: &[u64], draws: u32) -> Vec<Odds> {
    let share = |count: u64| Fraction::new(count as f64 / f64::from(draws));
    let odds = apis
        .iter()
        .zip(cheaper)
        .map(|((api, _), count)| Odds { api: api.clone(), self_hosting_cheaper: share(*count) });
    odds.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_of_the_nearest_rank() {
        let mut values: Vec<f64> = (0..=100).rev().map(f64::from).collect();
        let found = |values: &mut [f64]| percentiles(values).map(Usd::new);
        assert_eq!(found(&mut values), [5.0, 50.0, 95.0].map(Usd::new));
        assert_eq!(found(&mut [3.0]), [3.0, 3.0, 3.0].map(Usd::new));
        assert_eq!(found(&mut [3.0, 1.0]), [1.0, 3.0, 3.0].map(Usd::new));
    }

    #[test]
    fn seeds_share_no_chunk() {
        let mut seeds: Vec<u64> =
            (0..50).flat_map(|seed| (0..250).map(move |index| chunk_seed(seed, index))).collect();
        seeds.sort_unstable();
        seeds.dedup();
        assert_eq!(seeds.len(), 50 * 250);
    }

    #[test]
    fn a_headline_that_most_scenarios_lack_says_so() {
        let mut block = Block::new(4);
        for row in 0..4 {
            let mut headlines = [1.0; HEADLINES.len()];
            headlines[8] = if row < 3 { f64::NAN } else { 1.0 };
            block.set(row, &headlines);
        }
        let list = headlines(&[block], NonZero::<usize>::MIN);
        let crossing = list.iter().find(|headline| headline.name == "break-even").unwrap();
        assert_eq!((crossing.exists.get(), crossing.p50), (0.25, 1.0));
    }
}
