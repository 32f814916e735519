// The kernels as a library that runs them on a CPU: `emulated_launch` takes what cuLaunchKernel does.
#include "cuda.h"

#include "../all.cu"

#define KERNEL(NAME) {#NAME, [](void **given) { emulation::call(NAME, given); }}

static const struct {
    const char *name;
    void (*run)(void **);
} KERNELS[] = {
    KERNEL(add_norm),       KERNEL(rope_append),    KERNEL(attention_16),   KERNEL(attention_32),
    KERNEL(attention_64),   KERNEL(attention_80),   KERNEL(attention_96),   KERNEL(attention_128),
    KERNEL(attention_merge), KERNEL(matvec_bf16_8), KERNEL(matvec_bf16_16), KERNEL(matvec_bf16_32),
    KERNEL(matvec_f32_8),   KERNEL(matvec_f32_16),  KERNEL(matvec_f32_32),  KERNEL(matvec_gated_8),
    KERNEL(matvec_gated_16), KERNEL(matvec_gated_32), KERNEL(embed),        KERNEL(gate_multiply),
    KERNEL(widen),          KERNEL(narrow),         KERNEL(pick),           KERNEL(fill_numbers),
    KERNEL(fill_blocks),    KERNEL(read_all),
};

// 0; 1 for a kernel that is not there.
extern "C" int emulated_launch(const char *name, const uint32_t grid[3], uint32_t threads,
                               void **given) {
    static std::mutex one_at_a_time;
    const std::lock_guard<std::mutex> guard(one_at_a_time);
    for (const auto &kernel : KERNELS) {
        if (strcmp(kernel.name, name) != 0) continue;
        emulation::body = kernel.run;
        emulation::arguments = given;
        gridDim = {grid[0], grid[1], grid[2]};
        blockDim = {threads, 1, 1};
        for (unsigned z = 0; z < grid[2]; ++z) {
            for (unsigned y = 0; y < grid[1]; ++y) {
                for (unsigned x = 0; x < grid[0]; ++x) {
                    blockIdx = {x, y, z};
                    emulation::run_block(static_cast<int>(threads));
                }
            }
        }
        return 0;
    }
    return 1;
}
