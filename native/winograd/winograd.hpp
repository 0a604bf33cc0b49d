// Winograd's minimal filtering, F(m x m, 3 x 3): what its files share.
//
//     y = A^T [ (G g G^T) * (B^T d B) ] A        Source: Lavin & Gray 2016, "Fast Algorithms for Convolutional Neural
//                                                Networks", section 4.
//
// A tile of m x m outputs needs a window d of P x P inputs, P = m + 2. Windows (B^T d B), kernels (G g G^T) and
// results are P*P numbers a channel, the points; at each point all tiles and channels are one matrix product. With m =
// 4 a product has 36 / 16 multiplications an output instead of 9 (4 times fewer), with m = 2 16 / 4 (2.25 times). For
// 5x5 kernels F(2x2, 5x5) has the windows and points of F(4x4, 3x3): 36 / 4 instead of 25 (2.8 times).
//
// Transforms (winograd/transforms.hpp): a vector of channels at a time, columns then rows, the half-done P x P vectors
// in a buffer on the stack (36 do not fit in registers). Windows that leave the picture by one pixel have functions of
// their own, all others are read through a table of their pixels. A tail of channels is loaded as a whole vector that
// reaches into the next pixel: those lanes are never used.
//
// Layout of transformed numbers: blocks of channels > points > tiles > channels of the block, so that a product reads
// its rows in order. Points are 64 bytes further apart than they need be: at a power of two all 36 fall into one set
// of the cache.
//
// A NaN, an infinity or a number far beyond the others spoils the whole tile of results: winograd/range.hpp. A result
// whose own field is zero is zero (zero_fields), whatever the rest of its window is.
#pragma once
#include "conv/conv2d.hpp"
#include "winograd/products.hpp"
#include "winograd/range.hpp"
#include "winograd/transforms.hpp"
#include "winograd/unpool.hpp"

