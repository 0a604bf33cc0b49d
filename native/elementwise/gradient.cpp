// What happens to gradients before the optimizer: penalties on weights added to them, and clipping. In place on flat
// vectors; sums are in double, one for each block of 16 K numbers, added in order.
#include "common/flat.hpp"

namespace pellucid::PELLUCID_ISA_NAMESPACE {
namespace {

constexpr int64_t kShortSum = 32;  // vectors added up in float

// The sum of f(i, lanes) over block `task`.
template <typename F>
PELLUCID_INLINE double block_sum(int64_t task, int64_t count, F f) {
    double total = 0;
    vf sum = vf{};
    int64_t vectors = 0;
    const auto empty = [&] {
        for (int lane = 0; lane < V; ++lane) total += double(sum[lane]);
        sum = vf{};
    };
    each_vector(task, count, [&](int64_t i, int64_t lanes) {
        sum += f(i, lanes);
        if (++vectors % kShortSum == 0) empty();
    });
    empty();
    return total;
}

// The same of all blocks; partial has room for one sum each. `cost`: operations a number.
template <typename F>
double sum_of_all(int64_t count, double cost, double* partial, const F& f) {
    const int64_t blocks = ceil_div(count, kBlock);
    parallel_for(blocks, cost * double(count), [=](int64_t task) { partial[task] = block_sum(task, count, f); });
    double total = 0;
    for (int64_t i = 0; i < blocks; ++i) total += partial[i];
    return total;
}

template <typename Arguments>
double* partial_sums(const Arguments& a, Memory& memory) {
    return memory.take<double>(ceil_div(a.COUNT, kBlock));
}

// l1 * |p| + l2 * p^2, its derivative added to the gradient.
void run_add_penalty(const AddPenalty& a, double* partial) {
    const float l1 = float(a.l1), l2 = float(a.l2);
    const double sum = sum_of_all(a.COUNT, 3.0, partial, [=, &a](int64_t i, int64_t lanes) {
        const vf p = load_lanes(a.param + i, lanes);
        const vf sign = select(p > 0.0f, broadcast(1.0f), select(p < 0.0f, broadcast(-1.0f), vf{}));
        store_lanes(a.grad + i, load_lanes(a.grad + i, lanes) + l1 * sign + (2.0f * l2) * p, lanes);
        return l1 * vabs(p) + l2 * (p * p);
    });
    if (a.totals) a.totals[0] += double(a.N) * sum;
}

void run_clip_by_value(const ClipByValue& a) {
    const vf high = broadcast(float(a.limit)), low = -high;
    each_vector_of_all(a.COUNT, 2.0, [=, &a](int64_t i, int64_t lanes) {
        const vf g = load_lanes(a.grad + i, lanes);  // NaN stays
        store_lanes(a.grad + i, vmax(low, vmin(high, g)), lanes);
    });
}

void run_clip_by_norm(const ClipByNorm& a, double* partial) {
    const double norm = __builtin_sqrt(sum_of_all(a.COUNT, 1.0, partial, [&](int64_t i, int64_t lanes) {
        const vf g = load_lanes(a.grad + i, lanes);
        return g * g;
    }));
    if (!(norm > a.limit)) return;
    const float factor = float(a.limit / norm);
    each_vector_of_all(a.COUNT, 1.0, [=, &a](int64_t i, int64_t lanes) {
        store_lanes(a.grad + i, load_lanes(a.grad + i, lanes) * factor, lanes);
    });
}

}  // namespace

const Kernel kernels::add_penalty = kernel<partial_sums<AddPenalty>, run_add_penalty>();
const Kernel kernels::clip_by_value = kernel<run_clip_by_value>();
const Kernel kernels::clip_by_norm = kernel<partial_sums<ClipByNorm>, run_clip_by_norm>();

}  // namespace pellucid::PELLUCID_ISA_NAMESPACE
