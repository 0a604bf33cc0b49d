// What the files of pooling share: which pixels a window has, which windows a pixel, and how many lanes may be used.
#pragma once
#include "common/kernel.hpp"

namespace pellucid::PELLUCID_ISA_NAMESPACE {
namespace {

constexpr int64_t kBandFloats = 16384;

struct Bands {
    int64_t rows, count;
};

Bands bands_of(int64_t height, int64_t row_floats) {
    const int64_t rows = at_least(at_most(kBandFloats / at_least(row_floats, 1), height), 1);
    return {rows, ceil_div(height, rows)};
}

// The part [begin, end) of a window of `size` taps at `start` that lies inside [0, limit).
struct Range {
    int64_t begin, end;
};
PELLUCID_INLINE Range inside(int64_t start, int64_t size, int64_t limit) {
    return {at_least(-start, 0), at_most(limit - start, size)};
}
// The windows that contain padded position p: o * stride <= p < o * stride + size.
PELLUCID_INLINE Range windows_of(int64_t p, int64_t size, int64_t stride, int64_t count) {
    return {p < size ? 0 : (p - size) / stride + 1, at_most(p / stride + 1, count)};
}

// How many lanes to use for the channels from c on: where channels are fewer than a vector, pixels follow each other in
// memory and are written in order, so all lanes, if that leaves neither the array read (room floats from there) nor the
// part written by this task (space floats).
PELLUCID_INLINE int64_t lanes_of(int64_t channels, int64_t c, int64_t room, int64_t space) {
    return room >= V && space >= V ? V : at_most(channels - c, V);
}

// Windows side by side, each inside the picture: every pixel has one window at most.
template <typename Arguments>
bool side_by_side(const Arguments& a) {
    return a.SH == a.PH && a.SW == a.PW && a.TOP == 0 && a.LEFT == 0 && a.OH * a.PH <= a.H && a.OW * a.PW <= a.W;
}

}  // namespace
}  // namespace pellucid::PELLUCID_ISA_NAMESPACE
