// The activations of a vector, and dy times their derivative. NaN stays NaN.
#pragma once
#include "common/vec.hpp"
#include "runtime/arguments.hpp"

namespace pellucid {
namespace PELLUCID_ISA_NAMESPACE {
namespace {

PELLUCID_INLINE vf activated(vf v, int64_t kind, float slope) {
    if (kind == kRelu) return rectified(v);
    if (kind == kLeakyRelu) return select(v < 0.0f, v * slope, v);
    return kind == kSigmoid ? vsigmoid(v) : kind == kTanh ? vtanh(v) : v;
}

// dy * f'(x) by y = f(x).
PELLUCID_INLINE vf derived(vf dy, vf y, int64_t kind, float slope) {
    if (kind == kRelu) return select(y > 0.0f, dy, vf{});
    if (kind == kLeakyRelu) return select(y > 0.0f, dy, dy * slope);
    return kind == kSigmoid ? dy * (y * (1.0f - y)) : kind == kTanh ? dy * (1.0f - y * y) : dy;
}

}  // namespace
}  // namespace PELLUCID_ISA_NAMESPACE
}  // namespace pellucid
