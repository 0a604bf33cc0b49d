// The kernels as a WebAssembly module: what they need of runtime/parallel.hpp, on one thread, and the functions that a
// page calls (src/pellucid/export/html/page/engine.js).
//
// The page writes a kernel's struct into memory, 8 bytes a field in the order of runtime/arguments.hpp, and names the
// kernel by its number there.
#include <cstdlib>

#include "runtime/arguments.hpp"
#include "runtime/entry.hpp"
#include "runtime/parallel.hpp"

#define PELLUCID_EXPORT(name) extern "C" __attribute__((export_name(name)))

namespace pellucid {

namespace wasm::kernels {
#define PELLUCID_DECLARE(Struct, name, FIELDS) extern const Kernel name;
PELLUCID_KERNELS(PELLUCID_DECLARE)
}  // namespace wasm::kernels

namespace {

#define PELLUCID_ADDRESS(Struct, name, FIELDS) &wasm::kernels::name,
const Kernel* const all[] = {PELLUCID_KERNELS(PELLUCID_ADDRESS)};

#define PELLUCID_FIELD(name) " " #name
#define PELLUCID_ARRAY_FIELD(type, name, extent) PELLUCID_FIELD(name)
#define PELLUCID_ROW(Struct, name, FIELDS) #name FIELDS(PELLUCID_ARRAY_FIELD, PELLUCID_FIELD, PELLUCID_FIELD) "\n"
const char rows[] = PELLUCID_KERNELS(PELLUCID_ROW);

Arena one{nullptr, 0}, other{nullptr, 0};

}  // namespace

void* allocate(size_t bytes) { return std::aligned_alloc(64, (bytes + 63) / 64 * 64); }

void* arena_reserve(Arena& arena, size_t bytes) {
    if (bytes > arena.bytes) {
        std::free(arena.data);
        arena.data = allocate(bytes);
        if (!arena.data) __builtin_trap();  // an exception in the page
        arena.bytes = bytes;
    }
    return arena.data;
}

void set_aside(Arena& arena) {
    const Arena kept = arena;
    arena = other;
    other = kept;
}

void parallel_for(int64_t tasks, double, Task run, void* context) {
    for (int64_t i = 0; i < tasks; ++i) run(context, i, one);
}

// What numbers and fields mean in this module: a line for each kernel. Whoever writes a program looks for it.
PELLUCID_EXPORT("table") const char* table() { return rows; }
PELLUCID_EXPORT("allocate") void* allocate_for_page(size_t bytes) { return allocate(bytes); }
PELLUCID_EXPORT("workspaceBytes") size_t workspace_bytes(int kernel, const void* arguments) {
    const auto bytes = all[kernel]->workspace_bytes;
    return bytes ? size_t(bytes(arguments)) : 0;
}
PELLUCID_EXPORT("preparedBytes") size_t prepared_bytes(int kernel, const void* arguments) {
    const auto bytes = all[kernel]->prepared_bytes;
    return bytes ? size_t(bytes(arguments)) : 0;
}
PELLUCID_EXPORT("prepare") void prepare(int kernel, const void* arguments, void* prepared) {
    const auto make = all[kernel]->prepare;
    if (make) make(arguments, prepared);
}
// How it ended: a status of runtime/entry.hpp.
PELLUCID_EXPORT("run") int run(int kernel, const void* arguments, void* workspace, void* prepared) {
    Context context{workspace, kOk, prepared};
    all[kernel]->run(arguments, context);
    return int(context.status);
}

}  // namespace pellucid
