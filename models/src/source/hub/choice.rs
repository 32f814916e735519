//! Which files of a repository make the model that was asked for.

use crate::error::{ModelError, nearest};
use crate::source::gguf::PartName;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The files to bring, in this order; the last makes an unfinished set recognisable: config.json of
/// a checkpoint, the first part of a split GGUF.
///
/// Of a repository with a config.json and safetensors that is all shards; else its only GGUF, whole
/// or split. Of several GGUFs `file` takes one: by its name, by that of one of its parts, or by its
/// quantisation as it stands in the name (`Q4_K_M`).
///
/// # Errors
/// [`ModelError::Hub`] with the next action.
pub(super) fn choose(
    repo: &str,
    names: &[&str],
    file: Option<&str>,
) -> Result<Vec<String>, ModelError> {
    match file {
        Some(file) if file.to_ascii_lowercase().ends_with(".gguf") => by_name(repo, names, file),
        // No quantisation has a full stop or a folder in its name.
        Some(file) if file.contains(['.', '/']) => refuse(
            repo,
            format!(
                "{file:?} is no GGUF file, the only kind that makes a model by itself; hf:{repo} takes its safetensors"
            ),
        ),
        Some(quant) => by_quantisation(repo, names, quant),
        None => whole_repository(repo, names),
    }
}

fn refuse<T>(repo: &str, reason: String) -> Result<T, ModelError> {
    Err(ModelError::Hub { what: repo.to_owned(), reason })
}

fn ending<'a>(names: &[&'a str], end: &str) -> Vec<&'a str> {
    names.iter().copied().filter(|name| name.ends_with(end)).collect()
}

fn by_name(repo: &str, names: &[&str], file: &str) -> Result<Vec<String>, ModelError> {
    if !names.contains(&file) {
        let ggufs = ending(names, ".gguf");
        let known = if ggufs.is_empty() { names } else { &ggufs };
        let like = nearest(file, known.iter().copied());
        return refuse(repo, format!("it has no file {file:?}; nearest: {like}"));
    }
    all_parts(repo, names, file)
}

fn by_quantisation(repo: &str, names: &[&str], quant: &str) -> Result<Vec<String>, ModelError> {
    let models = models(names);
    // A name is words between dashes and full stops, of which one is the quantisation.
    let has =
        |name: &&str| name.split(['-', '.', '/']).any(|word| word.eq_ignore_ascii_case(quant));
    let matching: Vec<&str> = models.iter().copied().filter(has).collect();
    match matching.as_slice() {
        [one] => all_parts(repo, names, one),
        [] if models.is_empty() => refuse(
            repo,
            format!("it has no GGUF files, so none in {quant}; hf:{repo} takes its safetensors"),
        ),
        [] => refuse(
            repo,
            format!("none of its GGUF files is in {quant}; it has {}", models.join(", ")),
        ),
        many => refuse(
            repo,
            format!(
                "several of its GGUF files are in {quant}; name one as hf:{repo}:FILE out of {}",
                many.join(", ")
            ),
        ),
    }
}

fn whole_repository(repo: &str, names: &[&str]) -> Result<Vec<String>, ModelError> {
    let shards: Vec<&str> =
        ending(names, ".safetensors").into_iter().filter(|name| !name.contains('/')).collect();
    if names.contains(&"config.json") && !shards.is_empty() {
        let beside = ["model.safetensors.index.json", "tokenizer.json"];
        let mut wanted: Vec<String> =
            beside.iter().filter(|name| names.contains(name)).map(|&name| name.into()).collect();
        wanted.extend(shards.into_iter().map(str::to_owned));
        wanted.push("config.json".into());
        return Ok(wanted);
    }
    let pickles = [".bin", ".pt", ".pth"].iter().any(|end| !ending(names, end).is_empty());
    match models(names).as_slice() {
        [one] => all_parts(repo, names, one),
        [] if pickles => refuse(repo, "it has pickle files only, which can run any code; look for a safetensors or GGUF version".into()),
        [] => refuse(repo, "it has neither config.json with safetensors nor a GGUF; look for a version of the model that has".into()),
        many => refuse(repo, format!("it has several GGUF files; name one as hf:{repo}:FILE, or its quantisation as hf:{repo}:Q4_K_M, out of {}", many.join(", "))),
    }
}

