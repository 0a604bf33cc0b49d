// Convolution + bias + activation + pooling in one pass: the unpooled map is never written to memory.
//
// A task goes down the pooled rows of one picture (and group), a few at a time. The rows of the convolution they need
// are made by the gather product (common/gather_gemm.hpp: loop order and register tile) in a buffer of the thread, and pooled
// from there while they lie in L1 or L2. Rows that the next windows share (3x3 windows, stride 2) stay in the buffer;
// only where a task begins are they computed again. The buffer's channels are padded to whole vectors, so that tiles
// never store a part of a vector. The sums are those of conv2d, bit by bit.
//
// Maximum: the activation comes after it (all of them rise, so it is the same, with a quarter of the work for 2x2), and
// the winner's place in its window is kept as one byte; kRouteless where a ReLU gave zero, since no gradient goes there.
//
// Measured against convolution and pooling as two steps, with the winners' places (Zen 3, one thread, ms): 5x5, 1 -> 30,
// 100 x 28x28: 1.65 for 2.4; 3x3, 3 -> 36, 128 x 32x32: 5.2 for 7.6; 36 -> 72 at 16x16: 17.3 for 18.5. So pooling costs
// what its comparisons do. Two pictures of AlexNet's first layer lose 5 to 15 %.
//
// Short sums (up to 256 terms) under 2x2 windows without padding never see the buffer: a register tile is the four pixels
// of one window (quad below). 5x5, 1 -> 30 then takes 1.38 ms, 1.16 where nobody asks for the places. On one channel
// winograd/rows.cpp is faster.
//
// Average: the activation is in the tiles' epilogue. Task = (image, group, band of pooled rows, share of the panels).
#include "conv/conv2d.hpp"
#include "conv/choice.hpp"
#include "winograd/range.hpp"
#include "conv/conv2d_pool.hpp"
#include "runtime/parallel.hpp"

