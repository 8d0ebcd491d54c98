#include "tests/oracle/memory_database.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "proto/rules_file.h"

#define MESSAGE_CAPACITY AMPEL_MESSAGE_BYTES_MAX

struct stored_page {
    uint32_t size;
    uint8_t *bytes;
};

struct stored_partition {
    uint64_t epoch, position;
    uint32_t meta_size;
    uint8_t *meta;
    uint32_t pages_count;
    struct stored_page *pages;
    uint64_t rules_number;
};

struct stored_rules {
    uint32_t size;
    char *text;
};

/* What one connection knows. */
struct client {
    struct ampel_memory_database *database;
    bool connected, keys_changed;
    int notice_fd;
};

struct ampel_memory_database {
    struct client clients[AMPEL_SCRIBES_MAX];
    uint64_t system_id, stream_epoch, commits;
    uint32_t partitions_count;
    struct stored_partition *partitions;
    uint32_t keys_count;
    struct ampel_tenant_key *keys;
    uint32_t ratings_count;
    struct ampel_stored_rating *ratings;
    uint32_t told_count;
    struct ampel_stored_told *told;
    uint32_t violations_count;
    struct ampel_stored_violation *violations;
    uint32_t refusals_count;
    struct ampel_stored_refusal *refusals;
    enum ampel_memory_fault fault;
    uint32_t fault_calls;
    uint32_t rules_count; /* the number of a set is its place, from 1 on */
    struct stored_rules *rules;
    bool away;
    struct ampel_memory_watch watch;
    uint64_t calls, fault_call, rows;
    enum ampel_memory_fault call_fault;
    enum ampel_memory_bug bug;
    struct ampel_message *message; /* scratch */
    uint8_t message_bytes[MESSAGE_CAPACITY];
};

/* ---- memory --------------------------------------------------------------------------------- */

/* Room for one more at the end of rows, zeroed; a power of two is taken at a time. */
static void *push(void **rows, uint32_t *count, size_t size) {
    if ((*count & (*count - 1)) == 0) {
        *rows = realloc(*rows, (*count == 0 ? 1 : (size_t)*count * 2) * size);
        AMPEL_ASSERT(*rows != NULL);
    }
    char *row = (char *)*rows + (size_t)*count * size;
    memset(row, 0, size);
    (*count)++;
    return row;
}
#define PUSH(rows, count) push((void **)&(rows), &(count), sizeof(*(rows)))

static uint8_t *copy(const void *bytes, uint32_t size) {
    uint8_t *made = malloc(size == 0 ? 1 : size);
    AMPEL_ASSERT(made != NULL);
    if (size > 0) memcpy(made, bytes, size);
    return made;
}

static void *make(size_t size) {
    void *made = calloc(1, size);
    AMPEL_ASSERT(made != NULL);
    return made;
}

static void name_account(char out[3 * (AMPEL_ID_BYTES_MAX + 1)], struct ampel_text tenant,
                         struct ampel_text seller, struct ampel_text marketplace) {
    (void)snprintf(out, 3 * (AMPEL_ID_BYTES_MAX + 1), "%.*s/%.*s/%.*s", (int)tenant.size,
                   tenant.bytes, (int)seller.size, seller.bytes, (int)marketplace.size,
                   marketplace.bytes);
}

static void name_id(char out[AMPEL_ID_BYTES_MAX + 1], struct ampel_text text) {
    AMPEL_ASSERT(text.size <= AMPEL_ID_BYTES_MAX);
    if (text.size > 0) memcpy(out, text.bytes, text.size);
    out[text.size] = 0;
}

struct ampel_memory_database *ampel_memory_database_open(uint64_t system_id, uint32_t partitions) {
    struct ampel_memory_database *database = make(sizeof(*database));
    database->system_id = system_id;
    database->partitions_count = partitions;
    database->partitions = make(partitions * sizeof(database->partitions[0]));
    database->fault_call = UINT64_MAX;
    database->message = make(sizeof(*database->message));
    for (uint32_t i = 0; i < AMPEL_SCRIBES_MAX; i++) {
        database->clients[i].database = database;
        database->clients[i].notice_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        AMPEL_ASSERT(database->clients[i].notice_fd >= 0);
    }
    return database;
}