/// The GGUF models of a repository, each by its file or its first part. What llama.cpp keeps beside
/// a model (a projector for images, an importance matrix) is none.
fn models<'a>(names: &[&'a str]) -> Vec<&'a str> {
    let mut models: BTreeMap<String, &str> = BTreeMap::new();
    for name in ending(names, ".gguf") {
        let file = name.rsplit('/').next().unwrap_or(name).to_ascii_lowercase();
        if file.starts_with("mmproj") || file.contains("imatrix") {
            continue;
        }
        let first = PartName::of(name).map_or_else(|| name.to_owned(), |part| part.part(1));
        let shown = models.entry(first).or_insert(name);
        *shown = name.min(shown);
    }
    models.into_values().collect()
}

/// A file, with all parts of its model where it is one of several; the first part last.
fn all_parts(repo: &str, names: &[&str], file: &str) -> Result<Vec<String>, ModelError> {
    let Some(part) = PartName::of(file) else { return Ok(vec![file.to_owned()]) };
    let mut parts: Vec<String> = part.all().collect();
    if let Some(missing) = parts.iter().find(|part| !names.contains(&part.as_str())) {
        let count = part.count;
        return refuse(
            repo,
            format!(
                "{file} is one of {count} parts, and {missing} is not there; use another file of the model"
            ),
        );
    }
    parts.rotate_left(1);
    Ok(parts)
}

/// A checkpoint is its folder, a GGUF its file or first part.
pub(super) fn as_model(snapshot: &Path, wanted: &[String]) -> PathBuf {
    match wanted.last() {
        Some(last) if last != "config.json" => snapshot.join(last),
        _ => snapshot.to_path_buf(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(names: &[&str], file: &str) -> Result<Vec<String>, String> {
        choose("org/m", names, Some(file)).map_err(|error| error.to_string())
    }

    const MANY: [&str; 8] = [
        "README.md",
        "m-1.5B.Q4_K_M.gguf",
        "m-1.5B.Q4_K_S.gguf",
        "m-1.5b-q8_0.gguf",
        "BF16/m-BF16-00001-of-00002.gguf",
        "BF16/m-BF16-00002-of-00002.gguf",
        "mmproj-m-f16.gguf",
        "m-1.5B.imatrix.gguf",
    ];

    #[test]
    fn a_quantisation_picks_the_file_or_all_its_parts() {
        assert_eq!(chosen(&MANY, "Q4_K_M").unwrap(), ["m-1.5B.Q4_K_M.gguf"]);
        assert_eq!(chosen(&MANY, "Q8_0").unwrap(), ["m-1.5b-q8_0.gguf"]);
        let parts = ["BF16/m-BF16-00002-of-00002.gguf", "BF16/m-BF16-00001-of-00002.gguf"];
        assert_eq!(chosen(&MANY, "bf16").unwrap(), parts);
        for part in parts {
            assert_eq!(chosen(&MANY, part).unwrap(), parts);
        }
    }

    #[test]
    fn what_is_absent_or_ambiguous_is_listed() {
        // `Q4_K` is no whole word of `Q4_K_M`, and a projector is no model.
        for quant in ["Q4_K", "f16"] {
            assert_eq!(
                chosen(&MANY, quant).unwrap_err(),
                format!(
                    "cannot get org/m from the hub: none of its GGUF files is in {quant}; it has \
                     BF16/m-BF16-00001-of-00002.gguf, m-1.5B.Q4_K_M.gguf, m-1.5B.Q4_K_S.gguf, \
                     m-1.5b-q8_0.gguf"
                )
            );
        }
        let twice = ["a-Q4_0.gguf", "b-Q4_0.gguf", "c.gguf"];
        assert!(chosen(&twice, "q4_0").unwrap_err().ends_with(
            "several of its GGUF files are in q4_0; name one as hf:org/m:FILE out of a-Q4_0.gguf, \
             b-Q4_0.gguf"
        ));
        assert!(
            chosen(&["config.json", "model.safetensors"], "Q4_0")
                .unwrap_err()
                .ends_with("it has no GGUF files, so none in Q4_0; hf:org/m takes its safetensors")
        );
        let part = ["m-Q4_0-00001-of-00002.gguf"];
        assert!(chosen(&part, "Q4_0").unwrap_err().ends_with(
            "is one of 2 parts, and m-Q4_0-00002-of-00002.gguf is not there; use another file of \
             the model"
        ));
    }
}
