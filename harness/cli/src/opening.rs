//! Before anything is measured: what is asked for, whether it can be, and the folder it goes to,
//! fresh or of a run that goes on.

use crate::commands::bench::{BenchArgs, EngineName};
use crate::manifest::{self, FoundModel, Manifest};
use crate::measuring::{build_info, use_threads};
use crate::progress::{Downloads, Progress};
use crate::suite::{Plan, Suite, embedded};
use crate::{print, results, texts};
use anyhow::{Context, ensure};
use freeweights_measure::condition::warnings;
use freeweights_measure::{
    Case, DoesNotFit, Footprint, InProcess, RunContext, available_memory, capture_host, fit,
    measure_ceilings, measure_device_ceilings,
};
use freeweights_models::{
    FusedDecoder, ModelError, ModelId, ModelInfo, inspect, open_device, sha256_of,
};
use freeweights_record::units::Bytes;
use freeweights_record::{Host, KeptRun, RunFolder};
use sha2::{Digest, Sha256};
use std::fmt::Write as _;
use std::path::Path;

/// One engine of the run with its model.
pub struct Subject {
    /// What runs it.
    pub engine: EngineName,
    /// Where.
    pub device: String,
    /// The model.
    pub model: ModelId,
    /// What is known of the model; nothing of a scripted one.
    pub info: Option<ModelInfo>,
    /// SHA-256 of its files.
    pub sha256: Option<String>,
    /// Why none of its cases can run here, where that is a matter of memory.
    pub too_large: Option<DoesNotFit>,
}

/// A run that is about to begin or to go on.
pub struct Opened {
    /// What is measured.
    pub suite: Suite,
    /// The text that is the prompt, where one is. It is read once: it may be a pipe.
    pub prompt: Option<String>,
    /// By what.
    pub subjects: Vec<Subject>,
    /// Where it goes.
    pub folder: RunFolder,
    /// What all rows have in common.
    pub context: RunContext,
    /// When the run began.
    pub started_at: jiff::Timestamp,
    /// What the folder holds already.
    pub kept: KeptRun,
}

/// What is asked for: the plan with every default, and the run that goes on, if one does.
fn asked(args: &BenchArgs) -> anyhow::Result<(Plan, Option<Manifest>)> {
    let flags = args.given();
    flags.refuse_two_prompts("the command line")?;
    let earlier = match (&args.out, args.resume) {
        (Some(out), true) => Manifest::read(out)?,
        _ => None,
    };
    let plan = match (&args.plan, &earlier) {
        (Some(name), _) => embedded::find(name)?.with_flags(flags)?,
        // What is not said again is as it was.
        (None, Some(earlier)) => earlier.plan.clone().overlaid(flags),
        (None, None) => flags,
    };
    plan.refuse_two_prompts("the command line")?;
    Ok((plan.resolved()?, earlier))
}

/// What is asked for, without any trace of it on the disk.
pub fn suite(args: &BenchArgs) -> anyhow::Result<(Suite, Vec<Subject>)> {
    let (plan, _) = asked(args)?;
    let suite = Suite::of(&plan)?;
    use_threads(suite.threads.get());
    let subjects = subjects(&suite)?;
    Ok((suite, subjects))
}

