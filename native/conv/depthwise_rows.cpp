// The tiles of a depthwise convolution's rows.
#include "conv/depthwise_rows.hpp"

namespace pellucid::PELLUCID_ISA_NAMESPACE {
namespace {

template <int T, bool BORDER>
PELLUCID_INLINE void finish(const RowTile& t, vf (&sum)[T], int64_t c) {
    if (t.addend) {
#pragma GCC unroll 16
        for (int i = 0; i < T; ++i)
            if (!BORDER || (i >= t.first && i < t.last)) sum[i] += load(t.addend + i * t.stride + c);
    }
    if (t.activation == kRelu) {
#pragma GCC unroll 16
        for (int i = 0; i < T; ++i) sum[i] = rectified(sum[i]);
    } else if (t.activation == kRelu6 && t.numbers.clips()) {
#pragma GCC unroll 16
        for (int i = 0; i < T; ++i) sum[i] = clipped(sum[i], t.numbers.ceiling);
    } else if (t.activation == kLeakyRelu) {
#pragma GCC unroll 16
        for (int i = 0; i < T; ++i) sum[i] = select(sum[i] < 0.0f, sum[i] * t.numbers.slope, sum[i]);
    }
    float* out = t.out + c;
#pragma GCC unroll 16
    for (int i = 0; i < T; ++i, out += t.stride)
        if (!BORDER || (i >= t.first && i < t.last)) store(out, sum[i]);
}

// BACK: to the input with stride S.
template <int KW, int S, bool BACK, int T>
struct Shape {
    static constexpr int kReach = BACK ? (KW - 1) / S : 0;
    static constexpr int kColumns = BACK ? (T - 1) / S + 1 + kReach : (T - 1) * S + KW;
    static constexpr int tap(int i, int j) { return BACK ? i - (j - kReach) * S : j - i * S; }
};

PELLUCID_INLINE void fetch(const float* row, int64_t pixel, int columns) {
    for (int j = 0; j < columns; ++j, row += pixel) __builtin_prefetch(row, 0, 2);
}

template <int KW, int S, bool BACK, int T, bool BORDER>
void row_tile(const RowTile& t) {
    using K = Shape<KW, S, BACK, T>;
    const int64_t pixel = t.pixel, tap_stride = t.tap, count = t.count;
    for (int64_t c0 = 0; c0 < t.channels; c0 += V) {
        const int64_t c = vector_start(c0, t.channels);
        for (int64_t k = 0; k < t.streams; ++k)
            fetch(t.ahead[k].row + c, t.ahead[k].pixel, int(T * t.ahead[k].columns));
        vf sum[T];
        const vf start = t.bias ? load(t.bias + c) : vf{};
#pragma GCC unroll 16
        for (int i = 0; i < T; ++i) sum[i] = start;
        const float* const* border = t.border;
        for (int64_t r = 0; r < count; ++r) {
            const float* x = BORDER ? nullptr : t.rows[r] + (t.column * pixel + c);
            const float* from = t.taps[r] + c;
            vf tap[KW];
#pragma GCC unroll 8
            for (int b = 0; b < KW; ++b, from += tap_stride) tap[b] = load(from);
#pragma GCC unroll 32
            for (int j = 0; j < K::kColumns; ++j) {
                const vf v = load(BORDER ? border[j] + c : x);
                if (!BORDER) x += pixel;
#pragma GCC unroll 16
                for (int i = 0; i < T; ++i)
                    if (K::tap(i, j) >= 0 && K::tap(i, j) < KW) sum[i] += v * tap[K::tap(i, j)];
            }
            border += K::kColumns;
        }
        finish<T, BORDER>(t, sum, c);
    }
}

template <int KW, int S, bool BACK, int T>
constexpr TileKind tile_kind() {
    using K = Shape<KW, S, BACK, T>;
    return {KW, S, BACK, T, K::kReach, K::kColumns, row_tile<KW, S, BACK, T, false>, row_tile<KW, S, BACK, T, true>};
}
#define PELLUCID_TILE_KINDS(KW)                                                                                       \
    tile_kind<KW, 1, false, 8>(), tile_kind<KW, 1, false, 7>(), tile_kind<KW, 1, false, 4>(),                     \
        tile_kind<KW, 2, false, 8>(), tile_kind<KW, 2, false, 7>(), tile_kind<KW, 2, false, 4>(),                 \
        tile_kind<KW, 2, true, 8>(), tile_kind<KW, 2, true, 4>()
constexpr TileKind kTileKinds[] = {PELLUCID_TILE_KINDS(3), PELLUCID_TILE_KINDS(5)};

}  // namespace

const TileKind* kind_of(bool back, int64_t KW, int64_t stride, int64_t width) {
    const TileKind* best = nullptr;
    int64_t least = 0;
    for (const TileKind& kind : kTileKinds) {
        if (kind.KW != KW || kind.S != stride || kind.back != back) continue;
        const int64_t cost = ceil_div(width, kind.T) * (kind.T + 1);
        if (best && cost >= least) continue;
        best = &kind;
        least = cost;
    }
    return best;
}

}  // namespace pellucid::PELLUCID_ISA_NAMESPACE
