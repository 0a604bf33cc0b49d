// Gradient of a convolution's kernel where output channels are few: vectors run over the pixels of a row.
//
//     dkernel[tap][o] = sum over pixels of x[tap's pixel] * dy[pixel][o]
//
// as in conv/few_filters.cpp: rows of x and dy are taken apart into planes, and a product of two vectors of pixels adds
// to a vector for each pair (tap, channel), whose lanes are summed up at the very end. Neither operand is a broadcast.
//
// Loop order: image > band of rows > block of channels > block of taps > row > vector of pixels > tap > channel.
// Register tile, taps x channels: AVX-512 4 x 6 (24 accumulators + 6 + 1 of 32), AVX2 4 x 3 (12 + 3 + 1 of 16),
// baseline 3 x 3. With AVX-512 nearly every load of x crosses a line and counts twice, so taps are few. A band's planes
// stay in L1. The shards of images, as many as shape says, each add to vectors of their own; these are added in order.
// Task = shard.
//
// conv2d_pool_map_backward_kernel: the same behind an activation and average pooling, from the map's planes and the
// gradient of the pooled means: each pixel's dz = its window's share * f'(map) is made where a row of planes is wanted,
// so that the unpooled gradient is never written; its sum over pixels is the bias's gradient.
#include "common/shards.hpp"
#include "conv/choice.hpp"
#include "conv/conv2d_pool.hpp"
#include "conv/few_filters.hpp"

