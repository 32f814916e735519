//! The hub: which files of a repository make a model, and bringing them into the local cache.

use crate::error::ModelError;
use hf_hub::api::sync::{Api, ApiBuilder, ApiError, ApiRepo};
use hf_hub::{Cache, Repo, RepoType};
use std::path::{Path, PathBuf};

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
    /// Whether downloads draw a progress bar on standard error.
    pub(crate) progress: bool,
}

impl HubOptions {
    pub(crate) fn from_env(progress: bool) -> Self {
        let set = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
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
    let failed = |what: &str, error: &ApiError| ModelError::Hub {
        what: what.to_owned(),
        reason: reason(error, options),
    };
    let api = open(options).map_err(|error| failed(repo, &error))?;
    let remote = api.repo(handle);
    let info = remote.info().map_err(|error| failed(repo, &error))?;
    let names: Vec<&str> = info.siblings.iter().map(|sibling| sibling.rfilename.as_str()).collect();
    let wanted = choose(repo, &names, file)?;
    let mut path = PathBuf::new();
    for name in &wanted {
        path =
            download(&remote, name).map_err(|error| failed(&format!("{repo}/{name}"), &error))?;
    }
    Ok(Fetched { path: as_model(path, &wanted), revision: Some(info.sha) })
}

fn open(options: &HubOptions) -> Result<Api, ApiError> {
    let mut builder = ApiBuilder::from_cache(options.cache())
        .with_progress(options.progress)
        .with_retries(3)
        .with_user_agent("freeweights", env!("CARGO_PKG_VERSION"));
    if let Some(endpoint) = &options.endpoint {
        builder = builder.with_endpoint(endpoint.clone());
    }
    if let Some(token) = &options.token {
        builder = builder.with_token(Some(token.clone()));
    }
    builder.build()
}

fn download(remote: &ApiRepo, name: &str) -> Result<PathBuf, ApiError> {
    remote.get(name)
}

/// Which files of a repository make the model.
fn choose(repo: &str, names: &[&str], file: Option<&str>) -> Result<Vec<String>, ModelError> {
    let refuse = |reason: String| Err(ModelError::Hub { what: repo.to_owned(), reason });
    let ending = |end: &str| names.iter().copied().filter(|n| n.ends_with(end)).collect::<Vec<_>>();
    if let Some(file) = file {
        if !names.contains(&file) {
            let like = crate::error::nearest(file, names.iter().copied());
            return refuse(format!("it has no file {file:?}; nearest: {like}"));
        }
        return Ok(vec![file.to_owned()]);
    }
    let shards: Vec<&str> =
        ending(".safetensors").into_iter().filter(|name| !name.contains('/')).collect();
    let ggufs = ending(".gguf");
    if names.contains(&"config.json") && !shards.is_empty() {
        let beside = ["model.safetensors.index.json", "tokenizer.json"];
        let mut wanted: Vec<String> =
            beside.iter().filter(|name| names.contains(name)).map(|&name| name.into()).collect();
        wanted.extend(shards.into_iter().map(str::to_owned));
        // The config last: its folder is the model.
        wanted.push("config.json".into());
        return Ok(wanted);
    }
    match ggufs.as_slice() {
        [one] => Ok(vec![(*one).to_owned()]),
        [] if !ending(".bin").is_empty() => {
            refuse("it has pickle files only, which can run any code; look for a safetensors or GGUF version".into())
        }
        [] => refuse("it has neither config.json with safetensors nor a GGUF".into()),
        many => refuse(format!("it has several GGUF files; name one as hf:{repo}:FILE out of {}", many.join(", "))),
    }
}

/// The path of the last file is the model, or lies in its folder.
fn as_model(last: PathBuf, wanted: &[String]) -> PathBuf {
    match last.parent() {
        Some(folder) if wanted.last().is_some_and(|name| name == "config.json") => {
            folder.to_path_buf()
        }
        _ => last,
    }
}

fn from_cache(
    repo: &str,
    handle: &Repo,
    file: Option<&str>,
    options: &HubOptions,
) -> Result<Fetched, ModelError> {
    let cached = options.cache().repo(handle.clone());
    let absent = || ModelError::Hub {
        what: repo.to_owned(),
        reason: "HF_HUB_OFFLINE is set and it is not in the cache; unset it to download".into(),
    };
    let path = match file {
        Some(file) => cached.get(file).ok_or_else(absent)?,
        None => match cached.get("config.json") {
            Some(config) => as_model(config, &["config.json".into()]),
            None => cached_gguf(&options.cache(), handle).ok_or_else(absent)?,
        },
    };
    let snapshot = path
        .ancestors()
        .find(|at| at.parent().and_then(Path::file_name).is_some_and(|name| name == "snapshots"));
    let revision =
        snapshot.and_then(Path::file_name).map(|name| name.to_string_lossy().into_owned());
    Ok(Fetched { path, revision })
}

/// The only GGUF of the cached snapshot.
fn cached_gguf(cache: &Cache, handle: &Repo) -> Option<PathBuf> {
    let folder = cache.path().join(handle.folder_name());
    let commit = std::fs::read_to_string(folder.join("refs").join(handle.revision())).ok()?;
    let mut files = std::fs::read_dir(folder.join("snapshots").join(commit.trim()))
        .ok()?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|ending| ending == "gguf"));
    let first = files.next()?;
    files.next().is_none().then_some(first)
}

fn reason(error: &ApiError, options: &HubOptions) -> String {
    let text = error.to_string();
    let status = |code: &str| {
        text.contains(&format!("status code {code}")) || text.contains(&format!("status: {code}"))
    };
    if status("401") || status("403") {
        return if options.token.is_some() {
            "access is refused for this HF_TOKEN; accept the model's licence on its page, or use another token".into()
        } else {
            "it is gated or private; accept its licence on its page and set HF_TOKEN".into()
        };
    }
    if status("404") {
        return "there is no such repository, revision or file; check the spelling".into();
    }
    format!("{text}; check the network, or set HF_HUB_OFFLINE=1 to use what is in the cache")
}
