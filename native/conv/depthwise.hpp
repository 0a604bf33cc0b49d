// What the files of depthwise convolution share: filters o = c * M + m see channel c alone, so that vectors go over
// channels in all that is read and written, and how channels and rows are cut into tasks.
#pragma once
#include "conv/choice.hpp"
#include "conv/conv2d.hpp"

namespace pellucid::PELLUCID_ISA_NAMESPACE {
namespace {

constexpr int64_t kChunkFilters = 256;      // of a task: their taps stay in L1
constexpr int64_t kRowBytes = 128 << 10;    // of the rows read by a task: they stay in L2

// Cuts of the channels, of one size but for whole vectors; each has at least a vector of filters, where there is one.
struct Chunks {
    int64_t count, channels, multiplier;
    int64_t first(int64_t i) const {
        const int64_t vectors = channels / V;
        return i == count ? channels : vectors * i / count * V;
    }
};
inline Chunks chunks_of(int64_t channels, int64_t multiplier, int64_t wanted) {
    const int64_t least = ceil_div(channels * multiplier, kChunkFilters);
    return {at_least(at_most(at_least(least, wanted), channels / V), 1), channels, multiplier};
}

// out[i] = each of `count` channels M times.
inline void repeat_channels(const float* x, int64_t count, int64_t M, float* out) {
    for (int64_t c = 0; c < count; ++c)
        for (int64_t m = 0; m < M; ++m) *out++ = x[c];
}

}  // namespace
}  // namespace pellucid::PELLUCID_ISA_NAMESPACE
