//! The hub: which files of a repository make a model, and bringing them into the local cache.

mod transfer;

use crate::error::ModelError;
use hf_hub::{Cache, Repo, RepoType};
use std::path::{Path, PathBuf};
use transfer::{Fault, Hub};

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
    /// Whether downloads show how far they are on standard error.
    pub(crate) progress: bool,
}

impl HubOptions {
    pub(crate) fn from_env(progress: bool) -> Self {
        let trimmed = |value: String| Some(value.trim().to_owned()).filter(|v| !v.is_empty());
        let set = |name: &str| std::env::var(name).ok().and_then(trimmed);
        Self {
            token: set("HF_TOKEN"),
            offline: set("HF_HUB_OFFLINE")
                .is_some_and(|v| v != "0" && !v.eq_ignore_ascii_case("false")),
            endpoint: set("HF_ENDPOINT"),
            home: set("HF_HOME").map(PathBuf::from),
            progress,
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
/// Of a repository with a config.json and safetensors all shards are taken; else its only GGUF; a
/// repository with several GGUF files needs `file`.
///
/// # Errors
/// [`ModelError::Hub`] with the next action.
pub(crate) fn fetch(
    repo: &str,
    revision: Option<&str>,
    file: Option<&str>,
    options: &HubOptions,
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
    for file in wanted.iter().filter_map(known) {
        let what = format!("{repo}/{}", file.rfilename);
        hub.bring(&listing.sha, file).map_err(|fault| failed(&what, fault))?;
    }
    // The branch moves last: offline, it never leads to a model of which a part is missing.
    if revision != listing.sha {
        let moved = options.cache().repo(handle.clone()).create_ref(&listing.sha);
        moved.map_err(|error| failed(repo, Fault::disk(options.cache().path(), &error)))?;
    }
    let path = as_model(&hub.snapshot(&listing.sha), &wanted);
    Ok(Fetched { path, revision: Some(listing.sha) })
}

/// Which files of a repository make the model; for a checkpoint config.json is the last.
fn choose(repo: &str, names: &[&str], file: Option<&str>) -> Result<Vec<String>, ModelError> {
    let refuse = |reason: String| Err(ModelError::Hub { what: repo.to_owned(), reason });
    let ending = |end: &str| names.iter().copied().filter(|n| n.ends_with(end)).collect::<Vec<_>>();
    let ggufs = ending(".gguf");
    if let Some(file) = file {
        if !file.to_ascii_lowercase().ends_with(".gguf") {
            return refuse(format!(
                "{file:?} is no GGUF file, the only kind that makes a model by itself; hf:{repo} takes its safetensors"
            ));
        }
        if !names.contains(&file) {
            let known = if ggufs.is_empty() { names } else { &ggufs };
            let like = crate::error::nearest(file, known.iter().copied());
            return refuse(format!("it has no file {file:?}; nearest: {like}"));
        }
        return Ok(vec![file.to_owned()]);
    }
    let shards: Vec<&str> =
        ending(".safetensors").into_iter().filter(|name| !name.contains('/')).collect();
    if names.contains(&"config.json") && !shards.is_empty() {
        let beside = ["model.safetensors.index.json", "tokenizer.json"];
        let mut wanted: Vec<String> =
            beside.iter().filter(|name| names.contains(name)).map(|&name| name.into()).collect();
        wanted.extend(shards.into_iter().map(str::to_owned));
        wanted.push("config.json".into());
        return Ok(wanted);
    }
    match ggufs.as_slice() {
        [one] => Ok(vec![(*one).to_owned()]),
        [] if [".bin", ".pt", ".pth"].iter().any(|end| !ending(end).is_empty()) => {
            refuse("it has pickle files only, which can run any code; look for a safetensors or GGUF version".into())
        }
        [] => refuse("it has neither config.json with safetensors nor a GGUF; look for a version of the model that has".into()),
        many => refuse(format!("it has several GGUF files; name one as hf:{repo}:FILE out of {}", many.join(", "))),
    }
}

/// A checkpoint is its folder, a GGUF the file.
fn as_model(snapshot: &Path, wanted: &[String]) -> PathBuf {
    match wanted {
        [only] if only != "config.json" => snapshot.join(only),
        _ => snapshot.to_path_buf(),
    }
}

/// What an earlier run, or another tool, left in the cache.
fn from_cache(
    repo: &str,
    handle: &Repo,
    file: Option<&str>,
    options: &HubOptions,
) -> Result<Fetched, ModelError> {
    let folder = options.cache().path().join(handle.folder_name());
    let commit = std::fs::read_to_string(folder.join("refs").join(handle.revision()))
        .map_or_else(|_| handle.revision().to_owned(), |commit| commit.trim().to_owned());
    let snapshot = folder.join("snapshots").join(&commit);
    let mut names = Vec::new();
    list(&snapshot, "", &mut names);
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let has_weights = |name: &&str| [".gguf", ".safetensors"].iter().any(|end| name.ends_with(end));
    if !names.iter().any(has_weights) || file.is_some_and(|file| !names.contains(&file)) {
        let reason = "HF_HUB_OFFLINE is set and it is not in the cache; unset it to download";
        return Err(ModelError::Hub { what: repo.to_owned(), reason: reason.into() });
    }
    let wanted = choose(repo, &names, file)?;
    Ok(Fetched { path: as_model(&snapshot, &wanted), revision: Some(commit) })
}

/// The files below a folder as the hub would name them.
fn list(folder: &Path, prefix: &str, names: &mut Vec<String>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
        // Files are links into the store of blobs; one that leads nowhere does not count.
        match std::fs::metadata(entry.path()) {
            Ok(at) if at.is_dir() => list(&entry.path(), &format!("{name}/"), names),
            Ok(_) => names.push(name),
            Err(_) => {}
        }
    }
    names.sort();
}

#[cfg(test)]
mod tests;
