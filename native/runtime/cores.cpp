// How many cores this process may use: its affinity mask, and what its control groups allow.
#include "runtime/parallel.hpp"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <thread>

#if defined(__linux__)
#include <sched.h>
#elif defined(_WIN32)
#include <windows.h>
#endif

namespace pellucid {
namespace {

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
#elif defined(_WIN32)
    DWORD_PTR own = 0, all = 0;  // own is 0 where the process runs in several groups of 64
    if (GetProcessAffinityMask(GetCurrentProcess(), &own, &all) && own) cores = __builtin_popcountll(own);
#endif
    return cores < 1 ? 1 : cores;
}

}  // namespace pellucid