void ampel_memory_database_close(struct ampel_memory_database *database) {
    if (database == NULL) return;
    for (uint32_t i = 0; i < database->partitions_count; i++) {
        struct stored_partition *partition = &database->partitions[i];
        for (uint32_t page = 0; page < partition->pages_count; page++)
            free(partition->pages[page].bytes);
        free(partition->pages);
        free(partition->meta);
    }
    for (uint32_t i = 0; i < database->told_count; i++)
        free(database->told[i].bytes);
    for (uint32_t i = 0; i < database->rules_count; i++)
        free(database->rules[i].text);
    free(database->rules);
    free(database->partitions);
    free(database->keys);
    free(database->ratings);
    free(database->told);
    free(database->violations);
    free(database->refusals);
    free(database->message);
    for (uint32_t i = 0; i < AMPEL_SCRIBES_MAX; i++)
        (void)close(database->clients[i].notice_fd);
    free(database);
}

/* ---- faults --------------------------------------------------------------------------------- */

void ampel_memory_database_fault(struct ampel_memory_database *database,
                                 enum ampel_memory_fault fault, uint32_t calls) {
    database->fault = fault;
    database->fault_calls = calls;
}

void ampel_memory_database_away(struct ampel_memory_database *database, bool away) {
    database->away = away;
    for (uint32_t i = 0; i < AMPEL_SCRIBES_MAX && away; i++)
        database->clients[i].connected = false;
}

void ampel_memory_database_notify(struct ampel_memory_database *database) {
    for (uint32_t i = 0; i < AMPEL_SCRIBES_MAX; i++) {
        const uint64_t one = 1;
        database->clients[i].keys_changed = true;
        ssize_t written = write(database->clients[i].notice_fd, &one, sizeof(one));
        AMPEL_ASSERT(written == (ssize_t)sizeof(one));
    }
}

void ampel_memory_database_suspend(struct ampel_memory_database *database, const char *tenant,
                                   bool suspended) {
    for (uint32_t i = 0; i < database->keys_count; i++) {
        if (strcmp(database->keys[i].tenant, tenant) == 0) database->keys[i].suspended = suspended;
    }
    ampel_memory_database_notify(database);
}

void ampel_memory_database_watch(struct ampel_memory_database *database,
                                 const struct ampel_memory_watch *watch) {
    database->watch = *watch;
}

uint64_t ampel_memory_database_calls(const struct ampel_memory_database *database) {
    return database->calls;
}

void ampel_memory_database_fault_at(struct ampel_memory_database *database, uint64_t call,
                                    enum ampel_memory_fault fault) {
    database->fault_call = call;
    database->call_fault = fault;
}

void ampel_memory_database_plant(struct ampel_memory_database *database,
                                 enum ampel_memory_bug bug) {
    database->bug = bug;
}

void ampel_memory_database_steal(struct ampel_memory_database *database, uint32_t partition) {
    AMPEL_ASSERT(partition < database->partitions_count);
    database->partitions[partition].epoch++;
}

void ampel_memory_database_damage(struct ampel_memory_database *database, uint32_t partition,
                                  uint32_t page) {
    AMPEL_ASSERT(partition < database->partitions_count);
    AMPEL_ASSERT(page < database->partitions[partition].pages_count);
    struct stored_page *stored = &database->partitions[partition].pages[page];
    stored->bytes[stored->size / 2] ^= 0x55;
}

/* Takes one call's fault. AWAY also while nobody is connected. */
static enum ampel_memory_fault take_fault(struct client *client) {
    struct ampel_memory_database *database = client->database;
    if (database->away || !client->connected) return AMPEL_FAULT_AWAY;
    if (database->calls++ == database->fault_call) {
        if (database->call_fault == AMPEL_FAULT_AWAY) client->connected = false;
        return database->call_fault;
    }
    if (database->fault_calls == 0) return AMPEL_FAULT_NONE;
    database->fault_calls--;
    if (database->fault == AMPEL_FAULT_AWAY) client->connected = false;
    return database->fault;
}

