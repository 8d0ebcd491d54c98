/* Out: pages, the rest, digests. */
#include <string.h>

#include "engine/image.h"
#include "engine/window.h"

/* ---- one account ---------------------------------------------------------------------------- */

void ampel_image_put_numbers(struct ampel_image_writer *writer,
                             const struct ampel_numbers *numbers) {
    ampel_image_put_i64(writer, numbers->deducted);
    ampel_image_put_u32(writer, (uint32_t)numbers->score);
    ampel_image_put_u32(writer, (uint32_t)numbers->order_points);
    ampel_image_put_u32(writer, numbers->orders);
    for (uint32_t i = 0; i < AMPEL_CAP_GROUPS_MAX; i++) {
        ampel_image_put_u16(writer, numbers->caps[i]);
    }
    ampel_image_put_u16(writer, numbers->criticals);
    ampel_image_put_u8(writer, numbers->colour);
    ampel_image_put_u8(writer, numbers->risk);
}

/* Cells from the newest day's back to the oldest's; age 0 is today's. */
static uint32_t cell_of_age(const struct ampel_engine *engine, uint32_t age_days) {
    return (engine->now_cell + AMPEL_WINDOW_CELLS - age_days) % AMPEL_WINDOW_CELLS;
}

static void orders_put(struct ampel_image_writer *writer, const struct ampel_engine *engine,
                       const struct ampel_account *account) {
    struct ampel_window_days filled;
    uint8_t cells[4 * AMPEL_WINDOW_CELLS], bits = 0;
    uint32_t oldest = 0, days = 0;
    ampel_window_days(&account->window, &filled);
    /* Behind today's cell comes that of the oldest day. */
    uint32_t ahead = ampel_window_days_ahead(&filled, cell_of_age(engine, AMPEL_WINDOW_CELLS - 1));
    if (ahead < AMPEL_WINDOW_CELLS) oldest = AMPEL_WINDOW_CELLS - 1 - ahead;
    for (uint32_t age = oldest; ahead < AMPEL_WINDOW_CELLS; age -= ahead) {
        uint8_t needed = ampel_cells_bits(ampel_window_get(&account->window, cell_of_age(engine, age)));
        if (needed > bits) bits = needed;
        days = oldest - age + 1;
        if (age == 0) break;
        ahead = 1 + ampel_window_days_ahead(&filled, cell_of_age(engine, age - 1));
        if (ahead > age) break;
    }
    /* A page knows no cells narrower than bytes. */
    if (bits == 4) bits = 8;
    uint8_t width = bits / 8;
    ampel_image_put_u8(writer, width);
    ampel_image_put_u8(writer, 0);
    ampel_image_put_u16(writer, (uint16_t)days);
    ampel_image_put_u32(writer, width > 0 ? (uint32_t)(engine->now_day - oldest) : 0);
    memset(cells, 0, (size_t)days * width);
    for (uint32_t i = 0; i < days; i++) {
        i += ampel_window_days_ahead(&filled, cell_of_age(engine, oldest - i));
        ampel_cells_set(cells, bits, i, ampel_window_get(&account->window, cell_of_age(engine, oldest - i)));
    }
    ampel_image_put(writer, cells, days * width);
}

static void violation_put(struct ampel_image_writer *writer, const struct ampel_violations *block,
                          uint16_t record) {
    const struct ampel_violation_hot *hot = &block->hot[record];
    const struct ampel_violation_cold *cold = hot->cold;
    struct ampel_text texts[AMPEL_TEXTS_COUNT];
    int64_t sales_cents;
    ampel_violations_texts(block, record, texts, &sales_cents);
    ampel_image_put_i64(writer, hot->at_ms);
    ampel_image_put_i64(writer, hot->cold->state_at_ms);
    ampel_image_put_i64(writer, hot->cleared_since_ms);
    ampel_image_put_i64(writer, cold->last_seen_ms);
    ampel_image_put_i64(writer, sales_cents);
    ampel_image_put_u16(writer, hot->rev);
    ampel_image_put_u16(writer, (uint16_t)hot->points_given);
    ampel_image_put_u8(writer, hot->policy);
    ampel_image_put_u8(writer, (uint8_t)hot->severity_given);
    ampel_image_put_u8(writer, hot->state);
    ampel_image_put_u8(writer, 0);
    ampel_image_put(writer, cold->sizes, sizeof(cold->sizes));
    for (uint32_t i = 0; i < AMPEL_TEXTS_COUNT; i++)
        ampel_image_put(writer, texts[i].bytes, texts[i].size);
}

