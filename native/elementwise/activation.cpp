// Elementwise kernels on flat arrays: activations and their gradients (functions of y), zero, copy, add.
// Blocks of 16 K floats a task, one vector at a time; memory bound, so nothing more is done. In place is allowed.
#include "common/activation.hpp"
#include "runtime/parallel.hpp"

namespace pellucid {
namespace PELLUCID_ISA_NAMESPACE {
namespace {

constexpr int64_t kBlock = 16384;

struct Span {
    const float* a;
    const float* b;
    float* out;
    int64_t count, kind;
    float slope;
};

// Runs f(a, b) over the task's block.
template <typename F>
PELLUCID_INLINE void map_block(const Span& s, int64_t task, F f) {
    const int64_t begin = task * kBlock, end = at_most(begin + kBlock, s.count);
    int64_t i = begin;
    for (; i + V <= end; i += V) store(s.out + i, f(load(s.a + i), load(s.b + i)));
    if (i < end) store_partial(s.out + i, f(load_partial(s.a + i, end - i), load_partial(s.b + i, end - i)), end - i);
}

void forward_block(void* context, int64_t task, Arena&) {
    const Span& s = *static_cast<const Span*>(context);
    const float slope = s.slope;
    if (s.kind == kRelu) map_block(s, task, [](vf x, vf) { return activated(x, kRelu, 0.0f); });
    else if (s.kind == kLeakyRelu) map_block(s, task, [slope](vf x, vf) { return activated(x, kLeakyRelu, slope); });
    else if (s.kind == kSigmoid) map_block(s, task, [](vf x, vf) { return activated(x, kSigmoid, 0.0f); });
    else if (s.kind == kTanh) map_block(s, task, [](vf x, vf) { return activated(x, kTanh, 0.0f); });
    else map_block(s, task, [](vf x, vf) { return x; });
}

void backward_block(void* context, int64_t task, Arena&) {
    const Span& s = *static_cast<const Span*>(context);
    const float slope = s.slope;
    if (s.kind == kRelu) map_block(s, task, [](vf dy, vf y) { return derived(dy, y, kRelu, 0.0f); });
    else if (s.kind == kLeakyRelu)
        map_block(s, task, [slope](vf dy, vf y) { return derived(dy, y, kLeakyRelu, slope); });
    else if (s.kind == kSigmoid) map_block(s, task, [](vf dy, vf y) { return derived(dy, y, kSigmoid, 0.0f); });
    else if (s.kind == kTanh) map_block(s, task, [](vf dy, vf y) { return derived(dy, y, kTanh, 0.0f); });
    else map_block(s, task, [](vf dy, vf) { return dy; });
}

void add_block(void* context, int64_t task, Arena&) {
    map_block(*static_cast<const Span*>(context), task, [](vf x, vf y) { return y + x; });
}

void run_span(Span span, double cost, Task task) {
    parallel_for(ceil_div(span.count, kBlock), cost * double(span.count), task, &span);
}

void activation(const void* arguments, Context&) {
    const Activation& a = *static_cast<const Activation*>(arguments);
    run_span({a.x, a.x, a.y, a.N * a.INNER, a.ACTIVATION, float(a.slope)}, a.ACTIVATION >= kSigmoid ? 8 : 1, forward_block);
}

void activation_backward(const void* arguments, Context&) {
    const ActivationBackward& a = *static_cast<const ActivationBackward*>(arguments);
    run_span({a.dy, a.y, a.dx, a.N * a.INNER, a.ACTIVATION, float(a.slope)}, 1, backward_block);
}

void add(const void* arguments, Context&) {
    const Add& a = *static_cast<const Add*>(arguments);
    run_span({a.x, a.y, a.y, a.N * a.INNER, kLinear, 0}, 1, add_block);
}

const Kernel kKernels[] = {
    {"activation", activation, nullptr}, {"activation_backward", activation_backward, nullptr}, {"add", add, nullptr},
};

}  // namespace

extern const Family activation_family;
const Family activation_family = {kKernels, 3};

}  // namespace PELLUCID_ISA_NAMESPACE
}  // namespace pellucid