/* The status of a call that only reads. */
static enum ampel_database_status reading(struct client *client,
                                          struct ampel_error *error) {
    enum ampel_memory_fault fault = take_fault(client);
    if (fault == AMPEL_FAULT_NONE) return AMPEL_DATABASE_OK;
    (void)ampel_error_set(error, "", "a fault was asked for");
    if (fault == AMPEL_FAULT_RETRY) return AMPEL_DATABASE_RETRY;
    if (fault == AMPEL_FAULT_BROKEN) return AMPEL_DATABASE_BROKEN;
    client->connected = false;
    return AMPEL_DATABASE_AWAY;
}

/* ---- reading -------------------------------------------------------------------------------- */

static enum ampel_database_status face_connect(void *context, struct ampel_database_system *out,
                                               struct ampel_error *error) {
    struct client *client = context;
    struct ampel_memory_database *database = client->database;
    if (database->away) {
        (void)ampel_error_set(error, "", "the database is away");
        return AMPEL_DATABASE_AWAY;
    }
    client->connected = true;
    *out = (struct ampel_database_system){.id = database->system_id,
                                          .partitions = database->partitions_count};
    return AMPEL_DATABASE_OK;
}

static struct ampel_parcel_tenants *make_tenants(const struct ampel_memory_database *database) {
    struct ampel_parcel_tenants *tenants = make(sizeof(*tenants));
    tenants->parcel.kind = AMPEL_PARCEL_TENANTS;
    tenants->epoch = database->stream_epoch;
    tenants->keys_count = database->keys_count;
    tenants->keys = (struct ampel_tenant_key *)copy(
        database->keys, (uint32_t)(database->keys_count * sizeof(database->keys[0])));
    return tenants;
}

static void raise_number(struct ampel_parcel_tenants *tenants,
                         const struct ampel_stored_told *told) {
    for (uint32_t i = 0; i < tenants->numbers_count; i++) {
        struct ampel_stream_number *number = &tenants->numbers[i];
        if (number->stream != told->stream || strcmp(number->tenant, told->tenant) != 0) continue;
        if (number->next <= told->number) number->next = told->number + 1;
        return;
    }
    struct ampel_stream_number *number = PUSH(tenants->numbers, tenants->numbers_count);
    memcpy(number->tenant, told->tenant, sizeof(number->tenant));
    number->stream = told->stream;
    number->next = told->number + 1;
}

static enum ampel_database_status face_begin(void *context, struct ampel_parcel_tenants **out,
                                             struct ampel_error *error) {
    struct client *client = context;
    struct ampel_memory_database *database = client->database;
    enum ampel_database_status status = reading(client, error);
    if (status != AMPEL_DATABASE_OK) return status;
    database->stream_epoch++;
    *out = make_tenants(database);
    for (uint32_t i = 0; i < database->told_count; i++)
        raise_number(*out, &database->told[i]);
    return AMPEL_DATABASE_OK;
}

static enum ampel_database_status face_tenants(void *context, struct ampel_parcel_tenants **out,
                                               struct ampel_error *error) {
    struct client *client = context;
    struct ampel_memory_database *database = client->database;
    enum ampel_database_status status = reading(client, error);
    if (status == AMPEL_DATABASE_OK) *out = make_tenants(database);
    return status;
}

static enum ampel_database_status face_claim(void *context, uint32_t number,
                                             struct ampel_parcel_loaded **out,
                                             struct ampel_error *error) {
    struct client *client = context;
    struct ampel_memory_database *database = client->database;
    AMPEL_ASSERT(number < database->partitions_count);
    enum ampel_database_status status = reading(client, error);
    if (status != AMPEL_DATABASE_OK) return status;
    struct stored_partition *partition = &database->partitions[number];
    partition->epoch++;
    struct ampel_parcel_loaded *loaded = make(sizeof(*loaded));
    loaded->parcel.kind = AMPEL_PARCEL_LOADED;
    loaded->partition = number;
    loaded->epoch = partition->epoch;
    if (database->watch.claimed != NULL)
        database->watch.claimed(database->watch.context, number, partition->epoch);
    loaded->position = partition->position;
    if (partition->meta != NULL) {
        loaded->meta = copy(partition->meta, partition->meta_size);
        loaded->meta_size = partition->meta_size;
    }
    loaded->rules_number = partition->rules_number;
    if (loaded->rules_number > 0) {
        const struct stored_rules *rules = &database->rules[loaded->rules_number - 1];
        loaded->rules_text = (char *)copy(rules->text, rules->size);
        loaded->rules_size = rules->size;
    }
    loaded->pages = make((partition->pages_count + 1) * sizeof(loaded->pages[0]));
    for (uint32_t page = 0; page < partition->pages_count; page++) {
        const struct stored_page *stored = &partition->pages[page];
        AMPEL_ASSERT(stored->bytes != NULL);
        loaded->pages[loaded->pages_count++] = (struct ampel_loaded_page){
            .page = page, .size = stored->size, .bytes = copy(stored->bytes, stored->size)};
    }
    *out = loaded;
    return AMPEL_DATABASE_OK;
}

