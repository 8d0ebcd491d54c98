#include "tests/simulation/hooks.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proto/hash.h"
#include "workers/gateway_window.h"
#include "workers/journal.h"
#include "workers/journal_inside.h"
#include "workers/logline.h"
#include "workers/queue.h"

#include "engine/producers.h"
#include "tests/simulation/model.h"
#include "workers/publisher_watchers.h"
#include "proto/message.h"

struct sim_hooks sim_hooks;

/* The linker gives these names; their real counterparts follow the same rule. */
void __wrap_ampel_log(enum ampel_log_level level, const char *room, const char *sentence, ...);
enum ampel_journal_status __real_ampel_journal_append(struct ampel_journal *journal, uint8_t *bytes,
                                                      uint32_t size, int64_t stamp_ms);
enum ampel_journal_status __wrap_ampel_journal_append(struct ampel_journal *journal, uint8_t *bytes,
                                                      uint32_t size, int64_t stamp_ms);
enum ampel_journal_status __real_ampel_journal_release(struct ampel_journal *journal,
                                                       uint64_t position, bool *more);
enum ampel_journal_status __wrap_ampel_journal_release(struct ampel_journal *journal,
                                                       uint64_t position, bool *more);
void __real_ampel_gateway_window_release(struct ampel_gateway_window *window, uint64_t sequence,
                                         bool durable);
void __wrap_ampel_gateway_window_release(struct ampel_gateway_window *window, uint64_t sequence,
                                         bool durable);
bool __real_ampel_producers_import(struct ampel_producers *producers, struct ampel_pool *pool,
                                   const struct ampel_producer_window *window, bool *fits);
bool __wrap_ampel_producers_import(struct ampel_producers *producers, struct ampel_pool *pool,
                                   const struct ampel_producer_window *window, bool *fits);
void __real_ampel_hash_change(struct ampel_text tenant, struct ampel_text seller,
                              struct ampel_text marketplace, const struct ampel_change *change,
                              char out[AMPEL_CHANGE_ID_SIZE]);
void __wrap_ampel_hash_change(struct ampel_text tenant, struct ampel_text seller,
                              struct ampel_text marketplace, const struct ampel_change *change,
                              char out[AMPEL_CHANGE_ID_SIZE]);
enum ampel_form_status __real_ampel_journal_record_check(const uint8_t *bytes, size_t size,
                                                         uint64_t position,
                                                         struct ampel_record_header *out);
enum ampel_form_status __wrap_ampel_journal_record_check(const uint8_t *bytes, size_t size,
                                                         uint64_t position,
                                                         struct ampel_record_header *out);

bool __real_ampel_queue_push(struct ampel_queue *queue, void *thing);
bool __wrap_ampel_queue_push(struct ampel_queue *queue, void *thing);
enum ampel_engine_status __real_ampel_engine_apply(struct ampel_engine *engine,
                                                   const struct ampel_frame *frame,
                                                   struct ampel_apply_counts *counts);
enum ampel_engine_status __wrap_ampel_engine_apply(struct ampel_engine *engine,
                                                   const struct ampel_frame *frame,
                                                   struct ampel_apply_counts *counts);
enum ampel_engine_status __real_ampel_engine_advance(struct ampel_engine *engine, int64_t to_ms,
                                                     uint32_t steps_max, bool *done);
enum ampel_engine_status __wrap_ampel_engine_advance(struct ampel_engine *engine, int64_t to_ms,
                                                     uint32_t steps_max, bool *done);
enum ampel_engine_status __real_ampel_engine_rules_set(struct ampel_engine *engine,
                                                       const struct ampel_rules *rules);
enum ampel_engine_status __wrap_ampel_engine_rules_set(struct ampel_engine *engine,
                                                       const struct ampel_rules *rules);
void __real_ampel_engine_position_set(struct ampel_engine *engine, uint64_t position);
void __wrap_ampel_engine_position_set(struct ampel_engine *engine, uint64_t position);
const struct ampel_change *__real_ampel_engine_changes(const struct ampel_engine *engine,
                                                       uint32_t *count);
const struct ampel_change *__wrap_ampel_engine_changes(const struct ampel_engine *engine,
                                                       uint32_t *count);
void __real_ampel_engine_close(struct ampel_engine *engine);
void __wrap_ampel_engine_close(struct ampel_engine *engine);
void __real_ampel_rules_face_set(struct ampel_rules_face *face, const struct ampel_rules *rules);
void __wrap_ampel_rules_face_set(struct ampel_rules_face *face, const struct ampel_rules *rules);
bool __real_ampel_publisher_watchers_push(struct ampel_publisher_watchers *watchers,
                                          const struct ampel_peer *peer, uint32_t stream,
                                          uint64_t from, uint64_t epoch, int64_t now_ns);