namespace pellucid::PELLUCID_ISA_NAMESPACE {
namespace {
namespace few {

constexpr int64_t kBandFloats = 7 << 10;  // planes of x and dy: in L1
constexpr int kTaps = V >= 8 ? 4 : 3;
constexpr int kChannels = V == 16 ? 6 : 3;

struct Band {
    const float* x;
    const int32_t* offset;  // of the taps
    int64_t x_row;
    const float* dy;        // of the first channel
    int64_t dy_plane, width;
    int64_t rows;
    float* sums;            // a vector for each (tap, channel)
    int64_t stride;         // floats from tap to tap
};

template <int T, int O>
__attribute__((noinline)) void tile(const Band& b) {
    vf sum[T][O];
#pragma GCC unroll 8
    for (int t = 0; t < T; ++t)
#pragma GCC unroll 6
        for (int o = 0; o < O; ++o) sum[t][o] = vf{};
    const float* p[T];
#pragma GCC unroll 8
    for (int t = 0; t < T; ++t) p[t] = b.x + b.offset[t];
    const int64_t width = b.width, plane = b.dy_plane, gap = b.x_row;
    const float* dy = b.dy;
    for (int64_t row = 0; row < b.rows; ++row, dy += width) {
        for (int64_t x = 0; x < width; x += V) {
            vf d[O];
#pragma GCC unroll 6
            for (int o = 0; o < O; ++o) d[o] = load(dy + o * plane + x);
#pragma GCC unroll 8
            for (int t = 0; t < T; ++t) {
                const vf a = load(p[t] + x);
#pragma GCC unroll 6
                for (int o = 0; o < O; ++o) sum[t][o] += a * d[o];
            }
        }
#pragma GCC unroll 8
        for (int t = 0; t < T; ++t) p[t] += gap;
    }
#pragma GCC unroll 8
    for (int t = 0; t < T; ++t)
#pragma GCC unroll 6
        for (int o = 0; o < O; ++o) {
            float* to = b.sums + t * b.stride + o * V;
            store(to, load(to) + sum[t][o]);
        }
}

using TileFunction = void (*)(const Band&);
#if PELLUCID_VECTOR == 16
#define PELLUCID_TILES_OF_FEW(T) {nullptr, tile<T, 1>, tile<T, 2>, tile<T, 3>, tile<T, 4>, tile<T, 5>, tile<T, 6>}
#else
#define PELLUCID_TILES_OF_FEW(T) {nullptr, tile<T, 1>, tile<T, 2>, tile<T, 3>}
#endif
const TileFunction kTiles[kTaps + 1][kChannels + 1] = {
    {},
    PELLUCID_TILES_OF_FEW(1),
    PELLUCID_TILES_OF_FEW(2),
    PELLUCID_TILES_OF_FEW(3),
#if PELLUCID_VECTOR >= 8
    PELLUCID_TILES_OF_FEW(4),
#endif
};

struct Plan {
    Planes planes;
    int64_t depth, size;  // taps; floats of a shard's vectors
    int64_t bands, shards;
    int32_t* offset;
    float* sums;
    double* bias;  // sums of dz, (shard, channel), where they are wanted
};

// Bands of whole windows, so many rows high.
constexpr int64_t window_rows(const Conv2dBackwardKernel&) { return 1; }
constexpr int64_t window_rows(const Conv2dPoolMapBackwardKernel& a) { return a.PH; }

template <typename Arguments>
Plan plan_of(const Arguments& a, Memory& memory) {
    Plan p;
    p.depth = a.KH * a.KW * a.C;
    p.size = p.depth * a.O * V;
    const int64_t most = band_rows(a, a.O * round_up(a.OW, V), kBandFloats);
    p.planes = planes_of(a, round_up(ceil_div(a.OH, ceil_div(a.OH, most)), window_rows(a)));
    p.bands = ceil_div(a.OH, p.planes.rows);
    p.shards = at_least(at_most(at_most(a.N, kShards), kShardBytes / (4 * p.size)), 1);
    p.offset = memory.take<int32_t>(p.depth);
    p.sums = memory.take<float>(p.shards * p.size);
    p.bias = memory.take<double>(p.shards * a.O);
    return p;
}

// Rows first .. first + rows - 1 of picture n's gradient as planes, zero behind a row's pixels.
struct Rows {
    int64_t n, first, rows;
    float* planes;
    int64_t plane, width;  // floats of a plane, of a row
};

void take_rows(const Conv2dBackwardKernel& a, const Rows& r, float*, double*) {
    const float* const stop = a.dy + a.N * a.OH * a.OW * a.O;
    for (int64_t row = 0; row < r.rows; ++row)
        deinterleave(a.dy + ((r.n * a.OH + r.first + row) * a.OW) * a.O, a.OW, a.O, stop, r.plane,
                     r.planes + row * r.width);
}

// shares: a row of windows' means, each pixel PW times and divided by the taps, zero behind them.
void share_out(const Conv2dPoolMapBackwardKernel& a, const float* means, int64_t width, float* shares) {
    const Mean mean(a.PH * a.PW);
    int64_t q = 0;
    if (a.PW == 2)
        for (; 2 * q + 2 * V <= width; q += V) {
            const vf share = mean(load(means + q));
            store(shares + 2 * q, lower_twice(share));
            store(shares + 2 * q + V, upper_twice(share));
        }
    for (int64_t x = q * a.PW; x < width; ++x) shares[x] = x < a.QW * a.PW ? means[x / a.PW] / mean.taps : 0.0f;
}

// One row of all channels, whose planes lie `plane` floats apart: dz = shares * f'(map), zero behind `covered` pixels
// whatever the map holds there; sums, a vector a channel, += dz.
struct Derived {
    const float* shares;
    int64_t width;  // from one channel's shares to the next
    const float* map;
    int64_t map_plane;
    const float* stop;  // of the whole map
    float* dz;
    int64_t plane, channels, covered;
    Numbers numbers;
    float* sums;
};

template <typename Kind>
void derive_row(Kind kind, const Derived& d) {
    const int64_t whole = d.covered / V * V;
    for (int64_t o = 0; o < d.channels; ++o) {
        const float *const shares = d.shares + o * d.width, *const map = d.map + o * d.map_plane;
        float* const dz = d.dz + o * d.plane;
        vf sum = vf{};
        for (int64_t x = 0; x < whole; x += V) {
            const vf z = derived(load(shares + x), load(map + x), kind.value, d.numbers);
            store(dz + x, z);
            sum += z;
        }
        for (int64_t x = whole; x < d.width; x += V) {
            const int64_t lanes = at_least(d.covered - x, 0);
            vf z = vf{};
            if (lanes) {
                const vf y = d.stop - map >= x + V ? load(map + x) : load_partial(map + x, d.stop - map - x);
                z = first_lanes(derived(load(shares + x), y, kind.value, d.numbers), lanes);
            }
            store(dz + x, z);
            sum += z;
        }
        store(d.sums + o * V, load(d.sums + o * V) + sum);
    }
}

// Adds the sums of dz over the pixels to bias.
void take_rows(const Conv2dPoolMapBackwardKernel& a, const Rows& r, float* scratch, double* bias) {
    const float* const stop = a.dy + a.N * a.QH * a.QW * a.O;
    const int64_t width = r.width, map_plane = a.OH * a.OW;
    float *const means = scratch, *const shares = means + a.O * width, *const sums = shares + a.O * width;
    Derived d{shares, width, nullptr, map_plane, a.map + a.N * a.O * map_plane, nullptr, r.plane, a.O, a.QW * a.PW,
              numbers_of(a), sums};
    memset(sums, 0, size_t(a.O * V) * sizeof(float));
    for (int64_t row = 0; row < r.rows; ++row) {
        const int64_t y = r.first + row, q = y / a.PH;
        d.dz = r.planes + row * width;
        if (q >= a.QH) {
            for (int64_t o = 0; o < a.O; ++o) clear_run(d.dz + o * r.plane, width);
            continue;
        }
        if (y % a.PH == 0) {
            deinterleave(a.dy + (r.n * a.QH + q) * a.QW * a.O, a.QW, a.O, stop, width, means);
            for (int64_t o = 0; o < a.O; ++o) share_out(a, means + o * width, width, shares + o * width);
        }
        d.map = a.map + r.n * a.O * map_plane + y * a.OW;
        with_activation(a.ACTIVATION, [&](auto kind) { derive_row(kind, d); });
    }
    for (int64_t o = 0; o < a.O; ++o)
        for (int64_t lane = 0; lane < V; ++lane) bias[o] += double(sums[o * V + lane]);
}

template <typename Arguments>
void shard(const Arguments& a, const Plan& p, int64_t task, Arena& arena) {
    const Planes& planes = p.planes;
    const int64_t plane = planes.rows * planes.width;  // of dy
    float *x, *dy, *scratch;
    take(arena, piece(x, plane_floats(a, planes)), piece(dy, a.O * plane),
         piece(scratch, a.O * (2 * planes.width + V)));
    float* const sums = p.sums + task * p.size;
    memset(sums, 0, size_t(p.size) * sizeof(float));
    double* const bias = p.bias + task * a.O;
    for (int64_t o = 0; o < a.O; ++o) bias[o] = 0;
    const int64_t channel_blocks = ceil_div(a.O, kChannels), tap_blocks = ceil_div(p.depth, kTaps);
    Band b;
    b.x_row = a.SH * planes.pitch;
    b.dy_plane = plane;
    b.width = planes.width;
    b.stride = a.O * V;
    for (int64_t n = a.N * task / p.shards; n < a.N * (task + 1) / p.shards; ++n)
        for (int64_t first = 0; first < a.OH; first += planes.rows) {
            b.rows = at_most(planes.rows, a.OH - first);
            fill_planes(a, planes, a.x + n * a.H * a.W * a.C, first, b.rows, x);
            take_rows(a, {n, first, b.rows, dy, plane, planes.width}, scratch, bias);
            b.x = x;
            for (int64_t i = 0; i < channel_blocks; ++i) {
                const int64_t o = a.O * i / channel_blocks, channels = a.O * (i + 1) / channel_blocks - o;
                b.dy = dy + o * plane;
                for (int64_t j = 0; j < tap_blocks; ++j) {
                    const int64_t k = p.depth * j / tap_blocks, taps = p.depth * (j + 1) / tap_blocks - k;
                    b.offset = p.offset + k;
                    b.sums = sums + (k * a.O + o) * V;
                    kTiles[taps][channels](b);
                }
            }
        }
}

float* bias_gradient(const Conv2dBackwardKernel&) { return nullptr; }
float* bias_gradient(const Conv2dPoolMapBackwardKernel& a) { return a.dbias; }

template <typename Arguments>
void backward_kernel(const Arguments& a, const Plan& p) {
    const int64_t entries = p.depth * a.O;
    float* const dbias = bias_gradient(a);
    if (a.N == 0) {
        memset(a.dkernel, 0, size_t(entries) * sizeof(float));
        if (dbias) memset(dbias, 0, size_t(a.O) * sizeof(float));
        return;
    }
    plane_offsets(a, p.planes, p.offset);
    parallel_for(p.shards, double(a.N * a.OH * a.OW) * double(entries),
                 [&](int64_t task, Arena& arena) { shard(a, p, task, arena); });
    add_shards(p.sums, p.shards, p.size, p.sums);
    for (int64_t i = 0; i < entries; ++i) {
        float lanes[V];
        store(lanes, load(p.sums + i * V));
        for (int64_t step = V / 2; step; step /= 2)
            for (int64_t lane = 0; lane < step; ++lane) lanes[lane] += lanes[lane + step];
        a.dkernel[i] = lanes[0];
    }
    for (int64_t o = 0; dbias && o < a.O; ++o) {
        double total = 0;
        for (int64_t s = 0; s < p.shards; ++s) total += p.bias[s * a.O + o];
        dbias[o] = float(total);
    }
}

}  // namespace few

}  // namespace

const Kernel kernels::few_filters_conv2d_backward_kernel =
    kernel<few::plan_of<Conv2dBackwardKernel>, few::backward_kernel<Conv2dBackwardKernel>>();
const Kernel kernels::conv2d_pool_map_backward_kernel =
    kernel<few::plan_of<Conv2dPoolMapBackwardKernel>, few::backward_kernel<Conv2dPoolMapBackwardKernel>>();

}  // namespace pellucid::PELLUCID_ISA_NAMESPACE
