#include "tests/oracle/memory_disk.h"

#include <stdlib.h>
#include <string.h>

#define FILES_MAX   1024
#define HANDLES_MAX 128
#define PENDING_MAX 1024
#define SECTOR      MEMORY_DISK_SECTOR_BYTES

struct file {
    char name[AMPEL_DISK_NAME_MAX];
    bool exists;
    uint64_t size, durable_size, capacity;
    uint8_t *bytes, *durable, *sectors; /* sectors: enum sector of each */
    uint64_t dirty_from, dirty_to;      /* sector indices; outside of them all are clean */
};

enum sector { CLEAN, DIRTY, FORGOTTEN };

/* How to take an operation on names back. */
struct pending {
    enum { CREATED, RENAMED, REMOVED } what;
    struct file *file;
    char before[AMPEL_DISK_NAME_MAX];
};

struct memory_disk {
    struct file *files[FILES_MAX];
    uint32_t files_count;
    struct pending pending[PENDING_MAX];
    uint32_t pending_count;
    struct file *handles[HANDLES_MAX];
    bool locked, dead;
    uint64_t operations, fail_at, bytes_free, life;
    enum ampel_disk_status fail_status;
    struct process *processes;
    uint32_t failing_reads, garbled_percent;
    bool lies, held;
    struct memory_disk_toll toll;
    void (*on_sync)(void *context);
    void *on_sync_context;
};

struct process {
    struct memory_disk *disk;
    uint64_t life;
    struct process *next;
};

struct memory_disk *memory_disk_open(void) {
    struct memory_disk *disk = calloc(1, sizeof(*disk));
    AMPEL_ASSERT(disk != NULL);
    disk->fail_at = UINT64_MAX;
    disk->bytes_free = UINT64_MAX;
    return disk;
}

void memory_disk_close(struct memory_disk *disk) {
    for (uint32_t i = 0; i < disk->files_count; i++) {
        free(disk->files[i]->bytes);
        free(disk->files[i]->durable);
        free(disk->files[i]->sectors);
        free(disk->files[i]);
    }
    while (disk->processes != NULL) {
        struct process *next = disk->processes->next;
        free(disk->processes);
        disk->processes = next;
    }
    free(disk);
}

static struct memory_disk *alive(void *context) {
    const struct process *process = context;
    struct memory_disk *disk = process->disk;
    return process->life == disk->life && !disk->dead ? disk : NULL;
}

static struct file *file_find(const struct memory_disk *disk, const char *name) {
    for (uint32_t i = 0; i < disk->files_count; i++) {
        if (disk->files[i]->exists && strcmp(disk->files[i]->name, name) == 0) {
            return disk->files[i];
        }
    }
    return NULL;
}

/* OK: go on. Else the operation fails so; *part says that a part of it should be done. */
static enum ampel_disk_status step(struct memory_disk *disk, bool *part) {
    *part = false;
    if (disk->operations++ != disk->fail_at) return AMPEL_DISK_OK;
    *part = true;
    if (disk->fail_status == AMPEL_DISK_FULL) disk->toll.full++;
    if (disk->fail_status == AMPEL_DISK_FAILED) disk->toll.failed++;
    if (disk->fail_status != AMPEL_DISK_OK) return disk->fail_status;
    disk->dead = true;
    return AMPEL_DISK_FAILED;
}

