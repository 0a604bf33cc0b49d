// The way back through a depthwise convolution between batch norms and the convolution 1x1 in front of them, which makes
// many channels of few (an inverted residual's first two): the gradient of the wide map is never written.
//
// With z = x . W the wide map, g the gradient of its batch norm's result taken through the activation, and the sums over
// all pixels known, dz = slope * (g - mean of g) - pull * (z - mean of z), which is linear in g and x. So the first pass,
// that of conv/depthwise_norm.hpp, multiplies rows of g while they lie in L2: by W, for the input's gradient, and by x,
// for the kernel's. The second adds what the sums say, of x alone: -(x - mean of x) . (W pull W'), and of the covariance
// of x. Task of the second = a shard of the blocks of pixels.
#include "conv/block_products.hpp"
#include "conv/depthwise_norm.hpp"

namespace pellucid::PELLUCID_ISA_NAMESPACE {
namespace {

using Arguments = ExpandedConv2dNormBackward;

constexpr int64_t kPixelsTogether = 128;  // of the wide map, at least
constexpr int64_t kBlock = 256;           // pixels of x that go together through the second pass
constexpr int64_t kNarrowShards = 16;     // of it

struct Plan {
    DepthwiseBackward back;
    float* scaled;          // W' with its slopes (C, I)
    Packed forth;           // the same, as panels
    float* dexpands;        // of each shard
    double* totals;         // of what was read, of each shard: I vectors, as pixels lie in them
    float *mean, *constant; // of what was read; what is added to its gradient everywhere: as many vectors
    float* pull;            // of the batch norm between both convolutions
    float* narrow;          // -W pull W' (I, I)
    Packed across;          // the same, as panels
    int64_t blocks, shards; // of the second pass
    float *covariances, *covariance;  // of each shard; of all
    int64_t first(int64_t shard) const { return blocks * shard / shards; }
};

Plan plan_of(const Arguments& a, Memory& memory) {
    const int64_t size = a.I * a.C, few = kPixelsTogether / (a.SH * a.SW);
    const DepthwisePlan deep = depthwise_plan(a, Chunks{1, a.C, 1}, few, at_least(size, a.KH * a.KW * a.C), memory);
    Plan p{};
    p.back = depthwise_backward(a, deep, true, memory);
    p.scaled = memory.take<float>(size);
    p.forth = packed_of(a.C, a.I, memory);
    p.dexpands = memory.take<float>(p.back.most * size);
    p.totals = memory.take<double>(p.back.most * a.I * V);
    p.mean = memory.take<float>(a.I * V);
    p.constant = memory.take<float>(a.I * V);
    p.pull = memory.take<float>(a.C);
    p.narrow = memory.take<float>(a.I * a.I);
    p.across = packed_of(a.I, a.I, memory);
    p.blocks = ceil_div(a.N * a.H * a.W, kBlock);
    p.shards = at_most(kNarrowShards, p.blocks);
    p.covariances = memory.take<float>(kNarrowShards * a.I * a.I);
    p.covariance = memory.take<float>(a.I * a.I);
    return p;
}

// f(at, lanes, k) for each vector of pixels one after another; k: of the I vectors that their channels repeat in.
template <typename F>
PELLUCID_INLINE void each_vector_of(int64_t pixels, int64_t I, const F& f) {
    for (int64_t at = 0, k = 0; at < pixels * I; at += V, k = k + 1 < I ? k + 1 : 0) f(at, at_most(pixels * I - at, V), k);
}

// ------------------------------------------------------------------------------------------------------- first pass

// Rows of the wide map's gradient lie in a place of the task's own, where they are multiplied.
struct Multiplied {
    const Arguments& a;
    const Plan& p;
    float *g = nullptr, *packed = nullptr;
    const float **pixels = nullptr, **entries = nullptr;
    float **dinput = nullptr, **dexpand = nullptr;
    int32_t* offset = nullptr;  // of each pixel in what was read
    double* totals = nullptr;
    bool fresh = true;
    const float* const addend = nullptr;
    static constexpr bool kAhead = true;

