// Gradient of a convolution's kernel where output channels are few: vectors run over the pixels of a row.
//
//     dkernel[tap][o] = sum over pixels of x[tap's pixel] * dy[pixel][o]
//
// as in conv2d_narrow.cpp: rows of x and dy are taken apart into planes, and a product of two vectors of pixels adds
// to a vector for each pair (tap, channel), whose lanes are summed up at the very end. Neither operand is a broadcast.
//
// Loop order: image > band of rows > block of channels > block of taps > row > vector of pixels > tap > channel.
// Register tile, taps x channels: AVX-512 6 x 4, AVX2 4 x 3 (12 accumulators + 3 + 1 of 16), baseline 3 x 3. A band's
// planes stay in L1. The shards of images, as many as shape says, each add to vectors of their own; these are added in
// order. Task = shard.
//
// Measured (Zen 3, one thread): 5x5, 1 -> 6, 100 x 28x28: 0.44 ms, 0.64 with channels in the lanes.
#include "conv2d_choice.hpp"
#include "conv2d_narrow.hpp"
#include "parallel.hpp"
#include "shards.hpp"

namespace pellucid {
namespace PELLUCID_ISA_NAMESPACE {
namespace {
namespace few {

constexpr int64_t kBandFloats = 7 << 10;  // planes of x and dy: in L1
constexpr int64_t kShards = 32;
constexpr int64_t kShardBytes = 8 << 20;  // of all shards
constexpr int kTaps = V == 16 ? 6 : V == 8 ? 4 : 3;
constexpr int kChannels = V == 16 ? 4 : 3;

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
#pragma GCC unroll 4
        for (int o = 0; o < O; ++o) sum[t][o] = vf{};
    const float* p[T];
#pragma GCC unroll 8
    for (int t = 0; t < T; ++t) p[t] = b.x + b.offset[t];
    const int64_t width = b.width, plane = b.dy_plane, gap = b.x_row;
    const float* dy = b.dy;
    for (int64_t row = 0; row < b.rows; ++row, dy += width) {
        for (int64_t x = 0; x < width; x += V) {
            vf d[O];
#pragma GCC unroll 4
            for (int o = 0; o < O; ++o) d[o] = load(dy + o * plane + x);
#pragma GCC unroll 8
            for (int t = 0; t < T; ++t) {
                const vf a = load(p[t] + x);
#pragma GCC unroll 4
                for (int o = 0; o < O; ++o) sum[t][o] += a * d[o];
            }
        }
#pragma GCC unroll 8
        for (int t = 0; t < T; ++t) p[t] += gap;
    }
#pragma GCC unroll 8
    for (int t = 0; t < T; ++t)
#pragma GCC unroll 4
        for (int o = 0; o < O; ++o) {
            float* to = b.sums + t * b.stride + o * V;
            store(to, load(to) + sum[t][o]);
        }
}

using TileFunction = void (*)(const Band&);
#define PELLUCID_NARROW(T) {nullptr, tile<T, 1>, tile<T, 2>, tile<T, 3>, tile<T, kChannels>}
const TileFunction kTiles[kTaps + 1][5] = {
    {},
    PELLUCID_NARROW(1),
    PELLUCID_NARROW(2),
    PELLUCID_NARROW(3),
#if PELLUCID_VECTOR >= 8
    PELLUCID_NARROW(4),
#endif
#if PELLUCID_VECTOR >= 16
    PELLUCID_NARROW(5),
    PELLUCID_NARROW(6),
#endif
};

struct Plan {
    Planes planes;
    int64_t depth, size;  // taps; floats of a shard's vectors
    int64_t bands, shards;
    int32_t* offset;
    float* sums;
    int64_t bytes;
};

Plan plan_of(const Conv2dBackwardKernel& a, void* workspace) {
    Plan p;
    p.depth = a.KH * a.KW * a.C;
    p.size = p.depth * a.O * V;
    const int64_t most = band_rows(a, a.O * round_up(a.OW, V), kBandFloats);
    p.planes = planes_of(a, ceil_div(a.OH, ceil_div(a.OH, most)));
    p.bands = ceil_div(a.OH, p.planes.rows);
    p.shards = at_least(at_most(at_most(a.N, kShards), kShardBytes / (4 * p.size)), 1);
    Pieces pieces{static_cast<char*>(workspace), 0};
    p.offset = pieces.take<int32_t>(p.depth);
    p.sums = pieces.take<float>(p.shards * p.size);
    p.bytes = pieces.used;
    return p;
}

struct Job {
    const Conv2dBackwardKernel& a;
    const Plan& p;
};

void shard(void* context, int64_t task, Arena& arena) {
    const Conv2dBackwardKernel& a = static_cast<const Job*>(context)->a;
    const Plan& p = static_cast<const Job*>(context)->p;
    const Planes& planes = p.planes;
    const int64_t plane = planes.rows * planes.width;  // of dy
    Pieces pieces{nullptr, 0};
    pieces.take<float>(plane_floats(a, planes));
    pieces.take<float>(a.O * plane);
    pieces = Pieces{static_cast<char*>(arena_reserve(arena, size_t(pieces.used))), 0};
    float* x = pieces.take<float>(plane_floats(a, planes));
    float* dy = pieces.take<float>(a.O * plane);
    float* const sums = p.sums + task * p.size;
    memset(sums, 0, size_t(p.size) * sizeof(float));
    const float* const stop = a.dy + a.N * a.OH * a.OW * a.O;
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
            for (int64_t row = 0; row < b.rows; ++row)
                deinterleave(a.dy + ((n * a.OH + first + row) * a.OW) * a.O, a.OW, a.O, stop, plane,
                             dy + row * planes.width);
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

void backward_kernel(const void* arguments, Context& context) {
    const Conv2dBackwardKernel& a = *static_cast<const Conv2dBackwardKernel*>(arguments);
    const Plan p = plan_of(a, context.workspace);
    const int64_t entries = p.depth * a.O;
    if (a.N == 0) {
        memset(a.dkernel, 0, size_t(entries) * sizeof(float));
        return;
    }
    plane_offsets(a, p.planes, p.offset);
    Job job{a, p};
    parallel_for(p.shards, double(a.N * a.OH * a.OW) * double(entries), shard, &job);
    add_shards({p.sums, p.shards, p.size, p.sums});
    for (int64_t i = 0; i < entries; ++i) {
        float lanes[V];
        store(lanes, load(p.sums + i * V));
        for (int64_t step = V / 2; step; step /= 2)
            for (int64_t lane = 0; lane < step; ++lane) lanes[lane] += lanes[lane + step];
        a.dkernel[i] = lanes[0];
    }
}

int64_t workspace_bytes(const void* arguments) {
    return plan_of(*static_cast<const Conv2dBackwardKernel*>(arguments), nullptr).bytes;
}

const Kernel kKernels[] = {{"conv2d_backward_kernel", backward_kernel, workspace_bytes}};

}  // namespace few
}  // namespace

extern const Family conv2d_narrow_kernel_family;
const Family conv2d_narrow_kernel_family = {few::kKernels, 1};

}  // namespace PELLUCID_ISA_NAMESPACE
}  // namespace pellucid
