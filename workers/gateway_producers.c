#include "workers/gateway_producers.h"

#include <stdlib.h>
#include <string.h>

#include "proto/hash.h"

#define SLOTS_FIRST 16

struct ampel_gateway_producers {
    struct ampel_gateway_producer **slots; /* NULL: free */
    uint64_t *tenants; /* of each slot the hash of its tenant: a claim looks at all of them, and at few producers */
    uint32_t slots_count;                  /* used or free */
    uint32_t slots_capacity;
    uint32_t count;
    uint32_t *buckets;
    uint32_t buckets_count; /* a power of two, at least twice slots_capacity */
};

/* ---- waiting -------------------------------------------------------------------------------- */

struct ampel_gateway_waiting *ampel_gateway_waiting_make(const struct ampel_peer *peer,
                                                         const struct ampel_batch *batch) {
    const size_t refused_size = batch->refused_count * sizeof(struct ampel_batch_refused);
    struct ampel_gateway_waiting *waiting = malloc(sizeof(*waiting) + refused_size);
    if (waiting == NULL) return NULL;
    *waiting = (struct ampel_gateway_waiting){
        .peers = {*peer},
        .peers_count = 1,
        .accepted = batch->frame.events_count - batch->refused_count,
        .refused_count = batch->refused_count,
    };
    if (refused_size > 0) memcpy(waiting->refused, batch->refused, refused_size);
    return waiting;
}

static bool same_peer(const struct ampel_peer *left, const struct ampel_peer *right) {
    return left->size == right->size && memcmp(left->bytes, right->bytes, left->size) == 0;
}

void ampel_gateway_waiting_push(struct ampel_gateway_waiting *waiting,
                                const struct ampel_peer *peer) {
    for (uint32_t i = 0; i < waiting->peers_count; i++)
        if (same_peer(&waiting->peers[i], peer)) return;
    if (waiting->peers_count == AMPEL_WAITING_PEERS_MAX) {
        memmove(&waiting->peers[0], &waiting->peers[1],
                (AMPEL_WAITING_PEERS_MAX - 1) * sizeof(waiting->peers[0]));
        waiting->peers_count--;
    }
    waiting->peers[waiting->peers_count++] = *peer;
}

/* ---- the table ------------------------------------------------------------------------------ */

static bool same_text(const char *name, struct ampel_text text) {
    return strlen(name) == text.size && memcmp(name, text.bytes, text.size) == 0;
}

static uint64_t tenant_hash(struct ampel_text tenant) {
    return ampel_hash_bytes(tenant.bytes, tenant.size);
}

static uint32_t bucket_first(const struct ampel_gateway_producers *producers,
                             struct ampel_text tenant, struct ampel_text producer) {
    char key[2 * AMPEL_ID_BYTES_MAX + 1];
    AMPEL_ASSERT(tenant.size <= AMPEL_ID_BYTES_MAX && producer.size <= AMPEL_ID_BYTES_MAX);
    memcpy(key, tenant.bytes, tenant.size);
    key[tenant.size] = '\0'; /* no id has one, so that no two pairs share a key */
    memcpy(key + tenant.size + 1, producer.bytes, producer.size);
    const uint64_t hash = ampel_hash_bytes(key, (size_t)tenant.size + 1 + producer.size);
    return (uint32_t)(hash & (producers->buckets_count - 1));
}

static struct ampel_text text_of(const char *name) {
    return (struct ampel_text){name, (uint32_t)strlen(name)};
}

static void bucket_fill(struct ampel_gateway_producers *producers, uint32_t index) {
    const struct ampel_gateway_producer *producer = producers->slots[index];
    uint32_t bucket =
        bucket_first(producers, text_of(producer->tenant), text_of(producer->producer));
    while (producers->buckets[bucket] != 0)
        bucket = (bucket + 1) & (producers->buckets_count - 1);
    producers->buckets[bucket] = index + 1;
}

static void buckets_rebuild(struct ampel_gateway_producers *producers) {
    memset(producers->buckets, 0, producers->buckets_count * sizeof(*producers->buckets));
    for (uint32_t index = 0; index < producers->slots_count; index++)
        if (producers->slots[index] != NULL) bucket_fill(producers, index);
}

static bool table_grow(struct ampel_gateway_producers *producers) {
    const uint32_t capacity =
        producers->slots_capacity == 0 ? SLOTS_FIRST : producers->slots_capacity * 2;
    struct ampel_gateway_producer **slots =
        calloc(capacity, sizeof(struct ampel_gateway_producer *));
    uint64_t *tenants = calloc(capacity, sizeof(*tenants));
    uint32_t *buckets = calloc((size_t)capacity * 2, sizeof(*buckets));
    if (slots == NULL || tenants == NULL || buckets == NULL) {
        free(slots);
        free(tenants);
        free(buckets);
        return false;
    }
    if (producers->slots_count > 0) {
        memcpy(slots, producers->slots,
               producers->slots_count * sizeof(struct ampel_gateway_producer *));
        memcpy(tenants, producers->tenants, producers->slots_count * sizeof(*tenants));
    }
    free(producers->slots);
    free(producers->tenants);
    free(producers->buckets);
    producers->slots = slots;
    producers->tenants = tenants;
    producers->slots_capacity = capacity;
    producers->buckets = buckets;
    producers->buckets_count = capacity * 2;
    buckets_rebuild(producers);
    return true;
}

