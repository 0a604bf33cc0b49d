// Batches from pictures in memory: picked by index, scaled to float, in one pass. cursor (where in the order this batch
// begins) is read when the step runs. Task = one picture. An index outside the array writes nothing and is reported.
#include "common/vec.hpp"
#include "runtime/arguments.hpp"
#include "runtime/parallel.hpp"

namespace pellucid {
namespace PELLUCID_ISA_NAMESPACE {
namespace {

struct Job {
    const Gather& a;
    int64_t first;
    float *scale, *offset;  // repeated to C * V entries, so that vectors meet the channels in step
    int64_t* status;
};

void gather_picture(void* context, int64_t n, Arena&) {
    const Job& job = *static_cast<const Job*>(context);
    const Gather& a = job.a;
    const int64_t from = a.indices[job.first + n], size = a.INNER * a.C, period = a.C * V;
    if (from < 0 || from >= a.COUNT) {
        __atomic_store_n(job.status, kIndexOutOfRange, __ATOMIC_RELAXED);
        return;
    }
    float* out = a.out + n * size;
    int64_t i = 0, phase = 0;
    for (; i + V <= size; i += V) {
        vf v;
        if (a.bytes) {
            vb bytes;
            memcpy(&bytes, a.bytes + from * size + i, V);
            v = __builtin_convertvector(widen_bytes(bytes), vf);
        } else {
            v = load(a.floats + from * size + i);
        }
        store(out + i, v * load(job.scale + phase) + load(job.offset + phase));
        phase = phase + V == period ? 0 : phase + V;
    }
    for (; i < size; ++i, ++phase) {
        const float v = a.bytes ? float(a.bytes[from * size + i]) : a.floats[from * size + i];
        out[i] = v * job.scale[phase] + job.offset[phase];
    }
}

void gather(const void* arguments, Context& context) {
    const Gather& a = *static_cast<const Gather*>(arguments);
    Pieces pieces{static_cast<char*>(context.workspace), 0};
    Job job{a, a.cursor ? a.cursor[0] : 0, nullptr, nullptr, &context.status};
    job.scale = pieces.take<float>(a.C * V);
    job.offset = pieces.take<float>(a.C * V);
    if (job.first < 0 || job.first > a.INDICES - a.N) {
        context.status = kIndexOutOfRange;
        return;
    }
    for (int64_t i = 0; i < a.C * V; ++i) {
        job.scale[i] = a.scale[i % a.C];
        job.offset[i] = a.offset[i % a.C];
    }
    parallel_for(a.N, double(a.N * a.INNER * a.C), gather_picture, &job);
}

int64_t gather_workspace(const void* arguments) {
    const Gather& a = *static_cast<const Gather*>(arguments);
    Pieces pieces{nullptr, 0};
    pieces.take<float>(a.C * V);
    pieces.take<float>(a.C * V);
    return pieces.used;
}

void gather_labels(const void* arguments, Context& context) {
    const GatherLabels& a = *static_cast<const GatherLabels*>(arguments);
    const int64_t first = a.cursor ? a.cursor[0] : 0;
    if (first < 0 || first > a.INDICES - a.N) {
        context.status = kIndexOutOfRange;
        return;
    }
    for (int64_t n = 0; n < a.N; ++n) {
        const int64_t from = a.indices[first + n];
        if (from < 0 || from >= a.COUNT) context.status = kIndexOutOfRange;
        else a.out[n] = a.labels[from];
    }
}

const Kernel kKernels[] = {{"gather", gather, gather_workspace}, {"gather_labels", gather_labels, nullptr}};

}  // namespace

extern const Family gather_family;
const Family gather_family = {kKernels, 2};

}  // namespace PELLUCID_ISA_NAMESPACE
}  // namespace pellucid
