//! Bringing files of the hub into the cache.
//!
//! hf-hub gives the cache's layout, the token and the requests; the transfer of a file is our own,
//! because that of hf-hub 0.5 sends the token to whatever host a file is redirected to, and takes a
//! file for whole without looking at its length.

use super::HubOptions;
use super::progress::{Download, Progress};
use hf_hub::Repo;
use hf_hub::api::sync::{ApiBuilder, ApiRepo};
use serde::Deserialize;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A repository at a revision as the hub describes it.
#[derive(Debug, Deserialize)]
pub(super) struct Listing {
    pub(super) sha: String,
    #[serde(default)]
    pub(super) siblings: Vec<Remote>,
}

/// One file of a repository.
#[derive(Debug, Deserialize)]
pub(super) struct Remote {
    pub(super) rfilename: String,
    size: Option<u64>,
    #[serde(rename = "blobId")]
    blob_id: Option<String>,
    lfs: Option<serde_json::Value>,
}

impl Remote {
    fn sha256(&self) -> Option<&str> {
        self.lfs.as_ref()?["sha256"].as_str()
    }

    /// Neither the name nor the blob leads out of the cache or breaks a message in two.
    fn is_harmless(&self) -> bool {
        let name = &self.rfilename;
        !name.chars().any(char::is_control)
            && !name.contains('\\')
            && name.split('/').all(|part| !part.is_empty() && part != "." && part != "..")
            && [self.sha256(), self.blob_id.as_deref()].into_iter().flatten().all(is_hash)
    }
}

pub(super) fn is_hash(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric())
}

/// Why the hub did not give what was asked for.
#[derive(Debug)]
pub(super) enum Fault {
    /// An HTTP status, and the hub's own word for it (`GatedRepo`, `RepoNotFound`, ..).
    Refused { status: u16, word: String },
    /// No connection, or one that broke.
    Network(String),
    /// An answer that makes no sense.
    Nonsense(String),
    /// The cache cannot be written.
    Disk(String),
    /// Another process is at it.
    Busy,
}

impl Fault {
    pub(super) fn disk(path: &Path, error: &std::io::Error) -> Self {
        Self::Disk(format!("cannot write {}: {error}", path.display()))
    }

    /// Whether it may be gone when asked again.
    fn may_pass(&self) -> bool {
        matches!(self, Self::Network(_) | Self::Refused { status: 429 | 500.., .. })
    }

    /// One sentence that ends in the next action.
    pub(super) fn reason(&self, options: &HubOptions) -> String {
        let text = match self {
            Self::Refused { status: 401 | 403, .. } if options.token().is_some() => {
                "access is refused for this token (HF_TOKEN, or that of a login); accept the model's licence on its page, or use another token".into()
            }
            Self::Refused { status: 401 | 403, word } if word == "GatedRepo" => {
                "it is gated; accept its licence on its page and set HF_TOKEN".into()
            }
            // Without a token the hub does not tell a missing repository from a private one.
            Self::Refused { status: 401 | 403, .. } => {
                "it is gated, private or not there; check the spelling, or accept its licence on its page and set HF_TOKEN".into()
            }
            Self::Refused { status: 404, .. } => {
                "there is no such repository, revision or file; check the spelling".into()
            }
            Self::Refused { status, .. } => {
                format!("the hub answers with HTTP {status}; try again later, or set HF_HUB_OFFLINE=1 to use what is in the cache")
            }
            Self::Network(why) => format!("{why}; check the network, or set HF_HUB_OFFLINE=1 to use what is in the cache"),
            Self::Nonsense(why) => format!("{why}; run it again, and check HF_ENDPOINT if it is set"),
            Self::Disk(why) => format!("{why}; make room there, or set HF_HOME to a folder elsewhere"),
            Self::Busy => "another process is downloading it; run it again when that has ended".into(),
        };
        text.lines().collect::<Vec<_>>().join(" ")
    }
}

/// Attempts in a row that bring nothing, after the first.
const RETRIES: u32 = 3;
/// Wait before the first of them; it doubles.
const FIRST_WAIT: Duration = Duration::from_millis(300);
/// For a connection, and for the head of an answer. A body may take as long as it flows.
const PATIENCE: Duration = Duration::from_mins(1);
/// Largest list of files that is believed.
const LISTING_LIMIT: u64 = 64 << 20;

/// Which file of how many it is, and who is told.
#[derive(Clone, Copy)]
pub(super) struct Turn<'a> {
    pub(super) number: usize,
    pub(super) files: usize,
    pub(super) progress: &'a dyn Progress,
}

/// One repository at one revision.
pub(super) struct Hub<'a> {
    remote: ApiRepo,
    handle: &'a Repo,
    options: &'a HubOptions,
    /// Its folder in the cache.
    folder: PathBuf,
}