bool __wrap_ampel_publisher_watchers_push(struct ampel_publisher_watchers *watchers,
                                          const struct ampel_peer *peer, uint32_t stream,
                                          uint64_t from, uint64_t epoch, int64_t now_ns);
void __real_ampel_publisher_watchers_answer(struct ampel_publisher_watchers *watchers,
                                            struct ampel_parcel_answer *answer, int64_t now_ns);
void __wrap_ampel_publisher_watchers_answer(struct ampel_publisher_watchers *watchers,
                                            struct ampel_parcel_answer *answer, int64_t now_ns);

/* ---- what the log says ------------------------------------------------------------------------ */

static void say_value(char *out, size_t capacity, const char *format, va_list *arguments) {
    if (strcmp(format, "%s") == 0) {
        (void)snprintf(out, capacity, "%s", va_arg(*arguments, const char *));
    } else if (strcmp(format, "%llu") == 0) {
        (void)snprintf(out, capacity, "%llu", va_arg(*arguments, unsigned long long));
    } else if (strcmp(format, "%lld") == 0) {
        (void)snprintf(out, capacity, "%lld", va_arg(*arguments, long long));
    } else {
        (void)snprintf(out, capacity, "%d", va_arg(*arguments, int));
    }
}

void __wrap_ampel_log(enum ampel_log_level level, const char *room, const char *sentence, ...) {
    if (!sim_hooks.story && level < AMPEL_LOG_ERROR) return;
    char line[1024];
    int size = snprintf(line, sizeof(line), "%s: %s", room, sentence);
    va_list arguments;
    va_start(arguments, sentence);
    for (const char *key; (key = va_arg(arguments, const char *)) != NULL;) {
        char value[400];
        const char *format = va_arg(arguments, const char *);
        say_value(value, sizeof(value), format, &arguments);
        if (size >= 0 && (size_t)size < sizeof(line))
            size += snprintf(line + size, sizeof(line) - (size_t)size, " %s=%s", key, value);
    }
    va_end(arguments);
    if (level == AMPEL_LOG_ERROR)
        (void)snprintf(sim_hooks.named, sizeof(sim_hooks.named), "%.511s", line);
    if (sim_hooks.story && level > AMPEL_LOG_DEBUG) printf("      log  %s\n", line);
}

/* ---- another gateway -------------------------------------------------------------------------- */

enum ampel_journal_status __wrap_ampel_journal_append(struct ampel_journal *journal, uint8_t *bytes,
                                                      uint32_t size, int64_t stamp_ms) {
    enum ampel_journal_status status = __real_ampel_journal_append(journal, bytes, size, stamp_ms);
    if (status != AMPEL_JOURNAL_OK || sim_hooks.doubled == NULL) return status;
    if (__real_ampel_journal_append(journal, sim_hooks.doubled, sim_hooks.doubled_size, stamp_ms) ==
        AMPEL_JOURNAL_OK) {
        sim_hooks.doubled_count++;
    }
    free(sim_hooks.doubled);
    sim_hooks.doubled = NULL;
    return status;
}

/* ---- planted bugs ----------------------------------------------------------------------------- */

static bool canary(enum sim_canary which) {
    return sim_hooks.canary == which;
}

enum ampel_journal_status __wrap_ampel_journal_release(struct ampel_journal *journal,
                                                       uint64_t position, bool *more) {
    *more = false;
    if (canary(SIM_CANARY_NO_RELEASE)) return AMPEL_JOURNAL_OK;
    return __real_ampel_journal_release(journal, position, more);
}

void __wrap_ampel_gateway_window_release(struct ampel_gateway_window *window, uint64_t sequence,
                                         bool durable) {
    if (canary(SIM_CANARY_EARLY_ACK)) durable = true;
    if (canary(SIM_CANARY_FORGETFUL_WINDOW) && ++sim_hooks.windows_calls % 3 == 0) durable = false;
    __real_ampel_gateway_window_release(window, sequence, durable);
}

bool __wrap_ampel_producers_import(struct ampel_producers *producers, struct ampel_pool *pool,
                                   const struct ampel_producer_window *window, bool *fits) {
    if (canary(SIM_CANARY_NO_WINDOW)) {
        *fits = true;
        return true;
    }
    return __real_ampel_producers_import(producers, pool, window, fits);
}

