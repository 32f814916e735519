//! Cases of everything but attention.

use super::super::gpu::{BlockProduct, Buffer, GpuError, NumberType, Product};
use super::super::reference::{bf16_bytes, nmse, numbers, product};
use super::super::steps::{
    AddNorm, Matvec, Sums, add_norm, embed, fill_blocks, fill_numbers, gate_multiply, matvec,
    narrow, pick, widen,
};
use super::{Bench, NONE, exact, read_bf16, read_bytes, read_f32, read_u32};
use crate::gate::{self, Activation};
use crate::isa::Isa;
use crate::matrix::{F16, Format, dequantise};
use crate::norm::rms_norm;

const EPS: f32 = 1e-5;

/// Activations that the kernels have code for.
const ACTIVATIONS: [Activation; 2] = [Activation::Silu, Activation::GeluTanh];

pub(super) fn norms(bench: &mut Bench<'_>) -> Result<(), GpuError> {
    for (rows, hidden) in bench.shapes(&[(1, 2), (3, 66), (2, 576)], &[(5, 4096), (17, 16_384)]) {
        let weight = numbers(hidden, 1);
        for scale in [0.0, 0.5] {
            // The last two rows of four more, the last one first.
            let chosen: Vec<u32> =
                (0..rows).map(|row| u32::try_from(rows - row).unwrap_or(0)).collect();
            let all = rows + 1;
            let (residual, added) = (numbers(all * hidden, 2), numbers(all * hidden, 3));
            let held = bench.f32(&residual)?;
            let (plus, of) = (bench.bf16(&added)?, bench.f32(&weight)?);
            let (out, which) = (bench.poisoned(rows * hidden, 2)?, bench.u32(&chosen)?);
            let step = AddNorm {
                residual: held.place(),
                added: if scale == 0.0 { NONE } else { plus.place() },
                weight: of.place(),
                out: out.place(),
                chosen: which.place(),
                rows,
                hidden,
                scale,
                eps: EPS,
            };
            // SAFETY: the buffers are of the shapes that the step names.
            unsafe { add_norm(bench.gpu(), step)? };
            let mut expected = Vec::new();
            for row in &chosen {
                let at = *row as usize * hidden..(*row as usize + 1) * hidden;
                let pairs = residual[at.clone()].iter().zip(&added[at]);
                let sums: Vec<f32> = pairs.map(|(x, plus)| x + scale * plus).collect();
                let mut row = vec![0.0; hidden];
                rms_norm(Isa::Reference, &sums, &weight, EPS, &mut row);
                expected.extend(exact(&row));
            }
            let shape = format!("{rows} x {hidden}, added times {scale}");
            bench.compare_bf16("add_norm", shape.clone(), &out, &expected)?;
            // Row 0 was not chosen and stays; the others are the sums.
            let stream = read_f32(&held)?;
            let pairs = residual.iter().zip(&added).enumerate();
            let sums: Vec<f64> = pairs
                .map(|(i, (x, plus))| f64::from(if i < hidden { *x } else { x + scale * plus }))
                .collect();
            bench.judge("add_norm", format!("{shape}, the sums"), (nmse(&stream, &sums), 1e-13));
        }
    }
    Ok(())
}

pub(super) fn gates(bench: &mut Bench<'_>) -> Result<(), GpuError> {
    for (rows, inner) in bench.shapes(&[(1, 8), (3, 40), (2, 2_056)], &[(33, 14_336)]) {
        for activation in ACTIVATIONS {
            let both: Vec<f32> = numbers(rows * 2 * inner, 4).iter().map(|x| 8.0 * x).collect();
            let (from, out) = (bench.bf16(&both)?, bench.poisoned(rows * inner, 2)?);
            let places = [from.place(), out.place()];
            // SAFETY: the buffers are of these shapes.
            unsafe { gate_multiply(bench.gpu(), places, rows, inner, activation)? };
            let mut expected = Vec::new();
            for row in both.chunks_exact(2 * inner) {
                let mut out = vec![0.0; inner];
                let (gate, up) = row.split_at(inner);
                gate::gate_multiply(Isa::Reference, activation, gate, up, &mut out);
                expected.extend(exact(&out));
            }
            let shape = format!("{rows} x {inner}, {activation:?}");
            bench.compare_bf16("gate_multiply", shape, &out, &expected)?;
        }
    }
    Ok(())
}

