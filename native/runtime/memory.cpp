// Memory for workspaces and arenas.
#include "runtime/parallel.hpp"

#include <cstdlib>

#if defined(_WIN32)
#include <malloc.h>
#endif

#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace pellucid {

void* allocate(size_t bytes) {
#if defined(__linux__) && !defined(PELLUCID_EXACT_MEMORY)
    constexpr size_t kLargePage = size_t(2) << 20;
    if (bytes >= kLargePage) {
        const size_t rounded = (bytes + kLargePage - 1) / kLargePage * kLargePage;
        void* const memory = std::aligned_alloc(kLargePage, rounded);
        if (memory) {
            madvise(memory, bytes / kLargePage * kLargePage, MADV_HUGEPAGE);  // the rest, or where it cannot: small ones
            return memory;
        }
    }
#endif
#if defined(_WIN32)
    return _aligned_malloc(bytes, 64);
#else
    return std::aligned_alloc(64, bytes);
#endif
}

void release(void* memory) {
#if defined(_WIN32)
    _aligned_free(memory);
#else
    std::free(memory);
#endif
}

}  // namespace pellucid
