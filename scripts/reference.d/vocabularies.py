#!/usr/bin/env python3
"""Writes two small vocabularies with texts and the ids that Hugging Face's tokenizers make of them.

  models/tests/tokenizers/byte_level.json      byte-level BPE, one set of ids for each way to split
  models/tests/tokenizers/sentence_piece.json  BPE of SentencePiece, with and without space prefix

Both hold the lists as a GGUF has them (tokens, token_type, merges or scores). They are trained on
LICENSE-APACHE and the texts below. The patterns are typed from each publisher's tokenizer.json,
and run on the tokenizers wheel's Oniguruma. Needs: pip install tokenizers==0.23.3
transformers==5.23.0.

  scripts/reference.d/vocabularies.py          a second, the same bytes every time
"""

import json
from pathlib import Path

from tokenizers import (AddedToken, Regex, Tokenizer, decoders, models, normalizers,
                        pre_tokenizers, trainers)
from transformers.tokenization_utils_base import generate_merges

ROOT = Path(__file__).resolve().parent.parent.parent
OUT = ROOT / "models" / "tests" / "tokenizers"

NORMAL, UNKNOWN, CONTROL, USER_DEFINED, BYTE = 1, 2, 3, 4, 6

TEXTS = [
    "", " ", "  ", "   ", "\t", "\n", "\n\n", "\r\n \n", "\t\n", "Hello world", " Hello world",
    "Hello, World!", "Hello  world   and    more", "I'm, you're, WE'LL, they'd, IT'S 'quoted'",
    "3", "33", "333", "3333", "33333333", "3.14159, 1,000,000 and 0x7f", "½ ² ⅵ ٣٤٥",
    "fn main() {\n    let x = [1, 2];\n\tprintln!(\"{x:?}\"); // done\n}\n", "a  \n  b\n\n\n  c ",
    "snake_case camelCase XMLHttpRequest HTTPServer2Go", "我想在apple工作1314151天～。你好，世界！",
    "日本語のテキスト、カタカナ。 한국어 텍스트", "нещо на Български", "Ελληνικά ΑΒΓ ΩK",
    "e\u0301te\u0301 n\u0303 A\u030a", "हिन्दी में पाठ", "កាន់តែ",
    "🚀 (normal) 😶‍🌫️ (several) ✅ (own)", "\u00a0\u2003wide\u3000spaces\u200b", "\x00\x01\x7f",
    "<s>begin</s> and <s> again", "x<|user|>  \n y<|end|>z", "a<0x0A>b", "▁already▁ ▁▁there",
    "https://example.org/a?b=c&d=%20#e", "((((())))) ==== ---- ....", "end of line\n", "    Hello\n    Hello",
]
# Seen in training, so that other scripts have merges too.
PARTS = ["Hello world, hello World. ", "我想在工作你好世界 ", "日本語のテキスト ", "нещо на Български ",
         "🚀 ✅ ", "été 3333 333 1314 ", "fn main let println ", "    Hello\n\n"] * 8

CONTRACTIONS = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)"
GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
CL100K = (CONTRACTIONS + r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}%s| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+"
          r"|\s+(?!\S)|\s+")
UPPER, LOWER = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]", r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"
WORD = r"[^\r\n\p{L}\p{N}]?" + UPPER + "*" + LOWER + "+%s|" + \
    r"[^\r\n\p{L}\p{N}]?" + UPPER + "+" + LOWER + "*%s"
REST = r" ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"


def split(pattern):
    return pre_tokenizers.Split(Regex(pattern), "isolated")


def plain():
    return pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)


def splits(*patterns):
    return pre_tokenizers.Sequence([split(p) for p in patterns] + [plain()])


def by_name():
    """What each publisher's tokenizer.json has: normalizer, pre_tokenizer, ignore_merges."""
    digits = pre_tokenizers.Digits(individual_digits=True)
    gpt2 = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    nfc = normalizers.NFC()
    capitals = "Ͱ-ͳͶͷͻ-ͽͿΆΈ-ΊΌΎ-ΡΣ-ϵϷ-ҁҊ-ԯ"  # Of the letters of deepseek-llm, those the texts have.
    return {
        "gpt-2": (None, splits(GPT2), False),
        "olmo": (nfc, gpt2, False),
        "smollm": (None, pre_tokenizers.Sequence([digits, gpt2]), False),
        "command-r": (nfc, pre_tokenizers.Sequence([digits, gpt2]), False),
        "llama-bpe": (None, splits(CL100K % "{1,3}"), True),
        "dbrx": (None, splits(CL100K % "{1,3}"), False),
        "glm4": (None, splits(CL100K % "{1,3}"), True),
        "qwen2": (nfc, splits(CL100K % ""), False),
        "tekken": (None, splits((WORD % ("", "")) + r"|\p{N}|" + REST), True),
        "gpt-4o": (None, splits((WORD % (CONTRACTIONS + "?", CONTRACTIONS + "?"))
                                + r"|\p{N}{1,3}|" + REST), False),
        "deepseek-llm": (None, splits(
            r"[\r\n]", r"\s?[A-Za-zµÀ-ÖØ-öø-ƺ%s\u2126\u212a-\u212dＡ-Ｚａ-ｚ]+" % capitals,
            r"\s?[!-/:-~！-／：-～‘-‟　-。]+", r"\s+$", r"[一-龥ࠀ-一가-퟿]+", r"\p{N}+"), False),
        "deepseek-coder": (None, splits(r"[\r\n]", r"\s?\p{L}+", r"\s?\p{P}+",
                                        r"[一-龥ࠀ-一가-퟿]+", r"\p{N}"), False),
        "deepseek-v3": (None, splits(
            r"\p{N}{1,3}", r"[一-龥぀-ゟ゠-ヿ]+",
            r"[!\"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+"
            r"| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"), False),
    }


