//! What a run measures, resolved: every model, engine and case, and how often.
//!
//! Not here: measuring it, and the folder it goes to.

pub mod embedded;
mod plan;

pub use plan::{List, Plan, Shapes};

use crate::commands::bench::{EngineName, has_kernels, isa, kv_type, quant};
use crate::commands::hardware::all_cpus;
use crate::lists::{Batches, batches, counts, positive_counts};
use anyhow::{Context, anyhow, bail, ensure};
use clap::ValueEnum;
use freeweights_kernels::attention::KvType;
use freeweights_kernels::isa::Isa;
use freeweights_measure::{Case, Grid, InProcess, Ladder, Prompts, RunOptions};
use freeweights_models::{ModelId, Quant};
use freeweights_record::units::Seconds;
use std::collections::HashSet;
use std::num::NonZeroUsize;
use std::path::PathBuf;

/// What is measured where nobody says otherwise.
const DEFAULT_MODEL: &str = "dummy:smollm2-135m";

/// A plan with every value in its type.
#[derive(Debug, Clone, PartialEq)]
pub struct Suite {
    /// The models.
    pub models: Vec<ModelId>,
    /// The engines; none for the best of each device.
    engine: Vec<EngineName>,
    isa: Option<Isa>,
    kv: KvType,
    pin: bool,
    /// Where they run.
    pub device: Vec<String>,
    /// What matrices are quantised to.
    pub quant: Option<Quant>,
    /// CPU threads.
    pub threads: NonZeroUsize,
    /// Text to continue.
    pub prompt: Option<String>,
    /// The file that prompts are cut from.
    pub text: Option<PathBuf>,
    /// Seed of prompts, order and intervals.
    pub seed: u64,
    sweeps: Vec<Sweep>,
    repetitions: u32,
    max_time: f64,
    min_time: f64,
    precision: f64,
}

/// Lists of which the cases are the cross product.
#[derive(Debug, Clone, PartialEq)]
struct Sweep {
    isl: Vec<u32>,
    osl: Vec<u32>,
    depth: Vec<u32>,
    batch: Batches,
    prompts: Vec<Prompts>,
}

impl Plan {
    /// The plan with every default in it and every list written out: what `run.json` keeps.
    pub fn resolved(&self) -> anyhow::Result<Self> {
        let mut plan = self.clone();
        let all = |list: Option<Vec<String>>, default: &str| list.or(Some(vec![default.into()]));
        let models: Result<Vec<ModelId>, _> = plan
            .models
            .unwrap_or_else(|| vec![DEFAULT_MODEL.into()])
            .iter()
            .map(|id| id.parse())
            .collect();
        plan.models = Some(models?.iter().map(ToString::to_string).collect());
        plan.engine = plan.engine.or(Some(Vec::new()));
        plan.kv = plan.kv.or(Some("bf16".into()));
        plan.pin = plan.pin.or(Some(false));
        plan.device = all(plan.device, "cpu");
        plan.threads = plan.threads.or(Some(all_cpus().get()));
        plan.repetitions = plan.repetitions.or(Some(10));
        plan.max_time = plan.max_time.or(Some(10.0));
        // Who wants to be done in a second is not kept for two.
        plan.min_time = plan.min_time.or(plan.max_time.map(|most| most.min(2.0)));
        plan.precision = plan.precision.or(Some(0.8));
        plan.seed = plan.seed.or(Some(42));
        let read = match (&plan.text, &plan.prompt, plan.shapes.prompts.take()) {
            (_, _, Some(prompts)) => Some(prompts),
            (Some(_), _, None) => Some(vec!["text".into()]),
            (None, None, None) => Some(vec!["random".into()]),
            (None, Some(_), None) => None,
        };
        let has_prompt = plan.prompt.is_some();
        let shapes = std::mem::take(&mut plan.shapes);
        let grids = plan.grid.take().unwrap_or_else(|| vec![shapes]);
        let written = |list: Option<List>, default: &str| -> anyhow::Result<Option<List>> {
            let text = list.map_or_else(|| default.to_owned(), |list| list.0);
            Ok(Some(List(counts(&text).map_err(|why| anyhow!(why))?.to_string())))
        };
        let grids = grids.into_iter().map(|grid| {
            let batch = grid.batch.map_or_else(|| "1,2".to_owned(), |list| list.0);
            Ok(Shapes {
                isl: if has_prompt { None } else { written(grid.isl, "64")? },
                osl: written(grid.osl, "32")?,
                depth: written(grid.depth, "0")?,
                batch: Some(List(batches(&batch).map_err(|why| anyhow!(why))?.to_string())),
                prompts: grid.prompts.or_else(|| read.clone()),
            })
        });
        plan.grid = Some(grids.collect::<anyhow::Result<_>>()?);
        Ok(plan)
    }
}

