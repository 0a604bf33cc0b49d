// Convolution 3x3 or 5x5, stride 1, by Winograd's minimal filtering (winograd/winograd.hpp): forward, and backward to
// the input, which is the same with dy for x, the kernel turned by 180 degrees with its channels swapped, and KH - 1 -
// pads of padding. Groups run one after another. With max pooling 2x2 the pooling is part of the transform back
// (winograd/output.hpp), and backward reads the pooled gradient (winograd/unpool.hpp).
//
// Two loop orders, one arithmetic (the same bits):
// Few channels (transformed kernel U up to kStoredBytes): U is made first, or once where the weights stay as they are
//     and a picture has too few tiles to make it anew, and stays in L3. Task = block of tiles, small enough that its
//     transformed windows and a panel of results stay near L2: transform windows > panel of output channels > block of
//     input channels > point > register tiles; then transform the panel back, with bias and activation. No thread
//     reads what another one has written, but for U.
// Many channels: U would be 38 MB at 512 x 512, written once and read once from memory. Instead up to kDeepTiles
//     tiles of all pictures go together: windows are transformed into the workspace (a task a few tiles), then task =
//     panel of output channels: each block of U is made in L2, used for all tiles and points, and forgotten (3 % of
//     the work for 128 tiles, 30 % for the 16 tiles of 4 pictures of 7 x 7). Few tiles go likewise, where there are
//     more panels than blocks of tiles to share out, and read U where it was made before. Up to 4 tiles do without a
//     U: winograd/few_tiles.hpp.
#include "winograd/few_tiles.hpp"
#include "winograd/output.hpp"

