// Convolution 3x3 or 5x5, stride 1, by Winograd's minimal filtering (winograd/winograd.hpp): forward, and backward to the input, which
// is the same with dy for x, the kernel turned by 180 degrees with its channels swapped, and KH - 1 - pads of padding. Groups
// run one after another. With max pooling 2x2 the pooling is part of the way out (winograd/output.hpp), and backward
// reads the pooled gradient (winograd/unpool.hpp).
//
// Two loop orders, one arithmetic (the same bits):
// Few channels (transformed kernel U up to kStoredBytes): U is made once a call, and stays in L3. Task = block of
//     tiles, small enough that its transformed windows and a panel of results stay near L2: transform windows > panel
//     of output channels > block of input channels > point > register tiles; then transform the panel back, with bias
//     and activation. No thread reads what another one has written, but for U.
// Many channels: U would be 38 MB at 512 x 512, written once and read once from memory. Instead up to kDeepTiles
//     tiles of all pictures go together: windows are transformed into the workspace (a task a few tiles), then task =
//     panel of output channels: each block of U is made in L2, used for all tiles and points, and forgotten (3 % of
//     the work for 128 tiles, 30 % for the 16 tiles of 4 pictures of 7 x 7). Few tiles go this way too, where there
//     are more panels than blocks of tiles to share out.
//
// Measured, direct-equivalent GFLOP/s (Zen 3, one thread, limit about 100; direct in brackets):
//                          forward      to the input
//     128 x 16x16  36 ->  72   213 (85)     204 (75)
//     128 x  8x8   72 -> 144   276 (94)     256 (88)
//       4 x 56x56  64 ->  64   262 (91)     260 (93)
//       4 x 28x28 256 -> 256   283 (83)     263 (81)
//       4 x 14x14 512 -> 512   222 (84)     197 (73)
//       4 x  7x7  512 -> 512   154 (68)     127 (62)
// 5x5 (ms, direct in brackets, forward and to the input): 16 x 27x27 96 -> 256 in 2 groups: 51 (93), 43 (87); 32 x 28x28
// 32 -> 64: 14 (28), 14 (28); 4 x 14x14 256 -> 256: 14 (33), 16 (34).
// With max pooling, against convolution and pooling as two steps (ms): 128 x 16x16 36 -> 72: 7.1 for 9.2; 128 x 8x8
// 72 -> 144: 6.3 for 8.8; 1 x 224x224 64 -> 64: 16.6 for 18.0. To the input, against the gradient gathered from what
// came through: 8.3 for 9.3, 6.2 for 9.2, 16.9 for 17.7.
// Of the time at 64 -> 64, products take 60 %, windows 15 %, results 12 %.
// Two threads, against U made anew for each 128 tiles (ms, forward and to the input): 4 x 112x112 128 -> 128: 26
// (32), 30 (37), and the second thread gains 2.0 (1.65); 4 x 56x56 128 -> 256: 14.3 (14.9), 13.3 (15.1); but 256 ->
// 256 (9.4 MB of U): 30.8 (30.1), 33.3 (30.6). Few tiles that go together, against blocks of them: 1 x 28x28 64 ->
// 64: 0.18 (0.21); 4 x 8x8 72 -> 144: 0.16 (0.23).
// Tried and lost: blocks of 512 KB and more (5 to 20 %); many channels' way for 64 -> 64 (20 %); blocks of 128 input
// channels (25 to 40 % at 256 and 512 channels: U leaves L2); prefetching the lines that windows are written to (5 %);
// one function for whole and cut tiles (5 %).
#include "winograd/output.hpp"
#include "conv/choice.hpp"
#include "runtime/parallel.hpp"

