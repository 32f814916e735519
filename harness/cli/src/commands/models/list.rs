//! The list of known models: what they weigh, and what holds them.

use super::memory::{Cache, Holder, KV_VALUE, holder, holders};
use crate::commands::OutputFormat;
use clap::Args;
use freeweights_cost::people;
use freeweights_cost::prices::baseline_of;
use freeweights_models::{ModelSpec, PRESETS, Preset, Quant, nearest};
use freeweights_record::units::Bytes;
use freeweights_report::{Cell, Column, Grid};

/// What must fit, and how the list is written.
#[derive(Args, Clone)]
pub struct ListArgs {
    /// Tokens of each sequence in the KV cache that must fit beside the weights.
    #[arg(long, default_value_t = 4_096, value_parser = clap::value_parser!(u32).range(1..))]
    context: u32,
    /// Sequences in the KV cache.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    batch: u32,
    /// Quantisation of the weights that must fit.
    #[arg(long, default_value = "q4_k_m")]
    quant: Quant,
    /// Only models that fit there: `here` for this machine, or a GPU or server by its name.
    #[arg(long, value_name = "HARDWARE")]
    fits: Option<String>,
    /// How to write the result.
    #[arg(long, value_enum, default_value_t)]
    pub format: OutputFormat,
}

impl ListArgs {
    /// What people must know to read the list.
    pub fn legend(&self) -> String {
        let Self { context, batch, quant, .. } = self;
        let (context, batch) =
            (people::thousands((*context).into()), people::thousands((*batch).into()));
        format!(
            "\nfits: weights, and bf16 keys and values of {context} tokens x {batch}\n\
             at: the widest weights that fit; smallest fit: with {quant} weights\n"
        )
    }
}

/// Quantisations that have a column, widest first, and when a narrow terminal leaves them out.
const SHOWN: [(Quant, u8); 4] =
    [(Quant::Bf16, 8), (Quant::Q8_0, 6), (Quant::Q4KM, 3), (Quant::Q4_0, 0)];

/// The models whose name or repository contains `text`, with `here` bytes free on this machine.
pub fn grid(text: &str, args: &ListArgs, here: Option<Bytes>) -> anyhow::Result<Grid> {
    let all = holders();
    let (place, memory) = match args.fits.as_deref() {
        None => ("here", here),
        Some(name) if name.eq_ignore_ascii_case("here") => ("here", here),
        Some(name) => {
            let Holder { name, memory, .. } = holder(name)?;
            (name, Some(memory))
        }
    };
    let lower = text.to_lowercase();
    let named = |preset: &&Preset| {
        preset.name.contains(&lower) || preset.source.to_lowercase().contains(&lower)
    };
    let presets: Vec<&Preset> = PRESETS.iter().filter(named).collect();
    if presets.is_empty() {
        let near = nearest(&lower, PRESETS.iter().map(|preset| preset.name));
        anyhow::bail!("no known model has {text:?} in its name; nearest: {near}");
    }
    let list = List { args, place, memory, here, all };
    let mut grid = Grid::new(list.columns());
    for preset in presets {
        let spec = preset.spec();
        let held = memory.is_none_or(|memory| list.needed(&spec) <= memory);
        if args.fits.is_none() || held {
            grid.push(list.row(preset, &spec));
        }
    }
    Ok(grid)
}

struct List<'a> {
    args: &'a ListArgs,
    /// What `memory` is the memory of.
    place: &'static str,
    memory: Option<Bytes>,
    here: Option<Bytes>,
    all: Vec<Holder>,
}

