//! A server over the network.
//!
//! Not here: when requests are sent (`load`).

use crate::fault::Fault;
use crate::server::{Cut, Exchange, Prepared, Server};
use crate::target::{Target, TargetError};
use crate::wire::{Event, Lines, MOST_OF_A_LINE, Usage, body, read_event};
use reqwest::header::{
    AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER,
};
use std::io::Read;
use std::time::Duration;
use tokio::time::{Instant, timeout, timeout_at};

/// Time to make a connection.
const CONNECT: Duration = Duration::from_secs(10);

/// Most bytes of root certificates; those of a system are some 200 kB.
const CERTIFICATES: u64 = 16 << 20;

/// How long the end of a body is waited for behind its end mark.
const END_OF_BODY: Duration = Duration::from_millis(100);

/// Most bytes of an answer that is no stream which are read for its words.
const MOST_OF_AN_ERROR: usize = 4_096;

/// Events with content that are kept of an answer, and bytes of its text, for each token that was
/// asked for; a server may stop late, and may write one character at a time.
const MOST_OF_A_TOKEN: (usize, usize) = (4, 64);

/// Events and bytes that any answer may have.
const MOST_OF_NONE: (usize, usize) = (1 << 16, 4 << 20);

/// A server with an OpenAI-compatible interface.
#[derive(Debug, Clone)]
pub struct OpenAi {
    target: Target,
    url: reqwest::Url,
    client: reqwest::Client,
}

impl OpenAi {
    /// Makes the client; nothing is sent yet.
    ///
    /// # Errors
    /// [`TargetError`] where key, headers or certificate cannot be used.
    pub fn new(target: Target) -> Result<Self, TargetError> {
        // Whoever came first has set it; it is the same one.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut builder = reqwest::Client::builder()
            .default_headers(headers(&target)?)
            .user_agent(concat!("freeweights/", env!("CARGO_PKG_VERSION")))
            .redirect(reqwest::redirect::Policy::none())
            // A request that failed is a row, and not sent again.
            .retry(reqwest::retry::never())
            .no_proxy()
            .connect_timeout(CONNECT)
            .tcp_nodelay(true);
        if target.http2 {
            builder = builder.http2_prior_knowledge();
        }
        if let Some(path) = &target.certificate {
            let refuse = |reason: String| TargetError::Certificate { path: path.clone(), reason };
            // It may be read more than once, which a pipe cannot be.
            if std::fs::metadata(path).is_ok_and(|at| !at.is_file()) {
                return Err(refuse("it is no plain file".into()));
            }
            let mut pem = Vec::new();
            std::fs::File::open(path)
                .and_then(|file| file.take(CERTIFICATES + 1).read_to_end(&mut pem))
                .map_err(|error| refuse(error.to_string()))?;
            if pem.len() as u64 > CERTIFICATES {
                return Err(refuse(format!("it is longer than {} MiB", CERTIFICATES >> 20)));
            }
            let roots = reqwest::Certificate::from_pem_bundle(&pem)
                .map_err(|error| refuse(error.to_string()))?;
            if roots.is_empty() {
                return Err(refuse("it holds no certificate".into()));
            }
            builder = builder.tls_certs_only(roots);
        }
        let client = builder
            .build()
            .map_err(|error| TargetError::Client { reason: target.scrub(&error.to_string()) })?;
        Ok(Self { url: target.endpoint(), target, client })
    }

    /// What is called.
    #[must_use]
    pub const fn target(&self) -> &Target {
        &self.target
    }

    /// The text at another path of the server; `None` where there is none.
    pub async fn get(&self, path: &str) -> Option<String> {
        let get = self.client.get(self.target.beside(path)).timeout(Duration::from_secs(5));
        let mut response = get.send().await.ok().filter(|answer| answer.status().is_success())?;
        let mut text = Vec::new();
        while let Ok(Some(bytes)) = response.chunk().await {
            text.extend_from_slice(&bytes);
            if text.len() > MOST_OF_A_LINE {
                return None;
            }
        }
        String::from_utf8(text).ok()
    }

    async fn follow(&self, request: &Prepared, seen: &mut Seen) -> Result<(), Fault> {
        let post = self.client.post(self.url.clone()).header(CONTENT_TYPE, "application/json");
        let post = post.body(body(&self.target, request));
        seen.sent = Instant::now();
        let deadline = seen.sent + self.target.timeout;
        let response = self.within(deadline, post.send()).await?;
        let response = response.map_err(|error| Fault::of(&error, false, &self.target))?;
        let mut response = self.accept(response, deadline).await?;
        let mut lines = Lines::default();
        let mut end = Ok(());
        loop {
            let bytes = self.within(deadline, response.chunk()).await?;
            let Some(bytes) = bytes.map_err(|error| Fault::of(&error, true, &self.target))? else {
                break;
            };
            let now = Instant::now();
            lines
                .push(&bytes, |data| {
                    end = seen.take(data, now, &self.target);
                    end.is_ok() && !seen.done
                })
                .map_err(|_| Fault::TooLong { most: MOST_OF_A_LINE })?;
            std::mem::replace(&mut end, Ok(()))?;
            if seen.done {
                // The connection is used again once the rest, the end mark of HTTP, is read. It
                // comes with the last event; who keeps the body open gets a new connection.
                let _ = timeout(END_OF_BODY, response.chunk()).await;
                break;
            }
        }
        match (seen.done, lines.is_in_a_line(), seen.arrivals.is_empty()) {
            (false, true, _) => Err(Fault::Reset { after: "in the middle of an event" }),
            (false, false, _) => Err(Fault::NoDone),
            (true, _, true) => Err(Fault::Empty),
            (true, _, false) => Ok(()),
        }
    }

