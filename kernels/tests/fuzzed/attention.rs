//! Attention over what a cache holds.

use std::num::NonZeroUsize;

use freeweights_kernels::attention::{
    AttentionOutput, AttentionScratch, KvCache, KvType, Part, Queries, Scoring, attend,
    attend_part, merge_parts,
};
use freeweights_kernels::isa::Isa;

use crate::placed::{Placed, empty};
use crate::random::Random;
use crate::tally::{Tally, same, sets, worst};

/// What one draw may cost, in multiplications of the twin.
const MOST: usize = 60_000;

/// Half the distance of neighbouring f32, relative.
const ROUNDING: f64 = 1.0 / 16_777_216.0;

/// One sequence's tokens, and queries over them.
struct Case {
    kind: KvType,
    head_dim: usize,
    group: usize,
    rows: usize,
    first_position: usize,
    place: (usize, usize, usize),
    row_stride: usize,
    queries: Placed,
    cache: KvCache,
    scale: f32,
    softcap: Option<f32>,
    window: Option<NonZeroUsize>,
    sinks: Option<Vec<f32>>,
    /// The largest magnitude of each 32 dimensions of each key.
    keys: Vec<f64>,
    /// The largest magnitude of any value.
    value: f64,
}

impl Case {
    fn draw(random: &mut Random, rows: usize, most_tokens: usize) -> Self {
        let kind = random.one_of(&KvType::ALL);
        let head_dim = 32 * random.size(1, 8);
        let group = random.between(1, 8);
        let tokens = random.size(rows, most_tokens.max(rows));
        let tokens = tokens.min((MOST / head_dim / (rows * group)).max(rows));
        let place = (random.between(0, 1), random.between(0, 1), random.between(0, 1));
        // With eight bits, scales are halves: numbers beyond 2^20 would be cut off.
        let most = if kind == KvType::Q8_0 { 18 } else { 20 };
        let keys = random.numbers(tokens * head_dim, most);
        let values = random.numbers(tokens * head_dim, most);
        let row_stride = group * head_dim + random.one_of(&[0, 0, 5, 32]);
        let queries = random.numbers((rows - 1) * row_stride + group * head_dim, 20);
        let mut cache = KvCache::new(kind, 2, 2, head_dim);
        cache.reserve(2, tokens);
        let (layer, sequence, head) = place;
        if random.once_in(4) {
            // What earlier tokens left behind, and neighbours, must not matter.
            let rubbish = vec![f32::NAN; head_dim];
            for position in 0..cache.capacity() {
                for sequence in 0..2 {
                    // SAFETY: the place is in the cache, and nobody else has it.
                    unsafe {
                        let isa = Isa::best();
                        cache.append(isa, layer, sequence, head, position, &rubbish, &rubbish);
                    }
                }
            }
        }
        for (position, (key, value)) in
            keys.chunks(head_dim).zip(values.chunks(head_dim)).enumerate()
        {
            // SAFETY: as above.
            unsafe { cache.append(Isa::best(), layer, sequence, head, position, key, value) };
        }
        let largest = |numbers: &[f32]| {
            // As stored: rounded up by at most a part in 128; scales that are subnormal halves by
            // half of 2^-24.
            let max = numbers.iter().fold(0.0_f32, |max, number| max.max(number.abs()));
            f64::from(max) * 1.01 + 5e-6
        };
        Self {
            kind,
            head_dim,
            group,
            rows,
            first_position: tokens - rows,
            place,
            row_stride,
            queries: Placed::new(random, &queries),
            cache,
            scale: (head_dim as f32).sqrt().recip(),
            softcap: random.once_in(4).then(|| random.one_of(&[1.5, 30.0, 50.0])),
            window: NonZeroUsize::new(if random.once_in(2) {
                random.size(1, tokens + 2)
            } else {
                0
            }),
            sinks: random.once_in(4).then(|| random.numbers(group, 6)),
            keys: keys.chunks(32).map(largest).collect(),
            value: largest(&values),
        }
    }

    fn tokens(&self) -> usize {
        self.first_position + self.rows
    }

