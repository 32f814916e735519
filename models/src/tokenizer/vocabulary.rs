//! The vocabulary in the metadata of a GGUF, checked: lists that belong together are of one
//! length, ids are in range, merges make tokens that there are.
//!
//! Not here: what is done with it.

use candle_core::quantized::gguf_file::Value;
use std::collections::HashMap;
use std::collections::hash_map::Entry;

/// Longest token that is believed; published ones have up to some hundreds of bytes.
const TOKEN_BYTES: usize = 4096;

/// What a token is, as far as it makes a difference.
///
/// # Source
/// `llama_token_type` in llama.cpp's include/llama.h.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Part of words. Tokens that a file calls unused are never reached by merges.
    Normal,
    /// Stands for what has no token.
    Unknown,
    /// Steers the model, writes no text.
    Control,
    /// Text that is never split.
    UserDefined,
    /// One byte, for text that has no token.
    Byte,
}

/// A checked vocabulary.
pub(super) struct Vocabulary<'a> {
    tokens: Vec<&'a str>,
    kinds: Vec<Kind>,
    ids: HashMap<&'a str, u32>,
    first: End,
    last: End,
}

impl<'a> Vocabulary<'a> {
    /// # Errors
    /// A sentence naming the key that is absent or contradicts the rest.
    pub(super) fn read(metadata: &'a HashMap<String, Value>) -> Result<Self, String> {
        let tokens = list(metadata, "tokens", "strings", |value| value.to_string().ok())?
            .ok_or("it has no list of tokens (tokenizer.ggml.tokens)")?;
        let tokens: Vec<&str> = tokens.into_iter().map(String::as_str).collect();
        let kinds = kinds(metadata, tokens.len())?;
        let ids = ids(&tokens)?;
        let first = End::read(metadata, "bos", tokens.len())?;
        let last = End::read(metadata, "eos", tokens.len())?;
        Ok(Self { tokens, kinds, ids, first, last })
    }

    /// All tokens in the order of their ids.
    pub(super) fn each(&self) -> impl Iterator<Item = (&'a str, Kind)> + '_ {
        self.tokens.iter().copied().zip(self.kinds.iter().copied())
    }

    /// The id of a token.
    pub(super) fn id(&self, token: &str) -> Option<u32> {
        self.ids.get(token).copied()
    }

    /// Pairs of tokens that become one, the first to be joined first.
    ///
    /// # Errors
    /// A sentence on the first that is no pair, or not of tokens that there are.
    pub(super) fn merges(
        &self,
        metadata: &HashMap<String, Value>,
    ) -> Result<Vec<(String, String)>, String> {
        let merges = list(metadata, "merges", "strings", |value| value.to_string().ok())?
            .ok_or("it has no merges (tokenizer.ggml.merges)")?;
        let mut joined = String::new();
        let pair = |(at, merge): (usize, &String)| {
            // A token that begins with a space is not to be taken for an empty one.
            let space = merge.bytes().skip(1).position(|byte| byte == b' ').map(|at| at + 1);
            let (left, right) = space
                .map(|at| (&merge[..at], &merge[at + 1..]))
                .ok_or_else(|| format!("its merge {at}, {merge:?}, is of one token alone"))?;
            joined.clear();
            joined.extend([left, right]);
            match [left, right, &joined].into_iter().find(|token| self.id(token).is_none()) {
                None => Ok((left.to_owned(), right.to_owned())),
                Some(absent) => Err(format!("its merge {at} has {absent:?}, which is no token")),
            }
        };
        merges.into_iter().enumerate().map(pair).collect()
    }

    /// How likely each token is.
    ///
    /// # Errors
    /// A sentence, where they are absent, too many or too few, or no numbers.
    pub(super) fn scores(&self, metadata: &HashMap<String, Value>) -> Result<Vec<f32>, String> {
        let score = |value: &Value| match value {
            // There are two zeros, which are one score.
            Value::F32(score) => Some(*score + 0.0).filter(|score| !score.is_nan()),
            #[expect(clippy::cast_precision_loss, reason = "ranks, far below 2^24")]
            Value::I32(score) => Some(*score as f32),
            _ => None,
        };
        let scores = list(metadata, "scores", "numbers", score)?
            .ok_or("it has no scores (tokenizer.ggml.scores)")?;
        same_length("scores", scores.len(), self.tokens.len())?;
        Ok(scores)
    }

    /// The token to put before every text.
    ///
    /// # Errors
    /// A sentence, where there is to be one and the file does not say which.
    pub(super) fn before(&self, unless_said: bool) -> Result<Option<u32>, String> {
        self.first.added(unless_said)
    }

    /// The token to put behind every text.
    ///
    /// # Errors
    /// As [`Self::before`].
    pub(super) fn after(&self) -> Result<Option<u32>, String> {
        self.last.added(false)
    }
}

/// The token for the beginning of a text, or for its end.
struct End {
    name: &'static str,
    id: Option<u32>,
    /// Whether it is added to every text.
    add: Option<bool>,
}

impl End {
    fn read(
        metadata: &HashMap<String, Value>,
        name: &'static str,
        tokens: usize,
    ) -> Result<Self, String> {
        let id = number(metadata, &format!("{name}_token_id"))?;
        if let Some(id) = id.filter(|&id| id as usize >= tokens) {
            return Err(format!(
                "tokenizer.ggml.{name}_token_id is {id}, and there are {tokens} tokens"
            ));
        }
        Ok(Self { name, id, add: truth(metadata, &format!("add_{name}_token"))? })
    }

