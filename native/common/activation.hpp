// The activations of a vector, and dy times their derivative. NaN stays NaN.
#pragma once
#include "common/kernel.hpp"

namespace pellucid::PELLUCID_ISA_NAMESPACE {
namespace {

// What an activation takes beside the number.
struct Numbers {
    float slope, threshold, ceiling;
    // Whether a bounded ReLU is what most are: numbers cut off at 0 and at the ceiling.
    bool clips() const { return slope == 0.0f && threshold == 0.0f; }
};
template <typename Arguments>
PELLUCID_INLINE Numbers numbers_of(const Arguments& a) {
    return {float(a.slope), float(a.threshold), float(a.ceiling)};
}

// slope * (exp(v) - 1) for v <= 0, exact near 0 too: exp(v) - 1 = 2 t / (1 - t) with t = tanh(v / 2).
PELLUCID_INLINE vf elu_below(vf v, float slope) {
    const vf t = vtanh(v * 0.5f);
    return slope * (2.0f * t / (1.0f - t));
}

PELLUCID_INLINE vf clipped(vf v, float ceiling) { return rectified(vmin(broadcast(ceiling), v)); }

// Above the threshold v, at most the ceiling; else slope * (v - threshold). A slope of 0 also makes 0 of -inf.
PELLUCID_INLINE vf bounded(vf v, const Numbers& n) {
    if (n.clips()) return clipped(v, n.ceiling);
    const vf below = n.slope == 0.0f ? vf{} : (v - n.threshold) * n.slope;
    return select(v <= n.threshold, below, vmin(broadcast(n.ceiling), v));
}

PELLUCID_INLINE vf activated(vf v, int64_t kind, const Numbers& n) {
    if (kind == kRelu) return rectified(v);
    if (kind == kRelu6) return bounded(v, n);
    if (kind == kLeakyRelu) return select(v < 0.0f, v * n.slope, v);
    if (kind == kElu) return select(v > 0.0f, v, elu_below(v, n.slope));
    return kind == kSigmoid ? vsigmoid(v) : kind == kTanh ? vtanh(v) : v;
}

// dy * f'(x) by y = f(x).
PELLUCID_INLINE vf derived(vf dy, vf y, int64_t kind, const Numbers& n) {
    if (kind == kRelu) return select(y > 0.0f, dy, vf{});
    if (kind == kLeakyRelu) return select(y > 0.0f, dy, dy * n.slope);
    if (kind == kRelu6) return select(y >= n.ceiling, vf{}, select(y > 0.0f, dy, dy * n.slope));
    if (kind == kElu) return select(y > 0.0f, dy, dy * (y + n.slope));
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

// Whether it needs more registers than a tile of results leaves: all but a few plain ones.
inline bool runs_behind(int64_t kind, const Numbers& n) {
    return kind >= kSigmoid && !(kind == kRelu6 && n.clips());
}

}  // namespace
}  // namespace pellucid::PELLUCID_ISA_NAMESPACE
