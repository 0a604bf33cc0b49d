// How kernels go through flat vectors (parameters, gradients, moments): task = 16 K numbers, a vector at a time.
#pragma once
#include "common/kernel.hpp"

namespace pellucid::PELLUCID_ISA_NAMESPACE {
namespace {

constexpr int64_t kBlock = 16384;

// f(i, lanes) for every vector of block `task`.
template <typename F>
PELLUCID_INLINE void each_vector(int64_t task, int64_t count, F f) {
    const int64_t end = at_most((task + 1) * kBlock, count);
    int64_t i = task * kBlock;
    for (; i + V <= end; i += V) f(i, int64_t(V));
    if (i < end) f(i, end - i);
}

// The same of all blocks, shared out; `cost`: operations a number.
template <typename F>
void each_vector_of_all(int64_t count, double cost, const F& f) {
    parallel_for(ceil_div(count, kBlock), cost * double(count), [=](int64_t task) { each_vector(task, count, f); });
}

}  // namespace
}  // namespace pellucid::PELLUCID_ISA_NAMESPACE