static enum ampel_database_status face_rules(void *context, uint64_t number,
                                             struct ampel_parcel_rules **out,
                                             struct ampel_error *error) {
    struct client *client = context;
    struct ampel_memory_database *database = client->database;
    enum ampel_database_status status = reading(client, error);
    if (status != AMPEL_DATABASE_OK) return status;
    *out = NULL;
    if (database->rules_count <= number) return AMPEL_DATABASE_OK;
    const struct stored_rules *newest = &database->rules[database->rules_count - 1];
    struct ampel_parcel_rules *rules = make(sizeof(*rules));
    *rules = (struct ampel_parcel_rules){.parcel.kind = AMPEL_PARCEL_RULES,
                                         .number = database->rules_count,
                                         .size = newest->size,
                                         .text = (char *)copy(newest->text, newest->size)};
    *out = rules;
    return AMPEL_DATABASE_OK;
}

static enum ampel_database_status face_position(void *context, uint32_t partition, uint64_t *epoch,
                                                uint64_t *position, struct ampel_error *error) {
    struct client *client = context;
    struct ampel_memory_database *database = client->database;
    enum ampel_database_status status = reading(client, error);
    if (status != AMPEL_DATABASE_OK) return status;
    *epoch = database->partitions[partition].epoch;
    *position = database->partitions[partition].position;
    return AMPEL_DATABASE_OK;
}

static int compare_rows(const void *left, const void *right) {
    const struct ampel_answer_row *a = left, *b = right;
    return (a->number > b->number) - (a->number < b->number);
}

static enum ampel_database_status face_outbox(void *context, const struct ampel_parcel_ask *ask,
                                              struct ampel_parcel_answer **out,
                                              struct ampel_error *error) {
    struct client *client = context;
    struct ampel_memory_database *database = client->database;
    enum ampel_database_status status = reading(client, error);
    if (status != AMPEL_DATABASE_OK) return status;
    struct ampel_parcel_answer *answer = make(sizeof(*answer));
    answer->parcel.kind = AMPEL_PARCEL_ANSWER;
    answer->peer = ask->peer;
    memcpy(answer->tenant, ask->tenant, sizeof(answer->tenant));
    answer->stream = ask->stream;
    answer->from = ask->from;
    for (uint32_t i = 0; i < database->told_count; i++) {
        const struct ampel_stored_told *told = &database->told[i];
        if (told->stream != ask->stream || told->number < ask->from ||
            strcmp(told->tenant, ask->tenant) != 0) {
            continue;
        }
        struct ampel_answer_row *row = PUSH(answer->rows, answer->rows_count);
        *row = (struct ampel_answer_row){
            .number = told->number, .size = told->size, .bytes = copy(told->bytes, told->size)};
    }
    if (answer->rows_count > 0)
        qsort(answer->rows, answer->rows_count, sizeof(answer->rows[0]), compare_rows);
    while (answer->rows_count > ask->limit)
        free(answer->rows[--answer->rows_count].bytes);
    *out = answer;
    return AMPEL_DATABASE_OK;
}

static int face_notice_fd(void *context) {
    const struct client *client = context;
    return client->connected ? client->notice_fd : -1;
}

static bool face_noticed(void *context) {
    struct client *client = context;
    uint64_t count;
    ssize_t got = read(client->notice_fd, &count, sizeof(count));
    bool changed = got == (ssize_t)sizeof(count) && client->keys_changed;
    if (changed) client->keys_changed = false;
    return changed;
}

