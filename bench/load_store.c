/* Checkpoints of a portfolio into a database, and back: what a shard and the scribes do, each on a thread of its own.

   Every account changes in each round. After each step a line is awaited, so that whoever drives this can look at the database. */
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/load.h"
#include "engine/outlook.h"
#include "proto/page.h"
#include "proto/record.h"
#include "proto/rules_file.h"
#include "proto/text.h"
#include "workers/checkpoint_build.h"
#include "workers/database.h"
#include "workers/logline.h"
#include "workers/memory.h"
#include "workers/scribe.h"

#define START_MS      INT64_C(1790858096789)
#define BATCH_EVENTS  4096
#define POSITION_STEP 4096
#define PIECE_UNITS   500 /* as a shard takes them */

struct part {
    struct ampel_engine *engine;
    struct ampel_gathered gathered;
    uint64_t epoch, position;
};

struct storing {
    uint32_t accounts, partitions;
    uint64_t state, number, sequence, position;
    int64_t stamp_ms;
    uint32_t scribes_count;
    struct ampel_database databases[AMPEL_SCRIBES_MAX]; /* the first reads, too */
    struct ampel_shard_memory memory;
    struct ampel_memory engine_memory;
    struct ampel_rules rules;
    struct ampel_rules variants[AMPEL_VARIANTS_MAX];
    struct ampel_batch_builder *batch;
    struct ampel_batch_decoder *decoder;
    struct ampel_record_builder *records;
    struct ampel_record_reader *reader;
    struct ampel_checkpoint_builder *builder;
    struct ampel_page_codec *codec;
    struct part *parts;
    uint64_t stream_epoch;
};

/* What the checkpoints of one round held and cost. */
struct told {
    int64_t wall_ns, build_ns, build_core_ns, commit_ns, commit_core_ns;
    uint64_t pages, page_bytes, ratings, violations, accounts;
};

/* ---- the portfolio -------------------------------------------------------------------------- */

static void engine_make(struct storing *storing, struct part *part) {
    struct ampel_engine_options options = {
        .memory = storing->engine_memory, .rules = &storing->rules, .start_ms = storing->stamp_ms};
    if (ampel_engine_open(&options, &part->engine) != AMPEL_ENGINE_OK ||
        ampel_engine_variants_set(part->engine, storing->variants, storing->rules.variants_count) !=
            AMPEL_ENGINE_OK)
        load_fail("no memory", "store");
}

static void frames_apply(struct storing *storing, const uint8_t *bytes) {
    uint32_t cursor = 0;
    struct ampel_frame frame;
    struct ampel_error error = {0};
    while (ampel_record_frame_next(storing->reader, bytes, &cursor, &frame, &error)) {
        struct ampel_engine *engine = storing->parts[frame.partition].engine;
        struct ampel_apply_counts counts;
        bool done = false;
        while (!done)
            if (ampel_engine_advance(engine, frame.stamp_ms, UINT32_MAX, &done) != AMPEL_ENGINE_OK)
                load_fail("no memory", "advance");
        if (ampel_engine_apply(engine, &frame, &counts) != AMPEL_ENGINE_OK || counts.refused > 0)
            load_fail("an event was refused", "store");
        ampel_engine_changes_clear(engine);
    }
    if (error.reason[0] != 0) load_fail(error.reason, error.field);
}

static void batch_send(struct storing *storing) {
    const struct ampel_batch_header header = {
        .producer = ampel_text_of("store"), .sequence = storing->sequence++, .sent_at_ms = storing->stamp_ms};
    const uint8_t *bytes;
    uint32_t size;
    uint8_t *record;
    struct ampel_batch decoded;
    struct ampel_error error = {0};
    if (!ampel_batch_encode(storing->batch, &header, false, &bytes, &size) ||
        !ampel_batch_decode(storing->decoder, bytes, size, &decoded, &error) ||
        !ampel_record_encode_batch(storing->records, &decoded, ampel_text_of("load-0"), storing->stamp_ms,
                                   &bytes, &size))
        load_fail("a batch cannot be read", error.reason);
    record = malloc(size);
    if (record == NULL) load_fail("no memory", "store");
    memcpy(record, bytes, size);
    storing->position += POSITION_STEP;
    ampel_record_seal(record, storing->position, storing->stamp_ms);
    frames_apply(storing, record);
    free(record);
    ampel_batch_builder_reset(storing->batch);
}

