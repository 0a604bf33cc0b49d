// The one inner loop of convolution and dense, in all directions: a matrix product whose left rows are gathered.
//
//     out[m][j] (+)= sum over k of rows[m][offset[k]] * panel[k][j]
//
// rows[m] is a pointer (a pixel of a picture, a row of a batch, one tap of a kernel), offset a table of int32 that
// all rows share, panel a matrix packed NV vectors wide, zero-padded on the right.
//
// Loop order: blocks of k (a panel's block, 16-32 KB, stays in L1) > panels of j > tiles of m > k > rows of the tile.
// Register tile: R rows x NV vectors of accumulators, R broadcasts from memory a step, NV panel loads. R pointers
// live in integer registers, so R is also limited by those: of 15 five are in use, and with 12 rows, whose last pointers
// lay in vector registers, AVX-512 was slower by 9 %.
//     AVX-512  10 x 2 of 16 floats  (20 accumulators + 2 + 1 of 32)       8 x 3, 10 x 1 for tails
//     AVX2      6 x 2 of  8 floats  (12 accumulators + 2 + 1 of 16)       4 x 3, 10 x 1
//     baseline  4 x 2 of  4 floats  (8 accumulators + 2 + temporaries)    2 x 3,  8 x 1
// One vector wide, every multiply-add waits for a load of its own, so dense layers end an odd number of vectors with a
// panel of three. k goes by fours, so that counting is done once for 48 multiply-adds. m is cut into tiles of nearly
// equal size (25 rows are 5+5+5+5+5, not 6+6+6+6+1: a tile of one row waits on its own sums). A broadcast must not be
// written 0 + a: that is an addition the compiler has to keep (-0), and it halved the speed. Every out[m][j] is summed
// over k in the same order whatever the tile, so results do not depend on how m is cut.
#pragma once
#include "common/activation.hpp"

