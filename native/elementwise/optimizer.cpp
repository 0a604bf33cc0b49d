// Optimizers, in place on flat vectors of parameters, in one pass. What changes from step to step (learning rate, step
// number, gradient scale) is read from control[0..2] when the step runs. Memory bound; task = 16 K parameters.
#include "common/flat.hpp"

namespace pellucid::PELLUCID_ISA_NAMESPACE {
namespace {

void run_sgd(const Sgd& a) {
    const float rate = float(a.control[0]), scale = float(a.control[2]);
    const float momentum = float(a.momentum), decay = float(a.weight_decay);
    each_vector_of_all(a.COUNT, 3.0, [=, &a](int64_t i, int64_t lanes) {
        vf p = load_lanes(a.param + i, lanes);
        vf g = load_lanes(a.grad + i, lanes) * scale;
        if (decay != 0.0f) g += decay * p;
        if (a.velocity) {
            const vf v = momentum * load_lanes(a.velocity + i, lanes) - rate * g;
            store_lanes(a.velocity + i, v, lanes);
            p += a.NESTEROV ? momentum * v - rate * g : v;
        } else {
            p -= rate * g;
        }
        store_lanes(a.param + i, p, lanes);
    });
}

double power(double base, int64_t exponent) {
    double result = 1;
    for (; exponent > 0; exponent >>= 1, base *= base)
        if (exponent & 1) result *= base;
    return result;
}

void run_adam(const Adam& a) {
    const int64_t step = int64_t(a.control[1]);
    const double correction = __builtin_sqrt(1.0 - power(a.beta2, step)) / (1.0 - power(a.beta1, step));
    const float rate = float(a.control[0] * correction);  // with both bias corrections in it
    const float scale = float(a.control[2]), beta1 = float(a.beta1), beta2 = float(a.beta2);
    const float rest1 = float(1.0 - a.beta1), rest2 = float(1.0 - a.beta2), epsilon = float(a.epsilon);
    const float decay = float(a.weight_decay), shrink = float(a.control[0] * a.weight_decay);
    each_vector_of_all(a.COUNT, 8.0, [=, &a](int64_t i, int64_t lanes) {
        vf p = load_lanes(a.param + i, lanes);
        vf g = load_lanes(a.grad + i, lanes) * scale;
        if (decay != 0.0f) {
            if (a.DECOUPLED) p -= shrink * p;
            else g += decay * p;
        }
        const vf m = beta1 * load_lanes(a.m + i, lanes) + rest1 * g;
        const vf v = beta2 * load_lanes(a.v + i, lanes) + rest2 * (g * g);
        store_lanes(a.m + i, m, lanes);
        store_lanes(a.v + i, v, lanes);
        store_lanes(a.param + i, p - rate * m / (vsqrt(v) + epsilon), lanes);
    });
}

PELLUCID_INLINE vf gradient(const float* param, const float* grad, const double* control, double weight_decay,
                            int64_t i, int64_t lanes) {
    vf g = load_lanes(grad + i, lanes) * float(control[2]);
    if (weight_decay != 0.0) g += float(weight_decay) * load_lanes(param + i, lanes);
    return g;
}

void run_adagrad(const Adagrad& a) {
    const float rate = float(a.control[0]), epsilon = float(a.epsilon);
    each_vector_of_all(a.COUNT, 6.0, [=, &a](int64_t i, int64_t lanes) {
        const vf g = gradient(a.param, a.grad, a.control, a.weight_decay, i, lanes);
        const vf s = load_lanes(a.square + i, lanes) + g * g;
        store_lanes(a.square + i, s, lanes);
        store_lanes(a.param + i, load_lanes(a.param + i, lanes) - rate * g / vsqrt(s + epsilon), lanes);
    });
}

void run_rmsprop(const Rmsprop& a) {
    const float rate = float(a.control[0]), rho = float(a.rho), rest = float(1.0 - a.rho);
    const float momentum = float(a.momentum), epsilon = float(a.epsilon);
    each_vector_of_all(a.COUNT, 8.0, [=, &a](int64_t i, int64_t lanes) {
        const vf g = gradient(a.param, a.grad, a.control, a.weight_decay, i, lanes);
        vf s = rho * load_lanes(a.square + i, lanes) + rest * (g * g);
        store_lanes(a.square + i, s, lanes);
        if (a.mean) {
            const vf m = rho * load_lanes(a.mean + i, lanes) + rest * g;
            store_lanes(a.mean + i, m, lanes);
            s -= m * m;
        }
        vf u = rate * g / vsqrt(s + epsilon);
        if (a.velocity) {
            u += momentum * load_lanes(a.velocity + i, lanes);
            store_lanes(a.velocity + i, u, lanes);
        }
        store_lanes(a.param + i, load_lanes(a.param + i, lanes) - u, lanes);
    });
}

void run_adadelta(const Adadelta& a) {
    const float rate = float(a.control[0]), rho = float(a.rho), rest = float(1.0 - a.rho), epsilon = float(a.epsilon);
    each_vector_of_all(a.COUNT, 10.0, [=, &a](int64_t i, int64_t lanes) {
        const vf g = gradient(a.param, a.grad, a.control, a.weight_decay, i, lanes);
        const vf s = rho * load_lanes(a.square + i, lanes) + rest * (g * g), d = load_lanes(a.delta + i, lanes);
        const vf u = vsqrt(d + epsilon) / vsqrt(s + epsilon) * g;
        store_lanes(a.square + i, s, lanes);
        store_lanes(a.delta + i, rho * d + rest * (u * u), lanes);
        store_lanes(a.param + i, load_lanes(a.param + i, lanes) - rate * u, lanes);
    });
}

}  // namespace

const Kernel kernels::sgd = kernel<run_sgd>();
const Kernel kernels::adam = kernel<run_adam>();
const Kernel kernels::adagrad = kernel<run_adagrad>();
const Kernel kernels::rmsprop = kernel<run_rmsprop>();
const Kernel kernels::adadelta = kernel<run_adadelta>();

}  // namespace pellucid::PELLUCID_ISA_NAMESPACE
