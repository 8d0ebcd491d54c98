/* Batches out: collecting events, encoding them as columns or rows (proto/batch.h). */
#include <stdlib.h>
#include <string.h>

#include "engine/load.h"
#include "engine/registry.h"
#include "proto/batch.h"
#include "proto/columns.h"
#include "proto/draft.h"
#include "proto/hash.h"
#include "proto/message.h"
#include "proto/narrow.h"
#include "proto/pack.h"
#include "proto/text.h"

/* Names of columns, heads of bins and the header: never more than this beside events and accounts.
 */
#define ENVELOPE_BYTES 1024
/* Both sides' bounds: two texts with their heads in an array. */
#define ACCOUNT_BYTES (3 + 2 * AMPEL_ID_BYTES_MAX + 4)
/* An entry of every column. */
#define EVENT_BYTES 28
/* What a row may need beside its extras: account, type, time, and the names of fields that live in
   columns. Extras grow where names take the place of tags and codes, a count of five bytes the
   most; a set of kinds becomes their names. */
#define ROW_BYTES         128
#define ROW_EXTRAS_FACTOR 6
#define ROW_KINDS_BYTES   (AMPEL_KINDS_MAX * 32)
#define NONE              UINT32_MAX

struct account {
    uint32_t seller_size, marketplace_size;
    char seller[AMPEL_ID_BYTES_MAX];
    char marketplace[AMPEL_ID_BYTES_MAX];
};

struct ampel_batch_builder {
    struct ampel_columns columns;
    struct account *accounts;
    uint32_t accounts_count, accounts_capacity;
    uint32_t *places; /* open addressing over accounts; a power of two of them, at most half full */
    uint32_t places_count;
    uint32_t last;       /* the account of the event before, which is often this one's too */
    uint64_t rows_bytes; /* a bound for all events as rows, which take more than columns */
    uint8_t *bytes;
    uint32_t bytes_capacity;
    uint8_t *narrow; /* one column on its way into bytes */
    uint32_t narrow_capacity;
    struct ampel_frame_account *frame_accounts;
    uint32_t frame_accounts_capacity;
};

struct ampel_batch_builder *ampel_batch_builder_open(void) {
    struct ampel_batch_builder *builder = calloc(1, sizeof *builder);
    if (builder != NULL) builder->last = NONE;
    return builder;
}

void ampel_batch_builder_close(struct ampel_batch_builder *builder) {
    if (builder == NULL) return;
    ampel_columns_close(&builder->columns);
    free(builder->accounts);
    free(builder->places);
    free(builder->bytes);
    free(builder->narrow);
    free(builder->frame_accounts);
    free(builder);
}

void ampel_batch_builder_reset(struct ampel_batch_builder *builder) {
    ampel_columns_reset(&builder->columns);
    builder->accounts_count = 0;
    builder->rows_bytes = 0;
    builder->last = NONE;
    for (uint32_t i = 0; i < builder->places_count; i++)
        builder->places[i] = NONE;
}

static struct ampel_text seller_of(const struct account *account) {
    return (struct ampel_text){account->seller, account->seller_size};
}

static struct ampel_text marketplace_of(const struct account *account) {
    return (struct ampel_text){account->marketplace, account->marketplace_size};
}

/* ---- accounts ------------------------------------------------------------------------------- */

/* The place where an account stands, or would. */
static uint32_t place_of(const struct ampel_batch_builder *builder, struct ampel_text seller,
                         struct ampel_text marketplace) {
    uint32_t mask = builder->places_count - 1;
    uint32_t place =
        (uint32_t)ampel_hash_account((struct ampel_text){NULL, 0}, seller, marketplace) & mask;
    while (builder->places[place] != NONE) {
        const struct account *account = &builder->accounts[builder->places[place]];
        if (ampel_text_equal(seller_of(account), seller) &&
            ampel_text_equal(marketplace_of(account), marketplace))
            break;
        place = (place + 1) & mask;
    }
    return place;
}

