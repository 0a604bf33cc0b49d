// What the two files of convolution share: a zero-padded copy of a part of a picture.
#pragma once
#include "gather_gemm.hpp"

namespace pellucid {
namespace PELLUCID_ISA_NAMESPACE {
namespace {

// out (rows, columns, channels) = the picture (H, W, stride) from row y0 and column x0 on, zero outside it.
inline void copy_window(const float* picture, int64_t H, int64_t W, int64_t stride, int64_t channels, int64_t y0,
                        int64_t rows, int64_t x0, int64_t columns, float* out) {
    // Columns [lo, hi) of the window lie inside the picture.
    const int64_t lo = at_most(at_least(-x0, 0), columns), hi = at_least(at_most(W - x0, columns), lo);
    for (int64_t y = y0; y < y0 + rows; ++y, out += columns * channels) {
        if (y < 0 || y >= H) {
            memset(out, 0, size_t(columns * channels) * sizeof(float));
            continue;
        }
        memset(out, 0, size_t(lo * channels) * sizeof(float));
        memset(out + hi * channels, 0, size_t((columns - hi) * channels) * sizeof(float));
        const float* from = picture + (y * W + x0 + lo) * stride;
        float* to = out + lo * channels;
        if (stride == channels) {
            memcpy(to, from, size_t((hi - lo) * channels) * sizeof(float));
        } else {
            for (int64_t x = lo; x < hi; ++x, from += stride, to += channels)
                memcpy(to, from, size_t(channels) * sizeof(float));
        }
    }
}

}  // namespace
}  // namespace PELLUCID_ISA_NAMESPACE
}  // namespace pellucid