/* So many events for each account; of a thousand, so many are violations. */
static void round_apply(struct storing *storing, uint32_t events, uint32_t violations) {
    for (uint32_t account = 0; account < storing->accounts; account++) {
        struct ampel_text seller, marketplace;
        load_account(account, &seller, &marketplace);
        for (uint32_t i = 0; i < events; i++) {
            uint8_t extras[128];
            struct ampel_event event;
            load_event(&storing->state, storing->number++, violations,
                       storing->stamp_ms - 30 * INT64_C(86400000), storing->stamp_ms, extras, &event);
            if (!ampel_batch_builder_push(storing->batch, seller, marketplace, &event))
                load_fail("a batch does not take an event", "store");
            if (ampel_batch_builder_events(storing->batch) == BATCH_EVENTS) batch_send(storing);
        }
    }
    if (ampel_batch_builder_events(storing->batch) > 0) batch_send(storing);
}

/* ---- storing -------------------------------------------------------------------------------- */

/* What of a checkpoint is stored: all, rows for order counts among it; what changed; its pages alone; its rows alone. */
enum { STORE_ALL, STORE_CHANGED, STORE_PAGES, STORE_ROWS };

static void checkpoint_begin(struct storing *storing, uint32_t number, bool orders_rows) {
    struct part *part = &storing->parts[number];
    const struct ampel_checkpoint_source source = {
        .engine = part->engine,
        .gathered = &part->gathered,
        .partition = number,
        .epoch = part->epoch,
        .position_old = part->position,
        .position_new = storing->position,
        .orders_rows = orders_rows,
    };
    if (!ampel_checkpoint_begin(storing->builder, &source)) load_fail("no memory", "store");
}

static struct ampel_checkpoint *checkpoint_end(struct storing *storing) {
    struct ampel_checkpoint *checkpoint;
    uint64_t size_bytes;
    ampel_checkpoint_end(storing->builder, &checkpoint, &size_bytes);
    checkpoint->stream_epoch = storing->stream_epoch;
    return checkpoint;
}

static struct ampel_checkpoint *build(struct storing *storing, uint32_t number, bool orders_rows,
                                      struct told *told) {
    int64_t from_ns = load_now_ns(), from_core_ns = load_thread_ns();
    bool done = false;
    checkpoint_begin(storing, number, orders_rows);
    while (!done)
        if (!ampel_checkpoint_go_on(storing->builder, PIECE_UNITS, &done)) load_fail("no memory", "store");
    struct ampel_checkpoint *checkpoint = checkpoint_end(storing);
    told->build_ns += load_now_ns() - from_ns;
    told->build_core_ns += load_thread_ns() - from_core_ns;
    return checkpoint;
}

static void commit(struct storing *storing, uint32_t scribe, struct ampel_checkpoint *checkpoint, struct told *told) {
    struct ampel_database *database = &storing->databases[scribe];
    struct ampel_error error = {0};
    int64_t from_ns = load_now_ns(), from_core_ns = load_thread_ns();
    ampel_checkpoint_sort(checkpoint);
    if (database->commit(database->context, checkpoint, &error) != AMPEL_DATABASE_OK)
        load_fail(error.reason, error.field);
    told->commit_ns += load_now_ns() - from_ns;
    told->commit_core_ns += load_thread_ns() - from_core_ns;
    told->pages += checkpoint->pages_count;
    told->ratings += checkpoint->ratings_count;
    told->violations += checkpoint->violations_count;
    for (uint32_t i = 0; i < checkpoint->pages_count; i++)
        told->page_bytes += checkpoint->pages[i].size;
    storing->parts[checkpoint->partition].position = checkpoint->position_new;
}

static struct ampel_checkpoint *build_part(struct storing *storing, uint32_t number, int what, struct told *told) {
    struct ampel_checkpoint *checkpoint = build(storing, number, what == STORE_ALL || what == STORE_ROWS, told);
    if (what == STORE_PAGES) checkpoint->ratings_count = 0;
    if (what == STORE_ROWS) checkpoint->pages_count = 0;
    told->accounts += ampel_engine_accounts_count(storing->parts[number].engine);
    return checkpoint;
}

static void store_part(struct storing *storing, uint32_t number, int what, struct told *told) {
    struct ampel_checkpoint *checkpoint = build_part(storing, number, what, told);
    commit(storing, 0, checkpoint, told);
    ampel_checkpoint_free(checkpoint);
}

