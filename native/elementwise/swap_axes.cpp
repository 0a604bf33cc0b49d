// Axes in another order: y[b][a] = x[a][b] for runs of C floats that lie together, of one array (flattened pictures from
// (C, H, W) to (H, W, C) and back), or of each picture, with axes between the two that stay.
//
// Runs: b > a > floats of the run; task = a block of b, written from end to end while its runs are read from all over x.
// Single floats: squares of V rows of a and 4 of b are transposed in registers (common/transpose.hpp); a line of the
// cache of x is then used up by the next squares along b. Task = (picture, outer, block of b).
#include "common/kernel.hpp"
#include "common/transpose.hpp"

namespace pellucid::PELLUCID_ISA_NAMESPACE {
namespace {

constexpr int64_t kTasks = 16;
constexpr int64_t kBlockRows = 64;  // of y, in a task of single floats

// One array: from [a][b] to [b][a], runs of C floats; strides of a in x and of b in y.
struct Swap {
    const float* x;
    float* y;
    int64_t A, B, C, x_row, y_row;
};

PELLUCID_INLINE void copy_run(const float* from, float* to, int64_t count) {
    int64_t i = 0;
    for (; i + V <= count; i += V) store(to + i, load(from + i));
    for (; i < count; ++i) to[i] = from[i];
}

// Rows first .. last - 1 of y.
void swap_rows(const Swap& s, int64_t first, int64_t last) {
    if (s.C > 1) {
        for (int64_t b = first; b < last; ++b)
            for (int64_t a = 0; a < s.A; ++a) copy_run(s.x + a * s.x_row + b * s.C, s.y + b * s.y_row + a * s.C, s.C);
        return;
    }
    const int64_t whole = s.A / V * V;
    for (int64_t a = 0; a < whole; a += V) {
        const float* const x = s.x + a * s.x_row;
        float* const y = s.y + a;
        int64_t b = first;
        for (; b + kGroup <= last; b += kGroup) {
            vf w[kGroup][1];
            load_transposed(x + b, s.x_row, w);
#pragma GCC unroll 4
            for (int64_t q = 0; q < kGroup; ++q) store(y + (b + q) * s.y_row, w[q][0]);
        }
        for (; b < last; ++b)
            for (int64_t lane = 0; lane < V; ++lane) y[b * s.y_row + lane] = x[lane * s.x_row + b];
    }
    for (int64_t a = whole; a < s.A; ++a)
        for (int64_t b = first; b < last; ++b) s.y[b * s.y_row + a] = s.x[a * s.x_row + b];
}

void run_swap_axes(const SwapAxes& s) {
    const int64_t tasks = at_most(s.B, kTasks);
    const Swap swap{s.x, s.y, s.A, s.B, s.C, s.B * s.C, s.A * s.C};
    parallel_for(tasks, double(s.A * s.B * s.C),
                 [=](int64_t task) { swap_rows(swap, s.B * task / tasks, s.B * (task + 1) / tasks); });
}

void run_permute(const Permute& p) {
    const int64_t blocks = ceil_div(p.B, kBlockRows), size = p.A * p.INNER * p.B * p.C;
    parallel_for(p.N * p.OUTER * blocks, double(p.N * p.OUTER * size), [=](int64_t task) {
        const int64_t at = task / blocks * size, first = task % blocks * kBlockRows;
        for (int64_t i = 0; i < p.INNER; ++i) {
            const Swap swap{p.x + at + i * p.B * p.C, p.y + at + i * p.A * p.C, p.A, p.B, p.C, p.INNER * p.B * p.C,
                            p.INNER * p.A * p.C};
            swap_rows(swap, first, at_most(first + kBlockRows, p.B));
        }
    });
}

}  // namespace

const Kernel kernels::swap_axes = kernel<run_swap_axes>();
const Kernel kernels::permute = kernel<run_permute>();

}  // namespace pellucid::PELLUCID_ISA_NAMESPACE
