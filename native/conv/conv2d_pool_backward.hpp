// What the two gradients of convolution with max pooling share: where windows lie, and what comes through to them.
//
// dy[p][o] belongs to one pixel of the convolution, which the byte of p and o names; its window in a padded picture is
// KH segments of KW * C floats (of C floats, KH * KW of them, where columns are dilated). Both gradients are the sums
// of conv/sparse_sum.hpp; the unpooled gradient exists nowhere. A block of pooled rows is done at a time.
#pragma once
#include "common/reduce.hpp"
#include "conv/conv2d.hpp"
#include "conv/conv2d_pool.hpp"
#include "conv/sparse_sum.hpp"

namespace pellucid::PELLUCID_ISA_NAMESPACE {
namespace {

constexpr int64_t kBlockPixels = 128;     // pooled pixels of a block: the lists are long, what they read still in L2
constexpr int64_t kOutputs = 16;          // channels added up or transposed at a time

// Where things lie in a padded picture of one group (View v) and in a row of slots, the segments on whole vectors.
struct Segments {
    View view;
    int64_t columns;        // output channels of the group
    int64_t count, floats;  // segments, and floats of one
    int64_t padded, slots;  // floats of a segment on whole vectors, and of all
    int64_t rows;           // pooled rows of a block
    Cuts cuts;
};

template <typename Arguments>
Segments segments_of(const Arguments& a) {
    const int64_t channels = a.C / a.GROUPS, width = (a.OW - 1) * a.SW + (a.KW - 1) * a.DW + 1;
    const bool whole = a.DW == 1;
    // A load across two cache lines counts twice: whole vectors are worth up to 2 in 5 more of them.
    const int64_t whole_pixel = round_up(channels, kLoadLanes);
    const int64_t pixel = 5 * whole_pixel <= 7 * channels ? whole_pixel : channels;
    Segments s;
    s.view = {true, pixel, width * pixel, width};
    s.columns = a.O / a.GROUPS;
    s.count = whole ? a.KH : a.KH * a.KW;
    s.floats = whole ? a.KW * pixel : pixel;
    s.padded = round_up(s.floats, kLoadLanes);
    s.slots = s.count * s.padded;
    s.rows = at_most(at_least(kBlockPixels / a.QW, 1), a.QH);
    s.cuts = cuts_of(s.count, s.padded / kLoadLanes);
    return s;
}

template <typename Arguments>
int64_t segment_offset(const Arguments& a, const Segments& s, int64_t i) {
    if (a.DW == 1) return i * a.DH * s.view.row;
    return i / a.KW * a.DH * s.view.row + i % a.KW * a.DW * s.view.pixel;
}

// Rows of the convolution that the pooled rows [q, q + rows) see.
struct Rows {
    int64_t low, high;
};
template <typename Arguments>
Rows rows_under(const Arguments& a, int64_t q, int64_t rows) {
    return {at_least(q * a.PSH - a.PTOP, 0), at_most((q + rows - 1) * a.PSH - a.PTOP + a.PH, a.OH)};
}
template <typename Arguments>
int64_t most_rows(const Arguments& a, int64_t pooled) {
    return at_most((pooled - 1) * a.PSH + a.PH, a.OH);
}

// table[place] = offset of the place's pixel from the window's corner, in floats of a padded picture.
template <typename Arguments>
void place_offsets(const Arguments& a, const View& v, int32_t* table) {
    for (int64_t i = 0; i <= kWindowTaps; ++i) {
        const int64_t inside = i < a.PH * a.PW;
        table[i] = int32_t(inside * (i / a.PW * a.SH * v.row + i % a.PW * a.SW * v.pixel));
    }
}

// Offset of the corner of window (i, r) in a padded picture whose first row is that of convolution row `low`.
template <typename Arguments>
PELLUCID_INLINE int64_t corner(const Arguments& a, const View& v, int64_t i, int64_t r, int64_t low) {
    return (i * a.PSH - a.PTOP - low) * a.SH * v.row + (r * a.PSW - a.PLEFT) * a.SW * v.pixel;
}

// dz[i][c] = dy times the activation's derivative for `count` pooled pixels of group g from pixel `first` on, rows of
// round_up(columns, V); zero where no gradient comes through. Adds its sums over the pixels to bias, if there is one.
template <typename Arguments>
void derive(const Arguments& a, const Segments& s, int64_t first, int64_t count, int64_t g, float* dz, double* bias) {
    const int64_t width = round_up(s.columns, V), kind = a.ACTIVATION;
    const Numbers numbers = numbers_of(a);
    for (int64_t c0 = 0; c0 < s.columns; c0 += V) {
        const int64_t c = vector_start(c0, s.columns), lanes = at_most(s.columns - c, V);
        int64_t at = first * a.O + g * s.columns + c;
        vd sum = {};
        for (int64_t i = 0; i < count; ++i, at += a.O) {
            vf v = load_lanes(a.dy + at, lanes);
            if (kind == kRelu) {
                v = floats(bits(v) & (load_bytes(a.argmax + at, lanes) != kNoPlace));
            } else if (kind != kLinear) {
                v = derived(v, load_lanes(a.y + at, lanes), kind, numbers);
            }
            store(dz + i * width + c, v);
            add_to(sum, widen(v));
        }
        double sums[V];
        memcpy(sums, &sum, sizeof sums);
        if (bias)
            for (int64_t lane = c0 - c; lane < lanes; ++lane) bias[g * s.columns + c + lane] += sums[lane];
    }
}

PELLUCID_INLINE int64_t counts(float v) {  // is not zero
    uint32_t word;
    memcpy(&word, &v, sizeof word);
    return (word << 1) != 0;
}

// Pixels of `channels` floats from one stride to another; the last vector is moved back.
PELLUCID_INLINE void copy_pixels(const float* from, int64_t stride, int64_t count, int64_t channels, float* to,
                                 int64_t to_stride) {
    for (int64_t i = 0; i < count; ++i, from += stride, to += to_stride) {
        if (channels < V) {
            for (int64_t c = 0; c < channels; ++c) to[c] = from[c];
            continue;
        }
        for (int64_t c0 = 0; c0 < channels; c0 += V) {
            const int64_t c = vector_start(c0, channels);
            store(to + c, load(from + c));
        }
    }
}

}  // namespace
}  // namespace pellucid::PELLUCID_ISA_NAMESPACE
