"""What transformers computes: logits in float32, in one pass and token by token."""

import json
import re
import tempfile
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM

# Phi-3's long rope has 16 tokens as its limit: the first sequence is beyond it even before its
# last steps, the others never are, so that no cache holds keys rotated both ways.
LENGTHS = (22, 7, 12)
# The last positions are fed one at a time.
STEPS = 4


def nmse(got, want):
    """Mean squared difference over the mean square of `want`, in double precision."""
    got, want = got.double(), want.double()
    return float(((got - want) ** 2).mean() / (want ** 2).mean())


def load(folder, dtype=torch.float32):
    model, report = AutoModelForCausalLM.from_pretrained(
        folder, dtype=dtype, attn_implementation="eager", output_loading_info=True)
    bad = {k: v for k, v in report.items() if v}
    if bad:
        raise SystemExit(f"{folder}: transformers does not know these tensors as they are: {bad}")
    return model.eval()


def token_sequences(seed, vocab):
    generator = torch.Generator().manual_seed(seed)
    return [torch.randint(vocab, (n,), generator=generator) for n in LENGTHS]


@torch.no_grad()
def prefill(model, tokens):
    """(length, vocab): every position in one pass, no cache."""
    return model(input_ids=tokens[None], use_cache=False).logits[0].float()


@torch.no_grad()
def steps(model, tokens):
    """(STEPS, vocab): all but the last STEPS tokens in one pass, then one token at a time."""
    start = len(tokens) - STEPS
    cache = model(input_ids=tokens[None, :start], use_cache=True).past_key_values
    rows = []
    for position in range(start, len(tokens)):
        out = model(input_ids=tokens[None, position:position + 1], past_key_values=cache,
                    use_cache=True)
        cache = out.past_key_values
        rows.append(out.logits[0, 0].float())
    return torch.stack(rows)


def changed(folder, change, dtype=torch.float32):
    """The model of `folder` with some keys of its config or some of its tensors changed."""
    folder = Path(folder)
    with tempfile.TemporaryDirectory() as other:
        keys = json.loads((folder / "config.json").read_text())
        weights = load_file(folder / "model.safetensors")
        if isinstance(change, dict):
            keys.update(change)
        else:
            pattern, value = change
            hit = [n for n in weights if re.search(pattern, n)]
            if not hit:
                raise SystemExit(f"{folder}: {pattern} is no tensor's name")
            for name in hit:
                weights[name] = torch.full_like(weights[name], value)
        (Path(other) / "config.json").write_text(json.dumps(keys))
        save_file(weights, Path(other) / "model.safetensors", metadata={"format": "pt"})
        return load(other, dtype)