/* What the scribes have at hand, each the oldest of its own first; what is written counts until it is written. */
#define UNDER_WAY_MAX 4 /* as a shard has them */
struct writing {
    struct storing *storing;
    pthread_mutex_t lock;
    pthread_cond_t moved;
    struct ampel_checkpoint *waiting[UNDER_WAY_MAX];
    uint32_t waiting_count, under_way_count;
    bool ended;
};
struct scribe {
    struct writing *writing;
    uint32_t index;
    pthread_t thread;
    struct told told;
};

/* The oldest that waits for this scribe; NULL: none does. */
static struct ampel_checkpoint *writing_take(struct writing *writing, uint32_t scribe) {
    for (uint32_t i = 0; i < writing->waiting_count; i++) {
        struct ampel_checkpoint *one = writing->waiting[i];
        if (ampel_scribe_of(one->partition, 1, writing->storing->scribes_count) != scribe) continue;
        writing->waiting_count--;
        memmove(writing->waiting + i, writing->waiting + i + 1, (writing->waiting_count - i) * sizeof writing->waiting[0]);
        return one;
    }
    return NULL;
}

/* NULL: none will come any more. */
static struct ampel_checkpoint *writing_next(struct writing *writing, uint32_t scribe) {
    (void)pthread_mutex_lock(&writing->lock);
    struct ampel_checkpoint *next = writing_take(writing, scribe);
    while (next == NULL && !writing->ended) {
        (void)pthread_cond_wait(&writing->moved, &writing->lock);
        next = writing_take(writing, scribe);
    }
    (void)pthread_mutex_unlock(&writing->lock);
    return next;
}

static void *write_all(void *context) {
    struct scribe *scribe = context;
    struct writing *writing = scribe->writing;
    struct ampel_checkpoint *checkpoint;
    while ((checkpoint = writing_next(writing, scribe->index)) != NULL) {
        commit(writing->storing, scribe->index, checkpoint, &scribe->told);
        ampel_checkpoint_free(checkpoint);
        (void)pthread_mutex_lock(&writing->lock);
        writing->under_way_count--;
        (void)pthread_cond_broadcast(&writing->moved);
        (void)pthread_mutex_unlock(&writing->lock);
    }
    return NULL;
}

/* NULL: no more will come. */
static void writing_push(struct writing *writing, struct ampel_checkpoint *checkpoint) {
    (void)pthread_mutex_lock(&writing->lock);
    while (checkpoint != NULL && writing->under_way_count == UNDER_WAY_MAX)
        (void)pthread_cond_wait(&writing->moved, &writing->lock);
    if (checkpoint != NULL) {
        writing->waiting[writing->waiting_count++] = checkpoint;
        writing->under_way_count++;
    } else {
        writing->ended = true;
    }
    (void)pthread_cond_broadcast(&writing->moved);
    (void)pthread_mutex_unlock(&writing->lock);
}

static void told_add(struct told *sum, const struct told *told) {
    sum->commit_ns += told->commit_ns;
    sum->commit_core_ns += told->commit_core_ns;
    sum->pages += told->pages;
    sum->page_bytes += told->page_bytes;
    sum->ratings += told->ratings;
    sum->violations += told->violations;
}

/* As in a worker: checkpoints are copied by the shard's thread while those before them are written by the scribes'. */
static struct told store(struct storing *storing, int what) {
    struct writing writing = {
        .storing = storing, .lock = PTHREAD_MUTEX_INITIALIZER, .moved = PTHREAD_COND_INITIALIZER};
    struct scribe scribes[AMPEL_SCRIBES_MAX] = {0};
    struct told told = {0};
    int64_t from_ns = load_now_ns();
    storing->position += POSITION_STEP;
    for (uint32_t i = 0; i < storing->scribes_count; i++) {
        scribes[i].writing = &writing;
        scribes[i].index = i;
        if (pthread_create(&scribes[i].thread, NULL, write_all, &scribes[i]) != 0) load_fail("no thread", "store");
    }
    for (uint32_t i = 0; i < storing->partitions; i++)
        writing_push(&writing, build_part(storing, i, what, &told));
    writing_push(&writing, NULL);
    for (uint32_t i = 0; i < storing->scribes_count; i++) {
        (void)pthread_join(scribes[i].thread, NULL);
        told_add(&told, &scribes[i].told);
    }
    told.wall_ns = load_now_ns() - from_ns;
    return told;
}

