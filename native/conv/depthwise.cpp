// Depthwise convolution, forward and to the input. Vectors go over channels.
//
// Loop order: rows > tiles of a row (conv/depthwise_rows.hpp) > vectors of channels; so memory is read in the order in
// which it lies, and a row of pictures comes from L2 for the second and third row of the kernel. Rows on padding are
// left out by the list of those that there are.
//
// To the input it is the same sum read backwards: dx[y] takes dy[(y + top - a) / SH] for each tap a that leaves no
// remainder. With stride 1 that is a kernel turned round; with stride 2 a tile begins where the remainder is none, and
// its even and odd results have taps of their own.
//
// Other kernels, strides and dilations, and channels that fill no vector: each result by itself, by a list of its taps,
// four vectors of channels at a time. Task = (picture, band of rows, chunk of channels).
#include "conv/depthwise_rows.hpp"

namespace pellucid::PELLUCID_ISA_NAMESPACE {
namespace {

// One of both directions: a sum over taps of what is read, for each number written.
struct Sweep {
    const float *in, *kernel, *bias, *addend;
    float* out;
    bool back;                        // to the input
    int64_t N, IH, IW, OH, OW, C, M;  // pictures read and written; filters of a channel
    int64_t KH, KW, SH, SW, DH, DW, TOP, LEFT;
    int64_t activation;
    Numbers numbers;

    int64_t read_channels() const { return back ? C * M : C; }
    int64_t written_channels() const { return back ? C : C * M; }
    bool repeated() const { return !back && M > 1; }

