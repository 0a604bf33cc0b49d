// Shards of one sum, each added up by a task of its own, added together: always in their order, four vectors at a time,
// since each addition waits for the one before. Shape alone says how many shards there are.
#pragma once
#include "common/vec.hpp"
#include "runtime/parallel.hpp"

namespace pellucid {
namespace PELLUCID_ISA_NAMESPACE {
namespace {

constexpr int64_t kShardBlock = 512;  // floats of a task

struct Shards {
    const float* sums;  // shard s at s * size
    int64_t count, size;
    float* total;  // may be the first shard
};

inline void add_shards_block(void* context, int64_t task, Arena&) {
    const Shards& p = *static_cast<const Shards*>(context);
    const int64_t end = at_most((task + 1) * kShardBlock, p.size);
    int64_t i = task * kShardBlock;
    for (; i + 4 * V <= end; i += 4 * V) {
        vf sum[4];
#pragma GCC unroll 4
        for (int v = 0; v < 4; ++v) sum[v] = load(p.sums + i + v * V);
        for (int64_t s = 1; s < p.count; ++s)
#pragma GCC unroll 4
            for (int v = 0; v < 4; ++v) sum[v] += load(p.sums + s * p.size + i + v * V);
#pragma GCC unroll 4
        for (int v = 0; v < 4; ++v) store(p.total + i + v * V, sum[v]);
    }
    for (; i < end; i += V) {
        const int64_t lanes = at_most(end - i, V);
        vf sum = load_lanes(p.sums + i, lanes);
        for (int64_t s = 1; s < p.count; ++s) sum += load_lanes(p.sums + s * p.size + i, lanes);
        store_lanes(p.total + i, sum, lanes);
    }
}

inline void add_shards(Shards p) {
    parallel_for(ceil_div(p.size, kShardBlock), double(p.count * p.size), add_shards_block, &p);
}

}  // namespace
}  // namespace PELLUCID_ISA_NAMESPACE
}  // namespace pellucid
