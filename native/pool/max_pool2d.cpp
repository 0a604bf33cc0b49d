// Max pooling, with the index of the winner; forward and backward.
//
// Vectors run over channels; the last vector is moved back to end at the last channel. Backward is a gather: every
// pixel of dx visits the windows that contain it, so that rows can be shared out to threads, nothing is added twice,
// and dx need not be cleared first. Task = (image, band of rows). Windows side by side (2x2, stride 2) need no
// such search.
#include "pool/pool2d.hpp"

namespace pellucid::PELLUCID_ISA_NAMESPACE {
namespace {

struct Tap {
    int64_t at;     // of its channel 0
    int32_t index;  // in the window
};

// Rows first .. last - 1 of picture n's result.
void max_rows(const MaxPool2d& a, int64_t n, int64_t first, int64_t last) {
    const float* x = a.x + n * a.H * a.W * a.C;
    const int64_t size = (a.N - n) * a.H * a.W * a.C, stop = (n * a.OH + last) * a.OW * a.C;
    for (int64_t oy = first; oy < last; ++oy) {
        const int64_t y0 = oy * a.SH - a.TOP;
        const Range rows = inside(y0, a.PH, a.H);
        for (int64_t ox = 0; ox < a.OW; ++ox) {
            const int64_t x0 = ox * a.SW - a.LEFT;
            const Range columns = inside(x0, a.PW, a.W);
            const int64_t at = ((n * a.OH + oy) * a.OW + ox) * a.C;
            Tap taps[kWindowTaps];
            int count = 0;
            for (int64_t i = rows.begin; i < rows.end; ++i)
                for (int64_t j = columns.begin; j < columns.end; ++j)
                    taps[count++] = {((y0 + i) * a.W + x0 + j) * a.C, int32_t(i * a.PW + j)};
            const int64_t space = stop - at;
            for (int64_t c0 = 0; c0 < a.C; c0 += V) {
                const int64_t c = vector_start(c0, a.C), room = size - taps[count - 1].at - c;
                const int64_t lanes = lanes_of(a.C, c, room, space - c);
                vf best = broadcast(-__builtin_inff());
                vi winner = vi{} + (count ? taps[0].index : 0);
                for (int t = 0; t < count; ++t) {
                    const vf v = load_lanes(x + taps[t].at + c, lanes);
                    const vi better = ~(v <= best) & (best == best);  // the first NaN wins and stays
                    best = select(better, v, best);
                    winner = (better & taps[t].index) | (~better & winner);
                }
                store_lanes(a.y + at + c, best, lanes);
                const vb bytes = to_bytes(winner);
                if (lanes == V) memcpy(a.argmax + at + c, &bytes, V);
                else memcpy(a.argmax + at + c, &bytes, size_t(lanes));
            }
        }
    }
}

void run_max_pool2d(const MaxPool2d& a) {
    const Bands bands = bands_of(a.OH, a.OW * a.C * a.PH * a.PW);
    parallel_for(a.N * bands.count, double(a.N * a.OH * a.OW * a.C * a.PH * a.PW), [&](int64_t task) {
        const int64_t first = task % bands.count * bands.rows;
        max_rows(a, task / bands.count, first, at_most(first + bands.rows, a.OH));
    });
}

// Backward where windows lie side by side: they are visited in order, and no pixel looks for its own. Row of windows
// oy, or what is left below them, of picture n.
void backward_side_by_side(const MaxPool2dBackward& a, int64_t n, int64_t oy) {
    const int64_t first = oy * a.PH, rows = at_most(a.PH, a.H - first);
    float* dx = a.dx + (n * a.H + first) * a.W * a.C;
    float* const stop = dx + rows * a.W * a.C;
    if (oy >= a.OH) {
        memset(dx, 0, size_t(stop - dx) * sizeof(float));
        return;
    }
    const int64_t left = (a.W - a.OW * a.PW) * a.C, total = a.N * a.OH * a.OW * a.C;
    for (int64_t i = 0; i < rows; ++i) {
        int64_t at = (n * a.OH + oy) * a.OW * a.C;
        for (int64_t ox = 0; ox < a.OW; ++ox, at += a.C)
            for (int64_t j = 0; j < a.PW; ++j, dx += a.C)
                for (int64_t c0 = 0; c0 < a.C; c0 += V) {
                    const int64_t c = vector_start(c0, a.C), lanes = lanes_of(a.C, c, total - at - c, stop - dx - c);
                    const vi mine = load_bytes(a.argmax + at + c, lanes) == int32_t(i * a.PW + j);
                    store_lanes(dx + c, floats(bits(load_lanes(a.dy + at + c, lanes)) & mine), lanes);
                }
        memset(dx, 0, size_t(left) * sizeof(float));
        dx += left;
    }
}

// Rows first .. last - 1 of picture n's gradient.
void backward_rows(const MaxPool2dBackward& a, int64_t n, int64_t first, int64_t last) {
    for (int64_t y = first; y < last; ++y) {
        const Range rows = windows_of(y + a.TOP, a.PH, a.SH, a.OH);
        for (int64_t x = 0; x < a.W; ++x) {
            const Range columns = windows_of(x + a.LEFT, a.PW, a.SW, a.OW);
            float* dx = a.dx + ((n * a.H + y) * a.W + x) * a.C;
            Tap taps[kWindowTaps];  // the windows that hold this pixel, and its index in each
            int count = 0;
            for (int64_t oy = rows.begin; oy < rows.end; ++oy)
                for (int64_t ox = columns.begin; ox < columns.end; ++ox)
                    taps[count++] = {((n * a.OH + oy) * a.OW + ox) * a.C,
                                     int32_t((y + a.TOP - oy * a.SH) * a.PW + x + a.LEFT - ox * a.SW)};
            for (int64_t c0 = 0; c0 < a.C; c0 += V) {
                const int64_t c = vector_start(c0, a.C), lanes = at_most(a.C - c, V);
                vf sum = vf{};
                for (int t = 0; t < count; ++t) {
                    const int64_t at = taps[t].at + c;
                    const vi mine = load_bytes(a.argmax + at, lanes) == taps[t].index;
                    sum += select(mine, load_lanes(a.dy + at, lanes), vf{});
                }
                store_lanes(dx + c, sum, lanes);
            }
        }
    }
}

void run_max_pool2d_backward(const MaxPool2dBackward& a) {
    const double work = double(a.N * a.H * a.W * a.C);
    if (side_by_side(a)) {
        const int64_t rows = ceil_div(a.H, a.PH);
        parallel_for(a.N * rows, work, [&](int64_t task) { backward_side_by_side(a, task / rows, task % rows); });
        return;
    }
    const Bands bands = bands_of(a.H, a.W * a.C);
    parallel_for(a.N * bands.count, 2.0 * work, [&](int64_t task) {
        const int64_t first = task % bands.count * bands.rows;
        backward_rows(a, task / bands.count, first, at_most(first + bands.rows, a.H));
    });
}

// Of whole pictures: the place of the winner is that of a pixel. Task = (picture, vector of channels).
void run_global_max_pool2d(const GlobalMaxPool2d& a) {
    const int64_t vectors = ceil_div(a.C, V);
    parallel_for(a.N * vectors, double(a.N * a.INNER * a.C), [=](int64_t task) {
        const int64_t n = task / vectors, c = task % vectors * V, lanes = at_most(a.C - c, V);
        const float* x = a.x + n * a.INNER * a.C + c;
        vf best = broadcast(-__builtin_inff());
        vi winner = vi{};
        for (int64_t i = 0; i < a.INNER; ++i, x += a.C) {
            const vf v = load_lanes(x, lanes);
            const vi better = ~(v <= best) & (best == best);
            best = select(better, v, best);
            winner = (better & int32_t(i)) | (~better & winner);
        }
        store_lanes(a.y + n * a.C + c, best, lanes);
        memcpy(a.argmax + n * a.C + c, &winner, size_t(lanes) * sizeof(int32_t));
    });
}

// Every pixel asks whether it won, so that no place is written to that lies outside. Task = (picture, band of pixels).
void run_global_max_pool2d_backward(const GlobalMaxPool2dBackward& a) {
    const Bands bands = bands_of(a.INNER, a.C);
    parallel_for(a.N * bands.count, double(a.N * a.INNER * a.C), [=](int64_t task) {
        const int64_t n = task / bands.count, first = task % bands.count * bands.rows;
        for (int64_t i = first; i < at_most(first + bands.rows, a.INNER); ++i)
            for (int64_t c0 = 0; c0 < a.C; c0 += V) {
                const int64_t c = vector_start(c0, a.C), lanes = at_most(a.C - c, V);
                vi winner = vi{};
                memcpy(&winner, a.argmax + n * a.C + c, size_t(lanes) * sizeof(int32_t));
                const vi mine = winner == int32_t(i);
                const vf dy = load_lanes(a.dy + n * a.C + c, lanes);
                store_lanes(a.dx + (n * a.INNER + i) * a.C + c, floats(bits(dy) & mine), lanes);
            }
    });
}

}  // namespace

const Kernel kernels::max_pool2d = kernel<run_max_pool2d>();
const Kernel kernels::max_pool2d_backward = kernel<run_max_pool2d_backward>();
const Kernel kernels::global_max_pool2d = kernel<run_global_max_pool2d>();
const Kernel kernels::global_max_pool2d_backward = kernel<run_global_max_pool2d_backward>();

}  // namespace pellucid::PELLUCID_ISA_NAMESPACE
