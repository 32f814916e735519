//! What servers send. The parsers are compiled from the client's own files, so that neither a
//! network nor TLS is built for them.

use crate::{bounded, text};

#[path = "../../client/src/wire/chunk.rs"]
mod chunk;
#[path = "../../client/src/wire/sse.rs"]
mod lines;
#[path = "../../client/src/metrics_page.rs"]
pub mod page;

use chunk::{Event, read_event};

fn events(pieces: &[&[u8]]) -> Vec<Vec<u8>> {
    let mut lines = lines::Lines::default();
    let mut all = Vec::new();
    for piece in pieces {
        let take = |value: &[u8]| {
            all.push(value.to_vec());
            true
        };
        lines.push(piece, take).expect("no input is longer than a line may be");
    }
    let _ = lines.is_in_a_line();
    all
}

/// Server-sent events: the same wherever they are cut. The first byte says where.
pub fn sse(data: &[u8]) {
    let Some((&cut, stream)) = data.split_first() else { return };
    bounded(data, || {
        let whole = events(&[stream]);
        // The mark at the beginning is three bytes that come at once in practice.
        let cut = usize::from(cut).max(3);
        if let Some((first, rest)) = stream.split_at_checked(cut) {
            assert_eq!(events(&[first, rest]), whole);
        }
        for event in &whole {
            if let Ok(Event::Chunk(chunk)) = read_event(event) {
                let _ = (chunk.text().count(), chunk.has_content(), chunk.usage, chunk.error());
            }
        }
    });
}

/// A page of `/metrics`, read twice.
pub fn metrics_page(data: &[u8]) {
    bounded(data, || {
        let Some(reading) = text(data).and_then(page::Reading::of) else { return };
        let mut all = page::Readings::default();
        all.push(reading);
        all.push(reading);
        for mean in [all.running_mean(), all.waiting_mean()].into_iter().flatten() {
            assert!(mean.get().is_finite());
        }
        assert!(all.kv_used_max().is_none_or(|share| share.get().is_finite()));
        let _ = all.preemptions();
    });
}
