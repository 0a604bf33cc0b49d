// Winograd's F(4, 5) along the rows of pictures of one channel, behind it max pooling 2x2: the first layer of a network
// on grey pictures.
//
// Four neighbours in a row of results are, for each row of the kernel, 8 products of transformed numbers where direct
// convolution has 20; the kernel's 5 rows are summed before the one transform back. With its 16 operations that makes
// 14 for a result, not 25. Along both axes, F(2x2, 5x5) needs 25 again, 64 of 100 for the transform back: with one
// channel only rows are left to sum.
//
// Loop order: bands of pictures (and shares of the output channels, where those are few) > vectors of tiles > threes of
// output channels > 8 points > the 6 rows of the picture under 2 rows of results. Lanes are tiles, 4 pixels wide: 2
// rows of results x 3 channels are 6 accumulators (chains of 5, but those of the next point are ready), and each vector
// of the picture serves both rows. The sums of all points, 48 vectors, pass through L1; the transform back, bias,
// pooling and activation happen in registers. Then tiles x channels are transposed to pixels x channels.
//
// The transformed picture is v[point][parity of the row][row / 2 * tiles + tile], so what a pair of rows needs lies in
// the same lane of 6 vectors at fixed distances, and vectors run on from row to row: 24 x 24 results are 9 vectors of 8
// tiles, not 12 with a quarter of each empty. Up to 4 small pictures share vectors, side by side: with 16 lanes two of
// those are 9 vectors, one is 5. 6 KB for a picture of 28 x 28; a band's, up to 128 KB, stay in L2.
//
// Pictures out of range (winograd/range.hpp) are found here by all of their pixels, of which a band needs few
// registers.
#include "common/transpose.hpp"
#include "conv/conv2d.hpp"
#include "conv/conv2d_pool.hpp"
#include "winograd/range.hpp"
#include "winograd/transforms.hpp"

