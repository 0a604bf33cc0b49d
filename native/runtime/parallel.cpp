// The thread pool.
//
// One job at a time. A job is published in one 64-bit word: (generation << 33) | (open << 32) | workers inside.
// Workers enter with a compare-and-swap while the job is open; the caller works too, closes the job when no task is
// left, and waits only for the workers that really entered: a worker the system has put to sleep delays nobody. A
// second caller, or a nested call, finds the pool busy and runs its tasks itself.
//
// Each thread begins with a share of the tasks that lie side by side, the same of every job, and then takes what is
// left of the others'. Tasks are mostly pictures in order, so that a thread finds in its own cache what it wrote in the
// job before; and every second job goes through the shares from behind, since what was written last is there still.
#include "runtime/parallel.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <csetjmp>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <new>
#include <thread>
#include <utility>
#include <vector>

#if !defined(_WIN32)
#include <pthread.h>
#endif

#include "runtime/of_thread.hpp"

namespace pellucid {
namespace {

constexpr double kInlineWork = 30000.0;  // below this a wake-up costs more than it saves
// A worker looks for the next job this long before it sleeps: layers called one by one from Python leave gaps of some
// 100 us, a lowered program none.
constexpr int kSpinMicroseconds = 1000;
// One that the system has put to sleep with a task in hand, or that cannot run because another library's threads spin,
// lets the caller wait for milliseconds. So many small programs then go without others: few where that was a single
// hiccup, twice as many each time where it comes again before so many have gone with them.
constexpr int kLeastAlone = 32, kMostAlone = 4096, kOften = 1024;
constexpr int kLooks = 2000;  // some 50 us, before the time is looked at
constexpr int kPatienceMicroseconds = 300;
constexpr int kRapidMicroseconds = 300;  // between small programs that are worth waking a worker for
constexpr uint64_t kOpen = uint64_t(1) << 32;
constexpr uint64_t kActiveMask = kOpen - 1;

void pause_cpu() {
#if defined(__x86_64__) || defined(_M_X64)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    asm volatile("yield");
#endif
}

struct OwnedArena : Arena {
    OwnedArena() : Arena{nullptr, 0} {}
    ~OwnedArena() {
        release(data);
        release(aside.data);
    }
    Arena aside{nullptr, 0};  // whoever is left by longjmp may leave the two exchanged
    double work = 0;     // of the calls of parallel_for on this thread, see WorkCount
    bool small = false, alone = false, rapid = false;  // see WorkCount
    std::jmp_buf* escape = nullptr;  // where this thread goes on when there is no memory
};

OwnedArena& thread_arena() { return of_this_thread<OwnedArena>(); }

#if defined(__MINGW32__)
#define PELLUCID_SETJMP(place) _setjmp(place, nullptr)  // without a frame longjmp unwinds none, as everywhere else
#define PELLUCID_LONGJMP longjmp
#elif defined(_WIN32)
#define PELLUCID_SETJMP setjmp
#define PELLUCID_LONGJMP longjmp
#else
#define PELLUCID_SETJMP _setjmp  // without the signal mask, which would be a call of the system
#define PELLUCID_LONGJMP _longjmp  // macOS's longjmp would take a mask from where none was put
#endif

// Runs call(); false where arena_reserve had no memory for it, and left it where it stood.
template <typename Call>
bool attempt(OwnedArena& arena, const Call& call) {
    std::jmp_buf here;
    std::jmp_buf* const outer = arena.escape;
    arena.escape = &here;
    if (PELLUCID_SETJMP(here) != 0) {
        arena.escape = outer;
        return false;
    }
    call();
    arena.escape = outer;
    return true;
}

[[noreturn]] void leave(OwnedArena& arena) {
    if (arena.escape) PELLUCID_LONGJMP(*arena.escape, 1);
    std::fprintf(stderr, "pellucid: out of memory outside of a kernel\n");
    std::abort();
}

// Tasks that one thread begins with.
struct alignas(64) Share {
    std::atomic<int64_t> next{0};
    int64_t begin = 0, end = 0;
    int64_t undone = -1;  // the task that this thread had no memory for
};

struct Pool {
    // With fewer threads where the system gives no more.
    explicit Pool(int threads) : shares(size_t(threads)) {
        workers.reserve(size_t(threads));
        try {
            for (int i = 1; i < threads; ++i) workers.emplace_back([this, i] { work(size_t(i)); });
        } catch (...) {  // std::system_error, or no memory for its state
        }
        count = workers.size() + 1;
    }

    void stop() {
        stopping.store(true);
        {
            std::lock_guard<std::mutex> lock(mutex);
            wake.notify_all();
        }
        for (auto& worker : workers) worker.join();
    }

