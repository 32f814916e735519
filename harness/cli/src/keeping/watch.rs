//! Keeps what a run tells of itself.

use super::Keeper;
use super::wall_clock::WallClock;
use crate::eta::Eta;
use crate::last_words;
use crate::progress::Progress;
use freeweights_measure::{
    Case, CaseResult, EngineInfo, Observer, Told, case_id, doubts, record_of,
};
use freeweights_record::{Sample, SampleOf, WriteError};
use std::collections::HashMap;

/// Writes each sample and each case down as it ends, and shows where the run is.
pub(super) struct Watch<'a, 'b> {
    pub(super) keeper: &'a mut Keeper<'b>,
    pub(super) progress: Progress,
    pub(super) eta: Eta,
    pub(super) info: EngineInfo,
    /// When each case was first touched.
    pub(super) started: HashMap<Case, String>,
    /// The case whose row lies ready for the end of memory.
    pub(super) ready: Option<Case>,
    pub(super) wall: WallClock,
}

impl Watch<'_, '_> {
    /// Lays the row ready that is written where the case runs out of memory.
    fn lay_ready(&mut self, case: &Case) -> Result<(), WriteError> {
        if self.ready == Some(*case) {
            return Ok(());
        }
        let result = CaseResult::failed(*case, last_words::ERROR.into());
        let started = self.started.get(case).cloned().unwrap_or_default();
        let record = record_of(&self.keeper.context, &self.info, &result, started);
        last_words::prepare(self.keeper.folder.last_row(&[record])?);
        self.ready = Some(*case);
        Ok(())
    }
}

impl Observer for Watch<'_, '_> {
    fn begins(&mut self, case: &Case, warmup: bool, so_far: usize) -> Told {
        self.started.entry(*case).or_insert_with(|| jiff::Timestamp::now().to_string());
        self.lay_ready(case)?;
        let what = if warmup { "warm-up" } else { "sample" };
        self.eta.begins(case);
        let left = self.eta.left().map(|left| format!(", {left}")).unwrap_or_default();
        let model = &self.info.model.name;
        self.progress.cover(self.eta.cases());
        self.progress.say(&format!("{model}: {case}, {what} {}{left}", so_far + 1));
        Ok(())
    }

    fn sampled(&mut self, case: &Case, sample: &Sample) -> Told {
        let case_id = case_id(&self.info, case);
        let run_id = &self.keeper.context.run_id;
        let of = SampleOf { run_id, case_id: &case_id, shape: case.shape() };
        self.keeper.clock = sample.started + sample.e2e();
        self.eta.sampled(case, sample);
        let kept = self.keeper.folder.write_sample(of, sample);
        if let Some(jump) = self.wall.jump() {
            self.progress.note(&jump);
        }
        Ok(kept?)
    }

    fn ended(&mut self, result: &CaseResult) -> Told {
        let now = || jiff::Timestamp::now().to_string();
        let started = self.started.remove(&result.case).unwrap_or_else(now);
        let mut record = record_of(&self.keeper.context, &self.info, result, started);
        self.keeper.beside.widen(&mut record);
        // Its header may be written now, and its row must not come twice.
        last_words::forget();
        self.ready = None;
        // It is shown in the end, whether or not it can be kept.
        let kept = self.keeper.folder.write_record(&record);
        for doubt in doubts(&record) {
            self.progress.note(&doubt);
        }
        self.keeper.records.push(record);
        self.eta.ended(&result.case);
        self.progress.advance();
        Ok(kept?)
    }
}
