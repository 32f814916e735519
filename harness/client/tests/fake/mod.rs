//! A server that answers as it is told, for tests: latencies, pacing, errors, broken connections.
//!
//! What it does is named by the model of the request: `ttft=20,gap=5` waits so many milliseconds,
//! `capacity=50` serves so many requests a second one after the other, `http_500` fails, and so on.

#![allow(dead_code, reason = "every test uses a part of it")]
#![allow(clippy::unwrap_used, reason = "tests stop where something is not as expected")]

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Version, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::serve::ListenerExt as _;
use futures_util::stream;
use serde_json::{Value, json};
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::time::{Instant, sleep, sleep_until};

/// What all requests of one server share.
#[derive(Default)]
struct Shared {
    /// When the one worker of `capacity=` is free again.
    free: Mutex<Option<Instant>>,
    asked: AtomicU64,
    /// Requests being answered, of a server with a `most=`.
    busy: AtomicU64,
    /// The server is gone after so many requests; 0 for never.
    dies_after: u64,
    /// Every `Authorization` that came.
    keys: Mutex<Vec<String>>,
    /// Versions of HTTP that were spoken.
    versions: Mutex<Vec<String>>,
    /// The first prompts that came.
    prompts: Mutex<Vec<String>>,
    /// How far each gap was from the one it was told, in nanoseconds: the server's own share of
    /// what a client sees.
    missed: Mutex<Vec<u32>>,
}

/// A server on a thread of its own, which ends with the test.
pub struct FakeServer {
    address: SocketAddr,
    shared: Arc<Shared>,
}

impl FakeServer {
    /// Starts one on a free port.
    pub fn start() -> Self {
        Self::dying_after(0)
    }

    /// Starts one on a port, 0 for any.
    pub fn on(port: u16) -> Self {
        Self::begin(port, 0, false)
    }

    /// Starts one on a port that never sleeps, so that it keeps its pace to microseconds; it takes a
    /// CPU of its own.
    pub fn awake_on(port: u16) -> Self {
        Self::begin(port, 0, true)
    }

    /// Starts one that exists no more after so many requests: its connections break, and nobody
    /// listens.
    pub fn dying_after(requests: u64) -> Self {
        Self::begin(0, requests, false)
    }

    fn begin(port: u16, requests: u64, awake: bool) -> Self {
        let shared = Arc::new(Shared { dies_after: requests, ..Shared::default() });
        let theirs = Arc::clone(&shared);
        let (tell, told) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let listener = TcpListener::bind(("127.0.0.1", port)).await.unwrap();
                if awake {
                    // Timers are looked at whenever nothing else is to be done.
                    tokio::spawn(async {
                        loop {
                            tokio::task::yield_now().await;
                        }
                    });
                }
                tell.send(listener.local_addr().unwrap()).unwrap();
                serve(listener, theirs).await;
            });
        });
        Self { address: told.recv().unwrap(), shared }
    }

    /// Where it is.
    pub fn url(&self) -> String {
        format!("http://{}/v1", self.address)
    }

    /// Requests for completions that came.
    pub fn asked(&self) -> u64 {
        self.shared.asked.load(Ordering::SeqCst)
    }

    /// Versions of HTTP that were spoken, each once.
    pub fn versions(&self) -> Vec<String> {
        self.shared.versions.lock().unwrap().clone()
    }

    /// The first thousand prompts that came.
    pub fn prompts(&self) -> Vec<String> {
        self.shared.prompts.lock().unwrap().clone()
    }

    /// Every `Authorization` that came.
    pub fn keys(&self) -> Vec<String> {
        self.shared.keys.lock().unwrap().clone()
    }
}

