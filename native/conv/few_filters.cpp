// Convolution with few output channels: vectors run over the pixels of a row, not over channels.
//
// 6 channels fill 6 lanes of 8 (of 16 with AVX-512), and a tile one vector wide needs one broadcast a product. With
// pixels in the lanes a row of 28 fills 28 of 32, a vector of x serves every output channel, and the weights are the
// broadcasts. The band's rows of x are first taken apart into planes (conv/few_filters.hpp; for one channel a copy with
// borders), the results of a row put together again by transposing V x V. A row's ends and its transposition cost as
// much as 30 taps of 6 channels: conv/choice.hpp weighs it.
//
// Loop order: row oy > block of at most 6 channels > group of vectors of pixels > tap (kh, kw, c) > channel. Register
// tile, channels x vectors: AVX-512 6 x 4 (24 accumulators + 4 + 1), AVX2 6 x 2 or 4 x 3 (12 + 3 + 1), baseline 6 x 2.
// Weights are read as they lie, (tap, channel), and sums run over taps in their order, with the bias last: bit for bit
// the sums of conv/conv2d.cpp. Sigmoid and tanh run over a band's finished NHWC rows. Task = (image, band of rows).
//
// conv2d_pool_map: average pooling behind it, as training needs it. The activations stay in planes, (channel, row,
// pixel), for conv/few_filters_backward_kernel.cpp to read; the windows' sums are made from a row's planes while they
// lie in L1, and only they are put together again. A window's rows follow each other without gaps, so that the sigmoid
// runs over 56 pixels, and not over twice 32.
#include "conv/choice.hpp"
#include "conv/conv2d_pool.hpp"
#include "conv/few_filters.hpp"

