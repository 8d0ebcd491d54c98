/* See image.h: assurance, drift and the sections behind them in pages. */
#include <string.h>

#include "engine/assurance.h"
#include "engine/clocks.h"
#include "engine/drift.h"
#include "engine/image.h"
#include "engine/takeover.h"

/* ---- sections ------------------------------------------------------------------------------- */

#define SECTION_HEAD_BYTES 5

uint32_t ampel_image_section_begin(struct ampel_image_writer *writer, uint8_t tag) {
    uint32_t begin = writer->size;
    ampel_image_put_u8(writer, tag);
    ampel_image_put_u32(writer, 0);
    return begin;
}

void ampel_image_section_end(struct ampel_image_writer *writer, uint32_t begin) {
    uint32_t behind = writer->size;
    /* A writer that only counts on holds no bytes to mend. */
    if (behind == UINT32_MAX) return;
    uint32_t size = behind - begin - SECTION_HEAD_BYTES;
    writer->size = begin;
    if (size == 0) return;
    writer->size = begin + 1;
    ampel_image_put_u32(writer, size);
    writer->size = behind;
}

static void clocks_put(struct ampel_image_writer *writer, const struct ampel_clocks *clocks) {
    uint32_t begin = ampel_image_section_begin(writer, AMPEL_SECTION_CLOCKS);
    for (uint32_t i = 0; clocks != NULL && i < AMPEL_CLOCKS_MAX; i++) {
        const struct ampel_clock_state *clock = &clocks->list[i];
        if (clock->deadline_ms == 0) continue;
        ampel_image_put_u8(writer, (uint8_t)i);
        ampel_image_put_u8(writer, (uint8_t)clock->told);
        ampel_image_put_i64(writer, clock->started_ms);
        ampel_image_put_i64(writer, clock->deadline_ms);
    }
    ampel_image_section_end(writer, begin);
}

static enum ampel_engine_status clocks_read(struct ampel_engine *engine,
                                            struct ampel_image_reader *section,
                                            struct ampel_account *account) {
    struct ampel_rare *rare = ampel_account_rare(account, &engine->pool);
    if (rare == NULL) return AMPEL_ENGINE_NO_MEMORY;
    rare->clocks = ampel_pool_take(&engine->pool, sizeof(*rare->clocks));
    if (rare->clocks == NULL) return AMPEL_ENGINE_NO_MEMORY;
    memset(rare->clocks, 0, sizeof(*rare->clocks));
    for (uint32_t next = 0; section->offset < section->size;) {
        uint32_t index = ampel_image_get_u8(section), told = ampel_image_get_u8(section);
        int64_t started_ms = ampel_image_get_i64(section);
        int64_t deadline_ms = ampel_image_get_i64(section);
        if (section->bad || index < next || index >= AMPEL_CLOCKS_MAX ||
            (told & ~(uint32_t)AMPEL_CLOCK_FLAGS) != 0 || started_ms < 0 ||
            started_ms > engine->now_ms || deadline_ms <= started_ms ||
            deadline_ms > started_ms + AMPEL_WINDOW_MS * 3) {
            return AMPEL_ENGINE_BAD_BYTES;
        }
        rare->clocks->list[index] = (struct ampel_clock_state){started_ms, deadline_ms, told, 0};
        next = index + 1;
    }
    return AMPEL_ENGINE_OK;
}

static void sections_put(struct ampel_image_writer *writer, const struct ampel_account *account) {
    clocks_put(writer, account->rare != NULL ? account->rare->clocks : NULL);
    uint32_t begin = ampel_image_section_begin(writer, AMPEL_SECTION_TAKEOVER);
    ampel_takeover_put(writer, account);
    ampel_image_section_end(writer, begin);
    ampel_image_put_u8(writer, AMPEL_SECTION_END);
}

/* One section's bytes; what it leaves unread is refused. */
static enum ampel_engine_status section_read(struct ampel_engine *engine,
                                             struct ampel_image_reader *section, uint8_t tag,
                                             struct ampel_account *account) {
    switch (tag) {
    case AMPEL_SECTION_CLOCKS:
        return clocks_read(engine, section, account);
    case AMPEL_SECTION_TAKEOVER:
        return ampel_takeover_read(engine, section, account);
    default:
        return AMPEL_ENGINE_BAD_BYTES;
    }
}

static enum ampel_engine_status sections_read(struct ampel_engine *engine,
                                              struct ampel_image_reader *reader,
                                              struct ampel_account *account) {
    uint8_t before = AMPEL_SECTION_END;
    for (;;) {
        uint8_t tag = ampel_image_get_u8(reader);
        if (reader->bad) return AMPEL_ENGINE_BAD_BYTES;
        if (tag == AMPEL_SECTION_END) return AMPEL_ENGINE_OK;
        struct ampel_image_reader section = {.size = ampel_image_get_u32(reader)};
        section.bytes = ampel_image_get(reader, section.size);
        if (reader->bad || tag <= before || section.size == 0) return AMPEL_ENGINE_BAD_BYTES;
        enum ampel_engine_status status = section_read(engine, &section, tag, account);
        if (status != AMPEL_ENGINE_OK) return status;
        if (section.bad || section.offset != section.size) return AMPEL_ENGINE_BAD_BYTES;
        before = tag;
    }
}

