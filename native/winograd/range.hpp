// Where Winograd's algorithm may not be trusted: pictures with numbers far beyond their others, or near overflow.
//
// The roundings of F(4x4, 3x3) and of F(4, 5) along rows are relative to the largest number of a tile's window, not to
// what a result sums: one pixel 10^4 times its neighbours costs the tile's other results 4 digits, a NaN or an infinity
// all of them. (F(2x2) has no such results: each number of a window is in the sums of just those that need it.) So
// while windows are transformed, the largest of a few of their points is taken along (`watched` of each transform:
// every pixel is in one of them, and a constant cancels in none) and compared with what the picture is like: the mean
// of 64 of its pixels, each by its largest channel, without the 5 largest, or a line of small maps (up to 8). A picture
// that exceeds kRange times that is computed again, directly, by itself (Guarded), so its bits do not depend on its
// batch; the gradient of the kernel, where one picture or its gradient exceeds kGradientRange, whole: its sums over all
// tiles hide more. What stays below costs at most 3 * 10^-4 of the results' root mean square.
#pragma once
#include "conv/choice.hpp"
#include "conv/conv2d_pool.hpp"

namespace pellucid::PELLUCID_ISA_NAMESPACE {
namespace {

constexpr float kRange = 256, kGradientRange = 64 * kRange;
constexpr int64_t kSample = 64, kTop = 5, kMostTop = 8;  // pixels; those that do not count, at least and at most
constexpr int64_t kQuick = 6;              // pixels that tell of most pictures
constexpr int64_t kLargest = 32;           // of a picture of one channel, at most
constexpr int32_t kMagnitude = 0x7fffffff;  // floats without sign are ordered as integers, NaN last
constexpr int32_t kHuge = (127 + 100) << 23;  // 2^100: sums of products of transformed numbers stay finite

PELLUCID_INLINE vi larger(vi a, vi b) { return a > b ? a : b; }
inline int32_t largest_lane(vi v) {
    int32_t lanes[2 * V];
    for (int half = V / 2; half > 0; half /= 2) {
        memcpy(lanes, &v, sizeof v);
        memcpy(lanes + V, &v, sizeof v);
        vi other;
        memcpy(&other, lanes + half, sizeof other);
        v = larger(v, other);
    }
    return v[0];
}
// By lanes, the largest magnitude of a pixel's channels.
PELLUCID_INLINE vi largest_channels(const float* from, int64_t C) {
    if (C < V) return bits(load_partial(from, C)) & kMagnitude;
    vi most = vi{};
    for (int64_t c = 0; c < C; c += V) most = larger(most, bits(load(from + vector_start(c, C))) & kMagnitude);
    return most;
}
// Whether a pixel's C channels are all zero, of either sign.
PELLUCID_INLINE bool is_zero(const float* from, int64_t C) {
    vi all = vi{};
    if (C < V) all = bits(load_partial(from, C));
    else
        for (int64_t c = 0; c < C; c += V) all |= bits(load(from + vector_start(c, C)));
    uint64_t parts[V / 2], some = 0;
    all &= kMagnitude;
    memcpy(parts, &all, sizeof parts);
    for (const uint64_t part : parts) some |= part;
    return some == 0;
}
// Whether its first few are: of most pixels that are not all zero they tell it, at a fraction of the price.
PELLUCID_INLINE bool begins_with_zeros(const float* from, int64_t C) {
    uint64_t first[2] = {};
    if (C < 4) memcpy(first, from, 4);
    else memcpy(first, from, sizeof first);
    return ((first[0] | first[1]) & 0x7fffffff7fffffff) == 0;
}
inline float float_of(int32_t bits) {
    float f;
    memcpy(&f, &bits, sizeof f);
    return f;
}
inline int32_t bits_of(float f) {
    int32_t bits;
    memcpy(&bits, &f, sizeof bits);
    return bits;
}

// As what numbers are like that are mostly zero, which tell nothing: the geometric mean of the others, as bits (their
// mean is one of logarithms, nearly). A few that are bright hardly move it. `magnitude(i)` of each is asked.
template <typename Magnitude>
int32_t usual_of_few(int64_t count, Magnitude magnitude) {
    int64_t sum = 0, some = 0;
    for (int64_t i = 0; i < count; ++i) {
        const int32_t value = magnitude(i);
        sum += value;
        some += value > 0;
    }
    return int32_t(sum / at_least(some, 1));
}

// Whether `seen`, the bits of a magnitude, stays below what the points of a picture of H x W pixels may be. `largest(i)`:
// by lanes, of pixel i's channels. The sum only grows, so a quarter of the pixels is enough where it is large already.
template <typename Largest>
bool below_limit(int32_t seen, float range, int64_t H, int64_t W, Largest largest) {
    const int64_t pixels = H * W, count = at_most(pixels, kSample);
    const int64_t line = ceil_div(count, at_most(H, W));  // pixels asked of a row or column
    const int64_t top = at_most(at_most(at_least(line, kTop), kMostTop), ceil_div(count, 4));
    int32_t most[kMostTop] = {};
    float sum = 0.0f, usual = 0.0f;
    const auto limit = [&] {
        const int32_t limit = bits_of(usual * range);
        return limit > 0 && limit < kHuge ? limit : kHuge;
    };
    for (int64_t i = 0; i < count; ++i) {  // spread over rows and columns alike: 27 is prime to 64
        const int64_t at = pixels <= kSample ? i : i * H / kSample * W + i * 27 % kSample * W / kSample;
        int32_t value = largest_lane(largest(at));
        for (int64_t k = 0; k < top; ++k) {
            const int32_t other = most[k];
            most[k] = value > other ? value : other;
            value = value > other ? other : value;
        }
        sum += float_of(value);
        usual = sum / float(at_least(count - top, 1));
        if (i % (kSample / 4) == kSample / 4 - 1 && usual > 0.0f && seen < limit()) return true;
    }
    if (usual == 0.0f) usual = float_of(usual_of_few(pixels, [&](int64_t i) { return largest_lane(largest(i)); }));
    return seen < limit();
}

// Whether `most`, the bits of a magnitude, is in range of a picture. The smallest of a few pixels, by channels, tells
// at once of most, since no few bright ones or lines can be all of them; only else are more asked, at 10 times the
// price.
template <typename Largest>
bool in_range(int32_t most, float range, int64_t H, int64_t W, Largest largest) {
    if (most >= kHuge) return false;
    if (most == 0) return true;
    vi least = vi{} + kMagnitude;
    for (int64_t i = 0; i < kQuick; ++i) {  // columns 2, 5, 1, 4, 0, 3 of 6
        const int64_t column = (i + 1) * 3 % (kQuick + 1) - 1;
        const vi pixel = largest((2 * i + 1) * H / (2 * kQuick) * W + (2 * column + 1) * W / (2 * kQuick));
        least = least < pixel ? least : pixel;
    }
    return float_of(most) < range * float_of(largest_lane(least)) || below_limit(most, range, H, W, largest);
}

// Of a picture of one channel: all of its pixels are asked, but for as many of the largest as a column has. Strokes on
// black fill more than a column.
inline bool exceeds_range(const float* picture, int64_t H, int64_t W) {
    const int64_t count = H * W, top = at_most(at_least(H, 1), at_most(count / 2, kLargest));
    vi seen = vi{};
    vf sums = vf{};
    for (int64_t i = 0; i < count; i += V) {
        const vi magnitude = bits(load_lanes(picture + i, at_most(count - i, V))) & kMagnitude;
        seen = larger(seen, magnitude);
        sums += floats(magnitude);
    }
    const int32_t most = largest_lane(seen);
    if (most >= kHuge) return true;
    if (most == 0) return false;
    float sum = 0.0f, value = float_of(most);
    for (int i = 0; i < V; ++i) sum += sums[i];
    const float share = kRange / float(at_least(count - top, 1));
    if (value < share * (sum - float(top) * value)) return false;  // as if all of those were as large as the largest
    int32_t largest[kLargest] = {};
    sum = 0.0f;
    for (int64_t i = 0; i < count; ++i) {
        int32_t next = bits_of(picture[i]) & kMagnitude;
        for (int64_t k = 0; k < top && next > 0; ++k) {
            const int32_t other = largest[k];
            if (next <= other) continue;
            largest[k] = next;
            next = other;
        }
        sum += float_of(next);
    }
    if (sum > 0.0f) return value >= share * sum;
    return value >= kRange * float_of(usual_of_few(count, [&](int64_t i) { return bits_of(picture[i]) & kMagnitude; }));
}

// Leaves picture n alone of a call, and says whether it can: the gradient of the kernel sums over all.
inline bool only_picture(Conv2d& a, int64_t n) {
    a.x += n * a.H * a.W * a.C;
    a.y += n * a.OH * a.OW * a.O;
    if (a.addend) a.addend += n * a.OH * a.OW * a.O;
    a.N = 1;
    return true;
}
inline bool only_picture(Conv2dBackwardInput& a, int64_t n) {
    a.dy += n * a.OH * a.OW * a.O;
    a.dx += n * a.H * a.W * a.C;
    if (a.addend) a.addend += n * a.H * a.W * a.C;
    a.N = 1;
    return true;
}
inline bool only_picture(Conv2dPool& a, int64_t n) {
    const int64_t at = n * a.QH * a.QW * a.O;
    a.x += n * a.H * a.W * a.C;
    a.y += at;
    if (a.argmax) a.argmax += at;
    a.N = 1;
    return true;
}
inline bool only_picture(Conv2dPoolBackwardInput& a, int64_t n) {
    const int64_t at = n * a.QH * a.QW * a.O;
    a.dy += at;
    a.y += at;
    a.argmax += at;
    a.dx += n * a.H * a.W * a.C;
    a.N = 1;
    return true;
}
inline bool only_picture(Conv2dBackwardKernel&, int64_t) { return false; }
inline bool only_picture(Conv2dPoolBackwardKernel&, int64_t) { return false; }

// Runs FAST, which sets a byte for each picture out of range, then what those need by WHOLE with the direct algorithm.
template <typename A, const Kernel& FAST, const Kernel& WHOLE>
struct Guarded {
    static A directly(const A& a) {
        A again = a;
        again.ALGORITHM = kDirect;
        return again;
    }
    static int64_t prepared_bytes(const A& again) { return WHOLE.prepared_bytes ? WHOLE.prepared_bytes(&again) : 0; }
    static uint8_t* bytes_of(const A& a, Memory& memory) { return memory.take<uint8_t>(a.N); }
    static void run(const void* arguments, Context& context) {
        const A& a = *static_cast<const A*>(arguments);
        Memory memory{context.workspace};
        Context inner = context;
        A again = directly(a);
        inner.out_of_range = bytes_of(a, memory);
        inner.workspace = memory.take<char>(inner_bytes(a));
        void* const prepared = memory.take<char>(0);  // last: nothing touches it before a picture is out of range
        memset(inner.out_of_range, 0, size_t(a.N));
        FAST.run(&a, inner);
        inner.prepared = prepared;
        for (int64_t n = 0; n < a.N; ++n) {
            if (!inner.out_of_range[n]) continue;
            again = directly(a);
            const bool one = only_picture(again, n);
            if (WHOLE.prepare) WHOLE.prepare(&again, inner.prepared);
            WHOLE.run(&again, inner);
            ++context.recomputed;
            if (!one) return;
        }
    }
    static int64_t workspace_bytes(const void* arguments) {
        const A& a = *static_cast<const A*>(arguments);
        Memory counted;
        bytes_of(a, counted);
        counted.take<char>(inner_bytes(a));
        return counted.used + prepared_bytes(directly(a));
    }
    static int64_t inner_bytes(const A& a) {
        A again = directly(a);
        only_picture(again, 0);
        return at_least(FAST.workspace_bytes(&a), WHOLE.workspace_bytes(&again));
    }
    static int64_t fast_bytes(const void* a) { return FAST.prepared_bytes ? FAST.prepared_bytes(a) : 0; }
    static void prepare(const void* a, void* memory) {
        if (FAST.prepare) FAST.prepare(a, memory);
    }
};
template <typename A, const Kernel& FAST, const Kernel& WHOLE>
constexpr Kernel guarded() {
    using Both = Guarded<A, FAST, WHOLE>;
    return {Both::run, Both::workspace_bytes, nullptr, Both::fast_bytes, Both::prepare};
}

}  // namespace
}  // namespace pellucid::PELLUCID_ISA_NAMESPACE