impl<'a> Hub<'a> {
    pub(super) fn open(handle: &'a Repo, options: &'a HubOptions) -> Result<Self, Fault> {
        let api = ApiBuilder::from_cache(options.cache())
            .with_user_agent("freeweights", env!("CARGO_PKG_VERSION"))
            .with_endpoint(options.endpoint().to_owned())
            .with_token(options.token())
            .build()
            .map_err(|error| Fault::Network(error.to_string()))?;
        let folder = options.cache().path().join(handle.folder_name());
        Ok(Self { remote: api.repo(handle.clone()), handle, options, folder })
    }

    pub(super) fn snapshot(&self, sha: &str) -> PathBuf {
        self.folder.join("snapshots").join(sha)
    }

    /// The body of `url` from a byte on, and whether it does start there.
    ///
    /// The token goes to the hub alone: a redirect to another host drops it.
    fn get(&self, url: &str, from: u64) -> Result<(impl Read + use<>, bool), Fault> {
        // hf-hub lends its agent, token and all, through this request only.
        let mut request = self.remote.info_request().uri(url);
        if from > 0 {
            request = request.header("Range", format!("bytes={from}-"));
        }
        let mut settings = request
            .config()
            .http_status_as_error(false)
            .timeout_connect(Some(PATIENCE))
            .timeout_recv_response(Some(PATIENCE));
        // No proxy of the environment leads to this machine.
        if ["http://127.0.0.1:", "http://localhost:"].iter().any(|here| url.starts_with(here)) {
            settings = settings.proxy(None);
        }
        let answer = settings.build().call().map_err(|error| Fault::Network(error.to_string()))?;
        let status = answer.status().as_u16();
        if status >= 400 {
            let word = answer.headers().get("x-error-code").and_then(|word| word.to_str().ok());
            return Err(Fault::Refused { status, word: word.unwrap_or_default().to_owned() });
        }
        Ok((answer.into_body().into_reader(), status == 206))
    }

    pub(super) fn listing(&self) -> Result<Listing, Fault> {
        let url = format!("{}/api/{}?blobs=true", self.options.endpoint(), self.handle.api_url());
        let mut text = String::new();
        retry(|| {
            text.clear();
            let body = self.get(&url, 0)?.0;
            body.take(LISTING_LIMIT).read_to_string(&mut text).map_err(|error| broken(&error))?;
            Ok(false)
        })?;
        let mut listing: Listing = serde_json::from_str(&text).map_err(|error| {
            Fault::Nonsense(format!("its list of files is unreadable ({error})"))
        })?;
        if !is_hash(&listing.sha) {
            return Err(Fault::Nonsense("its commit has no hash".into()));
        }
        listing.siblings.retain(Remote::is_harmless);
        Ok(listing)
    }

    /// Brings one file into the snapshot of `sha`, where it is not there yet.
    pub(super) fn bring(&self, sha: &str, file: &Remote, turn: Turn<'_>) -> Result<(), Fault> {
        let pointer = self.snapshot(sha).join(&file.rfilename);
        if pointer.exists() {
            return Ok(());
        }
        let blobs = self.folder.join("blobs");
        let at_hand = || format!("{sha}-{}", file.rfilename.replace('/', "-"));
        let id = file.sha256().or(file.blob_id.as_deref()).map_or_else(at_hand, str::to_owned);
        let blob = blobs.join(&id);
        for folder in [Some(blobs.as_path()), pointer.parent()].into_iter().flatten() {
            std::fs::create_dir_all(folder).map_err(|error| Fault::disk(folder, &error))?;
        }
        if !blob.exists() {
            let part = blobs.join(format!("{id}.part"));
            self.told_download(sha, file, &part, turn)?;
            std::fs::rename(&part, &blob).map_err(|error| Fault::disk(&blob, &error))?;
        }
        // Left by a blob that somebody deleted.
        let _ = std::fs::remove_file(&pointer);
        link(&blob, &id, &file.rfilename, &pointer).map_err(|error| Fault::disk(&pointer, &error))
    }

    /// [`Self::download`] between beginning and end as the caller is told of them.
    fn told_download(
        &self,
        sha: &str,
        file: &Remote,
        part: &Path,
        turn: Turn<'_>,
    ) -> Result<(), Fault> {
        let Turn { number, files, progress } = turn;
        let already = std::fs::metadata(part).map_or(0, |part| part.len());
        let (name, bytes) = (file.rfilename.as_str(), file.size);
        progress.begins(&Download { file: name, number, files, bytes, already });
        let done = self.download(sha, file, part, progress);
        progress.ends(done.is_ok());
        done
    }

