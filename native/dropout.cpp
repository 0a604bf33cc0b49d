// Dropout by a counter-based generator: element i is word i % 2 of Threefry-2x32-20 with key (seed, layer) and
// counter (i / 2, step), so that any thread can make any part and the backward pass makes the same mask again.
// Source: Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3". Vectors run over counters. Task = 8 K
// elements.
#include "vec.hpp"
#include "arguments.hpp"
#include "parallel.hpp"

namespace pellucid {
namespace PELLUCID_ISA_NAMESPACE {
namespace {

constexpr int64_t kBlock = 8192;  // a multiple of 2 * V for every V

template <int BITS>
PELLUCID_INLINE vu rotate(vu x) {
    return (x << BITS) | (x >> (32 - BITS));
}

template <int A, int B, int C, int D>
PELLUCID_INLINE void four_rounds(vu& x0, vu& x1) {
    x0 += x1; x1 = rotate<A>(x1) ^ x0;
    x0 += x1; x1 = rotate<B>(x1) ^ x0;
    x0 += x1; x1 = rotate<C>(x1) ^ x0;
    x0 += x1; x1 = rotate<D>(x1) ^ x0;
}

PELLUCID_INLINE void threefry(uint32_t k0, uint32_t k1, vu& x0, vu& x1) {
    const uint32_t k2 = 0x1BD11BDA ^ k0 ^ k1;
    x0 += k0; x1 += k1;
    four_rounds<13, 15, 26, 6>(x0, x1);
    x0 += k1; x1 += k2 + 1;
    four_rounds<17, 29, 16, 24>(x0, x1);
    x0 += k2; x1 += k0 + 2;
    four_rounds<13, 15, 26, 6>(x0, x1);
    x0 += k0; x1 += k1 + 3;
    four_rounds<17, 29, 16, 24>(x0, x1);
    x0 += k1; x1 += k2 + 4;
    four_rounds<13, 15, 26, 6>(x0, x1);
    x0 += k2; x1 += k0 + 5;
}

void dropout_block(void* context, int64_t task, Arena&) {
    const Dropout& a = *static_cast<const Dropout*>(context);
    const int64_t begin = task * kBlock, end = at_most(begin + kBlock, a.N * a.INNER);
    const uint32_t limit = uint32_t(uint64_t(a.rate * 4294967296.0));
    const float scale = float(1.0 / (1.0 - a.rate));
    vu lane;
    for (int i = 0; i < V; ++i) lane[i] = uint32_t(i);
    for (int64_t i = begin; i < end; i += 2 * V) {
        vu x0 = lane + uint32_t(i / 2), x1 = vu{} + a.counter[1];
        threefry(a.counter[0], uint32_t(a.LAYER), x0, x1);
        uint32_t first[V], second[V], words[2 * V];
        memcpy(first, &x0, sizeof x0);
        memcpy(second, &x1, sizeof x1);
        for (int j = 0; j < V; ++j) {
            words[2 * j] = first[j];
            words[2 * j + 1] = second[j];
        }
        for (int half = 0; half < 2; ++half) {
            const int64_t at = i + half * V, lanes = at_most(at_least(end - at, 0), V);
            vu word;
            memcpy(&word, words + half * V, sizeof word);
            store_lanes(a.y + at, select(word >= limit, load_lanes(a.x + at, lanes) * scale, vf{}), lanes);
        }
    }
}

void dropout(const void* arguments, Context&) {
    const Dropout& a = *static_cast<const Dropout*>(arguments);
    const int64_t count = a.N * a.INNER;
    parallel_for(ceil_div(count, kBlock), 20.0 * double(count), dropout_block, const_cast<Dropout*>(&a));
}

const Kernel kKernels[] = {{"dropout", dropout, nullptr}};

}  // namespace

extern const Family dropout_family;
const Family dropout_family = {kKernels, 1};

}  // namespace PELLUCID_ISA_NAMESPACE
}  // namespace pellucid
