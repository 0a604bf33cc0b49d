// The sums over rows for the gradient of a depthwise convolution's kernel.
#include "conv/depthwise_sums.hpp"

namespace pellucid::PELLUCID_ISA_NAMESPACE {
namespace {

constexpr int kSums = V == 16 ? 25 : 10;  // that fit in registers beside what they are made of
constexpr int rows_together(int KW) { return kSums / KW > KW ? KW : kSums / KW; }

// sum += the products of T pixels of dy with those rows of x that there are. BORDER: some columns may not be there.
template <int KW, int S, int T, bool BORDER, int ROWS>
PELLUCID_INLINE void multiply_pixels(const float* const (&x)[ROWS], const float* dy, int64_t stride, int64_t pixel,
                                     int64_t column, int64_t width, vf (&sum)[ROWS][KW]) {
    vf d[T];
#pragma GCC unroll 4
    for (int i = 0; i < T; ++i) d[i] = load(dy + i * stride);
    const int64_t lo = -column, hi = width - column;
#pragma GCC unroll 8
    for (int r = 0; r < ROWS; ++r) {
        if (!x[r]) continue;
        const float* row = x[r] + column * pixel;
#pragma GCC unroll 16
        for (int j = 0; j < (T - 1) * S + KW; ++j, row += pixel) {
            if (BORDER && (j < lo || j >= hi)) continue;
            const vf v = load(row);
#pragma GCC unroll 4
            for (int i = 0; i < T; ++i)
                if (j - i * S >= 0 && j - i * S < KW) sum[r][j - i * S] += v * d[i];
        }
    }
}

// sums (tap, width) += the products of the band's rows, of the vector of channels from c on. S: the stride along a row.
template <int KW, int S>
void sum_rows(const Band& band, int64_t c, float* sums, bool fresh) {
    constexpr int ROWS = rows_together(KW);
    for (int64_t a0 = 0; a0 < band.KH; a0 += ROWS, sums += ROWS * KW * band.width) {
        vf sum[ROWS][KW];
#pragma GCC unroll 8
        for (int r = 0; r < ROWS; ++r)
#pragma GCC unroll 8
            for (int b = 0; b < KW; ++b)
                sum[r][b] = fresh || a0 + r >= band.KH ? vf{} : load(sums + (r * KW + b) * band.width);
        for (int64_t row = 0; row < band.rows; ++row) {
            const float* x[ROWS];
#pragma GCC unroll 8
            for (int r = 0; r < ROWS; ++r) {
                x[r] = a0 + r < band.KH ? band.x[row * band.KH + a0 + r] : nullptr;
                if (x[r]) x[r] += c;
            }
            const float* dy = band.dy[row] + c;
            int64_t column = -band.LEFT, ox = 0;
            const auto go = [&](auto pixels, auto border) {
                multiply_pixels<KW, S, pixels.value, border.value>(x, dy, band.result, band.pixel, column, band.W, sum);
                ox += pixels.value;
                dy += pixels.value * band.result;
                column += pixels.value * S;
            };
            while (ox < band.OW && column < 0) go(Constant<1>{}, Constant<1>{});
            while (ox + 4 <= band.OW && column + 3 * S + KW <= band.W) go(Constant<4>{}, Constant<0>{});
            while (ox < band.OW && column + KW <= band.W) go(Constant<1>{}, Constant<0>{});
            while (ox < band.OW) go(Constant<1>{}, Constant<1>{});
        }
#pragma GCC unroll 8
        for (int r = 0; r < ROWS; ++r)
#pragma GCC unroll 8
            for (int b = 0; b < KW; ++b)
                if (a0 + r < band.KH) store(sums + (r * KW + b) * band.width, sum[r][b]);
    }
}

}  // namespace

SumRows sum_rows_of(int64_t KW, int64_t stride) {
    if (KW == 3) return stride == 1 ? sum_rows<3, 1> : stride == 2 ? sum_rows<3, 2> : nullptr;
    if (KW == 5) return stride == 1 ? sum_rows<5, 1> : stride == 2 ? sum_rows<5, 2> : nullptr;
    return nullptr;
}

}  // namespace pellucid::PELLUCID_ISA_NAMESPACE
