// Dropout and noise by a counter-based generator: element i is word i % 2 of Threefry-2x32-20 with key (seed, layer) and
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

// each(at, x0, x1): the words of V counters, whose elements begin at `at`, for all of block `task`.
template <typename Each>
PELLUCID_INLINE void each_word(const uint32_t* counter, int64_t layer, int64_t begin, int64_t end, const Each& each) {
    const uint32_t key0 = counter[0], step = counter[1];
    vu lane;
    for (int i = 0; i < V; ++i) lane[i] = uint32_t(i);
    for (int64_t i = begin; i < end; i += kChains * 2 * V) {
        vu x0[kChains], x1[kChains];
#pragma GCC unroll 4
        for (int k = 0; k < kChains; ++k) {
            x0[k] = lane + uint32_t(i / 2 + k * V);
            x1[k] = vu{} + step;
        }
        threefry(key0, uint32_t(layer), x0, x1);
#pragma GCC unroll 4
        for (int k = 0; k < kChains; ++k) each(i + 2 * k * V, x0[k], x1[k]);
    }
}

// Block `task` of y = x / (1 - rate) where kept, else 0, for so many elements; x: ones where it is null.
template <typename A>
void drop_block(const A& a, const float* x, float* y, int64_t count, int64_t task) {
    const int64_t begin = task * kBlock, end = at_most(begin + kBlock, count);
    const uint32_t limit = uint32_t(uint64_t(a.rate * 4294967296.0));
    const float scale = float(1.0 / (1.0 - a.rate));
    each_word(a.counter, a.LAYER, begin, end, [&](int64_t first, vu x0, vu x1) {
        vu words[2];
        interleave(x0, x1, words);
        for (int half = 0; half < 2; ++half) {
            const int64_t at = first + half * V, lanes = at_most(at_least(end - at, 0), V);
            const vf given = x ? load_lanes(x + at, lanes) * scale : broadcast(scale);
            store_lanes(y + at, select(words[half] >= limit, given, vf{}), lanes);
        }
    });
}

void run_dropout(const Dropout& a) {
    const int64_t count = a.N * a.INNER;
    parallel_for(ceil_div(count, kBlock), 20.0 * double(count),
                 [&](int64_t task) { drop_block(a, a.x, a.y, count, task); });
}

// Whole maps: the draw is for (image, channel), and goes over all pixels.
float* factors_of(const SpatialDropout& a, Memory& memory) { return memory.take<float>(a.N * a.C); }

void run_spatial_dropout(const SpatialDropout& a, float* const& factors) {
    const int64_t count = a.N * a.C;
    parallel_for(ceil_div(count, kBlock), 20.0 * double(count),
                 [&](int64_t task) { drop_block(a, nullptr, factors, count, task); });
    parallel_for(a.N, double(a.N * a.INNER * a.C), [&](int64_t n) {
        const float* const factor = factors + n * a.C;
        for (int64_t i = n * a.INNER; i < (n + 1) * a.INNER; ++i)
            for (int64_t c = 0; c < a.C; c += V) {
                const int64_t lanes = at_most(a.C - c, V);
                const vf kept = load_lanes(factor + c, lanes), x = load_lanes(a.x + i * a.C + c, lanes);
                store_lanes(a.y + i * a.C + c, select(kept != 0.0f, x * kept, vf{}), lanes);
            }
    });
}

// cos and sin of 2 pi u, 0 <= u < 1: to within a quarter turn, whose middle is 0, then by polynomials.
PELLUCID_INLINE void turn(vf u, vf* cosine, vf* sine) {
    const vf magic = broadcast(12582912.0f);  // 1.5 * 2^23: adding it rounds to an integer
    const vf shifted = u * 4.0f + magic;
    const vf t = (u * 4.0f - (shifted - magic)) * 1.57079632679489662f, z = t * t;
    vf s = broadcast(-1.9515295891e-4f);
    s = s * z + 8.3321608736e-3f;
    s = s * z - 1.6666654611e-1f;
    s = s * z * t + t;
    vf c = broadcast(2.443315711809948e-5f);
    c = c * z - 1.388731625493765e-3f;
    c = c * z + 4.166664568298827e-2f;
    c = c * z * z - 0.5f * z + 1.0f;
    const vi quarter = bits(shifted) & 3;
    const vi odd = (quarter & 1) != 0;
    const vf x = select(odd, s, c), y = select(odd, c, s);
    *cosine = floats(bits(x) ^ (((quarter + 1) & 2) << 30));
    *sine = floats(bits(y) ^ ((quarter & 2) << 30));
}

// Of both words of a counter a pair of normal numbers. Source: Box & Muller 1958.
void run_gaussian_noise(const GaussianNoise& a) {
    const int64_t count = a.N * a.INNER;
    const float scale = float(a.stddev), least = 5.9604644775390625e-8f;  // 2^-24
    parallel_for(ceil_div(count, kBlock), 40.0 * double(count), [&](int64_t task) {
        const int64_t begin = task * kBlock, end = at_most(begin + kBlock, count);
        each_word(a.counter, a.LAYER, begin, end, [&](int64_t first, vu x0, vu x1) {
            const vf u = (__builtin_convertvector(vi(x0 >> 8), vf) + 1.0f) * least;
            const vf radius = vsqrt(vlog(u) * -2.0f) * scale;
            vf cosine, sine;
            turn(__builtin_convertvector(vi(x1 >> 8), vf) * least, &cosine, &sine);
            vu pairs[2];
            interleave(vu(radius * cosine), vu(radius * sine), pairs);
            for (int half = 0; half < 2; ++half) {
                const int64_t at = first + half * V, lanes = at_most(at_least(end - at, 0), V);
                store_lanes(a.y + at, load_lanes(a.x + at, lanes) + vf(pairs[half]), lanes);
            }
        });
    });
}

}  // namespace

const Kernel kernels::dropout = kernel<run_dropout>();
const Kernel kernels::spatial_dropout = kernel<factors_of, run_spatial_dropout>();
const Kernel kernels::gaussian_noise = kernel<run_gaussian_noise>();

}  // namespace pellucid::PELLUCID_ISA_NAMESPACE
