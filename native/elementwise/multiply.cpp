// Products number by number: of arrays that are alike, and of maps with a number for each of their channels; and the
// gradients of both.
//
// x is (blocks, rows, channels), the factor (blocks, channels). Alike: one row a block, so both are flat. Maps: a block
// is a picture, and the factor's gradient a sum over its rows (common/reduce.hpp). dx may be dy, so no vector is moved
// back and done twice. Task = a few rows of a block.
#include "common/flat.hpp"
#include "common/reduce.hpp"

namespace pellucid::PELLUCID_ISA_NAMESPACE {
namespace {

// out = in * factor, a factor for each block and channel.
void scale_channels(const float* in, const float* factor, float* out, int64_t blocks, int64_t rows, int64_t channels) {
    const int64_t step = at_least(kBlock / channels, 1), steps = ceil_div(rows, step);
    parallel_for(blocks * steps, double(blocks * rows * channels), [=](int64_t task) {
        const int64_t block = task / steps, begin = task % steps * step, end = at_most(begin + step, rows);
        const float* const own = factor + block * channels;
        for (int64_t i = block * rows + begin; i < block * rows + end; ++i)
            for (int64_t c = 0; c < channels; c += V) {
                const int64_t at = i * channels + c, lanes = at_most(channels - c, V);
                store_lanes(out + at, load_lanes(in + at, lanes) * load_lanes(own + c, lanes), lanes);
            }
    });
}

void run_multiply(const Multiply& a) {
    const int64_t blocks = a.N * a.OUTER;
    if (a.INNER != 1) return scale_channels(a.x, a.factor, a.y, blocks, a.INNER, a.C);
    each_vector_of_all(blocks * a.C, 1.0, [=](int64_t i, int64_t lanes) {
        store_lanes(a.y + i, load_lanes(a.x + i, lanes) * load_lanes(a.factor + i, lanes), lanes);
    });
}

struct Products {
    static constexpr int sums = 1;
    const float *dy, *x;
    int64_t columns;
    PELLUCID_INLINE void add(int64_t row, int64_t c, int64_t lanes, vd* out) const {
        const int64_t at = row * columns + c;
        add_product(out[0], widen(load_lanes(dy + at, lanes)), widen(load_lanes(x + at, lanes)));
    }
};

// Doubles of a block's sums.
int64_t block_doubles(const MultiplyBackward& a) { return reduce_shards(a.INNER) * round_up(a.C, V); }
double* sums_of(const MultiplyBackward& a, Memory& memory) {
    return memory.take<double>(a.INNER == 1 ? 0 : a.N * a.OUTER * block_doubles(a));
}

void run_multiply_backward(const MultiplyBackward& a, double* sums) {
    const int64_t blocks = a.N * a.OUTER;
    if (a.INNER == 1) {
        each_vector_of_all(blocks * a.C, 2.0, [=](int64_t i, int64_t lanes) {
            const vf dy = load_lanes(a.dy + i, lanes);
            if (a.dfactor) store_lanes(a.dfactor + i, dy * load_lanes(a.x + i, lanes), lanes);
            if (a.dx) store_lanes(a.dx + i, dy * load_lanes(a.factor + i, lanes), lanes);
        });
        return;
    }
    if (a.dfactor) {
        const int64_t picture = a.INNER * a.C, apart = block_doubles(a);
        const auto products = [&](int64_t b) { return Products{a.dy + b * picture, a.x + b * picture, a.C}; };
        reduce_blocks<Products>(products, blocks, a.INNER, a.C, sums);
        for (int64_t b = 0; b < blocks; ++b)
            for (int64_t c = 0; c < a.C; ++c) a.dfactor[b * a.C + c] = float(sums[b * apart + c]);
    }
    if (a.dx) scale_channels(a.dy, a.factor, a.dx, blocks, a.INNER, a.C);
}

}  // namespace

const Kernel kernels::multiply = kernel<run_multiply>();
const Kernel kernels::multiply_backward = kernel<sums_of, run_multiply_backward>();

}  // namespace pellucid::PELLUCID_ISA_NAMESPACE
