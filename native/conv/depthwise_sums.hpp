// Sums over rows for the gradient of a depthwise convolution's kernel.
//
// The sums of some rows of the kernel lie in registers while they go along rows of dy, four columns at a time: each
// number of x is loaded once for all taps that it meets there.
#pragma once
#include "conv/depthwise.hpp"

namespace pellucid::PELLUCID_ISA_NAMESPACE {

// Rows of dy, and what they meet in x. Pointers are to the first channel of the chunk.
struct Band {
    const float* const* x;   // for each row of dy, of each row of the kernel; null where it lies on padding
    const float* const* dy;
    int64_t rows, KH;        // of dy; of the kernel
    int64_t W, OW, LEFT;
    int64_t pixel, result;   // strides in x and dy
    int64_t width;           // of sums
};

// sums (tap, width) += the products of the band's rows, of the vector of channels from c on.
using SumRows = void (*)(const Band& band, int64_t c, float* sums, bool fresh);
// What sums rows of that kernel and stride; null where nothing does. It is compiled once for each instruction set, in
// depthwise_sums.cpp.
SumRows sum_rows_of(int64_t KW, int64_t stride);

namespace {

constexpr int64_t kPixels = 64;           // of dy that go through all channels together, at least

}  // namespace
}  // namespace pellucid::PELLUCID_ISA_NAMESPACE
