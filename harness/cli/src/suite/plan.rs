//! A plan: everything that defines a run, as it stands in a file, on the command line, or in the
//! `run.json` of a run.
//!
//! Not here: what the values mean ([`super::Suite`]), and the plans that come with the program
//! ([`super::embedded`]).

use crate::lists::counts;
use anyhow::{Context, bail};
use freeweights_models::nearest;
use serde::{Deserialize, Deserializer, Serialize};
use std::path::Path;

/// A list of counts as people write it: `64`, `"64-512+64"` or `[64, 128]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct List(pub String);

impl<'de> Deserialize<'de> for List {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Written {
            One(u32),
            Many(Vec<u32>),
            Text(String),
        }
        Ok(Self(match Written::deserialize(deserializer)? {
            Written::One(count) => count.to_string(),
            Written::Many(all) => all.iter().map(u32::to_string).collect::<Vec<_>>().join(","),
            Written::Text(text) => text,
        }))
    }
}

/// Lengths and batches, of which a sweep is the cross product.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Shapes {
    /// Input tokens.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub isl: Option<List>,
    /// Output tokens.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub osl: Option<List>,
    /// Tokens in the KV cache.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub depth: Option<List>,
    /// Sequences.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub batch: Option<List>,
    /// `random`, `text`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prompts: Option<Vec<String>>,
}

/// A plan. What it does not give is up to the command line, or else the default.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Plan {
    /// Its name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What it is for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub about: Option<String>,
    /// Models.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub models: Option<Vec<String>>,
    /// Engines; empty for the best one of the device.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub engine: Option<Vec<String>>,
    /// Instructions of the fused engine.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub isa: Option<String>,
    /// Data type of its KV cache.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kv: Option<String>,
    /// Whether its threads stay on one CPU each.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pin: Option<bool>,
    /// Devices.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device: Option<Vec<String>>,
    /// What matrices are quantised to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quant: Option<String>,
    /// CPU threads.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub threads: Option<usize>,
    /// Fewest samples of a case.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repetitions: Option<u32>,
    /// Seconds of measuring a case.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_time: Option<f64>,
    /// Seconds of measuring before which no case ends.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_time: Option<f64>,
    /// Half-width of the interval that ends a case, in percent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub precision: Option<f64>,
    /// Seed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
    /// Text to continue.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prompt: Option<String>,
    /// File that prompts are cut from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// The one sweep, where there are no `[[grid]]`.
    #[serde(flatten)]
    pub shapes: Shapes,
    /// Several sweeps.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grid: Option<Vec<Shapes>>,
}

/// Keys of a plan, but for those of its shapes.
const KEYS: [&str; 18] = [
    "name",
    "about",
    "models",
    "engine",
    "isa",
    "kv",
    "pin",
    "device",
    "quant",
    "threads",
    "repetitions",
    "max_time",
    "min_time",
    "precision",
    "seed",
    "prompt",
    "text",
    "grid",
];

/// Keys of a shape.
const SHAPE_KEYS: [&str; 5] = ["isl", "osl", "depth", "batch", "prompts"];

impl Plan {
    /// Reads a plan; `name` is what messages call it.
    pub fn parse(text: &str, name: &str) -> anyhow::Result<Self> {
        let table: toml::Table =
            text.parse().with_context(|| format!("the plan {name} is no TOML"))?;
        let known: Vec<&str> = KEYS.into_iter().chain(SHAPE_KEYS).collect();
        refuse_unknown(&table, &known, name, "")?;
        if let Some(toml::Value::Array(grids)) = table.get("grid") {
            for grid in grids.iter().filter_map(toml::Value::as_table) {
                refuse_unknown(grid, &SHAPE_KEYS, name, "grid.")?;
            }
        }
        let plan: Self =
            toml::from_str(text).with_context(|| format!("the plan {name} cannot be read"))?;
        plan.refuse_contradictions(name)?;
        Ok(plan)
    }

