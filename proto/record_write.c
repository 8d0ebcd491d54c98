/* Records out: one batch split by partition, ticks, the seal (proto/record.h).

   The split is a counting sort of runs: events of one account that stand one behind the other, as
   feeders send them, are looked up once and copied as one piece of each column. Accounts are hashed
   once each; a run's partition and its account's index within that partition's frame follow from its
   account by two lookups. */
#include <stdlib.h>

#include "engine/load.h"
#include "engine/registry.h"
#include "proto/hash.h"
#include "proto/record.h"
#include "proto/record_layout.h"
#include "proto/text.h"

/* Accepted events of one account, one behind the other in the batch. */
struct run {
    uint32_t first, count;
};

/* What one frame of the batch will hold. */
struct part {
    uint32_t accounts_count, events_count, runs_count, columns;
    uint32_t accounts_first, runs_first; /* into the orders below */
    uint32_t extras_size, texts_size, refused_count, refused_size;
    bool used;
};

struct ampel_record_builder {
    uint32_t partitions;
    struct part *parts; /* one a partition; zero where the last batch had nothing */
    uint16_t *used;     /* the partitions of the batch, ascending: a small one meets few of them */
    uint32_t used_count;
    /* By account of the batch. */
    uint64_t *hashes;
    uint16_t *account_part;
    uint32_t *account_local; /* the index within its frame; NONE until an accepted event names it */
    uint32_t *accounts_order; /* accounts by partition */
    uint32_t accounts_capacity;
    struct run *runs;       /* in the order of the batch */
    struct run *runs_order; /* the same by partition */
    uint32_t runs_count, runs_capacity;
    uint8_t *bytes;
    uint32_t bytes_capacity;
};

#define NONE UINT32_MAX
/* So many partitions are sorted by insertion; of more a walk over all finds the order. */
#define USED_FEW 24
static_assert(AMPEL_PARTITIONS_MAX <= UINT16_MAX, "a partition is a u16 here");

struct ampel_record_builder *ampel_record_builder_open(uint32_t partitions) {
    AMPEL_ASSERT(partitions >= 1 && partitions <= AMPEL_PARTITIONS_MAX);
    struct ampel_record_builder *builder = calloc(1, sizeof *builder);
    if (builder == NULL) return NULL;
    builder->partitions = partitions;
    builder->parts = calloc(partitions, sizeof *builder->parts);
    builder->used = calloc(partitions, sizeof *builder->used);
    if (builder->parts != NULL && builder->used != NULL) return builder;
    ampel_record_builder_close(builder);
    return NULL;
}

void ampel_record_builder_close(struct ampel_record_builder *builder) {
    if (builder == NULL) return;
    free(builder->parts);
    free(builder->used);
    free(builder->hashes);
    free(builder->account_part);
    free(builder->account_local);
    free(builder->accounts_order);
    free(builder->runs);
    free(builder->runs_order);
    free(builder->bytes);
    free(builder);
}

/* ---- memory --------------------------------------------------------------------------------- */

static bool regrow(void *place, size_t size) {
    void **block = place;
    void *grown = realloc(*block, size);
    if (grown == NULL) return false;
    *block = grown;
    return true;
}

static bool reserve(struct ampel_record_builder *builder, const struct ampel_frame *frame) {
    uint32_t accounts = frame->accounts_count, events = frame->events_count;
    if (accounts > builder->accounts_capacity) {
        if (!regrow(&builder->hashes, accounts * sizeof *builder->hashes) ||
            !regrow(&builder->account_part, accounts * sizeof *builder->account_part) ||
            !regrow(&builder->account_local, accounts * sizeof *builder->account_local) ||
            !regrow(&builder->accounts_order, accounts * sizeof *builder->accounts_order))
            return false;
        builder->accounts_capacity = accounts;
    }
    if (events > builder->runs_capacity) {
        if (!regrow(&builder->runs, events * sizeof *builder->runs) ||
            !regrow(&builder->runs_order, events * sizeof *builder->runs_order))
            return false;
        builder->runs_capacity = events;
    }
    return true;
}

