// Vectors of floats and the few functions of them that kernels need. Everything has internal linkage, inside the
// namespace of one instruction set. Only GCC/Clang vector extensions: the compiler picks the instructions.
//
// Largest error measured over every 37th float, with and without FMA: vexp 1.0 ulp (subnormal results included), vlog
// 0.8, vtanh 1.3, vsigmoid 2.4 where its result is normal, vlog1p 2, vpower_negative 3.7 for 3/4 and 6.4 for other exponents (s
// from 1e-3 to 1e3). NaN gives NaN; vexp(+inf) = +inf, vexp(-inf) = 0.
#pragma once
#include <cstddef>
#include <cstdint>
#include <cstring>

#define PELLUCID_INLINE inline __attribute__((always_inline))

namespace pellucid::PELLUCID_ISA_NAMESPACE {
namespace {

constexpr int V = PELLUCID_VECTOR;  // floats in a vector

// Where rows begin anywhere: nearly every load of 16 floats would cross a line of the cache, of 8 half of them.
constexpr int kLoadLanes = V < 8 ? V : 8;
constexpr int64_t kLine = 16;  // floats in a line of the cache

typedef float vf __attribute__((vector_size(4 * V)));
typedef int32_t vi __attribute__((vector_size(4 * V)));
typedef uint32_t vu __attribute__((vector_size(4 * V)));
typedef uint8_t vb __attribute__((vector_size(V)));

constexpr int64_t at_least(int64_t value, int64_t low) { return value < low ? low : value; }
constexpr int64_t at_most(int64_t value, int64_t high) { return value > high ? high : value; }
constexpr int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }
constexpr int64_t round_up(int64_t a, int64_t b) { return ceil_div(a, b) * b; }

PELLUCID_INLINE vf load(const float* p) {
    vf v;
    memcpy(&v, p, sizeof v);
    return v;
}
PELLUCID_INLINE void store(float* p, vf v) { memcpy(p, &v, sizeof v); }

// Past the caches, for results larger than those are: no line is read before it is written. p: aligned to a vector.
// written_around() comes after the last one, before another thread may read.
#if defined(__has_builtin)
#if __has_builtin(__builtin_nontemporal_store)
#define PELLUCID_NONTEMPORAL 1
#endif
#endif
PELLUCID_INLINE void store_around(float* p, vf v) {
#if defined(PELLUCID_NONTEMPORAL)
    __builtin_nontemporal_store(v, reinterpret_cast<vf*>(p));
#elif defined(__AVX512F__)
    __builtin_ia32_movntps512(p, v);
#elif defined(__AVX__) && PELLUCID_VECTOR == 8
    __builtin_ia32_movntps256(p, v);
#elif defined(__SSE__) && PELLUCID_VECTOR == 4
    __builtin_ia32_movntps(p, v);
#else
    store(p, v);
#endif
}
PELLUCID_INLINE void written_around() {
#if defined(__SSE__)
    __builtin_ia32_sfence();
#endif
}

// The first `lanes` floats; the other lanes are zero.
PELLUCID_INLINE vf load_partial(const float* p, int64_t lanes) {
    float buffer[V] = {};
    for (int64_t i = 0; i < lanes; ++i) buffer[i] = p[i];
    return load(buffer);
}

// By powers of two, so that a tail of 6 lanes is two stores and not six.
PELLUCID_INLINE void store_partial(float* p, vf v, int64_t lanes) {
    float buffer[V];
    store(buffer, v);
    const float* from = buffer;
    if (V > 8 && (lanes & 8)) {
        memcpy(p, from, 32);
        p += 8;
        from += 8;
    }
    if (V > 4 && (lanes & 4)) {
        memcpy(p, from, 16);
        p += 4;
        from += 4;
    }
    if (lanes & 2) {
        memcpy(p, from, 8);
        p += 2;
        from += 2;
    }
    if (lanes & 1) memcpy(p, from, 4);
}

PELLUCID_INLINE vf load_lanes(const float* p, int64_t lanes) { return lanes == V ? load(p) : load_partial(p, lanes); }
PELLUCID_INLINE void store_lanes(float* p, vf v, int64_t lanes) {
    if (lanes == V) store(p, v);
    else store_partial(p, v, lanes);
}

// a - 0 is a for every a, also -0; a + 0 is not, and would cost an addition.
PELLUCID_INLINE vf broadcast(float a) { return a - vf{}; }

// The first lanes of v, zero behind them (even for NaN).
constexpr int32_t kLanesAndNone[2 * 16] = {-1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1};
PELLUCID_INLINE vi first_lanes_mask(int64_t lanes) {
    vi mask;
    memcpy(&mask, kLanesAndNone + 16 - lanes, sizeof mask);
    return mask;
}
PELLUCID_INLINE vf first_lanes(vf v, int64_t lanes) { return (vf)(first_lanes_mask(lanes) & (vi)v); }

// Where a vector of channels starts when it should not reach past the last channel: the last one is moved back and
// does a few channels twice (a partial load costs more than that). Only for results that do not depend on being
// written once.
PELLUCID_INLINE int64_t vector_start(int64_t c, int64_t channels) {
    return c + V > channels && channels >= V ? channels - V : c;
}
PELLUCID_INLINE vi bits(vf v) { return (vi)v; }
PELLUCID_INLINE vf floats(vi v) { return (vf)v; }
PELLUCID_INLINE vf select(vi mask, vf a, vf b) { return mask ? a : b; }

// a > b ? a : b, and a < b ? a : b: b where they are equal and where one is NaN. One instruction on x86, which GCC does
// not find by itself.
#if defined(__AVX512F__) && PELLUCID_VECTOR == 16 && !defined(__clang__)
PELLUCID_INLINE vf vmax(vf a, vf b) { return __builtin_ia32_maxps512_mask(a, b, b, -1, 4); }
PELLUCID_INLINE vf vmin(vf a, vf b) { return __builtin_ia32_minps512_mask(a, b, b, -1, 4); }
#elif defined(__AVX__) && PELLUCID_VECTOR == 8 && !defined(__clang__)
PELLUCID_INLINE vf vmax(vf a, vf b) { return __builtin_ia32_maxps256(a, b); }
PELLUCID_INLINE vf vmin(vf a, vf b) { return __builtin_ia32_minps256(a, b); }
#elif defined(__SSE__) && PELLUCID_VECTOR == 4 && !defined(__clang__)
PELLUCID_INLINE vf vmax(vf a, vf b) { return __builtin_ia32_maxps(a, b); }
PELLUCID_INLINE vf vmin(vf a, vf b) { return __builtin_ia32_minps(a, b); }
#else
PELLUCID_INLINE vf vmax(vf a, vf b) { return a > b ? a : b; }
PELLUCID_INLINE vf vmin(vf a, vf b) { return a < b ? a : b; }
#endif
PELLUCID_INLINE vf rectified(vf x) { return vmax(vf{}, x); }  // NaN and -0 stay

PELLUCID_INLINE vf vabs(vf x) { return floats(bits(x) & 0x7fffffff); }

// Between ints and bytes by way of shorts: in one go, GCC takes the vector apart lane by lane.
typedef int16_t vs __attribute__((vector_size(2 * V)));
PELLUCID_INLINE vb to_bytes(vi x) { return __builtin_convertvector(__builtin_convertvector(x, vs), vb); }
PELLUCID_INLINE vi from_bytes(vb x) { return __builtin_convertvector(__builtin_convertvector(x, vs), vi); }
// Some lanes by powers of two: a memcpy of unknown length is a call.
PELLUCID_INLINE vi load_bytes(const uint8_t* p, int64_t lanes) {
    vb bytes = vb{};
    if (lanes == V) {
        memcpy(&bytes, p, V);
        return from_bytes(bytes);
    }
    uint8_t buffer[V] = {};
    uint8_t* to = buffer;
    if (V > 8 && (lanes & 8)) {
        memcpy(to, p, 8);
        p += 8;
        to += 8;
    }
    if (V > 4 && (lanes & 4)) {
        memcpy(to, p, 4);
        p += 4;
        to += 4;
    }
    if (lanes & 2) {
        memcpy(to, p, 2);
        p += 2;
        to += 2;
    }
    if (lanes & 1) *to = *p;
    memcpy(&bytes, buffer, V);
    return from_bytes(bytes);
}
PELLUCID_INLINE void store_bytes(uint8_t* p, vb v, int64_t lanes) {
    if (lanes == V) {
        memcpy(p, &v, V);
        return;
    }
    uint8_t buffer[V];
    memcpy(buffer, &v, V);
    const uint8_t* from = buffer;
    if (V > 8 && (lanes & 8)) {
        memcpy(p, from, 8);
        p += 8;
        from += 8;
    }
    if (V > 4 && (lanes & 4)) {
        memcpy(p, from, 4);
        p += 4;
        from += 4;
    }
    if (lanes & 2) {
        memcpy(p, from, 2);
        p += 2;
        from += 2;
    }
    if (lanes & 1) *p = *from;
}

PELLUCID_INLINE vf vsqrt(vf x) {
    vf y;
    for (int i = 0; i < V; ++i) y[i] = __builtin_sqrtf(x[i]);
    return y;
}

// e^x: x = n ln2 + r, |r| <= ln2/2, a polynomial in r, then 2^n in two factors (so that subnormal results come out).
PELLUCID_INLINE vf vexp(vf x) {
    const vf c = vmax(broadcast(-104.0f), vmin(broadcast(89.0f), x));
    const vf magic = broadcast(12582912.0f);  // 1.5 * 2^23: adding it rounds to an integer
    const vf shifted = c * 1.44269504088896341f + magic;
    const vf n = shifted - magic;
    vf r = c - n * 0.693145751953125f;
    r = r - n * 1.42860682030941723e-6f;
    vf p = broadcast(1.9875691500e-4f);
    p = p * r + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    p = p * (r * r) + r + 1.0f;
    const vi exponent = bits(shifted) - 0x4b400000;
    const vi half = exponent >> 1;
    return p * floats((half + 127) << 23) * floats((exponent - half + 127) << 23);
}

// Natural logarithm of a positive normal number (0 and below are not handled: callers' arguments are > 0).
PELLUCID_INLINE vf vlog(vf x) {
    vi exponent = ((bits(x) - 0x3f3504f3) >> 23);  // so that m lies in [sqrt(1/2), sqrt(2))
    const vf m = floats(bits(x) - (exponent << 23)) - 1.0f;
    vf p = broadcast(7.0376836292e-2f);
    p = p * m - 1.1514610310e-1f;
    p = p * m + 1.1676998740e-1f;
    p = p * m - 1.2420140846e-1f;
    p = p * m + 1.4249322787e-1f;
    p = p * m - 1.6668057665e-1f;
    p = p * m + 2.0000714765e-1f;
    p = p * m - 2.4999993993e-1f;
    p = p * m + 3.3333331174e-1f;
    const vf e = __builtin_convertvector(exponent, vf);
    const vf square = m * m;
    vf y = m * square * p;
    y = y + e * -2.12194440e-4f;
    y = y - square * 0.5f;
    const vf result = m + y + e * 0.693359375f;
    return select(x != x, x, result);
}

// s^-beta for s > 0; 3/4, the usual exponent, needs only square roots.
PELLUCID_INLINE vf vpower_negative(vf s, float beta) {
    if (beta == 0.75f) {
        const vf root = vsqrt(s);
        return 1.0f / (root * vsqrt(root));
    }
    return vexp(vlog(s) * -beta);
}

// 1 / (1 + e^-x). As in vexp, with its own clamps, within which one factor 2^n does (2^128 is +inf and gives 0, below
// x = -88.4, where e^x is subnormal); r there is -r here, which spares the negation. 9 cycles a vector for 13 (AVX2).
PELLUCID_INLINE vf vsigmoid(vf x) {
    const vf c = vmax(broadcast(-89.0f), vmin(broadcast(87.0f), x));  // NaN stays
    const vf magic = broadcast(12582912.0f);
    const vf shifted = c * -1.44269504088896341f + magic;
    const vf n = shifted - magic;
    vf r = c + n * 0.693145751953125f;
    r = r + n * 1.42860682030941723e-6f;
    vf p = broadcast(-1.9875691500e-4f);
    p = p * r + 1.3981999507e-3f;
    p = p * r - 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r - 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    p = p * (r * r) - r + 1.0f;
    return 1.0f / (1.0f + p * floats(vi((vu(bits(shifted)) << 23) + 0x3f800000)));
}

PELLUCID_INLINE vf vtanh(vf x) {
    const vf magnitude = vabs(x);
    const vf z = x * x;
    vf p = broadcast(-5.70498872745e-3f);
    p = p * z + 2.06390887954e-2f;
    p = p * z - 5.37397155531e-2f;
    p = p * z + 1.33314422036e-1f;
    p = p * z - 3.33332819422e-1f;
    const vf small = p * z * x + x;
    const vf large = 1.0f - 2.0f / (vexp(magnitude + magnitude) + 1.0f);
    const vf signed_large = floats(bits(large) | (bits(x) & int32_t(0x80000000)));
    return select(magnitude < 0.625f, small, select(x != x, x, signed_large));
}

// log(1 + t) for t from 0 to 1, as 2 artanh(w) = w p(w^2) with w = t / (2 + t); p within 4e-9 of it, relatively.
PELLUCID_INLINE vf vlog1p(vf t) {
    const vf w = t / (2.0f + t), z = w * w;
    vf p = broadcast(2.8178331903e-1f);
    p = p * z + 2.7960603422e-1f;
    p = p * z + 4.0024910236e-1f;
    p = p * z + 6.6666314683e-1f;
    p = p * z + 2.0f;
    return w * p;
}

// The share of a normal distribution below x, given bell = e^(-x^2 / 2). Below 0 it is bell * t * p(t) with
// t = 1 / (1 + 0.3182 |x|), p within 3.2e-8 of it, relatively: so it is exact far below 0 too.
PELLUCID_INLINE vf vnormal_below(vf x, vf bell) {
    const vf t = 1.0f / (1.0f + vabs(x) * 0.31819805f);
    vf p = broadcast(-2.0695481174e-2f);
    p = p * t + 9.5343626824e-2f;
    p = p * t - 1.5029066898e-1f;
    p = p * t + 7.1199937251e-2f;
    p = p * t - 1.1178668749e-2f;
    p = p * t + 5.9975119574e-2f;
    p = p * t + 8.7626080961e-2f;
    p = p * t + 1.1413581941e-1f;
    p = p * t + 1.2694158146e-1f;
    p = p * t + 1.2694266038e-1f;
    const vf tail = bell * (t * p);
    return select(x > 0.0f, 1.0f - tail, tail);
}

}  // namespace
}  // namespace pellucid::PELLUCID_ISA_NAMESPACE