    /// Reads the plan of a file.
    pub fn read(path: &Path) -> anyhow::Result<Self> {
        let name = path.display().to_string();
        let text = crate::texts::written(path).with_context(|| {
            format!(
                "cannot read the plan {name}; name a TOML file, or one of {}",
                super::embedded::names().join(", ")
            )
        })?;
        let mut plan = Self::parse(&text, &name)?;
        let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned());
        plan.name = plan.name.or(stem);
        Ok(plan)
    }

    fn refuse_contradictions(&self, name: &str) -> anyhow::Result<()> {
        if let Some(grids) = &self.grid {
            if let Some(key) = self.shapes.lengths().first() {
                bail!("the plan {name} gives {key} beside its [[grid]]s; move it into them");
            }
            if grids.is_empty() {
                bail!("the plan {name} has a list of grids without one; leave grid out");
            }
            for (at, grid) in grids.iter().enumerate() {
                grid.refuse_empty(&format!("the plan {name}, grid {}", at + 1))?;
            }
        }
        self.shapes.refuse_empty(&format!("the plan {name}"))?;
        let empty = |list: &Option<Vec<String>>| list.as_ref().is_some_and(Vec::is_empty);
        for (key, list) in [("models", &self.models), ("device", &self.device)] {
            if empty(list) {
                bail!("the plan {name}: {key} is an empty list, and leaves no case; give one");
            }
        }
        self.refuse_two_prompts(&format!("the plan {name}"))
    }

    /// What is read can be given in one way only.
    pub fn refuse_two_prompts(&self, whose: &str) -> anyhow::Result<()> {
        if self.prompt.is_none() {
            return Ok(());
        }
        let grids = self.grid.iter().flatten().chain([&self.shapes]);
        if grids.clone().any(|grid| grid.isl.is_some()) {
            bail!("{whose} gives prompt and isl; a prompt has its own length: leave one out");
        }
        if self.text.is_some() {
            bail!("{whose} gives prompt and text; leave one out");
        }
        if grids.clone().any(|grid| grid.prompts.is_some()) {
            bail!("{whose} gives prompt and prompts; leave one out");
        }
        Ok(())
    }

    /// This plan, and beside it what the command line gives.
    pub fn with_flags(mut self, flags: Self) -> anyhow::Result<Self> {
        let name = self.name.clone().unwrap_or_else(|| "given".into());
        if self.prompt.is_some() || self.grid.is_some() || !self.shapes.lengths().is_empty() {
            let mut given = flags.shapes.lengths();
            given.extend(flags.prompt.is_some().then_some("prompt"));
            if let Some(flag) = given.first() {
                bail!(
                    "--{flag} contradicts the plan {name}, which says what is swept; leave one out, or change a copy of the plan"
                );
            }
        }
        let contradiction = |flag: &str| {
            anyhow::anyhow!(
                "--{flag} contradicts the plan {name}, which gives {flag}; leave one out, or change a copy of the plan"
            )
        };
        macro_rules! either {
            ($($(.$part:ident)+ as $flag:literal),+ $(,)?) => {$(
                match (self$(.$part)+.is_some(), flags$(.$part)+) {
                    (true, Some(_)) => return Err(contradiction($flag)),
                    (false, given) => self$(.$part)+ = given,
                    (true, None) => {}
                }
            )+};
        }
        either!(
            .models as "models", .engine as "engine", .isa as "isa", .kv as "kv", .pin as "pin",
            .device as "device", .quant as "quant", .threads as "threads",
            .repetitions as "repetitions", .max_time as "max-time", .min_time as "min-time", .precision as "precision",
            .seed as "seed", .prompt as "prompt", .text as "text", .shapes.isl as "isl",
            .shapes.osl as "osl", .shapes.depth as "depth", .shapes.batch as "batch",
            .shapes.prompts as "prompts",
        );
        self.refuse_two_prompts("the command line beside the plan")?;
        Ok(self)
    }

    /// This plan of a run, with what the command line gives in place of what it has.
    pub fn overlaid(mut self, flags: Self) -> Self {
        macro_rules! over {
            ($($key:ident),+) => {$( if flags.$key.is_some() { self.$key = flags.$key; } )+};
        }
        over!(
            models,
            engine,
            isa,
            kv,
            pin,
            device,
            quant,
            threads,
            repetitions,
            max_time,
            min_time,
            precision,
            seed,
            prompt,
            text
        );
        for grid in self.grid.iter_mut().flatten() {
            grid.overlay(&flags.shapes);
        }
        self
    }
}

