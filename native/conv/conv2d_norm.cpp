// Convolutions 1x1, with strides where nothing is normalised in front, between batch norms (conv/conv2d_norm.hpp); those
// of each channel by itself: conv/depthwise_norm.cpp; all others: conv/conv2d_norm_pictures.cpp.
//
// Blocks of pixels go through all that is done with them while they lie in L2. Forward: normalised, multiplied, summed
// up. Back: the gradient of the result is made, multiplied by the weights, taken through the activation in front and
// summed up, and multiplied by what was read, for the kernel's gradient; so each map is read once. Both products are
// those of common/gather_gemm.hpp. Task = a shard of the blocks, each with sums of its own.
#include "conv/conv2d_norm.hpp"

#include "common/shards.hpp"
#include "conv/block_products.hpp"
#include "conv/choice.hpp"
#include "runtime/by_rows.hpp"

namespace pellucid::PELLUCID_ISA_NAMESPACE {
namespace {

constexpr int64_t kFar = 4 << 20;  // floats of a map that lies in no cache
constexpr int64_t kBlockBytes = 384 << 10, kFarBytes = 96 << 10;  // of a block's pixels on the wider side
constexpr int64_t kLeastPixels = 48, kGoodPixels = 96, kMostPixels = 512;
constexpr int64_t kFewBytes = 2 << 20;  // of shards of a kernel's gradient: more cost more than they share out better
constexpr int64_t kEven = 8;            // blocks and shards are a multiple of it where there are many

struct Blocks {
    int64_t pixels, size, count, shards;  // of all pictures; of a block
    bool far;
    int64_t first(int64_t shard) const { return count * shard / shards; }
    int64_t rows(int64_t block) const { return at_most(pixels - block * size, size); }
    int64_t rows_of(int64_t shard) const { return at_most(first(shard + 1) * size, pixels) - first(shard) * size; }
};
Blocks blocks_of(int64_t pixels, int64_t channels, int64_t shards) {
    const bool far = pixels * channels > kFar;
    const int64_t bytes = far ? kFarBytes : kBlockBytes;
    const int64_t shared = at_least(ceil_div(pixels, kTasks / 2), kLeastPixels);  // several blocks even of few pixels
    const int64_t wanted = at_most(at_least(bytes / (4 * channels), kGoodPixels), at_most(shared, kMostPixels));
    // as many blocks as can be shared out evenly
    const int64_t about = (ceil_div(pixels, wanted) + kEven / 2) / kEven * kEven;
    const int64_t size = about > 0 ? ceil_div(pixels, about) : wanted, count = ceil_div(pixels, size);
    return {pixels, size, count, at_most(shards, count), far};
}

// Where the pixel lies in x that result i of all is made of; strides only without a batch norm in front.
template <typename Arguments>
PELLUCID_INLINE int64_t pixel_of(const Arguments& a, int64_t i) {
    if (a.SH * a.SW == 1) return i;
    const int64_t row = i / a.OW, n = row / a.OH;
    return (n * a.H + row % a.OH * a.SH) * a.W + i % a.OW * a.SW;
}
// The first of the pixels in x that belong to result i, if to any: the one behind all those before.
template <typename Arguments>
int64_t begin_of(const Arguments& a, int64_t i) {
    return i < a.N * a.OH * a.OW ? pixel_of(a, i) : a.N * a.H * a.W;
}

// The pixels of x, or of its gradient, that results are made of, as rows of a product.
template <typename T, typename Arguments>
void lay_pixels(T* x, const Arguments& a, int64_t first, int64_t count, T** rows) {
    for (int64_t i = 0; i < count; ++i) rows[i] = x + pixel_of(a, first + i) * a.C;
}
// ---------------------------------------------------------------------------------------------------------- forward

struct ForwardPlan {
    Blocks blocks;
    Front front;
    Packed kernel;
    ShardSums sums;
};

ForwardPlan forward_plan(const Conv2dNorm& a, Memory& memory) {
    ForwardPlan p;
    p.blocks = blocks_of(a.N * a.OH * a.OW, at_least(a.C, a.O), kNormShards);
    p.front = front_of(a, memory);
    p.kernel = packed_of(a.C, a.O, memory);
    p.sums = shard_sums(a.mean && a.variance ? p.blocks.shards : 0, p.blocks.shards, a.O, true, memory);
    return p;
}

void forward_shard(const Conv2dNorm& a, const ForwardPlan& p, int64_t shard, Arena& arena) {
    float* copy;
    const float** from;
    float** to;
    take(arena, piece(copy, p.front.mean && !a.x_y ? p.blocks.size * a.C : 0), piece(from, p.blocks.size),
         piece(to, p.blocks.size));
    for (int64_t block = p.blocks.first(shard); block < p.blocks.first(shard + 1); ++block) {
        const int64_t rows = p.blocks.rows(block), first = block * p.blocks.size;
        float* const y = a.y + first * a.O;
        if (p.front.mean) {
            float* const read = a.x_y ? a.x_y + first * a.C : copy;
            read_normed(p.front, a.x + first * a.C, a.C, 0, a.C, rows, read,
                        a.x_addend ? a.x_addend + first * a.C : nullptr);
            lay_rows(static_cast<const float*>(read), a.C, rows, from);
        } else {
            lay_pixels(a.x, a, first, rows, from);
        }
        lay_rows(y, a.O, rows, to);
        Ahead ahead;
        if (block + 1 < p.blocks.count) {
            const int64_t next = first + p.blocks.size, count = p.blocks.rows(block + 1);
            ahead.add(a.y + next * a.O, count * a.O);
            ahead.add(a.x + begin_of(a, next) * a.C, (begin_of(a, next + count) - begin_of(a, next)) * a.C);
            if (a.x_addend) ahead.add(a.x_addend + next * a.C, count * a.C);
        }
        multiply(rows, from, to, a.C, p.kernel.offset, p.kernel.panels, a.O, false, ahead);
        if (p.sums.shards == 0) continue;
        if (block == p.blocks.first(shard)) {
            mean_of(y, a.O, rows, a.O, p.sums.centre_of(shard));
            memset(p.sums.of(shard), 0, size_t(2 * a.O) * sizeof(double));
        }
        add_deviations(y, a.O, rows, a.O, p.sums.centre_of(shard), p.sums.of(shard), a.O);
    }
}

void forward(const Conv2dNorm& a, const ForwardPlan& p) {
    if (a.N == 0) return;
    fill(p.front, a);
    pack(p.kernel, a.kernel, a.O, 1, a.C, a.O);
    parallel_for(p.blocks.shards, double(p.blocks.pixels * a.C) * double(a.O),
                 [&](int64_t shard, Arena& arena) { forward_shard(a, p, shard, arena); });
    if (p.sums.shards)
        finish_statistics(p.sums, [&](int64_t shard) { return p.blocks.rows_of(shard); }, a.mean, a.variance);
}

// --------------------------------------------------------------------------------------------------------- backward

struct BackwardPlan {
    Blocks blocks;
    Front front;
    Behind behind;
    Packed kernel;  // transposed
    ShardSums sums;
    float* dkernels;  // of each shard
};

BackwardPlan backward_plan(const Conv2dNormBackward& a, Memory& memory) {
    const int64_t size = a.C * a.O, shards = at_most(at_least(kFewBytes / (4 * size), kTasks / 2), kTasks);
    const int64_t most = at_most(at_least(kShardBytes / (4 * size), 1), shards / kEven * kEven);
    BackwardPlan p;
    p.blocks = blocks_of(a.N * a.OH * a.OW, at_least(a.C, a.O), most);
    p.front = front_of(a, memory);
    p.behind = behind_of(a, memory);
    p.kernel = packed_of(a.O, a.C, memory);
    p.sums = shard_sums(p.front.mean && a.dx ? p.blocks.shards : 0, p.blocks.shards, a.C, false, memory);
    p.dkernels = a.dkernel ? memory.take<float>(p.blocks.shards * size) : nullptr;
    return p;
}

void backward_shard(const Conv2dNormBackward& a, const BackwardPlan& p, int64_t shard, Arena& arena) {
    const int64_t most = p.blocks.size;
    float *dz, *copy, *packed;
    const float **pixels, **entries;
    float **dx_rows, **dkernel_rows;
    int32_t* offset;  // of each pixel in what was read
    take(arena, piece(dz, p.behind.mean ? most * a.O : 0), piece(copy, p.front.mean && a.dkernel && !a.x_y ? most * a.C : 0),
         piece(packed, a.dkernel ? packed_floats(most, a.O) : 0), piece(pixels, most), piece(entries, a.C),
         piece(dx_rows, most), piece(dkernel_rows, a.C), piece(offset, most));
    if (a.dkernel) lay_rows(p.dkernels + shard * a.C * a.O, a.O, a.C, dkernel_rows);
    if (p.sums.shards) memset(p.sums.of(shard), 0, size_t(2 * a.C) * sizeof(double));
    for (int64_t block = p.blocks.first(shard); block < p.blocks.first(shard + 1); ++block) {
        const int64_t rows = p.blocks.rows(block), first = block * most;
        const int64_t begin = begin_of(a, first) * a.C, end = begin_of(a, first + rows) * a.C;  // what belongs to them of x
        const float *dy = a.dy + first * a.O, *const x = a.x + begin;
        if (p.behind.mean) {
            read_gradient(p.behind, dy, a.y + first * a.O, a.O, 0, a.O, rows, dz, a.dkernel ? packed : nullptr);
            dy = dz;
        }
        Ahead ahead;
        if (block + 1 < p.blocks.count) {
            const int64_t next = first + most, count = p.blocks.rows(block + 1);
            const int64_t more = begin_of(a, next + count) * a.C - end;
            if (a.dx) ahead.add(a.dx + end, more);
            ahead.add(a.dy + next * a.O, count * a.O);
            if (p.behind.mean) ahead.add(a.y + next * a.O, count * a.O);
            if (a.dkernel || p.sums.shards) ahead.add(a.x + end, more);
        }
        if (a.dkernel) {
            const float* read = a.x_y ? a.x_y + begin : x;
            if (p.front.mean && !a.x_y) {
                read_normed(p.front, x, a.C, 0, a.C, rows, copy);
                read = copy;
            }
            if (!p.behind.mean) pack_panels(dy, a.O, 1, rows, a.O, packed);
            for (int64_t c = 0; c < a.C; ++c) entries[c] = read + c;
            for (int64_t i = 0; i < rows; ++i) offset[i] = int32_t(pixel_of(a, first + i) * a.C - begin);
            multiply(a.C, entries, dkernel_rows, rows, offset, packed, a.O, block > p.blocks.first(shard),
                     ahead);
        }
        if (!a.dx) continue;
        float* const dx = a.dx + begin;
        if (a.addend) memcpy(dx, a.addend + begin, size_t(end - begin) * sizeof(float));
        else if (end - begin > rows * a.C) memset(dx, 0, size_t(end - begin) * sizeof(float));
        lay_rows(dy, a.O, rows, pixels);
        lay_pixels(a.dx, a, first, rows, dx_rows);
        multiply(rows, pixels, dx_rows, a.O, p.kernel.offset, p.kernel.panels, a.C, a.addend != nullptr, ahead);
        if (p.sums.shards)
            take_through(p.front, x, dx, a.C, 0, a.C, rows, p.sums.of(shard), a.C, a.x_y ? a.x_y + begin : nullptr);
    }
}

void backward(const Conv2dNormBackward& a, const BackwardPlan& p) {
    const int64_t size = a.C * a.O;
    if (without_pictures(a, size)) return;
    fill(p.front, a);
    fill(p.behind, a);
    if (a.dx) pack(p.kernel, a.kernel, 1, a.O, a.O, a.C);
    parallel_for(p.blocks.shards, 2.0 * double(p.blocks.pixels) * double(size),
                 [&](int64_t shard, Arena& arena) { backward_shard(a, p, shard, arena); });
    if (a.dkernel) add_shards(p.dkernels, p.blocks.shards, size, a.dkernel);
    if (p.sums.shards && a.x_dgamma && a.x_dbeta) finish_gradients(p.sums, a);
}

constexpr Kernel pointwise = kernel<forward_plan, forward>();
constexpr Kernel pointwise_backward = kernel<backward_plan, backward>();
// Whether the kernels above do it, which find normalised pixels side by side, or those for each channel by itself.
template <typename Arguments>
bool is_pointwise(const Arguments& a) {
    const bool everywhere = a.SH * a.SW == 1 && a.OH == a.H && a.OW == a.W;
    return a.KH * a.KW * a.GROUPS == 1 && a.TOP == 0 && a.LEFT == 0 &&
           (everywhere || (!a.x_mean && (a.OH - 1) * a.SH < a.H && (a.OW - 1) * a.SW < a.W));
}
template <typename Arguments>
bool is_alone(const Arguments& a) {
    return is_depthwise(a) && a.O == a.C && !a.x_y && goes_by_rows(a);
}
const Kernel& choose(const Conv2dNorm& a) {
    return is_pointwise(a)   ? pointwise
           : is_alone(a)     ? kernels::depthwise_conv2d_norm
                             : kernels::pictures_conv2d_norm;
}
const Kernel& choose(const Conv2dNormBackward& a) {
    return is_pointwise(a)   ? pointwise_backward
           : is_alone(a)     ? kernels::depthwise_conv2d_norm_backward
                             : kernels::pictures_conv2d_norm_backward;
}
template <typename Arguments>
int64_t number(const Arguments& a) {
    const Conv2d conv = convolution_of<Conv2d>(a, a.N);
    return is_pointwise(a) || is_alone(a) ? int64_t(kDirect) : algorithm_of(conv);
}

}  // namespace

const Kernel kernels::conv2d_norm = chosen<Conv2dNorm, choose, number>();
const Kernel kernels::conv2d_norm_backward = chosen<Conv2dNormBackward, choose, number>();

}  // namespace pellucid::PELLUCID_ISA_NAMESPACE
