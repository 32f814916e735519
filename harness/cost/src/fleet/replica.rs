//! One replica: continuous batching, from one change of the batch to the next.
//!
//! Between two changes of the batch nothing is decided, so the steps in between are one run whose
//! length is known beforehand: with `B` sequences at a mean depth `d`, step `i` takes
//! `a + b * i`, with `a` the step at `d` and `b` the slope of the chord to the depth at the end of
//! the run, and `k` steps take `k * a + b * k * (k - 1) / 2`. Each step gives every sequence one
//! token, so a count of steps (the clock) says when a sequence is done: when the clock reaches the
//! value it had at its first token plus `osl - 1`.
//!
//! Not here: which replica a request goes to, and what is counted.

use super::config::FleetConfig;
use super::job::Job;
use super::prefix_cache::PrefixCache;
use super::service::Service;
use crate::trace::PREFIX_BLOCK;
use rand::rngs::SmallRng;
use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

/// Bits of a key that hold the slot; those above hold the clock.
const SLOT_BITS: u32 = 16;

/// A request that is admitted.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sequence {
    pub(super) job: Job,
    /// When it was admitted.
    pub(super) started: f64,
    /// When its first token was there.
    pub(super) first: f64,
    /// Input tokens that were in the prefix cache.
    pub(super) cached: u32,
}

/// A prompt that is being read.
#[derive(Debug, Clone, Copy)]
struct Prompt {
    slot: u16,
    left: u64,
    /// Seconds of a token, with chunks.
    per_token: f64,
}

/// Steps until the batch changes.
#[derive(Debug, Clone, Copy)]
struct Run {
    start: f64,
    /// Seconds of the first step.
    first: f64,
    /// By how much each step is longer than the one before.
    slope: f64,
    steps: u64,
    /// Whether they are steps of decode.
    decodes: bool,
    /// Prompt tokens of each step.
    chunk: u64,
}

impl Run {
    #[inline]
    fn time_of(&self, steps: u64) -> f64 {
        let k = steps as f64;
        k * self.first + self.slope * k * (k - 1.0) * 0.5
    }

    #[inline]
    fn end(&self) -> f64 {
        self.start + self.time_of(self.steps)
    }

    /// Whole steps that are over by a moment.
    #[inline]
    fn over_by(&self, now: f64) -> u64 {
        let time = now - self.start;
        if time <= 0.0 || self.first <= 0.0 {
            return 0;
        }
        let steps = if self.slope > 0.0 {
            // slope / 2 * k^2 + (first - slope / 2) * k = time
            let linear = self.first - self.slope * 0.5;
            (2.0 * time) / (linear + (linear * linear + 2.0 * self.slope * time).sqrt())
        } else {
            time / self.first
        };
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count")]
        let whole = steps as u64;
        whole.min(self.steps)
    }
}

/// What replicas have in common.
pub(super) struct Rules<'a> {
    pub(super) service: &'a Service,
    batch_max: usize,
    kv_tokens: u64,
    step_tokens: u64,
    prompts_max: usize,
    chunked: bool,
    flat: bool,
}

impl<'a> Rules<'a> {
    pub(super) fn new(service: &'a Service, config: &FleetConfig) -> Self {
        Self {
            service,
            batch_max: config.batch_max as usize,
            kv_tokens: config.kv_tokens.map_or(u64::MAX, freeweights_record::units::Tokens::get),
            step_tokens: config.step_tokens.get(),
            prompts_max: service.prompts_max() as usize,
            chunked: config.chunked && service.curve().is_some(),
            flat: service.flat_in_depth(),
        }
    }
}

/// One replica.
pub(super) struct Replica {
    /// Requests that wait here.
    pub(super) queue: VecDeque<Job>,
    run: Option<Run>,
    slots: Vec<Sequence>,
    free: Vec<u16>,
    prompts: VecDeque<Prompt>,
    /// Sequences that decode: the clock at which they are done, and their slot.
    running: BinaryHeap<Reverse<u64>>,
    clock: u64,
    /// Tokens in the KV cache of the sequences that decode.
    context: u64,
    /// Tokens the KV cache is kept free for.
    reserved: u64,
    pub(super) cache: Option<PrefixCache>,
}