/* ---- all of it ------------------------------------------------------------------------------ */

static void drifts_put(struct ampel_image_writer *writer, const struct ampel_facts *facts) {
    if (facts == NULL) return;
    for (uint32_t i = ampel_facts_first(facts, AMPEL_EVENT_OBSERVED, 0);
         i < facts->count && facts->sorted[i]->type == AMPEL_EVENT_OBSERVED; i++) {
        const struct ampel_fact *fact = facts->sorted[i];
        ampel_image_put_u32(writer, (uint32_t)fact->drift);
        ampel_image_put_u32(writer, fact->orders);
        ampel_image_put_u16(writer, fact->marks & AMPEL_DRIFT_KEPT);
        ampel_image_put_u16(writer, fact->rules);
    }
}

void ampel_image_beside_put(struct ampel_image_writer *writer,
                            const struct ampel_account *account) {
    const struct ampel_rare *rare = account->rare;
    bool bits = rare != NULL && rare->below != NULL;
    ampel_image_put_u32(writer, account->first_day);
    ampel_image_put_u32(writer, account->settled_day);
    ampel_image_put_u8(writer, account->assured);
    ampel_image_put_u8(writer, bits);
    ampel_image_put_u16(writer, 0);
    if (bits) ampel_image_put(writer, rare->below->words, sizeof(rare->below->words));
    drifts_put(writer, rare != NULL ? rare->facts : NULL);
    sections_put(writer, account);
}

static bool drift_read(struct ampel_image_reader *reader, struct ampel_fact *fact) {
    fact->drift = (int32_t)ampel_image_get_u32(reader);
    fact->orders = ampel_image_get_u32(reader);
    fact->marks = ampel_image_get_u16(reader);
    fact->rules = ampel_image_get_u16(reader);
    bool known = (fact->marks & AMPEL_DRIFT_KNOWN) != 0;
    bool blank = fact->drift == 0 && fact->orders == 0 && fact->marks == 0 && fact->rules == 0;
    /* Wide enough for every score, narrow enough that observed - drift never overflows. */
    bool plausible = fact->drift >= -INT32_MAX / 2 && fact->drift <= INT32_MAX / 2;
    bool marks = (fact->marks & ~AMPEL_DRIFT_KEPT) == 0;
    return !reader->bad && (known ? marks && plausible && fact->points >= 0 : blank);
}

static enum ampel_engine_status drifts_read(struct ampel_image_reader *reader,
                                            const struct ampel_facts *facts) {
    if (facts == NULL) return AMPEL_ENGINE_OK;
    for (uint32_t i = ampel_facts_first(facts, AMPEL_EVENT_OBSERVED, 0);
         i < facts->count && facts->sorted[i]->type == AMPEL_EVENT_OBSERVED; i++) {
        if (!drift_read(reader, facts->sorted[i])) return AMPEL_ENGINE_BAD_BYTES;
    }
    return AMPEL_ENGINE_OK;
}

enum ampel_engine_status ampel_image_beside_read(struct ampel_engine *engine,
                                                 struct ampel_image_reader *reader,
                                                 struct ampel_account *account, bool sections) {
    account->first_day = ampel_image_get_u32(reader);
    account->settled_day = ampel_image_get_u32(reader);
    account->assured = ampel_image_get_u8(reader);
    uint8_t bits = ampel_image_get_u8(reader);
    uint16_t zero = ampel_image_get_u16(reader);
    uint32_t flags = sections ? AMPEL_ASSURED_FLAGS : AMPEL_ASSURED_FLAGS & ~AMPEL_ASSURED_LEAVING;
    if (reader->bad || zero != 0 || bits > 1 || (account->assured & ~flags) != 0 ||
        account->first_day > account->settled_day || account->settled_day > engine->now_day) {
        return AMPEL_ENGINE_BAD_BYTES;
    }
    uint8_t showing = AMPEL_ASSURED_TODAY_BELOW | AMPEL_ASSURED_NOW_BELOW;
    bool begun = (account->assured & AMPEL_ASSURED_BEGUN) != 0;
    if (!begun && (account->settled_day != 0 || bits != 0 || (account->assured & showing) != 0)) {
        return AMPEL_ENGINE_BAD_BYTES;
    }
    if (bits == 1) {
        const uint8_t *bytes = ampel_image_get(reader, sizeof(struct ampel_below));
        if (bytes == NULL) return AMPEL_ENGINE_BAD_BYTES;
        struct ampel_rare *rare = ampel_account_rare(account, &engine->pool);
        if (rare == NULL) return AMPEL_ENGINE_NO_MEMORY;
        rare->below = ampel_pool_take(&engine->pool, sizeof(*rare->below));
        if (rare->below == NULL) return AMPEL_ENGINE_NO_MEMORY;
        memcpy(rare->below->words, bytes, sizeof(rare->below->words));
    }
    enum ampel_engine_status status =
        drifts_read(reader, account->rare != NULL ? account->rare->facts : NULL);
    if (status != AMPEL_ENGINE_OK || !sections) return status;
    return sections_read(engine, reader, account);
}
