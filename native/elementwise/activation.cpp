// Elementwise kernels on flat arrays: activations and their gradients (functions of y, or of x), and addition.
// Blocks of 16 K floats a task, one vector at a time; memory bound, so nothing more is done. In place is allowed.
#include "common/activation.hpp"
#include "common/flat.hpp"

namespace pellucid::PELLUCID_ISA_NAMESPACE {
namespace {

// out[i] = f(a[i], b[i])
template <typename F>
void map(const float* a, const float* b, float* out, int64_t count, double cost, F f) {
    each_vector_of_all(count, cost, [=](int64_t i, int64_t lanes) {
        store_lanes(out + i, f(load_lanes(a + i, lanes), load_lanes(b + i, lanes)), lanes);
    });
}

void run_activation(const Activation& a) {
    const Numbers numbers = numbers_of(a);
    with_any_activation(a.ACTIVATION, [&](auto kind) {
        map(a.x, a.x, a.y, a.N * a.INNER, runs_behind(a.ACTIVATION, numbers) ? 8 : 1,
            [=](vf x, vf) { return activated(x, kind.value, numbers); });
    });
}

void run_activation_backward(const ActivationBackward& a) {
    const Numbers numbers = numbers_of(a);
    with_any_activation(a.ACTIVATION, [&](auto kind) {
        map(a.dy, a.y, a.dx, a.N * a.INNER, 1, [=](vf dy, vf y) {
            return reads_input(kind.value) ? dy * derivative(y, kind.value, numbers) : derived(dy, y, kind.value, numbers);
        });
    });
}

void run_add(const Add& a) {
    map(a.x, a.y, a.y, a.N * a.INNER, 1, [](vf x, vf y) { return y + x; });
}

}  // namespace

const Kernel kernels::activation = kernel<run_activation>();
const Kernel kernels::activation_backward = kernel<run_activation_backward>();
const Kernel kernels::add = kernel<run_add>();

}  // namespace pellucid::PELLUCID_ISA_NAMESPACE
