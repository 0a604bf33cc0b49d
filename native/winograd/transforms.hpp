// The transforms of Winograd's minimal filtering along one axis, F(m, r): what winograd/winograd.hpp applies to
// columns, then rows.
#pragma once
#include "common/vec.hpp"

namespace pellucid::PELLUCID_ISA_NAMESPACE {
namespace {

// One axis of each transform; `from` and `to` are the lengths, `step` the distance of windows.
//
// F(4x4) interpolates at 0, +-3/4, +-3/2 and infinity. The usual points 0, +-1, +-2 need a few multiplications less but
// magnify roundings 4 times as much: largest error of 64 -> 16 channels in units of eps * the sum of absolute values,
// by simulation: 17.2 for (1, 2), 16.0 (1/2, 1), 7.4 (1/2, 3/2), 4.5 (5/8, 3/2), 3.7 (1/sqrt 2, sqrt 2), 4.0 for
// (3/4, 3/2), whose squares are exact in binary.
constexpr float kA = 0.75f, kB = 1.5f;
constexpr float kA2 = kA * kA, kB2 = kB * kB, kA3 = kA * kA2, kB3 = kB * kB2;
constexpr float kN0 = 1 / (kA2 * kB2), kNA = 1 / (2 * kA2 * (kA2 - kB2)), kNB = 1 / (2 * kB2 * (kB2 - kA2));
struct Input4 {  // B^T
    static constexpr int from = 6, to = 6, step = 4;
    static constexpr int pairs[3][2] = {{1, 2}, {3, 4}, {0, 5}};  // of results that share sums
    static constexpr bool watched(int i) { return i == 0 || i == 5; }  // see winograd/range.hpp
    PELLUCID_INLINE static void apply(const vf* d, vf* r) {
        const vf a = d[4] - kB2 * d[2], b = kA * (d[3] - kB2 * d[1]);
        const vf c = d[4] - kA2 * d[2], e = kB * (d[3] - kA2 * d[1]);
        r[0] = (kA2 * kB2) * d[0] - (kA2 + kB2) * d[2] + d[4];
        r[1] = a + b;
        r[2] = a - b;
        r[3] = c + e;
        r[4] = c - e;
        r[5] = (kA2 * kB2) * d[1] - (kA2 + kB2) * d[3] + d[5];
    }
};
struct Kernel4 {  // G
    static constexpr int from = 3, to = 6;
    PELLUCID_INLINE static void apply(const vf* g, vf* r) {
        const vf a = g[0] * kNA + g[2] * (kA2 * kNA), b = g[1] * (kA * kNA);
        const vf c = g[0] * kNB + g[2] * (kB2 * kNB), e = g[1] * (kB * kNB);
        r[0] = g[0] * kN0;
        r[1] = a + b;
        r[2] = a - b;
        r[3] = c + e;
        r[4] = c - e;
        r[5] = g[2];
    }
};
struct Output4 {  // A^T
    static constexpr int from = 6, to = 4;
    PELLUCID_INLINE static void apply(const vf* m, vf* r) {
        const vf a = m[1] + m[2], b = m[1] - m[2], c = m[3] + m[4], e = m[3] - m[4];
        r[0] = m[0] + a + c;
        r[1] = kA * b + kB * e;
        r[2] = kA2 * a + kB2 * c;
        r[3] = kA3 * b + kB3 * e + m[5];
    }
};
struct OutputGradient4 {  // A
    static constexpr int from = 4, to = 6, step = 4;
    static constexpr bool watched(int i) { return i == 1 || i == 2; }
    PELLUCID_INLINE static void apply(const vf* y, vf* r) {
        const vf a = y[0] + kA2 * y[2], b = kA * y[1] + kA3 * y[3];
        const vf c = y[0] + kB2 * y[2], e = kB * y[1] + kB3 * y[3];
        r[0] = y[0];
        r[1] = a + b;
        r[2] = a - b;
        r[3] = c + e;
        r[4] = c - e;
        r[5] = y[3];
    }
};
struct KernelGradient4 {  // G^T
    static constexpr int from = 6, to = 3;
    PELLUCID_INLINE static void apply(const vf* u, vf* r) {
        const vf a = (u[1] + u[2]) * kNA, b = (u[1] - u[2]) * kNA, c = (u[3] + u[4]) * kNB, e = (u[3] - u[4]) * kNB;
        r[0] = u[0] * kN0 + a + c;
        r[1] = kA * b + kB * e;
        r[2] = kA2 * a + kB2 * c + u[5];
    }
};
struct F4 {
    static constexpr int tile = 4, kernel = 3, window = 6, points = 36;
    static constexpr bool spreads = true;  // roundings to results that do not need the number (kernels' gradients: all)
    using Input = Input4;
    using Kernel = Kernel4;
    using Output = Output4;
    using OutputGradient = OutputGradient4;
    using KernelGradient = KernelGradient4;
};

// F(4, 5) along rows (winograd/rows.cpp): 0, +-1, +-2, +-1/2 and infinity. Of all triples of 3/8, 1/2, 5/8, 3/4, 1,
// 5/4, 3/2, 7/4, 2 and 5/2 these magnify roundings least, by simulation of 5 rows: root mean square 1.03, largest 8
// units of eps * the sum of absolute values; 1, 2, 3 magnify 8 times as much.
struct Input8 {  // B^T: x (x^2 - 1) (x^2 - 4) (x^2 - 1/4), divided by each factor
    static constexpr int from = 8, to = 8, step = 4;
    PELLUCID_INLINE static void apply(const vf* d, vf* r) {
        const vf a = d[2] - 4.25f * d[4] + d[6], b = d[1] - 4.25f * d[3] + d[5];
        const vf c = 0.25f * d[2] - 1.25f * d[4] + d[6], e = 2.0f * (0.25f * d[1] - 1.25f * d[3] + d[5]);
        const vf f = 4.0f * d[2] - 5.0f * d[4] + d[6], g = 0.5f * (4.0f * d[1] - 5.0f * d[3] + d[5]);
        r[0] = d[6] - d[0] + 5.25f * (d[2] - d[4]);
        r[1] = a + b;
        r[2] = a - b;
        r[3] = c + e;
        r[4] = c - e;
        r[5] = f + g;
        r[6] = f - g;
        r[7] = d[7] - d[1] + 5.25f * (d[3] - d[5]);
    }
};
struct Kernel8 {  // G
    static constexpr int from = 5, to = 8;
    PELLUCID_INLINE static void apply(const vf* g, vf* r) {
        constexpr float n1 = float(-1 / 4.5), n2 = float(1 / 90.0), n3 = float(1 / 1.40625);
        const vf a = n1 * (g[0] + g[2] + g[4]), b = n1 * (g[1] + g[3]);
        const vf c = n2 * (g[0] + 4.0f * g[2] + 16.0f * g[4]), e = n2 * (2.0f * g[1] + 8.0f * g[3]);
        const vf f = n3 * (g[0] + 0.25f * g[2] + 0.0625f * g[4]), h = n3 * (0.5f * g[1] + 0.125f * g[3]);
        r[0] = -g[0];
        r[1] = a + b;
        r[2] = a - b;
        r[3] = c + e;
        r[4] = c - e;
        r[5] = f + h;
        r[6] = f - h;
        r[7] = g[4];
    }
};
struct Output8 {  // A^T
    static constexpr int from = 8, to = 4;
    PELLUCID_INLINE static void apply(const vf* m, vf* r) {
        const vf a = m[1] + m[2], b = m[1] - m[2], c = m[3] + m[4], e = m[3] - m[4], f = m[5] + m[6], g = m[5] - m[6];
        r[0] = m[0] + a + (c + f);
        r[1] = b + 2.0f * e + 0.5f * g;
        r[2] = a + 4.0f * c + 0.25f * f;
        r[3] = b + 8.0f * e + (0.125f * g + m[7]);
    }
};

// F(2x2, 5x5): windows and points of F(4x4, 3x3), two pixels apart. Measured errors in units of eps * the largest sum
// of absolute values: 1 to 5 forward, 1 to 7 to the input, 4 to 22 to the kernel (most where few tiles are summed).
struct Input5 : Input4 {
    static constexpr int step = 2;
};
struct Kernel5 {
    static constexpr int from = 5, to = 6;
    PELLUCID_INLINE static void apply(const vf* g, vf* r) {
        const vf a = g[0] * kNA + g[2] * (kA2 * kNA) + g[4] * (kA2 * kA2 * kNA);
        const vf b = g[1] * (kA * kNA) + g[3] * (kA3 * kNA);
        const vf c = g[0] * kNB + g[2] * (kB2 * kNB) + g[4] * (kB2 * kB2 * kNB);
        const vf e = g[1] * (kB * kNB) + g[3] * (kB3 * kNB);
        r[0] = g[0] * kN0;
        r[1] = a + b;
        r[2] = a - b;
        r[3] = c + e;
        r[4] = c - e;
        r[5] = g[4];
    }
};
struct Output5 {
    static constexpr int from = 6, to = 2;
    PELLUCID_INLINE static void apply(const vf* m, vf* r) {
        r[0] = m[0] + (m[1] + m[2]) + (m[3] + m[4]);
        r[1] = kA * (m[1] - m[2]) + kB * (m[3] - m[4]) + m[5];
    }
};
struct OutputGradient5 {
    static constexpr int from = 2, to = 6, step = 2;
    static constexpr bool watched(int i) { return i == 1 || i == 2; }
    PELLUCID_INLINE static void apply(const vf* y, vf* r) {
        const vf a = kA * y[1], b = kB * y[1];
        r[0] = y[0];
        r[1] = y[0] + a;
        r[2] = y[0] - a;
        r[3] = y[0] + b;
        r[4] = y[0] - b;
        r[5] = y[1];
    }
};
struct KernelGradient5 {
    static constexpr int from = 6, to = 5;
    PELLUCID_INLINE static void apply(const vf* u, vf* r) {
        const vf a = (u[1] + u[2]) * kNA, b = (u[1] - u[2]) * kNA, c = (u[3] + u[4]) * kNB, e = (u[3] - u[4]) * kNB;
        r[0] = u[0] * kN0 + a + c;
        r[1] = kA * b + kB * e;
        r[2] = kA2 * a + kB2 * c;
        r[3] = kA3 * b + kB3 * e;
        r[4] = (kA2 * kA2) * a + (kB2 * kB2) * c + u[5];
    }
};
struct F5 {
    static constexpr int tile = 2, kernel = 5, window = 6, points = 36;
    static constexpr bool spreads = false;
    using Input = Input5;
    using Kernel = Kernel5;
    using Output = Output5;
    using OutputGradient = OutputGradient5;
    using KernelGradient = KernelGradient5;
};

struct Input2 {
    static constexpr int from = 4, to = 4, step = 2;
    static constexpr bool watched(int i) { return i != 2; }
    PELLUCID_INLINE static void apply(const vf* d, vf* r) {
        r[0] = d[0] - d[2];
        r[1] = d[1] + d[2];
        r[2] = d[2] - d[1];
        r[3] = d[1] - d[3];
    }
};
struct Kernel2 {
    static constexpr int from = 3, to = 4;
    PELLUCID_INLINE static void apply(const vf* g, vf* r) {
        const vf even = (g[0] + g[2]) * 0.5f, odd = g[1] * 0.5f;
        r[0] = g[0];
        r[1] = even + odd;
        r[2] = even - odd;
        r[3] = g[2];
    }
};
struct Output2 {
    static constexpr int from = 4, to = 2;
    PELLUCID_INLINE static void apply(const vf* m, vf* r) {
        r[0] = m[0] + m[1] + m[2];
        r[1] = m[1] - m[2] - m[3];
    }
};
struct OutputGradient2 {
    static constexpr int from = 2, to = 4, step = 2;
    static constexpr bool watched(int i) { return i == 1 || i == 2; }
    PELLUCID_INLINE static void apply(const vf* y, vf* r) {
        r[0] = y[0];
        r[1] = y[0] + y[1];
        r[2] = y[0] - y[1];
        r[3] = -y[1];
    }
};
struct KernelGradient2 {
    static constexpr int from = 4, to = 3;
    PELLUCID_INLINE static void apply(const vf* u, vf* r) {
        const vf even = (u[1] + u[2]) * 0.5f;
        r[0] = u[0] + even;
        r[1] = (u[1] - u[2]) * 0.5f;
        r[2] = even + u[3];
    }
};
struct F2 {
    static constexpr int tile = 2, kernel = 3, window = 4, points = 16;
    static constexpr bool spreads = false;
    using Input = Input2;
    using Kernel = Kernel2;
    using Output = Output2;
    using OutputGradient = OutputGradient2;
    using KernelGradient = KernelGradient2;
};

}  // namespace
}  // namespace pellucid::PELLUCID_ISA_NAMESPACE
