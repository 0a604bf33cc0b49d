// Convolution 3x3 or 5x5, stride 1, gradient of the kernel, by Winograd's minimal filtering (winograd/winograd.hpp):
//
//     dkernel = G^T [ sum over tiles of (B^T d B) * (A dy A^T) ] G
//
// At each of the 36 points that is a product V^T dM over tiles: rows are input channels, columns output channels,
// the sum runs over the tiles. Loop order: (panel of output channels, block of input channels) outside, the points
// and all tiles of a round inside; each such piece of the transformed gradient (36 x 64 x 16 numbers) is transformed
// back while it is in L2 and added to the gradient, so that no transformed gradient (38 MB at 512 x 512) is stored.
//
// Small kernels: pictures are cut into shards by shape alone, each shard goes through its tiles in rounds that stay
// near L2, and sums into its own kernel-sized buffer; buffers are added in order. Large kernels, and those with fewer
// tiles than the shards need: one shard, and the threads share each round: windows into the workspace first, then
// (block, panel) is the task, panels inside, so that neighbouring tasks write to the same pages of the gradient.
// With two threads, 4 x 28x28 64 -> 64 (196 tiles, 3 shards): 0.63 ms for 0.84; 4 x 14x14 (64 tiles, one): 0.23 for
// 0.40. Larger kernels in shards gain 0 to 5 % (4 x 112x112 128 -> 128: 38 ms for 39.5; 128 x 8x8 72 -> 144: 4.3 for
// 4.3), and up to 15 % while neighbours use the caches, for 8 kernel-sized buffers.
//
// The tile reads 6 or 12 neighbouring channels of one tile after another, so a block of channels is narrow and
// the sum is cut every kSumTiles tiles: else each line is fetched from L2 for every 6 channels.
//
// Measured, direct-equivalent GFLOP/s (Zen 3, one thread, limit about 100; direct in brackets): 128 x 16x16 36 -> 72:
// 198 (70); 128 x 8x8 72 -> 144: 213 (81); 4 x 56x56 64 -> 64: 214 (74); 4 x 28x28 256 -> 256: 241 (75);
// 4 x 14x14 512 -> 512: 142 (63); 4 x 7x7: 121 (61). The last two are bound by writing 9.4 MB of gradient in lines of
// 64 bytes (27 and 33 % of the time) and by how few tiles share the transform back.
// 5x5 (ms, direct in brackets): 16 x 27x27 96 -> 256 in 2 groups: 80 (99); 32 x 28x28 32 -> 64: 18 (36).
// Behind 2x2 max pooling, against gathering what came through (conv/conv2d_pool_backward_kernel.cpp; a quarter of dy zero; ms): 128 x
// 16x16 36 -> 72: 9.0 for 6.2; 4 x 56x56 64 -> 64: 6.1 for 6.8; 4 x 56x56 256 -> 256: 66 for 99.
// Tried and lost: blocks of 72 channels, sums not cut (25 % at 72 -> 144); blocks inside panels (10 % at 7x7); rounds
// of 16 MB (up to 20 %); 16 shards (10 % at 64 -> 64: fewer tiles a round).
#include "winograd/winograd.hpp"
#include "conv/choice.hpp"
#include "runtime/parallel.hpp"
#include "common/reduce.hpp"