static bool grow_accounts(struct ampel_batch_builder *builder) {
    uint32_t capacity = builder->accounts_capacity == 0 ? 64 : 2 * builder->accounts_capacity;
    struct account *accounts = realloc(builder->accounts, capacity * sizeof *accounts);
    if (accounts == NULL) return false;
    builder->accounts = accounts;
    uint32_t *places = realloc(builder->places, 2 * (size_t)capacity * sizeof *places);
    if (places == NULL) return false;
    builder->places = places;
    builder->places_count = 2 * capacity;
    builder->accounts_capacity = capacity;
    for (uint32_t i = 0; i < builder->places_count; i++)
        places[i] = NONE;
    for (uint32_t i = 0; i < builder->accounts_count; i++)
        places[place_of(builder, seller_of(&accounts[i]), marketplace_of(&accounts[i]))] = i;
    return true;
}

static bool find_account(struct ampel_batch_builder *builder, struct ampel_text seller,
                         struct ampel_text marketplace, uint32_t *out) {
    if (builder->last != NONE) {
        const struct account *last = &builder->accounts[builder->last];
        if (ampel_text_equal(seller_of(last), seller) &&
            ampel_text_equal(marketplace_of(last), marketplace)) {
            *out = builder->last;
            return true;
        }
    }
    if (builder->accounts_count == builder->accounts_capacity && !grow_accounts(builder))
        return false;
    uint32_t place = place_of(builder, seller, marketplace);
    if (builder->places[place] == NONE) {
        if (builder->accounts_count == AMPEL_BATCH_ACCOUNTS_MAX) return false;
        struct account *account = &builder->accounts[builder->accounts_count];
        account->seller_size = seller.size;
        account->marketplace_size = marketplace.size;
        memcpy(account->seller, seller.bytes, seller.size);
        memcpy(account->marketplace, marketplace.bytes, marketplace.size);
        builder->places[place] = builder->accounts_count++;
    }
    builder->last = builder->places[place];
    *out = builder->last;
    return true;
}

/* ---- events --------------------------------------------------------------------------------- */

uint32_t ampel_batch_builder_events(const struct ampel_batch_builder *builder) {
    return builder->columns.events_count;
}

uint32_t ampel_batch_builder_bytes(const struct ampel_batch_builder *builder) {
    return ENVELOPE_BYTES + builder->accounts_count * 32 +
           builder->columns.events_count * EVENT_BYTES + builder->columns.extras_size;
}

static uint64_t row_bytes(const struct ampel_event *event) {
    uint64_t kinds = event->type == AMPEL_EVENT_MAINTENANCE ? ROW_KINDS_BYTES : 0;
    return ROW_BYTES + ROW_EXTRAS_FACTOR * (uint64_t)event->extras_size + kinds;
}

/* Whether one more event could make the encoding, as columns or rows, longer than a batch may be.
 */
static bool is_full(const struct ampel_batch_builder *builder, const struct ampel_event *event) {
    uint64_t accounts = ((uint64_t)builder->accounts_count + 1) * ACCOUNT_BYTES;
    uint64_t rows = builder->rows_bytes + row_bytes(event);
    return builder->columns.events_count == AMPEL_BATCH_EVENTS_MAX ||
           ENVELOPE_BYTES + accounts + rows > AMPEL_BATCH_BYTES_MAX;
}

bool ampel_batch_builder_push(struct ampel_batch_builder *builder, struct ampel_text seller,
                              struct ampel_text marketplace, const struct ampel_event *event) {
    struct ampel_event plain = *event;
    uint32_t account;
    AMPEL_ASSERT(seller.size <= AMPEL_ID_BYTES_MAX && marketplace.size <= AMPEL_ID_BYTES_MAX);
    if (is_full(builder, event)) return false;
    ampel_event_normalise(&plain);
    if (!find_account(builder, seller, marketplace, &account)) return false;
    if (!ampel_columns_push(&builder->columns, account, &plain)) return false;
    builder->rows_bytes += row_bytes(&plain);
    return true;
}

