"""Random weights under published names: a seed and a name's kind decide every value.

No trained weights are here or come from here.
"""

import re

import torch

EMBEDDING_STD = 0.5
# q and k larger than 1 / sqrt(fan_in): scores of standard deviation 2, so that attention is not
# almost uniform. Routers likewise, so that the experts chosen are not chosen by a hair.
SCORING = 1.5
SMALL_STD = 0.2


def usual_scale(name):
    if re.search(r"self_attn\.(q_proj|k_proj|qkv_proj|q_b_proj)\.weight$", name):
        return SCORING
    if re.search(r"(mlp\.gate|mlp\.router|block_sparse_moe\.gate)\.weight$", name):
        return 2 * SCORING
    return 1.0


def scale(name, scales):
    return next((s for pattern, s in scales.items() if re.search(pattern, name)), None)


def fan_in(name, shape):
    # gpt-oss multiplies from the other side: (experts, in, out).
    stacked = re.search(r"experts\.(gate_up|down)_proj$", name)
    return shape[-2] if stacked else shape[-1]


def draw(name, shape, generator, variant):
    """One tensor, float32, already rounded to what bfloat16 holds."""
    values = torch.randn(shape, generator=generator, dtype=torch.float32)
    factor = scale(name, variant.scales)
    if name.endswith("norm.weight"):
        values = SMALL_STD * values + (0.0 if variant.offset_norms else 1.0)
    elif re.search(r"bias$", name):
        values = values * (SMALL_STD if factor is None else factor)
    elif name.endswith("sinks"):
        pass
    elif name == "model.embed_tokens.weight":
        values = values * (EMBEDDING_STD if factor is None else factor)
    else:
        factor = usual_scale(name) if factor is None else factor
        values = values * (factor / fan_in(name, shape) ** 0.5)
    return values.to(torch.bfloat16).to(torch.float32)


def draw_all(shapes, seed, variant):
    generator = torch.Generator().manual_seed(seed)
    return {name: draw(name, shapes[name], generator, variant) for name in sorted(shapes)}


def stored(name, values):
    """As published: bfloat16, but the bias of DeepSeek-V3's router, which is float32 there."""
    if name.endswith("e_score_correction_bias"):
        return values.contiguous()
    return values.to(torch.bfloat16).contiguous()


def expected_names(variant):
    """The published names of a variant's tensors, without looking at what transformers wrote."""
    keys = variant.config
    names = {"model.embed_tokens.weight", "model.norm.weight"}
    # Gemma's configs do not say that their output is tied; it always is.
    if not keys.get("tie_word_embeddings", True):
        names.add("lm_head.weight")
    for layer in range(keys["num_hidden_layers"]):
        here = variant.first if layer == 0 and variant.first else variant.tensors
        names.update(f"model.layers.{layer}.{t}" for t in here)
    return names