namespace pellucid::PELLUCID_ISA_NAMESPACE {
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
    Numbers numbers;
    float* y;              // planes of one row
    int64_t width;         // from plane to plane
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
#define PELLUCID_TILES_OF_FEW(O)                                                                                      \
    {nullptr, tile<O, 1>, tile<O, 2>, vectors_of(O) < 3 ? nullptr : tile<O, (vectors_of(O) < 3 ? 1 : 3)>,             \
     vectors_of(O) < 4 ? nullptr : tile<O, (vectors_of(O) < 4 ? 1 : 4)>}
const TileFunction kTiles[kChannels + 1][5] = {
    {}, PELLUCID_TILES_OF_FEW(1), PELLUCID_TILES_OF_FEW(2), PELLUCID_TILES_OF_FEW(3),
    PELLUCID_TILES_OF_FEW(4), PELLUCID_TILES_OF_FEW(5), PELLUCID_TILES_OF_FEW(6),
};

struct Plan {
    Planes planes;
    int64_t depth, bands;
    int32_t* offset;
};

// Bands of whole windows, so many rows high.
constexpr int64_t window_rows(const Conv2d&) { return 1; }
constexpr int64_t window_rows(const Conv2dPoolMap& a) { return a.PH; }

template <typename Arguments>
Plan plan_of(const Arguments& a, Memory& memory) {
    Plan p;
    p.depth = a.KH * a.KW * a.C;
    const int64_t most = band_rows(a, 0, kBandFloats);
    const int64_t bands = at_most(at_least(ceil_div(a.OH, most), ceil_div(kTasks, at_least(a.N, 1))), a.OH);
    p.planes = planes_of(a, round_up(ceil_div(a.OH, bands), window_rows(a)));
    p.bands = ceil_div(a.OH, p.planes.rows);
    p.offset = memory.take<int32_t>(p.depth);
    return p;
}

// A task's picture, rows, and memory: planes of x, and so many floats for results.
struct Band {
    int64_t n, first, rows;
    float *x, *results;
};

template <typename Arguments>
Band band_of(const Arguments& a, const Plan& p, int64_t task, int64_t results, Arena& arena) {
    const int64_t first = task % p.bands * p.planes.rows;
    Band b{task / p.bands, first, at_most(a.OH - first, p.planes.rows), nullptr, nullptr};
    take(arena, piece(b.x, plane_floats(a, p.planes)), piece(b.results, results));
    fill_planes(a, p.planes, a.x + b.n * a.H * a.W * a.C, first, b.rows, b.x);
    return b;
}

// y = row oy of the band, without the activation; its planes lie `plane` floats apart, and are written in whole
// vectors.
template <typename Arguments>
void convolve_row(const Arguments& a, const Plan& p, const Band& b, int64_t oy, float* y, int64_t plane) {
    const Planes& planes = p.planes;
    Row t;
    t.offset = p.offset;
    t.depth = p.depth;
    t.stride = a.O;
    t.width = plane;
    const int64_t blocks = ceil_div(a.O, kChannels);
    for (int64_t block = 0; block < blocks; ++block) {
        const int64_t o = a.O * block / blocks, channels = a.O * (block + 1) / blocks - o;
        t.weights = a.kernel + o;
        t.bias = a.bias ? a.bias + o : nullptr;
        const int64_t vectors = planes.width / V, groups = ceil_div(vectors, vectors_of(channels));
        for (int64_t i = 0; i < groups; ++i) {
            const int64_t v = vectors * i / groups, count = vectors * (i + 1) / groups - v;
            t.x = b.x + oy * a.SH * planes.pitch + v * V;
            t.y = y + o * plane + v * V;
            kTiles[channels][count](t);
        }
    }
}

void band(const Conv2d& a, const Plan& p, int64_t task, Arena& arena) {
    const int64_t width = p.planes.width;
    const Band b = band_of(a, p, task, a.O * width, arena);
    float* const y = a.y + (b.n * a.OH + b.first) * a.OW * a.O;
    float* const stop = y + b.rows * a.OW * a.O;
    for (int64_t oy = 0; oy < b.rows; ++oy) {
        convolve_row(a, p, b, oy, b.results, width);
        interleave(b.results, width, a.OW, a.O, y + oy * a.OW * a.O, stop);
    }
    if (a.addend) activate_rows(y, a.addend + (y - a.y), b.rows * a.OW, a.O, a.O, a.ACTIVATION, numbers_of(a));
    else if (a.ACTIVATION != kLinear) activate_span(y, stop - y, a.ACTIVATION, numbers_of(a));
}

// map = results = f(results), `space` floats of map being free to write.
template <typename Kind>
void keep(Kind kind, float* results, int64_t count, Numbers numbers, int64_t space, float* map) {
    for (int64_t i = 0; i < count; i += V) {
        const vf v = activated(load(results + i), kind.value, numbers);
        store(results + i, v);
        if (space - i >= V) store(map + i, v);
        else store_partial(map + i, v, count - i);
    }
}

// means = those of one row of windows of one channel, whose pixels' rows follow each other.
void join_windows(const Conv2dPoolMap& a, const float* pixels, int64_t width, const Mean& mean, float* means) {
    if (a.PH == 2 && a.PW == 2) {
        for (int64_t q = 0; 2 * q < width; q += V) {
            const float *const upper = pixels + 2 * q, *const lower = upper + a.OW;
            store(means + q, mean(add_pairs(load(upper) + load(lower), load(upper + V) + load(lower + V))));
        }
        return;
    }
    for (int64_t q = 0; q < a.QW; ++q) {
        float sum = 0;
        for (int64_t i = 0; i < a.PH; ++i)
            for (int64_t j = 0; j < a.PW; ++j) sum += pixels[i * a.OW + q * a.PW + j];
        means[q] = sum / mean.taps;
    }
}

void band(const Conv2dPoolMap& a, const Plan& p, int64_t task, Arena& arena) {
    // The rows of a window follow each other without gaps, as in the map; what is written behind one, the next
    // overwrites. Vectors of pairs reach up to 2V behind the last.
    const int64_t width = p.planes.width, plane = a.PH * a.OW + 3 * V, pooled = a.QW * a.O;
    const Band b = band_of(a, p, task, a.O * (plane + width), arena);
    float* const means = b.results + a.O * plane;
    const Mean mean(a.PH * a.PW);
    const int64_t last = at_most((b.first + b.rows) / a.PH, a.QH);  // pooled row
    float* const stop = a.y + (b.n * a.QH + last) * pooled;
    for (int64_t oy = 0; oy < b.rows; oy += a.PH) {
        const int64_t rows = at_most(b.rows - oy, a.PH), q = (b.first + oy) / a.PH;
        for (int64_t i = 0; i < rows; ++i) convolve_row(a, p, b, oy + i, b.results + i * a.OW, plane);
        with_activation(a.ACTIVATION, [&](auto kind) {
            for (int64_t o = 0; o < a.O; ++o)
                keep(kind, b.results + o * plane, rows * a.OW, numbers_of(a), (b.rows - oy) * a.OW,
                     a.map + ((b.n * a.O + o) * a.OH + b.first + oy) * a.OW);
        });
        if (q >= last) continue;
        for (int64_t o = 0; o < a.O; ++o) join_windows(a, b.results + o * plane, width, mean, means + o * width);
        interleave(means, width, a.QW, a.O, a.y + (b.n * a.QH + q) * pooled, stop);
    }
}

template <typename Arguments>
void forward(const Arguments& a, const Plan& p) {
    plane_offsets(a, p.planes, p.offset);
    parallel_for(a.N * p.bands, double(a.N * a.OH * a.OW) * double(p.depth * a.O),
                 [&](int64_t task, Arena& arena) { band(a, p, task, arena); });
}

}  // namespace few

// conv2d_pool_map runs in any case; its number tells whether it is worth asking for.
constexpr Kernel pool_map = kernel<few::plan_of<Conv2dPoolMap>, few::forward<Conv2dPoolMap>>();
const Kernel& choose(const Conv2dPoolMap&) { return pool_map; }

}  // namespace

const Kernel kernels::few_filters_conv2d = kernel<few::plan_of<Conv2d>, few::forward<Conv2d>>();
const Kernel kernels::conv2d_pool_map = chosen<Conv2dPoolMap, choose, algorithm_of>();

}  // namespace pellucid::PELLUCID_ISA_NAMESPACE