/// Refuses bad input, and opens the folder.
///
/// Nothing is written before everything was found to be in order.
pub fn open(args: &BenchArgs) -> anyhow::Result<Opened> {
    let (plan, earlier) = asked(args)?;
    let suite = Suite::of(&plan)?;
    use_threads(suite.threads.get());
    let subjects = subjects(&suite)?;
    let found = models_of(&subjects);
    let prompt = suite.text.as_deref().map(read_text).transpose()?;
    let text = prompt.as_deref().map(sha256_of_text);

    let mut host = capture_host();
    for warning in warnings(&host) {
        print::note(&format!("warning: {warning}"));
    }
    let now = jiff::Timestamp::now();
    let (run_id, started_at) = match &earlier {
        Some(earlier) => (earlier.run_id.clone(), earlier.started_at),
        None => (results::fresh_run_id(now), now),
    };
    let build = build_info();
    let manifest = Manifest::of(run_id.clone(), started_at, &build, &host, plan, text, found);
    let path = results::folder(args.out.as_deref(), &run_id);
    let (folder, kept) = match &earlier {
        Some(earlier) => {
            earlier.refuse_other(&manifest)?;
            go_on(&path, args.retry_failed)?
        }
        None => (begin(&path, args.resume, &manifest)?, KeptRun::default()),
    };
    match earlier.and_then(|_| host_of(&path)) {
        Some(described) => host = described,
        None if args.no_ceilings => {}
        None => measure_what_it_can(&mut host, &suite, &folder)?,
    }
    let context = RunContext { run_id, build, host, seed: suite.seed };
    Ok(Opened { suite, prompt, subjects, folder, context, started_at, kept })
}

fn begin(path: &Path, resume: bool, manifest: &Manifest) -> anyhow::Result<RunFolder> {
    let folder = if resume && path.join("summary.csv").exists() {
        let mut kept = KeptRun::read(path)?;
        ensure!(
            kept.records.is_empty() && kept.samples.is_empty(),
            "{} holds results without a {}, so that nobody knows what they are of; name a fresh folder with --out",
            path.display(),
            manifest::FILE
        );
        // It was killed before it had said what it is of.
        kept.reopen(false)?
    } else {
        RunFolder::create(path)?
    };
    folder.write_file(manifest::FILE, &manifest.text()?)?;
    Ok(folder)
}

fn go_on(path: &Path, retry_failed: bool) -> anyhow::Result<(RunFolder, KeptRun)> {
    let mut kept = KeptRun::read(path)?;
    let (cases, failed) = (kept.records.len(), failed(&kept));
    let folder = kept.reopen(retry_failed)?;
    for torn in &kept.torn {
        print::note(torn);
    }
    let samples: usize = kept.samples.values().map(Vec::len).sum();
    print::note(&format!(
        "going on with {}: {} of its cases are done, {samples} samples are kept",
        path.display(),
        kept.records.len(),
    ));
    if failed > 0 && !retry_failed {
        let of = if cases == failed { "all".into() } else { failed.to_string() };
        print::note(&format!(
            "{of} of them failed and stay so; --retry-failed measures them again"
        ));
    }
    Ok((folder, kept))
}

fn failed(kept: &KeptRun) -> usize {
    kept.records.iter().filter(|record| record.status == freeweights_record::Status::Failed).count()
}

/// The machine as the run described it when it began, ceilings and all.
fn host_of(path: &Path) -> Option<Host> {
    serde_json::from_str(&texts::inside(&path.join("host.json")).ok()?).ok()
}

/// The ceilings of the CPUs and of each GPU of the run; of GPUs a file keeps every sample.
fn measure_what_it_can(host: &mut Host, suite: &Suite, folder: &RunFolder) -> anyhow::Result<()> {
    let _spinner = Progress::spinner("measuring the ceilings of this machine");
    host.ceilings = Some(measure_ceilings(suite.threads));
    let mut gpus: Vec<&String> = Vec::new();
    for device in suite.device.iter().filter(|device| device.starts_with("cuda")) {
        if gpus.contains(&device) {
            continue;
        }
        gpus.push(device);
        match measure_device_ceilings(device) {
            Ok(found) => {
                let name = format!("ceilings-{}.json", device.replace(':', "-"));
                let text = serde_json::to_string_pretty(&found.details)?;
                folder.write_file(&name, &format!("{text}\n"))?;
                host.device_ceilings.push(found.ceilings);
            }
            // Its cases can run all the same; their shares stay empty.
            Err(error) => {
                print::note(&format!("no ceilings of {device}: {error}"));
                host.notes.push(format!("the ceilings of {device} could not be measured"));
            }
        }
    }
    Ok(())
}