    fn scoring(&self) -> Scoring<'_> {
        Scoring {
            scale: self.scale,
            softcap: self.softcap,
            window: self.window,
            sinks: self.sinks.as_deref(),
        }
    }

    fn queries(&self) -> Queries {
        Queries {
            values: self.queries.get().as_ptr(),
            row_stride: self.row_stride,
            group: self.group,
            rows: self.rows,
            first_position: self.first_position,
        }
    }

    /// How far the twin's results may be, for each query.
    ///
    /// A score is off by what its sum of products rounds, by what rounding a query to eight bits or
    /// bf16 adds where the set does, and by what a soft cap adds. A weight is off by e to that; sums of
    /// weights and of weighted values round once a key. No result is above the largest value, so two
    /// are never further apart than twice that.
    fn allowed(&self, isa: Isa) -> Vec<f64> {
        let blocks = self.head_dim / 32;
        let tiles = isa == Isa::Amx && self.kind == KvType::Bf16;
        let eight = matches!(isa, Isa::Avx512 | Isa::Amx) && self.kind == KvType::Q8_0;
        let mut allowed = Vec::new();
        for row in 0..self.rows {
            for head in 0..self.group {
                let at = row * self.row_stride + head * self.head_dim;
                let query = &self.queries.get()[at..at + self.head_dim];
                let mut off = 0.0_f64;
                for key in 0..=self.first_position + row {
                    let keys = &self.keys[key * blocks..][..blocks];
                    let mut error = 0.0;
                    for (query, key) in query.chunks(32).zip(keys) {
                        let sum: f64 = query.iter().map(|q| f64::from(q.abs())).sum();
                        let max = query.iter().fold(0.0_f32, |max, q| max.max(q.abs()));
                        error += sum * key * (self.head_dim as f64 + 8.0) * ROUNDING;
                        if eight {
                            error += 32.0 * f64::from(max) / 253.0 * key;
                        }
                        if tiles {
                            error += sum * key / 256.0;
                        }
                    }
                    off = off.max(error * f64::from(self.scale));
                }
                off += f64::from(self.softcap.unwrap_or(0.0)) * 3e-7;
                let keys = (self.first_position + row + 17) as f64;
                let of_weights = (2.0 * off).min(2.0).exp_m1() + 4.0 * keys * ROUNDING;
                let of_weights = of_weights + if tiles { 1.0 / 128.0 } else { 0.0 };
                allowed.push(self.value * of_weights.min(2.0));
            }
        }
        allowed
    }

    fn attend(&self, isa: Isa, random: &mut Random) -> (Vec<f32>, bool) {
        let mut out = empty(random, self.queries.get().len());
        let output =
            AttentionOutput { values: out.get_mut().as_mut_ptr(), row_stride: self.row_stride };
        let mut scratch = AttentionScratch::new(self.head_dim, self.group);
        let (layer, sequence, head) = self.place;
        let (queries, scoring) = (self.queries(), self.scoring());
        // SAFETY: the set is available, all tokens were appended, and the output is laid out as the
        // queries are, in memory of its own.
        unsafe {
            let cache = &self.cache;
            attend(isa, cache, layer, sequence, head, &queries, &scoring, &mut scratch, &output);
        }
        // What lies between rows stays as it was.
        let untouched = f32::from_bits(0x7fc0_beef).to_bits();
        let mut intact = out.is_intact() && self.queries.is_intact();
        for row in out.get().chunks(self.row_stride) {
            let rest = row.iter().skip(self.group * self.head_dim);
            intact &= rest.into_iter().all(|number| number.to_bits() == untouched);
        }
        let heads = out.get().chunks(self.row_stride);
        (heads.flat_map(|row| row[..self.group * self.head_dim].to_vec()).collect(), intact)
    }

    fn text(&self) -> String {
        let Self { kind, head_dim, group, rows, first_position, softcap, window, sinks, .. } = self;
        format!(
            "{kind}, head {head_dim}, group {group}, {rows} rows from {first_position}, \
             window {window:?}, cap {softcap:?}, sinks {sinks:?}"
        )
    }
}

/// All keys at once.
pub fn whole(random: &mut Random, tally: &mut Tally) {
    let rows = match random.below(4) {
        0 => random.size(1, 40),
        1 => random.size(1, 6),
        _ => 1,
    };
    let case = Case::draw(random, rows, 300);
    let (slow, _) = case.attend(Isa::Reference, random);
    for isa in sets() {
        let (fast, intact) = case.attend(isa, random);
        let allowed = case.allowed(isa);
        let (ratio, at) = worst(&fast, &slow, |at| allowed[at / case.head_dim]);
        let ratio = if intact { ratio } else { f64::INFINITY };
        tally.judge(&format!("attend_{}", case.kind), isa, ratio, || {
            format!("{}, at {at}: {} not {}", case.text(), fast[at], slow[at])
        });
    }
}

