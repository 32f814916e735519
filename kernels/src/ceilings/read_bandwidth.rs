//! How fast all threads together read memory that is in no cache.
//!
//! Not here: writing, latency, and the bandwidth of each cache. Memory comes from the ordinary
//! allocator, in pages of whatever size the system gives, as that of a loaded model does.

use std::hint::black_box;
use std::num::NonZeroUsize;
use std::time::Instant;

use super::lockstep;
use super::{Estimate, Options};

/// How many places of its part a thread reads from at a time.
///
/// A CPU fetches ahead along each place by itself but not across a page, so several places keep
/// more reads under way than one. Beyond eight there was nothing more to gain.
const STREAMS: usize = 8;

/// What is added of one stream before the next has its turn: two cache lines, as CPUs fetch lines
/// in pairs. Aligned, so that no load straddles two lines.
#[derive(Debug, Clone, Copy)]
#[repr(C, align(128))]
struct Turn([u64; 16]);

/// Turns of each stream between two looks at the clock: 64 KiB, some microseconds.
const BLOCK: usize = 64 * 1024 / size_of::<Turn>();

/// The wrapping sum of all words of streams that are equally long.
type Sum = fn([&[Turn]; STREAMS]) -> u64;

/// Bytes per second on all threads, and the feature that reached it.
pub(super) fn measure(options: &Options, buffer_bytes: usize) -> Option<(Estimate, &'static str)> {
    // The widest: all are bound by memory, so no trial is needed.
    let (isa, sum) = sums().pop()?;
    let part_bytes = buffer_bytes / options.threads;
    let rates = lockstep::rates(
        options.threads,
        options.passes(),
        options.pass_length(),
        || Part::new(part_bytes),
        |part, until| {
            let mut bytes = 0;
            loop {
                bytes += part.read_block(sum);
                if Instant::now() >= until {
                    return bytes;
                }
            }
        },
    );
    Some((Estimate::from_samples(rates)?, isa))
}

/// The largest buffer, up to the one asked for, that the allocator grants.
///
/// At least a turn for each stream of each thread; otherwise halved until it is granted.
pub(super) fn granted(asked_bytes: usize, threads: NonZeroUsize) -> usize {
    let least = threads.get().saturating_mul(STREAMS * size_of::<Turn>());
    let mut bytes = asked_bytes.max(least);
    while bytes > least && Vec::<u8>::new().try_reserve_exact(bytes).is_err() {
        bytes = (bytes / 2).max(least);
    }
    bytes
}

/// One thread's part of the buffer, and how far along its streams the thread has read.
struct Part {
    /// Every stream in full, one after the other.
    turns: Vec<Turn>,
    /// Turns that have been read of every stream, since its start.
    read: usize,
}

impl Part {
    /// Allocates and writes the part on the calling thread: memory that nobody wrote has no page of
    /// its own, and the page goes to the memory nearest to the thread that first writes it.
    ///
    /// Rounded down so that the streams are equal, but none is empty.
    fn new(bytes: usize) -> Self {
        let turns = (bytes / size_of::<Turn>() / STREAMS).max(1) * STREAMS;
        Self { turns: (0..turns as u64).map(turn).collect(), read: 0 }
    }

    /// Reads the next block of every stream: bytes read.
    ///
    /// It goes on where the last one ended, so what it reads was last read a whole part ago.
    fn read_block(&mut self, sum: Sum) -> u64 {
        let length = self.turns.len() / STREAMS;
        let end = (self.read + BLOCK).min(length);
        let mut streams = self.turns.chunks_exact(length);
        let blocks = [(); STREAMS].map(|()| {
            let stream = streams.next().expect("invariant: STREAMS equal streams");
            &stream[self.read..end]
        });
        black_box(sum(black_box(blocks)));
        let bytes = size_of::<Turn>() * STREAMS * (end - self.read);
        self.read = if end == length { 0 } else { end };
        bytes as u64
    }
}

/// Some words that differ from each other and from those of the next index.
fn turn(index: u64) -> Turn {
    Turn(std::array::from_fn(|i| (index * 16 + i as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15)))
}