async fn serve(listener: TcpListener, shared: Arc<Shared>) {
    let router = Router::new()
        .route("/v1/chat/completions", post(complete))
        .route("/v1/completions", post(complete))
        .route("/v1/models", get(|| async { json!({"data": [{"id": "ttft=1"}]}).to_string() }))
        .route("/version", get(|| async { r#"{"version":"0.0-fake"}"# }))
        .route("/metrics", get(metrics))
        .route("/missed", get(missed))
        .with_state(Arc::clone(&shared));
    let dying = async {
        loop {
            sleep(Duration::from_millis(1)).await;
            let limit = shared.dies_after;
            if limit > 0 && shared.asked.load(Ordering::SeqCst) >= limit {
                return;
            }
        }
    };
    let listener = listener.tap_io(|io| io.set_nodelay(true).unwrap());
    tokio::select! {
        served = async { axum::serve(listener, router).await } => served.unwrap(),
        () = dying => {}
    }
}

/// Median and 99th percentile of what the pacing missed since it was last asked, in seconds.
async fn missed(State(shared): State<Arc<Shared>>) -> String {
    let mut all = std::mem::take(&mut *shared.missed.lock().unwrap());
    all.sort_unstable();
    let at = |part: usize, of: usize| all.get(all.len() * part / of).map(|ns| f64::from(*ns) / 1e9);
    json!({ "gaps": all.len(), "p50_s": at(1, 2), "p99_s": at(99, 100) }).to_string()
}

async fn metrics(State(shared): State<Arc<Shared>>) -> String {
    let asked = shared.asked.load(Ordering::SeqCst);
    format!(
        "vllm:num_requests_running{{engine=\"0\"}} 3.0\nvllm:num_requests_waiting 1\nvllm:kv_cache_usage_perc 0.25\nvllm:num_preemptions_total {asked}\n"
    )
}

/// How one request is answered.
#[derive(Clone)]
struct Told {
    kind: String,
    ttft: Duration,
    gap: Duration,
    capacity: f64,
    most: f64,
}

impl Told {
    fn by(model: &str) -> Self {
        let mut told = Self {
            kind: model.to_owned(),
            ttft: Duration::ZERO,
            gap: Duration::ZERO,
            capacity: 0.0,
            most: 0.0,
        };
        for part in model.split(',') {
            let Some((name, value)) = part.split_once('=') else { continue };
            let value: f64 = value.parse().unwrap();
            match name {
                "ttft" => told.ttft = Duration::from_secs_f64(value / 1e3),
                "gap" => told.gap = Duration::from_secs_f64(value / 1e3),
                "capacity" => told.capacity = value,
                "most" => told.most = value,
                _ => panic!("{model}"),
            }
            told.kind = "paced".into();
        }
        told
    }
}

/// Notes that a request came, and how.
fn remember(shared: &Shared, version: Version, headers: &HeaderMap) {
    shared.asked.fetch_add(1, Ordering::SeqCst);
    let version = format!("{version:?}");
    let mut versions = shared.versions.lock().unwrap();
    if !versions.contains(&version) {
        versions.push(version);
    }
    if let Some(key) = headers.get(header::AUTHORIZATION) {
        shared.keys.lock().unwrap().push(key.to_str().unwrap().to_owned());
    }
}

/// A line, a count of events or a text without end, as far as it matters.
fn endless(kind: &str, chat: bool) -> Vec<u8> {
    let (text, events) = match kind {
        "endless_line" => return vec![b'x'; 5 << 20],
        "endless_text" => (1 << 20, 5),
        _ => (1, 70_000),
    };
    format!("data: {}\n\n", content(chat, &"a".repeat(text))).repeat(events).into_bytes()
}

async fn complete(
    State(shared): State<Arc<Shared>>,
    version: Version,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    remember(&shared, version, &headers);
    let asked: Value = serde_json::from_slice(&body).unwrap();
    let model = asked["model"].as_str().unwrap().to_owned();
    let chat = asked.get("messages").is_some();
    let prompt = if chat { &asked["messages"][0]["content"] } else { &asked["prompt"] };
    // Other clients send text as an array of parts.
    let prompt = prompt.as_str().or_else(|| prompt[0]["text"].as_str()).unwrap_or_default();
    if shared.asked.load(Ordering::SeqCst) <= 1_000 {
        shared.prompts.lock().unwrap().push(prompt.to_owned());
    }
    let words = prompt.split(' ').count() as u64 + if chat { 10 } else { 1 };
    let most = |name: &str| asked[name].as_u64();
    let tokens = most("max_tokens").or_else(|| most("max_completion_tokens")).unwrap_or(16);
    let told = Told::by(&model);
    if told.capacity > 0.0 {
        queue(&shared, told.capacity).await;
    }
    let Some(busy) = Busy::of(&shared, told.most) else {
        return (StatusCode::TOO_MANY_REQUESTS, "busy").into_response();
    };
    let stream = |parts: Vec<Vec<u8>>| pieces(parts, false);
    let whole = |events: &[String]| -> Vec<u8> {
        events.iter().flat_map(|event| format!("data: {event}\n\n").into_bytes()).collect()
    };
    let token = |text: &str| content(chat, text);
    let usage = usage(words, tokens);
    match told.kind.as_str() {
        "strict" if asked.get("ignore_eos").is_some() => {
            (StatusCode::BAD_REQUEST, "unknown field ignore_eos").into_response()
        }
        "paced" | "ok" | "strict" => paced(busy, &told, chat, words, tokens),
        "http_500" => (StatusCode::INTERNAL_SERVER_ERROR, "out of\n blocks").into_response(),
        "http_429" => {
            (StatusCode::TOO_MANY_REQUESTS, [(header::RETRY_AFTER, "2")], "busy").into_response()
        }
        // As some servers do, it repeats the key.
        "http_401" => {
            let key = headers.get(header::AUTHORIZATION).map_or("", |key| key.to_str().unwrap());
            (StatusCode::UNAUTHORIZED, format!("no such key: {key}")).into_response()
        }
        "redirect" => {
            (StatusCode::FOUND, [(header::LOCATION, "http://elsewhere/v1")]).into_response()
        }
        "html" => ([(header::CONTENT_TYPE, "text/html")], "<html>login</html>").into_response(),
        "json" => {
            ([(header::CONTENT_TYPE, "application/json")], r#"{"choices":[]}"#).into_response()
        }
        "stall" => {
            let parts = vec![whole(&[token("a")])];
            let then = stream::once(async {
                sleep(Duration::from_hours(1)).await;
                Ok::<_, io::Error>(Bytes::new())
            });
            events(Body::from_stream(futures_util::StreamExt::chain(
                stream::iter(parts.into_iter().map(|part| Ok::<_, io::Error>(part.into()))),
                then,
            )))
        }
        "slow" => paced(
            busy,
            &Told { ttft: Duration::ZERO, gap: Duration::from_millis(20), ..told },
            chat,
            words,
            1_000_000,
        ),
        "reset" => pieces(vec![whole(&[token("a"), token("b")])], true),
        "reset_at_once" => pieces(vec![], true),
        "malformed" => stream(vec![whole(&[token("a"), "{\"choices\":[{".into()])]),
        "not_utf8" => stream(vec![
            whole(&[token("a")]),
            b"data: {\"choices\":[{\"text\":\"\xc3".to_vec(),
            b"\x28\"}]}\n\n".to_vec(),
        ]),
        // A two-byte character whose halves come apart is no fault.
        "split_utf8" => {
            let all = whole(&[content(chat, "\u{e4}"), content(chat, "b"), usage, "[DONE]".into()]);
            let at = all.iter().position(|byte| *byte == 0xc3).unwrap() + 1;
            stream(vec![all[..at].to_vec(), all[at..].to_vec()])
        }
        "no_usage" => stream(vec![whole(&[token("a"), token("b"), "[DONE]".into()])]),
        "no_done" => stream(vec![whole(&[token("a"), usage])]),
        "error_event" => {
            stream(vec![whole(&[token("a"), r#"{"error":{"message":"out of memory"}}"#.into()])])
        }
        "empty" => stream(vec![whole(&[content(chat, ""), usage, "[DONE]".into()])]),
        kind if kind.starts_with("endless") => stream(vec![endless(kind, chat)]),
        "at_once" => {
            let mut all: Vec<String> = vec![content(chat, ""); 1];
            all.extend((0..tokens).map(|_| token("a")));
            all.extend([usage, "[DONE]".into()]);
            stream(vec![whole(&all)])
        }
        // Half of what was asked for, in chunks of two tokens.
        "short" => {
            let half = tokens / 2;
            let mut all: Vec<String> = (0..half / 2).map(|_| token("a b")).collect();
            all.extend([self::usage(words, half), "[DONE]".into()]);
            stream(vec![whole(&all)])
        }
        other => (StatusCode::NOT_FOUND, format!("no model {other}")).into_response(),
    }
}

/// One of the requests being answered.
struct Busy(Arc<Shared>);

impl Busy {
    /// `None` where `most` of them are busy already; 0 is no limit.
    fn of(shared: &Arc<Shared>, most: f64) -> Option<Self> {
        let before = shared.busy.fetch_add(1, Ordering::SeqCst);
        let busy = Self(Arc::clone(shared));
        (most <= 0.0 || (before as f64) < most).then_some(busy)
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.busy.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Waits until the one worker has served everybody in front, and this one.
async fn queue(shared: &Shared, capacity: f64) {
    let until = {
        let mut free = shared.free.lock().unwrap();
        let begins = free.map_or_else(Instant::now, |free| free.max(Instant::now()));
        let until = begins + Duration::from_secs_f64(1.0 / capacity);
        *free = Some(until);
        until
    };
    sleep_until(until).await;
}

fn content(chat: bool, text: &str) -> String {
    if chat {
        json!({"id": "x", "object": "chat.completion.chunk", "created": 1, "model": "m",
            "choices": [{"index": 0, "delta": {"content": text}, "logprobs": null, "finish_reason": null}]})
        .to_string()
    } else {
        json!({"id": "x", "object": "text_completion", "choices": [{"index": 0, "text": text}]})
            .to_string()
    }
}

fn usage(prompt: u64, completion: u64) -> String {
    json!({"choices": [], "usage": {"prompt_tokens": prompt, "completion_tokens": completion}})
        .to_string()
}

/// A first chunk without content, then a token at a time by the schedule, then the counts.
fn paced(busy: Busy, told: &Told, chat: bool, words: u64, tokens: u64) -> Response {
    let token: Bytes = format!("data: {}\n\n", content(chat, "word ")).into();
    let first: Bytes = format!("data: {}\n\n", content(chat, "")).into();
    let last: Bytes = format!("data: {}\n\ndata: [DONE]\n\n", usage(words, tokens)).into();
    let start = Instant::now() + told.ttft;
    let (ttft, gap) = (told.ttft, told.gap);
    let shared = Arc::clone(&busy.0);
    let begin = (0, None, Some(busy));
    let steps = stream::unfold(begin, move |(step, before, busy): (u64, Option<Instant>, _)| {
        let part = match step {
            0 => Some(first.clone()),
            step if step <= tokens => Some(token.clone()),
            step if step == tokens + 1 => Some(last.clone()),
            _ => None,
        };
        let shared = Arc::clone(&shared);
        async move {
            if (1..=tokens).contains(&step) && (step > 1 || !ttft.is_zero()) {
                let gaps = u32::try_from(step - 1).unwrap();
                if !(gap.is_zero() && step > 1) {
                    sleep_until(start + gap * gaps).await;
                }
            }
            let now = Instant::now();
            if let (Some(before), false, true) =
                (before, gap.is_zero(), (2..=tokens).contains(&step))
            {
                let took = now - before;
                let missed = u32::try_from(took.abs_diff(gap).as_nanos()).unwrap_or(u32::MAX);
                shared.missed.lock().unwrap().push(missed);
            }
            // Who has the last part may send the next request at once.
            let busy = busy.filter(|_| step <= tokens);
            part.map(|part| (Ok::<_, io::Error>(part), (step + 1, Some(now), busy)))
        }
    });
    events(Body::from_stream(steps))
}

/// Pieces of a body that come apart; `broken` has the connection break behind them.
fn pieces(parts: Vec<Vec<u8>>, broken: bool) -> Response {
    let steps = stream::unfold((parts.into_iter(), broken), |(mut parts, broken)| async move {
        sleep(Duration::from_millis(5)).await;
        match parts.next() {
            Some(part) => Some((Ok(Bytes::from(part)), (parts, broken))),
            None if broken => Some((Err(io::Error::other("gone")), (parts, false))),
            None => None,
        }
    });
    events(Body::from_stream(steps))
}

fn events(body: Body) -> Response {
    ([(header::CONTENT_TYPE, "text/event-stream; charset=utf-8")], body).into_response()
}