static void face_close(void *context) {
    struct client *client = context;
    client->connected = false;
}

/* ---- writing -------------------------------------------------------------------------------- */

static void store_pages(struct stored_partition *partition,
                        const struct ampel_checkpoint *checkpoint) {
    free(partition->meta);
    partition->meta = copy(checkpoint->meta, checkpoint->meta_size);
    partition->meta_size = checkpoint->meta_size;
    for (uint32_t i = 0; i < checkpoint->pages_count; i++) {
        const struct ampel_loaded_page *page = &checkpoint->pages[i];
        while (partition->pages_count <= page->page)
            (void)PUSH(partition->pages, partition->pages_count);
        struct stored_page *stored = &partition->pages[page->page];
        free(stored->bytes);
        *stored = (struct stored_page){.size = page->size, .bytes = copy(page->bytes, page->size)};
    }
}

static void store_rating(struct ampel_memory_database *database, uint32_t partition,
                         const struct ampel_rating_row *row) {
    if (database->bug == AMPEL_BUG_LOST_ROWS && ++database->rows % 97 == 0) return;
    char account[3 * (AMPEL_ID_BYTES_MAX + 1)];
    name_account(account, row->tenant, row->seller, row->marketplace);
    struct ampel_stored_rating *stored =
        (struct ampel_stored_rating *)ampel_memory_database_rating(database, account);
    if (stored == NULL) stored = PUSH(database->ratings, database->ratings_count);
    memcpy(stored->account, account, sizeof(account));
    stored->numbers = row->numbers;
    stored->as_of_ms = row->as_of_ms;
    stored->partition = partition;
    stored->written_count++;
}

static struct ampel_stored_violation *find_violation(struct ampel_memory_database *database,
                                                     const char *account, const char *id) {
    for (uint32_t i = 0; i < database->violations_count; i++) {
        struct ampel_stored_violation *stored = &database->violations[i];
        if (strcmp(stored->id, id) == 0 && strcmp(stored->account, account) == 0) return stored;
    }
    return NULL;
}

static void store_violation(struct ampel_memory_database *database,
                            const struct ampel_violation_row *row) {
    struct ampel_stored_violation made = {.state = row->violation.state,
                                          .rank = row->violation.rank,
                                          .points = row->violation.points};
    name_account(made.account, row->tenant, row->seller, row->marketplace);
    name_id(made.id, row->violation.id);
    struct ampel_stored_violation *stored = find_violation(database, made.account, made.id);
    if (stored == NULL) stored = PUSH(database->violations, database->violations_count);
    *stored = made;
}

static void remove_violation(struct ampel_memory_database *database,
                             const struct ampel_violation_gone *gone) {
    char account[3 * (AMPEL_ID_BYTES_MAX + 1)], id[AMPEL_ID_BYTES_MAX + 1];
    name_account(account, gone->tenant, gone->seller, gone->marketplace);
    name_id(id, gone->id);
    struct ampel_stored_violation *stored = find_violation(database, account, id);
    if (stored != NULL) *stored = database->violations[--database->violations_count];
}

static void store_refusal(struct ampel_memory_database *database,
                          const struct ampel_refusal_row *row) {
    struct ampel_stored_refusal *stored = PUSH(database->refusals, database->refusals_count);
    name_id(stored->producer, row->producer);
    name_id(stored->id, row->id);
    stored->sequence = row->sequence;
    stored->event_index = row->event_index;
    stored->verdict = row->verdict;
}

static void encode_told(struct ampel_memory_database *database,
                        const struct ampel_checkpoint *checkpoint,
                        const struct ampel_rules_face *rules, const struct ampel_told *told,
                        struct ampel_stored_told *stored) {
    struct ampel_message *message = database->message;
    memset(message, 0, sizeof(*message));
    message->kind = AMPEL_MESSAGE_CHANGE;
    struct ampel_message_change *change = &message->change;
    change->stream = told->stream;
    change->epoch = checkpoint->stream_epoch;
    change->number = told->number;
    memcpy(change->id, told->id, sizeof(change->id));
    change->tenant = told->tenant;
    change->seller = told->seller;
    change->marketplace = told->marketplace;
    change->change = told->change;
    change->rules_version =
        (struct ampel_text){rules->version, (uint32_t)strlen(rules->version)};
    change->caps_count = rules->caps_count;
    for (uint32_t i = 0; i < rules->caps_count; i++)
        change->caps_names[i] =
            (struct ampel_text){rules->caps_names[i], (uint32_t)strlen(rules->caps_names[i])};
    if (told->change.cap_group < rules->caps_count)
        change->cap_group = change->caps_names[told->change.cap_group];
    stored->size = ampel_message_encode(message, database->message_bytes, MESSAGE_CAPACITY);
    AMPEL_ASSERT(stored->size > 0);
    stored->bytes = copy(database->message_bytes, stored->size);
}

