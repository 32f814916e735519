//! Slices at any place that their type allows, with something around them that must stay.

use std::sync::LazyLock;

use crate::random::Random;

/// No number: who reads it by mistake spoils what comes of it.
const AROUND: f32 = f32::from_bits(0x7fc0_beef);

/// How far from the start of a cache line a slice may begin, in numbers.
const LINE: usize = 16;

/// Whether slices end with their memory.
static EXACT: LazyLock<bool> = LazyLock::new(|| std::env::var_os("FUZZ_EXACT").is_some());

/// Numbers somewhere in a larger memory.
pub struct Placed {
    memory: Box<[f32]>,
    start: usize,
    end: usize,
}

impl Placed {
    /// These numbers, at a drawn place.
    pub fn new(random: &mut Random, numbers: &[f32]) -> Self {
        let (before, after) = if *EXACT { (0, 0) } else { (LINE, LINE) };
        // Memory starts at a multiple of 16 bytes, so this draws every place in a cache line.
        let offset = if random.once_in(4) { 0 } else { random.between(0, LINE - 1) };
        let (start, end) = (before + offset, before + offset + numbers.len());
        let mut memory = vec![AROUND; end + after].into_boxed_slice();
        memory[start..end].copy_from_slice(numbers);
        Self { memory, start, end }
    }

    pub fn get(&self) -> &[f32] {
        &self.memory[self.start..self.end]
    }

    pub fn get_mut(&mut self) -> &mut [f32] {
        &mut self.memory[self.start..self.end]
    }

    /// Whether what is around the numbers is as it was.
    pub fn is_intact(&self) -> bool {
        let (before, after) = (&self.memory[..self.start], &self.memory[self.end..]);
        before.iter().chain(after).all(|number| number.to_bits() == AROUND.to_bits())
    }
}

/// A place for so many results, each no number until it is written.
pub fn empty(random: &mut Random, count: usize) -> Placed {
    Placed::new(random, &vec![AROUND; count])
}

/// Bytes at any address.
pub struct PlacedBytes {
    memory: Box<[u8]>,
    start: usize,
    end: usize,
}

impl PlacedBytes {
    pub fn new(random: &mut Random, bytes: &[u8]) -> Self {
        let start = random.between(0, 64);
        let end = start + bytes.len();
        let mut memory = vec![0xa5; end].into_boxed_slice();
        memory[start..].copy_from_slice(bytes);
        Self { memory, start, end }
    }

    pub fn get(&self) -> &[u8] {
        &self.memory[self.start..self.end]
    }
}
