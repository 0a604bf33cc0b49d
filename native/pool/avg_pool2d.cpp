// Average pooling and global average pooling; forward and backward.
//
// Forward: vectors run over channels. Where channels are fewer than a vector, pixels follow each other in memory and a
// whole vector is read and written for each, in order, so that the next pixel overwrites what does not belong to it.
// Sums go through a window row by row, as in conv/conv2d_pool.cpp: the same bits.
//
// Backward is a gather: every pixel of dx visits the windows that contain it, so nothing is added twice. Windows side
// by side (2x2, stride 2) need none: a row of dy, each pixel repeated, serves all rows of its windows, and vectors run
// over pixels and channels alike. An activation between convolution and pooling is gone through in the same pass, dz =
// dx * f'(map) by the map it gave, and so is the sum over pixels that is the bias's gradient: over the rows of a task
// in float, over its columns and tasks in double. Task = (image, band of rows).
#include "conv/conv2d_pool.hpp"
#include "pool/pool2d.hpp"

namespace pellucid::PELLUCID_ISA_NAMESPACE {
namespace {

// A row of windows that lie wholly in the picture, from ox = begin on while whole vectors may be read and written.
// PH, PW: 0 where they are not known beforehand. Returns the ox it stopped at.
template <int PH, int PW>
int64_t whole_windows(const AvgPool2d& a, const float* x, float* y, int64_t begin, int64_t end) {
    const int64_t height = PH ? PH : a.PH, width = PW ? PW : a.PW, channels = a.C, row = a.W * channels;
    const Mean mean(height * width);
    for (int64_t ox = begin; ox < end; ++ox) {
        const float* window = x + ox * a.SW * channels;
        float* const to = y + ox * channels;
        for (int64_t c0 = 0; c0 < channels; c0 += V) {
            const int64_t c = vector_start(c0, channels);
            vf sum = vf{};
#pragma GCC unroll 4
            for (int64_t i = 0; i < height; ++i)
#pragma GCC unroll 4
                for (int64_t j = 0; j < width; ++j) sum += load(window + i * row + j * channels + c);
            store(to + c, mean(sum));
        }
    }
    return end;
}

// How many pixels of the picture, and of the padding that counts, the window at (y0, x0) holds.
template <typename Arguments>
PELLUCID_INLINE float taps_of(const Arguments& a, int64_t y0, int64_t x0) {
    const int64_t rows = at_most(y0 + a.PH, a.H + a.COUNTED_BOTTOM) - at_least(y0, -a.COUNTED_TOP);
    const int64_t columns = at_most(x0 + a.PW, a.W + a.COUNTED_RIGHT) - at_least(x0, -a.COUNTED_LEFT);
    return float(rows * columns);
}

// Rows first .. last - 1 of picture n's result.
void average_rows(const AvgPool2d& a, int64_t n, int64_t first, int64_t last) {
    const float* x = a.x + n * a.H * a.W * a.C;
    const int64_t size = (a.N - n) * a.H * a.W * a.C, stop = (n * a.OH + last) * a.OW * a.C;
    for (int64_t oy = first; oy < last; ++oy) {
        const int64_t y0 = oy * a.SH - a.TOP;
        const Range rows = inside(y0, a.PH, a.H);
        int64_t whole = 0;  // windows at the row's head that need no care
        if (a.LEFT == 0 && rows.begin == 0 && rows.end == a.PH) {
            const int64_t at = (n * a.OH + oy) * a.OW * a.C;
            whole = a.W < a.PW ? 0 : at_most((a.W - a.PW) / a.SW + 1, a.OW);
            if (a.C < V) {  // both arrays have to go on for a vector
                const int64_t room = size - ((y0 + a.PH - 1) * a.W + a.PW - 1) * a.C - V, space = stop - at - V;
                whole = at_most(whole, room < 0 || space < 0 ? 0 : at_most(room / (a.SW * a.C), space / a.C) + 1);
            }
            const float* const row = x + y0 * a.W * a.C;
            whole = a.PH == 2 && a.PW == 2 ? whole_windows<2, 2>(a, row, a.y + at, 0, whole)
                                           : whole_windows<0, 0>(a, row, a.y + at, 0, whole);
        }
        for (int64_t ox = whole; ox < a.OW; ++ox) {
            const int64_t x0 = ox * a.SW - a.LEFT;
            const Range columns = inside(x0, a.PW, a.W);
            const float taps = taps_of(a, y0, x0);
            const int64_t at = ((n * a.OH + oy) * a.OW + ox) * a.C;
            const int64_t room = size - ((y0 + rows.end - 1) * a.W + x0 + columns.end - 1) * a.C;
            for (int64_t c0 = 0; c0 < a.C; c0 += V) {
                const int64_t c = vector_start(c0, a.C), lanes = lanes_of(a.C, c, room - c, stop - at - c);
                vf sum = vf{};
                for (int64_t i = rows.begin; i < rows.end; ++i)
                    for (int64_t j = columns.begin; j < columns.end; ++j)
                        sum += load_lanes(x + ((y0 + i) * a.W + x0 + j) * a.C + c, lanes);
                store_lanes(a.y + at + c, sum / taps, lanes);
            }
        }
    }
}

void run_avg_pool2d(const AvgPool2d& a) {
    const Bands bands = bands_of(a.OH, a.OW * a.C * a.PH * a.PW);
    parallel_for(a.N * bands.count, double(a.N * a.OH * a.OW * a.C * a.PH * a.PW), [&](int64_t task) {
        const int64_t first = task % bands.count * bands.rows;
        average_rows(a, task / bands.count, first, at_most(first + bands.rows, a.OH));
    });
}

// ------------------------------------------------------------------------------------------------------- backward

struct Plan {
    int64_t rows, bands;  // of dx
    bool side;
    double* sums;  // of the bias's gradient: (image, band, channel)
};

Plan plan_of(const AvgPool2dBackward& a, Memory& memory) {
    Plan p;
    p.side = side_by_side(a);
    const Bands bands = bands_of(a.H, a.W * a.C);
    p.rows = p.side ? at_least(bands.rows / a.PH, 1) * a.PH : bands.rows;
    p.bands = ceil_div(a.H, p.rows);
    p.sums = memory.take<double>(a.dbias ? a.N * p.bands * a.C : 0);
    return p;
}

// dz = dx * f'(map) for a row, and sums += dz where they are kept. dz may be map, dx may be dz.
struct Span {
    const float *dx, *map;
    float *dz, *sums;
    int64_t count;
};

template <bool SUMS>
void differentiate(const Span& s, int64_t kind, Numbers numbers) {
    with_activation(kind, [&](auto known) {
        int64_t i = 0;
        for (; i + V <= s.count; i += V) {
            const vf dz = derived(load(s.dx + i), load(s.map + i), known.value, numbers);
            store(s.dz + i, dz);
            if (SUMS) store(s.sums + i, load(s.sums + i) + dz);
        }
        if (i == s.count) return;
        const int64_t lanes = s.count - i;
        const vf dz = derived(load_partial(s.dx + i, lanes), load_partial(s.map + i, lanes), known.value, numbers);
        store_partial(s.dz + i, dz, lanes);
        if (SUMS) store_partial(s.sums + i, load_partial(s.sums + i, lanes) + dz, lanes);
    });
}

// out = a row of dy, each pixel PW times and divided by the taps; out has room for a vector more.
void repeat_row(const AvgPool2dBackward& a, const float* dy, const float* stop, float* out) {
    const Mean mean(a.PH * a.PW);
    for (int64_t ox = 0; ox < a.OW; ++ox, dy += a.C, out += a.PW * a.C)
        for (int64_t c0 = 0; c0 < a.C; c0 += V) {
            const int64_t c = vector_start(c0, a.C);
            const vf share = mean(load_lanes(dy + c, stop - dy - c >= V ? V : a.C - c));
            for (int64_t j = 0; j < a.PW; ++j) store(out + j * a.C + c, share);
        }
}

// A row of dx by the windows that contain its pixels.
void gather_row(const AvgPool2dBackward& a, int64_t n, int64_t y, float* dx) {
    const Range rows = windows_of(y + a.TOP, a.PH, a.SH, a.OH);
    for (int64_t x = 0; x < a.W; ++x, dx += a.C) {
        const Range columns = windows_of(x + a.LEFT, a.PW, a.SW, a.OW);
        for (int64_t c0 = 0; c0 < a.C; c0 += V) {
            const int64_t c = vector_start(c0, a.C), lanes = at_most(a.C - c, V);
            vf sum = vf{};
            for (int64_t oy = rows.begin; oy < rows.end; ++oy)
                for (int64_t ox = columns.begin; ox < columns.end; ++ox)
                    sum += load_lanes(a.dy + ((n * a.OH + oy) * a.OW + ox) * a.C + c, lanes) /
                           taps_of(a, oy * a.SH - a.TOP, ox * a.SW - a.LEFT);
            store_lanes(dx + c, sum, lanes);
        }
    }
}

void backward_band(const AvgPool2dBackward& a, const Plan& p, int64_t task, Arena& arena) {
    const int64_t n = task / p.bands, first = task % p.bands * p.rows, last = at_most(first + p.rows, a.H);
    const int64_t width = a.W * a.C, covered = a.OW * a.PW * a.C;
    float *row, *sums;
    take(arena, piece(row, width + V), piece(sums, width + V));
    if (!a.dbias) sums = nullptr;
    if (sums) memset(sums, 0, size_t(width) * sizeof(float));
    const float* const stop = a.dy + a.N * a.OH * a.OW * a.C;
    for (int64_t y = first; y < last; ++y) {
        float* const dx = a.dx + (n * a.H + y) * width;
        int64_t count = width;
        if (!p.side) {
            gather_row(a, n, y, row);
        } else if (y >= a.OH * a.PH) {
            count = 0;
        } else {
            count = covered;
            if (y % a.PH == 0) repeat_row(a, a.dy + (n * a.OH + y / a.PH) * a.OW * a.C, stop, row);
        }
        const Span s{row, a.y ? a.y + (n * a.H + y) * width : row, dx, sums, count};
        const int64_t kind = a.y ? a.ACTIVATION : int64_t(kLinear);
        if (sums) differentiate<true>(s, kind, numbers_of(a));
        else differentiate<false>(s, kind, numbers_of(a));
        memset(dx + count, 0, size_t(width - count) * sizeof(float));
    }
    if (!sums) return;
    double* const totals = p.sums + task * a.C;
    for (int64_t c = 0; c < a.C; ++c) totals[c] = 0;
    for (int64_t x = 0; x < a.W; ++x)
        for (int64_t c = 0; c < a.C; ++c) totals[c] += double(sums[x * a.C + c]);
}

void run_avg_pool2d_backward(const AvgPool2dBackward& a, const Plan& p) {
    const int64_t tasks = a.N * p.bands;
    parallel_for(tasks, double(a.N * a.H * a.W * a.C) * (p.side ? 1 : 2),
                 [&](int64_t task, Arena& arena) { backward_band(a, p, task, arena); });
    if (!a.dbias) return;
    for (int64_t c = 0; c < a.C; ++c) {
        double total = 0;
        for (int64_t task = 0; task < tasks; ++task) total += p.sums[task * a.C + c];
        a.dbias[c] = float(total);
    }
}

// Sums of 32 pixels in float, those in a second float: keeps the error of 224 x 224 pixels near that of a pairwise sum.
void run_global_avg_pool2d(const GlobalAvgPool2d& a) {
    parallel_for(a.N, double(a.N * a.INNER * a.C), [&](int64_t n) {
        for (int64_t c0 = 0; c0 < a.C; c0 += V) {
            const int64_t c = vector_start(c0, a.C), lanes = at_most(a.C - c, V);
            vf total = vf{};
            for (int64_t i = 0; i < a.INNER; i += 32) {
                vf sum = vf{};
                for (int64_t j = i; j < at_most(i + 32, a.INNER); ++j)
                    sum += load_lanes(a.x + (n * a.INNER + j) * a.C + c, lanes);
                total += sum;
            }
            store_lanes(a.y + n * a.C + c, total / float(a.INNER), lanes);
        }
    });
}

void run_global_avg_pool2d_backward(const GlobalAvgPool2dBackward& a) {
    parallel_for(a.N, double(a.N * a.INNER * a.C), [&](int64_t n) {
        for (int64_t c0 = 0; c0 < a.C; c0 += V) {
            const int64_t c = vector_start(c0, a.C), lanes = at_most(a.C - c, V);
            const vf share = load_lanes(a.dy + n * a.C + c, lanes) / float(a.INNER);
            for (int64_t i = 0; i < a.INNER; ++i) store_lanes(a.dx + (n * a.INNER + i) * a.C + c, share, lanes);
        }
    });
}

}  // namespace

const Kernel kernels::avg_pool2d = kernel<run_avg_pool2d>();
const Kernel kernels::avg_pool2d_backward = kernel<plan_of, run_avg_pool2d_backward>();
const Kernel kernels::global_avg_pool2d = kernel<run_global_avg_pool2d>();
const Kernel kernels::global_avg_pool2d_backward = kernel<run_global_avg_pool2d_backward>();

}  // namespace pellucid::PELLUCID_ISA_NAMESPACE