static uint64_t random_next(uint64_t *state) {
    uint64_t value = *state += UINT64_C(0x9e3779b97f4a7c15);
    value = (value ^ value >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    value = (value ^ value >> 27) * UINT64_C(0x94d049bb133111eb);
    return value ^ value >> 31;
}

/* ---- the interface -------------------------------------------------------------------------- */

static enum ampel_disk_status disk_lock(void *context) {
    struct memory_disk *disk = alive(context);
    if (disk == NULL) return AMPEL_DISK_FAILED;
    if (disk->locked) return AMPEL_DISK_BUSY;
    disk->locked = true;
    return AMPEL_DISK_OK;
}

static enum ampel_disk_status
disk_list(void *context, void (*sink)(void *sink_context, const char *name), void *sink_context) {
    struct memory_disk *disk = alive(context);
    if (disk == NULL) return AMPEL_DISK_FAILED;
    for (uint32_t i = 0; i < disk->files_count; i++) {
        if (disk->files[i]->exists) sink(sink_context, disk->files[i]->name);
    }
    return AMPEL_DISK_OK;
}

static void pending_add(struct memory_disk *disk, struct pending pending) {
    if (disk->pending_count == PENDING_MAX) { /* the oldest have become durable by themselves */
        disk->pending_count -= PENDING_MAX / 2;
        memmove(disk->pending, disk->pending + PENDING_MAX / 2,
                disk->pending_count * sizeof(disk->pending[0]));
    }
    disk->pending[disk->pending_count++] = pending;
}

static void touch(struct file *file, uint64_t from, uint64_t to) {
    if (to <= from) return;
    uint64_t first = from / SECTOR, end = (to + SECTOR - 1) / SECTOR;
    memset(file->sectors + first, DIRTY, end - first);
    if (file->dirty_from == file->dirty_to) {
        file->dirty_from = first;
        file->dirty_to = end;
    }
    if (first < file->dirty_from) file->dirty_from = first;
    if (end > file->dirty_to) file->dirty_to = end;
}

static struct file *file_make(struct memory_disk *disk, const char *name) {
    struct file *file = NULL;
    for (uint32_t i = 0; i < disk->files_count && file == NULL; i++) {
        bool used = disk->files[i]->exists;
        for (uint32_t j = 0; j < disk->pending_count; j++) {
            if (disk->pending[j].file == disk->files[i]) used = true;
        }
        if (!used) file = disk->files[i];
    }
    if (file == NULL) {
        AMPEL_ASSERT(disk->files_count < FILES_MAX);
        file = calloc(1, sizeof(*file));
        AMPEL_ASSERT(file != NULL);
        disk->files[disk->files_count++] = file;
    }
    file->exists = true;
    file->size = file->durable_size = 0;
    file->dirty_from = file->dirty_to = 0;
    strncpy(file->name, name, sizeof(file->name) - 1);
    return file;
}

static enum ampel_disk_status disk_open(void *context, const char *name, bool create, int *handle) {
    struct memory_disk *disk = alive(context);
    if (disk == NULL) return AMPEL_DISK_FAILED;
    struct file *file = file_find(disk, name);
    if (file == NULL && !create) return AMPEL_DISK_NOT_FOUND;
    if (file == NULL) {
        bool part;
        enum ampel_disk_status status = step(disk, &part);
        if (status != AMPEL_DISK_OK) return status;
        file = file_make(disk, name);
        pending_add(disk, (struct pending){.what = CREATED, .file = file});
    }
    for (int i = 0; i < HANDLES_MAX; i++) {
        if (disk->handles[i] != NULL) continue;
        disk->handles[i] = file;
        *handle = i;
        return AMPEL_DISK_OK;
    }
    return AMPEL_DISK_FAILED; /* a leak of handles is found by running out of them */
}

static struct file *file_of(const struct memory_disk *disk, int handle) {
    AMPEL_ASSERT(handle >= 0 && handle < HANDLES_MAX && disk->handles[handle] != NULL);
    return disk->handles[handle];
}

static enum ampel_disk_status disk_size(void *context, int handle, uint64_t *size_bytes) {
    struct memory_disk *disk = alive(context);
    if (disk == NULL) return AMPEL_DISK_FAILED;
    *size_bytes = file_of(disk, handle)->size;
    return AMPEL_DISK_OK;
}

static bool file_grow(struct memory_disk *disk, struct file *file, uint64_t size) {
    if (size <= file->size) return true;
    if (size - file->size > disk->bytes_free) {
        disk->toll.full++;
        return false;
    }
    if (disk->bytes_free != UINT64_MAX) disk->bytes_free -= size - file->size;
    if (size > file->capacity) {
        file->bytes = realloc(file->bytes, size);
        file->durable = realloc(file->durable, size);
        file->sectors = realloc(file->sectors, size / SECTOR + 1);
        AMPEL_ASSERT(file->bytes != NULL && file->durable != NULL && file->sectors != NULL);
        file->capacity = size;
    }
    memset(file->bytes + file->size, 0, size - file->size);
    memset(file->durable + file->size, 0, size - file->size);
    touch(file, file->size, size);
    file->size = size;
    return true;
}

static enum ampel_disk_status disk_allocate(void *context, int handle, uint64_t size_bytes) {
    struct memory_disk *disk = alive(context);
    if (disk == NULL) return AMPEL_DISK_FAILED;
    bool part;
    enum ampel_disk_status status = step(disk, &part);
    struct file *file = file_of(disk, handle);
    if (part) size_bytes /= 2;
    if (!file_grow(disk, file, size_bytes)) return AMPEL_DISK_FULL;
    memset(file->bytes, 0, size_bytes);
    touch(file, 0, size_bytes);
    return status;
}

static enum ampel_disk_status disk_read(void *context, int handle, uint64_t offset, void *bytes,
                                        size_t size, size_t *read_size) {
    struct memory_disk *disk = alive(context);
    if (disk == NULL) return AMPEL_DISK_FAILED;
    if (disk->failing_reads > 0 && !disk->held) {
        disk->failing_reads--;
        disk->toll.failed_reads++;
        return AMPEL_DISK_FAILED;
    }
    const struct file *file = file_of(disk, handle);
    uint64_t left = offset < file->size ? file->size - offset : 0;
    *read_size = size < left ? size : (size_t)left;
    if (*read_size > 0) memcpy(bytes, file->bytes + offset, *read_size);
    return AMPEL_DISK_OK;
}

static enum ampel_disk_status disk_write(void *context, int handle, uint64_t offset,
                                         const void *bytes, size_t size) {
    struct memory_disk *disk = alive(context);
    if (disk == NULL) return AMPEL_DISK_FAILED;
    bool part;
    enum ampel_disk_status status = step(disk, &part);
    struct file *file = file_of(disk, handle);
    /* Where the power fails all of it is under way. A write that says FULL has taken the front
       half, or everything: who is told so must not rely on either. */
    bool half = part && status == AMPEL_DISK_FULL && disk->operations % 2 == 0;
    if (half) disk->toll.short_writes++;
    if (half) size = size / 2 / SECTOR * SECTOR;
    if (!file_grow(disk, file, offset + size)) return AMPEL_DISK_FULL;
    if (size > 0) memcpy(file->bytes + offset, bytes, size);
    touch(file, offset, offset + size);
    return status;
}

static enum ampel_disk_status disk_sync(void *context, int handle) {
    struct memory_disk *disk = alive(context);
    if (disk == NULL) return AMPEL_DISK_FAILED;
    bool part;
    enum ampel_disk_status status = step(disk, &part);
    struct file *file = file_of(disk, handle);
    if (disk->on_sync != NULL) disk->on_sync(disk->on_sync_context);
    if (disk->lies) return status;
    for (uint64_t i = file->dirty_from; i < file->dirty_to; i++) {
        if (file->sectors[i] != DIRTY) continue;
        uint64_t at = i * SECTOR, end = at + SECTOR < file->size ? at + SECTOR : file->size;
        /* What was not synced stays so: a crash decides. */
        if (status == AMPEL_DISK_OK && end > at)
            memcpy(file->durable + at, file->bytes + at, end - at);
        if (status != AMPEL_DISK_OK && !disk->dead) disk->toll.sectors_forgotten++;
        if (!disk->dead) file->sectors[i] = status == AMPEL_DISK_OK ? CLEAN : FORGOTTEN;
    }
    if (status == AMPEL_DISK_OK) {
        file->durable_size = file->size;
        bool left = false;
        for (uint64_t i = file->dirty_from; i < file->dirty_to && !left; i++)
            left = file->sectors[i] != CLEAN;
        if (!left) file->dirty_from = file->dirty_to = 0;
    }
    return status;
}

static enum ampel_disk_status disk_close(void *context, int handle) {
    struct memory_disk *disk = alive(context);
    if (disk == NULL) return AMPEL_DISK_FAILED;
    (void)file_of(disk, handle);
    disk->handles[handle] = NULL;
    return AMPEL_DISK_OK;
}

static enum ampel_disk_status disk_rename(void *context, const char *from, const char *to) {
    struct memory_disk *disk = alive(context);
    if (disk == NULL) return AMPEL_DISK_FAILED;
    bool part;
    enum ampel_disk_status status = step(disk, &part);
    struct file *file = file_find(disk, from);
    if (file == NULL) return AMPEL_DISK_NOT_FOUND;
    AMPEL_ASSERT(file_find(disk, to) == NULL);
    if (status != AMPEL_DISK_OK && !disk->dead) return status;
    struct pending pending = {.what = RENAMED, .file = file};
    memcpy(pending.before, file->name, sizeof(pending.before));
    pending_add(disk, pending);
    memset(file->name, 0, sizeof(file->name));
    strncpy(file->name, to, sizeof(file->name) - 1);
    return status;
}

static enum ampel_disk_status disk_remove(void *context, const char *name) {
    struct memory_disk *disk = alive(context);
    if (disk == NULL) return AMPEL_DISK_FAILED;
    bool part;
    enum ampel_disk_status status = step(disk, &part);
    struct file *file = file_find(disk, name);
    if (file == NULL) return AMPEL_DISK_NOT_FOUND;
    if (status != AMPEL_DISK_OK && !disk->dead) return status;
    file->exists = false;
    if (disk->bytes_free != UINT64_MAX) disk->bytes_free += file->size;
    pending_add(disk, (struct pending){.what = REMOVED, .file = file});
    return status;
}

static enum ampel_disk_status disk_sync_directory(void *context) {
    struct memory_disk *disk = alive(context);
    if (disk == NULL) return AMPEL_DISK_FAILED;
    bool part;
    enum ampel_disk_status status = step(disk, &part);
    if (status == AMPEL_DISK_OK) disk->pending_count = 0;
    return status;
}

struct ampel_disk memory_disk_process(struct memory_disk *disk) {
    struct process *process = calloc(1, sizeof(*process));
    AMPEL_ASSERT(process != NULL);
    *process = (struct process){.disk = disk, .life = disk->life, .next = disk->processes};
    disk->processes = process;
    return (struct ampel_disk){
        .context = process,
        .lock = disk_lock,
        .list = disk_list,
        .open = disk_open,
        .size = disk_size,
        .allocate = disk_allocate,
        .read = disk_read,
        .write = disk_write,
        .sync = disk_sync,
        .close = disk_close,
        .rename = disk_rename,
        .remove = disk_remove,
        .sync_directory = disk_sync_directory,
    };
}

/* ---- what tests do -------------------------------------------------------------------------- */

uint64_t memory_disk_operations(const struct memory_disk *disk) {
    return disk->operations;
}

void memory_disk_fail_at(struct memory_disk *disk, uint64_t operation,
                         enum ampel_disk_status status) {
    disk->fail_at = operation;
    disk->fail_status = status;
}

void memory_disk_fail_reads(struct memory_disk *disk, uint32_t reads) {
    disk->failing_reads = reads;
}

void memory_disk_hold(struct memory_disk *disk, bool held) {
    disk->held = held;
}

void memory_disk_on_sync(struct memory_disk *disk, void (*hook)(void *context), void *context) {
    disk->on_sync = hook;
    disk->on_sync_context = context;
}

void memory_disk_garble(struct memory_disk *disk, uint32_t percent) {
    disk->garbled_percent = percent;
}

struct memory_disk_toll memory_disk_toll(const struct memory_disk *disk) {
    return disk->toll;
}

void memory_disk_lie(struct memory_disk *disk, bool lies) {
    disk->lies = lies;
}

void memory_disk_limit(struct memory_disk *disk, uint64_t bytes_free) {
    disk->bytes_free = bytes_free;
}

void memory_disk_restart(struct memory_disk *disk) {
    disk->life++;
    disk->locked = false;
    disk->dead = false;
    disk->fail_at = UINT64_MAX;
    disk->failing_reads = 0;
    memset(disk->handles, 0, sizeof(disk->handles));
}

/* Flips a bit of what is new in a sector: bytes that were synced before are not what fails. */
static void garble(struct memory_disk *disk, struct file *file, uint64_t from, uint64_t to,
                   uint64_t number) {
    uint64_t fresh = 0;
    for (uint64_t at = from; at < to; at++)
        fresh += file->bytes[at] != file->durable[at] ? 1 : 0;
    if (fresh == 0) return;
    uint64_t skip = number / 8 % fresh;
    for (uint64_t at = from; at < to; at++) {
        if (file->bytes[at] == file->durable[at] || skip-- > 0) continue;
        file->bytes[at] ^= (uint8_t)(1 << number % 8);
        disk->toll.sectors_garbled++;
        return;
    }
}

/* Each sector that is not clean survives by the toss of a coin, or all do, or none. */
static void file_crash(struct memory_disk *disk, struct file *file, uint64_t mode,
                       uint64_t *random) {
    if (file->size == 0) return;
    uint64_t size = file->size;
    if (file->durable_size < file->size &&
        (mode == 0 || (mode > 1 && random_next(random) % 2 == 0))) {
        size = file->durable_size;
    }
    for (uint64_t i = file->dirty_from; i < file->dirty_to; i++) {
        if (file->sectors[i] == CLEAN) continue;
        if (mode == 0 || (mode > 1 && random_next(random) % 2 == 0)) {
            disk->toll.sectors_lost++;
            continue;
        }
        disk->toll.sectors_kept++;
        uint64_t at = i * SECTOR, end = at + SECTOR < file->size ? at + SECTOR : file->size;
        if (end <= at) continue;
        bool garbled =
            disk->garbled_percent > 0 && random_next(random) % 100 < disk->garbled_percent;
        if (garbled) garble(disk, file, at, end, random_next(random));
        memcpy(file->durable + at, file->bytes + at, end - at);
    }
    if (file->dirty_to > file->dirty_from) {
        uint64_t at = file->dirty_from * SECTOR;
        uint64_t end = file->dirty_to * SECTOR < file->size ? file->dirty_to * SECTOR : file->size;
        if (end > at) memcpy(file->bytes + at, file->durable + at, end - at);
        memset(file->sectors + file->dirty_from, CLEAN, file->dirty_to - file->dirty_from);
    }
    file->dirty_from = file->dirty_to = 0;
    file->size = file->durable_size = size;
}

void memory_disk_crash(struct memory_disk *disk, uint64_t seed) {
    uint64_t random = seed;
    uint64_t mode = random_next(&random) % 6; /* 0 loses all, 1 keeps all, else sector by sector */
    uint64_t undo = mode == 0   ? disk->pending_count
                    : mode == 1 ? 0
                                : random_next(&random) % (disk->pending_count + 1);
    disk->toll.names_undone += undo;
    while (undo-- > 0) {
        const struct pending *pending = &disk->pending[--disk->pending_count];
        if (pending->what == CREATED) pending->file->exists = false;
        if (pending->what == REMOVED) pending->file->exists = true;
        if (pending->what == RENAMED) {
            memcpy(pending->file->name, pending->before, sizeof(pending->before));
        }
    }
    disk->pending_count = 0;
    for (uint32_t i = 0; i < disk->files_count; i++)
        file_crash(disk, disk->files[i], mode, &random);
    memory_disk_restart(disk);
}

uint8_t *memory_disk_bytes(struct memory_disk *disk, const char *name, uint64_t *size_bytes) {
    struct file *file = file_find(disk, name);
    *size_bytes = file == NULL ? 0 : file->size;
    return file == NULL ? NULL : file->bytes;
}

bool memory_disk_flip(struct memory_disk *disk, const char *name, uint64_t offset, uint8_t bits) {
    struct file *file = file_find(disk, name);
    if (file == NULL || offset >= file->size) return false;
    file->bytes[offset] ^= bits;
    file->durable[offset] ^= bits;
    return true;
}

uint32_t memory_disk_files(const struct memory_disk *disk) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < disk->files_count; i++)
        count += disk->files[i]->exists ? 1 : 0;
    return count;
}

const char *memory_disk_name(struct memory_disk *disk, uint32_t index) {
    const char *chosen = "";
    for (uint32_t taken = 0; taken <= index; taken++) {
        const char *least = NULL;
        for (uint32_t i = 0; i < disk->files_count; i++) {
            const struct file *file = disk->files[i];
            if (!file->exists || strcmp(file->name, chosen) <= 0) continue;
            if (least == NULL || strcmp(file->name, least) < 0) least = file->name;
        }
        AMPEL_ASSERT(least != NULL);
        chosen = least;
    }
    return chosen;
}

bool memory_disk_remove(struct memory_disk *disk, const char *name) {
    struct file *file = file_find(disk, name);
    if (file == NULL) return false;
    file->exists = false;
    return true;
}
