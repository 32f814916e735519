//! Memory in whole cache lines, so that no vector load straddles two.

/// One cache line, which is also one 512-bit vector.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(C, align(64))]
pub(super) struct Line(pub(super) [u8; 64]);

/// Bytes of a [`Line`].
pub(super) const LINE: usize = size_of::<Line>();

const _: () = assert!(LINE == 64 && align_of::<Line>() == 64);

impl Line {
    /// All bytes 0.
    pub(super) const ZERO: Self = Self([0; 64]);
}

/// Bytes that start on a cache line.
#[derive(Debug, Clone, Default)]
pub(super) struct AlignedBytes(Vec<Line>);

impl AlignedBytes {
    /// That many bytes, rounded up to whole lines, all 0.
    pub(super) fn zeroed(bytes: usize) -> Self {
        Self(vec![Line::ZERO; bytes.div_ceil(LINE)])
    }

    /// Makes room for that many bytes; those that are new are 0, and none is ever given back.
    pub(super) fn grow(&mut self, bytes: usize) {
        let lines = bytes.div_ceil(LINE);
        if lines > self.0.len() {
            self.0.resize(lines, Line::ZERO);
        }
    }

    pub(super) fn lines(&self) -> &[Line] {
        &self.0
    }

    pub(super) fn bytes(&self) -> &[u8] {
        self.0.as_slice().as_flattened_bytes()
    }

    pub(super) fn bytes_mut(&mut self) -> &mut [u8] {
        let length = size_of_val(self.0.as_slice());
        // SAFETY: lines are plain bytes without padding, and the slice covers exactly them.
        unsafe { std::slice::from_raw_parts_mut(self.0.as_mut_ptr().cast(), length) }
    }
}

/// What `as_flattened` is for arrays.
trait AsFlattenedBytes {
    fn as_flattened_bytes(&self) -> &[u8];
}

impl AsFlattenedBytes for [Line] {
    fn as_flattened_bytes(&self) -> &[u8] {
        // SAFETY: lines are plain bytes without padding, and the slice covers exactly them.
        unsafe { std::slice::from_raw_parts(self.as_ptr().cast(), size_of_val(self)) }
    }
}
