// How kernels go through flat vectors (parameters, gradients, moments): task = 16 K numbers, a vector at a time.
#pragma once
#include "common/vec.hpp"
#include "runtime/arguments.hpp"
#include "runtime/parallel.hpp"

namespace pellucid {
namespace PELLUCID_ISA_NAMESPACE {
namespace {

constexpr int64_t kBlock = 16384;

// f(i, lanes) for every vector of the task's block.
template <typename F>
PELLUCID_INLINE void each_vector(int64_t task, int64_t count, F f) {
    const int64_t end = at_most((task + 1) * kBlock, count);
    int64_t i = task * kBlock;
    for (; i + V <= end; i += V) f(i, int64_t(V));
    if (i < end) f(i, end - i);
}

}  // namespace
}  // namespace PELLUCID_ISA_NAMESPACE
}  // namespace pellucid
