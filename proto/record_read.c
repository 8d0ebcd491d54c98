/* Records in: nothing in them is believed, though a checksum says that they are as they were
 * written. */
#include <stdlib.h>

#include "engine/load.h"
#include "proto/hash.h"
#include "proto/judge.h"
#include "proto/record.h"
#include "proto/record_layout.h"

enum ampel_record_status ampel_record_check(const uint8_t *bytes, size_t size,
                                            struct ampel_record_header *out) {
    struct ampel_record_header header;
    if (size < AMPEL_RECORD_HEADER_BYTES) return AMPEL_RECORD_SHORT;
    if (ampel_load_u32(bytes) != RECORD_MAGIC) return AMPEL_RECORD_DAMAGED;
    header.version = ampel_load_u16(bytes + 4);
    header.kind = ampel_load_u16(bytes + 6);
    header.size = ampel_load_u32(bytes + 8);
    header.frames_count = ampel_load_u32(bytes + 12);
    header.position = ampel_load_u64(bytes + 16);
    header.stamp_ms = ampel_load_i64(bytes + 24);
    if (header.size < AMPEL_RECORD_HEADER_BYTES || header.size > AMPEL_RECORD_BYTES_MAX ||
        header.size % 8 != 0)
        return AMPEL_RECORD_DAMAGED;
    if (header.size > size) return AMPEL_RECORD_SHORT;
    if (ampel_load_u64(bytes + RECORD_CHECKSUM_OFFSET) !=
        ampel_hash_around(bytes, header.size, RECORD_CHECKSUM_OFFSET))
        return AMPEL_RECORD_DAMAGED;
    /* A version is believed only once the checksum holds: all versions share the header. */
    bool early = header.kind == AMPEL_RECORD_BATCH || header.kind == AMPEL_RECORD_TICK;
    uint16_t version = early ? 1 : AMPEL_RECORD_VERSION;
    if (header.version > version) return AMPEL_RECORD_NEWER;
    if (header.version != version || header.frames_count > AMPEL_PARTITIONS_MAX ||
        header.kind < AMPEL_RECORD_BATCH || header.kind > AMPEL_RECORD_RULES)
        return AMPEL_RECORD_DAMAGED;
    *out = header;
    return AMPEL_RECORD_OK;
}

struct ampel_record_reader {
    struct ampel_frame_account *accounts;
    uint32_t accounts_capacity;
    /* Of the batch whose frames are being read. */
    struct ampel_frame batch; /* tenant, producer, sequence, sent_at, backfill */
    uint32_t refused_total;
    uint32_t frames_left;
    /* Of the frame just read. */
    struct ampel_record_refused refused[REFUSED_REMEMBERED_MAX];
    uint32_t refused_count;
};

struct ampel_record_reader *ampel_record_reader_open(void) {
    return calloc(1, sizeof(struct ampel_record_reader));
}

void ampel_record_reader_close(struct ampel_record_reader *reader) {
    if (reader == NULL) return;
    free(reader->accounts);
    free(reader);
}

/* Its texts become empty: all of it is six lines, and there is a frame for every few events. */
static void error_reset(struct ampel_error *error) {
    if (error == NULL) return;
    error->line = 0;
    error->field[0] = error->reason[0] = 0;
}

static bool fail(struct ampel_error *error, const char *field, const char *reason) {
    return ampel_error_set(error, field, "%s", reason);
}

/* ---- the batch ------------------------------------------------------------------------------ */

