//! How a user names a model.

use crate::error::{ModelError, nearest};
use crate::preset::PRESETS;
use crate::quant::Quant;
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// Quantisation of `dummy:PRESET` without one: the smallest that every engine reads.
const DUMMY_QUANT: Quant = Quant::Q4_0;

/// A model as the user named it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ModelId {
    /// A GGUF file or a folder with config.json and safetensors.
    Path(PathBuf),
    /// A repository on the hub.
    Hub {
        /// `ORG/NAME`.
        repo: String,
        /// Branch, tag or commit.
        revision: Option<String>,
        /// One file of it.
        file: Option<String>,
    },
    /// Seeded random weights in the shape of a preset or of a config.json.
    Dummy {
        /// Preset name, or path of a config.json.
        shape: String,
        /// Quantisation.
        quant: Quant,
    },
}

impl FromStr for ModelId {
    type Err = ModelError;

    fn from_str(id: &str) -> Result<Self, ModelError> {
        if let Some(rest) = id.strip_prefix("dummy:") {
            return dummy(rest);
        }
        if let Some(rest) = id.strip_prefix("hf:") {
            return hub(id, rest);
        }
        let path = Path::new(id);
        let named_as_file = path.extension().is_some_and(|ending| {
            ["gguf", "safetensors", "bin", "pt", "pth", "json"]
                .iter()
                .any(|known| ending.eq_ignore_ascii_case(known))
        });
        let names_a_revision_or_file = id.contains(['@', ':']);
        if path.exists()
            || (named_as_file && !names_a_revision_or_file)
            || id.starts_with(['.', '/', '~'])
        {
            return Ok(Self::Path(path.to_path_buf()));
        }
        let repository = id.split(['@', ':']).next().unwrap_or_default();
        if repository.matches('/').count() == 1 {
            return hub(id, id);
        }
        Err(bad_id(id))
    }
}

fn dummy(rest: &str) -> Result<ModelId, ModelError> {
    let (shape, quant) = match rest.rsplit_once(':') {
        Some((shape, quant)) => (shape, quant.parse()?),
        None => (rest, DUMMY_QUANT),
    };
    Ok(ModelId::Dummy { shape: shape.to_owned(), quant })
}

fn hub(id: &str, rest: &str) -> Result<ModelId, ModelError> {
    let (repo_and_revision, file) = match rest.split_once(':') {
        Some((repo, file)) => (repo, Some(file.to_owned())),
        None => (rest, None),
    };
    let (repo, revision) = match repo_and_revision.split_once('@') {
        Some((repo, revision)) => (repo, Some(revision.to_owned())),
        None => (repo_and_revision, None),
    };
    let plain = |part: &str| {
        !part.is_empty()
            && !part.starts_with('.')
            && part.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
    };
    let two_parts = repo.split_once('/').is_some_and(|(org, name)| plain(org) && plain(name));
    // A file or revision that climbs out of its folder is nobody's honest wish.
    let climbs = |part: &Option<String>| {
        part.as_ref()
            .is_some_and(|p| p.is_empty() || p.starts_with('/') || p.split('/').any(|s| s == ".."))
    };
    if !two_parts || climbs(&file) || climbs(&revision) {
        return Err(bad_id(id));
    }
    Ok(ModelId::Hub { repo: repo.to_owned(), revision, file })
}

fn bad_id(id: &str) -> ModelError {
    let known = PRESETS.iter().map(|preset| preset.name);
    let closest = nearest(&id.to_ascii_lowercase(), known);
    let first = closest.split(", ").next().unwrap_or_default();
    ModelError::BadId { id: id.to_owned(), hint: format!(", as in dummy:{first}") }
}

impl fmt::Display for ModelId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path(path) => write!(f, "{}", path.display()),
            Self::Hub { repo, revision, file } => {
                write!(f, "hf:{repo}")?;
                if let Some(revision) = revision {
                    write!(f, "@{revision}")?;
                }
                if let Some(file) = file {
                    write!(f, ":{file}")?;
                }
                Ok(())
            }
            Self::Dummy { shape, quant } => write!(f, "dummy:{shape}:{quant}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_documented_form_is_read_and_written_back() {
        for (text, back) in [
            ("dummy:smollm2-135m", "dummy:smollm2-135m:q4_0"),
            ("dummy:llama-3.1-8b:Q8_0", "dummy:llama-3.1-8b:q8_0"),
            ("dummy:shapes/config.json:bf16", "dummy:shapes/config.json:bf16"),
            ("hf:org/name", "hf:org/name"),
            ("org/name@v1.0:sub/file.gguf", "hf:org/name@v1.0:sub/file.gguf"),
            ("models/absent.gguf", "models/absent.gguf"),
        ] {
            assert_eq!(text.parse::<ModelId>().unwrap().to_string(), back);
        }
    }

    #[test]
    fn what_is_no_model_is_refused_with_a_hint() {
        let error = "smollm2".parse::<ModelId>().unwrap_err().to_string();
        assert!(error.ends_with("or dummy:PRESET, as in dummy:smollm2-135m"), "{error}");
        for id in ["", "hf:org", "hf:org/name:../../secret", "hf:../name", "hf:a/b/c", "dummy:a:q9"]
        {
            assert!(id.parse::<ModelId>().is_err(), "{id}");
        }
    }
}
