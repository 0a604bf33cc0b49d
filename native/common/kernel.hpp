// How a kernel is written: loops shared out to threads, memory handed out in pieces, and its entry in the table.
// Everything has internal linkage, or stands in the namespace of its instruction set: no two of them share a function.
#pragma once
#include "common/vec.hpp"
#include "runtime/arguments.hpp"
#include "runtime/entry.hpp"
#include "runtime/parallel.hpp"

namespace pellucid::PELLUCID_ISA_NAMESPACE {

namespace kernels {  // each defined in one file; those that only other kernels choose: conv/choice.hpp
#define PELLUCID_DECLARE(Struct, name, FIELDS) extern const Kernel name;
PELLUCID_KERNELS(PELLUCID_DECLARE)
#undef PELLUCID_DECLARE
}  // namespace kernels

namespace {

// f(a..., last), or f(a...) where f has no use for the last.
template <typename F, typename Last, typename... A>
PELLUCID_INLINE auto call(const F& f, Last& last, const A&... a) -> decltype(f(a..., last)) {
    return f(a..., last);
}
template <typename F, typename Last, typename... A>
PELLUCID_INLINE auto call(const F& f, Last&, const A&... a) -> decltype(f(a...)) {
    return f(a...);
}

// body(task) or body(task, arena) for each of the tasks, in any order, on any thread; `work`: operations in all. The
// body is copied, so that what it refers to stays in registers whatever it writes.
template <typename Body>
void run_task(void* body, int64_t task, Arena& arena) {
    const Body own = *static_cast<const Body*>(body);
    call(own, arena, task);
}
template <typename Body>
void parallel_for(int64_t tasks, double work, const Body& body) {
    pellucid::parallel_for(tasks, work, run_task<Body>, const_cast<Body*>(&body));
}

// Memory handed out in aligned pieces. Without any it counts: one function says what is needed and where it lies.
struct Memory {
    void* base = nullptr;
    int64_t used = 0;
    template <typename T>
    T* take(int64_t count) {
        T* const piece = reinterpret_cast<T*>(static_cast<char*>(base) + used);
        used += round_up(count * int64_t(sizeof(T)), 64);
        return piece;
    }
};

// take(arena, piece(x, 10), piece(y, 20)): x and y point to so many numbers of a task's memory.
template <typename T>
struct Piece {
    T*& pointer;
    int64_t count;
};
template <typename T>
PELLUCID_INLINE Piece<T> piece(T*& pointer, int64_t count) {
    return {pointer, count};
}
template <typename... T>
PELLUCID_INLINE void take(Arena& arena, Piece<T>... pieces) {
    Memory counted;
    (counted.take<T>(pieces.count), ...);
    Memory memory{arena_reserve(arena, size_t(counted.used))};
    ((pieces.pointer = memory.take<T>(pieces.count)), ...);
}

template <typename Result, typename A, typename... Rest>
A argument_of(Result (*)(const A&, Rest...));

// run(a) or run(a, context).
template <auto RUN>
struct Plain {
    using A = decltype(argument_of(RUN));
    static void run(const void* a, Context& context) { call(RUN, context, *static_cast<const A*>(a)); }
};
template <auto RUN>
constexpr Kernel kernel() {
    return {Plain<RUN>::run};
}

// plan(a, memory) chooses by the shape, and takes what run(a, plan) or run(a, plan, context) needs of the workspace.
template <auto PLAN, auto RUN>
struct Planned {
    using A = decltype(argument_of(PLAN));
    static void run(const void* arguments, Context& context) {
        const A& a = *static_cast<const A*>(arguments);
        Memory memory{context.workspace};
        call(RUN, context, a, PLAN(a, memory));
    }
    static int64_t workspace_bytes(const void* a) {
        Memory counted;
        PLAN(*static_cast<const A*>(a), counted);
        return counted.used;
    }
};
template <auto PLAN, auto RUN>
constexpr Kernel kernel() {
    return {Planned<PLAN, RUN>::run, Planned<PLAN, RUN>::workspace_bytes};
}

// What of the weights is laid into memory of its own: LAY(a, memory) takes it there, and with `true` fills it.
template <auto LAY>
struct Prepared {
    using A = decltype(argument_of(LAY));
    static int64_t bytes(const void* a) {
        Memory counted;
        LAY(*static_cast<const A*>(a), counted, false);
        return counted.used;
    }
    static void prepare(const void* a, void* memory) {
        Memory prepared{memory};
        LAY(*static_cast<const A*>(a), prepared, true);
    }
};
template <auto LAY>
constexpr Kernel prepared(Kernel kernel) {
    kernel.prepared_bytes = Prepared<LAY>::bytes;
    kernel.prepare = Prepared<LAY>::prepare;
    return kernel;
}

// One of several kernels, which CHOOSE(a) names; NUMBER(a): what the choice is called outside.
template <typename A, const Kernel& CHOOSE(const A&), int64_t NUMBER(const A&)>
struct Chosen {
    static const Kernel& of(const void* a) { return CHOOSE(*static_cast<const A*>(a)); }
    static void run(const void* a, Context& context) { of(a).run(a, context); }
    static int64_t workspace_bytes(const void* a) { return of(a).workspace_bytes ? of(a).workspace_bytes(a) : 0; }
    static int64_t prepared_bytes(const void* a) { return of(a).prepared_bytes ? of(a).prepared_bytes(a) : 0; }
    static void prepare(const void* a, void* memory) {
        if (of(a).prepare) of(a).prepare(a, memory);
    }
    static int64_t number(const void* a) { return NUMBER(*static_cast<const A*>(a)); }
};
template <typename A, const Kernel& CHOOSE(const A&), int64_t NUMBER(const A&)>
constexpr Kernel chosen() {
    using Choice = Chosen<A, CHOOSE, NUMBER>;
    return {Choice::run, Choice::workspace_bytes, Choice::number, Choice::prepared_bytes, Choice::prepare};
}

}  // namespace
}  // namespace pellucid::PELLUCID_ISA_NAMESPACE