    // False if there was no memory, on this thread either, for a task that is then not done.
    bool run(int64_t tasks, Task function, void* argument) {
        task = function;
        context = argument;
        for (int64_t s = 0, n = int64_t(count); s < n; ++s) {
            Share& share = shares[size_t(s)];
            share.begin = tasks * s / n;
            share.next.store(share.begin, std::memory_order_relaxed);
            share.end = tasks * (s + 1) / n;
            share.undone = -1;
        }
        backwards = !backwards;
        const uint64_t generation = (state.load(std::memory_order_relaxed) >> 33) + 1;
        state.store((generation << 33) | kOpen);
        if (sleepers.load() > 0) {
            std::lock_guard<std::mutex> lock(mutex);
            wake.notify_all();
        }
        take_tasks(0);
        state.fetch_and(~kOpen);
        waited = !join();
        bool whole = shares[0].undone < 0;
        for (size_t s = 1; s < count && whole; ++s) whole = shares[s].undone < 0 || perform(shares[s].undone);
        return whole;
    }

    // Waits for the workers inside; whether that was within patience.
    bool join() {
        const auto inside = [this] { return (state.load(std::memory_order_acquire) & kActiveMask) != 0; };
        for (int looks = 0; looks < kLooks; ++looks) {
            if (!inside()) return true;
            pause_cpu();
        }
        const auto limit = std::chrono::steady_clock::now() + std::chrono::microseconds(kPatienceMicroseconds);
        while (inside()) std::this_thread::yield();
        return std::chrono::steady_clock::now() < limit;
    }

    bool perform(int64_t i) {
        OwnedArena& arena = thread_arena();
        return attempt(arena, [&] { task(context, i, arena); });
    }

    // A thread's own share first, then what is left of the others'. A worker without memory for a task leaves it, and
    // all that follow, to the others; a caller without memory ends the job.
    void take_tasks(size_t own) {
        for (size_t s = 0; s < count; ++s) {
            Share& share = shares[(own + s) % count];
            for (;;) {
                const int64_t i = share.next.fetch_add(1, std::memory_order_relaxed);
                if (i >= share.end) break;
                const int64_t turned = backwards ? share.begin + share.end - 1 - i : i;
                if (perform(turned)) continue;
                shares[own].undone = turned;
                if (own == 0)
                    for (size_t other = 0; other < count; ++other) shares[other].next.store(shares[other].end);
                return;
            }
        }
    }

    // True (and counted inside) if a job newer than `seen` is open.
    bool enter(uint64_t& seen) {
        uint64_t now = state.load();
        while ((now & kOpen) != 0 && (now >> 33) != seen) {
            if (state.compare_exchange_weak(now, now + 1)) {
                seen = now >> 33;
                return true;
            }
        }
        return false;
    }

    void work(size_t own) {
        uint64_t seen = 0;
        while (!stopping.load(std::memory_order_relaxed)) {
            bool entered = false;
            const auto limit = std::chrono::steady_clock::now() + std::chrono::microseconds(kSpinMicroseconds);
            do {
                for (int i = 0; i < 32 && !entered; ++i) {
                    entered = enter(seen);
                    if (!entered) pause_cpu();
                }
            } while (!entered && !stopping.load(std::memory_order_relaxed) && std::chrono::steady_clock::now() < limit);
            if (!entered) {
                std::unique_lock<std::mutex> lock(mutex);
                sleepers.fetch_add(1);
                wake.wait(lock, [&] { return stopping.load() || (entered = enter(seen)); });
                sleepers.fetch_sub(1);
            }
            if (entered) {
                take_tasks(own);
                state.fetch_sub(1, std::memory_order_release);
            }
        }
    }

