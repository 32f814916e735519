//! Windows, soft caps and sinks: parity with exact arithmetic, and with what is stored.

use super::testing::{Case, HEAD, LAYER, SEQUENCE};
use super::*;
use crate::matrix::testing::nmse;

/// Windows of one key, within a line, of a line and more, and beyond all keys.
const WINDOWS: [usize; 6] = [0, 1, 8, 33, 150, 1000];

/// All that a scoring may have: soft caps that bend every score, or only large ones; sinks below, among
/// and above the scores.
fn variants(case: &Case) -> Vec<(Option<f32>, Option<Vec<f32>>)> {
    let sinks = (0..case.group).map(|head| 3.0 * head as f32 - 2.0).collect();
    vec![(Some(1.5), None), (Some(50.0), Some(vec![9.0; case.group])), (None, Some(sinks))]
}

/// `(rows, first position)`: steps and prompts, within the first block of 128 keys and beyond it.
const PLACES: [(usize, usize); 7] =
    [(1, 0), (1, 40), (1, 299), (5, 126), (33, 0), (70, 100), (3, 0)];

const SHAPES: [(usize, usize); 6] = [(32, 5), (64, 8), (96, 1), (128, 3), (192, 2), (256, 4)];

fn each_case(mut each: impl FnMut(&Case)) {
    for kind in KvType::ALL {
        for (rows, first_position) in PLACES {
            for (i, (head_dim, group)) in SHAPES.into_iter().enumerate() {
                let mut case = Case::new(kind, head_dim, group, rows, first_position);
                for (j, (softcap, sinks)) in variants(&case).into_iter().enumerate() {
                    // Every window with every shape would take long: each shape meets half of them.
                    for window in WINDOWS.into_iter().skip((i + j) % 2).step_by(2) {
                        (case.softcap, case.window, case.sinks) = (softcap, window, sinks.clone());
                        each(&case);
                    }
                }
            }
        }
    }
}

fn name(case: &Case) -> String {
    let Case { kind, head_dim, group, rows, first_position, softcap, window, sinks, .. } = case;
    format!(
        "{kind}, head {head_dim}, group {group}, {rows} rows from {first_position}, window {window}, \
         cap {softcap:?}, sinks {sinks:?}"
    )
}

#[test]
fn every_set_and_type_agrees_with_exact_arithmetic() {
    each_case(|case| {
        let exact = case.exact();
        let cache = case.cache();
        case.fill(Isa::best(), &cache);
        for isa in Isa::available() {
            if isa == Isa::Reference && case.rows * case.group > 40 {
                continue;
            }
            let error = nmse(&case.attend(isa, &cache), &exact);
            assert!(error < case.bound(), "{isa} {}: {error:e}", name(case));
        }
    });
}

/// Over one and the same cache: so that rounding of keys and values hides no slip.
#[test]
fn every_set_agrees_with_the_reference_over_what_is_stored() {
    each_case(|case| {
        // The twin is slow.
        if case.rows * case.group * case.head_dim > 20_000 {
            return;
        }
        let cache = case.cache();
        case.fill(Isa::best(), &cache);
        let slow = case.attend(Isa::Reference, &cache);
        let slow: Vec<f64> = slow.into_iter().map(f64::from).collect();
        for isa in Isa::available() {
            // As without any of these; but a soft cap of 50 adds up to 1e-5 to each score, so as
            // much to the logarithm of a weight: 1e-10 in squares.
            let bound = match (isa, case.kind) {
                (Isa::Avx512 | Isa::Amx, KvType::Q8_0) => 1e-4,
                (Isa::Amx, KvType::Bf16) if case.rows * case.group >= 16 => 1e-5,
                _ if case.softcap == Some(50.0) => 1e-10,
                _ => 1e-11,
            };
            let error = nmse(&case.attend(isa, &cache), &slow);
            assert!(error < bound * case.with_sinks(), "{isa} {}: {error:e}", name(case));
        }
    });
}

/// Parts before the window, of it, and across its start; sinks count once.
#[test]
fn parts_of_the_keys_merge_to_the_whole() {
    each_case(|case| {
        if case.rows > 1 {
            return;
        }
        let exact = case.exact();
        for isa in Isa::available() {
            let cache = case.cache();
            case.fill(isa, &cache);
            let whole = case.attend(isa, &cache);
            let whole: Vec<f64> = whole.into_iter().map(f64::from).collect();
            for cuts in [&[0, 300][..], &[0, 1, 150, 300], &[0, 128, 131, 131, 256, 999]] {
                let out = case.attend_in_parts(isa, &cache, cuts);
                let error = nmse(&out, &exact);
                assert!(error < case.bound(), "{isa} {}, {cuts:?}: {error:e}", name(case));
                // No group here has the 16 heads for which matrix tiles would do the whole.
                let error = nmse(&out, &whole);
                assert!(error < 1e-11, "{isa} {}, {cuts:?}: {error:e}", name(case));
            }
        }
    });
}

