//! Keeps requests as they end, on a thread of its own: the client does not wait for the disk.

use freeweights_client::load::{Sink, Written};
use freeweights_models::TextTokenizer;
use freeweights_record::requests::{Objective, RequestOf, RequestSample, RequestTotals};
use freeweights_record::units::Tokens;
use freeweights_record::{RunFolder, WriteError};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Requests are written when so many have come, or after this time: a kill costs no more.
const AT_ONCE: usize = 512;
const AT_LATEST: Duration = Duration::from_millis(500);

/// What a case left behind.
pub struct Kept {
    /// The folder, to go on with.
    pub folder: RunFolder,
    /// The figures.
    pub totals: RequestTotals,
    /// Requests of which server and tokenizer count the output differently.
    pub mismatches: u32,
    /// Gaps that were not written.
    pub gaps_left_out: u64,
    /// Why the rest is not on the disk.
    pub error: Option<WriteError>,
}

/// What is done with every request.
pub struct Keeping {
    /// The case.
    pub of: RequestOf,
    /// What is good.
    pub objective: Option<Objective>,
    /// Counts tokens of what was written.
    pub tokenizer: Option<Arc<TextTokenizer>>,
    /// Whether the server counts, so that the tokenizer only checks it.
    pub server_counts: bool,
    /// Gaps that are written, at most.
    pub gaps: u64,
    /// Raised where nothing can be written any more.
    pub stop: Arc<AtomicBool>,
}

type Item = (RequestSample, Option<Written>);

/// The sending end.
pub struct Recorder {
    send: Sender<Item>,
    thread: JoinHandle<Kept>,
    ended: Arc<AtomicU32>,
}

impl Recorder {
    /// Starts the thread.
    pub fn start(folder: RunFolder, keeping: Keeping) -> Self {
        let (send, receive) = channel();
        let ended = Arc::new(AtomicU32::new(0));
        let thread = std::thread::spawn(move || keep(folder, &keeping, &receive));
        Self { send, thread, ended }
    }

    /// Counts requests as they end.
    pub fn ended(&self) -> Arc<AtomicU32> {
        Arc::clone(&self.ended)
    }

    /// Waits until everything is written.
    pub fn finish(self) -> Kept {
        drop(self.send);
        match self.thread.join() {
            Ok(kept) => kept,
            Err(panic) => std::panic::resume_unwind(panic),
        }
    }
}

impl Sink for Recorder {
    fn take(&mut self, request: RequestSample, written: Option<Written>) {
        self.ended.fetch_add(1, Ordering::Relaxed);
        // A thread that is gone has panicked, which `finish` tells.
        let _ = self.send.send((request, written));
    }
}

fn keep(mut folder: RunFolder, keeping: &Keeping, receive: &Receiver<Item>) -> Kept {
    let mut totals = RequestTotals::new(keeping.objective.clone());
    let (mut mismatches, mut gaps_left_out, mut error) = (0, 0, None);
    let mut gaps_left = keeping.gaps;
    let mut waiting: Vec<RequestSample> = Vec::with_capacity(AT_ONCE);
    let mut written = Instant::now();
    loop {
        let came = receive.recv_timeout(AT_LATEST);
        let over = matches!(came, Err(RecvTimeoutError::Disconnected));
        if let Ok((mut request, written)) = came {
            mismatches += u32::from(count(keeping, &mut request, written.as_ref()));
            totals.push(&request);
            if request.error.is_some() {
                // No gap of theirs counts, and an answer without end has as many as a thousand.
                request.gaps = Vec::new();
            }
            let gaps = request.gaps.len() as u64;
            if request.is_measured() && gaps <= gaps_left {
                gaps_left -= gaps;
            } else {
                if request.is_measured() {
                    gaps_left_out += gaps;
                }
                request.gaps = Vec::new();
            }
            waiting.push(request);
        }
        if !waiting.is_empty()
            && (over || waiting.len() >= AT_ONCE || written.elapsed() >= AT_LATEST)
        {
            if error.is_none()
                && let Err(failed) = folder.write_requests(&keeping.of, &waiting)
            {
                error = Some(failed);
                keeping.stop.store(true, Ordering::Relaxed);
            }
            waiting.clear();
            written = Instant::now();
        }
        if over {
            return Kept { folder, totals, mismatches, gaps_left_out, error };
        }
    }
}

/// Share by which two counts of the same text may differ.
const NEAR: f64 = 0.01;

/// Counts what was written, or checks the server's count; whether they differ.
fn count(keeping: &Keeping, request: &mut RequestSample, written: Option<&Written>) -> bool {
    let (Some(tokenizer), Some(written)) = (&keeping.tokenizer, written) else { return false };
    let tokens = |text: &str| tokenizer.encode(text).map(|ids| ids.len() as u64);
    // The mark that a tokenizer puts in front of every text was not written.
    let (Ok(whole), Ok(marks)) = (tokens(&written.answer), tokens("")) else { return false };
    let ours = whole.saturating_sub(marks);
    if !keeping.server_counts {
        request.tokens_in = tokens(&written.prompt).ok().map(Tokens::new);
        request.tokens_out = Some(Tokens::new(ours));
        return false;
    }
    let Some(theirs) = request.tokens_out else {
        // One answer without counts; the prompt's template is missing from ours.
        if request.error.is_none() {
            request.tokens_in = tokens(&written.prompt).ok().map(Tokens::new);
            request.tokens_out = Some(Tokens::new(ours));
        }
        return false;
    };
    ours.abs_diff(theirs.get()) > 1 && (ours as f64 / theirs.as_f64() - 1.0).abs() > NEAR
}
