// Products of F(4x4, 3x3) for the few tiles of a single small picture, where each transformed kernel is used for no more
// than those and making it, putting it aside and reading it would cost more than the products: kernels are transformed
// by columns, 18 numbers, and by rows beside the products: 6 points of a row for 4 tiles are 24 registers of sums.
// The same numbers in the same order as from a whole U: the same bits.
//
// Layout of windows: blocks of V input channels > points > kRoom tiles > channels.
#pragma once
#include "winograd/winograd.hpp"

namespace pellucid::PELLUCID_ISA_NAMESPACE {
namespace {

// At most; none where there are not 32 registers, and multiply-adds that take one number of memory for all lanes.
constexpr int64_t kFewTiles = V == 16 ? 4 : 0;
constexpr int64_t kRoom = 4;         // tiles that there is room for
constexpr int64_t kDepthLimit = 72;  // input channels of a block
constexpr int kRowPoints = F4::window, kTaps = F4::kernel;
constexpr int64_t kHalf = kTaps * V;  // floats of a row of a half-transformed kernel
constexpr int64_t kHalfRow = round_up(kDepthLimit, V) * kHalf + 16;

inline Layout few_layout(int64_t channels) { return layout_of(channels, V, F4::points, kRoom); }
constexpr int64_t kFewPoint = kRoom * V + 16;  // of it

// Six points of one row, TILES tiles, one vector of output channels: windows' row of the first block of channels,
// `block` apart, with that row of `depth` half-transformed kernels. ahead: pieces that are read next, `stride` apart.
template <int TILES>
__attribute__((noinline)) void multiply_points(const float* windows, int64_t block, const float* half, int64_t depth,
                                               float* out, int64_t point, int64_t width, bool accumulate,
                                               const float* ahead, int64_t stride) {
    vf sum[kRowPoints][TILES] = {};
    for (int64_t first = 0; first < depth; first += V, windows += block) {
        const float* x = windows;
        for (const float* const end = x + at_most(depth - first, V); x != end; ++x, half += kHalf, ahead += stride) {
            __builtin_prefetch(ahead, 0, 2);
            __builtin_prefetch(ahead + V, 0, 2);
            vf g[kTaps], u[kRowPoints];
#pragma GCC unroll 3
            for (int j = 0; j < kTaps; ++j) g[j] = load(half + j * V);
            F4::Kernel::apply(g, u);
#pragma GCC unroll 6
            for (int j = 0; j < kRowPoints; ++j)
#pragma GCC unroll 4
                for (int t = 0; t < TILES; ++t) sum[j][t] += broadcast(x[j * kFewPoint + t * V]) * u[j];
        }
    }
#pragma GCC unroll 6
    for (int j = 0; j < kRowPoints; ++j)
#pragma GCC unroll 4
        for (int t = 0; t < TILES; ++t) {
            float* const y = out + j * point + t * width;
            store(y, accumulate ? load(y) + sum[j][t] : sum[j][t]);
        }
}
using MultiplyPoints = void (*)(const float*, int64_t, const float*, int64_t, float*, int64_t, int64_t, bool,
                                const float*, int64_t);
constexpr MultiplyPoints kMultiplyPoints[kRoom + 1] = {nullptr, multiply_points<1>, multiply_points<2>,
                                                           multiply_points<3>, multiply_points<4>};

// A vector of output channels of `depth` kernels, tap t of input channel i at from + t * tap + i * row, to [row of
// points][i].
inline void transform_halves(const float* from, int64_t tap, int64_t row, int64_t depth, vf scale, float* to) {
    for (const float* const end = to + depth * kHalf; to != end; to += kHalf, from += row) {
        vf half[kRowPoints][kTaps];
        transform_columns<F4::Kernel>(half,
                                      [&](int y, int x) { return load(from + y * kTaps * tap + x * tap) * scale; });
#pragma GCC unroll 6
        for (int y = 0; y < kRowPoints; ++y)
#pragma GCC unroll 3
            for (int x = 0; x < kTaps; ++x) store(to + y * kHalfRow + x * V, half[y][x]);
    }
}

}  // namespace
}  // namespace pellucid::PELLUCID_ISA_NAMESPACE
