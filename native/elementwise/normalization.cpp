// Local response normalisation, batch normalisation, the running means it keeps, and the gradient of a bias.
//
// LRN: a pixel's channels lie side by side, so a window of channels is a handful of shifted loads from a padded row;
// sums are taken afresh for each channel (a running sum would drift). Batch norm: two passes for mean and variance
// (common/reduce.hpp), then one elementwise pass. Vectors run over channels throughout. Task = a block of pixels.
#include "runtime/arguments.hpp"
#include "common/reduce.hpp"

namespace pellucid {
namespace PELLUCID_ISA_NAMESPACE {
namespace {

constexpr int64_t kBlockFloats = 16384;

constexpr int64_t block_rows(int64_t columns) { return at_least(kBlockFloats / at_least(columns, 1), 1); }

// --------------------------------------------------------------------------------------- local response normalisation

// A window of `size` channels around c reaches size/2 before it and (size-1)/2 after it.
struct Row {
    float* padded;
    int64_t before, after;
};

Row padded_row(Arena& arena, int64_t channels, int64_t before, int64_t after) {
    const int64_t count = before + round_up(channels, V) + after + V;
    float* row = static_cast<float*>(arena_reserve(arena, size_t(count) * sizeof(float)));
    memset(row, 0, size_t(count) * sizeof(float));
    return {row, before, after};
}

PELLUCID_INLINE vf window_sum(const Row& row, int64_t c) {
    vf sum = vf{};
    for (int64_t d = 0; d <= row.before + row.after; ++d) sum += load(row.padded + c + d);
    return sum;
}

void lrn_block(void* context, int64_t task, Arena& arena) {
    const LocalResponseNorm& a = *static_cast<const LocalResponseNorm*>(context);
    const int64_t rows = block_rows(a.C), total = a.N * a.INNER;
    const Row row = padded_row(arena, a.C, a.WINDOW / 2, (a.WINDOW - 1) / 2);
    for (int64_t i = task * rows; i < at_most((task + 1) * rows, total); ++i) {
        const float* x = a.x + i * a.C;
        for (int64_t c = 0; c < a.C; ++c) row.padded[row.before + c] = x[c] * x[c];
        for (int64_t c0 = 0; c0 < a.C; c0 += V) {
            const int64_t c = vector_start(c0, a.C), lanes = at_most(a.C - c, V);
            const vf scale = float(a.k) + float(a.alpha) * window_sum(row, c);
            store_lanes(a.scale + i * a.C + c, scale, lanes);
            store_lanes(a.y + i * a.C + c, load_lanes(x + c, lanes) * vpower_negative(scale, float(a.beta)), lanes);
        }
    }
}

void local_response_norm(const void* arguments, Context&) {
    const LocalResponseNorm& a = *static_cast<const LocalResponseNorm*>(arguments);
    parallel_for(ceil_div(a.N * a.INNER, block_rows(a.C)), 10.0 * double(a.N * a.INNER * a.C), lrn_block,
                 const_cast<LocalResponseNorm*>(&a));
}

// dx[j] = dy[j] scale[j]^-beta - 2 alpha beta x[j] * sum of dy[i] y[i] / scale[i] over the i whose window holds j.
void lrn_backward_block(void* context, int64_t task, Arena& arena) {
    const LocalResponseNormBackward& a = *static_cast<const LocalResponseNormBackward*>(context);
    const int64_t rows = block_rows(a.C), total = a.N * a.INNER;
    const Row row = padded_row(arena, a.C, (a.WINDOW - 1) / 2, a.WINDOW / 2);
    const float factor = float(2.0 * a.alpha * a.beta);
    for (int64_t i = task * rows; i < at_most((task + 1) * rows, total); ++i) {
        const float *dy = a.dy + i * a.C, *x = a.x + i * a.C, *y = a.y + i * a.C, *scale = a.scale + i * a.C;
        for (int64_t c = 0; c < a.C; ++c) row.padded[row.before + c] = dy[c] * y[c] / scale[c];
        for (int64_t c0 = 0; c0 < a.C; c0 += V) {
            const int64_t c = vector_start(c0, a.C), lanes = at_most(a.C - c, V);
            const vf direct = load_lanes(dy + c, lanes) * vpower_negative(load_lanes(scale + c, lanes), float(a.beta));
            store_lanes(a.dx + i * a.C + c, direct - factor * load_lanes(x + c, lanes) * window_sum(row, c), lanes);
        }
    }
}

void local_response_norm_backward(const void* arguments, Context&) {
    const LocalResponseNormBackward& a = *static_cast<const LocalResponseNormBackward*>(arguments);
    parallel_for(ceil_div(a.N * a.INNER, block_rows(a.C)), 10.0 * double(a.N * a.INNER * a.C), lrn_backward_block,
                 const_cast<LocalResponseNormBackward*>(&a));
}

// ------------------------------------------------------------------------------------------------ batch normalisation

// out[row][c] = (in[row][c] - centre[c]) * slope[c] + shift[c] - other[row][c] * pull[c]; `other` may be absent.
struct Affine {
    const float *in, *other;
    float* out;
    const float *centre, *slope, *shift, *pull;
    int64_t rows, columns;
};

void affine_block(void* context, int64_t task, Arena&) {
    const Affine& a = *static_cast<const Affine*>(context);
    const int64_t rows = block_rows(a.columns);
    for (int64_t i = task * rows; i < at_most((task + 1) * rows, a.rows); ++i)
        for (int64_t c0 = 0; c0 < a.columns; c0 += V) {
            const int64_t c = vector_start(c0, a.columns), lanes = at_most(a.columns - c, V), at = i * a.columns + c;
            vf v = (load_lanes(a.in + at, lanes) - load(a.centre + c)) * load(a.slope + c) + load(a.shift + c);
            if (a.other) v -= (load_lanes(a.other + at, lanes)) * load(a.pull + c);
            store_lanes(a.out + at, v, lanes);
        }
}

void run_affine(Affine a) {
    parallel_for(ceil_div(a.rows, block_rows(a.columns)), 3.0 * double(a.rows * a.columns), affine_block, &a);
}

// Per-channel tables, padded to whole vectors.
struct Tables {
    float *centre, *slope, *shift, *pull;
    double* sums;
};

Tables tables_of(int64_t channels, int64_t sums, void* workspace, int64_t* bytes) {
    const int64_t width = round_up(channels, V);
    Pieces pieces{static_cast<char*>(workspace), 0};
    Tables t;
    t.centre = pieces.take<float>(width);
    t.slope = pieces.take<float>(width);
    t.shift = pieces.take<float>(width);
    t.pull = pieces.take<float>(width);
    t.sums = pieces.take<double>(reduce_doubles(sums, channels));
    if (bytes) *bytes = pieces.used;
    else memset(workspace, 0, size_t(4 * round_up(4 * width, 64)));
    return t;
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

double inverse_deviation(float variance, double epsilon) { return 1.0 / __builtin_sqrt(double(variance) + epsilon); }

void batch_norm(const void* arguments, Context& context) {
    const BatchNorm& a = *static_cast<const BatchNorm*>(arguments);
    const int64_t rows = a.N * a.INNER;
    if (rows == 0) return;
    const Tables t = tables_of(a.C, 1, context.workspace, nullptr);
    const double* sums = reduce_rows(Sum{a.x, a.C}, rows, a.C, t.sums);
    for (int64_t c = 0; c < a.C; ++c) a.mean[c] = t.centre[c] = float(sums[c] / double(rows));
    sums = reduce_rows(SquaredDeviation{a.x, t.centre, a.C}, rows, a.C, t.sums);
    for (int64_t c = 0; c < a.C; ++c) {
        a.variance[c] = float(sums[c] / double(rows));
        t.slope[c] = float(double(a.gamma[c]) * inverse_deviation(a.variance[c], a.epsilon));
        t.shift[c] = a.beta[c];
    }
    run_affine({a.x, nullptr, a.y, t.centre, t.slope, t.shift, nullptr, rows, a.C});
}

int64_t batch_norm_workspace(const void* arguments) {
    int64_t bytes = 0;
    tables_of(static_cast<const BatchNorm*>(arguments)->C, 1, nullptr, &bytes);
    return bytes;
}

void batch_norm_inference(const void* arguments, Context& context) {
    const BatchNormInference& a = *static_cast<const BatchNormInference*>(arguments);
    const Tables t = tables_of(a.C, 0, context.workspace, nullptr);
    for (int64_t c = 0; c < a.C; ++c) {
        t.centre[c] = a.mean[c];
        t.slope[c] = float(double(a.gamma[c]) * inverse_deviation(a.variance[c], a.epsilon));
        t.shift[c] = a.beta[c];
    }
    run_affine({a.x, nullptr, a.y, t.centre, t.slope, t.shift, nullptr, a.N * a.INNER, a.C});
}

int64_t inference_workspace(const void* arguments) {
    int64_t bytes = 0;
    tables_of(static_cast<const BatchNormInference*>(arguments)->C, 0, nullptr, &bytes);
    return bytes;
}

// dx = gamma * inv * (dy - mean(dy) - xhat * mean(dy * xhat)), with xhat = (x - mean) * inv.
void batch_norm_backward(const void* arguments, Context& context) {
    const BatchNormBackward& a = *static_cast<const BatchNormBackward*>(arguments);
    const int64_t rows = a.N * a.INNER, width = round_up(a.C, V);
    const Tables t = tables_of(a.C, 2, context.workspace, nullptr);
    for (int64_t c = 0; c < a.C; ++c) t.centre[c] = a.mean[c];
    const double* sums = reduce_rows(Gradients{a.dy, a.x, t.centre, a.C}, rows, a.C, t.sums);
    for (int64_t c = 0; c < a.C; ++c) {
        const double inverse = inverse_deviation(a.variance[c], a.epsilon), scale = double(a.gamma[c]) * inverse;
        a.dbeta[c] = float(sums[c]);
        a.dgamma[c] = float(sums[width + c] * inverse);
        // (dy - mean(dy)) * scale - (x - mean) * pull, written for the affine pass over dy with `other` = x:
        const double pull = scale * inverse * inverse * sums[width + c] / double(rows);
        t.pull[c] = float(pull);
        t.slope[c] = float(scale);
        t.centre[c] = float(sums[c] / double(rows));
        t.shift[c] = float(pull * double(a.mean[c]));
    }
    if (a.dx) run_affine({a.dy, a.x, a.dx, t.centre, t.slope, t.shift, t.pull, rows, a.C});
}

int64_t batch_norm_backward_workspace(const void* arguments) {
    int64_t bytes = 0;
    tables_of(static_cast<const BatchNormBackward*>(arguments)->C, 2, nullptr, &bytes);
    return bytes;
}

void update_running(const void* arguments, Context&) {
    const UpdateRunning& a = *static_cast<const UpdateRunning*>(arguments);
    const float keep = float(a.momentum), take = float(1.0 - a.momentum);
    for (int64_t i = 0; i < a.COUNT; ++i) a.running_mean[i] = keep * a.running_mean[i] + take * a.mean[i];
}

void bias_backward(const void* arguments, Context& context) {
    const BiasBackward& a = *static_cast<const BiasBackward*>(arguments);
    const double* sums = reduce_rows(Sum{a.dy, a.C}, a.N * a.INNER, a.C, static_cast<double*>(context.workspace));
    for (int64_t c = 0; c < a.C; ++c) a.dbias[c] = float(sums[c]);
}

int64_t bias_workspace(const void* arguments) {
    return reduce_doubles(1, static_cast<const BiasBackward*>(arguments)->C) * int64_t(sizeof(double));
}

const Kernel kKernels[] = {
    {"local_response_norm", local_response_norm, nullptr},
    {"local_response_norm_backward", local_response_norm_backward, nullptr},
    {"batch_norm", batch_norm, batch_norm_workspace},
    {"batch_norm_inference", batch_norm_inference, inference_workspace},
    {"batch_norm_backward", batch_norm_backward, batch_norm_backward_workspace},
    {"update_running", update_running, nullptr},
    {"bias_backward", bias_backward, bias_workspace},
};

}  // namespace

extern const Family normalization_family;
const Family normalization_family = {kKernels, 7};

}  // namespace PELLUCID_ISA_NAMESPACE
}  // namespace pellucid