namespace pellucid {
namespace PELLUCID_ISA_NAMESPACE {
namespace {

constexpr int64_t kBufferBytes = 160 << 10;  // of convolved rows: L2, beside the panels. 12, 24 and 48 KB were no faster
                                             // for few channels and 30 % slower for 96 -> 256

struct Plan : Weights {
    View view;
    int64_t width;  // of a group's columns up to whole vectors
    int64_t step;   // pooled rows at a time
    int64_t bands, shares;
};

Plan plan_of(const Conv2dPool& a, void* workspace) {
    Plan p{weights_of(a, workspace), view_of(a), 0, 0, 0, 0};
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

struct Job {
    const Conv2dPool& a;
    const Plan& p;
};

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
    float slope;
};

// TAPS: how many, where it is known beforehand; 0: w.taps. What does not change is copied out of w: the compiler has to
// believe that the bytes written may lie there.
template <int TAPS, bool PLACES>
PELLUCID_INLINE void pool_max(const Window& w) {
    const int64_t taps = TAPS ? TAPS : w.taps, end = w.end, kind = w.kind;
    const bool whole = w.space >= V;
    const float slope = w.slope;
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
        if (kind != kLinear) best = activated(best, kind, slope);
        store_lanes(y + c, best, lanes);
        if (PLACES) {
            if (kind == kRelu) winner |= ~(best > 0.0f) & kRouteless;
            store_bytes(argmax + c, narrow(winner), lanes);
        }
    }
}

void pool_average(const Window& w) {
    for (int64_t c0 = w.begin; c0 < w.end; c0 += V) {
        const int64_t c = w.begin + vector_start(c0 - w.begin, w.end - w.begin), lanes = w.space >= V ? V : at_most(w.end - c, V);
        vf sum = vf{};
        for (int64_t t = 0; t < w.taps; ++t) sum += load(w.rows + w.at[t] + c);
        store_lanes(w.y + c, sum / float(w.taps), lanes);
    }
}

// Short sums under 2x2 windows: the four pixels of a window are the rows of a register tile of NV vectors, pooled before
// they leave the registers. Sums of one block of k, so they are those of conv2d.
struct Quad {
    const float* pixel[4];
    const int32_t* offset;
    int64_t depth;
    const float* panel;
    const float* bias;  // padded to whole vectors, or null
    int64_t columns;    // of the panel, at most NV * V
    int64_t kind;
    float slope;
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
        if (q.kind != kLinear) best = activated(best, q.kind, q.slope);
        const int64_t lanes = at_most(q.columns - v * V, V);
        store_lanes(q.y + v * V, best, lanes);
        if (!PLACES) continue;
        if (q.kind == kRelu) winner |= ~(best > 0.0f) & kRouteless;
        store_bytes(q.argmax + v * V, narrow(winner), lanes);
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

void band(void* context, int64_t task, Arena& arena) {
    const Conv2dPool& a = static_cast<const Job*>(context)->a;
    const Plan& p = static_cast<const Job*>(context)->p;
    const int64_t share = task % p.shares;
    task /= p.shares;
    const int64_t index = task % p.bands;
    task /= p.bands;
    const int64_t g = task % a.GROUPS, n = task / a.GROUPS;
    const int64_t first_panel = p.panels * share / p.shares, last_panel = p.panels * (share + 1) / p.shares;
    const int64_t most = at_most((p.step - 1) * a.PSH + a.PH, a.OH);

    Pieces pieces{nullptr, 0};
    for (int pass = 0; pass < 2; ++pass) {  // count, then take
        if (pass == 1) pieces = Pieces{static_cast<char*>(arena_reserve(arena, size_t(pieces.used))), 0};
        float* buffer = pieces.take<float>(most * a.OW * p.width);
        float* copy = pieces.take<float>(copy_floats(a, p.view, most));
        const float** from = pieces.take<const float*>(most * a.OW);
        float** to = pieces.take<float*>(most * a.OW);
        if (pass == 0) continue;
        Product product;
        product.rows = from;
        product.out = to;
        product.depth = p.depth;
        product.offset = p.offset;
        product.packed = p.packed + g * packed_floats(p.depth, p.columns);
        product.columns = p.width;
        product.accumulate = false;
        product.epilogue = {a.bias ? p.bias + g * round_up(p.columns, kWide) : nullptr,
                            a.POOL ? a.ACTIVATION : kLinear, float(a.slope)};
        Window w;
        w.begin = first_panel * kWide;
        w.end = at_most(last_panel * kWide, p.columns);
        w.kind = a.ACTIVATION;
        w.slope = float(a.slope);
        const int64_t end = a.QH * (index + 1) / p.bands;
        if (in_registers(a, p)) {
            for (int64_t row = a.QH * index / p.bands; row < end; ++row) {
                const float* x = band_of(a, p.view, n, g, 2 * row, 2, copy);
                const int64_t below = a.SH * p.view.row, beside = a.SW * p.view.pixel;
                const int64_t at = ((n * a.QH + row) * a.QW) * a.O + g * p.columns;
                for (int64_t j = first_panel; j < last_panel; ++j) {
                    Quad q;
                    q.offset = p.offset;
                    q.depth = p.depth;
                    q.panel = product.packed + j * kWide * p.depth;
                    q.bias = product.epilogue.bias ? product.epilogue.bias + j * kWide : nullptr;
                    q.columns = panel_columns(p.columns, j);
                    q.kind = a.ACTIVATION;
                    q.slope = float(a.slope);
                    void (*const multiply)(const Quad&) =
                        q.columns > V ? (a.argmax ? quad<2, true> : quad<2, false>) : a.argmax ? quad<1, true> : quad<1, false>;
                    for (int64_t r = 0; r < a.QW; ++r) {
                        const float* corner = x + 2 * r * beside;
                        q.pixel[0] = corner;
                        q.pixel[1] = corner + beside;
                        q.pixel[2] = corner + below;
                        q.pixel[3] = corner + below + beside;
                        q.y = a.y + at + r * a.O + j * kWide;
                        q.argmax = a.argmax ? a.argmax + at + r * a.O + j * kWide : nullptr;
                        multiply(q);
                    }
                }
            }
            return;
        }
        int64_t base = 0, done = 0;  // the buffer holds rows [base, done)
        for (int64_t q = a.QH * index / p.bands; q < end; q += p.step) {
            const int64_t pooled = at_most(end - q, p.step);
            const int64_t low = at_least(q * a.PSH - a.PTOP, 0);
            const int64_t high = at_most((q + pooled - 1) * a.PSH - a.PTOP + a.PH, a.OH);
            if (done > low)
                memmove(buffer, buffer + (low - base) * a.OW * p.width, size_t((done - low) * a.OW * p.width) * 4);
            else
                done = low;
            base = low;
            if (high > done) {
                const float* x = band_of(a, p.view, n, g, done, high - done, copy);
                float* out = buffer + (done - base) * a.OW * p.width;
                product.m = 0;
                for (int64_t oy = 0; oy < high - done; ++oy)
                    for (int64_t ox = 0; ox < a.OW; ++ox, ++product.m) {
                        from[product.m] = x + oy * a.SH * p.view.row + ox * a.SW * p.view.pixel;
                        to[product.m] = out + product.m * p.width;
                    }
                multiply(product, first_panel, last_panel);
                done = high;
            }
            for (int64_t i = q; i < q + pooled; ++i) {
                const int64_t at = ((n * a.QH + i) * a.QW) * a.O + g * p.columns;
                w.y = a.y + at;
                // Few channels are stored as a whole vector, which the next window overwrites; not those of groups.
                w.space = p.columns < V && a.GROUPS == 1 ? (end - i) * a.QW * a.O : 0;
                w.argmax = a.argmax ? a.argmax + at : nullptr;
                pool_row(a, p, buffer, base, i, w);
            }
        }
    }
}

const Kernel& winograd_way(const Conv2dPool& a) {
    return algorithm_of(a) == kWinogradRows ? winograd_rows_family.kernels[0] : winograd_family.kernels[2];
}

void conv2d_pool(const void* arguments, Context& context) {
    const Conv2dPool& a = *static_cast<const Conv2dPool*>(arguments);
    if (algorithm_of(a) != kDirect) return run_guarded(a, context, winograd_way(a), conv2d_pool);
    const Plan p = plan_of(a, context.workspace);
    pack_weights(a, p.view, p);
    Job job{a, p};
    parallel_for(a.N * a.GROUPS * p.bands * p.shares, double(a.N * a.OH * a.OW) * double(p.depth * a.O), band, &job);
}

int64_t workspace_bytes(const void* arguments) {
    const Conv2dPool& a = *static_cast<const Conv2dPool*>(arguments);
    if (algorithm_of(a) != kDirect) return guarded_bytes(a, winograd_way(a), workspace_bytes);
    return plan_of(a, nullptr).bytes;
}

const Kernel kKernels[] = {{"conv2d_pool", conv2d_pool, workspace_bytes, algorithm_number<Conv2dPool>}};

}  // namespace

extern const Family conv2d_pool_family;
const Family conv2d_pool_family = {kKernels, 1};

}  // namespace PELLUCID_ISA_NAMESPACE
}  // namespace pellucid