    int64_t row_of(int64_t y, int64_t a) const { return place(back, y, a, SH, DH, TOP); }
    int64_t column_of(int64_t x, int64_t b) const { return place(back, x, b, SW, DW, LEFT); }
};

Sweep sweep_of(const Conv2d& a) {
    return {a.x, a.kernel, a.bias, a.addend, a.y, false, a.N, a.H, a.W, a.OH, a.OW, a.C, a.O / a.C, a.KH, a.KW,
            a.SH, a.SW, a.DH, a.DW, a.TOP, a.LEFT, a.ACTIVATION, numbers_of(a)};
}
Sweep sweep_of(const Conv2dBackwardInput& a) {
    return {a.dy, a.kernel, nullptr, a.addend, a.dx, true, a.N, a.OH, a.OW, a.H, a.W, a.C, a.O / a.C, a.KH, a.KW,
            a.SH, a.SW, a.DH, a.DW, a.TOP, a.LEFT, kLinear, {}};
}

constexpr int64_t kNear = 4 << 20;  // floats that may lie in a cache

struct Plan {
    Sweep s;
    Chunks chunks;
    int64_t rows, bands;
    const TileKind* kind;  // null: result by result
    bool far;              // what is read does not lie in the caches
    bool turned;           // to the input with stride 1: forward, the kernel read from its end
};

template <typename Arguments>
Plan plan_of(const Arguments& a, Memory&) {
    const Sweep s = sweep_of(a);
    Plan p;
    p.s = s;
    p.turned = s.back && s.SW == 1;
    p.far = s.N * s.IH * s.IW * s.read_channels() > kNear;
    p.kind = s.C < V || s.DW != 1 ? nullptr : kind_of(s.back && !p.turned, s.KW, s.SW, s.OW);
    p.chunks = chunks_of(s.C, s.M, 1);
    const int64_t chunk = ceil_div(s.C, p.chunks.count) * s.M;
    const int64_t step = s.back ? 1 : s.SH;
    p.rows = at_most(at_least(kRowBytes / at_least(4 * step * s.IW * chunk, 1), 1), s.OH);
    while (s.N * ceil_div(s.OH, p.rows) * p.chunks.count < kTasks && p.rows > 1) p.rows = ceil_div(p.rows, 2);
    p.bands = ceil_div(s.OH, p.rows);
    const int64_t tasks = at_least(s.N * p.bands, 1);
    p.chunks = chunks_of(s.C, s.M, at_most(ceil_div(kTasks, tasks), ceil_div(s.C, 2 * V)));
    return p;
}

// Results one by one, by lists of what is read and of the tap for each.
void one_result(const RowTile& t) {
    const int64_t whole = t.channels / (4 * V) * (4 * V);
    for (int64_t c = 0; c < whole; c += 4 * V) {
        vf sum[4];
#pragma GCC unroll 4
        for (int v = 0; v < 4; ++v) sum[v] = t.bias ? load(t.bias + c + v * V) : vf{};
        for (int64_t k = 0; k < t.count; ++k)
#pragma GCC unroll 4
            for (int v = 0; v < 4; ++v) sum[v] += load(t.rows[k] + c + v * V) * load(t.taps[k] + c + v * V);
#pragma GCC unroll 4
        for (int v = 0; v < 4; ++v) store(t.out + c + v * V, sum[v]);
    }
    for (int64_t c = whole; c < t.channels; c += V) {
        const int64_t lanes = at_most(t.channels - c, V);
        vf sum = t.bias ? load_lanes(t.bias + c, lanes) : vf{};
        for (int64_t k = 0; k < t.count; ++k)
            sum += load_lanes(t.rows[k] + c, lanes) * load_lanes(t.taps[k] + c, lanes);
        store_lanes(t.out + c, sum, lanes);
    }
    if (t.addend) activate_rows(t.out, t.addend, 1, t.channels, t.channels, t.activation, t.numbers);
    else if (t.activation != kLinear) activate_span(t.out, t.channels, t.activation, t.numbers);
}

void run_band(const Plan& p, int64_t task, Arena& arena) {
    const Sweep& s = p.s;
    const int64_t chunk = task % p.chunks.count;
    task /= p.chunks.count;
    const int64_t n = task / p.bands, first = task % p.bands * p.rows, last = at_most(first + p.rows, s.OH);
    const int64_t c0 = p.chunks.first(chunk), channels = p.chunks.first(chunk + 1) - c0;
    const int64_t f0 = c0 * s.M, filters = channels * s.M;  // numbers of a pixel that the taps go with

    // Rows read by the band, their channels repeated where each has several filters.
    const int64_t top = at_most(at_least(first * s.SH - s.TOP, 0), s.IH);
    const int64_t bottom = at_most((last - 1) * s.SH + (s.KH - 1) * s.DH + 1 - s.TOP, s.IH);
    const int64_t list = at_most(s.KH, s.IH) * (p.kind ? 1 : at_most(s.KW, s.IW));  // no tap reads what another does
    const bool summed = s.back && s.M > 1;
    float *copy, *sums, *zeros;
    const float **rows, **taps, **border;
    take(arena, piece(rows, list), piece(taps, list), piece(border, p.kind ? list * p.kind->columns : 0),
         piece(zeros, filters), piece(sums, summed ? s.OW * filters : 0),
         piece(copy, s.repeated() ? at_least(bottom - top, 0) * s.IW * filters : 0));
    const float* in = s.in + n * s.IH * s.IW * s.read_channels();
    const int64_t pixel = s.repeated() ? filters : s.read_channels();
    if (s.repeated())
        for (int64_t i = top * s.IW; i < bottom * s.IW; ++i)
            repeat_channels(in + i * s.C + c0, channels, s.M, copy + (i - top * s.IW) * filters);

    memset(zeros, 0, size_t(filters) * sizeof(float));
    const int64_t all = s.C * s.M;
    RowTile t;
    t.rows = rows;
    t.taps = taps;
    t.pixel = pixel;
    t.channels = filters;
    t.bias = s.bias ? s.bias + f0 : nullptr;
    t.activation = s.activation;
    t.numbers = s.numbers;
    t.stride = summed ? filters : s.written_channels();
    const int64_t turn = p.turned ? s.KW - 1 : 0;
    RowSweep sweep{p.kind, p.turned, s.IW, s.OW, s.KW, s.SW, s.LEFT, zeros, border, {}, 0};
    for (int64_t y = first; y < last; ++y) {
        const int64_t at = (n * s.OH + y) * s.OW * s.written_channels() + (s.back ? c0 : f0);
        float* const out = summed ? sums : s.out + at;
        const float* const addend = s.addend ? s.addend + at : nullptr;
        const auto row_at = [&](int64_t row) {
            return s.repeated() ? copy + (row - top) * s.IW * filters : in + row * s.IW * pixel + f0;
        };
        if (p.kind) {
            t.count = 0;
            for (int64_t a = 0; a < s.KH; ++a) {
                const int64_t row = s.row_of(y, a);
                if (row < 0 || row >= s.IH) continue;
                rows[t.count] = row_at(row);
                taps[t.count++] = s.kernel + (a * s.KW + turn) * all + f0;
            }
            t.tap = p.turned ? -all : all;
            const int64_t next = s.row_of(y + 1, s.KH - 1);
            const bool fetched = p.far && next >= 0 && next < s.IH;
            sweep.streams = !fetched ? 0 : s.SH == 2 && !s.back && next > 0 ? 2 : 1;
            for (int64_t i = 0; i < sweep.streams; ++i)
                sweep.ahead[i] = {row_at(next - i), pixel, s.back ? 1.0 / double(s.SW) : double(s.SW)};
            sweep_row(sweep, t, out, summed ? nullptr : addend);
            if (runs_behind(s.activation, s.numbers))
                for (int64_t x = 0; x < s.OW; ++x)
                    activate_span(out + x * t.stride, filters, s.activation, s.numbers);
        } else {
            for (int64_t x = 0; x < s.OW; ++x) {
                t.count = 0;
                for (int64_t a = 0; a < s.KH; ++a) {
                    const int64_t row = s.row_of(y, a);
                    if (row < 0 || row >= s.IH) continue;
                    for (int64_t b = 0; b < s.KW; ++b) {
                        const int64_t column = s.column_of(x, b);
                        if (column < 0 || column >= s.IW) continue;
                        rows[t.count] = row_at(row) + column * pixel;
                        taps[t.count++] = s.kernel + (a * s.KW + b) * all + f0;
                    }
                }
                t.out = out + x * t.stride;
                t.addend = addend && !summed ? addend + x * t.stride : nullptr;
                one_result(t);
            }
        }
        if (!summed) continue;
        float* const dx = s.out + at;
        for (int64_t x = 0; x < s.OW; ++x)
            for (int64_t c = 0; c < channels; ++c) {
                float sum = 0;
                for (int64_t m = 0; m < s.M; ++m) sum += sums[x * filters + c * s.M + m];
                dx[x * s.C + c] = addend ? sum + addend[x * s.C + c] : sum;
            }
    }
}

template <typename Arguments>
void run(const Arguments& a, const Plan& p) {
    const double products = double(a.N * a.OH * a.OW) * double(a.O * a.KH * a.KW);
    parallel_for(a.N * p.bands * p.chunks.count, products,
                 [&](int64_t task, Arena& arena) { run_band(p, task, arena); });
}

}  // namespace

const Kernel kernels::depthwise_conv2d = kernel<plan_of<Conv2d>, run<Conv2d>>();
const Kernel kernels::depthwise_conv2d_backward_input = kernel<plan_of<Conv2dBackwardInput>, run<Conv2dBackwardInput>>();

}  // namespace pellucid::PELLUCID_ISA_NAMESPACE
