// y[b][a] = x[a][b] for runs of C floats that lie together: flattened pictures from (C, H, W) to (H, W, C) and back.
//
// Loop order: b > a > floats of the run. Task = a block of b, written from end to end while its runs are read from all
// over x.
#include "common/kernel.hpp"

namespace pellucid::PELLUCID_ISA_NAMESPACE {
namespace {

constexpr int64_t kTasks = 16;

void run_swap_axes(const SwapAxes& s) {
    const int64_t tasks = at_most(s.B, kTasks);
    parallel_for(tasks, double(s.A * s.B * s.C), [&](int64_t task) {
        const int64_t end = s.B * (task + 1) / tasks;
        for (int64_t b = s.B * task / tasks; b < end; ++b) {
            float* to = s.y + b * s.A * s.C;
            for (int64_t a = 0; a < s.A; ++a, to += s.C) {
                const float* const from = s.x + (a * s.B + b) * s.C;
                int64_t i = 0;
                for (; i + V <= s.C; i += V) store(to + i, load(from + i));
                for (; i < s.C; ++i) to[i] = from[i];
            }
        }
    });
}

}  // namespace

const Kernel kernels::swap_axes = kernel<run_swap_axes>();

}  // namespace pellucid::PELLUCID_ISA_NAMESPACE
