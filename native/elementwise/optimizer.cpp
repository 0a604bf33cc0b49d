// Optimizers, in place on flat vectors of parameters, in one pass. What changes from step to step (learning rate, step
// number, gradient scale) is read from control[0..2] when the step runs. Memory bound; task = 16 K parameters.
#include "common/flat.hpp"

namespace pellucid::PELLUCID_ISA_NAMESPACE {
namespace {

// param[i] = step(i, lanes, p, g): g scaled and with the weight decay in it, or, where that is decoupled, p shrunk by it.
template <typename Arguments, typename F>
void each_parameter(const Arguments& a, double cost, F step) {
    const float scale = float(a.control[2]), decay = a.DECOUPLED ? 0.0f : float(a.weight_decay);
    const float shrink = a.DECOUPLED ? float(a.control[0] * a.weight_decay) : 0.0f;
    each_vector_of_all(a.COUNT, cost, [=](int64_t i, int64_t lanes) {
        vf p = load_lanes(a.param + i, lanes), g = load_lanes(a.grad + i, lanes) * scale;
        if (decay != 0.0f) g += decay * p;
        if (shrink != 0.0f) p -= shrink * p;
        store_lanes(a.param + i, step(i, lanes, p, g), lanes);
    });
}

// A moment after moment = kept * moment + more.
PELLUCID_INLINE vf moved(float* moment, float kept, vf more, int64_t i, int64_t lanes) {
    const vf v = kept * load_lanes(moment + i, lanes) + more;
    store_lanes(moment + i, v, lanes);
    return v;
}

double power(double base, int64_t exponent) {
    double result = 1;
    for (; exponent > 0; exponent >>= 1, base *= base)
        if (exponent & 1) result *= base;
    return result;
}

void run_sgd(const Sgd& a) {
    const float rate = float(a.control[0]), momentum = float(a.momentum);
    each_parameter(a, 3.0, [=](int64_t i, int64_t lanes, vf p, vf g) {
        if (!a.velocity) return p - rate * g;
        const vf v = moved(a.velocity, momentum, -(rate * g), i, lanes);
        return p + (a.NESTEROV ? momentum * v - rate * g : v);
    });
}

void run_adam(const Adam& a) {
    const int64_t step = int64_t(a.control[1]);
    const double correction = __builtin_sqrt(1.0 - power(a.beta2, step)) / (1.0 - power(a.beta1, step));
    const float rate = float(a.control[0] * correction);  // with both bias corrections in it
    const float beta1 = float(a.beta1), beta2 = float(a.beta2), epsilon = float(a.epsilon);
    const float rest1 = float(1.0 - a.beta1), rest2 = float(1.0 - a.beta2);
    each_parameter(a, 8.0, [=](int64_t i, int64_t lanes, vf p, vf g) {
        const vf m = moved(a.m, beta1, rest1 * g, i, lanes);
        vf v = moved(a.v, beta2, rest2 * (g * g), i, lanes);
        if (a.v_max) store_lanes(a.v_max + i, v = vmax(load_lanes(a.v_max + i, lanes), v), lanes);
        return p - rate * m / (vsqrt(v) + epsilon);
    });
}

void run_adamax(const Adamax& a) {
    const float rate = float(a.control[0] / (1.0 - power(a.beta1, int64_t(a.control[1])))), rest1 = float(1.0 - a.beta1);
    const float beta1 = float(a.beta1), beta2 = float(a.beta2), epsilon = float(a.epsilon);
    each_parameter(a, 8.0, [=](int64_t i, int64_t lanes, vf p, vf g) {
        const vf m = moved(a.m, beta1, rest1 * g, i, lanes);
        const vf u = vmax(beta2 * load_lanes(a.u + i, lanes), vabs(g));
        store_lanes(a.u + i, u, lanes);
        return p - rate * m / (u + epsilon);
    });
}

void run_nadam(const Nadam& a) {
    const int64_t step = int64_t(a.control[1]);
    // beta1 of step t is beta1 (1 - 0.96^t / 2): this step's, the next one's, and the product of all until now. From a
    // thousand steps on it is beta1 itself.
    double product = power(a.beta1, step), fallen = 0.5;
    for (int64_t t = 1; t <= (step < 1000 ? step : 1000); ++t) product *= 1.0 - (fallen *= 0.96);
    const double after = a.beta1 * (1.0 - 0.5 * power(0.96, step + 1));
    const double now = a.beta1 * (1.0 - 0.5 * power(0.96, step));
    const float from_m = float(a.control[0] * after / (1.0 - product * after));
    const float from_g = float(a.control[0] * (1.0 - now) / (1.0 - product));
    const float correction = float(1.0 / (1.0 - power(a.beta2, step)));
    const float beta1 = float(a.beta1), beta2 = float(a.beta2), epsilon = float(a.epsilon);
    const float rest1 = float(1.0 - a.beta1), rest2 = float(1.0 - a.beta2);
    each_parameter(a, 8.0, [=](int64_t i, int64_t lanes, vf p, vf g) {
        const vf m = moved(a.m, beta1, rest1 * g, i, lanes), v = moved(a.v, beta2, rest2 * (g * g), i, lanes);
        return p - (from_m * m + from_g * g) / (vsqrt(v * correction) + epsilon);
    });
}

void run_lion(const Lion& a) {
    const float rate = float(a.control[0]), beta1 = float(a.beta1), beta2 = float(a.beta2);
    const float rest1 = float(1.0 - a.beta1), rest2 = float(1.0 - a.beta2);
    each_parameter(a, 3.0, [=](int64_t i, int64_t lanes, vf p, vf g) {
        const vf way = beta1 * load_lanes(a.m + i, lanes) + rest1 * g;
        moved(a.m, beta2, rest2 * g, i, lanes);
        // its sign; 0 and NaN are their own
        return p - rate * select(way > 0.0f, broadcast(1.0f), select(way < 0.0f, broadcast(-1.0f), way));
    });
}

void run_adagrad(const Adagrad& a) {
    const float rate = float(a.control[0]), epsilon = float(a.epsilon);
    each_parameter(a, 6.0, [=](int64_t i, int64_t lanes, vf p, vf g) {
        return p - rate * g / vsqrt(moved(a.square, 1.0f, g * g, i, lanes) + epsilon);
    });
}

void run_rmsprop(const Rmsprop& a) {
    const float rate = float(a.control[0]), rho = float(a.rho), rest = float(1.0 - a.rho);
    const float momentum = float(a.momentum), epsilon = float(a.epsilon);
    each_parameter(a, 8.0, [=](int64_t i, int64_t lanes, vf p, vf g) {
        vf s = moved(a.square, rho, rest * (g * g), i, lanes);
        if (a.mean) {
            const vf m = moved(a.mean, rho, rest * g, i, lanes);
            s -= m * m;
        }
        const vf u = rate * g / vsqrt(s + epsilon);
        return p - (a.velocity ? moved(a.velocity, momentum, u, i, lanes) : u);
    });
}

void run_adadelta(const Adadelta& a) {
    const float rate = float(a.control[0]), rho = float(a.rho), rest = float(1.0 - a.rho), epsilon = float(a.epsilon);
    each_parameter(a, 10.0, [=](int64_t i, int64_t lanes, vf p, vf g) {
        const vf s = moved(a.square, rho, rest * (g * g), i, lanes), d = load_lanes(a.delta + i, lanes);
        const vf u = vsqrt(d + epsilon) / vsqrt(s + epsilon) * g;
        store_lanes(a.delta + i, rho * d + rest * (u * u), lanes);
        return p - rate * u;
    });
}

void run_ftrl(const Ftrl& a) {
    if (a.control[0] == 0.0) return;  // its steps are divided by the rate
    const double inverse_rate = 1.0 / a.control[0];
    const float inverse = float(inverse_rate), shrinkage = float(2.0 * a.l2_shrinkage), l1 = float(a.l1);
    const float curvature = float(2.0 * a.l2 + a.beta * inverse_rate);
    each_parameter(a, 10.0, [=](int64_t i, int64_t lanes, vf p, vf g) {
        const vf before = vsqrt(load_lanes(a.square + i, lanes));
        const vf root = vsqrt(moved(a.square, 1.0f, g * g, i, lanes));
        const vf z = moved(a.linear, 1.0f, g + shrinkage * p - (root - before) * inverse * p, i, lanes);
        const vf beyond = vmax(broadcast(-l1), vmin(broadcast(l1), z)) - z;  // 0 between -l1 and l1
        return beyond / (root * inverse + curvature);
    });
}

}  // namespace

const Kernel kernels::sgd = kernel<run_sgd>();
const Kernel kernels::adam = kernel<run_adam>();
const Kernel kernels::adamax = kernel<run_adamax>();
const Kernel kernels::nadam = kernel<run_nadam>();
const Kernel kernels::lion = kernel<run_lion>();
const Kernel kernels::adagrad = kernel<run_adagrad>();
const Kernel kernels::rmsprop = kernel<run_rmsprop>();
const Kernel kernels::adadelta = kernel<run_adadelta>();
const Kernel kernels::ftrl = kernel<run_ftrl>();

}  // namespace pellucid::PELLUCID_ISA_NAMESPACE
