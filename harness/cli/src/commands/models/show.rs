//! What is known of one model, fact by fact.

use super::list::size;
use super::memory::KV_VALUE;
use freeweights_cost::people::thousands;
use freeweights_models::{Experts, ModelInfo, ModelSpec, Preset, Rope, RopeScaling};
use freeweights_report::{Cell, Column, Grid};

/// The facts, one a row.
pub fn facts(info: &ModelInfo) -> Grid {
    let mut grid =
        Grid::new(vec![Column::text("fact", "model"), Column::text("value", "value").wraps_at(24)]);
    let spec = &info.spec;
    let preset = Preset::find(&info.name).ok().filter(|preset| preset.spec() == *spec);
    let whole = |count: usize| Cell::Whole(count as u64);
    let rows: [(&str, Cell); 24] = [
        ("name", info.name.clone().into()),
        ("source", info.source.clone().into()),
        ("shape of", preset.map(|preset| preset.source).into()),
        ("revision", info.revision.clone().into()),
        ("licence", preset.map(|preset| preset.licence).into()),
        ("released", preset.map(|preset| preset.released).into()),
        ("architecture", spec.architecture.clone().into()),
        ("quantisation", info.quant.clone().into()),
        ("parameters", Cell::Whole(spec.params())),
        ("active parameters", Cell::Whole(spec.active_params())),
        ("layers", whole(spec.layers)),
        ("hidden size", whole(spec.hidden)),
        ("heads", whole(spec.heads)),
        ("key-value heads", whole(spec.kv_heads)),
        ("head size", whole(spec.head_dim)),
        ("feed-forward size", whole(spec.intermediate)),
        ("experts", spec.experts.as_ref().map(|experts| mixture(experts, spec)).into()),
        ("window", window(spec).into()),
        ("rotary positions", rotary(&spec.rope, spec.head_dim).into()),
        ("vocabulary", whole(spec.vocab)),
        ("context", whole(spec.context)),
        ("KV cache a token, bf16", size(spec.kv_bytes_per_token(KV_VALUE))),
        ("latent attention", latent(spec).into()),
        ("operations a token", Cell::number(spec.decode_flops(1))),
    ];
    for (fact, value) in rows {
        grid.push(vec![fact.into(), value]);
    }
    grid
}

/// `8 of 256 in each layer, 2,048 wide; 2,048 wide for every token; none in the first 3 of 61`
fn mixture(experts: &Experts, spec: &ModelSpec) -> String {
    let number = |count: usize| thousands(count as f64);
    let (active, count) = (number(experts.active), number(experts.count));
    let shared = match experts.shared_intermediate {
        0 => String::new(),
        width => format!("; {} wide for every token", number(width)),
    };
    let dense = match experts.dense_layers {
        0 => String::new(),
        layers => format!("; none in the first {layers} of {}", spec.layers),
    };
    let width = number(experts.intermediate);
    format!("{active} of {count} in each layer, {width} wide{shared}{dense}")
}

/// `1,024 tokens in 52 of 62 layers`
fn window(spec: &ModelSpec) -> Option<String> {
    let window = thousands(spec.window? as f64);
    let layers = spec.windowed.count(spec.layers);
    Some(format!("{window} tokens in {layers} of {} layers", spec.layers))
}

/// `512 columns kept for all heads, and 64 that turn`
fn latent(spec: &ModelSpec) -> Option<String> {
    let rank = spec.latent?.rank;
    Some(format!("{rank} columns kept for all heads, and {} that turn", spec.rope.width))
}

/// `base 500,000, llama3 by 8 from 8,192 tokens`
fn rotary(rope: &Rope, head_dim: usize) -> String {
    let base = thousands(f64::from(rope.theta));
    let part = if rope.width == head_dim {
        String::new()
    } else {
        format!(", {} of {head_dim} columns", rope.width)
    };
    let tokens = |count: usize| format!("from {} tokens", thousands(count as f64));
    let stretched = match &rope.scaling {
        None => String::new(),
        Some(RopeScaling::Linear { factor }) => format!(", linear by {factor}"),
        Some(RopeScaling::Llama3 { factor, original_context, .. }) => {
            format!(", llama3 by {factor} {}", tokens(*original_context))
        }
        Some(RopeScaling::Yarn { factor, original_context, .. }) => {
            format!(", YaRN by {factor} {}", tokens(*original_context))
        }
        Some(RopeScaling::LongRope { original_context, .. }) => {
            format!(", LongRoPE {}", tokens(*original_context))
        }
        Some(RopeScaling::Divisors(_)) => ", with divisors of its own".to_owned(),
    };
    format!("base {base}{part}{stretched}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use freeweights_models::{Quiet, inspect};
    use freeweights_report::Format;

    fn shown(model: &str) -> String {
        let info = inspect(&model.parse().unwrap(), &Quiet).unwrap();
        facts(&info).render(Format::Table, 100).unwrap()
    }

    #[test]
    fn a_mixture_with_latent_attention() {
        insta::assert_snapshot!(shown("dummy:deepseek-v3:q4_k_m"), @r"
        model                   value
        ────────────────────────────────────────────────────────────────────────────────────────────────────
        name                    deepseek-v3
        source                  dummy:deepseek-v3
        shape of                deepseek-ai/DeepSeek-V3
        revision                -
        licence                 DeepSeek
        released                2024-12-26
        architecture            deepseek2
        quantisation            q4_k_m
        parameters              671,026,419,200
        active parameters       37,552,297,472
        layers                  61
        hidden size             7,168
        heads                   128
        key-value heads         128
        head size               192
        feed-forward size       18,432
        experts                 8 of 256 in each layer, 2,048 wide; 2,048 wide for every token; none in the
                                first 3 of 61
        window                  -
        rotary positions        base 10,000, 64 of 192 columns, YaRN by 40 from 4,096 tokens
        vocabulary              129,280
        context                 163,840
        KV cache a token, bf16  68.6 KiB
        latent attention        512 columns kept for all heads, and 64 that turn
        operations a token      73,254,191,104
        ");
    }

    #[test]
    fn windows_and_stretched_positions() {
        let text = shown("dummy:gemma-3-27b:bf16");
        assert!(text.contains("1,024 tokens in 52 of 62 layers"), "{text}");
        assert!(text.contains("base 1,000,000, linear by 8"), "{text}");
        let text = shown("dummy:phi-4-mini:bf16");
        assert!(text.contains("96 of 128 columns, LongRoPE from 4,096 tokens"), "{text}");
    }
}