static bool read_batch_head(struct ampel_record_reader *reader, const uint8_t *bytes, uint32_t size,
                            uint32_t *cursor, struct ampel_error *error) {
    const uint8_t *head = bytes + *cursor;
    if (size - *cursor < BATCH_HEAD_BYTES) return fail(error, "batch", "the record is too short");
    uint32_t tenant_size = head[21], producer_size = head[22];
    uint64_t head_size = record_padded(BATCH_HEAD_BYTES + tenant_size + producer_size);
    if (size - *cursor < head_size) return fail(error, "batch", "the record is too short");
    const char *texts = (const char *)head + BATCH_HEAD_BYTES;
    struct ampel_text tenant = {texts, tenant_size};
    struct ampel_text producer = {texts + tenant_size, producer_size};
    if (!ampel_id_valid(tenant, true)) return fail(error, "tenant", "the tenant is no id");
    /* Files have no producer. */
    if (producer_size > 0 && !ampel_id_valid(producer, false))
        return fail(error, "producer", "the producer is no id");
    if (head[20] > 1) return fail(error, "backfill", "the value is not 0 or 1");
    reader->batch = (struct ampel_frame){
        .sent_at_ms = ampel_load_i64(head + 8),
        .backfill = head[20] == 1,
        .tenant = tenant,
        .producer = producer,
        .sequence = ampel_load_u64(head),
    };
    if (reader->batch.sent_at_ms < 0 || reader->batch.sent_at_ms > AMPEL_TIME_MAX_MS)
        return fail(error, "sent_at", "the time is out of range");
    reader->refused_total = ampel_load_u32(head + 16);
    *cursor += (uint32_t)head_size;
    return true;
}

/* ---- one frame ------------------------------------------------------------------------------ */

/* The numbers of a frame's head. */
struct head {
    uint32_t partition, size, accounts_count, events_count, extras_size;
    uint32_t refused_count, refused_size, columns;
};

static void load_head(const uint8_t *bytes, struct head *out) {
    out->partition = ampel_load_u32(bytes);
    out->size = ampel_load_u32(bytes + 4);
    out->accounts_count = ampel_load_u32(bytes + 8);
    out->events_count = ampel_load_u32(bytes + 12);
    out->extras_size = ampel_load_u32(bytes + 16);
    out->refused_count = ampel_load_u32(bytes + 20);
    out->refused_size = ampel_load_u32(bytes + 24);
    out->columns = ampel_load_u32(bytes + 28);
}

/* Lays the frame out without reading beyond left. Account texts need the sizes that stand before
 * them. */
static bool lay_out(const uint8_t *bytes, uint32_t left, const struct head *head,
                    struct frame_layout *layout) {
    uint64_t texts_size = 0;
    if (head->size > left || head->size % 8 != 0) return false;
    if (head->partition >= AMPEL_PARTITIONS_MAX || (head->columns & ~(uint32_t)COLUMNS_ALL) != 0)
        return false;
    if (head->accounts_count > AMPEL_BATCH_ACCOUNTS_MAX ||
        head->events_count > AMPEL_BATCH_EVENTS_MAX || head->refused_count > REFUSED_REMEMBERED_MAX)
        return false;
    if (head->extras_size > 0 && (head->columns & COLUMN_EXTRAS) == 0) return false;
    frame_layout_init(layout, head->accounts_count, head->events_count, head->columns, 0,
                      head->extras_size, head->refused_size);
    if (layout->end > head->size) return false;
    for (uint64_t i = 0; i < UINT64_C(2) * head->accounts_count; i++)
        texts_size += bytes[layout->account_sizes + i];
    frame_layout_widen(layout, texts_size, head->refused_size);
    return layout->end == head->size;
}

static bool reserve_accounts(struct ampel_record_reader *reader, uint32_t count) {
    if (count <= reader->accounts_capacity) return true;
    struct ampel_frame_account *accounts =
        realloc(reader->accounts, count * sizeof *reader->accounts);
    if (accounts == NULL) return false;
    reader->accounts = accounts;
    reader->accounts_capacity = count;
    return true;
}

static bool read_accounts(struct ampel_record_reader *reader, const uint8_t *bytes,
                          const struct head *head, const struct frame_layout *layout,
                          struct ampel_error *error) {
    const char *texts = (const char *)bytes + layout->texts;
    uint32_t wrong = 0;
    if (!reserve_accounts(reader, head->accounts_count)) return fail(error, "", "out of memory");
    for (size_t i = 0; i < head->accounts_count; i++) {
        struct ampel_frame_account *account = &reader->accounts[i];
        const uint8_t *sizes = bytes + layout->account_sizes + 2 * i;
        account->hash = ampel_load_u64(bytes + layout->hash + 8 * i);
        account->seller = (struct ampel_text){texts, sizes[0]};
        account->marketplace = (struct ampel_text){texts + sizes[0], sizes[1]};
        texts += sizes[0] + sizes[1];
        wrong |= sizes[0] - 1u >= AMPEL_ID_BYTES_MAX || sizes[1] - 1u >= AMPEL_ID_BYTES_MAX;
    }
    const struct ampel_text all = {(const char *)bytes + layout->texts, (uint32_t)(layout->extras - layout->texts)};
    if (wrong != 0 || !ampel_ids_shown(all))
        return fail(error, "accounts", "the account is no valid seller and marketplace");
    return true;
}

