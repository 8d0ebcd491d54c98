/* Parcels: the whole things that threads hand to each other. One pointer, one owner. A parcel and what its pointers name
   are from malloc, each pointer a block of its own (told texts point into `texts`), so that *_free can free them.

       gateway ──RECORD──▶ journal ──RECORD──▶ shards ──OUT, CHECKPOINT──▶ publisher ──CHECKPOINT──▶ scribe
          ▲                   │                   ▲                            ▲  │ ASK                │
          └──────DURABLE──────┘                   └───────────LOADED───────────│──┴────────────────────┤
          ▲                                                                    └────ANSWER, TENANTS────┤
          └───────────────────────────────TENANTS, WINDOWS(from shards)────────────────────────────────┘
   After a commit the scribe hands COMMITTED to the shard (its partition may be checkpointed again), to the journal
   (segments may be recycled) and to the publisher (what it kept in memory is in the outbox now). */
#ifndef AMPEL_WORKERS_PARCEL_H
#define AMPEL_WORKERS_PARCEL_H

#include <stdatomic.h>

#include "engine/engine.h"
#include "proto/hash.h"
#include "proto/message.h"
#include "workers/network.h"

enum ampel_parcel_kind {
    AMPEL_PARCEL_RECORD,     /* struct ampel_parcel_record */
    AMPEL_PARCEL_LOADED,     /* struct ampel_parcel_loaded: scribe -> shard and journal */
    AMPEL_PARCEL_REPLAYED,   /* struct ampel_parcel: journal -> shards: what follows is live */
    AMPEL_PARCEL_WINDOWS,    /* struct ampel_parcel_windows: shard -> gateway, once after REPLAYED */
    AMPEL_PARCEL_OUT,        /* struct ampel_parcel_out: shard -> publisher */
    AMPEL_PARCEL_CHECKPOINT, /* struct ampel_checkpoint: shard -> publisher -> scribe */
    AMPEL_PARCEL_COMMITTED,  /* struct ampel_parcel_committed */
    AMPEL_PARCEL_TENANTS,    /* struct ampel_parcel_tenants: scribe -> gateway, publisher */
    AMPEL_PARCEL_ASK,        /* struct ampel_parcel_ask: publisher -> scribe */
    AMPEL_PARCEL_ANSWER,     /* struct ampel_parcel_answer: scribe -> publisher */
    AMPEL_PARCEL_RULES,      /* struct ampel_parcel_rules: scribe -> keeper */
    AMPEL_PARCEL_STOP,       /* struct ampel_parcel: finish what you have, hand STOP on, end */
};

struct ampel_parcel {
    enum ampel_parcel_kind kind;
};

/* One record on its way. Made by the gateway (or the journal: ticks, replay), sealed and made durable by the journal, read by
   every shard that owns one of its partitions, and by the gateway when it is durable. The last holder frees it. */
struct ampel_parcel_record {
    struct ampel_parcel parcel;
    atomic_uint holders;
    uint32_t size;
    uint8_t *bytes;          /* behind this struct, 8-aligned */
    bool failed;             /* back to the gateway: not durable, never will be */
    bool replay;
    /* For the gateway's ack. */
    struct ampel_peer peer;
    uint32_t producer_index; /* the gateway's own */
    uint64_t sequence;
    void *ack;               /* the gateway's own: the encoded ack waits here; malloc, freed with the record */
    uint32_t ack_size;
    int64_t received_monotonic_ns;
};
struct ampel_parcel_record *ampel_parcel_record_make(uint32_t size); /* NULL: no memory; one holder */
void ampel_parcel_record_hold(struct ampel_parcel_record *record, uint32_t more);
void ampel_parcel_record_release(struct ampel_parcel_record *record);

/* One partition as the database has it. To its shard with pages; to the journal without (positions only). */
struct ampel_parcel_loaded {
    struct ampel_parcel parcel;
    uint32_t partition;
    uint64_t epoch;          /* of the claim: fences older owners */
    uint64_t position;       /* records at or after it are not applied yet */
    uint32_t meta_size;
    uint8_t *meta;           /* encoded by proto/page.h; NULL: a fresh partition */
    uint32_t pages_count;
    struct ampel_loaded_page { uint32_t page, size; uint8_t *bytes; } *pages; /* ascending, encoded */
    /* The rules that the partition stands under: a number of the database's rules with its text, or 0, those that the
       worker was started with. To the journal the number alone. */
    uint64_t rules_number;
    uint32_t rules_size;
    char *rules_text;        /* NULL where rules_number is 0 */
};
void ampel_parcel_loaded_free(struct ampel_parcel_loaded *loaded);