namespace pellucid {
namespace PELLUCID_ISA_NAMESPACE {
namespace {

constexpr int64_t kDepthLimit = 72;                       // input channels of a block
constexpr int64_t kStoredBytes = 5 << 20;                 // of U
constexpr int64_t kBlockBytes = (V == 16 ? 768 : 384) << 10;  // of a block of tiles: most of L2
constexpr int64_t kBlockTiles = 96;
constexpr int64_t kDeepTiles = 128;
constexpr int64_t kGroup = 4;  // tiles of a task that transforms windows

// One group of a call.
struct Work {
    Windows windows;
    const float* kernel;   // of the group: tap t, channels (i, o) at t * tap + i * row + o * column
    int64_t tap, row, column;
    bool turned;           // by 180 degrees
    int64_t O;             // output channels
    const float* bias;
    Output out;
};

template <typename Arguments>
Work forward_work(const Arguments& a, int64_t g) {
    const int64_t C = a.C / a.GROUPS, O = a.O / a.GROUPS;
    Work w{};
    w.windows = windows_of(a.x, a.N, a.H, a.W, C, a.GROUPS, g);
    w.windows.top = a.TOP;
    w.windows.left = a.LEFT;
    w.kernel = a.kernel + g * O;
    w.tap = C * a.O;
    w.row = a.O;
    w.column = 1;
    w.O = O;
    w.bias = a.bias ? a.bias + g * O : nullptr;
    w.out = {a.y + g * O, nullptr, false, a.OH, a.OW, a.O, a.ACTIVATION, float(a.slope)};
    return w;
}

template <typename Arguments>
Work input_work(const Arguments& a, const Windows& windows, int64_t g) {
    const int64_t C = a.C / a.GROUPS, O = a.O / a.GROUPS;
    Work w{};
    w.windows = windows;
    w.windows.top = a.KH - 1 - a.TOP;
    w.windows.left = a.KW - 1 - a.LEFT;
    w.kernel = a.kernel + g * O;
    w.tap = C * a.O;
    w.row = 1;
    w.column = a.O;
    w.turned = true;
    w.O = C;
    w.out = {a.dx + g * C, nullptr, false, a.H, a.W, a.C, kLinear, 0.0f};
    return w;
}

Work work_of(const Conv2d& a, int64_t g) { return forward_work(a, g); }
Work work_of(const Conv2dPool& a, int64_t g) {
    Work w = forward_work(a, g);
    w.out.pooled = true;
    w.out.argmax = a.argmax ? a.argmax + g * (a.O / a.GROUPS) : nullptr;
    w.out.H = 2 * a.QH;  // an odd last row or column is in no window
    w.out.W = 2 * a.QW;
    return w;
}
Work work_of(const Conv2dBackwardInput& a, int64_t g) {
    return input_work(a, windows_of(a.dy, a.N, a.OH, a.OW, a.O / a.GROUPS, a.GROUPS, g), g);
}
Work work_of(const Conv2dPoolBackwardInput& a, int64_t g) {
    return input_work(a, unpooled_windows(a, g), g);
}

struct Plan {
    int64_t total;            // tiles of all pictures
    bool stored;              // whether all of U is
    int64_t depth, chunks;    // of a block of input channels; such blocks
    int64_t panels;
    int64_t tiles;            // at most, that go together
    int64_t u_point, u_block;
    float *u, *windows;       // in the workspace, one or the other: U if stored, else transformed windows and
    uint32_t* zeros;          // their zero_fields
    int64_t bytes;
};

template <typename F>
Plan plan_of(const Work& w, void* workspace) {
    Plan p;
    const int64_t C = w.windows.C;
    p.total = w.windows.N * w.windows.down * w.windows.across;
    p.chunks = ceil_div(C, kDepthLimit);
    p.depth = round_up(ceil_div(C, p.chunks), V);
    p.chunks = ceil_div(C, p.depth);
    p.panels = panel_count(w.O);
    p.u_point = p.depth * kWide + 16;
    p.u_block = p.u_point * F::points;
    p.tiles = at_most(kBlockBytes / (4 * F::points * (C + kWide)), kBlockTiles);
    p.tiles = at_most(p.tiles, ceil_div(p.total, kTasks));
    p.tiles = round_up(at_least(p.tiles, 4 * kRows2), kRows2);
    const bool storable = p.panels * p.chunks * p.u_block * 4 <= kStoredBytes;
    const bool few = p.total <= kDeepTiles && ceil_div(p.total, p.tiles) < p.panels;
    p.stored = storable && !few;
    if (!p.stored) p.tiles = kDeepTiles;
    // A program made for many pictures may run with few of them, so there is memory for either.
    Pieces kernels{static_cast<char*>(workspace), 0}, windows = kernels;
    p.u = kernels.take<float>(storable ? p.panels * p.chunks * p.u_block : 0);
    p.windows = windows.take<float>(layout_of(C, p.depth, F::points, at_most(kDeepTiles, p.total)).block * p.chunks);
    p.zeros = windows.take<uint32_t>(at_most(kDeepTiles, p.total));
    p.bytes = at_least(kernels.used, windows.used);
    return p;
}

// Block `chunk` of U for panel j; taps is scratch for the kernel as it is.
template <typename F>
void transform_kernel(const Work& w, const Plan& p, int64_t j, int64_t chunk, float* taps, float* u) {
    const int64_t C = w.windows.C, first = chunk * p.depth, depth = at_most(C - first, p.depth);
    const int64_t columns = panel_columns(w.O, j), width = panel_width(columns), size = depth * width;
    constexpr int K = F::kernel, last = K * K - 1;
    for (int tap = 0; tap <= last; ++tap)
        pack_panel(w.kernel + (w.turned ? last - tap : tap) * w.tap + first * w.row + j * kWide * w.column, w.row,
                   w.column, depth, columns, taps + tap * size);
    for (int64_t i = 0; i < size; i += V)
        transform_to<typename F::Kernel>(taps + i, K * size, size, u + i, p.u_point, [](int, int, vf) {});
}

template <typename F>
struct Job {
    const Work& w;
    const Plan& p;
    int64_t first, count;  // tiles that go together (many channels)
    Layout layout;
};

// Panel j of `count` tiles whose windows are transformed. u: memory for a block of U, unless it is stored.
template <typename F>
void multiply_and_write(const Job<F>& job, int64_t first, int64_t count, const Layout& layout, const float* windows,
                        const uint32_t* zeros, int64_t j, float* taps, float* u, float* m) {
    const Plan& p = job.p;
    const Work& w = job.w;
    const int64_t width = panel_width(panel_columns(w.O, j));
    const int64_t point = count * width + 16;
    for (int64_t chunk = 0; chunk < p.chunks; ++chunk) {
        const float* block = u;
        if (p.stored) block = p.u + (j * p.chunks + chunk) * p.u_block;
        else transform_kernel<F>(w, p, j, chunk, taps, u);
        const int64_t depth = block_channels(layout, chunk), row = block_row(layout, chunk);
        for (int64_t i = 0; i < F::points; ++i)
            multiply_rows<false>(count, windows + chunk * layout.block + i * layout.point, row, block + i * p.u_point,
                                 depth, width, m + i * point, chunk > 0);
    }
    write_tiles<F>(w.out, w.windows, first, count, w.O, w.bias, j, m, point, zeros);
}

// One of the calls below: which block of U.
template <typename F>
void make_u(void* context, int64_t task, Arena& arena) {
    const Job<F>& job = *static_cast<const Job<F>*>(context);
    const Plan& p = job.p;
    float* taps = static_cast<float*>(arena_reserve(arena, size_t(F::kernel * F::kernel * p.depth * kWide) * sizeof(float)));
    transform_kernel<F>(job.w, p, task / p.chunks, task % p.chunks, taps, p.u + task * p.u_block);
}

template <typename F>
void tile_block(void* context, int64_t task, Arena& arena) {
    const Job<F>& job = *static_cast<const Job<F>*>(context);
    const Plan& p = job.p;
    const int64_t blocks = ceil_div(p.total, p.tiles);
    const int64_t first = p.total * task / blocks, count = p.total * (task + 1) / blocks - first;
    const Layout layout = layout_of(job.w.windows.C, p.depth, F::points, count);
    Pieces pieces{nullptr, 0};
    for (int pass = 0; pass < 2; ++pass) {  // count, then take
        if (pass == 1) pieces = Pieces{static_cast<char*>(arena_reserve(arena, size_t(pieces.used))), 0};
        float* scratch = pieces.take<float>(scratch_floats(F::window, job.w.windows.C));
        float* windows = pieces.take<float>(layout.block * layout.blocks);
        float* m = pieces.take<float>((count * kWide + 16) * F::points);
        uint32_t* zeros = pieces.take<uint32_t>(count);
        if (pass == 0) continue;
        transform_windows<typename F::Input>(job.w.windows, first, count, 0, layout, windows, scratch, zeros);
        for (int64_t j = 0; j < p.panels; ++j)
            multiply_and_write<F>(job, first, count, layout, windows, zeros, j, nullptr, nullptr, m);
    }
}

template <typename F>
void deep_windows(void* context, int64_t task, Arena& arena) {
    const Job<F>& job = *static_cast<const Job<F>*>(context);
    const Windows& w = job.w.windows;
    float* scratch = static_cast<float*>(
        arena_reserve(arena, size_t(scratch_floats(F::window, w.C)) * sizeof(float)));
    const int64_t place = task * kGroup;
    transform_windows<typename F::Input>(w, job.first + place, at_most(job.count - place, kGroup), place, job.layout,
                                         job.p.windows, scratch, job.p.zeros);
}

template <typename F>
void deep_panel(void* context, int64_t task, Arena& arena) {
    const Job<F>& job = *static_cast<const Job<F>*>(context);
    const Plan& p = job.p;
    Pieces pieces{nullptr, 0};
    for (int pass = 0; pass < 2; ++pass) {
        if (pass == 1) pieces = Pieces{static_cast<char*>(arena_reserve(arena, size_t(pieces.used))), 0};
        float* taps = pieces.take<float>(F::kernel * F::kernel * p.depth * kWide);
        float* u = pieces.take<float>(p.u_block);
        float* m = pieces.take<float>((job.count * kWide + 16) * F::points);
        if (pass == 1) multiply_and_write<F>(job, job.first, job.count, job.layout, p.windows, p.zeros, task, taps, u, m);
    }
}

template <typename F>
void run(const Work& w, void* workspace) {
    const Plan p = plan_of<F>(w, workspace);
    if (p.total == 0) return;
    Job<F> job{w, p, 0, 0, {}};
    const double products = double(F::points * w.windows.C) * double(w.O);
    if (p.stored) {
        parallel_for(p.panels * p.chunks, products, make_u<F>, &job);
        parallel_for(ceil_div(p.total, p.tiles), products * double(p.total), tile_block<F>, &job);
        return;
    }
    const int64_t rounds = ceil_div(p.total, p.tiles);
    for (int64_t i = 0; i < rounds; ++i) {
        job.first = p.total * i / rounds;
        job.count = p.total * (i + 1) / rounds - job.first;
        job.layout = layout_of(w.windows.C, p.depth, F::points, job.count);
        parallel_for(ceil_div(job.count, kGroup), double(job.count * F::points * w.windows.C * 4), deep_windows<F>,
                     &job);
        parallel_for(p.panels, products * double(job.count), deep_panel<F>, &job);
    }
}

template <typename F, typename Arguments>
Work cut_work(const Arguments& a, int64_t g) {  // into tiles
    Work w = work_of(a, g);
    w.windows.down = ceil_div(w.out.H, F::tile);
    w.windows.across = ceil_div(w.out.W, F::tile);
    return w;
}

template <typename F, typename Arguments>
void run_groups(const Arguments& a, const Context& context) {
    for (int64_t g = 0; g < a.GROUPS; ++g) {
        Work w = cut_work<F>(a, g);
        w.windows.out_of_range = context.out_of_range;
        w.windows.range = F::spreads ? kRange : 0.0f;
        run<F>(w, context.workspace);
    }
}

template <typename Arguments>
void run_any(const void* arguments, Context& context) {
    const Arguments& a = *static_cast<const Arguments*>(arguments);
    if (a.KH == 5) run_groups<F5>(a, context);
    else if (algorithm_of(a) == kWinograd2) run_groups<F2>(a, context);
    else run_groups<F4>(a, context);
}

template <typename Arguments>
int64_t workspace_bytes(const void* arguments) {
    const Arguments& a = *static_cast<const Arguments*>(arguments);
    if (a.KH == 5) return plan_of<F5>(cut_work<F5>(a, 0), nullptr).bytes;
    if (algorithm_of(a) == kWinograd2) return plan_of<F2>(cut_work<F2>(a, 0), nullptr).bytes;
    return plan_of<F4>(cut_work<F4>(a, 0), nullptr).bytes;
}

const Kernel kKernels[] = {
    {"conv2d", run_any<Conv2d>, workspace_bytes<Conv2d>},
    {"conv2d_backward_input", run_any<Conv2dBackwardInput>, workspace_bytes<Conv2dBackwardInput>},
    {"conv2d_pool", run_any<Conv2dPool>, workspace_bytes<Conv2dPool>},
    {"conv2d_pool_backward_input", run_any<Conv2dPoolBackwardInput>, workspace_bytes<Conv2dPoolBackwardInput>},
};

}  // namespace

extern const Family winograd_family;
const Family winograd_family = {kKernels, 4};

}  // namespace PELLUCID_ISA_NAMESPACE
}  // namespace pellucid
