// The activations of a vector, and dy times their derivative. NaN stays NaN.
#pragma once
#include "common/kernel.hpp"

namespace pellucid::PELLUCID_ISA_NAMESPACE {
namespace {

// slope * (exp(v) - 1) for v <= 0, exact near 0 too: exp(v) - 1 = 2 t / (1 - t) with t = tanh(v / 2).
PELLUCID_INLINE vf elu_below(vf v, float slope) {
    const vf t = vtanh(v * 0.5f);
    return slope * (2.0f * t / (1.0f - t));
}

PELLUCID_INLINE vf activated(vf v, int64_t kind, float slope) {
    if (kind == kRelu) return rectified(v);
    if (kind == kLeakyRelu) return select(v < 0.0f, v * slope, v);
    if (kind == kElu) return select(v > 0.0f, v, elu_below(v, slope));
    return kind == kSigmoid ? vsigmoid(v) : kind == kTanh ? vtanh(v) : v;
}

// dy * f'(x) by y = f(x).
PELLUCID_INLINE vf derived(vf dy, vf y, int64_t kind, float slope) {
    if (kind == kRelu) return select(y > 0.0f, dy, vf{});
    if (kind == kLeakyRelu) return select(y > 0.0f, dy, dy * slope);
    if (kind == kElu) return select(y > 0.0f, dy, dy * (y + slope));
    return kind == kSigmoid ? dy * (y * (1.0f - y)) : kind == kTanh ? dy * (1.0f - y * y) : dy;
}

// with(KIND as a type): a loop that knows its activation.
template <int64_t KIND>
struct Constant {
    static constexpr int64_t value = KIND;
};
template <typename With>
PELLUCID_INLINE void with_activation(int64_t kind, const With& with) {
    switch (kind) {
#define PELLUCID_CASE(name, word) case name: return with(Constant<name>{});
        PELLUCID_ACTIVATIONS(PELLUCID_CASE)
#undef PELLUCID_CASE
    }
}

// Whether it needs more registers than a tile of results leaves: those with an exponential, from sigmoid on.
constexpr bool runs_behind(int64_t kind) { return kind >= kSigmoid; }

}  // namespace
}  // namespace pellucid::PELLUCID_ISA_NAMESPACE
