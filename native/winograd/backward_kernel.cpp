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
//
// The tile reads 6 or 12 neighbouring channels of one tile after another, so a block of channels is small and
// the sum is cut every kSumTiles tiles: else each line is fetched from L2 for every 6 channels.
#include "common/reduce.hpp"
#include "winograd/winograd.hpp"

namespace pellucid::PELLUCID_ISA_NAMESPACE {
namespace {

constexpr int64_t kDepthLimit = 40;            // input channels of a block
constexpr int64_t kSumTiles = 64;              // added up in registers: 40 channels and a panel of them stay in L1
constexpr int64_t kShardKernel = 256 << 10;    // bytes of a kernel up to which pictures are cut into shards
constexpr int64_t kFewShards = 8;
constexpr int64_t kShardTiles = 64;            // at least, of a shard
constexpr int64_t kRoundBytes = 2 << 20;       // of transformed windows of a shard's round
constexpr int64_t kSharedBytes = 8 << 20;      // of a round that the threads share
constexpr int64_t kFewBytes = 4 << 20;         // likewise, of a small kernel's few tiles
constexpr int64_t kFewestTiles = 32;           // of a round
constexpr int64_t kGroup = 4;

struct Plan {
    int64_t C, O;           // of a group
    int64_t total;          // tiles of all pictures
    int64_t size;           // floats of the kernel
    int64_t depth, panels;  // input channels of a block
    int64_t shards;
    bool shared;            // the threads share a round
    int64_t tiles;          // at most, of a round
    float *sums, *v, *m;
};

template <typename F>
Layout x_layout(const Plan& p, int64_t tiles) { return layout_of(p.C, p.depth, F::points, tiles); }
template <typename F>
Layout dy_layout(const Plan& p, int64_t tiles) { return layout_of(p.O, kWide, F::points, tiles); }
template <typename F>
int64_t x_floats(const Plan& p, int64_t tiles) { return x_layout<F>(p, tiles).block * x_layout<F>(p, tiles).blocks; }
template <typename F>
int64_t dy_floats(const Plan& p, int64_t tiles) { return dy_layout<F>(p, tiles).block * dy_layout<F>(p, tiles).blocks; }

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

// A call's group g, cut into tiles.
template <typename F, typename Arguments>
Work cut_work(const Arguments& a, int64_t g) {
    Work w = work_of(a, g);
    w.x.down = w.dy.down = ceil_div(w.OH, F::tile);
    w.x.across = w.dy.across = ceil_div(w.OW, F::tile);
    return w;
}

template <typename F>
Plan plan_group(const Work& w, Memory& memory) {
    Plan p;
    const int64_t C = p.C = w.x.C, O = p.O = w.dy.C;
    p.total = w.x.N * w.x.down * w.x.across;
    p.size = F::kernel * F::kernel * C * O;
    p.depth = round_up(ceil_div(C, ceil_div(C, kDepthLimit)), V);
    p.panels = panel_count(O);
    const bool large = p.size * 4 > kShardKernel;
    p.shards = at_least(at_most(kFewShards, p.total / kShardTiles), 1);
    const bool few = p.shards < kFewShards && p.shards < p.panels * ceil_div(C, p.depth);
    p.shared = large || few;
    if (p.shared) p.shards = 1;
    const int64_t bytes = 4 * F::points * (round_up(C, V) + round_up(O, V));
    const auto round = [&](int64_t limit) { return at_most(p.total, at_least(limit / bytes, kFewestTiles)); };
    p.tiles = round(large ? kSharedBytes : few ? kFewBytes : kRoundBytes);
    // A program made for many pictures may run with few of them, so there is memory for either.
    const int64_t most = round(large ? kSharedBytes : kFewBytes);
    Memory instead = memory;
    p.sums = memory.take<float>(p.shards > 1 ? p.shards * p.size : 0);
    p.v = instead.take<float>(x_floats<F>(p, most));
    p.m = instead.take<float>(dy_floats<F>(p, most));
    memory.used = at_least(memory.used, instead.used);
    return p;
}

// Panel j, block b of the gradient of `count` transformed tiles, set or added; u is scratch.
template <typename F>
void add_piece(const Plan& p, int64_t count, const float* v, const float* m, int64_t j, int64_t b, float* u,
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
void shard(const Work& w, const Plan& p, int64_t task, Arena& arena) {
    const Gradient own{p.sums + task * p.size, p.C * p.O, p.O};
    const Gradient& gradient = p.shards > 1 ? own : w.gradient;
    const int64_t begin = p.total * task / p.shards, end = p.total * (task + 1) / p.shards;
    const int64_t rounds = at_least(ceil_div(end - begin, p.tiles), 1), most = ceil_div(end - begin, rounds);
    float *v, *m, *u, *scratch;
    take(arena, piece(v, x_floats<F>(p, most)), piece(m, dy_floats<F>(p, most)), piece(u, piece_floats<F>(p)),
         piece(scratch, scratch_floats(F::window, at_least(p.C, p.O))));
    for (int64_t i = 0; i < rounds; ++i) {
        const int64_t first = begin + (end - begin) * i / rounds;
        const int64_t count = begin + (end - begin) * (i + 1) / rounds - first;
        const Layout x = x_layout<F>(p, count), dy = dy_layout<F>(p, count);
        transform_windows<typename F::Input>(w.x, first, count, 0, x, v, scratch);
        transform_windows<typename F::OutputGradient>(w.dy, first, count, 0, dy, m, scratch);
        for (int64_t b = 0; b < x.blocks; ++b)
            for (int64_t j = 0; j < p.panels; ++j) add_piece<F>(p, count, v, m, j, b, u, gradient, i > 0);
    }
}

// Adds the shards up: one tap and input channel of them.
void reduce(const Work& w, const Plan& p, int64_t task) {
    const float* from = p.sums + task * p.O;
    float* to = w.gradient.data + task / p.C * w.gradient.tap + task % p.C * w.gradient.row;
    for (int64_t o = 0; o < p.O; o += V) {
        const int64_t lanes = at_most(p.O - o, V);
        vf sum = load_lanes(from + o, lanes);
        for (int64_t s = 1; s < p.shards; ++s) sum += load_lanes(from + s * p.size + o, lanes);
        store_lanes(to + o, sum, lanes);
    }
}

// One round of tiles that all threads work at.
template <typename F>
void shared_round(const Work& w, const Plan& p, int64_t first, int64_t count) {
    const Layout x = x_layout<F>(p, count), dy = dy_layout<F>(p, count);
    parallel_for(ceil_div(count, kGroup), double(count * F::points * (p.C + p.O) * 4), [&](int64_t task, Arena& arena) {
        float* scratch;
        take(arena, piece(scratch, scratch_floats(F::window, at_least(p.C, p.O))));
        const int64_t place = task * kGroup, some = at_most(count - place, kGroup);
        transform_windows<typename F::Input>(w.x, first + place, some, place, x, p.v, scratch);
        transform_windows<typename F::OutputGradient>(w.dy, first + place, some, place, dy, p.m, scratch);
    });
    const double work = double(F::points * p.C) * double(p.O) * double(count);
    parallel_for(p.panels * x.blocks, work, [&](int64_t task, Arena& arena) {
        float* u;
        take(arena, piece(u, piece_floats<F>(p)));
        add_piece<F>(p, count, p.v, p.m, task % p.panels, task / p.panels, u, w.gradient, first > 0);
    });
}

template <typename F>
void run_group(const Work& w, const Plan& p) {
    if (p.total == 0) {
        for (int64_t i = 0; i < F::kernel * F::kernel * p.C; ++i)
            memset(w.gradient.data + i / p.C * w.gradient.tap + i % p.C * w.gradient.row, 0,
                   size_t(p.O) * sizeof(float));
    } else if (p.shared) {
        const int64_t rounds = ceil_div(p.total, p.tiles);
        for (int64_t i = 0; i < rounds; ++i) {
            const int64_t first = p.total * i / rounds;
            shared_round<F>(w, p, first, p.total * (i + 1) / rounds - first);
        }
    } else {
        parallel_for(p.shards, double(F::points * p.C) * double(p.O) * double(p.total),
                     [&](int64_t task, Arena& arena) { shard<F>(w, p, task, arena); });
        if (p.shards > 1)
            parallel_for(F::kernel * F::kernel * p.C, double(p.shards * p.size),
                         [&](int64_t task) { reduce(w, p, task); });
    }
}

template <typename Arguments>
Plan plan_of(const Arguments& a, Memory& memory) {  // the same for every group
    Plan p;
    with_tiles(a, [&](auto f) { p = plan_group<decltype(f)>(cut_work<decltype(f)>(a, 0), memory); });
    return p;
}

template <typename Arguments>
void run(const Arguments& a, const Plan& p, Context& context) {
    with_tiles(a, [&](auto f) {
        for (int64_t g = 0; g < a.GROUPS; ++g) {
            Work w = cut_work<decltype(f)>(a, g);
            w.x.out_of_range = w.dy.out_of_range = context.out_of_range;
            w.x.range = w.dy.range = kGradientRange;
            run_group<decltype(f)>(w, p);
        }
    });
}

// The bias's gradient behind pooling: the sums of what comes through.
struct Through {
    static constexpr int sums = 1;
    const Pooled& p;
    void add(int64_t row, int64_t c, int64_t lanes, vd* sum) const {
        add_to(sum[0], widen(passed_back(p, row * p.pixel + c, lanes)));
    }
};

struct PooledPlan : Plan {
    double* bias;  // sums of its gradient, when the rest is done
};

PooledPlan pooled_plan(const Conv2dPoolBackwardKernel& a, Memory& memory) {
    Memory afterwards = memory;
    const PooledPlan p{plan_of(a, memory), afterwards.take<double>(reduce_doubles(1, a.O))};
    memory.used = at_least(memory.used, afterwards.used);
    return p;
}

void run_pooled(const Conv2dPoolBackwardKernel& a, const PooledPlan& plan, Context& context) {
    run<Conv2dPoolBackwardKernel>(a, plan, context);
    if (!a.dbias) return;
    const Pooled p = pooled_of(a, 0);
    const double* sums = reduce_rows(Through{p}, a.N * a.QH * a.QW, a.O, plan.bias);
    for (int64_t o = 0; o < a.O; ++o) a.dbias[o] = float(sums[o]);
}

}  // namespace

const Kernel kernels::winograd_conv2d_backward_kernel =
    kernel<plan_of<Conv2dBackwardKernel>, run<Conv2dBackwardKernel>>();
const Kernel kernels::winograd_conv2d_pool_backward_kernel = kernel<pooled_plan, run_pooled>();

}  // namespace pellucid::PELLUCID_ISA_NAMESPACE
