// Depthwise convolutions between batch norms (conv/conv2d_norm.hpp), 3x3 and 5x5.
//
// Rows of a map are normalised once, into a ring of as many as the kernel reaches over, which stays in L2; from there
// go the tiles of conv/depthwise_rows.hpp. Back, rows of the gradient of the result are made in a second ring; of both
// rings come the kernel's gradient (conv/depthwise_sums.hpp) and that of the input, whose rows are taken through the
// activation in front as soon as they are written. So each map is read once. Task = (shard of the bands of rows of all
// pictures, chunk of channels).
#include "conv/conv2d_norm.hpp"

#include "common/shards.hpp"
#include "conv/depthwise_rows.hpp"
#include "conv/depthwise_sums.hpp"

namespace pellucid::PELLUCID_ISA_NAMESPACE {
namespace {

// What both directions share. Pictures are cut into bands of rows of results where there are few of them.
struct Plan {
    Front front;
    Chunks chunks;
    int64_t together;              // rows of results that go through all channels together
    int64_t rows, bands;           // of a band; of a picture
    int64_t units, most, shards;   // bands of all pictures; shards of them at most, for any N; for this one
    ShardSums sums;
    int64_t first(int64_t shard) const { return units * shard / shards; }
};

template <typename Arguments>
Plan plan_of(const Arguments& a, Memory& memory) {
    Plan p;
    p.front = front_of(a, memory);
    p.chunks = chunks_of(a.C, 1, 1);
    p.together = at_most(at_least(kPixels / a.OW, 1), a.OH);
    const int64_t bands = at_most(ceil_div(kTasks, at_least(a.N, 1)), ceil_div(a.OH, 2 * p.together));
    p.rows = round_up(ceil_div(a.OH, bands), p.together);
    p.bands = ceil_div(a.OH, p.rows);
    p.units = a.N * p.bands;
    p.most = at_most(at_least(kShardBytes / (4 * a.KH * a.KW * a.C), 1), kShards);
    p.shards = at_most(p.units, p.most);
    return p;
}

// ---------------------------------------------------------------------------------------------------------- forward

struct ForwardPlan : Plan {
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

struct BackwardPlan : Plan {
    Behind behind;
    const TileKind* kind;
    SumRows sum_rows;
    float* dkernels;  // of each shard
    bool turned;
};

BackwardPlan backward_plan(const Conv2dNormBackward& a, Memory& memory) {
    BackwardPlan p{plan_of(a, memory), behind_of(a, memory), nullptr, sum_rows_of(a.KW, a.SW), nullptr, a.SW == 1};
    p.kind = kind_of(!p.turned, a.KW, a.SW, a.W);
    p.sums = shard_sums(p.front.mean && a.dx ? p.shards : 0, p.most, a.C, false, memory);
    p.dkernels = a.dkernel ? memory.take<float>(p.most * a.KH * a.KW * a.C) : nullptr;
    return p;
}

void backward_shard(const Conv2dNormBackward& a, const BackwardPlan& p, int64_t task, Arena& arena) {
    const int64_t chunk = task % p.chunks.count, shard = task / p.chunks.count;
    const int64_t c0 = p.chunks.first(chunk), channels = p.chunks.first(chunk + 1) - c0;
    const bool normed = p.front.mean, behind = p.behind.mean;
    const int64_t turn = p.turned ? a.KW - 1 : 0;
    Rows x{nullptr, (p.together - 1) * a.SH + a.KH, a.W * (normed ? channels : a.C), nullptr, 0};
    Rows dz{nullptr, p.together + a.KH, a.OW * (behind ? channels : a.C), nullptr, 0};
    float* zeros;
    const float **rows, **taps, **border, **xs, **dys;
    take(arena, piece(x.ring, normed ? x.held * x.size : 0), piece(dz.ring, behind ? dz.held * dz.size : 0),
         piece(zeros, channels), piece(rows, a.KH), piece(taps, a.KH), piece(border, a.KH * p.kind->columns),
         piece(xs, p.together * a.KH), piece(dys, p.together));
    if (!normed) x.ring = nullptr;
    if (!behind) dz.ring = nullptr;
    memset(zeros, 0, size_t(channels) * sizeof(float));
    RowSweep sweep{p.kind, p.turned, a.OW, a.W, a.KW, a.SW, a.LEFT, zeros, border, {}, 0};
    RowTile t{};
    t.pixel = behind ? channels : a.C;
    t.tap = p.turned ? -a.C : a.C;
    t.stride = a.C;
    t.channels = channels;
    t.activation = kLinear;
    const Band band{xs, dys, 0, a.KH, a.W, a.OW, a.LEFT, normed ? channels : a.C, t.pixel, a.C};
    float* const dkernel = p.dkernels + shard * a.KH * a.KW * a.C + c0;
    double* const sums = p.sums.shards ? p.sums.of(shard) + c0 : nullptr;
    if (sums) {
        memset(sums, 0, size_t(channels) * sizeof(double));
        memset(sums + a.C, 0, size_t(channels) * sizeof(double));
    }
    for (int64_t unit = p.first(shard); unit < p.first(shard + 1); ++unit) {
        const int64_t n = unit / p.bands, begin = unit % p.bands * p.rows, end = at_most(begin + p.rows, a.OH);
        const int64_t top = n * a.H * a.W * a.C + c0, result = n * a.OH * a.OW * a.C + c0;
        // rows of the input's gradient: each band has its own
        int64_t y = at_most(begin * a.SH, a.H);
        x.picture = a.x + top;
        x.ready = at_least(begin * a.SH - a.TOP, 0);
        dz.picture = a.dy + result;
        dz.ready = at_least(at_most(begin, y + a.TOP - a.KH + a.SH < 0 ? 0 : (y + a.TOP - a.KH + a.SH) / a.SH), 0);
        for (int64_t oy = begin; oy < end; oy += p.together) {
            const int64_t next = at_most(oy + p.together, end);
            const int64_t last = next == a.OH ? a.H : at_most(next * a.SH, a.H);
            if (a.dkernel)
                x.make(at_most((next - 1) * a.SH - a.TOP + a.KH, a.H), [&](int64_t row, float* out) {
                    read_normed(p.front, x.picture + row * a.W * a.C, a.C, c0, channels, a.W, out);
                });
            dz.make(at_most(at_least(next, (last - 1 + a.TOP) / a.SH + 1), a.OH), [&](int64_t row, float* out) {
                const int64_t at = result + row * a.OW * a.C;
                read_gradient(p.behind, a.dy + at, a.y + at, a.C, c0, channels, a.OW, out);
            });
            if (a.dkernel) {
                Band some = band;
                some.rows = next - oy;
                for (int64_t i = 0; i < some.rows; ++i) {
                    dys[i] = dz.at(oy + i);
                    for (int64_t tap = 0; tap < a.KH; ++tap) {
                        const int64_t row = (oy + i) * a.SH + tap - a.TOP;
                        xs[i * a.KH + tap] = row >= 0 && row < a.H ? x.at(row) : nullptr;
                    }
                }
                for (int64_t c = 0; c < channels; c += V)
                    p.sum_rows(some, c, dkernel + c, unit == p.first(shard) && oy == begin);
            }
            if (!a.dx) continue;
            for (const int64_t start = y; y < last; ++y) {
                list_rows(a, true, y, a.OH, turn, c0, dz, rows, taps, t);
                const int64_t at = top + y * a.W * a.C;
                // the rows that come next are made of these
                const int64_t row = y - start, below = result + (dz.ready + row / a.SH) * a.OW * a.C;
                const double columns = 1.0 / double(a.SW);
                sweep.streams = 0;
                if (row % a.SH == 0) sweep.ahead[sweep.streams++] = {a.dy + below, a.C, columns};
                if (behind && (row + 1) % a.SH == 0) sweep.ahead[sweep.streams++] = {a.y + below, a.C, columns};
                if (a.dkernel) sweep.ahead[sweep.streams++] = {a.x + top + (x.ready + row) * a.W * a.C, a.C, 1};
                sweep.ahead[sweep.streams++] = {a.dx + at + a.W * a.C, a.C, 1};
                sweep_row(sweep, t, a.dx + at, a.addend ? a.addend + at : nullptr);
                if (sums) take_through(p.front, a.x + at, a.dx + at, a.C, c0, channels, a.W, sums, a.C);
            }
        }
    }
}

void backward(const Conv2dNormBackward& a, const BackwardPlan& p) {
    const int64_t size = a.KH * a.KW * a.C;
    if (without_pictures(a, size)) return;
    fill(p.front, a);
    fill(p.behind, a);
    parallel_for(p.shards * p.chunks.count, 2.0 * double(a.N * a.OH * a.OW) * double(size),
                 [&](int64_t task, Arena& arena) { backward_shard(a, p, task, arena); });
    if (a.dkernel) add_shards(p.dkernels, p.shards, size, a.dkernel);
    if (p.sums.shards && a.x_dgamma && a.x_dbeta) finish_gradients(p.sums, a);
}

}  // namespace

const Kernel kernels::depthwise_conv2d_norm = kernel<forward_plan, forward>();
const Kernel kernels::depthwise_conv2d_norm_backward = kernel<backward_plan, backward>();

}  // namespace pellucid::PELLUCID_ISA_NAMESPACE
