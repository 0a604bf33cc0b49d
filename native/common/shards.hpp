// Shards of one sum, each added up by a task of its own, added together: always in their order, four vectors at a time,
// since each addition waits for the one before. Shape alone says how many shards there are.
#pragma once
#include "common/kernel.hpp"

namespace pellucid::PELLUCID_ISA_NAMESPACE {
namespace {

constexpr int64_t kShards = 32;            // worth having
constexpr int64_t kShardBytes = 8 << 20;   // of all shards of a sum
constexpr int64_t kShardBlock = 512;       // floats of a task

// total = the sum of `count` shards, shard s at sums + s * size; total may be the first of them.
inline void add_shards(const float* sums, int64_t count, int64_t size, float* total) {
    parallel_for(ceil_div(size, kShardBlock), double(count * size), [=](int64_t task) {
        const int64_t end = at_most((task + 1) * kShardBlock, size);
        int64_t i = task * kShardBlock;
        for (; i + 4 * V <= end; i += 4 * V) {
            vf sum[4];
#pragma GCC unroll 4
            for (int v = 0; v < 4; ++v) sum[v] = load(sums + i + v * V);
            for (int64_t s = 1; s < count; ++s)
#pragma GCC unroll 4
                for (int v = 0; v < 4; ++v) sum[v] += load(sums + s * size + i + v * V);
#pragma GCC unroll 4
            for (int v = 0; v < 4; ++v) store(total + i + v * V, sum[v]);
        }
        for (; i < end; i += V) {
            const int64_t lanes = at_most(end - i, V);
            vf sum = load_lanes(sums + i, lanes);
            for (int64_t s = 1; s < count; ++s) sum += load_lanes(sums + s * size + i, lanes);
            store_lanes(total + i, sum, lanes);
        }
    });
}

}  // namespace
}  // namespace pellucid::PELLUCID_ISA_NAMESPACE
