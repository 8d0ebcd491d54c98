/* Batches in: walk, envelope, columns in place or rows into columns, verdicts (proto/batch.h). */
#include <stdlib.h>
#include <string.h>

#include "engine/registry.h"
#include "proto/batch.h"
#include "proto/batch_columns.h"
#include "proto/columns.h"
#include "proto/draft.h"
#include "proto/judge.h"
#include "proto/message.h"
#include "proto/pack.h"
#include "proto/text.h"
#include "proto/walk.h"

/* Three values an account, and for each row its array, map and the fields of any event with every
   count given; a batch that reaches this has long passed the events that may stand in it. */
#define NODES_MAX (UINT32_C(1) << 22)
/* Names of fields that no table knows, told back to their sender; beyond it they stay nameless. */
#define NAMES_BYTES 4096

struct ampel_batch_decoder {
    struct ampel_pack_reader *reader;
    struct ampel_frame_account *accounts;
    uint8_t *account_bad;
    uint32_t accounts_capacity;
    struct ampel_batch_refused *refused;
    uint32_t refused_count, refused_capacity;
    struct ampel_columns columns; /* of rows, and what was narrow */
    char names[NAMES_BYTES];
    uint32_t names_size;
};

struct ampel_batch_decoder *ampel_batch_decoder_open(void) {
    struct ampel_batch_decoder *decoder = calloc(1, sizeof *decoder);
    if (decoder == NULL) return NULL;
    decoder->reader = ampel_pack_reader_open();
    if (decoder->reader != NULL) return decoder;
    free(decoder);
    return NULL;
}

void ampel_batch_decoder_close(struct ampel_batch_decoder *decoder) {
    if (decoder == NULL) return;
    ampel_pack_reader_close(decoder->reader);
    ampel_columns_close(&decoder->columns);
    free(decoder->accounts);
    free(decoder->account_bad);
    free(decoder->refused);
    free(decoder);
}

/* Room for one more refusal; they come in ascending order, because rows or columns are gone through
 * once. */
static bool push_refused(struct ampel_batch_decoder *decoder, uint32_t index, uint8_t verdict,
                         const char *field) {
    if (decoder->refused_count == decoder->refused_capacity) {
        uint32_t capacity = decoder->refused_capacity == 0 ? 64 : 2 * decoder->refused_capacity;
        struct ampel_batch_refused *grown =
            realloc(decoder->refused, capacity * sizeof *decoder->refused);
        if (grown == NULL) return false;
        decoder->refused = grown;
        decoder->refused_capacity = capacity;
    }
    decoder->refused[decoder->refused_count++] =
        (struct ampel_batch_refused){.event_index = index, .verdict = verdict, .field = field};
    return true;
}

/* ---- envelope ------------------------------------------------------------------------------- */

/* The keys of a batch, and what stands under them. */
#define ENVELOPE_KEYS(X) \
    X(v) X(producer) X(seq) X(sent_at) X(backfill) X(accounts) X(columns) X(rows)

struct entry {
    bool given;
    struct ampel_pack value;
};

struct envelope {
#define X(name) struct entry name;
    ENVELOPE_KEYS(X)
#undef X
    bool strange; /* a key that is unknown or stands twice, named where it can be shown */
    char strange_name[AMPEL_ID_BYTES_MAX + 1];
};