static bool reserve_bytes(struct ampel_record_builder *builder, uint64_t size) {
    if (size > AMPEL_RECORD_BYTES_MAX) return false;
    if (size <= builder->bytes_capacity) return true;
    if (!regrow(&builder->bytes, size)) return false;
    builder->bytes_capacity = (uint32_t)size;
    return true;
}

/* ---- the split ------------------------------------------------------------------------------ */

static uint32_t account_of(const struct ampel_frame *frame, uint32_t event) {
    return ampel_load_u32(frame->account + 4 * (size_t)event);
}

static void collect_runs(struct ampel_record_builder *builder, const struct ampel_frame *frame, uint32_t begin,
                         uint32_t end) {
    for (uint32_t next; begin < end; begin = next) {
        const uint32_t account = account_of(frame, begin);
        for (next = begin + 1; next < end && account_of(frame, next) == account;)
            next++;
        builder->runs[builder->runs_count++] = (struct run){begin, next - begin};
    }
}

/* The accepted events are those between the refused ones. */
static void collect_accepted(struct ampel_record_builder *builder, const struct ampel_batch *batch) {
    uint32_t next = 0;
    builder->runs_count = 0;
    for (uint32_t r = 0; r < batch->refused_count; r++) {
        collect_runs(builder, &batch->frame, next, batch->refused[r].event_index);
        next = batch->refused[r].event_index + 1;
    }
    collect_runs(builder, &batch->frame, next, batch->frame.events_count);
}

static void part_use(struct ampel_record_builder *builder, uint32_t partition) {
    if (builder->parts[partition].used) return;
    builder->parts[partition].used = true;
    builder->used[builder->used_count++] = (uint16_t)partition;
}

/* Accounts that an accepted event names, hashed and counted; the others are not written. */
static void place_accounts(struct ampel_record_builder *builder, const struct ampel_frame *frame,
                           struct ampel_text tenant) {
    for (uint32_t a = 0; a < frame->accounts_count; a++)
        builder->account_local[a] = NONE;
    for (uint32_t i = 0; i < builder->runs_count; i++)
        builder->account_local[account_of(frame, builder->runs[i].first)] = 0;
    for (uint32_t a = 0; a < frame->accounts_count; a++) {
        if (builder->account_local[a] == NONE) continue;
        const struct ampel_frame_account *account = &frame->accounts[a];
        uint64_t hash = ampel_hash_account(tenant, account->seller, account->marketplace);
        uint32_t partition = ampel_hash_partition(hash, builder->partitions);
        struct part *part = &builder->parts[partition];
        part_use(builder, partition);
        builder->hashes[a] = hash;
        builder->account_part[a] = (uint16_t)partition;
        builder->account_local[a] = part->accounts_count++;
        part->texts_size += account->seller.size + account->marketplace.size;
    }
}

/* Frames stand in the order of partitions. */
static void used_sort(struct ampel_record_builder *builder) {
    uint16_t *used = builder->used;
    if (builder->used_count > USED_FEW) {
        builder->used_count = 0;
        for (uint32_t p = 0; p < builder->partitions; p++)
            if (builder->parts[p].used) used[builder->used_count++] = (uint16_t)p;
        return;
    }
    for (uint32_t i = 1; i < builder->used_count; i++) {
        uint16_t moved = used[i];
        uint32_t place = i;
        for (; place > 0 && used[place - 1] > moved; place--)
            used[place] = used[place - 1];
        used[place] = moved;
    }
}

static void used_reset(struct ampel_record_builder *builder) {
    for (uint32_t i = 0; i < builder->used_count; i++)
        builder->parts[builder->used[i]] = (struct part){0};
    builder->used_count = 0;
}

static struct part *part_of(const struct ampel_record_builder *builder, const struct ampel_frame *frame,
                            const struct run *run) {
    return &builder->parts[builder->account_part[account_of(frame, run->first)]];
}

static void count_events(struct ampel_record_builder *builder, const struct ampel_frame *frame) {
    for (uint32_t i = 0; i < builder->runs_count; i++) {
        struct part *part = part_of(builder, frame, &builder->runs[i]);
        part->events_count += builder->runs[i].count;
        part->runs_count++;
    }
}

