//! Shapes that no memory holds are refused, and never wrap round to small ones: kernels trust what was
//! allocated for them.

use std::panic::{AssertUnwindSafe, catch_unwind};

use freeweights_kernels::attention::{AttentionScratch, KvCache, KvType};
use freeweights_kernels::dense::{DenseMatrix, Float, Rows};
use freeweights_kernels::isa::Isa;
use freeweights_kernels::matrix::{Activations, Format, Forms, Output, PackError, PackedMatrix};

fn refused(work: impl FnOnce()) -> bool {
    catch_unwind(AssertUnwindSafe(work)).is_err()
}

#[test]
fn activations_beyond_all_memory_are_refused() {
    let none = Forms::default();
    // Of 2^59 rows of 32 columns the bytes in bf16 are 2^65; the last tile would be cleared far beyond
    // the memory that is left of that.
    for (rows, columns, forms) in [
        ((1 << 59) + 1, 32, Forms { bf16: true, ..none }),
        (usize::MAX, 32, Forms { bf16: true, ..none }),
        (1 << 59, 32, Forms { int8: true, ..none }),
        (1 << 62, 4, Forms { f32: true, ..none }),
        (1 << 60, 2, Forms { f32: true, ..none }),
    ] {
        let mut activations = Activations::new();
        let shape = || activations.shape(Isa::Reference, forms, rows, columns);
        assert!(refused(shape), "{rows} x {columns} in {forms:?}");
        assert_eq!(activations.rows(), 0);
    }
}

#[test]
fn caches_beyond_all_memory_are_refused_and_stay_as_they_were() {
    for kind in KvType::ALL {
        let mut cache = KvCache::new(kind, 1, 1, 32);
        cache.reserve(1, 32);
        // 2^57 tokens of 128 bytes would wrap round to none, and 32 tokens be copied into that.
        for (sequences, capacity) in [(1, 1 << 57), (1, usize::MAX), (1 << 60, 32)] {
            assert!(refused(|| cache.reserve(sequences, capacity)), "{sequences}, {capacity}");
            assert_eq!((cache.sequences(), cache.capacity()), (1, 32));
        }
        assert!(refused(|| drop(cache.copy(1, usize::MAX))));
    }
    assert!(refused(|| drop(AttentionScratch::new(1 << 60, 1))));
}

#[test]
fn matrices_beyond_all_memory_are_refused() {
    let (rows, columns) = (33, 1 << 58);
    let too_large = Some(PackError::TooLarge { rows, columns });
    for float in Float::ALL {
        assert_eq!(DenseMatrix::zeroed(float, rows, columns).err(), too_large, "{float}");
    }
    for format in Format::ALL {
        let (rows, columns) = (usize::MAX, 1 << 20);
        let too_large = Some(PackError::TooLarge { rows, columns });
        assert_eq!(PackedMatrix::zeroed(format, rows, columns).err(), too_large, "{format}");
    }
    assert_eq!(
        PackError::TooLarge { rows, columns }.to_string(),
        "33 x 288230376151711744 weights are more than any memory holds"
    );
}

/// What the output says of the weights' rows is what keeps kernels within it.
#[test]
fn an_output_of_another_matrix_is_refused() {
    let weights = DenseMatrix::zeroed(Float::F32, 33, 32).expect("whole blocks");
    let values = [0.0; 32];
    let mut out = [0.0; 64];
    let output = Output::new(&mut out, 64);
    let multiply = || {
        let values = Rows::F32(&values);
        // SAFETY: nobody else has the output.
        unsafe {
            freeweights_kernels::dense::multiply_panels(
                Isa::best(),
                &weights,
                values,
                1,
                0..2,
                &output,
            );
        }
    };
    assert!(refused(multiply));
}
