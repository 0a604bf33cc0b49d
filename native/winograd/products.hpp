// Products of Winograd's transformed numbers: the register tiles of common/gather_gemm.hpp (R rows x NV vectors), but
// rows at a fixed distance: 36 times as many tables of pointers would cost as much as 3 % of the products.
#pragma once
#include "common/gather_gemm.hpp"

namespace pellucid::PELLUCID_ISA_NAMESPACE {
namespace {

// out[r][j] (+)= sum over k of a[r * row + k * step] * b[k][j], R rows of NV vectors. Rows of `out` and `b` are NV
// vectors long. Adjacent: row = 1, else step = 1.
template <int R, int NV, bool Adjacent>
__attribute__((noinline)) void tile(const float* a, int64_t stride, const float* b, int64_t depth, float* out,
                                    bool accumulate) {
    const float* p[R];
    vf sum[R][NV];
#pragma GCC unroll 16
    for (int r = 0; r < R; ++r) {
        p[r] = a + (Adjacent ? r : r * stride);
#pragma GCC unroll 2
        for (int v = 0; v < NV; ++v) sum[r][v] = vf{};
    }
    const float* const end = b + depth * (NV * V);
#pragma GCC unroll 4
    for (int64_t k = 0; b != end; b += NV * V, k += Adjacent ? stride : 1) {
        vf panel[NV];
#pragma GCC unroll 2
        for (int v = 0; v < NV; ++v) panel[v] = load(b + v * V);
#pragma GCC unroll 16
        for (int r = 0; r < R; ++r) {
            const vf x = broadcast(Adjacent ? a[k + r] : p[r][k]);
#pragma GCC unroll 2
            for (int v = 0; v < NV; ++v) sum[r][v] += x * panel[v];
        }
    }
#pragma GCC unroll 16
    for (int r = 0; r < R; ++r)
#pragma GCC unroll 2
        for (int v = 0; v < NV; ++v) {
            float* y = out + (r * NV + v) * V;
            store(y, accumulate ? load(y) + sum[r][v] : sum[r][v]);
        }
}

using ProductTile = void (*)(const float*, int64_t, const float*, int64_t, float*, bool);
#define PELLUCID_PRODUCTS_4(NV, A) nullptr, tile<1, NV, A>, tile<2, NV, A>, tile<3, NV, A>, tile<4, NV, A>
#define PELLUCID_PRODUCTS_6(NV, A) PELLUCID_PRODUCTS_4(NV, A), tile<5, NV, A>, tile<6, NV, A>
#define PELLUCID_PRODUCTS_8(NV, A) PELLUCID_PRODUCTS_6(NV, A), tile<7, NV, A>, tile<8, NV, A>
#define PELLUCID_PRODUCTS_10(NV, A) PELLUCID_PRODUCTS_8(NV, A), tile<9, NV, A>, tile<10, NV, A>
#define PELLUCID_PRODUCTS_12(NV, A) PELLUCID_PRODUCTS_10(NV, A), tile<11, NV, A>, tile<12, NV, A>
#define PELLUCID_PRODUCTS_OF(R, NV, A) PELLUCID_PRODUCTS_##R(NV, A)
#define PELLUCID_PRODUCTS(R, NV, A) PELLUCID_PRODUCTS_OF(R, NV, A)

// out[r] = sum over k of a[r * stride + k] * b[k], where all V rows of b stay in registers (AVX-512 has enough): a
// multiply-add then loads one number, and no vector of b besides.
constexpr bool kSquare = V == 16;
template <int R>
PELLUCID_INLINE void square_tile(const float* a, int64_t stride, const vf (&b)[V], float* out) {
    vf sum[R] = {};
#pragma GCC unroll 16
    for (int k = 0; k < V; ++k)
#pragma GCC unroll 8
        for (int r = 0; r < R; ++r) sum[r] += broadcast(a[r * stride + k]) * b[k];
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r) store(out + r * V, sum[r]);
}
__attribute__((noinline)) inline void multiply_square(int64_t m, const float* a, int64_t stride, const float* from,
                                                      float* out) {
    vf b[V];
#pragma GCC unroll 16
    for (int k = 0; k < V; ++k) b[k] = load(from + k * V);
    int64_t i = 0;
    for (; i + 8 <= m; i += 8) square_tile<8>(a + i * stride, stride, b, out + i * V);
    for (; i < m; ++i) square_tile<1>(a + i * stride, stride, b, out + i * V);
}

// m rows in tiles of nearly equal size.
template <bool Adjacent>
inline void multiply_rows(int64_t m, const float* a, int64_t stride, const float* b, int64_t depth, int64_t width,
                          float* out, bool accumulate) {
    static const ProductTile wide[] = {PELLUCID_PRODUCTS(PELLUCID_ROWS2, 2, Adjacent)};
    static const ProductTile single[] = {PELLUCID_PRODUCTS(PELLUCID_ROWS1, 1, Adjacent)};
    if (kSquare && !Adjacent && depth == V && width == V && !accumulate) return multiply_square(m, a, stride, b, out);
    const bool two = width > V;
    const ProductTile* const tiles = two ? wide : single;
    const int64_t count = ceil_div(m, two ? kRows2 : kRows1), size = m / count, extra = m % count;
    for (int64_t i = 0; i < count; ++i) {
        const int64_t rows = size + (i < extra);
        tiles[rows](a, stride, b, depth, out, accumulate);
        a += rows * (Adjacent ? 1 : stride);
        out += rows * width;
    }
}

}  // namespace
}  // namespace pellucid::PELLUCID_ISA_NAMESPACE