pub(super) fn types(bench: &mut Bench<'_>) -> Result<(), GpuError> {
    for count in bench.shapes(&[2, 514, 1_000], &[1 << 20]) {
        let given = numbers(count, 5);
        let (short, long) = (bench.bf16(&given)?, bench.poisoned(count, 4)?);
        let back = bench.poisoned(count, 2)?;
        // SAFETY: the buffers hold so many numbers each.
        unsafe {
            widen(bench.gpu(), [short.place(), long.place()], count)?;
            narrow(bench.gpu(), [long.place(), back.place()], count)?;
        }
        bench.compare_bits("widen", count.to_string(), &read_f32(&long)?, &given);
        bench.compare_bits("narrow", count.to_string(), &read_bytes(&back)?, &bf16_bytes(&given));
    }
    Ok(())
}

pub(super) fn embeddings(bench: &mut Bench<'_>) -> Result<(), GpuError> {
    for (vocab, hidden) in bench.shapes(&[(5, 2), (7, 600)], &[(1_000, 4096)]) {
        let table = numbers(vocab * hidden, 6);
        let last = u32::try_from(vocab - 1).unwrap_or(0);
        let tokens = [last, 0, 2];
        let (from, ids) = (bench.bf16(&table)?, bench.u32(&tokens)?);
        let out = bench.poisoned(tokens.len() * hidden, 4)?;
        let places = [from.place(), ids.place(), out.place()];
        // SAFETY: the buffers are of these shapes, and the tokens are in the table.
        unsafe { embed(bench.gpu(), places, tokens.len(), hidden, 0.5)? };
        let rows = tokens.iter().flat_map(|token| &table[*token as usize * hidden..][..hidden]);
        let expected: Vec<f32> = rows.map(|x| 0.5 * x).collect();
        bench.compare_bits("embed", format!("{vocab} x {hidden}"), &read_f32(&out)?, &expected);
    }
    Ok(())
}

pub(super) fn picks(bench: &mut Bench<'_>) -> Result<(), GpuError> {
    for vocab in bench.shapes(&[1, 33, 1_500], &[128_256]) {
        let rows = 3;
        let mut logits = numbers(rows * vocab, 7);
        // Two that are equal and largest: the first counts. All below -1 but one.
        logits[vocab / 3] = 2.0;
        logits[vocab - 1] = 2.0;
        for logit in &mut logits[vocab..2 * vocab] {
            *logit -= 5.0;
        }
        let held = bench.f32(&logits)?;
        let (picked, next) = (bench.poisoned(rows, 4)?, bench.poisoned(rows, 4)?);
        let positions = bench.u32(&[7, 8, 9])?;
        let places = [held.place(), picked.place(), next.place(), positions.place()];
        // SAFETY: the buffers are of these shapes.
        unsafe { pick(bench.gpu(), places, rows, vocab)? };
        let expected: Vec<u32> = logits
            .chunks_exact(vocab)
            .map(|row| {
                let mut best = 0;
                for (at, logit) in row.iter().enumerate() {
                    if *logit > row[best] {
                        best = at;
                    }
                }
                u32::try_from(best).unwrap_or(u32::MAX)
            })
            .collect();
        let all = [read_u32(&picked)?, read_u32(&next)?, read_u32(&positions)?].concat();
        let wanted = [expected.clone(), expected, vec![8, 9, 10]].concat();
        bench.compare_bits("pick", vocab.to_string(), &all, &wanted);
    }
    Ok(())
}

