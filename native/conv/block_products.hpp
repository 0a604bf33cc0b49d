// Products of blocks of pixels with a kernel 1x1, and for its gradient, while they lie in L2.
#pragma once
#include "common/gather_gemm.hpp"

namespace pellucid::PELLUCID_ISA_NAMESPACE {
namespace {

// What the next block reads and writes, fetched into L2 while this one is multiplied, some of it with each tile.
struct Ahead {
    struct Range {
        const float *next, *end;
    } ranges[4];
    int64_t count = 0;

    void add(const float* first, int64_t floats) { ranges[count++] = {first, first + floats}; }
    // Where so many floats lie that are fetched next; null: nothing is.
    PELLUCID_INLINE const float* next(int64_t floats) {
        if (count == 0) return nullptr;
        Range& range = ranges[count - 1];
        const float* const from = range.next;
        range.next += floats;
        if (range.next >= range.end) --count;
        return from;
    }
};

// Rows of a product: `columns` numbers each, one after another.
template <typename T>
void lay_rows(T* first, int64_t columns, int64_t count, T** rows) {
    for (int64_t i = 0; i < count; ++i) rows[i] = first + i * columns;
}
// out (m, columns) (+)= rows . packed.
inline void multiply(int64_t m, const float** rows, float** out, int64_t depth, const int32_t* offset,
                     const float* packed, int64_t columns, bool accumulate, Ahead& ahead) {
    const Epilogue none{nullptr, kLinear, {}};
    for (int64_t k = 0; k < depth; k += kDepth) {
        Tile t;
        t.depth = at_most(depth - k, kDepth);
        t.offset = offset + k;
        t.first = k == 0 && !accumulate;
        t.last = false;
        t.epilogue = &none;
        for (t.column = 0; t.column < columns; t.column += t.columns) {
            t.columns = next_columns(columns - t.column);
            t.panel = packed + t.column * depth + k * panel_width(t.columns);
            multiply_panel(m, rows, out, t, [&](float* const* to, int64_t r) {
                fetch_results(t, to, r);
                t.ahead = panel_width(t.columns) == kWide ? ahead.next(t.depth * kWide) : nullptr;
            });
        }
    }
}
inline void pack_panels(const float* matrix, int64_t row_stride, int64_t column_stride, int64_t depth, int64_t columns,
                        float* packed) {
    for (int64_t c = 0, wide; c < columns; c += wide) {
        wide = next_columns(columns - c);
        pack_panel(matrix + c * column_stride, row_stride, column_stride, depth, wide, packed + c * depth);
    }
}

// A matrix (depth, columns) as panels, and offsets 0, 1, 2 ...
struct Packed {
    float* panels;
    int32_t* offset;
};
inline Packed packed_of(int64_t depth, int64_t columns, Memory& memory) {
    return {memory.take<float>(packed_floats(depth, columns)), memory.take<int32_t>(depth)};
}
inline void pack(const Packed& p, const float* matrix, int64_t row_stride, int64_t column_stride, int64_t depth,
                 int64_t columns) {
    for (int64_t k = 0; k < depth; ++k) p.offset[k] = int32_t(k);
    const int64_t panels = at_least(ceil_div(columns, V) / 2, 1);
    parallel_for(panels, double(depth * columns), [=](int64_t j) {
        const int64_t c = j * kWide, wide = j + 1 < panels ? kWide : columns - c;
        pack_panel(matrix + c * column_stride, row_stride, column_stride, depth, wide, p.panels + c * depth);
    });
}

}  // namespace
}  // namespace pellucid::PELLUCID_ISA_NAMESPACE
