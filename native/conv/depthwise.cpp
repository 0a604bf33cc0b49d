// Depthwise convolution, forward and to the input. Vectors go over channels.
//
// A tile is T results of a row, for one vector of channels: the taps of a kernel's row and T sums lie in registers, and
// each number of the row is loaded once for all sums that it belongs to. Loop order: rows > tiles > vectors of channels
// > rows of the kernel > columns; so memory is read in the order in which it lies, and a row of pictures comes from L2
// for the second and third row of the kernel. What lies on padding is left out: rows by the list of those that there
// are, columns by a comparison, which costs nothing beside the products.
//
// To the input it is the same sum read backwards: dx[y] takes dy[(y + top - a) / SH] for each tap a that leaves no
// remainder. With stride 1 that is a kernel turned round; with stride 2 a tile begins where the remainder is none, and
// its even and odd results have taps of their own.
//
// Other kernels, strides and dilations, and channels that fill no vector: each result by itself, by a list of its taps,
// four vectors of channels at a time. Task = (picture, band of rows, chunk of channels).
#include "conv/depthwise.hpp"

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

    // The row or column read for tap k of result i, or one that is not there.
    static int64_t place(bool back, int64_t i, int64_t k, int64_t stride, int64_t dilation, int64_t before) {
        if (!back) return i * stride + k * dilation - before;
        const int64_t p = i + before - k * dilation;
        return p % stride ? -1 : p / stride;
    }
    int64_t row_of(int64_t y, int64_t a) const { return place(back, y, a, SH, DH, TOP); }
    int64_t column_of(int64_t x, int64_t b) const { return place(back, x, b, SW, DW, LEFT); }
};

Sweep sweep_of(const Conv2d& a) {
    return {a.x, a.kernel, a.bias, a.addend, a.y, false, a.N, a.H, a.W, a.OH, a.OW, a.C, a.O / a.C, a.KH, a.KW,
            a.SH, a.SW, a.DH, a.DW, a.TOP, a.LEFT, a.ACTIVATION, numbers_of(a)};
}
Sweep sweep_of(const Conv2dBackwardInput& a) {
    return {a.dy, a.kernel, nullptr, nullptr, a.dx, true, a.N, a.OH, a.OW, a.H, a.W, a.C, a.O / a.C, a.KH, a.KW,
            a.SH, a.SW, a.DH, a.DW, a.TOP, a.LEFT, kLinear, {}};
}

// Results next to each other in a row, of some channels. Pointers are to the first of these channels.
struct RowTile {
    const float* const* rows;  // read, and the kernel's row for each
    const float* const* taps;
    int64_t count;
    int64_t pixel, tap;                 // strides
    int64_t column;                     // read first
    const float* const* border;         // of a tile at a border: what is read, for each row and column
    const float *ahead, *further;       // rows that the next results read too, to be fetched, or null
    float* out;                         // of the tile's first result, which may lie outside
    int64_t stride;
    int64_t first, last;  // results to be written
    const float *bias, *addend;
    int64_t channels;
    int64_t activation;
    Numbers numbers;
};

template <int T, bool BORDER>
PELLUCID_INLINE void finish(const RowTile& t, vf (&sum)[T], int64_t c) {
    if (t.addend) {
#pragma GCC unroll 16
        for (int i = 0; i < T; ++i)
            if (!BORDER || (i >= t.first && i < t.last)) sum[i] += load(t.addend + i * t.stride + c);
    }
    if (t.activation == kRelu) {
#pragma GCC unroll 16
        for (int i = 0; i < T; ++i) sum[i] = rectified(sum[i]);
    } else if (t.activation == kRelu6 && t.numbers.clips()) {
#pragma GCC unroll 16
        for (int i = 0; i < T; ++i) sum[i] = clipped(sum[i], t.numbers.ceiling);
    } else if (t.activation == kLeakyRelu) {
#pragma GCC unroll 16
        for (int i = 0; i < T; ++i) sum[i] = select(sum[i] < 0.0f, sum[i] * t.numbers.slope, sum[i]);
    }
    float* out = t.out + c;
#pragma GCC unroll 16
    for (int i = 0; i < T; ++i, out += t.stride)
        if (!BORDER || (i >= t.first && i < t.last)) store(out, sum[i]);
}

// BACK: to the input with stride S.
template <int KW, int S, bool BACK, int T>
struct Shape {
    static constexpr int kReach = BACK ? (KW - 1) / S : 0;
    static constexpr int kColumns = BACK ? (T - 1) / S + 1 + kReach : (T - 1) * S + KW;
    static constexpr int tap(int i, int j) { return BACK ? i - (j - kReach) * S : j - i * S; }
};

PELLUCID_INLINE void fetch(const float* row, int64_t pixel, int columns) {
    for (int j = 0; j < columns; ++j, row += pixel) __builtin_prefetch(row, 0, 2);
}