    std::vector<std::thread> workers;
    size_t count = 1;  // threads: the workers and whoever calls
    std::mutex mutex;
    std::condition_variable wake;
    std::atomic<bool> stopping{false};
    std::atomic<int> sleepers{0};
    alignas(64) std::atomic<uint64_t> state{0};
    std::vector<Share> shares;  // one a thread
    bool backwards = false;
    bool waited = false;  // for a worker, in the last job
    Task task = nullptr;
    void* context = nullptr;
};

// Everything below is leaked on purpose: no destructor may run while a worker still spins at exit, and after fork the
// child starts afresh without touching locks that a vanished thread may hold.
struct Global {
    std::atomic<bool> busy{false};
    Pool* pool = nullptr;
    std::atomic<int> threads{0};
    std::atomic<int64_t> small_ended{0};  // when the last small program did, in ticks of the clock
    std::atomic<int> alone{0};   // small programs that are still to go without other threads
    std::atomic<int> shared{0};  // and those that have gone with them since the last wait
    int penalty = kLeastAlone;   // of whoever holds the pool
    std::atomic<int> wanted{0};  // that many were asked for, and fewer came
};
std::atomic<int64_t> num_forks{0};
Global* global = nullptr;

#if !defined(_WIN32)
void forget_after_fork() {
    const int threads = global->threads.load();
    global = new Global;
    global->threads.store(threads);
    num_forks.fetch_add(1);
}
#endif

// The pool is one caller's; let go of however it is left.
struct Hold {
    explicit Hold(Global& g) : global(g), held(!g.busy.exchange(true, std::memory_order_acquire)) {}
    Hold(const Hold&) = delete;
    Hold& operator=(const Hold&) = delete;
    ~Hold() {
        if (held) global.busy.store(false, std::memory_order_release);
    }
    Global& global;
    const bool held;
};

// The pool of a Global that is held; null where there is but one thread.
Pool* pool_of(Global& g) {
    if (g.pool) return g.pool;
    const int wanted = g.threads.load();
    if (wanted <= 1) return nullptr;
    try {
        Pool* const pool = new Pool(wanted);
        if (pool->count > 1) g.pool = pool;
        else delete pool;
    } catch (const std::bad_alloc&) {  // none, then
    }
    const int got = g.pool ? int(g.pool->count) : 1;
    if (got < wanted) {
        g.threads.store(got);
        g.wanted.store(wanted);
    }
    return g.pool;
}

}  // namespace

void* arena_reserve(Arena& arena, size_t bytes) {
#if defined(PELLUCID_EXACT_MEMORY)  // for sanitizers: a task that writes past what it asked for is seen
    constexpr size_t kRounding = 64;
    const bool suits = arena.bytes == (bytes + 63) / 64 * 64;
#else
    constexpr size_t kRounding = 4096;
    const bool suits = bytes <= arena.bytes;
#endif
    if (!suits) {
        release(arena.data);
        arena.data = nullptr;
        arena.bytes = 0;
        const size_t rounded = (bytes + kRounding - 1) / kRounding * kRounding;
        void* fresh = allocate(rounded);
        if (!fresh) leave(static_cast<OwnedArena&>(arena));
        arena.data = fresh;
        arena.bytes = rounded;
    }
    return arena.data;
}

void set_aside(Arena& arena) { std::swap(arena, static_cast<OwnedArena&>(arena).aside); }

void parallel_for(int64_t tasks, double work, Task run, void* context) {
    OwnedArena& arena = thread_arena();
    Global& g = *global;
    arena.work += work;
    if (tasks > 1 && work >= kInlineWork && !arena.alone && g.threads.load(std::memory_order_relaxed) > 1) {
        bool begun = false, whole = true;
        {
            const Hold hold(g);
            const bool wakes = !arena.small || arena.rapid || (g.pool && g.pool->sleepers.load() == 0);
            Pool* const pool = hold.held && wakes ? pool_of(g) : nullptr;
            begun = pool != nullptr;
            if (begun) whole = pool->run(tasks, run, context);
            if (begun && pool->waited && arena.small) {
                const bool again = g.shared.exchange(0, std::memory_order_relaxed) < kOften;
                g.penalty = again ? std::min(2 * g.penalty, kMostAlone) : kLeastAlone;
                g.alone.store(g.penalty, std::memory_order_relaxed);
                arena.alone = true;
            }
        }
        if (!whole) leave(arena);
        if (begun) return;
    }
    for (int64_t i = 0; i < tasks; ++i) run(context, i, arena);
}

namespace {
using Clock = std::chrono::steady_clock;
constexpr int64_t kRapid = Clock::duration(std::chrono::microseconds(kRapidMicroseconds)).count();
int64_t clock_ticks() { return Clock::now().time_since_epoch().count(); }
}  // namespace

WorkCount::WorkCount(bool small) {
    OwnedArena& arena = thread_arena();
    arena.work = 0;
    arena.small = small;
    arena.rapid = small && clock_ticks() - global->small_ended.load(std::memory_order_relaxed) < kRapid;
    arena.alone = small && global->alone.load(std::memory_order_relaxed) > 0 &&
                  global->alone.fetch_sub(1, std::memory_order_relaxed) > 0;
    if (small && !arena.alone) global->shared.fetch_add(1, std::memory_order_relaxed);
}

WorkCount::~WorkCount() {
    if (thread_arena().small) global->small_ended.store(clock_ticks(), std::memory_order_relaxed);
    thread_arena().small = thread_arena().alone = false;
}

double WorkCount::work() const { return thread_arena().work; }

bool with_memory(void (*body)(void*), void* what) {
    return attempt(thread_arena(), [=] { body(what); });
}

void prepare_threads() {
    if (global) return;
    global = new Global;
    global->threads.store(available_cores());
#if !defined(_WIN32)
    pthread_atfork(nullptr, nullptr, forget_after_fork);
#endif
}

int64_t forks() { return num_forks.load(std::memory_order_relaxed); }

int num_threads() { return global->threads.load(); }

int take_wanted_threads() { return global->wanted.load(std::memory_order_relaxed) ? global->wanted.exchange(0) : 0; }

void set_num_threads(int count) {
    Global& g = *global;
    for (;;) {
        const Hold hold(g);
        if (!hold.held) {
            std::this_thread::yield();
            continue;
        }
        if (count == g.threads.load()) return;
        if (g.pool) {
            g.pool->stop();
            delete g.pool;
            g.pool = nullptr;
        }
        g.threads.store(count);
        return;
    }
}

}  // namespace pellucid