static const uint8_t *column(const uint8_t *bytes, const struct head *head, uint32_t bit,
                             uint64_t place) {
    return (head->columns & bit) == bit ? bytes + place : NULL;
}

static bool read_events(const uint8_t *bytes, const struct head *head,
                        const struct frame_layout *layout, struct ampel_frame *frame,
                        struct ampel_error *error) {
    enum ampel_verdict verdict = AMPEL_VERDICT_OK;
    const char *field = "";
    frame->events_count = head->events_count;
    frame->account = bytes + layout->account;
    frame->type = bytes + layout->type;
    frame->at = bytes + layout->at;
    frame->count = column(bytes, head, COLUMN_COUNT, layout->count);
    frame->policy = column(bytes, head, COLUMN_POLICY, layout->policy);
    frame->severity = column(bytes, head, COLUMN_SEVERITY, layout->severity);
    frame->code = column(bytes, head, COLUMN_CODE, layout->code);
    frame->points = column(bytes, head, COLUMN_POINTS, layout->points);
    frame->rev = column(bytes, head, COLUMN_REV, layout->rev);
    frame->extras_offset = column(bytes, head, COLUMN_EXTRAS, layout->extras_offset);
    frame->extras = column(bytes, head, COLUMN_EXTRAS, layout->extras);
    frame->extras_size = head->extras_size;
    if (!ampel_judge_extras(frame)) return fail(error, "extras", "the offsets do not rise");
    uint32_t bad = ampel_judge_next(frame, NULL, INT64_MIN, 0, &verdict, &field);
    if (bad == frame->events_count) return true;
    return ampel_error_set(error, field, "event %u: %s", bad,
                           ampel_verdict_sentence((uint8_t)verdict));
}

static struct ampel_text take_text(const uint8_t **from, uint8_t size) {
    struct ampel_text text = {(const char *)*from, size};
    *from += size;
    return text;
}

static bool text_shown(struct ampel_text text) {
    return text.size == 0 || ampel_id_valid(text, false);
}

static bool read_refused(struct ampel_record_reader *reader, const uint8_t *bytes,
                         const struct head *head, const struct frame_layout *layout,
                         struct ampel_error *error) {
    const uint8_t *from = bytes + layout->refused;
    uint64_t left = head->refused_size;
    for (uint32_t i = 0; i < head->refused_count; i++) {
        struct ampel_record_refused *out = &reader->refused[i];
        if (left < REFUSED_HEAD_BYTES) return fail(error, "refused", "the list is too short");
        uint64_t size = REFUSED_HEAD_BYTES + (uint64_t)from[6] + from[7] + from[8] + from[9];
        if (left < size) return fail(error, "refused", "the list is too short");
        const uint8_t *texts = from + REFUSED_HEAD_BYTES;
        out->event_index = ampel_load_u32(from);
        out->verdict = from[4];
        out->type = from[5];
        out->at_ms = ampel_load_i64(from + 16);
        out->field = take_text(&texts, from[6]);
        out->seller = take_text(&texts, from[7]);
        out->marketplace = take_text(&texts, from[8]);
        out->id = take_text(&texts, from[9]);
        if (out->verdict == AMPEL_VERDICT_OK || out->verdict >= AMPEL_VERDICTS_COUNT ||
            !text_shown(out->field) || !text_shown(out->seller) || !text_shown(out->marketplace) ||
            !text_shown(out->id))
            return fail(error, "refused", "an entry is none that is ever written");
        from += size;
        left -= size;
    }
    if (left != 0) return fail(error, "refused", "the list is too long");
    reader->refused_count = head->refused_count;
    return true;
}

