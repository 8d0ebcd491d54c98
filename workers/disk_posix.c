/* Whole blocks are written past the page cache (O_DIRECT), whose pages would cost memory and a copy each, unless the file system
   refuses. The flag stands for that write alone: reads, and pieces of blocks, go through the cache, which Linux keeps in step
   with what is written past it. flock, sync_file_range, O_DIRECT: _GNU_SOURCE */
#include "workers/disk.h"
#include "workers/realtime.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "workers/logline.h"
#include "workers/metrics.h"

#define LOCK_NAME    "lock"
#define ZEROES_BYTES ((size_t)1 << 20)

/* A file that a thread of its own fills. */
struct preparing {
    bool open;
    pthread_t thread;
    int directory;
    char name[AMPEL_DISK_NAME_MAX];
    uint64_t size_bytes;
    enum ampel_disk_status status; /* once done */
    atomic_bool done;
};

struct posix_disk {
    int directory;
    int lock;
    bool refuses; /* the file system knows no way past the page cache */
    struct preparing preparing;
};

static enum ampel_disk_status status_of(int error) {
    if (error == ENOSPC || error == EDQUOT) return AMPEL_DISK_FULL;
    if (error == ENOENT) return AMPEL_DISK_NOT_FOUND;
    return AMPEL_DISK_FAILED;
}

static enum ampel_disk_status disk_lock(void *context) {
    struct posix_disk *disk = context;
    int fd = openat(disk->directory, LOCK_NAME, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) return status_of(errno);
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        int error = errno;
        (void)close(fd);
        return error == EWOULDBLOCK ? AMPEL_DISK_BUSY : AMPEL_DISK_FAILED;
    }
    disk->lock = fd; /* kept open: the lock lives as long as the process */
    return AMPEL_DISK_OK;
}

