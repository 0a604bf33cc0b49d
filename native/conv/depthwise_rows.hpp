// Rows of a depthwise convolution's results, forward and to the input.
//
// A tile is T results of a row, for one vector of channels: the taps of a kernel's row and T sums lie in registers, and
// each number of the row is loaded once for all sums that it belongs to. Loop order: tiles > vectors of channels > rows
// of the kernel > columns. Columns on padding are left out by a comparison, which costs nothing beside the products.
#pragma once
#include "conv/depthwise.hpp"

namespace pellucid::PELLUCID_ISA_NAMESPACE {
namespace {

// The row or column read for tap k of result i, or one that is not there.
inline int64_t place(bool back, int64_t i, int64_t k, int64_t stride, int64_t dilation, int64_t before) {
    if (!back) return i * stride + k * dilation - before;
    const int64_t p = i + before - k * dilation;
    return p % stride ? -1 : p / stride;
}

// A row that will soon be read or written, and is fetched into L2 while tiles go along theirs.
constexpr int kStreams = 4;
struct Stream {
    const float* row;
    int64_t pixel;     // stride
    double columns;    // for each result
};

// Results next to each other in a row, of some channels. Pointers are to the first of these channels.
struct RowTile {
    const float* const* rows;  // read, and the kernel's row for each
    const float* const* taps;
    int64_t count;
    int64_t pixel, tap;                 // strides
    int64_t column;                     // read first
    const float* const* border;         // of a tile at a border: what is read, for each row and column
    Stream ahead[kStreams];             // from the tile's part of the row on
    int64_t streams;
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
        for (int64_t k = 0; k < t.streams; ++k)
            fetch(t.ahead[k].row + c, t.ahead[k].pixel, int(T * t.ahead[k].columns));
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

// The tiles that fill a row of `width` results with the least to spare; null where none does.
inline const TileKind* kind_of(bool back, int64_t KW, int64_t stride, int64_t width) {
    const TileKind* best = nullptr;
    int64_t least = 0;
    for (const TileKind& kind : kTileKinds) {
        if (kind.KW != KW || kind.S != stride || kind.back != back) continue;
        const int64_t cost = ceil_div(width, kind.T) * (kind.T + 1);
        if (best && cost >= least) continue;
        best = &kind;
        least = cost;
    }
    return best;
}

// How tiles go along a row: that of the input of `IW` columns, of results of `OW`.
struct RowSweep {
    const TileKind* kind;
    bool turned;  // to the input with stride 1: forward, the kernel read from its end
    int64_t IW, OW, KW, SW, LEFT;
    const float* zeros;    // a pixel where no column is
    const float** border;  // room for each row and column of a tile
    Stream ahead[kStreams];
    int64_t streams;
};

// One row of results; of t, what belongs to the row is set.
inline void sweep_row(const RowSweep& s, RowTile& t, float* out, const float* addend) {
    const TileKind& k = *s.kind;
    t.border = s.border;
    // to the input with a stride: from the last result at which tap 0 meets a column
    const int64_t x0 = k.back ? -(s.LEFT % s.SW) : 0;
    for (int64_t x = x0; x < s.OW; x += k.T) {
        t.column = (k.back     ? (x + s.LEFT) / s.SW
                    : s.turned ? x + s.LEFT - (s.KW - 1)
                               : x * s.SW - s.LEFT) - k.reach;
        t.first = at_least(-x, 0);
        t.last = s.OW - x;
        t.out = out + x * t.stride;
        t.addend = addend ? addend + x * t.stride : nullptr;
        t.streams = s.streams;
        for (int64_t i = 0; i < s.streams; ++i) {
            t.ahead[i] = s.ahead[i];
            t.ahead[i].row += int64_t(double(at_least(x, 0)) * t.ahead[i].columns) * t.ahead[i].pixel;
        }
        if (t.column >= 0 && t.column + k.columns <= s.IW && t.first == 0 && t.last >= k.T) {
            k.inner(t);
            continue;
        }
        for (int64_t r = 0; r < t.count; ++r)
            for (int64_t j = 0; j < k.columns; ++j) {
                const int64_t column = t.column + j;
                const bool inside = column >= 0 && column < s.IW;
                s.border[r * k.columns + j] = inside ? t.rows[r] + column * t.pixel : s.zeros;
            }
        k.border(t);
    }
}

// Rows of a map as they are read: where they lie, or made in a ring.
struct Rows {
    float* ring;
    int64_t held, size;    // rows in the ring; floats of one
    const float* picture;  // without a ring
    int64_t ready;         // rows up to this one are in the ring, or have been
    const float* at(int64_t row) const { return ring ? ring + row % held * size : picture + row * size; }
    template <typename Make>
    PELLUCID_INLINE void make(int64_t end, const Make& make_row) {
        for (; ring && ready < end; ++ready) make_row(ready, ring + ready % held * size);
    }
};

// Of row y, rows read and the kernel's row for each.
template <typename Arguments>
void list_rows(const Arguments& a, bool back, int64_t y, int64_t read, int64_t turn, int64_t c0, const Rows& from,
               const float** rows, const float** taps, RowTile& t) {
    t.count = 0;
    for (int64_t tap = 0; tap < a.KH; ++tap) {
        const int64_t row = place(back, y, tap, a.SH, 1, a.TOP);
        if (row < 0 || row >= read) continue;
        rows[t.count] = from.at(row);
        taps[t.count++] = a.kernel + (tap * a.KW + turn) * a.C + c0;
    }
    t.rows = rows;
    t.taps = taps;
}

}  // namespace
}  // namespace pellucid::PELLUCID_ISA_NAMESPACE