    int64_t most() const { return (p.back.together * a.SH + a.KH) * a.W; }
    bool wanted() const { return true; }
    float* row(int64_t y, int64_t start) const { return g + (y - start) * a.W * a.C; }
    void begin(int64_t shard) {
        lay_rows(p.dexpands + shard * a.I * a.C, a.C, a.I, dexpand);
        for (int64_t i = 0; i < most(); ++i) offset[i] = int32_t(i * a.I);
        totals = p.totals + shard * a.I * V;
        memset(totals, 0, size_t(a.I * V) * sizeof(double));
    }
    void done(int64_t start, int64_t end, Ahead& ahead) {
        const int64_t rows = (end - start) * a.W;
        if (rows == 0) return;
        const float* const x = a.input + start * a.W * a.I;
        lay_rows(static_cast<const float*>(g), a.C, rows, pixels);
        lay_rows(a.dinput + start * a.W * a.I, a.I, rows, dinput);
        multiply(rows, pixels, dinput, a.C, p.forth.offset, p.forth.panels, a.I, false, ahead);
        pack_panels(g, a.C, 1, rows, a.C, packed);
        for (int64_t i = 0; i < a.I; ++i) entries[i] = x + i;
        multiply(a.I, entries, dexpand, rows, offset, packed, a.C, !fresh, ahead);
        fresh = false;
        each_vector_of(rows, a.I, [&](int64_t at, int64_t lanes, int64_t k) {
            vd sum;
            memcpy(&sum, totals + k * V, sizeof sum);
            add_to(sum, widen(load_lanes(x + at, lanes)));
            memcpy(totals + k * V, &sum, sizeof sum);
        });
    }
};

void first_pass(const Arguments& a, const Plan& p) {
    for (int64_t c = 0; c < a.C; ++c)
        for (int64_t i = 0; i < a.I; ++i) p.scaled[c * a.I + i] = p.back.front.slope[c] * a.expand[i * a.C + c];
    pack(p.forth, p.scaled, a.I, 1, a.C, a.I);
    const double products = double(a.OH * a.OW) * double(a.KH * a.KW) + 2.0 * double(a.H * a.W) * double(a.I);
    parallel_for(p.back.shards, 2.0 * double(a.N * a.C) * products, [&](int64_t task, Arena& arena) {
        Multiplied rows{a, p};
        const int64_t most = rows.most();
        go_back(a, p.back, task, arena, rows, piece(rows.g, most * a.C), piece(rows.packed, packed_floats(most, a.C)),
                piece(rows.pixels, most), piece(rows.entries, a.I), piece(rows.dinput, most), piece(rows.dexpand, a.I),
                piece(rows.offset, most));
    });
    add_shards(p.back.dkernels, p.back.shards, a.KH * a.KW * a.C, a.dkernel);
    add_shards(p.dexpands, p.back.shards, a.I * a.C, a.dexpand);
    finish_gradients(p.back.sums, a);
}

// ------------------------------------------------------------------------------------------------------ second pass

// What the sums over all pixels say: of what was read its mean, and how its gradient and the kernel's follow from it.
void settle(const Arguments& a, const Plan& p) {
    const double pixels = double(a.N * a.H * a.W);
    for (int64_t i = 0; i < a.I; ++i) {
        double total = 0, constant = 0;
        for (int64_t shard = 0; shard < p.back.shards; ++shard)
            for (int64_t k = i; k < a.I * V; k += a.I) total += p.totals[shard * a.I * V + k];
        for (int64_t c = 0; c < a.C; ++c)
            constant += double(p.scaled[c * a.I + i]) * (double(a.x_dbeta[c]) / pixels);
        for (int64_t k = i; k < a.I * V; k += a.I) {
            p.mean[k] = float(total / pixels);
            p.constant[k] = float(-constant);
        }
    }
    for (int64_t c = 0; c < a.C; ++c) {
        const double inverse = inverse_deviation(a.x_variance[c], a.x_epsilon);
        p.pull[c] = float(double(a.x_gamma[c]) * inverse * inverse * double(a.x_dgamma[c]) / pixels);
    }
    parallel_for(a.I, double(a.I * a.I) * double(a.C), [&](int64_t i) {
        const float* const own = a.expand + i * a.C;
        for (int64_t j = 0; j < a.I; ++j) {
            const float* const other = a.expand + j * a.C;
            vf sum{};
            for (int64_t c = 0; c < a.C; c += V) sum += load(own + c) * load(p.pull + c) * load(other + c);
            float total = 0;
            for (int lane = 0; lane < V; ++lane) total += sum[lane];
            p.narrow[i * a.I + j] = -total;
        }
    });
    pack(p.across, p.narrow, a.I, 1, a.I, a.I);
}

void second_shard(const Arguments& a, const Plan& p, int64_t shard, Arena& arena) {
    float *away, *packed;  // what was read, less its mean
    const float **pixels, **entries;
    float **dinput, **covariance;
    int32_t* offset;
    take(arena, piece(away, kBlock * a.I), piece(packed, packed_floats(kBlock, a.I)), piece(pixels, kBlock),
         piece(entries, a.I), piece(dinput, kBlock), piece(covariance, a.I), piece(offset, kBlock));
    lay_rows(p.covariances + shard * a.I * a.I, a.I, a.I, covariance);
    lay_rows(static_cast<const float*>(away), a.I, kBlock, pixels);
    for (int64_t i = 0; i < kBlock; ++i) offset[i] = int32_t(i * a.I);
    for (int64_t i = 0; i < a.I; ++i) entries[i] = away + i;
    for (int64_t block = p.first(shard); block < p.first(shard + 1); ++block) {
        const int64_t first = block * kBlock, rows = at_most(a.N * a.H * a.W - first, kBlock);
        const float *const x = a.input + first * a.I, *const addend = a.addend ? a.addend + first * a.I : nullptr;
        float* const dx = a.dinput + first * a.I;
        each_vector_of(rows, a.I, [&](int64_t at, int64_t lanes, int64_t k) {
            store_lanes(away + at, load_lanes(x + at, lanes) - load(p.mean + k * V), lanes);
            vf d = load_lanes(dx + at, lanes) + load(p.constant + k * V);
            if (addend) d += load_lanes(addend + at, lanes);
            store_lanes(dx + at, d, lanes);
        });
        Ahead none;
        lay_rows(dx, a.I, rows, dinput);
        multiply(rows, pixels, dinput, a.I, p.across.offset, p.across.panels, a.I, true, none);
        pack_panels(away, a.I, 1, rows, a.I, packed);
        multiply(a.I, entries, covariance, rows, offset, packed, a.I, block > p.first(shard), none);
    }
}

void second_pass(const Arguments& a, const Plan& p) {
    settle(a, p);
    parallel_for(p.shards, 2.0 * double(a.N * a.H * a.W) * double(a.I * a.I),
                 [&](int64_t shard, Arena& arena) { second_shard(a, p, shard, arena); });
    add_shards(p.covariances, p.shards, a.I * a.I, p.covariance);
    parallel_for(a.I, double(a.I * a.I) * double(a.C), [&](int64_t i) {
        float* const out = a.dexpand + i * a.C;
        for (int64_t c = 0; c < a.C; c += V) {
            vf sum{};
            for (int64_t j = 0; j < a.I; ++j) sum += broadcast(p.covariance[i * a.I + j]) * load(a.expand + j * a.C + c);
            const vf d = load(out + c) - broadcast(p.mean[i]) * load(a.x_dbeta + c);
            store(out + c, d * load(p.back.front.slope + c) - sum * load(p.pull + c));
        }
    });
}

void run(const Arguments& a, const Plan& p) {
    if (a.N == 0) memset(a.dexpand, 0, size_t(a.I * a.C) * sizeof(float));
    if (without_pictures(a, a.KH * a.KW * a.C)) return;
    fill(p.back.front, a);
    fill(p.back.behind, a);
    first_pass(a, p);
    second_pass(a, p);
}

}  // namespace

const Kernel kernels::expanded_conv2d_norm_backward = kernel<plan_of, run>();

}  // namespace pellucid::PELLUCID_ISA_NAMESPACE
