// What convolution with few output channels needs: a picture's channels as planes, so that vectors run over the pixels
// of a row and no lane is idle for want of channels; and V pixels x V channels turned from NHWC to planes and back.
#pragma once
#include "conv/conv2d.hpp"

namespace pellucid::PELLUCID_ISA_NAMESPACE {
namespace {

// Rows of a band of x as planes: (channel, ox mod SW, row, ox / SW), zero outside the picture. Tap (kh, kw, c) of
// output row oy and pixels ox .. ox + V - 1 is one unaligned vector.
struct Planes {
    int64_t width;  // output pixels of a row in whole vectors
    int64_t pitch;  // floats of a row: and what taps reach beyond
    int64_t rows;   // output rows of a band
    int64_t height, plane;  // rows and floats of a plane
};

template <typename Arguments>
Planes planes_of(const Arguments& a, int64_t rows) {
    Planes p;
    p.width = round_up(a.OW, V);
    p.pitch = p.width + (a.KW - 1) * a.DW / a.SW;
    p.rows = rows;
    p.height = band_height(a, rows);
    p.plane = p.height * p.pitch;
    return p;
}

template <typename Arguments>
int64_t plane_floats(const Arguments& a, const Planes& p) {
    return a.C * a.SW * p.plane;
}

// Output rows of a band whose planes and `others` floats a row take about `floats`, at least one.
template <typename Arguments>
int64_t band_rows(const Arguments& a, int64_t others, int64_t floats) {
    const int64_t row = planes_of(a, 1).pitch * a.C * a.SW;  // of one row of x
    return at_most(at_least((floats - row * (a.KH - 1) * a.DH) / (row * a.SH + others), 1), a.OH);
}

template <typename Arguments>
void plane_offsets(const Arguments& a, const Planes& p, int32_t* offset) {
    for (int64_t kh = 0; kh < a.KH; ++kh)
        for (int64_t kw = 0; kw < a.KW; ++kw)
            for (int64_t c = 0; c < a.C; ++c) {
                const int64_t x = kw * a.DW;
                *offset++ = int32_t((c * a.SW + x % a.SW) * p.plane + kh * a.DH * p.pitch + x / a.SW);
            }
}

// Short runs: the last vector overlaps the one before, since a call of memcpy costs as much as ten vectors.
PELLUCID_INLINE void copy_run(float* to, const float* from, int64_t count) {
    if (count < V) {
        for (int64_t i = 0; i < count; ++i) to[i] = from[i];
        return;
    }
    for (int64_t i = 0; i < count - V; i += V) store(to + i, load(from + i));
    store(to + count - V, load(from + count - V));
}
PELLUCID_INLINE void clear_run(float* to, int64_t count) {
    if (count < V) {
        for (int64_t i = 0; i < count; ++i) to[i] = 0;
        return;
    }
    for (int64_t i = 0; i < count - V; i += V) store(to + i, vf{});
    store(to + count - V, vf{});
}

// The planes of the rows under output rows first .. first + rows - 1 of one picture.
template <typename Arguments>
void fill_planes(const Arguments& a, const Planes& p, const float* picture, int64_t first, int64_t rows,
                 float* planes) {
    const int64_t height = band_height(a, rows);
    for (int64_t c = 0; c < a.C; ++c)
        for (int64_t s = 0; s < a.SW; ++s) {
            // Entry q is pixel q * SW + s - LEFT: those of [lo, hi) lie in the picture.
            const int64_t lo = at_most(ceil_div(at_least(a.LEFT - s, 0), a.SW), p.pitch);
            const int64_t hi = at_least(at_most(a.W + a.LEFT - s + a.SW - 1, p.pitch * a.SW) / a.SW, lo);
            float* to = planes + (c * a.SW + s) * p.plane;
            for (int64_t row = 0; row < height; ++row, to += p.pitch) {
                const int64_t y = first * a.SH - a.TOP + row;
                if (y < 0 || y >= a.H) {
                    clear_run(to, p.pitch);
                    continue;
                }
                clear_run(to, lo);
                const float* pixel = picture + (y * a.W + lo * a.SW + s - a.LEFT) * a.C + c;
                if (a.C * a.SW == 1) {
                    copy_run(to + lo, pixel, hi - lo);
                } else {
                    for (int64_t q = lo; q < hi; ++q, pixel += a.SW * a.C) to[q] = *pixel;
                }
                clear_run(to + hi, p.pitch - hi);
            }
        }
}

// Neighbours a[0], a[1], ... b[V-1] added in pairs; and each lane of the lower or upper half twice.
#if PELLUCID_VECTOR == 4
#define PELLUCID_EVEN 0, 2, 4, 6
#define PELLUCID_ODD 1, 3, 5, 7
#define PELLUCID_TWICE(i) i, i, i + 1, i + 1
#elif PELLUCID_VECTOR == 8
#define PELLUCID_EVEN 0, 2, 4, 6, 8, 10, 12, 14
#define PELLUCID_ODD 1, 3, 5, 7, 9, 11, 13, 15
#define PELLUCID_TWICE(i) i, i, i + 1, i + 1, i + 2, i + 2, i + 3, i + 3
#else
#define PELLUCID_EVEN 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30
#define PELLUCID_ODD 1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31
#define PELLUCID_TWICE(i)                                                                                       \
    i, i, i + 1, i + 1, i + 2, i + 2, i + 3, i + 3, i + 4, i + 4, i + 5, i + 5, i + 6, i + 6, i + 7, i + 7
#endif
PELLUCID_INLINE vf add_pairs(vf a, vf b) {
    return __builtin_shufflevector(a, b, PELLUCID_EVEN) + __builtin_shufflevector(a, b, PELLUCID_ODD);
}
PELLUCID_INLINE vf lower_twice(vf a) { return __builtin_shufflevector(a, a, PELLUCID_TWICE(0)); }
PELLUCID_INLINE vf upper_twice(vf a) { return __builtin_shufflevector(a, a, PELLUCID_TWICE(V / 2)); }

// --------------------------------------------------------------------------------------------------- transposition
// In blocks of 4 rows within the 128-bit parts of a vector, then the parts among each other: 3 shuffles a row of 8.
#if PELLUCID_VECTOR == 4
#define PELLUCID_PARTS(p0, p1, p2, p3) p0, p1, p2, p3
#elif PELLUCID_VECTOR == 8
#define PELLUCID_PARTS(p0, p1, p2, p3) p0, p1, p2, p3, p0 + 4, p1 + 4, p2 + 4, p3 + 4
#else
#define PELLUCID_PARTS(p0, p1, p2, p3)                                                                          \
    p0, p1, p2, p3, p0 + 4, p1 + 4, p2 + 4, p3 + 4, p0 + 8, p1 + 8, p2 + 8, p3 + 8, p0 + 12, p1 + 12, p2 + 12, p3 + 12
#endif
#define PELLUCID_FOUR_LANES(p) p, p + 1, p + 2, p + 3

// rows[i][j] -> rows[j][i].
PELLUCID_INLINE void transpose(vf* rows) {
    vf parts[V];
#pragma GCC unroll 16
    for (int i = 0; i < V; i += 4) {
        const vf a = __builtin_shufflevector(rows[i], rows[i + 1], PELLUCID_PARTS(0, V, 1, V + 1));
        const vf b = __builtin_shufflevector(rows[i], rows[i + 1], PELLUCID_PARTS(2, V + 2, 3, V + 3));
        const vf c = __builtin_shufflevector(rows[i + 2], rows[i + 3], PELLUCID_PARTS(0, V, 1, V + 1));
        const vf d = __builtin_shufflevector(rows[i + 2], rows[i + 3], PELLUCID_PARTS(2, V + 2, 3, V + 3));
        parts[i] = __builtin_shufflevector(a, c, PELLUCID_PARTS(0, 1, V, V + 1));
        parts[i + 1] = __builtin_shufflevector(a, c, PELLUCID_PARTS(2, 3, V + 2, V + 3));
        parts[i + 2] = __builtin_shufflevector(b, d, PELLUCID_PARTS(0, 1, V, V + 1));
        parts[i + 3] = __builtin_shufflevector(b, d, PELLUCID_PARTS(2, 3, V + 2, V + 3));
    }
#pragma GCC unroll 16
    for (int i = 0; i < 4; ++i) {
#if PELLUCID_VECTOR == 4
        rows[i] = parts[i];
#elif PELLUCID_VECTOR == 8
        rows[i] = __builtin_shufflevector(parts[i], parts[i + 4], PELLUCID_FOUR_LANES(0), PELLUCID_FOUR_LANES(8));
        rows[i + 4] = __builtin_shufflevector(parts[i], parts[i + 4], PELLUCID_FOUR_LANES(4), PELLUCID_FOUR_LANES(12));
#else
#define PELLUCID_JOIN(a, b, p, q)                                                                                \
    __builtin_shufflevector(a, b, PELLUCID_FOUR_LANES(p), PELLUCID_FOUR_LANES(q), PELLUCID_FOUR_LANES(p + 16),   \
                            PELLUCID_FOUR_LANES(q + 16))
        const vf a = PELLUCID_JOIN(parts[i], parts[i + 4], 0, 4), b = PELLUCID_JOIN(parts[i], parts[i + 4], 8, 12);
        const vf c = PELLUCID_JOIN(parts[i + 8], parts[i + 12], 0, 4);
        const vf d = PELLUCID_JOIN(parts[i + 8], parts[i + 12], 8, 12);
        rows[i] = PELLUCID_JOIN(a, c, 0, 8);
        rows[i + 4] = PELLUCID_JOIN(a, c, 4, 12);
        rows[i + 8] = PELLUCID_JOIN(b, d, 0, 8);
        rows[i + 12] = PELLUCID_JOIN(b, d, 4, 12);
#undef PELLUCID_JOIN
#endif
    }
}

// One row of pixels from planes (channel, `plane` floats apart) to NHWC. What follows a pixel's last channel is written
// too, up to `stop`: the caller makes rows in order, so that later ones overwrite it.
inline void interleave(const float* planes, int64_t plane, int64_t pixels, int64_t channels, float* y,
                       const float* stop) {
    // The last channels first: what they write of the next pixel, its first channels overwrite.
    for (int64_t c0 = (channels - 1) / V * V; c0 >= 0; c0 -= V)
        for (int64_t x = 0; x < pixels; x += V) {
            vf rows[V];
#pragma GCC unroll 16
            for (int64_t i = 0; i < V; ++i) rows[i] = c0 + i < channels ? load(planes + (c0 + i) * plane + x) : vf{};
            transpose(rows);
            float* to = y + x * channels + c0;
            const int64_t lanes = at_most(channels - c0, V), count = at_most(pixels - x, V);
            if (stop - (to + (count - 1) * channels) >= V) {
#pragma GCC unroll 16
                for (int64_t i = 0; i < V; ++i)
                    if (i < count) store(to + i * channels, rows[i]);
            } else {
                float kept[V * V];
#pragma GCC unroll 16
                for (int64_t i = 0; i < V; ++i) store(kept + i * V, rows[i]);
                for (int64_t i = 0; i < count; ++i, to += channels)
                    store_lanes(to, load(kept + i * V), stop - to >= V ? V : lanes);
            }
        }
}

// One row of pixels from NHWC to planes, with zeros up to a whole vector; nothing is read from `stop` on.
inline void deinterleave(const float* x, int64_t pixels, int64_t channels, const float* stop, int64_t plane,
                         float* planes) {
    for (int64_t c0 = 0; c0 < channels; c0 += V)
        for (int64_t i0 = 0; i0 < pixels; i0 += V) {
            const float* from = x + i0 * channels + c0;
            const int64_t lanes = at_most(channels - c0, V), count = at_most(pixels - i0, V);
            vf rows[V];
            if (stop - (from + (count - 1) * channels) >= V) {
#pragma GCC unroll 16
                for (int64_t i = 0; i < V; ++i) rows[i] = i < count ? load(from + i * channels) : vf{};
            } else {
                float found[V * V] = {};
                for (int64_t i = 0; i < count; ++i, from += channels)
                    store(found + i * V, load_lanes(from, stop - from >= V ? V : lanes));
#pragma GCC unroll 16
                for (int64_t i = 0; i < V; ++i) rows[i] = load(found + i * V);
            }
            transpose(rows);
            float* to = planes + c0 * plane + i0;
#pragma GCC unroll 16
            for (int64_t i = 0; i < V; ++i)
                if (i < lanes) store(to + i * plane, rows[i]);
        }
}

}  // namespace
}  // namespace pellucid::PELLUCID_ISA_NAMESPACE