template <int KW, int S, bool BACK, int T, bool BORDER>
__attribute__((noinline)) void row_tile(const RowTile& t) {
    using K = Shape<KW, S, BACK, T>;
    const int64_t pixel = t.pixel, tap_stride = t.tap, count = t.count;
    for (int64_t c0 = 0; c0 < t.channels; c0 += V) {
        const int64_t c = vector_start(c0, t.channels);
        if (!BORDER && t.ahead) {
            fetch(t.ahead + t.column * pixel + c, pixel, T * (BACK ? 1 : S));
            if (t.further) fetch(t.further + t.column * pixel + c, pixel, T * (BACK ? 1 : S));
        }
        vf sum[T];
        const vf start = t.bias ? load(t.bias + c) : vf{};
#pragma GCC unroll 16
        for (int i = 0; i < T; ++i) sum[i] = start;
        const float* const* border = t.border;
        for (int64_t r = 0; r < count; ++r) {
            const float* x = BORDER ? nullptr : t.rows[r] + (t.column * pixel + c);
            const float* from = t.taps[r] + c;
            vf tap[KW];
#pragma GCC unroll 8
            for (int b = 0; b < KW; ++b, from += tap_stride) tap[b] = load(from);
#pragma GCC unroll 32
            for (int j = 0; j < K::kColumns; ++j) {
                const vf v = load(BORDER ? border[j] + c : x);
                if (!BORDER) x += pixel;
#pragma GCC unroll 16
                for (int i = 0; i < T; ++i)
                    if (K::tap(i, j) >= 0 && K::tap(i, j) < KW) sum[i] += v * tap[K::tap(i, j)];
            }
            border += K::kColumns;
        }
        finish<T, BORDER>(t, sum, c);
    }
}

struct TileKind {
    int64_t KW, S;
    bool back;
    int64_t T, reach, columns;  // columns read, and how many of them come before that of the first result
    void (*inner)(const RowTile&);
    void (*border)(const RowTile&);
};
template <int KW, int S, bool BACK, int T>
constexpr TileKind tile_kind() {
    using K = Shape<KW, S, BACK, T>;
    return {KW, S, BACK, T, K::kReach, K::kColumns, row_tile<KW, S, BACK, T, false>, row_tile<KW, S, BACK, T, true>};
}
#define PELLUCID_TILE_KINDS(KW)                                                                                       \
    tile_kind<KW, 1, false, 8>(), tile_kind<KW, 1, false, 7>(), tile_kind<KW, 1, false, 4>(),                     \
        tile_kind<KW, 2, false, 8>(), tile_kind<KW, 2, false, 7>(), tile_kind<KW, 2, false, 4>(),                 \
        tile_kind<KW, 2, true, 8>(), tile_kind<KW, 2, true, 4>()
constexpr TileKind kTileKinds[] = {PELLUCID_TILE_KINDS(3), PELLUCID_TILE_KINDS(5)};

constexpr int64_t kNear = 4 << 20;  // floats that may lie in a cache

struct Plan {
    Sweep s;
    Chunks chunks;
    int64_t rows, bands;
    const TileKind* kind;  // null: result by result
    bool far;              // what is read does not lie in the caches
    bool turned;           // to the input with stride 1: forward, the kernel read from its end
};

// The tiles that fill a row with the least to spare.
const TileKind* kind_of(const Sweep& s, bool back) {
    const TileKind* best = nullptr;
    int64_t least = 0;
    if (s.C < V || s.DW != 1) return nullptr;
    for (const TileKind& kind : kTileKinds) {
        if (kind.KW != s.KW || kind.S != s.SW || kind.back != back) continue;
        const int64_t cost = ceil_div(s.OW, kind.T) * (kind.T + 1);
        if (best && cost >= least) continue;
        best = &kind;
        least = cost;
    }
    return best;
}

template <typename Arguments>
Plan plan_of(const Arguments& a, Memory&) {
    const Sweep s = sweep_of(a);
    Plan p;
    p.s = s;
    p.turned = s.back && s.SW == 1;
    p.far = s.N * s.IH * s.IW * s.read_channels() > kNear;
    p.kind = kind_of(s, s.back && !p.turned);
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
            t.border = border;
            const int64_t next = s.row_of(y + 1, s.KH - 1);
            t.ahead = p.far && next >= 0 && next < s.IH ? row_at(next) : nullptr;
            t.further = t.ahead && s.SH == 2 && !s.back && next > 0 ? row_at(next - 1) : nullptr;
            const TileKind& k = *p.kind;
            // to the input with a stride: from the last result at which tap 0 meets a column
            const int64_t x0 = k.back ? -(s.LEFT % s.SW) : 0;
            for (int64_t x = x0; x < s.OW; x += k.T) {
                t.column = (k.back ? (x + s.LEFT) / s.SW : p.turned ? x + s.LEFT - turn : x * s.SW - s.LEFT) - k.reach;
                t.first = at_least(-x, 0);
                t.last = s.OW - x;
                t.out = out + x * t.stride;
                t.addend = addend ? addend + x * t.stride : nullptr;
                if (t.column >= 0 && t.column + k.columns <= s.IW && t.first == 0 && t.last >= k.T) {
                    k.inner(t);
                    continue;
                }
                for (int64_t r = 0; r < t.count; ++r)
                    for (int64_t j = 0; j < k.columns; ++j) {
                        const int64_t column = t.column + j;
                        const bool inside = column >= 0 && column < s.IW;
                        border[r * k.columns + j] = inside ? rows[r] + column * pixel : zeros;
                    }
                k.border(t);
            }
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
                t.addend = addend ? addend + x * t.stride : nullptr;
                one_result(t);
            }
        }
        if (!summed) continue;
        float* const dx = s.out + at;
        for (int64_t x = 0; x < s.OW; ++x)
            for (int64_t c = 0; c < channels; ++c) {
                float sum = 0;
                for (int64_t m = 0; m < s.M; ++m) sum += sums[x * filters + c * s.M + m];
                dx[x * s.C + c] = sum;
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
