/* A disk in memory that can die. What is not synced is lost, kept or torn at a crash, sector by sector, as a seed says;
   names are durable only after the directory's sync. Any single operation can be made to fail. A sync that fails does what
   Linux does: the sectors it did not write are taken for clean, so that no later sync writes them.

       file       bytes as programs read them | durable bytes | state of each sector: clean, dirty, or forgotten
       directory  names as programs see them, and the operations since its last sync, which a crash may undo from the end */
#ifndef AMPEL_TESTS_MEMORY_DISK_H
#define AMPEL_TESTS_MEMORY_DISK_H

#include "workers/disk.h"

#define MEMORY_DISK_SECTOR_BYTES 512

struct memory_disk;

struct memory_disk *memory_disk_open(void);
void memory_disk_close(struct memory_disk *disk);
/* What a process gets: a new one after each crash or restart; the older ones fail in everything. */
struct ampel_disk memory_disk_process(struct memory_disk *disk);

/* Operations so far that change something (create, allocate, write, sync, rename, remove, sync of the directory). */
uint64_t memory_disk_operations(const struct memory_disk *disk);

/* The operation with this number (counted as above) fails with status; a write does a part of it first. status OK: the
   power fails in it: it is done in part and everything after it fails. UINT64_MAX: never. */
void memory_disk_fail_at(struct memory_disk *disk, uint64_t operation,
                         enum ampel_disk_status status);
/* The next reads fail. */
void memory_disk_fail_reads(struct memory_disk *disk, uint32_t reads);
/* While held, reads do not fail, so that a test can look. */
void memory_disk_hold(struct memory_disk *disk, bool held);
/* Called in every sync: a slow disk, if it moves the clock. NULL: never. */
void memory_disk_on_sync(struct memory_disk *disk, void (*hook)(void *context), void *context);
/* How many of a hundred unsynced sectors that survive a power failure come back with a bit flipped. */
void memory_disk_garble(struct memory_disk *disk, uint32_t percent);
/* A disk that lies: sync says OK and keeps nothing. For canaries. */
void memory_disk_lie(struct memory_disk *disk, bool lies);
/* Free bytes: allocations and files growing beyond fail with FULL. */
void memory_disk_limit(struct memory_disk *disk, uint64_t bytes_free);

/* The power fails: unsynced sectors and names survive or not. Handles and the lock are gone. */
void memory_disk_crash(struct memory_disk *disk, uint64_t seed);
/* Only the process dies: what was written stays. */
void memory_disk_restart(struct memory_disk *disk);

/* What crashes and faults have done so far. */
struct memory_disk_toll {
    uint64_t sectors_lost, sectors_kept, sectors_garbled, sectors_forgotten, names_undone;
    uint64_t full, failed, short_writes, failed_reads;
};
struct memory_disk_toll memory_disk_toll(const struct memory_disk *disk);

/* For damage. NULL or 0 where there is no such file. */
uint8_t *memory_disk_bytes(struct memory_disk *disk, const char *name, uint64_t *size_bytes);
/* Flips bits of a byte, on the disk itself and in what programs read; once more makes it whole. False: the file has no such byte. */
bool memory_disk_flip(struct memory_disk *disk, const char *name, uint64_t offset, uint8_t bits);
uint32_t memory_disk_files(const struct memory_disk *disk);
/* The name of a file by its place in the order of names. */
const char *memory_disk_name(struct memory_disk *disk, uint32_t index);
bool memory_disk_remove(struct memory_disk *disk, const char *name);

#endif
