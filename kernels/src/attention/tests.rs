//! Parity with exact arithmetic, and what must not matter.

use super::testing::{Case, HEAD, LAYER, SEQUENCE};
use super::*;
use crate::matrix::testing::nmse;

#[test]
fn every_set_and_type_agrees_with_exact_arithmetic() {
    for kind in KvType::ALL {
        for head_dim in [32, 64, 96, 128, 192, 256] {
            for group in [1, 3, 4, 8] {
                for rows in [1, 2, 5, 16, 33] {
                    for first_position in [0, 1, 15, 31, 70, 300] {
                        let case = Case::new(kind, head_dim, group, rows, first_position);
                        let exact = case.exact();
                        for isa in Isa::available() {
                            // The twin is slow, and does the same for every shape.
                            if isa == Isa::Reference && (group != 3 || head_dim > 64) {
                                continue;
                            }
                            let cache = case.cache();
                            case.fill(isa, &cache);
                            case.check(isa, &case.attend(isa, &cache), &exact);
                        }
                    }
                }
            }
        }
    }
}

/// Over one and the same cache: so that rounding of keys and values hides no slip.
#[test]
fn every_set_agrees_with_the_reference_over_what_is_stored() {
    for kind in KvType::ALL {
        for (rows, first_position) in [(1, 0), (1, 17), (1, 299), (2, 63), (33, 0), (40, 170)] {
            for (head_dim, group) in [(32, 5), (64, 3), (96, 4), (128, 7), (192, 3), (256, 2)] {
                let case = Case::new(kind, head_dim, group, rows, first_position);
                let cache = case.cache();
                case.fill(Isa::best(), &cache);
                let slow = case.attend(Isa::Reference, &cache);
                let slow: Vec<f64> = slow.into_iter().map(f64::from).collect();
                for isa in Isa::available() {
                    // Queries of eight bits: a scale for each 32 of them. Tiles: queries and weights
                    // of bf16. Else f32, over up to 300 keys.
                    let bound = match (isa, kind) {
                        (Isa::Avx512 | Isa::Amx, KvType::Q8_0) => 1e-4,
                        (Isa::Amx, KvType::Bf16) if rows * group >= 16 => 1e-5,
                        _ => 1e-11,
                    };
                    let error = nmse(&case.attend(isa, &cache), &slow);
                    assert!(
                        error < bound,
                        "{isa} {kind}, head {head_dim}, group {group}, {rows} rows from \
                         {first_position}: {error:e}"
                    );
                }
            }
        }
    }
}

#[test]
fn every_set_writes_the_same_bytes() {
    for kind in KvType::ALL {
        for head_dim in [32, 96, 256] {
            let mut case = Case::new(kind, head_dim, 1, 40, 0);
            // Zeros, and numbers beyond halves and below normal ones.
            case.keys[..head_dim].fill(0.0);
            (case.keys[head_dim], case.values[head_dim]) = (3e38, 1e-40);
            // A scale that is a subnormal half, and infinity.
            case.values[2 * head_dim..3 * head_dim].iter_mut().for_each(|value| *value *= 1e-5);
            case.keys[3 * head_dim] = f32::NEG_INFINITY;
            let slow = case.cache();
            case.fill(Isa::Reference, &slow);
            for isa in Isa::available() {
                let fast = case.cache();
                case.fill(isa, &fast);
                assert_eq!(bytes(&fast), bytes(&slow), "{isa} {kind}");
            }
        }
    }
}

/// All of a cache.
fn bytes(cache: &KvCache) -> Vec<u8> {
    let start = cache.stream(0, 0, 0).keys;
    // SAFETY: the cache has so many bytes, zeroed or written, and nobody writes now.
    unsafe { std::slice::from_raw_parts(start, cache.bytes()) }.to_vec()
}

