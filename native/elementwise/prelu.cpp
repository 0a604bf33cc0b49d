// PReLU, a ReLU with a trained slope below 0, and its gradients.
//
// x is (N, SHARED, OUTER, INNER, C), the slopes (OUTER, C). Seen as lines of numbers that lie together: one slope a
// number (the channels of a pixel, or all of a picture where nothing is shared), or, with C = 1, one slope for all
// INNER of them. dx may be dy, so no vector is moved back and done twice. The slopes' gradient is a sum in double: over
// lines by common/reduce.hpp, or along a line. Task = a block of lines, or of a line.
#include "common/flat.hpp"
#include "common/reduce.hpp"

namespace pellucid::PELLUCID_ISA_NAMESPACE {
namespace {

struct Lines {
    int64_t count, length;     // of lines; of a line's numbers
    int64_t repeated, slopes;  // so many lines in a row have one line of slopes, of which there are so many
    bool one;                  // one slope a line
    int64_t pieces;            // of a line that is long

    int64_t slope_line(int64_t line) const { return line / repeated % slopes; }
};

template <typename Arguments>
Lines lines_of(const Arguments& a) {
    const int64_t rows = a.N * a.SHARED;
    const Lines l = a.INNER == 1 ? Lines{rows, a.OUTER * a.C, 1, 1, false, 1}
                    : a.C == 1   ? Lines{rows * a.OUTER, a.INNER, 1, a.OUTER, true, 1}
                                 : Lines{rows * a.OUTER * a.INNER, a.C, a.INNER, a.OUTER, false, 1};
    return {l.count, l.length, l.repeated, l.slopes, l.one, at_least(ceil_div(l.length, kBlock), 1)};
}

// f(line, piece, begin, end) for the pieces of all lines.
template <typename F>
void each_piece(const Lines& l, double cost, const F& f) {
    const int64_t step = at_least(kBlock / at_least(l.length, 1), 1), all = l.count * l.pieces;
    parallel_for(ceil_div(all, step), cost * double(l.count * l.length), [=](int64_t task) {
        for (int64_t i = task * step; i < at_most((task + 1) * step, all); ++i) {
            const int64_t piece = i % l.pieces;
            f(i / l.pieces, piece, piece * kBlock, at_most((piece + 1) * kBlock, l.length));
        }
    });
}

// out = x > 0 ? in : in * slope.
void bend(const Lines& l, const float* x, const float* in, const float* alpha, float* out) {
    each_piece(l, 1.0, [=](int64_t line, int64_t, int64_t begin, int64_t end) {
        const int64_t at = line * l.length;
        const float* const slopes = alpha + l.slope_line(line) * (l.one ? 1 : l.length);
        for (int64_t i = begin; i < end; i += V) {
            const int64_t lanes = at_most(end - i, V);
            const vf slope = l.one ? broadcast(slopes[0]) : load_lanes(slopes + i, lanes);
            const vf v = load_lanes(in + at + i, lanes);
            store_lanes(out + at + i, select(load_lanes(x + at + i, lanes) > 0.0f, v, v * slope), lanes);
        }
    });
}

void run_prelu(const Prelu& a) { bend(lines_of(a), a.x, a.x, a.alpha, a.y); }

// Sums of dy * min(x, 0) over the lines that have one line of slopes, the `own`-th. NaN stays.
template <bool APART>
struct Below {
    static constexpr int sums = 1;
    const float *dy, *x;
    int64_t length, repeated, slopes, own;
    PELLUCID_INLINE void add(int64_t row, int64_t c, int64_t lanes, vd* out) const {
        const int64_t line = APART ? (row / repeated * slopes + own) * repeated + row % repeated : row;
        const int64_t at = line * length + c;
        add_product(out[0], widen(load_lanes(dy + at, lanes)), widen(vmin(vf{}, load_lanes(x + at, lanes))));
    }
};

int64_t rows_of(const Lines& l) { return l.count / at_least(l.slopes, 1); }  // lines of one line of slopes
int64_t apart(const Lines& l) { return reduce_shards(rows_of(l)) * round_up(l.length, V); }
double* sums_of(const PreluBackward& a, Memory& memory) {
    const Lines l = lines_of(a);
    return memory.take<double>(l.one ? l.count * l.pieces : l.slopes * apart(l));
}

template <bool APART>
void sum_lines(const PreluBackward& a, const Lines& l, double* sums) {
    const auto below = [&](int64_t own) {
        return Below<APART>{a.dy, a.x, l.length, l.repeated, l.slopes, own};
    };
    reduce_blocks<Below<APART>>(below, l.slopes, rows_of(l), l.length, sums);
    for (int64_t s = 0; s < l.slopes; ++s)
        for (int64_t c = 0; c < l.length; ++c) a.dalpha[s * l.length + c] = float(sums[s * apart(l) + c]);
}

void sum_along(const PreluBackward& a, const Lines& l, double* sums) {
    each_piece(l, 2.0, [=](int64_t line, int64_t piece, int64_t begin, int64_t end) {
        vd sum = {};
        for (int64_t i = begin; i < end; i += V)
            Below<false>{a.dy, a.x, l.length, 1, 1, 0}.add(line, i, at_most(end - i, V), &sum);
        double lanes[V], total = 0;
        memcpy(lanes, &sum, sizeof lanes);
        for (double lane : lanes) total += lane;
        sums[line * l.pieces + piece] = total;
    });
    for (int64_t s = 0; s < l.slopes; ++s) {
        double total = 0;
        for (int64_t line = s; line < l.count; line += l.slopes)
            for (int64_t piece = 0; piece < l.pieces; ++piece) total += sums[line * l.pieces + piece];
        a.dalpha[s] = float(total);
    }
}

void run_prelu_backward(const PreluBackward& a, double* sums) {
    const Lines l = lines_of(a);
    if (a.dalpha && l.one) sum_along(a, l, sums);
    else if (a.dalpha && l.slopes > 1) sum_lines<true>(a, l, sums);
    else if (a.dalpha) sum_lines<false>(a, l, sums);
    if (a.dx) bend(l, a.x, a.dy, a.alpha, a.dx);
}

}  // namespace

const Kernel kernels::prelu = kernel<run_prelu>();
const Kernel kernels::prelu_backward = kernel<sums_of, run_prelu_backward>();

}  // namespace pellucid::PELLUCID_ISA_NAMESPACE