/* ---- and back ------------------------------------------------------------------------------- */

static uint64_t engine_digest(const struct ampel_engine *engine, uint64_t sum) {
    static uint8_t bytes[1 << 20];
    for (uint32_t slot = 0; slot < ampel_engine_accounts_count(engine); slot++) {
        uint32_t size = ampel_engine_account_export(engine, slot, bytes, sizeof bytes);
        uint64_t hash = UINT64_C(0xcbf29ce484222325);
        for (uint32_t i = 0; i < size && i < sizeof bytes; i++)
            hash = (hash ^ bytes[i]) * UINT64_C(0x100000001b3);
        sum += hash;
    }
    return sum;
}

static void import(struct storing *storing, struct part *part, const struct ampel_parcel_loaded *loaded) {
    const uint8_t *raw;
    uint32_t size;
    struct ampel_error error = {0};
    engine_make(storing, part);
    if (!ampel_page_decode(storing->codec, loaded->meta, loaded->meta_size, &raw, &size, &error) ||
        ampel_engine_meta_import(part->engine, raw, size) != AMPEL_ENGINE_OK)
        load_fail("a stored partition cannot be read", error.reason);
    for (uint32_t i = 0; i < loaded->pages_count; i++) {
        if (!ampel_page_decode(storing->codec, loaded->pages[i].bytes, loaded->pages[i].size, &raw, &size,
                               &error) ||
            ampel_engine_page_import(part->engine, loaded->pages[i].page, raw, size) != AMPEL_ENGINE_OK)
            load_fail("a stored page cannot be read", error.reason);
    }
    if (ampel_engine_import_finish(part->engine) != AMPEL_ENGINE_OK)
        load_fail("a stored partition cannot be read", "");
}

static void step_end(void) {
    fflush(stdout);
    for (int got = getchar(); got != '\n' && got != EOF; got = getchar()) {
    }
}

static void claim(struct storing *storing, uint32_t number, struct ampel_parcel_loaded **out) {
    struct ampel_error error = {0};
    if (storing->databases[0].claim(storing->databases[0].context, number, out, &error) != AMPEL_DATABASE_OK)
        load_fail(error.reason, error.field);
    storing->parts[number].epoch = (*out)->epoch;
    storing->parts[number].position = (*out)->position;
}

/* Reads everything back and compares it with what was stored. */
static void recover(struct storing *storing) {
    uint64_t before = 0, after = 0;
    for (uint32_t i = 0; i < storing->partitions; i++) {
        before = engine_digest(storing->parts[i].engine, before);
        ampel_engine_close(storing->parts[i].engine);
    }
    int64_t read_ns = 0, import_ns = 0, from_core_ns = load_thread_ns();
    for (uint32_t i = 0; i < storing->partitions; i++) {
        struct ampel_parcel_loaded *loaded;
        int64_t from_ns = load_now_ns();
        claim(storing, i, &loaded);
        int64_t read_at_ns = load_now_ns();
        import(storing, &storing->parts[i], loaded);
        read_ns += read_at_ns - from_ns;
        import_ns += load_now_ns() - read_at_ns;
        ampel_parcel_loaded_free(loaded);
    }
    int64_t core_ns = load_thread_ns() - from_core_ns;
    for (uint32_t i = 0; i < storing->partitions; i++)
        after = engine_digest(storing->parts[i].engine, after);
    if (before != after) load_fail("what was read is not what was stored", "store");
    printf("{\"name\":\"recover\",\"read_s\":%.3f,\"import_s\":%.3f,\"core_s\":%.3f,\"digest\":\"%016llx\"}\n",
           (double)read_ns / 1e9, (double)import_ns / 1e9, (double)core_ns / 1e9, (unsigned long long)after);
    step_end();
}

/* ---- the command ---------------------------------------------------------------------------- */

static void tell(const char *name, const struct told *told) {
    printf("{\"name\":\"%s\",\"wall_s\":%.3f,\"build_s\":%.3f,\"build_core_s\":%.3f,\"commit_s\":%.3f,"
           "\"commit_core_s\":%.3f,\"accounts\":%llu,\"pages\":%llu,\"page_bytes\":%llu,\"ratings\":%llu,"
           "\"violations\":%llu}\n",
           name, (double)told->wall_ns / 1e9, (double)told->build_ns / 1e9, (double)told->build_core_ns / 1e9,
           (double)told->commit_ns / 1e9, (double)told->commit_core_ns / 1e9,
           (unsigned long long)told->accounts, (unsigned long long)told->pages,
           (unsigned long long)told->page_bytes, (unsigned long long)told->ratings,
           (unsigned long long)told->violations);
    step_end();
}