static void facts_put(struct ampel_image_writer *writer, const struct ampel_facts *facts) {
    uint32_t count = facts != NULL ? facts->count : 0;
    ampel_image_put_u32(writer, count);
    for (uint32_t i = 0; i < count; i++) {
        const struct ampel_fact *fact = facts->sorted[i];
        ampel_image_put_i64(writer, fact->at_ms);
        ampel_image_put_u32(writer, fact->count);
        ampel_image_put_u16(writer, (uint16_t)fact->points);
        ampel_image_put_u8(writer, fact->type);
        ampel_image_put_u8(writer, fact->code);
        ampel_image_put_u32(writer, fact->extras_size);
        ampel_image_put(writer, fact->extras, fact->extras_size);
    }
}

static void account_put(struct ampel_image_writer *writer, const struct ampel_engine *engine,
                        uint32_t slot) {
    const struct ampel_account *account = ampel_account_at(&engine->accounts, slot);
    struct ampel_text tenant, seller, marketplace;
    ampel_engine_account_identity(engine, slot, &tenant, &seller, &marketplace);
    ampel_image_put_u8(writer, (uint8_t)tenant.size);
    ampel_image_put_u8(writer, (uint8_t)seller.size);
    ampel_image_put_u8(writer, (uint8_t)marketplace.size);
    ampel_image_put_u8(writer, 0);
    ampel_image_put(writer, tenant.bytes, tenant.size);
    ampel_image_put(writer, seller.bytes, seller.size);
    ampel_image_put(writer, marketplace.bytes, marketplace.size);
    struct ampel_numbers numbers;
    ampel_account_numbers(engine, account, &numbers);
    ampel_image_put_numbers(writer, &numbers);
    orders_put(writer, engine, account);
    const struct ampel_violations *block = account->violations;
    uint32_t count = block != NULL ? block->count : 0;
    ampel_image_put_u32(writer, count);
    uint32_t end = ampel_violations_end(block);
    for (uint32_t i = ampel_violations_filled(block, 0); i < end; i = ampel_violations_filled(block, i + 1))
        violation_put(writer, block, ampel_violations_order(block)[i]);
    facts_put(writer, account->rare != NULL ? account->rare->facts : NULL);
}

uint32_t ampel_engine_account_export(const struct ampel_engine *engine, uint32_t slot,
                                     uint8_t *bytes, uint32_t capacity) {
    AMPEL_ASSERT(slot < engine->accounts.count && !engine->instant.active);
    struct ampel_image_writer writer = {bytes, capacity, 0};
    account_put(&writer, engine, slot);
    return writer.size;
}

/* ---- pages ---------------------------------------------------------------------------------- */

static void backfill_put(struct ampel_image_writer *writer, const struct ampel_rare *rare) {
    const struct ampel_backfill *backfill = rare != NULL ? rare->backfill : NULL;
    ampel_image_put_u8(writer, backfill != NULL);
    if (backfill == NULL) return;
    ampel_image_put_u8(writer, backfill->is_new);
    ampel_image_put_i64(writer, backfill->due_ms);
    ampel_image_put_numbers(writer, &backfill->before);
}

uint32_t ampel_engine_page_export(const struct ampel_engine *engine, uint32_t page, uint8_t *bytes,
                                  uint32_t capacity) {
    /* What a copy in pieces takes in the middle of an instant has not been touched by it. */
    AMPEL_ASSERT(page < ampel_engine_pages_count(engine));
    AMPEL_ASSERT(!engine->instant.active || engine->before != NULL);
    struct ampel_image_writer writer = {bytes, capacity, 0};
    uint32_t first = page * AMPEL_PAGE_ACCOUNTS;
    uint32_t count = (engine->before != NULL ? engine->copied_accounts : engine->accounts.count) - first;
    if (count > AMPEL_PAGE_ACCOUNTS) count = AMPEL_PAGE_ACCOUNTS;
    ampel_image_put_u32(&writer, AMPEL_PAGE_MAGIC);
    ampel_image_put_u32(&writer, count);
    for (uint32_t slot = first; slot < first + count; slot++) {
        ampel_image_put_u64(&writer, ampel_account_at(&engine->accounts, slot)->hash);
        backfill_put(&writer, ampel_account_at(&engine->accounts, slot)->rare);
        account_put(&writer, engine, slot);
        ampel_image_beside_put(&writer, ampel_account_at(&engine->accounts, slot));
    }
    return writer.size;
}

