// The last step of Winograd's convolution: products at the points to pixels, A^T m A, then bias, activation and, where
// asked for, max pooling 2x2: tiles of 4x4 or 2x2 pixels hold whole windows, so the unpooled map stays in registers.
#pragma once
#include "winograd/winograd.hpp"

namespace pellucid::PELLUCID_ISA_NAMESPACE {
namespace {

// Pictures of H x W pixels, of which (pooled) only a quarter is written; `pixel` channels a pixel.
struct Output {
    float* data;
    uint8_t* argmax;  // of pooled windows, or null
    bool pooled;
    int64_t H, W, pixel;
    int64_t activation;
    Numbers numbers;
    const float* addend = nullptr;  // pictures like data, added before the activation; none where pooled
};

// One vector of channels of one tile: the transform back, bias, activation; `to` is the tile's corner. With WHOLE all
// of the tile lies in the picture and all lanes are channels.
struct Corner {
    float* to;
    const float* addend;  // like `to`, or null
    uint8_t* argmax;
    int64_t row, pixel, rows, pixels, lanes;
    int64_t activation;
    Numbers numbers;
    uint32_t zeros;  // zero_fields of the tile
};

// Roundings become zero where there is nothing else; NaN stays.
template <int N>
PELLUCID_INLINE void clear_roundings(vf* results, uint32_t zeros) {
#pragma GCC unroll 4
    for (int k = 0; k < N; ++k)
        if (zeros >> k & 1) results[k] *= 0.0f;
}
enum { kNone, kRectify, kOther };

// SUM: with an addend.
template <typename F, int HOW, bool WHOLE, bool SUM>
__attribute__((noinline)) void write_vector(const float* m, int64_t point, vf bias, const Corner& c) {
    using T = typename F::Output;
    vf half[T::to][T::from];
    transform_columns<T>(m, T::from * point, point, half);
#pragma GCC unroll 4
    for (int i = 0; i < T::to; ++i) {
        if (!WHOLE && i >= c.rows) return;
        vf out[T::to];
        T::apply(half[i], out);
        if (c.zeros) clear_roundings<T::to>(out, c.zeros >> i * T::to);
#pragma GCC unroll 4
        for (int k = 0; k < T::to; ++k) {
            vf z = out[k] + bias;
            const int64_t at = i * c.row + k * c.pixel;
            if (!WHOLE && k >= c.pixels) break;
            if (SUM) z += load_lanes(c.addend + at, WHOLE ? int64_t(V) : c.lanes);
            if (HOW == kRectify) z = rectified(z);
            if (HOW == kOther) activate_slowly(&z, c.activation, c.numbers);
            store_lanes(c.to + at, z, WHOLE ? int64_t(V) : c.lanes);
        }
    }
}

// The same with pooling; rows, pixels and strides are those of the pooled picture.
template <typename F, int HOW, bool WHOLE>
__attribute__((noinline)) void write_pooled(const float* m, int64_t point, vf bias, const Corner& c) {
    using T = typename F::Output;
    vf half[T::to][T::from];
    transform_columns<T>(m, T::from * point, point, half);
#pragma GCC unroll 2
    for (int i = 0; i < T::to / 2; ++i) {
        if (!WHOLE && i >= c.rows) return;
        vf upper[T::to], lower[T::to];
        T::apply(half[2 * i], upper);
        T::apply(half[2 * i + 1], lower);
        if (c.zeros) {
            clear_roundings<T::to>(upper, c.zeros >> 2 * i * T::to);
            clear_roundings<T::to>(lower, c.zeros >> (2 * i + 1) * T::to);
        }
#pragma GCC unroll 2
        for (int k = 0; k < T::to / 2; ++k) {
            vf best = upper[2 * k] + bias;
            vi winner = vi{};
            take_larger(upper[2 * k + 1] + bias, vi{} + 1, best, winner);
            take_larger(lower[2 * k] + bias, vi{} + 2, best, winner);
            take_larger(lower[2 * k + 1] + bias, vi{} + 3, best, winner);
            if (HOW == kRectify) best = rectified(best);
            if (HOW == kOther) activate_slowly(&best, c.activation, c.numbers);
            if (!WHOLE && k >= c.pixels) break;
            const int64_t at = i * c.row + k * c.pixel, lanes = WHOLE ? int64_t(V) : c.lanes;
            store_lanes(c.to + at, best, lanes);
            if (!c.argmax) continue;
            if (HOW == kRectify) winner |= ~(best > 0.0f) & kNoPlace;
            store_bytes(c.argmax + at, to_bytes(winner), lanes);
        }
    }
}

using Write = void (*)(const float*, int64_t, vf, const Corner&);
template <typename F, int HOW>
Write write_function(bool pooled, bool whole, bool sum) {
    if (pooled) return whole ? write_pooled<F, HOW, true> : write_pooled<F, HOW, false>;
    if (sum) return whole ? write_vector<F, HOW, true, true> : write_vector<F, HOW, false, true>;
    return whole ? write_vector<F, HOW, true, false> : write_vector<F, HOW, false, false>;
}

constexpr int64_t kLater = 4;  // tiles until what is fetched is written

// Panel j of O channels, tiles first .. first + count - 1, from the products m to the pictures.
template <typename F>
void write_tiles(const Output& out, const Windows& s, int64_t first, int64_t count, int64_t O, const float* biases,
                 int64_t j, const float* m, int64_t point, const uint32_t* zeros) {
    Write write[2];
    for (int whole = 0; whole < 2; ++whole)
        write[whole] = out.activation == kLinear ? write_function<F, kNone>(out.pooled, whole, out.addend)
                       : out.activation == kRelu ? write_function<F, kRectify>(out.pooled, whole, out.addend)
                                                 : write_function<F, kOther>(out.pooled, whole, out.addend);
    const int64_t shrink = out.pooled ? 2 : 1, size = F::tile / shrink, H = out.H / shrink, W = out.W / shrink;
    const int64_t columns = panel_columns(O, j), width = panel_width(columns);
    vf bias[2] = {};
    for (int64_t v = 0; biases && v * V < columns; ++v)
        bias[v] = load_lanes(biases + j * kWide + v * V, at_most(columns - v * V, V));
    Corner c{nullptr, nullptr, nullptr, W * out.pixel, out.pixel, 0, 0, 0, out.activation, out.numbers, 0};
    const auto place = [&](const TilePlace& tile) {
        return ((tile.n * H + tile.i * size) * W + tile.j * size) * out.pixel + j * kWide;
    };
    TilePlace tile = place_of(s, first), later = place_of(s, first + kLater);
    for (int64_t t = first; t < first + count; ++t, next_tile(s, tile), next_tile(s, later)) {
        const int64_t y = tile.i * size, x = tile.j * size, at = place(tile), soon = place(later);
        c.rows = at_most(H - y, size);
        c.pixels = at_most(W - x, size);
        c.to = out.data + at;
        c.addend = out.addend ? out.addend + at : nullptr;
        c.zeros = zeros[t - first];
        c.argmax = out.argmax ? out.argmax + at : nullptr;
        for (int64_t l = 0; l < columns; l += kLine) {
            if (out.pooled) prefetch_pixels<F::tile / 2, F::tile / 2>(out.data + soon + l, c.row, c.pixel);
            else prefetch_pixels<F::tile, F::tile>(out.data + soon + l, c.row, c.pixel);
            if (c.addend) prefetch_pixels<F::tile, F::tile>(out.addend + soon + l, c.row, c.pixel);
        }
        for (int64_t v = 0; v * V < width; ++v, m += V, c.to += V) {
            c.lanes = at_most(columns - v * V, V);
            write[c.rows == size && c.pixels == size && c.lanes == V](m, point, bias[v], c);
            if (c.argmax) c.argmax += V;
            if (c.addend) c.addend += V;
        }
    }
}

}  // namespace
}  // namespace pellucid::PELLUCID_ISA_NAMESPACE
