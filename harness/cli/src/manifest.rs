//! `run.json`: what a run is a run of, so that nothing else is ever mixed into it.
//!
//! Not here: results, and reading them back.

use crate::suite::Plan;
use anyhow::{Context, bail, ensure};
use freeweights_measure::BuildInfo;
use freeweights_record::Host;
use freeweights_record::units::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::path::Path;

/// Version of the file.
const VERSION: u32 = 1;

/// The name of the file.
pub const FILE: &str = "run.json";

/// Everything that has to be the same for samples to belong to one run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// Version of this file.
    run_json_version: u32,
    /// The run.
    pub run_id: String,
    /// When it began.
    pub started_at: jiff::Timestamp,
    /// What measures.
    freeweights: Program,
    /// Where.
    machine: Machine,
    /// What, and how often: the arguments with every default, in the form of a plan.
    pub plan: Plan,
    /// SHA-256 of the text that prompts are cut from.
    text_sha256: Option<String>,
    /// The models as they were found.
    pub models: Vec<FoundModel>,
}

/// The binary that measures.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Program {
    version: String,
    git_commit: Option<String>,
    build_profile: String,
    build_flags: Option<String>,
}

/// The machine, as far as it tells one from another.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Machine {
    cpu_model: Option<String>,
    cpu_cores: Option<u32>,
    cpu_features: Vec<String>,
    memory_total_bytes: Option<Bytes>,
    kernel: Option<String>,
}

/// A model as it was found where its name points.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FoundModel {
    /// As the user named it.
    pub model: String,
    /// Commit on the hub.
    pub revision: Option<String>,
    /// SHA-256 of its files.
    pub sha256: Option<String>,
}

impl Manifest {
    /// The manifest of a run that begins now.
    pub fn of(
        run_id: String,
        started_at: jiff::Timestamp,
        build: &BuildInfo,
        host: &Host,
        plan: Plan,
        text_sha256: Option<String>,
        models: Vec<FoundModel>,
    ) -> Self {
        Self {
            run_json_version: VERSION,
            run_id,
            started_at,
            freeweights: Program {
                version: build.version.clone(),
                git_commit: build.git_commit.clone(),
                build_profile: build.profile.clone(),
                build_flags: build.flags.clone(),
            },
            machine: Machine {
                cpu_model: host.cpu_model.clone(),
                cpu_cores: host.cpu_cores,
                cpu_features: host.cpu_features.clone(),
                memory_total_bytes: host.memory_total_bytes,
                kernel: host.kernel.clone(),
            },
            plan,
            text_sha256,
            models,
        }
    }

    /// Reads the manifest of a folder; `None` where there is none.
    pub fn read(folder: &Path) -> anyhow::Result<Option<Self>> {
        let path = folder.join(FILE);
        let text = match crate::texts::inside(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            read => read.with_context(|| format!("cannot read {}", path.display()))?,
        };
        let advice = "name a fresh folder with --out";
        let value: Value = serde_json::from_str(&text)
            .with_context(|| format!("{} is no JSON; {advice}", path.display()))?;
        ensure!(
            value["run_json_version"] == VERSION,
            "{} is of version {}, this freeweights goes on with runs of version {VERSION}; {advice}",
            path.display(),
            value["run_json_version"]
        );
        let manifest = serde_json::from_value(value)
            .with_context(|| format!("{} is not as it was written; {advice}", path.display()))?;
        Ok(Some(manifest))
    }

    /// As it is kept.
    pub fn text(&self) -> anyhow::Result<String> {
        Ok(format!("{}\n", serde_json::to_string_pretty(self)?))
    }

    /// Refuses what would mix something else into the run, and names the first difference.
    pub fn refuse_other(&self, now: &Self) -> anyhow::Result<()> {
        let fresh = "name a fresh folder with --out";
        if let Some((key, was, is)) = difference(&self.plan, &now.plan)? {
            bail!(
                "this run was begun with {key} {was}, and now it is {is}; leave the argument out to go on, or {fresh}"
            );
        }
        if let Some((key, was, is)) = difference(&self.machine, &now.machine)? {
            bail!(
                "this run was made on a machine with {key} {was}, this one has {is}; results of two machines are not mixed: {fresh}"
            );
        }
        for (was, is) in self.models.iter().zip(&now.models) {
            if let Some((key, before, after)) = difference(was, is)? {
                bail!(
                    "{}: {key} was {before} when this run was begun, and is {after}; results of two models are not mixed: bring the file back, or {fresh}",
                    was.model
                );
            }
        }
        if self.text_sha256 != now.text_sha256 {
            bail!("the text has changed since this run was begun; bring it back, or {fresh}");
        }
        if let Some((key, was, is)) = difference(&self.freeweights, &now.freeweights)? {
            bail!(
                "this run was begun by a freeweights with {key} {was}, this one has {is}; results of two builds are not mixed: use the same build, or {fresh}"
            );
        }
        Ok(())
    }
}

