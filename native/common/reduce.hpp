// Sums over all axes but the last, with the same bits for any number of threads.
//
// The rows (pixels of all pictures) are cut into at most 64 shards by shape alone. A shard adds in double,
// 64 rows at a time in registers (gradients sum to nearly nothing: in float too few digits would be left), and the
// shards' sums are added in order.
#pragma once
#include "common/kernel.hpp"

namespace pellucid::PELLUCID_ISA_NAMESPACE {
namespace {

constexpr int64_t kReduceShards = 64;
constexpr int64_t kReduceRows = 64;

// A vector of V doubles as two halves of a register each: as one double-width vector GCC keeps it in memory (8 times
// slower).
constexpr int kHalf = V / 2;
typedef float vf_half __attribute__((vector_size(4 * kHalf)));
typedef double vd_half __attribute__((vector_size(8 * kHalf)));
struct vd {
    vd_half low, high;
};
PELLUCID_INLINE vd widen(vf v) {
    vf_half halves[2];
    memcpy(halves, &v, sizeof v);
    return {__builtin_convertvector(halves[0], vd_half), __builtin_convertvector(halves[1], vd_half)};
}
PELLUCID_INLINE vd minus(vd a, vd b) { return {a.low - b.low, a.high - b.high}; }
PELLUCID_INLINE void add_to(vd& sum, vd a) {
    sum.low += a.low;
    sum.high += a.high;
}
PELLUCID_INLINE void add_product(vd& sum, vd a, vd b) {
    sum.low += a.low * b.low;
    sum.high += a.high * b.high;
}

constexpr int64_t reduce_shards(int64_t rows) {
    return at_most(at_least(ceil_div(rows, 2 * kReduceRows), 1), kReduceShards);
}
// Doubles that a sum of `sums` quantities over `columns` columns needs.
constexpr int64_t reduce_doubles(int64_t sums, int64_t columns) { return kReduceShards * sums * round_up(columns, V); }

// partial (sums, columns rounded up) = what terms.add(row, column, lanes, sums) adds for the rows [begin, end) of
// `rows` that may be read; terms is a struct T with `static constexpr int sums`. before(first, last) makes a few rows,
// just before they are added.
template <typename T, typename Before>
void reduce_shard(const T& terms, int64_t begin, int64_t end, int64_t rows, int64_t columns, double* partial,
                  const Before& before) {
    const int64_t width = round_up(columns, V);
    memset(partial, 0, size_t(T::sums * width) * sizeof(double));
    for (int64_t i = begin; i < end; i += kReduceRows) {
        const int64_t stop = at_most(i + kReduceRows, end);
        before(i, stop);
        for (int64_t c0 = 0; c0 < columns; c0 += V) {
            const int64_t c = vector_start(c0, columns), lanes = at_most(columns - c, V);
            vd sum[T::sums] = {};
            // A whole vector wherever the rows after it are there to be read, which are many where columns are few;
            // what they say of other columns is not used.
            const int64_t beyond = lanes == V ? 0 : ceil_div(c + V - columns, columns);
            const int64_t whole = at_least(at_most(stop, rows - beyond), i);
            int64_t row = i;
            for (; row < whole; ++row) terms.add(row, c, V, sum);
            for (; row < stop; ++row) terms.add(row, c, lanes, sum);
            for (int s = 0; s < T::sums; ++s) {
                double lane_sums[V];
                memcpy(lane_sums, &sum[s], sizeof lane_sums);
                for (int64_t lane = c0 - c; lane < lanes; ++lane) partial[s * width + c + lane] += lane_sums[lane];
            }
        }
    }
}

// As reduce_rows of terms_of(0), terms_of(1), ...: those of block b stand at memory + b * shards * sums * width.
// made: whether `before` makes what is summed, so that another shard's rows may not be read.
template <typename T, typename Of, typename Before>
void reduce_blocks(const Of& terms_of, int64_t blocks, int64_t rows, int64_t columns, double* memory, bool made,
                   const Before& before) {
    const int64_t shards = reduce_shards(rows), size = T::sums * round_up(columns, V);
    parallel_for(blocks * shards, double(blocks * rows * columns * T::sums), [&](int64_t task) {
        const int64_t block = task / shards, shard = task % shards;
        const int64_t begin = rows * shard / shards, end = rows * (shard + 1) / shards;
        reduce_shard(terms_of(block), begin, end, made ? end : rows, columns, memory + task * size, before);
    });
    for (int64_t block = 0; block < blocks; ++block) {
        double* const total = memory + block * shards * size;
        for (int64_t shard = 1; shard < shards; ++shard)
            for (int64_t i = 0; i < size; ++i) total[i] += total[shard * size + i];
    }
}
template <typename T, typename Of>
void reduce_blocks(const Of& terms_of, int64_t blocks, int64_t rows, int64_t columns, double* memory) {
    reduce_blocks<T>(terms_of, blocks, rows, columns, memory, false, [](int64_t, int64_t) {});
}

// result[s][c]: returns the first shard's partial sums, now totals, `round_up(columns, V)` apart.
template <typename T, typename Before>
const double* reduce_rows(const T& terms, int64_t rows, int64_t columns, double* memory, bool made,
                          const Before& before) {
    reduce_blocks<T>([&](int64_t) { return terms; }, 1, rows, columns, memory, made, before);
    return memory;
}
template <typename T>
const double* reduce_rows(const T& terms, int64_t rows, int64_t columns, double* memory) {
    return reduce_rows(terms, rows, columns, memory, false, [](int64_t, int64_t) {});
}

}  // namespace
}  // namespace pellucid::PELLUCID_ISA_NAMESPACE