def trained(normalizer, pre_tokenizer, alphabet, size):
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer, tokenizer.pre_tokenizer = normalizer, pre_tokenizer
    trainer = trainers.BpeTrainer(vocab_size=size, initial_alphabet=alphabet, show_progress=False)
    corpus = (ROOT / "LICENSE-APACHE").read_text().splitlines(keepends=True) + PARTS
    tokenizer.train_from_iterator(corpus, trainer)
    model = json.loads(tokenizer.to_str())["model"]
    return sorted(model["vocab"], key=model["vocab"].get), [tuple(m) for m in model["merges"]]


def ids(tokenizer):
    return [tokenizer.encode(text, add_special_tokens=False).ids for text in TEXTS]


def added(tokenizer, tokens, types):
    tokenizer.add_tokens([AddedToken(t, special=k != USER_DEFINED, normalized=False)
                          for t, k in zip(tokens, types) if k in (UNKNOWN, CONTROL, USER_DEFINED)])
    return tokenizer


def byte_level():
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokens, merges = trained(None, splits(CL100K % "{1,3}"), alphabet, 700)
    types = [NORMAL] * len(tokens)
    # A word that no merge makes, for those who take words whole.
    for token, kind in [("ĠHTTPServer", NORMAL), ("<s>", CONTROL), ("</s>", CONTROL),
                        ("<|user|>", CONTROL), ("<|end|>", USER_DEFINED)]:
        tokens, types = tokens + [token], types + [kind]
    vocab = {token: id for id, token in enumerate(tokens)}
    found = {}
    for name, (normalizer, pre_tokenizer, whole) in by_name().items():
        tokenizer = Tokenizer(models.BPE(vocab=vocab, merges=merges, ignore_merges=whole))
        if normalizer:
            tokenizer.normalizer = normalizer
        tokenizer.pre_tokenizer, tokenizer.decoder = pre_tokenizer, decoders.ByteLevel()
        found[name] = ids(added(tokenizer, tokens, types))
    return {"texts": TEXTS, "tokens": tokens, "token_type": types,
            "merges": [" ".join(m) for m in merges], "ids": found}


def sentence_piece():
    spaces = normalizers.Replace(" ", "▁")
    words = pre_tokenizers.Split("▁", "merged_with_next")
    pieces, _ = trained(spaces, words, ["▁"], 700)
    head = [("<unk>", UNKNOWN, 0.0), ("<s>", CONTROL, 0.0), ("</s>", CONTROL, 0.0)]
    head += [(f"<0x{byte:02X}>", BYTE, 0.0) for byte in range(256)]
    # As SentencePiece has it: characters last, the first merge the likeliest. Line ends are bytes.
    long = [p for p in pieces if len(p) > 1 and "\n" not in p]
    short = [p for p in pieces if len(p) == 1 and p != "\n"]
    body = [(p, NORMAL, float(-n)) for n, p in enumerate(long + short)]
    tail = [("<|user|>", CONTROL, -1000.0), ("<|end|>", USER_DEFINED, -1000.0),
            ("▁▁▁", USER_DEFINED, -1000.0)]
    tokens, types, scores = map(list, zip(*(head + body + tail)))
    # Found in the text itself, so it has spaces there.
    seen = [t.replace("▁", " ") if k == USER_DEFINED else t for t, k in zip(tokens, types)]
    vocab = {token: id for id, token in enumerate(seen)}
    own = {t for t, k in zip(tokens, types) if k != NORMAL}
    merges = generate_merges(vocab, {t: s for t, s in zip(seen, scores)}, own | set(seen[-3:]))
    found = {}
    for name, prefix in [("prefix", True), ("no prefix", False)]:
        tokenizer = Tokenizer(models.BPE(vocab=vocab, merges=merges, fuse_unk=True,
                                         byte_fallback=True, unk_token="<unk>"))
        steps = [normalizers.Prepend("▁")] if prefix else []
        tokenizer.normalizer = normalizers.Sequence(steps + [normalizers.Replace(" ", "▁")])
        found[name] = ids(added(tokenizer, seen, types))
    return {"texts": TEXTS, "tokens": tokens, "token_type": types, "scores": scores, "ids": found}


def main():
    OUT.mkdir(exist_ok=True)
    for name, made in [("byte_level", byte_level()), ("sentence_piece", sentence_piece())]:
        path = OUT / f"{name}.json"
        lines = ",\n".join(f"{json.dumps(k)}: {json.dumps(v, ensure_ascii=False, separators=(',', ':'))}"
                           for k, v in made.items() if k != "ids")
        sets = ",\n".join(f"{json.dumps(k)}: {json.dumps(v, separators=(',', ':'))}"
                          for k, v in made["ids"].items())
        path.write_text("{\n" + lines + ",\n\"ids\": {\n" + sets + "\n}}\n")
        print(f"{path.name}: {len(made['tokens'])} tokens, {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
