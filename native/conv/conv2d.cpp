// Convolution: forward and the gradient of the kernel, on the gather product of common/gather_gemm.hpp (backward to the
// input: conv/backward_input.cpp).
//
// Forward. Rows are output pixels, each a pointer to its window's corner in x (or in a zero-padded copy of its band);
// k runs over the taps times the channels of the group; panels are the weights, packed once a call. Tiles span the
// ends of image rows, since every pixel has its own pointer. Task = (image, group, band of output rows, share of the
// panels).
//
// Gradient of the kernel. Rows are the entries (tap, channel) of the kernel as pointers into x; the product runs over
// the output pixels of a band, whose dy is packed into panels. Images are cut into shards by shape alone; each shard
// sums its images in order into its own kernel-sized buffer, and the buffers are added in order. Where such a buffer
// is large there are fewer shards (8 MB in all), and the kernel's entries are cut instead.
//
// Few output channels leave lanes idle: conv/few_filters.cpp and conv/few_filters_backward_kernel.cpp, where they pay.
#include "common/shards.hpp"
#include "conv/conv2d.hpp"
#include "winograd/range.hpp"

namespace pellucid::PELLUCID_ISA_NAMESPACE {
namespace {

constexpr int64_t kBandBytes = 192 << 10;    // of x under a band: stays in L2 beside a block of panels

// ---------------------------------------------------------------------------------------------------------- forward

struct ForwardPlan : Weights {
    View view;
    int64_t rows, bands, shares;
};

ForwardPlan forward_plan(const Conv2d& a, Memory&) {
    Memory elsewhere;
    ForwardPlan p{weights_of(a, elsewhere), view_of(a), 0, 0, 0};
    p.rows = at_most(at_least(kBandBytes / at_least(4 * a.SH * p.view.row, 1), 1), a.OH);
    while (a.N * a.GROUPS * ceil_div(a.OH, p.rows) < kTasks && p.rows > 1 && p.rows * a.OW >= 16 * kRows2)
        p.rows = ceil_div(p.rows, 2);
    p.bands = ceil_div(a.OH, p.rows);
    p.shares = at_most(p.panels, ceil_div(kTasks, at_least(a.N * a.GROUPS * p.bands, 1)));
    return p;
}

void forward_band(const Conv2d& a, const ForwardPlan& p, int64_t task, Arena& arena) {
    const int64_t share = task % p.shares;
    task /= p.shares;
    const int64_t band = task % p.bands;
    task /= p.bands;
    const int64_t g = task % a.GROUPS, n = task / a.GROUPS;
    const int64_t first = band * p.rows, rows = at_most(a.OH - first, p.rows);

    float* copy;
    const float** from;
    float** to;
    take(arena, piece(copy, copy_floats(a, p.view, rows)), piece(from, rows * a.OW), piece(to, rows * a.OW));
    const float* x = band_of(a, p.view, n, g, first, rows, copy);
    float* y = a.y + ((n * a.OH + first) * a.OW) * a.O + g * p.columns;
    int64_t m = 0;
    for (int64_t oy = 0; oy < rows; ++oy)
        for (int64_t ox = 0; ox < a.OW; ++ox, ++m) {
            from[m] = x + oy * a.SH * p.view.row + ox * a.SW * p.view.pixel;
            to[m] = y + m * a.O;
        }
    Product product;
    product.m = m;
    product.rows = from;
    product.out = to;
    product.depth = p.depth;
    product.offset = p.offset;
    product.packed = p.packed + g * packed_floats(p.depth, p.columns);
    product.columns = p.columns;
    product.accumulate = false;
    // Few channels: the exponential runs over the band as one vector, not over a part of one for each pixel.
    const bool later = a.addend || (runs_behind(a.ACTIVATION, numbers_of(a)) && a.GROUPS == 1 && p.shares == 1);
    product.epilogue = {a.bias ? p.bias + g * round_up(p.columns, kWide) : nullptr, later ? kLinear : a.ACTIVATION,
                        numbers_of(a)};
    const int64_t j0 = p.panels * share / p.shares, j1 = p.panels * (share + 1) / p.shares;
    multiply(product, j0, j1);
    if (a.addend)
        activate_rows(y + j0 * kWide, a.addend + (y - a.y) + j0 * kWide, m, at_most(j1 * kWide, p.columns) - j0 * kWide,
                      a.O, a.ACTIVATION, numbers_of(a));
    else if (later) activate_span(y, m * a.O, a.ACTIVATION, numbers_of(a));
}

void forward(const Conv2d& a, ForwardPlan p, Context& context) {
    Memory laid{context.prepared};
    static_cast<Weights&>(p) = weights_of(a, laid);
    parallel_for(a.N * a.GROUPS * p.bands * p.shares, double(a.N * a.OH * a.OW) * double(p.depth * a.O),
                 [&](int64_t task, Arena& arena) { forward_band(a, p, task, arena); });
}

constexpr Kernel direct_forward = prepared<lay_weights<Conv2d>>(kernel<forward_plan, forward>());
constexpr Kernel winograd_forward = guarded<Conv2d, kernels::winograd_conv2d, kernels::conv2d>();

// Kernels that read the weights as they lie are given a scaled copy.
void lay_scaled(const Conv2d& a, Memory& memory, bool fill) {
    const int64_t rows = a.KH * a.KW * (a.C / a.GROUPS);
    float* to = memory.take<float>(a.scale ? rows * a.O : 0);
    if (!fill || !a.scale) return;
    for (int64_t row = 0; row < rows; ++row)
        for (int64_t o = 0; o < a.O; ++o) to[row * a.O + o] = a.kernel[row * a.O + o] * a.scale[o];
}
template <const Kernel& INNER>
void run_scaled(const Conv2d& a, Context& context) {
    Conv2d scaled = a;
    if (a.scale) scaled.kernel = static_cast<const float*>(context.prepared);
    INNER.run(&scaled, context);
}
template <const Kernel& INNER>
int64_t workspace_of(const void* a) {
    return INNER.workspace_bytes ? INNER.workspace_bytes(a) : 0;
}
template <const Kernel& INNER>
constexpr Kernel scaled() {
    return prepared<lay_scaled>(Kernel{kernel<run_scaled<INNER>>().run, workspace_of<INNER>});
}
constexpr Kernel depthwise_forward = scaled<kernels::depthwise_conv2d>();
constexpr Kernel few_filters_forward = scaled<kernels::few_filters_conv2d>();

const Kernel& choose(const Conv2d& a) {
    if (algorithm_of(a) != kDirect) return winograd_forward;
    if (is_depthwise(a)) return depthwise_forward;
    return few_filters_pay(a) ? few_filters_forward : direct_forward;
}

// ------------------------------------------------------------------------------------------ gradient of the kernel

struct KernelPlan {
    View view;
    int64_t depth, columns;  // entries of a group's kernel; output channels of a group
    int64_t rows;            // of a band
    int64_t shards, cuts;    // of the images; of the entries
    int64_t size;            // floats of the whole kernel
    int32_t* offset;
    float* sums;
};

KernelPlan kernel_plan(const Conv2dBackwardKernel& a, Memory& memory) {
    KernelPlan p;
    p.view = view_of(a);
    p.depth = a.KH * a.KW * (a.C / a.GROUPS);
    p.columns = a.O / a.GROUPS;
    p.size = p.depth * a.O;
    p.rows = at_most(at_least(kDepth / a.OW, 1), a.OH);
    p.shards = at_most(at_most(a.N, kShards), at_least(kShardBytes / (4 * p.size), 1));
    p.shards = at_least(p.shards, 1);
    p.cuts = at_most(ceil_div(kTasks, p.shards * a.GROUPS), ceil_div(p.depth, 4 * kRows2));
    p.offset = memory.take<int32_t>(p.depth);
    p.sums = p.shards > 1 ? memory.take<float>(p.shards * p.size) : a.dkernel;
    return p;
}

void backward_kernel_shard(const Conv2dBackwardKernel& a, const KernelPlan& p, int64_t task, Arena& arena) {
    const int64_t cut = task % p.cuts;
    task /= p.cuts;
    const int64_t g = task % a.GROUPS, shard = task / a.GROUPS;
    const int64_t k0 = p.depth * cut / p.cuts, k1 = p.depth * (cut + 1) / p.cuts;
    float* sums = p.sums + shard * p.size + g * p.columns;
    bool accumulate = false;

    float *copy, *packed;
    const float** from;
    float** to;
    int32_t* pixels;
    take(arena, piece(copy, copy_floats(a, p.view, p.rows)), piece(from, k1 - k0), piece(to, k1 - k0),
         piece(pixels, p.rows * a.OW), piece(packed, packed_floats(p.rows * a.OW, p.columns)));
    int64_t m = 0;
    for (int64_t oy = 0; oy < p.rows; ++oy)
        for (int64_t ox = 0; ox < a.OW; ++ox)
            pixels[m++] = int32_t(oy * a.SH * p.view.row + ox * a.SW * p.view.pixel);
    for (int64_t k = k0; k < k1; ++k) to[k - k0] = sums + k * a.O;
    for (int64_t n = a.N * shard / p.shards; n < a.N * (shard + 1) / p.shards; ++n)
        for (int64_t first = 0; first < a.OH; first += p.rows) {
            const int64_t rows = at_most(a.OH - first, p.rows);
            const float* x = band_of(a, p.view, n, g, first, rows, copy);
            for (int64_t k = k0; k < k1; ++k) from[k - k0] = x + p.offset[k];
            const float* dy = a.dy + ((n * a.OH + first) * a.OW) * a.O + g * p.columns;
            Product product;
            product.m = k1 - k0;
            product.rows = from;
            product.out = to;
            product.depth = rows * a.OW;
            product.offset = pixels;
            product.packed = packed;
            product.columns = p.columns;
            product.accumulate = accumulate;
            product.epilogue = {nullptr, kLinear, {}};
            for (int64_t j = 0; j < panel_count(p.columns); ++j)
                pack_panel(dy + j * kWide, a.O, 1, product.depth, panel_columns(p.columns, j),
                           packed + j * kWide * product.depth);
            multiply(product, 0, panel_count(p.columns));
            accumulate = true;
        }
}

void backward_kernel(const Conv2dBackwardKernel& a, const KernelPlan& p) {
    if (a.N == 0) {
        memset(a.dkernel, 0, size_t(p.size) * sizeof(float));
        return;
    }
    entry_offsets(a, p.view, p.offset);
    parallel_for(p.shards * a.GROUPS * p.cuts, double(a.N * a.OH * a.OW) * double(p.size),
                 [&](int64_t task, Arena& arena) { backward_kernel_shard(a, p, task, arena); });
    if (p.shards > 1) add_shards(p.sums, p.shards, p.size, a.dkernel);
}

constexpr Kernel direct_backward_kernel = kernel<kernel_plan, backward_kernel>();
constexpr Kernel winograd_backward_kernel =
    guarded<Conv2dBackwardKernel, kernels::winograd_conv2d_backward_kernel, kernels::conv2d_backward_kernel>();
const Kernel& choose(const Conv2dBackwardKernel& a) {
    if (algorithm_of(a) != kDirect) return winograd_backward_kernel;
    if (is_depthwise(a)) return kernels::depthwise_conv2d_backward_kernel;
    return few_filters_pay(a) ? kernels::few_filters_conv2d_backward_kernel : direct_backward_kernel;
}

}  // namespace

const Kernel kernels::conv2d = chosen<Conv2d, choose, algorithm_of>();
const Kernel kernels::conv2d_backward_kernel =
    chosen<Conv2dBackwardKernel, choose, algorithm_of>();

}  // namespace pellucid::PELLUCID_ISA_NAMESPACE