static bool read_frame(struct ampel_record_reader *reader, const uint8_t *bytes, uint32_t left,
                       struct ampel_frame *frame, uint32_t *frame_size, struct ampel_error *error) {
    struct head head;
    struct frame_layout layout;
    if (left < FRAME_HEAD_BYTES) return fail(error, "frame", "the record is too short");
    load_head(bytes, &head);
    if (!lay_out(bytes, left, &head, &layout))
        return fail(error, "frame", "the frame's numbers do not fit its size");
    if (!read_accounts(reader, bytes, &head, &layout, error)) return false;
    *frame = reader->batch;
    frame->partition = head.partition;
    frame->accounts_count = head.accounts_count;
    frame->accounts = reader->accounts;
    if (!read_events(bytes, &head, &layout, frame, error)) return false;
    if (!read_refused(reader, bytes, &head, &layout, error)) return false;
    *frame_size = head.size;
    return true;
}

/* ---- the walk ------------------------------------------------------------------------------- */

static bool next_of_batch(struct ampel_record_reader *reader, const uint8_t *bytes, uint32_t size,
                          uint32_t frames_count, uint32_t *cursor, struct ampel_frame *out,
                          struct ampel_error *error) {
    uint32_t at = *cursor, frame_size = 0;
    if (at == 0) {
        at = AMPEL_RECORD_HEADER_BYTES;
        reader->frames_left = frames_count;
        if (!read_batch_head(reader, bytes, size, &at, error)) return false;
    }
    if (reader->frames_left == 0) {
        *cursor = at;
        if (at != size) return fail(error, "frame", "there are bytes after the last frame");
        return false;
    }
    if (!read_frame(reader, bytes + at, size - at, out, &frame_size, error)) return false;
    reader->frames_left--;
    *cursor = at + frame_size;
    return true;
}

/* Where the partitions of a TICK or RULES record stand; 0: its text does not fit it. */
static uint64_t partitions_at(const uint8_t *bytes, uint32_t size) {
    uint64_t at = AMPEL_RECORD_HEADER_BYTES;
    if (ampel_load_u16(bytes + 6) != AMPEL_RECORD_RULES) return at;
    if (size - at < RULES_HEAD_BYTES) return 0;
    uint32_t text_size = ampel_load_u32(bytes + at + 8);
    if (text_size > RULES_TEXT_BYTES_MAX) return 0;
    at += RULES_HEAD_BYTES + record_padded(text_size);
    return at <= size ? at : 0;
}

bool ampel_record_rules(const uint8_t *bytes, uint64_t *number, struct ampel_text *text,
                        struct ampel_error *error) {
    *error = (struct ampel_error){0};
    if (ampel_load_u16(bytes + 6) != AMPEL_RECORD_RULES) return false;
    if (partitions_at(bytes, ampel_load_u32(bytes + 8)) == 0)
        return fail(error, "rules", "the text does not fit the record");
    const uint8_t *head = bytes + AMPEL_RECORD_HEADER_BYTES;
    if (ampel_load_u64(head) == 0) return fail(error, "rules", "the number is 0");
    *number = ampel_load_u64(head);
    *text = (struct ampel_text){(const char *)head + RULES_HEAD_BYTES, ampel_load_u32(head + 8)};
    return true;
}

static bool next_of_tick(const uint8_t *bytes, uint32_t size, uint32_t frames_count,
                         uint32_t *cursor, struct ampel_frame *out, struct ampel_error *error) {
    uint64_t first = partitions_at(bytes, size);
    if (first == 0) return fail(error, "rules", "the text does not fit the record");
    uint64_t end = first + UINT64_C(4) * frames_count;
    uint32_t at = *cursor == 0 ? (uint32_t)first : *cursor;
    if (record_padded(end) != size) return fail(error, "tick", "the size does not fit");
    *cursor = at;
    if (at >= end) return false;
    uint32_t partition = ampel_load_u32(bytes + at);
    if (partition >= AMPEL_PARTITIONS_MAX) return fail(error, "tick", "there is no such partition");
    *out = (struct ampel_frame){.partition = partition};
    *cursor = at + 4;
    return true;
}

