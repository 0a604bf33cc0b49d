// The one inner loop of the gradients of convolution with max pooling: a sum of rows that a list names.
//
//     out[s][j] += sum over entries e of value[e] * rows[s][offset[e] + j]
//
// A pooled number's gradient goes to the one place of its window that won, so of the unpooled gradient of 2x2 windows
// at least three in four are zeros, more behind a ReLU or dropout. A list of what is left does without them: it needs
// one vector load for each multiplication, which is what the machine can do (2 and 2 a cycle), and so gains their
// number over the dense product. Accumulators: segments x vectors of one segment, at most kSumVectors registers; where
// they are few, even and odd entries have their own, since each waits 4 cycles for its last sum.
//
// Vectors are of 8 floats with AVX-512 too: rows begin anywhere, so nearly every load of 16 crosses a line of the
// cache, of 8 half of them, and a segment of 5 floats fills 16 lanes worse.
#pragma once
#include "common/kernel.hpp"

namespace pellucid::PELLUCID_ISA_NAMESPACE {
namespace {

typedef float vw __attribute__((vector_size(4 * kLoadLanes)));

PELLUCID_INLINE vw load_row(const float* p) {
    vw v;
    memcpy(&v, p, sizeof v);
    return v;
}
PELLUCID_INLINE void store_row(float* p, vw v) { memcpy(p, &v, sizeof v); }

constexpr int kSumVectors = V == 4 ? 12 : 14;  // beside a broadcast, and without FMA a product, of 16 registers
constexpr int kSumSegments = 8;                // pointers in integer registers

struct Entry {
    int32_t offset;
    float value;
};
struct Entries {
    const Entry* entry;
    int64_t count;
};

template <int S, int NV>
__attribute__((noinline)) void sparse_sum(const Entries& e, const float* const* rows, float* const* out) {
    constexpr int SETS = 2 * S * NV <= kSumVectors ? 2 : 1;
    vw sum[SETS][S][NV];
    const float* p[S];
#pragma GCC unroll 8
    for (int s = 0; s < S; ++s) {
        p[s] = rows[s];
#pragma GCC unroll 14
        for (int v = 0; v < NV; ++v)
#pragma GCC unroll 2
            for (int i = 0; i < SETS; ++i) sum[i][s][v] = vw{};
    }
    int64_t k = 0;
    for (; k + SETS <= e.count; k += SETS)
#pragma GCC unroll 2
        for (int i = 0; i < SETS; ++i) {
            const int64_t at = e.entry[k + i].offset;
            const vw a = e.entry[k + i].value - vw{};
#pragma GCC unroll 8
            for (int s = 0; s < S; ++s)
#pragma GCC unroll 14
                for (int v = 0; v < NV; ++v) sum[i][s][v] += a * load_row(p[s] + at + v * kLoadLanes);
        }
    if (SETS == 2 && k < e.count) {
        const int64_t at = e.entry[k].offset;
        const vw a = e.entry[k].value - vw{};
#pragma GCC unroll 8
        for (int s = 0; s < S; ++s)
#pragma GCC unroll 14
            for (int v = 0; v < NV; ++v) sum[0][s][v] += a * load_row(p[s] + at + v * kLoadLanes);
    }
#pragma GCC unroll 8
    for (int s = 0; s < S; ++s)
#pragma GCC unroll 14
        for (int v = 0; v < NV; ++v) {
            float* y = out[s] + v * kLoadLanes;
            vw total = sum[0][s][v];
            if (SETS == 2) total += sum[SETS - 1][s][v];
            store_row(y, load_row(y) + total);
        }
}

using SumFunction = void (*)(const Entries&, const float* const*, float* const*);
template <int S, int NV>
constexpr SumFunction sum_function() {
    if constexpr (S * NV <= kSumVectors) return sparse_sum<S, NV>;
    else return nullptr;
}
#define PELLUCID_SUMS(S)                                                                                              \
    {nullptr, sum_function<S, 1>(), sum_function<S, 2>(), sum_function<S, 3>(), sum_function<S, 4>(),                 \
     sum_function<S, 5>(), sum_function<S, 6>(), sum_function<S, 7>(), sum_function<S, 8>(), sum_function<S, 9>(),    \
     sum_function<S, 10>(), sum_function<S, 11>(), sum_function<S, 12>(), sum_function<S, 13>(), sum_function<S, 14>()}
constexpr SumFunction kSums[kSumSegments + 1][15] = {
    {}, PELLUCID_SUMS(1), PELLUCID_SUMS(2), PELLUCID_SUMS(3), PELLUCID_SUMS(4),
    PELLUCID_SUMS(5), PELLUCID_SUMS(6), PELLUCID_SUMS(7), PELLUCID_SUMS(8)};

// How a row of segments of `vectors` vectors each is cut into calls: `chunks` of one segment, or `together` segments.
struct Cuts {
    int64_t segments, vectors;
    int64_t pieces, chunks;  // calls along the segments and inside one
};

inline Cuts cuts_of(int64_t segments, int64_t vectors) {
    const int64_t chunks = ceil_div(vectors, kSumVectors);
    const int64_t together = chunks > 1 ? 1 : at_most(kSumVectors / vectors, kSumSegments);
    return {segments, vectors, ceil_div(segments, together), chunks};
}

// body(begin, end, lane, sum) for each call: of segments [begin, end), from their float `lane` on.
template <typename Body>
PELLUCID_INLINE void each_sum(const Cuts& c, const Body& body) {
    for (int64_t piece = 0; piece < c.pieces; ++piece)
        for (int64_t chunk = 0; chunk < c.chunks; ++chunk) {
            const int64_t begin = c.segments * piece / c.pieces, end = c.segments * (piece + 1) / c.pieces;
            const int64_t v0 = c.vectors * chunk / c.chunks, v1 = c.vectors * (chunk + 1) / c.chunks;
            body(begin, end, v0 * kLoadLanes, kSums[end - begin][v1 - v0]);
        }
}

}  // namespace
}  // namespace pellucid::PELLUCID_ISA_NAMESPACE
