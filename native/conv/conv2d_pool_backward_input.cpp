// Convolution with max pooling, backward: gradient of the input straight from the pooled dy
// (conv/conv2d_pool_backward.hpp).
//
// window(p, o) of dx += dy[p][o] * kernel[..][o], o innermost: a list for each p and place in its window, of the
// channels that won there; the sum over them is added to dx once. A task takes a picture (of a group) from top to
// bottom in a buffer of rows of dx; those that no further window reaches are written out.
#include "conv/conv2d_pool_backward.hpp"
#include "winograd/range.hpp"

namespace pellucid::PELLUCID_ISA_NAMESPACE {
namespace {

struct Plan {
    Segments s;
    float* weights;  // (O, slots), zero where a segment is padded
};

Plan plan_of(const Conv2dPoolBackwardInput& a, Memory& memory) {
    const Segments s = segments_of(a);
    return {s, memory.take<float>(a.O * s.slots)};
}

// kOutputs of the weights' rows.
void transpose(const Conv2dPoolBackwardInput& a, const Plan& p, int64_t task) {
    const Segments& s = p.s;
    const int64_t first = task * kOutputs, last = at_most(first + kOutputs, a.O);
    memset(p.weights + first * s.slots, 0, size_t((last - first) * s.slots) * sizeof(float));
    const int64_t channels = a.C / a.GROUPS, taps = s.floats / s.view.pixel;  // of a segment
    for (int64_t i = 0; i < s.count * taps; ++i) {
        const float* from = a.kernel + i * channels * a.O;
        float* to = p.weights + i / taps * s.padded + i % taps * s.view.pixel;
        for (int64_t c = 0; c < channels; ++c)
            for (int64_t o = first; o < last; ++o) to[o * s.slots + c] = from[c * a.O + o];
    }
}

// What comes to one pixel of the convolution.
struct Arrived {
    Entries entries;
    int64_t at;  // of the pixel's window in the buffer
};

// Rows [y0, y1) of dx from a buffer of padded rows, whose first is `base` and which ends at `end`; zeros elsewhere.
void write_rows(const Conv2dPoolBackwardInput& a, const View& v, int64_t n, int64_t g, const float* buffer,
                int64_t base, int64_t end, int64_t y0, int64_t y1) {
    const int64_t columns = at_least(at_most(v.width - a.LEFT, a.W), 0), channels = a.C / a.GROUPS;
    for (int64_t y = y0; y < y1; ++y) {
        float* to = a.dx + (n * a.H + y) * a.W * a.C + g * channels;
        const int64_t row = y + a.TOP;
        const int64_t there = row >= base && row < end ? columns : 0;
        const float* from = buffer + (row - base) * v.row + a.LEFT * v.pixel;
        if (v.pixel == a.C) memcpy(to, from, size_t(there * a.C) * sizeof(float));
        else copy_pixels(from, v.pixel, there, channels, to, a.C);
        for (int64_t x = there; x < a.W; ++x) memset(to + x * a.C, 0, size_t(channels) * sizeof(float));
    }
}

void picture(const Conv2dPoolBackwardInput& a, const Plan& p, int64_t n, int64_t g, Arena& arena) {
    const Segments& s = p.s;
    const int64_t taps = a.PH * a.PW, pixels = s.rows * a.QW, width = round_up(s.columns, V);
    int32_t table[kWindowTaps + 1];
    place_offsets(a, s.view, table);
    const float* weights = p.weights + g * s.columns * s.slots;

    float *buffer, *dz;
    Entry *sorted, *memory;  // of one pixel, by place; of all
    Arrived* arrived;
    take(arena, piece(buffer, copy_floats(a, s.view, most_rows(a, s.rows)) + V), piece(dz, pixels * width),
         piece(sorted, (taps + 1) * s.columns + V), piece(memory, pixels * s.columns + V),
         piece(arrived, at_most(taps, s.columns) * pixels));
    int64_t base = 0, end = 0, written = 0;  // padded rows in the buffer; rows of dx that are done
    for (int64_t q = 0; q < a.QH; q += s.rows) {
        const int64_t rows = at_most(a.QH - q, s.rows);
        const Rows under = rows_under(a, q, rows);
        const int64_t low = under.low * a.SH, high = low + band_height(a, under.high - under.low);
        const int64_t done = at_most(at_least(low - a.TOP, written), a.H);
        write_rows(a, s.view, n, g, buffer, base, end, written, done);
        written = done;
        if (end > low) memmove(buffer, buffer + (low - base) * s.view.row, size_t((end - low) * s.view.row) * 4);
        else end = low;
        base = low;
        if (high > end) {
            memset(buffer + (end - base) * s.view.row, 0, size_t((high - end) * s.view.row) * sizeof(float));
            end = high;
        }

        const int64_t pixel = (n * a.QH + q) * a.QW;
        derive(a, s, pixel, rows * a.QW, g, dz, nullptr);
        int64_t lists = 0;
        Entry* end_of_lists = memory;
        for (int64_t i = 0; i < rows * a.QW; ++i) {
            const uint8_t* place = a.argmax + (pixel + i) * a.O + g * s.columns;
            const float* from = dz + i * width;
            int32_t length[kWindowTaps + 1];
            for (int64_t t = 0; t <= taps; ++t) length[t] = 0;
            for (int64_t o = 0; o < s.columns; ++o) {
                const int64_t t = at_most(place[o], taps);  // what has no place is zero, and does not count
                sorted[t * s.columns + length[t]] = {int32_t(o * s.slots), from[o]};
                length[t] += int32_t(counts(from[o]));
            }
            const int64_t where = corner(a, s.view, q + i / a.QW, i % a.QW, under.low);
            for (int64_t t = 0; t < taps; ++t) {
                if (length[t] == 0) continue;
                const Entry* entry = sorted + t * s.columns;
                for (int64_t k = 0; k < length[t]; k += V / 2) memcpy(end_of_lists + k, entry + k, 4 * V);
                arrived[lists++] = {{end_of_lists, length[t]}, where + table[t]};
                end_of_lists += length[t];
            }
        }
        each_sum(s.cuts, [&](int64_t begin, int64_t stop, int64_t lane, SumFunction sum) {
            const float* from[kSumSegments];
            int64_t target[kSumSegments];
            for (int64_t i = begin; i < stop; ++i) {
                from[i - begin] = weights + i * s.padded + lane;
                target[i - begin] = segment_offset(a, s, i) + lane;
            }
            for (int64_t k = 0; k < lists; ++k) {
                float* to[kSumSegments];
                for (int64_t i = 0; i < stop - begin; ++i) to[i] = buffer + arrived[k].at + target[i];
                sum(arrived[k].entries, from, to);
            }
        });
    }
    write_rows(a, s.view, n, g, buffer, base, end, written, a.H);
}

void backward_input(const Conv2dPoolBackwardInput& a, const Plan& p) {
    parallel_for(ceil_div(a.O, kOutputs), double(a.O * p.s.slots), [&](int64_t task) { transpose(a, p, task); });
    parallel_for(a.N * a.GROUPS, double(a.N * a.QH * a.QW * a.O) * double(p.s.slots),
                 [&](int64_t task, Arena& arena) { picture(a, p, task / a.GROUPS, task % a.GROUPS, arena); });
}

constexpr Kernel direct = kernel<plan_of, backward_input>();
constexpr Kernel winograd = guarded<Conv2dPoolBackwardInput, kernels::winograd_conv2d_pool_backward_input,
                                    kernels::conv2d_pool_backward_input>();
const Kernel& choose(const Conv2dPoolBackwardInput& a) { return algorithm_of(a) == kDirect ? direct : winograd; }

}  // namespace

const Kernel kernels::conv2d_pool_backward_input =
    chosen<Conv2dPoolBackwardInput, choose, algorithm_of>();

}  // namespace pellucid::PELLUCID_ISA_NAMESPACE
