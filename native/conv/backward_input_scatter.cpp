// Convolution, gradient of its input, where input channels are few or the border is large: dy is scattered.
//
// The gather of conv/backward_input.cpp gives a pixel of dx one vector of channels (6 of 8 lanes work for 6 channels),
// and multiplies the zeros around dy (a 10x10 dy under a 14x14 dx: half of all products). Here one pixel (oy, ox) of dy
// and one row kh of the kernel give dx a span of KW * C floats, contiguous in NHWC:
//
//     dx[oy*SH + kh*DH - TOP, (ox*SW - LEFT ...) + KW pixels, all channels] += dy[oy, ox, :] . kernel[kh, :, :, :]^T
//
// so vectors run over (kw, c), nothing but true products is computed, and only the last vector of a span has idle
// lanes.
//
// Loop order: kh > panel of two vectors of the span > tile of rows oy > ox > o. Register tile: as in
// common/gather_gemm.hpp, R pixels x 2 vectors; its pixels lie in R rows of dy, above each other, so that their spans
// do not overlap, and the next tile's spans, which do, are read long after these are stored. Lanes past the end of a
// span are cut off, since the next pixel's gradient lies there. Spans are added in a buffer of the thread (rows of dx
// with borders), which the rows that lie inside are copied from. Task = (image, group, band of rows of dx). A sum's
// order is kh, then ox, then o.
#include "conv/choice.hpp"
#include "conv/conv2d.hpp"

