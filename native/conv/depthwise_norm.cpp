// Depthwise convolutions between batch norms (conv/depthwise_norm.hpp).
#include "conv/depthwise_norm.hpp"

namespace pellucid::PELLUCID_ISA_NAMESPACE {
namespace {

// ---------------------------------------------------------------------------------------------------------- forward

template <typename Arguments>
DepthwisePlan plan_of(const Arguments& a, Memory& memory) {
    return depthwise_plan(a, chunks_of(a.C, 1, 1), kPixels, a.KH * a.KW * a.C, memory);
}

struct ForwardPlan : DepthwisePlan {
    const TileKind* kind;
};
ForwardPlan forward_plan(const Conv2dNorm& a, Memory& memory) {
    ForwardPlan p{plan_of(a, memory), kind_of(false, a.KW, a.SW, a.OW)};
    p.sums = shard_sums(a.mean && a.variance ? p.shards : 0, p.most, a.C, true, memory);
    return p;
}

void forward_shard(const Conv2dNorm& a, const ForwardPlan& p, int64_t task, Arena& arena) {
    const int64_t chunk = task % p.chunks.count, shard = task / p.chunks.count;
    const int64_t c0 = p.chunks.first(chunk), channels = p.chunks.first(chunk + 1) - c0;
    const bool normed = p.front.mean;
    Rows x{nullptr, a.KH, a.W * (normed ? channels : a.C), nullptr, 0};
    float* zeros;
    const float **rows, **taps, **border;
    take(arena, piece(x.ring, normed ? x.held * x.size : 0), piece(zeros, channels), piece(rows, a.KH),
         piece(taps, a.KH), piece(border, a.KH * p.kind->columns));
    if (!normed) x.ring = nullptr;
    memset(zeros, 0, size_t(channels) * sizeof(float));
    RowSweep sweep{p.kind, false, a.W, a.OW, a.KW, a.SW, a.LEFT, zeros, border, {}, 0};
    RowTile t{};
    t.pixel = normed ? channels : a.C;
    t.tap = t.stride = a.C;
    t.channels = channels;
    t.activation = kLinear;
    for (int64_t unit = p.first(shard); unit < p.first(shard + 1); ++unit) {
        const int64_t n = unit / p.bands, begin = unit % p.bands * p.rows, end = at_most(begin + p.rows, a.OH);
        const float* const picture = a.x + n * a.H * a.W * a.C + c0;
        x.picture = picture;
        x.ready = at_least(begin * a.SH - a.TOP, 0);
        for (int64_t oy = begin; oy < end; ++oy) {
            x.make(at_most(oy * a.SH - a.TOP + a.KH, a.H), [&](int64_t row, float* out) {
                read_normed(p.front, picture + row * a.W * a.C, a.C, c0, channels, a.W, out);
            });
            list_rows(a, false, oy, a.H, 0, c0, x, rows, taps, t);
            float* const y = a.y + (n * a.OH + oy) * a.OW * a.C + c0;
            // the rows that the next results read first, and these
            const float* const below = picture + (oy * a.SH - a.TOP + a.KH) * a.W * a.C;
            sweep.streams = 0;
            for (int64_t i = 0; i < a.SH; ++i)
                sweep.ahead[sweep.streams++] = {below + i * a.W * a.C, a.C, double(a.SW)};
            sweep.ahead[sweep.streams++] = {y + a.OW * a.C, a.C, 1};
            sweep_row(sweep, t, y, nullptr);
            if (p.sums.shards == 0) continue;
            float* const centre = p.sums.centre_of(shard) + c0;
            double* const sums = p.sums.of(shard) + c0;
            if (unit == p.first(shard) && oy == begin) {
                mean_of(y, a.C, a.OW, channels, centre);
                memset(sums, 0, size_t(channels) * sizeof(double));
                memset(sums + a.C, 0, size_t(channels) * sizeof(double));
            }
            add_deviations(y, a.C, a.OW, channels, centre, sums, a.C);
        }
    }
}

void forward(const Conv2dNorm& a, const ForwardPlan& p) {
    if (a.N == 0) return;
    fill(p.front, a);
    parallel_for(p.shards * p.chunks.count, double(a.N * a.OH * a.OW) * double(a.KH * a.KW * a.C),
                 [&](int64_t task, Arena& arena) { forward_shard(a, p, task, arena); });
    if (p.sums.shards == 0) return;
    const auto rows_of = [&](int64_t shard) {
        int64_t rows = 0;
        for (int64_t unit = p.first(shard); unit < p.first(shard + 1); ++unit)
            rows += at_most(p.rows, a.OH - unit % p.bands * p.rows) * a.OW;
        return rows;
    };
    finish_statistics(p.sums, rows_of, a.mean, a.variance);
}

// --------------------------------------------------------------------------------------------------------- backward

DepthwiseBackward backward_plan(const Conv2dNormBackward& a, Memory& memory) {
    return depthwise_backward(a, plan_of(a, memory), a.dx, memory);
}

// Rows of the gradient go where they belong.
struct Map {
    float* dx;
    const float* addend;
    int64_t size;  // of a row
    static constexpr bool kAhead = false;
    bool wanted() const { return dx; }
    void begin(int64_t) {}
    float* row(int64_t y, int64_t) const { return dx + y * size; }
    void done(int64_t, int64_t, Ahead&) {}
};

void backward(const Conv2dNormBackward& a, const DepthwiseBackward& p) {
    const int64_t size = a.KH * a.KW * a.C;
    if (without_pictures(a, size)) return;
    fill(p.front, a);
    fill(p.behind, a);
    parallel_for(p.shards * p.chunks.count, 2.0 * double(a.N * a.OH * a.OW) * double(size),
                 [&](int64_t task, Arena& arena) {
                     Map map{a.dx, a.addend, a.W * a.C};
                     go_back(a, p, task, arena, map);
                 });
    if (a.dkernel) add_shards(p.dkernels, p.shards, size, a.dkernel);
    if (p.sums.shards && a.x_dgamma && a.x_dbeta) finish_gradients(p.sums, a);
}

}  // namespace

const Kernel kernels::depthwise_conv2d_norm = kernel<forward_plan, forward>();
const Kernel kernels::depthwise_conv2d_norm_backward = kernel<backward_plan, backward>();

}  // namespace pellucid::PELLUCID_ISA_NAMESPACE
