// Dense layers. Up to 48 examples: dense/stream.hpp. More, on the gather product of common/gather_gemm.hpp, with one
// tap and offsets 0, 1, 2 ...:
//
// Forward and backward to the input: a task owns a strip of up to 4 panels of columns (256 bytes of each row with
// AVX2) and reads its weights once. Loop order: blocks of 256 k, packed (or transposed) as panels in the task's arena >
// parts of 128 examples, which stay in L2 > panels > register tiles. While a block is multiplied the next one is
// fetched, some lines a tile, and so is what a tile will add to. Packed weights never exist as a whole (VGG's first
// dense layer would take 411 MB). Examples whose rows are a multiple of 2 KB apart are copied together, or they would
// compete for a few sets of L1; copying them always costs 10 % at 256 columns. Few columns would make few strips:
// dense/packed.hpp, and dense/dots.hpp for their last ones.
//
// Gradient of the kernel: rows are inputs, the product runs over the batch, panels are dy. A task owns a block of
// inputs and copies its columns of x together first, or a number of inputs that is a power of two would map them all
// to one cache set. For few examples it is bound by writing, so a large gradient is written past the caches, and no
// line is read before.
#include "dense/stream.hpp"

namespace pellucid::PELLUCID_ISA_NAMESPACE {
namespace {

constexpr int64_t kTasks = 16;
constexpr int64_t kBandRows = 48;    // least rows a packed block should serve
constexpr int64_t kStripPanels = 4;  // panels packed at a time at most
constexpr int64_t kPartRows = 128;   // rows that stay in L2
constexpr int64_t kInputBlock = 48;  // inputs of a task of the kernel's gradient
constexpr int64_t kAround = 4 << 20;  // floats of a gradient that no cache holds until the optimizer reads it

// out (N, columns) = in (N, depth) . matrix, of many columns.
struct Strips {
    const float* in;
    float* out;
    Matrix m;
    int64_t N;
    Epilogue epilogue;
    float* packed;                  // in[n][256 b + k] at (b * N + n) * 256 + k, or null
    int64_t panels, strips, bands;  // panels of a strip
};

void strips_task(const Strips& p, int64_t task, Arena& arena) {
    const int64_t strip = task / p.bands, band = task % p.bands;
    const int64_t n0 = p.N * band / p.bands, rows = p.N * (band + 1) / p.bands - n0;
    const int64_t c0 = strip * p.panels * kWide, columns = at_most(p.m.columns - c0, p.panels * kWide);
    const int64_t blocks = at_least(ceil_div(p.m.depth, kDepth), 1);

    float *packed, *copy, *bias;
    const float** from;
    float** to;
    take(arena, piece(packed, p.panels * kDepth * kWide), piece(copy, p.m.transposed ? kTail * kCopyStride : 0),
         piece(bias, p.panels * kWide), piece(from, rows), piece(to, rows));
    for (int64_t i = 0; i < p.panels * kWide; ++i)
        bias[i] = p.epilogue.bias && i < columns ? p.epilogue.bias[c0 + i] : 0.0f;
    const Epilogue epilogue{p.epilogue.bias ? bias : nullptr, p.epilogue.activation, p.epilogue.numbers};
    for (int64_t b = 0; b < blocks; ++b) {
        const int64_t k = b * kDepth, next = at_most(p.m.depth - k - kDepth, kDepth);
        Tile t;
        t.offset = kIota;
        t.depth = at_most(p.m.depth - k, kDepth);
        t.first = b == 0;
        t.last = b == blocks - 1;
        t.epilogue = &epilogue;
        pack_strip(p.m, c0, columns, k, t.depth, copy, packed);
        float* out = p.out + n0 * p.m.columns + c0;
        for (int64_t n = 0; n < rows; ++n) {
            to[n] = out + n * p.m.columns;
            from[n] = p.packed ? p.packed + k * p.N + (n0 + n) * kDepth : p.in + (n0 + n) * p.m.depth + k;
        }
        const float* const below = p.m.weights + (p.m.transposed ? c0 * p.m.stride + k + kDepth
                                                                 : (k + kDepth) * p.m.stride + c0);
        Ahead ahead = p.m.transposed ? Ahead{below, p.m.stride, next, next > 0 ? columns : 0, 0}
                                     : Ahead{below, p.m.stride, columns, next, 0};
        const int64_t lines = ceil_div(kDepth * kRows2 * kWide / kLine, rows);
        const int64_t parts = ceil_div(rows, kPartRows);
        for (int64_t part = 0; part < parts; ++part) {
            const int64_t first = rows * part / parts, count = rows * (part + 1) / parts - first;
            for (t.column = 0; t.column < columns; t.column += t.columns) {
                t.panel = packed + t.column * kDepth;
                t.columns = next_columns(columns - t.column);
                multiply_panel(count, from + first, to + first, t, [&](float* const* y, int64_t r) {
                    for (int64_t i = 0; i < r; ++i) __builtin_prefetch(y[i] + t.column, 1);
                    if (p.m.stride != columns) ahead.fetch(lines);
                });
            }
        }
    }
}

Strips strips_of(const float* in, float* out, const Matrix& m, int64_t N, const Epilogue& epilogue, Memory& memory) {
    Strips p{in, out, m, N, epilogue, nullptr, 0, 0, 0};
    const int64_t panels = panel_count(m.columns);
    p.panels = at_most(panels / kTasks, kStripPanels);
    p.strips = ceil_div(panels, p.panels);
    p.bands = at_least(at_most(ceil_div(kTasks, p.strips), N / kBandRows), 1);
    p.packed = one_set(m.depth) ? memory.take<float>(N * round_up(m.depth, kDepth)) : nullptr;
    return p;
}

void run_strips(const Strips& p) {
    if (p.packed)
        parallel_for(p.N, double(p.N * p.m.depth), [&](int64_t n) {
            for (int64_t k = 0; k < p.m.depth; k += kDepth)
                copy_floats(p.in + n * p.m.depth + k, at_most(p.m.depth - k, kDepth), p.packed + k * p.N + n * kDepth);
        });
    parallel_for(p.strips * p.bands, double(p.N * p.m.depth) * double(p.m.columns),
                 [&](int64_t task, Arena& arena) { strips_task(p, task, arena); });
}

// How a product of a batch with a matrix is done, by its sizes, and what it needs of the workspace.
enum class How { streamed, packed, strips };
How how(int64_t N, const Matrix& m) {
    return N <= kStreamed ? How::streamed : few_columns(m) ? How::packed : How::strips;
}

Matrix matrix_of(const Dense& a) { return {a.kernel, a.UNITS, false, a.INPUTS, a.UNITS}; }
Matrix matrix_of(const DenseBackwardInput& a) { return {a.kernel, a.UNITS, true, a.UNITS, a.INPUTS}; }

// In front of what is prepared: how often it was used, and from the second time on whether all weights are finite. A
// program whose weights change prepares before each run, and never comes so far.
struct Used {
    int64_t times, finite;
};
constexpr int64_t kUsed = 16;  // floats

bool all_finite(const float* weights, int64_t count) {
    constexpr int32_t exponent = 0x7f800000;
    vi odd = vi{};
    int64_t i = 0;
    for (; i + V <= count; i += V) odd |= (bits(load(weights + i)) & exponent) == exponent;
    if (i < count) odd |= (bits(load_partial(weights + i, count - i)) & exponent) == exponent;
    for (int lane = 0; lane < V; ++lane)
        if (odd[lane]) return false;
    return true;
}

bool known_finite(const Dense& a, void* prepared) {
    if (!prepared || a.N != 1) return false;
    Used& used = *static_cast<Used*>(prepared);
    if (used.times++ == 1) used.finite = all_finite(a.kernel, a.INPUTS * a.UNITS);
    return used.times > 1 && used.finite;
}

struct Plan {
    How how;
    Stream stream;
    Strips strips;
    float* packed;  // to the input: the weights
};

// A program made for many examples may run with few of them, so there is memory for either.
Plan plan_of(const float* in, float* out, const Matrix& m, int64_t N, const Epilogue& epilogue, Memory& memory) {
    Plan p{how(N, m), {}, {}, nullptr};
    Memory instead = memory;
    p.stream = stream_of(in, out, m, at_least(at_most(N, kStreamed), 1), epilogue, memory);
    if (p.how == How::strips) p.strips = strips_of(in, out, m, N, epilogue, instead);
    if (p.how == How::packed && m.transposed) p.packed = instead.take<float>(packed_floats(m));
    memory.used = at_least(memory.used, instead.used);
    return p;
}

Plan forward_plan(const Dense& a, Memory& memory) {
    return plan_of(a.x, a.y, matrix_of(a), a.N, {a.bias, a.ACTIVATION, numbers_of(a)}, memory);
}

void forward(const Dense& a, const Plan& p, Context& context) {
    if (a.N == 0) return;
    const float* const packed = context.prepared ? static_cast<const float*>(context.prepared) + kUsed : nullptr;
    const bool finite = known_finite(a, context.prepared);
    switch (p.how) {
        case How::streamed: return run_stream(p.stream, packed, finite);
        case How::packed: return multiply_packed({a.x, a.y, matrix_of(a), a.N, packed, p.stream.epilogue});
        case How::strips: return run_strips(p.strips);
    }
}

Plan input_plan(const DenseBackwardInput& a, Memory& memory) {
    return plan_of(a.dy, a.dx, matrix_of(a), a.N, {nullptr, kLinear, {}}, memory);
}

void backward_input(const DenseBackwardInput& a, const Plan& p) {
    if (a.N == 0) return;
    const Matrix m = matrix_of(a);
    switch (p.how) {
        case How::streamed: return run_stream(p.stream, nullptr, false);
        case How::packed:
            pack_matrix(m, p.packed);
            return multiply_packed({a.dy, a.dx, m, a.N, p.packed, p.stream.epilogue});
        case How::strips: return run_strips(p.strips);
    }
}

int64_t prepared_bytes(const void* arguments) {
    const Dense& a = *static_cast<const Dense*>(arguments);
    const Matrix m = matrix_of(a);
    return (kUsed + (how(a.N, m) == How::packed ? packed_floats(m) : dot_floats(m))) * int64_t(sizeof(float));
}

void prepare(const void* arguments, void* memory) {
    const Dense& a = *static_cast<const Dense*>(arguments);
    const Matrix m = matrix_of(a);
    *static_cast<Used*>(memory) = {0, 0};
    float* const packed = static_cast<float*>(memory) + kUsed;
    if (how(a.N, m) == How::streamed) pack_dots(m, 0, m.depth, packed);
    if (how(a.N, m) == How::packed) pack_matrix(m, packed);
}

struct KernelPlan {
    float* packed;
    int32_t* offset;
};

KernelPlan kernel_plan(const DenseBackwardKernel& a, Memory& memory) {
    return {memory.take<float>(packed_floats(a.N, a.UNITS)), memory.take<int32_t>(a.N)};
}

// Written once, in whole vectors that lie on the lines of the cache, and too large to be found there again.
bool around(const DenseBackwardKernel& a) {
    const bool aligned = a.UNITS % V == 0 && reinterpret_cast<uintptr_t>(a.dkernel) % sizeof(vf) == 0;
    return aligned && a.N <= kDepth && a.INPUTS * a.UNITS >= kAround;
}

void kernel_block(const DenseBackwardKernel& a, const KernelPlan& p, int64_t first, Arena& arena) {
    const int64_t inputs = at_most(a.INPUTS - first, kInputBlock);
    float* x;
    take(arena, piece(x, a.N * kInputBlock));
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
    product.offset = p.offset;
    product.packed = p.packed;
    product.columns = a.UNITS;
    product.accumulate = false;
    product.epilogue = {nullptr, kLinear, {}};
    product.around = around(a);
    multiply(product, 0, panel_count(a.UNITS));
    if (product.around) written_around();
}

void backward_kernel(const DenseBackwardKernel& a, const KernelPlan& p) {
    for (int64_t n = 0; n < a.N; ++n) p.offset[n] = int32_t(n * kInputBlock);
    parallel_for(panel_count(a.UNITS), double(a.N * a.UNITS), [&](int64_t j) {
        pack_panel(a.dy + j * kWide, a.UNITS, 1, a.N, panel_columns(a.UNITS, j), p.packed + j * kWide * a.N);
    });
    parallel_for(ceil_div(a.INPUTS, kInputBlock), double(a.N * a.INPUTS) * double(a.UNITS),
                 [&](int64_t task, Arena& arena) { kernel_block(a, p, task * kInputBlock, arena); });
}

constexpr Kernel prepared(Kernel kernel) {
    kernel.prepared_bytes = prepared_bytes;
    kernel.prepare = prepare;
    return kernel;
}

}  // namespace

const Kernel kernels::dense = prepared(kernel<forward_plan, forward>());
const Kernel kernels::dense_backward_input = kernel<input_plan, backward_input>();
const Kernel kernels::dense_backward_kernel = kernel<kernel_plan, backward_kernel>();

}  // namespace pellucid::PELLUCID_ISA_NAMESPACE
