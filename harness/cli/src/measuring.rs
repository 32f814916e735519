//! From arguments to records: load each model, run its cases, keep everything as it comes.

use crate::commands::OutputFormat;
use crate::commands::bench::{BenchArgs, EngineName};
use crate::commands::hardware::all_cpus;
use crate::exit::Exit;
use crate::progress::{Downloads, Progress};
use crate::{print, results};
use freeweights_measure::{
    BuildInfo, Case, CaseResult, DoesNotFit, Engine, EngineInfo, Footprint, InProcess, LoadRequest,
    LocalEngine, ModelFacts, Observer, Ready, RssSampler, RunContext, ScriptedEngine,
    available_memory, capture_host, case_id, fit, load_engine, measure_ceilings, record_of, run,
};
use freeweights_models::{
    FusedDecoder, ModelError, ModelId, Quiet, TextTokenizer, inspect, open_device,
};
use freeweights_record::units::Bytes;
use freeweights_record::{Host, Record, RunFolder, Sample, SampleOf, Status};
use std::cmp::Reverse;
use std::collections::HashMap;
use std::error::Error;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// What a run leaves behind.
pub struct Measured {
    /// One record per case, in the order in which the cases ended.
    pub records: Vec<Record>,
    /// The machine, with its ceilings.
    pub host: Host,
    /// Where everything is kept.
    pub folder: RunFolder,
}

impl Measured {
    /// Good, or some cases failed.
    pub fn exit(&self) -> Exit {
        let all_good = self.records.iter().all(|record| record.status == Status::Ok);
        if all_good { Exit::Good } else { Exit::SomeFailed }
    }
}

/// One engine of the run.
struct Plan {
    engine: EngineName,
    device: String,
    model: ModelId,
    /// Why none of its cases can run here, where that is a matter of memory.
    too_large: Option<DoesNotFit>,
}

/// Measures everything the arguments ask for.
///
/// Bad input is refused before anything is measured; what fails later becomes a row.
pub fn measure(args: &BenchArgs) -> anyhow::Result<Measured> {
    let threads = args.threads.unwrap_or_else(all_cpus);
    use_threads(threads.get());
    let mut plans = plans(args);
    for plan in &mut plans {
        plan.too_large = refuse_early(plan, args)?;
    }
    if let Some(Plan { model, too_large: Some(error), .. }) = plans.first()
        && plans.iter().all(|plan| plan.too_large.is_some())
    {
        return Err(anyhow::Error::new(error.clone()).context(model.to_string()));
    }
    let now = jiff::Timestamp::now();
    let run_id = results::fresh_run_id(now);
    let folder = RunFolder::create(&results::folder(args.out.as_deref(), &run_id))?;
    let stop = stop_on_interrupt();

    let mut host = capture_host();
    if !args.no_ceilings {
        let _spinner = Progress::spinner("measuring the ceilings of this machine");
        host.ceilings = Some(measure_ceilings(threads));
    }
    folder.write_file("host.json", &format!("{}\n", serde_json::to_string_pretty(&host)?))?;
    let context = RunContext { run_id, build: build_info(), host, seed: args.seed };
    let mut keeper = Keeper { folder, context, records: Vec::new(), stop };
    for plan in &plans {
        if !keeper.stop.load(Ordering::Relaxed) {
            keeper.measure(plan, args, threads)?;
        }
    }
    let Keeper { folder, context, records, .. } = keeper;
    Ok(Measured { records, host: context.host, folder })
}

fn plans(args: &BenchArgs) -> Vec<Plan> {
    let mut plans = Vec::new();
    for model in &args.models {
        for device in &args.device {
            for engine in args.engines(device) {
                let (device, model) = (device.clone(), model.clone());
                plans.push(Plan { engine, device, model, too_large: None });
            }
        }
    }
    plans
}

/// Tells candle how many threads to use; its pools are made at their first use.
pub fn use_threads(threads: usize) {
    for name in ["RAYON_NUM_THREADS", "CANDLE_NUM_THREADS"] {
        // SAFETY: this runs before the process starts its first thread, so nobody reads the
        // environment at the same time.
        unsafe { std::env::set_var(name, threads.to_string()) };
    }
}