impl List<'_> {
    fn cache(&self) -> Cache {
        Cache { context: self.args.context, batch: self.args.batch }
    }

    fn needed(&self, spec: &ModelSpec) -> Bytes {
        self.cache().needed(spec, self.args.quant)
    }

    /// The quantisations that have a column: the usual ones, and the one asked for.
    fn quants(&self) -> Vec<(Quant, u8)> {
        let mut quants = SHOWN.to_vec();
        quants.retain(|(quant, _)| *quant != self.args.quant);
        quants.push((self.args.quant, 0));
        quants.sort_unstable_by_key(|(quant, _)| *quant);
        quants
    }

    fn columns(&self) -> Vec<Column> {
        let mut columns = vec![
            Column::text("model", "model"),
            Column::number("params_total", "params"),
            Column::number("params_active", "active").may_drop(4),
        ];
        for (quant, order) in self.quants() {
            let key = format!("{quant}_bytes");
            // The smaller four bits are for programs; people see them where they ask for them.
            let hidden = quant == Quant::Q4_0 && self.args.quant != quant;
            columns.push(if hidden {
                Column::data(key)
            } else {
                Column::number(key, quant.name()).may_drop(order)
            });
        }
        columns.extend([
            Column::number("kv_bytes_per_token", "KV/token").may_drop(5),
            Column::number("context", "context").may_drop(9),
            Column::text("place", format!("{} at", self.place)).for_people(),
            Column::text("smallest_hardware", "smallest fit").may_drop(7),
            Column::data("quant"),
            Column::data("cache_context"),
            Column::data("cache_batch"),
            Column::data("needed_bytes"),
            Column::data("fits_here_at"),
            Column::data("fits_here"),
        ]);
        columns.extend(self.all.iter().map(|holder| Column::data(&holder.key)));
        columns.extend(
            ["architecture", "licence", "released", "source", "hosts", "similar"].map(Column::data),
        );
        columns
    }

    fn row(&self, preset: &Preset, spec: &ModelSpec) -> Vec<Cell> {
        let (needed, cache) = (self.needed(spec), self.cache());
        let held = |memory: Bytes| needed <= memory;
        let widest = |memory: Bytes| cache.widest(spec, memory).map_or("no", Quant::name);
        let mut row: Vec<Cell> =
            vec![preset.name.into(), params(spec.params()), active_params(spec)];
        row.extend(self.quants().iter().map(|(quant, _)| size(spec.weight_bytes(*quant))));
        // GPUs and systems; a CPU server holds nearly everything, and nobody buys it for that.
        let smallest =
            self.all.iter().find(|one| one.kind != "cpu" && held(one.memory)).map(|one| one.name);
        row.extend([
            size(spec.kv_bytes_per_token(KV_VALUE)),
            context(spec.context),
            self.memory.map(widest).into(),
            smallest.into(),
            self.args.quant.name().into(),
            Cell::Whole(u64::from(cache.context).min(spec.context as u64)),
            Cell::Whole(u64::from(cache.batch)),
            Cell::Whole(needed.get()),
            self.here.map(widest).into(),
            self.here.map(held).into(),
        ]);
        row.extend(self.all.iter().map(|one| Cell::Flag(held(one.memory))));
        let baseline = baseline_of(&[preset.name, preset.source]);
        let joined = |ids: Vec<&str>| (!ids.is_empty()).then(|| ids.join(" "));
        let ids = baseline.map(|row| row.hosts().map(String::as_str).collect());
        let near = baseline.map(|row| row.similar.iter().map(String::as_str).collect());
        row.extend([
            spec.architecture.clone().into(),
            preset.licence.into(),
            preset.released.into(),
            preset.source.into(),
            ids.and_then(joined).into(),
            near.and_then(joined).into(),
        ]);
        row
    }
}

/// Parameters as people say them: `8.03B`.
fn params(count: u64) -> Cell {
    let (unit, letter) = if count < 1_000_000_000 { (1e6, "M") } else { (1e9, "B") };
    Cell::count(count, format!("{}{letter}", people::number(count as f64 / unit)))
}

/// Those that one token uses; a dash for people where that is all of them.
fn active_params(spec: &ModelSpec) -> Cell {
    let active = spec.active_params();
    if active == spec.params() { Cell::count(active, "-") } else { params(active) }
}

/// Bytes with three digits in a binary prefix.
pub fn size(bytes: u64) -> Cell {
    let (mut value, mut prefix) = (bytes as f64, 0);
    let prefixes = ["B", "KiB", "MiB", "GiB", "TiB"];
    while value >= 1_024.0 && prefix + 1 < prefixes.len() {
        value /= 1024.0;
        prefix += 1;
    }
    Cell::count(bytes, format!("{} {}", people::number(value), prefixes[prefix]))
}

/// Tokens, in thousands of 1,024 where it is a whole number of them.
fn context(tokens: usize) -> Cell {
    let shown = match tokens {
        tokens if tokens.is_multiple_of(1_024) => format!("{}k", tokens / 1_024),
        tokens => tokens.to_string(),
    };
    Cell::count(tokens as u64, shown)
}

