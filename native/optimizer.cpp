// Optimizers and what goes with them, in place on flat vectors of parameters. What changes from step to step
// (learning rate, step number, gradient scale) is read from control[0..2] when the step runs. Memory bound; task = 16
// K parameters.
#include "vec.hpp"
#include "arguments.hpp"
#include "parallel.hpp"

namespace pellucid {
namespace PELLUCID_ISA_NAMESPACE {
namespace {

constexpr int64_t kBlock = 16384;
constexpr int64_t kSumShards = 64;

// f(i, lanes) for every vector of the task's block.
template <typename F>
PELLUCID_INLINE void each_vector(int64_t task, int64_t count, F f) {
    const int64_t end = at_most((task + 1) * kBlock, count);
    int64_t i = task * kBlock;
    for (; i + V <= end; i += V) f(i, int64_t(V));
    if (i < end) f(i, end - i);
}

void sgd_block(void* context, int64_t task, Arena&) {
    const Sgd& a = *static_cast<const Sgd*>(context);
    const float rate = float(a.control[0]), scale = float(a.control[2]);
    const float momentum = float(a.momentum), decay = float(a.weight_decay);
    each_vector(task, a.COUNT, [&](int64_t i, int64_t lanes) {
        vf p = load_lanes(a.param + i, lanes);
        vf g = load_lanes(a.grad + i, lanes) * scale;
        if (decay != 0.0f) g += decay * p;
        if (a.velocity) {
            const vf v = momentum * load_lanes(a.velocity + i, lanes) - rate * g;
            store_lanes(a.velocity + i, v, lanes);
            p += a.NESTEROV ? momentum * v - rate * g : v;
        } else {
            p -= rate * g;
        }
        store_lanes(a.param + i, p, lanes);
    });
}

void sgd(const void* arguments, Context&) {
    const Sgd& a = *static_cast<const Sgd*>(arguments);
    parallel_for(ceil_div(a.COUNT, kBlock), 3.0 * double(a.COUNT), sgd_block, const_cast<Sgd*>(&a));
}

double power(double base, int64_t exponent) {
    double result = 1;
    for (; exponent > 0; exponent >>= 1, base *= base)
        if (exponent & 1) result *= base;
    return result;
}

struct AdamJob {
    const Adam& a;
    float rate;  // with both bias corrections in it
};

void adam_block(void* context, int64_t task, Arena&) {
    const AdamJob& job = *static_cast<const AdamJob*>(context);
    const Adam& a = job.a;
    const float scale = float(a.control[2]), beta1 = float(a.beta1), beta2 = float(a.beta2);
    const float rest1 = float(1.0 - a.beta1), rest2 = float(1.0 - a.beta2), epsilon = float(a.epsilon);
    const float decay = float(a.weight_decay), shrink = float(a.control[0] * a.weight_decay), rate = job.rate;
    each_vector(task, a.COUNT, [&](int64_t i, int64_t lanes) {
        vf p = load_lanes(a.param + i, lanes);
        vf g = load_lanes(a.grad + i, lanes) * scale;
        if (decay != 0.0f) {
            if (a.DECOUPLED) p -= shrink * p;
            else g += decay * p;
        }
        const vf m = beta1 * load_lanes(a.m + i, lanes) + rest1 * g;
        const vf v = beta2 * load_lanes(a.v + i, lanes) + rest2 * (g * g);
        store_lanes(a.m + i, m, lanes);
        store_lanes(a.v + i, v, lanes);
        store_lanes(a.param + i, p - rate * m / (vsqrt(v) + epsilon), lanes);
    });
}

void adam(const void* arguments, Context&) {
    const Adam& a = *static_cast<const Adam*>(arguments);
    const int64_t step = int64_t(a.control[1]);
    const double correction = __builtin_sqrt(1.0 - power(a.beta2, step)) / (1.0 - power(a.beta1, step));
    AdamJob job{a, float(a.control[0] * correction)};
    parallel_for(ceil_div(a.COUNT, kBlock), 8.0 * double(a.COUNT), adam_block, &job);
}

struct SumJob {
    const SquareSum& a;
    int64_t shards;
    double partial[kSumShards];
};

// Vectors of 32 squares in float, then double.
void square_shard(void* context, int64_t shard, Arena&) {
    SumJob& job = *static_cast<SumJob*>(context);
    const int64_t begin = job.a.COUNT * shard / job.shards, end = job.a.COUNT * (shard + 1) / job.shards;
    double total = 0;
    for (int64_t i = begin; i < end;) {
        vf sum = vf{};
        for (int repeat = 0; repeat < 32 && i < end; ++repeat, i += V) {
            const vf x = load_lanes(job.a.x + i, at_most(end - i, V));
            sum += x * x;
        }
        for (int lane = 0; lane < V; ++lane) total += double(sum[lane]);
    }
    job.partial[shard] = total;
}

void square_sum(const void* arguments, Context&) {
    const SquareSum& a = *static_cast<const SquareSum*>(arguments);
    SumJob job{a, at_most(at_least(ceil_div(a.COUNT, 4096), 1), kSumShards), {}};
    parallel_for(job.shards, double(a.COUNT), square_shard, &job);
    double total = 0;
    for (int64_t i = 0; i < job.shards; ++i) total += job.partial[i];
    a.out[0] = total;
}

void penalty_block(void* context, int64_t task, Arena&) {
    const AddPenalty& a = *static_cast<const AddPenalty*>(context);
    const float l1 = float(a.l1), l2 = float(2.0 * a.l2);
    each_vector(task, a.COUNT, [&](int64_t i, int64_t lanes) {
        const vf p = load_lanes(a.param + i, lanes);
        const vf sign = select(p > 0.0f, broadcast(1.0f), select(p < 0.0f, broadcast(-1.0f), vf{}));
        store_lanes(a.grad + i, load_lanes(a.grad + i, lanes) + l1 * sign + l2 * p, lanes);
    });
}

void add_penalty(const void* arguments, Context&) {
    const AddPenalty& a = *static_cast<const AddPenalty*>(arguments);
    parallel_for(ceil_div(a.COUNT, kBlock), 2.0 * double(a.COUNT), penalty_block, const_cast<AddPenalty*>(&a));
}

const Kernel kKernels[] = {
    {"sgd", sgd, nullptr}, {"adam", adam, nullptr}, {"square_sum", square_sum, nullptr},
    {"add_penalty", add_penalty, nullptr},
};

}  // namespace

extern const Family optimizer_family;
const Family optimizer_family = {kKernels, 4};

}  // namespace PELLUCID_ISA_NAMESPACE
}  // namespace pellucid
