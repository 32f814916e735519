"""The variants: tiny configurations in the form their families are published in on the hub.

A variant's config.json here is written the way the family's first repositories write it (rope_theta
and rope_scaling at the top level, torch_dtype); those of NEW_FORM go out as transformers 5 saves
them (rope_parameters, dtype). Weights are not here: see weights.py.
"""

from dataclasses import dataclass, field

VOCAB = 64
CONTEXT = 64

# Hidden width and head width of a variant whose config has a head_dim of its own.
NARROW, HEAD = 32, 32
# Hidden width where the family derives the head width as hidden / heads: two heads of 32.
WIDE = 64

NEW_FORM = ("qwen3", "olmo2")

# Names of one layer's tensors, under model.layers.L.
ATTENTION = tuple(f"self_attn.{x}_proj.weight" for x in "qkvo")
QKV_BIAS = tuple(f"self_attn.{x}_proj.bias" for x in "qkv")
QK_NORM = ("self_attn.q_norm.weight", "self_attn.k_norm.weight")
MLP = ("mlp.gate_proj.weight", "mlp.up_proj.weight", "mlp.down_proj.weight")
FUSED_MLP = ("mlp.gate_up_proj.weight", "mlp.down_proj.weight")
NORMS = ("input_layernorm.weight", "post_attention_layernorm.weight")
GEMMA_NORMS = NORMS + ("pre_feedforward_layernorm.weight", "post_feedforward_layernorm.weight")
LLAMA = ATTENTION + MLP + NORMS


def experts(count):
    return tuple(f"mlp.experts.{e}.{x}_proj.weight"
                 for e in range(count) for x in ("gate", "up", "down"))


@dataclass
class Variant:
    """One checkpoint: its config, the tensors a layer must have, and what must matter in it."""

    exercises: str
    config: dict
    tensors: tuple
    # Name of a feature -> what turns it off: keys of the config to change (a dict), or a pair
    # (regular expression of tensor names, value to fill them with). A pair (None, keys) changes
    # keys that must change nothing.
    off: dict
    # Tensors of the first layers where they are not `tensors`.
    first: tuple = ()
    # Multiples of the usual standard deviation by regular expression; the first that matches.
    scales: dict = field(default_factory=dict)
    # Norm weights are stored as their difference from 1.
    offset_norms: bool = False
    # Keys a GGUF file of this family has no place for, with what its reader must then assume.
    gguf_assumes: dict = field(default_factory=dict)


def config(architecture, model_type, **keys):
    """Keys that every published config has, then the family's own."""
    shared = dict(architectures=[architecture], model_type=model_type, vocab_size=VOCAB,
                  hidden_size=NARROW, intermediate_size=64, num_hidden_layers=2,
                  num_attention_heads=2, num_key_value_heads=1, max_position_embeddings=CONTEXT,
                  hidden_act="silu", rms_norm_eps=1e-5, rope_theta=10000.0,
                  tie_word_embeddings=False, attention_dropout=0.0, initializer_range=0.02,
                  bos_token_id=1, eos_token_id=2, use_cache=True, torch_dtype="bfloat16")
    shared.update(keys)
    return {k: v for k, v in shared.items() if v is not ...}


def llama3_rope(factor):
    return dict(factor=factor, high_freq_factor=4.0, low_freq_factor=1.0,
                original_max_position_embeddings=16, rope_type="llama3")


def yarn(mscale):
    """As DeepSeek's: `type`, not `rope_type`; a context of 16 stretched four times."""
    return dict(beta_fast=32, beta_slow=1, factor=4, mscale=mscale, mscale_all_dim=mscale,
                original_max_position_embeddings=16, type="yarn")


