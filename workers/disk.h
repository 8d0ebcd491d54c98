/* The disk, as far as the journal needs it: files of one directory. A simulator gives its own.
   Nothing here retries: what fails is passed up; a failed sync means the data may be gone for good.
   Thread: the journal's. */
#ifndef AMPEL_WORKERS_DISK_H
#define AMPEL_WORKERS_DISK_H

#include "engine/base.h"

enum ampel_disk_status {
    AMPEL_DISK_OK = 0,
    AMPEL_DISK_NOT_FOUND,
    AMPEL_DISK_FULL,   /* ENOSPC, EDQUOT: may pass */
    AMPEL_DISK_FAILED, /* anything else: final */
    AMPEL_DISK_BUSY,   /* lock: another process has the directory */
};

#define AMPEL_DISK_NAME_MAX 64
/* What is written in whole blocks, by offset, size and address, may go past the page cache. */
#define AMPEL_DISK_BLOCK_BYTES 4096

struct ampel_disk {
    void *context;
    /* Takes the directory for this process alone, until the process ends. */
    enum ampel_disk_status (*lock)(void *context);
    /* Calls sink for each file name in the directory. */
    enum ampel_disk_status (*list)(void *context, void (*sink)(void *sink_context, const char *name),
                                   void *sink_context);
    enum ampel_disk_status (*open)(void *context, const char *name, bool create, int *handle);
    enum ampel_disk_status (*size)(void *context, int handle, uint64_t *size_bytes);
    /* Reserves and zeroes the file's blocks up to size, so that later writes and syncs move no metadata. */
    enum ampel_disk_status (*allocate)(void *context, int handle, uint64_t size_bytes);
    /* What open, allocate, sync and close do for a new file, on its own time: called again with the same words until *done. One
       file at a time; a file that was not made well may stand there in part. NULL where nothing is made ahead. */
    enum ampel_disk_status (*prepare)(void *context, const char *name, uint64_t size_bytes, bool *done);
    enum ampel_disk_status (*read)(void *context, int handle, uint64_t offset, void *bytes,
                                   size_t size, size_t *read_size); /* short only at the file's end */
    enum ampel_disk_status (*write)(void *context, int handle, uint64_t offset, const void *bytes,
                                    size_t size);                   /* all or an error */
    enum ampel_disk_status (*sync)(void *context, int handle);      /* fdatasync */
    enum ampel_disk_status (*close)(void *context, int handle);
    enum ampel_disk_status (*rename)(void *context, const char *from, const char *to);
    enum ampel_disk_status (*remove)(void *context, const char *name);
    enum ampel_disk_status (*sync_directory)(void *context);
};

/* The real one. path is created if missing and kept open. False: errno says why. */
AMPEL_MUST_CHECK bool ampel_disk_posix(const char *path, struct ampel_disk *out);
/* Gives the lock back. Only for what ampel_disk_posix filled, and after the journal on it was closed. */
void ampel_disk_posix_close(struct ampel_disk *disk);

#endif
