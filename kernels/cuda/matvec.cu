// Products of a matrix and a few vectors: every weight is read once, 16 bytes at a time.
//
// A block takes 16 rows of the matrix; its eight warps share the columns. The tensor cores multiply
// 16 rows by 8 vectors in one go, so up to 8 vectors cost what one does, and the conversions of bf16
// that plain arithmetic would need fall away: the reading of weights is all that counts.
//
// Not here: products of many vectors (the vendor's library) and of quantised weights (candle's
// kernels).
#include "common.cuh"

#define WARPS 8
// Columns that a warp takes at a time: 256 bytes of every row.
#define STRIDE 128

// What becomes of the sums.
#define AS_BF16 0
#define AS_F32 1
#define GATED 2

// out[b][row] = sum over k of weight[row][k] x[b][k]
//
// weight: (rows, columns) bf16, columns a multiple of 8; x: (batch, columns) bf16, batch at most
// 8 TILES; out: (batch, stride), bf16 or f32. Gated: `rows` gates, as many up projections behind them
// in `weight`, and out = activation(gate) * up.
template <int TILES, int KIND>
static __device__ __forceinline__ void matvec(const bf16 *__restrict__ weight,
                                              const bf16 *__restrict__ x, void *__restrict__ out,
                                              int rows, int columns, int batch, int stride,
                                              int activation) {
    __shared__ float sums[WARPS][TILES][4][32];
    const int warp = threadIdx.x / 32, lane = threadIdx.x % 32, g = lane / 4, c = lane % 4;
    // Rows g and g + 8 of the tile: neighbours, or a gate and its up projection.
    const int step = KIND == GATED ? 8 : 16;
    const int mine = min(static_cast<int>(blockIdx.x) * step + g, rows - 1);
    const int other = KIND == GATED ? mine + rows
                                    : min(static_cast<int>(blockIdx.x) * step + g + 8, rows - 1);
    const bf16 *first = weight + static_cast<size_t>(mine) * columns;
    const bf16 *second = weight + static_cast<size_t>(other) * columns;
    float d[TILES][4] = {};

#pragma unroll 2
    for (int base = warp * STRIDE; base < columns; base += WARPS * STRIDE) {
        Words a[4], b[4];
#pragma unroll
        for (int i = 0; i < 4; ++i) {
            const int column = base + i * 32 + c * 8;
            const bool inside = column < columns;
            a[i] = inside ? load_once(first + column) : no_words();
            b[i] = inside ? load_once(second + column) : no_words();
        }
#pragma unroll
        for (int i = 0; i < 4; ++i) {
            const int column = base + i * 32 + c * 8;
#pragma unroll
            for (int t = 0; t < TILES; ++t) {
                const int vector = t * 8 + g;
                const bool inside = column < columns && vector < batch;
                const Words y = inside ? load(x + static_cast<size_t>(vector) * columns + column)
                                       : no_words();
                multiply_tile(d[t], a[i].w[0], b[i].w[0], a[i].w[1], b[i].w[1], y.w[0], y.w[1]);
                multiply_tile(d[t], a[i].w[2], b[i].w[2], a[i].w[3], b[i].w[3], y.w[2], y.w[3]);
            }
        }
    }

#pragma unroll
    for (int t = 0; t < TILES; ++t) {
#pragma unroll
        for (int i = 0; i < 4; ++i) sums[warp][t][i][lane] = d[t][i];
    }
    __syncthreads();
    // A thread takes one row and one vector; of gated rows, those of the gate.
    const int kept = KIND == GATED ? 2 : 4;
    for (int at = threadIdx.x; at < TILES * kept * 32; at += WARPS * 32) {
        const int of = at % 32, i = at / 32 % kept, t = at / 32 / kept;
        float sum = 0.0f, up = 0.0f;
        for (int w = 0; w < WARPS; ++w) {
            sum += sums[w][t][i][of];
            if (KIND == GATED) up += sums[w][t][i + 2][of];
        }
        const int row = blockIdx.x * step + of / 4 + 8 * (i / 2);
        const int vector = t * 8 + 2 * (of % 4) + i % 2;
        if (row >= rows || vector >= batch) continue;
        const size_t place = static_cast<size_t>(vector) * stride + row;
        if (KIND == AS_F32) {
            static_cast<float *>(out)[place] = sum;
        } else {
            static_cast<bf16 *>(out)[place] =
                to_bf16(KIND == GATED ? gated(activation, sum, up) : sum);
        }
    }
}

#define MATVEC(NAME, TILES, KIND)                                                              \
    extern "C" __global__ void __launch_bounds__(256, 2)                                       \
        NAME(const bf16 *weight, const bf16 *x, void *out, int rows, int columns, int batch,   \
             int stride, int activation) {                                                     \
        matvec<TILES, KIND>(weight, x, out, rows, columns, batch, stride, activation);         \
    }

MATVEC(matvec_bf16_8, 1, AS_BF16)
MATVEC(matvec_bf16_16, 2, AS_BF16)
MATVEC(matvec_bf16_32, 4, AS_BF16)
MATVEC(matvec_f32_8, 1, AS_F32)
MATVEC(matvec_f32_16, 2, AS_F32)
MATVEC(matvec_f32_32, 4, AS_F32)
MATVEC(matvec_gated_8, 1, GATED)
MATVEC(matvec_gated_16, 2, GATED)
MATVEC(matvec_gated_32, 4, GATED)
