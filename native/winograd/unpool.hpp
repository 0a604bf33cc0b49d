// A window of the gradient that max pooling 2x2, stride 2, passes back, made from the pooled gradient when it is
// needed: for Winograd's gradients behind a pooled convolution, so that the unpooled gradient lies in no memory but L1.
//
// A pooled pixel's gradient (times the activation's derivative) goes to the one pixel of its four that its byte names.
// Windows that overlap make their common pixels again: 6x6 windows 4 apart read each pooled pixel 2.25 times. That is
// cheaper than to write the whole map and to read it back (16 vectors made for the 36 that a transform loads).
#pragma once
#include "conv/conv2d_pool.hpp"

namespace pellucid::PELLUCID_ISA_NAMESPACE {
namespace {

// What a pooled convolution left for its gradient (conv/conv2d_pool.hpp), from a group's first channel on.
struct Pooled {
    const float *dy, *y;
    const uint8_t* argmax;
    int64_t QH, QW, pixel;  // pixel: channels of all groups
    int64_t kind;
    Numbers numbers;
};

template <typename Arguments>
Pooled pooled_of(const Arguments& a, int64_t g) {
    const int64_t first = g * (a.O / a.GROUPS);
    return {a.dy + first, a.y + first, a.argmax + first, a.QH, a.QW, a.O, a.ACTIVATION, numbers_of(a)};
}

// What comes through at a pooled pixel's channels.
inline vf passed_back(const Pooled& p, int64_t at, int64_t lanes) {
    const vf g = load_lanes(p.dy + at, lanes);
    if (p.kind == kRelu) return floats(bits(g) & (load_bytes(p.argmax + at, lanes) != kNoPlace));
    return p.kind == kLinear ? g : derived(g, load_lanes(p.y + at, lanes), p.kind, p.numbers);
}

// The pixels that a pooled pixel stands for and that lie in the window: where they go, and their places.
struct Targets {
    float* to[4];
    int32_t place[4];
};

template <int COUNT>
inline void spread(const Pooled& p, int64_t at, int64_t C, const Targets& targets) {
    vi place[COUNT];
    for (int i = 0; i < COUNT; ++i) place[i] = vi{} + targets.place[i];
    for (int64_t c0 = 0; c0 < C; c0 += V) {
        const int64_t c = vector_start(c0, C), lanes = at_most(C - c, V);
        vf g = load_lanes(p.dy + at + c, lanes);
        if (p.kind != kLinear && p.kind != kRelu) g = derived(g, load_lanes(p.y + at + c, lanes), p.kind, p.numbers);
        const vi winner = load_bytes(p.argmax + at + c, lanes);  // kNoPlace is no place
#pragma GCC unroll 4
        for (int i = 0; i < COUNT; ++i) store_lanes(targets.to[i] + c, floats(bits(g) & (winner == place[i])), lanes);
    }
}

// out (size, size, C) = rows y0.. and columns x0.. of picture n's unpooled gradient, zero outside it.
inline void unpooled_window(const Pooled& p, int64_t C, int64_t n, int64_t y0, int64_t x0, int64_t size, float* out) {
    const int64_t q0 = (y0 + 2 * size) / 2 - size, r0 = (x0 + 2 * size) / 2 - size;  // rounded down, also below zero
    for (int64_t q = q0; 2 * q < y0 + size; ++q)
        for (int64_t r = r0; 2 * r < x0 + size; ++r) {
            Targets targets;
            int count = 0;
            for (int place = 0; place < 4; ++place) {
                const int64_t i = 2 * q + place / 2 - y0, j = 2 * r + place % 2 - x0;
                if (i < 0 || i >= size || j < 0 || j >= size) continue;
                targets.to[count] = out + (i * size + j) * C;
                targets.place[count++] = place;
            }
            const bool inside = q >= 0 && q < p.QH && r >= 0 && r < p.QW;
            const int64_t at = ((n * p.QH + q) * p.QW + r) * p.pixel;
            if (!inside)
                for (int i = 0; i < count; ++i) memset(targets.to[i], 0, size_t(C) * sizeof(float));
            else if (count == 4) spread<4>(p, at, C, targets);
            else if (count == 2) spread<2>(p, at, C, targets);
            else spread<1>(p, at, C, targets);
        }
}

}  // namespace
}  // namespace pellucid::PELLUCID_ISA_NAMESPACE