bool ampel_batch_builder_frame(struct ampel_batch_builder *builder, struct ampel_text tenant,
                               struct ampel_frame *out) {
    if (builder->frame_accounts_capacity < builder->accounts_capacity) {
        struct ampel_frame_account *accounts =
            realloc(builder->frame_accounts, builder->accounts_capacity * sizeof *accounts);
        if (accounts == NULL) return false;
        builder->frame_accounts = accounts;
        builder->frame_accounts_capacity = builder->accounts_capacity;
    }
    for (uint32_t i = 0; i < builder->accounts_count; i++) {
        struct ampel_text seller = seller_of(&builder->accounts[i]);
        struct ampel_text marketplace = marketplace_of(&builder->accounts[i]);
        builder->frame_accounts[i] = (struct ampel_frame_account){
            .hash = ampel_hash_account(tenant, seller, marketplace),
            .seller = seller,
            .marketplace = marketplace,
        };
    }
    *out = (struct ampel_frame){.tenant = tenant,
                                .accounts_count = builder->accounts_count,
                                .accounts = builder->frame_accounts};
    ampel_columns_frame(&builder->columns, out);
    return true;
}

/* ---- encoding ------------------------------------------------------------------------------- */

static void put_header(struct ampel_pack_writer *writer, const struct ampel_batch_header *header, int version) {
    ampel_pack_put_map(writer, 7);
    ampel_pack_put_word(writer, "v");
    ampel_pack_put_integer(writer, version);
    ampel_pack_put_word(writer, "producer");
    ampel_pack_put_text(writer, header->producer);
    ampel_pack_put_word(writer, "seq");
    ampel_pack_put_unsigned(writer, header->sequence);
    ampel_pack_put_word(writer, "sent_at");
    ampel_pack_put_integer(writer, header->sent_at_ms);
    ampel_pack_put_word(writer, "backfill");
    ampel_pack_put_boolean(writer, header->backfill);
}

static void put_accounts(struct ampel_pack_writer *writer,
                         const struct ampel_batch_builder *builder) {
    ampel_pack_put_word(writer, "accounts");
    ampel_pack_put_list(writer, builder->accounts_count);
    for (uint32_t i = 0; i < builder->accounts_count; i++) {
        ampel_pack_put_list(writer, 2);
        ampel_pack_put_text(writer, seller_of(&builder->accounts[i]));
        ampel_pack_put_text(writer, marketplace_of(&builder->accounts[i]));
    }
}

/* How the columns of numbers that need not be wide are written. */
struct widths {
    uint32_t account, at, count, extras_offset; /* bytes an entry */
    int64_t from_ms;                            /* where times have fewer than 8 */
    bool narrow;                                /* any of them has fewer than it may, and numbers beside say so */
};

#define WHOLE ((struct widths){.account = 4, .at = 8, .count = 4, .extras_offset = 4})

/* What the keys beside narrow columns take at most. */
#define EVENTS_BYTES  12
#define AT_FROM_BYTES 17

static uint32_t count_most(const struct ampel_frame *frame) {
    uint32_t most = 1;
    for (size_t i = 0; i < frame->events_count && frame->count != NULL; i++) {
        uint32_t count = ampel_load_u32(frame->count + 4 * i);
        if (count > most) most = count;
    }
    return most;
}

/* Whole where narrow columns would not be shorter. */
static struct widths widths_of(const struct ampel_frame *frame) {
    const uint64_t n = frame->events_count;
    struct widths widths = WHOLE;
    uint64_t span_ms;
    if (n == 0) return WHOLE;
    widths.account = ampel_narrow_bytes(frame->accounts_count - 1);
    uint64_t spared = (4 - widths.account) * n;
    ampel_narrow_span(frame->at, frame->events_count, &widths.from_ms, &span_ms);
    uint32_t at = ampel_narrow_bytes(span_ms);
    bool a_time = widths.from_ms >= 0 && widths.from_ms <= AMPEL_TIME_MAX_MS;
    if (a_time && (8 - at) * n > AT_FROM_BYTES) {
        widths.at = at;
        spared += (8 - at) * n - AT_FROM_BYTES;
    }
    if (frame->count != NULL) {
        widths.count = ampel_narrow_bytes(count_most(frame));
        spared += (4 - widths.count) * n;
    }
    if (frame->extras_offset != NULL) {
        widths.extras_offset = ampel_narrow_bytes(frame->extras_size);
        spared += (4 - widths.extras_offset) * (n + 1);
    }
    widths.narrow = spared > EVENTS_BYTES;
    return widths.narrow ? widths : WHOLE;
}

