//! How byte-level vocabularies cut a text into words before any merge, by the name that a GGUF has
//! for it (`tokenizer.ggml.pre`). A new one is a line in [`SPLITS`].
//!
//! Not here: names whose way is more than patterns (`kimi-k2`, `afmoe`, `superbpe`, `gemma4`), those
//! of models that write no text, and `qwen35`, of which llama.cpp's ids and transformers' class
//! contradict each other (the one does not compose, the other does).
//!
//! # Source
//! `llm_tokenizer_bpe` and `llama_vocab::impl::load` in llama.cpp's src/llama-vocab.cpp (that of
//! `llama_cpp_python` 0.3.36). Where it quotes the pattern of the publisher's tokenizer.json beside
//! its own, which is the same in what C++ can match, the publisher's is taken.

use crate::error::nearest;

/// A way to cut a text into words.
pub(super) struct Split {
    /// What files call it.
    names: &'static [&'static str],
    /// Each cuts what the one before left, into what it matches and what lies between.
    pub(super) patterns: &'static [&'static str],
    /// Letters and the marks on them become one character first (NFC). llama.cpp leaves this out.
    pub(super) composes: bool,
    /// A word that is a token is that token, whatever merges would make of it.
    pub(super) whole_words: bool,
    /// A first token is added unless the file says something else.
    pub(super) bos: bool,
}

impl Split {
    /// # Errors
    /// A sentence, for a name that is not known: what it splits cannot be guessed.
    pub(super) fn by_name(name: &str) -> Result<&'static Self, String> {
        SPLITS.iter().find(|split| split.names.contains(&name)).ok_or_else(|| {
            let known = SPLITS.iter().flat_map(|split| split.names.iter().copied());
            format!(
                "it splits text into words in the way called {name:?}, which is not known here (nearest: {}), and another way would change token counts",
                nearest(name, known)
            )
        })
    }

    const fn of(names: &'static [&'static str], patterns: &'static [&'static str]) -> Self {
        Self { names, patterns, composes: false, whole_words: false, bos: false }
    }

    const fn composes(self) -> Self {
        Self { composes: true, ..self }
    }

    const fn whole_words(self) -> Self {
        Self { whole_words: true, ..self }
    }

    const fn bos(self) -> Self {
        Self { bos: true, ..self }
    }
}

/// All of them.
///
/// # Source
/// Which publishers compose: the tokenizers of `gpt_neox` (which olmo and mpt use), `cohere` and
/// `qwen2` in transformers 5.23.
pub(super) static SPLITS: &[Split] = &[
    Split::of(&["default"], DEFAULT),
    Split::of(
        &[
            "gpt-2",
            "phi-2",
            "jais",
            "trillion",
            "granite-docling",
            "gigachat",
            "a.x-4.0",
            "mellum",
            "exaone4",
        ],
        GPT2,
    ),
    Split::of(&["olmo", "mpt"], GPT2).composes(),
    Split::of(
        &["smollm", "starcoder", "refact", "codeshell", "exaone", "minerva-7b", "mellum2"],
        DIGITS,
    ),
    Split::of(&["command-r"], DIGITS).composes(),
    Split::of(
        &["llama3", "llama-v3", "llama-bpe", "falcon3", "falcon-h1", "pixtral", "midm-2.0", "lfm2"],
        LLAMA3,
    )
    .whole_words()
    .bos(),
    Split::of(&["dbrx", "smaug-bpe", "chatglm-bpe"], LLAMA3),
    Split::of(&["glm4", "glm5"], LLAMA3).whole_words(),
    Split::of(&["qwen2", "deepseek-r1-qwen"], QWEN2).composes(),
    Split::of(&["stablelm2", "hunyuan", "megrez", "kormo", "solar-open"], QWEN2),
    Split::of(&["seed-coder"], SEED_CODER),
    Split::of(&["tekken"], TEKKEN).whole_words().bos(),
    Split::of(&["gpt-4o", "llama4", "kanana2", "talkie", "minimax-m2"], GPT4O),
    Split::of(&["deepseek-llm"], DEEPSEEK_LLM),
    Split::of(&["deepseek-coder"], DEEPSEEK_CODER),
    Split::of(&["deepseek-v3", "hunyuan-dense", "joyai-llm", "hy_v4"], DEEPSEEK3),
    Split::of(&["falcon"], FALCON),
    Split::of(&["viking"], VIKING),
];

