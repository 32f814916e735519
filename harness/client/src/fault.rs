//! Why a request failed. Its word begins the cell `error` and is what failures are counted by.

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
    pub(crate) fn of(error: &reqwest::Error, began: bool) -> Self {
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
        let reason = chain(error);
        let of_tls = ["certificate", "tls", "handshake", "peer"];
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

    /// A status with what the server said.
    pub(crate) fn status(status: u16, body: &[u8], retry_after: Option<&str>) -> Self {
        let mut said = snippet(body);
        if let Some(wait) = retry_after {
            let space = if said.is_empty() { "" } else { "; " };
            // Writing to a String cannot fail.
            let _ = write!(said, "{space}Retry-After {}", snippet(wait.as_bytes()));
        }
        if said.is_empty() {
            said.push_str("nothing said");
        }
        Self::Status { status, said }
    }

    /// With everything secret taken out.
    pub(crate) fn scrubbed(self, scrub: impl Fn(&str) -> String) -> Self {
        match self {
            Self::Connect { reason } => Self::Connect { reason: scrub(&reason) },
            Self::Tls { reason } => Self::Tls { reason: scrub(&reason) },
            Self::Status { status, said } => Self::Status { status, said: scrub(&said) },
            Self::Redirect { status, to } => Self::Redirect { status, to: scrub(&to) },
            Self::NotAStream { what } => Self::NotAStream { what: scrub(&what) },
            Self::BadEvent { reason } => Self::BadEvent { reason: scrub(&reason) },
            Self::Said { said } => Self::Said { said: scrub(&said) },
            Self::Client { reason } => Self::Client { reason: scrub(&reason) },
            other => other,
        }
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
    let text = if all.is_empty() { "it failed".to_owned() } else { all[from..].join(": ") };
    snippet(text.as_bytes())
}

/// The beginning of a text, on one line, without what a terminal would obey.
pub(crate) fn snippet(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(&bytes[..bytes.len().min(4 * SAID)]);
    let printable = text.chars().map(|c| if c.is_control() { ' ' } else { c });
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
        let said = Fault::status(500, b"<html>\n\n\x1b[31mred\x07 oops</html>", None);
        assert_eq!(said.to_string(), "http_500: <html> [31mred oops</html>");
        assert_eq!(Fault::status(429, b"", Some("2")).to_string(), "http_429: Retry-After 2");
        assert_eq!(Fault::status(503, b"", None).to_string(), "http_503: nothing said");
        let long = Fault::status(400, "ä".repeat(1_000).as_bytes(), None).to_string();
        assert!(long.chars().count() <= SAID + 10, "{long}");
    }
}