#[test]
fn what_was_written_reads_back() {
    for kind in KvType::ALL {
        let case = Case::new(kind, 64, 1, 50, 0);
        let cache = case.cache();
        case.fill(Isa::best(), &cache);
        let stream = cache.stream(LAYER, SEQUENCE, HEAD);
        let read = |read: unsafe fn(&layout::Stream, KvType, usize, usize) -> f32| {
            let places = (0..50).flat_map(|position| (0..64).map(move |dim| (position, dim)));
            // SAFETY: all were written.
            places.map(|(at, dim)| unsafe { read(&stream, kind, at, dim) }).collect::<Vec<_>>()
        };
        let exact = |values: &[f32]| values.iter().copied().map(f64::from).collect::<Vec<_>>();
        assert!(nmse(&read(layout::Stream::key), &exact(&case.keys)) < 3e-5, "{kind}");
        assert!(nmse(&read(layout::Stream::value), &exact(&case.values)) < 3e-5, "{kind}");
    }
}

#[test]
fn parts_of_the_keys_merge_to_the_whole() {
    for kind in KvType::ALL {
        for (head_dim, group) in [(32, 1), (64, 3), (128, 4), (96, 30), (192, 5), (256, 2)] {
            let case = Case::new(kind, head_dim, group, 1, 299);
            let exact = case.exact();
            for isa in Isa::available() {
                let cache = case.cache();
                case.fill(isa, &cache);
                for cuts in [&[0, 300][..], &[0, 1, 150, 300], &[0, 128, 131, 131, 256, 999]] {
                    let out = case.attend_in_parts(isa, &cache, cuts);
                    case.check(isa, &out, &exact);
                }
            }
        }
    }
}

#[test]
fn a_cache_that_grows_keeps_its_tokens() {
    for kind in KvType::ALL {
        let case = Case::new(kind, 64, 3, 5, 60);
        for isa in Isa::available() {
            let mut cache = case.cache();
            case.fill(isa, &cache);
            let before = case.attend(isa, &cache);
            cache.reserve(3, 10);
            assert_eq!(cache.capacity(), 96, "never shrinks");
            cache.reserve(3, 1000);
            assert_eq!((cache.sequences(), cache.capacity()), (3, 1024));
            assert_eq!(case.attend(isa, &cache), before, "{isa} {kind}");
        }
    }
}

/// A neighbour's tokens, and what earlier tokens left behind, must not matter: not even as NaN.
#[test]
fn only_the_tokens_of_the_sequence_matter() {
    for kind in KvType::ALL {
        for (rows, first_position) in [(1, 0), (1, 36), (1, 63), (40, 0), (33, 50)] {
            let case = Case::new(kind, 64, 3, rows, first_position);
            for isa in Isa::available() {
                let mut clean = case.cache();
                clean.reserve(3, 256);
                case.fill(isa, &clean);
                let expected = case.attend(isa, &clean);
                for rubbish in [3e38, f32::NAN, f32::INFINITY] {
                    let mut used = case.cache();
                    used.reserve(3, 256);
                    let token = [rubbish; 64];
                    for stream in 0..12 {
                        let (layer, sequence, head) = (stream / 6, stream / 2 % 3, stream % 2);
                        for position in 0..256 {
                            // SAFETY: the set is available, and the cache has room.
                            unsafe {
                                used.append(isa, layer, sequence, head, position, &token, &token);
                            }
                        }
                    }
                    case.fill(isa, &used);
                    assert_eq!(case.attend(isa, &used), expected, "{isa} {kind} {rubbish}");
                }
            }
        }
    }
}

#[test]
fn large_scores_do_not_overflow() {
    for kind in KvType::ALL {
        for rows in [1, 20] {
            let mut case = Case::new(kind, 32, 3, rows, 140);
            // Scores up to about 1e10: all weight goes to one key, which rounding must not change.
            for (position, key) in case.keys.chunks_mut(32).enumerate() {
                key.fill(((position * 37 % 160) as f32 - 80.0) * 1e4);
            }
            case.queries.fill(2e4);
            let exact = case.exact();
            for isa in Isa::available() {
                let cache = case.cache();
                case.fill(isa, &cache);
                case.check(isa, &case.attend(isa, &cache), &exact);
            }
        }
    }
}

