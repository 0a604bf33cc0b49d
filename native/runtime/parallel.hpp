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
// Where there is no memory it does not return: the task is left where it stands, by longjmp, and done by another
// thread; where that one has none either, the kernel is left and with_memory answers false. So a task reserves before
// it writes, and nothing in a kernel may want a destructor.
void* arena_reserve(Arena& arena, size_t bytes);

// What is reserved from now on lies elsewhere, until this is called again: a task that calls kernels keeps what it has.
void set_aside(Arena& arena);

// Memory for many numbers, aligned to 64 bytes; much of it, where the system has them, in large pages: 36 points of a
// transform lie on as many small ones. Null where there is none; release gives it back.
void* allocate(size_t bytes);
void release(void* memory);

using Task = void (*)(void* context, int64_t task, Arena& arena);

// Runs run(context, 0..tasks-1, arena) in any order on any thread and returns when all are done.
// `work` (rough number of operations in all) lets small jobs run on the calling thread.
void parallel_for(int64_t tasks, double work, Task run, void* context);

// While it lives, the work of this thread's calls of parallel_for is added up. small: other threads shorten it by some
// microseconds. It wakes none that sleeps unless the last small one has just ended, and it goes without them for a
// while after one of them let it wait.
struct WorkCount {
    explicit WorkCount(bool small);
    WorkCount(const WorkCount&) = delete;
    WorkCount& operator=(const WorkCount&) = delete;
    ~WorkCount();
    double work() const;
};

// Calls body(what), which may use parallel_for; false if it was left for want of memory.
bool with_memory(void (*body)(void*), void* what);

void prepare_threads();  // once, before all else here
int64_t forks();         // how many lie between the process that called prepare_threads and this one
// The number of threads wanted, once, where the system has given only num_threads(); else 0.
int take_wanted_threads();
int num_threads();
void set_num_threads(int count);
int available_cores();  // affinity mask and cgroup quota

}  // namespace pellucid