bool ampel_record_frame_next(struct ampel_record_reader *reader, const uint8_t *bytes,
                             uint32_t *cursor, struct ampel_frame *out, struct ampel_error *error) {
    uint32_t size = ampel_load_u32(bytes + 8), frames_count = ampel_load_u32(bytes + 12);
    bool batch = ampel_load_u16(bytes + 6) == AMPEL_RECORD_BATCH;
    struct ampel_frame frame;
    error_reset(error);
    reader->refused_count = 0;
    if (!batch) reader->refused_total = 0;
    if (batch ? !next_of_batch(reader, bytes, size, frames_count, cursor, &frame, error)
              : !next_of_tick(bytes, size, frames_count, cursor, &frame, error))
        return false;
    frame.stamp_ms = ampel_load_i64(bytes + 24);
    frame.position = ampel_load_u64(bytes + 16);
    *out = frame;
    return true;
}

/* Where the next frame of a BATCH record stands, and how many bytes it has. False at the end, or with error filled. */
static bool frame_place(const uint8_t *bytes, uint32_t cursor, uint32_t *place, uint32_t *frame_size, struct ampel_error *error) {
    uint64_t size = ampel_load_u32(bytes + 8), at = cursor;
    if (cursor == 0) {
        at = AMPEL_RECORD_HEADER_BYTES;
        if (size - at < BATCH_HEAD_BYTES) return fail(error, "batch", "the record is too short");
        at += record_padded(BATCH_HEAD_BYTES + (uint64_t)bytes[at + 21] + bytes[at + 22]);
    }
    if (at == size) return false;
    if (at > size || size - at < FRAME_HEAD_BYTES)
        return fail(error, "frame", "the record is too short");
    *place = (uint32_t)at;
    *frame_size = ampel_load_u32(bytes + at + 4);
    if (*frame_size < FRAME_HEAD_BYTES || *frame_size > size - at)
        return fail(error, "frame", "the frame's numbers do not fit its size");
    return true;
}

bool ampel_record_partition_next(const uint8_t *bytes, uint32_t *cursor, uint32_t *partition,
                                 struct ampel_error *error) {
    uint64_t size = ampel_load_u32(bytes + 8), frames_count = ampel_load_u32(bytes + 12);
    error_reset(error);
    if (ampel_load_u16(bytes + 6) != AMPEL_RECORD_BATCH) {
        uint64_t first = partitions_at(bytes, (uint32_t)size), at = *cursor == 0 ? first : *cursor;
        if (first == 0) return fail(error, "rules", "the text does not fit the record");
        if (at >= first + 4 * frames_count) return false;
        if (at + 4 > size) return fail(error, "tick", "the size does not fit");
        *partition = ampel_load_u32(bytes + at);
        *cursor = (uint32_t)at + 4;
        return true;
    }
    uint32_t place = 0, frame_size = 0;
    if (!frame_place(bytes, *cursor, &place, &frame_size, error)) return false;
    *partition = ampel_load_u32(bytes + place);
    *cursor = place + frame_size;
    return true;
}

bool ampel_record_names_next(const uint8_t *bytes, uint32_t *cursor, struct ampel_record_names *out) {
    uint32_t place = 0, frame_size = 0;
    if (ampel_load_u16(bytes + 6) != AMPEL_RECORD_BATCH) return false;
    if (!frame_place(bytes, *cursor, &place, &frame_size, NULL)) return false;
    uint32_t accounts_count = ampel_load_u32(bytes + place + 8);
    bool fits = accounts_count <= (frame_size - FRAME_HEAD_BYTES) / sizeof(uint64_t);
    out->partition = ampel_load_u32(bytes + place);
    out->accounts_count = fits ? accounts_count : 0;
    out->hashes = bytes + place + FRAME_HEAD_BYTES;
    *cursor = place + frame_size;
    __builtin_prefetch(bytes + *cursor);
    return true;
}

uint32_t ampel_record_refused_count(const struct ampel_record_reader *reader) {
    return reader->refused_count;
}

uint32_t ampel_record_refused_total(const struct ampel_record_reader *reader) {
    return reader->refused_total;
}

void ampel_record_refused_get(const struct ampel_record_reader *reader, uint32_t index,
                              struct ampel_record_refused *out) {
    AMPEL_ASSERT(index < reader->refused_count);
    *out = reader->refused[index];
}
