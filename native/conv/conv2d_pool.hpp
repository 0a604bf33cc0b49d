// What convolution with pooling keeps for its gradient: one byte for each pooled number.
#pragma once
#include "common/activation.hpp"

namespace pellucid::PELLUCID_ISA_NAMESPACE {
namespace {

// The larger of best and v, and whose it is: the first of equals, the first NaN wins and stays.
PELLUCID_INLINE void take_larger(vf v, vi index, vf& best, vi& winner) {
    const vi better = ~(v <= best) & (best == best);
    best = select(better, v, best);
    winner = (better & index) | (~better & winner);
}

// The largest of a 2x2 window without whose; NaN stays: a pair of numbers is ordered, one comparison for two.
PELLUCID_INLINE vf largest(const vf (&w)[4]) {
    const vi numbers = ((w[0] < w[1]) | (w[0] >= w[1])) & ((w[2] < w[3]) | (w[2] >= w[3]));
    return select(numbers, vmax(vmax(w[3], w[2]), vmax(w[1], w[0])), broadcast(__builtin_nanf("")));
}

// sum / taps; by multiplication where that gives the same bits.
struct Mean {
    float taps, reciprocal;
    explicit Mean(int64_t count)
        : taps(float(count)), reciprocal((count & (count - 1)) == 0 ? 1.0f / float(count) : 0.0f) {}
    PELLUCID_INLINE vf operator()(vf sum) const { return reciprocal != 0.0f ? sum * reciprocal : sum / taps; }
};

}  // namespace
}  // namespace pellucid::PELLUCID_ISA_NAMESPACE
