// Convolution with few output channels: vectors run over the pixels of a row, not over channels.
//
// 6 channels fill 6 lanes of 8 (of 16 with AVX-512), and a tile one vector wide needs one broadcast a product. With
// pixels in the lanes a row of 28 fills 28 of 32, a vector of x serves every output channel, and the weights are the
// broadcasts. The band's rows of x are first taken apart into planes (conv2d_narrow.hpp; for one channel a copy with
// borders), the results of a row put together again by transposing V x V.
//
// Loop order: row oy > block of at most 6 channels > group of vectors of pixels > tap (kh, kw, c) > channel. Register
// tile, channels x vectors: AVX-512 6 x 4 (24 accumulators + 4 + 1), AVX2 6 x 2 or 4 x 3 (12 + 3 + 1), baseline 6 x 2.
// Weights are read as they lie, (tap, channel), and sums run over taps in their order, with the bias last: bit for bit
// the sums of conv2d.cpp. Sigmoid and tanh run over a band's finished NHWC rows. Task = (image, band of rows).
//
// Measured (Zen 3, one thread, 100 x 28x28, 5x5, ms, beside vectors of channels): 1 -> 6: 0.47 for 0.64; 3 -> 6: 1.15
// for 1.63; 6 -> 6: 2.2 for 3.7; but 1 -> 12: 1.07 for 0.86, since 12 channels fill 3/4 of their lanes and two blocks
// go through a row. A row's ends and its transposition cost as much as 30 taps of 6 channels, so narrow pictures (10
// pixels) lose by 2: conv2d_choice.hpp weighs it. Not tried further, by count: x repeated once a channel so that lanes
// are (pixel, channel) needs an unaligned load for each product, half of which cross a cache line (all, with AVX-512).
#include "conv2d_choice.hpp"
#include "conv2d_narrow.hpp"
#include "conv2d_pool.hpp"
#include "parallel.hpp"

