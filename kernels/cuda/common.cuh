// What the kernels share: bf16, sums over a warp or a block, and the tensor cores' product.
//
// Everything here compiles as CUDA and, with emulation/cuda.h in front, as C++ (EMULATED is then
// defined), where tests run it on a CPU.
//
// Not here: any kernel.
#pragma once

#include <stdint.h>

#ifndef EMULATED
#define FULL_WARP 0xffffffffu
#endif

typedef uint16_t bf16;

struct alignas(16) Words {
    uint32_t w[4];
};

static __device__ __forceinline__ float from_bf16(bf16 x) {
    return __uint_as_float(static_cast<uint32_t>(x) << 16);
}

static __device__ __forceinline__ float low_of(uint32_t pair) {
    return __uint_as_float(pair << 16);
}

static __device__ __forceinline__ float high_of(uint32_t pair) {
    return __uint_as_float(pair & 0xffff0000u);
}

// Two numbers rounded to the nearest, ties to even; the first in the low half.
static __device__ __forceinline__ uint32_t pack_bf16(float low, float high) {
#ifdef EMULATED
    return emulated_bf16(low) | static_cast<uint32_t>(emulated_bf16(high)) << 16;
#else
    uint32_t pair;
    asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(pair) : "f"(high), "f"(low));
    return pair;
#endif
}

static __device__ __forceinline__ bf16 to_bf16(float x) {
    return static_cast<bf16>(pack_bf16(x, 0.0f));
}

// 16 bytes that are read once: they need not stay in the first cache.
static __device__ __forceinline__ Words load_once(const void *from) {
#ifdef EMULATED
    return *static_cast<const Words *>(from);
#else
    Words x;
    asm("ld.global.nc.L1::no_allocate.v4.u32 {%0, %1, %2, %3}, [%4];"
                 : "=r"(x.w[0]), "=r"(x.w[1]), "=r"(x.w[2]), "=r"(x.w[3])
                 : "l"(from));
    return x;
#endif
}

// 16 bytes that others read too.
static __device__ __forceinline__ Words load(const void *from) {
    return *static_cast<const Words *>(from);
}

static __device__ __forceinline__ Words no_words() {
    Words x;
    x.w[0] = x.w[1] = x.w[2] = x.w[3] = 0;
    return x;
}

// The low halves of two words, or their high halves, as one word.
static __device__ __forceinline__ uint32_t halves(uint32_t first, uint32_t second, bool high) {
#ifdef EMULATED
    return high ? (first >> 16) | (second & 0xffff0000u) : (first & 0xffffu) | (second << 16);
#else
    return __byte_perm(first, second, high ? 0x7632 : 0x5410);
#endif
}

// d += a b on the tensor cores: a is 16 rows by 16, b is 16 by 8 columns, both bf16; sums in f32.
//
// Of lane 4 g + c, words of a: rows g, g + 8, g, g + 8 at columns (2c, 2c + 1) twice, then
// (2c + 8, 2c + 9) twice; of b: rows (2c, 2c + 1), then (2c + 8, 2c + 9), of column g; numbers of d:
// row g at columns 2c, 2c + 1, then row g + 8.
//
// Source: PTX ISA, "Matrix Fragments for mma.m16n8k16 with floating point type".
static __device__ __forceinline__ void multiply_tile(float (&d)[4], uint32_t a0, uint32_t a1,
                                                     uint32_t a2, uint32_t a3, uint32_t b0,
                                                     uint32_t b1) {
#ifdef EMULATED
    emulated_tile(d, a0, a1, a2, a3, b0, b1);
#else
    asm("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 "
                 "{%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
                 : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
                 : "r"(a0), "r"(a1), "r"(a2), "r"(a3), "r"(b0), "r"(b1));
#endif
}

static __device__ __forceinline__ float warp_sum(float x) {
    for (int mask = 16; mask > 0; mask >>= 1) x += __shfl_xor_sync(FULL_WARP, x, mask);
    return x;
}

// The sum over a block of at most 1,024 threads, for all of them.
static __device__ __forceinline__ float block_sum(float x) {
    __shared__ float sums[32];
    const int warp = threadIdx.x / 32, warps = (blockDim.x + 31) / 32;
    x = warp_sum(x);
    __syncthreads();
    if (threadIdx.x % 32 == 0) sums[warp] = x;
    __syncthreads();
    float all = 0.0f;
    for (int i = 0; i < warps; ++i) all += sums[i];
    return all;
}

// What a gate makes of the outputs of its two products: 0 is SiLU, 1 is GELU by tanh.
static __device__ __forceinline__ float gated(int activation, float gate, float up) {
    float exponent = gate;
    if (activation == 1) exponent = 1.5957691216f * (gate + 0.044715f * gate * gate * gate);
    return gate / (1.0f + expf(-exponent)) * up;
}
