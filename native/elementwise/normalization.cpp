// Local response normalisation, the running means that batch norm keeps, and the gradient of a bias.
//
// LRN: a pixel's channels lie side by side, so a window of channels is a handful of shifted loads from a padded row;
// sums are taken afresh for each channel (a running sum would drift). Vectors run over channels throughout. Task = a block of
// pixels.
#include "elementwise/normalization.hpp"

namespace pellucid::PELLUCID_ISA_NAMESPACE {
namespace {

// --------------------------------------------------------------------------------------- local response normalisation

// A window of `size` channels around c reaches size/2 before it and (size-1)/2 after it.
struct Row {
    float* padded;
    int64_t before, after;
};

Row padded_row(Arena& arena, int64_t channels, int64_t before, int64_t after) {
    const int64_t count = before + round_up(channels, V) + after + V;
    float* row;
    take(arena, piece(row, count));
    memset(row, 0, size_t(count) * sizeof(float));
    return {row, before, after};
}

PELLUCID_INLINE vf window_sum(const Row& row, int64_t c) {
    vf sum = vf{};
    for (int64_t d = 0; d <= row.before + row.after; ++d) sum += load(row.padded + c + d);
    return sum;
}

void lrn_block(const LocalResponseNorm& a, int64_t task, Arena& arena) {
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

void run_local_response_norm(const LocalResponseNorm& a) {
    parallel_for(ceil_div(a.N * a.INNER, block_rows(a.C)), 10.0 * double(a.N * a.INNER * a.C),
                 [&](int64_t task, Arena& arena) { lrn_block(a, task, arena); });
}

// dx[j] = dy[j] scale[j]^-beta - 2 alpha beta x[j] * sum of dy[i] y[i] / scale[i] over the i whose window holds j.
void lrn_backward_block(const LocalResponseNormBackward& a, int64_t task, Arena& arena) {
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

void run_local_response_norm_backward(const LocalResponseNormBackward& a) {
    parallel_for(ceil_div(a.N * a.INNER, block_rows(a.C)), 10.0 * double(a.N * a.INNER * a.C),
                 [&](int64_t task, Arena& arena) { lrn_backward_block(a, task, arena); });
}

void run_update_running(const UpdateRunning& a) {
    const float keep = float(a.momentum), take = float(1.0 - a.momentum);
    for (int64_t i = 0; i < a.COUNT; ++i) a.running_mean[i] = keep * a.running_mean[i] + take * a.mean[i];
}

double* bias_sums(const BiasBackward& a, Memory& memory) { return memory.take<double>(reduce_doubles(1, a.C)); }

void run_bias_backward(const BiasBackward& a, double* memory) {
    const double* sums = reduce_rows(Sum{a.dy, a.C}, a.N * a.INNER, a.C, memory);
    for (int64_t c = 0; c < a.C; ++c) a.dbias[c] = float(sums[c]);
}

}  // namespace

const Kernel kernels::local_response_norm = kernel<run_local_response_norm>();
const Kernel kernels::local_response_norm_backward = kernel<run_local_response_norm_backward>();
const Kernel kernels::update_running = kernel<run_update_running>();
const Kernel kernels::bias_backward = kernel<bias_sums, run_bias_backward>();

}  // namespace pellucid::PELLUCID_ISA_NAMESPACE
