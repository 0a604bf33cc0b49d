// Softmax cross-entropy of pixels that have a class each, V at a time: their logits are laid class by class, so that
// maxima, exponentials and sums are of whole vectors, sums and logarithms in double. A pixel that is not counted has
// zeros for logits, which give a finite loss that no sum takes.
#pragma once
#include "common/reduce.hpp"
#include "common/transpose.hpp"

namespace pellucid::PELLUCID_ISA_NAMESPACE {
namespace {

constexpr int64_t kPixelClasses = 256;  // at most, so that what is laid out stays in L1

constexpr bool by_pixels(const SoftmaxCrossEntropy& a) { return !a.targets && a.INNER >= V && a.K <= kPixelClasses; }

PELLUCID_INLINE vf to_floats(vd v) {
    const vf_half halves[2] = {__builtin_convertvector(v.low, vf_half), __builtin_convertvector(v.high, vf_half)};
    vf joined;
    memcpy(&joined, halves, sizeof joined);
    return joined;
}

// ln x for x from 1/2 to 2: the series of atanh at (x - 1) / (x + 1), |z| <= 1/3, whose 13 terms reach 1e-13.
template <typename T>
PELLUCID_INLINE T log_of_mantissa(T x) {
    const T z = (x - 1.0) / (x + 1.0), square = z * z;
    T sum = square * (1.0 / 25) + 1.0 / 23;
#pragma GCC unroll 11
    for (int i = 21; i > 0; i -= 2) sum = sum * square + 1.0 / i;
    return 2.0 * z * sum;
}

// ln x for x from 1; NaN stays.
PELLUCID_INLINE vd vlog(vd x) {
    const vi exponent = (bits(to_floats(x)) >> 23) - 127;
    const vd whole = widen(__builtin_convertvector(exponent, vf)), scale = widen(floats((127 - exponent) << 23));
    constexpr double kLn2 = 0.69314718055994530942;
    return {log_of_mantissa(x.low * scale.low) + whole.low * kLn2 + (x.low - x.low),
            log_of_mantissa(x.high * scale.high) + whole.high * kLn2 + (x.high - x.high)};
}

// What is given of V pixels: label -1 and weight 0 where one is not counted.
struct Pixels {
    vi label;
    vf weight, chosen;  // chosen: the label's logit
};

// The pixels from `row`, of which `lanes` are there: their logits come to z[k * V + lane].
PELLUCID_INLINE Pixels lay_pixels(const SoftmaxCrossEntropy& a, int64_t row, int64_t lanes, float* z) {
    Pixels p{vi{} - 1, vf{}, vf{}};
    const bool in_squares = lanes == V && a.K >= kGroup;
    for (int64_t k = 0; in_squares && k < a.K; k += kGroup) {
        const int64_t first = at_most(k, a.K - kGroup);
        vf w[kGroup][1];
        load_transposed(a.logits + row * a.K + first, a.K, w);
#pragma GCC unroll 4
        for (int64_t q = 0; q < kGroup; ++q) store(z + (first + q) * V, w[q][0]);
    }
    for (int64_t k = 0; lanes < V && k < a.K; ++k) store(z + k * V, vf{});
    for (int64_t lane = 0; lane < lanes; ++lane) {
        const float* const logits = a.logits + (row + lane) * a.K;
        for (int64_t k = 0; !in_squares && k < a.K; ++k) z[k * V + lane] = logits[k];
        const int32_t label = a.labels[row + lane];
        if (label == a.IGNORED) continue;
        p.label[lane] = label;
        p.weight[lane] = a.class_weights ? a.class_weights[label] : 1.0f;
        p.chosen[lane] = logits[label];
    }
    return p;
}

// Losses of the pixels begin .. end - 1, added up, those that are right, answers, and gradients times `scale`. z: K * V
// numbers.
double judge_pixels(const SoftmaxCrossEntropy& a, int64_t begin, int64_t end, double scale, float* z, int64_t& hits) {
    const double spread = a.label_smoothing / double(a.K), keep = 1.0 - a.label_smoothing;
    vd losses = {};
    vi right = {};
    for (int64_t row = begin; row < end; row += V) {
        const int64_t lanes = at_most(end - row, V);
        const Pixels p = lay_pixels(a, row, lanes, z);
        const vi counted = p.label >= 0;
        vf top = load(z);
        vi best = {};
        for (int64_t k = 1; k < a.K; ++k) {
            const vf logit = load(z + k * V);
            const vi better = (logit > top) | ((logit != logit) & (top == top));  // the first of the largest, or NaN
            top = select(better, logit, top);
            best = better ? vi{} + int32_t(k) : best;
        }
        right -= (best == p.label);
        if (a.answers) memcpy(a.answers + row, &best, size_t(lanes) * sizeof(int32_t));
        top = select(counted, top, vf{});
        vd sum = {}, below = {};
        for (int64_t k = 0; k < a.K; ++k) {
            const vf down = select(counted, load(z + k * V), vf{}) - top, power = vexp(down);
            add_to(sum, widen(power));
            if (spread != 0.0) add_to(below, widen(down));
            store(z + k * V, power);
        }
        const vd logarithm = vlog(sum), weight = widen(p.weight), own = minus(widen(top), widen(p.chosen));
        const double all = double(a.K) * spread;
        losses.low += weight.low * ((own.low + logarithm.low) * keep + (logarithm.low * all - below.low * spread));
        losses.high += weight.high * ((own.high + logarithm.high) * keep + (logarithm.high * all - below.high * spread));
        if (!a.dlogits) continue;
        const vd share = {1.0 / sum.low, 1.0 / sum.high}, size = {weight.low * scale, weight.high * scale};
        for (int64_t k = 0; k < a.K; ++k) {
            const vd power = widen(load(z + k * V));
            const vd wanted = widen(select(p.label == int32_t(k), broadcast(1.0f), vf{}));
            const vd d = {size.low * (power.low * share.low - wanted.low * keep - spread),
                          size.high * (power.high * share.high - wanted.high * keep - spread)};
            store(z + k * V, select(counted, to_floats(d), vf{}));
        }
        for (int64_t lane = 0; lane < lanes; ++lane)
            for (int64_t k = 0; k < a.K; ++k) a.dlogits[(row + lane) * a.K + k] = z[k * V + lane];
    }
    double total = 0;
    for (int lane = 0; lane < kHalf; ++lane) total += losses.low[lane] + losses.high[lane];
    for (int lane = 0; lane < V; ++lane) hits += right[lane];
    return total;
}

}  // namespace
}  // namespace pellucid::PELLUCID_ISA_NAMESPACE
