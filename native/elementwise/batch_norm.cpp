// Batch normalisation: y = f(gamma * (x - mean) / sqrt(variance + epsilon) + beta + addend).
//
// One pass for mean and variance (common/reduce.hpp), then one that ends in the sum with another value and the
// activation. Backward likewise, by the activation as x gives it again, so that y is not read, unless something was
// added. Vectors run over channels throughout. Task = a block of pixels.
#include "common/activation.hpp"
#include "elementwise/normalization.hpp"

namespace pellucid::PELLUCID_ISA_NAMESPACE {
namespace {

// Per-channel tables, padded to whole vectors.
struct ChannelTables {
    float *centre, *slope, *shift;  // y = (x - centre) * slope + shift
    float *mean, *back, *pull;      // dx = (dy - mean) * slope + back - x * pull
    double* sums;
};

template <typename Arguments, int SUMS>
ChannelTables channel_tables(const Arguments& a, Memory& memory) {
    const int64_t width = round_up(a.C, V);
    float* const first = memory.take<float>(6 * width);
    return {first, first + width, first + 2 * width, first + 3 * width, first + 4 * width, first + 5 * width,
            memory.take<double>(reduce_doubles(SUMS, a.C))};
}
void clear(const ChannelTables& t, int64_t channels) {
    memset(t.centre, 0, size_t(6 * round_up(channels, V)) * sizeof(float));
}

constexpr int64_t kRowsTogether = 8;

// Rows first .. last - 1: column(c) gives f(at, lanes, done) for the vectors of a column, what belongs to it in
// registers. done: lanes at the beginning that another column has dealt with.
template <typename Column>
PELLUCID_INLINE void each_row(int64_t first, int64_t last, int64_t columns, const Column& column) {
    for (int64_t i = first; i < last; i += kRowsTogether)
        for (int64_t c0 = 0; c0 < columns; c0 += V) {
            const int64_t c = vector_start(c0, columns), lanes = at_most(columns - c, V);
            const auto f = column(c);
            const int64_t end = at_most(i + kRowsTogether, last);
            for (int64_t row = i; row < end; ++row) f(row * columns + c, lanes, c0 - c);
        }
}
template <typename Column>
void each_row_of_all(int64_t rows, int64_t columns, const Column& column) {
    const int64_t block = block_rows(columns);
    parallel_for(ceil_div(rows, block), 3.0 * double(rows * columns), [=](int64_t task) {
        each_row(task * block, at_most((task + 1) * block, rows), columns, column);
    });
}

// Where what was read may lie: lanes that are done already stay.
PELLUCID_INLINE void store_over(float* p, vf v, int64_t lanes, int64_t done) {
    store_lanes(p, done ? select(first_lanes_mask(done), load(p), v) : v, lanes);
}

// with(KIND as a type) where it is usual behind batch norm; of the others it is known when they run.
struct Kind {
    int64_t value;
};
template <typename With>
void with_usual(int64_t kind, const With& with) {
    if (kind == kLinear) return with(Constant<kLinear>{});
    if (kind == kRelu) return with(Constant<kRelu>{});
    with(Kind{kind});
}

// y = f((x - centre) * slope + shift + addend); `addend` may be absent.
void transform(const float* x, const float* addend, float* y, const ChannelTables& t, int64_t rows, int64_t columns,
               int64_t kind, const Numbers& numbers) {
    with_usual(kind, [&](auto known) {
        each_row_of_all(rows, columns, [=](int64_t c) {
            const vf centre = load(t.centre + c), slope = load(t.slope + c), shift = load(t.shift + c);
            return [=](int64_t at, int64_t lanes, int64_t) {
                vf v = (load_lanes(x + at, lanes) - centre) * slope + shift;
                if (addend) v += load_lanes(addend + at, lanes);
                store_lanes(y + at, activated(v, known.value, numbers), lanes);
            };
        });
    });
}

// Sums of x - centre and of its square. With a number of the channel's own as centre, n rows' variance loses at most the
// digits of n: no number lies further from the mean than sqrt(n) deviations.
struct Deviations {
    static constexpr int sums = 2;
    const float *x, *centre;
    int64_t columns;
    PELLUCID_INLINE void add(int64_t row, int64_t c, int64_t lanes, vd* out) const {
        const vd d = minus(widen(load_lanes(x + row * columns + c, lanes)), widen(load(centre + c)));
        add_to(out[0], d);
        add_product(out[1], d, d);
    }
};

// dy taken through the activation behind batch norm, by y or by what x gives again.
template <typename Known>
struct Through {
    const float *dy, *x, *y;
    ChannelTables t;
    Numbers numbers;
    Known kind;
    PELLUCID_INLINE vf operator()(int64_t at, int64_t c, int64_t lanes) const {
        const vf d = load_lanes(dy + at, lanes);
        if (kind.value == kLinear) return d;
        if (y) return derived(d, load_lanes(y + at, lanes), kind.value, numbers);
        const vf v = (load_lanes(x + at, lanes) - load(t.centre + c)) * load(t.slope + c) + load(t.shift + c);
        return derived(d, activated(v, kind.value, numbers), kind.value, numbers);
    }
};

// Sums of dy, taken through the activation, and of that * (x - mean).
template <typename Known>
struct GradientsThrough {
    static constexpr int sums = 2;
    Through<Known> through;
    int64_t columns;
    PELLUCID_INLINE void add(int64_t row, int64_t c, int64_t lanes, vd* out) const {
        const int64_t at = row * columns + c;
        const vd d = widen(through(at, c, lanes));
        add_to(out[0], d);
        add_product(out[1], d, widen(load_lanes(through.x + at, lanes) - load(through.t.centre + c)));
    }
};

// ChannelTables of y by x; nothing else is in them.
template <typename Arguments>
void take_forward(const Arguments& a, const ChannelTables& t, const float* mean, const float* variance, const float* beta) {
    clear(t, a.C);
    for (int64_t c = 0; c < a.C; ++c) {
        t.centre[c] = mean[c];
        t.slope[c] = float(double(a.gamma[c]) * inverse_deviation(variance[c], a.epsilon));
        t.shift[c] = beta ? beta[c] : 0.0f;
    }
}

void run_batch_norm(const BatchNorm& a, const ChannelTables& t) {
    const int64_t rows = a.N * a.INNER, width = round_up(a.C, V);
    if (rows == 0) return;
    clear(t, a.C);
    for (int64_t c = 0; c < a.C; ++c) t.centre[c] = a.x[c];
    const double* sums = reduce_rows(Deviations{a.x, t.centre, a.C}, rows, a.C, t.sums);
    for (int64_t c = 0; c < a.C; ++c) {
        const double away = sums[c] / double(rows), variance = sums[width + c] / double(rows) - away * away;
        a.mean[c] = float(double(t.centre[c]) + away);
        a.variance[c] = float(variance < 0 ? 0 : variance);
    }
    if (!a.y) return;
    take_forward(a, t, a.mean, a.variance, a.beta);
    transform(a.x, a.addend, a.y, t, rows, a.C, a.ACTIVATION, numbers_of(a));
}

void run_batch_norm_inference(const BatchNormInference& a, const ChannelTables& t) {
    take_forward(a, t, a.mean, a.variance, a.beta);
    transform(a.x, a.addend, a.y, t, a.N * a.INNER, a.C, a.ACTIVATION, numbers_of(a));
}

// dx = gamma * inv * (dy - mean(dy) - xhat * mean(dy * xhat)), with xhat = (x - mean) * inv, dy as it comes through the
// activation; where that is the gradient of what was added too, it is written, and read again. dx or daddend may lie
// where dy does.
template <typename Known>
void batch_norm_backward(const BatchNormBackward& a, const ChannelTables& t, Known kind) {
    const int64_t rows = a.N * a.INNER, width = round_up(a.C, V), C = a.C;
    float *const dx = a.dx, *const daddend = a.daddend;
    take_forward(a, t, a.mean, a.variance, a.beta);
    using Linear = Constant<kLinear>;
    const Through<Known> through{a.dy, a.x, a.y, t, numbers_of(a), kind};
    const Through<Linear> written{daddend, a.x, nullptr, t, {}, {}};
    const double* sums = !daddend ? reduce_rows(GradientsThrough<Known>{through, C}, rows, C, t.sums)
                                  : reduce_rows(GradientsThrough<Linear>{written, C}, rows, C, t.sums, true,
                                                [=](int64_t first, int64_t last) {
        each_row(first, last, C, [=](int64_t c) {
            return [=](int64_t at, int64_t lanes, int64_t done) {
                store_over(daddend + at, through(at, c, lanes), lanes, done);
            };
        });
    });
    for (int64_t c = 0; c < C; ++c) {
        const double inverse = inverse_deviation(a.variance[c], a.epsilon), scale = double(a.gamma[c]) * inverse;
        const double pull = scale * inverse * inverse * sums[width + c] / double(rows);
        a.dbeta[c] = float(sums[c]);
        a.dgamma[c] = float(sums[width + c] * inverse);
        t.pull[c] = float(pull);
        t.mean[c] = float(sums[c] / double(rows));
        t.back[c] = float(pull * double(a.mean[c]));
    }
    const auto pass = [=](auto from) {
        each_row_of_all(rows, C, [=](int64_t c) {
            const vf mean = load(t.mean + c), slope = load(t.slope + c), back = load(t.back + c), pull = load(t.pull + c);
            return [=](int64_t at, int64_t lanes, int64_t done) {
                const vf v = (from(at, c, lanes) - mean) * slope + back;
                store_over(dx + at, v - load_lanes(from.x + at, lanes) * pull, lanes, done);
            };
        });
    };
    if (!dx) return;
    if (daddend) pass(written);
    else pass(through);
}

void run_batch_norm_backward(const BatchNormBackward& a, const ChannelTables& t) {
    with_usual(a.ACTIVATION, [&](auto known) { batch_norm_backward(a, t, known); });
}

}  // namespace

const Kernel kernels::batch_norm = kernel<channel_tables<BatchNorm, 2>, run_batch_norm>();
const Kernel kernels::batch_norm_inference = kernel<channel_tables<BatchNormInference, 0>, run_batch_norm_inference>();
const Kernel kernels::batch_norm_backward = kernel<channel_tables<BatchNormBackward, 2>, run_batch_norm_backward>();

}  // namespace pellucid::PELLUCID_ISA_NAMESPACE