pub(super) fn fills(bench: &mut Bench<'_>) -> Result<(), GpuError> {
    let count = 40_000;
    let out = bench.poisoned(count, 2)?;
    // SAFETY: the buffer holds so many numbers.
    unsafe { fill_numbers(bench.gpu(), out.place(), count, 11, 0.5)? };
    let made = read_bf16(&out)?;
    let mean = made.iter().map(|x| f64::from(*x)).sum::<f64>() / count as f64;
    let square = made.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>() / count as f64;
    // Evenly between -0.5 and 0.5: the mean is 0 within 5 / sqrt(12 n), the mean square 1/12.
    let error = (mean / 0.0073).abs().max((square * 12.0 - 1.0).abs() / 0.03);
    bench.judge("fill_numbers", format!("{count}, mean and square"), (error, 1.0));
    let largest = made.iter().fold(0.0_f32, |most, x| most.max(x.abs()));
    bench.judge("fill_numbers", format!("{count}, largest"), (f64::from(largest), 0.5));

    let (blocks, format) = (301, Format::Q4_K);
    let size = format.block_bytes();
    let out = bench.poisoned(blocks * size, 1)?;
    let (scale, least) = (F16::from_f32(0.25).to_bits(), F16::from_f32(1.5).to_bits());
    // SAFETY: the buffer holds so many blocks.
    unsafe {
        let shape = [blocks, size];
        fill_blocks(bench.gpu(), out.place(), shape, 12, (0, scale), Some((2, least)))?;
    }
    let bytes = read_bytes(&out)?;
    let heads: Vec<[u8; 4]> = bytes.chunks_exact(size).map(|b| [b[0], b[1], b[2], b[3]]).collect();
    let [[a, b], [c, d]] = [scale.to_le_bytes(), least.to_le_bytes()];
    bench.compare_bits(
        "fill_blocks",
        format!("{blocks} scales"),
        &heads,
        &vec![[a, b, c, d]; blocks],
    );
    let ones: u32 =
        bytes.chunks_exact(size).flat_map(|block| &block[4..]).map(|b| b.count_ones()).sum();
    let bits = (blocks * (size - 4) * 8) as f64;
    // Half of all bits, within 5 standard deviations.
    let error = (f64::from(ones) / bits - 0.5).abs() * 2.0 * bits.sqrt();
    bench.judge("fill_blocks", format!("{blocks}, ones among the bits"), (error, 5.0));
    Ok(())
}

pub(super) fn matvecs(bench: &mut Bench<'_>) -> Result<(), GpuError> {
    let small = [(1, 16, 8), (1, 17, 136), (3, 40, 1_032), (8, 5, 256), (9, 33, 72), (20, 24, 48)];
    let real = [(1, 6_144, 4_096), (8, 4_096, 14_336), (16, 4_096, 4_096), (32, 1_000, 4_096)];
    for (rows, outputs, inputs) in bench.shapes(&small, &real) {
        let gated = Sums::Gated(Activation::Silu);
        for sums in [Sums::Bf16, Sums::F32, gated, Sums::Gated(Activation::GeluTanh)] {
            let is_gated = matches!(sums, Sums::Gated(_));
            let of_matrix = if is_gated { 2 * outputs } else { outputs };
            let (x, weight) = (numbers(rows * inputs, 8), numbers(of_matrix * inputs, 9));
            let (from, by) = (bench.bf16(&x)?, bench.bf16(&weight)?);
            let bytes = if sums == Sums::F32 { 4 } else { 2 };
            let out = bench.poisoned(rows * outputs, bytes)?;
            let (weight_at, x_at, out_at) = (by.place(), from.place(), out.place());
            let step =
                Matvec { weight: weight_at, x: x_at, out: out_at, sums, rows, outputs, inputs };
            // SAFETY: the buffers are of these shapes.
            unsafe { matvec(bench.gpu(), step)? };
            let products = product(&x, &weight, inputs);
            let expected = match sums {
                Sums::Bf16 | Sums::F32 => products,
                Sums::Gated(activation) => gated_products(&products, outputs, activation),
            };
            let shape = format!("{rows} x {inputs} by {outputs}, {sums:?}");
            if sums == Sums::F32 {
                bench.compare_f32("matvec", shape, &out, &expected)?;
            } else {
                bench.compare_bf16("matvec", shape, &out, &expected)?;
            }
        }
    }
    Ok(())
}

#[expect(clippy::cast_possible_truncation, reason = "the twin is in f32")]
fn gated_products(products: &[f64], outputs: usize, activation: Activation) -> Vec<f64> {
    let narrow = |row: &[f64]| row.iter().map(|x| *x as f32).collect::<Vec<_>>();
    let mut all = Vec::new();
    for row in products.chunks_exact(2 * outputs) {
        let (gate, up) = row.split_at(outputs);
        let mut out = vec![0.0; outputs];
        gate::gate_multiply(Isa::Reference, activation, &narrow(gate), &narrow(up), &mut out);
        all.extend(exact(&out));
    }
    all
}

