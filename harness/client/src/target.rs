//! Which server is called, and how.

use crate::fault::snippet;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;
use thiserror::Error;

/// Which of the two interfaces is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Api {
    /// `POST {url}/chat/completions`: the prompt goes through the model's chat template.
    #[default]
    Chat,
    /// `POST {url}/completions`: the prompt as it is.
    Completions,
}

impl Api {
    /// As it is written.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Chat => "chat",
            Self::Completions => "completions",
        }
    }

    /// Behind the URL of the server.
    #[must_use]
    pub const fn path(self) -> &'static str {
        match self {
            Self::Chat => "chat/completions",
            Self::Completions => "completions",
        }
    }
}

/// Words of a secret from so many bytes on are secrets of their own; `Bearer` is none.
const WORD: usize = 8;

/// Text that is sent and never shown: neither `Debug` nor `Display` has it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps it.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself, for the request.
    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }

    /// Takes every occurrence out of a text. What is shorter than four characters is no secret, and
    /// would tear words apart.
    #[must_use]
    pub fn scrub(&self, text: &str) -> String {
        if self.0.len() < 4 { text.to_owned() } else { text.replace(&self.0, "***") }
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// A header that goes with every request. Its value may be a key, so it is kept as one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: Secret,
}

impl FromStr for Header {
    type Err = TargetError;

    fn from_str(text: &str) -> Result<Self, TargetError> {
        let (name, value) = text.split_once(':').ok_or(TargetError::Header)?;
        let name = name.trim().to_owned();
        let known = reqwest::header::HeaderName::from_bytes(name.as_bytes()).is_ok();
        let value = value.trim();
        if !known || reqwest::header::HeaderValue::from_str(value).is_err() {
            return Err(TargetError::Header);
        }
        Ok(Self { name, value: Secret::new(value) })
    }
}

/// Why a target cannot be called at all.
#[derive(Debug, Error)]
pub enum TargetError {
    /// No URL of a server.
    #[error("{url:?} is no URL of a server ({reason}); give one as in http://localhost:8000/v1")]
    Url {
        /// What was given, without what might be secret.
        url: String,
        /// What is wrong.
        reason: String,
    },
    /// No header. Its text may be secret, so it is not repeated.
    #[error("a header is written NAME: VALUE, as in 'X-Tenant: a', in visible ASCII")]
    Header,
    /// The key cannot stand in a header.
    #[error(
        "the API key holds characters that no header can hold; set it again without line breaks"
    )]
    Key,
    /// A certificate that cannot be read.
    #[error("cannot read the certificate {path}: {reason}; give a PEM file", path = path.display())]
    Certificate {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// The client could not be made.
    #[error("the client cannot be made: {reason}")]
    Client {
        /// What is wrong.
        reason: String,
    },
}

/// A server, and how it is called.
#[derive(Debug, Clone)]
pub struct Target {
    /// Up to and with `/v1`.
    pub url: reqwest::Url,
    /// The model by the server's name for it.
    pub model: String,
    /// Which interface.
    pub api: Api,
    /// `Authorization: Bearer` with it.
    pub key: Option<Secret>,
    /// Further headers.
    pub headers: Vec<Header>,
    /// Fields that stand in every request's body beside ours, and in place of ours.
    pub body: serde_json::Map<String, serde_json::Value>,
    /// HTTP/2 without asking; over TLS the server is asked.
    pub http2: bool,
    /// Root certificates that are believed instead of the system's.
    pub certificate: Option<PathBuf>,
    /// How long a request may take to its last byte.
    pub timeout: Duration,
    /// How long nothing may come.
    pub stall: Duration,
    /// Ask for no end of sequence before the output tokens asked for.
    pub ignore_eos: bool,
    /// Keep what was written, so that it can be counted.
    pub keep_text: bool,
}

impl Target {
    /// A server by its URL, with defaults: chat, ten minutes a request, two without a byte.
    ///
    /// # Errors
    /// [`TargetError::Url`].
    pub fn new(url: &str, model: &str) -> Result<Self, TargetError> {
        let refuse = |reason: &str| TargetError::Url {
            // What stands in front of an @ is a name and a password, and keys stand behind a ?.
            url: public_part(url).to_owned(),
            reason: reason.to_owned(),
        };
        let mut parsed: reqwest::Url = url.parse().map_err(|_| refuse("it cannot be read"))?;
        if !matches!(parsed.scheme(), "http" | "https") {
            return Err(refuse("it begins with neither http:// nor https://"));
        }
        if parsed.query().is_some() || parsed.fragment().is_some() {
            return Err(refuse("it goes on behind a ? or #; give such things with --header"));
        }
        if !parsed.username().is_empty() || parsed.password().is_some() {
            return Err(refuse("it holds a name or password; give them with --header"));
        }
        let path = parsed.path().trim_end_matches('/').to_owned();
        parsed.set_path(&path);
        Ok(Self {
            url: parsed,
            model: model.to_owned(),
            api: Api::default(),
            key: None,
            headers: Vec::new(),
            body: serde_json::Map::new(),
            http2: false,
            certificate: None,
            timeout: Duration::from_mins(10),
            stall: Duration::from_mins(2),
            ignore_eos: true,
            keep_text: false,
        })
    }

