// What each thread has one of, made at its first use and gone with the thread.
#pragma once
#if defined(__MINGW32__)
#include <windows.h>
#endif

namespace pellucid {

template <typename T>
T& of_this_thread() {
#if defined(__MINGW32__)  // there the memory of thread_local is given back before its destructor runs
    static const DWORD slot = FlsAlloc([](void* own) { delete static_cast<T*>(own); });
    T* own = static_cast<T*>(FlsGetValue(slot));
    if (!own) FlsSetValue(slot, own = new T);
    return *own;
#else
    thread_local T own;
    return own;
#endif
}

}  // namespace pellucid