VARIANTS = {
    "llama2": Variant(
        "full heads (MHA), untied output",
        config("LlamaForCausalLM", "llama", head_dim=HEAD, num_key_value_heads=2,
               intermediate_size=96, attention_bias=False, mlp_bias=False, pretraining_tp=1,
               rope_scaling=None),
        LLAMA, {"rope": {"rope_theta": 1e30}}),
    "llama3.1": Variant(
        "llama3 rope scaling by 8, grouped heads (GQA) 4:2, untied output",
        config("LlamaForCausalLM", "llama", head_dim=HEAD, num_attention_heads=4,
               num_key_value_heads=2, intermediate_size=32, rope_theta=500000.0,
               rope_scaling=llama3_rope(8.0), attention_bias=False, mlp_bias=False,
               pretraining_tp=1),
        LLAMA, {"rope scaling": {"rope_scaling": None}}),
    "llama3.2": Variant(
        "llama3 rope scaling by 32, tied output",
        config("LlamaForCausalLM", "llama", head_dim=HEAD, intermediate_size=32,
               rope_theta=500000.0, rope_scaling=llama3_rope(32.0), tie_word_embeddings=True, attention_bias=False,
               mlp_bias=False, pretraining_tp=1),
        LLAMA, {"rope scaling": {"rope_scaling": None}}),
    "smollm2": Variant(
        "three heads to one key/value head, hidden / heads is the head width, tied output; "
        "one layer, for its size",
        config("LlamaForCausalLM", "llama", hidden_size=96, num_hidden_layers=1,
               num_attention_heads=3, intermediate_size=32, rope_theta=100000, rope_scaling=None, tie_word_embeddings=True,
               attention_bias=False, mlp_bias=False, pretraining_tp=1, rope_interleaved=False),
        LLAMA, {"rope theta": {"rope_theta": 10000}}),
    "mistral": Variant(
        "sliding window of 8 in every layer (v0.1)",
        config("MistralForCausalLM", "mistral", head_dim=HEAD, intermediate_size=32,
               sliding_window=8),
        LLAMA, {"window": {"sliding_window": None}}, gguf_assumes={"sliding_window": None}),
    "mistral-small": Variant(
        "head_dim that is not hidden / heads, no window, theta 1e6",
        config("MistralForCausalLM", "mistral", head_dim=HEAD, intermediate_size=32,
               rope_theta=1000000.0, sliding_window=None),
        LLAMA, {"rope theta": {"rope_theta": 10000.0}}),
    "qwen2": Variant(
        "biases of q, k, v; tied; hidden / heads is the head width; a window that is not in use",
        config("Qwen2ForCausalLM", "qwen2", hidden_size=WIDE, intermediate_size=32,
               rope_theta=1000000.0, rms_norm_eps=1e-6, tie_word_embeddings=True,
               use_sliding_window=False, sliding_window=8, max_window_layers=1),
        LLAMA + QKV_BIAS,
        {"biases": (r"\.bias$", 0.0), "unused window": (None, {"sliding_window": None})}),
    "qwen3": Variant(
        "norms of q and k by head, head_dim that is not hidden / heads; config in the new form",
        config("Qwen3ForCausalLM", "qwen3", head_dim=HEAD, intermediate_size=32,
               rope_theta=1000000, rope_scaling=None, rms_norm_eps=1e-6, tie_word_embeddings=True,
               attention_bias=False, use_sliding_window=False, sliding_window=None,
               max_window_layers=2),
        LLAMA + QK_NORM, {"q/k norm weights": (r"[qk]_norm\.weight$", 1.0)}),
    "gemma2": Variant(
        "window of 8 in layers 0, 2, ..; both softcaps; query_pre_attn_scalar; embedding scale; "
        "four norms a layer, stored less 1",
        config("Gemma2ForCausalLM", "gemma2", head_dim=HEAD, intermediate_size=32,
               hidden_act="gelu_pytorch_tanh", hidden_activation="gelu_pytorch_tanh", attention_bias=False, rms_norm_eps=1e-6,
               query_pre_attn_scalar=16, attn_logit_softcapping=5.0, final_logit_softcapping=3.0,
               sliding_window=8, sliding_window_size=8, cache_implementation="hybrid",
               tie_word_embeddings=..., pad_token_id=0, bos_token_id=2, eos_token_id=1),
        ATTENTION + MLP + GEMMA_NORMS,
        {"window": {"sliding_window": 64}, "attention softcap": {"attn_logit_softcapping": None},
         "final softcap": {"final_logit_softcapping": None},
         "query_pre_attn_scalar": {"query_pre_attn_scalar": 32}},
        offset_norms=True, gguf_assumes={"query_pre_attn_scalar": 32}),
    "gemma3": Variant(
        "window of 8 in five layers of six, theta 1e4 there; the sixth theta 1e6, linear rope "
        "scaling by 8; norms of q and k; embedding scale; norms stored less 1",
        config("Gemma3ForCausalLM", "gemma3_text", head_dim=HEAD, num_hidden_layers=6,
               intermediate_size=32, hidden_act=..., hidden_activation="gelu_pytorch_tanh",
               attention_bias=False, rms_norm_eps=1e-6, query_pre_attn_scalar=32,
               attn_logit_softcapping=None, final_logit_softcapping=None, sliding_window=8,
               sliding_window_pattern=6, rope_theta=1000000, rope_local_base_freq=10000,
               rope_scaling={"factor": 8.0, "rope_type": "linear"}, cache_implementation="hybrid",
               tie_word_embeddings=..., pad_token_id=0, bos_token_id=2, eos_token_id=1),
        ATTENTION + MLP + GEMMA_NORMS + QK_NORM,
        {"window": {"sliding_window": 64}, "local theta": {"rope_local_base_freq": 1000000},
         "rope scaling": {"rope_scaling": None}, "pattern": {"sliding_window_pattern": 3},
         "q/k norm weights": (r"[qk]_norm\.weight$", 0.0)},
        offset_norms=True),
}
