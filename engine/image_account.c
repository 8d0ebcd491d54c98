/* In: one account's image. Nothing is believed: sizes, ranges, order and canonical form are all
 * checked. */
#include <string.h>

#include "engine/image.h"
#include "engine/window.h"

void ampel_image_get_numbers(struct ampel_image_reader *reader, struct ampel_numbers *out) {
    memset(out, 0, sizeof(*out));
    out->deducted = ampel_image_get_i64(reader);
    out->score = (int32_t)ampel_image_get_u32(reader);
    out->order_points = (int32_t)ampel_image_get_u32(reader);
    out->orders = ampel_image_get_u32(reader);
    for (uint32_t i = 0; i < AMPEL_CAP_GROUPS_MAX; i++) {
        out->caps[i] = ampel_image_get_u16(reader);
    }
    out->criticals = ampel_image_get_u16(reader);
    out->colour = ampel_image_get_u8(reader);
    out->risk = ampel_image_get_u8(reader);
    if (out->colour > AMPEL_RED || out->risk > AMPEL_RISK_IMMEDIATE) reader->bad = true;
}

/* ---- orders --------------------------------------------------------------------------------- */

/* The canonical form: edges that are not 0, and no narrower width would do. */
static bool cells_canonical(const uint8_t *cells, uint8_t width, uint32_t days) {
    uint8_t needed = 1, bits = (uint8_t)(8 * width);
    for (uint32_t i = 0; i < days; i++) {
        uint8_t one = ampel_cells_bits(ampel_cells_get(cells, bits, i)) / 8;
        if (one > needed) needed = one;
    }
    return needed == width && ampel_cells_get(cells, bits, 0) != 0 &&
           ampel_cells_get(cells, bits, days - 1) != 0;
}

static enum ampel_engine_status orders_read(struct ampel_engine *engine,
                                            struct ampel_image_reader *reader,
                                            struct ampel_account *account) {
    uint8_t width = ampel_image_get_u8(reader), zero = ampel_image_get_u8(reader);
    uint32_t days = ampel_image_get_u16(reader), first_day = ampel_image_get_u32(reader);
    if (reader->bad || zero != 0) return AMPEL_ENGINE_BAD_BYTES;
    if (width == 0) {
        return days == 0 && first_day == 0 ? AMPEL_ENGINE_OK : AMPEL_ENGINE_BAD_BYTES;
    }
    if (width != 1 && width != 2 && width != 4) return AMPEL_ENGINE_BAD_BYTES;
    if (days < 1 || days > AMPEL_WINDOW_CELLS) return AMPEL_ENGINE_BAD_BYTES;
    const uint8_t *cells = ampel_image_get(reader, days * width);
    if (cells == NULL || !cells_canonical(cells, width, days)) return AMPEL_ENGINE_BAD_BYTES;
    if ((int64_t)first_day + days - 1 > engine->now_day) return AMPEL_ENGINE_BAD_BYTES;
    for (uint32_t i = 0; i < days; i++) {
        uint32_t packed = ampel_cells_get(cells, (uint8_t)(8 * width), i);
        int64_t age_days = engine->now_day - first_day - i;
        /* A day may have left since the page was written: then nothing else was left to write. */
        if (packed == 0 || age_days >= AMPEL_WINDOW_CELLS) continue;
        uint32_t cell =
            (engine->now_cell + AMPEL_WINDOW_CELLS - (uint32_t)age_days) % AMPEL_WINDOW_CELLS;
        if (!ampel_window_put(&engine->pool, &account->window, cell, packed)) {
            return AMPEL_ENGINE_NO_MEMORY;
        }
    }
    account->orders = ampel_window_sum(&account->window, engine->now_cell, (uint32_t)engine->rules.window_days);
    return AMPEL_ENGINE_OK;
}

/* ---- violations ----------------------------------------------------------------------------- */

static bool within(int64_t value, int64_t low, int64_t high) {
    return value >= low && value <= high;
}

static bool texts_read(struct ampel_image_reader *reader, const uint8_t *sizes,
                       struct ampel_text texts[AMPEL_TEXTS_COUNT]) {
    for (uint32_t i = 0; i < AMPEL_TEXTS_COUNT; i++) {
        texts[i] = ampel_image_get_text(reader, sizes[i]);
        if (reader->bad) return false;
        bool missing = sizes[i] == 0 && i != AMPEL_TEXT_ID;
        if (!missing && !ampel_id_valid(texts[i], false)) return false;
    }
    return true;
}

/* A record that waits carries an id and perhaps a state. */
static bool waiting_blank(const struct ampel_violation_facts *facts) {
    return facts->at_ms == 0 && facts->at_risk_sales_cents == -1 && facts->rev == 0 &&
           facts->points_given == -1 && facts->severity_given == AMPEL_SEVERITY_NOT_GIVEN &&
           facts->texts[AMPEL_TEXT_INCIDENT].size == 0 && facts->texts[AMPEL_TEXT_ASIN].size == 0 &&
           facts->texts[AMPEL_TEXT_SKU].size == 0;
}

static bool state_plausible(const struct ampel_violation_image *image, int64_t now_ms) {
    bool cleared_ever = image->cleared_since_ms != AMPEL_CLEARED_NEVER_MS;
    if (image->state >= AMPEL_STATES_COUNT) return false;
    if (image->state_at_ms == AMPEL_STATE_NEVER_MS) {
        return image->state == AMPEL_STATE_OPEN && !cleared_ever;
    }
    if (!within(image->state_at_ms, 0, now_ms)) return false;
    if (image->state_at_ms > image->last_seen_ms) return false;
    if (ampel_state_cleared(image->state) && !cleared_ever) return false;
    return !cleared_ever || within(image->cleared_since_ms, 0, image->state_at_ms);
}