static void put_u32_column(struct ampel_batch_builder *builder, struct ampel_pack_writer *writer, const uint8_t *column,
                           uint32_t entry_bytes, uint32_t count) {
    if (entry_bytes < 4) {
        ampel_narrow_u32(builder->narrow, entry_bytes, column, count);
        column = builder->narrow;
    }
    ampel_pack_put_bytes(writer, column, entry_bytes * count);
}

static void put_times(struct ampel_batch_builder *builder, struct ampel_pack_writer *writer, const uint8_t *column,
                      const struct widths *widths, uint32_t count) {
    ampel_pack_put_word(writer, "at");
    if (widths->at < 8) {
        ampel_narrow_times(builder->narrow, widths->at, column, count, widths->from_ms);
        column = builder->narrow;
    }
    ampel_pack_put_bytes(writer, column, widths->at * count);
}

static void put_columns(struct ampel_batch_builder *builder, struct ampel_pack_writer *writer,
                        const struct ampel_frame *frame, const struct widths *widths) {
    const uint32_t n = frame->events_count;
    uint32_t present = 3;
    const struct {
        const char *name;
        const uint8_t *bytes;
        uint32_t entry_bytes, count;
        bool numbers; /* u32, of which entry_bytes are written */
    } all[] = {
        {"count", frame->count, widths->count, n, true},
        {"policy", frame->policy, 1, n, false},
        {"severity", frame->severity, 1, n, false},
        {"code", frame->code, 1, n, false},
        {"points", frame->points, 2, n, false},
        {"rev", frame->rev, 2, n, false},
        {"extras_offset", frame->extras_offset, widths->extras_offset, n + 1, true},
        {"extras", frame->extras, 1, frame->extras_size, false},
    };
    for (uint32_t i = 0; i < AMPEL_ARRAY_COUNT(all); i++)
        present += all[i].bytes != NULL;
    present += widths->narrow;
    present += widths->at < 8;
    ampel_pack_put_word(writer, "columns");
    ampel_pack_put_map(writer, present);
    if (widths->narrow) {
        ampel_pack_put_word(writer, "events");
        ampel_pack_put_integer(writer, n);
    }
    if (widths->at < 8) {
        ampel_pack_put_word(writer, "at_from");
        ampel_pack_put_integer(writer, widths->from_ms);
    }
    ampel_pack_put_word(writer, "account");
    put_u32_column(builder, writer, frame->account, widths->account, n);
    ampel_pack_put_word(writer, "type");
    ampel_pack_put_bytes(writer, frame->type, n);
    put_times(builder, writer, frame->at, widths, n);
    for (uint32_t i = 0; i < AMPEL_ARRAY_COUNT(all); i++) {
        if (all[i].bytes == NULL) continue;
        ampel_pack_put_word(writer, all[i].name);
        if (all[i].numbers)
            put_u32_column(builder, writer, all[i].bytes, all[i].entry_bytes, all[i].count);
        else
            ampel_pack_put_bytes(writer, all[i].bytes, all[i].entry_bytes * all[i].count);
    }
}

