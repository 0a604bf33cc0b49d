// Batches from pictures in memory: picked by index, scaled to float, in one pass. cursor (where in the order this batch
// begins) is read when the step runs. Task = one picture. An index outside the array writes nothing and is reported.
#include "common/kernel.hpp"

namespace pellucid::PELLUCID_ISA_NAMESPACE {
namespace {

struct Tables {
    float *scale, *offset;  // repeated to C * V entries, so that vectors meet the channels in step
};

Tables tables_of(const Gather& a, Memory& memory) { return {memory.take<float>(a.C * V), memory.take<float>(a.C * V)}; }

void copy_picture(const Gather& a, const Tables& t, int64_t from, float* out) {
    const int64_t size = a.INNER * a.C, period = a.C * V;
    int64_t i = 0, phase = 0;
    for (; i + V <= size; i += V) {
        vf v;
        if (a.bytes) {
            vb bytes;
            memcpy(&bytes, a.bytes + from * size + i, V);
            v = __builtin_convertvector(from_bytes(bytes), vf);
        } else {
            v = load(a.floats + from * size + i);
        }
        store(out + i, v * load(t.scale + phase) + load(t.offset + phase));
        phase = phase + V == period ? 0 : phase + V;
    }
    for (; i < size; ++i, ++phase) {
        const float v = a.bytes ? float(a.bytes[from * size + i]) : a.floats[from * size + i];
        out[i] = v * t.scale[phase] + t.offset[phase];
    }
}

void run_gather(const Gather& a, const Tables& t, Context& context) {
    const int64_t first = a.cursor ? a.cursor[0] : 0;
    if (first < 0 || first > a.INDICES - a.N) {
        context.status = kIndexOutOfRange;
        return;
    }
    for (int64_t i = 0; i < a.C * V; ++i) {
        t.scale[i] = a.scale[i % a.C];
        t.offset[i] = a.offset[i % a.C];
    }
    parallel_for(a.N, double(a.N * a.INNER * a.C), [&](int64_t n) {
        const int64_t from = a.indices[first + n];
        if (from < 0 || from >= a.COUNT) __atomic_store_n(&context.status, kIndexOutOfRange, __ATOMIC_RELAXED);
        else copy_picture(a, t, from, a.out + n * a.INNER * a.C);
    });
}

void run_gather_labels(const GatherLabels& a, Context& context) {
    const int64_t first = a.cursor ? a.cursor[0] : 0;
    if (first < 0 || first > a.INDICES - a.N) {
        context.status = kIndexOutOfRange;
        return;
    }
    for (int64_t n = 0; n < a.N; ++n) {
        const int64_t from = a.indices[first + n];
        int32_t* const out = a.out + n * a.INNER;
        if (from < 0 || from >= a.COUNT) context.status = kIndexOutOfRange;
        else if (a.labels) memcpy(out, a.labels + from * a.INNER, size_t(a.INNER) * sizeof *out);
        else
            for (int64_t i = 0; i < a.INNER; ++i) out[i] = a.bytes[from * a.INNER + i];
    }
}

}  // namespace

const Kernel kernels::gather = kernel<tables_of, run_gather>();
const Kernel kernels::gather_labels = kernel<run_gather_labels>();

}  // namespace pellucid::PELLUCID_ISA_NAMESPACE
