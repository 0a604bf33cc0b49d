#include "program.hpp"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <new>

namespace pellucid {

namespace {
#if defined(PELLUCID_EXACT_MEMORY)
constexpr size_t kRounding = 64;
bool suits(int64_t held, int64_t bytes) { return bytes == 0 || held == (bytes + 63) / 64 * 64; }
#else
constexpr size_t kRounding = 4096;
bool suits(int64_t held, int64_t bytes) { return bytes <= held; }
#endif
}  // namespace

void* Workspace::reserve(int64_t bytes) {
    if (!suits(bytes_, bytes)) {
        std::free(data_);
        data_ = nullptr;
        bytes_ = 0;
        const size_t rounded = (size_t(bytes) + kRounding - 1) / kRounding * kRounding;
        data_ = std::aligned_alloc(64, rounded);
        if (!data_) throw std::bad_alloc();
        bytes_ = int64_t(rounded);
    }
    return data_;
}

void Workspace::release_above(int64_t bytes) {
    if (bytes_ <= bytes) return;
    std::free(data_);
    data_ = nullptr;
    bytes_ = 0;
}

Workspace::~Workspace() { std::free(data_); }

Outcome run_once(const BoundKernel& bound) {
    constexpr int64_t kKept = int64_t(64) << 20;  // more is given back: single calls are not the fast way
    thread_local Workspace workspace;
    Context context{workspace.reserve(bound.workspace_bytes()), kOk};
    bound.kernel->run(bound.arguments.data(), context);
    workspace.release_above(kKept);
    return {context.status, bound.kernel->name};
}

ProgramData::ProgramData(const std::vector<const BoundKernel*>& steps) {
    for (const BoundKernel* step : steps) {
        Entry entry{step->kernel, arguments_.size(), -1, step->built_batch()};
        if (entry.built >= 0) {
            entry.batch = int64_t(entry.first) + step->signature->batch;
            largest_ = largest_ < 0 ? entry.built : std::min(largest_, entry.built);
        }
        arguments_.insert(arguments_.end(), step->arguments.begin(), step->arguments.end());
        workspace_bytes_ = std::max(workspace_bytes_, step->workspace_bytes());
        steps_.push_back(entry);
    }
    workspace_.reserve(workspace_bytes_);
}

Outcome ProgramData::run(int64_t n) {
    std::lock_guard<std::mutex> lock(running_);
    void* memory = workspace_.reserve(0);
    for (const Entry& entry : steps_) {
        if (entry.batch >= 0) arguments_[size_t(entry.batch)] = uint64_t(n < 0 ? entry.built : n);
        Context context{memory, kOk};
        entry.kernel->run(arguments_.data() + entry.first, context);
        if (context.status != kOk) return {context.status, entry.kernel->name};
    }
    return {};
}

Outcome ProgramData::run_steps(int64_t n, int64_t count, const std::vector<Change>& before,
                               const std::vector<Change>& after, int64_t& done) {
    for (done = 0; done < count; ++done) {
        for (const Change& c : before) std::memcpy(c.memory, c.values + size_t(done) * c.bytes, c.bytes);
        const Outcome outcome = run(n);
        for (const Change& c : after) std::memcpy(c.values + size_t(done) * c.bytes, c.memory, c.bytes);
        if (outcome.status != kOk) return outcome;
    }
    return {};
}

}  // namespace pellucid