impl Suite {
    /// The suite of a resolved plan.
    ///
    /// # Errors
    /// Where a value is not what its key holds; the message names the key.
    pub fn of(plan: &Plan) -> anyhow::Result<Self> {
        let named = |key: &str, why: String| anyhow!("{key}: {why}");
        let list = |list: &Option<Vec<String>>| list.clone().unwrap_or_default();
        let threads = plan.threads.unwrap_or(1);
        let max_time = plan.max_time.unwrap_or_default();
        let min_time = plan.min_time.unwrap_or_default();
        let precision = plan.precision.unwrap_or_default();
        ensure!(max_time.is_finite() && max_time > 0.0, "max_time: give seconds above 0, as in 10");
        ensure!(
            (0.0..=max_time).contains(&min_time),
            "min_time: give seconds from 0 to max_time, which is {max_time}"
        );
        ensure!(precision > 0.0 && precision <= 100.0, "precision: give percent above 0, as in 2");
        let repetitions = plan.repetitions.unwrap_or_default();
        ensure!(repetitions > 0, "repetitions: 0 measures nothing; give 1 or more");
        let quant = plan.quant.as_deref().map(quant).transpose();
        let engine =
            list(&plan.engine).iter().map(|name| engine(name)).collect::<Result<_, _>>()?;
        let models = list(&plan.models).iter().map(|id| id.parse()).collect::<Result<_, _>>()?;
        let sweeps = plan.grid.iter().flatten().map(|grid| sweep(grid, plan.text.is_some()));
        Ok(Self {
            models,
            engine,
            isa: plan.isa.as_deref().map(isa).transpose().map_err(|why| named("isa", why))?,
            kv: kv_type(plan.kv.as_deref().unwrap_or("bf16")).map_err(|why| named("kv", why))?,
            pin: plan.pin.unwrap_or_default(),
            device: list(&plan.device),
            quant: quant.map_err(|why| named("quant", why))?,
            threads: NonZeroUsize::new(threads).context("threads: give 1 or more")?,
            prompt: plan.prompt.clone(),
            text: plan.text.as_ref().map(PathBuf::from),
            seed: plan.seed.unwrap_or_default(),
            sweeps: sweeps.collect::<anyhow::Result<_>>()?,
            repetitions,
            max_time,
            min_time,
            precision,
        })
    }

    /// The engines for a device.
    pub fn engines(&self, device: &str) -> Vec<EngineName> {
        match (self.engine.as_slice(), device) {
            ([], "cpu") if has_kernels() => vec![EngineName::Fused],
            ([], gpu) if gpu.starts_with("cuda") => vec![EngineName::Fused],
            ([], _) => vec![EngineName::Candle],
            (engines, _) => engines.to_vec(),
        }
    }

    /// Whether the engine is of our own choice.
    pub fn any_engine(&self) -> bool {
        self.engine.is_empty()
    }

    /// The engine that loads models into this process; none for the scripted one.
    pub fn in_process(&self, engine: EngineName) -> Option<InProcess> {
        match engine {
            EngineName::Fused => {
                Some(InProcess::Fused { isa: self.isa, kv: self.kv, pinned: self.pin })
            }
            EngineName::Candle => Some(InProcess::Candle),
            EngineName::Scripted => None,
        }
    }

