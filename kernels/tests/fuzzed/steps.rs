//! The small steps between products: normalisation, rotation, gates.

use freeweights_kernels::gate::{Activation, gate_multiply};
use freeweights_kernels::isa::Isa;
use freeweights_kernels::norm;
use freeweights_kernels::rope::RopeTable;

use crate::placed::{Placed, empty};
use crate::random::{Random, STRANGE};
use crate::tally::{Tally, sets, worst};

/// Half the distance of neighbouring f32, relative.
const ROUNDING: f64 = 1.0 / 16_777_216.0;

/// The least subnormal number.
const LEAST: f64 = 1.4e-45;

/// A spoilt slice now and then: something that is no finite number.
fn spoil(random: &mut Random, numbers: &mut [f32]) {
    if !numbers.is_empty() && random.once_in(12) {
        let at = random.between(0, numbers.len() - 1);
        numbers[at] = random.one_of(&STRANGE);
    }
}

fn intact(all: &[&Placed]) -> bool {
    all.iter().all(|placed| placed.is_intact())
}

/// Squares are summed in f32, so none may be above 2^60 or their sum overflows; each partial sum takes
/// one in 32 of them, and a tail and the partial sums come on top.
pub fn rms_norm(random: &mut Random, tally: &mut Tally) {
    let most = if random.once_in(20) { 3000 } else { 300 };
    let length = random.size(0, most);
    let mut x = random.numbers(length, 55);
    spoil(random, &mut x);
    let weight = random.numbers(length, 30);
    let eps = random.one_of(&[1e-5, 1e-6, 1e-12]);
    let (x, weight) = (Placed::new(random, &x), Placed::new(random, &weight));
    let mut slow = vec![0.0; length];
    norm::rms_norm(Isa::Reference, x.get(), weight.get(), eps, &mut slow);
    let relative = (length as f64 / 32.0 + 48.0) * ROUNDING;
    for isa in sets() {
        let mut out = empty(random, length);
        norm::rms_norm(isa, x.get(), weight.get(), eps, out.get_mut());
        let allowed = |at: usize| {
            relative * f64::from(slow[at]).abs() + LEAST * (2.0 + f64::from(weight.get()[at]).abs())
        };
        let (mut ratio, at) = worst(out.get(), &slow, allowed);
        if !intact(&[&out, &x, &weight]) {
            ratio = f64::INFINITY;
        }
        tally.judge("rms_norm", isa, ratio, || format!("{length} numbers, eps {eps}, at {at}"));
    }
}

/// Two products and a sum, in whatever order they are rounded.
pub fn rope(random: &mut Random, tally: &mut Tally) {
    let head_dim = random.size(1, 260);
    let half = random.between(0, head_dim / 2);
    let frequencies: Vec<f32> = (0..half).map(|_| random.even().abs()).collect();
    let magnitude = if random.once_in(2) { 1.0 } else { 1.189 };
    let positions = random.between(1, 6);
    let table = RopeTable::with_magnitude(head_dim, &frequencies, magnitude, positions);
    let position = random.between(0, positions - 1);
    let mut head = random.numbers(head_dim, 100);
    spoil(random, &mut head);
    let mut slow = head.clone();
    table.rotate(Isa::Reference, position, &mut slow);
    for isa in sets() {
        let mut turned = Placed::new(random, &head);
        table.rotate(isa, position, turned.get_mut());
        let allowed = |at: usize| {
            let pair = (at % half.max(1), at % half.max(1) + half);
            let size =
                f64::from(head[pair.0]).abs() + f64::from(head[pair.1.min(head_dim - 1)]).abs();
            4.0 * ROUNDING * f64::from(magnitude) * size + 4.0 * LEAST
        };
        let (mut ratio, at) = worst(turned.get(), &slow, allowed);
        let rest = 2 * half..head_dim;
        let stays = turned.get()[rest.clone()].iter().zip(&head[rest]);
        if !turned.is_intact() || stays.into_iter().any(|(a, b)| a.to_bits() != b.to_bits()) {
            ratio = f64::INFINITY;
        }
        tally.judge("rope", isa, ratio, || format!("{half} pairs of {head_dim}, at {at}"));
    }
}

/// Relative errors of both are at most 1e-6, and 1e-7 for each unit of the exponent; before `up`, what
/// is below 1e-35 may be 0.
pub fn gate(random: &mut Random, tally: &mut Tally) {
    let length = random.size(0, 200);
    let (name, activation) = match random.below(3) {
        0 => ("gate_silu", Activation::Silu),
        1 => ("gate_gelu_tanh", Activation::GeluTanh),
        _ => {
            let (limit, alpha) = (8.0 * random.even().abs() + 0.1, 2.0 * random.even());
            ("gate_clamped", Activation::ClampedSwiglu { limit, alpha })
        }
    };
    let mut gate = match random.below(3) {
        // Where powers go from one end to the other.
        0 => (0..length).map(|_| 100.0 * random.even()).collect(),
        _ => random.numbers(length, 126),
    };
    let mut up = random.numbers(length, 60);
    spoil(random, &mut gate);
    spoil(random, &mut up);
    let (gate, up) = (Placed::new(random, &gate), Placed::new(random, &up));
    let mut slow = vec![0.0; length];
    gate_multiply(Isa::Reference, activation, gate.get(), up.get(), &mut slow);
    for isa in sets() {
        let mut out = empty(random, length);
        gate_multiply(isa, activation, gate.get(), up.get(), out.get_mut());
        let allowed = |at: usize| {
            let (gate, up) = (f64::from(gate.get()[at]), f64::from(up.get()[at]).abs());
            let exponent = match activation {
                Activation::Silu => 0.0,
                Activation::GeluTanh => 1.6 * (gate + 0.044_715 * gate.powi(3)).abs(),
                Activation::ClampedSwiglu { alpha, .. } => (f64::from(alpha) * gate).abs(),
            };
            // Beyond 90 the power is 0 or infinite in both.
            let relative = 2.0 * (1e-6 + 1e-7 * exponent.min(90.0));
            relative * f64::from(slow[at]).abs() + 2e-35 * up.max(1.0)
        };
        let (mut ratio, at) = worst(out.get(), &slow, allowed);
        if !intact(&[&out, &gate, &up]) {
            ratio = f64::INFINITY;
        }
        tally.judge(name, isa, ratio, || {
            let (gate, up, out) = (gate.get().get(at), up.get().get(at), out.get().get(at));
            format!(
                "{activation:?} of {length}, at {at}: {gate:?}, {up:?} gives {out:?}, {:?}",
                slow.get(at)
            )
        });
    }
}
