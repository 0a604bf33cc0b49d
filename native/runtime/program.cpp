#include "runtime/program.hpp"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <new>

#include "runtime/of_thread.hpp"
#include "runtime/parallel.hpp"

namespace pellucid {

namespace {
#if defined(PELLUCID_EXACT_MEMORY)
constexpr size_t kRounding = 64;
bool suits(int64_t held, int64_t bytes) { return bytes == 0 || held == (bytes + 63) / 64 * 64; }
#else
constexpr size_t kRounding = 4096;
bool suits(int64_t held, int64_t bytes) { return bytes <= held; }
#endif

thread_local int64_t num_recomputed = 0;

int64_t whole_lines(int64_t bytes) { return (bytes + 63) / 64 * 64; }

// A kernel's two calls, either left out where it is null; false where there was no memory for its tasks.
struct Call {
    void (*prepare)(const void*, void*);
    void (*run)(const void*, Context&);
    const void* arguments;
    Context* context;
};
bool made(Call call) {
    return with_memory(
        [](void* what) {
            const Call& c = *static_cast<const Call*>(what);
            if (c.prepare) c.prepare(c.arguments, c.context->prepared);
            if (c.run) c.run(c.arguments, *c.context);
        },
        &call);
}
}  // namespace

int64_t recomputed() { return num_recomputed; }

RunLock::RunLock() : side_(new Side{forks(), {}}) {}

void RunLock::lock() {
    Side* side = side_.load();
    if (side->forks != forks()) {
        Side* const fresh = new Side{forks(), {}};
        if (side_.compare_exchange_strong(side, fresh)) side = fresh;  // the other stays: nobody can unlock it
        else delete fresh;
    }
    side->mutex.lock();
}

void RunLock::unlock() { side_.load()->mutex.unlock(); }

void* Workspace::reserve(int64_t bytes) {
    if (!suits(bytes_, bytes)) {
        release(data_);
        data_ = nullptr;
        bytes_ = 0;
        const size_t rounded = (size_t(bytes) + kRounding - 1) / kRounding * kRounding;
        data_ = allocate(rounded);
        if (!data_) throw std::bad_alloc();
        bytes_ = int64_t(rounded);
    }
    return data_;
}

void Workspace::release_above(int64_t bytes) {
    if (bytes_ <= bytes) return;
    release(data_);
    data_ = nullptr;
    bytes_ = 0;
}

Workspace::~Workspace() { release(data_); }

Outcome run_once(const BoundKernel& bound) {
    constexpr int64_t kKept = int64_t(1) << 20;  // more is given back: a look inside a training would be held all along
    Workspace& workspace = of_this_thread<Workspace>();
    const int64_t own = whole_lines(bound.workspace_bytes());
    char* const memory = static_cast<char*>(workspace.reserve(own + bound.prepared_bytes()));
    Context context{memory, kOk, memory + own};
    const bool whole = made({bound.kernel->prepare, bound.kernel->run, bound.arguments.data(), &context});
    num_recomputed += context.recomputed;
    workspace.release_above(kKept);
    return {whole ? context.status : int64_t(kOutOfMemory), bound.signature->name};
}

ProgramData::ProgramData(const std::vector<const BoundKernel*>& steps, bool fixed_weights,
                         const std::vector<Whole>& whole)
    : fixed_(fixed_weights) {
    for (const BoundKernel* step : steps) {
        Entry entry{step->kernel, step->signature, arguments_.size(), -1, step->built_batch(), 0};
        if (entry.built >= 0) {
            entry.batch = int64_t(entry.first) + step->signature->batch;
            largest_ = largest_ < 0 ? entry.built : std::min(largest_, entry.built);
        }
        for (int64_t i = 0; i < step->signature->count; ++i)
            for (const Whole& each : whole) {
                const uint64_t first = step->arguments[size_t(i)];
                if (step->signature->fields[i].kind == Kind::array && first == uint64_t(uintptr_t(each.memory)))
                    places_.push_back({arguments_.size() + size_t(i), first, each.bytes / size_t(each.pictures)});
            }
        arguments_.insert(arguments_.end(), step->arguments.begin(), step->arguments.end());
        int64_t bytes = step->workspace_bytes();
        if (fixed_) {
            entry.prepared = size_t(prepared_bytes_);
            prepared_bytes_ += whole_lines(step->prepared_bytes());
        } else {
            entry.prepared = size_t(whole_lines(bytes));
            bytes = whole_lines(bytes) + step->prepared_bytes();
        }
        workspace_bytes_ = std::max(workspace_bytes_, bytes);
        steps_.push_back(entry);
    }
    if (!whole.empty()) {
        part_ = largest_;
        largest_ = whole.front().pictures;
        for (const Whole& each : whole) largest_ = std::min(largest_, each.pictures);
    }
    workspace_.reserve(workspace_bytes_);
    prepared_.reserve(prepared_bytes_);
}

void ProgramData::refresh() {
    std::lock_guard<RunLock> lock(running_);
    stale_ = true;
}

constexpr double kSmall = 2e6;  // work of some 50 us

// visit(index in arguments_, field) of each array that begins there.
template <typename Visit>
void ProgramData::visit_arrays(const Elsewhere& within, const Visit& visit) const {
    for (const Entry& entry : steps_)
        for (int64_t i = 0; i < entry.signature->count; ++i) {
            const Field& field = entry.signature->fields[i];
            if (field.kind == Kind::array && within.holds(arguments_[entry.first + size_t(i)]))
                visit(entry.first + size_t(i), field);
        }
}

bool ProgramData::only_reads(const Elsewhere& memory) const {
    bool only = true;
    visit_arrays(memory, [&](size_t, const Field& field) { only = only && !field.writable; });
    return only;
}

Outcome ProgramData::run(int64_t n, const Elsewhere& elsewhere) {
    std::lock_guard<RunLock> lock(running_);
    if (!elsewhere.memory) return run_counted(n);
    std::vector<uint64_t*> moved;
    visit_arrays(elsewhere, [&](size_t argument, const Field&) { moved.push_back(&arguments_[argument]); });
    for (Place& place : places_)
        if (elsewhere.holds(place.first)) moved.push_back(&place.first);
    for (uint64_t* word : moved) *word += elsewhere.shift();
    const Outcome outcome = run_counted(n);
    for (uint64_t* word : moved) *word -= elsewhere.shift();
    return outcome;
}

Outcome ProgramData::run_counted(int64_t n) {
    if (!fixed_) return run_parts(n);
    const bool packs = stale_;
    const WorkCount count(n == counted_ && work_ < kSmall);
    const Outcome outcome = run_parts(n);
    if (!packs && outcome.status == kOk) {
        counted_ = n;
        work_ = count.work();
    }
    return outcome;
}

Outcome ProgramData::run_parts(int64_t n) {
    if (part_ < 1) return run_held(n);
    const int64_t all = n < 0 ? largest_ : n;
    for (int64_t done = 0; done < all; done += part_) {
        for (const Place& place : places_) arguments_[place.argument] = place.first + uint64_t(done) * place.picture;
        const Outcome outcome = run_held(std::min(part_, all - done));
        if (outcome.status != kOk) return outcome;
    }
    return {};
}

Outcome ProgramData::run_held(int64_t n) {
    char* const memory = static_cast<char*>(workspace_.reserve(0));
    char* const prepared = fixed_ ? static_cast<char*>(prepared_.reserve(0)) : memory;
    for (const Entry& entry : steps_) {
        uint64_t* const arguments = arguments_.data() + entry.first;
        uint64_t* const batch = entry.batch < 0 ? nullptr : &arguments_[size_t(entry.batch)];
        const auto prepare = entry.kernel->prepare;
        Context context{memory, kOk, prepared + entry.prepared};
        bool whole = true;
        if (batch) *batch = uint64_t(entry.built);
        if (prepare && fixed_ && stale_) whole = made({prepare, nullptr, arguments, &context});
        if (batch && n >= 0) *batch = uint64_t(n);
        if (whole) whole = made({fixed_ ? nullptr : prepare, entry.kernel->run, arguments, &context});
        num_recomputed += context.recomputed;
        if (!whole) return {kOutOfMemory, entry.signature->name};
        if (context.status != kOk) return {context.status, entry.signature->name};
    }
    stale_ = false;
    return {};
}

Outcome ProgramData::run_steps(int64_t n, int64_t count, const std::vector<Change>& before,
                               const std::vector<Change>& after, int64_t& done) {
    std::lock_guard<RunLock> lock(running_);
    for (done = 0; done < count; ++done) {
        for (const Change& c : before) std::memcpy(c.memory, c.values + size_t(done) * c.bytes, c.bytes);
        const Outcome outcome = run_parts(n);
        if (outcome.status == kOutOfMemory) {
            if (done == 0) return outcome;
            for (const Change& c : after) std::memcpy(c.memory, c.values + size_t(done - 1) * c.bytes, c.bytes);
            return {};  // this run is as if it had not begun; whoever tries it again gets the error
        }
        for (const Change& c : after) std::memcpy(c.values + size_t(done) * c.bytes, c.memory, c.bytes);
        if (outcome.status != kOk) return outcome;
    }
    return {};
}

}  // namespace pellucid
