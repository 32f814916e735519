// Rotary positions of queries and keys, and their way into the KV cache.
//
// Not here: how frequencies are stretched; cosines and sines come ready.
#include "common.cuh"

#define MOST_HEAD_DIM 256

// For every row and head: adds the bias, norms the head where there is a norm, turns the first
// `width` columns (i with i + width / 2), and writes queries to `queries` and keys and values to the
// cache. One warp a head.
//
// qkv: (rows, (heads + 2 kv_heads) * head_dim) bf16; bias: as one row, f32, or null; query_norm,
// key_norm: (head_dim) f32 or null; cosines, sines: (positions, width / 2) f32, null for no rotation;
// queries: (rows, heads, head_dim) bf16; keys, values: (sequences, kv_heads, capacity, head_dim) bf16.
extern "C" __global__ void __launch_bounds__(128)
    rope_append(const bf16 *qkv, const float *bias, const float *query_norm, const float *key_norm,
                const float *cosines, const float *sines, const uint32_t *sequences,
                const uint32_t *positions, bf16 *queries, bf16 *keys, bf16 *values, int heads,
                int kv_heads, int head_dim, int width, int capacity, float eps) {
    __shared__ float heads_of_block[4][MOST_HEAD_DIM];
    const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
    const int head = blockIdx.x * 4 + warp;
    const size_t row = blockIdx.y;
    if (head >= heads + 2 * kv_heads) return;  // whole warps only
    float *x = heads_of_block[warp];
    const size_t first = static_cast<size_t>(head) * head_dim;
    const bf16 *from = qkv + row * (heads + 2 * kv_heads) * head_dim + first;

    float squares = 0.0f;
    for (int i = lane; i < head_dim; i += 32) {
        const float number = from_bf16(from[i]) + (bias ? bias[first + i] : 0.0f);
        x[i] = number;
        squares += number * number;
    }
    const bool query = head < heads, value = head >= heads + kv_heads;
    const float *norm = value ? nullptr : query ? query_norm : key_norm;
    if (norm) {
        const float factor = 1.0f / sqrtf(warp_sum(squares) / head_dim + eps);
        for (int i = lane; i < head_dim; i += 32) x[i] *= factor * norm[i];
    }
    __syncwarp();

    const uint32_t position = positions[row];
    const int kv_head = value ? head - heads - kv_heads : head - heads;
    const size_t place =
        ((static_cast<size_t>(sequences[row]) * kv_heads + kv_head) * capacity + position) * head_dim;
    bf16 *to = query ? queries + (row * heads + head) * head_dim : (value ? values : keys) + place;
    const int half = value || !cosines ? 0 : width / 2;
    const float *cosine = cosines + static_cast<size_t>(position) * half;
    const float *sine = sines + static_cast<size_t>(position) * half;
    for (int i = lane; i < head_dim; i += 32) {
        float number = x[i];
        if (i < half) {
            number = number * cosine[i] - x[i + half] * sine[i];
        } else if (i < 2 * half) {
            number = number * cosine[i - half] + x[i - half] * sine[i - half];
        }
        to[i] = to_bf16(number);
    }
}