/// A part that the row does not see at all is as one without keys.
#[test]
fn a_part_before_the_window_is_empty() {
    let mut case = Case::new(KvType::Bf16, 64, 3, 1, 299);
    (case.window, case.sinks) = (8, Some(vec![1.0; 3]));
    for isa in Isa::available() {
        let cache = case.cache();
        case.fill(isa, &cache);
        let (mut maxima, mut sums) = ([f32::NAN; 3], [f32::NAN; 3]);
        let mut values = [f32::NAN; 3 * 64];
        let part = Part { maxima: &mut maxima, sums: &mut sums, values: &mut values };
        let mut scratch = AttentionScratch::new(64, 3);
        // SAFETY: the set is available, the tokens were appended, and shapes are those of the case.
        unsafe {
            let (queries, scoring) = (case.queries(), case.scoring());
            let (scratch, keys) = (&mut scratch, 0..292);
            attend_part(
                isa, &cache, LAYER, SEQUENCE, HEAD, &queries, keys, &scoring, scratch, part,
            );
        }
        assert!(maxima.iter().all(|maximum| *maximum == f32::NEG_INFINITY), "{isa}");
        assert!(sums.iter().chain(&values).all(|sum| *sum == 0.0), "{isa}");
    }
}

/// Blocks of keys that no query sees are not read: NaN there would reach every sum, even with a
/// weight of 0. This is what keeps the cost of a window from growing with depth.
#[test]
fn blocks_before_the_window_are_not_read() {
    for kind in KvType::ALL {
        for (rows, first_position) in [(1, 700), (1, 767), (4, 640), (60, 700)] {
            for window in [1, 33, 128, 200] {
                let mut case = Case::new(kind, 64, 4, rows, first_position);
                case.window = window;
                let first_seen = first_position + 1 - window;
                for isa in Isa::available() {
                    let clean = case.cache();
                    case.fill(isa, &clean);
                    let expected = case.attend(isa, &clean);
                    let spoilt = case.cache();
                    case.fill(isa, &spoilt);
                    // Vectors go over blocks of 128 keys from the start of the cache.
                    for position in 0..first_seen / 128 * 128 {
                        let token = [f32::NAN; 64];
                        // SAFETY: the set is available, and the cache has room and no other user.
                        unsafe {
                            spoilt.append(isa, LAYER, SEQUENCE, HEAD, position, &token, &token);
                        }
                    }
                    assert_eq!(case.attend(isa, &spoilt), expected, "{isa} {}", name(&case));
                    if rows == 1 {
                        let cuts = [0, 350, first_position + 1];
                        let [clean, spoilt] =
                            [&clean, &spoilt].map(|cache| case.attend_in_parts(isa, cache, &cuts));
                        assert_eq!(spoilt, clean, "{isa} {}", name(&case));
                    }
                }
            }
        }
    }
}

/// Scores of up to 1e10 end at the cap; sinks far above take all the weight, far below none.
#[test]
fn large_scores_and_sinks_do_not_overflow() {
    for kind in KvType::ALL {
        for rows in [1, 20] {
            let mut case = Case::new(kind, 32, 3, rows, 140);
            case.softcap = Some(50.0);
            for (position, key) in case.keys.chunks_mut(32).enumerate() {
                key.fill(((position * 37 % 160) as f32 - 80.0) * 1e4);
            }
            case.queries.fill(2e4);
            for sinks in [None, Some([f32::NEG_INFINITY, -1e30, 49.0]), Some([1e30; 3])] {
                case.sinks = sinks.map(|sinks| sinks.to_vec());
                let exact = case.exact();
                for isa in Isa::available() {
                    let cache = case.cache();
                    case.fill(isa, &cache);
                    let error = nmse(&case.attend(isa, &cache), &exact);
                    assert!(error < case.bound(), "{isa} {}: {error:e}", name(&case));
                    if rows == 1 {
                        let out = case.attend_in_parts(isa, &cache, &[0, 64, 141]);
                        let error = nmse(&out, &exact);
                        assert!(error < case.bound(), "{isa} {}: {error:e}", name(&case));
                    }
                }
            }
        }
    }
}

#[test]
#[should_panic(expected = "sinks")]
fn sinks_of_another_group_are_refused() {
    let mut case = Case::new(KvType::Bf16, 32, 3, 1, 0);
    case.sinks = Some(vec![0.0; 2]);
    case.attend(Isa::Reference, &case.cache());
}

#[test]
#[should_panic(expected = "a soft cap of 0")]
fn a_soft_cap_of_nothing_is_refused() {
    let mut case = Case::new(KvType::Bf16, 32, 3, 1, 0);
    case.softcap = Some(0.0);
    case.attend(Isa::Reference, &case.cache());
}