/* ---- copies in pieces ----------------------------------------------------------------------- */

void ampel_engine_copy_begin(struct ampel_engine *engine, ampel_engine_before *before, void *context) {
    AMPEL_ASSERT(engine->before == NULL && !engine->instant.active && !engine->importing);
    engine->before = before;
    engine->before_context = context;
    engine->copied_accounts = engine->accounts.count;
}

void ampel_engine_copy_end(struct ampel_engine *engine) {
    AMPEL_ASSERT(engine->before != NULL);
    engine->before = NULL;
    engine->before_context = NULL;
}

bool ampel_engine_midnight_ahead(const struct ampel_engine *engine, int64_t to_ms) {
    return to_ms / AMPEL_DAY_MS > engine->now_day;
}

/* ---- the rest ------------------------------------------------------------------------------- */

uint64_t ampel_image_scale(const struct ampel_scale *scale) {
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    const uint8_t *bytes = (const uint8_t *)scale;
    for (size_t i = 0; i < sizeof(*scale); i++) {
        hash = (hash ^ bytes[i]) * UINT64_C(0x100000001b3);
    }
    return hash;
}

static void pending_put(struct ampel_image_writer *writer,
                        const struct ampel_pending_entry *entry) {
    ampel_image_put_i64(writer, entry->at_ms);
    ampel_image_put_u64(writer, entry->sequence);
    ampel_image_put_u32(writer, entry->slot);
    ampel_image_put_u32(writer, entry->count);
    ampel_image_put_u32(writer, entry->extras_size);
    ampel_image_put_u16(writer, entry->rev);
    ampel_image_put_u16(writer, (uint16_t)entry->points);
    ampel_image_put_u8(writer, entry->type);
    ampel_image_put_u8(writer, entry->policy);
    ampel_image_put_u8(writer, (uint8_t)entry->severity);
    ampel_image_put_u8(writer, entry->code);
    ampel_image_put_u8(writer, entry->producer_size);
    ampel_image_put_u8(writer, entry->backfill);
    ampel_image_put(writer, entry->bytes, entry->producer_size + entry->extras_size);
}

static void producer_put(struct ampel_image_writer *writer, const struct ampel_producer *producer) {
    struct ampel_producer_window window;
    ampel_producer_get(producer, &window);
    ampel_image_put_u8(writer, (uint8_t)window.tenant.size);
    ampel_image_put_u8(writer, (uint8_t)window.producer.size);
    ampel_image_put(writer, window.tenant.bytes, window.tenant.size);
    ampel_image_put(writer, window.producer.bytes, window.producer.size);
    ampel_image_put_i64(writer, window.seen_ms);
    ampel_image_put_u64(writer, window.base);
    for (uint32_t i = 0; i < AMPEL_WINDOW_WORDS; i++)
        ampel_image_put_u64(writer, window.bits[i]);
}

uint32_t ampel_engine_meta_export(const struct ampel_engine *engine, uint8_t *bytes,
                                  uint32_t capacity) {
    AMPEL_ASSERT(!engine->instant.active);
    struct ampel_image_writer writer = {bytes, capacity, 0};
    ampel_image_put_u32(&writer, AMPEL_META_MAGIC);
    ampel_image_put_u32(&writer, engine->accounts.count);
    ampel_image_put_i64(&writer, engine->now_ms);
    ampel_image_put(&writer, engine->rules.version, sizeof(engine->rules.version));
    ampel_image_put_u64(&writer, ampel_image_scale(&engine->scale));
    ampel_image_put_u32(&writer, engine->pending.count);
    ampel_pending_sort(&engine->pending);
    for (uint32_t i = 0; i < engine->pending.count; i++) {
        pending_put(&writer, &engine->pending.heap[i]);
    }
    ampel_image_put_u32(&writer, engine->producers.count);
    for (uint32_t i = 0; i < engine->producers.count; i++) {
        producer_put(&writer, engine->producers.sorted[i]);
    }
    return writer.size;
}
