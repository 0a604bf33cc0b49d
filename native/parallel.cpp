// The thread pool.
//
// One job at a time. A job is published in one 64-bit word: (generation << 33) | (open << 32) | workers inside.
// Workers enter with a compare-and-swap while the job is open; the caller works too, closes the job when no task is
// left, and waits only for the workers that really entered: a worker the system has put to sleep delays nobody. A
// second caller, or a nested call, finds the pool busy and runs its tasks itself.
//
// Each thread begins with a share of the tasks that lie side by side, the same of every job, and then takes what is left
// of the others'. Tasks are mostly pictures in order, so that a thread finds in its own cache what it wrote in the job
// before; and every second job goes through the shares from behind, since what was written last is there still. Against
// one counter for all (Zen 3, two threads, medians of pairs): a training step of LeNet takes 0.79 of the time, of
// SimpleConvNet 0.88, of cifar-net 0.89; without going backwards 0.83, 0.90 and 1.02. Inference gains 0 to 5 %.
#include "parallel.hpp"

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <new>
#include <string>
#include <thread>
#include <vector>

#if defined(__linux__)
#include <sched.h>
#endif
#if !defined(_WIN32)
#include <pthread.h>
#endif

namespace pellucid {
namespace {

constexpr double kInlineWork = 30000.0;  // below this a wake-up costs more than it saves
// A worker looks for the next job this long before it sleeps. Layers called one by one from Python leave gaps of some
// 100 us; after 50 us of looking, the workers slept in most of them, and a step of scratch's SimpleConvNet took 13.7 ms
// where it takes 12.1 with 300 us and 11.2 with 1000. A lowered program leaves no gaps.
constexpr int kSpinMicroseconds = 1000;
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
    ~OwnedArena() { std::free(data); }
};

thread_local OwnedArena thread_arena;

// Tasks that one thread begins with.
struct alignas(64) Share {
    std::atomic<int64_t> next{0};
    int64_t begin = 0, end = 0;
};

struct Pool {
    explicit Pool(int threads) : shares(size_t(threads)) {
        for (int i = 1; i < threads; ++i) workers.emplace_back([this, i] { work(size_t(i)); });
    }

    void stop() {
        stopping.store(true);
        {
            std::lock_guard<std::mutex> lock(mutex);
            wake.notify_all();
        }
        for (auto& worker : workers) worker.join();
    }