static void store_told(struct ampel_memory_database *database,
                       const struct ampel_checkpoint *checkpoint,
                       const struct ampel_rules_face *rules, const struct ampel_told *told) {
    struct ampel_stored_told made = {.stream = told->stream,
                                     .epoch = checkpoint->stream_epoch,
                                     .number = told->number,
                                     .kind = told->change.kind,
                                     .is_new = told->change.is_new,
                                     .before = told->change.before,
                                     .after = told->change.after,
                                     .at_ms = told->change.at_ms};
    name_account(made.account, told->tenant, told->seller, told->marketplace);
    name_id(made.tenant, told->tenant);
    memcpy(made.id, told->id, sizeof(made.id));
    AMPEL_ASSERT(made.number > 0);
    for (uint32_t i = 0; i < database->told_count; i++) {
        const struct ampel_stored_told *other = &database->told[i];
        AMPEL_ASSERT(other->number != made.number || other->stream != made.stream ||
                     strcmp(other->tenant, made.tenant) != 0);
    }
    encode_told(database, checkpoint, rules, told, &made);
    struct ampel_stored_told *stored = PUSH(database->told, database->told_count);
    *stored = made;
}

static void store(struct ampel_memory_database *database,
                  const struct ampel_checkpoint *checkpoint) {
    struct stored_partition *partition = &database->partitions[checkpoint->partition];
    partition->position = checkpoint->position_new;
    partition->rules_number = checkpoint->rules_number;
    store_pages(partition, checkpoint);
    for (uint32_t i = 0; i < checkpoint->ratings_count; i++)
        store_rating(database, checkpoint->partition, &checkpoint->ratings[i]);
    for (uint32_t i = 0; i < checkpoint->violations_count; i++)
        store_violation(database, &checkpoint->violations[i]);
    for (uint32_t i = 0; i < checkpoint->gone_count; i++)
        remove_violation(database, &checkpoint->gone[i]);
    for (uint32_t i = 0; i < checkpoint->refusals_count; i++)
        store_refusal(database, &checkpoint->refusals[i]);
    for (uint32_t i = 0; i < checkpoint->outs_count; i++) {
        const struct ampel_parcel_out *out = checkpoint->outs[i];
        AMPEL_ASSERT(out->partition == checkpoint->partition);
        for (uint32_t j = 0; j < out->told_count; j++)
            store_told(database, checkpoint, &out->rules, &out->told[j]);
    }
    database->commits++;
}

static enum ampel_database_status
face_commit(void *context, const struct ampel_checkpoint *checkpoint, struct ampel_error *error) {
    struct client *client = context;
    struct ampel_memory_database *database = client->database;
    AMPEL_ASSERT(checkpoint->partition < database->partitions_count);
    enum ampel_memory_fault fault = take_fault(client);
    if (fault == AMPEL_FAULT_AWAY || fault == AMPEL_FAULT_UNKNOWN_UNDONE)
        client->connected = false;
    if (fault == AMPEL_FAULT_AWAY) return AMPEL_DATABASE_AWAY;
    if (fault == AMPEL_FAULT_RETRY) {
        for (uint32_t i = 0; database->bug == AMPEL_BUG_HALF_DONE && i < checkpoint->refusals_count;
             i++)
            store_refusal(database, &checkpoint->refusals[i]);
        return AMPEL_DATABASE_RETRY;
    }
    if (fault == AMPEL_FAULT_BROKEN) return AMPEL_DATABASE_BROKEN;
    if (fault == AMPEL_FAULT_UNKNOWN_UNDONE) return AMPEL_DATABASE_UNKNOWN;
    const struct stored_partition *partition = &database->partitions[checkpoint->partition];
    bool fenced = partition->epoch != checkpoint->epoch ||
                  partition->position != checkpoint->position_old ||
                  (checkpoint->stream_epoch != database->stream_epoch &&
                   database->bug != AMPEL_BUG_LATE_COMMIT);
    if (fenced && database->bug != AMPEL_BUG_NO_FENCE) {
        (void)ampel_error_set(error, "", "epoch or position is another one");
        return AMPEL_DATABASE_FENCED;
    }
    store(database, checkpoint);
    if (database->watch.committed != NULL)
        database->watch.committed(database->watch.context, checkpoint);
    if (fault != AMPEL_FAULT_UNKNOWN_DONE) return AMPEL_DATABASE_OK;
    client->connected = false;
    return AMPEL_DATABASE_UNKNOWN;
}

