// Convolution, gradient of its input: for any stride and dilation a set of stride-1 gathers, one for each phase.
//
// In padded coordinates i = q * SH + phase. The taps that reach such rows are those with kh * DH = phase + SH * t, and
// they read dy at row q - t; columns likewise. So for one phase (of rows and columns) dx is a stride-1 gather of dy
// with a part of the taps: the product of common/gather_gemm.hpp with rows = pixels of dx, k = (tap of the phase,
// output channel), panels = the weights transposed. A phase without taps gets zeros (a product of depth 0). dy is
// copied with zeros around where the gather would leave it. As a transposed convolution it ends in a bias and an
// activation, as the forward product does. Task = (image, group, phase, band of q, share of the
// panels). Few channels or a wide border: conv/backward_input_scatter.cpp, where it pays.
#include "conv/conv2d.hpp"
#include "winograd/range.hpp"

namespace pellucid::PELLUCID_ISA_NAMESPACE {
namespace {

constexpr int64_t kBandPixels = 512;

// One phase along one axis.
struct Phase {
    int64_t phase, begin, end;  // q of the pixels that exist
    int64_t taps, reach;        // number of taps, largest t
};

Phase phase_of(int64_t phase, int64_t size, int64_t taps, int64_t stride, int64_t dilation, int64_t before) {
    Phase p{phase, 0, 0, 0, 0};
    p.begin = at_least(before - phase + stride - 1, 0) / stride;
    p.end = size - 1 + before - phase < 0 ? p.begin : at_least((size - 1 + before - phase) / stride + 1, p.begin);
    for (int64_t k = 0; k < taps; ++k)
        if ((k * dilation) % stride == phase) {
            ++p.taps;
            p.reach = (k * dilation - phase) / stride;
        }
    return p;
}

struct Pair {
    Phase h, w;
    bool copied;
    int64_t pixel, row;    // strides of dy as the gather sees it
    int64_t depth;         // taps * output channels of the group
    const float* packed;   // of group 0; others follow at group_floats
    const int32_t* offset;
};

struct Plan {
    int64_t outputs, columns, panels;  // of one group: output channels, input channels
    int64_t pairs, bands, shares;
    Pair* pair;
    int64_t group_floats;  // packed weights of one group, all phases
    float *packed, *bias;  // the bias of each group up to whole panels
    int32_t* offset;
};

Plan plan_of(const Conv2dBackwardInput& a, Memory& memory) {
    Plan p;
    p.outputs = a.O / a.GROUPS;
    p.columns = a.C / a.GROUPS;
    p.panels = panel_count(p.columns);
    p.pairs = a.SH * a.SW;
    const int64_t pixels = ceil_div(a.H, a.SH) * ceil_div(a.W, a.SW);
    p.bands = at_most(ceil_div(pixels, kBandPixels), ceil_div(a.H, a.SH));
    const int64_t most = ceil_div(a.H, a.SH);
    while (a.N * a.GROUPS * p.pairs * p.bands < kTasks && pixels / p.bands >= 16 * kRows2 && p.bands < most)
        p.bands = at_most(p.bands * 2, most);
    p.shares = at_most(p.panels, ceil_div(kTasks, at_least(a.N * a.GROUPS * p.pairs * p.bands, 1)));
    p.group_floats = packed_floats(a.KH * a.KW * p.outputs, p.columns);
    p.pair = memory.take<Pair>(p.pairs);
    p.packed = memory.take<float>(a.GROUPS * p.group_floats);
    p.offset = memory.take<int32_t>(a.KH * a.KW * p.outputs);
    p.bias = memory.take<float>(a.GROUPS * p.panels * kWide);
    return p;
}

void describe_phases(const Conv2dBackwardInput& a, const Plan& p) {
    int64_t entries = 0;
    for (int64_t i = 0; i < p.pairs; ++i) {
        Pair& pair = p.pair[i];
        pair.h = phase_of(i / a.SW, a.H, a.KH, a.SH, a.DH, a.TOP);
        pair.w = phase_of(i % a.SW, a.W, a.KW, a.SW, a.DW, a.LEFT);
        pair.copied = pair.h.begin < pair.h.reach || pair.h.end > a.OH ||
                      pair.w.begin < pair.w.reach || pair.w.end > a.OW;
        pair.pixel = pair.copied ? p.outputs : a.O;
        pair.row = pair.copied ? (pair.w.end - pair.w.begin + pair.w.reach) * p.outputs : a.OW * a.O;
        pair.depth = pair.h.taps * pair.w.taps * p.outputs;
        pair.packed = p.packed + packed_floats(entries, p.columns);
        pair.offset = p.offset + entries;
        for (int64_t kh = 0; kh < a.KH; ++kh)
            for (int64_t kw = 0; kw < a.KW; ++kw) {
                if ((kh * a.DH) % a.SH != pair.h.phase || (kw * a.DW) % a.SW != pair.w.phase) continue;
                const int64_t th = (kh * a.DH - pair.h.phase) / a.SH, tw = (kw * a.DW - pair.w.phase) / a.SW;
                // Rows point at the corner of the window of dy; tap t lies reach - t after it.
                const int64_t base = (pair.h.reach - th) * pair.row + (pair.w.reach - tw) * pair.pixel;
                for (int64_t o = 0; o < p.outputs; ++o) p.offset[entries++] = int32_t(base + o);
            }
    }
}

void pack(const Conv2dBackwardInput& a, const Plan& p, int64_t task) {
    const int64_t j = task % p.panels;
    task /= p.panels;
    const Pair& pair = p.pair[task % p.pairs];
    const int64_t g = task / p.pairs;
    const int64_t columns = panel_columns(p.columns, j);
    float* to = const_cast<float*>(pair.packed) + g * p.group_floats + j * kWide * pair.depth;
    for (int64_t kh = 0; kh < a.KH; ++kh)
        for (int64_t kw = 0; kw < a.KW; ++kw) {
            if ((kh * a.DH) % a.SH != pair.h.phase || (kw * a.DW) % a.SW != pair.w.phase) continue;
            const float* from = a.kernel + ((kh * a.KW + kw) * p.columns + j * kWide) * a.O + g * p.outputs;
            pack_panel(from, 1, a.O, p.outputs, columns, to);
            to += p.outputs * panel_width(columns);
        }
}

void band(const Conv2dBackwardInput& a, const Plan& p, int64_t task, Arena& arena) {
    const int64_t share = task % p.shares;
    task /= p.shares;
    const int64_t index = task % p.bands;
    task /= p.bands;
    const Pair& pair = p.pair[task % p.pairs];
    task /= p.pairs;
    const int64_t g = task % a.GROUPS, n = task / a.GROUPS;
    const int64_t height = pair.h.end - pair.h.begin, width = pair.w.end - pair.w.begin;
    const int64_t q0 = pair.h.begin + height * index / p.bands, q1 = pair.h.begin + height * (index + 1) / p.bands;
    if (q1 <= q0 || width <= 0) return;
    const int64_t y0 = q0 - pair.h.reach, x0 = pair.w.begin - pair.w.reach;

    float* copy;
    const float** from;
    float** to;
    take(arena, piece(copy, pair.copied ? (q1 - y0) * pair.row : 0), piece(from, (q1 - q0) * width),
         piece(to, (q1 - q0) * width));
    const float* dy = a.dy + n * a.OH * a.OW * a.O + g * p.outputs;
    if (pair.copied && pair.depth > 0) {
        copy_window(dy, a.OH, a.OW, a.O, p.outputs, y0, q1 - y0, x0, width + pair.w.reach, copy);
        dy = copy;
    } else {
        dy += y0 * pair.row + x0 * pair.pixel;
    }
    int64_t m = 0;
    for (int64_t q = q0; q < q1; ++q)
        for (int64_t r = 0; r < width; ++r, ++m) {
            const int64_t y = q * a.SH + pair.h.phase - a.TOP;
            const int64_t x = (pair.w.begin + r) * a.SW + pair.w.phase - a.LEFT;
            from[m] = dy + (q - q0) * pair.row + r * pair.pixel;
            to[m] = a.dx + ((n * a.H + y) * a.W + x) * a.C + g * p.columns;
        }
    Product product;
    product.m = m;
    product.rows = from;
    product.out = to;
    product.depth = pair.depth;
    product.offset = pair.offset;
    product.packed = pair.packed + g * p.group_floats;
    product.columns = p.columns;
    product.accumulate = false;
    const int64_t behind = a.addend ? int64_t(kLinear) : a.ACTIVATION;
    product.epilogue = {a.bias ? p.bias + g * p.panels * kWide : nullptr, behind, numbers_of(a)};
    const int64_t j0 = p.panels * share / p.shares, j1 = p.panels * (share + 1) / p.shares, c = j0 * kWide;
    multiply(product, j0, j1);
    for (int64_t i = 0; a.addend && i < m; i += width)
        activate_rows(to[i] + c, a.addend + (to[i] - a.dx) + c, width, at_most(j1 * kWide, p.columns) - c, a.SW * a.C,
                      a.ACTIVATION, numbers_of(a));
}

void backward_input(const Conv2dBackwardInput& a, const Plan& p) {
    describe_phases(a, p);
    if (a.bias) pad_bias(a.bias, a.GROUPS, p.columns, p.bias);
    const double weights = double(a.KH * a.KW * p.columns) * double(a.O);
    parallel_for(a.GROUPS * p.pairs * p.panels, weights, [&](int64_t task) { pack(a, p, task); });
    parallel_for(a.N * a.GROUPS * p.pairs * p.bands * p.shares, double(a.N * a.OH * a.OW) * weights,
                 [&](int64_t task, Arena& arena) { band(a, p, task, arena); });
}

constexpr Kernel direct = kernel<plan_of, backward_input>();
constexpr Kernel winograd =
    guarded<Conv2dBackwardInput, kernels::winograd_conv2d_backward_input, kernels::conv2d_backward_input>();
const Kernel& choose(const Conv2dBackwardInput& a) {
    if (algorithm_of(a) != kDirect) return winograd;
    const bool ends = a.bias || a.ACTIVATION != kLinear;  // which no depthwise convolution back needs
    if (is_depthwise(a) && !ends) return kernels::depthwise_conv2d_backward_input;
    return scatter_pays(a) ? kernels::scatter_conv2d_backward_input : direct;
}

}  // namespace

const Kernel kernels::conv2d_backward_input = chosen<Conv2dBackwardInput, choose, algorithm_of>();

}  // namespace pellucid::PELLUCID_ISA_NAMESPACE