/// What is certain to fail is refused while nothing has been measured and no folder made. What takes
/// more memory than there is comes back: beside other models that fit it becomes rows.
fn refuse_early(plan: &Plan, args: &BenchArgs) -> Result<Option<DoesNotFit>, ModelError> {
    let Some(engine) = args.in_process(plan.engine) else { return Ok(None) };
    open_device(&plan.device)?;
    let info = inspect(&plan.model, &Downloads::new())?;
    if args.prompt.is_none() {
        let held = args.grid(None).cases().into_iter().map(|case| case.tokens_held()).min();
        let wanted = held.and_then(|held| usize::try_from(held).ok()).unwrap_or(0);
        if wanted > info.spec.context {
            let (limit, whose) = (info.spec.context, "the model".to_owned());
            return Err(ModelError::BeyondContext { wanted, limit, whose });
        }
    }
    if plan.device != "cpu" {
        return Ok(None);
    }
    // How many tokens a text has is not known yet: at least one.
    let cases = args.grid(args.prompt.as_ref().map(|_| 1)).cases();
    // What the kernels cannot run goes to candle, if no engine was asked for.
    let falls_back = args.engine.is_empty() && !FusedDecoder::takes(&info.spec);
    let engine = if falls_back { InProcess::Candle } else { engine };
    let footprint = Footprint::of(engine, &info, args.quant);
    Ok(available_memory().and_then(|free| none_fits(&footprint, &cases, free)))
}

/// Why the smallest case does not fit, if none does.
fn none_fits(model: &Footprint, cases: &[Case], available: Bytes) -> Option<DoesNotFit> {
    let smallest = cases.iter().min_by_key(|case| model.kv_cache(case))?;
    fit(model, smallest, available).err()
}

/// The first Ctrl-C ends the run after the sample in flight, the second at once.
fn stop_on_interrupt() -> Arc<AtomicBool> {
    let stop = Arc::new(AtomicBool::new(false));
    let raised = Arc::clone(&stop);
    let handler = ctrlc::set_handler(move || {
        if raised.swap(true, Ordering::Relaxed) {
            std::process::exit(130);
        }
        print::note("stopping after this sample; press Ctrl-C again to stop at once");
    });
    if handler.is_err() {
        print::note("Ctrl-C cannot be caught here: it will end the run at once");
    }
    stop
}

fn build_info() -> BuildInfo {
    let known = |text: Option<&str>| text.filter(|t| !t.is_empty()).map(str::to_owned);
    BuildInfo {
        version: env!("CARGO_PKG_VERSION").into(),
        git_commit: known(option_env!("FREEWEIGHTS_COMMIT")),
        profile: env!("FREEWEIGHTS_PROFILE").into(),
        flags: known(option_env!("FREEWEIGHTS_FLAGS")),
    }
}

/// Keeps what is measured, the moment it is.
struct Keeper {
    folder: RunFolder,
    context: RunContext,
    records: Vec<Record>,
    stop: Arc<AtomicBool>,
}

type Told = Result<(), Box<dyn Error + Send + Sync>>;

impl Keeper {
    fn measure(
        &mut self,
        plan: &Plan,
        args: &BenchArgs,
        threads: NonZeroUsize,
    ) -> anyhow::Result<()> {
        let Some(engine) = args.in_process(plan.engine) else {
            return self.run_cases(&mut ScriptedEngine::steady(400.0, 50.0), None, args);
        };
        if let Some(error) = &plan.too_large {
            return self.keep_refusal(plan, engine, args, &error.to_string());
        }
        let mut request = LoadRequest {
            engine,
            model: plan.model.clone(),
            device: plan.device.clone(),
            threads,
            quant: args.quant,
            prompt: args.prompt.clone(),
        };
        let spinner = Progress::spinner(&format!("loading {}", plan.model));
        let mut ready = match load_or_plain(&mut request, args) {
            Ok(ready) => ready,
            // Bad input on the only model is the user's to mend; behind others it is a row.
            Err(error) if self.records.is_empty() => {
                self.folder.discard_if_empty()?;
                return Err(error.into());
            }
            Err(error) => return self.keep_refusal(plan, engine, args, &error.to_string()),
        };
        drop(spinner);
        ready.engine.set_profiling(args.profile);
        self.run_cases(&mut ready.engine, ready.prompt_tokens, args)?;
        show_profile(&ready.engine);
        if args.show_text {
            show_text(args, &ready.engine, ready.tokenizer.as_ref().ok())?;
        }
        Ok(())
    }