static struct entry *envelope_entry(struct envelope *envelope, const struct ampel_pack *key) {
    if (key->kind != AMPEL_PACK_TEXT) return NULL;
#define X(name) \
    if (ampel_text_is(key->text, #name)) return &envelope->name;
    ENVELOPE_KEYS(X)
#undef X
    return NULL;
}

static void open_envelope(const struct ampel_pack *map, struct envelope *envelope) {
    struct ampel_pack_cursor cursor;
    *envelope = (struct envelope){0};
    ampel_pack_cursor_reset(&cursor, map);
    while (cursor.left > 0) {
        struct ampel_pack key, value;
        ampel_pack_cursor_next(&cursor, &key);
        ampel_pack_cursor_next(&cursor, &value);
        struct entry *entry = envelope_entry(envelope, &key);
        if (entry != NULL && !entry->given) {
            *entry = (struct entry){true, value};
            continue;
        }
        envelope->strange = true;
        if (key.kind != AMPEL_PACK_TEXT || !ampel_id_valid(key.text, false)) continue;
        memcpy(envelope->strange_name, key.text.bytes, key.text.size);
        envelope->strange_name[key.text.size] = 0;
    }
}

static bool producer_valid(const struct envelope *envelope) {
    const struct ampel_pack *producer = &envelope->producer.value;
    return producer->kind == AMPEL_PACK_TEXT && ampel_id_valid(producer->text, false);
}

static bool sequence_valid(const struct envelope *envelope) {
    const struct ampel_pack *seq = &envelope->seq.value;
    return seq->kind == AMPEL_PACK_INTEGER && seq->integer >= 0;
}

/* What a refusal of the whole batch needs to name it, read before anything else. */
static void read_name(const struct envelope *envelope, struct ampel_batch_header *header) {
    if (!producer_valid(envelope) || !sequence_valid(envelope)) return;
    header->producer = envelope->producer.value.text;
    header->sequence = (uint64_t)envelope->seq.value.integer;
}

/* A newer version may have other keys, so it is looked at before they are blamed. */
static bool read_version(const struct envelope *envelope, struct ampel_error *error) {
    const struct ampel_pack *v = &envelope->v.value;
    if (v->kind != AMPEL_PACK_INTEGER || v->integer < 1)
        return ampel_error_set(error, "v", "the wire version is missing");
    if (v->integer <= AMPEL_BATCH_VERSION) return true;
    return ampel_error_set(error, "v", "wire version %lld is newer than %d, which is spoken here",
                           (long long)v->integer, AMPEL_BATCH_VERSION);
}

static enum ampel_verdict read_time(const struct ampel_pack *pack, int64_t *out_ms) {
    struct ampel_value value = {.integer = pack->integer, .text = pack->text};
    if (pack->kind == AMPEL_PACK_INTEGER) value.kind = AMPEL_VALUE_INTEGER;
    if (pack->kind == AMPEL_PACK_TEXT) value.kind = AMPEL_VALUE_TEXT;
    return ampel_value_time(&value, out_ms);
}

/* An unknown key is refused: to leave it out would be to drop silently what a feeder meant. */
static bool read_header(const struct envelope *envelope, struct ampel_batch_header *header,
                        struct ampel_error *error) {
    if (envelope->strange)
        return ampel_error_set(error, envelope->strange_name,
                               "a batch has no such key, or it stands twice");
    if (!producer_valid(envelope))
        return ampel_error_set(error, "producer", "the producer is no id of 1 to 64 bytes");
    if (!sequence_valid(envelope))
        return ampel_error_set(error, "seq", "the sequence is no integer from 0 to 2^63 - 1");
    if (read_time(&envelope->sent_at.value, &header->sent_at_ms) != AMPEL_VERDICT_OK)
        return ampel_error_set(error, "sent_at",
                               "the time is no integer milliseconds and no RFC 3339 text");
    if (envelope->backfill.given && envelope->backfill.value.kind != AMPEL_PACK_BOOLEAN)
        return ampel_error_set(error, "backfill", "the value is not true or false");
    header->backfill = envelope->backfill.value.boolean;
    return true;
}

/* ---- accounts ------------------------------------------------------------------------------- */

static bool reserve_accounts(struct ampel_batch_decoder *decoder, uint32_t count) {
    if (count <= decoder->accounts_capacity) return true;
    struct ampel_frame_account *accounts =
        realloc(decoder->accounts, count * sizeof *decoder->accounts);
    if (accounts == NULL) return false;
    decoder->accounts = accounts;
    uint8_t *bad = realloc(decoder->account_bad, count);
    if (bad == NULL) return false;
    decoder->account_bad = bad;
    decoder->accounts_capacity = count;
    return true;
}

/* One account of any form: seller and marketplace. */
static bool read_account(struct ampel_pack_cursor *list, uint32_t index, struct ampel_text name[2],
                         struct ampel_error *error) {
    struct ampel_pack pair, texts[2];
    struct ampel_pack_cursor cursor;
    ampel_pack_cursor_next(list, &pair);
    if (pair.kind != AMPEL_PACK_LIST || pair.count != 2)
        return ampel_error_set(error, "accounts", "account %u is no [seller, marketplace]", index);
    ampel_pack_cursor_reset(&cursor, &pair);
    ampel_pack_cursor_next(&cursor, &texts[0]);
    ampel_pack_cursor_next(&cursor, &texts[1]);
    if (texts[0].kind != AMPEL_PACK_TEXT || texts[1].kind != AMPEL_PACK_TEXT)
        return ampel_error_set(error, "accounts", "account %u is not made of texts", index);
    name[0] = texts[0].text;
    name[1] = texts[1].text;
    return true;
}

/* An account whose name cannot be is no fault of the batch: each event of it is refused. */
static bool read_accounts(struct ampel_batch_decoder *decoder, const struct ampel_pack *list,
                          struct ampel_frame *frame, bool *any_bad, struct ampel_error *error) {
    if (list->kind != AMPEL_PACK_LIST)
        return ampel_error_set(error, "accounts", "the value is no list");
    if (list->count > AMPEL_BATCH_ACCOUNTS_MAX)
        return ampel_error_set(error, "accounts", "there are more than %u accounts",
                               AMPEL_BATCH_ACCOUNTS_MAX);
    if (!reserve_accounts(decoder, list->count)) return ampel_error_no_memory(error);
    *any_bad = false;
    struct ampel_pack_cursor cursor;
    ampel_pack_cursor_reset(&cursor, list);
    for (uint32_t i = 0; i < list->count; i++) {
        struct ampel_text name[2];
        if (!ampel_pack_cursor_pair(&cursor, name) && !read_account(&cursor, i, name, error))
            return false;
        bool good = ampel_id_valid(name[0], true) && ampel_id_valid(name[1], true);
        *any_bad |= !good;
        decoder->account_bad[i] = !good;
        decoder->accounts[i] =
            (struct ampel_frame_account){.seller = name[0], .marketplace = name[1]};
    }
    frame->accounts_count = list->count;
    frame->accounts = decoder->accounts;
    return true;
}

/* ---- columns ------------------------------------------------------------------------------- */

static bool judge_columns(struct ampel_batch_decoder *decoder, const struct ampel_frame *frame,
                          bool any_bad, int64_t sent_at_ms, struct ampel_error *error) {
    const uint8_t *bad = any_bad ? decoder->account_bad : NULL;
    enum ampel_verdict verdict = AMPEL_VERDICT_OK;
    const char *field = "";
    uint32_t index = ampel_judge_next(frame, bad, sent_at_ms, 0, &verdict, &field);
    while (index < frame->events_count) {
        if (!push_refused(decoder, index, (uint8_t)verdict, field)) return ampel_error_no_memory(error);
        index = ampel_judge_next(frame, bad, sent_at_ms, index + 1, &verdict, &field);
    }
    return true;
}

/* ---- rows ----------------------------------------------------------------------------------- */

static void value_of(const struct ampel_pack *pack, struct ampel_value_item *items,
                     struct ampel_value *out) {
    static const uint8_t kinds[] = {
        [AMPEL_PACK_OTHER] = AMPEL_VALUE_OTHER,     [AMPEL_PACK_BOOLEAN] = AMPEL_VALUE_BOOLEAN,
        [AMPEL_PACK_INTEGER] = AMPEL_VALUE_INTEGER, [AMPEL_PACK_REAL] = AMPEL_VALUE_REAL,
        [AMPEL_PACK_TEXT] = AMPEL_VALUE_TEXT,       [AMPEL_PACK_BYTES] = AMPEL_VALUE_OTHER,
        [AMPEL_PACK_LIST] = AMPEL_VALUE_LIST,       [AMPEL_PACK_MAP] = AMPEL_VALUE_MAP,
    };
    *out = (struct ampel_value){
        .kind = (enum ampel_value_kind)kinds[pack->kind],
        .boolean = pack->boolean,
        .integer = pack->integer,
        .real = pack->real,
        .text = pack->text,
        .items = items,
    };
    if (out->kind != AMPEL_VALUE_LIST && out->kind != AMPEL_VALUE_MAP) return;
    if (pack->count > AMPEL_VALUE_ITEMS_MAX) {
        out->kind = AMPEL_VALUE_OTHER;
        return;
    }
    out->items_count = pack->count;
    for (uint32_t i = 0; i < pack->count; i++) {
        struct ampel_pack key = {0}, entry;
        if (out->kind == AMPEL_VALUE_MAP)
            ampel_pack_entry(pack, i, &key, &entry);
        else
            ampel_pack_item(pack, i, &entry);
        items[i] = (struct ampel_value_item){
            .key = key.kind == AMPEL_PACK_TEXT ? key.text : (struct ampel_text){NULL, 0},
            .text = entry.text,
            .integer = entry.integer,
            .kind = entry.kind == AMPEL_PACK_TEXT      ? AMPEL_VALUE_TEXT
                    : entry.kind == AMPEL_PACK_INTEGER ? AMPEL_VALUE_INTEGER
                                                       : AMPEL_VALUE_OTHER,
        };
    }
}

/* Keeps a field's name for the answer, if it is one that can be shown. */
static const char *keep_name(struct ampel_batch_decoder *decoder, struct ampel_text name) {
    if (!ampel_id_valid(name, false)) return "";
    if (name.size + 1 > NAMES_BYTES - decoder->names_size) return "";
    char *kept = decoder->names + decoder->names_size;
    memcpy(kept, name.bytes, name.size);
    kept[name.size] = 0;
    decoder->names_size += name.size + 1;
    return kept;
}

/* One row on its way: what could be read so far stands in event, so that a refusal can name its
 * account and time. */
struct row {
    uint32_t account;
    struct ampel_event event;
    const char *field;
    uint8_t extras[AMPEL_EXTRAS_BYTES_MAX];
};

static enum ampel_verdict blame(struct row *row, const char *field, enum ampel_verdict verdict) {
    row->field = field;
    return verdict;
}

static enum ampel_verdict read_fields(struct ampel_batch_decoder *decoder,
                                      const struct ampel_pack *map, struct ampel_draft *draft,
                                      struct row *row) {
    struct ampel_value_item items[AMPEL_VALUE_ITEMS_MAX];
    for (uint32_t i = 0; i < map->count; i++) {
        struct ampel_pack key, entry;
        struct ampel_value value;
        const char *why;
        ampel_pack_entry(map, i, &key, &entry);
        if (key.kind != AMPEL_PACK_TEXT) return blame(row, "", AMPEL_VERDICT_UNKNOWN_FIELD);
        value_of(&entry, items, &value);
        enum ampel_verdict verdict = ampel_draft_put(draft, key.text, &value, &why);
        if (verdict != AMPEL_VERDICT_OK) return blame(row, keep_name(decoder, key.text), verdict);
    }
    return AMPEL_VERDICT_OK;
}

static enum ampel_verdict read_row(struct ampel_batch_decoder *decoder,
                                   const struct ampel_pack *pack, const struct ampel_frame *frame,
                                   int64_t sent_at_ms, struct row *row) {
    struct ampel_pack account, type, at, fields = {.kind = AMPEL_PACK_MAP};
    struct ampel_draft draft;
    uint8_t code;
    int64_t at_ms;
    if (pack->kind != AMPEL_PACK_LIST || pack->count < 3 || pack->count > 4)
        return blame(row, "", AMPEL_VERDICT_BAD_VALUE);
    ampel_pack_item(pack, 0, &account);
    ampel_pack_item(pack, 1, &type);
    ampel_pack_item(pack, 2, &at);
    if (pack->count == 4) ampel_pack_item(pack, 3, &fields);
    if (account.kind != AMPEL_PACK_INTEGER || account.integer < 0 ||
        account.integer >= frame->accounts_count)
        return blame(row, "account", AMPEL_VERDICT_BAD_ACCOUNT);
    row->account = (uint32_t)account.integer;
    if (decoder->account_bad[row->account] != 0)
        return blame(row, "account", AMPEL_VERDICT_BAD_ACCOUNT);
    if (type.kind != AMPEL_PACK_TEXT ||
        !ampel_registry_code(AMPEL_REGISTRY_EVENT_TYPE, type.text, &code))
        return blame(row, "type", AMPEL_VERDICT_BAD_TYPE);
    enum ampel_verdict verdict = read_time(&at, &at_ms);
    if (verdict != AMPEL_VERDICT_OK) return blame(row, "at", verdict);
    if (fields.kind != AMPEL_PACK_MAP) return blame(row, "", AMPEL_VERDICT_BAD_VALUE);
    ampel_draft_reset(&draft, code, at_ms, row->extras, sizeof row->extras);
    verdict = read_fields(decoder, &fields, &draft, row);
    if (verdict == AMPEL_VERDICT_OK) verdict = ampel_draft_check(&draft, sent_at_ms, &row->field);
    row->event = draft.event;
    return verdict;
}

static bool read_rows(struct ampel_batch_decoder *decoder, struct ampel_pack *list,
                      struct ampel_frame *frame, int64_t sent_at_ms, struct ampel_error *error) {
    if (list->kind != AMPEL_PACK_LIST)
        return ampel_error_set(error, "rows", "the value is no list");
    if (list->count > AMPEL_BATCH_EVENTS_MAX)
        return ampel_error_set(error, "rows", "there are more than %u events",
                               AMPEL_BATCH_EVENTS_MAX);
    if (!ampel_pack_list_open(decoder->reader, list, error)) return ampel_error_no_memory(error);
    ampel_columns_reset(&decoder->columns);
    for (uint32_t i = 0; i < list->count; i++) {
        struct ampel_pack pack;
        struct row row;
        row.account = UINT32_MAX;
        row.field = "";
        ampel_event_reset(&row.event, UINT8_MAX, 0);
        ampel_pack_item(list, i, &pack);
        enum ampel_verdict verdict = read_row(decoder, &pack, frame, sent_at_ms, &row);
        if (verdict != AMPEL_VERDICT_OK && !push_refused(decoder, i, (uint8_t)verdict, row.field))
            return ampel_error_no_memory(error);
        if (!ampel_columns_push(&decoder->columns, row.account, &row.event))
            return ampel_error_no_memory(error);
    }
    ampel_columns_frame(&decoder->columns, frame);
    return true;
}

/* ---- the whole ------------------------------------------------------------------------------ */

static bool read_events(struct ampel_batch_decoder *decoder, struct envelope *envelope,
                        struct ampel_batch *out, struct ampel_error *error) {
    struct ampel_frame *frame = &out->frame;
    bool any_bad = false, rows = envelope->rows.given;
    if (rows == envelope->columns.given)
        return ampel_error_set(error, "columns", "a batch has either columns or rows");
    if (!read_accounts(decoder, &envelope->accounts.value, frame, &any_bad, error)) return false;
    if (rows)
        return read_rows(decoder, &envelope->rows.value, frame, out->header.sent_at_ms, error);
    const bool narrow = envelope->v.value.integer >= AMPEL_BATCH_VERSION_NARROW;
    return ampel_batch_columns_read(&envelope->columns.value, narrow, &decoder->columns, frame, error) &&
           judge_columns(decoder, frame, any_bad, out->header.sent_at_ms, error);
}

/* The keys of the header stand before the accounts where we wrote the batch; others may stand anywhere. */
static bool header_whole(const struct envelope *envelope) {
    return envelope->v.given && envelope->producer.given && envelope->seq.given &&
           envelope->sent_at.given && envelope->backfill.given;
}

bool ampel_batch_header_decode(const uint8_t *bytes, uint32_t size, struct ampel_batch_header *out,
                               struct ampel_error *error) {
    struct ampel_walk walk;
    struct ampel_walk_head head;
    struct envelope envelope = {0};
    *out = (struct ampel_batch_header){0};
    ampel_walk_reset(&walk, bytes, size, NODES_MAX);
    if (!ampel_walk_step(&walk, &head) || head.form != AMPEL_WALK_MAP)
        return ampel_error_set(error, "", "the message is no map");
    for (uint32_t i = 0; i < head.count && !header_whole(&envelope); i++) {
        struct ampel_pack key, value = {0};
        const uint32_t from = walk.offset;
        if (!ampel_walk_over(&walk) || walk.offset == size) break;
        const bool scalar = bytes[walk.offset] < 0x80 || bytes[walk.offset] >= 0xa0;
        struct ampel_pack_cursor cursor = {.bytes = bytes, .size = size, .offset = from, .left = 2};
        if (!ampel_walk_over(&walk)) break;
        ampel_pack_cursor_next(&cursor, &key);
        if (scalar) ampel_pack_cursor_next(&cursor, &value);
        struct entry *entry = envelope_entry(&envelope, &key);
        if (entry != NULL && !entry->given) *entry = (struct entry){true, value};
    }
    read_name(&envelope, out);
    return read_version(&envelope, error) && read_header(&envelope, out, error);
}

bool ampel_batch_decode(struct ampel_batch_decoder *decoder, const uint8_t *bytes, uint32_t size,
                        struct ampel_batch *out, struct ampel_error *error) {
    struct ampel_pack map;
    struct envelope envelope;
    *out = (struct ampel_batch){0};
    decoder->refused_count = 0;
    decoder->names_size = 0;
    if (size > AMPEL_BATCH_BYTES_MAX)
        return ampel_error_set(error, "", "the batch has %u bytes, more than %u", size,
                               AMPEL_BATCH_BYTES_MAX);
    if (!ampel_pack_closed(bytes, size, NODES_MAX, &map, error)) return false;
    open_envelope(&map, &envelope);
    read_name(&envelope, &out->header);
    if (!read_version(&envelope, error)) return false;
    if (!read_header(&envelope, &out->header, error)) return false;
    if (!read_events(decoder, &envelope, out, error)) return false;
    out->frame.sent_at_ms = out->header.sent_at_ms;
    out->frame.backfill = out->header.backfill;
    out->frame.producer = out->header.producer;
    out->frame.sequence = out->header.sequence;
    out->refused_count = decoder->refused_count;
    out->refused = decoder->refused;
    return true;
}