namespace pellucid {
namespace PELLUCID_ISA_NAMESPACE {
namespace {

constexpr int64_t kDepthLimit = 40;            // input channels of a block
constexpr int64_t kSumTiles = 64;              // added up in registers: 40 channels and a panel of them stay in L1
constexpr int64_t kShardKernel = 256 << 10;    // bytes of a kernel up to which pictures are cut into shards
constexpr int64_t kShards = 8;
constexpr int64_t kShardTiles = 64;            // at least, of a shard
constexpr int64_t kRoundBytes = 2 << 20;       // of transformed windows of a shard's round
constexpr int64_t kSharedBytes = 8 << 20;      // of a round that the threads share
constexpr int64_t kFewBytes = 4 << 20;         // likewise, of a small kernel's few tiles
constexpr int64_t kFewestTiles = 32;           // of a round
constexpr int64_t kGroup = 4;

struct Plan {
    Windows x, dy;
    int64_t total;          // tiles of all pictures
    int64_t size;           // floats of the kernel
    int64_t depth, panels;  // input channels of a block
    int64_t shards;
    bool shared;            // the threads share a round
    int64_t tiles;          // at most, of a round
    float *sums, *v, *m;
    int64_t bytes;
};

template <typename F>
Layout x_layout(const Plan& p, int64_t tiles) { return layout_of(p.x.C, p.depth, F::points, tiles); }
template <typename F>
Layout dy_layout(const Plan& p, int64_t tiles) { return layout_of(p.dy.C, kWide, F::points, tiles); }

// A kernel-sized array: tap t, channels (c, o) at t * tap + c * row + o.
struct Gradient {
    float* data;
    int64_t tap, row;
};

// One group of a call.
struct Work {
    Windows x, dy;
    int64_t OH, OW;  // of the convolution, or what pooling sees of it
    Gradient gradient;
};

template <typename Arguments>
Work work_of(const Arguments& a, const Windows& dy, int64_t OH, int64_t OW, int64_t g) {
    Work w{};
    w.x = windows_of(a.x, a.N, a.H, a.W, a.C / a.GROUPS, a.GROUPS, g);
    w.x.top = a.TOP;
    w.x.left = a.LEFT;
    w.dy = dy;
    w.OH = OH;
    w.OW = OW;
    w.gradient = {a.dkernel + g * dy.C, w.x.C * a.O, a.O};
    return w;
}
Work work_of(const Conv2dBackwardKernel& a, int64_t g) {
    return work_of(a, windows_of(a.dy, a.N, a.OH, a.OW, a.O / a.GROUPS, a.GROUPS, g), a.OH, a.OW, g);
}
Work work_of(const Conv2dPoolBackwardKernel& a, int64_t g) {
    return work_of(a, unpooled_windows(a, g), 2 * a.QH, 2 * a.QW, g);
}

template <typename F>
Plan plan_of(const Work& w, void* workspace) {
    Plan p;
    const int64_t down = ceil_div(w.OH, F::tile), across = ceil_div(w.OW, F::tile);
    p.x = w.x;
    p.dy = w.dy;
    p.x.down = p.dy.down = down;
    p.x.across = p.dy.across = across;
    const int64_t C = p.x.C, O = p.dy.C;
    p.total = p.x.N * down * across;
    p.size = F::kernel * F::kernel * C * O;
    p.depth = round_up(ceil_div(C, ceil_div(C, kDepthLimit)), V);
    p.panels = panel_count(O);
    const bool large = p.size * 4 > kShardKernel;
    p.shards = at_least(at_most(kShards, p.total / kShardTiles), 1);
    const bool few = p.shards < kShards && p.shards < p.panels * ceil_div(C, p.depth);
    p.shared = large || few;
    if (p.shared) p.shards = 1;
    const int64_t bytes = 4 * F::points * (round_up(C, V) + round_up(O, V));
    const auto round = [&](int64_t limit) { return at_most(p.total, at_least(limit / bytes, kFewestTiles)); };
    p.tiles = round(large ? kSharedBytes : few ? kFewBytes : kRoundBytes);
    // A program made for many pictures may run with few of them, so there is memory for either.
    const int64_t most = round(large ? kSharedBytes : kFewBytes);
    Pieces sums{static_cast<char*>(workspace), 0}, pieces = sums;
    p.sums = sums.take<float>(p.shards > 1 ? p.shards * p.size : 0);
    p.v = pieces.take<float>(x_layout<F>(p, most).block * x_layout<F>(p, most).blocks);
    p.m = pieces.take<float>(dy_layout<F>(p, most).block * dy_layout<F>(p, most).blocks);
    p.bytes = at_least(pieces.used, sums.used);
    return p;
}

struct Job {
    const Plan& p;
    const Gradient& gradient;
    int64_t first, count;  // tiles of the round
};

// Panel j, block b of the gradient of `count` transformed tiles, set or added; u is scratch.
template <typename F>
void piece(const Plan& p, int64_t count, const float* v, const float* m, int64_t j, int64_t b, float* u,
           const Gradient& gradient, bool add) {
    const Layout x = x_layout<F>(p, count), dy = dy_layout<F>(p, count);
    const int64_t rows = block_channels(x, b), columns = block_channels(dy, j), width = block_row(dy, j);
    const int64_t point = rows * width + 16;
    const int64_t stride = block_row(x, b);
    for (int64_t i = 0; i < F::points; ++i)
        for (int64_t t = 0; t < count; t += kSumTiles)
            multiply_rows<true>(rows, v + b * x.block + i * x.point + t * stride, stride,
                                m + j * dy.block + i * dy.point + t * width, at_most(count - t, kSumTiles), width,
                                u + i * point, t > 0);
    for (int64_t c = 0; c < rows; ++c) {
        float* const first = gradient.data + (b * x.width + c) * gradient.row + j * kWide;
        prefetch_pixels<F::kernel * F::kernel, 1>(first + 2 * gradient.row, gradient.tap, 0);
        for (int64_t o = 0; o < width; o += V) {
            using T = typename F::KernelGradient;
            vf half[T::to][T::from];
            transform_columns<T>(u + c * width + o, F::window * point, point, half);
            const int64_t lanes = at_most(columns - o, V);
            float* to = first + o;
#pragma GCC unroll 5
            for (int i = 0; i < F::kernel; ++i) {
                vf g[F::kernel];
                T::apply(half[i], g);
#pragma GCC unroll 5
                for (int k = 0; k < F::kernel; ++k, to += gradient.tap)
                    store_lanes(to, add ? load_lanes(to, lanes) + g[k] : g[k], lanes);
            }
        }
    }
}

template <typename F>
constexpr int64_t piece_floats(const Plan& p) { return F::points * (p.depth * kWide + 16); }

template <typename F>
void shard(void* context, int64_t task, Arena& arena) {
    const Job& job = *static_cast<const Job*>(context);
    const Plan& p = job.p;
    const Gradient own{p.sums + task * p.size, p.x.C * p.dy.C, p.dy.C};
    const Gradient& gradient = p.shards > 1 ? own : job.gradient;
    const int64_t begin = p.total * task / p.shards, end = p.total * (task + 1) / p.shards;
    const int64_t rounds = at_least(ceil_div(end - begin, p.tiles), 1), most = ceil_div(end - begin, rounds);
    Pieces pieces{nullptr, 0};
    for (int pass = 0; pass < 2; ++pass) {  // count, then take
        if (pass == 1) pieces = Pieces{static_cast<char*>(arena_reserve(arena, size_t(pieces.used))), 0};
        float* v = pieces.take<float>(x_layout<F>(p, most).block * x_layout<F>(p, most).blocks);
        float* m = pieces.take<float>(dy_layout<F>(p, most).block * dy_layout<F>(p, most).blocks);
        float* u = pieces.take<float>(piece_floats<F>(p));
        float* scratch = pieces.take<float>(scratch_floats(F::window, at_least(p.x.C, p.dy.C)));
        if (pass == 0) continue;
        for (int64_t i = 0; i < rounds; ++i) {
            const int64_t first = begin + (end - begin) * i / rounds;
            const int64_t count = begin + (end - begin) * (i + 1) / rounds - first;
            const Layout x = x_layout<F>(p, count), dy = dy_layout<F>(p, count);
            transform_windows<typename F::Input>(p.x, first, count, 0, x, v, scratch);
            transform_windows<typename F::OutputGradient>(p.dy, first, count, 0, dy, m, scratch);
            for (int64_t b = 0; b < x.blocks; ++b)
                for (int64_t j = 0; j < p.panels; ++j)
                    piece<F>(p, count, v, m, j, b, u, gradient, i > 0);
        }
    }
}

template <typename F>
void shared_windows(void* context, int64_t task, Arena& arena) {
    const Job& job = *static_cast<const Job*>(context);
    const Plan& p = job.p;
    float* scratch = static_cast<float*>(
        arena_reserve(arena, size_t(scratch_floats(F::window, at_least(p.x.C, p.dy.C))) * sizeof(float)));
    const int64_t place = task * kGroup, count = at_most(job.count - place, kGroup);
    transform_windows<typename F::Input>(p.x, job.first + place, count, place, x_layout<F>(p, job.count), p.v, scratch);
    transform_windows<typename F::OutputGradient>(p.dy, job.first + place, count, place, dy_layout<F>(p, job.count),
                                                  p.m, scratch);
}

template <typename F>
void shared_piece(void* context, int64_t task, Arena& arena) {
    const Job& job = *static_cast<const Job*>(context);
    const Plan& p = job.p;
    float* u = static_cast<float*>(arena_reserve(arena, size_t(piece_floats<F>(p)) * sizeof(float)));
    piece<F>(p, job.count, p.v, p.m, task % p.panels, task / p.panels, u, job.gradient, job.first > 0);
}

// Adds the shards up: one tap and input channel of them.
void reduce(void* context, int64_t task, Arena&) {
    const Job& job = *static_cast<const Job*>(context);
    const Plan& p = job.p;
    const int64_t C = p.x.C, O = p.dy.C;
    const float* from = p.sums + task * O;
    float* to = job.gradient.data + task / C * job.gradient.tap + task % C * job.gradient.row;
    for (int64_t o = 0; o < O; o += V) {
        const int64_t lanes = at_most(O - o, V);
        vf sum = load_lanes(from + o, lanes);
        for (int64_t s = 1; s < p.shards; ++s) sum += load_lanes(from + s * p.size + o, lanes);
        store_lanes(to + o, sum, lanes);
    }
}

template <typename F>
void run(const Work& w, const Context& context) {
    Plan p = plan_of<F>(w, context.workspace);
    p.x.out_of_range = p.dy.out_of_range = context.out_of_range;
    p.x.range = p.dy.range = kGradientRange;
    const int64_t C = p.x.C, O = p.dy.C;
    if (p.total == 0) {
        for (int64_t i = 0; i < F::kernel * F::kernel * C; ++i)
            memset(w.gradient.data + i / C * w.gradient.tap + i % C * w.gradient.row, 0, size_t(O) * sizeof(float));
        return;
    }
    Job job{p, w.gradient, 0, 0};
    const double work = double(F::points * C) * double(O);
    if (!p.shared) {
        parallel_for(p.shards, work * double(p.total), shard<F>, &job);
        if (p.shards > 1) parallel_for(F::kernel * F::kernel * C, double(p.shards * p.size), reduce, &job);
        return;
    }
    const int64_t rounds = ceil_div(p.total, p.tiles);
    for (int64_t i = 0; i < rounds; ++i) {
        job.first = p.total * i / rounds;
        job.count = p.total * (i + 1) / rounds - job.first;
        parallel_for(ceil_div(job.count, kGroup), double(job.count * F::points * (C + O) * 4), shared_windows<F>, &job);
        parallel_for(p.panels * x_layout<F>(p, job.count).blocks, work * double(job.count), shared_piece<F>, &job);
    }
}

template <typename Arguments>
void run_any(const void* arguments, Context& context) {
    const Arguments& a = *static_cast<const Arguments*>(arguments);
    for (int64_t g = 0; g < a.GROUPS; ++g)
        if (a.KH == 5) run<F5>(work_of(a, g), context);
        else if (algorithm_of(a) == kWinograd2) run<F2>(work_of(a, g), context);
        else run<F4>(work_of(a, g), context);
}

template <typename Arguments>
int64_t workspace_bytes(const void* arguments) {
    const Arguments& a = *static_cast<const Arguments*>(arguments);
    if (a.KH == 5) return plan_of<F5>(work_of(a, 0), nullptr).bytes;
    return algorithm_of(a) == kWinograd2 ? plan_of<F2>(work_of(a, 0), nullptr).bytes
                                         : plan_of<F4>(work_of(a, 0), nullptr).bytes;
}

// The bias's gradient behind pooling: the sums of what comes through.
struct Through {
    static constexpr int sums = 1;
    const Pooled& p;
    void add(int64_t row, int64_t c, int64_t lanes, vd* sum) const {
        add_to(sum[0], widen(passed_back(p, row * p.pixel + c, lanes)));
    }
};

void pooled(const void* arguments, Context& context) {
    const Conv2dPoolBackwardKernel& a = *static_cast<const Conv2dPoolBackwardKernel*>(arguments);
    run_any<Conv2dPoolBackwardKernel>(arguments, context);
    if (!a.dbias) return;
    const Pooled p = pooled_of(a, 0);
    const double* sums = reduce_rows(Through{p}, a.N * a.QH * a.QW, a.O, static_cast<double*>(context.workspace));
    for (int64_t o = 0; o < a.O; ++o) a.dbias[o] = float(sums[o]);
}

int64_t pooled_workspace(const void* arguments) {
    const Conv2dPoolBackwardKernel& a = *static_cast<const Conv2dPoolBackwardKernel*>(arguments);
    return at_least(workspace_bytes<Conv2dPoolBackwardKernel>(arguments), 8 * reduce_doubles(1, a.O));
}

const Kernel kKernels[] = {
    {"conv2d_backward_kernel", run_any<Conv2dBackwardKernel>, workspace_bytes<Conv2dBackwardKernel>},
    {"conv2d_pool_backward_kernel", pooled, pooled_workspace},
};

}  // namespace

extern const Family winograd_kernel_family;
const Family winograd_kernel_family = {kKernels, 2};

}  // namespace PELLUCID_ISA_NAMESPACE
}  // namespace pellucid