namespace pellucid::PELLUCID_ISA_NAMESPACE {
namespace {

constexpr int64_t kBufferFloats = 24 << 10;  // of a band with its borders: beside dy in L2, mostly in L1

struct Plan {
    int64_t outputs, columns, span, panels;  // of one group: output and input channels; floats of a span
    int64_t pitch;                           // floats of a row of the buffer
    int64_t rows, bands;                     // of dx
    int64_t kernel_floats;                   // one packed row of the kernel
    float* packed;                           // (group, kh)
};

Plan plan_of(const Conv2dBackwardInput& a, Memory& memory) {
    Plan p;
    p.outputs = a.O / a.GROUPS;
    p.columns = a.C / a.GROUPS;
    p.span = a.KW * p.columns;
    p.panels = panel_count(p.span);
    p.pitch = at_least((a.OW - 1) * a.SW + a.KW, a.LEFT + a.W) * p.columns + kWide;
    p.rows = at_most(at_least(kBufferFloats / p.pitch, a.KH), a.H);
    p.bands = at_most(at_least(ceil_div(a.H, p.rows), ceil_div(kTasks, at_least(a.N * a.GROUPS, 1))), ceil_div(a.H, 4));
    p.rows = ceil_div(a.H, p.bands);
    p.bands = ceil_div(a.H, p.rows);
    p.kernel_floats = packed_floats(p.outputs, p.span);
    p.packed = memory.take<float>(a.GROUPS * a.KH * p.kernel_floats);
    return p;
}

void pack(const Conv2dBackwardInput& a, const Plan& p, int64_t task) {
    const int64_t g = task / a.KH, kh = task % a.KH;
    const float* from = a.kernel + kh * p.span * a.O + g * p.outputs;
    for (int64_t j = 0; j < p.panels; ++j)
        pack_panel(from + j * kWide * a.O, 1, a.O, p.outputs, panel_columns(p.span, j),
                   p.packed + task * p.kernel_floats + j * kWide * p.outputs);
}

namespace scatter {  // its tiles carry the names that those of common/gather_gemm.hpp have

struct TileOfSpans {
    const float* dy;   // of the first row and pixel
    float* out;        // of its span, this panel
    int64_t dy_row, out_row, dy_pixel, out_pixel;  // strides
    int64_t pixels, depth;
    const float* panel;
    int64_t lanes;     // of the last vector
};

template <int R, int NV>
__attribute__((noinline)) void tile(const TileOfSpans& s) {
    const float* p[R];
    vi mask;
    for (int64_t lane = 0; lane < V; ++lane) mask[lane] = lane < s.lanes ? -1 : 0;
    const int64_t depth = s.depth, dy_row = s.dy_row, out_row = s.out_row;
    const float* dy = s.dy;
    float* out = s.out;
    for (int64_t x = 0; x < s.pixels; ++x, dy += s.dy_pixel, out += s.out_pixel) {
        vf sum[R][NV];
#pragma GCC unroll 16
        for (int r = 0; r < R; ++r) {
            p[r] = dy + r * dy_row;
#pragma GCC unroll 2
            for (int v = 0; v < NV; ++v) sum[r][v] = vf{};
        }
        const float* panel = s.panel;
        for (int64_t o = 0; o < depth; ++o, panel += NV * V) {
            vf b[NV];
#pragma GCC unroll 2
            for (int v = 0; v < NV; ++v) b[v] = load(panel + v * V);
#pragma GCC unroll 16
            for (int r = 0; r < R; ++r) {
                const vf a = broadcast(p[r][o]);
#pragma GCC unroll 2
                for (int v = 0; v < NV; ++v) sum[r][v] += a * b[v];
            }
        }
#pragma GCC unroll 16
        for (int r = 0; r < R; ++r) {
            float* y = out + r * out_row;
#pragma GCC unroll 2
            for (int v = 0; v < NV - 1; ++v) store(y + v * V, load(y + v * V) + sum[r][v]);
            store(y + (NV - 1) * V, load(y + (NV - 1) * V) + floats(bits(sum[r][NV - 1]) & mask));
        }
    }
}

using TileFunction = void (*)(const TileOfSpans&);
const TileFunction kTiles2[] = {PELLUCID_TILES(PELLUCID_ROWS2, 2)};
const TileFunction kTiles1[] = {PELLUCID_TILES(PELLUCID_ROWS1, 1)};

}  // namespace scatter

// The rows of dy that reach rows [y0, y1) of dx by row kh of the kernel.
struct Rows {
    int64_t begin, end;
};
Rows rows_reaching(const Conv2dBackwardInput& a, int64_t kh, int64_t y0, int64_t y1) {
    const int64_t shift = a.TOP - kh * a.DH;  // padded row of dx less that of the tap
    const int64_t first = y0 + shift, last = y1 - 1 + shift;
    const int64_t begin = first <= 0 ? 0 : ceil_div(first, a.SH);
    return {begin, last < 0 ? begin : at_least(at_most(last / a.SH + 1, a.OH), begin)};
}

// What sums begin with: zeros, or in each pixel the bias of its channels.
void begin_rows(const Conv2dBackwardInput& a, const Plan& p, int64_t g, int64_t rows, float* buffer) {
    if (!a.bias) {
        memset(buffer, 0, size_t(rows * p.pitch) * sizeof(float));
        return;
    }
    for (int64_t i = 0; i < p.pitch; ++i) buffer[i] = a.bias[g * p.columns + i % p.columns];
    for (int64_t row = 1; row < rows; ++row) memcpy(buffer + row * p.pitch, buffer, size_t(p.pitch) * sizeof(float));
}

void band(const Conv2dBackwardInput& a, const Plan& p, int64_t task, Arena& arena) {
    const int64_t y0 = task % p.bands * p.rows, y1 = at_most(y0 + p.rows, a.H);
    task /= p.bands;
    const int64_t g = task % a.GROUPS, n = task / a.GROUPS;
    float* buffer;
    take(arena, piece(buffer, (y1 - y0) * p.pitch));
    begin_rows(a, p, g, y1 - y0, buffer);
    const float* dy = a.dy + n * a.OH * a.OW * a.O + g * p.outputs;
    scatter::TileOfSpans s;
    s.dy_row = a.OW * a.O;
    s.dy_pixel = a.O;
    s.out_row = a.SH * p.pitch;
    s.out_pixel = a.SW * p.columns;
    s.pixels = a.OW;
    s.depth = p.outputs;
    for (int64_t kh = 0; kh < a.KH; ++kh) {
        const Rows rows = rows_reaching(a, kh, y0, y1);
        const float* packed = p.packed + (g * a.KH + kh) * p.kernel_floats;
        for (int64_t j = 0; j < p.panels; ++j) {
            const int64_t columns = panel_columns(p.span, j);
            const bool wide = columns > V;
            const int64_t largest = wide ? kRows2 : kRows1;
            s.panel = packed + j * kWide * p.outputs;
            s.lanes = wide ? columns - V : columns;
            int64_t tiles = ceil_div(rows.end - rows.begin, largest);
            for (int64_t oy = rows.begin; oy < rows.end; --tiles) {
                const int64_t r = ceil_div(rows.end - oy, tiles);
                s.dy = dy + oy * s.dy_row;
                s.out = buffer + (oy * a.SH + kh * a.DH - a.TOP - y0) * p.pitch + j * kWide;
                (wide ? scatter::kTiles2 : scatter::kTiles1)[r](s);
                oy += r;
            }
        }
    }
    const float* from = buffer + a.LEFT * p.columns;
    float* to = a.dx + (n * a.H + y0) * a.W * a.C + g * p.columns;
    for (int64_t y = y0; y < y1; ++y, from += p.pitch, to += a.W * a.C) {
        const int64_t together = a.GROUPS == 1 ? a.W : 1;
        for (int64_t x = 0; x < a.W; x += together) {
            memcpy(to + x * a.C, from + x * p.columns, size_t(together * p.columns) * sizeof(float));
            if (a.ACTIVATION != kLinear && !a.addend)
                activate_span(to + x * a.C, together * p.columns, a.ACTIVATION, numbers_of(a));
        }
        if (a.addend)
            activate_rows(to, a.addend + (to - a.dx), a.W, p.columns, a.C, a.ACTIVATION, numbers_of(a));
    }
}

void backward_input(const Conv2dBackwardInput& a, const Plan& p) {
    const double weights = double(a.KH * p.span) * double(a.O);
    parallel_for(a.GROUPS * a.KH, weights, [&](int64_t task) { pack(a, p, task); });
    parallel_for(a.N * a.GROUPS * p.bands, double(a.N * a.OH * a.OW) * weights,
                 [&](int64_t task, Arena& arena) { band(a, p, task, arena); });
}

}  // namespace

const Kernel kernels::scatter_conv2d_backward_input = kernel<plan_of, backward_input>();

}  // namespace pellucid::PELLUCID_ISA_NAMESPACE
