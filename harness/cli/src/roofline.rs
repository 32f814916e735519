//! The table of `hardware --roofline`: what the measured ceilings allow each known model.

use freeweights_measure::Roofline;
use freeweights_models::{PRESETS, Quant};
use freeweights_record::host::Ceilings;
use freeweights_record::units::Bytes;
use freeweights_report::{Cell, Column, Grid};

/// Quantisations of the table, widest first.
const SHOWN: [Quant; 4] = [Quant::Bf16, Quant::Q8_0, Quant::Q4KM, Quant::Q4_0];

/// Every preset and quantisation that `memory` holds, with one sequence's cache; all where the
/// memory is not known.
pub fn table(ceilings: &Ceilings, context: u32, memory: Option<Bytes>) -> Grid {
    let mut grid = Grid::new(vec![
        Column::text("model", "model"),
        Column::text("quant", "quant"),
        Column::data("context_tokens"),
        Column::number("bytes_per_step", "a step reads"),
        Column::number("intensity_flops_per_byte", "FLOP/byte").may_drop(2),
        Column::number("decode_bound_tps", "decode at most, tokens/s").title_wraps(),
        Column::number("prefill_bound_tps", "prefill at most, tokens/s").title_wraps(),
        Column::text("arithmetic", "computed in").may_drop(1),
        Column::number("compute_bound_batch_short", "compute-bound from batch, no past")
            .title_wraps(),
        Column::number("compute_bound_batch", "from batch, with past").title_wraps(),
        Column::data("read_bytes_per_s"),
        Column::data("peak_flops_per_s"),
        Column::data("threads"),
    ]);
    for preset in PRESETS {
        let spec = preset.spec();
        for quant in SHOWN {
            let bound = Roofline::of(&spec, quant, ceilings, context);
            if memory.is_some_and(|memory| bound.resident(&spec) > memory) {
                continue;
            }
            let read = bound.bytes_per_step;
            grid.push(vec![
                preset.name.into(),
                quant.name().into(),
                Cell::Whole(bound.context.get()),
                Cell::shown(read.get() as f64, read.human()),
                Cell::number(bound.intensity),
                Cell::number(bound.decode.get()),
                Cell::number(bound.prefill.get()),
                bound.arithmetic.name().into(),
                Roofline::of(&spec, quant, ceilings, 1).compute_bound_batch.into(),
                bound.compute_bound_batch.into(),
                Cell::number(ceilings.read_bytes_per_s.get()),
                Cell::number(bound.peak.get()),
                Cell::Whole(u64::from(ceilings.threads)),
            ]);
        }
    }
    grid
}

/// What people must know to read the table.
pub fn legend(context: u32) -> String {
    format!(
        "Bounds, not forecasts: every byte at the measured read bandwidth, every operation at the \
         measured peak of the vector units. Matrix units (AMX) are not in these peaks: with them a \
         prompt can be several times as fast. Decode: one sequence with {context} tokens of f16 \
         cache. Prefill: a prompt of {context} tokens. Quantised matrices count against the int8 \
         peak, bf16 ones against the bf16 peak, and against the f32 peak where the CPU has no such \
         instruction or a slower one. Decode is bound by operations from the batch named on, with \
         no past and with {context} tokens of it in every sequence; a dash: reading the caches takes \
         longer than computing at any batch. Shapes that do not fit here are left out."
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use freeweights_record::units::{BytesPerSecond, FlopsPerSecond};
    use freeweights_report::Format;

    fn ceilings() -> Ceilings {
        Ceilings {
            threads: 2,
            read_bytes_per_s: BytesPerSecond::new(20e9),
            f32_flops_per_s: FlopsPerSecond::new(200e9),
            bf16_flops_per_s: Some(FlopsPerSecond::new(2_000e9)),
            int8_ops_per_s: Some(FlopsPerSecond::new(4_000e9)),
        }
    }

    #[test]
    fn the_table_has_what_fits() {
        // Weights and 512 tokens of cache: smollm2-360m has 387 MiB of them in eight bits.
        let memory = Some(Bytes::new(300_000_000));
        let text = table(&ceilings(), 512, memory).render(Format::Table, 120).unwrap();
        insta::assert_snapshot!(text, @r"
        model         quant   a step reads  FLOP/byte  decode at  prefill at most,  computed in  compute-bound  from batch, with
                                                           most,          tokens/s                 from batch,              past
                                                        tokens/s                                       no past
        ────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────
        smollm2-135m  bf16       267.8 MiB       1.08       71.2             8,689  bf16                   101                 -
        smollm2-135m  q8_0       147.6 MiB       1.97        129            17,378  int8                   109                 -
        smollm2-135m  q4_k_m     110.1 MiB       2.64        173            17,378  int8                    79                 -
        smollm2-135m  q4_0        97.0 MiB       2.99        197            17,378  int8                    69                 -
        smollm2-360m  q4_k_m     276.4 MiB       2.71         69             6,053  int8                    76                 -
        smollm2-360m  q4_0       236.8 MiB       3.17       80.5             6,053  int8                    64                 -
        gemma-3-270m  q8_0       280.8 MiB       1.95       67.9            18,173  int8                   108                 -
        gemma-3-270m  q4_k_m     244.2 MiB       2.24       78.1            18,173  int8                    93                 -
        gemma-3-270m  q4_0       233.0 MiB       2.35       81.9            18,173  int8                    89                 -
        ");
        let all = table(&ceilings(), 512, None).render(Format::Csv, 120).unwrap();
        assert_eq!(all.lines().count(), 1 + PRESETS.len() * SHOWN.len());
        // 2 * 134,515,008 bytes of weights, 512 * 23,040 of cache; 20e9 B/s over that.
        assert!(
            all.lines().nth(1).unwrap().starts_with("smollm2-135m,bf16,512,280826496,"),
            "{all}"
        );
        assert!(all.contains(",71.21"), "{all}");
    }
}