static bool image_plausible(const struct ampel_violation_image *image, int64_t now_ms) {
    const struct ampel_violation_facts *facts = &image->facts;
    if (!state_plausible(image, now_ms)) return false;
    if (!within(image->last_seen_ms, 0, AMPEL_TIME_MAX_MS)) return false;
    if (facts->policy == AMPEL_POLICY_WAITING) return waiting_blank(facts);
    return facts->policy < ampel_registry_count(AMPEL_REGISTRY_POLICY) &&
           within(facts->at_ms, 0, now_ms) && facts->at_ms <= image->last_seen_ms &&
           facts->at_risk_sales_cents >= -1 && within(facts->points_given, -1, AMPEL_POINTS_MAX) &&
           within(facts->severity_given, AMPEL_SEVERITY_NOT_GIVEN, AMPEL_SEVERITY_CRITICAL);
}

static bool image_read(struct ampel_image_reader *reader, struct ampel_violation_image *image) {
    memset(image, 0, sizeof(*image));
    image->facts.at_ms = ampel_image_get_i64(reader);
    image->state_at_ms = ampel_image_get_i64(reader);
    image->cleared_since_ms = ampel_image_get_i64(reader);
    image->last_seen_ms = ampel_image_get_i64(reader);
    image->facts.at_risk_sales_cents = ampel_image_get_i64(reader);
    image->facts.rev = ampel_image_get_u16(reader);
    image->facts.points_given = (int16_t)ampel_image_get_u16(reader);
    image->facts.policy = ampel_image_get_u8(reader);
    image->facts.severity_given = (int8_t)ampel_image_get_u8(reader);
    image->state = ampel_image_get_u8(reader);
    uint8_t zero = ampel_image_get_u8(reader);
    const uint8_t *sizes = ampel_image_get(reader, AMPEL_TEXTS_COUNT);
    return sizes != NULL && zero == 0 && texts_read(reader, sizes, image->facts.texts);
}

static enum ampel_engine_status violations_read(struct ampel_engine *engine,
                                                struct ampel_image_reader *reader,
                                                struct ampel_account *account) {
    struct ampel_violations_context context = ampel_engine_context(engine);
    context.records_max = AMPEL_ACCOUNT_VIOLATIONS_MAX; /* a lower setting does not unmake them */
    uint32_t count = ampel_image_get_u32(reader);
    for (uint32_t i = 0; i < count; i++) {
        struct ampel_violation_image image;
        if (!image_read(reader, &image)) return AMPEL_ENGINE_BAD_BYTES;
        if (!image_plausible(&image, engine->now_ms)) return AMPEL_ENGINE_BAD_BYTES;
        enum ampel_outcome outcome =
            ampel_violations_import(&account->violations, &context, &image);
        if (outcome == AMPEL_OUTCOME_NO_MEMORY) return AMPEL_ENGINE_NO_MEMORY;
        if (outcome != AMPEL_OUTCOME_KEPT) return AMPEL_ENGINE_BAD_BYTES;
    }
    if (account->violations != NULL) engine->violations_count += account->violations->known_count;
    return reader->bad ? AMPEL_ENGINE_BAD_BYTES : AMPEL_ENGINE_OK;
}

/* ---- facts ---------------------------------------------------------------------------------- */

static enum ampel_engine_status facts_read(struct ampel_engine *engine,
                                           struct ampel_image_reader *reader,
                                           struct ampel_account *account) {
    uint32_t count = ampel_image_get_u32(reader);
    for (uint32_t i = 0; i < count; i++) {
        struct ampel_event event = {.severity = AMPEL_SEVERITY_NOT_GIVEN};
        event.at_ms = ampel_image_get_i64(reader);
        event.count = ampel_image_get_u32(reader);
        event.points = (int16_t)ampel_image_get_u16(reader);
        event.type = ampel_image_get_u8(reader);
        event.code = ampel_image_get_u8(reader);
        event.extras_size = ampel_image_get_u32(reader);
        event.extras = ampel_image_get(reader, event.extras_size);
        if (event.extras == NULL || event.type <= AMPEL_EVENT_VIOLATION_STATE) {
            return AMPEL_ENGINE_BAD_BYTES;
        }
        if (event.at_ms > engine->now_ms || ampel_event_tolerate(&event) != AMPEL_VERDICT_OK) {
            return AMPEL_ENGINE_BAD_BYTES;
        }
        struct ampel_rare *rare = ampel_account_rare(account, &engine->pool);
        if (rare == NULL) return AMPEL_ENGINE_NO_MEMORY;
        enum ampel_outcome outcome = ampel_facts_import(&rare->facts, &engine->pool, &event);
        if (outcome == AMPEL_OUTCOME_NO_MEMORY) return AMPEL_ENGINE_NO_MEMORY;
        if (outcome != AMPEL_OUTCOME_KEPT) return AMPEL_ENGINE_BAD_BYTES;
        engine->facts_count++;
    }
    return reader->bad ? AMPEL_ENGINE_BAD_BYTES : AMPEL_ENGINE_OK;
}

enum ampel_engine_status ampel_image_account_read(struct ampel_engine *engine,
                                                  struct ampel_image_reader *reader,
                                                  struct ampel_account *account,
                                                  struct ampel_numbers *shown) {
    ampel_image_get_numbers(reader, shown);
    enum ampel_engine_status status = orders_read(engine, reader, account);
    if (status == AMPEL_ENGINE_OK) status = violations_read(engine, reader, account);
    if (status == AMPEL_ENGINE_OK) status = facts_read(engine, reader, account);
    return status;
}