/* Where each partition's accounts and runs begin, then both in that order; batch order within it. */
static void sort_by_partition(struct ampel_record_builder *builder, const struct ampel_frame *frame) {
    uint32_t accounts = 0, runs = 0;
    for (uint32_t u = 0; u < builder->used_count; u++) {
        struct part *part = &builder->parts[builder->used[u]];
        part->accounts_first = accounts;
        part->runs_first = runs;
        accounts += part->accounts_count;
        runs += part->runs_count;
    }
    for (uint32_t a = 0; a < frame->accounts_count; a++) {
        if (builder->account_local[a] == NONE) continue;
        const struct part *part = &builder->parts[builder->account_part[a]];
        builder->accounts_order[part->accounts_first + builder->account_local[a]] = a;
    }
    for (uint32_t i = 0; i < builder->runs_count; i++)
        builder->runs_order[part_of(builder, frame, &builder->runs[i])->runs_first++] = builder->runs[i];
    for (uint32_t u = 0; u < builder->used_count; u++) {
        struct part *part = &builder->parts[builder->used[u]];
        part->runs_first -= part->runs_count;
    }
}

/* ---- which columns a frame needs ------------------------------------------------------------ */

/* Not zero where any of these bytes differs from the value that repeats through the pattern. */
static inline uint64_t differences(const uint8_t *bytes, size_t size, uint64_t pattern) {
    uint64_t differs = 0;
    for (; size >= 8; size -= 8, bytes += 8)
        differs |= ampel_load_u64(bytes) ^ pattern;
    if ((size & 4) != 0) {
        differs |= ampel_load_u32(bytes) ^ (uint32_t)pattern;
        bytes += 4;
    }
    if ((size & 2) != 0) {
        differs |= (uint64_t)(ampel_load_u16(bytes) ^ (uint16_t)pattern);
        bytes += 2;
    }
    if ((size & 1) != 0) differs |= (uint64_t)(*bytes ^ (uint8_t)pattern);
    return differs;
}

/* Inline here and below: of a run of one event little is left where its column's width is known. */
static inline bool any_other(const uint8_t *column, size_t width, const struct run *runs, uint32_t count, uint64_t pattern) {
    uint64_t differs = 0;
    for (uint32_t i = 0; i < count; i++) {
        const uint8_t *from = column + width * runs[i].first;
        differs |= runs[i].count == 1 ? differences(from, width, pattern) : differences(from, width * runs[i].count, pattern);
    }
    return differs != 0;
}

static uint64_t byte_pattern(uint8_t byte) {
    return byte * UINT64_C(0x0101010101010101);
}

static bool any_rev(const struct ampel_frame *frame, const struct run *runs, uint32_t count) {
    uint32_t differs = 0;
    for (uint32_t i = 0; i < count; i++)
        for (size_t event = runs[i].first, end = event + runs[i].count; event < end; event++) {
            uint32_t fallback = frame->type[event] == AMPEL_EVENT_ORDERS_DAY;
            differs |= ampel_load_u16(frame->rev + 2 * event) ^ fallback;
        }
    return differs != 0;
}

static uint32_t extras_begin(const struct ampel_frame *frame, uint32_t event) {
    return ampel_load_u32(frame->extras_offset + 4 * (size_t)event);
}

static uint32_t extras_total(const struct ampel_frame *frame, const struct run *runs, uint32_t count) {
    uint32_t size = 0;
    for (uint32_t i = 0; i < count; i++)
        size += extras_begin(frame, runs[i].first + runs[i].count) - extras_begin(frame, runs[i].first);
    return size;
}