struct ampel_gateway_producers *ampel_gateway_producers_open(void) {
    struct ampel_gateway_producers *producers = calloc(1, sizeof(*producers));
    if (producers == NULL) return NULL;
    if (table_grow(producers)) return producers;
    free(producers);
    return NULL;
}

static void producer_free(struct ampel_gateway_producer *producer) {
    if (producer == NULL) return;
    for (uint32_t i = 0; i < AMPEL_CREDIT; i++)
        free(producer->waiting[i]);
    free(producer);
}

void ampel_gateway_producers_close(struct ampel_gateway_producers *producers) {
    if (producers == NULL) return;
    for (uint32_t index = 0; index < producers->slots_count; index++)
        producer_free(producers->slots[index]);
    free(producers->slots);
    free(producers->tenants);
    free(producers->buckets);
    free(producers);
}

uint32_t ampel_gateway_producers_count(const struct ampel_gateway_producers *producers) {
    return producers->count;
}

uint32_t ampel_gateway_producers_find(const struct ampel_gateway_producers *producers,
                                      struct ampel_text tenant, struct ampel_text producer) {
    uint32_t bucket = bucket_first(producers, tenant, producer);
    while (producers->buckets[bucket] != 0) {
        const uint32_t index = producers->buckets[bucket] - 1;
        const struct ampel_gateway_producer *at = producers->slots[index];
        if (same_text(at->producer, producer) && same_text(at->tenant, tenant)) return index;
        bucket = (bucket + 1) & (producers->buckets_count - 1);
    }
    return AMPEL_PRODUCER_NONE;
}

struct ampel_gateway_producer *ampel_gateway_producers_at(struct ampel_gateway_producers *producers,
                                                          uint32_t index) {
    AMPEL_ASSERT(index < producers->slots_count && producers->slots[index] != NULL);
    return producers->slots[index];
}

/* Forgetting it can cost nobody anything: nothing is under way, and either nothing was ever durable
   or the partitions have let go of it. */
static bool forgettable(const struct ampel_gateway_producer *producer, int64_t now_ms) {
    uint64_t done[AMPEL_CREDIT];
    if (!ampel_gateway_window_quiet(&producer->window)) return false;
    if (now_ms - producer->seen_ms > AMPEL_PRODUCER_IDLE_MS) return true;
    return producer->window.next == 0 && ampel_gateway_window_done(&producer->window, done) == 0;
}

/* Makes room for one of this tenant where it has as many as it may. */
static bool room_make(struct ampel_gateway_producers *producers, struct ampel_text tenant,
                      uint32_t per_tenant_max, int64_t now_ms) {
    const uint64_t hash = tenant_hash(tenant);
    uint32_t count = 0, victim = AMPEL_PRODUCER_NONE;
    for (uint32_t index = 0; index < producers->slots_count; index++) {
        if (producers->tenants[index] != hash) continue;
        const struct ampel_gateway_producer *producer = producers->slots[index];
        if (producer == NULL || !same_text(producer->tenant, tenant)) continue;
        count++;
        if (victim == AMPEL_PRODUCER_NONE && forgettable(producer, now_ms)) victim = index;
    }
    if (count < per_tenant_max) return true;
    if (victim == AMPEL_PRODUCER_NONE) return false;
    producer_free(producers->slots[victim]);
    producers->slots[victim] = NULL;
    producers->count--;
    buckets_rebuild(producers);
    return true;
}

static uint32_t slot_free(const struct ampel_gateway_producers *producers) {
    for (uint32_t index = 0; producers->count < producers->slots_count; index++)
        if (producers->slots[index] == NULL) return index;
    return producers->slots_count;
}

enum ampel_claim_status ampel_gateway_producers_claim(struct ampel_gateway_producers *producers,
                                                      struct ampel_text tenant,
                                                      struct ampel_text producer,
                                                      uint32_t per_tenant_max, int64_t now_ms,
                                                      uint32_t *index) {
    if (!room_make(producers, tenant, per_tenant_max, now_ms)) return AMPEL_CLAIM_FULL;
    const uint32_t slot = slot_free(producers);
    if (slot == producers->slots_capacity && !table_grow(producers)) return AMPEL_CLAIM_NO_MEMORY;
    struct ampel_gateway_producer *made = calloc(1, sizeof(*made));
    if (made == NULL) return AMPEL_CLAIM_NO_MEMORY;
    memcpy(made->tenant, tenant.bytes, tenant.size);
    memcpy(made->producer, producer.bytes, producer.size);
    made->seen_ms = now_ms;
    ampel_gateway_window_init(&made->window);
    producers->slots[slot] = made;
    producers->tenants[slot] = tenant_hash(tenant);
    if (slot == producers->slots_count) producers->slots_count++;
    producers->count++;
    bucket_fill(producers, slot);
    *index = slot;
    return AMPEL_CLAIM_OK;
}