    /// The cases, for a prompt of so many tokens or for the lengths given; one that is in two grids
    /// counts once, and what a ladder comes by is left to it.
    pub fn cases(&self, prompt_tokens: Option<u32>) -> Vec<Case> {
        let mut seen = HashSet::new();
        let grids = self.sweeps.iter().filter_map(|sweep| match &sweep.batch {
            Batches::These(batch) => Some(sweep.grid(batch.0.clone(), prompt_tokens)),
            Batches::Doubling { .. } => None,
        });
        // What a ladder comes by is left to it.
        for ladder in self.ladders(prompt_tokens) {
            seen.extend(ladder.cases());
        }
        grids.flat_map(|grid| grid.cases()).filter(|case| seen.insert(*case)).collect()
    }

    /// What is measured at one batch after the other until that ends.
    pub fn ladders(&self, prompt_tokens: Option<u32>) -> Vec<Ladder> {
        let rungs = self.sweeps.iter().filter_map(|sweep| match sweep.batch {
            Batches::These(_) => None,
            Batches::Doubling { from, to } => Some((sweep.grid(vec![from], prompt_tokens), to)),
        });
        let mut seen = HashSet::new();
        let ladders = rungs.flat_map(|(grid, most)| {
            grid.cases().into_iter().map(move |first| Ladder::fresh(first, most))
        });
        // One that begins on another is a part of it.
        ladders
            .filter(|ladder| {
                let fresh = !seen.contains(&ladder.first);
                seen.extend(ladder.cases());
                fresh
            })
            .collect()
    }

    /// The cases and the first rung of each ladder.
    pub fn least_cases(&self, prompt_tokens: Option<u32>) -> Vec<Case> {
        let ladders = self.ladders(prompt_tokens).into_iter().map(|ladder| ladder.first);
        self.cases(prompt_tokens).into_iter().chain(ladders).collect()
    }

    /// How long and how often.
    pub fn options(&self) -> RunOptions {
        RunOptions {
            repetitions: self.repetitions,
            min_time: Seconds::new(self.min_time),
            max_time: Seconds::new(self.max_time),
            precision: self.precision / 100.0,
            seed: self.seed,
        }
    }
}

impl Sweep {
    fn grid(&self, batch: Vec<u32>, prompt_tokens: Option<u32>) -> Grid {
        Grid {
            isl: prompt_tokens.map_or_else(|| self.isl.clone(), |length| vec![length]),
            osl: self.osl.clone(),
            depth: self.depth.clone(),
            batch,
            prompts: self.prompts.clone(),
        }
    }
}

fn engine(name: &str) -> anyhow::Result<EngineName> {
    EngineName::from_str(name, false)
        .map_err(|_| anyhow!("engine: {name:?} is unknown; use fused or candle"))
}

fn sweep(grid: &Shapes, has_text: bool) -> anyhow::Result<Sweep> {
    let read = |key: &str, list: &Option<List>, positive: bool| {
        let Some(List(text)) = list else { return Ok(Vec::new()) };
        let parsed = if positive { positive_counts(text) } else { counts(text) };
        parsed.map(|counts| counts.0).map_err(|why| anyhow!("{key}: {why}"))
    };
    let prompts = match &grid.prompts {
        None => vec![Prompts::Fixed],
        Some(names) => {
            names.iter().map(|name| prompts(name, has_text)).collect::<Result<_, _>>()?
        }
    };
    let batch = grid.batch.as_ref().map_or("1", |List(text)| text);
    Ok(Sweep {
        isl: read("isl", &grid.isl, true)?,
        osl: read("osl", &grid.osl, true)?,
        depth: read("depth", &grid.depth, false)?,
        batch: batches(batch).map_err(|why| anyhow!("batch: {why}"))?,
        prompts,
    })
}

fn prompts(name: &str, has_text: bool) -> anyhow::Result<Prompts> {
    match name {
        "random" => Ok(Prompts::Random),
        "text" if has_text => Ok(Prompts::Text),
        "text" => bail!("prompts: text needs a text to cut them from; give one with --text FILE"),
        _ => bail!("prompts: {name:?} is unknown; use random or text"),
    }
}
