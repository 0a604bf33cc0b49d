// Steps and programs: kernels with their arguments, run in order by one call.
#pragma once
#include <cstddef>
#include <cstdint>
#include <atomic>
#include <mutex>
#include <string>
#include <vector>

#include "runtime/arguments.hpp"
#include "runtime/entry.hpp"
#include "runtime/extent.hpp"

namespace pellucid {

enum class Kind : uint8_t { array, size, real };

struct Field {
    const char* name;
    Kind kind;
    char type;      // of an array: f float32, d float64, i int32, l int64, I uint32, B uint8
    bool writable;  // of an array
    const char* extent;  // of an array: its axes' product, as arguments.hpp writes it
};

// A size that holds a choice: the words that Python gives, each at its number.
struct Choices {
    const char* field;
    std::vector<const char*> words;
};
const std::vector<Choices>& choices();

// The fields of a kernel, in the order of its struct; field i lies at byte 8 * i.
struct Signature {
    const char* name;
    const Field* fields;
    int64_t count;
    int64_t batch;  // index of the field N, or -1
    void (*extents)(const void* arguments, std::vector<Extent>& found);  // of its arrays, in their order
};

const Signature* signatures(int64_t& count);
const Signature* find_signature(const std::string& name);

// Instruction sets built into this library that this machine has, best first; the tables of one of them.
std::vector<std::string> instruction_sets();
std::vector<std::string> built_instruction_sets();
const Kernel* find_kernel(const std::string& isa, const Signature* signature);
int64_t vector_floats(const std::string& isa);  // in one of its vectors

// A kernel bound to its arguments. Whoever makes it keeps the arrays alive.
struct BoundKernel {
    const Kernel* kernel = nullptr;
    const Signature* signature = nullptr;
    std::vector<uint64_t> arguments;
    const char* missing = nullptr;  // an array without which it may be asked about, but not run
    int64_t built_batch() const { return signature->batch < 0 ? -1 : int64_t(arguments[size_t(signature->batch)]); }
    int64_t workspace_bytes() const { return kernel->workspace_bytes ? kernel->workspace_bytes(arguments.data()) : 0; }
    int64_t prepared_bytes() const { return kernel->prepared_bytes ? kernel->prepared_bytes(arguments.data()) : 0; }
    int64_t algorithm() const { return kernel->algorithm ? kernel->algorithm(arguments.data()) : int64_t(kChoose); }
};

// Checks what a step was given, whoever gave it: sizes against limits under which no product in a kernel overflows and
// no division is by zero, and arrays (entries they have, in the order of the fields) against what the kernel reads and
// writes. Brings strides and dilations that reach beyond the picture down to what is as good. Returns what is wrong, or
// nothing.
std::string objection(BoundKernel& step, const std::vector<int64_t>& entries);

// 64-byte aligned memory that grows when asked to.
class Workspace {
public:
    Workspace() = default;
    Workspace(const Workspace&) = delete;
    Workspace& operator=(const Workspace&) = delete;
    ~Workspace();
    void* reserve(int64_t bytes);
    void release_above(int64_t bytes);

private:
    void* data_ = nullptr;
    int64_t bytes_ = 0;
};

struct Outcome {
    int64_t status = kOk;
    const char* kernel = nullptr;
};

// One kernel at once, on memory of the calling thread.
Outcome run_once(const BoundKernel& bound);

int64_t recomputed();  // pictures that this thread's runs have computed again, directly (winograd/range.hpp)

// Memory that a program's steps read or write, and what goes into it before each of several runs, or out after it.
struct Change {
    char* memory;
    char* values;  // `bytes` a run
    size_t bytes;
};

// All pictures of a value of which a step was built for the first few.
struct Whole {
    char* memory;
    size_t bytes;
    int64_t pictures;
};

// Memory that steps read, and what a run reads in its place.
struct Elsewhere {
    const char* memory = nullptr;
    size_t bytes = 0;
    const char* instead = nullptr;
    bool holds(uint64_t word) const { return word - uint64_t(uintptr_t(memory)) < bytes; }
    uint64_t shift() const { return uint64_t(uintptr_t(instead)) - uint64_t(uintptr_t(memory)); }
};

// A mutex that a fork leaves open for the child, whoever held it: the thread that did is not there.
class RunLock {
public:
    RunLock();
    RunLock(const RunLock&) = delete;
    RunLock& operator=(const RunLock&) = delete;
    ~RunLock() { delete side_.load(); }
    void lock();
    void unlock();

private:
    struct Side {  // of a fork
        int64_t forks;
        std::mutex mutex;
    };
    std::atomic<Side*> side_;
};

// All argument structs lie one after another; run(n) sets every N and runs all. One run at a time.
// fixed_weights: what kernels prepare from weights is kept, until refresh() says that the weights have changed.
// whole: values of more pictures than the steps were built for: all steps run for the first of them, then all for the
// next, so that what lies between stays in the cache.
class ProgramData {
public:
    ProgramData(const std::vector<const BoundKernel*>& steps, bool fixed_weights, const std::vector<Whole>& whole);
    void refresh();
    Outcome run(int64_t n, const Elsewhere& elsewhere = {});  // n < 0: as built
    bool only_reads(const Elsewhere& memory) const;  // whether no step writes there
    // `count` runs in a row, or as many as end well; `done` says how many did. Where memory runs out after the first,
    // that is no failure: what `after` names is then as the last whole run left it.
    Outcome run_steps(int64_t n, int64_t count, const std::vector<Change>& before, const std::vector<Change>& after,
                      int64_t& done);
    int64_t workspace_bytes() const { return workspace_bytes_ + prepared_bytes_; }
    int64_t largest_batch() const { return largest_; }  // smallest N of all steps, or of what is whole; -1: none has one
    size_t size() const { return steps_.size(); }

private:
    Outcome run_held(int64_t n);
    Outcome run_counted(int64_t n);
    Outcome run_parts(int64_t n);
    template <typename Visit>
    void visit_arrays(const Elsewhere& within, const Visit& visit) const;
    struct Entry {
        const Kernel* kernel;
        const Signature* signature;
        size_t first;   // in arguments_
        int64_t batch;  // index of N in arguments_, or -1
        int64_t built;
        size_t prepared;  // byte in prepared_ or workspace_, for kernels that prepare
    };
    struct Place {  // of an array of which a part at a time is used
        size_t argument;
        uint64_t first;
        uint64_t picture;  // bytes
    };
    std::vector<Entry> steps_;
    std::vector<Place> places_;
    std::vector<uint64_t> arguments_;
    Workspace workspace_, prepared_;
    int64_t workspace_bytes_ = 0, prepared_bytes_ = 0;
    bool fixed_, stale_ = true;
    int64_t largest_ = -1;
    int64_t part_ = -1;  // pictures at a time; -1: all
    int64_t counted_ = -2;  // n of the last run whose work was added up
    double work_ = 0;
    RunLock running_;
};

}  // namespace pellucid
