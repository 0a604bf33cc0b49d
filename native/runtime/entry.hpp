// How a kernel is run: its entry in an instruction set's table, and what it is handed beside its arguments.
#pragma once
#include <cstddef>
#include <cstdint>

namespace pellucid {

// What a kernel may find in the data itself; it ends the program. The caller makes errors of the first two, and tells
// of the third.
enum : int64_t { kOk = 0, kIndexOutOfRange = 1, kLabelOutOfRange = 2, kNotFinite = 3, kOutOfMemory = 4 };

struct Context {
    void* workspace;  // as many bytes as workspace_bytes() said, 64-byte aligned, contents undefined
    int64_t status;
    void* prepared = nullptr;  // what prepare() made
    uint8_t* out_of_range = nullptr;  // a byte for each picture (winograd/range.hpp)
    int64_t recomputed = 0;           // pictures that were computed again, directly
};

// One entry of an instruction set's table: how a kernel is run, whatever its arguments are.
struct Kernel {
    void (*run)(const void* arguments, Context& context);
    int64_t (*workspace_bytes)(const void* arguments) = nullptr;  // null: none. Never falls when N grows.
    int64_t (*algorithm)(const void* arguments) = nullptr;  // which one runs, where a kernel has several
    // What follows from the weights alone, in memory of its own: made before every run, or, where the weights stay as
    // they are, once. Its size depends on N as built; a run with a smaller N may leave it unread.
    int64_t (*prepared_bytes)(const void* arguments) = nullptr;
    void (*prepare)(const void* arguments, void* prepared) = nullptr;
};

}  // namespace pellucid