/* What a shard's partitions know of producers, merged by the gateway over all shards. */
struct ampel_parcel_windows {
    struct ampel_parcel parcel;
    uint32_t windows_count;
    struct ampel_known_window {
        char tenant[AMPEL_ID_BYTES_MAX + 1], producer[AMPEL_ID_BYTES_MAX + 1];
        int64_t seen_ms;
        uint64_t base;
        uint64_t bits[AMPEL_CREDIT / 64];
    } *windows;
};

/* One change with everything that its message, its row and its id need. Texts live in the arena of what holds it. */
struct ampel_told {
    struct ampel_change change;
    struct ampel_text tenant, seller, marketplace;
    char id[AMPEL_CHANGE_ID_SIZE]; /* made where it comes out of its fold (folded.h), empty before */
    enum ampel_stream stream;
    uint64_t number;         /* given by the publisher, 0 before */
    const struct ampel_signal *signals; /* change.signals_count of them */
};

/* What messages and rows name of the rules that a change was made under. */
struct ampel_rules_face {
    char version[AMPEL_ID_BYTES_MAX + 1];
    uint32_t caps_count;
    char caps_names[AMPEL_CAP_GROUPS_MAX][AMPEL_ID_BYTES_MAX + 1];
};
void ampel_rules_face_set(struct ampel_rules_face *face, const struct ampel_rules *rules);
/* The message of a change: as watchers are sent it and as it is stored. Its texts are those of the face and of what is told. */
void ampel_told_message(const struct ampel_told *told, const struct ampel_rules_face *rules, uint64_t stream_epoch,
                        struct ampel_message *out);

/* The changes of one step of one partition, at once to watchers. The publisher numbers them, sends them, and adds
   them to the next checkpoint of that partition. */
struct ampel_parcel_out {
    struct ampel_parcel parcel;
    uint32_t partition;
    uint64_t position;       /* of the record that told it: the first checkpoint past it carries it */
    uint32_t told_count;
    struct ampel_told *told;
    struct ampel_rules_face rules;
    char *texts;             /* arena */
    struct ampel_signal *signals; /* of all told; NULL where none has any */
};
void ampel_parcel_out_free(struct ampel_parcel_out *out);

struct ampel_parcel_committed {
    struct ampel_parcel parcel;
    uint32_t partition;
    uint64_t epoch, position;
    int64_t spent_ns;        /* so long the scribe worked on it, the database included */
    bool fenced;             /* somebody else owns the partition: stop */
};

struct ampel_parcel_tenants {
    struct ampel_parcel parcel;
    uint32_t keys_count;
    struct ampel_tenant_key {
        char tenant[AMPEL_ID_BYTES_MAX + 1];
        char public_key[41]; /* z85 */
        bool suspended;
    } *keys;
    uint64_t epoch;          /* of the streams: one more at each start of a worker */
    uint32_t numbers_count;  /* only in the first one: where the streams stand */
    struct ampel_stream_number {
        char tenant[AMPEL_ID_BYTES_MAX + 1];
        enum ampel_stream stream;
        uint64_t next;
    } *numbers;
};
void ampel_parcel_tenants_free(struct ampel_parcel_tenants *tenants);

/* "Give me what the outbox has from this number on", at most limit rows. */
struct ampel_parcel_ask {
    struct ampel_parcel parcel;
    struct ampel_peer peer;
    char tenant[AMPEL_ID_BYTES_MAX + 1];
    enum ampel_stream stream;
    uint64_t from;
    uint32_t limit;
};
struct ampel_parcel_answer {
    struct ampel_parcel parcel;
    struct ampel_peer peer;
    char tenant[AMPEL_ID_BYTES_MAX + 1];
    enum ampel_stream stream;
    uint64_t from;
    bool failed;             /* the database is away: ask again later */
    uint32_t rows_count;     /* encoded `change` messages (proto/message.h), ascending numbers */
    struct ampel_answer_row { uint64_t number; uint32_t size; uint8_t *bytes; } *rows;
};
void ampel_parcel_answer_free(struct ampel_parcel_answer *answer);

/* The newest rules of the database, read and found right. */
struct ampel_parcel_rules {
    struct ampel_parcel parcel;
    uint64_t number;
    uint32_t size;
    char *text;
};
void ampel_parcel_rules_free(struct ampel_parcel_rules *rules);

/* Frees any parcel by its kind. */
void ampel_parcel_free(struct ampel_parcel *parcel);

#endif