impl Replica {
    pub(super) fn new(config: &FleetConfig) -> Self {
        let blocks = config.prefix_tokens.map(|tokens| tokens.get() / PREFIX_BLOCK.get());
        let blocks = blocks.map(|blocks| usize::try_from(blocks).unwrap_or(usize::MAX));
        Self {
            queue: VecDeque::new(),
            run: None,
            slots: Vec::new(),
            free: Vec::new(),
            prompts: VecDeque::new(),
            running: BinaryHeap::new(),
            clock: 0,
            context: 0,
            reserved: 0,
            cache: blocks.map(PrefixCache::new),
        }
    }

    /// Sequences that are admitted.
    #[inline]
    pub(super) fn admitted(&self) -> usize {
        self.running.len() + self.prompts.len()
    }

    /// Requests here, waiting ones included.
    #[inline]
    pub(super) fn in_flight(&self) -> usize {
        self.admitted() + self.queue.len()
    }

    #[inline]
    pub(super) fn is_idle(&self) -> bool {
        self.run.is_none()
    }

    /// Whether there is a slot and memory for a request now.
    #[inline]
    pub(super) fn admits(&self, job: &Job, rules: &Rules<'_>) -> bool {
        self.admitted() < rules.batch_max && self.reserved + job.tokens() <= rules.kv_tokens
    }
    /// Whether there is room for a request beside those that wait here already.
    pub(super) fn takes(&self, job: &Job, rules: &Rules<'_>) -> bool {
        let waiting: u64 = self.queue.iter().map(Job::tokens).sum();
        let tokens = self.reserved.saturating_add(waiting).saturating_add(job.tokens());
        self.in_flight() < rules.batch_max && tokens <= rules.kv_tokens
    }

    /// Ends a run of decode with the step that is under way, because somebody came who can be
    /// admitted; the new end, where there is one.
    #[inline]
    pub(super) fn interrupt(&mut self, now: f64) -> Option<f64> {
        let run = self.run.as_mut()?;
        if !run.decodes || run.chunk > 0 {
            return None;
        }
        let steps = run.over_by(now) + 1;
        if steps >= run.steps {
            return None;
        }
        run.steps = steps;
        Some(run.end())
    }

