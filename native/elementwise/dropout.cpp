// Dropout by a counter-based generator: element i is word i % 2 of Threefry-2x32-20 with key (seed, layer) and
// counter (i / 2, step), so that any thread can make any part and the backward pass makes the same mask again.
// Source: Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3". Vectors run over counters,
// four of them at a time: 20 rounds of one are a chain, each step of which waits for the last. Task = 8 K elements.
#include "common/kernel.hpp"

namespace pellucid::PELLUCID_ISA_NAMESPACE {
namespace {

constexpr int kChains = 4;
constexpr int64_t kBlock = 8192;  // a multiple of kChains * 2 * V for every V

template <int BITS>
PELLUCID_INLINE vu rotate(vu x) {
    return (x << BITS) | (x >> (32 - BITS));
}

// kChains counters at a time: each round waits for the one before.
template <int A, int B, int C, int D>
PELLUCID_INLINE void four_rounds(vu* x0, vu* x1) {
#pragma GCC unroll 4
    for (int k = 0; k < kChains; ++k) { x0[k] += x1[k]; x1[k] = rotate<A>(x1[k]) ^ x0[k]; }
#pragma GCC unroll 4
    for (int k = 0; k < kChains; ++k) { x0[k] += x1[k]; x1[k] = rotate<B>(x1[k]) ^ x0[k]; }
#pragma GCC unroll 4
    for (int k = 0; k < kChains; ++k) { x0[k] += x1[k]; x1[k] = rotate<C>(x1[k]) ^ x0[k]; }
#pragma GCC unroll 4
    for (int k = 0; k < kChains; ++k) { x0[k] += x1[k]; x1[k] = rotate<D>(x1[k]) ^ x0[k]; }
}

PELLUCID_INLINE void add_keys(vu* x0, vu* x1, uint32_t a, uint32_t b) {
#pragma GCC unroll 4
    for (int k = 0; k < kChains; ++k) { x0[k] += a; x1[k] += b; }
}

PELLUCID_INLINE void threefry(uint32_t k0, uint32_t k1, vu* x0, vu* x1) {
    const uint32_t k2 = 0x1BD11BDA ^ k0 ^ k1;
    add_keys(x0, x1, k0, k1);
    four_rounds<13, 15, 26, 6>(x0, x1);
    add_keys(x0, x1, k1, k2 + 1);
    four_rounds<17, 29, 16, 24>(x0, x1);
    add_keys(x0, x1, k2, k0 + 2);
    four_rounds<13, 15, 26, 6>(x0, x1);
    add_keys(x0, x1, k0, k1 + 3);
    four_rounds<17, 29, 16, 24>(x0, x1);
    add_keys(x0, x1, k1, k2 + 4);
    four_rounds<13, 15, 26, 6>(x0, x1);
    add_keys(x0, x1, k2, k0 + 5);
}

// The words of V counters in the order of their elements: pairs as 64-bit numbers, low word first. (Shuffles are
// spelt differently by GCC and Clang; a loop over lanes goes through memory, word by word.)
typedef uint32_t vu_half __attribute__((vector_size(2 * V)));
typedef uint64_t vl __attribute__((vector_size(4 * V)));
PELLUCID_INLINE void interleave(vu x0, vu x1, vu* words) {
    vu_half first[2], second[2];
    memcpy(first, &x0, sizeof x0);
    memcpy(second, &x1, sizeof x1);
    for (int half = 0; half < 2; ++half)
        words[half] = (vu)(__builtin_convertvector(first[half], vl) | __builtin_convertvector(second[half], vl) << 32);
}

void drop_block(const Dropout& a, int64_t task) {
    const int64_t begin = task * kBlock, end = at_most(begin + kBlock, a.N * a.INNER);
    const uint32_t limit = uint32_t(uint64_t(a.rate * 4294967296.0)), key0 = a.counter[0], step = a.counter[1];
    const float scale = float(1.0 / (1.0 - a.rate));
    vu lane;
    for (int i = 0; i < V; ++i) lane[i] = uint32_t(i);
    for (int64_t i = begin; i < end; i += kChains * 2 * V) {
        vu x0[kChains], x1[kChains];
#pragma GCC unroll 4
        for (int k = 0; k < kChains; ++k) {
            x0[k] = lane + uint32_t(i / 2 + k * V);
            x1[k] = vu{} + step;
        }
        threefry(key0, uint32_t(a.LAYER), x0, x1);
#pragma GCC unroll 4
        for (int k = 0; k < kChains; ++k) {
            vu words[2];
            interleave(x0[k], x1[k], words);
            for (int half = 0; half < 2; ++half) {
                const int64_t at = i + (2 * k + half) * V, lanes = at_most(at_least(end - at, 0), V);
                store_lanes(a.y + at, select(words[half] >= limit, load_lanes(a.x + at, lanes) * scale, vf{}), lanes);
            }
        }
    }
}

void run_dropout(const Dropout& a) {
    const int64_t count = a.N * a.INNER;
    parallel_for(ceil_div(count, kBlock), 20.0 * double(count), [&](int64_t task) { drop_block(a, task); });
}

}  // namespace

const Kernel kernels::dropout = kernel<run_dropout>();

}  // namespace pellucid::PELLUCID_ISA_NAMESPACE