namespace pellucid::PELLUCID_ISA_NAMESPACE {

struct Epilogue {
    const float* bias;  // padded to whole panels, or null
    int64_t activation;
    Numbers numbers;
};

struct Tile {
    const float* const* rows;
    float* const* out;
    const int32_t* offset;
    int64_t depth;
    const float* panel;
    int64_t column;   // of the panel's first column in out
    int64_t columns;  // valid ones, at most NV * V
    bool first;       // start from zero, not from out
    bool last;        // apply the epilogue
    const Epilogue* epilogue;
    bool around = false;  // past the caches (store_around): whole vectors, rows of out aligned to them
    const float* ahead = nullptr;  // beside a panel two vectors wide as many floats from here on are fetched into L2
};

// Compiled once for each instruction set, in gather_gemm.cpp.
using TileFunction = void (*)(const Tile&);
extern const TileFunction kTiles3[], kTiles2[], kTiles1[];  // by vectors of a panel; entry r is the tile of r rows

// An activation over values just stored: of those that do not fit in the tile's registers.
void activate_span(float* y, int64_t count, int64_t kind, Numbers numbers);
// y = f(y + addend) over values just stored: `columns` of each row, rows `stride` apart.
void activate_rows(float* y, const float* addend, int64_t rows, int64_t columns, int64_t stride, int64_t kind,
                   Numbers numbers);

namespace {

constexpr int kRows2 = PELLUCID_ROWS2;  // rows of a tile two vectors wide
constexpr int kRows3 = PELLUCID_ROWS3;  // three
constexpr int kRows1 = PELLUCID_ROWS1;  // rows of a tile one vector wide
constexpr int64_t kWide = 2 * V;        // columns of a full panel
constexpr int64_t kDepth = 256;         // k of a block

// Tables of tile<R, NV> by R, which end at the largest their instruction set uses.
#define PELLUCID_TILES_2(NV) nullptr, tile<1, NV>, tile<2, NV>
#define PELLUCID_TILES_4(NV) PELLUCID_TILES_2(NV), tile<3, NV>, tile<4, NV>
#define PELLUCID_TILES_6(NV) PELLUCID_TILES_4(NV), tile<5, NV>, tile<6, NV>
#define PELLUCID_TILES_8(NV) PELLUCID_TILES_6(NV), tile<7, NV>, tile<8, NV>
#define PELLUCID_TILES_10(NV) PELLUCID_TILES_8(NV), tile<9, NV>, tile<10, NV>
#define PELLUCID_TILES_12(NV) PELLUCID_TILES_10(NV), tile<11, NV>, tile<12, NV>
#define PELLUCID_TILES_OF(R, NV) PELLUCID_TILES_##R(NV)
#define PELLUCID_TILES(R, NV) PELLUCID_TILES_OF(R, NV)

// All m against one panel (or a block of its rows); t.rows and t.out are set here, tile by tile. before(out, r) is
// called before each tile, of r rows (to fetch what will be needed).
template <typename Before>
PELLUCID_INLINE void multiply_panel(int64_t m, const float* const* rows, float* const* out, Tile& t, Before before) {
    if (m == 0) return;
    const int64_t vectors = ceil_div(t.columns, V);
    const int64_t largest = vectors == 3 ? kRows3 : vectors == 2 ? kRows2 : kRows1;
    const TileFunction* const tiles = vectors == 3 ? kTiles3 : vectors == 2 ? kTiles2 : kTiles1;
    const int64_t count = ceil_div(m, largest);
    const int64_t size = m / count, extra = m % count;
    for (int64_t i = 0; i < count; ++i) {
        const int64_t r = size + (i < extra);
        t.rows = rows;
        t.out = out;
        before(out, r);
        tiles[r](t);
        rows += r;
        out += r;
    }
}
inline void multiply_panel(int64_t m, const float* const* rows, float* const* out, Tile t) {
    multiply_panel(m, rows, out, t, [](float* const*, int64_t) {});
}
// The lines that a tile of r rows writes, while it is multiplied.
PELLUCID_INLINE void fetch_results(const Tile& t, float* const* out, int64_t r) {
    for (int64_t i = 0; i < r && !t.around; ++i)
        for (int64_t c = 0; c < t.columns; c += kLine) __builtin_prefetch(out[i] + t.column + c, 1);
}

// Packed matrix of `depth` x `columns`: panels of kWide columns one after another, the last V or kWide wide.
constexpr int64_t panel_count(int64_t columns) { return ceil_div(columns, kWide); }
constexpr int64_t packed_floats(int64_t depth, int64_t columns) { return depth * round_up(columns, V); }
constexpr int64_t panel_columns(int64_t columns, int64_t panel) { return at_most(columns - panel * kWide, kWide); }
constexpr int64_t panel_width(int64_t columns) { return round_up(columns, V); }

// Where a last panel may be wider: columns of the next one where so many are left, two vectors, but three at the end of
// an odd number.
constexpr int64_t kTail = 3 * V;
constexpr int64_t next_columns(int64_t left) { return left > kWide && left <= kTail ? left : at_most(left, kWide); }

// Where column c of a packed matrix of `depth` rows lies, all of whose columns are whole vectors: of row k at
// first + k * width.
struct PackedColumn {
    int64_t first, width;
};
constexpr PackedColumn packed_column(int64_t depth, int64_t columns, int64_t c) {
    const int64_t last = columns % kWide == V && columns >= kTail ? columns - kTail : columns;
    const int64_t start = c < last ? c / kWide * kWide : last;
    return {start * depth + c - start, next_columns(columns - start)};
}

// Rows of `columns` floats, a whole number of vectors or not, as rows of NV whole vectors.
template <int NV>
void pack_rows(const float* source, int64_t stride, int64_t depth, int64_t columns, float* panel, const float* scales,
               int64_t ahead) {
    vi mask;  // what follows the columns is cut off
    for (int64_t lane = 0; lane < V; ++lane) mask[lane] = (NV - 1) * V + lane < columns ? -1 : 0;
    vf scale[NV];
    for (int v = 0; v < NV; ++v)
        scale[v] = scales ? load_lanes(scales + v * V, at_most(columns - v * V, V)) : broadcast(1.0f);
    // Where whole vectors would reach beyond a row, every row but the last is followed by another one.
    const int64_t whole = columns == NV * V ? depth : depth - 1;
    for (int64_t k = 0; k < whole; ++k, source += stride, panel += NV * V) {
        for (int64_t c = 0; c < NV * V; c += kLine) __builtin_prefetch(source + ahead + c, 0, 2);
#pragma GCC unroll 3
        for (int v = 0; v < NV - 1; ++v) store(panel + v * V, load(source + v * V) * scale[v]);
        store(panel + (NV - 1) * V, floats(bits(load(source + (NV - 1) * V) * scale[NV - 1]) & mask));
    }
    if (whole == depth) return;
    for (int64_t j = 0; j < NV * V; ++j) panel[j] = j < columns ? source[j] * (scales ? scales[j] : 1.0f) : 0.0f;
}

// panel[k][j] = source[k * row_stride + j * column_stride] * scales[j] for j < columns, 0 up to the width. scales: of the
// columns, or null. ahead: how far away lies what is packed next, which is fetched meanwhile: pieces of rows are too short
// for the processor to see where they lead.
inline void pack_panel(const float* source, int64_t row_stride, int64_t column_stride, int64_t depth, int64_t columns,
                       float* panel, const float* scales = nullptr, int64_t ahead = 0) {
    const int64_t width = panel_width(columns);
    if (depth > 0 && column_stride == 1 && width - columns <= row_stride) {
        const auto pack = width == V ? pack_rows<1> : width == kWide ? pack_rows<2> : pack_rows<3>;
        return pack(source, row_stride, depth, columns, panel, scales, ahead);
    }
    for (int64_t k = 0; k < depth; ++k, source += row_stride, panel += width) {
        for (int64_t j = 0; j < columns; ++j) panel[j] = source[j * column_stride] * (scales ? scales[j] : 1.0f);
        for (int64_t j = columns; j < width; ++j) panel[j] = 0.0f;
    }
}

struct Product {
    int64_t m;
    const float* const* rows;
    float* const* out;
    int64_t depth;
    const int32_t* offset;
    const float* packed;
    int64_t columns;
    bool accumulate;  // add to what out holds
    Epilogue epilogue;
    bool around = false;
};

// The panels first..last-1 of a packed product.
inline void multiply(const Product& p, int64_t first_panel, int64_t last_panel) {
    const int64_t blocks = at_least(ceil_div(p.depth, kDepth), 1);
    for (int64_t block = 0; block < blocks; ++block) {
        const int64_t k = block * kDepth;
        for (int64_t j = first_panel; j < last_panel; ++j) {
            Tile t;
            t.columns = panel_columns(p.columns, j);
            t.column = j * kWide;
            t.depth = at_most(p.depth - k, kDepth);
            t.offset = p.offset + k;
            t.panel = p.packed + j * kWide * p.depth + k * panel_width(t.columns);
            t.first = block == 0 && !p.accumulate;
            t.last = block == blocks - 1;
            t.epilogue = &p.epilogue;
            t.around = p.around;
            // What the next panel reads is fetched beside the first tile.
            if (j + 1 < last_panel) t.ahead = t.panel + kWide * p.depth;
            multiply_panel(p.m, p.rows, p.out, t, [&](float* const* out, int64_t r) {
                if (out != p.out) t.ahead = nullptr;
                fetch_results(t, out, r);
            });
        }
    }
}

}  // namespace
}  // namespace pellucid::PELLUCID_ISA_NAMESPACE
