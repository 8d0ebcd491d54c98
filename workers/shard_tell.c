#include "workers/shard_tell.h"

#include <stdlib.h>
#include <string.h>

#include "workers/folded.h"

struct identity {
    struct ampel_text tenant, seller, marketplace;
};

static struct identity identity_of(const struct ampel_engine *engine, uint32_t slot) {
    struct identity identity = {0};
    if (slot != AMPEL_SLOT_NONE)
        ampel_engine_account_identity(engine, slot, &identity.tenant, &identity.seller,
                                      &identity.marketplace);
    return identity;
}

static size_t identity_size(const struct identity *identity) {
    return (size_t)identity->tenant.size + identity->seller.size + identity->marketplace.size;
}

/* ---- changes for the publisher -------------------------------------------------------------- */

static struct ampel_text copy_text(char **texts, struct ampel_text from) {
    struct ampel_text copy = {*texts, from.size};
    if (from.size > 0) memcpy(*texts, from.bytes, from.size);
    *texts += from.size;
    return copy;
}

static void measure(const struct ampel_engine *engine, const struct ampel_change *changes,
                    uint32_t count, uint32_t *told_count, size_t *texts_size) {
    *told_count = 0;
    *texts_size = 0;
    uint32_t slot = AMPEL_SLOT_NONE;
    for (uint32_t i = 0; i < count; i++) {
        if (!ampel_change_is_told(changes[i].kind)) continue;
        (*told_count)++;
        if (changes[i].slot == slot) continue;
        slot = changes[i].slot;
        struct identity identity = identity_of(engine, slot);
        *texts_size += identity_size(&identity);
    }
}

static uint32_t signals_measure(const struct ampel_change *changes, uint32_t count) {
    uint32_t signals_count = 0;
    for (uint32_t i = 0; i < count; i++)
        signals_count += changes[i].signals_count;
    return signals_count;
}

static const struct ampel_signal *copy_signals(const struct ampel_engine *engine,
                                               const struct ampel_change *change,
                                               struct ampel_signal **to) {
    const struct ampel_signal *from = ampel_engine_change_signals(engine, change), *copy = *to;
    if (from == NULL) return NULL;
    memcpy(*to, from, change->signals_count * sizeof(from[0]));
    *to += change->signals_count;
    return copy;
}

static void fill(const struct ampel_engine *engine, const struct ampel_change *changes,
                 uint32_t count, struct ampel_parcel_out *out) {
    char *texts = out->texts;
    struct ampel_signal *signals = out->signals;
    struct identity account = {0};
    uint32_t slot = AMPEL_SLOT_NONE;
    for (uint32_t i = 0; i < count; i++) {
        if (!ampel_change_is_told(changes[i].kind)) continue;
        AMPEL_ASSERT(changes[i].slot != AMPEL_SLOT_NONE);
        /* Changes of one account stand together and share its texts. */
        if (changes[i].slot != slot) {
            slot = changes[i].slot;
            struct identity borrowed = identity_of(engine, slot);
            account.tenant = copy_text(&texts, borrowed.tenant);
            account.seller = copy_text(&texts, borrowed.seller);
            account.marketplace = copy_text(&texts, borrowed.marketplace);
        }
        out->told[out->told_count++] = (struct ampel_told){
            .change = changes[i],
            .tenant = account.tenant,
            .seller = account.seller,
            .marketplace = account.marketplace,
            .stream = ampel_change_stream(changes[i].kind),
            .signals = copy_signals(engine, &changes[i], &signals),
        };
    }
}

bool ampel_shard_tell(const struct ampel_engine *engine, uint32_t partition,
                      const struct ampel_change *changes, uint32_t count,
                      struct ampel_parcel_out **out, uint64_t *size_bytes) {
    uint32_t told_count;
    size_t texts_size;
    measure(engine, changes, count, &told_count, &texts_size);
    *size_bytes = 0;
    if (told_count == 0) return true;
    struct ampel_parcel_out *made = calloc(1, sizeof(*made));
    if (made == NULL) return false;
    made->parcel.kind = AMPEL_PARCEL_OUT;
    made->partition = partition;
    ampel_rules_face_set(&made->rules, ampel_engine_rules(engine));
    made->told = calloc(told_count, sizeof(made->told[0]));
    made->texts = malloc(texts_size == 0 ? 1 : texts_size);
    uint32_t signals_count = signals_measure(changes, count);
    if (signals_count > 0) made->signals = calloc(signals_count, sizeof(made->signals[0]));
    if (made->told == NULL || made->texts == NULL ||
        (signals_count > 0 && made->signals == NULL)) {
        ampel_parcel_out_free(made);
        return false;
    }
    fill(engine, changes, count, made);
    AMPEL_ASSERT(made->told_count == told_count);
    *out = made;
    for (uint32_t i = 0; i < told_count; i++)
        *size_bytes += ampel_folded_size(&made->told[i]); /* as it waits */
    return true;
}