/// The vendor's library: that no side is swapped.
pub(super) fn products(bench: &mut Bench<'_>) -> Result<(), GpuError> {
    for (rows, outputs, inputs) in bench.shapes(&[(40, 24, 16)], &[(64, 6_144, 4_096)]) {
        let (x, weight) = (numbers(rows * inputs, 13), numbers(outputs * inputs, 14));
        let (from, by) = (bench.bf16(&x)?, bench.bf16(&weight)?);
        let expected = product(&x, &weight, inputs);
        for (out_type, bytes) in [(NumberType::Bf16, 2), (NumberType::F32, 4)] {
            let out = bench.poisoned(rows * outputs, bytes)?;
            let product = Product {
                x: from.place(),
                weight: by.place(),
                out: out.place(),
                out_type,
                rows,
                outputs,
                inputs,
            };
            // SAFETY: the buffers are of these shapes.
            unsafe { bench.gpu().multiply(product)? };
            let shape = format!("{rows} x {inputs} by {outputs}, {out_type:?}");
            match out_type {
                NumberType::Bf16 => bench.compare_bf16("multiply", shape, &out, &expected)?,
                NumberType::F32 => bench.compare_f32("multiply", shape, &out, &expected)?,
            }
        }
    }
    Ok(())
}

/// candle's kernels as we call them. Activations in int8 are off by some 1e-5.
pub(super) fn block_products(bench: &mut Bench<'_>) -> Result<(), GpuError> {
    for (rows, outputs, inputs) in bench.shapes(
        &[(1, 24, 256), (8, 24, 512), (9, 24, 256)],
        &[(1, 6_144, 4_096), (64, 6_144, 4_096)],
    ) {
        for format in Format::ALL {
            let weight = blocks(format, outputs * inputs);
            let exact_weight = dequantise(format, &weight);
            let x = numbers(rows * inputs, 15);
            let mut padded = weight.clone();
            padded.resize(weight.len() + BlockProduct::PADDING, 0);
            let (by, from, wide) =
                (Buffer::of(bench.gpu, &padded)?, bench.bf16(&x)?, bench.f32(&x)?);
            let scratch = Buffer::zeroed(bench.gpu, BlockProduct::scratch_bytes(rows, inputs))?;
            let out = bench.poisoned(rows * outputs, 4)?;
            let product_step = BlockProduct {
                format,
                weight: by.place(),
                x: from.place(),
                x_wide: wide.place(),
                out: out.place(),
                out_type: NumberType::F32,
                stride: outputs,
                scratch: scratch.place(),
                rows,
                outputs,
                inputs,
            };
            // SAFETY: the buffers are of these shapes.
            unsafe { bench.gpu().multiply_blocks(product_step)? };
            let expected = product(&x, &exact_weight, inputs);
            let error = nmse(&read_f32(&out)?, &expected);
            let shape = format!("{rows} x {inputs} by {outputs}, {format}");
            bench.judge("multiply_blocks", shape, (error, 3e-4));
        }
    }
    Ok(())
}

/// Blocks with random codes and scales of about one sixteenth.
fn blocks(format: Format, count: usize) -> Vec<u8> {
    let size = format.block_bytes();
    let mut random = numbers(count / format.block_weights() * size, 16).into_iter();
    let scale = F16::from_f32(1.0 / 16.0).to_bits().to_le_bytes();
    let mut bytes = Vec::new();
    for _ in 0..count / format.block_weights() {
        let start = bytes.len();
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "any byte will do"
        )]
        bytes.extend(random.by_ref().take(size).map(|x| (128.0 + x * 127.0) as u8));
        let halves = if format.has_minimum() { 2 } else { 1 };
        let at = if format == Format::Q6_K { start + size - 2 } else { start };
        for half in bytes[at..].chunks_exact_mut(2).take(halves) {
            half.copy_from_slice(&scale);
        }
    }
    bytes
}