    /// Carries the run that is over into the batch; hands over each sequence that is done.
    pub(super) fn complete<'b>(
        &mut self,
        now: f64,
        blocks: impl Fn(&Job) -> &'b [u64],
        mut done: impl FnMut(&Sequence),
    ) {
        let Some(run) = self.run.take() else { return };
        if run.decodes {
            self.clock += run.steps;
            self.context += run.steps * self.running.len() as u64;
            while let Some(&Reverse(key)) = self.running.peek() {
                if key >> SLOT_BITS > self.clock {
                    break;
                }
                self.running.pop();
                let slot = slot_of(key);
                self.context -= self.slots[usize::from(slot)].job.tokens();
                self.leave(slot, &mut done);
            }
        }
        let mut read = run.chunk * run.steps;
        while read > 0
            && let Some(prompt) = self.prompts.front_mut()
        {
            if prompt.left > read {
                prompt.left -= read;
                break;
            }
            read -= prompt.left;
            let slot = prompt.slot;
            self.prompts.pop_front();
            self.first_token(slot, now, &blocks, &mut done);
        }
    }

    /// A prompt is read: its first token is there.
    #[inline]
    fn first_token<'b>(
        &mut self,
        slot: u16,
        now: f64,
        blocks: &impl Fn(&Job) -> &'b [u64],
        done: &mut impl FnMut(&Sequence),
    ) {
        let sequence = &mut self.slots[usize::from(slot)];
        sequence.first = now;
        let job = sequence.job;
        if let Some(cache) = &mut self.cache {
            cache.touch(blocks(&job), job.salt());
        }
        if job.osl <= 1 {
            self.leave(slot, done);
        } else {
            self.context += u64::from(job.isl) + 1;
            let end = self.clock + u64::from(job.osl) - 1;
            self.running.push(Reverse(end << SLOT_BITS | u64::from(slot)));
        }
    }

    #[inline]
    fn leave(&mut self, slot: u16, done: &mut impl FnMut(&Sequence)) {
        let sequence = &self.slots[usize::from(slot)];
        self.reserved -= sequence.job.tokens();
        done(sequence);
        self.free.push(slot);
    }

    /// Admits whom it can and plans the next run; its end, or infinity where there is nothing to do.
    pub(super) fn begin<'b>(
        &mut self,
        now: f64,
        rules: &Rules<'_>,
        blocks: impl Fn(&Job) -> &'b [u64],
        rng: &mut SmallRng,
    ) -> f64 {
        debug_assert!(self.run.is_none(), "one run at a time");
        if !self.queue.is_empty() {
            self.admit(now, rules, blocks, rng);
        }
        let run = if self.prompts.is_empty() {
            if self.running.is_empty() {
                return f64::INFINITY;
            }
            self.decode(now, rules)
        } else if rules.chunked {
            self.mixed(now, rules)
        } else {
            self.prefill(now, rules, rng)
        };
        self.run = Some(run);
        run.end()
    }

    /// Takes requests from the queue, in their order, as long as there is a slot, memory, and room
    /// in the next prefill.
    fn admit<'b>(
        &mut self,
        now: f64,
        rules: &Rules<'_>,
        blocks: impl Fn(&Job) -> &'b [u64],
        rng: &mut SmallRng,
    ) {
        let mut planned: u64 = self.prompts.iter().map(|prompt| prompt.left).sum();
        while let Some(&job) = self.queue.front() {
            let together = !rules.chunked && self.prompts.len() >= rules.prompts_max;
            let full = planned > 0 && (planned >= rules.step_tokens || together);
            if full || !self.admits(&job, rules) {
                break;
            }
            let cached = self.cache.as_ref().map_or(0, |cache| found(cache, &job, &blocks));
            let left = u64::from(job.isl - cached);
            if planned > 0 && !rules.chunked && planned + left > rules.step_tokens {
                break;
            }
            planned += left;
            self.queue.pop_front();
            self.reserved += job.tokens();
            let sequence = Sequence { job, started: now, first: now, cached };
            let slot = if let Some(slot) = self.free.pop() {
                self.slots[usize::from(slot)] = sequence;
                slot
            } else {
                self.slots.push(sequence);
                u16::try_from(self.slots.len() - 1).expect("invariant: a batch has 16 bits")
            };
            let per_token = if rules.chunked {
                let (mean, held) = (f64::from(job.isl), f64::from(cached));
                rules.service.prefill_s(1, mean, held, rng) / left as f64
            } else {
                0.0
            };
            self.prompts.push_back(Prompt { slot, left, per_token });
        }
    }

    /// Steps of decode until the first sequence is done.
    #[inline]
    fn decode(&self, now: f64, rules: &Rules<'_>) -> Run {
        let steps = self.steps_to_the_next_end();
        let (first, slope) = self.step(steps, rules);
        Run { start: now, first, slope, steps, decodes: true, chunk: 0 }
    }

    #[inline]
    fn steps_to_the_next_end(&self) -> u64 {
        let next = self.running.peek().map_or(self.clock + 1, |&Reverse(key)| key >> SLOT_BITS);
        next - self.clock
    }

    /// The first of so many steps, and by how much each is longer than the one before.
    #[inline]
    fn step(&self, steps: u64, rules: &Rules<'_>) -> (f64, f64) {
        let count = self.running.len();
        let batch = u32::try_from(count).unwrap_or(u32::MAX);
        if rules.flat {
            return (rules.service.step_s(batch, 0.0), 0.0);
        }
        let depth = self.context as f64 / count as f64;
        let first = rules.service.step_s(batch, depth);
        if steps < 2 {
            return (first, 0.0);
        }
        let further = (steps - 1) as f64;
        let last = rules.service.step_s(batch, depth + further);
        (first, (last - first) / further)
    }

    /// All admitted prompts at once, while decode stands still.
    fn prefill(&self, now: f64, rules: &Rules<'_>, rng: &mut SmallRng) -> Run {
        let (mut tokens, mut cached, mut left) = (0.0, 0.0, 0);
        for prompt in &self.prompts {
            let sequence = &self.slots[usize::from(prompt.slot)];
            tokens += f64::from(sequence.job.isl);
            cached += f64::from(sequence.cached);
            left += prompt.left;
        }
        let count = self.prompts.len() as f64;
        let prompts = u32::try_from(self.prompts.len()).unwrap_or(u32::MAX);
        let first = rules.service.prefill_s(prompts, tokens / count, cached / count, rng);
        Run { start: now, first, slope: 0.0, steps: 1, decodes: false, chunk: left }
    }

    /// Steps that decode and read: what the budget of a step leaves over is read from the prompts,
    /// in their order. The time of such a step is the sum of both.
    fn mixed(&self, now: f64, rules: &Rules<'_>) -> Run {
        let decodes = !self.running.is_empty();
        let chunk = rules.step_tokens.saturating_sub(self.running.len() as u64).max(1);
        let front = self.prompts.front().expect("invariant: there is a prompt");
        let whole = front.left / chunk;
        let (steps, chunk, reading) = if whole > 0 {
            let most = if decodes { self.steps_to_the_next_end() } else { whole };
            (whole.min(most), chunk, chunk as f64 * front.per_token)
        } else {
            let (mut taken, mut time) = (0, 0.0);
            for prompt in &self.prompts {
                let part = prompt.left.min(chunk - taken);
                taken += part;
                time += part as f64 * prompt.per_token;
            }
            (1, taken, time)
        };
        let (first, slope) = if decodes { self.step(steps, rules) } else { (0.0, 0.0) };
        Run { start: now, first: first + reading, slope, steps, decodes, chunk }
    }

    /// Breaks down: everything in flight is lost, and handed over to begin anew.
    pub(super) fn break_down(&mut self, mut lost: impl FnMut(Job)) {
        let admitted = self.running.drain().map(|Reverse(key)| slot_of(key));
        let slots: Vec<u16> =
            admitted.chain(self.prompts.drain(..).map(|prompt| prompt.slot)).collect();
        let mut jobs: Vec<Job> =
            slots.iter().map(|slot| self.slots[usize::from(*slot)].job).collect();
        jobs.sort_by(|a, b| a.arrival.total_cmp(&b.arrival));
        jobs.into_iter().chain(self.queue.drain(..)).for_each(&mut lost);
        self.free.extend(slots);
        (self.run, self.context, self.reserved) = (None, 0, 0);
        if let Some(cache) = &mut self.cache {
            cache.clear();
        }
    }
}

