// What the files of convolution share: how the rows of a picture are reached, in place or in a zero-padded copy, and
// the weights as the gather product reads them.
#pragma once
#include "common/gather_gemm.hpp"

namespace pellucid::PELLUCID_ISA_NAMESPACE {
namespace {

constexpr int64_t kTasks = 16;  // tasks worth having, for machines of up to about 8 threads

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

// How the rows of x are reached: in place when nothing is padded, else through a copy of the band.
struct View {
    bool copied;
    int64_t pixel, row;  // strides in floats
    int64_t width;       // columns of the copy
};

template <typename Arguments>
View view_of(const Arguments& a) {
    const int64_t height = (a.OH - 1) * a.SH + (a.KH - 1) * a.DH + 1;
    const int64_t width = (a.OW - 1) * a.SW + (a.KW - 1) * a.DW + 1;
    if (a.TOP == 0 && a.LEFT == 0 && height <= a.H && width <= a.W) return {false, a.C, a.W * a.C, a.W};
    return {true, a.C / a.GROUPS, width * (a.C / a.GROUPS), width};
}

template <typename Arguments>
int64_t band_height(const Arguments& a, int64_t rows) {
    return (rows - 1) * a.SH + (a.KH - 1) * a.DH + 1;
}

template <typename Arguments>
int64_t copy_floats(const Arguments& a, const View& v, int64_t rows) {
    return v.copied ? band_height(a, rows) * v.row : 0;
}

// The first pixel under output row oy of image n, group g; copies the band there if need be.
template <typename Arguments>
const float* band_of(const Arguments& a, const View& v, int64_t n, int64_t g, int64_t oy, int64_t rows, float* copy) {
    const int64_t channels = a.C / a.GROUPS;
    const float* image = a.x + n * a.H * a.W * a.C + g * channels;
    if (!v.copied) return image + oy * a.SH * v.row;
    copy_window(image, a.H, a.W, a.C, channels, oy * a.SH - a.TOP, band_height(a, rows), -a.LEFT, v.width, copy);
    return copy;
}

// offset[k] of kernel entry k = (tap, channel).
template <typename Arguments>
void entry_offsets(const Arguments& a, const View& v, int32_t* offset) {
    for (int64_t kh = 0; kh < a.KH; ++kh)
        for (int64_t kw = 0; kw < a.KW; ++kw)
            for (int64_t c = 0; c < a.C / a.GROUPS; ++c)
                *offset++ = int32_t(kh * a.DH * v.row + kw * a.DW * v.pixel + c);
}

// What a forward product reads besides x, in the workspace. A plan is one, and more.
struct Weights {
    int64_t depth, columns, panels;  // of one group
    float *packed, *bias;            // for each group its panels; the bias up to whole panels
    int32_t* offset;                 // of the kernel's entries
};

template <typename Arguments>
Weights weights_of(const Arguments& a, Memory& memory) {
    Weights w;
    w.depth = a.KH * a.KW * (a.C / a.GROUPS);
    w.columns = a.O / a.GROUPS;
    w.panels = panel_count(w.columns);
    w.packed = memory.take<float>(a.GROUPS * packed_floats(w.depth, w.columns));
    w.bias = memory.take<float>(a.GROUPS * round_up(w.columns, kWide));
    w.offset = memory.take<int32_t>(w.depth);
    return w;
}

// The bias of each group up to whole panels.
inline void pad_bias(const float* bias, int64_t groups, int64_t columns, float* to) {
    const int64_t padded = round_up(columns, kWide);
    for (int64_t g = 0; g < groups; ++g)
        for (int64_t j = 0; j < padded; ++j) to[g * padded + j] = j < columns ? bias[g * columns + j] : 0.0f;
}

template <typename Arguments>
const float* scale_of(const Arguments&) {
    return nullptr;
}
inline const float* scale_of(const Conv2d& a) { return a.scale; }

template <typename Arguments>
void pack_weights(const Arguments& a, const View& v, const Weights& w) {
    entry_offsets(a, v, w.offset);
    if (a.bias) pad_bias(a.bias, a.GROUPS, w.columns, w.bias);
    parallel_for(a.GROUPS * w.panels, double(w.depth * a.O), [&](int64_t task) {
        const int64_t g = task / w.panels, j = task % w.panels;
        const int64_t column = g * w.columns + j * kWide;
        pack_panel(a.kernel + column, a.O, 1, w.depth, panel_columns(w.columns, j),
                   w.packed + g * packed_floats(w.depth, w.columns) + j * kWide * w.depth,
                   scale_of(a) ? scale_of(a) + column : nullptr);
    });
}

// What a kernel that is `prepared` keeps of them.
template <typename Arguments>
void lay_weights(const Arguments& a, Memory& memory, bool fill) {
    const Weights weights = weights_of(a, memory);
    if (fill) pack_weights(a, view_of(a), weights);
}

}  // namespace
}  // namespace pellucid::PELLUCID_ISA_NAMESPACE