/// The first key with two values, and these, for people.
fn difference<T: Serialize>(was: &T, is: &T) -> anyhow::Result<Option<(String, String, String)>> {
    let (was, is) = (serde_json::to_value(was)?, serde_json::to_value(is)?);
    let mut keys: Vec<&String> = Vec::new();
    for value in [&was, &is] {
        keys.extend(value.as_object().into_iter().flat_map(serde_json::Map::keys));
    }
    let first = keys.into_iter().find(|key| was[key.as_str()] != is[key.as_str()]);
    Ok(first.map(|key| {
        let (was, is) = (&was[key.as_str()], &is[key.as_str()]);
        match (was, is) {
            // Of lists (grids, features) the parts that both have say nothing.
            (Value::Array(before), Value::Array(after)) => {
                let only = |these: &[Value], those: &[Value]| {
                    let rest = these.iter().filter(|value| !those.contains(value));
                    people(&Value::Array(rest.cloned().collect()))
                };
                (key.clone(), only(before, after), only(after, before))
            }
            _ => (key.clone(), people(was), people(is)),
        }
    }))
}

/// A value without the punctuation of JSON.
fn people(value: &Value) -> String {
    match value {
        Value::Null => "none".into(),
        Value::String(text) => text.clone(),
        Value::Array(all) if all.is_empty() => "none".into(),
        Value::Array(all) => all.iter().map(people).collect::<Vec<_>>().join(" "),
        Value::Object(fields) => {
            let fields = fields.iter().map(|(key, value)| format!("{key} {}", people(value)));
            format!("({})", fields.collect::<Vec<_>>().join(", "))
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest() -> Manifest {
        let host = Host {
            cpu_model: Some("CPU X".into()),
            cpu_cores: Some(2),
            cpu_features: vec!["avx2".into(), "amx".into()],
            ..Host::default()
        };
        let plan = Plan { seed: Some(1), ..Plan::default() };
        let model =
            FoundModel { model: "m.gguf".into(), revision: None, sha256: Some("ab".into()) };
        let build = BuildInfo { git_commit: Some("0ff".into()), ..BuildInfo::default() };
        let start = jiff::Timestamp::UNIX_EPOCH;
        Manifest::of("run".into(), start, &build, &host, plan, None, vec![model])
    }

    #[test]
    fn it_is_read_back_as_it_was_written() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(Manifest::read(folder.path()).unwrap(), None);
        std::fs::write(folder.path().join(FILE), manifest().text().unwrap()).unwrap();
        assert_eq!(Manifest::read(folder.path()).unwrap(), Some(manifest()));
        assert!(manifest().refuse_other(&manifest()).is_ok());
        std::fs::write(folder.path().join(FILE), r#"{"run_json_version": 9}"#).unwrap();
        let error = Manifest::read(folder.path()).unwrap_err().to_string();
        assert!(error.ends_with("run.json is of version 9, this freeweights goes on with runs of version 1; name a fresh folder with --out"), "{error}");
    }

    #[test]
    fn each_difference_is_named() {
        let refused = |change: fn(&mut Manifest)| {
            let mut now = manifest();
            change(&mut now);
            manifest().refuse_other(&now).unwrap_err().to_string()
        };
        insta::assert_snapshot!(refused(|now| now.machine.cpu_model = Some("CPU Y".into())), @"this run was made on a machine with cpu_model CPU X, this one has CPU Y; results of two machines are not mixed: name a fresh folder with --out");
        insta::assert_snapshot!(refused(|now| now.machine.cpu_features = vec!["avx2".into()]), @"this run was made on a machine with cpu_features amx, this one has none; results of two machines are not mixed: name a fresh folder with --out");
        insta::assert_snapshot!(refused(|now| now.plan.seed = Some(2)), @"this run was begun with seed 1, and now it is 2; leave the argument out to go on, or name a fresh folder with --out");
        insta::assert_snapshot!(refused(|now| now.models[0].sha256 = Some("cd".into())), @"m.gguf: sha256 was ab when this run was begun, and is cd; results of two models are not mixed: bring the file back, or name a fresh folder with --out");
        insta::assert_snapshot!(refused(|now| now.freeweights.git_commit = None), @"this run was begun by a freeweights with git_commit 0ff, this one has none; results of two builds are not mixed: use the same build, or name a fresh folder with --out");
        insta::assert_snapshot!(refused(|now| now.text_sha256 = Some("ef".into())), @"the text has changed since this run was begun; bring it back, or name a fresh folder with --out");
    }
}
