#include "engine/producers.h"

#include <string.h>

#include "engine/records.h"

static struct ampel_text tenant_of(const struct ampel_producer *producer) {
    return (struct ampel_text){producer->texts, producer->tenant_size};
}
static struct ampel_text name_of(const struct ampel_producer *producer) {
    return (struct ampel_text){producer->texts + producer->tenant_size, producer->producer_size};
}

static int producer_compare(const struct ampel_producer *producer, struct ampel_text tenant,
                            struct ampel_text name) {
    int order = ampel_text_compare(tenant_of(producer), tenant);
    return order != 0 ? order : ampel_text_compare(name_of(producer), name);
}

static uint32_t producer_place(const struct ampel_producers *producers, struct ampel_text tenant,
                               struct ampel_text name) {
    uint32_t low = 0, high = producers->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (producer_compare(producers->sorted[middle], tenant, name) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static struct ampel_producer *producer_insert(struct ampel_producers *producers,
                                              struct ampel_pool *pool, uint32_t place,
                                              struct ampel_text tenant, struct ampel_text name) {
    AMPEL_ASSERT(tenant.size <= AMPEL_ID_BYTES_MAX && name.size <= AMPEL_ID_BYTES_MAX);
    struct ampel_producer **sorted = ampel_pool_grow(pool, producers->sorted, &producers->capacity,
                                                     producers->count + 1, sizeof(*sorted));
    if (sorted == NULL) return NULL;
    producers->sorted = sorted;
    struct ampel_producer *producer = ampel_pool_take(pool, sizeof(*producer));
    if (producer == NULL) return NULL;
    memset(producer, 0, sizeof(*producer));
    producer->tenant_size = tenant.size;
    producer->producer_size = name.size;
    if (tenant.size > 0) memcpy(producer->texts, tenant.bytes, tenant.size);
    if (name.size > 0) memcpy(producer->texts + tenant.size, name.bytes, name.size);
    memmove(sorted + place + 1, sorted + place, (producers->count - place) * sizeof(*sorted));
    sorted[place] = producer;
    producers->count++;
    return producer;
}

/* Sequences that fall out below lose their bits, so that the ring is clean for those to come. */
static void window_slide(struct ampel_producer *producer, uint64_t base) {
    if (base - producer->base >= AMPEL_CREDIT) {
        memset(producer->bits, 0, sizeof(producer->bits));
    } else {
        for (uint64_t s = producer->base; s < base; s++) {
            producer->bits[s % AMPEL_CREDIT / 64] &= ~(UINT64_C(1) << (s % 64));
        }
    }
    producer->base = base;
}

bool ampel_producers_mark(struct ampel_producers *producers, struct ampel_pool *pool,
                          struct ampel_text tenant, struct ampel_text producer, uint64_t sequence,
                          int64_t now_ms, bool *duplicate) {
    uint32_t place = producer_place(producers, tenant, producer);
    struct ampel_producer *window = place < producers->count ? producers->sorted[place] : NULL;
    if (window == NULL || producer_compare(window, tenant, producer) != 0) {
        window = producer_insert(producers, pool, place, tenant, producer);
        if (window == NULL) return false;
    }
    window->seen_ms = now_ms;
    *duplicate = true;
    if (sequence < window->base) return true;
    if (sequence - window->base >= AMPEL_CREDIT) window_slide(window, sequence - AMPEL_CREDIT + 1);
    uint64_t *word = &window->bits[sequence % AMPEL_CREDIT / 64];
    uint64_t bit = UINT64_C(1) << (sequence % 64);
    *duplicate = (*word & bit) != 0;
    *word |= bit;
    return true;
}

void ampel_producers_forget(struct ampel_producers *producers, struct ampel_pool *pool,
                            int64_t now_ms) {
    uint32_t kept = 0;
    for (uint32_t i = 0; i < producers->count; i++) {
        struct ampel_producer *producer = producers->sorted[i];
        if (producer->seen_ms + AMPEL_PRODUCER_IDLE_MS < now_ms) {
            ampel_pool_give(pool, producer, sizeof(*producer));
        } else {
            producers->sorted[kept++] = producer;
        }
    }
    producers->count = kept;
}

void ampel_producer_get(const struct ampel_producer *producer, struct ampel_producer_window *out) {
    memset(out, 0, sizeof(*out));
    out->tenant = tenant_of(producer);
    out->producer = name_of(producer);
    out->seen_ms = producer->seen_ms;
    out->base = producer->base;
    for (uint64_t i = 0; i < AMPEL_CREDIT; i++) {
        uint64_t sequence = producer->base + i;
        uint64_t bit = producer->bits[sequence % AMPEL_CREDIT / 64] >> (sequence % 64) & 1;
        out->bits[i / 64] |= bit << (i % 64);
    }
}

bool ampel_producers_import(struct ampel_producers *producers, struct ampel_pool *pool,
                            const struct ampel_producer_window *window, bool *fits) {
    uint32_t place = producer_place(producers, window->tenant, window->producer);
    *fits = place == producers->count && window->base <= UINT64_MAX - AMPEL_CREDIT;
    if (!*fits) return true;
    struct ampel_producer *producer =
        producer_insert(producers, pool, place, window->tenant, window->producer);
    if (producer == NULL) return false;
    producer->seen_ms = window->seen_ms;
    producer->base = window->base;
    for (uint64_t i = 0; i < AMPEL_CREDIT; i++) {
        uint64_t sequence = window->base + i;
        uint64_t bit = window->bits[i / 64] >> (i % 64) & 1;
        producer->bits[sequence % AMPEL_CREDIT / 64] |= bit << (sequence % 64);
    }
    return true;
}
