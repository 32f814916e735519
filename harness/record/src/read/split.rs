//! Rows of a CSV, split on a thread of their own while those before are read.

use std::io::Read;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::thread::Scope;

/// Rows that change hands at once.
const BATCH: usize = 256;

/// Batches that may wait to be read.
const WAITING: usize = 4;

/// Rows in their order.
#[derive(Default)]
struct Batch {
    rows: Vec<csv::StringRecord>,
    /// Why a row is no text, by its place in the batch.
    broken: Vec<(usize, csv::Error)>,
    filled: usize,
    /// Why there are no more rows; none at the end of the text.
    ended: Option<csv::Error>,
}

/// The rows of a text, one at a time.
pub(super) struct Rows {
    full: Receiver<Batch>,
    /// Batches that were read, whose memory the splitter takes again.
    empty: Sender<Batch>,
    batch: Batch,
    next: usize,
}

impl Rows {
    /// Splits the rows behind the header on a thread of the scope, which ends with the text, or
    /// when the rows are dropped.
    pub(super) fn of<'scope, R: Read + Send + 'scope>(
        reader: csv::Reader<R>,
        scope: &'scope Scope<'scope, '_>,
    ) -> Self {
        let (to, full) = sync_channel(WAITING);
        let (empty, from) = channel();
        scope.spawn(move || split(reader, &to, &from));
        Self { full, empty, batch: Batch::default(), next: 0 }
    }

    /// Whether no row comes behind those that were given out.
    pub(super) fn at_end(&mut self) -> bool {
        while self.next == self.batch.filled {
            if self.batch.ended.is_some() {
                return false;
            }
            let Ok(batch) = self.full.recv() else { return true };
            self.batch = batch;
            self.next = 0;
        }
        false
    }

    /// The next row, or why it is no text; `None` behind the last.
    ///
    /// # Errors
    /// What keeps all further rows from being split.
    pub(super) fn next(
        &mut self,
    ) -> Result<Option<(&mut csv::StringRecord, Option<csv::Error>)>, csv::Error> {
        while self.next == self.batch.filled {
            if let Some(error) = self.batch.ended.take() {
                return Err(error);
            }
            // The splitter hangs up behind the last row.
            let Ok(batch) = self.full.recv() else { return Ok(None) };
            let read = std::mem::replace(&mut self.batch, batch);
            self.next = 0;
            // It may have hung up already and need no memory any more.
            let _ = self.empty.send(read);
        }
        let place = self.next;
        self.next += 1;
        let broken = self.batch.broken.iter().position(|(at, _)| *at == place);
        let broken = broken.map(|index| self.batch.broken.swap_remove(index).1);
        Ok(Some((&mut self.batch.rows[place], broken)))
    }
}

fn split<R: Read>(mut reader: csv::Reader<R>, to: &SyncSender<Batch>, from: &Receiver<Batch>) {
    loop {
        let mut batch = from.try_recv().unwrap_or_default();
        let more = fill(&mut batch, &mut reader);
        // A reader that met an error does not wait for the rest.
        if to.send(batch).is_err() || !more {
            return;
        }
    }
}

/// Fills a batch; `false` where nothing comes behind it.
fn fill<R: Read>(batch: &mut Batch, reader: &mut csv::Reader<R>) -> bool {
    batch.broken.clear();
    batch.filled = 0;
    batch.rows.resize_with(BATCH, csv::StringRecord::new);
    while batch.filled < BATCH {
        match reader.read_record(&mut batch.rows[batch.filled]) {
            Ok(true) => {}
            Ok(false) => return false,
            Err(error) if matches!(error.kind(), csv::ErrorKind::Utf8 { .. }) => {
                batch.broken.push((batch.filled, error));
            }
            Err(error) => {
                batch.ended = Some(error);
                return false;
            }
        }
        batch.filled += 1;
    }
    true
}
