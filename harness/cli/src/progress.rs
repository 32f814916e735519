//! What a run shows while it runs, on standard error. Bars are drawn only where that is a terminal.

use crate::print;
use freeweights_models as models;
use freeweights_record::units::Bytes;
use freeweights_report::visible;
use indicatif::{ProgressBar, ProgressStyle};
use std::cell::{Cell, RefCell};
use std::io::IsTerminal;
use std::time::{Duration, Instant};

/// How often a line is written where no bar can be drawn.
const LINES: Duration = Duration::from_secs(30);

/// A bar over the cases of a run; where standard error is no terminal, a line now and then.
pub struct Progress {
    bar: ProgressBar,
    /// When the last line was written; `None` on a terminal.
    last_line: Cell<Option<Instant>>,
}

impl Progress {
    /// A bar over `cases`.
    pub fn over(cases: usize) -> Self {
        let bar = ProgressBar::new(cases as u64);
        let style =
            ProgressStyle::with_template("{spinner} [{elapsed}] {pos}/{len} cases {wide_msg}");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        bar.enable_steady_tick(Duration::from_millis(250));
        Self::with(bar)
    }

    /// A spinner for something without parts.
    pub fn spinner(message: &str) -> Self {
        let bar = ProgressBar::new_spinner();
        bar.enable_steady_tick(Duration::from_millis(250));
        bar.set_message(visible(message).into_owned());
        Self::with(bar)
    }

    /// A bar over the bytes of a file.
    pub fn bytes(message: &str) -> Self {
        let bar = ProgressBar::new(0);
        let style = ProgressStyle::with_template("{spinner} {bytes}/{total_bytes} {wide_msg}");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        bar.enable_steady_tick(Duration::from_millis(250));
        bar.set_message(visible(message).into_owned());
        Self::with(bar)
    }

    /// So many bytes of so many.
    pub fn bytes_done(&self, done: u64, all: u64) {
        self.bar.set_length(all);
        self.bar.set_position(done);
    }

    fn with(bar: ProgressBar) -> Self {
        let lines = (!std::io::stderr().is_terminal()).then(Instant::now);
        Self { bar, last_line: Cell::new(lines) }
    }

    /// There are so many cases by now.
    pub fn cover(&self, cases: usize) {
        self.bar.set_length(cases as u64);
    }

    /// Says what is going on.
    pub fn say(&self, message: &str) {
        if let Some(last) = self.last_line.get()
            && last.elapsed() >= LINES
        {
            match self.bar.length() {
                Some(all) => {
                    print::note(&format!("{} of {all} cases; {message}", self.bar.position()));
                }
                // Something without parts.
                None => print::note(message),
            }
            self.last_line.set(Some(Instant::now()));
        }
        self.bar.set_message(visible(message).into_owned());
    }

    /// Writes a line above the bar.
    pub fn note(&self, line: &str) {
        self.bar.suspend(|| print::note(line));
    }

    /// One case is over.
    pub fn advance(&self) {
        self.bar.inc(1);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

/// Files on their way from the hub, one after the other: a bar each where standard error is a
/// terminal, else a line when one begins and a line when it is here.
pub struct Downloads {
    terminal: bool,
    /// The file that is arriving.
    current: RefCell<Option<(String, ProgressBar)>>,
}

impl Downloads {
    /// For standard error as it is.
    pub fn new() -> Self {
        Self { terminal: std::io::stderr().is_terminal(), current: RefCell::new(None) }
    }
}

impl models::Progress for Downloads {
    fn begins(&self, download: &models::Download<'_>) {
        let models::Download { file, number, files, bytes, already } = *download;
        let which = if files > 1 { format!("{file} ({number} of {files})") } else { file.into() };
        let bar = if self.terminal {
            ProgressBar::with_draw_target(bytes, indicatif::ProgressDrawTarget::stderr())
        } else {
            let size = bytes.map(|bytes| format!(", {}", Bytes::new(bytes).human()));
            print::note(&format!("fetching {which}{}", size.unwrap_or_default()));
            ProgressBar::hidden()
        };
        let style = match bytes {
            Some(_) => "{msg} {wide_bar} {bytes}/{total_bytes} {bytes_per_sec} {eta}",
            None => "{msg} {spinner} {bytes} {bytes_per_sec}",
        };
        bar.set_style(
            ProgressStyle::with_template(style).unwrap_or_else(|_| ProgressStyle::default_bar()),
        );
        bar.set_message(visible(&which).into_owned());
        bar.set_position(already);
        // What an earlier attempt left says nothing of the speed of this one.
        bar.reset_eta();
        *self.current.borrow_mut() = Some((which, bar));
    }

    fn reached(&self, bytes: u64) {
        if let Some((_, bar)) = self.current.borrow().as_ref() {
            bar.set_position(bytes);
        }
    }

    fn ends(&self, whole: bool) {
        let Some((which, bar)) = self.current.take() else { return };
        if whole {
            bar.finish();
        } else {
            bar.abandon();
        }
        if whole && !self.terminal {
            print::note(&format!("fetched {which}"));
        }
    }
}
