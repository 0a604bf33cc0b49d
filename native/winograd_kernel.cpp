// Convolution 3x3, stride 1, gradient of the kernel, by Winograd's minimal filtering (winograd.hpp):
//
//     dkernel = G^T [ sum over tiles of (B^T d B) * (A dy A^T) ] G
//
// At each of the 36 points that is a product V^T dM over tiles: rows are input channels, columns output channels,
// the sum runs over the tiles. Loop order: (panel of output channels, block of input channels) outside, the points
// and all tiles of a round inside; each such piece of the transformed gradient (36 x 64 x 16 numbers) is transformed
// back while it is in L2 and added to the gradient, so that no transformed gradient (38 MB at 512 x 512) is stored.
//
// Small kernels: pictures are cut into shards by shape alone, each shard goes through its tiles in rounds that stay
// near L2, and sums into its own kernel-sized buffer; buffers are added in order. Large kernels: one shard, and the
// threads share each round: windows into the workspace first, then (block, panel) is the task, panels inside, so that
// neighbouring tasks write to the same pages of the gradient.
//
// The tile reads 6 or 12 neighbouring channels of one tile after another, so a block of channels is narrow and
// the sum is cut every kSumTiles tiles: else each line is fetched from L2 for every 6 channels.
//
// Measured, direct-equivalent GFLOP/s (Zen 3, one thread, limit about 100; direct in brackets): 128 x 16x16 36 -> 72:
// 198 (70); 128 x 8x8 72 -> 144: 213 (81); 4 x 56x56 64 -> 64: 214 (74); 4 x 28x28 256 -> 256: 241 (75);
// 4 x 14x14 512 -> 512: 142 (63); 4 x 7x7: 121 (61). The last two are bound by writing 9.4 MB of gradient in lines of
// 64 bytes (27 and 33 % of the time) and by how few tiles share the transform back.
// Tried and lost: blocks of 72 channels, sums not cut (25 % at 72 -> 144); blocks inside panels (10 % at 7x7); rounds
// of 16 MB (up to 20 %); 16 shards (10 % at 64 -> 64: fewer tiles a round).
#include "winograd.hpp"
#include "conv2d_choice.hpp"
#include "parallel.hpp"

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

template <typename F>
Plan plan_of(const Conv2dBackwardKernel& a, void* workspace) {
    Plan p;
    const int64_t down = ceil_div(a.OH, F::tile), across = ceil_div(a.OW, F::tile);
    p.x = {a.x, a.N, a.H, a.W, a.C, down, across, a.TOP, a.LEFT};
    p.dy = {a.dy, a.N, a.OH, a.OW, a.O, down, across, 0, 0};
    p.total = a.N * down * across;
    p.size = 9 * a.C * a.O;
    p.depth = round_up(ceil_div(a.C, ceil_div(a.C, kDepthLimit)), V);
    p.panels = panel_count(a.O);
    p.shared = p.size * 4 > kShardKernel;
    const int64_t bytes = 4 * F::points * (round_up(a.C, V) + round_up(a.O, V));
    p.tiles = at_least((p.shared ? kSharedBytes : kRoundBytes) / bytes, kFewestTiles);
    p.shards = p.shared ? 1 : at_most(kShards, p.total / kShardTiles);
    p.shards = at_least(p.shards, 1);
    const int64_t most = p.shared ? at_most(p.total, p.tiles) : 0;
    Pieces pieces{static_cast<char*>(workspace), 0};
    p.sums = p.shards > 1 ? pieces.take<float>(p.shards * p.size) : a.dkernel;
    p.v = pieces.take<float>(most ? x_layout<F>(p, most).block * x_layout<F>(p, most).blocks : 0);
    p.m = pieces.take<float>(most ? dy_layout<F>(p, most).block * dy_layout<F>(p, most).blocks : 0);
    p.bytes = pieces.used;
    return p;
}

struct Job {
    const Conv2dBackwardKernel& a;
    const Plan& p;
    int64_t first, count;  // tiles of the round
};

