// Inverted residual blocks in use (Sandler et al. 2018): a convolution 1x1 to more channels, one of each channel by
// itself, 3x3 or 5x5, and one 1x1 to few channels; without the first, a depthwise separable convolution.
//
// The wide maps are never written whole. Their rows are made in a ring, of as many as the kernel reaches over, which
// stays in L2 beside the weights; from there go the tiles of conv/depthwise_rows.hpp, and from their rows the last
// product. Task = (picture, band of rows). Of few small pictures bands would make many rows twice: there a task is a part of
// all pixels, first of the wide map, which lies in the workspace, then of the results. Sums have the order that they have in
// the convolutions one by one, so the bits are theirs, however rows or pixels are cut.
#include "conv/depthwise_rows.hpp"

namespace pellucid::PELLUCID_ISA_NAMESPACE {
namespace {

constexpr int64_t kPixels = 64;  // results that go together through the last product, at least
constexpr int64_t kBandRows = 14;
constexpr int64_t kFewPixels = 64;  // results of all pictures, up to which pixels are cut and not rows
constexpr int64_t kParts = 2;       // of them

// Both 1x1 convolutions, as those that lay out weights take them.
Conv2d pointwise(const InvertedResidual& a, const float* kernel, const float* scale, const float* bias, int64_t from,
                 int64_t to) {
    Conv2d conv{};
    conv.kernel = kernel;
    conv.scale = scale;
    conv.bias = bias;
    conv.N = a.N;
    conv.C = from;
    conv.O = to;
    conv.H = conv.W = conv.OH = conv.OW = 1;
    conv.KH = conv.KW = conv.SH = conv.SW = conv.DH = conv.DW = conv.GROUPS = 1;
    return conv;
}
Conv2d expansion(const InvertedResidual& a) {
    return pointwise(a, a.expand, a.expand_scale, a.expand_bias, a.expand ? a.I : 0, a.expand ? a.C : 0);
}
Conv2d projection(const InvertedResidual& a) {
    return pointwise(a, a.project, a.project_scale, a.project_bias, a.C, a.O);
}

void lay_block(const InvertedResidual& a, Memory& memory, bool fill) {
    const Conv2d both[] = {expansion(a), projection(a)};
    for (const Conv2d& conv : both) {
        const Weights weights = weights_of(conv, memory);
        if (fill) pack_weights(conv, view_of(conv), weights);
    }
}

// out = rows . weights + bias, activated.
void multiply(const Weights& w, const float* bias, int64_t m, const float* const* rows, float* const* out,
              int64_t activation, const Numbers& numbers) {
    Product product;
    product.m = m;
    product.rows = rows;
    product.out = out;
    product.depth = w.depth;
    product.offset = w.offset;
    product.packed = w.packed;
    product.columns = w.columns;
    product.accumulate = false;
    product.epilogue = {bias ? w.bias : nullptr, activation, numbers};
    multiply(product, 0, w.panels);
}

struct Plan {
    Weights expand, project;
    const TileKind* kind;
    int64_t together, bands;  // rows of results that go together; of a picture
    float* wide;              // the map, where pixels are cut
};

// Of a picture: of several rows, since bands next to each other make some rows twice, but two at least for few pictures.
int64_t bands_of(const InvertedResidual& a) {
    const int64_t wanted = ceil_div(kTasks / 2, at_least(a.N, 1));
    return at_most(at_most(at_least(a.OH / kBandRows, 2), wanted), a.OH);
}

RowTile tile_of(const InvertedResidual& a) {
    RowTile t{};
    t.pixel = t.tap = t.stride = t.channels = a.C;
    t.bias = a.bias;
    t.activation = a.ACTIVATION;
    t.numbers = numbers_of(a);
    return t;
}

// A row of results of the kernel over the wide map.
void deepen(const InvertedResidual& a, int64_t row, const Rows& wide, const RowSweep& sweep, const float** rows,
            const float** taps, RowTile& t, float* out) {
    list_rows(a, false, row, a.H, 0, 0, wide, rows, taps, t);
    sweep_row(sweep, t, out, nullptr);
    if (runs_behind(a.ACTIVATION, t.numbers)) activate_span(out, a.OW * a.C, a.ACTIVATION, t.numbers);
}

// The last product, of `count` results of all pictures from `first` on. from: what the kernel gave for each; to: room.
void project(const InvertedResidual& a, const Plan& p, int64_t first, int64_t count, const float* const* from,
             float** to) {
    float* const y = a.y + first * a.O;
    for (int64_t i = 0; i < count; ++i) to[i] = y + i * a.O;
    multiply(p.project, a.project_bias, count, from, to, kLinear, numbers_of(a));
    if (a.addend) activate_rows(y, a.addend + first * a.O, count, a.O, a.O, kLinear, numbers_of(a));
}

void run_band(const InvertedResidual& a, const Plan& p, int64_t task, Arena& arena) {
    const int64_t n = task / p.bands, band = task % p.bands;
    const int64_t begin = a.OH * band / p.bands, end = a.OH * (band + 1) / p.bands;
    const Numbers numbers = numbers_of(a);
    Rows wide{nullptr, at_most((p.together - 1) * a.SH + a.KH, a.H), a.W * a.C, a.x + n * a.H * a.W * a.I, 0};
    const int64_t pixels = at_least(wide.held * a.W, p.together * a.OW);
    float *ring, *deep, *zeros;
    const float **rows, **taps, **border, **from;
    float** to;
    take(arena, piece(ring, a.expand ? wide.held * wide.size : 0), piece(deep, p.together * a.OW * a.C),
         piece(zeros, a.C), piece(rows, a.KH), piece(taps, a.KH), piece(border, a.KH * p.kind->columns),
         piece(from, pixels), piece(to, pixels));
    if (a.expand) wide.ring = ring;
    wide.ready = at_least(begin * a.SH - a.TOP, 0);
    memset(zeros, 0, size_t(a.C) * sizeof(float));

    RowSweep sweep{p.kind, false, a.W, a.OW, a.KW, a.SW, a.LEFT, zeros, border, {}, 0};
    RowTile t = tile_of(a);
    for (int64_t oy = begin; oy < end; oy += p.together) {
        const int64_t next = at_most(oy + p.together, end);
        int64_t m = 0;
        wide.make(at_most((next - 1) * a.SH - a.TOP + a.KH, a.H), [&](int64_t row, float* out) {
            const float* x = a.x + (n * a.H + row) * a.W * a.I;
            for (int64_t i = 0; i < a.W; ++i, ++m) {
                from[m] = x + i * a.I;
                to[m] = out + i * a.C;
            }
        });
        multiply(p.expand, a.expand_bias, m, from, to, a.ACTIVATION, numbers);

        for (int64_t row = oy; row < next; ++row)
            deepen(a, row, wide, sweep, rows, taps, t, deep + (row - oy) * a.OW * a.C);
        const int64_t count = (next - oy) * a.OW;
        for (int64_t i = 0; i < count; ++i) from[i] = deep + i * a.C;
        project(a, p, (n * a.OH + oy) * a.OW, count, from, to);
    }
}

// Of few pictures the wide map of a part of all pixels.
void run_wide(const InvertedResidual& a, const Plan& p, int64_t part, Arena& arena) {
    const int64_t all = a.N * a.H * a.W, first = all * part / kParts, count = all * (part + 1) / kParts - first;
    const float** from;
    float** to;
    take(arena, piece(from, count), piece(to, count));
    for (int64_t i = 0; i < count; ++i) {
        from[i] = a.x + (first + i) * a.I;
        to[i] = p.wide + (first + i) * a.C;
    }
    multiply(p.expand, a.expand_bias, count, from, to, a.ACTIVATION, numbers_of(a));
}

// And from it a part of all results. A row that two parts share goes through the kernel in both.
void run_part(const InvertedResidual& a, const Plan& p, int64_t part, Arena& arena) {
    const int64_t all = a.N * a.OH * a.OW, first = all * part / kParts, count = all * (part + 1) / kParts - first;
    const int64_t begin = first / a.OW, end = ceil_div(first + count, a.OW);
    float *deep, *zeros;
    const float **rows, **taps, **border, **from;
    float** to;
    take(arena, piece(deep, (end - begin) * a.OW * a.C), piece(zeros, a.C), piece(rows, a.KH), piece(taps, a.KH),
         piece(border, a.KH * p.kind->columns), piece(from, count), piece(to, count));
    memset(zeros, 0, size_t(a.C) * sizeof(float));
    const RowSweep sweep{p.kind, false, a.W, a.OW, a.KW, a.SW, a.LEFT, zeros, border, {}, 0};
    RowTile t = tile_of(a);
    for (int64_t row = begin; row < end; ++row) {
        const float* const picture = (a.expand ? p.wide : a.x) + row / a.OH * a.H * a.W * a.C;
        const Rows wide{nullptr, 0, a.W * a.C, picture, 0};
        deepen(a, row % a.OH, wide, sweep, rows, taps, t, deep + (row - begin) * a.OW * a.C);
    }
    for (int64_t i = 0; i < count; ++i) from[i] = deep + (first + i - begin * a.OW) * a.C;
    project(a, p, first, count, from, to);
}

// Whether pixels are cut, and no row is made twice.
bool cuts_pixels(const InvertedResidual& a) { return a.N * a.OH * a.OW <= kFewPixels; }

Plan plan(const InvertedResidual& a, Memory& memory) {
    Plan p{};
    p.kind = kind_of(false, a.KW, a.SW, a.OW);
    p.together = at_most(ceil_div(kPixels, a.OW), a.OH);
    p.bands = bands_of(a);
    const int64_t pictures = at_most(a.N, kFewPixels / at_least(a.OH * a.OW, 1));  // of a run with fewer, too
    p.wide = memory.take<float>(a.expand ? pictures * a.H * a.W * a.C : 0);
    return p;
}

void run(const InvertedResidual& a, Plan p, Context& context) {
    Memory laid{context.prepared};
    p.expand = weights_of(expansion(a), laid);
    p.project = weights_of(projection(a), laid);
    const double wide = double(a.N * a.H * a.W) * double(a.expand ? a.I * a.C : 0);
    const double rest = double(a.N * a.OH * a.OW) * double(a.C) * double(a.O + a.KH * a.KW);
    if (!cuts_pixels(a))
        return parallel_for(a.N * p.bands, wide + rest, [&](int64_t task, Arena& arena) { run_band(a, p, task, arena); });
    if (a.expand)
        parallel_for(kParts, wide, [&](int64_t part, Arena& arena) { run_wide(a, p, part, arena); });
    parallel_for(kParts, rest, [&](int64_t part, Arena& arena) { run_part(a, p, part, arena); });
}

}  // namespace

const Kernel kernels::inverted_residual = prepared<lay_block>(kernel<plan, run>());

}  // namespace pellucid::PELLUCID_ISA_NAMESPACE
