//! The only place that writes to standard output and standard error.

use freeweights_report::visible;
use std::io::{ErrorKind, IsTerminal, Write};

/// Width of tables where standard output is no terminal.
const WIDTH: u16 = 120;

/// Data to standard output. A reader that has gone away (`| head`) is no failure. A terminal is shown
/// what would command it; files and programs get the text as it is.
///
/// # Errors
/// Whatever else keeps the text from being written, a full disk behind a redirection say.
pub fn data(text: &str) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    let shown = if out.is_terminal() { visible(text) } else { text.into() };
    match out.write_all(shown.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(anyhow::Error::new(error).context("cannot write to standard output"))
        }
        _ => Ok(()),
    }
}

/// A line of progress or advice to standard error. Where it cannot be written, what is measured is
/// worth more.
pub fn note(line: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{}", visible(line));
}

/// A complaint to standard error, likewise.
pub fn complain(line: &str) {
    note(line);
}

/// Columns of the terminal, or of a page where there is none.
pub fn width() -> u16 {
    terminal_size::terminal_size_of(std::io::stdout()).map_or(WIDTH, |(columns, _)| columns.0)
}
