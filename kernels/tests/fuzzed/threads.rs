//! A product shared by threads: each number as one thread writes it.

use std::num::NonZeroUsize;
use std::sync::LazyLock;

use freeweights_kernels::isa::Isa;
use freeweights_kernels::matrix::{
    Activations, Format, Forms, PackedMatrix, multiply, multiply_on,
};
use freeweights_kernels::pool::Pool;

use crate::blocks::stored;
use crate::placed::empty;
use crate::random::Random;
use crate::tally::{Tally, same};

static POOLS: LazyLock<Vec<Pool>> =
    LazyLock::new(|| (1..=5).filter_map(NonZeroUsize::new).map(Pool::new).collect());

pub fn product(random: &mut Random, tally: &mut Tally) {
    let format = random.one_of(&[Format::Q4_0, Format::Q8_0]);
    let (rows, columns, batch) = (random.size(1, 200), 32 * random.size(1, 4), random.size(1, 3));
    let stored = stored(random, format, rows, columns);
    let weights = PackedMatrix::pack(&stored.bytes, format, rows, columns).expect("whole blocks");
    let values = random.numbers(batch * columns, 20);
    let pool = &POOLS[random.between(0, POOLS.len() - 1)];
    for isa in Isa::available() {
        let mut activations = Activations::new();
        let forms = weights.forms(isa, batch) | Forms::default();
        activations.fill(isa, forms, &values, columns);
        let mut alone = empty(random, batch * rows);
        multiply(isa, &weights, &activations, alone.get_mut());
        let mut together = empty(random, batch * rows);
        multiply_on(pool, isa, &weights, &activations, together.get_mut());
        let intact = alone.is_intact() && together.is_intact();
        let ratio = if intact { same(together.get(), alone.get()) } else { f64::INFINITY };
        tally.judge("product_on_threads", isa, ratio, || {
            format!("{format}, {rows} x {columns}, batch {batch}, {} threads", pool.threads())
        });
    }
}
