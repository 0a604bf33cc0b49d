// Dense layers. Up to 48 examples: dense_stream.hpp. More, on the gather product of gather_gemm.hpp, with one tap and
// offsets 0, 1, 2 ...:
//
// Forward and backward to the input: a task owns a strip of up to 4 panels of columns (256 bytes of each row with
// AVX2) and reads its weights once. Loop order: blocks of 256 k, packed (or transposed) as panels in the task's arena >
// parts of 128 examples, which stay in L2 > panels > register tiles. While a block is multiplied the next one is
// fetched, some lines a tile, and so is what a tile will add to. Packed weights never exist as a whole (VGG's first
// dense layer would take 411 MB). Examples whose rows are a multiple of 2 KB apart are copied together, or they would
// compete for a few sets of L1; copying them always cost 10 % at 256 columns. Few columns make few strips: then tasks
// share a strip by blocks of k, whose sums are added in order at the end, or a long batch is cut into bands of rows.
//
// Gradient of the kernel: rows are inputs, the product runs over the batch, panels are dy. A task owns a block of
// inputs and copies its columns of x together first, or a number of inputs that is a power of two would map them all
// to one cache set. For few examples it is bound by writing: 25088 -> 4096 for 4 in 30 ms, 27 GB/s with the reading of
// each line before it is written. Lost: going along 6 rows from end to end (within 5 %), fetching what will be written
// (5 to 15 % slower).
#include "dense_stream.hpp"
#include "gather_gemm.hpp"
#include "parallel.hpp"

