// Enough of CUDA to run the kernels on a CPU, one block after the other.
//
// The threads of a block are fibers of one thread of the system, taken in turn; a barrier hands over
// to the next fiber until all of the block, or of the warp, have come. So a missing barrier shows as
// a wrong result, always the same one, and threads that wait for others that never come end the
// program. Memory is that of the host.
//
// Not here: speed, and what only a device can get wrong (alignment of 16-byte loads is checked).
#pragma once
#define EMULATED 1

#include <math.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>
#include <algorithm>
#include <memory>
#include <mutex>
#include <tuple>
#include <utility>
#include <vector>

#define __global__
#define __device__
#define __forceinline__ inline
#define __launch_bounds__(...)
#define __restrict__
// Blocks run one after the other: what they share may be static.
#define __shared__ static
#define FULL_WARP 0xffffffffu

struct Dim3 {
    unsigned x, y, z;
};
struct float2 {
    float x, y;
};
using std::max;
using std::min;

static Dim3 blockIdx, blockDim, gridDim;
static Dim3 threadIdx;  // of the fiber that runs

namespace emulation {

struct Barrier {
    int waiting = 0, alive = 0;
    unsigned long generation = 0;
};

struct Fiber {
    ucontext_t context;  // of its first turn; the next ones jump, which asks nothing of the system
    jmp_buf place;
    bool begun = false;
    std::unique_ptr<char[]> stack;
    bool done = false;
};

struct Warp {
    Barrier barrier;
    uint64_t slots[32];
    uint32_t words[32][6];
};

static std::vector<Fiber> fibers;
static std::vector<Warp> warps;
static Barrier block;
static ucontext_t first_turn;
static jmp_buf scheduler;
static int running;
static unsigned long steps_without_progress;
static void (*body)(void **);
static void **arguments;

inline void hand_over() {
    if (_setjmp(fibers[running].place) == 0) _longjmp(scheduler, 1);
}

inline void take_turn(Fiber &fiber) {
    if (_setjmp(scheduler) != 0) return;
    if (fiber.begun) _longjmp(fiber.place, 1);
    fiber.begun = true;
    swapcontext(&first_turn, &fiber.context);
}

inline void release(Barrier &barrier) {
    if (barrier.waiting > 0 && barrier.waiting == barrier.alive) {
        barrier.waiting = 0;
        ++barrier.generation;
        steps_without_progress = 0;
    }
}

inline void wait(Barrier &barrier) {
    const unsigned long mine = barrier.generation;
    ++barrier.waiting;
    release(barrier);
    while (barrier.generation == mine) hand_over();
}

inline Warp &warp() { return warps[running / 32]; }

inline void run_fiber() {
    body(arguments);
    fibers[running].done = true;
    --block.alive;
    release(block);
    --warp().barrier.alive;
    release(warp().barrier);
    steps_without_progress = 0;
    hand_over();
}

inline void run_block(int threads) {
    constexpr size_t STACK = 64 << 10;
    fibers.resize(threads);
    warps.assign((threads + 31) / 32, Warp());
    block = Barrier();
    block.alive = threads;
    for (int i = 0; i < threads; ++i) {
        Fiber &fiber = fibers[i];
        if (!fiber.stack) fiber.stack.reset(new char[STACK]);
        fiber.done = fiber.begun = false;
        ++warps[i / 32].barrier.alive;
        getcontext(&fiber.context);
        fiber.context.uc_stack.ss_sp = fiber.stack.get();
        fiber.context.uc_stack.ss_size = STACK;
        fiber.context.uc_link = nullptr;
        makecontext(&fiber.context, run_fiber, 0);
    }
    steps_without_progress = 0;
    while (block.alive > 0) {
        for (running = 0; running < threads; ++running) {
            if (fibers[running].done) continue;
            threadIdx = {static_cast<unsigned>(running), 0, 0};
            take_turn(fibers[running]);
        }
        if (++steps_without_progress > 4) {
            fprintf(stderr, "threads of a block wait at different barriers\n");
            abort();
        }
    }
}

template <class... A, size_t... I>
void call(void (*kernel)(A...), void **given, std::index_sequence<I...>) {
    kernel(*static_cast<A *>(given[I])...);
}

// A kernel's arguments, one pointer each, as cuLaunchKernel takes them.
template <class... A> void call(void (*kernel)(A...), void **given) {
    call(kernel, given, std::index_sequence_for<A...>());
}

}  // namespace emulation

inline void __syncthreads() { emulation::wait(emulation::block); }
inline void __syncwarp() { emulation::wait(emulation::warp().barrier); }

template <class T> T __shfl_xor_sync(unsigned, T x, int mask) {
    emulation::Warp &warp = emulation::warp();
    const int lane = emulation::running % 32;
    memcpy(&warp.slots[lane], &x, sizeof x);
    __syncwarp();
    T other;
    memcpy(&other, &warp.slots[lane ^ mask], sizeof other);
    __syncwarp();
    return other;
}

inline bool __any_sync(unsigned, bool mine) {
    int any = mine;
    for (int mask = 16; mask > 0; mask >>= 1) any |= __shfl_xor_sync(FULL_WARP, any, mask);
    return any != 0;
}

inline float __uint_as_float(uint32_t bits) {
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

// Rounds to the nearest, ties to even.
inline uint16_t emulated_bf16(float x) {
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    if (x != x) return 0x7fff;
    return static_cast<uint16_t>((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

// The product of a warp's tiles, from the numbers that its lanes hold.
inline void emulated_tile(float (&d)[4], uint32_t a0, uint32_t a1, uint32_t a2, uint32_t a3,
                          uint32_t b0, uint32_t b1) {
    emulation::Warp &warp = emulation::warp();
    const int lane = emulation::running % 32, g = lane / 4, c = lane % 4;
    const uint32_t mine[6] = {a0, a1, a2, a3, b0, b1};
    memcpy(warp.words[lane], mine, sizeof mine);
    __syncwarp();
    const auto half = [](uint32_t word, int which) {
        return __uint_as_float(which ? word & 0xffff0000u : word << 16);
    };
    for (int i = 0; i < 4; ++i) {
        const int row = g + 8 * (i / 2), column = 2 * c + i % 2;
        float sum = 0.0f;
        for (int k = 0; k < 16; ++k) {
            const int holder = k % 8 / 2, upper = k / 8;
            const uint32_t a = warp.words[row % 8 * 4 + holder][row / 8 + 2 * upper];
            const uint32_t b = warp.words[column * 4 + holder][4 + upper];
            sum += half(a, k % 2) * half(b, k % 2);
        }
        d[i] += sum;
    }
    __syncwarp();
}
