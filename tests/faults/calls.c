/* Loaded before the C library (LD_PRELOAD), this counts a process's calls that change one folder, and lets one of them
   go wrong: whatever wrote, in whatever language, comes by here. See faulty.py. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { NOTHING, DIE, TEAR, FAIL, SHORT, TELL };
enum { MAX_FDS = 4096, MAX_CALLS = 1 << 16 };
enum { ELSEWHERE, BESIDE, IN_PLACE, LOCK, FOLDER }; /* what a descriptor belongs to */

static char folder[4096];
static size_t folder_length;
static int kind, error_number, tell_handle, from_then_on;
static long fault_at;
static char only[16];
static atomic_long num_seen;
static char calls[MAX_CALLS];
static atomic_long num_calls;
static _Atomic char place_of[MAX_FDS];

#define NEXT(result, name, ...)                                             \
  static result (*next_##name)(__VA_ARGS__);                                \
  if (!next_##name) next_##name = (result (*)(__VA_ARGS__))dlsym(RTLD_NEXT, #name)

void fault_set(const char *path, int what, long at, const char *names, int number, int handle, int persists) {
  num_seen = num_calls = 0;
  kind = what, fault_at = at, error_number = number, tell_handle = handle, from_then_on = persists;
  strncpy(only, names, sizeof only - 1);
  folder_length = strlen(path);
  memcpy(folder, path, folder_length + 1);
}

/* Working space of the kernels, which nobody else asks for by this name: from the call `at` on, counted from 1, there is
   none; so many calls there were. */
static atomic_long num_spaces, starved_at;

long fault_starve(long at) {
  long seen = num_spaces;
  num_spaces = 0, starved_at = at;
  return seen;
}

void *aligned_alloc(size_t alignment, size_t size) {
  NEXT(void *, aligned_alloc, size_t, size_t);
  long number = ++num_spaces;
  return starved_at && number >= starved_at ? NULL : next_aligned_alloc(alignment, size);
}

const char *fault_calls(void) {
  calls[num_calls < MAX_CALLS ? num_calls : MAX_CALLS - 1] = 0;
  return calls;
}

static int inside(const char *path) {
  return folder_length && !strncmp(path, folder, folder_length) &&
         (path[folder_length] == '/' || path[folder_length] == 0);
}

/* A path as it is seen from the root: programs also name files from a folder they have opened. */
static const char *whole(int from, const char *path, char *buffer, size_t size) {
  char link[64];
  if (*path == '/' || from == AT_FDCWD) return path;
  snprintf(link, sizeof link, "/proc/self/fd/%d", from);
  ssize_t length = readlink(link, buffer, size - 1);
  if (length < 0) return path;
  snprintf(buffer + length, size - (size_t)length, "/%s", path);
  return buffer;
}

static int ends(const char *path, const char *end) {
  size_t length = strlen(path), tail = strlen(end);
  return length >= tail && !strcmp(path + length - tail, end);
}

/* One call of this name comes. Returns what is to happen to it: NOTHING, TEAR, FAIL or SHORT; DIE does not return. */
static int come(char name) {
  long place = atomic_fetch_add(&num_calls, 1);
  if (place < MAX_CALLS - 1) calls[place] = name;
  if (*only && !strchr(only, name)) return NOTHING;
  long number = 1 + atomic_fetch_add(&num_seen, 1);
  if (!fault_at || (from_then_on ? number < fault_at : number != fault_at)) return NOTHING;
  if (kind == DIE) kill(getpid(), SIGKILL);
  if (kind == TELL) {
    NEXT(ssize_t, write, int, const void *, size_t);
    next_write(tell_handle, ".", 1);
    return NOTHING;
  }
  return kind;
}

/* The same for a call that has no half: TEAR is DIE, SHORT nothing. 1 where it fails. */
static int fails(char name) {
  int fault = come(name);
  if (fault == TEAR) kill(getpid(), SIGKILL);
  if (fault == FAIL) errno = error_number;
  return fault == FAIL;
}

static int opened(int handle, const char *path) {
  struct stat status;
  if (handle < 0 || handle >= MAX_FDS) return handle;
  int place = ELSEWHERE;
  if (inside(path)) {
    place = ends(path, ".tmp") ? BESIDE : ends(path, "/lock") ? LOCK : IN_PLACE;
    if (!fstat(handle, &status) && S_ISDIR(status.st_mode)) place = FOLDER;
  }
  place_of[handle] = place;
  return handle;
}

#define CHANGES(flags) ((flags) & (O_CREAT | O_WRONLY | O_RDWR))
#define OPEN(name)                                                         \
  int name(const char *path, int flags, ...) {                             \
    NEXT(int, name, const char *, int, ...);                               \
    va_list rest;                                                          \
    va_start(rest, flags);                                                 \
    mode_t mode = flags & O_CREAT ? va_arg(rest, mode_t) : 0;              \
    va_end(rest);                                                          \
    if (inside(path) && CHANGES(flags) && fails('o')) return -1;           \
    return opened(next_##name(path, flags, mode), path);                   \
  }
OPEN(open)
OPEN(open64)

#define OPEN_AT(name)                                                      \
  int name(int from, const char *named, int flags, ...) {                  \
    NEXT(int, name, int, const char *, int, ...);                          \
    char buffer[4096];                                                     \
    const char *path = whole(from, named, buffer, sizeof buffer);          \
    va_list rest;                                                          \
    va_start(rest, flags);                                                 \
    mode_t mode = flags & O_CREAT ? va_arg(rest, mode_t) : 0;              \
    va_end(rest);                                                          \
    if (inside(path) && CHANGES(flags) && fails('o')) return -1;           \
    return opened(next_##name(from, named, flags, mode), path);            \
  }
OPEN_AT(openat)
OPEN_AT(openat64)

int close(int handle) {
  NEXT(int, close, int);
  if (handle >= 0 && handle < MAX_FDS) place_of[handle] = ELSEWHERE;
  return next_close(handle);
}

static int place(int handle) { return handle >= 0 && handle < MAX_FDS ? place_of[handle] : ELSEWHERE; }

ssize_t write(int handle, const void *data, size_t count) {
  NEXT(ssize_t, write, int, const void *, size_t);
  int where = place(handle);
  if (where == ELSEWHERE) return next_write(handle, data, count);
  int fault = come(where == BESIDE ? 'w' : where == LOCK ? 'l' : 'a');
  if (fault == FAIL) {
    errno = error_number;
    return -1;
  }
  if (fault == TEAR || fault == SHORT) count = (count + 1) / 2;
  ssize_t done = next_write(handle, data, count);
  if (fault == TEAR) kill(getpid(), SIGKILL);
  return done;
}

#define FLUSH(name)                                                                    \
  int name(int handle) {                                                               \
    NEXT(int, name, int);                                                              \
    int where = place(handle);                                                         \
    if (where != ELSEWHERE && fails(where == FOLDER ? 'f' : 's')) return -1;           \
    return next_##name(handle);                                                        \
  }
FLUSH(fsync)
FLUSH(fdatasync)

#define TRUNCATE(name)                                                                 \
  int name(int handle, off_t length) {                                                 \
    NEXT(int, name, int, off_t);                                                       \
    int where = place(handle);                                                         \
    if (where != ELSEWHERE && fails(where == LOCK ? 'l' : 't')) return -1;             \
    return next_##name(handle, length);                                                \
  }
TRUNCATE(ftruncate)
TRUNCATE(ftruncate64)

int rename(const char *from, const char *to) {
  NEXT(int, rename, const char *, const char *);
  return inside(to) && fails('r') ? -1 : next_rename(from, to);
}

int unlink(const char *path) {
  NEXT(int, unlink, const char *);
  return inside(path) && fails('u') ? -1 : next_unlink(path);
}

int mkdir(const char *path, mode_t mode) {
  NEXT(int, mkdir, const char *, mode_t);
  return inside(path) && fails('m') ? -1 : next_mkdir(path, mode);
}

int renameat(int from_folder, const char *from, int to_folder, const char *to) {
  NEXT(int, renameat, int, const char *, int, const char *);
  char buffer[4096];
  return inside(whole(to_folder, to, buffer, sizeof buffer)) && fails('r') ? -1
                                                                           : next_renameat(from_folder, from, to_folder, to);
}

int unlinkat(int from, const char *path, int flags) {
  NEXT(int, unlinkat, int, const char *, int);
  char buffer[4096];
  return inside(whole(from, path, buffer, sizeof buffer)) && fails('u') ? -1 : next_unlinkat(from, path, flags);
}

int mkdirat(int from, const char *path, mode_t mode) {
  NEXT(int, mkdirat, int, const char *, mode_t);
  char buffer[4096];
  return inside(whole(from, path, buffer, sizeof buffer)) && fails('m') ? -1 : next_mkdirat(from, path, mode);
}
