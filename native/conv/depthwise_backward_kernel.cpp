// The gradient of a depthwise convolution's kernel: for each tap and channel a sum over all pixels. Vectors go over
// channels.
//
// Few pixels go through all vectors of channels (conv/depthwise_sums.hpp) before the next ones do, so that what is read
// stays in L2. Pictures are cut into shards of rows by shape alone; a shard sums its rows in order, and the shards are
// added in order. Other kernels, strides and dilations: four taps of a row at a time. Task = (shard, chunk of channels).
#include "common/shards.hpp"
#include "conv/depthwise_sums.hpp"

namespace pellucid::PELLUCID_ISA_NAMESPACE {
namespace {

struct Plan {
    Chunks chunks;
    int64_t rows, bands;     // rows of dy that go through all channels together, of all pictures
    int64_t shards;          // of the bands
    int64_t filters, width;  // of a kernel; of its sums, in whole vectors
    float* sums;             // (shard, tap, width); the last vector begins at vector_start, and is kept whole
    float* total;
    SumRows sum_rows;        // null: four taps of a row at a time
};

void sum_taps(const Conv2dBackwardKernel& a, const Band& band, int64_t c, int64_t lanes, float* sums, bool fresh) {
    for (int64_t tap = 0; tap < a.KH; ++tap)
        for (int64_t b0 = 0; b0 < a.KW; b0 += 4, sums += at_most(a.KW - b0 + 4, 4) * band.width) {
            const int64_t count = at_most(a.KW - b0, 4);
            vf sum[4];
#pragma GCC unroll 4
            for (int k = 0; k < 4; ++k) sum[k] = fresh || k >= count ? vf{} : load(sums + k * band.width);
            for (int64_t row = 0; row < band.rows; ++row) {
                const float* const x = band.x[row * a.KH + tap];
                if (!x) continue;
                for (int64_t ox = 0; ox < a.OW; ++ox) {
                    const vf d = load_lanes(band.dy[row] + ox * a.O + c, lanes);
#pragma GCC unroll 4
                    for (int k = 0; k < 4; ++k) {
                        const int64_t column = ox * a.SW + (b0 + k) * a.DW - a.LEFT;
                        if (k < count && column >= 0 && column < a.W)
                            sum[k] += load_lanes(x + column * band.pixel + c, lanes) * d;
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
    p.sum_rows = a.O < V || a.DW != 1 ? nullptr : sum_rows_of(a.KW, a.SW);
    return p;
}

void sum_shard(const Conv2dBackwardKernel& a, const Plan& p, int64_t task, Arena& arena) {
    const int64_t M = a.O / a.C, chunk = task % p.chunks.count, shard = task / p.chunks.count;
    const int64_t c0 = p.chunks.first(chunk), channels = p.chunks.first(chunk + 1) - c0;
    const int64_t f0 = c0 * M, filters = channels * M;
    const int64_t height = (p.rows - 1) * a.SH + (a.KH - 1) * a.DH + 1;
    float* copy;
    const float **x, **dy;
    take(arena, piece(copy, M > 1 ? at_most(height, a.H) * a.W * filters : 0), piece(x, p.rows * a.KH),
         piece(dy, p.rows));
    Band band;
    band.x = x;
    band.dy = dy;
    band.KH = a.KH;
    band.W = a.W;
    band.OW = a.OW;
    band.LEFT = a.LEFT;
    band.pixel = M > 1 ? filters : a.C;
    band.result = a.O;
    band.width = p.width;

    const int64_t units = a.N * p.bands, begin = units * shard / p.shards, end = units * (shard + 1) / p.shards;
    for (int64_t unit = begin; unit < end; ++unit) {
        const int64_t n = unit / p.bands, first = unit % p.bands * p.rows;
        const float* picture = a.x + n * a.H * a.W * a.C + c0;
        int64_t top = 0;  // row of the picture that is read first
        band.rows = at_most(first + p.rows, a.OH) - first;
        if (M > 1) {
            top = at_most(at_least(first * a.SH - a.TOP, 0), a.H);
            const int64_t bottom = at_most(first * a.SH - a.TOP + height, a.H);
            for (int64_t i = top * a.W; i < bottom * a.W; ++i)
                repeat_channels(picture + i * a.C, channels, M, copy + (i - top * a.W) * filters);
            picture = copy;
        }
        for (int64_t i = 0; i < band.rows; ++i) {
            dy[i] = a.dy + (n * a.OH + first + i) * a.OW * a.O + f0;
            for (int64_t tap = 0; tap < a.KH; ++tap) {
                const int64_t y = (first + i) * a.SH + tap * a.DH - a.TOP;
                x[i * a.KH + tap] = y >= 0 && y < a.H ? picture + (y - top) * a.W * band.pixel : nullptr;
            }
        }
        for (int64_t c = 0; c < filters; c += V) {
            float* const sums = p.sums + shard * a.KH * a.KW * p.width + f0 + c;
            if (p.sum_rows) p.sum_rows(band, vector_start(c, filters), sums, unit == begin);
            else sum_taps(a, band, vector_start(c, filters), at_most(filters, V), sums, unit == begin);
        }
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