void __wrap_ampel_hash_change(struct ampel_text tenant, struct ampel_text seller,
                              struct ampel_text marketplace, const struct ampel_change *change,
                              char out[AMPEL_CHANGE_ID_SIZE]) {
    struct ampel_change moved = *change;
    for (uint32_t i = 0; i < sim_hooks.positions_count; i++) {
        if (sim_hooks.positions[2 * (size_t)i] == change->position)
            moved.position = sim_hooks.positions[2 * (size_t)i + 1];
    }
    __real_ampel_hash_change(tenant, seller, marketplace, &moved, out);
    /* Any moment is another one: a count stands for the clock. */
    if (canary(SIM_CANARY_CLOCK_ID))
        out[0] = (char)('a' + (char)(sim_hooks.windows_calls++ / 16 % 6));
}

enum ampel_form_status __wrap_ampel_journal_record_check(const uint8_t *bytes, size_t size,
                                                         uint64_t position,
                                                         struct ampel_record_header *out) {
    enum ampel_form_status status = __real_ampel_journal_record_check(bytes, size, position, out);
    if (!canary(SIM_CANARY_NO_CHECKSUM) || status != AMPEL_FORM_DAMAGED) return status;
    uint32_t claimed;
    bool is_group;
    if (size < AMPEL_RECORD_HEADER_BYTES ||
        !ampel_journal_claims(bytes, position, &claimed, &is_group) || is_group || claimed > size) {
        return status;
    }
    /* A copy with the checksum that its bytes would have. */
    static uint8_t copy[1 << 20];
    if (claimed > sizeof(copy)) return status;
    memcpy(copy, bytes, claimed);
    int64_t stamp_ms;
    memcpy(&stamp_ms, copy + 24, sizeof(stamp_ms));
    ampel_record_seal(copy, position, stamp_ms);
    return __real_ampel_journal_record_check(copy, claimed, position, out);
}

bool __wrap_ampel_queue_push(struct ampel_queue *queue, void *thing) {
    bool pushed = __real_ampel_queue_push(queue, thing);
    uint64_t count;
    if (canary(SIM_CANARY_NO_WAKEUP) && ++sim_hooks.windows_calls % 50 == 0) {
        ssize_t got = read(ampel_queue_fd(queue), &count, sizeof(count));
        (void)got;
    }
    return pushed;
}

/* The bug that is planted where this is passed shows each so-many-th time. */
static bool strikes(enum sim_canary which, uint32_t each) {
    return canary(which) && ++sim_hooks.windows_calls % each == 0;
}

const struct ampel_change *__wrap_ampel_engine_changes(const struct ampel_engine *engine,
                                                       uint32_t *count) {
    struct ampel_change *changes =
        (struct ampel_change *)__real_ampel_engine_changes(engine, count);
    if (*count > 0 && strikes(SIM_CANARY_LOST_CHANGE, 60)) (*count)--;
    for (uint32_t i = 0; i < *count && canary(SIM_CANARY_RULES_DATE); i++) {
        if (changes[i].cause.kind == AMPEL_CAUSE_RULES) changes[i].at_ms++;
    }
    return changes;
}

void __wrap_ampel_engine_close(struct ampel_engine *engine) {
    if (engine == NULL || !strikes(SIM_CANARY_LEAK, 5)) __real_ampel_engine_close(engine);
}

void __wrap_ampel_rules_face_set(struct ampel_rules_face *face, const struct ampel_rules *rules) {
    if (canary(SIM_CANARY_RULES_NAME) && sim_hooks.model != NULL)
        rules = sim_hooks.model->sets[0].rules;
    __real_ampel_rules_face_set(face, rules);
}

bool __wrap_ampel_publisher_watchers_push(struct ampel_publisher_watchers *watchers,
                                          const struct ampel_peer *peer, uint32_t stream,
                                          uint64_t from, uint64_t epoch, int64_t now_ns) {
    if (from > 0 && strikes(SIM_CANARY_LATE_WATCHER, 3)) from++;
    return __real_ampel_publisher_watchers_push(watchers, peer, stream, from, epoch, now_ns);
}

void __wrap_ampel_publisher_watchers_answer(struct ampel_publisher_watchers *watchers,
                                            struct ampel_parcel_answer *answer, int64_t now_ns) {
    if (answer->rows_count > 0 && strikes(SIM_CANARY_SHORT_ANSWER, 3))
        free(answer->rows[--answer->rows_count].bytes);
    __real_ampel_publisher_watchers_answer(watchers, answer, now_ns);
}

