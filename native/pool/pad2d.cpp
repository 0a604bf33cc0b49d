// A border around each picture, of zeros or of the picture's own numbers; forward and backward.
//
// Rows are copied whole between the borders. Backward is a gather: a row of dx visits the rows of dy that were made of
// it, in order, so nothing is added twice; of a border of zeros that is one, and cropping is nothing else. Task = (image,
// row of the result).
#include "common/kernel.hpp"

namespace pellucid::PELLUCID_ISA_NAMESPACE {
namespace {

// Which pixel of an axis stands `i` from its first; -1 for none. Reflected borders are narrower than the picture.
PELLUCID_INLINE int64_t source_of(int64_t i, int64_t size, int64_t border) {
    if (i >= 0 && i < size) return i;
    if (border == kConstant) return -1;
    if (border == kEdge) return i < 0 ? 0 : size - 1;
    return i < 0 ? -i : 2 * (size - 1) - i;
}

void pad_row(const Pad2d& a, int64_t task) {
    const int64_t n = task / a.OH, row = source_of(task % a.OH - a.TOP, a.H, a.BORDER);
    float* const y = a.y + task * a.OW * a.C;
    if (row < 0) {
        memset(y, 0, size_t(a.OW * a.C) * sizeof(float));
        return;
    }
    const float* const x = a.x + (n * a.H + row) * a.W * a.C;
    const auto border = [&](int64_t begin, int64_t end) {
        for (int64_t ox = begin; ox < end; ++ox) {
            const int64_t column = source_of(ox - a.LEFT, a.W, a.BORDER);
            if (column < 0) memset(y + ox * a.C, 0, size_t(a.C) * sizeof(float));
            else memcpy(y + ox * a.C, x + column * a.C, size_t(a.C) * sizeof(float));
        }
    };
    border(0, a.LEFT);
    memcpy(y + a.LEFT * a.C, x, size_t(a.W * a.C) * sizeof(float));
    border(a.LEFT + a.W, a.OW);
}

void run_pad2d(const Pad2d& a) {
    parallel_for(a.N * a.OH, double(a.N * a.OH * a.OW * a.C), [&](int64_t task) { pad_row(a, task); });
}

// to += from
PELLUCID_INLINE void add_floats(const float* from, float* to, int64_t count) {
    int64_t i = 0;
    for (; i + V <= count; i += V) store(to + i, load(to + i) + load(from + i));
    for (; i < count; ++i) to[i] += from[i];
}

void gather_row(const Pad2dBackward& a, int64_t task) {
    const int64_t n = task / a.H, y = task % a.H;
    float* const dx = a.dx + task * a.W * a.C;
    const float* const picture = a.dy + n * a.OH * a.OW * a.C;
    memcpy(dx, picture + ((a.TOP + y) * a.OW + a.LEFT) * a.C, size_t(a.W * a.C) * sizeof(float));
    if (a.BORDER == kConstant) return;
    const auto column = [&](const float* dy, int64_t ox) {
        add_floats(dy + ox * a.C, dx + source_of(ox - a.LEFT, a.W, a.BORDER) * a.C, a.C);
    };
    const auto row = [&](int64_t oy) {
        if (source_of(oy - a.TOP, a.H, a.BORDER) != y) return;
        const float* const dy = picture + oy * a.OW * a.C;
        if (oy != a.TOP + y) add_floats(dy + a.LEFT * a.C, dx, a.W * a.C);
        for (int64_t ox = 0; ox < a.LEFT; ++ox) column(dy, ox);
        for (int64_t ox = a.LEFT + a.W; ox < a.OW; ++ox) column(dy, ox);
    };
    for (int64_t oy = 0; oy < a.TOP; ++oy) row(oy);
    row(a.TOP + y);
    for (int64_t oy = a.TOP + a.H; oy < a.OH; ++oy) row(oy);
}

void run_pad2d_backward(const Pad2dBackward& a) {
    parallel_for(a.N * a.H, double(a.N * a.OH * a.OW * a.C), [&](int64_t task) { gather_row(a, task); });
}

}  // namespace

const Kernel kernels::pad2d = kernel<run_pad2d>();
const Kernel kernels::pad2d_backward = kernel<run_pad2d_backward>();

}  // namespace pellucid::PELLUCID_ISA_NAMESPACE