static void put_value(struct ampel_pack_writer *writer, const struct ampel_value *value) {
    switch (value->kind) {
    case AMPEL_VALUE_BOOLEAN:
        ampel_pack_put_boolean(writer, value->boolean);
        return;
    case AMPEL_VALUE_TEXT:
        ampel_pack_put_text(writer, value->text);
        return;
    case AMPEL_VALUE_LIST:
        ampel_pack_put_list(writer, value->items_count);
        break;
    case AMPEL_VALUE_MAP:
        ampel_pack_put_map(writer, value->items_count);
        break;
    default:
        ampel_pack_put_integer(writer, value->integer);
        return;
    }
    for (uint32_t i = 0; i < value->items_count; i++) {
        const struct ampel_value_item *item = &value->items[i];
        if (value->kind == AMPEL_VALUE_MAP) ampel_pack_put_text(writer, item->key);
        if (item->kind == AMPEL_VALUE_INTEGER)
            ampel_pack_put_integer(writer, item->integer);
        else
            ampel_pack_put_text(writer, item->text);
    }
}

static void put_row(struct ampel_pack_writer *writer, uint32_t account,
                    const struct ampel_event *event) {
    struct ampel_value_reader reader;
    const struct ampel_field *fields;
    const char *type = ampel_registry_name(AMPEL_REGISTRY_EVENT_TYPE, event->type);
    uint32_t present = 0, count = ampel_fields_of(event->type, &fields);
    for (uint32_t i = 0; i < count; i++)
        present += ampel_event_field(event, &fields[i], &reader);
    ampel_pack_put_list(writer, 4);
    ampel_pack_put_unsigned(writer, account);
    ampel_pack_put_word(writer, type == NULL ? "unknown" : type);
    ampel_pack_put_integer(writer, event->at_ms);
    ampel_pack_put_map(writer, present);
    for (uint32_t i = 0; i < count; i++) {
        if (!ampel_event_field(event, &fields[i], &reader)) continue;
        ampel_pack_put_word(writer, fields[i].name);
        put_value(writer, &reader.value);
    }
}

static void put_rows(struct ampel_pack_writer *writer, const struct ampel_frame *frame) {
    ampel_pack_put_word(writer, "rows");
    ampel_pack_put_list(writer, frame->events_count);
    for (uint32_t i = 0; i < frame->events_count; i++) {
        struct ampel_event event;
        uint32_t account;
        ampel_frame_event(frame, i, &account, &event);
        put_row(writer, account, &event);
    }
}

static bool reserve_bytes(uint8_t **block, uint32_t *capacity, uint32_t size) {
    if (size <= *capacity) return true;
    uint8_t *bytes = realloc(*block, size);
    if (bytes == NULL) return false;
    *block = bytes;
    *capacity = size;
    return true;
}

bool ampel_batch_encode(struct ampel_batch_builder *builder,
                        const struct ampel_batch_header *header, bool rows, const uint8_t **bytes,
                        uint32_t *size) {
    uint32_t estimate = ampel_batch_builder_bytes(builder);
    struct ampel_frame frame = {.accounts_count = builder->accounts_count};
    struct widths widths = WHOLE;
    ampel_columns_frame(&builder->columns, &frame);
    if (!reserve_bytes(&builder->bytes, &builder->bytes_capacity, estimate)) return false;
    if (!rows) widths = widths_of(&frame);
    if (widths.narrow && !reserve_bytes(&builder->narrow, &builder->narrow_capacity, 4 * (frame.events_count + 1)))
        return false;
    for (;;) {
        struct ampel_pack_writer writer = {.bytes = builder->bytes,
                                           .capacity = builder->bytes_capacity};
        put_header(&writer, header, widths.narrow ? AMPEL_BATCH_VERSION_NARROW : AMPEL_WIRE_VERSION);
        put_accounts(&writer, builder);
        if (rows)
            put_rows(&writer, &frame);
        else
            put_columns(builder, &writer, &frame, &widths);
        if (!writer.full) {
            *bytes = builder->bytes;
            *size = writer.size;
            return true;
        }
        /* push has kept every encoding within the bound of a batch. */
        AMPEL_ASSERT(builder->bytes_capacity < 2 * AMPEL_BATCH_BYTES_MAX);
        if (!reserve_bytes(&builder->bytes, &builder->bytes_capacity, 2 * builder->bytes_capacity)) return false;
    }
}
