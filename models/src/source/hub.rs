//! The hub: which files of a repository make a model, and bringing them into the local cache.

mod choice;
mod progress;
mod transfer;

pub use progress::{Download, Progress, Quiet};

use super::regular;
use crate::error::ModelError;
use choice::{as_model, choose};
use hf_hub::{Cache, Repo, RepoType};
use std::path::{Path, PathBuf};
use transfer::{Fault, Hub, Turn, is_hash};

/// Longest name of a commit in the cache that is believed.
const COMMIT_BYTES: u64 = 4096;

/// A model in the local cache.
#[derive(Debug)]
pub(crate) struct Fetched {
    /// A GGUF file, or the folder of a checkpoint.
    pub(crate) path: PathBuf,
    /// The exact commit.
    pub(crate) revision: Option<String>,
}

/// How to reach the hub. Read from the environment as the hub's own tools do.
#[derive(Debug, Clone, Default)]
pub(crate) struct HubOptions {
    /// `HF_TOKEN`; without it the token file of a login is used.
    pub(crate) token: Option<String>,
    /// `HF_HUB_OFFLINE`: nothing is asked for, only the cache is read.
    pub(crate) offline: bool,
    /// `HF_ENDPOINT`.
    pub(crate) endpoint: Option<String>,
    /// `HF_HOME`, with the cache in its folder `hub`.
    pub(crate) home: Option<PathBuf>,
}

impl HubOptions {
    pub(crate) fn from_env() -> Self {
        let trimmed = |value: String| Some(value.trim().to_owned()).filter(|v| !v.is_empty());
        let set = |name: &str| std::env::var(name).ok().and_then(trimmed);
        Self {
            token: set("HF_TOKEN"),
            offline: set("HF_HUB_OFFLINE")
                .is_some_and(|v| v != "0" && !v.eq_ignore_ascii_case("false")),
            endpoint: set("HF_ENDPOINT"),
            home: set("HF_HOME").map(PathBuf::from),
        }
    }

    fn cache(&self) -> Cache {
        self.home.as_ref().map_or_else(Cache::default, |home| Cache::new(home.join("hub")))
    }

    fn token(&self) -> Option<String> {
        self.token.clone().or_else(|| self.cache().token())
    }

    fn endpoint(&self) -> &str {
        self.endpoint.as_deref().unwrap_or("https://huggingface.co").trim_end_matches('/')
    }
}

/// Brings `repo` into the cache, or finds it there.
///
/// Which files those are says [`choose`].
///
/// # Errors
/// [`ModelError::Hub`] with the next action.
pub(crate) fn fetch(
    repo: &str,
    revision: Option<&str>,
    file: Option<&str>,
    options: &HubOptions,
    progress: &dyn Progress,
) -> Result<Fetched, ModelError> {
    let revision = revision.unwrap_or("main");
    let handle = Repo::with_revision(repo.to_owned(), RepoType::Model, revision.to_owned());
    if options.offline {
        return from_cache(repo, &handle, file, options);
    }
    let failed = |what: &str, fault: Fault| ModelError::Hub {
        what: what.to_owned(),
        reason: fault.reason(options),
    };
    let hub = Hub::open(&handle, options).map_err(|fault| failed(repo, fault))?;
    let listing = hub.listing().map_err(|fault| failed(repo, fault))?;
    let names: Vec<&str> = listing.siblings.iter().map(|file| file.rfilename.as_str()).collect();
    let wanted = choose(repo, &names, file)?;
    let known = |name: &String| listing.siblings.iter().find(|file| file.rfilename == *name);
    for (index, file) in wanted.iter().filter_map(known).enumerate() {
        let what = format!("{repo}/{}", file.rfilename);
        let turn = Turn { number: index + 1, files: wanted.len(), progress };
        hub.bring(&listing.sha, file, turn).map_err(|fault| failed(&what, fault))?;
    }
    // The branch moves last: offline, it never leads to a model of which a part is missing.
    if revision != listing.sha {
        let moved = options.cache().repo(handle.clone()).create_ref(&listing.sha);
        moved.map_err(|error| failed(repo, Fault::disk(options.cache().path(), &error)))?;
    }
    let path = as_model(&hub.snapshot(&listing.sha), &wanted);
    Ok(Fetched { path, revision: Some(listing.sha) })
}

/// What an earlier run, or another tool, left in the cache.
fn from_cache(
    repo: &str,
    handle: &Repo,
    file: Option<&str>,
    options: &HubOptions,
) -> Result<Fetched, ModelError> {
    let folder = options.cache().path().join(handle.folder_name());
    let branch = folder.join("refs").join(handle.revision());
    let commit = regular::text(&branch, COMMIT_BYTES).ok();
    let commit = commit.as_deref().map(str::trim).filter(|commit| is_hash(commit));
    let commit = commit.unwrap_or_else(|| handle.revision()).to_owned();
    let snapshot = folder.join("snapshots").join(&commit);
    let mut names = Vec::new();
    if std::fs::symlink_metadata(&snapshot).is_ok_and(|at| at.is_dir()) {
        list(&snapshot, "", &mut names);
    }
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let has_weights = |name: &&str| [".gguf", ".safetensors"].iter().any(|end| name.ends_with(end));
    // What was named is there or not; without a name there may be several to choose from.
    let wanted = match choose(repo, &names, file) {
        Err(error) if file.is_none() && names.iter().any(has_weights) => return Err(error),
        other => other.ok(),
    };
    let Some(wanted) = wanted.filter(|_| names.iter().any(has_weights)) else {
        let reason = "HF_HUB_OFFLINE is set and it is not in the cache; unset it to download";
        return Err(ModelError::Hub { what: repo.to_owned(), reason: reason.into() });
    };
    Ok(Fetched { path: as_model(&snapshot, &wanted), revision: Some(commit) })
}

/// The files below a folder as the hub would name them.
fn list(folder: &Path, prefix: &str, names: &mut Vec<String>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
        // Files are links into the store of blobs; one that leads nowhere does not count, nor does
        // one to a folder, which may be the one it lies in.
        if entry.file_type().is_ok_and(|at| at.is_dir()) {
            list(&entry.path(), &format!("{name}/"), names);
        } else if entry.path().is_file() {
            names.push(name);
        }
    }
    names.sort();
}

#[cfg(test)]
mod tests;
