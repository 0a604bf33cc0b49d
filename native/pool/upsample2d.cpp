// Upsampling by whole factors: nearest neighbour, and bilinear with half-pixel centres; forward and backward.
//
// Output i of an axis lies at (i + 1/2) / S - 1/2 of the input, so between two pixels, and in the first and last half
// pixel on one alone; which, is found in whole numbers. Forward: vectors run over channels. Backward is a gather: a row
// of dx visits the rows of dy that read it, so nothing is added twice. Task = (image, row of the result).
#include "common/kernel.hpp"

namespace pellucid::PELLUCID_ISA_NAMESPACE {
namespace {

// y = (1 - share) x[first] + share x[second], along one axis.
struct Between {
    int64_t first, second;
    float share;
    float weight_of(int64_t i) const { return (i == first ? 1.0f - share : 0.0f) + (i == second ? share : 0.0f); }
};

PELLUCID_INLINE Between between(int64_t i, int64_t factor, int64_t size, int64_t interpolation) {
    if (interpolation == kNearest) return {i / factor, i / factor, 0.0f};
    const int64_t place = 2 * i + 1 - factor + 2 * factor;  // in 1 / (2 factor) pixels, one pixel more
    const int64_t first = place / (2 * factor) - 1;
    const float share = float(place % (2 * factor)) / float(2 * factor);
    return {at_least(first, 0), at_most(first + 1, size - 1), share};
}

// Of both axes, for every row and column of the larger picture.
struct Plan {
    Between *rows, *columns;
};

Plan plan_of(const Upsample2d& a, Memory& memory) {
    return {memory.take<Between>(a.OH), memory.take<Between>(a.OW)};
}

void fill(const Upsample2d& a, const Plan& p) {
    for (int64_t i = 0; i < a.OH; ++i) p.rows[i] = between(i, a.SH, a.H, a.INTERPOLATION);
    for (int64_t i = 0; i < a.OW; ++i) p.columns[i] = between(i, a.SW, a.W, a.INTERPOLATION);
}

void upsample_row(const Upsample2d& a, const Plan& p, int64_t task) {
    const int64_t n = task / a.OH, oy = task % a.OH;
    const Between rows = p.rows[oy];
    const float* const above = a.x + (n * a.H + rows.first) * a.W * a.C;
    const float* const below = a.x + (n * a.H + rows.second) * a.W * a.C;
    float* y = a.y + task * a.OW * a.C;
    for (int64_t ox = 0; ox < a.OW; ++ox, y += a.C) {
        const Between columns = p.columns[ox];
        const int64_t left = columns.first * a.C, right = columns.second * a.C;
        for (int64_t c0 = 0; c0 < a.C; c0 += V) {
            const int64_t c = vector_start(c0, a.C), lanes = at_most(a.C - c, V);
            vf sum = load_lanes(above + left + c, lanes);
            if (a.INTERPOLATION != kNearest) {
                const vf right_above = load_lanes(above + right + c, lanes);
                const vf left_below = load_lanes(below + left + c, lanes);
                const vf right_below = load_lanes(below + right + c, lanes);
                sum = sum * (1.0f - columns.share) + right_above * columns.share;
                sum = sum * (1.0f - rows.share) +
                      (left_below * (1.0f - columns.share) + right_below * columns.share) * rows.share;
            }
            store_lanes(y + c, sum, lanes);
        }
    }
}

void run_upsample2d(const Upsample2d& a, const Plan& p) {
    fill(a, p);
    parallel_for(a.N * a.OH, double(a.N * a.OH * a.OW * a.C), [&](int64_t task) { upsample_row(a, p, task); });
}

// An output that reads a pixel, and how much of it.
struct Reader {
    int64_t at;
    float weight;
};

// Of both axes, for every row and column of dx, in order; behind the last one a weight of 0.
struct BackwardPlan {
    Reader *rows, *columns;
};
constexpr int64_t readers_room(int64_t factor) { return 2 * factor + 1; }

BackwardPlan backward_plan_of(const Upsample2dBackward& a, Memory& memory) {
    return {memory.take<Reader>(a.H * readers_room(a.SH)), memory.take<Reader>(a.W * readers_room(a.SW))};
}

void fill_readers(Reader* readers, int64_t size, int64_t factor, int64_t interpolation) {
    const int64_t reach = interpolation == kNearest ? 0 : factor;
    for (int64_t i = 0; i < size; ++i, readers += readers_room(factor)) {
        Reader* next = readers;
        for (int64_t o = at_least(i * factor - reach, 0); o < at_most((i + 1) * factor + reach, size * factor); ++o) {
            const float weight = between(o, factor, size, interpolation).weight_of(i);
            if (weight != 0.0f) *next++ = {o, weight};
        }
        *next = {0, 0.0f};
    }
}

void gather_row(const Upsample2dBackward& a, const BackwardPlan& p, int64_t task) {
    const Reader* const rows = p.rows + task % a.H * readers_room(a.SH);
    const float* const dy = a.dy + task / a.H * a.OH * a.OW * a.C;
    float* dx = a.dx + task * a.W * a.C;
    for (int64_t x = 0; x < a.W; ++x, dx += a.C) {
        const Reader* const columns = p.columns + x * readers_room(a.SW);
        for (int64_t c0 = 0; c0 < a.C; c0 += V) {
            const int64_t c = vector_start(c0, a.C), lanes = at_most(a.C - c, V);
            vf sum = vf{};
            for (const Reader* row = rows; row->weight != 0.0f; ++row)
                for (const Reader* column = columns; column->weight != 0.0f; ++column)
                    sum += load_lanes(dy + (row->at * a.OW + column->at) * a.C + c, lanes) *
                           (row->weight * column->weight);
            store_lanes(dx + c, sum, lanes);
        }
    }
}

void run_upsample2d_backward(const Upsample2dBackward& a, const BackwardPlan& p) {
    fill_readers(p.rows, a.H, a.SH, a.INTERPOLATION);
    fill_readers(p.columns, a.W, a.SW, a.INTERPOLATION);
    const double work = double(a.N * a.OH * a.OW * a.C) * (a.INTERPOLATION == kNearest ? 1 : 4);
    parallel_for(a.N * a.H, work, [&](int64_t task) { gather_row(a, p, task); });
}

}  // namespace

const Kernel kernels::upsample2d = kernel<plan_of, run_upsample2d>();
const Kernel kernels::upsample2d_backward = kernel<backward_plan_of, run_upsample2d_backward>();

}  // namespace pellucid::PELLUCID_ISA_NAMESPACE
