// Dense layers. Up to 48 examples: dense/stream.hpp. More, on the gather product of common/gather_gemm.hpp, with one tap and
// offsets 0, 1, 2 ...:
//
// Forward and backward to the input: a task owns a strip of up to 4 panels of columns (256 bytes of each row with
// AVX2) and reads its weights once. Loop order: blocks of 256 k, packed (or transposed) as panels in the task's arena >
// parts of 128 examples, which stay in L2 > panels > register tiles. While a block is multiplied the next one is
// fetched, some lines a tile, and so is what a tile will add to. Packed weights never exist as a whole (VGG's first
// dense layer would take 411 MB). Examples whose rows are a multiple of 2 KB apart are copied together, or they would
// compete for a few sets of L1; copying them always cost 10 % at 256 columns. Few columns would make few strips:
// dense/packed.hpp, and dense/dots.hpp for their last ones.
//
// Gradient of the kernel: rows are inputs, the product runs over the batch, panels are dy. A task owns a block of
// inputs and copies its columns of x together first, or a number of inputs that is a power of two would map them all
// to one cache set. For few examples it is bound by writing, so a large gradient is written past the caches, and no line
// is read before: 25088 -> 4096 for 4 with AVX-512 38 -> 9.9 ms, with AVX2 21 -> 13.9; 9216 -> 4096 for 16 17.4 -> 8.7
// and 11.7 -> 10.9 (Zen 4, two threads; the 12 rows of a tile 16 KB apart share 8 ways of L1, so AVX-512 had lost more).
// Lost: going along 6 rows from end to end (within 5 %), fetching what will be written (5 to 15 % slower).
#include "dense/packed.hpp"
#include "dense/stream.hpp"