namespace pellucid {
namespace PELLUCID_ISA_NAMESPACE {
namespace {

constexpr int64_t kTasks = 16;
constexpr int64_t kBandRows = 48;     // least rows a packed block should serve
constexpr int64_t kStripPanels = 4;   // panels packed at a time at most
constexpr int64_t kFewPanels = 8;     // likewise where a matrix has too few to make work for all threads
constexpr int64_t kFewTasks = 32;     // tasks that such a matrix is cut into, by blocks of k
constexpr int64_t kTail = 3 * V;      // columns of a last panel at most
constexpr int64_t kSharedBlocks = 8;  // blocks of k that make it worth sharing them out
constexpr int64_t kCopyPanels = 4;    // that make it worth copying rows together
constexpr int64_t kPartRows = 128;    // rows that stay in L2
constexpr int64_t kInputBlock = 48;   // inputs of a task of the kernel's gradient
const int32_t kIota[kDepth] = {
#define PELLUCID_FOUR(i) i, i + 1, i + 2, i + 3
#define PELLUCID_SIXTEEN(i) PELLUCID_FOUR(i), PELLUCID_FOUR(i + 4), PELLUCID_FOUR(i + 8), PELLUCID_FOUR(i + 12)
#define PELLUCID_SIXTY_FOUR(i) \
    PELLUCID_SIXTEEN(i), PELLUCID_SIXTEEN(i + 16), PELLUCID_SIXTEEN(i + 32), PELLUCID_SIXTEEN(i + 48)
    PELLUCID_SIXTY_FOUR(0), PELLUCID_SIXTY_FOUR(64), PELLUCID_SIXTY_FOUR(128), PELLUCID_SIXTY_FOUR(192)};
static_assert(kDepth == 256, "the table above");

// Whether rows so many floats apart compete for a few sets of the L1 cache (4 KB a way).
constexpr bool one_set(int64_t stride) { return stride % 512 == 0; }

// out (N, columns) = in (N, depth) . matrix: the weights, or transposed.
struct Product2 {
    const float* in;
    float* out;
    const float* weights;
    int64_t stride;  // of a row of weights
    bool transposed;
    int64_t N, depth, columns;
    Epilogue epilogue;
    float* packed;   // in[n][256 b + k] at (b * N + n) * 256 + k, or null
    float* partial;  // of each block of k, where a strip has several tasks
    int64_t panels, strips, bands, chunks;  // panels of a strip
};

void product_pack(void* context, int64_t n, Arena&) {
    const Product2& p = *static_cast<const Product2*>(context);
    for (int64_t k = 0; k < p.depth; k += kDepth)
        copy_floats(p.in + n * p.depth + k, at_most(p.depth - k, kDepth), p.packed + k * p.N + n * kDepth);
}

// Columns of the next panel where so many are left: two vectors, but three at the end of an odd number.
constexpr int64_t next_columns(int64_t left) { return left > kWide && left <= kTail ? left : at_most(left, kWide); }

// A block of the weights as panels; that of column c begins at c * kDepth.
void pack_strip(const Product2& p, int64_t c0, int64_t columns, int64_t k, int64_t depth, float* copy, float* packed) {
    int64_t c = 0;
    if (!p.transposed) {  // whole panels, row by row as they lie in memory
        while (next_columns(columns - c) == kWide) c += kWide;
        const float* from = p.weights + k * p.stride + c0;
        for (int64_t row = 0; row < depth && c > 0; ++row, from += p.stride) {
            float* to = packed + row * kWide;
            for (int64_t j = 0; j < c; j += kWide, to += kDepth * kWide) {
                store(to, load(from + j));
                store(to + V, load(from + j + V));
            }
        }
    }
    while (c < columns) {
        float* to = packed + c * kDepth;
        const int64_t wide = next_columns(columns - c), at = c0 + c;
        if (p.transposed) transpose_panel(p.weights + at * p.stride + k, p.stride, wide, depth, copy, to);
        else pack_panel(p.weights + k * p.stride + at, p.stride, 1, depth, wide, to);
        c += wide;
    }
}

void product_task(void* context, int64_t task, Arena& arena) {
    const Product2& p = *static_cast<const Product2*>(context);
    const int64_t strip = task / p.bands % p.strips, band = task % p.bands, chunk = task / p.bands / p.strips;
    const int64_t n0 = p.N * band / p.bands, rows = p.N * (band + 1) / p.bands - n0;
    const int64_t c0 = strip * p.panels * kWide, columns = at_most(p.columns - c0, p.panels * kWide);
    const int64_t blocks = at_least(ceil_div(p.depth, kDepth), 1);
    const bool together = !p.packed && p.panels >= kCopyPanels && one_set(p.depth);

    Pieces pieces{nullptr, 0};
    for (int pass = 0; pass < 2; ++pass) {
        if (pass == 1) pieces = Pieces{static_cast<char*>(arena_reserve(arena, size_t(pieces.used))), 0};
        float* packed = pieces.take<float>(p.panels * kDepth * kWide);
        float* copy = pieces.take<float>(p.transposed ? kTail * kCopyStride : 0);
        float* in = pieces.take<float>(together ? rows * kDepth : 0);
        float* bias = pieces.take<float>(p.panels * kWide);
        const float** from = pieces.take<const float*>(rows);
        float** to = pieces.take<float*>(rows);
        if (pass == 0) continue;
        for (int64_t i = 0; i < p.panels * kWide; ++i)
            bias[i] = p.epilogue.bias && i < columns ? p.epilogue.bias[c0 + i] : 0.0f;
        const Epilogue epilogue{p.epilogue.bias ? bias : nullptr, p.epilogue.activation, p.epilogue.slope};
        for (int64_t b = ceil_div(blocks * chunk, p.chunks); b < ceil_div(blocks * (chunk + 1), p.chunks); ++b) {
            const int64_t k = b * kDepth, next = at_most(p.depth - k - kDepth, kDepth);
            Tile t;
            t.offset = kIota;
            t.depth = at_most(p.depth - k, kDepth);
            t.first = b == 0 || p.chunks > 1;
            t.last = b == blocks - 1 && p.chunks == 1;
            t.epilogue = &epilogue;
            pack_strip(p, c0, columns, k, t.depth, copy, packed);
            float* out = (p.chunks > 1 ? p.partial + b * p.N * p.columns : p.out) + n0 * p.columns + c0;
            for (int64_t n = 0; n < rows; ++n) {
                to[n] = out + n * p.columns;
                from[n] = p.packed ? p.packed + k * p.N + (n0 + n) * kDepth : p.in + (n0 + n) * p.depth + k;
                if (together) {
                    copy_floats(from[n], t.depth, in + n * kDepth);
                    from[n] = in + n * kDepth;
                }
            }
            Ahead ahead = p.transposed ? Ahead{p.weights + c0 * p.stride + k + kDepth, p.stride, next,
                                               next > 0 ? columns : 0, 0}
                                       : Ahead{p.weights + (k + kDepth) * p.stride + c0, p.stride, columns, next, 0};
            const int64_t lines = ceil_div(kDepth * kRows2 * kWide / kLine, rows);
            const int64_t parts = ceil_div(rows, kPartRows);
            for (int64_t part = 0; part < parts; ++part) {
                const int64_t first = rows * part / parts, count = rows * (part + 1) / parts - first;
                for (t.column = 0; t.column < columns; t.column += t.columns) {
                    t.panel = packed + t.column * kDepth;
                    t.columns = next_columns(columns - t.column);
                    multiply_panel(count, from + first, to + first, t, [&](float* const* y, int64_t r) {
                        for (int64_t i = 0; i < r; ++i) __builtin_prefetch(y[i] + t.column, 1);
                        if (p.stride != columns) ahead.fetch(lines);
                    });
                }
            }
        }
    }
}

void plan_product(Product2& p, Pieces& pieces) {
    const int64_t panels = panel_count(p.columns), blocks = at_least(ceil_div(p.depth, kDepth), 1);
    const bool few = panels < kTasks;
    p.panels = few ? at_most(panels, kFewPanels) : at_most(panels / kTasks, kStripPanels);
    p.strips = ceil_div(panels, p.panels);
    p.chunks = 1;
    p.partial = few ? take_partial(pieces, blocks, p.N, p.columns) : nullptr;
    if (few && blocks >= kSharedBlocks && partial_fits(blocks, p.N, p.columns))
        p.chunks = at_most(ceil_div(kFewTasks, p.strips), blocks);
    p.bands = at_least(at_most(ceil_div(kTasks, p.strips * p.chunks), p.N / kBandRows), 1);
    p.packed = few || !one_set(p.depth) ? nullptr : pieces.take<float>(p.N * round_up(p.depth, kDepth));
}

void run_product(Product2& p, void* workspace) {
    Pieces pieces{static_cast<char*>(workspace), 0};
    plan_product(p, pieces);
    if (p.packed) parallel_for(p.N, double(p.N * p.depth), product_pack, &p);
    parallel_for(p.strips * p.bands * p.chunks, double(p.N * p.depth) * double(p.columns), product_task, &p);
    if (p.chunks == 1) return;
    Join join{p.partial, p.out, p.N, p.columns, ceil_div(p.depth, kDepth), p.epilogue};
    run_join(join);
}

int64_t product_workspace(int64_t N, int64_t depth, int64_t columns, bool transposed) {
    Product2 p{};
    p.N = N;
    p.depth = depth;
    p.columns = columns;
    Pieces pieces{nullptr, 0};
    plan_product(p, pieces);
    return at_least(stream_workspace(N, depth, columns, transposed), N > kStreamed ? pieces.used : 0);
}

void forward(const void* arguments, Context& context) {
    const Dense& a = *static_cast<const Dense*>(arguments);
    const Epilogue epilogue{a.bias, a.ACTIVATION, float(a.slope)};
    if (a.N == 0) return;
    if (a.N <= kStreamed) {
        Stream s{a.x, a.y, a.kernel, a.UNITS, a.N, a.INPUTS, a.UNITS, epilogue, nullptr, nullptr, 0, 0, 0, 0};
        return run_stream(s, false, context.workspace);
    }
    Product2 p{a.x, a.y, a.kernel, a.UNITS, false, a.N, a.INPUTS, a.UNITS, epilogue, nullptr, nullptr, 0, 0, 0, 0};
    run_product(p, context.workspace);
}

void backward_input(const void* arguments, Context& context) {
    const DenseBackwardInput& a = *static_cast<const DenseBackwardInput*>(arguments);
    const Epilogue epilogue{nullptr, kLinear, 0.0f};
    if (a.N == 0) return;
    if (a.N <= kStreamed) {
        Stream s{a.dy, a.dx, a.kernel, a.UNITS, a.N, a.UNITS, a.INPUTS, epilogue, nullptr, nullptr, 0, 0, 0, 0};
        return run_stream(s, true, context.workspace);
    }
    Product2 p{a.dy, a.dx, a.kernel, a.UNITS, true, a.N, a.UNITS, a.INPUTS, epilogue, nullptr, nullptr, 0, 0, 0, 0};
    run_product(p, context.workspace);
}

int64_t forward_workspace(const void* arguments) {
    const Dense& a = *static_cast<const Dense*>(arguments);
    return product_workspace(a.N, a.INPUTS, a.UNITS, false);
}

int64_t input_workspace(const void* arguments) {
    const DenseBackwardInput& a = *static_cast<const DenseBackwardInput*>(arguments);
    return product_workspace(a.N, a.UNITS, a.INPUTS, true);
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
