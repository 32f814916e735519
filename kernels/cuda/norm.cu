// Root-mean-square norm of the residual stream, with what is to be added to it first.
//
// Not here: norms of single heads, which the rotation does on its way (rope.cu).
#include "common.cuh"

// residual = residual + scale * added; out = residual / sqrt(mean(residual^2) + eps) * weight
//
// residual: (rows, hidden) f32; added: (rows, hidden) bf16, or null; weight: (hidden) f32; out:
// (blocks, hidden) bf16. Block b works on row chosen[b], or b where chosen is null.
extern "C" __global__ void __launch_bounds__(256)
    add_norm(float *residual, const bf16 *added, const float *weight, bf16 *out,
             const uint32_t *chosen, int hidden, float scale, float eps) {
    const size_t row = chosen ? chosen[blockIdx.x] : blockIdx.x;
    float *x = residual + row * hidden;
    const bf16 *delta = added ? added + row * hidden : nullptr;
    bf16 *y = out + static_cast<size_t>(blockIdx.x) * hidden;

    // Pairs, as rows of hidden numbers begin at even places where hidden is even.
    float squares = 0.0f;
    for (int i = 2 * threadIdx.x; i < hidden; i += 2 * blockDim.x) {
        float2 pair = *reinterpret_cast<float2 *>(x + i);
        if (delta) {
            const uint32_t plus = *reinterpret_cast<const uint32_t *>(delta + i);
            pair.x += scale * low_of(plus);
            pair.y += scale * high_of(plus);
            *reinterpret_cast<float2 *>(x + i) = pair;
        }
        squares += pair.x * pair.x + pair.y * pair.y;
    }
    const float factor = 1.0f / sqrtf(block_sum(squares) / hidden + eps);
    // Each thread reads back what it wrote itself.
    for (int i = 2 * threadIdx.x; i < hidden; i += 2 * blockDim.x) {
        const float2 pair = *reinterpret_cast<float2 *>(x + i);
        *reinterpret_cast<uint32_t *>(y + i) =
            pack_bf16(pair.x * factor * weight[i], pair.y * factor * weight[i + 1]);
    }
}