static void connect_all(struct storing *storing, struct ampel_database_system *system) {
    const char *url = getenv("AMPEL_DATABASE_URL");
    struct ampel_error error = {0};
    if (url == NULL) load_fail("is not given", "AMPEL_DATABASE_URL");
    for (uint32_t i = 0; i < storing->scribes_count; i++) {
        struct ampel_database *database = &storing->databases[i];
        if (!ampel_database_postgres(url, database)) load_fail("no memory", "store");
        if (database->connect(database->context, system, &error) != AMPEL_DATABASE_OK)
            load_fail(error.reason, error.field);
    }
}

static void open_all(struct storing *storing) {
    struct ampel_database_system system;
    struct ampel_parcel_tenants *tenants;
    struct ampel_error error = {0};
    connect_all(storing, &system);
    if (storing->databases[0].begin(storing->databases[0].context, &tenants, &error) != AMPEL_DATABASE_OK)
        load_fail(error.reason, error.field);
    storing->stream_epoch = tenants->epoch;
    ampel_parcel_tenants_free(tenants);
    storing->partitions = system.partitions;
    storing->parts = calloc(system.partitions, sizeof storing->parts[0]);
    storing->batch = ampel_batch_builder_open();
    storing->decoder = ampel_batch_decoder_open();
    storing->records = ampel_record_builder_open(system.partitions);
    storing->reader = ampel_record_reader_open();
    storing->builder = ampel_checkpoint_builder_open();
    storing->codec = ampel_page_codec_open();
    ampel_memory_open(&storing->memory, &storing->engine_memory);
    ampel_rules_init(&storing->rules);
    if (storing->parts == NULL || storing->batch == NULL || storing->decoder == NULL ||
        storing->records == NULL || storing->reader == NULL || storing->builder == NULL ||
        storing->codec == NULL)
        load_fail("no memory", "store");
    for (uint32_t i = 0; i < storing->rules.variants_count; i++)
        if (!ampel_rules_variant(&storing->rules, i, &storing->variants[i], &error))
            load_fail(error.reason, error.field);
    for (uint32_t i = 0; i < system.partitions; i++) {
        struct ampel_parcel_loaded *loaded;
        claim(storing, i, &loaded);
        ampel_parcel_loaded_free(loaded);
        engine_make(storing, &storing->parts[i]);
        if (!ampel_gathered_init(&storing->parts[i].gathered)) load_fail("no memory", "store");
    }
}

static void close_all(struct storing *storing) {
    for (uint32_t i = 0; i < storing->partitions; i++) {
        ampel_engine_close(storing->parts[i].engine);
        ampel_gathered_reset(&storing->parts[i].gathered);
    }
    ampel_memory_close(&storing->memory);
    ampel_checkpoint_builder_close(storing->builder);
    ampel_page_codec_close(storing->codec);
    ampel_record_reader_close(storing->reader);
    ampel_record_builder_close(storing->records);
    ampel_batch_decoder_close(storing->decoder);
    ampel_batch_builder_close(storing->batch);
    for (uint32_t i = 0; i < storing->scribes_count; i++)
        storing->databases[i].close(storing->databases[i].context);
    free(storing->parts);
    free(storing);
}

/* So many checkpoints in a row, each of all accounts, as a day would bring them: time goes on, rows for order counts alone
   come every ten minutes of it. Told after each quarter. */
static void day(struct storing *storing, uint32_t checkpoints) {
    uint32_t ten_minutes = checkpoints / 144 + 1;
    struct told told = {0};
    for (uint32_t i = 1; i <= checkpoints; i++) {
        storing->stamp_ms += INT64_C(86400000) / checkpoints;
        round_apply(storing, 1, 1);
        storing->position += POSITION_STEP;
        for (uint32_t k = 0; k < storing->partitions; k++)
            store_part(storing, k, i % ten_minutes == 0 ? STORE_ALL : STORE_CHANGED, &told);
        if (i % (checkpoints / 4) != 0) continue;
        tell("day", &told);
        told = (struct told){0};
    }
}