namespace pellucid {
namespace PELLUCID_ISA_NAMESPACE {
namespace {

constexpr int64_t kTasks = 16;
constexpr int64_t kBandRows = 48;    // least rows a packed block should serve
constexpr int64_t kStripPanels = 4;  // panels packed at a time at most
constexpr int64_t kPartRows = 128;   // rows that stay in L2
constexpr int64_t kAround = 4 << 20;  // floats of a gradient that no cache holds until the optimizer reads it
constexpr int64_t kInputBlock = 48;  // inputs of a task of the kernel's gradient

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

void strips_pack(void* context, int64_t n, Arena&) {
    const Strips& p = *static_cast<const Strips*>(context);
    for (int64_t k = 0; k < p.m.depth; k += kDepth)
        copy_floats(p.in + n * p.m.depth + k, at_most(p.m.depth - k, kDepth), p.packed + k * p.N + n * kDepth);
}

void strips_task(void* context, int64_t task, Arena& arena) {
    const Strips& p = *static_cast<const Strips*>(context);
    const int64_t strip = task / p.bands, band = task % p.bands;
    const int64_t n0 = p.N * band / p.bands, rows = p.N * (band + 1) / p.bands - n0;
    const int64_t c0 = strip * p.panels * kWide, columns = at_most(p.m.columns - c0, p.panels * kWide);
    const int64_t blocks = at_least(ceil_div(p.m.depth, kDepth), 1);

    Pieces pieces{nullptr, 0};
    for (int pass = 0; pass < 2; ++pass) {
        if (pass == 1) pieces = Pieces{static_cast<char*>(arena_reserve(arena, size_t(pieces.used))), 0};
        float* packed = pieces.take<float>(p.panels * kDepth * kWide);
        float* copy = pieces.take<float>(p.m.transposed ? kTail * kCopyStride : 0);
        float* bias = pieces.take<float>(p.panels * kWide);
        const float** from = pieces.take<const float*>(rows);
        float** to = pieces.take<float*>(rows);
        if (pass == 0) continue;
        for (int64_t i = 0; i < p.panels * kWide; ++i)
            bias[i] = p.epilogue.bias && i < columns ? p.epilogue.bias[c0 + i] : 0.0f;
        const Epilogue epilogue{p.epilogue.bias ? bias : nullptr, p.epilogue.activation, p.epilogue.slope};
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
}

void plan_strips(Strips& p, Pieces& pieces) {
    const int64_t panels = panel_count(p.m.columns);
    p.panels = at_most(panels / kTasks, kStripPanels);
    p.strips = ceil_div(panels, p.panels);
    p.bands = at_least(at_most(ceil_div(kTasks, p.strips), p.N / kBandRows), 1);
    p.packed = one_set(p.m.depth) ? pieces.take<float>(p.N * round_up(p.m.depth, kDepth)) : nullptr;
}

void run_strips(const float* in, float* out, const Matrix& m, int64_t N, const Epilogue& epilogue, void* workspace) {
    Strips p{in, out, m, N, epilogue, nullptr, 0, 0, 0};
    Pieces pieces{static_cast<char*>(workspace), 0};
    plan_strips(p, pieces);
    if (p.packed) parallel_for(N, double(N * m.depth), strips_pack, &p);
    parallel_for(p.strips * p.bands, double(N * m.depth) * double(m.columns), strips_task, &p);
}

int64_t strips_workspace(int64_t N, const Matrix& m) {
    Strips p{nullptr, nullptr, m, N, {}, nullptr, 0, 0, 0};
    Pieces pieces{nullptr, 0};
    plan_strips(p, pieces);
    return pieces.used;
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

void forward(const void* arguments, Context& context) {
    const Dense& a = *static_cast<const Dense*>(arguments);
    const Epilogue epilogue{a.bias, a.ACTIVATION, float(a.slope)};
    if (a.N == 0) return;
    const Matrix m = matrix_of(a);
    const float* const packed = context.prepared ? static_cast<const float*>(context.prepared) + kUsed : nullptr;
    const bool finite = known_finite(a, context.prepared);
    if (a.N <= kStreamed) return run_stream(a.x, a.y, m, a.N, epilogue, context.workspace, packed, finite);
    if (few_columns(m)) multiply_packed({a.x, a.y, m, a.N, packed, epilogue, 0});
    else run_strips(a.x, a.y, m, a.N, epilogue, context.workspace);
}

void backward_input(const void* arguments, Context& context) {
    const DenseBackwardInput& a = *static_cast<const DenseBackwardInput*>(arguments);
    const Epilogue epilogue{nullptr, kLinear, 0.0f};
    if (a.N == 0) return;
    const Matrix m = matrix_of(a);
    if (a.N <= kStreamed) return run_stream(a.dy, a.dx, m, a.N, epilogue, context.workspace, nullptr, false);
    if (!few_columns(m)) return run_strips(a.dy, a.dx, m, a.N, epilogue, context.workspace);
    float* const packed = static_cast<float*>(context.workspace);
    pack_matrix(m, packed);
    multiply_packed({a.dy, a.dx, m, a.N, packed, epilogue, 0});
}

int64_t forward_workspace(const void* arguments) {
    const Dense& a = *static_cast<const Dense*>(arguments);
    const Matrix m = matrix_of(a);
    const int64_t streamed = stream_workspace(a.N, m);
    return a.N <= kStreamed || few_columns(m) ? streamed : at_least(streamed, strips_workspace(a.N, m));
}

int64_t prepared_bytes(const void* arguments) {
    const Dense& a = *static_cast<const Dense*>(arguments);
    const Matrix m = matrix_of(a);
    const int64_t packed = a.N > kStreamed && few_columns(m) ? packed_bytes(m) : dot_floats(m) * int64_t(sizeof(float));
    return kUsed * int64_t(sizeof(float)) + packed;
}

void prepare(const void* arguments, void* memory) {
    const Dense& a = *static_cast<const Dense*>(arguments);
    const Matrix m = matrix_of(a);
    *static_cast<Used*>(memory) = {0, 0};
    float* const packed = static_cast<float*>(memory) + kUsed;
    if (a.N <= kStreamed) pack_dots(m, 0, m.depth, packed);
    else if (few_columns(m)) pack_matrix(m, packed);
}

int64_t input_workspace(const void* arguments) {
    const DenseBackwardInput& a = *static_cast<const DenseBackwardInput*>(arguments);
    const Matrix m = matrix_of(a);
    const int64_t streamed = stream_workspace(a.N, m);
    if (a.N <= kStreamed) return streamed;
    return at_least(streamed, few_columns(m) ? packed_bytes(m) : strips_workspace(a.N, m));
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

// Written once, in whole vectors that lie on the lines of the cache, and too large to be found there again.
bool around(const DenseBackwardKernel& a) {
    const bool aligned = a.UNITS % V == 0 && reinterpret_cast<uintptr_t>(a.dkernel) % sizeof(vf) == 0;
    return aligned && a.N <= kDepth && a.INPUTS * a.UNITS >= kAround;
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
    product.around = around(a);
    multiply(product, 0, panel_count(a.UNITS));
    if (product.around) written_around();
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
    {"dense", forward, forward_workspace, nullptr, prepared_bytes, prepare},
    {"dense_backward_input", backward_input, input_workspace},
    {"dense_backward_kernel", backward_kernel, kernel_workspace},
};

}  // namespace

extern const Family dense_family;
const Family dense_family = {kKernels, 3};

}  // namespace PELLUCID_ISA_NAMESPACE
}  // namespace pellucid
