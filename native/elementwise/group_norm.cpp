// Group normalisation and its gradient; layer normalisation is the same with one group and one row a block.
//
// x is (blocks, rows, channels), a block a picture or a place of one; mean and variance are those of a block's group of
// channels. Two passes for mean and variance, then one elementwise pass (elementwise/normalization.hpp), with tables of
// a block each: from the sums of its channels those of its groups. One row and one group a block: each row by itself
// while it lies in the cache, vectors along it. Task = a block of rows.
#include "elementwise/normalization.hpp"

namespace pellucid::PELLUCID_ISA_NAMESPACE {
namespace {

template <typename Arguments>
bool row_by_row(const Arguments& a) {
    return a.INNER == 1 && a.GROUPS == 1;
}
template <typename Arguments>
int64_t blocks_of(const Arguments& a) {
    return a.N * a.OUTER;
}

// Doubles apart that the sums of two blocks stand.
template <typename T, typename Arguments>
int64_t apart(const Arguments& a) {
    return reduce_shards(a.INNER) * T::sums * round_up(a.C, V);
}

// ------------------------------------------------------------------------------------------------------- row by row

PELLUCID_INLINE double lane_sum(const vd& v) {
    double lanes[V], sum = 0;
    memcpy(lanes, &v, sizeof lanes);
    for (double lane : lanes) sum += lane;
    return sum;
}

// f(c, lanes) for the vectors of a row, from left to right; the last may be partial.
template <typename F>
PELLUCID_INLINE void along(int64_t channels, F f) {
    int64_t c = 0;
    for (; c + V <= channels; c += V) f(c, int64_t(V));
    if (c < channels) f(c, channels - c);
}

template <typename F>
void each_row_of(int64_t rows, int64_t channels, double cost, F f) {
    const int64_t block = block_rows(channels);
    parallel_for(ceil_div(rows, block), cost * double(rows * channels), [=](int64_t task) {
        for (int64_t i = task * block; i < at_most((task + 1) * block, rows); ++i) f(i);
    });
}

void normalize_rows(const GroupNorm& a) {
    each_row_of(blocks_of(a), a.C, 8.0, [&a](int64_t i) {
        const float* x = a.x + i * a.C;
        vd sum = {}, squares = {};
        along(a.C, [&](int64_t c, int64_t lanes) { add_to(sum, widen(load_lanes(x + c, lanes))); });
        const float mean = float(lane_sum(sum) / double(a.C));
        along(a.C, [&](int64_t c, int64_t lanes) {
            const vd d = widen(first_lanes(load_lanes(x + c, lanes) - mean, lanes));
            add_product(squares, d, d);
        });
        const float variance = float(lane_sum(squares) / double(a.C));
        const float inverse = float(inverse_deviation(variance, a.epsilon));
        a.mean[i] = mean;
        a.variance[i] = variance;
        along(a.C, [&](int64_t c, int64_t lanes) {
            const vf scale = load_lanes(a.gamma + c, lanes) * inverse;
            store_lanes(a.y + i * a.C + c, (load_lanes(x + c, lanes) - mean) * scale + load_lanes(a.beta + c, lanes),
                        lanes);
        });
    });
}

// dx = inv * (g - mean(g) - xhat * mean(g * xhat)), with g = gamma * dy, xhat = (x - mean) * inv.
void rows_backward(const GroupNormBackward& a) {
    each_row_of(blocks_of(a), a.C, 10.0, [&a](int64_t i) {
        const float *x = a.x + i * a.C, *dy = a.dy + i * a.C, mean = a.mean[i];
        const double inverse = inverse_deviation(a.variance[i], a.epsilon);
        vd sum = {}, products = {};
        along(a.C, [&](int64_t c, int64_t lanes) {
            const vd g = widen(load_lanes(dy + c, lanes) * load_lanes(a.gamma + c, lanes));
            add_to(sum, g);
            add_product(products, g, widen(load_lanes(x + c, lanes) - mean));
        });
        const float centre = float(lane_sum(sum) / double(a.C)), scale = float(inverse);
        const float pull = float(lane_sum(products) * inverse * inverse / double(a.C));
        along(a.C, [&](int64_t c, int64_t lanes) {
            const vf g = load_lanes(dy + c, lanes) * load_lanes(a.gamma + c, lanes);
            store_lanes(a.dx + i * a.C + c, (g - centre - (load_lanes(x + c, lanes) - mean) * pull) * scale, lanes);
        });
    });
}

// Sums of dy and of dy * xhat, where each row has its own mean and deviation.
struct RowGradients {
    static constexpr int sums = 2;
    const float *dy, *x, *mean, *inverse;
    int64_t columns;
    PELLUCID_INLINE void add(int64_t row, int64_t c, int64_t lanes, vd* out) const {
        const vd d = widen(load_lanes(dy + row * columns + c, lanes));
        add_to(out[0], d);
        add_product(out[1], d, widen((load_lanes(x + row * columns + c, lanes) - mean[row]) * inverse[row]));
    }
};

// ---------------------------------------------------------------------------------------------------- block by block

// f(g, begin, end) for the channels of each group.
template <typename F>
void each_group(int64_t channels, int64_t groups, const F& f) {
    const int64_t each = channels / groups;
    for (int64_t g = 0; g < groups; ++g) f(g, g * each, (g + 1) * each);
}

void normalize_blocks(const GroupNorm& a, const Tables& t) {
    const int64_t blocks = blocks_of(a), width = round_up(a.C, V);
    const double count = double(a.INNER) * double(a.C / a.GROUPS);
    const int64_t step = apart<Sum>(a);
    clear(t, blocks * width);
    reduce_blocks<Sum>([&](int64_t b) { return Sum{a.x + b * a.INNER * a.C, a.C}; }, blocks, a.INNER, a.C, t.sums);
    for (int64_t b = 0; b < blocks; ++b)
        each_group(a.C, a.GROUPS, [&](int64_t g, int64_t begin, int64_t end) {
            double sum = 0;
            for (int64_t c = begin; c < end; ++c) sum += t.sums[b * step + c];
            const float mean = float(sum / count);
            a.mean[b * a.GROUPS + g] = mean;
            for (int64_t c = begin; c < end; ++c) t.centre[b * width + c] = mean;
        });
    reduce_blocks<SquaredDeviation>(
        [&](int64_t b) { return SquaredDeviation{a.x + b * a.INNER * a.C, t.centre + b * width, a.C}; }, blocks,
        a.INNER, a.C, t.sums);
    for (int64_t b = 0; b < blocks; ++b)
        each_group(a.C, a.GROUPS, [&](int64_t g, int64_t begin, int64_t end) {
            double sum = 0;
            for (int64_t c = begin; c < end; ++c) sum += t.sums[b * step + c];
            const float variance = float(sum / count);
            a.variance[b * a.GROUPS + g] = variance;
            const double inverse = inverse_deviation(variance, a.epsilon);
            for (int64_t c = begin; c < end; ++c) {
                t.slope[b * width + c] = float(double(a.gamma[c]) * inverse);
                t.shift[b * width + c] = a.beta[c];
            }
        });
    transform(a.x, nullptr, a.y, t, blocks, a.INNER, a.C);
}

void blocks_backward(const GroupNormBackward& a, const Tables& t) {
    const int64_t blocks = blocks_of(a), width = round_up(a.C, V);
    const double count = double(a.INNER) * double(a.C / a.GROUPS);
    const int64_t step = apart<Gradients>(a), each = a.C / a.GROUPS;
    clear(t, blocks * width);
    for (int64_t b = 0; b < blocks; ++b)
        for (int64_t c = 0; c < a.C; ++c) t.centre[b * width + c] = a.mean[b * a.GROUPS + c / each];
    reduce_blocks<Gradients>(
        [&](int64_t b) {
            const int64_t first = b * a.INNER * a.C;
            return Gradients{a.dy + first, a.x + first, t.centre + b * width, a.C};
        },
        blocks, a.INNER, a.C, t.sums);
    double* const total = t.sums;  // of all blocks, in the place of the first
    for (int64_t b = 0; b < blocks; ++b) {
        const double *const sums = t.sums + b * step, *const products = sums + width;
        each_group(a.C, a.GROUPS, [&](int64_t g, int64_t begin, int64_t end) {
            const double mean = a.mean[b * a.GROUPS + g];
            const double inverse = inverse_deviation(a.variance[b * a.GROUPS + g], a.epsilon);
            double sum = 0, product = 0;
            for (int64_t c = begin; c < end; ++c) {
                sum += double(a.gamma[c]) * sums[c];
                product += double(a.gamma[c]) * products[c];
                if (b > 0) total[c] += sums[c];
                total[width + c] = (b > 0 ? total[width + c] : 0) + products[c] * inverse;
            }
            // dy * slope - mean(g) * inv - (x - mean) * pull, written for a transform of dy with `other` = x:
            const double pull = inverse * inverse * inverse * product / count;
            for (int64_t c = begin; c < end; ++c) {
                const int64_t at = b * width + c;
                t.centre[at] = 0;
                t.slope[at] = float(double(a.gamma[c]) * inverse);
                t.pull[at] = float(pull);
                t.shift[at] = float(pull * mean - inverse * sum / count);
            }
        });
    }
    for (int64_t c = 0; c < a.C && blocks > 0; ++c) {
        a.dbeta[c] = float(total[c]);
        a.dgamma[c] = float(total[width + c]);
    }
    if (a.dx) transform(a.dy, a.x, a.dx, t, blocks, a.INNER, a.C);
}

// ------------------------------------------------------------------------------------------------------------- kernels

Tables group_norm_tables(const GroupNorm& a, Memory& memory) {
    if (row_by_row(a)) return {};
    return tables_of(blocks_of(a) * round_up(a.C, V), blocks_of(a) * apart<Sum>(a), memory);
}

void run_group_norm(const GroupNorm& a, const Tables& t) {
    if (row_by_row(a))
        normalize_rows(a);
    else if (a.INNER > 0)
        normalize_blocks(a, t);
}

Tables group_norm_backward_tables(const GroupNormBackward& a, Memory& memory) {
    if (row_by_row(a)) return tables_of(blocks_of(a), reduce_doubles(2, a.C), memory);
    return tables_of(blocks_of(a) * round_up(a.C, V), blocks_of(a) * apart<Gradients>(a), memory);
}

void run_group_norm_backward(const GroupNormBackward& a, const Tables& t) {
    for (int64_t c = 0; c < a.C; ++c) a.dgamma[c] = a.dbeta[c] = 0;
    if (!row_by_row(a)) {
        if (a.INNER > 0) blocks_backward(a, t);
        return;
    }
    const int64_t rows = blocks_of(a), width = round_up(a.C, V);
    for (int64_t i = 0; i < rows; ++i) t.slope[i] = float(inverse_deviation(a.variance[i], a.epsilon));
    const double* sums = reduce_rows(RowGradients{a.dy, a.x, a.mean, t.slope, a.C}, rows, a.C, t.sums);
    for (int64_t c = 0; c < a.C; ++c) {
        a.dbeta[c] = float(sums[c]);
        a.dgamma[c] = float(sums[width + c]);
    }
    if (a.dx) rows_backward(a);
}

}  // namespace

const Kernel kernels::group_norm = kernel<group_norm_tables, run_group_norm>();
const Kernel kernels::group_norm_backward = kernel<group_norm_backward_tables, run_group_norm_backward>();

}  // namespace pellucid::PELLUCID_ISA_NAMESPACE
