//! The arguments of `bench --url`: which server, what load, and what machine is behind it.

use crate::lists::{Counts, positive_counts};
use clap::Args;
use freeweights_client::Api;
use freeweights_client::load::{Arrivals, Shard, Spread};
use freeweights_client::prompt::Prefix;
use freeweights_record::requests::Objective;
use std::path::PathBuf;

/// A server in place of a model on this machine.
#[derive(Args, Default)]
#[command(next_help_heading = "Servers")]
pub struct ServerArgs {
    /// Measure a server with an OpenAI-compatible interface, as in <http://localhost:8000/v1>.
    #[arg(long, value_name = "URL", conflicts_with_all = ["models", "engine", "isa", "kv", "device",
        "quant", "plan", "depth", "pin", "batch", "threads", "repetitions", "max_time", "min_time",
        "precision", "prompt", "text", "prompts", "resume", "profile"])]
    pub url: Option<String>,
    /// The server's name for the model; without it the only one it serves.
    #[arg(long, value_name = "NAME", requires = "url")]
    pub model: Option<String>,
    /// Which interface is called: chat or completions.
    #[arg(long, value_parser = api, default_value = "chat", requires = "url")]
    pub endpoint: Api,
    /// Closed loop: so many requests in flight, a list [default: 1,4,16].
    #[arg(long, value_parser = positive_counts, requires = "url", conflicts_with_all = ["rate", "trace"])]
    pub concurrency: Option<Counts>,
    /// Open loop: so many requests a second, a list as in 0.5,1,2.
    #[arg(long, value_delimiter = ',', value_parser = rate, requires = "url", conflicts_with = "trace")]
    pub rate: Vec<f64>,
    /// How requests of an open loop follow each other: poisson, constant, gamma:SHAPE.
    #[arg(long, default_value = "poisson", requires = "url")]
    pub arrivals: Arrivals,
    /// Send the requests of a trace as they came: a CSV of Azure or `arrival_s,isl,osl`, or a JSONL of
    /// Mooncake.
    #[arg(long, value_name = "FILE", requires = "url")]
    pub trace: Option<PathBuf>,
    /// Replay a trace so many times as fast as it came.
    #[arg(long, default_value_t = 1.0, value_parser = rate, requires = "trace")]
    pub speed: f64,
    /// Cut the inputs of a trace to so many tokens, for a server with a shorter context.
    #[arg(long, value_name = "TOKENS", value_parser = clap::value_parser!(u64).range(1..), requires = "trace")]
    pub max_isl: Option<u64>,
    /// Cut the outputs of a trace to so many tokens.
    #[arg(long, value_name = "TOKENS", value_parser = clap::value_parser!(u64).range(1..), requires = "trace")]
    pub max_osl: Option<u64>,
    /// How lengths vary around --isl and --osl: fixed, uniform:SHARE, lognormal:SIGMA.
    #[arg(long, default_value = "fixed", requires = "url")]
    pub lengths: Spread,
    /// What prompts have in common, for the server's prefix cache: bust (nothing), share:TOKENS, or
    /// trace (the blocks the trace names) [default: bust; of a trace with blocks: trace].
    #[arg(long, value_name = "WHAT", requires = "url")]
    pub prefix: Option<Prefix>,
    /// Requests that count in each case, over all shards.
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..), requires = "url")]
    pub requests: Option<u32>,
    /// Seconds in which requests that count are sent, each case [default: 30, unless --requests].
    #[arg(long, value_name = "SECONDS", value_parser = seconds, requires = "url")]
    pub duration: Option<f64>,
    /// Requests in front of them that do not count [default: the concurrency; of an open loop what
    /// is sent until the first 10 have ended; 10 of a trace].
    #[arg(long, value_name = "COUNT", requires = "url")]
    pub warmup: Option<u32>,
    /// What a request must keep to be good, as in ttft=500ms,tpot=50ms,e2e=10s.
    #[arg(long, value_name = "BOUNDS", requires = "url")]
    pub objective: Option<Objective>,
    /// Search the highest load that keeps the objective: the highest rate with --rate (from there
    /// on), else the highest concurrency.
    #[arg(long, requires = "url")]
    pub find_max: bool,
    /// Percent of the requests that must be good.
    #[arg(long, default_value_t = 99.0, value_parser = percent, value_name = "PERCENT", requires = "find_max")]
    pub good: f64,
    /// How near the search comes, in percent of the load.
    #[arg(long, default_value_t = 5.0, value_parser = percent, value_name = "PERCENT", requires = "find_max")]
    pub within: f64,
    /// Variable of the environment that holds the API key, which is never written anywhere.
    #[arg(long, value_name = "NAME", default_value = "OPENAI_API_KEY", requires = "url")]
    pub api_key_env: String,
    /// A header for every request, as in 'X-Tenant: a'; its value is never written anywhere.
    #[arg(long, value_name = "NAME: VALUE", requires = "url")]
    pub header: Vec<String>,
    /// Further fields of every request's body, as JSON: `{"min_tokens": 64}`.
    #[arg(long, value_name = "JSON", value_parser = json_object, requires = "url")]
    pub body: Option<JsonObject>,
    /// Speak HTTP/2 at once; over TLS the server is asked anyway.
    #[arg(long, requires = "url")]
    pub http2: bool,
    /// Root certificates in place of the system's.
    #[arg(long, value_name = "PEM", requires = "url")]
    pub ca: Option<PathBuf>,
    /// Seconds a request may take.
    #[arg(long, default_value_t = 600.0, value_parser = seconds, value_name = "SECONDS", requires = "url")]
    pub timeout: f64,
    /// Seconds in which something must come.
    #[arg(long, default_value_t = 120.0, value_parser = seconds, value_name = "SECONDS", requires = "url")]
    pub stall: f64,
    /// Let answers end by themselves: the server is not asked to go on to --osl tokens.
    #[arg(long, requires = "url")]
    pub eos: bool,
    /// Count tokens with this tokenizer too (tokenizer.json, GGUF); alone where the server does not.
    #[arg(long, value_name = "FILE", requires = "url")]
    pub tokenizer: Option<PathBuf>,
    /// Gaps between chunks that `itl.csv` keeps of each case; percentiles have them all.
    #[arg(long, default_value_t = 250_000, value_name = "COUNT", requires = "url")]
    pub gaps: u64,
    /// Send part I of N of the load: N processes with the same arguments act as one.
    #[arg(long, value_name = "I/N", requires_all = ["url", "start_at"], conflicts_with = "find_max")]
    pub shard: Option<Shard>,
    /// Begin at this time, as in 2026-11-22T12:00:00Z, which all shards are given.
    #[arg(long, value_name = "TIME", requires = "url")]
    pub start_at: Option<jiff::Timestamp>,
    /// What the server runs on: a device that `freeweights hardware --known` lists, or here for this
    /// machine. `cost` needs it.
    #[arg(long, value_name = "DEVICE", requires = "url")]
    pub hardware: Option<String>,
    /// How many of it each machine has.
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..), requires = "hardware")]
    pub gpus: Option<u32>,
    /// Machines behind the URL.
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..), requires = "hardware")]
    pub nodes: Option<u32>,
}

/// An object of JSON on the command line.
pub type JsonObject = serde_json::Map<String, serde_json::Value>;

fn json_object(text: &str) -> Result<JsonObject, String> {
    serde_json::from_str(text).map_err(|error| format!("give an object of JSON ({error})"))
}

fn api(name: &str) -> Result<Api, String> {
    [Api::Chat, Api::Completions]
        .into_iter()
        .find(|api| api.name() == name)
        .ok_or_else(|| "use chat or completions".into())
}

fn rate(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(value) if (1e-6..=1e6).contains(&value) => Ok(value),
        _ => Err("give a number from 0.000001 to 1000000".into()),
    }
}

fn seconds(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(value) if (1e-3..=1e7).contains(&value) => Ok(value),
        _ => Err("give seconds from 0.001 to 10000000".into()),
    }
}

fn percent(text: &str) -> Result<f64, String> {
    match text.trim_end_matches('%').parse::<f64>() {
        Ok(value) if value > 0.0 && value <= 100.0 => Ok(value),
        _ => Err("give percent above 0, up to 100".into()),
    }
}