namespace pellucid {
namespace PELLUCID_ISA_NAMESPACE {
namespace {
namespace few {

constexpr int64_t kBandFloats = 5 << 10;  // planes of a band and one row of results: with y below L1
constexpr int kChannels = 6;              // of a tile, at most
constexpr int64_t vectors_of(int64_t channels) {  // of pixels, that a tile of so many channels may have
    return V == 16 || channels <= 2 ? 4 : channels <= (V == 4 ? 3 : 4) ? 3 : 2;
}

struct Row {
    const float* x;
    const int32_t* offset;
    int64_t depth;
    const float* weights;  // of the first channel
    int64_t stride;        // from tap to tap
    const float* bias;     // or null
    int64_t activation;
    float slope;
    float* y;              // planes of one row
    int64_t width;         // floats of one
};

template <int O, int P>
__attribute__((noinline)) void tile(const Row& t) {
    vf sum[O][P];
#pragma GCC unroll 16
    for (int o = 0; o < O; ++o)
#pragma GCC unroll 4
        for (int v = 0; v < P; ++v) sum[o][v] = vf{};
    const float* w = t.weights;
    const int32_t* offset = t.offset;
    const int32_t* const end = offset + t.depth;
    const int64_t stride = t.stride;
    const float* const base = t.x;
    for (; offset != end; ++offset, w += stride) {
        const float* p = base + *offset;
        vf x[P];
#pragma GCC unroll 4
        for (int v = 0; v < P; ++v) x[v] = load(p + v * V);
#pragma GCC unroll 16
        for (int o = 0; o < O; ++o) {
            const vf a = broadcast(w[o]);
#pragma GCC unroll 4
            for (int v = 0; v < P; ++v) sum[o][v] += a * x[v];
        }
    }
    const float* const bias = t.bias;  // read once: the compiler has to believe that stores to y change t
    float* const y = t.y;
    const int64_t width = t.width;
    if (bias) {
#pragma GCC unroll 16
        for (int o = 0; o < O; ++o) {
            const vf b = broadcast(bias[o]);
#pragma GCC unroll 4
            for (int v = 0; v < P; ++v) sum[o][v] += b;
        }
    }
#pragma GCC unroll 16
    for (int o = 0; o < O; ++o)
#pragma GCC unroll 4
        for (int v = 0; v < P; ++v) store(y + o * width + v * V, sum[o][v]);
}

using TileFunction = void (*)(const Row&);
#define PELLUCID_NARROW(O)                                                                                          \
    {nullptr, tile<O, 1>, tile<O, 2>, vectors_of(O) < 3 ? nullptr : tile<O, (vectors_of(O) < 3 ? 1 : 3)>,           \
     vectors_of(O) < 4 ? nullptr : tile<O, (vectors_of(O) < 4 ? 1 : 4)>}
const TileFunction kTiles[kChannels + 1][5] = {
    {}, PELLUCID_NARROW(1), PELLUCID_NARROW(2), PELLUCID_NARROW(3),
    PELLUCID_NARROW(4), PELLUCID_NARROW(5), PELLUCID_NARROW(6),
};

struct Plan {
    Planes planes;
    int64_t depth, bands;
    int32_t* offset;
    int64_t bytes;
};

Plan plan_of(const Conv2d& a, void* workspace) {
    Plan p;
    p.depth = a.KH * a.KW * a.C;
    const int64_t most = band_rows(a, 0, kBandFloats);
    const int64_t bands = at_most(at_least(ceil_div(a.OH, most), ceil_div(kTasks, at_least(a.N, 1))), a.OH);
    p.planes = planes_of(a, ceil_div(a.OH, bands));
    p.bands = ceil_div(a.OH, p.planes.rows);
    Pieces pieces{static_cast<char*>(workspace), 0};
    p.offset = pieces.take<int32_t>(p.depth);
    p.bytes = pieces.used;
    return p;
}

struct Job {
    const Conv2d& a;
    const Plan& p;
};

void rectify_span(float* y, int64_t count, int64_t kind, float slope) {
    int64_t i = 0;
    for (; i + V <= count; i += V) store(y + i, activated(load(y + i), kind, slope));
    if (i < count) store_partial(y + i, activated(load_partial(y + i, count - i), kind, slope), count - i);
}

void band(void* context, int64_t task, Arena& arena) {
    const Conv2d& a = static_cast<const Job*>(context)->a;
    const Plan& p = static_cast<const Job*>(context)->p;
    const Planes& planes = p.planes;
    const int64_t n = task / p.bands, first = task % p.bands * planes.rows, rows = at_most(a.OH - first, planes.rows);
    Pieces pieces{nullptr, 0};
    pieces.take<float>(plane_floats(a, planes));
    pieces.take<float>(a.O * planes.width);
    pieces = Pieces{static_cast<char*>(arena_reserve(arena, size_t(pieces.used))), 0};
    float* x = pieces.take<float>(plane_floats(a, planes));
    float* results = pieces.take<float>(a.O * planes.width);
    fill_planes(a, planes, a.x + n * a.H * a.W * a.C, first, rows, x);
    float* const y = a.y + (n * a.OH + first) * a.OW * a.O;
    float* const stop = y + rows * a.OW * a.O;
    Row t;
    t.offset = p.offset;
    t.depth = p.depth;
    t.stride = a.O;
    t.width = planes.width;
    const int64_t blocks = ceil_div(a.O, kChannels);
    for (int64_t oy = 0; oy < rows; ++oy) {
        for (int64_t b = 0; b < blocks; ++b) {
            const int64_t o = a.O * b / blocks, channels = a.O * (b + 1) / blocks - o;
            t.weights = a.kernel + o;
            t.bias = a.bias ? a.bias + o : nullptr;
            const int64_t vectors = planes.width / V, groups = ceil_div(vectors, vectors_of(channels));
            for (int64_t i = 0; i < groups; ++i) {
                const int64_t v = vectors * i / groups, count = vectors * (i + 1) / groups - v;
                t.x = x + oy * a.SH * planes.pitch + v * V;
                t.y = results + o * planes.width + v * V;
                kTiles[channels][count](t);
            }
        }
        interleave(results, planes.width, a.OW, a.O, y + oy * a.OW * a.O, stop);
    }
    if (a.ACTIVATION == kLinear) return;
    if (a.ACTIVATION >= kSigmoid) activate_span(y, stop - y, a.ACTIVATION);
    else rectify_span(y, stop - y, a.ACTIVATION, float(a.slope));
}

void forward(const void* arguments, Context& context) {
    const Conv2d& a = *static_cast<const Conv2d*>(arguments);
    const Plan p = plan_of(a, context.workspace);
    plane_offsets(a, p.planes, p.offset);
    Job job{a, p};
    parallel_for(a.N * p.bands, double(a.N * a.OH * a.OW) * double(p.depth * a.O), band, &job);
}

int64_t workspace_bytes(const void* arguments) {
    return plan_of(*static_cast<const Conv2d*>(arguments), nullptr).bytes;
}

const Kernel kKernels[] = {{"conv2d", forward, workspace_bytes}};

}  // namespace few
}  // namespace

extern const Family conv2d_narrow_family;
const Family conv2d_narrow_family = {few::kKernels, 1};

}  // namespace PELLUCID_ISA_NAMESPACE
}  // namespace pellucid