fn read_text(path: &Path) -> anyhow::Result<String> {
    texts::written(path).with_context(|| {
        format!("cannot read {}; give a text file in UTF-8 with --text", path.display())
    })
}

fn sha256_of_text(text: &str) -> String {
    Sha256::digest(text).iter().fold(String::new(), |mut hex, byte| {
        // Writing to a String cannot fail.
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

/// Each engine with each model, those refused that are certain to fail.
fn subjects(suite: &Suite) -> anyhow::Result<Vec<Subject>> {
    let mut subjects = Vec::new();
    let made_up = |model: &ModelId| matches!(model, ModelId::Dummy { .. });
    if (suite.text.is_some() || suite.prompt.is_some()) && suite.models.iter().all(made_up) {
        let reason = "dummy weights write no text".into();
        return Err(ModelError::Tokenizer { reason }.into());
    }
    for model in &suite.models {
        let mut found = None;
        for device in &suite.device {
            for engine in suite.engines(device) {
                let mut subject = Subject {
                    engine,
                    device: device.clone(),
                    model: model.clone(),
                    info: None,
                    sha256: None,
                    too_large: None,
                };
                if let Some(engine) = suite.in_process(engine) {
                    open_device(device)?;
                    if found.is_none() {
                        let info = inspect(model, &Downloads::new())?;
                        let sha256 = sha256_of(&info.origin)?;
                        found = Some((info, sha256));
                    }
                    let Some((info, sha256)) = found.clone() else { continue };
                    subject.too_large = refuse_early(&subject, engine, &info, suite)?;
                    (subject.info, subject.sha256) = (Some(info), sha256);
                }
                subjects.push(subject);
            }
        }
    }
    if let Some(Subject { model, too_large: Some(error), .. }) = subjects.first()
        && subjects.iter().all(|subject| subject.too_large.is_some())
    {
        return Err(anyhow::Error::new(error.clone()).context(model.to_string()));
    }
    Ok(subjects)
}

fn models_of(subjects: &[Subject]) -> Vec<FoundModel> {
    let mut found: Vec<FoundModel> = Vec::new();
    for Subject { model, info, sha256, .. } in subjects {
        let model = model.to_string();
        if found.iter().all(|found| found.model != model) {
            let revision = info.as_ref().and_then(|info| info.revision.clone());
            found.push(FoundModel { model, revision, sha256: sha256.clone() });
        }
    }
    found
}

/// What is certain to fail is refused while nothing has been measured and no folder made. What takes
/// more memory than there is comes back: beside other models that fit it becomes rows.
fn refuse_early(
    subject: &Subject,
    engine: InProcess,
    info: &ModelInfo,
    suite: &Suite,
) -> Result<Option<DoesNotFit>, ModelError> {
    if suite.prompt.is_none() {
        let held = suite.least_cases(None).into_iter().map(|case| case.tokens_held()).min();
        let wanted = held.and_then(|held| usize::try_from(held).ok()).unwrap_or(0);
        if wanted > info.spec.context {
            let (limit, whose) = (info.spec.context, "the model".to_owned());
            return Err(ModelError::BeyondContext { wanted, limit, whose });
        }
    }
    if subject.device != "cpu" {
        return Ok(None);
    }
    // How many tokens a text has is not known yet: at least one.
    let cases = suite.least_cases(suite.prompt.as_ref().map(|_| 1));
    // What the kernels cannot run goes to candle, if no engine was asked for.
    let falls_back = suite.any_engine() && !FusedDecoder::takes(&info.spec);
    let engine = if falls_back { InProcess::Candle } else { engine };
    let footprint = Footprint::of(engine, info, suite.quant);
    Ok(available_memory().and_then(|free| none_fits(&footprint, &cases, free)))
}

/// Why the smallest case does not fit, if none does.
fn none_fits(model: &Footprint, cases: &[Case], available: Bytes) -> Option<DoesNotFit> {
    let smallest = cases.iter().min_by_key(|case| model.kv_cache(case))?;
    fit(model, smallest, available).err()
}