    /// Fills `part` to its end, from where an earlier attempt left it.
    fn download(
        &self,
        sha: &str,
        file: &Remote,
        part: &Path,
        progress: &dyn Progress,
    ) -> Result<(), Fault> {
        let disk = |error: std::io::Error| Fault::disk(part, &error);
        let name = escaped(&file.rfilename);
        let url = format!("{}/{}/resolve/{sha}/{name}", self.options.endpoint(), self.handle.url());
        let mut into = OpenOptions::new().create(true).append(true).open(part).map_err(disk)?;
        // On a file system without locks, two downloads at once are the user's to avoid.
        if let Err(TryLockError::WouldBlock) = into.try_lock() {
            return Err(Fault::Busy);
        }
        retry(|| {
            let before = into.metadata().map_err(disk)?.len();
            let mut part = Part { path: part, file: &mut into, progress };
            match self.continue_at(before, &url, file, &mut part) {
                Err(fault) if fault.may_pass() => {
                    let grown = into.metadata().map_err(disk)?.len() > before;
                    if grown { Ok(true) } else { Err(fault) }
                }
                other => other.map(|()| false),
            }
        })?;
        let Some(expected) = file.sha256() else { return Ok(()) };
        let hashed = crate::load::sha256_of(&crate::load::Origin::Files(vec![part.to_path_buf()]))
            .map_err(|error| Fault::Disk(error.to_string()))?;
        if hashed.as_deref() == Some(expected) {
            return Ok(());
        }
        std::fs::remove_file(part).map_err(disk)?;
        Err(Fault::Nonsense("what arrived has not the SHA-256 the hub gives for it".into()))
    }

    /// One attempt: appends what is missing after `from` bytes.
    fn continue_at(
        &self,
        from: u64,
        url: &str,
        file: &Remote,
        part: &mut Part<'_>,
    ) -> Result<(), Fault> {
        let Part { path, file: into, progress } = part;
        let disk = |error: std::io::Error| Fault::disk(path, &error);
        // More than the whole, or a part of who knows what length, is begun anew.
        let from = if file.size.is_some_and(|size| from <= size) { from } else { 0 };
        if file.size == Some(from) {
            return into.set_len(from).map_err(disk);
        }
        let (mut body, continues) = self.get(url, from)?;
        let mut at = if continues { from } else { 0 };
        into.set_len(at).map_err(disk)?;
        let mut buffer = vec![0; 1 << 18];
        loop {
            let read = body.read(&mut buffer).map_err(|error| broken(&error))?;
            if read == 0 {
                break;
            }
            into.write_all(&buffer[..read]).map_err(disk)?;
            at += read as u64;
            // Who sends more than it said could fill the disk.
            if let Some(size) = file.size.filter(|size| at > *size) {
                return Err(Fault::Nonsense(format!("more than its {size} bytes arrive")));
            }
            progress.reached(at);
        }
        match file.size.filter(|size| at != *size) {
            Some(size) => Err(Fault::Network(format!("{at} of {size} bytes arrived"))),
            None => Ok(()),
        }
    }
}

/// A file as it grows.
struct Part<'a> {
    path: &'a Path,
    file: &'a mut File,
    progress: &'a dyn Progress,
}

/// Calls `attempt` until it is done (`Ok(false)`), a fault will not pass, or [`RETRIES`] in a row
/// brought nothing; `Ok(true)` got further and goes on.
fn retry(mut attempt: impl FnMut() -> Result<bool, Fault>) -> Result<(), Fault> {
    let mut idle = 0;
    loop {
        match attempt() {
            Ok(false) => return Ok(()),
            Ok(true) => idle = 0,
            Err(fault) if !fault.may_pass() || idle == RETRIES => return Err(fault),
            Err(_) => idle += 1,
        }
        std::thread::sleep(FIRST_WAIT * 2_u32.pow(idle.saturating_sub(1)));
    }
}

fn broken(error: &std::io::Error) -> Fault {
    Fault::Network(format!("the connection broke ({error})"))
}

/// A name as it stands in a URL.
pub(super) fn escaped(name: &str) -> String {
    let stays = |byte: u8| byte.is_ascii_alphanumeric() || b"/-_.~".contains(&byte);
    let letter = |byte| if stays(byte) { char::from(byte).into() } else { format!("%{byte:02X}") };
    name.bytes().map(letter).collect()
}

/// The cache's layout: `snapshots/SHA/NAME` is a relative link to `blobs/ID`.
#[cfg(unix)]
fn link(_: &Path, id: &str, name: &str, pointer: &Path) -> std::io::Result<()> {
    let up = "../".repeat(2 + name.matches('/').count());
    std::os::unix::fs::symlink(format!("{up}blobs/{id}"), pointer)
}

/// Where links need rights that users lack, the file itself lies in the snapshot.
#[cfg(not(unix))]
fn link(blob: &Path, _: &str, _: &str, pointer: &Path) -> std::io::Result<()> {
    std::fs::rename(blob, pointer)
}
