// Any convolution between batch norms (conv/conv2d_norm.hpp), a few pictures at a time: normalised, or with the gradient
// of the result made, they lie in L2, where the kernels of conv/choice.hpp read them. Task = shard of the pictures; the
// kernels that it calls run on its thread, with memory of their own.
#include "common/shards.hpp"
#include "conv/choice.hpp"
#include "conv/conv2d_norm.hpp"

namespace pellucid::PELLUCID_ISA_NAMESPACE {
namespace {

constexpr int64_t kPartBytes = 1 << 20;  // of the larger of both maps
constexpr int64_t kParts = 8;             // at least: pictures that go together share tiles better, in L2 or not

// Pictures that go together, and shards of such parts.
struct Parts {
    int64_t N, pictures, count, most, shards;  // most: shards, for any N
    int64_t first(int64_t shard) const { return count * shard / shards; }
    int64_t size(int64_t part) const { return at_most(N - part * pictures, pictures); }
};
template <typename Arguments>
Parts parts_of(const Arguments& a, int64_t most) {
    Parts p;
    p.N = a.N;
    p.pictures = at_least(kPartBytes / (4 * at_least(at_least(a.H * a.W * a.C, a.OH * a.OW * a.O), 1)), 1);
    p.pictures = at_most(p.pictures, at_least(ceil_div(a.N, kParts), 1));
    p.count = ceil_div(a.N, p.pictures);
    p.most = most;
    p.shards = at_most(p.count, most);
    return p;
}

template <typename A>
void run_inside(const Kernel& kernel, const A& a, void* workspace, void* prepared, Context& whole) {
    Context context{workspace, kOk, prepared};
    kernel.run(&a, context);
    __atomic_fetch_add(&whole.recomputed, context.recomputed, __ATOMIC_RELAXED);
}

// What follows from the weights alone, of a kernel called for a part.
template <typename A>
void lay(const Kernel& kernel, A part, const float* weights, Memory& memory, bool fill) {
    void* const prepared = memory.take<char>(kernel.prepared_bytes(&part));
    part.kernel = weights;
    if (fill) kernel.prepare(&part, prepared);
}

// ---------------------------------------------------------------------------------------------------------- forward

struct ForwardPlan {
    Parts parts;
    Front front;
    ShardSums sums;
    int64_t workspace;  // bytes
};

Conv2d part_of(const Conv2dNorm& a) { return convolution_of<Conv2d>(a, parts_of(a, kNormShards).pictures); }

ForwardPlan forward_plan(const Conv2dNorm& a, Memory& memory) {
    ForwardPlan p;
    p.parts = parts_of(a, kNormShards);
    p.front = front_of(a, memory);
    p.sums = shard_sums(a.mean && a.variance ? p.parts.shards : 0, p.parts.most, a.O, true, memory);
    const Conv2d part = part_of(a);
    p.workspace = kernels::conv2d.workspace_bytes(&part);
    return p;
}

void forward_shard(const Conv2dNorm& a, const ForwardPlan& p, int64_t shard, Arena& arena, Context& context) {
    const int64_t read = a.H * a.W * a.C, pixels = a.OH * a.OW;
    float* copy;
    char* workspace;
    take(arena, piece(copy, p.front.mean && !a.x_y ? p.parts.pictures * read : 0), piece(workspace, p.workspace));
    set_aside(arena);
    for (int64_t part = p.parts.first(shard); part < p.parts.first(shard + 1); ++part) {
        const int64_t first = part * p.parts.pictures, size = p.parts.size(part), rows = size * pixels;
        Conv2d conv = convolution_of<Conv2d>(a, size);
        conv.x = a.x + first * read;
        conv.kernel = a.kernel;
        conv.y = a.y + first * pixels * a.O;
        if (p.front.mean) {
            float* const normed = a.x_y ? a.x_y + first * read : copy;
            read_normed(p.front, conv.x, a.C, 0, a.C, size * a.H * a.W, normed,
                        a.x_addend ? a.x_addend + first * read : nullptr);
            conv.x = normed;
        }
        run_inside(kernels::conv2d, conv, workspace, context.prepared, context);
        if (p.sums.shards == 0) continue;
        if (part == p.parts.first(shard)) {
            mean_of(conv.y, a.O, pixels, a.O, p.sums.centre_of(shard));
            memset(p.sums.of(shard), 0, size_t(2 * a.O) * sizeof(double));
        }
        add_deviations(conv.y, a.O, rows, a.O, p.sums.centre_of(shard), p.sums.of(shard), a.O);
    }
    set_aside(arena);
}

void forward(const Conv2dNorm& a, const ForwardPlan& p, Context& context) {
    if (a.N == 0) return;
    fill(p.front, a);
    Context* const whole = &context;
    parallel_for(p.parts.shards, double(a.N * a.OH * a.OW) * double(a.KH * a.KW * a.C / a.GROUPS * a.O),
                 [&, whole](int64_t shard, Arena& arena) { forward_shard(a, p, shard, arena, *whole); });
    const auto rows_of = [&](int64_t shard) {
        const int64_t end = at_most(p.parts.first(shard + 1) * p.parts.pictures, a.N);
        return (end - p.parts.first(shard) * p.parts.pictures) * a.OH * a.OW;
    };
    if (p.sums.shards) finish_statistics(p.sums, rows_of, a.mean, a.variance);
}

void lay_forward(const Conv2dNorm& a, Memory& memory, bool fill) {
    lay(kernels::conv2d, part_of(a), a.kernel, memory, fill);
}

// --------------------------------------------------------------------------------------------------------- backward

struct BackwardPlan {
    Parts parts;
    Front front;
    Behind behind;
    ShardSums sums;
    float* dkernels;  // of each shard
    int64_t workspace;
};

Parts parts_of(const Conv2dNormBackward& a) {
    const int64_t bytes = 4 * at_least(a.KH * a.KW * (a.C / a.GROUPS) * a.O, 1);
    return parts_of(a, at_most(at_least(kShardBytes / bytes, 1), kTasks));
}

BackwardPlan backward_plan(const Conv2dNormBackward& a, Memory& memory) {
    BackwardPlan p;
    p.parts = parts_of(a);
    p.front = front_of(a, memory);
    p.behind = behind_of(a, memory);
    p.sums = shard_sums(p.front.mean && a.dx ? p.parts.shards : 0, p.parts.most, a.C, false, memory);
    p.dkernels = a.dkernel ? memory.take<float>(p.parts.most * a.KH * a.KW * (a.C / a.GROUPS) * a.O) : nullptr;
    const auto to_kernel = convolution_of<Conv2dBackwardKernel>(a, p.parts.pictures);
    const auto to_input = convolution_of<Conv2dBackwardInput>(a, p.parts.pictures);
    p.workspace = at_least(a.dkernel ? kernels::conv2d_backward_kernel.workspace_bytes(&to_kernel) : 0,
                           a.dx ? kernels::conv2d_backward_input.workspace_bytes(&to_input) : 0);
    return p;
}

void backward_shard(const Conv2dNormBackward& a, const BackwardPlan& p, int64_t shard, Arena& arena, Context& context) {
    const int64_t read = a.H * a.W * a.C, result = a.OH * a.OW * a.O, weights = a.KH * a.KW * (a.C / a.GROUPS) * a.O;
    const bool normed = p.front.mean && a.dkernel && !a.x_y;
    float *dz, *copy, *more;
    char* workspace;
    take(arena, piece(dz, p.behind.mean ? p.parts.pictures * result : 0),
         piece(copy, normed ? p.parts.pictures * read : 0), piece(more, a.dkernel ? weights : 0),
         piece(workspace, p.workspace));
    set_aside(arena);
    if (p.sums.shards) memset(p.sums.of(shard), 0, size_t(2 * a.C) * sizeof(double));
    for (int64_t part = p.parts.first(shard); part < p.parts.first(shard + 1); ++part) {
        const int64_t first = part * p.parts.pictures, size = p.parts.size(part);
        const float *x = a.x + first * read, *dy = a.dy + first * result;
        if (p.behind.mean) {
            read_gradient(p.behind, dy, a.y + first * result, a.O, 0, a.O, size * a.OH * a.OW, dz);
            dy = dz;
        }
        if (a.dkernel) {
            const bool begins = part == p.parts.first(shard);
            float* const sum = p.dkernels + shard * weights;
            auto conv = convolution_of<Conv2dBackwardKernel>(a, size);
            conv.x = a.x_y ? a.x_y + first * read : x;
            conv.dy = dy;
            conv.dkernel = begins ? sum : more;
            if (normed) {
                read_normed(p.front, x, a.C, 0, a.C, size * a.H * a.W, copy);
                conv.x = copy;
            }
            run_inside(kernels::conv2d_backward_kernel, conv, workspace, nullptr, context);
            for (int64_t i = 0; !begins && i < weights; i += V) {
                const int64_t lanes = at_most(weights - i, V);
                store_lanes(sum + i, load_lanes(sum + i, lanes) + load_lanes(more + i, lanes), lanes);
            }
        }
        if (!a.dx) continue;
        auto conv = convolution_of<Conv2dBackwardInput>(a, size);
        conv.dy = dy;
        conv.kernel = a.kernel;
        conv.dx = a.dx + first * read;
        conv.addend = a.addend ? a.addend + first * read : nullptr;
        run_inside(kernels::conv2d_backward_input, conv, workspace, context.prepared, context);
        if (p.sums.shards)
            take_through(p.front, x, conv.dx, a.C, 0, a.C, size * a.H * a.W, p.sums.of(shard), a.C,
                         a.x_y ? a.x_y + first * read : nullptr);
    }
    set_aside(arena);
}

void backward(const Conv2dNormBackward& a, const BackwardPlan& p, Context& context) {
    const int64_t weights = a.KH * a.KW * (a.C / a.GROUPS) * a.O;
    if (without_pictures(a, weights)) return;
    fill(p.front, a);
    fill(p.behind, a);
    Context* const whole = &context;
    parallel_for(p.parts.shards, 2.0 * double(a.N * a.OH * a.OW) * double(weights),
                 [&, whole](int64_t shard, Arena& arena) { backward_shard(a, p, shard, arena, *whole); });
    if (a.dkernel) add_shards(p.dkernels, p.parts.shards, weights, a.dkernel);
    if (p.sums.shards && a.x_dgamma && a.x_dbeta) finish_gradients(p.sums, a);
}

void lay_backward(const Conv2dNormBackward& a, Memory& memory, bool fill) {
    if (!a.dx) return;
    lay(kernels::conv2d_backward_input, convolution_of<Conv2dBackwardInput>(a, parts_of(a).pictures), a.kernel, memory,
        fill);
}

}  // namespace

const Kernel kernels::pictures_conv2d_norm = prepared<lay_forward>(kernel<forward_plan, forward>());
const Kernel kernels::pictures_conv2d_norm_backward = prepared<lay_backward>(kernel<backward_plan, backward>());

}  // namespace pellucid::PELLUCID_ISA_NAMESPACE