    fn added(&self, unless_said: bool) -> Result<Option<u32>, String> {
        let wanted = self.add.unwrap_or(unless_said);
        if wanted && self.id.is_none() {
            return Err(format!(
                "a token is to be added to every text, and tokenizer.ggml.{}_token_id does not say which",
                self.name
            ));
        }
        Ok(self.id.filter(|_| wanted))
    }
}

fn kinds(metadata: &HashMap<String, Value>, tokens: usize) -> Result<Vec<Kind>, String> {
    let kind = |value: &Value| match value {
        // Undefined, normal and unused.
        Value::I32(0 | 1 | 5) | Value::U32(0 | 1 | 5) => Some(Kind::Normal),
        Value::I32(2) | Value::U32(2) => Some(Kind::Unknown),
        Value::I32(3) | Value::U32(3) => Some(Kind::Control),
        Value::I32(4) | Value::U32(4) => Some(Kind::UserDefined),
        Value::I32(6) | Value::U32(6) => Some(Kind::Byte),
        _ => None,
    };
    match list(metadata, "token_type", "numbers from 0 to 6", kind)? {
        None => Ok(vec![Kind::Normal; tokens]),
        Some(kinds) => same_length("token_type", kinds.len(), tokens).map(|()| kinds),
    }
}

fn ids<'a>(tokens: &[&'a str]) -> Result<HashMap<&'a str, u32>, String> {
    let mut ids = HashMap::with_capacity(tokens.len());
    for (id, token) in (0..).zip(tokens) {
        if token.len() > TOKEN_BYTES {
            let long = token.len();
            return Err(format!(
                "its token {id} has {long} bytes, where {TOKEN_BYTES} are believed"
            ));
        }
        match ids.entry(*token) {
            Entry::Vacant(free) => free.insert(id),
            // Files pad their vocabularies with nothing, which no text ever becomes.
            Entry::Occupied(_) if token.is_empty() => continue,
            Entry::Occupied(first) => {
                return Err(format!("its tokens {} and {id} are both {token:?}", first.get()));
            }
        };
    }
    Ok(ids)
}

fn same_length(key: &str, found: usize, tokens: usize) -> Result<(), String> {
    if found == tokens {
        return Ok(());
    }
    Err(format!("tokenizer.ggml.{key} has {found} entries for {tokens} tokens"))
}

/// The value under `tokenizer.ggml.KEY`.
fn value<'a>(metadata: &'a HashMap<String, Value>, key: &str) -> Option<&'a Value> {
    metadata.get(&format!("tokenizer.ggml.{key}"))
}

fn other(key: &str, wanted: &str) -> String {
    format!("tokenizer.ggml.{key} is no {wanted}")
}

/// A list, each of whose elements `read` must take.
fn list<'a, T>(
    metadata: &'a HashMap<String, Value>,
    key: &str,
    of: &str,
    read: impl Fn(&'a Value) -> Option<T>,
) -> Result<Option<Vec<T>>, String> {
    let Some(value) = value(metadata, key) else { return Ok(None) };
    let Value::Array(elements) = value else { return Err(other(key, "list")) };
    let read = |(at, element)| {
        read(element)
            .ok_or_else(|| format!("tokenizer.ggml.{key} is no list of {of}: see entry {at}"))
    };
    elements.iter().enumerate().map(read).collect::<Result<_, _>>().map(Some)
}

/// A text, if there is one.
///
/// # Errors
/// A sentence, where it is something else.
pub(super) fn text<'a>(
    metadata: &'a HashMap<String, Value>,
    key: &str,
) -> Result<Option<&'a str>, String> {
    let text = |value: &'a Value| value.to_string().map(String::as_str);
    value(metadata, key).map(text).transpose().map_err(|_| other(key, "text"))
}

/// A truth value, if there is one.
///
/// # Errors
/// As [`text`].
pub(super) fn truth(metadata: &HashMap<String, Value>, key: &str) -> Result<Option<bool>, String> {
    value(metadata, key).map(Value::to_bool).transpose().map_err(|_| other(key, "truth value"))
}

/// A token id, if there is one.
///
/// # Errors
/// As [`text`].
fn number(metadata: &HashMap<String, Value>, key: &str) -> Result<Option<u32>, String> {
    let number = |value: &Value| match *value {
        Value::U32(id) => Ok(id),
        Value::I32(id) => u32::try_from(id).map_err(|_| ()),
        Value::U64(id) => u32::try_from(id).map_err(|_| ()),
        Value::I64(id) => u32::try_from(id).map_err(|_| ()),
        Value::U16(id) => Ok(id.into()),
        Value::U8(id) => Ok(id.into()),
        _ => Err(()),
    };
    value(metadata, key).map(number).transpose().map_err(|()| other(key, "token id"))
}