void ampel_memory_database_face(struct ampel_memory_database *database,
                                struct ampel_database *out) {
    ampel_memory_database_face_of(database, 0, out);
}

void ampel_memory_database_face_of(struct ampel_memory_database *database, uint32_t client,
                                   struct ampel_database *out) {
    AMPEL_ASSERT(client < AMPEL_SCRIBES_MAX);
    *out = (struct ampel_database){
        .context = &database->clients[client],
        .connect = face_connect,
        .begin = face_begin,
        .claim = face_claim,
        .commit = face_commit,
        .position = face_position,
        .tenants = face_tenants,
        .rules = face_rules,
        .outbox = face_outbox,
        .notice_fd = face_notice_fd,
        .noticed = face_noticed,
        .close = face_close,
    };
}

/* ---- what is stored ------------------------------------------------------------------------- */

void ampel_memory_database_tenant_add(struct ampel_memory_database *database, const char *tenant,
                                      const char *public_key) {
    struct ampel_tenant_key *key = PUSH(database->keys, database->keys_count);
    (void)snprintf(key->tenant, sizeof(key->tenant), "%s", tenant);
    (void)snprintf(key->public_key, sizeof(key->public_key), "%s", public_key);
    ampel_memory_database_notify(database);
}

void ampel_memory_database_rules_set(struct ampel_memory_database *database,
                                     const struct ampel_rules *rules) {
    char *text = make(256 * 1024);
    struct stored_rules *stored = PUSH(database->rules, database->rules_count);
    stored->size = ampel_rules_file_encode(rules, text, 256 * 1024);
    AMPEL_ASSERT(stored->size > 0);
    stored->text = text;
    ampel_memory_database_notify(database);
}

uint32_t ampel_memory_database_ratings(const struct ampel_memory_database *database,
                                       const struct ampel_stored_rating **out) {
    *out = database->ratings;
    return database->ratings_count;
}

const struct ampel_stored_rating *
ampel_memory_database_rating(const struct ampel_memory_database *database, const char *account) {
    for (uint32_t i = 0; i < database->ratings_count; i++) {
        if (strcmp(database->ratings[i].account, account) == 0) return &database->ratings[i];
    }
    return NULL;
}

uint32_t ampel_memory_database_told(const struct ampel_memory_database *database,
                                    const struct ampel_stored_told **out) {
    *out = database->told;
    return database->told_count;
}

uint32_t ampel_memory_database_violations(const struct ampel_memory_database *database,
                                          const struct ampel_stored_violation **out) {
    *out = database->violations;
    return database->violations_count;
}

uint32_t ampel_memory_database_refusals(const struct ampel_memory_database *database,
                                        const struct ampel_stored_refusal **out) {
    *out = database->refusals;
    return database->refusals_count;
}

uint64_t ampel_memory_database_position(const struct ampel_memory_database *database,
                                        uint32_t partition) {
    return database->partitions[partition].position;
}

uint64_t ampel_memory_database_stream_epoch(const struct ampel_memory_database *database) {
    return database->stream_epoch;
}

uint64_t ampel_memory_database_commits(const struct ampel_memory_database *database) {
    return database->commits;
}

uint32_t ampel_memory_database_pages(const struct ampel_memory_database *database,
                                     uint32_t partition) {
    return database->partitions[partition].pages_count;
}
