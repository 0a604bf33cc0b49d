// Rows of floats read as vectors across the rows: squares of 4 x 4 are transposed in registers.
#pragma once
#include "common/vec.hpp"

namespace pellucid::PELLUCID_ISA_NAMESPACE {
namespace {

constexpr int64_t kGroup = 4;  // floats of a row that are transposed at a time

#if defined(__has_builtin)
#if __has_builtin(__builtin_shufflevector)
#define PELLUCID_SHUFFLES
#endif
#endif

#ifdef PELLUCID_SHUFFLES
typedef float v4 __attribute__((vector_size(16)));

// 4 floats of the rows 0, 4, 8 ... below V, side by side.
PELLUCID_INLINE vf four_of_rows(const float* from, int64_t stride) {
#if PELLUCID_VECTOR == 4
    (void)stride;
    return load(from);
#else
    v4 part[V / 4];
#pragma GCC unroll 4
    for (int g = 0; g < V / 4; ++g) memcpy(&part[g], from + 4 * g * stride, sizeof(v4));
#if PELLUCID_VECTOR == 8
    return __builtin_shufflevector(part[0], part[1], 0, 1, 2, 3, 4, 5, 6, 7);
#else
    typedef float v8 __attribute__((vector_size(32)));
    const v8 low = __builtin_shufflevector(part[0], part[1], 0, 1, 2, 3, 4, 5, 6, 7);
    const v8 high = __builtin_shufflevector(part[2], part[3], 0, 1, 2, 3, 4, 5, 6, 7);
    return __builtin_shufflevector(low, high, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
#endif
#endif
}

// Of each four lanes of a and b those named: 0 to 3 of a, V to V + 3 of b.
#if PELLUCID_VECTOR == 4
#define PELLUCID_FOURS(a, b, i, j, k, l) __builtin_shufflevector(a, b, i, j, k, l)
#elif PELLUCID_VECTOR == 8
#define PELLUCID_FOURS(a, b, i, j, k, l) __builtin_shufflevector(a, b, i, j, k, l, i + 4, j + 4, k + 4, l + 4)
#else
#define PELLUCID_FOURS(a, b, i, j, k, l)                                                                              \
    __builtin_shufflevector(a, b, i, j, k, l, i + 4, j + 4, k + 4, l + 4, i + 8, j + 8, k + 8, l + 8, i + 12, j + 12, \
                            k + 12, l + 12)
#endif

// w[q][v] = float q of the rows v V to v V + V - 1.
template <int NV>
PELLUCID_INLINE void load_transposed(const float* from, int64_t stride, vf (&w)[kGroup][NV]) {
#pragma GCC unroll 2
    for (int v = 0; v < NV; ++v) {
        const float* p = from + v * V * stride;
        const vf r0 = four_of_rows(p, stride), r1 = four_of_rows(p + stride, stride);
        const vf r2 = four_of_rows(p + 2 * stride, stride), r3 = four_of_rows(p + 3 * stride, stride);
        const vf t0 = PELLUCID_FOURS(r0, r1, 0, V, 1, V + 1), t1 = PELLUCID_FOURS(r0, r1, 2, V + 2, 3, V + 3);
        const vf t2 = PELLUCID_FOURS(r2, r3, 0, V, 1, V + 1), t3 = PELLUCID_FOURS(r2, r3, 2, V + 2, 3, V + 3);
        w[0][v] = PELLUCID_FOURS(t0, t2, 0, 1, V, V + 1);
        w[1][v] = PELLUCID_FOURS(t0, t2, 2, 3, V + 2, V + 3);
        w[2][v] = PELLUCID_FOURS(t1, t3, 0, 1, V, V + 1);
        w[3][v] = PELLUCID_FOURS(t1, t3, 2, 3, V + 2, V + 3);
    }
}
#else  // GCC before 12
template <int NV>
PELLUCID_INLINE void load_transposed(const float* from, int64_t stride, vf (&w)[kGroup][NV]) {
    for (int v = 0; v < NV; ++v)
        for (int lane = 0; lane < V; ++lane)
            for (int q = 0; q < kGroup; ++q) w[q][v][lane] = from[(v * V + lane) * stride + q];
}
#endif

}  // namespace
}  // namespace pellucid::PELLUCID_ISA_NAMESPACE
