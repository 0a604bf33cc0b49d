// Softmax, its joint loss with cross-entropy, losses that are means over a picture's numbers (binary cross-entropy from
// logits, squared and absolute error), and the running totals of an epoch. Rows are short (classes), so one row is one
// loop: maximum, vectorised exponentials into a scratch row, sums in double in order. Task = 16 rows, or a picture whose
// pixels have a row each (elementwise/pixel_loss.hpp).
#include "elementwise/pixel_loss.hpp"

namespace pellucid::PELLUCID_ISA_NAMESPACE {
namespace {

constexpr int64_t kRows = 16;  // of a task, at most: pictures with more rows are a task each

// The index NumPy's argmax gives: the first largest, or the first NaN.
int64_t argmax(const float* row, int64_t count) {
    int64_t best = 0;
    for (int64_t i = 1; i < count; ++i)
        if (row[i] > row[best] || (row[i] != row[i] && row[best] == row[best])) best = i;
    return best;
}

// out = exp(row - largest); returns the sum. NaN in the row makes everything NaN.
double exponentials(const float* row, int64_t count, float largest, float* out) {
    for (int64_t i = 0; i < count; i += V) {
        const int64_t lanes = at_most(count - i, V);
        if (lanes == V) store(out + i, vexp(load(row + i) - largest));
        else store_partial(out + i, vexp(load_partial(row + i, lanes) - largest), lanes);
    }
    double sum = 0;
    for (int64_t i = 0; i < count; ++i) sum += double(out[i]);
    return sum;
}

// row(n) for each of N, or row(n, scratch) with room for `room` numbers; `cost`: operations of one, which has `rows`.
template <typename Row>
void each_row(int64_t N, double cost, int64_t room, int64_t rows, const Row& row) {
    const int64_t together = at_least(kRows / at_least(rows, 1), 1);
    parallel_for(ceil_div(N, together), cost * double(N), [=](int64_t task, Arena& arena) {
        float* scratch;
        take(arena, piece(scratch, room));
        for (int64_t n = task * together; n < at_most((task + 1) * together, N); ++n) call(row, scratch, n);
    });
}

void run_softmax(const Softmax& a) {
    if (a.K == 0) return;
    each_row(a.N * a.INNER, 8.0 * double(a.K), 0, 1, [&](int64_t n) {
        const float* x = a.x + n * a.K;
        float* y = a.y + n * a.K;
        const float scale = float(1.0 / exponentials(x, a.K, x[argmax(x, a.K)], y));
        for (int64_t i = 0; i < a.K; ++i) y[i] *= scale;
    });
}

void run_softmax_backward(const SoftmaxBackward& a) {
    each_row(a.N * a.INNER, 4.0 * double(a.K), 0, 1, [&](int64_t n) {
        const float *dy = a.dy + n * a.K, *y = a.y + n * a.K;
        double dot = 0;
        for (int64_t i = 0; i < a.K; ++i) dot += double(dy[i]) * double(y[i]);
        for (int64_t i = 0; i < a.K; ++i) a.dx[n * a.K + i] = y[i] * (dy[i] - float(dot));
    });
}

// ln of a double of at least 1 (a sum of exponentials, the largest of them 1).
double logarithm(double x) {
    double scale = 0;
    while (x > 2.0) {
        x *= 0.5;
        scale += 1;
    }
    return log_of_mantissa(x) + scale * 0.69314718055994530942;
}

// One row of logits: its loss, which is returned, whether the answer is right, and the gradient times `scale`.
double judge_row(const SoftmaxCrossEntropy& a, int64_t row, double scale, float* p, int64_t& hits) {
    const double spread = a.label_smoothing / double(a.K), keep = 1.0 - a.label_smoothing;
    const float* z = a.logits + row * a.K;
    const float* target = a.targets ? a.targets + row * a.K : nullptr;
    const int64_t label = target ? 0 : a.labels[row];
    const int64_t best = argmax(z, a.K);
    const double sum = exponentials(z, a.K, z[best], p);
    const double log_sum = sum == sum && sum < 1e300 ? logarithm(sum) : sum;
    const double top = double(z[best]) + log_sum;
    double loss = 0;
    for (int64_t i = 0; i < a.K; ++i) {  // a target of 0 adds nothing, not even 0 * inf
        const double t = (target ? double(target[i]) : double(i == label)) * keep + spread;
        if (t != 0) loss += t * (top - double(z[i]));
    }
    hits += best == (target ? argmax(target, a.K) : label);
    if (a.answers) a.answers[row] = int32_t(best);
    if (a.dlogits)
        for (int64_t i = 0; i < a.K; ++i) {
            const double t = (target ? double(target[i]) : double(i == label)) * keep + spread;
            a.dlogits[row * a.K + i] = float(scale * (double(p[i]) / sum - t));
        }
    return loss;
}

// A row that is not counted.
void pass_over(const SoftmaxCrossEntropy& a, int64_t row) {
    if (a.answers) a.answers[row] = int32_t(argmax(a.logits + row * a.K, a.K));
    if (a.dlogits) memset(a.dlogits + row * a.K, 0, size_t(a.K) * sizeof(float));
}

// A picture's rows in order: the same sums on any number of threads.
void run_softmax_cross_entropy(const SoftmaxCrossEntropy& a, Context& context) {
    const int64_t room = by_pixels(a) ? a.K * V : a.K;
    each_row(a.N, 16.0 * double(a.K * a.INNER), room, a.INNER, [=, &a, &context](int64_t n, float* p) {
        const int64_t begin = n * a.INNER, end = begin + a.INNER;
        int64_t counted = a.targets ? a.INNER : 0, hits = 0;
        for (int64_t row = begin; row < end && !a.targets; ++row) {
            const int64_t label = a.labels[row];
            counted += label != a.IGNORED;
            if (label != a.IGNORED && (label < 0 || label >= a.K)) {
                __atomic_store_n(&context.status, kLabelOutOfRange, __ATOMIC_RELAXED);
                return;
            }
        }
        double loss = 0;
        const double scale = (a.weights ? double(a.weights[n]) : 1.0) / (double(a.N) * double(at_least(counted, 1)));
        if (by_pixels(a)) loss = judge_pixels(a, begin, end, scale, p, hits);
        for (int64_t row = begin; row < end && !by_pixels(a); ++row) {
            if (!a.targets && a.labels[row] == a.IGNORED) {
                pass_over(a, row);
                continue;
            }
            const double weight = a.class_weights && !a.targets ? double(a.class_weights[a.labels[row]]) : 1.0;
            loss += weight * judge_row(a, row, weight * scale, p, hits);
        }
        a.losses[n] = float(loss / double(at_least(counted, 1)));
        if (a.hits) a.hits[n] = float(double(hits) / double(at_least(counted, 1)));
    });
}

void run_count_classes(const CountClasses& a, Context& context) {
    double *const both = a.counts, *const labels = both + a.K, *const answers = labels + a.K;
    for (int64_t i = 0; i < a.N * a.INNER; ++i) {
        const int64_t label = a.labels[i], answer = a.answers[i];
        if (label == a.IGNORED) continue;
        if (label < 0 || label >= a.K || answer < 0 || answer >= a.K) {
            context.status = kLabelOutOfRange;
            return;
        }
        both[label] += label == answer;
        labels[label] += 1;
        answers[answer] += 1;
    }
}

// ln(1 + e) for e in [0, 1] to the last digit also where 1 + e is 1: Goldberg 1991, theorem 4.
PELLUCID_INLINE vf log_of_one_plus(vf e) {
    const vf u = 1.0f + e, rest = u - 1.0f;
    return select(rest == 0.0f, e, vlog(u) * (e / select(rest == 0.0f, u, rest)));
}

// Loss and derivative of each lane.
PELLUCID_INLINE vf judged(int64_t kind, vf z, vf t, vf& derivative) {
    const vf difference = z - t;
    if (kind == kSquaredError) {
        derivative = 2.0f * difference;
        return difference * difference;
    }
    if (kind == kAbsoluteError) {
        const vf one = broadcast(1.0f);
        derivative = select(difference > 0.0f, one, select(difference < 0.0f, -one, difference));  // 0 and NaN stay
        return vabs(difference);
    }
    derivative = vsigmoid(z) - t;
    return rectified(z) - z * t + log_of_one_plus(vexp(-vabs(z)));
}

float hits_of(const float* z, const float* t, int64_t count, int64_t accuracy) {
    if (accuracy == kNoHits) return 0.0f;
    if (accuracy == kCategorical) return float(argmax(z, count) == argmax(t, count));
    int64_t right = 0;
    for (int64_t i = 0; i < count; ++i) right += (z[i] > 0.0f) == (t[i] > 0.5f);
    return float(double(right) / double(count));
}

void run_elementwise_loss(const ElementwiseLoss& a) {
    const float keep = float(1.0 - a.label_smoothing), spread = float(a.label_smoothing / 2);
    each_row(a.N, 16.0 * double(a.INNER), 0, 1, [=, &a](int64_t n) {
        const float *z = a.prediction + n * a.INNER, *t = a.targets + n * a.INNER;
        const float scale = float((a.weights ? double(a.weights[n]) : 1.0) / (double(a.N) * double(a.INNER)));
        double loss = 0;
        for (int64_t i = 0; i < a.INNER; i += V) {
            const int64_t lanes = at_most(a.INNER - i, V);
            vf derivative, wanted = load_lanes(t + i, lanes);
            if (a.label_smoothing != 0.0) wanted = wanted * keep + spread;
            const vf each = judged(a.LOSS, load_lanes(z + i, lanes), wanted, derivative);
            for (int64_t lane = 0; lane < lanes; ++lane) loss += double(each[lane]);
            if (a.dprediction) store_lanes(a.dprediction + n * a.INNER + i, derivative * scale, lanes);
        }
        a.losses[n] = float(loss / double(a.INNER));
        if (a.hits) a.hits[n] = hits_of(z, t, a.INNER, a.ACCURACY);
    });
}

void run_accumulate(const Accumulate& a) {
    double loss = 0, hits = 0;
    for (int64_t n = 0; n < a.N; ++n) {
        loss += double(a.losses[n]) * (a.weights ? double(a.weights[n]) : 1.0);
        if (a.hits) hits += double(a.hits[n]);
    }
    a.totals[0] += loss;
    a.totals[1] += hits;
    a.totals[2] += double(a.N);
}

// Put before the optimizer, it keeps a loss that is no number from reaching the parameters.
void run_stop_unless_finite(const StopUnlessFinite& a, Context& context) {
    for (int64_t i = 0; i < a.COUNT; ++i)
        if (!(a.x[i] - a.x[i] == 0.0)) context.status = kNotFinite;
}

}  // namespace

const Kernel kernels::softmax = kernel<run_softmax>();
const Kernel kernels::softmax_backward = kernel<run_softmax_backward>();
const Kernel kernels::softmax_cross_entropy = kernel<run_softmax_cross_entropy>();
const Kernel kernels::count_classes = kernel<run_count_classes>();
const Kernel kernels::elementwise_loss = kernel<run_elementwise_loss>();
const Kernel kernels::accumulate = kernel<run_accumulate>();
const Kernel kernels::stop_unless_finite = kernel<run_stop_unless_finite>();

}  // namespace pellucid::PELLUCID_ISA_NAMESPACE
