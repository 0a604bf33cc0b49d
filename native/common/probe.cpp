// The machine's own limit, measured beside the kernels: how many multiply-adds a second this instruction set does when
// nothing but registers is involved. Every task runs ROUNDS rounds of 12 independent vectors, more than latency times
// throughput of any processor so far; memory bandwidth is measured with `add` on arrays larger than the caches.
#include "common/kernel.hpp"

namespace pellucid::PELLUCID_ISA_NAMESPACE {
namespace {

constexpr int kChains = 12;

void run_fma_probe(const FmaProbe& a) {
    parallel_for(a.TASKS, double(a.TASKS) * double(a.ROUNDS) * kChains * V, [&](int64_t task) {
        vf sum[kChains];
        for (int i = 0; i < kChains; ++i) sum[i] = broadcast(float(i + task));
        const vf factor = broadcast(float(a.factor)), term = broadcast(float(1.0 - a.factor));
        for (int64_t round = 0; round < a.ROUNDS; ++round)
#pragma GCC unroll 12
            for (int i = 0; i < kChains; ++i) sum[i] = sum[i] * factor + term;
        vf total = sum[0];
        for (int i = 1; i < kChains; ++i) total += sum[i];
        a.out[task] = total[0];
    });
}

}  // namespace

const Kernel kernels::fma_probe = kernel<run_fma_probe>();

}  // namespace pellucid::PELLUCID_ISA_NAMESPACE
