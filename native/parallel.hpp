// The thread pool, seen from the kernels. Compiled once (not per instruction set); declarations only, so that
// no kernel object carries a shared inline function.
#pragma once
#include <cstddef>
#include <cstdint>

namespace pellucid {

// Memory of one thread, grown when a task asks for more and kept for the next.
struct Arena {
    void* data;
    size_t bytes;
};

// At least `bytes` bytes, 64-byte aligned, contents undefined; valid until the next call on the same arena.
void* arena_reserve(Arena& arena, size_t bytes);

using Task = void (*)(void* context, int64_t task, Arena& arena);

// Runs run(context, 0..tasks-1, arena) in any order on any thread and returns when all are done.
// `work` (rough number of operations in all) lets small jobs run on the calling thread.
void parallel_for(int64_t tasks, double work, Task run, void* context);

int num_threads();
void set_num_threads(int count);
int available_cores();  // affinity mask and cgroup quota

}  // namespace pellucid