static void choose_columns(const struct ampel_frame *frame, const struct run *runs, struct part *part) {
    uint32_t columns = 0, n = part->runs_count;
    if (frame->count != NULL && any_other(frame->count, 4, runs, n, UINT64_C(0x0000000100000001))) columns |= COLUMN_COUNT;
    if (frame->points != NULL && any_other(frame->points, 2, runs, n, UINT64_MAX)) columns |= COLUMN_POINTS;
    if (frame->rev != NULL && any_rev(frame, runs, n)) columns |= COLUMN_REV;
    if (frame->policy != NULL && any_other(frame->policy, 1, runs, n, 0)) columns |= COLUMN_POLICY;
    if (frame->severity != NULL && any_other(frame->severity, 1, runs, n, byte_pattern((uint8_t)AMPEL_SEVERITY_NOT_GIVEN)))
        columns |= COLUMN_SEVERITY;
    if (frame->code != NULL && any_other(frame->code, 1, runs, n, byte_pattern(AMPEL_CODE_NONE))) columns |= COLUMN_CODE;
    if (frame->extras_offset != NULL) part->extras_size = extras_total(frame, runs, n);
    if (part->extras_size > 0) columns |= COLUMN_EXTRAS;
    part->columns = columns;
}

/* ---- refused events ------------------------------------------------------------------------- */

struct refused {
    struct ampel_event event;
    struct ampel_text field, seller, marketplace, id;
};

/* What may be told of a refused event: texts only where they are such as can be shown and stored.
 */
static void describe_refused(const struct ampel_batch *batch, uint32_t index, struct refused *out) {
    const struct ampel_batch_refused *refused = &batch->refused[index];
    const struct ampel_frame *frame = &batch->frame;
    const struct ampel_text none = {NULL, 0};
    uint32_t account;
    ampel_frame_event(frame, refused->event_index, &account, &out->event);
    out->field = ampel_text_of(refused->field);
    if (!ampel_id_valid(out->field, false)) out->field = none;
    out->seller = account < frame->accounts_count ? frame->accounts[account].seller : none;
    out->marketplace =
        account < frame->accounts_count ? frame->accounts[account].marketplace : none;
    if (!ampel_id_valid(out->seller, true)) out->seller = none;
    if (!ampel_id_valid(out->marketplace, true)) out->marketplace = none;
    out->id = ampel_extra_text(&out->event, AMPEL_EXTRA_ID);
    if (!ampel_id_valid(out->id, false)) out->id = none;
}

static uint32_t refused_size(const struct refused *refused) {
    return REFUSED_HEAD_BYTES + refused->field.size + refused->seller.size +
           refused->marketplace.size + refused->id.size;
}

static uint8_t *put_text(uint8_t *to, struct ampel_text text) {
    if (text.size > 0) memcpy(to, text.bytes, text.size);
    return to + text.size;
}

static uint8_t *put_refused(uint8_t *to, const struct ampel_batch *batch, uint32_t index) {
    struct refused refused;
    describe_refused(batch, index, &refused);
    memset(to, 0, REFUSED_HEAD_BYTES);
    ampel_store_u32(to, batch->refused[index].event_index);
    to[4] = batch->refused[index].verdict;
    to[5] = refused.event.type;
    to[6] = (uint8_t)refused.field.size;
    to[7] = (uint8_t)refused.seller.size;
    to[8] = (uint8_t)refused.marketplace.size;
    to[9] = (uint8_t)refused.id.size;
    ampel_store_i64(to + 16, refused.event.at_ms);
    to = put_text(to + REFUSED_HEAD_BYTES, refused.field);
    to = put_text(to, refused.seller);
    to = put_text(to, refused.marketplace);
    return put_text(to, refused.id);
}

/* Refused events belong to no partition: they travel in the one that remembers the producer. */
static void plan_home(struct ampel_record_builder *builder, const struct ampel_batch *batch,
                      struct ampel_text tenant) {
    if (builder->runs_count > 0 && batch->refused_count == 0) return;
    uint32_t home = ampel_hash_partition(ampel_hash_producer(tenant, batch->header.producer),
                                         builder->partitions);
    part_use(builder, home);
    struct part *part = &builder->parts[home];
    part->refused_count = batch->refused_count < REFUSED_REMEMBERED_MAX ? batch->refused_count
                                                                        : REFUSED_REMEMBERED_MAX;
    for (uint32_t i = 0; i < part->refused_count; i++) {
        struct refused refused;
        describe_refused(batch, i, &refused);
        part->refused_size += refused_size(&refused);
    }
}

/* ---- writing frames ------------------------------------------------------------------------- */