/* ---- rows of the next checkpoint ------------------------------------------------------------ */

static bool gather_refused_change(const struct ampel_engine *engine,
                                  const struct ampel_frame *frame,
                                  const struct ampel_change *change,
                                  struct ampel_gathered *gathered) {
    struct identity account = identity_of(engine, change->slot);
    if (account.tenant.size == 0 && frame != NULL) account.tenant = frame->tenant;
    const struct ampel_cause *cause = &change->cause;
    struct ampel_refusal_row row = {
        .tenant = account.tenant,
        .seller = account.seller,
        .marketplace = account.marketplace,
        .producer = {cause->producer, cause->producer_size},
        .id = {cause->id, cause->id_size},
        .sequence = cause->sequence,
        .position = change->position,
        .event_index = AMPEL_EVENT_INDEX_NONE,
        .verdict = change->verdict,
        .type = cause->event_type,
        .at_ms = cause->at_ms,
        .stamp_ms = change->at_ms,
    };
    gathered->refusals_total++;
    return ampel_gathered_refusal(gathered, &row);
}

bool ampel_shard_gather(const struct ampel_engine *engine, const struct ampel_frame *frame,
                        const struct ampel_change *changes, uint32_t count,
                        struct ampel_gathered *gathered) {
    for (uint32_t i = 0; i < count; i++) {
        const struct ampel_change *change = &changes[i];
        if (change->kind == AMPEL_CHANGE_REFUSED) {
            if (!gather_refused_change(engine, frame, change, gathered)) return false;
        } else if (change->kind == AMPEL_CHANGE_FORGOTTEN) {
            struct identity account = identity_of(engine, change->slot);
            struct ampel_violation_gone gone = {
                .tenant = account.tenant,
                .seller = account.seller,
                .marketplace = account.marketplace,
                .id = {change->cause.id, change->cause.id_size},
            };
            if (!ampel_gathered_gone(gathered, &gone)) return false;
        }
    }
    return true;
}

bool ampel_shard_gather_refused(const struct ampel_record_reader *reader,
                                const struct ampel_frame *frame, struct ampel_gathered *gathered) {
    gathered->refusals_total += ampel_record_refused_total(reader);
    uint32_t count = ampel_record_refused_count(reader);
    for (uint32_t i = 0; i < count; i++) {
        struct ampel_record_refused refused;
        ampel_record_refused_get(reader, i, &refused);
        struct ampel_refusal_row row = {
            .tenant = frame->tenant,
            .seller = refused.seller,
            .marketplace = refused.marketplace,
            .producer = frame->producer,
            .field = refused.field,
            .id = refused.id,
            .sequence = frame->sequence,
            .position = frame->position,
            .event_index = refused.event_index,
            .verdict = refused.verdict,
            .type = refused.type,
            .at_ms = refused.at_ms,
            .stamp_ms = frame->stamp_ms,
        };
        if (!ampel_gathered_refusal(gathered, &row)) return false;
    }
    return true;
}

/* ---- producer windows ----------------------------------------------------------------------- */

struct ampel_parcel_windows *ampel_shard_windows_make(void) {
    struct ampel_parcel_windows *windows = calloc(1, sizeof(*windows));
    if (windows != NULL) windows->parcel.kind = AMPEL_PARCEL_WINDOWS;
    return windows;
}

static void copy_id(struct ampel_text from, char to[AMPEL_ID_BYTES_MAX + 1]) {
    AMPEL_ASSERT(from.size <= AMPEL_ID_BYTES_MAX);
    memcpy(to, from.bytes, from.size);
    to[from.size] = 0;
}

bool ampel_shard_windows_add(struct ampel_parcel_windows *windows,
                             const struct ampel_engine *engine) {
    uint32_t cursor = 0, more = 0;
    struct ampel_producer_window window;
    while (ampel_engine_producer_next(engine, &cursor, &window))
        more++;
    if (more == 0) return true;
    struct ampel_known_window *grown =
        realloc(windows->windows, (windows->windows_count + more) * sizeof(grown[0]));
    if (grown == NULL) return false;
    windows->windows = grown;
    cursor = 0;
    while (ampel_engine_producer_next(engine, &cursor, &window)) {
        struct ampel_known_window *known = &grown[windows->windows_count++];
        *known = (struct ampel_known_window){.seen_ms = window.seen_ms, .base = window.base};
        copy_id(window.tenant, known->tenant);
        copy_id(window.producer, known->producer);
        memcpy(known->bits, window.bits, sizeof(known->bits));
    }
    return true;
}
