// Dense layers of few columns (up to 15 panels) and many examples: the weights are packed as a whole, at most once a
// step and for prediction once for all batches (Kernel::prepare), and bands of examples go through them.
//
// Loop order: bands of rows (tasks) > blocks of 256 k > panels > register tiles. A band's results, 17 x 100, stay in L1
// while the packed weights, 1.8 MB for 4320 -> 100, pass from L3 once a band: 8 GB/s at 16 rows.
// Columns behind the last whole vector: dense/dots.hpp.
#pragma once
#include "dense/dots.hpp"

namespace pellucid::PELLUCID_ISA_NAMESPACE {
namespace {

constexpr int64_t kCopyStride = kDepth + kLine;  // of rows that would otherwise lie in one set of the cache
constexpr int64_t kPackedBands = 16;       // tasks at most
constexpr int64_t kPackedRows = 16;        // of a band at least, while the packed weights are
constexpr int64_t kSmallMatrix = 1 << 20;  // at most so many floats; else
constexpr int64_t kLargeRows = 48;

const int32_t kIota[kDepth] = {
#define PELLUCID_FOUR(i) i, i + 1, i + 2, i + 3
#define PELLUCID_SIXTEEN(i) PELLUCID_FOUR(i), PELLUCID_FOUR(i + 4), PELLUCID_FOUR(i + 8), PELLUCID_FOUR(i + 12)
#define PELLUCID_SIXTY_FOUR(i) \
    PELLUCID_SIXTEEN(i), PELLUCID_SIXTEEN(i + 16), PELLUCID_SIXTEEN(i + 32), PELLUCID_SIXTEEN(i + 48)
    PELLUCID_SIXTY_FOUR(0), PELLUCID_SIXTY_FOUR(64), PELLUCID_SIXTY_FOUR(128), PELLUCID_SIXTY_FOUR(192)};
static_assert(kDepth == 256, "the table above");

// Whether rows so many floats apart compete for a few sets of the L1 cache (4 KB a way).
constexpr bool one_set(int64_t stride) { return stride % 512 == 0; }

PELLUCID_INLINE void copy_floats(const float* from, int64_t count, float* to) {
    int64_t i = 0;
    for (; i + V <= count; i += V) store(to + i, load(from + i));
    for (; i < count; ++i) to[i] = from[i];
}

// panel[k][j] = rows[j][k]; j up to 3V, k up to 256. By way of a copy, so that rows may be any distance apart.
inline void transpose_panel(const float* from, int64_t stride, int64_t rows, int64_t depth, float* copy,
                            float* panel) {
    const int64_t width = panel_width(rows);
    for (int64_t r = 0; r < rows; ++r) copy_floats(from + r * stride, depth, copy + r * kCopyStride);
    for (int64_t r = rows; r < width; ++r) memset(copy + r * kCopyStride, 0, kDepth * sizeof(float));
    for (int64_t v = 0; v < width; v += V)
        for (int64_t k = 0; k < depth; k += kGroup) {
            vf w[kGroup][1];
            load_transposed<1>(copy + v * kCopyStride + k, kCopyStride, w);
#pragma GCC unroll 4
            for (int64_t q = 0; q < kGroup; ++q)
                if (k + q < depth) store(panel + (k + q) * width + v, w[q][0]);
        }
}

// Rows k .. k + depth of the columns from c0 on, as panels; that of column c begins at c * kDepth. `copy`: room for
// kTail * kCopyStride floats where the matrix is transposed.
inline void pack_strip(const Matrix& m, int64_t c0, int64_t columns, int64_t k, int64_t depth, float* copy,
                       float* packed) {
    int64_t c = 0;
    if (!m.transposed) {  // whole panels, row by row as they lie in memory
        while (next_columns(columns - c) == kWide) c += kWide;
        const float* from = m.weights + k * m.stride + c0;
        for (int64_t row = 0; row < depth && c > 0; ++row, from += m.stride) {
            float* to = packed + row * kWide;
            for (int64_t j = 0; j < c; j += kWide, to += kDepth * kWide) {
                store(to, load(from + j));
                store(to + V, load(from + j + V));
            }
        }
    }
    while (c < columns) {
        float* to = packed + c * kDepth;
        const int64_t wide = next_columns(columns - c), at = c0 + c;
        if (m.transposed) transpose_panel(m.weights + at * m.stride + k, m.stride, wide, depth, copy, to);
        else pack_panel(m.weights + k * m.stride + at, m.stride, 1, depth, wide, to);
        c += wide;
    }
}

constexpr int64_t panel_floats(const Matrix& m) { return kDepth * round_up(m.columns - dotted(m), V); }
// The last columns first (see pack_dots), then the panels.
inline int64_t packed_floats(const Matrix& m) {
    return ceil_div(m.depth, kDepth) * panel_floats(m) + dot_floats(m);
}

inline void pack_matrix(const Matrix& m, float* packed) {
    parallel_for(ceil_div(m.depth, kDepth), double(m.depth * m.columns), [&](int64_t block, Arena& arena) {
        const int64_t k = block * kDepth, depth = at_most(m.depth - k, kDepth), columns = m.columns - dotted(m);
        float* copy;
        take(arena, piece(copy, m.transposed ? kTail * kCopyStride : 0));
        pack_strip(m, 0, columns, k, depth, copy, packed + dot_floats(m) + block * panel_floats(m));
        pack_dots(m, k, depth, packed);
    });
}

// out (N, columns) = in (N, depth) . matrix, packed.
struct PackedProduct {
    const float* in;
    float* out;
    Matrix m;
    int64_t N;
    const float* packed;
    Epilogue epilogue;
};

// Examples n0 .. n0 + rows - 1.
inline void packed_band(const PackedProduct& p, int64_t n0, int64_t rows, Arena& arena) {
    const int64_t blocks = at_least(ceil_div(p.m.depth, kDepth), 1), dots = dotted(p.m);
    const int64_t columns = p.m.columns - dots, width = round_up(columns, V);
    const bool together = one_set(p.m.depth);

    float *in, *bias, *sums;
    const float** from;
    float** to;
    take(arena, piece(in, together ? rows * kDepth : 0), piece(bias, width), piece(sums, dots ? dot_sums(rows) : 0),
         piece(from, rows), piece(to, rows));
    for (int64_t i = 0; i < width; ++i) bias[i] = p.epilogue.bias && i < columns ? p.epilogue.bias[i] : 0.0f;
    const Epilogue epilogue{p.epilogue.bias ? bias : nullptr, p.epilogue.activation, p.epilogue.numbers};
    for (int64_t n = 0; n < rows; ++n) to[n] = p.out + (n0 + n) * p.m.columns;
    for (int64_t block = 0; block < blocks; ++block) {
        const int64_t k = block * kDepth;
        Tile t;
        t.offset = kIota;
        t.depth = at_most(p.m.depth - k, kDepth);
        t.first = block == 0;
        t.last = block == blocks - 1;
        t.epilogue = &epilogue;
        for (int64_t n = 0; n < rows; ++n) {
            from[n] = p.in + (n0 + n) * p.m.depth + k;
            if (together) {
                copy_floats(from[n], t.depth, in + n * kDepth);
                from[n] = in + n * kDepth;
            }
        }
        for (t.column = 0; t.column < columns; t.column += t.columns) {
            t.panel = p.packed + dot_floats(p.m) + block * panel_floats(p.m) + t.column * kDepth;
            t.columns = next_columns(columns - t.column);
            multiply_panel(rows, from, to, t);
        }
        if (dots) multiply_dots(rows, from, t.depth, p.packed + k, p.m.depth, sums, t.first);
    }
    if (dots) finish_dots(sums, rows, to, columns, dots, p.epilogue);
}

inline void multiply_packed(const PackedProduct& p) {
    const int64_t least = p.m.depth * p.m.columns <= kSmallMatrix ? kPackedRows : kLargeRows;
    const int64_t bands = at_least(at_most(p.N / least, kPackedBands), 1);
    parallel_for(bands, double(p.N * p.m.depth) * double(p.m.columns), [&](int64_t band, Arena& arena) {
        const int64_t n0 = p.N * band / bands;
        packed_band(p, n0, p.N * (band + 1) / bands - n0, arena);
    });
}

}  // namespace
}  // namespace pellucid::PELLUCID_ISA_NAMESPACE
