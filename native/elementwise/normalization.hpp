// What normalisations share: tables of a scale and a shift for each channel, the pass that applies them, and the sums
// they are made of. Vectors run over channels throughout. Task = a block of pixels.
//
// Tables come in blocks, each for so many rows: group norm has one a picture.
#pragma once
#include "common/reduce.hpp"

namespace pellucid::PELLUCID_ISA_NAMESPACE {
namespace {

constexpr int64_t kBlockFloats = 16384;

constexpr int64_t block_rows(int64_t columns) { return at_least(kBlockFloats / at_least(columns, 1), 1); }

// Tables by channel, padded to whole vectors.
struct Tables {
    float *centre, *slope, *shift, *pull;
    double* sums;
};

PELLUCID_INLINE Tables tables_of(int64_t floats, int64_t doubles, Memory& memory) {
    return {memory.take<float>(floats), memory.take<float>(floats), memory.take<float>(floats),
            memory.take<float>(floats), memory.take<double>(doubles)};
}
PELLUCID_INLINE void clear(const Tables& t, int64_t floats) {
    for (int64_t i = 0; i < floats; ++i) t.centre[i] = t.slope[i] = t.shift[i] = t.pull[i] = 0;
}

// out[b][row][c] = (in[b][row][c] - centre[b][c]) * slope[b][c] + shift[b][c] - other[b][row][c] * pull[b][c]; `other`
// may be absent.
PELLUCID_INLINE void transform(const float* in, const float* other, float* out, const Tables& t, int64_t blocks,
                               int64_t rows, int64_t columns) {
    const int64_t step = block_rows(columns), steps = ceil_div(rows, step), width = round_up(columns, V);
    parallel_for(blocks * steps, 3.0 * double(blocks * rows * columns), [=, &t](int64_t task) {
        const int64_t block = task / steps, begin = block * rows + task % steps * step;
        const int64_t end = at_most(begin + step, (block + 1) * rows), first = block * width;
        for (int64_t i = begin; i < end; ++i)
            for (int64_t c0 = 0; c0 < columns; c0 += V) {
                const int64_t c = vector_start(c0, columns), lanes = at_most(columns - c, V), at = i * columns + c;
                const int64_t own = first + c;
                vf v = (load_lanes(in + at, lanes) - load(t.centre + own)) * load(t.slope + own) + load(t.shift + own);
                if (other) v -= load_lanes(other + at, lanes) * load(t.pull + own);
                store_lanes(out + at, v, lanes);
            }
    });
}

struct Sum {
    static constexpr int sums = 1;
    const float* x;
    int64_t columns;
    PELLUCID_INLINE void add(int64_t row, int64_t c, int64_t lanes, vd* out) const {
        add_to(out[0], widen(load_lanes(x + row * columns + c, lanes)));
    }
};

struct SquaredDeviation {
    static constexpr int sums = 1;
    const float *x, *centre;
    int64_t columns;
    PELLUCID_INLINE void add(int64_t row, int64_t c, int64_t lanes, vd* out) const {
        const vd d = widen(load_lanes(x + row * columns + c, lanes) - load(centre + c));
        add_product(out[0], d, d);
    }
};

// Sums of dy and of dy * (x - mean).
struct Gradients {
    static constexpr int sums = 2;
    const float *dy, *x, *centre;
    int64_t columns;
    PELLUCID_INLINE void add(int64_t row, int64_t c, int64_t lanes, vd* out) const {
        const vd d = widen(load_lanes(dy + row * columns + c, lanes));
        add_to(out[0], d);
        add_product(out[1], d, widen(load_lanes(x + row * columns + c, lanes) - load(centre + c)));
    }
};

PELLUCID_INLINE double inverse_deviation(float variance, double epsilon) { return 1.0 / __builtin_sqrt(double(variance) + epsilon); }

}  // namespace
}  // namespace pellucid::PELLUCID_ISA_NAMESPACE
