// Depthwise convolutions between batch norms, 3x3 and 5x5: what both directions share, and the way back through rows.
//
// Rows of a map are normalised once, into a ring of as many as the kernel reaches over, which stays in L2; from there
// go the tiles of conv/depthwise_rows.hpp. Back, rows of the gradient of the result are made in a second ring; of both
// rings come the kernel's gradient (conv/depthwise_sums.hpp) and that of the input, whose rows are taken through the
// activation in front as soon as they are written. So each map is read once. Task = (shard of the bands of rows of all
// pictures, chunk of channels).
#pragma once
#include "conv/conv2d_norm.hpp"

#include "common/shards.hpp"
#include "conv/block_products.hpp"
#include "conv/depthwise_rows.hpp"
#include "conv/depthwise_sums.hpp"

namespace pellucid::PELLUCID_ISA_NAMESPACE {
namespace {

// What both directions share. Pictures are cut into bands of rows of results where there are few of them.
struct DepthwisePlan {
    Front front;
    Chunks chunks;
    int64_t together;              // rows of results that go through all channels together
    int64_t rows, bands;           // of a band; of a picture
    int64_t units, most, shards;   // bands of all pictures; shards of them at most, for any N; for this one
    ShardSums sums;
    int64_t first(int64_t shard) const { return units * shard / shards; }
};

// pixels: that go through all channels together, at least; floats: of a shard of all sums.
template <typename Arguments>
DepthwisePlan depthwise_plan(const Arguments& a, Chunks chunks, int64_t pixels, int64_t floats, Memory& memory) {
    DepthwisePlan p;
    p.front = front_of(a, memory);
    p.chunks = chunks;
    p.together = at_most(at_least(pixels / a.OW, 1), a.OH);
    const int64_t bands = at_most(ceil_div(kTasks, at_least(a.N, 1)), ceil_div(a.OH, 2 * p.together));
    p.rows = round_up(ceil_div(a.OH, bands), p.together);
    p.bands = ceil_div(a.OH, p.rows);
    p.units = a.N * p.bands;
    p.most = at_most(at_least(kShardBytes / (4 * floats), 1), kShards);
    p.shards = at_most(p.units, p.most);
    return p;
}

// --------------------------------------------------------------------------------------------------------- backward

struct DepthwiseBackward : DepthwisePlan {
    Behind behind;
    const TileKind* kind;
    SumRows sum_rows;
    float* dkernels;  // of each shard
    bool turned;
};

// sums: those of the batch norm in front are wanted.
template <typename Arguments>
DepthwiseBackward depthwise_backward(const Arguments& a, const DepthwisePlan& plan, bool sums, Memory& memory) {
    DepthwiseBackward p{plan, behind_of(a, memory), nullptr, sum_rows_of(a.KW, a.SW), nullptr, a.SW == 1};
    p.kind = kind_of(!p.turned, a.KW, a.SW, a.W);
    p.sums = shard_sums(p.front.mean && sums ? p.shards : 0, p.most, a.C, false, memory);
    p.dkernels = a.dkernel ? memory.take<float>(p.most * a.KH * a.KW * a.C) : nullptr;
    return p;
}

// The way back of one task. place: where rows of the gradient of what was read go, if they are wanted; row(y, start): of
// row y of all pictures, of those from `start` on that are made together; done(start, end) follows them. more: what
// place takes of the task's memory.
template <typename Arguments, typename Place, typename... More>
PELLUCID_INLINE void go_back(const Arguments& a, const DepthwiseBackward& p, int64_t task, Arena& arena, Place& place,
                             Piece<More>... more) {
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
         piece(xs, p.together * a.KH), piece(dys, p.together), more...);
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
    place.begin(shard);
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
            if (!place.wanted()) continue;
            const int64_t start = y;
            for (; y < last; ++y) {
                list_rows(a, true, y, a.OH, turn, c0, dz, rows, taps, t);
                const int64_t at = top + y * a.W * a.C;
                float* const dx = place.row(n * a.H + y, n * a.H + start) + c0;
                // the rows that come next are made of these
                const int64_t row = y - start, below = result + (dz.ready + row / a.SH) * a.OW * a.C;
                const double columns = 1.0 / double(a.SW);
                sweep.streams = 0;
                if (Place::kAhead) {
                    sweep_row(sweep, t, dx, nullptr);
                    if (sums) take_through(p.front, a.x + at, dx, a.C, c0, channels, a.W, sums, a.C);
                    continue;
                }
                if (row % a.SH == 0) sweep.ahead[sweep.streams++] = {a.dy + below, a.C, columns};
                if (behind && (row + 1) % a.SH == 0) sweep.ahead[sweep.streams++] = {a.y + below, a.C, columns};
                if (a.dkernel) sweep.ahead[sweep.streams++] = {a.x + top + (x.ready + row) * a.W * a.C, a.C, 1};
                sweep.ahead[sweep.streams++] = {dx + a.W * a.C, a.C, 1};
                sweep_row(sweep, t, dx, place.addend ? place.addend + at : nullptr);
                if (sums) take_through(p.front, a.x + at, dx, a.C, c0, channels, a.W, sums, a.C);
            }
            Ahead ahead;
            if (Place::kAhead && oy + p.together < end) {
                ahead.add(a.dy + result + dz.ready * a.OW * a.C, p.together * a.OW * a.C);
                if (behind) ahead.add(a.y + result + dz.ready * a.OW * a.C, p.together * a.OW * a.C);
                ahead.add(x.picture + x.ready * a.W * a.C, p.together * a.SH * a.W * a.C);
            }
            place.done(n * a.H + start, n * a.H + y, ahead);
        }
    }
}

}  // namespace
}  // namespace pellucid::PELLUCID_ISA_NAMESPACE