#[test]
fn results_go_where_the_strides_say() {
    let case = Case::new(KvType::Bf16, 32, 2, 20, 3);
    for isa in Isa::available() {
        let cache = case.cache();
        case.fill(isa, &cache);
        let expected = case.attend(isa, &cache);
        let mut spread = vec![f32::NAN; 20 * 100];
        for (spread, row) in spread.chunks_mut(100).zip(case.queries.chunks(64)) {
            spread[..64].copy_from_slice(row);
        }
        let queries = Queries { values: spread.as_ptr(), row_stride: 100, ..case.queries() };
        let mut out = vec![7.0; 20 * 77];
        let output = AttentionOutput { values: out.as_mut_ptr(), row_stride: 77 };
        let mut scratch = AttentionScratch::new(32, 2);
        let scoring = case.scoring();
        // SAFETY: the set is available, the tokens were appended, and strides leave room for rows.
        unsafe {
            attend(isa, &cache, LAYER, SEQUENCE, HEAD, &queries, &scoring, &mut scratch, &output);
        }
        for (out, expected) in out.chunks(77).zip(expected.chunks(64)) {
            assert_eq!(out[..64], *expected, "{isa}");
            assert!(out[64..].iter().all(|rest| rest.to_bits() == 7_f32.to_bits()), "{isa}");
        }
    }
}

#[test]
fn results_may_replace_the_queries() {
    for kind in KvType::ALL {
        for rows in [1, 50] {
            let case = Case::new(kind, 64, 3, rows, 9);
            for isa in Isa::available() {
                let cache = case.cache();
                case.fill(isa, &cache);
                let expected = case.attend(isa, &cache);
                let mut both = case.queries.clone();
                let output = AttentionOutput { values: both.as_mut_ptr(), row_stride: 3 * 64 };
                let queries = Queries { values: output.values, ..case.queries() };
                let mut scratch = AttentionScratch::new(64, 3);
                let scoring = case.scoring();
                // SAFETY: the set is available, the tokens were appended, and shapes are those of
                // the case.
                unsafe {
                    attend(
                        isa,
                        &cache,
                        LAYER,
                        SEQUENCE,
                        HEAD,
                        &queries,
                        &scoring,
                        &mut scratch,
                        &output,
                    );
                }
                assert_eq!(both, expected, "{isa} {kind}, {rows} rows");
            }
        }
    }
}

#[test]
fn types_say_what_they_take() {
    assert_eq!(KvType::default().to_string(), "bf16");
    assert_eq!(KvType::Q8_0.name(), "q8_0");
    // Three heads of 64, keys and values: 2 bytes each, or 34 bytes for each 32.
    assert_eq!(KvType::Bf16.bytes_per_token(3, 64), 768);
    assert_eq!(KvType::Q8_0.bytes_per_token(3, 64), 408);
    for kind in KvType::ALL {
        let mut cache = KvCache::new(kind, 5, 3, 64);
        assert_eq!(cache.bytes(), 0);
        cache.reserve(2, 33);
        assert_eq!(cache.bytes(), 5 * 2 * 64 * kind.bytes_per_token(3, 64), "{kind}");
    }
}

#[test]
#[should_panic(expected = "position 33 is beyond the cache")]
fn positions_beyond_the_cache_are_refused() {
    let case = Case::new(KvType::Bf16, 32, 1, 1, 0);
    let cache = case.cache();
    assert_eq!(cache.capacity(), 32);
    Case::new(KvType::Bf16, 32, 1, 1, 32).attend(Isa::best(), &cache);
}

#[test]
#[should_panic(expected = "position 32 of 32")]
fn tokens_beyond_the_cache_are_refused() {
    let case = Case::new(KvType::Bf16, 32, 1, 1, 32);
    let mut cache = KvCache::new(KvType::Bf16, 2, 2, 32);
    cache.reserve(3, 32);
    case.fill(Isa::best(), &cache);
}