static enum ampel_disk_status
disk_list(void *context, void (*sink)(void *sink_context, const char *name), void *sink_context) {
    struct posix_disk *disk = context;
    int fd = openat(disk->directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return status_of(errno);
    DIR *directory = fdopendir(fd);
    if (directory == NULL) {
        (void)close(fd);
        return AMPEL_DISK_FAILED;
    }
    for (;;) {
        errno = 0;
        const struct dirent *entry = readdir(directory);
        if (entry == NULL) break;
        if (entry->d_name[0] != '.') sink(sink_context, entry->d_name);
    }
    enum ampel_disk_status status = errno == 0 ? AMPEL_DISK_OK : AMPEL_DISK_FAILED;
    (void)closedir(directory);
    return status;
}

static enum ampel_disk_status disk_open(void *context, const char *name, bool create, int *handle) {
    struct posix_disk *disk = context;
    int fd = openat(disk->directory, name, O_RDWR | O_CLOEXEC | (create ? O_CREAT : 0), 0600);
    if (fd < 0) return status_of(errno);
    *handle = fd;
    return AMPEL_DISK_OK;
}

static enum ampel_disk_status disk_size(void *context, int handle, uint64_t *size_bytes) {
    (void)context;
    struct stat stat;
    if (fstat(handle, &stat) != 0) return status_of(errno);
    *size_bytes = (uint64_t)stat.st_size;
    return AMPEL_DISK_OK;
}

static enum ampel_disk_status disk_read(void *context, int handle, uint64_t offset, void *bytes,
                                        size_t size, size_t *read_size) {
    (void)context;
    size_t got = 0;
    while (got < size) {
        ssize_t now = pread(handle, (char *)bytes + got, size - got, (off_t)(offset + got));
        if (now < 0 && errno == EINTR) continue;
        if (now < 0) return status_of(errno);
        if (now == 0) break;
        got += (size_t)now;
    }
    *read_size = got;
    return AMPEL_DISK_OK;
}

static bool in_blocks(uint64_t offset, const void *bytes, size_t size) {
    return (offset | size | (uintptr_t)bytes) % AMPEL_DISK_BLOCK_BYTES == 0;
}

/* What is left behind *done. Returns 0 or errno. */
static int rest_write(int handle, uint64_t offset, const void *bytes, size_t size, size_t *done) {
    while (*done < size) {
        ssize_t now = pwrite(handle, (const char *)bytes + *done, size - *done, (off_t)(offset + *done));
        if (now < 0 && errno == EINTR) continue;
        if (now < 0) return errno;
        if (now == 0) return EIO;
        *done += (size_t)now;
    }
    return 0;
}

/* *direct: past the page cache; false afterwards where that was refused and the cache was taken. */
static enum ampel_disk_status way_write(int handle, uint64_t offset, const void *bytes, size_t size,
                                        bool *direct) {
    size_t done = 0;
    int error = 0;
    if (*direct) *direct = fcntl(handle, F_SETFL, O_DIRECT) == 0;
    if (*direct) {
        error = rest_write(handle, offset, bytes, size, &done);
        if (fcntl(handle, F_SETFL, 0) != 0) return AMPEL_DISK_FAILED;
        /* Behind a write that took a piece of a block the rest is no whole one, which is nobody's refusal. */
        bool refused = error == EINVAL || error == EOPNOTSUPP;
        if (refused) *direct = done > 0;
        if (refused) error = 0;
    }
    if (error == 0) error = rest_write(handle, offset, bytes, size, &done);
    return error == 0 ? AMPEL_DISK_OK : status_of(error);
}

static void way_tell(struct posix_disk *disk, bool direct) {
    ampel_metric_set(AMPEL_METRIC_JOURNAL_DIRECT, direct);
    disk->refuses = !direct;
    if (!direct)
        ampel_log(AMPEL_LOG_INFO, "journal", "the file system refuses O_DIRECT: written through the page cache", NULL);
}

static enum ampel_disk_status disk_write(void *context, int handle, uint64_t offset,
                                         const void *bytes, size_t size) {
    struct posix_disk *disk = context;
    bool tried = !disk->refuses && in_blocks(offset, bytes, size), direct = tried;
    enum ampel_disk_status status = way_write(handle, offset, bytes, size, &direct);
    if (tried) way_tell(disk, direct);
    return status;
}

static enum ampel_disk_status disk_sync(void *context, int handle) {
    (void)context;
    /* ENOSPC of a sync is a failed sync like any other: the pages may be gone. */
    return fdatasync(handle) == 0 ? AMPEL_DISK_OK : AMPEL_DISK_FAILED;
}

/* Blocks are reserved first, so that a full disk says so before anything is written; zeroes are
   written, because a block that is merely reserved costs a change of metadata when it is first
   written. */
static enum ampel_disk_status zeroes_write(int handle, uint64_t size_bytes, bool gently) {
    int error = posix_fallocate(handle, 0, (off_t)size_bytes);
    if (error != 0 && error != EINVAL && error != EOPNOTSUPP) return status_of(error);
    /* Memory that is only read is the system's one page of zeroes, many times. */
    void *zeroes = mmap(NULL, ZEROES_BYTES, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (zeroes == MAP_FAILED) return AMPEL_DISK_FULL; /* may pass */
    enum ampel_disk_status status = AMPEL_DISK_OK;
    bool direct = size_bytes % AMPEL_DISK_BLOCK_BYTES == 0;
    for (uint64_t at = 0; at < size_bytes && status == AMPEL_DISK_OK; at += ZEROES_BYTES) {
        uint64_t left = size_bytes - at;
        status = way_write(handle, at, zeroes, left < ZEROES_BYTES ? left : ZEROES_BYTES, &direct);
        /* Piece by piece to the disk, so that no group's sync has to wait for all of it. */
        if (gently && !direct)
            (void)sync_file_range(handle, (off_t)at, (off_t)ZEROES_BYTES,
                                  SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE |
                                      SYNC_FILE_RANGE_WAIT_AFTER);
    }
    (void)munmap(zeroes, ZEROES_BYTES);
    return status;
}

static enum ampel_disk_status disk_allocate(void *context, int handle, uint64_t size_bytes) {
    (void)context;
    return zeroes_write(handle, size_bytes, false);
}

static void *preparing_run(void *context) {
    struct preparing *preparing = context;
    ampel_realtime_leave();
    int fd = openat(preparing->directory, preparing->name, O_RDWR | O_CLOEXEC | O_CREAT, 0600);
    enum ampel_disk_status status = fd < 0 ? status_of(errno) : zeroes_write(fd, preparing->size_bytes, true);
    if (status == AMPEL_DISK_OK && fdatasync(fd) != 0) status = AMPEL_DISK_FAILED;
    if (fd >= 0 && close(fd) != 0) status = AMPEL_DISK_FAILED;
    preparing->status = status;
    atomic_store_explicit(&preparing->done, true, memory_order_release);
    return NULL;
}

static void preparing_join(struct preparing *preparing) {
    if (!preparing->open) return;
    (void)pthread_join(preparing->thread, NULL);
    preparing->open = false;
}

static enum ampel_disk_status disk_prepare(void *context, const char *name, uint64_t size_bytes, bool *done) {
    struct posix_disk *disk = context;
    struct preparing *preparing = &disk->preparing;
    *done = false;
    if (!preparing->open) {
        preparing->directory = disk->directory;
        preparing->size_bytes = size_bytes;
        (void)snprintf(preparing->name, sizeof(preparing->name), "%s", name);
        atomic_store(&preparing->done, false);
        *done = pthread_create(&preparing->thread, NULL, preparing_run, preparing) != 0;
        preparing->open = !*done;
        return *done ? AMPEL_DISK_FULL : AMPEL_DISK_OK;
    }
    if (!atomic_load_explicit(&preparing->done, memory_order_acquire)) return AMPEL_DISK_OK;
    preparing_join(preparing);
    *done = true;
    return preparing->status;
}

static enum ampel_disk_status disk_close(void *context, int handle) {
    (void)context;
    return close(handle) == 0 ? AMPEL_DISK_OK : AMPEL_DISK_FAILED;
}

static enum ampel_disk_status disk_rename(void *context, const char *from, const char *to) {
    struct posix_disk *disk = context;
    int failed = renameat(disk->directory, from, disk->directory, to);
    return failed == 0 ? AMPEL_DISK_OK : status_of(errno);
}

static enum ampel_disk_status disk_remove(void *context, const char *name) {
    struct posix_disk *disk = context;
    return unlinkat(disk->directory, name, 0) == 0 ? AMPEL_DISK_OK : status_of(errno);
}

static enum ampel_disk_status disk_sync_directory(void *context) {
    struct posix_disk *disk = context;
    return fsync(disk->directory) == 0 ? AMPEL_DISK_OK : AMPEL_DISK_FAILED;
}

bool ampel_disk_posix(const char *path, struct ampel_disk *out) {
    if (mkdir(path, 0700) != 0 && errno != EEXIST) return false;
    int directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (directory < 0) return false;
    struct posix_disk *disk = malloc(sizeof(*disk));
    if (disk == NULL) {
        (void)close(directory);
        errno = ENOMEM;
        return false;
    }
    *disk = (struct posix_disk){.directory = directory, .lock = -1};
    *out = (struct ampel_disk){
        .context = disk,
        .lock = disk_lock,
        .list = disk_list,
        .open = disk_open,
        .size = disk_size,
        .allocate = disk_allocate,
        .prepare = disk_prepare,
        .read = disk_read,
        .write = disk_write,
        .sync = disk_sync,
        .close = disk_close,
        .rename = disk_rename,
        .remove = disk_remove,
        .sync_directory = disk_sync_directory,
    };
    return true;
}

void ampel_disk_posix_close(struct ampel_disk *disk) {
    struct posix_disk *posix = disk->context;
    preparing_join(&posix->preparing);
    if (posix->lock >= 0) (void)close(posix->lock);
    (void)close(posix->directory);
    free(posix);
    *disk = (struct ampel_disk){0};
}