    /// Where requests go.
    #[must_use]
    pub fn endpoint(&self) -> reqwest::Url {
        self.beside(&format!("{}/{}", self.url.path().trim_end_matches('/'), self.api.path()))
    }

    /// Another path of the same server.
    #[must_use]
    pub fn beside(&self, path: &str) -> reqwest::Url {
        let mut url = self.url.clone();
        url.set_path(path);
        url
    }

    /// Takes everything secret out of a text that a server or a library wrote: the key, and values
    /// of headers, whole and word by word (a server may repeat the `k` of `Bearer k`).
    #[must_use]
    pub fn scrub(&self, text: &str) -> String {
        let secrets = self.key.iter().chain(self.headers.iter().map(|header| &header.value));
        let whole = secrets.clone().fold(text.to_owned(), |text, secret| secret.scrub(&text));
        let words = secrets.flat_map(|secret| secret.reveal().split_whitespace());
        let words = words.filter(|word| word.len() >= WORD).map(Secret::new);
        words.fold(whole, |text, secret| secret.scrub(&text))
    }

    /// The beginning of what a server or a library wrote, without secrets, on one line.
    pub(crate) fn snippet(&self, bytes: &[u8]) -> String {
        snippet(&self.scrub(&String::from_utf8_lossy(bytes)))
    }
}

/// What of a URL may be shown.
fn public_part(url: &str) -> &str {
    let plain = url.split(['?', '#']).next().unwrap_or_default();
    plain.rsplit('@').next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_of_the_interface_goes_behind_the_url() {
        let mut target = Target::new("http://host:8000/v1/", "m").unwrap();
        assert_eq!(target.endpoint().as_str(), "http://host:8000/v1/chat/completions");
        target.api = Api::Completions;
        assert_eq!(target.endpoint().as_str(), "http://host:8000/v1/completions");
        assert_eq!(target.beside("/metrics").as_str(), "http://host:8000/metrics");
    }

    #[test]
    fn what_is_no_server_is_refused_without_its_password() {
        let refused = |url: &str| Target::new(url, "m").unwrap_err().to_string();
        insta::assert_snapshot!(refused("localhost"), @r#""localhost" is no URL of a server (it cannot be read); give one as in http://localhost:8000/v1"#);
        insta::assert_snapshot!(refused("ftp://host"), @r#""ftp://host" is no URL of a server (it begins with neither http:// nor https://); give one as in http://localhost:8000/v1"#);
        insta::assert_snapshot!(refused("http://me:hunter2@host/v1"), @r#""host/v1" is no URL of a server (it holds a name or password; give them with --header); give one as in http://localhost:8000/v1"#);
    }

    #[test]
    fn keys_in_a_query_are_not_repeated() {
        let refused = Target::new("http://host/v1?api_key=hunter2", "m").unwrap_err().to_string();
        assert!(!refused.contains("hunter2"), "{refused}");
        assert!(refused.starts_with("\"http://host/v1\" is no URL of a server (it goes on"));
    }

    #[test]
    fn a_secret_is_taken_out_before_a_text_is_cut() {
        let mut target = Target::new("http://host/v1", "m").unwrap();
        target.headers = vec!["Authorization: Bearer sk-very-long-secret".parse().unwrap()];
        // The cut of 200 characters would fall into the key.
        let said = target.snippet(format!("{} sk-very-long-secret", "x".repeat(190)).as_bytes());
        assert!(said.ends_with("x ***"), "{said}");
        assert_eq!(target.scrub("no such key sk-very-long-secret"), "no such key ***");
    }

    #[test]
    fn secrets_are_neither_shown_nor_left_in_texts() {
        let mut target = Target::new("http://host/v1", "m").unwrap();
        target.key = Some(Secret::new("sk-very-secret"));
        target.headers = vec!["X-Key: other-secret".parse().unwrap()];
        let shown = format!("{target:?}");
        assert!(!shown.contains("secret"), "{shown}");
        let said = target.scrub("no such key: sk-very-secret or other-secret");
        assert_eq!(said, "no such key: *** or ***");
        assert!("no colon".parse::<Header>().is_err());
        assert!(!"a b: hunter2".parse::<Header>().unwrap_err().to_string().contains("hunter2"));
    }
}
