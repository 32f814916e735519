// Attention of queries over the KV cache, on tensor cores, for prompts and for single tokens alike.
//
// One warp takes 16 queries that share a key-value head (heads of a group, then rows) and walks
// through keys, 16 at a time, with online softmax. Nothing goes through shared memory: columns of a
// head and columns of the result are dealt to lanes in an order in which every lane reads 16 bytes
// of keys and values in one piece. The product does not mind the order as long as both sides have it.
//
// Where there are few queries, several warps share the keys of a tile ("splits"), and
// `attention_merge` puts their parts together.
//
// Not here: what rotates queries and keys (rope.cu).
//
// Source: Dao et al., FlashAttention, 2022; Dao et al., Flash-Decoding, 2023.
#include "common.cuh"

#define NOWHERE (-1e30f)

// queries: (rows, heads, HEAD) bf16; keys, values: (sequences, kv_heads, capacity, HEAD) bf16, capacity
// a multiple of 16, everything in it finite. Sequence z of this call has rows first_row[z] ..
// first_row[z + 1] of consecutive positions. `scale` has log2(e) in it. Row i sees the last `window`
// positions up to its own; at most 2^28 + 1 of them.
//
// out: (rows, heads, HEAD) bf16 where splits is 1; else parts: (rows, heads, splits, HEAD) f32 and
// ends: (rows, heads, splits, 2) f32, the maximum and the sum of each part.
template <int HEAD>
static __device__ __forceinline__ void
attention(const bf16 *__restrict__ queries, const bf16 *__restrict__ keys,
          const bf16 *__restrict__ values, const uint32_t *__restrict__ first_row,
          const uint32_t *__restrict__ sequences, const uint32_t *__restrict__ positions,
          bf16 *__restrict__ out, float *__restrict__ parts, float *__restrict__ ends, int heads,
          int kv_heads, int capacity, int splits, int window, float scale) {
    constexpr int CHUNKS = (HEAD + 31) / 32, SIDES = (HEAD + 63) / 64;
    const int lane = threadIdx.x % 32, g = lane / 4, c = lane % 4;
    const int group = heads / kv_heads, kv_head = blockIdx.y;
    // Late tiles see the most keys: they begin first.
    const int item = (gridDim.x - 1 - blockIdx.x) * 4 + threadIdx.x / 32;
    const int tile = item / splits, split = item % splits;
    const uint32_t first = first_row[blockIdx.z];
    const int rows = first_row[blockIdx.z + 1] - first;
    if (tile * 16 >= rows * group) return;  // whole warps only

    // This lane's queries, g and g + 8 of the tile.
    const int start = positions[first];
    bool there[2];
    size_t place[2];
    int last_key[2];
    for (int i = 0; i < 2; ++i) {
        const int query = tile * 16 + g + 8 * i, row = query / group;
        there[i] = row < rows;
        place[i] = (static_cast<size_t>(first) + row) * heads + kv_head * group + query % group;
        last_key[i] = there[i] ? start + row : -1;
    }
    uint32_t q[2][CHUNKS][4];
    for (int i = 0; i < 2; ++i) {
#pragma unroll
        for (int chunk = 0; chunk < CHUNKS; ++chunk) {
            const int column = chunk * 32 + c * 8;
            const bool inside = there[i] && column < HEAD;
            const Words x = inside ? load(queries + place[i] * HEAD + column) : no_words();
#pragma unroll
            for (int w = 0; w < 4; ++w) q[i][chunk][w] = x.w[w];
        }
    }

    // The keys that any query of the tile sees, and this warp's share of them, in blocks of 16.
    const int lowest = tile * 16 / group;
    const int highest = min(rows - 1, (tile * 16 + 15) / group);
    const int begin = max(0, start + lowest + 1 - window) / 16, end = (start + highest) / 16 + 1;
    const int share = (end - begin + splits - 1) / splits;
    const int from = begin + split * share, to = min(end, from + share);
    // Blocks that all queries see whole need no mask.
    const int masked_above = (start + lowest + 1) / 16;
    const int masked_below = (max(0, start + highest + 1 - window) + 15) / 16;

    const size_t stream = (static_cast<size_t>(sequences[first]) * kv_heads + kv_head) * capacity;
    const bf16 *k = keys + stream * HEAD, *v = values + stream * HEAD;
    float result[SIDES * 8][4];
#pragma unroll
    for (int j = 0; j < SIDES * 8; ++j) {
        result[j][0] = result[j][1] = result[j][2] = result[j][3] = 0.0f;
    }
    float maximum[2] = {NOWHERE, NOWHERE}, sum[2] = {0.0f, 0.0f};

    for (int block = from; block < to; ++block) {
        const bf16 *k_block = k + static_cast<size_t>(block) * 16 * HEAD;
        const bf16 *v_block = v + static_cast<size_t>(block) * 16 * HEAD;
        float score[2][4] = {};
        Words k_words[2][CHUNKS];
#pragma unroll
        for (int side = 0; side < 2; ++side) {
#pragma unroll
            for (int chunk = 0; chunk < CHUNKS; ++chunk) {
                const int column = chunk * 32 + c * 8;
                k_words[side][chunk] =
                    column < HEAD ? load(k_block + (side * 8 + g) * HEAD + column) : no_words();
            }
        }
        // Values are asked for before scores are waited for.
        Words v_words[SIDES][4];
#pragma unroll
        for (int side = 0; side < SIDES; ++side) {
            const int column = side * 64 + g * 8;
#pragma unroll
            for (int i = 0; i < 4; ++i) {
                const int key = 2 * c + (i & 1) + 8 * (i >> 1);
                v_words[side][i] =
                    column < HEAD ? load(v_block + key * HEAD + column) : no_words();
            }
        }
#pragma unroll
        for (int side = 0; side < 2; ++side) {
#pragma unroll
            for (int chunk = 0; chunk < CHUNKS; ++chunk) {
                const Words x = k_words[side][chunk];
                multiply_tile(score[side], q[0][chunk][0], q[1][chunk][0], q[0][chunk][1],
                              q[1][chunk][1], x.w[0], x.w[1]);
                multiply_tile(score[side], q[0][chunk][2], q[1][chunk][2], q[0][chunk][3],
                              q[1][chunk][3], x.w[2], x.w[3]);
            }
        }

        const bool masked = block >= masked_above || block < masked_below;
        float highest_now[2] = {maximum[0], maximum[1]};
#pragma unroll
        for (int side = 0; side < 2; ++side) {
#pragma unroll
            for (int i = 0; i < 4; ++i) {
                float &s = score[side][i];
                s *= scale;
                if (masked) {
                    const int key = block * 16 + side * 8 + 2 * c + (i & 1);
                    const int last = last_key[i / 2];
                    if (key > last || key + window <= last) s = NOWHERE;
                }
                highest_now[i / 2] = fmaxf(highest_now[i / 2], s);
            }
        }
#pragma unroll
        for (int i = 0; i < 2; ++i) {
            highest_now[i] = fmaxf(highest_now[i], __shfl_xor_sync(FULL_WARP, highest_now[i], 1));
            highest_now[i] = fmaxf(highest_now[i], __shfl_xor_sync(FULL_WARP, highest_now[i], 2));
        }
        // Rare behind the first blocks: what was summed shrinks when a larger score comes.
        const bool grew = highest_now[0] > maximum[0] || highest_now[1] > maximum[1];
        if (__any_sync(FULL_WARP, grew)) {
            const float shrink[2] = {exp2f(maximum[0] - highest_now[0]),
                                     exp2f(maximum[1] - highest_now[1])};
#pragma unroll
            for (int j = 0; j < SIDES * 8; ++j) {
#pragma unroll
                for (int i = 0; i < 4; ++i) result[j][i] *= shrink[i / 2];
            }
            for (int i = 0; i < 2; ++i) {
                sum[i] *= shrink[i];
                maximum[i] = highest_now[i];
            }
        }
        // A query that has seen nothing yet weighs what it does not see with 0, not with 1.
#pragma unroll
        for (int side = 0; side < 2; ++side) {
#pragma unroll
            for (int i = 0; i < 4; ++i) {
                float &s = score[side][i];
                s = s <= NOWHERE ? 0.0f : exp2f(s - maximum[i / 2]);
                sum[i / 2] += s;
            }
        }
        const uint32_t p0 = pack_bf16(score[0][0], score[0][1]);
        const uint32_t p1 = pack_bf16(score[0][2], score[0][3]);
        const uint32_t p2 = pack_bf16(score[1][0], score[1][1]);
        const uint32_t p3 = pack_bf16(score[1][2], score[1][3]);
#pragma unroll
        for (int side = 0; side < SIDES; ++side) {
            const Words *x = v_words[side];
#pragma unroll
            for (int j = 0; j < 8; ++j) {
                multiply_tile(result[side * 8 + j], p0, p1, p2, p3,
                              halves(x[0].w[j / 2], x[1].w[j / 2], j & 1),
                              halves(x[2].w[j / 2], x[3].w[j / 2], j & 1));
            }
        }
    }

#pragma unroll
    for (int i = 0; i < 2; ++i) {
        // Four lanes have summed the keys of one query.
        float whole = sum[i];
        whole += __shfl_xor_sync(FULL_WARP, whole, 1);
        whole += __shfl_xor_sync(FULL_WARP, whole, 2);
        if (!there[i]) continue;
        const float factor = splits > 1 ? 1.0f : 1.0f / whole;
        const size_t part = place[i] * splits + split;
        if (splits > 1 && c == 0) {
            ends[2 * part] = maximum[i];
            ends[2 * part + 1] = whole;
        }
        // Column 2c + e of tile j is column 8 (2c + e) + j of the side: 8 neighbours a lane.
#pragma unroll
        for (int side = 0; side < SIDES; ++side) {
#pragma unroll
            for (int e = 0; e < 2; ++e) {
                const int column = side * 64 + (2 * c + e) * 8;
                if (column >= HEAD) continue;
                const int r = side * 8;
                if (splits > 1) {
                    float *to = parts + part * HEAD + column;
#pragma unroll
                    for (int j = 0; j < 8; ++j) to[j] = result[r + j][2 * i + e];
                } else {
                    Words x;
#pragma unroll
                    for (int w = 0; w < 4; ++w) {
                        x.w[w] = pack_bf16(result[r + 2 * w][2 * i + e] * factor,
                                           result[r + 2 * w + 1][2 * i + e] * factor);
                    }
                    *reinterpret_cast<Words *>(out + place[i] * HEAD + column) = x;
                }
            }
        }
    }
}