namespace pellucid::PELLUCID_ISA_NAMESPACE {
namespace {

// with(F): the algorithm's tiles for these arguments.
template <typename Arguments, typename With>
void with_tiles(const Arguments& a, const With& with) {
    if (a.KH == 5) with(F5{});
    else if (algorithm_of(a) == kWinograd2) with(F2{});
    else with(F4{});
}

// T applied to column j of a window, one vector of channels; pixel (i, j) of it is, or lies, at(i, j).
PELLUCID_INLINE vf pixel_of(const float* from) { return load(from); }
PELLUCID_INLINE vf pixel_of(vf pixel) { return pixel; }
template <typename T, typename At>
PELLUCID_INLINE void transform_column(int j, At at, vf (&out)[T::to]) {
    vf in[T::from];
#pragma GCC unroll 8
    for (int i = 0; i < T::from; ++i) in[i] = pixel_of(at(i, j));
    T::apply(in, out);
}
// half[i][j]: of all columns.
template <typename T, typename At>
PELLUCID_INLINE void transform_columns(vf (&half)[T::to][T::from], At at) {
#pragma GCC unroll 8
    for (int j = 0; j < T::from; ++j) {
        vf out[T::to];
        transform_column<T>(j, at, out);
#pragma GCC unroll 8
        for (int i = 0; i < T::to; ++i) half[i][j] = out[i];
    }
}
template <typename T>
PELLUCID_INLINE void transform_columns(const float* from, int64_t row, int64_t pixel, vf (&half)[T::to][T::from]) {
    transform_columns<T>(half, [=](int i, int j) { return from + i * row + j * pixel; });
}

// Both axes, to points that lie `point` apart; `each(i, j, v)` sees them.
template <typename T, typename At, typename Each>
PELLUCID_INLINE void transform_to(At at, float* to, int64_t point, Each&& each) {
    const auto finish = [=](int i, const vf* half) {
        vf out[T::to];
        T::apply(half, out);
#pragma GCC unroll 8
        for (int j = 0; j < T::to; ++j) {
            store(to + (i * T::to + j) * point, out[j]);
            each(i, j, out[j]);
        }
    };
    if constexpr (T::to * T::from <= 32) {
        vf half[T::to][T::from];
        transform_columns<T>(half, at);
#pragma GCC unroll 8
        for (int i = 0; i < T::to; ++i) finish(i, half[i]);
    } else {  // more than there are registers: two rows at a time, which share sums
#pragma GCC unroll 4
        for (const auto& pair : T::pairs) {
            vf half[2][T::from];
#pragma GCC unroll 8
            for (int j = 0; j < T::from; ++j) {
                vf out[T::to];
                transform_column<T>(j, at, out);
                half[0][j] = out[pair[0]];
                half[1][j] = out[pair[1]];
            }
            finish(pair[0], half[0]);
            finish(pair[1], half[1]);
        }
    }
}

// ------------------------------------------------------------------------------------------------------------ tiles

// Pictures, and the windows cut out of them: tile (i, j) of a picture starts at row i * step - top, column j * step -
// left (step: of the transform), which may lie outside. C channels of the `pixel` that a pixel has, from `data` on.
struct Windows {
    const float* data;
    int64_t N, H, W, C;
    int64_t pixel;
    int64_t readable;      // floats from `data` on
    int64_t down, across;  // tiles of a picture
    int64_t top, left;
    Pooled pooled;         // where the pictures are known by their pooling alone; `data` is null then
    uint8_t* out_of_range;  // a byte for each picture
    float range;            // what to watch for (winograd/range.hpp); 0: overflow alone
};

// Group g's C channels of whole pictures.
inline Windows windows_of(const float* data, int64_t N, int64_t H, int64_t W, int64_t C, int64_t groups, int64_t g) {
    Windows w{};
    w.data = data + g * C;
    w.N = N;
    w.H = H;
    w.W = W;
    w.C = C;
    w.pixel = groups * C;
    w.readable = N * H * W * w.pixel - g * C;
    return w;
}

// Group g of the gradient that a pooled convolution passes back.
template <typename Arguments>
Windows unpooled_windows(const Arguments& a, int64_t g) {
    Windows w{};
    w.N = a.N;
    w.C = a.O / a.GROUPS;
    w.pooled = pooled_of(a, g);
    return w;
}

// Where a tile lies, and the one after it.
struct TilePlace {
    int64_t n, i, j;
};
inline TilePlace place_of(const Windows& w, int64_t tile) {
    return {tile / (w.down * w.across), tile / w.across % w.down, tile % w.across};
}
PELLUCID_INLINE void next_tile(const Windows& w, TilePlace& place) {
    if (++place.j < w.across) return;
    place.j = 0;
    if (++place.i < w.down) return;
    place.i = 0;
    ++place.n;
}

// Channels in blocks of `width` (a multiple of V; the last one narrower), `points` x `tiles` of them.
struct Layout {
    int64_t channels, width, blocks;
    int64_t point;  // floats between points
    int64_t block;  // floats between blocks
};

inline Layout layout_of(int64_t channels, int64_t width, int64_t points, int64_t tiles) {
    Layout l{channels, width, ceil_div(channels, width), 0, 0};
    l.point = tiles * at_most(width, round_up(channels, V)) + 16;
    l.block = l.point * points;
    return l;
}
constexpr int64_t block_channels(const Layout& l, int64_t b) { return at_most(l.channels - b * l.width, l.width); }
constexpr int64_t block_row(const Layout& l, int64_t b) { return round_up(block_channels(l, b), V); }


// Fetches the lines of PIXELS pixels in each of ROWS rows: the prefetcher of the processor does not follow 36 pixels
// that are C channels apart.
template <int ROWS, int PIXELS>
PELLUCID_INLINE void prefetch_pixels(const float* from, int64_t row, int64_t pixel) {
#pragma GCC unroll 16
    for (int i = 0; i < ROWS; ++i)
#pragma GCC unroll 8
        for (int k = 0; k < PIXELS; ++k) __builtin_prefetch(from + i * row + k * pixel, 1);
}

constexpr int64_t scratch_floats(int64_t size, int64_t channels) { return size * size * channels + V; }

// By lanes, the largest magnitude of what a pooled pixel's C channels pass back.
inline vi largest_passed(const Pooled& p, int64_t at, int64_t C) {
    vi most = vi{};
    for (int64_t c0 = 0; c0 < C; c0 += V) {
        const int64_t c = vector_start(c0, C);
        most = larger(most, bits(passed_back(p, at + c, at_most(C - c, V))) & kMagnitude);
    }
    return most;
}

// Marks picture n if the largest magnitudes seen of it are too large for the transform.
inline void mark_range(const Windows& w, int64_t n, vi seen) {
    const int32_t most = largest_lane(seen);
    if (w.range == 0.0f) {
        if (most < kHuge) return;
    } else if (w.data) {
        const float* const picture = w.data + n * w.H * w.W * w.pixel;
        const auto largest = [&](int64_t i) { return largest_channels(picture + i * w.pixel, w.C); };
        if (in_range(most, w.range, w.H, w.W, largest)) return;
    } else {
        const Pooled& p = w.pooled;
        const auto largest = [&](int64_t i) { return largest_passed(p, (n * p.QH * p.QW + i) * p.pixel, w.C); };
        if (in_range(most, w.range, p.QH, p.QW, largest)) return;
    }
    __atomic_store_n(w.out_of_range + n, uint8_t(1), __ATOMIC_RELAXED);
}

// A window of P x P pixels, P = T::from: each at from + i * row + j * pixel, or at some[i * P + j]. Rows up .. down and
// columns left .. across lie in the picture; the others are zeros.
struct Window {
    const float* from;
    int64_t row, pixel;
    const float* const* some;  // or null
    int64_t up, left, down, across;
};
template <typename T, typename Body>
PELLUCID_INLINE void with_pixels(const Window& w, Body body) {
    if (w.some) body([some = w.some](int64_t i, int64_t j) { return some[i * T::from + j]; });
    else body([from = w.from, row = w.row, pixel = w.pixel](int64_t i, int64_t j) { return from + i * row + j * pixel; });
}

// The results of a window whose fields hold nothing but zeros, a bit each. What the window's other numbers leave there
// are roundings, and at zero an activation's slope is not what it is beside it: with black borders and biases of zero
// the gradient of a bias would be wrong in its first digit. Each field has one of the few pixels asked first, of those
// inside, without a branch: behind a ReLU no number tells of the next.
template <typename T>
uint32_t zero_fields(const Window& w, int64_t C) {
    constexpr int K = T::from - T::step + 1;
    uint32_t fields = 0;
    with_pixels<T>(w, [&](auto at) {
        const int64_t down = at_least(w.down, T::step - 1), across = at_least(w.across, T::step - 1);
        const auto asked = [&](auto zero) {
            bool some = false;
            for (int i = K - 1; i < T::from; i += K)
                for (int j = K - 1; j < T::from; j += K) some |= zero(at(at_most(i, down), at_most(j, across)), C);
            return some;
        };
        if (!asked([](const float* from, int64_t n) { return begins_with_zeros(from, n); }) ||
            !asked([](const float* from, int64_t n) { return is_zero(from, n); }))
            return;
        uint32_t zeros[T::from] = {};
        for (int i = 0; i < T::from; ++i)
            for (int j = 0; j < T::from; ++j) {
                const bool outside = i < w.up || j < w.left || i > w.down || j > w.across;
                zeros[i] |= uint32_t(outside || is_zero(at(i, j), C)) << j;
            }
        for (int y = 0; y < T::step; ++y)
            for (int x = 0; x < T::step; ++x) {
                uint32_t field = (1u << K) - 1;
                for (int i = 0; i < K; ++i) field &= zeros[y + i] >> x;
                fields |= uint32_t(field == (1u << K) - 1) << (y * T::step + x);
            }
    });
    return fields;
}

// Bits first .. last - 1 of 0 .. 63.
constexpr uint64_t bits_below(int64_t n) { return n >= 64 ? ~uint64_t(0) : n <= 0 ? 0 : (uint64_t(1) << n) - 1; }
constexpr uint64_t bits_between(int64_t first, int64_t last) { return bits_below(last) & ~bits_below(first); }

// How far a window's pixels along one axis leave the picture: not, one before its first, one behind its last, or more.
enum Edge { kWithin, kBefore, kBehind, kFar };
constexpr Edge edge_of(int64_t first, int64_t length, int64_t size) {
    const int64_t end = first + length;
    if (first >= 0) return end <= size ? kWithin : end == size + 1 ? kBehind : kFar;
    return first == -1 && end <= size ? kBefore : kFar;
}

// A vector of channels of one window; seen: with what is watched of it. Functions of their own: else the addresses of
// its pixels are calculated for all vectors at once, and put aside.
template <typename T, typename At>
PELLUCID_INLINE vi transform_vector(At at, float* to, int64_t point, vi magnitude, vi seen) {
    transform_to<T>(at, to, point, [&seen, magnitude](int i, int j, vf v) {
        if (T::watched(i) && T::watched(j)) seen = larger(seen, bits(v) & magnitude);
    });
    return seen;
}
template <typename T, Edge VERTICAL, Edge HORIZONTAL>
vi transform_edge(const float* from, int64_t row, int64_t pixel, float* to, int64_t point, vi magnitude, vi seen) {
    const auto at = [=](int i, int j) {
        const bool above = VERTICAL == kBefore && i == 0, below = VERTICAL == kBehind && i == T::from - 1;
        const bool left = HORIZONTAL == kBefore && j == 0, right = HORIZONTAL == kBehind && j == T::from - 1;
        return above || below || left || right ? vf{} : load(from + i * row + j * pixel);
    };
    return transform_vector<T>(at, to, point, magnitude, seen);
}
template <typename T>
__attribute__((noinline)) vi transform_some(const float* const* some, int64_t channel, float* to, int64_t point,
                                            vi magnitude, vi seen) {
    const auto at = [=](int i, int j) { return some[i * T::from + j] + channel; };
    return transform_vector<T>(at, to, point, magnitude, seen);
}
using TransformEdge = vi (*)(const float*, int64_t, int64_t, float*, int64_t, vi, vi);
#define PELLUCID_EDGES(V) {transform_edge<T, V, kWithin>, transform_edge<T, V, kBefore>, transform_edge<T, V, kBehind>}
template <typename T>
constexpr TransformEdge kTransformEdge[3][3] = {PELLUCID_EDGES(kWithin), PELLUCID_EDGES(kBefore),
                                                PELLUCID_EDGES(kBehind)};
#undef PELLUCID_EDGES

// Transforms the windows of tiles first .. first + count - 1; the first of them becomes tile `place` of `to`, and its
// zero_fields go to zeros[place], unless that is null.
template <typename T>
__attribute__((noinline)) void transform_windows(const Windows& w, int64_t first, int64_t count, int64_t place,
                                                 const Layout& l, float* to, float* scratch,
                                                 uint32_t* zeros = nullptr) {
    constexpr int64_t last = T::from - 1;
    const int64_t reach = round_up(w.C, V), row = w.W * w.pixel;
    int64_t picture = -1;
    vi most = vi{};  // of what is watched of the picture
    const float* some[T::from * T::from];
    bool outside = false;  // whether scratch holds a pixel of zeros
    TilePlace tile = place_of(w, first);
    for (const int64_t end = place + count; place < end; ++place, next_tile(w, tile)) {
        const int64_t n = tile.n;
        if (n != picture) {
            if (picture >= 0) mark_range(w, picture, most);
            picture = n;
            most = vi{};
        }
        const int64_t y = tile.i * T::step - w.top, x = tile.j * T::step - w.left;
        const int64_t start = ((n * w.H + y) * w.W + x) * w.pixel;
        TilePlace next = tile;
        next_tile(w, next);
        // what the next window does not share with this one: its last T::step columns; it may lie outside
        const int64_t next_x = next.j * T::step - w.left + T::from - T::step;
        const int64_t next_at = ((next.n * w.H + next.i * T::step - w.top) * w.W + next_x) * w.pixel;
        const Edge vertical = edge_of(y, T::from, w.H), horizontal = edge_of(x, T::from, w.W);
        const bool within = vertical == kWithin && horizontal == kWithin;
        const bool readable = within && start + last * (w.W + 1) * w.pixel + reach <= w.readable;
        Window window{scratch, T::from * w.C, w.C, nullptr, 0, 0, last, last};
        TransformEdge transform = kTransformEdge<T>[kWithin][kWithin];
        if (!w.data) {
            unpooled_window(w.pooled, w.C, n, y, x, T::from, scratch);
        } else if (readable || (!within && reach == w.C && vertical != kFar && horizontal != kFar)) {
            window = {w.data + start, row, w.pixel, nullptr, vertical == kBefore, horizontal == kBefore,
                      last - (vertical == kBehind), last - (horizontal == kBehind)};
            transform = kTransformEdge<T>[vertical][horizontal];
        } else if (reach == w.C) {
            if (!outside) memset(scratch, 0, size_t(w.C) * sizeof(float));
            outside = true;
            const uint64_t rows = bits_between(-y, w.H - y), columns = bits_between(-x, w.W - x);
            const float* line = w.data + start;
#pragma GCC unroll 8
            for (int i = 0; i < T::from; ++i, line += row)
#pragma GCC unroll 8
                for (int j = 0; j < T::from; ++j)
                    some[i * T::from + j] = rows >> i & columns >> j & 1 ? line + j * w.pixel : scratch;
            window.some = some;
            window.down = at_most(w.H - 1 - y, last);
            window.across = at_most(w.W - 1 - x, last);
        } else {
            copy_window(w.data + n * w.H * row, w.H, w.W, w.pixel, w.C, y, T::from, x, T::from, scratch);
        }
        if (zeros) zeros[place] = zero_fields<T>(window, w.C);
        for (int64_t b = 0; b < l.blocks; ++b) {
            const int64_t channels = block_channels(l, b), stride = round_up(channels, V);
            float* const block = to + b * l.block + place * stride;
            for (int64_t c = 0; c < stride; c += V) {
                const int64_t channel = b * l.width + c;
                if (c % kLine == 0 && w.data)
                    prefetch_pixels<T::from, T::step>(w.data + next_at + channel, row, w.pixel);
                const vi magnitude = first_lanes_mask(at_most(channels - c, V)) & kMagnitude;
                if (window.some) most = transform_some<T>(some, channel, block + c, l.point, magnitude, most);
                else
                    most = transform(window.from + channel, window.row, window.pixel, block + c, l.point, magnitude,
                                     most);
            }
        }
    }
    if (picture >= 0) mark_range(w, picture, most);
}

}  // namespace
}  // namespace pellucid::PELLUCID_ISA_NAMESPACE