/* Short pieces of many sizes: a call of memcpy would take longer. */
static inline uint8_t *put_piece(uint8_t *to, const uint8_t *from, size_t size) {
    for (; size >= 16; size -= 16, to += 16, from += 16)
        memcpy(to, from, 16);
    if ((size & 8) != 0) {
        memcpy(to, from, 8);
        to += 8, from += 8;
    }
    if ((size & 4) != 0) {
        memcpy(to, from, 4);
        to += 4, from += 4;
    }
    if ((size & 2) != 0) {
        memcpy(to, from, 2);
        to += 2, from += 2;
    }
    if ((size & 1) != 0) *to++ = *from;
    return to;
}

static inline void gather(uint8_t *to, const uint8_t *column, size_t width, const struct run *runs, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
        const uint8_t *from = column + width * runs[i].first;
        to = runs[i].count == 1 ? put_piece(to, from, width) : put_piece(to, from, width * runs[i].count);
    }
}

/* Each event's account, as the frame counts them. */
static void write_locals(const struct ampel_record_builder *builder, const struct ampel_frame *frame,
                         const struct run *runs, uint32_t count, uint8_t *to) {
    for (uint32_t i = 0; i < count; i++) {
        const uint32_t local = builder->account_local[account_of(frame, runs[i].first)];
        for (uint32_t k = 0; k < runs[i].count; k++, to += 4)
            ampel_store_u32(to, local);
    }
}

static void write_accounts(const struct ampel_record_builder *builder,
                           const struct ampel_frame *frame, const struct part *part,
                           const struct frame_layout *layout, uint8_t *to) {
    uint8_t *texts = to + layout->texts;
    for (size_t i = 0; i < part->accounts_count; i++) {
        uint32_t a = builder->accounts_order[part->accounts_first + i];
        const struct ampel_frame_account *account = &frame->accounts[a];
        ampel_store_u64(to + layout->hash + 8 * i, builder->hashes[a]);
        to[layout->account_sizes + 2 * i] = (uint8_t)account->seller.size;
        to[layout->account_sizes + 2 * i + 1] = (uint8_t)account->marketplace.size;
        texts = put_text(texts, account->seller);
        texts = put_text(texts, account->marketplace);
    }
}

static void write_extras(const struct ampel_frame *frame, const struct run *runs, uint32_t count,
                         const struct frame_layout *layout, uint8_t *to) {
    uint8_t *offsets = to + layout->extras_offset;
    uint32_t offset = 0;
    for (uint32_t i = 0; i < count; i++) {
        const uint32_t from = extras_begin(frame, runs[i].first), end = runs[i].first + runs[i].count;
        const uint32_t size = extras_begin(frame, end) - from;
        for (uint32_t event = runs[i].first; event < end; event++, offsets += 4)
            ampel_store_u32(offsets, offset + extras_begin(frame, event) - from);
        if (size > 0) memcpy(to + layout->extras + offset, frame->extras + from, size);
        offset += size;
    }
    ampel_store_u32(offsets, offset);
}

static void write_columns(const struct ampel_record_builder *builder,
                          const struct ampel_frame *frame, const struct part *part,
                          const struct frame_layout *layout, uint8_t *to) {
    uint32_t n = part->runs_count, columns = part->columns;
    /* A builder that has met no event yet has no runs either. */
    const struct run *runs = n > 0 ? builder->runs_order + part->runs_first : NULL;
    write_locals(builder, frame, runs, n, to + layout->account);
    gather(to + layout->at, frame->at, 8, runs, n);
    gather(to + layout->type, frame->type, 1, runs, n);
    if ((columns & COLUMN_COUNT) != 0) gather(to + layout->count, frame->count, 4, runs, n);
    if ((columns & COLUMN_POINTS) != 0) gather(to + layout->points, frame->points, 2, runs, n);
    if ((columns & COLUMN_REV) != 0) gather(to + layout->rev, frame->rev, 2, runs, n);
    if ((columns & COLUMN_POLICY) != 0) gather(to + layout->policy, frame->policy, 1, runs, n);
    if ((columns & COLUMN_SEVERITY) != 0) gather(to + layout->severity, frame->severity, 1, runs, n);
    if ((columns & COLUMN_CODE) != 0) gather(to + layout->code, frame->code, 1, runs, n);
    if ((columns & COLUMN_EXTRAS) != 0) write_extras(frame, runs, n, layout, to);
}

