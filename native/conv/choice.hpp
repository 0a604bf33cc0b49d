// Which algorithm a convolution runs: by shape and instruction set alone, never by threads, timings or the batch, so
// that a picture's result does not depend on what else is in its batch.
//
// The model estimates the cycles of one picture. A register tile costs half a cycle a vector of products and something
// for its ends; a Winograd tile costs its products (36 or 16 a pair of channels) and the transforms of its vectors of
// channels, whether it lies in the picture wholly or by one pixel. So Winograd loses where channels are few (3 -> 64),
// and F(4x4) loses to F(2x2) at 1, 2, 5 and 6 pixels. 5x5 kernels have F(2x2, 5x5) only, on one channel
// F(4, 5) along rows. Where it estimates a gain under 10 %, direct it is: that has the smaller error. The constants are
// fitted to measurements (docs/kernels.md); for the instruction sets only the number of vectors differs.
#pragma once
#include "common/kernel.hpp"

namespace pellucid::PELLUCID_ISA_NAMESPACE {
namespace {

struct Costs {
    double product, input, output;  // cycles of a product of vectors; of a tile's transforms, a vector of channels
};
constexpr Costs kForward4 = {20, 190, 310}, kForward2 = {8.9, 50, 100};
constexpr Costs kGradient4 = {22, 170, 150}, kGradient2 = {9, 70, 60};
constexpr Costs kForward5 = {20, 190, 200}, kGradient5 = {22, 150, 150};
constexpr double kLeastGain = 0.9;

// 5x5 with fewer channels than this on either side: the direct algorithms for few channels are faster.
constexpr int64_t kLeastChannels5 = 8;

// Each filter sees one channel (conv/depthwise.cpp): then there is no sum over channels that Winograd could shorten.
template <typename Arguments>
bool is_depthwise(const Arguments& a) {
    return a.GROUPS > 1 && a.GROUPS == a.C;
}

template <typename Arguments>
bool winograd_applies(const Arguments& a) {
    if (is_depthwise(a)) return false;
    if (a.KH == 5 && at_most(a.C, a.O) < kLeastChannels5 * a.GROUPS) return false;
    return (a.KH == 3 || a.KH == 5) && a.KW == a.KH && a.SH == 1 && a.SW == 1 && a.DH == 1 && a.DW == 1;
}

constexpr double winograd_cycles(const Costs& c, int64_t tile, int64_t H, int64_t W, int64_t from, int64_t to) {
    return double(ceil_div(H, tile) * ceil_div(W, tile)) *
           (double(from * ceil_div(to, V)) * c.product + double(ceil_div(from, V)) * c.input +
            double(ceil_div(to, V)) * c.output);
}
// A tile one vector wide does 7 products where two do 10.
constexpr double direct_vectors(int64_t to) { return double(ceil_div(to, V)) + (ceil_div(to, V) % 2 ? 0.4 : 0.0); }

constexpr int64_t better(double direct, double four, double two) {
    return (two < four ? two : four) > kLeastGain * direct ? int64_t(kDirect)
           : two < four                                    ? int64_t(kWinograd2)
                                                           : int64_t(kWinograd4);
}

// From `from` to `to` channels with H x W results a picture; the gradient of the input likewise, from O to C.
constexpr int64_t choose_forward(int64_t K, int64_t H, int64_t W, int64_t from, int64_t to) {
    const double direct = double(H * W) * (0.544 * double(K * K * from) + 9) * direct_vectors(to);
    if (K == 5)
        return winograd_cycles(kForward5, 2, H, W, from, to) > kLeastGain * direct ? kDirect : kWinograd4;
    return better(direct, winograd_cycles(kForward4, 4, H, W, from, to), winograd_cycles(kForward2, 2, H, W, from, to));
}

// The direct gradient of the kernel sums over at most 256 pixels at a time, and each time reads and writes its sums.
constexpr int64_t choose_gradient(int64_t K, int64_t H, int64_t W, int64_t from, int64_t to) {
    const double direct =
        double(K * K * from) * direct_vectors(to) * (0.54 * double(H * W) + 40 * double(ceil_div(H * W, 256)));
    if (K == 5)
        return winograd_cycles(kGradient5, 2, H, W, from, to) > kLeastGain * direct ? kDirect : kWinograd4;
    return better(direct, winograd_cycles(kGradient4, 4, H, W, from, to),
                  winograd_cycles(kGradient2, 2, H, W, from, to));
}

// The gradient of the kernel behind 2x2 pooling: "direct" gathers what came through
// (conv/conv2d_pool_backward_kernel.cpp), about 0.7 of the pooled numbers behind a ReLU and dropout: 1.3 cycles a
// vector while the rows it reads (those of 128 pooled pixels) lie near L1, else 2.3. Winograd has to promise a quarter
// less: it does the same work whatever came through.
constexpr int64_t choose_pooled_gradient(int64_t K, int64_t H, int64_t W, int64_t from, int64_t to) {
    const int64_t rows = 2 * at_most(at_least(256 / W, 1), H / 2) + 2;
    const double vector = (rows * (W + 2) * from * 4 <= 64 << 10 ? 1.3 : 2.3) * kLoadLanes / V;
    const double gathered = 0.7 * double(H / 2 * (W / 2) * to) * double(K * ceil_div(K * from, kLoadLanes)) * vector;
    const double winograd = K == 5 ? winograd_cycles(kGradient5, 2, H, W, from, to)
                                   : winograd_cycles(kGradient4, 4, H, W, from, to);
    return winograd < 0.75 * gathered ? int64_t(kWinograd4) : int64_t(kDirect);
}

// Pooling whose windows lie wholly in a tile, and in the map (padding below and on the right shows in QH and QW).
template <typename Arguments>
bool pools_by_two(const Arguments& a) {
    return a.PH == 2 && a.PW == 2 && a.PSH == 2 && a.PSW == 2 && a.PTOP == 0 && a.PLEFT == 0 && 2 * a.QH <= a.OH &&
           2 * a.QW <= a.OW;
}

inline int64_t algorithm_of(const Conv2d& a) {
    if (a.ALGORITHM != kChoose) return a.ALGORITHM;
    return winograd_applies(a) ? choose_forward(a.KH, a.OH, a.OW, a.C / a.GROUPS, a.O / a.GROUPS) : int64_t(kDirect);
}
inline int64_t algorithm_of(const Conv2dBackwardInput& a) {
    if (a.ALGORITHM != kChoose) return a.ALGORITHM;
    return winograd_applies(a) ? choose_forward(a.KH, a.H, a.W, a.O / a.GROUPS, a.C / a.GROUPS) : int64_t(kDirect);
}
inline int64_t algorithm_of(const Conv2dBackwardKernel& a) {
    if (a.ALGORITHM != kChoose) return a.ALGORITHM;
    return winograd_applies(a) ? choose_gradient(a.KH, a.OH, a.OW, a.C / a.GROUPS, a.O / a.GROUPS) : int64_t(kDirect);
}
// Winograd's along rows (winograd/rows.cpp) for grey pictures' 5x5 kernels. Cycles of a vector of tiles and an output
// channel, of writing it, and of a row's transform, beside those of four pixels in registers (conv/conv2d_pool.cpp).
inline bool rows_pay(const Conv2dPool& a) {
    if (a.KH != 5 || a.KW != 5 || a.C != 1 || a.SH * a.SW * a.DH * a.DW != 1) return false;
    if (a.POOL || !pools_by_two(a)) return false;
    const int64_t tiles = ceil_div(a.QW, 2), vectors = ceil_div(a.O, V);
    const double rows = double(ceil_div(a.QH * tiles, V)) * double(72 * a.O + 10 * V * vectors) +
                        100 * double((2 * a.QH + 4) * ceil_div(tiles, V));
    const double direct = double(a.QH * a.QW) * double(131 * (vectors / 2) + 108 * (vectors % 2));
    return rows < kLeastGain * direct;
}
inline int64_t algorithm_of(const Conv2dPool& a) {
    if (a.ALGORITHM != kChoose) return a.ALGORITHM;
    if (rows_pay(a)) return kWinogradRows;
    if (!winograd_applies(a) || !pools_by_two(a) || a.POOL) return kDirect;
    return choose_forward(a.KH, 2 * a.QH, 2 * a.QW, a.C / a.GROUPS, a.O / a.GROUPS);
}
inline int64_t algorithm_of(const Conv2dPoolBackwardInput& a) {
    if (a.ALGORITHM != kChoose) return a.ALGORITHM;
    if (!winograd_applies(a) || !pools_by_two(a)) return kDirect;
    return choose_forward(a.KH, a.H, a.W, a.O / a.GROUPS, a.C / a.GROUPS);
}
inline int64_t algorithm_of(const Conv2dPoolBackwardKernel& a) {
    if (a.ALGORITHM != kChoose) return a.ALGORITHM;
    if (!winograd_applies(a) || !pools_by_two(a)) return kDirect;
    return choose_pooled_gradient(a.KH, 2 * a.QH, 2 * a.QW, a.C / a.GROUPS, a.O / a.GROUPS);
}

// What direct algorithms for few channels take, in cycles, beside the gather product.
constexpr double tile_product(int64_t channels, double single) {  // of a pixel and tap: a tile one vector wide, or two
    return double(ceil_div(channels, V) % 2) * single + double(ceil_div(channels, V) / 2);
}

// Gradient of the input: dy scattered, or gathered for each pixel of dx. A tile has at most as many rows as dy.
inline bool scatter_pays(const Conv2dBackwardInput& a) {
    const int64_t outputs = a.O / a.GROUPS, columns = a.C / a.GROUPS, span = a.KW * columns;
    if (a.DW != 1 || outputs > 256) return false;
    const double wait = a.OH < 4 ? 4.0 / double(at_least(a.OH, 1)) : 1.0;
    const double scatter = double(a.OH * a.OW * a.KH) * (double(outputs) * tile_product(span, 0.72) * wait +
                                                       1.9 * double(ceil_div(span, V))) +
                         1.5 * double(a.H);
    const double taps = double(a.KH * a.KW) / double(a.SH * a.SW);
    const double gather = double(a.H * a.W) * (taps * double(outputs) * tile_product(columns, 0.77) +
                                               9 * double(ceil_div(columns, 2 * V)));
    return scatter < 0.8 * gather;
}

// A row of results with vectors over pixels (for few filters) or over output channels; x is taken apart into planes.
struct RowCosts {
    double product, tile, transposed, plane, row;  // over pixels
    double single, channel_tile;                   // over channels
};
constexpr RowCosts kForwardRow = {0.57, 143, 31, 3.4, 160, 0.61, 29};
constexpr RowCosts kGradientRow = {0.38, 7.5, 34, 1.8, 2, 0.65, 5.5};

template <typename Arguments>
bool few_filters_pay(const Arguments& a, const RowCosts& c, double tiles) {
    const int64_t depth = a.KH * a.KW * a.C, vectors = ceil_div(a.OW, V);
    if (a.GROUPS != 1 || depth > 256 || depth < 8) return false;
    const double planes = a.C * a.SW == 1 ? 0 : c.plane * double(a.C * a.SW) * double(a.SH * a.OW);
    const double pixels = c.product * double(depth * vectors * a.O) +
                          c.tile * tiles + c.transposed * double(vectors * ceil_div(a.O, V)) + planes + c.row;
    const double channels = double(a.OW) * (double(depth) * tile_product(a.O, c.single) +
                                        c.channel_tile * double(ceil_div(a.O, 2 * V)));
    return pixels < kLeastGain * channels;
}
inline bool few_filters_pay(const Conv2d& a) {
    return few_filters_pay(a, kForwardRow, double(ceil_div(a.O, 6) * ceil_div(a.OW, 2 * V)));
}
inline bool few_filters_pay(const Conv2dBackwardKernel& a) {
    return few_filters_pay(a, kGradientRow, double(a.KH * a.KW * a.C * a.O) / 12);  // each goes through all rows
}

// Beside a map in planes, which the kernels for few filters alone write and read.
inline int64_t algorithm_of(const Conv2dPoolMap& a) {
    const double tiles = double(ceil_div(a.O, 6) * ceil_div(a.OW, 2 * V));
    const double sums = double(a.KH * a.KW * a.C * a.O) / 12;
    return few_filters_pay(a, kForwardRow, tiles) && few_filters_pay(a, kGradientRow, sums) ? kFewFilters : kDirect;
}

}  // namespace

namespace kernels {  // those that a choice names, and nobody else
extern const Kernel few_filters_conv2d, few_filters_conv2d_backward_kernel, scatter_conv2d_backward_input;
extern const Kernel depthwise_conv2d, depthwise_conv2d_backward_input, depthwise_conv2d_backward_kernel;
extern const Kernel depthwise_conv2d_norm, depthwise_conv2d_norm_backward;
extern const Kernel pictures_conv2d_norm, pictures_conv2d_norm_backward;
extern const Kernel winograd_conv2d, winograd_conv2d_backward_input, winograd_conv2d_backward_kernel;
extern const Kernel winograd_conv2d_pool, winograd_conv2d_pool_backward_input, winograd_conv2d_pool_backward_kernel;
extern const Kernel winograd_rows_conv2d_pool;
}  // namespace kernels
}  // namespace pellucid::PELLUCID_ISA_NAMESPACE
