// Dense layers on the gather product of gather_gemm.hpp: one tap, offsets 0, 1, 2 ...
//
// Forward and backward to the input read a large matrix of weights once: a task owns one panel of columns, packs a
// block of it (256 x 2 vectors, 16-32 KB) into its arena and multiplies all rows of the batch by it while it is in
// L1. So packed weights never exist as a whole (VGG's first dense layer would take 411 MB). A long batch is cut into
// bands of rows as well.
//
// Gradient of the kernel: rows are inputs, the product runs over the batch, panels are dy. A task owns a block of
// inputs and copies its columns of x together first, or a number of inputs that is a power of two would map them all
// to one cache set.
#include "dense_stream.hpp"
#include "gather_gemm.hpp"
#include "parallel.hpp"

namespace pellucid {
namespace PELLUCID_ISA_NAMESPACE {
namespace {

constexpr int64_t kTasks = 16;
constexpr int64_t kBandRows = 48;    // least rows a packed block should serve
constexpr int64_t kInputBlock = 48;  // inputs of a task of the kernel's gradient
const int32_t kIota[kDepth] = {
#define PELLUCID_FOUR(i) i, i + 1, i + 2, i + 3
#define PELLUCID_SIXTEEN(i) PELLUCID_FOUR(i), PELLUCID_FOUR(i + 4), PELLUCID_FOUR(i + 8), PELLUCID_FOUR(i + 12)
#define PELLUCID_SIXTY_FOUR(i) \
    PELLUCID_SIXTEEN(i), PELLUCID_SIXTEEN(i + 16), PELLUCID_SIXTEEN(i + 32), PELLUCID_SIXTEEN(i + 48)
    PELLUCID_SIXTY_FOUR(0), PELLUCID_SIXTY_FOUR(64), PELLUCID_SIXTY_FOUR(128), PELLUCID_SIXTY_FOUR(192)};
static_assert(kDepth == 256, "the table above");

// out (N, columns) = in (N, depth) . matrix, where matrix[k][j] = weights[k * row_stride + j * column_stride].
struct Product2 {
    const float* in;
    float* out;
    const float* weights;
    int64_t row_stride, column_stride;
    int64_t N, depth, columns;
    const float* bias;
    int64_t activation;
    float slope;
    int64_t bands;
};

void product_task(void* context, int64_t task, Arena& arena) {
    const Product2& p = *static_cast<const Product2*>(context);
    const int64_t j = task / p.bands, band = task % p.bands;
    const int64_t n0 = p.N * band / p.bands, n1 = p.N * (band + 1) / p.bands;
    const int64_t columns = panel_columns(p.columns, j);

    Pieces pieces{nullptr, 0};
    for (int pass = 0; pass < 2; ++pass) {
        if (pass == 1) pieces = Pieces{static_cast<char*>(arena_reserve(arena, size_t(pieces.used))), 0};
        float* panel = pieces.take<float>(kDepth * kWide);
        float* bias = pieces.take<float>(kWide);
        const float** from = pieces.take<const float*>(n1 - n0);
        float** to = pieces.take<float*>(n1 - n0);
        if (pass == 0) continue;
        for (int64_t i = 0; i < kWide; ++i) bias[i] = p.bias && i < columns ? p.bias[j * kWide + i] : 0.0f;
        for (int64_t n = n0; n < n1; ++n) to[n - n0] = p.out + n * p.columns + j * kWide;
        const Epilogue epilogue{p.bias ? bias : nullptr, p.activation, p.slope};
        for (int64_t k = 0; k < at_least(p.depth, 1); k += kDepth) {
            Tile t;
            t.offset = kIota;
            t.depth = at_most(p.depth - k, kDepth);
            t.panel = panel;
            t.column = 0;
            t.columns = columns;
            t.first = k == 0;
            t.last = k + kDepth >= p.depth;
            t.epilogue = &epilogue;
            const float* weights = p.weights + k * p.row_stride + j * kWide * p.column_stride;
            pack_panel(weights, p.row_stride, p.column_stride, t.depth, columns, panel);
            for (int64_t n = n0; n < n1; ++n) from[n - n0] = p.in + n * p.depth + k;
            multiply_panel(n1 - n0, from, to, t);
        }
    }
}

void run_product(Product2& p) {
    const int64_t panels = panel_count(p.columns);
    p.bands = at_least(at_most(ceil_div(kTasks, panels), p.N / kBandRows), 1);
    parallel_for(panels * p.bands, double(p.N * p.depth) * double(p.columns), product_task, &p);
}

void forward(const void* arguments, Context& context) {
    const Dense& a = *static_cast<const Dense*>(arguments);
    if (a.N <= kStreamed) {
        Stream s{a.x, a.y, a.kernel, a.UNITS, a.N, a.INPUTS, a.UNITS, {a.bias, a.ACTIVATION, float(a.slope)},
                 nullptr, nullptr, 0, 0, 0, 0};
        return run_stream(s, false, context.workspace);
    }
    Product2 p{a.x, a.y, a.kernel, a.UNITS, 1, a.N, a.INPUTS, a.UNITS, a.bias, a.ACTIVATION, float(a.slope), 1};
    run_product(p);
}

int64_t forward_workspace(const void* arguments) {
    const Dense& a = *static_cast<const Dense*>(arguments);
    return stream_workspace(a.N, a.INPUTS, a.UNITS, false);
}

int64_t input_workspace(const void* arguments) {
    const DenseBackwardInput& a = *static_cast<const DenseBackwardInput*>(arguments);
    return stream_workspace(a.N, a.UNITS, a.INPUTS, true);
}

void backward_input(const void* arguments, Context& context) {
    const DenseBackwardInput& a = *static_cast<const DenseBackwardInput*>(arguments);
    if (a.N <= kStreamed) {
        Stream s{a.dy, a.dx, a.kernel, a.UNITS, a.N, a.UNITS, a.INPUTS, {nullptr, kLinear, 0.0f},
                 nullptr, nullptr, 0, 0, 0, 0};
        return run_stream(s, true, context.workspace);
    }
    Product2 p{a.dy, a.dx, a.kernel, 1, a.UNITS, a.N, a.UNITS, a.INPUTS, nullptr, kLinear, 0.0f, 1};
    run_product(p);
}

struct KernelJob {
    const DenseBackwardKernel& a;
    float* packed;
    int32_t* offset;
};

void kernel_pack(void* context, int64_t task, Arena&) {
    const KernelJob& job = *static_cast<const KernelJob*>(context);
    const DenseBackwardKernel& a = job.a;
    pack_panel(a.dy + task * kWide, a.UNITS, 1, a.N, panel_columns(a.UNITS, task), job.packed + task * kWide * a.N);
}

void kernel_block(void* context, int64_t task, Arena& arena) {
    const KernelJob& job = *static_cast<const KernelJob*>(context);
    const DenseBackwardKernel& a = job.a;
    const int64_t first = task * kInputBlock, inputs = at_most(a.INPUTS - first, kInputBlock);
    float* x = static_cast<float*>(arena_reserve(arena, size_t(a.N * kInputBlock) * sizeof(float)));
    const float* from[kInputBlock];
    float* to[kInputBlock];
    for (int64_t n = 0; n < a.N; ++n)
        memcpy(x + n * kInputBlock, a.x + n * a.INPUTS + first, size_t(inputs) * sizeof(float));
    for (int64_t i = 0; i < inputs; ++i) {
        from[i] = x + i;
        to[i] = a.dkernel + (first + i) * a.UNITS;
    }
    Product product;
    product.m = inputs;
    product.rows = from;
    product.out = to;
    product.depth = a.N;
    product.offset = job.offset;
    product.packed = job.packed;
    product.columns = a.UNITS;
    product.accumulate = false;
    product.epilogue = {nullptr, kLinear, 0.0f};
    multiply(product, 0, panel_count(a.UNITS));
}

void backward_kernel(const void* arguments, Context& context) {
    const DenseBackwardKernel& a = *static_cast<const DenseBackwardKernel*>(arguments);
    Pieces pieces{static_cast<char*>(context.workspace), 0};
    KernelJob job{a, nullptr, nullptr};
    job.packed = pieces.take<float>(packed_floats(a.N, a.UNITS));
    job.offset = pieces.take<int32_t>(a.N);
    for (int64_t n = 0; n < a.N; ++n) job.offset[n] = int32_t(n * kInputBlock);
    parallel_for(panel_count(a.UNITS), double(a.N * a.UNITS), kernel_pack, &job);
    parallel_for(ceil_div(a.INPUTS, kInputBlock), double(a.N * a.INPUTS) * double(a.UNITS), kernel_block, &job);
}

int64_t kernel_workspace(const void* arguments) {
    const DenseBackwardKernel& a = *static_cast<const DenseBackwardKernel*>(arguments);
    Pieces pieces{nullptr, 0};
    pieces.take<float>(packed_floats(a.N, a.UNITS));
    pieces.take<int32_t>(a.N);
    return pieces.used;
}

const Kernel kKernels[] = {
    {"dense", forward, forward_workspace},
    {"dense_backward_input", backward_input, input_workspace},
    {"dense_backward_kernel", backward_kernel, kernel_workspace},
};

}  // namespace

extern const Family dense_family;
const Family dense_family = {kKernels, 3};

}  // namespace PELLUCID_ISA_NAMESPACE
}  // namespace pellucid
