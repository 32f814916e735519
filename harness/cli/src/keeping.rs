//! Runs the cases of each model, and keeps everything the moment it is there.
//!
//! Not here: what is asked for and where it goes ([`crate::opening`]).

mod wall_clock;
mod watch;

use crate::beside::Beside;
use crate::commands::bench::BenchArgs;
use crate::eta::Eta;
use crate::measuring::{load_or_plain, show_profile, show_text, write_host};
use crate::opening::Subject;
use crate::progress::Progress;
use crate::suite::Suite;
use crate::{last_words, print, watching};
use freeweights_measure::{
    Begun, Case, CaseResult, Engine, EngineError, EngineInfo, HostInstruments, InProcess,
    LoadRequest, LocalEngine, ModelFacts, Prompts, RunContext, Rung, Sampler, ScriptedEngine, Work,
    case_id, record_of, resume,
};
use freeweights_record::units::Seconds;
use freeweights_record::{Record, RunFolder, Sample, Status, Text, WriteError};
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use wall_clock::WallClock;
use watch::Watch;

/// What a run is under way with.
pub struct Keeper<'a> {
    pub args: &'a BenchArgs,
    pub suite: &'a Suite,
    /// The text that is the prompt, where one is.
    pub prompt: Option<String>,
    pub folder: RunFolder,
    pub context: RunContext,
    /// One record per case that ended, those of earlier processes first.
    pub records: Vec<Record>,
    /// Samples of earlier processes, by case.
    pub samples: HashMap<Text, Vec<Sample>>,
    /// When the run began.
    pub started_at: jiff::Timestamp,
    /// When this process opened it, and what the clock of the run showed then.
    pub opened: Instant,
    pub begun_at: Seconds,
    /// When the last sample was over, on the clock of the run.
    pub clock: Seconds,
    pub stop: Arc<AtomicBool>,
    /// What reads memory and energy; none where nothing is to be sampled.
    pub sampler: Option<Arc<Sampler>>,
    /// Whether there was anything left to measure.
    pub measured: bool,
    /// Earlier runs in the folders beside.
    pub beside: Beside,
}