#[cfg(test)]
mod tests {
    use super::*;
    use freeweights_report::Format;

    const ARGS: ListArgs = ListArgs {
        context: 4_096,
        batch: 1,
        quant: Quant::Q4KM,
        fits: None,
        format: OutputFormat::Table,
    };

    fn table(text: &str, args: &ListArgs, width: u16) -> String {
        let here = Some(Bytes::new(32_000_000_000));
        grid(text, args, here).unwrap().render(Format::Table, width).unwrap()
    }

    #[test]
    fn the_list_for_people() {
        insta::assert_snapshot!(table("qwen3", &ARGS, 120), @r"
        model            params  active      bf16      q8_0    q4_k_m  KV/token  context  here at  smallest fit
        ───────────────────────────────────────────────────────────────────────────────────────────────────────
        qwen3-0.6b         596M       -  1.11 GiB   604 MiB   373 MiB   112 KiB      40k  bf16     L4
        qwen3-1.7b        1.72B       -   3.2 GiB   1.7 GiB  1.03 GiB   112 KiB      40k  bf16     L4
        qwen3-4b          4.02B       -  7.49 GiB  3.98 GiB  2.32 GiB   144 KiB      40k  bf16     L4
        qwen3-8b          8.19B       -  15.3 GiB  8.11 GiB  4.68 GiB   144 KiB      40k  bf16     L4
        qwen3-14b         14.8B       -  27.5 GiB  14.6 GiB  8.38 GiB   160 KiB      40k  bf16     L4
        qwen3-32b         32.8B       -    61 GiB  32.4 GiB  18.4 GiB   256 KiB      40k  q6_k     L4
        qwen3-30b-a3b     30.5B   3.35B  56.9 GiB  30.2 GiB  17.3 GiB    96 KiB      40k  q6_k     L4
        qwen3-235b-a22b    235B   22.2B   438 GiB   233 GiB   132 GiB   188 KiB      40k  no       B200
        ");
    }

    #[test]
    fn a_narrow_terminal_stays_readable() {
        insta::assert_snapshot!(table("distill", &ARGS, 80), @r"
        model                          params  active    q4_k_m  KV/token  here at
        ──────────────────────────────────────────────────────────────────────────
        deepseek-r1-distill-qwen-1.5b   1.78B       -  1.04 GiB    28 KiB  bf16
        deepseek-r1-distill-qwen-7b     7.62B       -  4.36 GiB    56 KiB  bf16
        deepseek-r1-distill-llama-8b    8.03B       -  4.58 GiB   128 KiB  bf16
        deepseek-r1-distill-qwen-14b    14.8B       -  8.37 GiB   192 KiB  bf16
        deepseek-r1-distill-qwen-32b    32.8B       -  18.5 GiB   256 KiB  q6_k
        deepseek-r1-distill-llama-70b   70.6B       -  39.6 GiB   320 KiB  q2_k
        not shown at this width: bf16, q8_0, context, smallest fit
        ");
        let whole = table("", &ARGS, 60);
        assert!(whole.lines().all(|line| line.chars().count() <= 60), "{whole}");
        assert!(whole.lines().count() > PRESETS.len());
    }

    #[test]
    fn what_fits_a_gpu_at_a_quantisation() {
        let args = ListArgs { fits: Some("rtx 4090".into()), quant: Quant::Bf16, ..ARGS };
        let text = table("llama-3", &args, 120);
        insta::assert_snapshot!(text, @r"
        model         params  active      bf16      q8_0    q4_k_m  KV/token  context  RTX 4090 at  smallest fit
        ────────────────────────────────────────────────────────────────────────────────────────────────────────
        llama-3-8b     8.03B       -    15 GiB  7.95 GiB  4.58 GiB   128 KiB       8k  bf16         L4
        llama-3.1-8b   8.03B       -    15 GiB  7.95 GiB  4.58 GiB   128 KiB     128k  bf16         L4
        llama-3.2-1b   1.24B       -   2.3 GiB  1.22 GiB   763 MiB    32 KiB     128k  bf16         L4
        llama-3.2-3b   3.21B       -  5.98 GiB  3.18 GiB  1.87 GiB   112 KiB     128k  bf16         L4
        ");
        // Sixteen sequences of 8,192 tokens do not fit beside 8 billion parameters.
        let args = ListArgs { context: 8_192, batch: 16, ..args };
        assert!(!table("llama-3", &args, 120).contains("8b"));
    }

    #[test]
    fn programs_get_every_fact_of_a_model() {
        let here = Some(Bytes::new(32_000_000_000));
        let json = grid("gpt-oss-120b", &ARGS, here).unwrap().json();
        insta::assert_snapshot!(serde_json::to_string_pretty(&json).unwrap(), @r#"
        [
          {
            "model": "gpt-oss-120b",
            "params_total": 116829156672,
            "params_active": 5711982912,
            "bf16_bytes": 233658313344,
            "q8_0_bytes": 124288397568,
            "q4_k_m_bytes": 87837965568,
            "q4_0_bytes": 66190180608,
            "kv_bytes_per_token": 73728,
            "context": 131072,
            "smallest_hardware": "RTX PRO 6000 Blackwell",
            "quant": "q4_k_m",
            "cache_context": 4096,
            "cache_batch": 1,
            "needed_bytes": 88139955456,
            "fits_here_at": "no",
            "fits_here": false,
            "fits_l4": false,
            "fits_rtx_4090": false,
            "fits_rtx_5090": false,
            "fits_l40s": false,
            "fits_h100_sxm": false,
            "fits_a100_80gb_sxm": false,
            "fits_rtx_pro_6000_blackwell": true,
            "fits_dgx_spark": true,
            "fits_h200_sxm": true,
            "fits_b200": true,
            "fits_mi300x": true,
            "fits_4x_l40s_server": true,
            "fits_8x_h100_server": true,
            "fits_epyc_9654_server": true,
            "fits_8x_h200_server": true,
            "fits_8x_b200_server": true,
            "architecture": "gpt-oss",
            "licence": "Apache-2.0",
            "released": "2025-08-05",
            "source": "openai/gpt-oss-120b",
            "hosts": "groq/openai/gpt-oss-120b aws/openai.gpt-oss-120b-1:0 baseten/openai/gpt-oss-120b cerebras/gpt-oss-120b cloudflare/@cf/openai/gpt-oss-120b databricks/databricks-gpt-oss-120b fireworks/gpt-oss-120b huggingface_cerebras/openai/gpt-oss-120b huggingface_fireworks-ai/openai/gpt-oss-120b huggingface_groq/openai/gpt-oss-120b huggingface_hyperbolic/openai/gpt-oss-120b huggingface_nebius/openai/gpt-oss-120b huggingface_novita/openai/gpt-oss-120b huggingface_nscale/openai/gpt-oss-120b huggingface_ovhcloud/openai/gpt-oss-120b huggingface_sambanova/openai/gpt-oss-120b huggingface_together/openai/gpt-oss-120b novita/openai/gpt-oss-120b openai/gpt-oss-120b openrouter/openai/gpt-oss-120b ovhcloud/gpt-oss-120b quicksilverpro/gpt-oss-120b together/openai/gpt-oss-120b",
            "similar": null
          }
        ]
        "#);
        let csv = grid("", &ARGS, None).unwrap().render(Format::Csv, 0).unwrap();
        let mut reader = csv::Reader::from_reader(csv.as_bytes());
        let columns = reader.headers().unwrap().clone();
        let at = |name: &str| columns.iter().position(|column| column == name).unwrap();
        let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
        assert_eq!(rows.len(), PRESETS.len());
        for row in rows {
            assert!(row[at("params_total")].parse::<u64>().is_ok(), "{row:?}");
            assert!(!row[at("licence")].is_empty() && !row[at("released")].is_empty());
            // Where the memory is not known, neither is what fits.
            assert!(row[at("fits_here")].is_empty());
            let sold = !row[at("hosts")].is_empty();
            assert!(sold || !row[at("similar")].is_empty(), "{row:?}");
        }
    }

    #[test]
    fn the_legend_says_what_fits() {
        insta::assert_snapshot!(ARGS.legend(), @r"

        fits: weights, and bf16 keys and values of 4,096 tokens x 1
        at: the widest weights that fit; smallest fit: with q4_k_m weights
        ");
    }

    #[test]
    fn a_name_that_no_model_has_is_answered_with_the_nearest() {
        let error = grid("qwn3", &ARGS, None).unwrap_err().to_string();
        assert!(error.contains("nearest: qwen3-"), "{error}");
    }
}