namespace pellucid::PELLUCID_ISA_NAMESPACE {
namespace {

constexpr int64_t kStoredBytes = 5 << 20;                 // of U
constexpr int64_t kStoredForBlock = 1 << 20;              // likewise, for one block of tiles
constexpr int64_t kWorthMaking = 32;                      // tiles
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
    const float* scale;    // of each, or null
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
    w.out = {a.y + g * O, nullptr, false, a.OH, a.OW, a.O, a.ACTIVATION, numbers_of(a)};
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
    w.out = {a.dx + g * C, nullptr, false, a.H, a.W, a.C, kLinear, {}};
    return w;
}

Work work_of(const Conv2d& a, int64_t g) {
    Work w = forward_work(a, g);
    w.out.addend = a.addend ? a.addend + g * (a.O / a.GROUPS) : nullptr;
    w.scale = a.scale ? a.scale + g * (a.O / a.GROUPS) : nullptr;
    return w;
}
Work work_of(const Conv2dPool& a, int64_t g) {
    Work w = forward_work(a, g);
    w.out.pooled = true;
    w.out.argmax = a.argmax ? a.argmax + g * (a.O / a.GROUPS) : nullptr;
    w.out.H = 2 * a.QH;  // an odd last row or column is in no window
    w.out.W = 2 * a.QW;
    return w;
}
Work work_of(const Conv2dBackwardInput& a, int64_t g) {
    Work w = input_work(a, windows_of(a.dy, a.N, a.OH, a.OW, a.O / a.GROUPS, a.GROUPS, g), g);
    w.bias = a.bias ? a.bias + g * w.O : nullptr;
    w.out.addend = a.addend ? a.addend + g * w.O : nullptr;
    w.out.activation = a.ACTIVATION;
    w.out.numbers = numbers_of(a);
    return w;
}
Work work_of(const Conv2dPoolBackwardInput& a, int64_t g) {
    return input_work(a, unpooled_windows(a, g), g);
}

int64_t total_tiles(const Work& w) { return w.windows.N * w.windows.down * w.windows.across; }

// U: blocks of input channels, for each panel of output channels.
struct Transformed {
    int64_t depth, chunks;  // of a block of input channels; such blocks
    int64_t panels;
    int64_t point, block, size;  // floats between points and blocks; of a group's U
    bool stored;                 // whether all of it is read from where it was made before anything else
    bool anew;                   // whether it is made for each call, which a picture's many tiles make worth little
    bool made;                   // else whether it is made before, for these pictures or fewer
    bool few;                    // tiles: winograd/few_tiles.hpp
};

template <typename F>
Transformed transformed_of(const Work& w, int64_t groups) {
    Transformed t;
    t.chunks = ceil_div(w.windows.C, kDepthLimit);
    t.depth = round_up(ceil_div(w.windows.C, t.chunks), V);
    t.chunks = ceil_div(w.windows.C, t.depth);
    t.panels = panel_count(w.O);
    t.point = t.depth * kWide + 16;
    t.block = t.point * F::points;
    t.size = t.panels * t.chunks * t.block;
    // For one block of tiles a large one is made anew each time: it costs a few percent, and from memory it would come
    // larger than the kernel. A step runs with fewer pictures than it was built for, too, whose tiles may be too few for
    // that: then it is made, and with more tiles not read.
    const bool one_block = total_tiles(w) >= kWorthMaking && total_tiles(w) <= kDeepTiles;
    const bool too_few = w.windows.N > 1 && w.windows.down * w.windows.across < kWorthMaking;
    const int64_t bytes = groups * t.size * 4;
    t.stored = bytes <= (one_block ? kStoredForBlock : kStoredBytes);
    t.few = !t.stored && total_tiles(w) <= kFewTiles && F::points == F4::points && F::kernel == F4::kernel &&
            !w.turned && w.O % kWide == 0;
    t.anew = t.stored && w.windows.down * w.windows.across >= kDeepTiles;
    t.made = !t.anew && (t.stored || (too_few && bytes <= kStoredBytes));
    return t;
}

struct Plan : Transformed {
    int64_t total;  // tiles of all pictures
    bool in_blocks;  // they go together in, else all of them up to kDeepTiles
    int64_t tiles;  // at most, that go together
    float* u;            // of all groups, if made anew; of one, if stored
    float* windows;      // transformed, unless in blocks
    uint32_t* zeros;     // their zero_fields
};

template <typename F>
Plan plan_group(const Work& w, int64_t groups, Memory& memory) {
    Plan p;
    static_cast<Transformed&>(p) = transformed_of<F>(w, groups);
    const int64_t C = w.windows.C;
    p.total = total_tiles(w);
    p.tiles = at_most(kBlockBytes / (4 * F::points * (C + kWide)), kBlockTiles);
    p.tiles = at_most(p.tiles, ceil_div(p.total, kTasks));
    p.tiles = round_up(at_least(p.tiles, 4 * kRows2), kRows2);
    const bool fewer = p.total <= kDeepTiles && ceil_div(p.total, p.tiles) < p.panels;
    p.in_blocks = p.stored && !fewer;
    if (!p.in_blocks) p.tiles = kDeepTiles;
    // A program made for many pictures may run with few of them, so there is memory for either.
    const int64_t many = layout_of(C, p.depth, F::points, at_most(kDeepTiles, p.total)).block * p.chunks;
    const Layout few = few_layout(C);
    p.windows = memory.take<float>(at_least(many, kFewTiles > 0 ? few.block * few.blocks : 0));
    p.zeros = memory.take<uint32_t>(at_most(kDeepTiles, p.total));
    p.u = memory.take<float>(p.anew ? groups * p.size : 0);
    return p;
}

// Block `chunk` of U for panel j; taps is scratch for the kernel as it is.
template <typename F>
void transform_kernel(const Work& w, const Transformed& p, int64_t j, int64_t chunk, float* taps, float* u) {
    const int64_t C = w.windows.C, first = chunk * p.depth, depth = at_most(C - first, p.depth);
    const int64_t columns = panel_columns(w.O, j), width = panel_width(columns), size = depth * width;
    constexpr int K = F::kernel, last = K * K - 1;
    const float* const from = w.kernel + first * w.row + j * kWide * w.column;
    const auto tap_at = [&](int tap) { return (w.turned ? last - tap : tap) * w.tap; };
    for (int tap = 0; tap <= last; ++tap) {
        const int64_t next = tap < last ? tap_at(tap + 1) : tap_at(0) + p.depth * w.row;
        pack_panel(from + tap_at(tap), w.row, w.column, depth, columns, taps + tap * size,
                   w.scale ? w.scale + j * kWide : nullptr, next - tap_at(tap));
    }
    for (int64_t i = 0; i < size; i += V)
        transform_to<typename F::Kernel>([=](int y, int x) { return taps + (y * K + x) * size + i; }, u + i, p.point,
                                         [](int, int, vf) {});
}

// Tiles that go together.
struct Tiles {
    int64_t first, count;
    Layout layout;
};

template <typename F>
Tiles tiles_of(const Work& w, const Plan& p, int64_t part, int64_t parts) {
    const int64_t first = p.total * part / parts, count = p.total * (part + 1) / parts - first;
    return {first, count, layout_of(w.windows.C, p.depth, F::points, count)};
}

// Panel j of tiles whose windows are transformed. u: memory for a block of U, unless it is stored.
template <typename F>
void multiply_and_write(const Work& w, const Plan& p, const Tiles& tiles, const float* windows, const uint32_t* zeros,
                        int64_t j, float* taps, float* u, float* m) {
    const auto& [first, count, layout] = tiles;
    const int64_t width = panel_width(panel_columns(w.O, j));
    const int64_t point = count * width + 16;
    for (int64_t chunk = 0; chunk < p.chunks; ++chunk) {
        const float* block = u;
        if (p.stored) block = p.u + (j * p.chunks + chunk) * p.block;
        else transform_kernel<F>(w, p, j, chunk, taps, u);
        const int64_t depth = block_channels(layout, chunk), row = block_row(layout, chunk);
        for (int64_t i = 0; i < F::points; ++i)
            multiply_rows<false>(count, windows + chunk * layout.block + i * layout.point, row, block + i * p.point,
                                 depth, width, m + i * point, chunk > 0);
    }
    write_tiles<F>(w.out, w.windows, first, count, w.O, w.bias, j, m, point, zeros);
}

template <typename F>
void tile_block(const Work& w, const Plan& p, const Tiles& tiles, Arena& arena) {
    float *scratch, *windows, *m;
    uint32_t* zeros;
    take(arena, piece(scratch, scratch_floats(F::window, w.windows.C)),
         piece(windows, tiles.layout.block * tiles.layout.blocks), piece(m, (tiles.count * kWide + 16) * F::points),
         piece(zeros, tiles.count));
    transform_windows<typename F::Input>(w.windows, tiles.first, tiles.count, 0, tiles.layout, windows, scratch, zeros);
    for (int64_t j = 0; j < p.panels; ++j)
        multiply_and_write<F>(w, p, tiles, windows, zeros, j, nullptr, nullptr, m);
}

// kGroup of the tiles, from `place` on.
template <typename F>
void deep_windows(const Work& w, const Plan& p, const Tiles& tiles, int64_t place, Arena& arena) {
    float* scratch;
    take(arena, piece(scratch, scratch_floats(F::window, w.windows.C)));
    transform_windows<typename F::Input>(w.windows, tiles.first + place, at_most(tiles.count - place, kGroup), place,
                                         tiles.layout, p.windows, scratch, p.zeros);
}

template <typename F>
void deep_panel(const Work& w, const Plan& p, const Tiles& tiles, int64_t j, Arena& arena) {
    float *taps, *u, *m;
    take(arena, piece(taps, F::kernel * F::kernel * p.depth * kWide), piece(u, p.stored ? 0 : p.block),
         piece(m, (tiles.count * kWide + 16) * F::points));
    multiply_and_write<F>(w, p, tiles, p.windows, p.zeros, j, taps, u, m);
}

inline void few_window(const Work& w, const Plan& p, int64_t tile, Arena& arena) {
    float* scratch;
    take(arena, piece(scratch, scratch_floats(F4::window, w.windows.C)));
    transform_windows<F4::Input>(w.windows, tile, 1, tile, few_layout(w.windows.C), p.windows, scratch, p.zeros);
}

inline void few_panel(const Work& w, const Plan& p, int64_t j, Arena& arena) {
    float *halves, *m;
    const int64_t point = p.total * kWide + 16, C = w.windows.C;
    take(arena, piece(halves, 2 * kRowPoints * kHalfRow), piece(m, point * F4::points));
    const Layout l = few_layout(C);
    const auto multiply = kMultiplyPoints[p.total];
    for (int64_t first = 0; first < C; first += p.depth) {
        const int64_t depth = at_most(C - first, p.depth);
        const float* const kernel = w.kernel + first * w.row + j * kWide;
        const float* const next = first + depth < C ? kernel + depth * w.row : w.kernel + (j + 1) * kWide;
        for (int64_t v = 0; v < 2; ++v) {
            const vf scale = w.scale ? load(w.scale + j * kWide + v * V) : broadcast(1.0f);
            transform_halves(kernel + v * V, w.tap, w.row, depth, scale, halves + v * kRowPoints * kHalfRow);
        }
        for (int64_t part = 0; part < 2 * kRowPoints; ++part) {
            const int64_t v = part / kRowPoints, i = part % kRowPoints;
            const float* const half = halves + part * kHalfRow;
            const bool fetch = part < kTaps * kTaps;
            multiply(p.windows + first / V * l.block + i * kRowPoints * l.point, l.block, half, depth,
                     m + i * kRowPoints * point + v * V, point, kWide, first > 0, fetch ? next + part * w.tap : half,
                     fetch ? w.row : 0);
        }
    }
    write_tiles<F4>(w.out, w.windows, 0, p.total, w.O, w.bias, j, m, point, p.zeros);
}

template <typename F>
void run_group(const Work& w, const Plan& p) {
    if (p.total == 0) return;
    const double products = double(F::points * w.windows.C) * double(w.O);
    int64_t parts = ceil_div(p.total, p.tiles);
    if (p.in_blocks && parts > 1) parts = round_up(parts, 2);  // of five one of two threads would do three
    if constexpr (kFewTiles > 0) if (p.few) {
        parallel_for(p.total, double(p.total * F::points * w.windows.C * 4),
                     [&](int64_t tile, Arena& arena) { few_window(w, p, tile, arena); });
        parallel_for(p.panels, products * double(p.total), [&](int64_t j, Arena& arena) { few_panel(w, p, j, arena); });
        return;
    }
    if (p.in_blocks) {
        parallel_for(parts, products * double(p.total), [&](int64_t part, Arena& arena) {
            tile_block<F>(w, p, tiles_of<F>(w, p, part, parts), arena);
        });
        return;
    }
    for (int64_t part = 0; part < parts; ++part) {
        const Tiles tiles = tiles_of<F>(w, p, part, parts);
        parallel_for(ceil_div(tiles.count, kGroup), double(tiles.count * F::points * w.windows.C * 4),
                     [&](int64_t task, Arena& arena) { deep_windows<F>(w, p, tiles, task * kGroup, arena); });
        parallel_for(p.panels, products * double(tiles.count),
                     [&](int64_t j, Arena& arena) { deep_panel<F>(w, p, tiles, j, arena); });
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
void make_kernel(const Arguments& a, const Transformed& t, float* u) {  // U of all groups
    const int64_t blocks = t.panels * t.chunks;
    parallel_for(a.GROUPS * blocks, double(a.GROUPS * t.size), [&](int64_t task, Arena& arena) {
        float* taps;
        take(arena, piece(taps, F::kernel * F::kernel * t.depth * kWide));
        const int64_t g = task / blocks, block = task % blocks;
        transform_kernel<F>(cut_work<F>(a, g), t, block / t.chunks, block % t.chunks, taps,
                            u + g * t.size + block * t.block);
    });
}

template <typename Arguments>
void lay_kernel(const Arguments& a, Memory& memory, bool fill) {
    with_tiles(a, [&](auto f) {
        using F = decltype(f);
        const Transformed t = transformed_of<F>(cut_work<F>(a, 0), a.GROUPS);
        float* const u = memory.take<float>(t.made ? a.GROUPS * t.size : 0);
        if (fill && t.made) make_kernel<F>(a, t, u);
    });
}

template <typename Arguments>
Plan plan_of(const Arguments& a, Memory& memory) {  // the same for every group
    Plan p;
    with_tiles(a, [&](auto f) { p = plan_group<decltype(f)>(cut_work<decltype(f)>(a, 0), a.GROUPS, memory); });
    return p;
}

template <typename Arguments>
void run(const Arguments& a, Plan p, Context& context) {
    with_tiles(a, [&](auto f) {
        using F = decltype(f);
        if (p.anew) make_kernel<F>(a, p, p.u);
        float* const u = p.anew ? p.u : static_cast<float*>(context.prepared);
        for (int64_t g = 0; g < a.GROUPS; ++g) {
            Work w = cut_work<F>(a, g);
            w.windows.out_of_range = context.out_of_range;
            w.windows.range = F::spreads ? kRange : 0.0f;
            p.u = u + g * p.size;
            run_group<F>(w, p);
        }
    });
}

template <typename Arguments>
constexpr Kernel winograd() {
    return prepared<lay_kernel<Arguments>>(kernel<plan_of<Arguments>, run<Arguments>>());
}

}  // namespace

const Kernel kernels::winograd_conv2d = winograd<Conv2d>();
const Kernel kernels::winograd_conv2d_backward_input = winograd<Conv2dBackwardInput>();
const Kernel kernels::winograd_conv2d_pool = winograd<Conv2dPool>();
const Kernel kernels::winograd_conv2d_pool_backward_input = winograd<Conv2dPoolBackwardInput>();

}  // namespace pellucid::PELLUCID_ISA_NAMESPACE
