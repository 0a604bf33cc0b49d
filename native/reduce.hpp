// Sums over all axes but the last, with the same bits for any number of threads.
//
// The rows (pixels of all pictures) are cut into at most 64 shards by shape alone. A shard adds in double,
// 64 rows at a time in registers (gradients sum to nearly nothing: in float too few digits would be left), and the
// shards' sums are added in order.
#pragma once
#include "vec.hpp"
#include "parallel.hpp"

namespace pellucid {
namespace PELLUCID_ISA_NAMESPACE {
namespace {

constexpr int64_t kReduceShards = 64;
constexpr int64_t kReduceRows = 64;

typedef double vd __attribute__((vector_size(8 * V)));
PELLUCID_INLINE vd widen(vf v) { return __builtin_convertvector(v, vd); }

constexpr int64_t reduce_shards(int64_t rows) { return at_most(at_least(ceil_div(rows, 2 * kReduceRows), 1), kReduceShards); }
// Doubles that a sum of `sums` quantities over `columns` columns needs.
constexpr int64_t reduce_doubles(int64_t sums, int64_t columns) { return kReduceShards * sums * round_up(columns, V); }

// What is summed: terms.add(row, column, lanes, sums) in a struct T with `static constexpr int sums`.
template <typename T>
struct Reduction {
    const T& terms;
    int64_t rows, columns, shards;
    double* partial;  // (shards, sums, columns rounded up)
};

template <typename T>
void reduce_shard(void* context, int64_t shard, Arena&) {
    const Reduction<T>& r = *static_cast<const Reduction<T>*>(context);
    const int64_t begin = r.rows * shard / r.shards, end = r.rows * (shard + 1) / r.shards;
    const int64_t width = round_up(r.columns, V);
    double* partial = r.partial + shard * T::sums * width;
    memset(partial, 0, size_t(T::sums * width) * sizeof(double));
    for (int64_t i = begin; i < end; i += kReduceRows)
        for (int64_t c = 0; c < r.columns; c += V) {
            const int64_t lanes = at_most(r.columns - c, V);
            vd sum[T::sums] = {};
            for (int64_t row = i; row < at_most(i + kReduceRows, end); ++row) r.terms.add(row, c, lanes, sum);
            for (int s = 0; s < T::sums; ++s)
                for (int64_t lane = 0; lane < lanes; ++lane) partial[s * width + c + lane] += sum[s][lane];
        }
}

// result[s][c]: returns the first shard's partial sums, now totals, `round_up(columns, V)` apart.
template <typename T>
const double* reduce_rows(const T& terms, int64_t rows, int64_t columns, double* memory) {
    Reduction<T> r{terms, rows, columns, reduce_shards(rows), memory};
    parallel_for(r.shards, double(rows * columns * T::sums), reduce_shard<T>, &r);
    const int64_t size = T::sums * round_up(columns, V);
    for (int64_t shard = 1; shard < r.shards; ++shard)
        for (int64_t i = 0; i < size; ++i) memory[i] += memory[shard * size + i];
    return memory;
}

}  // namespace
}  // namespace PELLUCID_ISA_NAMESPACE
}  // namespace pellucid
