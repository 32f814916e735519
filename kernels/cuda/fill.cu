// Made-up weights, made where they are used, and the reading of memory as fast as it goes.
//
// Not here: what types of blocks look like; their scales are given.
#include "common.cuh"

// A number of 64 bits that depends on every bit of `x`.
//
// Source: Steele et al., Fast Splittable Pseudorandom Number Generators, 2014 (SplitMix64).
static __device__ __forceinline__ unsigned long long mixed(unsigned long long x) {
    x += 0x9e3779b97f4a7c15ull;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ull;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebull;
    return x ^ (x >> 31);
}

// Even numbers between -most and most, as bf16, four a thread. count: a multiple of 4.
extern "C" __global__ void __launch_bounds__(256)
    fill_numbers(bf16 *out, unsigned long long count, unsigned long long seed, float most) {
    const unsigned long long threads = static_cast<unsigned long long>(gridDim.x) * blockDim.x;
    for (unsigned long long i = static_cast<unsigned long long>(blockIdx.x) * blockDim.x + threadIdx.x;
         4 * i < count; i += threads) {
        const unsigned long long bits = mixed(seed ^ mixed(i));
        float x[4];
        for (int j = 0; j < 4; ++j) {
            x[j] = (static_cast<int>(bits >> (16 * j) & 0xffff) - 32767.5f) * (most / 32767.5f);
        }
        uint32_t *to = reinterpret_cast<uint32_t *>(out + 4 * i);
        to[0] = pack_bf16(x[0], x[1]);
        to[1] = pack_bf16(x[2], x[3]);
    }
}

// Blocks of quantised numbers: random bits everywhere but at the scales.
//
// Blocks of `size` bytes, an even number; two bytes at `scale_at` become `scale`, and two at
// `least_at` become `least` where that is not negative. Two bytes a thread.
extern "C" __global__ void __launch_bounds__(256)
    fill_blocks(uint16_t *out, unsigned long long halves, unsigned long long seed, int size,
                int scale_at, int scale, int least_at, int least) {
    const unsigned long long threads = static_cast<unsigned long long>(gridDim.x) * blockDim.x;
    for (unsigned long long i = static_cast<unsigned long long>(blockIdx.x) * blockDim.x + threadIdx.x;
         i < halves; i += threads) {
        const int at = static_cast<int>(i * 2 % size);
        uint16_t bits = static_cast<uint16_t>(mixed(seed ^ mixed(i)));
        if (at == scale_at) bits = static_cast<uint16_t>(scale);
        if (at == least_at) bits = static_cast<uint16_t>(least);
        out[i] = bits;
    }
}

// Reads `count` times 16 bytes once and keeps nothing but a sum of the bits, which nobody wants: it
// is written only if it is a number that it is not.
extern "C" __global__ void __launch_bounds__(512)
    read_all(const Words *from, unsigned long long count, uint32_t *never) {
    const unsigned long long threads = static_cast<unsigned long long>(gridDim.x) * blockDim.x;
    unsigned long long i = static_cast<unsigned long long>(blockIdx.x) * blockDim.x + threadIdx.x;
    uint32_t sum = 0;
    for (; i + 3 * threads < count; i += 4 * threads) {
        Words x[4];
#pragma unroll
        for (int j = 0; j < 4; ++j) x[j] = load_once(from + i + j * threads);
#pragma unroll
        for (int j = 0; j < 4; ++j) sum ^= x[j].w[0] ^ x[j].w[1] ^ x[j].w[2] ^ x[j].w[3];
    }
    for (; i < count; i += threads) {
        const Words x = load_once(from + i);
        sum ^= x.w[0] ^ x.w[1] ^ x.w[2] ^ x.w[3];
    }
    if (sum == 0x9e3779b9u) *never = sum;
}
