// The gradient of a depthwise convolution's kernel: for each tap and channel a sum over all pixels. Vectors go over
// channels.
//
// The sums of some rows of the kernel lie in registers while they go along rows of dy, four columns at a time: each
// number of x is loaded once for all taps that it meets there. Few pixels go through all vectors of channels before the
// next ones do, so that what is read stays in L2. Pictures are cut into shards of rows by shape alone; a shard sums its
// rows in order, and the shards are added in order. Other kernels, strides and dilations: four taps of a row at a time.
// Task = (shard, chunk of channels).
#include "common/shards.hpp"
#include "conv/depthwise.hpp"

namespace pellucid::PELLUCID_ISA_NAMESPACE {
namespace {

constexpr int64_t kPixels = 64;           // of dy that go through all channels together, at least
constexpr int kSums = V == 16 ? 25 : 10;  // that fit in registers beside what they are made of
constexpr int rows_together(int KW) { return kSums / KW > KW ? KW : kSums / KW; }

struct Plan {
    Chunks chunks;
    int64_t rows, bands;     // rows of dy that go through all channels together, of all pictures
    int64_t shards;          // of the bands
    int64_t filters, width;  // of a kernel; of its sums, in whole vectors
    float* sums;             // (shard, tap, width); the last vector begins at vector_start, and is kept whole
    float* total;
    void (*run)(const Conv2dBackwardKernel& a, const struct Band& band, int64_t c, float* sums, bool fresh);
};

// Rows of dy of a picture, and what they meet in x. Pointers are to the first channel of the chunk.
struct Band {
    const float *x, *dy;
    int64_t top;          // row of the picture that x begins with
    int64_t first, last;  // rows of dy
    int64_t pixel;        // stride in x
    int64_t width;        // of sums
    int64_t lanes;
};

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

const float* row_of(const Conv2dBackwardKernel& a, const Band& band, int64_t oy, int64_t tap) {
    const int64_t y = oy * a.SH + tap * a.DH - a.TOP;
    return y >= 0 && y < a.H ? band.x + (y - band.top) * a.W * band.pixel : nullptr;
}

// S: the stride along a row.
template <int KW, int S>
void sum_rows(const Conv2dBackwardKernel& a, const Band& band, int64_t c, float* sums, bool fresh) {
    constexpr int ROWS = rows_together(KW);
    for (int64_t a0 = 0; a0 < a.KH; a0 += ROWS, sums += ROWS * KW * band.width) {
        vf sum[ROWS][KW];
#pragma GCC unroll 8
        for (int r = 0; r < ROWS; ++r)
#pragma GCC unroll 8
            for (int b = 0; b < KW; ++b)
                sum[r][b] = fresh || a0 + r >= a.KH ? vf{} : load(sums + (r * KW + b) * band.width);
        for (int64_t oy = band.first; oy < band.last; ++oy) {
            const float* x[ROWS];
#pragma GCC unroll 8
            for (int r = 0; r < ROWS; ++r) {
                x[r] = a0 + r < a.KH ? row_of(a, band, oy, a0 + r) : nullptr;
                if (x[r]) x[r] += c;
            }
            const float* dy = band.dy + oy * a.OW * a.O + c;
            int64_t column = -a.LEFT, ox = 0;
            const auto go = [&](auto pixels, auto border) {
                multiply_pixels<KW, S, pixels.value, border.value>(x, dy, a.O, band.pixel, column, a.W, sum);
                ox += pixels.value;
                dy += pixels.value * a.O;
                column += pixels.value * S;
            };
            while (ox < a.OW && column < 0) go(Constant<1>{}, Constant<1>{});
            while (ox + 4 <= a.OW && column + 3 * S + KW <= a.W) go(Constant<4>{}, Constant<0>{});
            while (ox < a.OW && column + KW <= a.W) go(Constant<1>{}, Constant<0>{});
            while (ox < a.OW) go(Constant<1>{}, Constant<1>{});
        }
#pragma GCC unroll 8
        for (int r = 0; r < ROWS; ++r)
#pragma GCC unroll 8
            for (int b = 0; b < KW; ++b)
                if (a0 + r < a.KH) store(sums + (r * KW + b) * band.width, sum[r][b]);
    }
}

void sum_taps(const Conv2dBackwardKernel& a, const Band& band, int64_t c, float* sums, bool fresh) {
    for (int64_t tap = 0; tap < a.KH; ++tap)
        for (int64_t b0 = 0; b0 < a.KW; b0 += 4, sums += at_most(a.KW - b0 + 4, 4) * band.width) {
            const int64_t count = at_most(a.KW - b0, 4);
            vf sum[4];
#pragma GCC unroll 4
            for (int k = 0; k < 4; ++k) sum[k] = fresh || k >= count ? vf{} : load(sums + k * band.width);
            for (int64_t oy = band.first; oy < band.last; ++oy) {
                const float* const x = row_of(a, band, oy, tap);
                if (!x) continue;
                for (int64_t ox = 0; ox < a.OW; ++ox) {
                    const vf d = load_lanes(band.dy + (oy * a.OW + ox) * a.O + c, band.lanes);
#pragma GCC unroll 4
                    for (int k = 0; k < 4; ++k) {
                        const int64_t column = ox * a.SW + (b0 + k) * a.DW - a.LEFT;
                        if (k < count && column >= 0 && column < a.W)
                            sum[k] += load_lanes(x + column * band.pixel + c, band.lanes) * d;
                    }
                }
            }
#pragma GCC unroll 4
            for (int k = 0; k < 4; ++k)
                if (k < count) store(sums + k * band.width, sum[k]);
        }
}

Plan plan_of(const Conv2dBackwardKernel& a, Memory& memory) {
    Plan p;
    p.filters = a.O;
    p.width = round_up(a.O, V);
    const int64_t size = a.KH * a.KW * p.width;
    p.rows = at_most(at_least(kPixels / a.OW, 1), a.OH);
    p.bands = ceil_div(a.OH, p.rows);
    p.shards = at_most(at_most(a.N * p.bands, kShards), at_least(kShardBytes / (4 * size), 1));
    p.shards = at_least(p.shards, 1);
    p.chunks = chunks_of(a.C, a.O / a.C, at_most(ceil_div(kTasks, p.shards), ceil_div(a.C, 2 * V)));
    p.sums = memory.take<float>(p.shards * size);
    p.run = a.O < V || a.DW != 1             ? sum_taps
            : a.KW == 3 && a.SW == 1         ? sum_rows<3, 1>
            : a.KW == 3 && a.SW == 2         ? sum_rows<3, 2>
            : a.KW == 5 && a.SW == 1         ? sum_rows<5, 1>
            : a.KW == 5 && a.SW == 2         ? sum_rows<5, 2>
                                             : sum_taps;
    return p;
}

void sum_shard(const Conv2dBackwardKernel& a, const Plan& p, int64_t task, Arena& arena) {
    const int64_t M = a.O / a.C, chunk = task % p.chunks.count, shard = task / p.chunks.count;
    const int64_t c0 = p.chunks.first(chunk), channels = p.chunks.first(chunk + 1) - c0;
    const int64_t f0 = c0 * M, filters = channels * M;
    const int64_t height = (p.rows - 1) * a.SH + (a.KH - 1) * a.DH + 1;
    float* copy;
    take(arena, piece(copy, M > 1 ? at_most(height, a.H) * a.W * filters : 0));

    const int64_t units = a.N * p.bands, begin = units * shard / p.shards, end = units * (shard + 1) / p.shards;
    for (int64_t unit = begin; unit < end; ++unit) {
        const int64_t n = unit / p.bands;
        const float* const picture = a.x + n * a.H * a.W * a.C + c0;
        Band band;
        band.first = unit % p.bands * p.rows;
        band.last = at_most(band.first + p.rows, a.OH);
        band.dy = a.dy + n * a.OH * a.OW * a.O + f0;
        band.x = picture;
        band.top = 0;
        band.pixel = a.C;
        band.width = p.width;
        band.lanes = at_most(filters, V);
        if (M > 1) {
            band.top = at_most(at_least(band.first * a.SH - a.TOP, 0), a.H);
            const int64_t bottom = at_most(band.first * a.SH - a.TOP + height, a.H);
            for (int64_t i = band.top * a.W; i < bottom * a.W; ++i)
                repeat_channels(picture + i * a.C, channels, M, copy + (i - band.top * a.W) * filters);
            band.x = copy;
            band.pixel = filters;
        }
        for (int64_t c = 0; c < filters; c += V)
            p.run(a, band, vector_start(c, filters), p.sums + shard * a.KH * a.KW * p.width + f0 + c, unit == begin);
    }
}

void backward_kernel(const Conv2dBackwardKernel& a, const Plan& p) {
    const int64_t taps = a.KH * a.KW, size = taps * p.width;
    if (a.N == 0) {
        memset(a.dkernel, 0, size_t(taps * a.O) * sizeof(float));
        return;
    }
    parallel_for(p.shards * p.chunks.count, double(a.N * a.OH * a.OW) * double(taps * a.O),
                 [&](int64_t task, Arena& arena) { sum_shard(a, p, task, arena); });
    add_shards(p.sums, p.shards, size, p.sums);
    const int64_t whole = a.O / V * V, last = a.O - whole;
    for (int64_t k = 0; k < taps; ++k) {
        memcpy(a.dkernel + k * a.O, p.sums + k * p.width, size_t(whole) * sizeof(float));
        memcpy(a.dkernel + k * a.O + whole, p.sums + k * p.width + whole + (a.O < V ? 0 : V - last) * (last > 0),
               size_t(last) * sizeof(float));
    }
}

}  // namespace

const Kernel kernels::depthwise_conv2d_backward_kernel = kernel<plan_of, backward_kernel>();

}  // namespace pellucid::PELLUCID_ISA_NAMESPACE
