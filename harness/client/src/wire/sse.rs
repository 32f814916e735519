//! Server-sent events as their bytes arrive.
//!
//! A line is looked at as soon as its last byte is there, wherever the network cut the bytes, and
//! no line is kept beyond a stated length: results/decisions/0022-the-server-engine.md says why no
//! library does this here. Not here: what an event holds.
//!
//! # Source
//! WHATWG HTML, "Server-sent events", 9.2.6.

/// Most bytes of a line; a chunk of a completion has some hundreds.
pub(crate) const MOST_OF_A_LINE: usize = 4 << 20;

/// A line longer than [`MOST_OF_A_LINE`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LineTooLong;

/// Takes bytes, and gives the data of each event line.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    /// The beginning of a line whose end has not come yet.
    rest: Vec<u8>,
    /// Whether the latest byte was a carriage return, whose line feed belongs to it.
    after_return: bool,
    started: bool,
}

impl Lines {
    /// Hands the value of every `data:` line that these bytes complete to `take`, which says
    /// whether to go on. Comments and other fields are passed over.
    pub(crate) fn push(
        &mut self,
        mut bytes: &[u8],
        mut take: impl FnMut(&[u8]) -> bool,
    ) -> Result<(), LineTooLong> {
        if !self.started && !bytes.is_empty() {
            self.started = true;
            bytes = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(bytes);
        }
        while !bytes.is_empty() {
            if std::mem::take(&mut self.after_return) && bytes[0] == b'\n' {
                bytes = &bytes[1..];
                continue;
            }
            let Some(end) = bytes.iter().position(|byte| matches!(byte, b'\n' | b'\r')) else {
                self.rest.extend_from_slice(bytes);
                return if self.rest.len() > MOST_OF_A_LINE { Err(LineTooLong) } else { Ok(()) };
            };
            self.after_return = bytes[end] == b'\r';
            let go_on = if self.rest.is_empty() {
                data(&bytes[..end]).is_none_or(&mut take)
            } else {
                self.rest.extend_from_slice(&bytes[..end]);
                let go_on = data(&self.rest).is_none_or(&mut take);
                self.rest.clear();
                go_on
            };
            if !go_on {
                return Ok(());
            }
            bytes = &bytes[end + 1..];
        }
        Ok(())
    }

    /// Whether a line was begun and not ended.
    pub(crate) fn is_in_a_line(&self) -> bool {
        !self.rest.is_empty()
    }
}

/// The value of a `data` line, without the one space behind the colon.
fn data(line: &[u8]) -> Option<&[u8]> {
    let value = line.strip_prefix(b"data:")?;
    Some(value.strip_prefix(b" ").unwrap_or(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\u{feff}data: {\"a\":\"\u{e4}\"}\n\n: a comment\nevent: x\r\ndata:two\r\rdata: three\n\ndata";

    fn read(pieces: &[&[u8]]) -> Vec<String> {
        let mut lines = Lines::default();
        let mut all = Vec::new();
        for piece in pieces {
            let take = |value: &[u8]| {
                all.push(String::from_utf8(value.to_vec()).unwrap());
                true
            };
            lines.push(piece, take).unwrap();
        }
        assert!(lines.is_in_a_line());
        all
    }

    #[test]
    fn events_are_the_same_wherever_the_bytes_are_cut() {
        let whole = read(&[TEXT.as_bytes()]);
        assert_eq!(whole, ["{\"a\":\"\u{e4}\"}", "two", "three"]);
        let bytes = TEXT.as_bytes();
        // The mark at the beginning is three bytes that come at once in practice.
        for cut in 3..bytes.len() {
            for other in cut..bytes.len() {
                let pieces = [&bytes[..cut], &bytes[cut..other], &bytes[other..]];
                assert_eq!(read(&pieces), whole, "{cut} {other}");
            }
        }
    }

    #[test]
    fn a_line_without_an_end_is_refused() {
        let mut lines = Lines::default();
        let piece = vec![b'x'; 1 << 20];
        let pushed: Vec<_> = (0..5).map(|_| lines.push(&piece, |_| true)).collect();
        assert_eq!(pushed[3], Ok(()));
        assert_eq!(pushed[4], Err(LineTooLong));
    }

    #[test]
    fn the_taker_can_stop() {
        let mut seen = 0;
        Lines::default()
            .push(b"data: 1\ndata: 2\n", |_| {
                seen += 1;
                false
            })
            .unwrap();
        assert_eq!(seen, 1);
    }
}