#[inline]
fn slot_of(key: u64) -> u16 {
    #[expect(clippy::cast_possible_truncation, reason = "the slot is the low 16 bits")]
    let slot = key as u16;
    slot
}

/// Input tokens that are in the cache; the last token is always read, it makes the first output.
fn found<'b>(cache: &PrefixCache, job: &Job, blocks: &impl Fn(&Job) -> &'b [u64]) -> u32 {
    let found = cache.found(blocks(job), job.salt()) as u64 * PREFIX_BLOCK.get();
    u32::try_from(found).unwrap_or(u32::MAX).min(job.isl - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(first: f64, slope: f64, steps: u64) -> Run {
        Run { start: 10.0, first, slope, steps, decodes: true, chunk: 0 }
    }

    #[test]
    fn steps_that_lengthen_are_summed_in_closed_form() {
        // 1 + 1.5 + 2 + 2.5 = 7
        let run = run(1.0, 0.5, 4);
        assert!((run.end() - 17.0).abs() < 1e-12);
        for (now, over) in [(10.0, 0), (10.9, 0), (11.01, 1), (12.49, 1), (14.51, 3), (99.0, 4)] {
            assert_eq!(run.over_by(now), over, "{now}");
        }
    }

    #[test]
    fn steps_of_one_length_too() {
        let run = run(0.25, 0.0, 8);
        assert!((run.end() - 12.0).abs() < 1e-12);
        assert_eq!((run.over_by(10.2), run.over_by(10.6), run.over_by(50.0)), (0, 2, 8));
    }
}