#define ATTENTION(HEAD)                                                                            \
    extern "C" __global__ void __launch_bounds__(128, 2) attention_##HEAD(                         \
        const bf16 *queries, const bf16 *keys, const bf16 *values, const uint32_t *first_row,      \
        const uint32_t *sequences, const uint32_t *positions, bf16 *out, float *parts,             \
        float *ends, int heads, int kv_heads, int capacity, int splits, int window, float scale) { \
        attention<HEAD>(queries, keys, values, first_row, sequences, positions, out, parts, ends,  \
                        heads, kv_heads, capacity, splits, window, scale);                         \
    }

ATTENTION(16)
ATTENTION(32)
ATTENTION(64)
ATTENTION(80)
ATTENTION(96)
ATTENTION(128)

// Parts of one softmax become one: out = sum of 2^(m_i - m) part_i / sum of 2^(m_i - m) sum_i.
//
// Block (head, row); parts, ends and out as above.
extern "C" __global__ void __launch_bounds__(128)
    attention_merge(const float *parts, const float *ends, bf16 *out, int head_dim, int splits) {
    const size_t place = static_cast<size_t>(blockIdx.y) * gridDim.x + blockIdx.x;
    const float *mine = parts + place * splits * head_dim, *of = ends + place * splits * 2;
    float maximum = NOWHERE;
    for (int i = 0; i < splits; ++i) maximum = fmaxf(maximum, of[2 * i]);
    float sum = 0.0f;
    for (int i = 0; i < splits; ++i) sum += exp2f(of[2 * i] - maximum) * of[2 * i + 1];
    for (int column = threadIdx.x; column < head_dim; column += blockDim.x) {
        float number = 0.0f;
        for (int i = 0; i < splits; ++i) {
            number += exp2f(of[2 * i] - maximum) * mine[static_cast<size_t>(i) * head_dim + column];
        }
        out[place * head_dim + column] = to_bf16(number / sum);
    }
}