    /// Waits no longer than a stall lasts, nor beyond the deadline.
    async fn within<T>(
        &self,
        deadline: Instant,
        wait: impl Future<Output = T>,
    ) -> Result<T, Fault> {
        let stall = Instant::now() + self.target.stall;
        let until = stall.min(deadline);
        timeout_at(until, wait).await.map_err(|_| {
            if until == deadline {
                Fault::Timeout { most: self.target.timeout }
            } else {
                Fault::Stall { most: self.target.stall }
            }
        })
    }

    /// Refuses an answer that is no stream of events.
    async fn accept(
        &self,
        mut response: reqwest::Response,
        deadline: Instant,
    ) -> Result<reqwest::Response, Fault> {
        let status = response.status();
        let header = |name| response.headers().get(name).and_then(|value| value.to_str().ok());
        if status.is_redirection() {
            let to = header(reqwest::header::LOCATION).unwrap_or("nowhere").as_bytes();
            let to = self.target.snippet(to);
            return Err(Fault::Redirect { status: status.as_u16(), to });
        }
        let kind = header(CONTENT_TYPE).unwrap_or("nothing that says what it is").to_owned();
        if status.is_success() && kind.starts_with("text/event-stream") {
            return Ok(response);
        }
        let retry = header(RETRY_AFTER).map(str::to_owned);
        let mut said = Vec::new();
        while said.len() < MOST_OF_AN_ERROR {
            match self.within(deadline, response.chunk()).await? {
                Ok(Some(bytes)) => said.extend_from_slice(&bytes),
                Ok(None) | Err(_) => break,
            }
        }
        if !status.is_success() {
            let said = self.target.snippet(&said);
            let retry = retry.map(|wait| self.target.snippet(wait.as_bytes()));
            return Err(Fault::status(status.as_u16(), said, retry.as_deref()));
        }
        let snippet = |text: &[u8]| self.target.snippet(text);
        let what = format!("{}, and begins: {}", snippet(kind.as_bytes()), snippet(&said));
        Err(Fault::NotAStream { what })
    }
}

/// What was seen of an answer so far.
struct Seen {
    asked: u64,
    sent: Instant,
    arrivals: Vec<Instant>,
    usage: Option<Usage>,
    text: String,
    done: bool,
}

impl Seen {
    fn take(&mut self, data: &[u8], now: Instant, target: &Target) -> Result<(), Fault> {
        let snippet = |text: String| target.snippet(text.as_bytes());
        match read_event(data).map_err(|reason| Fault::BadEvent { reason: snippet(reason) })? {
            Event::Done => self.done = true,
            Event::Chunk(chunk) => {
                if let Some(said) = chunk.error() {
                    return Err(Fault::Said { said: snippet(said) });
                }
                if chunk.has_content() {
                    self.arrivals.push(now);
                    if target.keep_text {
                        self.text.extend(chunk.text());
                    }
                    if self.is_beyond() {
                        return Err(Fault::Endless { asked: self.asked });
                    }
                }
                self.usage = chunk.usage.or(self.usage);
            }
        }
        Ok(())
    }

    /// Whether there is more of it than any answer of so many tokens has.
    fn is_beyond(&self) -> bool {
        let tokens = usize::try_from(self.asked).unwrap_or(usize::MAX);
        let most = |each: usize, least: usize| tokens.saturating_mul(each).saturating_add(least);
        self.arrivals.len() > most(MOST_OF_A_TOKEN.0, MOST_OF_NONE.0)
            || self.text.len() > most(MOST_OF_A_TOKEN.1, MOST_OF_NONE.1)
    }
}

impl Server for OpenAi {
    async fn send(&self, request: Prepared, cut: Cut) -> Exchange {
        let tokens = usize::try_from(request.osl.get()).unwrap_or(0).min(1 << 16);
        let mut seen = Seen {
            asked: request.osl.get(),
            sent: Instant::now(),
            arrivals: Vec::with_capacity(tokens),
            usage: None,
            text: String::new(),
            done: false,
        };
        let fault = tokio::select! {
            biased;
            end = self.follow(&request, &mut seen) => end.err(),
            () = cut.comes() => Some(Fault::Cut),
        };
        let Seen { sent, arrivals, usage, text, .. } = seen;
        let text = self.target.keep_text.then_some(text);
        Exchange { sent, arrivals, usage, text, fault }
    }
}

fn headers(target: &Target) -> Result<HeaderMap, TargetError> {
    let mut headers = HeaderMap::new();
    if let Some(key) = &target.key {
        let mut value = HeaderValue::from_str(&format!("Bearer {}", key.reveal()))
            .map_err(|_| TargetError::Key)?;
        value.set_sensitive(true);
        headers.insert(AUTHORIZATION, value);
    }
    for header in &target.headers {
        let name = HeaderName::from_bytes(header.name.as_bytes());
        let mut value =
            HeaderValue::from_str(header.value.reveal()).map_err(|_| TargetError::Header)?;
        value.set_sensitive(true);
        headers.insert(name.map_err(|_| TargetError::Header)?, value);
    }
    Ok(headers)
}