    fn run_cases(
        &mut self,
        engine: &mut dyn Engine,
        prompt_tokens: Option<u32>,
        args: &BenchArgs,
    ) -> anyhow::Result<()> {
        let cases = args.grid(prompt_tokens).cases();
        let memory = RssSampler::start();
        let progress = Progress::over(cases.len());
        let stop = Arc::clone(&self.stop);
        let (info, before) = (engine.info().clone(), self.records.len());
        let mut watch = Watch { keeper: self, progress, info, started: HashMap::new() };
        run(engine, &cases, &args.options(), Some(&memory), &stop, &mut watch)
            .map_err(|error| anyhow::anyhow!(error))?;
        drop(watch.progress);
        // Files have the cases in the order in which they ended, people read them by shape.
        self.records[before..]
            .sort_by_key(|record| (record.isl, record.osl, record.depth, record.batch));
        let (reads, share) = memory.cost();
        print::note(&format!(
            "memory was read {reads} times, which took {:.2}% of one CPU",
            100.0 * share
        ));
        Ok(())
    }

    /// A model that cannot be loaded beside others that could is a row for each of its cases.
    fn keep_refusal(
        &mut self,
        plan: &Plan,
        engine: InProcess,
        args: &BenchArgs,
        error: &str,
    ) -> anyhow::Result<()> {
        let info = EngineInfo {
            engine: engine.name().into(),
            engine_version: Some(engine.version()),
            device: plan.device.clone(),
            threads: None,
            model: ModelFacts { name: plan.model.to_string(), ..ModelFacts::default() },
        };
        let mut engine = ScriptedEngine::refusing(info, error.to_owned());
        self.run_cases(&mut engine, None, args)
    }
}

/// Writes each sample and each case down as it ends, and shows where the run is.
struct Watch<'a> {
    keeper: &'a mut Keeper,
    progress: Progress,
    info: EngineInfo,
    /// When each case was first touched.
    started: HashMap<Case, String>,
}

impl Observer for Watch<'_> {
    fn begins(&mut self, case: &Case, warmup: bool, so_far: usize) -> Told {
        self.started.entry(*case).or_insert_with(|| jiff::Timestamp::now().to_string());
        let what = if warmup { "warm-up" } else { "sample" };
        self.progress.say(format!("{}: {case}, {what} {}", self.info.model.name, so_far + 1));
        Ok(())
    }

    fn sampled(&mut self, case: &Case, sample: &Sample) -> Told {
        let case_id = case_id(&self.info, case);
        let run_id = &self.keeper.context.run_id;
        let of = SampleOf { run_id, case_id: &case_id, shape: case.shape() };
        Ok(self.keeper.folder.write_sample(of, sample)?)
    }

    fn ended(&mut self, result: &CaseResult) -> Told {
        let now = || jiff::Timestamp::now().to_string();
        let started = self.started.remove(&result.case).unwrap_or_else(now);
        let record = record_of(&self.keeper.context, &self.info, result, started);
        self.keeper.folder.write_record(&record)?;
        self.keeper.records.push(record);
        self.progress.advance();
        Ok(())
    }
}

/// Loads the model, which [`refuse_early`] has brought here; where the kernels have no code for it
/// and nobody asked for them, into candle.
fn load_or_plain(request: &mut LoadRequest, args: &BenchArgs) -> Result<Ready, ModelError> {
    match load_engine(request, &Quiet) {
        Err(error @ ModelError::NotFused { .. }) if args.engine.is_empty() => {
            print::note(&format!("{error}: done, as no engine was asked for"));
            request.engine = InProcess::Candle;
            load_engine(request, &Quiet)
        }
        done => done,
    }
}

/// Where the time went, as notes: largest first.
fn show_profile(engine: &LocalEngine) {
    let mut spent = engine.profile();
    let total: f64 = spent.iter().map(|(_, time)| time.as_secs_f64()).sum();
    if total <= 0.0 {
        return;
    }
    spent.sort_by_key(|(_, time)| Reverse(*time));
    print::note("where the time went, warm-ups and depths included:");
    for (operation, time) in spent {
        let seconds = time.as_secs_f64();
        print::note(&format!(
            "  {operation:<20} {seconds:>9.3} s {:>6.1}%",
            100.0 * seconds / total
        ));
    }
}

fn show_text(
    args: &BenchArgs,
    engine: &LocalEngine,
    tokenizer: Option<&TextTokenizer>,
) -> anyhow::Result<()> {
    let Some(tokenizer) = tokenizer else { return Ok(()) };
    let written = tokenizer.decode(engine.last_output())?;
    let text = format!("{}{written}\n\n", args.prompt.as_deref().unwrap_or_default());
    match args.format {
        OutputFormat::Table | OutputFormat::Md => print::data(&text),
        // Data for a machine stays clean.
        OutputFormat::Csv | OutputFormat::Json => {
            print::note(&text);
            Ok(())
        }
    }
}
