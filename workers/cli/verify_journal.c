/* The journal for `ampel verify`: the same reader as the worker's, over a disk that reads only. */
#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "workers/cli/flow.h"
#include "workers/cli/labels.h"
#include "workers/cli/verify.h"
#include "workers/journal.h"

#define SEGMENT_BYTES   ((uint64_t)64 << 20) /* of new ones, of which there will be none */
#define GROUP_BYTES_MAX (1 << 20)

struct looking {
    struct ampel_disk real;
    bool busy;      /* a worker has the directory */
    bool would_cut; /* a start would cut a torn tail */
};

static enum ampel_disk_status look_lock(void *context) {
    struct looking *looking = context;
    enum ampel_disk_status status = looking->real.lock(looking->real.context);
    looking->busy = status == AMPEL_DISK_BUSY;
    return status;
}

static enum ampel_disk_status look_list(void *context, void (*sink)(void *sink_context, const char *name),
                                        void *sink_context) {
    struct looking *looking = context;
    return looking->real.list(looking->real.context, sink, sink_context);
}

static enum ampel_disk_status look_open(void *context, const char *name, bool create, int *handle) {
    struct looking *looking = context;
    return create ? AMPEL_DISK_FAILED : looking->real.open(looking->real.context, name, false, handle);
}

static enum ampel_disk_status look_size(void *context, int handle, uint64_t *size_bytes) {
    struct looking *looking = context;
    return looking->real.size(looking->real.context, handle, size_bytes);
}

static enum ampel_disk_status look_read(void *context, int handle, uint64_t offset, void *bytes,
                                        size_t size, size_t *read_size) {
    struct looking *looking = context;
    return looking->real.read(looking->real.context, handle, offset, bytes, size, read_size);
}

static enum ampel_disk_status look_close(void *context, int handle) {
    struct looking *looking = context;
    return looking->real.close(looking->real.context, handle);
}

static enum ampel_disk_status look_write(void *context, int handle, uint64_t offset, const void *bytes,
                                         size_t size) {
    struct looking *looking = context;
    (void)handle, (void)offset;
    /* A start also writes its last group again, as it is; zeroes are what a torn one is overwritten with. */
    bool zeroes = true;
    for (size_t i = 0; i < size && zeroes; i++)
        zeroes = ((const uint8_t *)bytes)[i] == 0;
    if (zeroes) looking->would_cut = true;
    return AMPEL_DISK_OK;
}

static enum ampel_disk_status look_allocate(void *context, int handle, uint64_t size_bytes) {
    (void)context, (void)handle, (void)size_bytes;
    return AMPEL_DISK_FAILED;
}

static enum ampel_disk_status look_sync(void *context, int handle) {
    (void)context, (void)handle;
    return AMPEL_DISK_OK;
}

static enum ampel_disk_status look_rename(void *context, const char *from, const char *to) {
    (void)context, (void)from, (void)to;
    return AMPEL_DISK_FAILED;
}

/* Spares that are one too many are left where they are. */
static enum ampel_disk_status look_remove(void *context, const char *name) {
    (void)context, (void)name;
    return AMPEL_DISK_OK;
}

static enum ampel_disk_status look_sync_directory(void *context) {
    (void)context;
    return AMPEL_DISK_OK;
}

static void journal_problem(struct ampel_verify *verify, const struct ampel_error *error) {
    ampel_verify_problem(verify, "journal: %s%s%s", error->field, error->field[0] != 0 ? ": " : "",
                         error->reason);
}

static void records_walk(struct ampel_verify *verify, struct ampel_journal *journal) {
    uint64_t position = ampel_journal_first(journal);
    int64_t stamp_ms = INT64_MIN;
    for (;;) {
        const uint8_t *bytes;
        struct ampel_record_header header;
        struct ampel_error error = {0};
        enum ampel_journal_status status =
            ampel_journal_read(journal, &position, &bytes, &header, &error);
        if (status == AMPEL_JOURNAL_END) return;
        if (status != AMPEL_JOURNAL_OK) {
            journal_problem(verify, &error);
            return;
        }
        if (header.stamp_ms < stamp_ms)
            ampel_verify_problem(verify, "journal: position %" PRIu64 ": its stamp lies before that of the record before",
                                 header.position);
        stamp_ms = header.stamp_ms;
        verify->records++;
    }
}

static void segment_count(void *context, const char *name) {
    struct ampel_verify *verify = context;
    size_t size = strlen(name);
    verify->segments += size > 4 && strcmp(name + size - 4, ".log") == 0 && strncmp(name, "spare-", 6) != 0;
}

static void words_print(const char *words) {
    struct ampel_flow flow;
    ampel_flow_start(&flow, 2);
    ampel_flow_words(&flow, 0, AMPEL_PLAIN, "%s", words);
    ampel_flow_end(&flow);
}

void ampel_verify_journal(struct ampel_verify *verify, const char *path) {
    struct looking looking = {0};
    /* Opening the disk would make the directory. */
    DIR *directory = opendir(path);
    if (directory != NULL) (void)closedir(directory);
    if (directory == NULL || !ampel_disk_posix(path, &verify->disk)) {
        ampel_verify_problem(verify, "journal: %s cannot be read", path);
        return;
    }
    looking.real = verify->disk;
    const struct ampel_journal_options options = {
        .disk = {.context = &looking,
                 .lock = look_lock,
                 .list = look_list,
                 .open = look_open,
                 .size = look_size,
                 .allocate = look_allocate,
                 .read = look_read,
                 .write = look_write,
                 .sync = look_sync,
                 .close = look_close,
                 .rename = look_rename,
                 .remove = look_remove,
                 .sync_directory = look_sync_directory},
        .system_id = verify->system.id,
        .segment_bytes = SEGMENT_BYTES,
        .bytes_max = UINT64_MAX,
        .group_bytes_max = GROUP_BYTES_MAX,
    };
    struct ampel_journal *journal = NULL;
    struct ampel_error error = {0};
    enum ampel_journal_status status = ampel_journal_open(&options, &journal, &error);
    if (looking.busy) {
        words_print(ampel_label("a worker uses the journal: it is left out, the database is checked in one snapshot"));
        return;
    }
    if (status != AMPEL_JOURNAL_OK) {
        journal_problem(verify, &error);
        return;
    }
    verify->journal_read = true;
    verify->journal_first = ampel_journal_first(journal);
    verify->journal_end = ampel_journal_end(journal);
    (void)looking.real.list(looking.real.context, segment_count, verify);
    if (looking.would_cut)
        words_print(ampel_label("journal: the last group is not whole; a start would cut it, nobody was told of it"));
    records_walk(verify, journal);
    ampel_journal_close(journal);
}