/* Ticks that a virtual machine's host has taken from all cores; a thread's clock goes on meanwhile. */
static uint64_t stolen_ticks(int fd) {
    char bytes[256];
    unsigned long long ticks[8] = {0};
    ssize_t size = fd < 0 ? -1 : pread(fd, bytes, sizeof bytes - 1, 0);
    if (size <= 0) return 0;
    bytes[size] = 0;
    char *at = strchr(bytes, ' ');
    for (uint32_t i = 0; at != NULL && i < AMPEL_ARRAY_COUNT(ticks); i++)
        ticks[i] = strtoull(at, &at, 10);
    return ticks[7];
}

/* Pieces of copies: those that the host let run, and those it took time from. */
struct pieces {
    uint64_t count, stolen_count;
    int64_t took_ns, most_ns, most_stolen_ns;
};

static void pieces_take(struct storing *storing, int stat_fd, struct pieces *pieces) {
    bool done = false;
    while (!done) {
        uint64_t stolen = stolen_ticks(stat_fd);
        int64_t at_ns = load_thread_ns();
        if (!ampel_checkpoint_go_on(storing->builder, PIECE_UNITS, &done)) load_fail("no memory", "store");
        int64_t took_ns = load_thread_ns() - at_ns;
        bool left_alone = stolen_ticks(stat_fd) == stolen;
        int64_t *most_ns = left_alone ? &pieces->most_ns : &pieces->most_stolen_ns;
        if (took_ns > *most_ns) *most_ns = took_ns;
        pieces->took_ns += took_ns;
        pieces->count++;
        pieces->stolen_count += !left_alone;
    }
}

/* How long the longest piece of a copy keeps the shard, and what frames cost beside copies; all that a shard does, but for
   the queues. */
static void beside(struct storing *storing) {
    int64_t from_ns = load_thread_ns();
    round_apply(storing, 1, 100);
    int64_t alone_ns = load_thread_ns() - from_ns;
    struct pieces pieces = {0};
    int stat_fd = open("/proc/stat", O_RDONLY | O_CLOEXEC);
    for (uint32_t i = 0; i < storing->partitions; i++) {
        struct told told = {0};
        checkpoint_begin(storing, i, true);
        pieces_take(storing, stat_fd, &pieces);
        struct ampel_checkpoint *checkpoint = checkpoint_end(storing);
        commit(storing, 0, checkpoint, &told);
        ampel_checkpoint_free(checkpoint);
    }
    if (stat_fd >= 0) (void)close(stat_fd);
    printf("{\"name\":\"beside\",\"apply_core_s\":%.3f,\"copy_core_s\":%.3f,\"pieces\":%llu,\"longest_piece_ms\":%.3f,"
           "\"stolen_pieces\":%llu,\"longest_stolen_ms\":%.3f}\n",
           (double)alone_ns / 1e9, (double)pieces.took_ns / 1e9, (unsigned long long)pieces.count,
           (double)pieces.most_ns / 1e6, (unsigned long long)pieces.stolen_count, (double)pieces.most_stolen_ns / 1e6);
    step_end();
}

int load_store(int argc, char **argv) {
    struct storing *storing = calloc(1, sizeof *storing);
    if (storing == NULL) load_fail("no memory", "store");
    storing->accounts = (uint32_t)load_number(argc, argv, "accounts", 1e6);
    storing->stamp_ms = START_MS;
    storing->scribes_count = (uint32_t)load_number(argc, argv, "scribes", 2);
    if (storing->scribes_count < 1 || storing->scribes_count > AMPEL_SCRIBES_MAX) load_fail("1 to 4", "scribes");
    uint32_t checkpoints = (uint32_t)load_number(argc, argv, "day", 0);
    ampel_log_configure(AMPEL_LOG_ERROR, AMPEL_LOG_AUTO);
    open_all(storing);
    round_apply(storing, (uint32_t)load_number(argc, argv, "events", 10), 100);
    struct told told = store(storing, STORE_ALL);
    tell("first", &told);
    round_apply(storing, 1, 0);
    told = store(storing, STORE_PAGES);
    tell("pages", &told);
    round_apply(storing, 1, 0);
    told = store(storing, STORE_ROWS);
    tell("rows", &told);
    round_apply(storing, 1, 1000);
    told = store(storing, STORE_ALL);
    tell("all", &told);
    beside(storing);
    recover(storing);
    if (checkpoints > 0) day(storing, checkpoints);
    close_all(storing);
    return 0;
}
