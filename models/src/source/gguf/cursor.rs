//! The bytes of a header in their order. Nothing is allocated for a length before it is held against
//! what is left of the file.
//!
//! Not here: what the bytes mean.

use super::fault::{Fault, shown};
use std::io::Read;

/// Longest header that is believed; the longest vocabularies published take some 30 MB.
const HEADER_BYTES: u64 = 256 << 20;

/// Where in a header the cursor is, for messages.
#[derive(Debug, Clone, Copy)]
pub(super) enum Place {
    /// Magic, version and counts.
    Beginning,
    /// The n-th key, counted from 1.
    Key(u64),
    /// The value of the key in [`Cursor::name`].
    Value,
    /// The n-th tensor's name, counted from 1.
    TensorName(u64),
    /// What is said of the tensor in [`Cursor::name`].
    Tensor,
}

/// Reads a header from its first byte on.
pub(super) struct Cursor<R> {
    source: R,
    at: u64,
    /// Bytes of the file.
    length: u64,
    /// Whether lengths take four bytes, as in version 1.
    pub(super) short_lengths: bool,
    /// For messages.
    pub(super) place: Place,
    /// The key or tensor of `place`.
    pub(super) name: String,
}

impl<R: Read> Cursor<R> {
    /// At the first of `length` bytes.
    pub(super) fn new(source: R, length: u64) -> Self {
        let (place, name) = (Place::Beginning, String::new());
        Self { source, at: 0, length, short_lengths: false, place, name }
    }

    /// Bytes behind.
    pub(super) fn at(&self) -> u64 {
        self.at
    }

    /// Something wrong at the cursor.
    pub(super) fn damaged(&self, what: &str) -> Fault {
        let place = match self.place {
            Place::Beginning => "its counts".into(),
            Place::Key(n) => format!("the name of key {n}"),
            Place::Value => format!("the value of {}", shown(&self.name)),
            Place::TensorName(n) => format!("the name of tensor {n}"),
            Place::Tensor => format!("the tensor {}", shown(&self.name)),
        };
        Fault::Damaged(format!("{what}, before byte {} in {place}", self.at))
    }

    /// Whether so many more bytes are there.
    ///
    /// # Errors
    /// The header breaks off, or has no end.
    pub(super) fn expect(&self, bytes: u64) -> Result<(), Fault> {
        match self.at.checked_add(bytes) {
            Some(end) if end <= self.length.min(HEADER_BYTES) => Ok(()),
            Some(end) if end <= self.length => Err(self.damaged(&format!(
                "its header is longer than the {HEADER_BYTES} bytes that are believed"
            ))),
            _ => Err(self.damaged(&format!("its header breaks off at byte {}", self.length))),
        }
    }

    fn fill(&mut self, out: &mut [u8]) -> Result<(), Fault> {
        self.expect(out.len() as u64)?;
        self.source.read_exact(out).map_err(Fault::Io)?;
        self.at += out.len() as u64;
        Ok(())
    }

    /// The next bytes.
    pub(super) fn take<const N: usize>(&mut self) -> Result<[u8; N], Fault> {
        let mut bytes = [0; N];
        self.fill(&mut bytes)?;
        Ok(bytes)
    }

    /// A number of four bytes.
    pub(super) fn u32(&mut self) -> Result<u32, Fault> {
        self.take().map(u32::from_le_bytes)
    }

    /// A number of eight bytes.
    pub(super) fn u64(&mut self) -> Result<u64, Fault> {
        self.take().map(u64::from_le_bytes)
    }

    /// A length or count.
    pub(super) fn length(&mut self) -> Result<u64, Fault> {
        if self.short_lengths { self.u32().map(u64::from) } else { self.u64() }
    }

    /// Fewest bytes of a string: those of its length.
    pub(super) fn length_bytes(&self) -> u64 {
        if self.short_lengths { 4 } else { 8 }
    }

    /// A count of things that take `each` bytes or more, and of which `most` are believed.
    pub(super) fn count(&mut self, what: &str, each: u64, most: u64) -> Result<usize, Fault> {
        let count = self.length()?;
        if count > most {
            return Err(
                self.damaged(&format!("{count} {what}, where no more than {most} are believed"))
            );
        }
        self.expect(count.saturating_mul(each))?;
        usize::try_from(count).map_err(|_| self.damaged(&format!("{count} {what}")))
    }

    /// A string. What is no UTF-8 is replaced, and zeros at its end are dropped: published files
    /// have both.
    pub(super) fn string(&mut self, most: u64) -> Result<String, Fault> {
        let mut bytes = vec![0; self.count("bytes of a string", 1, most)?];
        self.fill(&mut bytes)?;
        while bytes.pop_if(|last| *last == 0).is_some() {}
        Ok(String::from_utf8(bytes)
            .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()))
    }
}
