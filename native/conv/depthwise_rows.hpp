// Rows of a depthwise convolution's results, forward and to the input.
//
// A tile is T results of a row, for one vector of channels: the taps of a kernel's row and T sums lie in registers, and
// each number of the row is loaded once for all sums that it belongs to. Loop order: tiles > vectors of channels > rows
// of the kernel > columns. Columns on padding are left out by a comparison, which costs nothing beside the products.
#pragma once
#include "conv/depthwise.hpp"

namespace pellucid::PELLUCID_ISA_NAMESPACE {

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

struct TileKind {
    int64_t KW, S;
    bool back;
    int64_t T, reach, columns;  // columns read, and how many of them come before that of the first result
    void (*inner)(const RowTile&);
    void (*border)(const RowTile&);
};

// The tiles that fill a row of `width` results with the least to spare; null where none does. They are compiled once for
// each instruction set, in depthwise_rows.cpp.
const TileKind* kind_of(bool back, int64_t KW, int64_t stride, int64_t width);

namespace {

// The row or column read for tap k of result i, or one that is not there.
inline int64_t place(bool back, int64_t i, int64_t k, int64_t stride, int64_t dilation, int64_t before) {
    if (!back) return i * stride + k * dilation - before;
    const int64_t p = i + before - k * dilation;
    return p % stride ? -1 : p / stride;
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