// Panel j, block b of the gradient of `count` transformed tiles, set or added in dkernel; u is scratch.
template <typename F>
void piece(const Plan& p, int64_t count, const float* v, const float* m, int64_t j, int64_t b, float* u,
           float* dkernel, bool add) {
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
        prefetch_pixels<9, 1>(dkernel + (b * x.width + c + 2) * p.dy.C + j * kWide, p.x.C * p.dy.C, 0);
        for (int64_t o = 0; o < width; o += V) {
            using T = typename F::KernelGradient;
            vf half[T::to][T::from];
            transform_columns<T>(u + c * width + o, F::window * point, point, half);
            const int64_t lanes = at_most(columns - o, V);
            float* to = dkernel + (b * x.width + c) * p.dy.C + j * kWide + o;
#pragma GCC unroll 3
            for (int i = 0; i < 3; ++i) {
                vf g[3];
                T::apply(half[i], g);
#pragma GCC unroll 3
                for (int k = 0; k < 3; ++k, to += p.x.C * p.dy.C)
                    store_lanes(to, add ? load_lanes(to, lanes) + g[k] : g[k], lanes);
            }
        }
    }
}

template <typename F>
constexpr int64_t piece_floats(const Plan& p) { return F::points * (p.depth * kWide + 16); }

template <typename F>
void shard(void* context, int64_t task, Arena& arena) {
    const Plan& p = static_cast<const Job*>(context)->p;
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
                    piece<F>(p, count, v, m, j, b, u, p.sums + task * p.size, i > 0);
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
    piece<F>(p, job.count, p.v, p.m, task % p.panels, task / p.panels, u, job.a.dkernel, job.first > 0);
}

constexpr int64_t kReduceBlock = 4096;

void reduce(void* context, int64_t task, Arena&) {
    const Job& job = *static_cast<const Job*>(context);
    const Plan& p = job.p;
    const int64_t end = at_most((task + 1) * kReduceBlock, p.size);
    for (int64_t i = task * kReduceBlock; i < end; i += V) {
        const int64_t lanes = at_most(end - i, V);
        vf sum = load_lanes(p.sums + i, lanes);
        for (int64_t s = 1; s < p.shards; ++s) sum += load_lanes(p.sums + s * p.size + i, lanes);
        store_lanes(job.a.dkernel + i, sum, lanes);
    }
}

template <typename F>
void run(const Conv2dBackwardKernel& a, void* workspace) {
    const Plan p = plan_of<F>(a, workspace);
    if (p.total == 0) {
        memset(a.dkernel, 0, size_t(p.size) * sizeof(float));
        return;
    }
    Job job{a, p, 0, 0};
    const double work = double(F::points * a.C) * double(a.O);
    if (!p.shared) {
        parallel_for(p.shards, work * double(p.total), shard<F>, &job);
        if (p.shards > 1) parallel_for(ceil_div(p.size, kReduceBlock), double(p.shards * p.size), reduce, &job);
        return;
    }
    const int64_t rounds = ceil_div(p.total, p.tiles);
    for (int64_t i = 0; i < rounds; ++i) {
        job.first = p.total * i / rounds;
        job.count = p.total * (i + 1) / rounds - job.first;
        parallel_for(ceil_div(job.count, kGroup), double(job.count * F::points * (a.C + a.O) * 4), shared_windows<F>,
                     &job);
        parallel_for(p.panels * x_layout<F>(p, job.count).blocks, work * double(job.count), shared_piece<F>, &job);
    }
}

void run_any(const void* arguments, Context& context) {
    const Conv2dBackwardKernel& a = *static_cast<const Conv2dBackwardKernel*>(arguments);
    if (algorithm_of(a) == kWinograd2) run<F2>(a, context.workspace);
    else run<F4>(a, context.workspace);
}

int64_t workspace_bytes(const void* arguments) {
    const Conv2dBackwardKernel& a = *static_cast<const Conv2dBackwardKernel*>(arguments);
    return algorithm_of(a) == kWinograd2 ? plan_of<F2>(a, nullptr).bytes : plan_of<F4>(a, nullptr).bytes;
}

const Kernel kKernels[] = {{"conv2d_backward_kernel", run_any, workspace_bytes}};

}  // namespace

extern const Family winograd_kernel_family;
const Family winograd_kernel_family = {kKernels, 1};

}  // namespace PELLUCID_ISA_NAMESPACE
}  // namespace pellucid
