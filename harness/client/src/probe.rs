//! The first few requests to a server, before anything is measured: whether it answers, whether it
//! counts, and what a word is worth to it.

use crate::fault::Fault;
use crate::openai::OpenAi;
use crate::prompt::{Calibration, Prefix, Prompts};
use crate::server::{Cut, Exchange, Prepared, Server};
use crate::target::{Target, TargetError};
use crate::wire::Usage;
use freeweights_record::units::Tokens;
use serde_json::Value;
use thiserror::Error;

/// Words of the two prompts that calibrate.
const WORDS: [u64; 2] = [32, 160];

/// Output tokens of them.
const OSL: u64 = 4;

/// Why a server cannot be measured.
#[derive(Debug, Error)]
pub enum ProbeError {
    /// It does not answer as it should.
    #[error("the server at {url} does not answer as it should: {fault}")]
    Fault {
        /// Which server.
        url: String,
        /// What it did.
        fault: Fault,
    },
    /// It serves no model, or several, and none was named.
    #[error("{url} serves {there}; name one with --model")]
    Model {
        /// Which server.
        url: String,
        /// Their names.
        there: String,
    },
    /// The client could not be made.
    #[error(transparent)]
    Target(#[from] TargetError),
}

/// What was found.
#[derive(Debug, Clone)]
pub struct Probe {
    /// How it is called from now on.
    pub server: OpenAi,
    /// Whether the server counts tokens.
    pub counts: bool,
    /// What words are worth; `None` where nobody knows.
    pub calibration: Option<Calibration>,
    /// What it says it is.
    pub version: Option<String>,
    /// What is to be told.
    pub notes: Vec<String>,
}

/// Tries a server.
///
/// # Errors
/// [`ProbeError`] where nothing can be measured.
pub async fn probe(target: Target, seed: u64, nonce: u64) -> Result<Probe, ProbeError> {
    let mut notes = Vec::new();
    let url = target.url.to_string();
    let mut server = OpenAi::new(target)?;
    if server.target().model.is_empty() {
        let mut target = server.target().clone();
        target.model = the_model(&server).await?;
        notes.push(format!("the server's model is {}", target.model));
        server = OpenAi::new(target)?;
    }
    let prompts = Prompts::new(Calibration::default(), Prefix::Bust, seed, nonce);
    let prepared = |index: u32| Prepared {
        // Far from what will be measured.
        index: u32::MAX - index,
        prompt: prompts.write(u32::MAX - index, Tokens::new(WORDS[index as usize % 2]), &[]),
        osl: Tokens::new(OSL),
    };
    let mut first = server.send(prepared(0), Cut::never()).await;
    if refuses_fields(&first) && server.target().ignore_eos {
        let mut target = server.target().clone();
        target.ignore_eos = false;
        server = OpenAi::new(target)?;
        first = server.send(prepared(2), Cut::never()).await;
        notes.push("the server knows no ignore_eos: answers may be shorter than asked for".into());
    }
    let usages = match first.fault {
        Some(fault) => return Err(ProbeError::Fault { url, fault }),
        None => [first.usage, server.send(prepared(1), Cut::never()).await.usage],
    };
    let calibration = calibration(usages);
    match (usages[0], calibration) {
        (None, _) => {}
        (Some(_), None) => notes.push(
            "the server's counts of input tokens do not grow with the prompt; a word is taken for a token".into(),
        ),
        (Some(_), Some(found)) => notes.push(format!(
            "a word makes {:.2} tokens here, and {:.0} stand around a prompt",
            found.per_word, found.around
        )),
    }
    let version = version(&server).await;
    let counts = usages[0].is_some();
    Ok(Probe { server, counts, calibration, version, notes })
}

fn calibration(usages: [Option<Usage>; 2]) -> Option<Calibration> {
    let words = WORDS.map(|words| usize::try_from(words).unwrap_or(usize::MAX));
    let [first, second] = [usages[0]?, usages[1]?].map(|usage| usage.prompt_tokens);
    Calibration::of((words[0], first), (words[1], second))
}

/// Whether a field of the body may be what it does not like.
fn refuses_fields(exchange: &Exchange) -> bool {
    matches!(exchange.fault, Some(Fault::Status { status: 400 | 422, .. }))
}

/// The one model that is served.
async fn the_model(server: &OpenAi) -> Result<String, ProbeError> {
    let target = server.target();
    let path = format!("{}/models", target.url.path().trim_end_matches('/'));
    let list: Value = match server.get(&path).await.map(|text| serde_json::from_str(&text)) {
        Some(Ok(list)) => list,
        _ => Value::Null,
    };
    let names: Vec<&str> = list["data"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|model| model["id"].as_str())
        .collect();
    match names.as_slice() {
        [only] => Ok((*only).to_owned()),
        [] => Err(ProbeError::Model {
            url: target.url.to_string(),
            there: "no list of models".into(),
        }),
        several => {
            let there = target.snippet(several.join(", ").as_bytes());
            Err(ProbeError::Model { url: target.url.to_string(), there })
        }
    }
}

/// What `vLLM`, `SGLang` and llama.cpp say they are.
async fn version(server: &OpenAi) -> Option<String> {
    for (path, fields) in [
        ("/version", &["version"][..]),
        ("/get_server_info", &["version"]),
        ("/props", &["build_info"]),
    ] {
        let text = server.get(path).await;
        let value: Option<Value> = text.and_then(|text| serde_json::from_str(&text).ok());
        let found = value.and_then(|value| {
            fields.iter().find_map(|field| value[*field].as_str().map(str::to_owned))
        });
        if let Some(found) = found {
            return Some(server.target().snippet(found.as_bytes()));
        }
    }
    None
}
