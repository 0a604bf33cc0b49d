// Convolutions between batch norms, whose maps are never written normalised: what both kinds of them share.
//
// The batch norm in front of a convolution and its activation, f((x - mean) * slope + shift), are applied as x is read;
// mean and variance of what is written are summed up while it lies in L2. Back, dy is the gradient of the result of the
// batch norm behind, already taken through its activation, and with its sums known (dgamma, dbeta) that of the
// convolution follows number by number as dy is read; the gradient written is taken through the activation in front, and
// summed up. Sums are in double, over the rows of a shard; shards depend on shape alone and are added in order.
#pragma once
#include "common/activation.hpp"
#include "common/gather_gemm.hpp"
#include "conv/conv2d.hpp"
#include "elementwise/normalization.hpp"

namespace pellucid::PELLUCID_ISA_NAMESPACE {
namespace {

constexpr int64_t kNormShards = 64;
constexpr int64_t kRowsTogether = 4;  // for which a vector of the tables is loaded once; more are too many streams of memory

// The same convolution of a few pictures, as the kernel that does it alone takes it.
#define PELLUCID_SAME(name) to.name = from.name;
template <typename To, typename From>
To convolution_of(const From& from, int64_t pictures) {
    To to{};
    PELLUCID_CONV_SIZES(PELLUCID_SAME)
    to.ALGORITHM = from.ALGORITHM;
    to.N = pictures;
    return to;
}
#undef PELLUCID_SAME

// The batch norm in front of x, and the activation. No mean: there is none.
struct Front {
    const float *mean, *shift;
    float* slope;
    int64_t kind;
    Numbers numbers;
};
template <typename Arguments>
Front front_of(const Arguments& a, Memory& memory) {
    const bool there = a.x_gamma && a.x_beta && a.x_mean && a.x_variance;
    return {there ? a.x_mean : nullptr, a.x_beta, memory.take<float>(there ? a.C : 0), a.ACTIVATION, numbers_of(a)};
}
template <typename Arguments>
void fill(const Front& front, const Arguments& a) {
    for (int64_t c = 0; front.mean && c < a.C; ++c)
        front.slope[c] = float(double(a.x_gamma[c]) * inverse_deviation(a.x_variance[c], a.x_epsilon));
}

// The batch norm behind y: dz = (dy - dmean) * slope - (y - mean) * pull. No mean: there is none.
struct Behind {
    const float* mean;
    float *dmean, *slope, *pull;
};
template <typename Arguments>
Behind behind_of(const Arguments& a, Memory& memory) {
    const bool there = a.y && a.gamma && a.mean && a.variance && a.dgamma && a.dbeta;
    const int64_t channels = there ? a.O : 0;
    return {there ? a.mean : nullptr, memory.take<float>(channels), memory.take<float>(channels),
            memory.take<float>(channels)};
}
template <typename Arguments>
void fill(const Behind& behind, const Arguments& a) {
    const double rows = double(a.N * a.OH * a.OW);
    for (int64_t c = 0; behind.mean && c < a.O; ++c) {
        const double inverse = inverse_deviation(a.variance[c], a.epsilon), slope = double(a.gamma[c]) * inverse;
        behind.dmean[c] = float(double(a.dbeta[c]) / rows);
        behind.slope[c] = float(slope);
        behind.pull[c] = float(slope * inverse * double(a.dgamma[c]) / rows);
    }
}

// The activation in front, and a gradient taken through it where it was given v, or where it gave y.
struct Rectifier {
    PELLUCID_INLINE vf operator()(vf v) const { return rectified(v); }
    PELLUCID_INLINE vf back(vf d, vf v) const { return select(v > 0.0f, d, vf{}); }
    PELLUCID_INLINE vf back_by(vf d, vf y) const { return back(d, y); }
};
struct Clip {
    float ceiling;
    PELLUCID_INLINE vf operator()(vf v) const { return clipped(v, ceiling); }
    PELLUCID_INLINE vf back(vf d, vf v) const { return select((v > 0.0f) & (v < ceiling), d, vf{}); }
    PELLUCID_INLINE vf back_by(vf d, vf y) const { return back(d, y); }
};
struct Any {
    int64_t kind;
    Numbers numbers;
    PELLUCID_INLINE vf operator()(vf v) const { return activated(v, kind, numbers); }
    PELLUCID_INLINE vf back(vf d, vf v) const { return back_by(d, (*this)(v)); }
    PELLUCID_INLINE vf back_by(vf d, vf y) const { return derived(d, y, kind, numbers); }
};
template <typename With>
PELLUCID_INLINE void with_front(const Front& front, const With& with) {
    if (front.kind == kRelu) return with(Rectifier{});
    if (front.kind == kRelu6 && front.numbers.clips()) return with(Clip{front.numbers.ceiling});
    with(Any{front.kind, front.numbers});
}

// Rows and channels of a map that go together: `rows` pixels, `stride` apart, of channels c0 .. c0 + channels - 1, all
// whole vectors. each(c) gives what is done with a pixel for the vector c of them.
template <typename Each>
PELLUCID_INLINE void each_vector(int64_t rows, int64_t channels, const Each& each) {
    for (int64_t first = 0; first < rows; first += kRowsTogether) {
        const int64_t end = at_most(first + kRowsTogether, rows);
        for (int64_t c = 0; c < channels; c += V) {
            const auto f = each(c);
            for (int64_t row = first; row < end; ++row) f(row);
        }
    }
}

// out (rows, channels) = x as the convolution reads it; addend: like x, or null.
inline __attribute__((noinline)) void read_normed(const Front& front, const float* x, int64_t stride, int64_t c0,
                                                  int64_t channels, int64_t rows, float* out,
                                                  const float* addend = nullptr) {
    with_front(front, [=](auto f) {
        each_vector(rows, channels, [=](int64_t c) {
            const vf mean = load(front.mean + c0 + c), slope = load(front.slope + c0 + c), shift = load(front.shift + c0 + c);
            return [=](int64_t row) {
                vf v = (load(x + row * stride + c) - mean) * slope + shift;
                if (addend) v += load(addend + row * stride + c);
                store(out + row * channels + c, f(v));
            };
        });
    });
}

// out (rows, channels) = the gradient of the convolution's result; packed: the same as panels, or null.
inline __attribute__((noinline)) void read_gradient(const Behind& behind, const float* dy, const float* y,
                                                    int64_t stride, int64_t c0, int64_t channels, int64_t rows,
                                                    float* out, float* packed = nullptr) {
    each_vector(rows, channels, [=](int64_t c) {
        const vf mean = load(behind.mean + c0 + c), dmean = load(behind.dmean + c0 + c);
        const vf slope = load(behind.slope + c0 + c), pull = load(behind.pull + c0 + c);
        const PackedColumn column = packed_column(rows, channels, c);
        return [=](int64_t row) {
            const int64_t at = row * stride + c;
            const vf dz = (load(dy + at) - dmean) * slope - (load(y + at) - mean) * pull;
            store(out + row * channels + c, dz);
            if (packed) store(packed + column.first + row * column.width, dz);
        };
    });
}

// Two sums for each channel, `width` apart: terms(c, first, end, sums) adds those of some rows, in float. So many terms
// that a sum of theirs loses no more digits than each of them had lost before; and the sums of these are in double.
constexpr int64_t kFloatRows = 16;
template <typename Terms>
PELLUCID_INLINE void add_sums(int64_t rows, int64_t channels, double* sums, int64_t width, const Terms& terms) {
    for (int64_t first = 0; first < rows; first += kFloatRows)
        for (int64_t c = 0; c < channels; c += V) {
            vf some[2] = {};
            terms(c, first, at_most(first + kFloatRows, rows), some);
#pragma GCC unroll 2
            for (int k = 0; k < 2; ++k) {
                double* const to = sums + k * width + c;
                vd sum;
                memcpy(&sum, to, sizeof sum);
                add_to(sum, widen(some[k]));
                memcpy(to, &sum, sizeof sum);
            }
        }
}

// Of some rows; deviations from it are small, so that their squares lose nothing.
inline __attribute__((noinline)) void mean_of(const float* y, int64_t stride, int64_t rows, int64_t channels,
                                              float* centre) {
    for (int64_t c = 0; c < channels; c += V) {
        vf sum{};
        for (int64_t row = 0; row < rows; ++row) sum += load(y + row * stride + c);
        store(centre + c, sum * (1.0f / float(rows)));
    }
}

// Sums of y - centre and of its square.
inline __attribute__((noinline)) void add_deviations(const float* y, int64_t stride, int64_t rows, int64_t channels,
                                                     const float* centre, double* sums, int64_t width) {
    add_sums(rows, channels, sums, width, [=](int64_t c, int64_t first, int64_t end, vf* sum) {
        const vf from = load(centre + c);
        for (int64_t row = first; row < end; ++row) {
            const vf d = load(y + row * stride + c) - from;
            sum[0] += d;
            sum[1] += d * d;
        }
    });
}

// dx, which is taken through the activation in front, and sums of it and of it * (x - mean). y: what the activation gave
// (like x), or null.
inline __attribute__((noinline)) void take_through(const Front& front, const float* x, float* dx, int64_t stride,
                                                   int64_t c0, int64_t channels, int64_t rows, double* sums,
                                                   int64_t width, const float* y = nullptr) {
    with_front(front, [=](auto f) {
        add_sums(rows, channels, sums, width, [=](int64_t c, int64_t first, int64_t end, vf* sum) {
            const vf mean = load(front.mean + c0 + c), slope = load(front.slope + c0 + c);
            const vf shift = load(front.shift + c0 + c);
            for (int64_t row = first; row < end; ++row) {
                const vf away = load(x + row * stride + c) - mean;
                float* const to = dx + row * stride + c;
                const vf d = y ? f.back_by(load(to), load(y + row * stride + c)) : f.back(load(to), away * slope + shift);
                store(to, d);
                sum[0] += d;
                sum[1] += d * away;
            }
        });
    });
}

// Sums of shards: for each two numbers a channel, and for deviations what they are taken from.
struct ShardSums {
    double* sums;
    float* centre;
    int64_t shards, channels;
    double* of(int64_t shard) const { return sums + shard * 2 * channels; }
    float* centre_of(int64_t shard) const { return centre + shard * channels; }
};
// room: for so many shards.
inline ShardSums shard_sums(int64_t shards, int64_t room, int64_t channels, bool centred, Memory& memory) {
    return {memory.take<double>(room * 2 * channels), memory.take<float>(centred ? room * channels : 0), shards,
            channels};
}

// rows_of(shard): how many it has summed.
template <typename RowsOf>
void finish_statistics(const ShardSums& s, const RowsOf& rows_of, float* mean, float* variance) {
    int64_t rows = 0;
    for (int64_t shard = 0; shard < s.shards; ++shard) rows += rows_of(shard);
    for (int64_t c = 0; c < s.channels; ++c) {
        const double centre = s.centre[c];
        double total = 0, square = 0;
        for (int64_t shard = 0; shard < s.shards; ++shard) {
            const double *const sums = s.of(shard), d = double(s.centre_of(shard)[c]) - centre;
            total += sums[c] + double(rows_of(shard)) * d;
            square += sums[s.channels + c] + d * (2 * sums[c] + double(rows_of(shard)) * d);
        }
        const double away = total / double(rows), v = square / double(rows) - away * away;
        mean[c] = float(centre + away);
        variance[c] = float(v < 0 ? 0 : v);
    }
}

// The gradients of a batch of no pictures, whose kernel has `size` numbers; whether it is one.
template <typename Arguments>
bool without_pictures(const Arguments& a, int64_t size) {
    if (a.N > 0) return false;
    if (a.dkernel) memset(a.dkernel, 0, size_t(size) * sizeof(float));
    if (a.x_dgamma) memset(a.x_dgamma, 0, size_t(a.C) * sizeof(float));
    if (a.x_dbeta) memset(a.x_dbeta, 0, size_t(a.C) * sizeof(float));
    return true;
}

template <typename Arguments>
void finish_gradients(const ShardSums& s, const Arguments& a) {
    for (int64_t c = 0; c < s.channels; ++c) {
        double total = 0, product = 0;
        for (int64_t shard = 0; shard < s.shards; ++shard) {
            total += s.of(shard)[c];
            product += s.of(shard)[s.channels + c];
        }
        a.x_dbeta[c] = float(total);
        a.x_dgamma[c] = float(product * inverse_deviation(a.x_variance[c], a.x_epsilon));
    }
}

}  // namespace
}  // namespace pellucid::PELLUCID_ISA_NAMESPACE
