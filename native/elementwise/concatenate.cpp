// Parts behind one another along an axis, and the parts of a gradient: rows of C floats that lie together are copied to
// their columns of rows WIDTH apart, or from there. Bound by memory. Task = 16 K floats: many short rows, or some
// columns of long ones.
#include "common/flat.hpp"

namespace pellucid::PELLUCID_ISA_NAMESPACE {
namespace {

// Rows of so many floats, that far apart in either place.
void copy_rows(const float* from, int64_t from_row, float* to, int64_t to_row, int64_t rows, int64_t floats) {
    const int64_t step = at_most(floats, kBlock), pieces = ceil_div(floats, step), height = kBlock / step;
    parallel_for(ceil_div(rows, height) * pieces, double(rows * floats), [=](int64_t task) {
        const int64_t begin = task / pieces * height, end = at_most(begin + height, rows);
        const int64_t first = task % pieces * step, last = at_most(first + step, floats);
        for (int64_t row = begin; row < end; ++row)
            for (int64_t i = first; i < last; i += V) {
                const int64_t lanes = at_most(last - i, V);
                store_lanes(to + row * to_row + i, load_lanes(from + row * from_row + i, lanes), lanes);
            }
    });
}

void run_concatenate(const Concatenate& a) { copy_rows(a.x, a.C, a.y + a.FIRST, a.WIDTH, a.N * a.OUTER, a.C); }
void run_split(const Split& a) { copy_rows(a.y + a.FIRST, a.WIDTH, a.x, a.C, a.N * a.OUTER, a.C); }

}  // namespace

const Kernel kernels::concatenate = kernel<run_concatenate>();
const Kernel kernels::split = kernel<run_split>();

}  // namespace pellucid::PELLUCID_ISA_NAMESPACE
