// Which algorithm a convolution runs: by shape and instruction set alone, never by threads, timings or the batch, so
// that a picture's result does not depend on what else is in its batch.
//
// The model counts cycles of one picture, two multiply-adds of a vector a cycle:
//     direct    pixels * 9 * C * vectors(O) / 2
//     Winograd  tiles * points * C * vectors(O) / 2, plus for each tile the transforms of vectors(C) and vectors(O)
// A tile at the edge costs as much as any other, which is what speaks against Winograd at 1 to 3 pixels; the transforms
// speak against it when channels are few on either side.
#pragma once
#include "vec.hpp"
#include "arguments.hpp"

namespace pellucid {
namespace PELLUCID_ISA_NAMESPACE {
namespace {

// Cycles to transform one vector of channels of one tile, measured (Zen 3): loads, two passes, stores.
constexpr double kInputCycles4 = 130, kOutputCycles4 = 110, kInputCycles2 = 50, kOutputCycles2 = 45;

template <typename Arguments>
bool winograd_applies(const Arguments& a) {
    return a.KH == 3 && a.KW == 3 && a.SH == 1 && a.SW == 1 && a.DH == 1 && a.DW == 1 && a.GROUPS == 1;
}

// Of a convolution from `from` to `to` channels with H x W results a picture (of the gradient that is computed).
inline int64_t choose_algorithm(int64_t H, int64_t W, int64_t from, int64_t to) {
    const double in = double(ceil_div(from, V)), out = double(ceil_div(to, V));
    const double direct = double(H * W) * 9 * double(from) * out / 2;
    const double four = double(ceil_div(H, 4) * ceil_div(W, 4)) *
                        (18 * double(from) * out + kInputCycles4 * in + kOutputCycles4 * out);
    const double two = double(ceil_div(H, 2) * ceil_div(W, 2)) *
                       (8 * double(from) * out + kInputCycles2 * in + kOutputCycles2 * out);
    const int64_t best = two < 0.9 * four ? kWinograd2 : kWinograd4;
    return (best == kWinograd2 ? two : four) < 0.9 * direct ? best : kDirect;
}

inline int64_t algorithm_of(const Conv2d& a) {
    if (a.ALGORITHM != kChoose) return a.ALGORITHM;
    return winograd_applies(a) ? choose_algorithm(a.OH, a.OW, a.C, a.O) : int64_t(kDirect);
}
inline int64_t algorithm_of(const Conv2dBackwardInput& a) {
    if (a.ALGORITHM != kChoose) return a.ALGORITHM;
    return winograd_applies(a) ? choose_algorithm(a.H, a.W, a.O, a.C) : int64_t(kDirect);
}
inline int64_t algorithm_of(const Conv2dBackwardKernel& a) {
    if (a.ALGORITHM != kChoose) return a.ALGORITHM;
    return winograd_applies(a) ? choose_algorithm(a.OH, a.OW, a.C, a.O) : int64_t(kDirect);
}
template <typename Arguments>
int64_t algorithm_number(const void* arguments) {
    return algorithm_of(*static_cast<const Arguments*>(arguments));
}

// Kernels of winograd.cpp and winograd_kernel.cpp, in the order forward, to input; to the kernel.
}  // namespace
extern const Family winograd_family;
extern const Family winograd_kernel_family;
}  // namespace PELLUCID_ISA_NAMESPACE
}  // namespace pellucid
