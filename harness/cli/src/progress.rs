//! What a run shows while it runs, on standard error, and only where that is a terminal.

use indicatif::{ProgressBar, ProgressStyle};
use std::time::Duration;

/// A bar over the cases of a run.
pub struct Progress {
    bar: ProgressBar,
}

impl Progress {
    /// A bar over `cases`.
    pub fn over(cases: usize) -> Self {
        let bar = ProgressBar::new(cases as u64);
        let style =
            ProgressStyle::with_template("{spinner} [{elapsed}] {pos}/{len} cases {wide_msg}");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        bar.enable_steady_tick(Duration::from_millis(250));
        Self { bar }
    }

    /// A spinner for something without parts.
    pub fn spinner(message: &str) -> Self {
        let bar = ProgressBar::new_spinner();
        bar.enable_steady_tick(Duration::from_millis(250));
        bar.set_message(message.to_owned());
        Self { bar }
    }

    /// A bar over the bytes of a file.
    pub fn bytes(message: &str) -> Self {
        let bar = ProgressBar::new(0);
        let style = ProgressStyle::with_template("{spinner} {bytes}/{total_bytes} {wide_msg}");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        bar.enable_steady_tick(Duration::from_millis(250));
        bar.set_message(message.to_owned());
        Self { bar }
    }

    /// So many bytes of so many.
    pub fn bytes_done(&self, done: u64, all: u64) {
        self.bar.set_length(all);
        self.bar.set_position(done);
    }

    /// Says what is going on.
    pub fn say(&self, message: String) {
        self.bar.set_message(message);
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
