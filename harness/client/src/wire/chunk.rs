//! What one event of a completion holds.

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;
use std::borrow::Cow;

/// Token counts as the server tells them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub struct Usage {
    /// Input tokens, the chat template included.
    pub prompt_tokens: u64,
    /// Output tokens.
    #[serde(default)]
    pub completion_tokens: u64,
}

/// A chunk, as far as it is needed. Every other field is passed over.
#[derive(Debug, Deserialize)]
pub(crate) struct Chunk<'a> {
    #[serde(borrow, default)]
    choices: Vec<Choice<'a>>,
    #[serde(default)]
    pub(crate) usage: Option<Usage>,
    #[serde(default)]
    error: Option<Value>,
}

#[derive(Debug, Deserialize)]
struct Choice<'a> {
    #[serde(borrow, default)]
    text: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    delta: Option<Delta<'a>>,
}

#[derive(Debug, Deserialize)]
struct Delta<'a> {
    #[serde(borrow, default)]
    content: Option<Cow<'a, str>>,
    /// `vLLM`, `SGLang` and `DeepSeek`.
    #[serde(borrow, default)]
    reasoning_content: Option<Cow<'a, str>>,
    /// `OpenRouter` and newer `vLLM`.
    #[serde(borrow, default)]
    reasoning: Option<Cow<'a, str>>,
    #[serde(default)]
    tool_calls: Option<Vec<IgnoredAny>>,
}

impl Delta<'_> {
    /// What was thought aloud. Servers between two names send both, with the same text.
    fn thoughts(&self) -> Option<&str> {
        let both = [&self.reasoning, &self.reasoning_content];
        both.into_iter().filter_map(|text| text.as_deref()).find(|text| !text.is_empty())
    }
}

impl Chunk<'_> {
    /// What was written; empty in the first chunk, which names the role, and in the last one.
    pub(crate) fn text(&self) -> impl Iterator<Item = &str> {
        self.choices.iter().flat_map(|choice| {
            let delta = choice.delta.as_ref();
            let parts = [
                choice.text.as_deref(),
                delta.and_then(|delta| delta.content.as_deref()),
                delta.and_then(Delta::thoughts),
            ];
            parts.into_iter().flatten().filter(|text| !text.is_empty())
        })
    }

    /// Whether it carries output: text, or a part of a call of a tool.
    pub(crate) fn has_content(&self) -> bool {
        let calls = |choice: &Choice<'_>| {
            let calls = choice.delta.as_ref().and_then(|delta| delta.tool_calls.as_ref());
            calls.is_some_and(|calls| !calls.is_empty())
        };
        self.text().next().is_some() || self.choices.iter().any(calls)
    }

    /// What went wrong, in the server's words.
    pub(crate) fn error(&self) -> Option<String> {
        let error = self.error.as_ref().filter(|error| !error.is_null())?;
        let said = error.get("message").and_then(Value::as_str).or_else(|| error.as_str());
        Some(said.map_or_else(|| error.to_string(), str::to_owned))
    }
}

/// The value of a `data:` line.
#[derive(Debug)]
pub(crate) enum Event<'a> {
    /// The end mark.
    Done,
    /// A part of the answer.
    Chunk(Chunk<'a>),
}

/// Reads the value of a `data:` line, or says what is wrong with it.
pub(crate) fn read_event(data: &[u8]) -> Result<Event<'_>, String> {
    if data == b"[DONE]" {
        return Ok(Event::Done);
    }
    serde_json::from_slice(data).map(Event::Chunk).map_err(|error| {
        if std::str::from_utf8(data).is_err() {
            "it is no UTF-8".to_owned()
        } else {
            error.to_string()
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chunk(text: &str) -> (String, bool, Option<Usage>, Option<String>) {
        match read_event(text.as_bytes()).unwrap() {
            Event::Chunk(chunk) => {
                (chunk.text().collect(), chunk.has_content(), chunk.usage, chunk.error())
            }
            Event::Done => panic!("no chunk"),
        }
    }

    #[test]
    fn both_interfaces_and_thoughts_are_read() {
        let of = |text: &str| {
            let (text, content, ..) = chunk(text);
            (text, content)
        };
        assert_eq!(
            of(r#"{"choices":[{"delta":{"role":"assistant","content":""}}]}"#),
            (String::new(), false)
        );
        assert_eq!(
            of(r#"{"choices":[{"index":0,"delta":{"content":"a\u00e4"},"logprobs":null}]}"#),
            ("aä".into(), true)
        );
        assert_eq!(
            of(r#"{"choices":[{"delta":{"reasoning_content":"hm","content":null}}]}"#),
            ("hm".into(), true)
        );
        assert_eq!(
            of(r#"{"choices":[{"delta":{"reasoning_content":"hm","reasoning":"hm"}}]}"#),
            ("hm".into(), true)
        );
        assert_eq!(
            of(r#"{"choices":[{"text":"b","finish_reason":null}],"usage":null}"#),
            ("b".into(), true)
        );
        assert_eq!(
            of(r#"{"choices":[{"delta":{"tool_calls":[{"x":1}]}}]}"#),
            (String::new(), true)
        );
        let (_, content, usage, _) =
            chunk(r#"{"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":4,"x":{}}}"#);
        assert_eq!(
            (content, usage),
            (false, Some(Usage { prompt_tokens: 3, completion_tokens: 4 }))
        );
    }

    #[test]
    fn errors_and_what_is_no_event_are_told() {
        let (.., error) = chunk(r#"{"error":{"message":"out of blocks","code":500}}"#);
        assert_eq!(error.as_deref(), Some("out of blocks"));
        assert_eq!(chunk(r#"{"error":"plain"}"#).3.as_deref(), Some("plain"));
        assert!(matches!(read_event(b"[DONE]"), Ok(Event::Done)));
        assert_eq!(
            read_event(b"{\"choices\":[{\"text\":\"\xff\"}]}").unwrap_err(),
            "it is no UTF-8"
        );
        assert!(read_event(b"{\"choices\":").unwrap_err().contains("EOF"));
        assert!(read_event(b"hello").is_err());
    }
}