static void part_layout(const struct part *part, struct frame_layout *layout) {
    frame_layout_init(layout, part->accounts_count, part->events_count, part->columns,
                      part->texts_size, part->extras_size, part->refused_size);
}

static uint8_t *write_frame(const struct ampel_record_builder *builder,
                            const struct ampel_batch *batch, uint32_t partition, uint8_t *to) {
    const struct part *part = &builder->parts[partition];
    struct frame_layout layout;
    part_layout(part, &layout);
    memset(to + layout.end - 8, 0, 8); /* padding */
    ampel_store_u32(to, partition);
    ampel_store_u32(to + 4, (uint32_t)layout.end);
    ampel_store_u32(to + 8, part->accounts_count);
    ampel_store_u32(to + 12, part->events_count);
    ampel_store_u32(to + 16, part->extras_size);
    ampel_store_u32(to + 20, part->refused_count);
    ampel_store_u32(to + 24, part->refused_size);
    ampel_store_u32(to + 28, part->columns);
    write_columns(builder, &batch->frame, part, &layout, to);
    write_accounts(builder, &batch->frame, part, &layout, to);
    uint8_t *refused = to + layout.refused;
    for (uint32_t i = 0; i < part->refused_count; i++)
        refused = put_refused(refused, batch, i);
    return to + layout.end;
}

/* ---- records -------------------------------------------------------------------------------- */

static void write_header(uint8_t *to, enum ampel_record_kind kind, uint32_t size,
                         uint32_t frames_count, int64_t stamp_ms) {
    memset(to, 0, AMPEL_RECORD_HEADER_BYTES);
    ampel_store_u32(to, RECORD_MAGIC);
    ampel_store_u16(to + 4, kind == AMPEL_RECORD_RULES ? AMPEL_RECORD_VERSION : 1);
    ampel_store_u16(to + 6, (uint16_t)kind);
    ampel_store_u32(to + 8, size);
    ampel_store_u32(to + 12, frames_count);
    ampel_store_i64(to + 24, stamp_ms);
}

static uint8_t *write_batch_head(uint8_t *to, const struct ampel_batch *batch,
                                 struct ampel_text tenant) {
    const struct ampel_batch_header *header = &batch->header;
    uint64_t size = record_padded(BATCH_HEAD_BYTES + tenant.size + header->producer.size);
    memset(to, 0, size);
    ampel_store_u64(to, header->sequence);
    ampel_store_i64(to + 8, header->sent_at_ms);
    ampel_store_u32(to + 16, batch->refused_count);
    to[20] = header->backfill;
    to[21] = (uint8_t)tenant.size;
    to[22] = (uint8_t)header->producer.size;
    put_text(put_text(to + BATCH_HEAD_BYTES, tenant), header->producer);
    return to + size;
}

/* The size of the record. */
static uint64_t measure(const struct ampel_record_builder *builder, const struct ampel_batch *batch,
                        struct ampel_text tenant) {
    uint64_t size = AMPEL_RECORD_HEADER_BYTES +
                    record_padded(BATCH_HEAD_BYTES + tenant.size + batch->header.producer.size);
    for (uint32_t u = 0; u < builder->used_count; u++) {
        struct frame_layout layout;
        part_layout(&builder->parts[builder->used[u]], &layout);
        size += layout.end;
    }
    return size;
}

bool ampel_record_plan_batch(struct ampel_record_builder *builder, const struct ampel_batch *batch,
                             struct ampel_text tenant, uint32_t *size) {
    const struct ampel_frame *frame = &batch->frame;
    if (!reserve(builder, frame)) return false;
    used_reset(builder);
    collect_accepted(builder, batch);
    place_accounts(builder, frame, tenant);
    plan_home(builder, batch, tenant);
    used_sort(builder);
    count_events(builder, frame);
    sort_by_partition(builder, frame);
    for (uint32_t u = 0; u < builder->used_count; u++) {
        struct part *part = &builder->parts[builder->used[u]];
        if (part->events_count > 0) choose_columns(frame, builder->runs_order + part->runs_first, part);
    }
    const uint64_t total = measure(builder, batch, tenant);
    if (total > AMPEL_RECORD_BYTES_MAX) return false;
    *size = (uint32_t)total;
    return true;
}