impl Shapes {
    /// Which of the lists of counts are given.
    fn lengths(&self) -> Vec<&'static str> {
        [("isl", &self.isl), ("osl", &self.osl), ("depth", &self.depth), ("batch", &self.batch)]
            .into_iter()
            .filter(|(_, list)| list.is_some())
            .map(|(key, _)| key)
            .collect()
    }

    fn refuse_empty(&self, whose: &str) -> anyhow::Result<()> {
        let counted = [("isl", &self.isl), ("osl", &self.osl), ("depth", &self.depth)];
        for (key, list) in counted {
            let Some(List(text)) = list else { continue };
            if text.is_empty() {
                bail!("{whose}: {key} is an empty list, and leaves no case; give a number");
            }
            if let Err(why) = counts(text) {
                bail!("{whose}: {key} = {text:?}: {why}");
            }
        }
        if self.batch.as_ref().is_some_and(|List(text)| text.is_empty()) {
            bail!("{whose}: batch is an empty list, and leaves no case; give a number");
        }
        if self.prompts.as_ref().is_some_and(Vec::is_empty) {
            bail!("{whose}: prompts is an empty list, and leaves no case; give random or text");
        }
        Ok(())
    }

    fn overlay(&mut self, flags: &Self) {
        macro_rules! over {
            ($($key:ident),+) => {$(
                if flags.$key.is_some() { self.$key.clone_from(&flags.$key); }
            )+};
        }
        over!(isl, osl, depth, batch, prompts);
    }
}

fn refuse_unknown(
    table: &toml::Table,
    known: &[&str],
    plan: &str,
    above: &str,
) -> anyhow::Result<()> {
    match table.keys().find(|key| !known.contains(&key.as_str())) {
        None => Ok(()),
        Some(key) => bail!(
            "the plan {plan} has an unknown key {above}{key}; nearest: {}",
            nearest(key, known.iter().copied())
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> String {
        format!("{:#}", Plan::parse(text, "x.toml").unwrap_err())
    }

    #[test]
    fn lists_are_written_in_three_ways() {
        let plan = Plan::parse("isl = 64\nosl = [4, 8]\nbatch = '1..'", "x").unwrap();
        let text = |list: Option<List>| list.unwrap().0;
        assert_eq!(text(plan.shapes.isl), "64");
        assert_eq!(text(plan.shapes.osl), "4,8");
        assert_eq!(text(plan.shapes.batch), "1..");
    }

    #[test]
    fn slips_and_contradictions_are_named() {
        insta::assert_snapshot!(refused("repetition = 3"), @"the plan x.toml has an unknown key repetition; nearest: repetitions, precision, depth");
        insta::assert_snapshot!(refused("[[grid]]\nbacth = 3"), @"the plan x.toml has an unknown key grid.bacth; nearest: batch, depth, prompts");
        insta::assert_snapshot!(refused("isl = 8\n[[grid]]\nbatch = 3"), @"the plan x.toml gives isl beside its [[grid]]s; move it into them");
        insta::assert_snapshot!(refused("isl = 8\nprompt = 'a'"), @"the plan x.toml gives prompt and isl; a prompt has its own length: leave one out");
        insta::assert_snapshot!(refused("[[grid]]\nisl = []"), @"the plan x.toml, grid 1: isl is an empty list, and leaves no case; give a number");
        insta::assert_snapshot!(refused("isl = 'many'"), @r#"the plan x.toml: isl = "many": "many" is no whole number; write 128 or 1,4,16 or 1-4"#);
        insta::assert_snapshot!(refused("models = []"), @"the plan x.toml: models is an empty list, and leaves no case; give one");
    }

    #[test]
    fn a_flag_beside_a_plan_says_what_the_plan_does_not() {
        let plan = || Plan::parse("name = 'p'\nseed = 1\n[[grid]]\nisl = 8", "p").unwrap();
        let isl = Plan {
            shapes: Shapes { isl: Some(List("4".into())), ..Shapes::default() },
            ..Plan::default()
        };
        let seed = Plan { seed: Some(1), ..Plan::default() };
        let threads = Plan { threads: Some(2), ..Plan::default() };
        let refused = |flags| plan().with_flags(flags).unwrap_err().to_string();
        insta::assert_snapshot!(refused(isl), @"--isl contradicts the plan p, which says what is swept; leave one out, or change a copy of the plan");
        insta::assert_snapshot!(refused(seed), @"--seed contradicts the plan p, which gives seed; leave one out, or change a copy of the plan");
        assert_eq!(plan().with_flags(threads).unwrap().threads, Some(2));
    }
}
