//! Why a request failed. Its word begins the cell `error` and is what failures are counted by.

use crate::target::Target;
use std::error::Error as _;
use std::fmt::Write as _;
use std::io::ErrorKind;
use std::time::Duration;
use thiserror::Error;

/// Most characters of what a server said that are kept.
const SAID: usize = 200;

/// Why a request failed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Fault {
    /// Nobody listens there.
    #[error("refused: nobody listens there")]
    Refused,
    /// The connection could not be made.
    #[error("connect: {reason}")]
    Connect {
        /// What is wrong.
        reason: String,
    },
    /// TLS failed: a certificate that is not valid, mostly.
    #[error("tls: {reason}")]
    Tls {
        /// What is wrong.
        reason: String,
    },
    /// The connection was closed before the answer ended.
    #[error("reset: the connection broke {after}")]
    Reset {
        /// Before or after the first byte.
        after: &'static str,
    },
    /// It took longer than a request may.
    #[error("timeout: not done in {most:?}")]
    Timeout {
        /// How long it may take.
        most: Duration,
    },
    /// Nothing came for too long.
    #[error("stall: nothing came for {most:?}")]
    Stall {
        /// How long nothing may come.
        most: Duration,
    },
    /// A status that is no 200.
    #[error("http_{status}: {said}")]
    Status {
        /// The status.
        status: u16,
        /// What the server said with it, the time to wait included.
        said: String,
    },
    /// The server sends elsewhere; it is not followed, since the detour would be timed.
    #[error("redirect: {status} to {to}; give that URL")]
    Redirect {
        /// The status.
        status: u16,
        /// Where to.
        to: String,
    },
    /// No stream of events.
    #[error("not_a_stream: {what}")]
    NotAStream {
        /// Its content type, and how it begins.
        what: String,
    },
    /// An event that is none.
    #[error("bad_event: {reason}")]
    BadEvent {
        /// What is wrong.
        reason: String,
    },
    /// A line without an end.
    #[error("too_long: a line of the stream has more than {most} bytes")]
    TooLong {
        /// The most that is read.
        most: usize,
    },
    /// An answer without an end.
    #[error(
        "endless: the answer goes on beyond {asked} tokens by far; the server keeps to no max_tokens"
    )]
    Endless {
        /// Tokens that were asked for.
        asked: u64,
    },
    /// An error within the stream.
    #[error("server: {said}")]
    Said {
        /// What the server said.
        said: String,
    },
    /// The stream ended without its end mark.
    #[error("no_done: the stream ended without [DONE]")]
    NoDone,
    /// Nothing in it.
    #[error("empty: the answer has no content")]
    Empty,
    /// Nobody counted tokens.
    #[error("no_usage: the server tells no token counts; give --tokenizer")]
    NoUsage,
    /// Still on its way when the case ended.
    #[error("cut: the case ended first")]
    Cut,
    /// Something else of the client.
    #[error("client: {reason}")]
    Client {
        /// What is wrong.
        reason: String,
    },
}

impl Fault {
    /// From what the HTTP client says. `began` tells whether the answer had begun.
    pub(crate) fn of(error: &reqwest::Error, began: bool, target: &Target) -> Self {
        if let Some(kind) = io_kind(error) {
            match kind {
                ErrorKind::ConnectionRefused => return Self::Refused,
                ErrorKind::ConnectionReset | ErrorKind::BrokenPipe | ErrorKind::UnexpectedEof
                    if !error.is_connect() =>
                {
                    return reset(began);
                }
                _ => {}
            }
        }
        let reason = target.snippet(chain(error).as_bytes());
        let of_tls = ["certificate", "tls", "handshake", "fatal alert"];
        if error.is_connect() {
            let lower = reason.to_lowercase();
            if of_tls.iter().any(|word| lower.contains(word)) {
                return Self::Tls { reason };
            }
            return Self::Connect { reason };
        }
        if error.is_body() || error.is_decode() || error.is_request() {
            return reset(began);
        }
        Self::Client { reason }
    }

    /// A status with what the server said, both texts without secrets.
    pub(crate) fn status(status: u16, mut said: String, retry_after: Option<&str>) -> Self {
        if let Some(wait) = retry_after {
            let space = if said.is_empty() { "" } else { "; " };
            // Writing to a String cannot fail.
            let _ = write!(said, "{space}Retry-After {wait}");
        }
        if said.is_empty() {
            said.push_str("nothing said");
        }
        Self::Status { status, said }
    }
}

fn reset(began: bool) -> Fault {
    Fault::Reset { after: if began { "in the middle of the answer" } else { "before the answer" } }
}

/// The kind of the error of the system that lies at the bottom of it.
fn io_kind(error: &reqwest::Error) -> Option<ErrorKind> {
    let mut source = error.source();
    while let Some(inner) = source {
        if let Some(io) = inner.downcast_ref::<std::io::Error>() {
            return Some(io.kind());
        }
        source = inner.source();
    }
    None
}

/// The innermost two messages: the outer ones say "error sending request" only.
fn chain(error: &reqwest::Error) -> String {
    let mut all = Vec::new();
    let mut source = error.source();
    while let Some(inner) = source {
        all.push(inner.to_string());
        source = inner.source();
    }
    let from = all.len().saturating_sub(2);
    if all.is_empty() { "it failed".to_owned() } else { all[from..].join(": ") }
}

/// The beginning of a text, on one line, without what a terminal would obey. Secrets are taken out
/// before: half of one would stand at the cut.
pub(crate) fn snippet(text: &str) -> String {
    let printable = text.chars().take(4 * SAID).map(|c| if c.is_control() { ' ' } else { c });
    let mut words = String::new();
    for c in printable {
        if c == ' ' && words.ends_with(' ') {
            continue;
        }
        words.push(c);
    }
    words.trim().chars().take(SAID).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_server_said_is_cut_and_tamed() {
        let of = |status, said: &str, wait| Fault::status(status, snippet(said), wait).to_string();
        assert_eq!(
            of(500, "<html>\n\n\x1b[31mred\x07 oops</html>", None),
            "http_500: <html> [31mred oops</html>"
        );
        assert_eq!(of(429, "", Some("2")), "http_429: Retry-After 2");
        assert_eq!(of(503, "", None), "http_503: nothing said");
        let long = of(400, &"ä".repeat(1_000), None);
        assert!(long.chars().count() <= SAID + 10, "{long}");
    }
}