void ampel_record_write_batch(const struct ampel_record_builder *builder, const struct ampel_batch *batch,
                              struct ampel_text tenant, int64_t stamp_ms, uint8_t *bytes, uint32_t size) {
    write_header(bytes, AMPEL_RECORD_BATCH, size, builder->used_count, stamp_ms);
    uint8_t *to = write_batch_head(bytes + AMPEL_RECORD_HEADER_BYTES, batch, tenant);
    for (uint32_t u = 0; u < builder->used_count; u++)
        to = write_frame(builder, batch, builder->used[u], to);
    AMPEL_ASSERT(to == bytes + size);
}

bool ampel_record_encode_batch(struct ampel_record_builder *builder,
                               const struct ampel_batch *batch, struct ampel_text tenant,
                               int64_t stamp_ms, const uint8_t **bytes, uint32_t *size) {
    uint32_t total;
    if (!ampel_record_plan_batch(builder, batch, tenant, &total) || !reserve_bytes(builder, total)) return false;
    ampel_record_write_batch(builder, batch, tenant, stamp_ms, builder->bytes, total);
    *bytes = builder->bytes;
    *size = total;
    return true;
}

bool ampel_record_encode_tick(struct ampel_record_builder *builder, int64_t stamp_ms,
                              const uint32_t *partitions, uint32_t partitions_count,
                              const uint8_t **bytes, uint32_t *size) {
    uint64_t total = AMPEL_RECORD_HEADER_BYTES + record_padded(UINT64_C(4) * partitions_count);
    AMPEL_ASSERT(partitions_count <= builder->partitions);
    if (!reserve_bytes(builder, total)) return false;
    memset(builder->bytes, 0, total);
    write_header(builder->bytes, AMPEL_RECORD_TICK, (uint32_t)total, partitions_count, stamp_ms);
    for (size_t i = 0; i < partitions_count; i++) {
        AMPEL_ASSERT(partitions[i] < builder->partitions);
        ampel_store_u32(builder->bytes + AMPEL_RECORD_HEADER_BYTES + 4 * i, partitions[i]);
    }
    *bytes = builder->bytes;
    *size = (uint32_t)total;
    return true;
}

bool ampel_record_encode_rules(struct ampel_record_builder *builder, int64_t stamp_ms,
                               uint64_t number, struct ampel_text text, const uint8_t **bytes,
                               uint32_t *size) {
    AMPEL_ASSERT(number != 0 && text.size <= RULES_TEXT_BYTES_MAX);
    uint64_t partitions_at = AMPEL_RECORD_HEADER_BYTES + RULES_HEAD_BYTES + record_padded(text.size);
    uint64_t total = partitions_at + record_padded(UINT64_C(4) * builder->partitions);
    if (!reserve_bytes(builder, total)) return false;
    memset(builder->bytes, 0, total);
    write_header(builder->bytes, AMPEL_RECORD_RULES, (uint32_t)total, builder->partitions,
                 stamp_ms);
    uint8_t *head = builder->bytes + AMPEL_RECORD_HEADER_BYTES;
    ampel_store_u64(head, number);
    ampel_store_u32(head + 8, text.size);
    if (text.size > 0) memcpy(head + RULES_HEAD_BYTES, text.bytes, text.size);
    for (uint32_t i = 0; i < builder->partitions; i++)
        ampel_store_u32(builder->bytes + partitions_at + 4 * (uint64_t)i, i);
    *bytes = builder->bytes;
    *size = (uint32_t)total;
    return true;
}

void ampel_record_seal(uint8_t *bytes, uint64_t position, int64_t stamp_ms) {
    ampel_store_u64(bytes + 16, position);
    ampel_store_i64(bytes + 24, stamp_ms);
    uint64_t checksum = ampel_hash_around(bytes, ampel_load_u32(bytes + 8), RECORD_CHECKSUM_OFFSET);
    ampel_store_u64(bytes + RECORD_CHECKSUM_OFFSET, checksum);
}
