// The activations of a vector, and dy times their derivative. NaN stays NaN.
#pragma once
#include "common/kernel.hpp"

namespace pellucid::PELLUCID_ISA_NAMESPACE {

// What an activation takes beside the number.
struct Numbers {
    float slope, threshold, ceiling;
    // Whether a bounded ReLU is what most are: numbers cut off at 0 and at the ceiling.
    PELLUCID_INLINE bool clips() const { return slope == 0.0f && threshold == 0.0f; }
};

// *v = activated_rarely(*v, kind, n): of a kind that is known when it runs only, compiled once.
void activate_rarely(vf* v, int64_t kind, const Numbers& n);

namespace {

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

constexpr float kSeluScale = 1.05070098f, kSeluFloor = 1.75809934f;  // lambda, and lambda * alpha

PELLUCID_INLINE vf within(float low, float high, vf v) { return vmax(broadcast(low), vmin(broadcast(high), v)); }
PELLUCID_INLINE vf hard_sigmoid(vf v) { return clipped(v + 3.0f, 6.0f) * (1.0f / 6.0f); }

// log(1 + e^v).
PELLUCID_INLINE vf softplus(vf v) { return rectified(v) + vlog1p(vexp(-vabs(v))); }

// v^2 is infinite from 2^64 on, where a sigmoid of v (1 + v^2) is 0 or 1 anyway; NaN stays.
PELLUCID_INLINE vf gelu_sigmoid(vf v) { return vsigmoid(v * (1.59576912f + 0.0713548163f * (v * v))); }
PELLUCID_INLINE vf bell(vf v) { return vexp(v * v * -0.5f); }

// sqrt(v^2 + b), v of either sign; beyond 1e9 it is |v|, whose square may be infinite.
PELLUCID_INLINE vf square_root_above(vf v, float b) {
    const vf size = vmin(broadcast(1e9f), vabs(v));
    return vmax(vabs(v), vsqrt(size * size + b));
}

// mish(v) = v * n / (n + 2) with n = e^v (e^v + 2): tanh(log(1 + e^v)) without its logarithm.
struct Mish {
    vf e, n;
    PELLUCID_INLINE explicit Mish(vf v) : e(vexp(vmin(broadcast(20.0f), v))), n(e * (e + 2.0f)) {}
};

// Those without a place in the inner loops of kernels whose activation is known when they run only. The products with v
// begin at a v from which on they are 0: -infinity * 0 is none.
PELLUCID_INLINE vf activated_rarely(vf v, int64_t kind, const Numbers& n) {
    if (kind == kCelu) return select(v > 0.0f, v, elu_below(v / n.slope, n.slope));
    if (kind == kExponential) return vexp(v);
    if (kind == kHardShrink) return select(vabs(v) <= n.threshold, vf{}, v);
    if (kind == kHardTanh) return within(-1.0f, 1.0f, v);
    if (kind == kLogSigmoid) return -softplus(-v);
    if (kind == kMish) {
        const Mish m(v);
        return vmax(broadcast(-110.0f), v) * (m.n / (m.n + 2.0f));
    }
    if (kind == kSoftShrink) return v - within(-n.threshold, n.threshold, v);
    if (kind == kSparsePlus) {
        const vf above = rectified(v + 1.0f);
        return select(v >= 1.0f, v, above * above * 0.25f);
    }
    if (kind == kSparseSigmoid) return clipped(v + 1.0f, 2.0f) * 0.5f;
    if (kind == kSquareplus) {
        const vf half = 0.5f * square_root_above(v, n.slope) + 0.5f * vabs(v);
        return select(v <= 0.0f, 0.25f * n.slope / half, half);
    }
    if (kind == kTanhShrink) return v - vtanh(v);
    if (kind == kSelu) return select(v > 0.0f, v * kSeluScale, elu_below(v, kSeluFloor));
    if (kind == kHardSigmoid) return hard_sigmoid(v);
    if (kind == kSoftsign) {
        const vf x = within(-1e20f, 1e20f, v);
        return x / (1.0f + vabs(x));
    }
    if (kind == kSoftplus) return softplus(v);
    if (kind == kHardSilu) return vmax(broadcast(-3.0f), v) * hard_sigmoid(v);
    const vf x = vmax(broadcast(-110.0f), v);
    if (kind == kSilu) return x * vsigmoid(x);
    return x * (kind == kGelu ? vnormal_below(x, bell(x)) : gelu_sigmoid(x));
}
PELLUCID_INLINE vf activated(vf v, int64_t kind, const Numbers& n) {
    if (kind > kRelu6) {
        if (__builtin_constant_p(kind)) return activated_rarely(v, kind, n);
        vf y = v;  // v stays in its register
        activate_rarely(&y, kind, n);
        return y;
    }
    if (kind == kRelu) return rectified(v);
    if (kind == kRelu6) return bounded(v, n);
    if (kind == kLeakyRelu) return select(v < 0.0f, v * n.slope, v);
    if (kind == kElu) return select(v > 0.0f, v, elu_below(v, n.slope));
    return kind == kSigmoid ? vsigmoid(v) : kind == kTanh ? vtanh(v) : v;
}

// Of a kind that is known when it runs: relu costs a comparison, and the others a call.
__attribute__((noinline)) void activate_slowly(vf* v, int64_t kind, const Numbers& n) { *v = activated(*v, kind, n); }
PELLUCID_INLINE vf activated_any(vf v, int64_t kind, const Numbers& n) {
    if (kind == kRelu) return rectified(v);
    if (kind != kLinear) activate_slowly(&v, kind, n);
    return v;
}

// f'(x) of an activation that reads its input, by x.
PELLUCID_INLINE vf derivative(vf v, int64_t kind, const Numbers& n) {
    const vf one = broadcast(1.0f);
    if (kind == kCelu) return vexp(vmin(vf{}, v / n.slope));
    if (kind == kExponential) return vexp(v);
    if (kind == kHardShrink || kind == kSoftShrink) return select(vabs(v) > n.threshold, one, vf{});
    if (kind == kHardTanh) return select(vabs(v) < 1.0f, one, vf{});
    if (kind == kLogSigmoid) return vsigmoid(-v);
    if (kind == kMish) {
        const Mish m(v);
        const vf t = m.n / (m.n + 2.0f), x = within(-110.0f, 20.0f, v);
        return t + x * (m.e / (1.0f + m.e)) * (2.0f / (m.n + 2.0f)) * (1.0f + t);
    }
    if (kind == kSparsePlus) return clipped(v + 1.0f, 2.0f) * 0.5f;
    if (kind == kSparseSigmoid) return select(vabs(v) < 1.0f, 0.5f * one, vf{});
    if (kind == kSquareplus) {
        const vf root = square_root_above(v, n.slope), least = 0.5f * n.slope / (root * (root + vabs(v)));
        return select(v > 0.0f, 1.0f - least, least);
    }
    if (kind == kTanhShrink) return vtanh(v) * vtanh(v);
    if (kind == kHardSilu) {
        const vf right = select(v >= 3.0f, broadcast(1.0f), v * (1.0f / 3.0f) + 0.5f);
        return select(v <= -3.0f, vf{}, right);
    }
    const vf x = within(-110.0f, 110.0f, v);
    if (kind == kGelu) {
        const vf e = bell(x);
        return vnormal_below(x, e) + x * (e * 0.398942280f);
    }
    // s + x u' s (1 - s), s the sigmoid of u: by that of -|u|, of which 1 minus it loses nothing.
    const vf least = kind == kSilu ? vsigmoid(-vabs(x)) : gelu_sigmoid(-vabs(x));
    const vf step = kind == kSilu ? x : x * (1.59576912f + 0.214064449f * (x * x));
    return select(x > 0.0f, 1.0f - least, least) + step * (least * (1.0f - least));
}

// dy * f'(x) by y = f(x), of the others.
PELLUCID_INLINE vf derived(vf dy, vf y, int64_t kind, const Numbers& n) {
    if (kind == kSelu) return dy * select(y > 0.0f, broadcast(kSeluScale), y + kSeluFloor);
    if (kind == kHardSigmoid) return select((y > 0.0f) & (y < 1.0f), dy * (1.0f / 6.0f), vf{});
    if (kind == kSoftsign) return dy * ((1.0f - vabs(y)) * (1.0f - vabs(y)));
    if (kind == kSoftplus) return dy * elu_below(-y, -1.0f);
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
struct Variable {
    int64_t value;
};
#define PELLUCID_CASE(name, word) case name: return with(Constant<name>{});
template <typename With>
PELLUCID_INLINE void with_any_activation(int64_t kind, const With& with) {
    switch (kind) { PELLUCID_ACTIVATIONS(PELLUCID_CASE) }
}
// The same where the activation is the least part of the work: one loop for all rare ones.
template <typename With>
PELLUCID_INLINE void with_activation(int64_t kind, const With& with) {
    switch (kind) { PELLUCID_FREQUENT_ACTIVATIONS(PELLUCID_CASE) }
    with(Variable{kind});
}
#undef PELLUCID_CASE

// Whether it needs more registers than a tile of results leaves: all but a few plain ones.
inline bool runs_behind(int64_t kind, const Numbers& n) {
    return kind >= kSigmoid && !(kind == kRelu6 && n.clips());
}

}  // namespace
}  // namespace pellucid::PELLUCID_ISA_NAMESPACE