impl Keeper<'_> {
    /// Measures all cases of one engine and model that are not done yet.
    pub fn measure(&mut self, subject: &Subject) -> anyhow::Result<()> {
        let Some(engine) = self.suite.in_process(subject.engine) else {
            let mut engine = ScriptedEngine::steady(400.0, 50.0)
                .paced(self.args.scripted_pace)
                .starting_at(self.clock);
            if let Some((fault, after)) = self.args.scripted_fault {
                engine = engine.with_fault(after, fault);
            }
            return self.run_cases(&mut engine, None);
        };
        if let Some(error) = &subject.too_large {
            return self.keep_refusal(subject, engine, &error.to_string());
        }
        if self.is_done(subject, engine) {
            return Ok(());
        }
        let mut request = LoadRequest {
            engine,
            model: subject.model.clone(),
            device: subject.device.clone(),
            threads: self.suite.threads,
            quant: self.suite.quant,
            prompt: self.suite.prompt.clone(),
            text: self.prompt.clone(),
            seed: self.suite.seed,
            sha256: subject.sha256.clone(),
        };
        let spinner = Progress::spinner(&format!("loading {}", subject.model));
        self.lay_ready_for_loading(subject, engine)?;
        let loaded = load_or_plain(&mut request, self.suite);
        last_words::forget();
        let mut ready = match loaded {
            Ok(ready) => ready,
            // Bad input on the only model is the user's to mend; behind others it is a row.
            Err(error) if self.records.is_empty() => {
                self.folder.discard_if_empty()?;
                return Err(error.into());
            }
            Err(error) => return self.keep_refusal(subject, engine, &error.to_string()),
        };
        drop(spinner);
        if let Some(tokens) = ready.text_tokens {
            self.refuse_short_text(tokens)?;
        }
        ready.engine.set_profiling(self.args.profile);
        ready.engine.set_clock(self.now());
        self.run_cases(&mut ready.engine, ready.prompt_tokens)?;
        show_profile(&ready.engine);
        note_kept(&ready.engine);
        for note in ready.engine.notes() {
            print::note(&note);
        }
        if self.args.show_text {
            let prompt = self.suite.prompt.as_deref().unwrap_or_default();
            show_text(prompt, self.args.format, &ready.engine, ready.tokenizer.as_ref().ok())?;
        }
        Ok(())
    }

    /// A text that no case can be cut from is the user's to mend while nothing is measured yet.
    fn refuse_short_text(&self, tokens: usize) -> anyhow::Result<()> {
        let of_text = |case: &Case| case.prompts == Prompts::Text;
        let longest = self.suite.least_cases(None).into_iter().filter(of_text);
        let wanted = longest.map(|case| case.isl.max(case.depth)).max().unwrap_or(0);
        if self.records.is_empty() && tokens < wanted as usize {
            self.folder.discard_if_empty()?;
            anyhow::bail!(EngineError::ShortText { there: tokens, wanted });
        }
        Ok(())
    }

    /// The time since the run began, the pauses between its processes left out.
    fn now(&self) -> Seconds {
        self.begun_at + Seconds::from_duration(self.opened.elapsed())
    }

    /// Whether all cases of a model are done, as far as that can be told without loading it: what
    /// they will be called depends on little that is only known then.
    fn is_done(&self, subject: &Subject, engine: InProcess) -> bool {
        let Some(info) = &subject.info else { return false };
        if self.suite.prompt.is_some() || !self.suite.ladders(None).is_empty() {
            return false;
        }
        let quant = self.suite.quant.map_or_else(|| info.quant.clone(), |quant| quant.to_string());
        let facts = EngineInfo {
            engine: engine.name().into(),
            engine_version: None,
            device: subject.device.clone(),
            threads: u32::try_from(self.suite.threads.get()).ok(),
            model: ModelFacts {
                name: info.name.clone(),
                quant: Some(quant),
                ..ModelFacts::default()
            },
        };
        self.suite.cases(None).iter().all(|case| self.status_of(&case_id(&facts, case)).is_some())
    }

    /// How a case ended, if it did.
    fn status_of(&self, case_id: &str) -> Option<Status> {
        let record = self.records.iter().find(|record| record.case_id == *case_id)?;
        Some(record.status)
    }

    fn run_cases(
        &mut self,
        engine: &mut dyn Engine,
        prompt_tokens: Option<u32>,
    ) -> anyhow::Result<()> {
        let info = engine.info().clone();
        let work = self.work(&info, prompt_tokens);
        if work.cases.is_empty() && work.ladders.is_empty() {
            return Ok(());
        }
        if !self.measured {
            self.measured = true;
            write_host(&self.folder, &self.context.host)?;
        }
        let options = self.suite.options();
        let known = work.ladders.iter().flat_map(|ladder| &ladder.known);
        let known = known.filter(|rung| rung.ended.is_none()).map(|rung| &rung.begun);
        let begun: Vec<&Begun> = work.cases.iter().chain(known).collect();
        let (started, eta) = (self.first_touches(&begun), Eta::over(&begun, &options));
        let before_any = self.context.host.energy.iter().all(|part| part.idle_before.is_none());
        if let Some(sampler) = self.sampler.as_ref().filter(|_| before_any) {
            watching::idle(sampler, &mut self.context.host, false);
        }
        let mut instruments = HostInstruments::new(self.sampler.clone(), &info.device);
        let read_before = self.sampler.as_ref().map(|sampler| (sampler.now(), sampler.cost()));
        let progress = Progress::over(work.cases.len());
        let stop = Arc::clone(&self.stop);
        let wall = WallClock::now();
        let mut watch = Watch { keeper: self, progress, eta, info, started, ready: None, wall };
        let done = resume(engine, work, &options, &mut instruments, &stop, &mut watch);
        drop(watch.progress);
        last_words::forget();
        done.map_err(|error| match error.downcast::<WriteError>() {
            Ok(error) => anyhow::Error::new(*error),
            Err(error) => anyhow::anyhow!(error),
        })?;
        if let Some((sampler, (began, cost))) = self.sampler.as_ref().zip(read_before) {
            note_sampling(sampler, began, cost);
            // Who wants to stop does not want to wait.
            if !self.stop.load(Ordering::Relaxed) {
                watching::idle(sampler, &mut self.context.host, true);
            }
        }
        Ok(())
    }

    /// What is still to be measured, with what earlier processes have of it.
    fn work(&mut self, info: &EngineInfo, prompt_tokens: Option<u32>) -> Work {
        let mut cases = self.suite.cases(prompt_tokens);
        cases.retain(|case| self.status_of(&case_id(info, case)).is_none());
        let cases = cases.into_iter().map(|case| self.begun(info, case)).collect();
        let mut ladders = self.suite.ladders(prompt_tokens);
        for ladder in &mut ladders {
            ladder.known = ladder
                .cases()
                .map(|case| Rung {
                    ended: self.status_of(&case_id(info, &case)),
                    begun: self.begun(info, case),
                })
                .filter(|rung| rung.ended.is_some() || !rung.begun.samples.is_empty())
                .collect();
        }
        Work { cases, ladders }
    }

    fn begun(&mut self, info: &EngineInfo, case: Case) -> Begun {
        let samples = self.samples.remove(case_id(info, &case).as_str());
        Begun { case, samples: samples.unwrap_or_default() }
    }

    /// When cases were first touched that an earlier process began.
    fn first_touches(&self, begun: &[&Begun]) -> HashMap<Case, String> {
        let touched = begun.iter().filter_map(|begun| {
            let offset = Duration::from_secs_f64(begun.samples.first()?.offset.get());
            Some((begun.case, (self.started_at + offset).to_string()))
        });
        touched.collect()
    }

    /// A model that cannot be loaded beside others that could is a row for each of its cases.
    fn keep_refusal(
        &mut self,
        subject: &Subject,
        engine: InProcess,
        error: &str,
    ) -> anyhow::Result<()> {
        let info = unloaded(subject, engine);
        let mut engine = ScriptedEngine::refusing(info, error.to_owned());
        self.run_cases(&mut engine, None)
    }

    /// Lays the rows ready that are written where loading the model takes all memory.
    fn lay_ready_for_loading(&self, subject: &Subject, engine: InProcess) -> anyhow::Result<()> {
        let info = unloaded(subject, engine);
        let now = jiff::Timestamp::now().to_string();
        let rows = self.suite.least_cases(None).into_iter().map(|case| {
            let result = CaseResult::failed(case, last_words::ERROR.into());
            record_of(&self.context, &info, &result, now.clone())
        });
        let rows: Vec<Record> =
            rows.filter(|record| self.status_of(&record.case_id).is_none()).collect();
        last_words::prepare(self.folder.last_row(&rows)?);
        Ok(())
    }
}

/// What is known of a model and its engine while it is not loaded.
fn unloaded(subject: &Subject, engine: InProcess) -> EngineInfo {
    EngineInfo {
        engine: engine.name().into(),
        engine_version: Some(engine.version_on(&subject.device)),
        device: subject.device.clone(),
        threads: None,
        model: ModelFacts { name: subject.model.to_string(), ..ModelFacts::default() },
    }
}

/// What reading memory and energy took since it had `cost`, at `began`.
fn note_sampling(sampler: &Sampler, began: Seconds, cost: (u64, Seconds)) {
    let (reads, busy) = sampler.cost();
    print::note(&format!(
        "memory and energy were read {} times, which took {:.2}% of one CPU",
        reads - cost.0,
        100.0 * ((busy - cost.1) / (sampler.now() - began))
    ));
}

/// What was kept in memory to save fills, which the resident peak has in it.
fn note_kept(engine: &LocalEngine) {
    let (bytes, restored) = engine.kept();
    if restored > 0 {
        let kept = match bytes.get() {
            0 => "nothing was kept beside the KV cache for that".into(),
            _ => format!("the kept states take {} of the resident memory", bytes.human()),
        };
        print::note(&format!("depths were filled once and put back {restored} times; {kept}"));
    }
}