const GPT2: &[&str] = &[r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)"];

/// As [`GPT2`], digits one by one.
const DIGITS: &[&str] =
    &[r"\p{N}", r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)"];

/// Runs of three digits at most.
const LLAMA3: &[&str] = &[
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
];

/// As [`LLAMA3`], digits one by one.
const QWEN2: &[&str] = &[
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
];

/// As [`QWEN2`], line ends not being of the punctuation before them.
const SEED_CODER: &[&str] = &[
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1}| ?[^\s\p{L}\p{N}\r\n]+|\s*[\r\n]+|\s+(?!\S)|\s+",
];

/// Words end where a capital letter follows a small one; digits one by one.
const TEKKEN: &[&str] = &[
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+",
];

/// As [`TEKKEN`], with `'s` and the like at the ends of words, and runs of three digits at most.
const GPT4O: &[&str] = &[
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+",
];

/// The letters are those of scripts that know capitals. Numbers stand for signs that Unicode takes
/// for the same as other letters, so that no editor does.
const DEEPSEEK_LLM: &[&str] = &[
    r"[\r\n]",
    r"\s?[A-Za-zµÀ-ÖØ-öø-ƺƼ-ƿǄ-ʓʕ-ʯͰ-ͳͶͷͻ-ͽͿΆΈ-ΊΌΎ-ΡΣ-ϵϷ-ҁҊ-ԯԱ-ՖႠ-ჅᎠ-Ᏽᏸ-ᏽᲐ-ᲺᲽ-Ჿᴀ-ᴫᵫ-ᵷᵹ-ᶚḀ-ἕἘ-Ἕἠ-ὅὈ-Ὅὐ-ὗὙὛὝὟ-\x{1F7D}ᾀ-ᾴᾶ-ᾼ\x{1FBE}ῂ-ῄῆ-ῌῐ-\x{1FD3}ῖ-\x{1FDB}ῠ-Ῥῲ-ῴῶ-ῼℂℇℊ-ℓℕℙ-ℝℤ\x{2126}ℨ\x{212A}-ℭℯ-ℴℹℼ-ℿⅅ-ⅉⅎↃↄⰀ-ⱻⱾ-ⳤⳫ-ⳮⳲⳳꙀ-ꙭꚀ-ꚛꜢ-ꝯꝱ-ꞇꞋ-ꞎꭰ-ꮿﬀ-ﬆﬓ-ﬗＡ-Ｚａ-ｚ𐐀-𐑏𐒰-𐓓𐓘-𐓻𐲀-𐲲𐳀-𐳲𑢠-𑣟𞤀-𞥃]+",
    r"\s?[!-/:-~！-／：-～‘-‟　-。]+",
    r"\s+$",
    r"[一-龥ࠀ-一가-퟿]+",
    r"\p{N}+",
];

const DEEPSEEK_CODER: &[&str] =
    &[r"[\r\n]", r"\s?\p{L}+", r"\s?\p{P}+", r"[一-龥ࠀ-一가-퟿]+", r"\p{N}"];

const DEEPSEEK3: &[&str] = &[
    r"\p{N}{1,3}",
    r"[一-龥぀-ゟ゠-ヿ]+",
    r##"[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"##,
];

const FALCON: &[&str] = &[
    r"[\p{P}\$\+<=>\^~\|`]+",
    r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)",
    r"[0-9][0-9][0-9]",
];

const VIKING: &[&str] = &[r" ?[^(\s|.,!?…。，、।۔،)]+", r"\p{N}"];

/// What llama.cpp does where a file says `default`.
const DEFAULT: &[&str] = &[
    r"[\p{P}\$\+<=>\^~\|]+",
    r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)",
    r"\p{N}+",
    r"[0-9][0-9][0-9]",
];
