// Convolution + bias + activation + pooling in one pass: the unpooled map is never written to memory.
//
// A task goes down the pooled rows of one picture (and group), a few at a time. The rows of the convolution they need
// are made by the gather product (common/gather_gemm.hpp: loop order and register tile) in a buffer of the thread, and
// pooled from there while they lie in L1 or L2. Rows that the next windows share (3x3 windows, stride 2) stay in the
// buffer; only where a task begins are they computed again. The buffer's channels are padded to whole vectors, so that
// tiles never store a part of a vector. The sums are those of conv2d, bit by bit.
//
// Maximum: the activation comes after it (all of them rise, so it is the same, with a quarter of the work for 2x2), and
// the winner's place in its window is kept as one byte; kNoPlace where a ReLU gave zero, since no gradient goes there.
// Average: the activation is in the tiles' epilogue. Task = (image, group, band of pooled rows, share of the panels).
//
// Short sums (up to 256 terms) under 2x2 windows without padding never see the buffer: a register tile is the four
// pixels of one window (quad below). On one channel winograd/rows.cpp is faster.
#include "conv/conv2d.hpp"
#include "conv/conv2d_pool.hpp"
#include "winograd/range.hpp"

namespace pellucid::PELLUCID_ISA_NAMESPACE {
namespace {

constexpr int64_t kBufferBytes = 160 << 10;  // of convolved rows: L2, beside the panels

struct Plan : Weights {
    View view;
    int64_t width;  // of a group's columns up to whole vectors
    int64_t step;   // pooled rows at a time
    int64_t bands, shares;
};

Plan plan_of(const Conv2dPool& a, Memory&) {
    Memory elsewhere;
    Plan p{weights_of(a, elsewhere), view_of(a), 0, 0, 0, 0};
    p.width = round_up(p.columns, V);
    const int64_t rows = kBufferBytes / (4 * a.OW * p.width);
    p.step = at_most(rows < a.PH ? 1 : (rows - a.PH) / a.PSH + 1, a.QH);
    // Bands of overlapping windows compute the rows between them twice, so panels are shared out first.
    p.shares = a.PH > a.PSH ? at_most(p.panels, ceil_div(kTasks, at_least(a.N * a.GROUPS, 1))) : 1;
    p.bands = 1;
    while (a.N * a.GROUPS * p.shares * p.bands < kTasks && p.bands < a.QH) p.bands = at_most(2 * p.bands, a.QH);
    if (p.shares == 1) p.shares = at_most(p.panels, ceil_div(kTasks, at_least(a.N * a.GROUPS * p.bands, 1)));
    return p;
}

// One window: its taps in the buffer, the channels [begin, end) of its picture's pixel.
struct Window {
    const float* rows;
    const int64_t* at;     // of each tap
    const int32_t* index;  // in the window
    int64_t taps, begin, end;
    int64_t space;  // floats from y on that nothing else is in, or that later windows of this task write
    float* y;
    uint8_t* argmax;  // or null
    int64_t kind;
    Numbers numbers;
};

// TAPS: how many, where it is known beforehand; 0: w.taps. What does not change is copied out of w: the compiler has to
// believe that the bytes written may lie there.
template <int TAPS, bool PLACES>
PELLUCID_INLINE void pool_max(const Window& w) {
    const int64_t taps = TAPS ? TAPS : w.taps, end = w.end, kind = w.kind;
    const bool whole = w.space >= V;
    const Numbers numbers = w.numbers;
    float* const y = w.y;
    uint8_t* const argmax = w.argmax;
    const float* row[TAPS ? TAPS : kWindowTaps];
    vi index[TAPS ? TAPS : 1];
    for (int64_t t = 0; t < taps; ++t) row[t] = w.rows + w.at[t];
    if (TAPS)
        for (int64_t t = 0; t < taps; ++t) index[t] = vi{} + w.index[t];
    for (int64_t c0 = w.begin; c0 < end; c0 += V) {
        const int64_t c = w.begin + vector_start(c0 - w.begin, end - w.begin), lanes = whole ? V : at_most(end - c, V);
        vf best = load(row[0] + c);
        vi winner = TAPS ? index[0] : vi{} + w.index[0];
#pragma GCC unroll 4
        for (int64_t t = 1; t < taps; ++t) {
            take_larger(load(row[t] + c), TAPS ? index[TAPS ? t : 0] : vi{} + w.index[t], best, winner);
        }
        best = activated_any(best, kind, numbers);
        store_lanes(y + c, best, lanes);
        if (PLACES) {
            if (kind == kRelu) winner |= ~(best > 0.0f) & kNoPlace;
            store_bytes(argmax + c, to_bytes(winner), lanes);
        }
    }
}

void pool_average(const Window& w) {
    for (int64_t c0 = w.begin; c0 < w.end; c0 += V) {
        const int64_t c = w.begin + vector_start(c0 - w.begin, w.end - w.begin);
        const int64_t lanes = w.space >= V ? V : at_most(w.end - c, V);
        vf sum = vf{};
        for (int64_t t = 0; t < w.taps; ++t) sum += load(w.rows + w.at[t] + c);
        store_lanes(w.y + c, sum / float(w.taps), lanes);
    }
}

// Short sums under 2x2 windows: the four pixels of a window are the rows of a register tile of NV vectors, pooled
// before they leave the registers. Sums of one block of k, so they are those of conv2d.
struct Quad {
    const float* pixel[4];
    const int32_t* offset;
    int64_t depth;
    const float* panel;
    const float* bias;  // padded to whole vectors, or null
    int64_t columns;    // of the panel, at most NV * V
    int64_t kind;
    Numbers numbers;
    float* y;
    uint8_t* argmax;  // or null
};

template <int NV, bool PLACES>
__attribute__((noinline)) void quad(const Quad& q) {
    const float* p[4];
    vf sum[4][NV];
#pragma GCC unroll 4
    for (int r = 0; r < 4; ++r) {
        p[r] = q.pixel[r];
#pragma GCC unroll 2
        for (int v = 0; v < NV; ++v) sum[r][v] = vf{};
    }
    const int32_t* offset = q.offset;
    const float* panel = q.panel;
    const float* const end = panel + q.depth * (NV * V);
    for (; panel != end; panel += NV * V) {
        const int64_t o = *offset++;
        vf b[NV];
#pragma GCC unroll 2
        for (int v = 0; v < NV; ++v) b[v] = load(panel + v * V);
#pragma GCC unroll 4
        for (int r = 0; r < 4; ++r) {
            const vf a = broadcast(p[r][o]);
#pragma GCC unroll 2
            for (int v = 0; v < NV; ++v) sum[r][v] += a * b[v];
        }
    }
#pragma GCC unroll 2
    for (int v = 0; v < NV; ++v) {
        const vf bias = q.bias ? load(q.bias + v * V) : broadcast(-0.0f);
        const vf window[4] = {sum[0][v] + bias, sum[1][v] + bias, sum[2][v] + bias, sum[3][v] + bias};
        vf best = window[0];
        vi winner = vi{};
        if (PLACES) {
#pragma GCC unroll 3
            for (int r = 1; r < 4; ++r) take_larger(window[r], vi{} + r, best, winner);
        } else {
            best = largest(window);
        }
        best = activated_any(best, q.kind, q.numbers);
        const int64_t lanes = at_most(q.columns - v * V, V);
        store_lanes(q.y + v * V, best, lanes);
        if (!PLACES) continue;
        if (q.kind == kRelu) winner |= ~(best > 0.0f) & kNoPlace;
        store_bytes(q.argmax + v * V, to_bytes(winner), lanes);
    }
}

bool in_registers(const Conv2dPool& a, const Plan& p) { return !a.POOL && pools_by_two(a) && p.depth <= kDepth; }

// One row of windows, from convolved rows whose first is row `base`.
void pool_row(const Conv2dPool& a, const Plan& p, const float* rows, int64_t base, int64_t q, Window w) {
    const int64_t y0 = q * a.PSH - a.PTOP;
    const int64_t i0 = at_least(-y0, 0), i1 = at_most(a.OH - y0, a.PH);
    float* y = w.y;
    uint8_t* argmax = w.argmax;
    const int64_t space = w.space;
    int64_t at[kWindowTaps];
    int32_t index[kWindowTaps];
    w.at = at;
    w.index = index;
    int64_t j0 = -1, j1 = -1;
    for (int64_t r = 0; r < a.QW; ++r, y += a.O) {
        const int64_t x0 = r * a.PSW - a.PLEFT;
        const int64_t from = at_least(-x0, 0), to = at_most(a.OW - x0, a.PW);
        if (from != j0 || to != j1) {  // another part of the window lies inside
            j0 = from;
            j1 = to;
            w.taps = 0;
            for (int64_t i = i0; i < i1; ++i)
                for (int64_t j = j0; j < j1; ++j) {
                    at[w.taps] = ((y0 + i - base) * a.OW + j) * p.width;
                    index[w.taps++] = int32_t(i * a.PW + j);
                }
        }
        w.rows = rows + x0 * p.width;
        w.y = y;
        w.argmax = argmax ? argmax + r * a.O : nullptr;
        w.space = space - r * a.O;
        if (a.POOL) pool_average(w);
        else if (w.taps == 4) argmax ? pool_max<4, true>(w) : pool_max<4, false>(w);
        else argmax ? pool_max<0, true>(w) : pool_max<0, false>(w);
    }
}

// What a task does: pooled rows [begin, end) of a picture's group, the channels of some panels.
struct Band {
    int64_t n, g, begin, end, first_panel, last_panel;
    int64_t at(const Conv2dPool& a, const Plan& p, int64_t q) const {  // of row q in y
        return (n * a.QH + q) * a.QW * a.O + g * p.columns;
    }
};

Band band_of(const Conv2dPool& a, const Plan& p, int64_t task) {
    const int64_t share = task % p.shares, index = task / p.shares % p.bands, rest = task / p.shares / p.bands;
    return {rest / a.GROUPS, rest % a.GROUPS, a.QH * index / p.bands, a.QH * (index + 1) / p.bands,
            p.panels * share / p.shares, p.panels * (share + 1) / p.shares};
}

void band_of_quads(const Conv2dPool& a, const Plan& p, const Band& band, Arena& arena) {
    float* copy;
    take(arena, piece(copy, copy_floats(a, p.view, at_most(a.OH, 2))));
    const float* const packed = p.packed + band.g * packed_floats(p.depth, p.columns);
    const float* const bias = a.bias ? p.bias + band.g * round_up(p.columns, kWide) : nullptr;
    const int64_t below = a.SH * p.view.row, beside = a.SW * p.view.pixel;
    for (int64_t row = band.begin; row < band.end; ++row) {
        const float* x = band_of(a, p.view, band.n, band.g, 2 * row, 2, copy);
        for (int64_t j = band.first_panel; j < band.last_panel; ++j) {
            Quad q;
            q.offset = p.offset;
            q.depth = p.depth;
            q.panel = packed + j * kWide * p.depth;
            q.bias = bias ? bias + j * kWide : nullptr;
            q.columns = panel_columns(p.columns, j);
            q.kind = a.ACTIVATION;
            q.numbers = numbers_of(a);
            void (*const multiply)(const Quad&) = q.columns > V ? (a.argmax ? quad<2, true> : quad<2, false>)
                                                                : (a.argmax ? quad<1, true> : quad<1, false>);
            int64_t at = band.at(a, p, row) + j * kWide;
            for (int64_t r = 0; r < a.QW; ++r, at += a.O) {
                const float* corner = x + 2 * r * beside;
                q.pixel[0] = corner;
                q.pixel[1] = corner + beside;
                q.pixel[2] = corner + below;
                q.pixel[3] = corner + below + beside;
                q.y = a.y + at;
                q.argmax = a.argmax ? a.argmax + at : nullptr;
                multiply(q);
            }
        }
    }
}

void band_by_buffer(const Conv2dPool& a, const Plan& p, const Band& band, Arena& arena) {
    const int64_t most = at_most((p.step - 1) * a.PSH + a.PH, a.OH), pitch = a.OW * p.width;
    float *buffer, *copy;
    const float** from;
    float** to;
    take(arena, piece(buffer, most * pitch), piece(copy, copy_floats(a, p.view, most)), piece(from, most * a.OW),
         piece(to, most * a.OW));
    Product product;
    product.rows = from;
    product.out = to;
    product.depth = p.depth;
    product.offset = p.offset;
    product.packed = p.packed + band.g * packed_floats(p.depth, p.columns);
    product.columns = p.width;
    product.accumulate = false;
    product.epilogue = {a.bias ? p.bias + band.g * round_up(p.columns, kWide) : nullptr,
                        a.POOL ? a.ACTIVATION : kLinear, numbers_of(a)};
    Window w;
    w.begin = band.first_panel * kWide;
    w.end = at_most(band.last_panel * kWide, p.columns);
    w.kind = a.ACTIVATION;
    w.numbers = numbers_of(a);
    int64_t base = 0, done = 0;  // the buffer holds rows [base, done)
    for (int64_t q = band.begin; q < band.end; q += p.step) {
        const int64_t pooled = at_most(band.end - q, p.step);
        const int64_t low = at_least(q * a.PSH - a.PTOP, 0);
        const int64_t high = at_most((q + pooled - 1) * a.PSH - a.PTOP + a.PH, a.OH);
        if (done > low) memmove(buffer, buffer + (low - base) * pitch, size_t((done - low) * pitch) * sizeof(float));
        else done = low;
        base = low;
        if (high > done) {
            const float* x = band_of(a, p.view, band.n, band.g, done, high - done, copy);
            float* out = buffer + (done - base) * pitch;
            product.m = 0;
            for (int64_t oy = 0; oy < high - done; ++oy)
                for (int64_t ox = 0; ox < a.OW; ++ox, ++product.m) {
                    from[product.m] = x + oy * a.SH * p.view.row + ox * a.SW * p.view.pixel;
                    to[product.m] = out + product.m * p.width;
                }
            multiply(product, band.first_panel, band.last_panel);
            done = high;
        }
        for (int64_t i = q; i < q + pooled; ++i) {
            w.y = a.y + band.at(a, p, i);
            // Few channels are stored as a whole vector, which the next window overwrites; not those of groups.
            w.space = p.columns < V && a.GROUPS == 1 ? (band.end - i) * a.QW * a.O : 0;
            w.argmax = a.argmax ? a.argmax + band.at(a, p, i) : nullptr;
            pool_row(a, p, buffer, base, i, w);
        }
    }
}

void convolve_and_pool(const Conv2dPool& a, Plan p, Context& context) {
    Memory laid{context.prepared};
    static_cast<Weights&>(p) = weights_of(a, laid);
    const bool quads = in_registers(a, p);
    parallel_for(a.N * a.GROUPS * p.bands * p.shares, double(a.N * a.OH * a.OW) * double(p.depth * a.O),
                 [&](int64_t task, Arena& arena) {
                     const Band band = band_of(a, p, task);
                     quads ? band_of_quads(a, p, band, arena) : band_by_buffer(a, p, band, arena);
                 });
}

constexpr Kernel direct = prepared<lay_weights<Conv2dPool>>(kernel<plan_of, convolve_and_pool>());
constexpr Kernel winograd = guarded<Conv2dPool, kernels::winograd_conv2d_pool, kernels::conv2d_pool>();
constexpr Kernel winograd_rows = guarded<Conv2dPool, kernels::winograd_rows_conv2d_pool, kernels::conv2d_pool>();
const Kernel& choose(const Conv2dPool& a) {
    const int64_t algorithm = algorithm_of(a);
    return algorithm == kDirect ? direct : algorithm == kWinogradRows ? winograd_rows : winograd;
}

}  // namespace

const Kernel kernels::conv2d_pool = chosen<Conv2dPool, choose, algorithm_of>();

}  // namespace pellucid::PELLUCID_ISA_NAMESPACE
