//! Keys and values: every set must write the same bytes, whatever the numbers, and no others.

use freeweights_kernels::attention::{KvCache, KvType};
use freeweights_kernels::isa::Isa;

use crate::placed::Placed;
use crate::random::Random;
use crate::tally::{Tally, sets};

pub fn appended(random: &mut Random, tally: &mut Tally) {
    let kind = random.one_of(&KvType::ALL);
    let head_dim = 32 * random.size(1, 8);
    let (layers, sequences, heads) =
        (random.between(1, 2), random.between(1, 2), random.between(1, 2));
    let capacity = random.between(1, 70);
    let tokens: Vec<_> = (0..random.between(1, 4))
        .map(|_| {
            let mut vector = || {
                let numbers = if random.once_in(4) {
                    random.any_numbers(head_dim)
                } else {
                    random.numbers(head_dim, 127)
                };
                Placed::new(random, &numbers)
            };
            let (key, value) = (vector(), vector());
            let place = (
                random.between(0, layers - 1),
                random.between(0, sequences - 1),
                random.between(0, heads - 1),
                random.between(0, capacity - 1),
            );
            (place, key, value)
        })
        .collect();
    let grown = random.once_in(4).then(|| capacity + random.between(0, 70));
    let write = |isa: Isa| {
        let mut cache = KvCache::new(kind, layers, heads, head_dim);
        cache.reserve(sequences, capacity);
        for ((layer, sequence, head, position), key, value) in &tokens {
            let (key, value) = (key.get(), value.get());
            // SAFETY: the set is available, the place is in the cache, and nobody else has that.
            unsafe { cache.append(isa, *layer, *sequence, *head, *position, key, value) };
        }
        if let Some(grown) = grown {
            cache.reserve(sequences, grown);
        }
        cache.copy(sequences, capacity)
    };
    let slow = write(Isa::Reference);
    // With AVX2 the twin itself writes.
    for isa in sets().into_iter().filter(|isa| *isa != Isa::Avx2) {
        let ratio = if write(isa) == slow { 0.0 } else { f64::INFINITY };
        tally.judge(&format!("append_{kind}"), isa, ratio, || {
            let places: Vec<_> = tokens.iter().map(|(place, ..)| place).collect();
            format!("heads of {head_dim}, capacity {capacity}, {places:?}")
        });
    }
}
