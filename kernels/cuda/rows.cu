// Small steps over rows: the embedding, the gate, changes of type, and the likeliest token.
#include "common.cuh"

// residual[row] = scale * table[token of row]
//
// table: (vocab, hidden) bf16, hidden even; tokens: (rows); residual: (rows, hidden) f32.
extern "C" __global__ void __launch_bounds__(256)
    embed(const bf16 *table, const uint32_t *tokens, float *residual, int hidden, float scale) {
    const bf16 *from = table + static_cast<size_t>(tokens[blockIdx.x]) * hidden;
    float *to = residual + static_cast<size_t>(blockIdx.x) * hidden;
    for (int i = 2 * threadIdx.x; i < hidden; i += 2 * blockDim.x) {
        const uint32_t pair = *reinterpret_cast<const uint32_t *>(from + i);
        to[i] = scale * low_of(pair);
        to[i + 1] = scale * high_of(pair);
    }
}

// out = activation(gate) * up
//
// both: (rows, 2 inner) bf16, gates first, inner a multiple of 8; out: (rows, inner) bf16. Block
// (part of the row, row).
extern "C" __global__ void __launch_bounds__(256)
    gate_multiply(const bf16 *both, bf16 *out, int inner, int activation) {
    const size_t row = blockIdx.y;
    const int i = (blockIdx.x * blockDim.x + threadIdx.x) * 8;
    if (i >= inner) return;
    const Words gate = load(both + row * 2 * inner + i), up = load(both + (row * 2 + 1) * inner + i);
    Words x;
#pragma unroll
    for (int w = 0; w < 4; ++w) {
        x.w[w] = pack_bf16(gated(activation, low_of(gate.w[w]), low_of(up.w[w])),
                           gated(activation, high_of(gate.w[w]), high_of(up.w[w])));
    }
    *reinterpret_cast<Words *>(out + row * inner + i) = x;
}

// bf16 as f32. count: even.
extern "C" __global__ void __launch_bounds__(256)
    widen(const bf16 *from, float *to, unsigned long long count) {
    const size_t i = (static_cast<size_t>(blockIdx.x) * blockDim.x + threadIdx.x) * 2;
    if (i >= count) return;
    const uint32_t pair = *reinterpret_cast<const uint32_t *>(from + i);
    to[i] = low_of(pair);
    to[i + 1] = high_of(pair);
}

// f32 as bf16. count: even.
extern "C" __global__ void __launch_bounds__(256)
    narrow(const float *from, bf16 *to, unsigned long long count) {
    const size_t i = (static_cast<size_t>(blockIdx.x) * blockDim.x + threadIdx.x) * 2;
    if (i >= count) return;
    *reinterpret_cast<uint32_t *>(to + i) = pack_bf16(from[i], from[i + 1]);
}

// The likeliest token of each row, the first of equals; it becomes the row's next token, and the row
// moves one position on.
//
// logits: (rows, vocab) f32; picked, tokens, positions: (rows); the last two may be null.
extern "C" __global__ void __launch_bounds__(1024)
    pick(const float *logits, uint32_t *picked, uint32_t *tokens, uint32_t *positions, int vocab) {
    __shared__ float largest[32];
    __shared__ uint32_t places[32];
    const float *row = logits + static_cast<size_t>(blockIdx.x) * vocab;
    float best = -INFINITY;
    uint32_t place = 0;
    for (int i = threadIdx.x; i < vocab; i += blockDim.x) {
        const float x = row[i];
        if (x > best) {
            best = x;
            place = i;
        }
    }
    for (int mask = 16; mask > 0; mask >>= 1) {
        const float x = __shfl_xor_sync(FULL_WARP, best, mask);
        const uint32_t at = __shfl_xor_sync(FULL_WARP, place, mask);
        if (x > best || (x == best && at < place)) {
            best = x;
            place = at;
        }
    }
    if (threadIdx.x % 32 == 0) {
        largest[threadIdx.x / 32] = best;
        places[threadIdx.x / 32] = place;
    }
    __syncthreads();
    if (threadIdx.x != 0) return;
    for (int warp = 1; warp < static_cast<int>(blockDim.x) / 32; ++warp) {
        const float x = largest[warp];
        if (x > best || (x == best && places[warp] < place)) {
            best = x;
            place = places[warp];
        }
    }
    picked[blockIdx.x] = place;
    if (tokens) tokens[blockIdx.x] = place;
    if (positions) positions[blockIdx.x] += 1;
}