/// The sums that this CPU can run, narrowest first.
#[cfg_attr(
    not(target_arch = "x86_64"),
    expect(unused_mut, reason = "elsewhere there is only the portable sum")
)]
fn sums() -> Vec<(&'static str, Sum)> {
    let mut sums: Vec<(&'static str, Sum)> = vec![("portable", portable)];
    #[cfg(target_arch = "x86_64")]
    {
        if is_x86_feature_detected!("avx2") {
            // SAFETY: AVX2 was detected just above.
            sums.push(("avx2", |streams| unsafe { avx2(streams) }));
        }
        if is_x86_feature_detected!("avx512f") {
            // SAFETY: AVX-512F was detected just above.
            sums.push(("avx512f", |streams| unsafe { avx512(streams) }));
        }
    }
    sums
}

/// The compiler makes vectors of the target's baseline of it: NEON on `aarch64`.
fn portable(streams: [&[Turn]; STREAMS]) -> u64 {
    let mut lanes = [0_u64; 16];
    for turn in 0..streams[0].len() {
        for stream in streams {
            let Turn(words) = stream[turn];
            lanes = std::array::from_fn(|i| lanes[i].wrapping_add(words[i]));
        }
    }
    lanes.into_iter().fold(0, u64::wrapping_add)
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn avx2(streams: [&[Turn]; STREAMS]) -> u64 {
    use std::arch::x86_64::{
        _mm256_add_epi64, _mm256_loadu_si256, _mm256_setzero_si256, _mm256_storeu_si256,
    };

    let mut sums = [_mm256_setzero_si256(); 4];
    for turn in 0..streams[0].len() {
        for stream in streams {
            let (words, _) = stream[turn].0.as_chunks::<4>();
            for (sum, words) in sums.iter_mut().zip(words) {
                // SAFETY: `words` is four u64, and the load asks for no alignment.
                let words = unsafe { _mm256_loadu_si256(words.as_ptr().cast()) };
                *sum = _mm256_add_epi64(*sum, words);
            }
        }
    }
    let mut total = 0_u64;
    for sum in sums {
        let mut lanes = [0_u64; 4];
        // SAFETY: `lanes` is four u64, and the store asks for no alignment.
        unsafe { _mm256_storeu_si256(lanes.as_mut_ptr().cast(), sum) };
        total = lanes.into_iter().fold(total, u64::wrapping_add);
    }
    total
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f")]
fn avx512(streams: [&[Turn]; STREAMS]) -> u64 {
    use std::arch::x86_64::{
        _mm512_add_epi64, _mm512_loadu_si512, _mm512_reduce_add_epi64, _mm512_setzero_si512,
    };

    let mut sums = [_mm512_setzero_si512(); 2];
    for turn in 0..streams[0].len() {
        for stream in streams {
            let (words, _) = stream[turn].0.as_chunks::<8>();
            for (sum, words) in sums.iter_mut().zip(words) {
                // SAFETY: `words` is eight u64, and the load asks for no alignment.
                let words = unsafe { _mm512_loadu_si512(words.as_ptr().cast()) };
                *sum = _mm512_add_epi64(*sum, words);
            }
        }
    }
    let [low, high] = sums;
    _mm512_reduce_add_epi64(_mm512_add_epi64(low, high)).cast_unsigned()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The slow twin of every sum.
    fn reference(turns: &[Turn]) -> u64 {
        let mut sum = 0_u64;
        for turn in turns {
            for word in turn.0 {
                sum = sum.wrapping_add(word);
            }
        }
        sum
    }

    #[test]
    fn every_sum_equals_its_reference() {
        for length in [0, 1, 2, 3, 7, 31, 1001] {
            let turns: Vec<Turn> = (7..).map(turn).take(STREAMS * length).collect();
            let streams = std::array::from_fn(|i| &turns[i * length..(i + 1) * length]);
            for (isa, sum) in sums() {
                assert_eq!(sum(streams), reference(&turns), "{isa}, {length} turns");
            }
        }
    }

    #[test]
    fn the_reference_wraps() {
        let mut words = [0; 16];
        words[3] = u64::MAX;
        words[15] = 3;
        assert_eq!(reference(&[Turn(words)]), 2);
    }

    #[test]
    fn turns_leave_no_gap() {
        assert_eq!(size_of::<Turn>(), 128);
    }

    /// One round over a part reads each of its bytes once, whatever its length; so does the next.
    #[test]
    fn a_round_reads_every_byte_once() {
        let block = STREAMS * BLOCK * size_of::<Turn>();
        for bytes in [0, 1, 1024, 1001 * 1024, block, 3 * block + 17_001] {
            let mut part = Part::new(bytes);
            let held = size_of_val(part.turns.as_slice());
            assert!(held > 0 && held <= bytes.max(1024));
            for _ in 0..2 {
                let mut read = part.read_block(portable);
                while part.read != 0 {
                    read += part.read_block(portable);
                }
                assert_eq!(read, held as u64);
            }
        }
    }

    #[test]
    fn a_buffer_that_is_too_large_is_halved_until_granted() {
        let two = NonZeroUsize::new(2).unwrap();
        assert_eq!(granted(1 << 20, two), 1 << 20);
        assert_eq!(granted(0, two), 2 * STREAMS * 128);
        let granted = granted(usize::MAX, two);
        assert!(granted > 0 && granted < usize::MAX);
    }
}