    void run(int64_t count, Task function, void* argument) {
        task = function;
        context = argument;
        for (int64_t s = 0, n = int64_t(shares.size()); s < n; ++s) {
            shares[size_t(s)].begin = count * s / n;
            shares[size_t(s)].next.store(count * s / n, std::memory_order_relaxed);
            shares[size_t(s)].end = count * (s + 1) / n;
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
        for (int spins = 0; (state.load(std::memory_order_acquire) & kActiveMask) != 0; ++spins) {
            if (spins < 2000) pause_cpu();
            else std::this_thread::yield();
        }
    }

    // A thread's own share first, then what is left of the others'.
    void take_tasks(size_t own) {
        for (size_t s = 0; s < shares.size(); ++s) {
            Share& share = shares[(own + s) % shares.size()];
            for (;;) {
                const int64_t i = share.next.fetch_add(1, std::memory_order_relaxed);
                if (i >= share.end) break;
                task(context, backwards ? share.begin + share.end - 1 - i : i, thread_arena);
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
    std::mutex mutex;
    std::condition_variable wake;
    std::atomic<bool> stopping{false};
    std::atomic<int> sleepers{0};
    alignas(64) std::atomic<uint64_t> state{0};
    std::vector<Share> shares;  // one a thread
    bool backwards = false;
    Task task = nullptr;
    void* context = nullptr;
};

// Everything below is leaked on purpose: no destructor may run while a worker still spins at exit, and after fork the
// child starts afresh without touching locks that a vanished thread may hold.
struct Global {
    std::atomic<bool> busy{false};
    Pool* pool = nullptr;
    std::atomic<int> threads{0};
};
Global* global = nullptr;
std::once_flag created;

void forget_after_fork() {
    const int threads = global->threads.load();
    global = new Global;
    global->threads.store(threads);
}

Global& shared() {
    std::call_once(created, [] {
        global = new Global;
        global->threads.store(available_cores());
#if !defined(_WIN32)
        pthread_atfork(nullptr, nullptr, forget_after_fork);
#endif
    });
    return *global;
}

bool try_acquire(Global& g) { return !g.busy.exchange(true, std::memory_order_acquire); }

#if defined(__linux__)
// cpu.max ("quota period" or "max period") or the two v1 files; a very large number if there is no limit.
double quota_of(const std::string& folder, bool v2) {
    double quota = -1, period = 0;
    if (v2) {
        if (FILE* f = std::fopen((folder + "/cpu.max").c_str(), "r")) {
            char text[64] = "";
            const bool read = std::fscanf(f, "%63s %lf", text, &period) == 2;
            if (read && std::strcmp(text, "max") != 0) quota = std::atof(text);
            std::fclose(f);
        }
    } else {
        if (FILE* f = std::fopen((folder + "/cpu.cfs_quota_us").c_str(), "r")) {
            if (std::fscanf(f, "%lf", &quota) != 1) quota = -1;
            std::fclose(f);
        }
        if (FILE* f = std::fopen((folder + "/cpu.cfs_period_us").c_str(), "r")) {
            if (std::fscanf(f, "%lf", &period) != 1) period = 0;
            std::fclose(f);
        }
    }
    return quota > 0 && period > 0 ? quota / period : 1e9;
}

double cgroup_cores() {
    double cores = 1e9;
    FILE* f = std::fopen("/proc/self/cgroup", "r");
    if (!f) return cores;
    char line[4096];
    while (std::fgets(line, sizeof line, f)) {
        char* controllers = std::strchr(line, ':');
        char* path = controllers ? std::strchr(controllers + 1, ':') : nullptr;
        if (!path) continue;
        *controllers++ = 0;
        *path++ = 0;
        path[std::strcspn(path, "\n")] = 0;
        const bool v2 = *controllers == 0;
        if (!v2 && !std::strstr((std::string(",") + controllers + ",").c_str(), ",cpu,")) continue;
        const std::string root = v2 ? "/sys/fs/cgroup" : "/sys/fs/cgroup/cpu";
        std::string folder = path;  // every ancestor may limit
        for (;;) {
            while (!folder.empty() && folder.back() == '/') folder.pop_back();
            const double here = quota_of(root + folder, v2);
            if (here < cores) cores = here;
            if (folder.empty()) break;
            folder.resize(folder.rfind('/') == std::string::npos ? 0 : folder.rfind('/'));
        }
    }
    std::fclose(f);
    return cores;
}
#endif

}  // namespace

int available_cores() {
    int cores = int(std::thread::hardware_concurrency());
#if defined(__linux__)
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0) cores = CPU_COUNT(&set);
    const double quota = cgroup_cores();
    if (quota < cores) cores = int(quota + 0.999);
#endif
    return cores < 1 ? 1 : cores;
}

void* arena_reserve(Arena& arena, size_t bytes) {
#if defined(PELLUCID_EXACT_MEMORY)  // for sanitizers: a task that writes past what it asked for is seen
    constexpr size_t kRounding = 64;
    const bool suits = arena.bytes == (bytes + 63) / 64 * 64;
#else
    constexpr size_t kRounding = 4096;
    const bool suits = bytes <= arena.bytes;
#endif
    if (!suits) {
        std::free(arena.data);
        arena.data = nullptr;
        arena.bytes = 0;
        const size_t rounded = (bytes + kRounding - 1) / kRounding * kRounding;
        void* fresh = std::aligned_alloc(64, rounded);
        if (!fresh) {
            std::fprintf(stderr, "pellucid: out of memory (%zu bytes of scratch)\n", rounded);
            std::abort();  // kernels have no way back from here, and a task may run on any thread
        }
        arena.data = fresh;
        arena.bytes = rounded;
    }
    return arena.data;
}

void parallel_for(int64_t tasks, double work, Task run, void* context) {
    Global& g = shared();
    if (tasks > 1 && work >= kInlineWork && g.threads.load(std::memory_order_relaxed) > 1 && try_acquire(g)) {
        if (!g.pool) g.pool = new Pool(g.threads.load());
        g.pool->run(tasks, run, context);
        g.busy.store(false, std::memory_order_release);
        return;
    }
    for (int64_t i = 0; i < tasks; ++i) run(context, i, thread_arena);
}

int num_threads() { return shared().threads.load(); }

void set_num_threads(int count) {
    Global& g = shared();
    while (!try_acquire(g)) std::this_thread::yield();
    if (count != g.threads.load()) {
        if (g.pool) {
            g.pool->stop();
            delete g.pool;
            g.pool = nullptr;
        }
        g.threads.store(count);
    }
    g.busy.store(false, std::memory_order_release);
}

}  // namespace pellucid
