// What happens to gradients before the optimizer: penalties on weights added to them, and clipping. In place on flat
// vectors; sums are in double, one for each block of 16 K numbers, added in order.
#include "common/flat.hpp"

namespace pellucid {
namespace PELLUCID_ISA_NAMESPACE {
namespace {

constexpr int64_t kShortSum = 32;  // vectors added up in float

// f's sum over the task's block.
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

double add_up(const double* partial, int64_t count) {
    double total = 0;
    for (int64_t i = 0; i < count; ++i) total += partial[i];
    return total;
}

template <typename Arguments>
struct Job {
    const Arguments& a;
    double* partial;
    float factor;
};

template <typename Arguments>
int64_t workspace(const void* arguments) {
    return 8 * ceil_div(static_cast<const Arguments*>(arguments)->COUNT, kBlock);
}

// l1 * |p| + l2 * p^2 in each lane, its derivative added to the gradient.
void penalty_block(void* context, int64_t task, Arena&) {
    const Job<AddPenalty>& job = *static_cast<const Job<AddPenalty>*>(context);
    const AddPenalty& a = job.a;
    const float l1 = float(a.l1), l2 = float(a.l2);
    job.partial[task] = block_sum(task, a.COUNT, [&](int64_t i, int64_t lanes) {
        const vf p = load_lanes(a.param + i, lanes);
        const vf sign = select(p > 0.0f, broadcast(1.0f), select(p < 0.0f, broadcast(-1.0f), vf{}));
        store_lanes(a.grad + i, load_lanes(a.grad + i, lanes) + l1 * sign + (2.0f * l2) * p, lanes);
        return l1 * vabs(p) + l2 * (p * p);
    });
}

void add_penalty(const void* arguments, Context& context) {
    const AddPenalty& a = *static_cast<const AddPenalty*>(arguments);
    const int64_t blocks = ceil_div(a.COUNT, kBlock);
    Job<AddPenalty> job{a, static_cast<double*>(context.workspace), 0.0f};
    parallel_for(blocks, 3.0 * double(a.COUNT), penalty_block, &job);
    if (a.totals) a.totals[0] += double(a.N) * add_up(job.partial, blocks);
}

void value_block(void* context, int64_t task, Arena&) {
    const ClipByValue& a = *static_cast<const ClipByValue*>(context);
    const vf high = broadcast(float(a.limit)), low = -high;
    each_vector(task, a.COUNT, [&](int64_t i, int64_t lanes) {
        const vf g = load_lanes(a.grad + i, lanes);  // NaN stays
        store_lanes(a.grad + i, vmax(low, vmin(high, g)), lanes);
    });
}

void clip_by_value(const void* arguments, Context&) {
    const ClipByValue& a = *static_cast<const ClipByValue*>(arguments);
    parallel_for(ceil_div(a.COUNT, kBlock), 2.0 * double(a.COUNT), value_block, const_cast<ClipByValue*>(&a));
}

void square_block(void* context, int64_t task, Arena&) {
    const Job<ClipByNorm>& job = *static_cast<const Job<ClipByNorm>*>(context);
    job.partial[task] = block_sum(task, job.a.COUNT, [&](int64_t i, int64_t lanes) {
        const vf g = load_lanes(job.a.grad + i, lanes);
        return g * g;
    });
}

void scale_block(void* context, int64_t task, Arena&) {
    const Job<ClipByNorm>& job = *static_cast<const Job<ClipByNorm>*>(context);
    each_vector(task, job.a.COUNT, [&](int64_t i, int64_t lanes) {
        store_lanes(job.a.grad + i, load_lanes(job.a.grad + i, lanes) * job.factor, lanes);
    });
}

void clip_by_norm(const void* arguments, Context& context) {
    const ClipByNorm& a = *static_cast<const ClipByNorm*>(arguments);
    const int64_t blocks = ceil_div(a.COUNT, kBlock);
    Job<ClipByNorm> job{a, static_cast<double*>(context.workspace), 0.0f};
    parallel_for(blocks, double(a.COUNT), square_block, &job);
    const double norm = __builtin_sqrt(add_up(job.partial, blocks));
    if (!(norm > a.limit)) return;
    job.factor = float(a.limit / norm);
    parallel_for(blocks, double(a.COUNT), scale_block, &job);
}

const Kernel kKernels[] = {
    {"add_penalty", add_penalty, workspace<AddPenalty>},
    {"clip_by_value", clip_by_value, nullptr},
    {"clip_by_norm", clip_by_norm, workspace<ClipByNorm>},
};

}  // namespace

extern const Family gradient_family;
const Family gradient_family = {kKernels, 3};

}  // namespace PELLUCID_ISA_NAMESPACE
}  // namespace pellucid
