// The last columns of a dense layer, where up to 4 are left behind whole vectors: lanes run along k there, not along
// the columns, or they would cost a vector mostly empty (100 columns as 112 with AVX-512).
//
//     sums[n][c][lane] = sum over k = lane, lane + V, ... of in[n][k] * matrix[k][c]      then the lanes are added
//
// Loop order: tiles of 6 examples (3 with AVX2) x 4 columns > vectors of k. The columns are packed as [c][k], 4 always,
// zeros where there are fewer. k comes in blocks of 256 where the columns before are multiplied by blocks
// (dense/packed.hpp), else at once: the lanes' sums, and so the bits, are the same.
#pragma once
#include "common/gather_gemm.hpp"
#include "common/transpose.hpp"

namespace pellucid::PELLUCID_ISA_NAMESPACE {
namespace {

constexpr int64_t kFewPanels = 16;         // from so many on, strips of panels are work enough for all threads
constexpr int64_t kDots = 4;               // columns
constexpr int kDotRows = V == 16 ? 6 : 3;  // examples of a register tile

// The right-hand matrix (depth, columns): weights (or transposed) whose rows lie `stride` apart.
struct Matrix {
    const float* weights;
    int64_t stride;
    bool transposed;
    int64_t depth, columns;
};

constexpr bool few_columns(const Matrix& m) { return panel_count(m.columns) < kFewPanels; }

// How many columns are summed so. Short sums are not worth adding the lanes.
constexpr int64_t dotted(const Matrix& m) {
    const int64_t rest = m.columns % V;
    return V > kDots && rest <= kDots && m.depth >= kDepth && few_columns(m) ? rest : 0;
}

constexpr int64_t dot_stride(int64_t depth) { return round_up(depth, V); }
constexpr int64_t dot_floats(const Matrix& m) { return dotted(m) ? kDots * dot_stride(m.depth) : 0; }
constexpr int64_t dot_sums(int64_t rows) { return round_up(rows * kDots, V) * V; }

// The rows k .. k + depth - 1 of the last columns.
inline void pack_dots(const Matrix& m, int64_t k, int64_t depth, float* packed) {
    const int64_t dots = dotted(m), stride = dot_stride(m.depth);
    const int64_t column = m.transposed ? m.stride : 1, row = m.transposed ? 1 : m.stride;
    const float* from = m.weights + (m.columns - dots) * column;
    const int64_t end = k + depth == m.depth ? stride : k + depth;
    for (int64_t c = 0; dots && c < kDots; ++c)
        for (int64_t i = k; i < end; ++i)
            packed[c * stride + i] = c < dots && i < m.depth ? from[i * row + c * column] : 0.0f;
}

template <int R>
__attribute__((noinline)) void dot_tile(const float* const* rows, int64_t depth, const float* packed, int64_t stride,
                                        float* sums, bool first) {
    vf sum[R][kDots];
#pragma GCC unroll 6
    for (int r = 0; r < R; ++r)
#pragma GCC unroll 4
        for (int c = 0; c < kDots; ++c) sum[r][c] = first ? vf{} : load(sums + (r * kDots + c) * V);
    const auto add = [&](int64_t k, auto part) __attribute__((always_inline)) {
        vf w[kDots];
#pragma GCC unroll 4
        for (int c = 0; c < kDots; ++c) w[c] = load(packed + c * stride + k);
#pragma GCC unroll 6
        for (int r = 0; r < R; ++r) {
            const vf x = part(rows[r] + k);
#pragma GCC unroll 4
            for (int c = 0; c < kDots; ++c) sum[r][c] += x * w[c];
        }
    };
    int64_t k = 0;
    for (; k + V <= depth; k += V) add(k, [](const float* x) { return load(x); });
    if (k < depth) add(k, [&](const float* x) { return load_partial(x, depth - k); });
#pragma GCC unroll 6
    for (int r = 0; r < R; ++r)
#pragma GCC unroll 4
        for (int c = 0; c < kDots; ++c) store(sums + (r * kDots + c) * V, sum[r][c]);
}

using DotTile = void (*)(const float* const*, int64_t, const float*, int64_t, float*, bool);
const DotTile kDotTiles[] = {nullptr, dot_tile<1>, dot_tile<2>, dot_tile<3>, dot_tile<4>, dot_tile<5>, dot_tile<6>};

// `depth` k of each row, from rows[n] and `packed` on; the first of them put their sums there, the others add.
inline void multiply_dots(int64_t m, const float* const* rows, int64_t depth, const float* packed, int64_t whole_depth,
                          float* sums, bool first) {
    const int64_t tiles = ceil_div(m, kDotRows);
    for (int64_t i = 0; i < tiles; ++i) {
        const int64_t n = m * i / tiles, count = m * (i + 1) / tiles - n;
        kDotTiles[count](rows + n, depth, packed, dot_stride(whole_depth), sums + n * kDots * V, first);
    }
}

// The sums' lanes, bias and activation, to the last columns of out; V numbers, those of V / 4 examples, at a time.
inline void finish_dots(const float* sums, int64_t m, float* const* out, int64_t column, int64_t dots,
                        const Epilogue& e) {
    float bias[V], total[V];
    for (int64_t i = 0; i < V; ++i) bias[i] = e.bias && i % kDots < dots ? e.bias[column + i % kDots] : -0.0f;
    for (int64_t n = 0; n < m; n += V / kDots, sums += V * V) {
        vf sum = vf{};
        for (int64_t lane = 0; lane < V; lane += kGroup) {
            vf w[kGroup][1];
            load_transposed<1>(sums + lane, V, w);
            sum += (w[0][0] + w[1][0]) + (w[2][0] + w[3][0]);
        }
        store(total, activated_any(sum + load(bias), e.activation, e.numbers));
        for (int64_t i = 0; i < at_most(m - n, V / kDots); ++i)
            for (int64_t c = 0; c < dots; ++c) out[n + i][column + c] = total[i * kDots + c];
    }
}

// The last columns alone, of few examples.
struct Dots {
    const float* in;
    float* out;
    Matrix m;
    int64_t N;
    Epilogue epilogue;
    const float* packed;
};

inline int64_t dot_tasks(const Dots& d) { return dotted(d.m) ? ceil_div(d.N, int64_t(kDotRows)) : 0; }

inline void dots_task(const Dots& d, int64_t task, Arena& arena) {
    const int64_t n0 = task * kDotRows, rows = at_most(d.N - n0, int64_t(kDotRows)), dots = dotted(d.m);
    float* sums;
    take(arena, piece(sums, dot_sums(rows)));
    const float* from[kDotRows];
    float* to[kDotRows];
    for (int64_t n = 0; n < rows; ++n) {
        from[n] = d.in + (n0 + n) * d.m.depth;
        to[n] = d.out + (n0 + n) * d.m.columns;
    }
    multiply_dots(rows, from, d.m.depth, d.packed, d.m.depth, sums, true);
    finish_dots(sums, rows, to, d.m.columns - dots, dots, d.epilogue);
}

}  // namespace
}  // namespace pellucid::PELLUCID_ISA_NAMESPACE