/// One row, its keys in parts that are merged.
pub fn in_parts(random: &mut Random, tally: &mut Tally) {
    let case = Case::draw(random, 1, 300);
    let (group, head_dim) = (case.group, case.head_dim);
    let mut cuts: Vec<usize> =
        (0..random.between(0, 3)).map(|_| random.between(0, case.tokens())).collect();
    cuts.extend([0, case.tokens()]);
    cuts.sort_unstable();
    let (slow, _) = case.attend(Isa::Reference, random);
    for isa in sets() {
        let parts = cuts.len() - 1;
        let [mut maxima, mut sums] = [0; 2].map(|_| empty(random, parts * group));
        let mut values = empty(random, parts * group * head_dim);
        let mut scratch = AttentionScratch::new(head_dim, group);
        let (layer, sequence, head) = case.place;
        for (i, cut) in cuts.windows(2).enumerate() {
            let part = Part {
                maxima: &mut maxima.get_mut()[i * group..][..group],
                sums: &mut sums.get_mut()[i * group..][..group],
                values: &mut values.get_mut()[i * group * head_dim..][..group * head_dim],
            };
            let (queries, scoring, keys) = (case.queries(), case.scoring(), cut[0]..cut[1]);
            // SAFETY: the set is available, and all tokens were appended.
            unsafe {
                let (cache, scratch) = (&case.cache, &mut scratch);
                attend_part(
                    isa, cache, layer, sequence, head, &queries, keys, &scoring, scratch, part,
                );
            }
        }
        let mut out = empty(random, group * head_dim);
        let sinks = case.sinks.as_deref();
        let (m, s, v) = (maxima.get(), sums.get(), values.get());
        merge_parts(isa, head_dim, group, m, s, v, sinks, out.get_mut());
        let allowed = case.allowed(isa);
        let (mut ratio, at) = worst(out.get(), &slow, |at| allowed[at / head_dim]);
        if ![&maxima, &sums, &values, &out].into_iter().all(Placed::is_intact) {
            ratio = f64::INFINITY;
        }
        tally.judge(&format!("attend_part_{}", case.kind), isa, ratio, || {
            format!("{}, parts {cuts:?}, at {at}: {} not {}", case.text(), out.get()[at], slow[at])
        });
    }
}

/// Parts of any numbers: maxima of either sign or of parts without keys, sums of at least a weight.
pub fn merged(random: &mut Random, tally: &mut Tally) {
    let (head_dim, group) = (random.size(1, 140), random.between(1, 6));
    let parts = random.between(1, 5);
    let mut maxima = random.numbers(parts * group, 10);
    let mut sums: Vec<f32> = (0..parts * group).map(|_| 1.0 + random.even().abs()).collect();
    let mut values = random.numbers(parts * group * head_dim, 40);
    // One part has keys.
    for part in 1..parts {
        if random.once_in(4) {
            let of = part * group..(part + 1) * group;
            maxima[of.clone()].fill(f32::NEG_INFINITY);
            sums[of.clone()].fill(0.0);
            values[of.start * head_dim..of.end * head_dim].fill(0.0);
        }
    }
    let sinks = random.once_in(3).then(|| random.numbers(group, 10));
    let [m, s, v] = [&maxima, &sums, &values].map(|numbers| Placed::new(random, numbers));
    let merge = |isa: Isa, out: &mut [f32]| {
        let sinks = sinks.as_deref();
        merge_parts(isa, head_dim, group, m.get(), s.get(), v.get(), sinks, out);
    };
    let mut slow = vec![0.0; group * head_dim];
    merge(Isa::Reference, &mut slow);
    for isa in sets() {
        let mut out = empty(random, group * head_dim);
        merge(isa, out.get_mut());
        // One text for all sets; nothing in it may be fused or reordered.
        let mut ratio = same(out.get(), &slow);
        if !out.is_intact() {
            ratio = f64::INFINITY;
        }
        tally.judge("merge_parts", isa, ratio, || {
            format!("{parts} parts of {group} heads of {head_dim}, sinks {sinks:?}")
        });
    }
}
