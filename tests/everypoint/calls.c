/* Each of these stands where the linker's --wrap puts it: before the C library's. */
#include "tests/everypoint/calls.h"
#include "tests/everypoint/wrap_fcntl.h"

#include <dirent.h>
#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/types.h>

struct calls calls = {.fail_at = UINT64_MAX};

static bool fails(const char *name) {
    if (!calls.counted || calls.count++ != calls.fail_at) return false;
    calls.failed = name;
    errno = calls.fail_with;
    return true;
}

int __real_openat(int directory, const char *name, int flags, ...);
int __wrap_openat(int directory, const char *name, int flags, ...);
int __wrap_openat(int directory, const char *name, int flags, ...) {
    va_list arguments;
    va_start(arguments, flags);
    int mode = va_arg(arguments, int); /* ours always give one or do not need it */
    va_end(arguments);
    return fails("openat") ? -1 : __real_openat(directory, name, flags, mode);
}

static bool fcntl_fails(int command, int flags) {
    (void)command;
    (void)flags;
    return fails("fcntl");
}

ssize_t __real_pread(int fd, void *bytes, size_t size, off_t offset);
ssize_t __wrap_pread(int fd, void *bytes, size_t size, off_t offset);
ssize_t __wrap_pread(int fd, void *bytes, size_t size, off_t offset) {
    if (!fails("pread")) return __real_pread(fd, bytes, size, offset);
    return calls.part && size > 1 ? __real_pread(fd, bytes, size / 2, offset) : -1;
}

ssize_t __real_pwrite(int fd, const void *bytes, size_t size, off_t offset);
ssize_t __wrap_pwrite(int fd, const void *bytes, size_t size, off_t offset);
ssize_t __wrap_pwrite(int fd, const void *bytes, size_t size, off_t offset) {
    if (!fails("pwrite")) return __real_pwrite(fd, bytes, size, offset);
    if (!calls.part || size <= 1) return -1;
    ssize_t done = __real_pwrite(fd, bytes, size / 2, offset);
    return calls.lies && done > 0 ? (ssize_t)size : done;
}

int __real_posix_fallocate(int fd, off_t offset, off_t size);
int __wrap_posix_fallocate(int fd, off_t offset, off_t size);
int __wrap_posix_fallocate(int fd, off_t offset, off_t size) {
    return fails("posix_fallocate") ? calls.fail_with : __real_posix_fallocate(fd, offset, size);
}

DIR *__real_fdopendir(int fd);
DIR *__wrap_fdopendir(int fd);
DIR *__wrap_fdopendir(int fd) {
    return fails("fdopendir") ? NULL : __real_fdopendir(fd);
}

struct dirent *__real_readdir(DIR *directory);
struct dirent *__wrap_readdir(DIR *directory);
struct dirent *__wrap_readdir(DIR *directory) {
    return fails("readdir") ? NULL : __real_readdir(directory);
}

int __real_close(int fd);
int __wrap_close(int fd);
int __wrap_close(int fd) {
    /* As Linux does it: the descriptor is gone all the same. */
    int closed = __real_close(fd);
    return fails("close") ? -1 : closed;
}

/* int name(int fd) and the like, which fail with -1. */
#define SIMPLE(name, parameters, arguments)                 \
    int __real_##name parameters;                           \
    int __wrap_##name parameters;                           \
    int __wrap_##name parameters {                          \
        return fails(#name) ? -1 : __real_##name arguments; \
    }
SIMPLE(fdatasync, (int fd), (fd))
SIMPLE(eventfd, (unsigned int count, int flags), (count, flags))
SIMPLE(fsync, (int fd), (fd))
SIMPLE(flock, (int fd, int operation), (fd, operation))
SIMPLE(fstat, (int fd, struct stat *out), (fd, out))
SIMPLE(mkdir, (const char *path, mode_t mode), (path, mode))
SIMPLE(renameat, (int from_fd, const char *from, int to_fd, const char *to),
       (from_fd, from, to_fd, to))
SIMPLE(unlinkat, (int fd, const char *name, int flags), (fd, name, flags))

/* ---- allocations -------------------------------------------------------------------------------- */

struct allocations allocations = {.fail_at = UINT64_MAX};

static bool starves(void) {
    return allocations.counted && allocations.count++ == allocations.fail_at;
}

void *points_malloc(size_t size) {
    return starves() ? NULL : malloc(size);
}

void *points_calloc(size_t count, size_t size) {
    return starves() ? NULL : calloc(count, size);
}

void *points_realloc(void *block, size_t size) {
    return starves() ? NULL : realloc(block, size);
}

void *points_aligned_alloc(size_t alignment, size_t size) {
    return starves() ? NULL : aligned_alloc(alignment, size);
}