namespace pellucid::PELLUCID_ISA_NAMESPACE {
namespace {

constexpr int kTaps = 5, kTile = 4, kPoints = 8;
constexpr int kPlanes = kPoints + 1;  // and behind the points which of a tile's results have a pixel that is not zero
constexpr int kRows = kTaps + 1;    // of the picture under two rows of results
constexpr int64_t kTogether = 3;    // output channels
constexpr int64_t kLeastShare = 30; // output channels that are worth transforming the picture for
constexpr int64_t kLeastRows = 6;   // pooled rows of a band that are worth transforming 4 rows of the picture twice for
constexpr int64_t kBandFloats = 32 << 10;  // of a band's transformed rows
constexpr int64_t kMostPictures = 4;       // of a task

struct Plan {
    int64_t tiles;   // of a row
    int64_t rows;    // pooled, of a band at most
    int64_t groups;  // of pictures that share their vectors
    int64_t stride;  // floats of one parity of one point of a band, to which the last vectors reach
    int64_t bands, shares;
    float* kernel;   // [output channel][point][row]
};

// How many pictures of so many tiles leave the fewest lanes empty.
int64_t pictures_together(int64_t N, int64_t tiles) {
    int64_t best = 1;
    for (int64_t count = 2; count <= at_most(N / kTasks, kMostPictures); ++count)
        if (ceil_div(count * tiles, V) * best < ceil_div(best * tiles, V) * count) best = count;
    return best;
}

Plan plan_of(const Conv2dPool& a, Memory& memory) {
    Plan p;
    p.tiles = ceil_div(2 * a.QW, kTile);
    p.rows = at_most(at_least(kBandFloats / (2 * kPlanes * p.tiles), kLeastRows), a.QH);
    p.bands = ceil_div(a.QH, p.rows);
    p.shares = at_most(ceil_div(kTasks, at_least(a.N * p.bands, 1)), at_least(a.O / kLeastShare, 1));
    while (a.N * p.bands * p.shares < kTasks && p.rows >= 2 * kLeastRows) {
        p.rows = ceil_div(p.rows, 2);
        p.bands = ceil_div(a.QH, p.rows);
    }
    const int64_t pictures = p.bands == 1 ? pictures_together(a.N, p.rows * p.tiles) : 1;
    p.groups = ceil_div(a.N, pictures);
    p.stride = round_up((p.rows + kTaps / 2) * pictures * p.tiles + V, V);
    p.kernel = memory.take<float>(a.O * kPoints * kTaps);
    return p;
}

void transform_kernel(const Conv2dPool& a, float* to) {
    for (int64_t c = 0; c < a.O; c += V)
        for (int64_t row = 0; row < kTaps; ++row) {
            const int64_t lanes = at_most(a.O - c, V);
            vf g[kTaps], u[kPoints];
            for (int64_t tap = 0; tap < kTaps; ++tap)
                g[tap] = load_lanes(a.kernel + (row * kTaps + tap) * a.O + c, lanes);
            Kernel8::apply(g, u);
            for (int64_t lane = 0; lane < lanes; ++lane)
                for (int64_t point = 0; point < kPoints; ++point)
                    to[((c + lane) * kPoints + point) * kTaps + row] = u[point][lane];
        }
}

// Row r of picture n of those under a band, whose pooled rows begin at q0; `row` has room for whole vectors of tiles.
void transform_row(const Conv2dPool& a, const Plan& p, int64_t n, int64_t q0, int64_t r, float* row, float* to) {
    const int64_t width = kTile * (round_up(p.tiles, V) + 1);
    copy_window(a.x + n * a.H * a.W, a.H, a.W, 1, 1, 2 * q0 + r - a.TOP, 1, -a.LEFT, width, row);
    for (int64_t t = 0; t < p.tiles; t += V) {  // what exceeds a row is overwritten by the next one
        vf low[kGroup][1], high[kGroup][1], d[kPoints], u[kPoints];
        load_transposed<1>(row + kTile * t, kTile, low);
        load_transposed<1>(row + kTile * (t + 1), kTile, high);
#pragma GCC unroll 4
        for (int i = 0; i < kGroup; ++i) {
            d[i] = low[i][0];
            d[kGroup + i] = high[i][0];
        }
        Input8::apply(d, u);
#pragma GCC unroll 8
        for (int point = 0; point < kPoints; ++point) store(to + 2 * point * p.stride + t, u[point]);
        const vi all = bits(d[3]) | bits(d[4]), left = bits(d[2]) | all, right = all | bits(d[5]);
        const vi sums[kTile] = {left | bits(d[0]) | bits(d[1]), left | bits(d[1]) | bits(d[5]),
                                right | bits(d[2]) | bits(d[6]), right | bits(d[6]) | bits(d[7])};
        vi some = vi{};
#pragma GCC unroll 4
        for (int k = 0; k < kTile; ++k) some |= ((sums[k] & kMagnitude) != 0) & 1 << k;
        store(to + 2 * kPoints * p.stride + t, floats(some));
    }
}

// A vector of tiles in two rows of results, for NC output channels.
struct Block {
    const float* v;  // of point 0, even rows, the first tile
    int64_t stride, tiles;  // tiles: of a row of all pictures
    const float* kernel;
    const float* bias;  // or null
    int64_t kind;
    Numbers numbers;
    float* y;       // [channel][left and right half of the tile][V]
    float* places;  // likewise, as bits
    const vf* keep;  // [row][result]: 0 where a result has nothing but zeros to sum, else 1; or null
};

// `keep` for a vector of tiles, `some` behind their points; whether any is 0.
bool find_zeros(const float* some, int64_t stride, int64_t tiles, vf (&keep)[2][kTile]) {
    vi any[2] = {};
    for (int r = 0; r < kRows; ++r) {
        const vi row = bits(load(some + r % 2 * stride + r / 2 * tiles));
        if (r < kTaps) any[0] |= row;
        if (r > 0) any[1] |= row;
    }
    for (int row = 0; row < 2; ++row)
        for (int k = 0; k < kTile; ++k)
            keep[row][k] = select((any[row] >> k & 1) != 0, broadcast(1.0f), vf{});
    return largest_lane((~any[0] | ~any[1]) & ((1 << kTile) - 1)) != 0;
}

template <int NC, bool PLACES>
__attribute__((noinline)) void block(const Block& b) {
    vf sum[kPoints][2][NC];
    const float *v = b.v, *kernel = b.kernel;
#pragma GCC unroll 1
    for (int point = 0; point < kPoints; ++point, v += 2 * b.stride, kernel += kTaps) {
        vf s[2][NC] = {};
#pragma GCC unroll 6
        for (int r = 0; r < kRows; ++r) {
            const vf d = load(v + r % 2 * b.stride + r / 2 * b.tiles);
#pragma GCC unroll 3
            for (int c = 0; c < NC; ++c) {
                const float* k = kernel + c * kPoints * kTaps;
                if (r < kTaps) s[0][c] += d * broadcast(k[r]);
                if (r > 0) s[1][c] += d * broadcast(k[r - 1]);
            }
        }
#pragma GCC unroll 2
        for (int row = 0; row < 2; ++row)
#pragma GCC unroll 3
            for (int c = 0; c < NC; ++c) sum[point][row][c] = s[row][c];
    }
#pragma GCC unroll 1
    for (int c = 0; c < NC; ++c) {
        vf pixel[2][kTile];
#pragma GCC unroll 2
        for (int row = 0; row < 2; ++row) {
            vf m[kPoints];
#pragma GCC unroll 8
            for (int point = 0; point < kPoints; ++point) m[point] = sum[point][row][c];
            Output8::apply(m, pixel[row]);
            if (!b.keep) continue;
#pragma GCC unroll 4
            for (int k = 0; k < kTile; ++k) pixel[row][k] *= b.keep[row * kTile + k];  // roundings to zero; NaN stays
        }
        const vf bias = broadcast(b.bias ? b.bias[c] : -0.0f);
#pragma GCC unroll 2
        for (int half = 0; half < 2; ++half) {
            vf window[4];
#pragma GCC unroll 4
            for (int tap = 0; tap < 4; ++tap) {
                window[tap] = pixel[tap / 2][2 * half + tap % 2];
                if (PLACES) window[tap] += bias;
            }
            vf best = window[0];
            vi winner = vi{};
            if (PLACES) {
#pragma GCC unroll 3
                for (int tap = 1; tap < 4; ++tap) take_larger(window[tap], vi{} + tap, best, winner);
            } else {
                best = largest(window) + bias;
            }
            best = activated_any(best, b.kind, b.numbers);
            store(b.y + (2 * c + half) * V, best);
            if (!PLACES) continue;
            if (b.kind == kRelu) winner |= ~(best > 0.0f) & kNoPlace;
            store(b.places + (2 * c + half) * V, floats(winner));
        }
    }
}

// Tiles x channels to pixels x channels: a vector of tiles, `channels` of them from `first` on.
template <bool PLACES>
void write_pixels(const Conv2dPool& a, const int64_t (&at)[2][V], const float* staged, int64_t first,
                  int64_t channels) {
    for (int64_t c0 = 0; c0 < channels; c0 += V) {
        const int64_t c = vector_start(c0, channels), lanes = at_most(channels - c, V);
        for (int64_t half = 0; half < 2; ++half)
            for (int64_t tile = 0; tile < V; tile += kGroup) {
                vf w[kGroup][1];
                load_transposed<1>(staged + (2 * c + half) * V + tile, 2 * V, w);
#pragma GCC unroll 4
                for (int64_t i = 0; i < kGroup; ++i) {
                    const int64_t pixel = at[half][tile + i];
                    if (pixel < 0) continue;
                    if (PLACES) store_bytes(a.argmax + pixel + first + c, to_bytes(bits(w[i][0])), lanes);
                    else store_lanes(a.y + pixel + first + c, w[i][0], lanes);
                }
            }
    }
}

void band(const Conv2dPool& a, const Plan& p, uint8_t* out_of_range, int64_t task, Arena& arena) {
    const int64_t group = task / p.shares / p.bands, band = task / p.shares % p.bands, share = task % p.shares;
    const int64_t n0 = a.N * group / p.groups, pictures = a.N * (group + 1) / p.groups - n0;
    const int64_t q0 = a.QH * band / p.bands, q1 = a.QH * (band + 1) / p.bands, tiles = pictures * p.tiles;
    const int64_t first = a.O * share / p.shares, channels = a.O * (share + 1) / p.shares - first;
    const int64_t staged = at_least(channels, V) * 2 * V;
    float *v, *row, *y, *places;
    take(arena, piece(v, 2 * kPlanes * p.stride), piece(row, kTile * (round_up(p.tiles, V) + 1)), piece(y, staged),
         piece(places, a.argmax ? staged : 0));
    for (int64_t n = n0; band + share == 0 && n < n0 + pictures; ++n)
        out_of_range[n] = exceeds_range(a.x + n * a.H * a.W, a.H, a.W);
    const int64_t rows = 2 * (q1 - q0) + kTaps - 1;
    for (int64_t r = 0; r < rows; ++r)
        for (int64_t n = 0; n < pictures; ++n)
            transform_row(a, p, n0 + n, q0, r, row, v + r % 2 * p.stride + r / 2 * tiles + n * p.tiles);
    for (int64_t i = 0; i < 2 * kPlanes; ++i)  // lanes that nobody asks for
        store(v + i * p.stride + rows / 2 * tiles, vf{});
    int64_t q = q0, n = 0, tile = 0;
    for (int64_t i = 0; i < (q1 - q0) * tiles; i += V) {
        int64_t at[2][V];  // of the tile's two pixels in y, or -1
        for (int64_t lane = 0; lane < V; ++lane) {
            for (int64_t half = 0; half < 2; ++half) {
                const int64_t x = 2 * tile + half;
                at[half][lane] = q < q1 && x < a.QW ? (((n0 + n) * a.QH + q) * a.QW + x) * a.O : -1;
            }
            if (++tile < p.tiles) continue;
            tile = 0;
            if (++n < pictures) continue;
            n = 0;
            ++q;
        }
        vf keep[2][kTile];
        const bool zeros = find_zeros(v + 2 * kPoints * p.stride + i, p.stride, tiles, keep);
        for (int64_t c = 0; c < channels; c += kTogether) {
            const Block b{v + i, p.stride, tiles, p.kernel + (first + c) * kPoints * kTaps,
                          a.bias ? a.bias + first + c : nullptr, a.ACTIVATION, numbers_of(a),
                          y + 2 * c * V, places + 2 * c * V, zeros ? keep[0] : nullptr};
            const int64_t together = at_most(channels - c, kTogether);
            if (a.argmax) together == 3 ? block<3, true>(b) : together == 2 ? block<2, true>(b) : block<1, true>(b);
            else together == 3 ? block<3, false>(b) : together == 2 ? block<2, false>(b) : block<1, false>(b);
        }
        write_pixels<false>(a, at, y, first, channels);
        if (a.argmax) write_pixels<true>(a, at, places, first, channels);
    }
}

void run(const Conv2dPool& a, const Plan& p, Context& context) {
    transform_kernel(a, p.kernel);
    uint8_t* const out_of_range = context.out_of_range;
    parallel_for(p.groups * p.bands * p.shares, double(a.N * a.OH * a.OW) * double(kTaps * kPoints / kTile * a.O),
                 [&](int64_t task, Arena& arena) { band(a, p, out_of_range, task, arena); });
}

}  // namespace

const Kernel kernels::winograd_rows_conv2d_pool = kernel<plan_of, run>();

}  // namespace pellucid::PELLUCID_ISA_NAMESPACE