uint32_t __real_ampel_message_encode(const struct ampel_message *message, uint8_t *bytes,
                                     uint32_t capacity);
uint32_t __wrap_ampel_message_encode(const struct ampel_message *message, uint8_t *bytes,
                                     uint32_t capacity);
uint32_t __wrap_ampel_message_encode(const struct ampel_message *message, uint8_t *bytes,
                                     uint32_t capacity) {
    if (!canary(SIM_CANARY_EPOCH_HIDDEN) || message->kind != AMPEL_MESSAGE_WATCHING)
        return __real_ampel_message_encode(message, bytes, capacity);
    struct ampel_message hidden;
    hidden.kind = AMPEL_MESSAGE_WATCHING;
    hidden.watching = message->watching;
    hidden.watching.since = 0;
    return __real_ampel_message_encode(&hidden, bytes, capacity);
}

bool __real_ampel_shard_tell(const struct ampel_engine *engine, uint32_t partition,
                             const struct ampel_change *changes, uint32_t count,
                             struct ampel_parcel_out **out, uint64_t *size_bytes);
bool __wrap_ampel_shard_tell(const struct ampel_engine *engine, uint32_t partition,
                             const struct ampel_change *changes, uint32_t count,
                             struct ampel_parcel_out **out, uint64_t *size_bytes);
bool __wrap_ampel_shard_tell(const struct ampel_engine *engine, uint32_t partition,
                             const struct ampel_change *changes, uint32_t count,
                             struct ampel_parcel_out **out, uint64_t *size_bytes) {
    bool told = __real_ampel_shard_tell(engine, partition, changes, count, out, size_bytes);
    if (told && *size_bytes > sim_hooks.told_bytes_most) sim_hooks.told_bytes_most = *size_bytes;
    return told;
}

/* ---- after a step of an engine ---------------------------------------------------------------- */

/* Which partition an engine serves, by one of its accounts. False: it has none. */
static bool partition_of(const struct ampel_engine *engine, uint32_t *partition) {
    uint32_t agency, account;
    struct ampel_text tenant, seller, marketplace;
    if (ampel_engine_accounts_count(engine) == 0) return false;
    ampel_engine_account_identity(engine, 0, &tenant, &seller, &marketplace);
    if (!sim_model_account(sim_hooks.model, tenant, seller, &agency, &account)) return false;
    *partition = sim_hooks.model->account_partition[agency][account];
    return true;
}

static void stepped(const struct ampel_engine *engine, bool applied) {
    uint32_t partition;
    if (sim_hooks.model == NULL || !partition_of(engine, &partition)) return;
    sim_hooks.dice = sim_hooks.dice * UINT64_C(6364136223846793005) + 1442695040888963407;
    sim_model_check_step(sim_hooks.model, engine, partition, sim_hooks.position, applied,
                         sim_hooks.dice >> 33);
}

void __wrap_ampel_engine_position_set(struct ampel_engine *engine, uint64_t position) {
    sim_hooks.position = position;
    __real_ampel_engine_position_set(engine, position);
}

enum ampel_engine_status __wrap_ampel_engine_advance(struct ampel_engine *engine, int64_t to_ms,
                                                     uint32_t steps_max, bool *done) {
    enum ampel_engine_status status =
        __real_ampel_engine_advance(engine, to_ms, steps_max, done);
    /* Ticks are many, and most move nothing. */
    if (status == AMPEL_ENGINE_OK && *done && sim_hooks.dice++ % 4 == 0) stepped(engine, false);
    return status;
}

enum ampel_engine_status __wrap_ampel_engine_rules_set(struct ampel_engine *engine,
                                                       const struct ampel_rules *rules) {
    if (canary(SIM_CANARY_OLD_RULES)) return AMPEL_ENGINE_OK;
    enum ampel_engine_status status = __real_ampel_engine_rules_set(engine, rules);
    if (status == AMPEL_ENGINE_OK) stepped(engine, true);
    return status;
}

enum ampel_engine_status __wrap_ampel_engine_apply(struct ampel_engine *engine,
                                                   const struct ampel_frame *frame,
                                                   struct ampel_apply_counts *counts) {
    struct ampel_frame less = *frame;
    if (frame->events_count > 1 && strikes(SIM_CANARY_SKIPPED_EVENT, 20)) less.events_count--;
    enum ampel_engine_status status = __real_ampel_engine_apply(engine, &less, counts);
    sim_hooks.position = frame->position;
    if (status == AMPEL_ENGINE_OK) stepped(engine, true);
    return status;
}
