// Behind a ReLU many numbers are zero. A single example's rows of weights that meet zeros are not read at all, where
// the weights are known to be finite: 0 * w adds nothing to a sum then, and the bits stay. Forward, one example,
// weights kept.
#pragma once
#include "dense/packed.hpp"

namespace pellucid::PELLUCID_ISA_NAMESPACE {
namespace {

// sum += x[k] * row k of the weights, for these k; so many entries behind them may be read.
constexpr int64_t kRowsAhead = 8;
template <int NV>
PELLUCID_INLINE void add_rows(const float* weights, int64_t stride, const float* x, const int32_t* k, int64_t count,
                              float* sum) {
    vf s[NV];
#pragma GCC unroll 8
    for (int v = 0; v < NV; ++v) s[v] = load(sum + v * V);
    for (int64_t i = 0; i < count; ++i) {
        const float *row = weights + k[i] * stride, *ahead = weights + k[i + kRowsAhead] * stride;
        const vf a = broadcast(x[k[i]]);
#pragma GCC unroll 8
        for (int v = 0; v < NV; ++v) {
            if (v * V % kLine == 0) __builtin_prefetch(ahead + v * V);
            s[v] += a * load(row + v * V);
        }
    }
#pragma GCC unroll 8
    for (int v = 0; v < NV; ++v) store(sum + v * V, s[v]);
}

// The k from `first` to `end` whose number is not zero, and the last of them again for those who look ahead.
inline int64_t list_some(const float* x, int64_t first, int64_t end, int32_t* list) {
    int64_t count = 0;
    for (int64_t k = first; k < end; ++k) {
        uint32_t number;
        memcpy(&number, x + k, sizeof number);
        list[count] = int32_t(k);
        count += number << 1 != 0;  // without its sign; no branch, which would be guessed wrong half of the time
    }
    for (int64_t i = 0; i < kRowsAhead; ++i) list[count + i] = count ? list[count - 1] : int32_t(first);
    return count;
}

// The same for `width` columns, whole vectors.
inline void add_some(const float* weights, int64_t stride, const float* x, const int32_t* k, int64_t count,
                     int64_t width, float* sums) {
    int64_t j = 0;
    for (; j + 8 * V <= width; j += 8 * V) add_rows<8>(weights + j, stride, x, k, count, sums + j);
    for (; j + 6 * V <= width; j += 6 * V) add_rows<6>(weights + j, stride, x, k, count, sums + j);
    for (; j + 2 * V <= width; j += 2 * V) add_rows<2>(weights + j, stride, x, k, count, sums + j);
    if (j < width) add_rows<1>(weights + j, stride, x, k, count, sums + j);
}

}  // namespace
}  // namespace pellucid::PELLUCID_ISA_NAMESPACE
