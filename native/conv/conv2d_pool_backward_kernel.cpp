// Convolution with max pooling, backward: gradients of the kernel and the bias straight from the pooled dy
// (conv/conv2d_pool_backward.hpp).
//
// For each output channel o, dkernel[..][o] += sum over p of dy[p][o] * window(p, o) of x. A task takes a share of the
// images; for a block of pooled rows it copies the rows of x with their padding, makes the list (window, dy) of each
// channel, zeros left out, and then goes through the segments, for each through all channels, so that what is read
// again and again lies in L1 or L2. What bounds it is loads. The bias is summed in double. Shares are added in order,
// and (o, slot) turned into (slot, o).
#include "common/shards.hpp"
#include "conv/conv2d_pool_backward.hpp"
#include "winograd/range.hpp"

namespace pellucid::PELLUCID_ISA_NAMESPACE {
namespace {

// band_of for pixels that may be padded.
template <typename Arguments>
const float* padded_band(const Arguments& a, const View& v, int64_t n, int64_t g, int64_t oy, int64_t rows,
                         float* copy) {
    const int64_t channels = a.C / a.GROUPS;
    if (v.pixel == channels) return band_of(a, v, n, g, oy, rows, copy);
    const int64_t lo = at_most(a.LEFT, v.width), hi = at_least(at_most(a.W + a.LEFT, v.width), lo);
    float* to = copy;
    const int64_t y0 = oy * a.SH - a.TOP, height = band_height(a, rows);
    for (int64_t y = y0; y < y0 + height; ++y, to += v.row) {
        const bool there = y >= 0 && y < a.H;
        const int64_t begin = there ? lo : v.width, end = there ? hi : v.width;
        memset(to, 0, size_t(begin * v.pixel) * sizeof(float));
        memset(to + end * v.pixel, 0, size_t((v.width - end) * v.pixel) * sizeof(float));
        if (there)
            copy_pixels(a.x + ((n * a.H + y) * a.W + lo - a.LEFT) * a.C + g * channels, a.C, hi - lo, channels,
                        to + lo * v.pixel, v.pixel);
    }
    return copy;
}

struct Plan {
    Segments s;
    int64_t shards, cuts;  // of the images; of the channels
    float* sums;           // (shards, O, slots)
    double* bias;          // (shards, O)
};

Plan plan_of(const Conv2dPoolBackwardKernel& a, Memory& memory) {
    Plan p;
    p.s = segments_of(a);
    p.shards = at_least(at_most(at_most(a.N, kTasks), kShardBytes / (4 * a.O * p.s.slots)), 1);
    p.cuts = at_most(ceil_div(kTasks, p.shards * a.GROUPS), ceil_div(p.s.columns, kOutputs));
    p.sums = memory.take<float>(p.shards * a.O * p.s.slots);
    p.bias = memory.take<double>(p.shards * a.O);
    return p;
}

// The lists of R channels from `place` and `dz` on: R lists at once, so that a pixel's corner is read once.
template <int R>
PELLUCID_INLINE void make_lists(const uint8_t* place, int64_t O, const float* dz, int64_t width, const int32_t* corners,
                                const int32_t* table, int64_t count, Entry* memory, int64_t stride, Entries* lists) {
    Entry* to[R];
    for (int r = 0; r < R; ++r) to[r] = memory + r * stride;
    for (int64_t i = 0; i < count; ++i, place += O, dz += width) {
        const int32_t corner = corners[i];
#pragma GCC unroll 4
        for (int r = 0; r < R; ++r) {
            *to[r] = {corner + table[place[r]], dz[r]};
            to[r] += counts(dz[r]);
        }
    }
    for (int r = 0; r < R; ++r) lists[r] = {memory + r * stride, to[r] - (memory + r * stride)};
}

void share(const Conv2dPoolBackwardKernel& a, const Plan& p, int64_t task, Arena& arena) {
    const Segments& s = p.s;
    const int64_t cut = task % p.cuts;
    task /= p.cuts;
    const int64_t g = task % a.GROUPS, shard = task / a.GROUPS;
    const int64_t first = g * s.columns + s.columns * cut / p.cuts;
    const int64_t last = g * s.columns + s.columns * (cut + 1) / p.cuts;
    float* sums = p.sums + shard * a.O * s.slots;
    double* bias = p.bias + shard * a.O;
    memset(sums + first * s.slots, 0, size_t((last - first) * s.slots) * sizeof(float));
    if (cut == 0) memset(bias + g * s.columns, 0, size_t(s.columns) * sizeof(double));
    int32_t table[kWindowTaps + 1];
    place_offsets(a, s.view, table);

    const int64_t pixels = s.rows * a.QW;
    float *copy, *dz;  // of x: the last load reaches out
    int32_t* corners;
    Entry* memory;  // of a channel's list one is written past the end
    Entries* lists;
    take(arena, piece(copy, copy_floats(a, s.view, most_rows(a, s.rows)) + V),
         piece(dz, pixels * round_up(s.columns, V)), piece(corners, pixels),
         piece(memory, (last - first) * (pixels + 1)), piece(lists, last - first));
    for (int64_t n = a.N * shard / p.shards; n < a.N * (shard + 1) / p.shards; ++n)
        for (int64_t q = 0; q < a.QH; q += s.rows) {
            const int64_t rows = at_most(a.QH - q, s.rows), count = rows * a.QW;
            const Rows under = rows_under(a, q, rows);
            const float* x = padded_band(a, s.view, n, g, under.low, under.high - under.low, copy);
            for (int64_t i = 0; i < rows; ++i)
                for (int64_t r = 0; r < a.QW; ++r)
                    corners[i * a.QW + r] = int32_t(corner(a, s.view, q + i, r, under.low));
            const int64_t pixel = (n * a.QH + q) * a.QW, width = round_up(s.columns, V);
            derive(a, s, pixel, count, g, dz, cut == 0 ? bias : nullptr);
            for (int64_t o = first; o < last;) {
                const uint8_t* place = a.argmax + pixel * a.O + o;
                const float* from = dz + o - g * s.columns;
                Entry* to = memory + (o - first) * (pixels + 1);
                Entries* list = lists + (o - first);
                if (o + 4 <= last) {
                    make_lists<4>(place, a.O, from, width, corners, table, count, to, pixels + 1, list);
                    o += 4;
                } else {
                    make_lists<1>(place, a.O, from, width, corners, table, count, to, pixels + 1, list);
                    ++o;
                }
            }
            each_sum(s.cuts, [&](int64_t begin, int64_t end, int64_t lane, SumFunction sum) {
                const float* from[kSumSegments];
                float* to[kSumSegments];
                for (int64_t i = begin; i < end; ++i) from[i - begin] = x + segment_offset(a, s, i) + lane;
                for (int64_t o = first; o < last; ++o) {
                    for (int64_t i = begin; i < end; ++i) to[i - begin] = sums + o * s.slots + i * s.padded + lane;
                    sum(lists[o - first], from, to);
                }
            });
        }
}

// Adds the shards up, and turns (o, slot) into (slot, o).
void reduce(const Conv2dPoolBackwardKernel& a, const Plan& p, int64_t task) {
    const Segments& s = p.s;
    const int64_t first = task * kOutputs, last = at_most(first + kOutputs, a.O), size = a.O * s.slots;
    for (int64_t shard = 1; shard < p.shards; ++shard)
        for (int64_t i = first * s.slots; i < last * s.slots; i += kLoadLanes)
            store_row(p.sums + i, load_row(p.sums + i) + load_row(p.sums + shard * size + i));
    const int64_t channels = a.C / a.GROUPS, taps = s.floats / s.view.pixel;  // of a segment
    for (int64_t i = 0; i < s.count * taps; ++i) {
        const float* from = p.sums + i / taps * s.padded + i % taps * s.view.pixel;
        float* to = a.dkernel + i * channels * a.O;
        for (int64_t c = 0; c < channels; ++c)
            for (int64_t o = first; o < last; ++o) to[c * a.O + o] = from[o * s.slots + c];
    }
    if (!a.dbias) return;
    for (int64_t o = first; o < last; ++o) {
        double sum = 0;
        for (int64_t shard = 0; shard < p.shards; ++shard) sum += p.bias[shard * a.O + o];
        a.dbias[o] = float(sum);
    }
}

void backward_kernel(const Conv2dPoolBackwardKernel& a, const Plan& p) {
    parallel_for(p.shards * a.GROUPS * p.cuts, double(a.N * a.QH * a.QW * a.O) * double(p.s.slots),
                 [&](int64_t task, Arena& arena) { share(a, p, task, arena); });
    parallel_for(ceil_div(a.O, kOutputs), double(p.shards * a.O * p.s.slots),
                 [&](int64_t task) { reduce(a, p, task); });
}

constexpr Kernel direct = kernel<plan_of, backward_kernel>();
constexpr Kernel winograd = guarded<Conv2dPoolBackwardKernel, kernels::winograd_conv2d_pool_backward_kernel,
                                    kernels::conv2d_pool_backward_kernel>();
const Kernel& choose(const Conv2dPoolBackwardKernel& a) { return algorithm_of(a) == kDirect ? direct : winograd; }

}  // namespace

const Kernel kernels::conv2d_pool_backward_kernel =
    chosen<Conv2dPoolBackwardKernel, choose, algorithm_of>();

}  // namespace pellucid::PELLUCID_ISA_NAMESPACE
