/* A copy in pieces. At its begin stand position, time and meta, and which pages are dirty. Then pages are taken one after
   the other, each with the rows that are cheap or that its cleaning would lose, and behind them the rows that cost
   something. Frames go on being applied in between: the engine asks before an account changes (engine.h, copies in pieces),
   and what of it, or of its page, is still due is taken then. So every page and row shows the partition at the position of
   the begin, and no frame waits for more than what it touches. */
#include "workers/checkpoint_build.h"

#include <stdlib.h>
#include <string.h>

#include "proto/page.h"
#include "workers/checkpoint_beside.h"
#include "workers/checkpoint_incident.h"
#include "workers/checkpoint_rows.h"

/* What pieces cost, in units of about a microsecond. */
#define PAGE_UNITS   50
#define RATING_UNITS 9

/* A bitmap, and from where on bits may be set. */
struct due {
    uint64_t *words;
    uint32_t capacity, count, next;
};

struct ampel_checkpoint_builder {
    struct ampel_page_codec *codec;
    uint8_t *raw; /* what the engine exports, before it is packed */
    uint32_t raw_capacity;
    struct due pages, ratings, beside; /* not taken yet: pages by number, rows by slot */
    struct ampel_checkpoint_source source;
    uint32_t accounts_count; /* at the begin */
    uint64_t spent;          /* units, those for the engine among them */
    struct ampel_building building; /* checkpoint is NULL where none is being built */
};

struct ampel_checkpoint_builder *ampel_checkpoint_builder_open(void) {
    struct ampel_checkpoint_builder *builder = calloc(1, sizeof(*builder));
    if (builder == NULL) return NULL;
    builder->codec = ampel_page_codec_open();
    if (builder->codec == NULL) {
        free(builder);
        return NULL;
    }
    return builder;
}

void ampel_checkpoint_builder_close(struct ampel_checkpoint_builder *builder) {
    if (builder == NULL) return;
    if (builder->building.checkpoint != NULL) ampel_checkpoint_free(builder->building.checkpoint);
    ampel_page_codec_close(builder->codec);
    free(builder->raw);
    free(builder->pages.words);
    free(builder->ratings.words);
    free(builder->beside.words);
    free(builder);
}

/* ---- what is due ---------------------------------------------------------------------------- */

/* Nothing is due of so many. False: no memory. */
static bool due_reset(struct due *due, uint32_t bits) {
    uint32_t words = bits / 64 + 1;
    if (words > due->capacity) {
        uint64_t *grown = realloc(due->words, words * sizeof(due->words[0]));
        if (grown == NULL) return false;
        due->words = grown;
        due->capacity = words;
    }
    due->count = words;
    due->next = 0;
    memset(due->words, 0, words * sizeof(due->words[0]));
    return true;
}

static void due_set(struct due *due, uint32_t bit) { due->words[bit / 64] |= UINT64_C(1) << (bit % 64); }

/* Whether it was due; it is not any more. */
static bool due_take(struct due *due, uint32_t bit) {
    if (bit / 64 >= due->count) return false;
    uint64_t mask = UINT64_C(1) << (bit % 64);
    bool was = (due->words[bit / 64] & mask) != 0;
    due->words[bit / 64] &= ~mask;
    return was;
}

/* The first that is due, UINT32_MAX where none is. */
static uint32_t due_first(struct due *due) {
    for (; due->next < due->count; due->next++) {
        uint64_t word = due->words[due->next];
        if (word != 0) return due->next * 64 + (uint32_t)__builtin_ctzll(word);
    }
    return UINT32_MAX;
}

/* ---- pages ---------------------------------------------------------------------------------- */

static bool raw_reserve(struct ampel_checkpoint_builder *builder, uint32_t size) {
    if (size <= builder->raw_capacity) return true;
    uint32_t wanted = size + size / 2;
    uint8_t *grown = realloc(builder->raw, wanted);
    if (grown == NULL) return false;
    builder->raw = grown;
    builder->raw_capacity = wanted;
    return true;
}

/* The packed bytes of raw, in the checkpoint's arena. */
static bool pack(struct ampel_checkpoint_builder *builder, uint32_t raw_size, uint8_t **bytes, uint32_t *size) {
    struct ampel_building *building = &builder->building;
    const uint8_t *packed;
    if (!ampel_page_encode(builder->codec, builder->raw, raw_size, &packed, size)) return false;
    *bytes = ampel_arena_take(building->checkpoint->arena, *size);
    if (*bytes == NULL) return false;
    memcpy(*bytes, packed, *size);
    building->size_bytes += *size;
    return true;
}

static bool build_meta(struct ampel_checkpoint_builder *builder) {
    const struct ampel_engine *engine = builder->source.engine;
    struct ampel_checkpoint *checkpoint = builder->building.checkpoint;
    uint32_t size = ampel_engine_meta_export(engine, builder->raw, builder->raw_capacity);
    if (size > builder->raw_capacity) {
        if (!raw_reserve(builder, size)) return false;
        size = ampel_engine_meta_export(engine, builder->raw, builder->raw_capacity);
    }
    AMPEL_ASSERT(size <= builder->raw_capacity);
    return pack(builder, size, &checkpoint->meta, &checkpoint->meta_size);
}

static bool build_page(struct ampel_checkpoint_builder *builder, uint32_t page) {
    const struct ampel_engine *engine = builder->source.engine;
    uint32_t size = ampel_engine_page_export(engine, page, builder->raw, builder->raw_capacity);
    if (size > builder->raw_capacity) {
        if (!raw_reserve(builder, size)) return false;
        size = ampel_engine_page_export(engine, page, builder->raw, builder->raw_capacity);
    }
    AMPEL_ASSERT(size <= builder->raw_capacity);
    struct ampel_checkpoint *checkpoint = builder->building.checkpoint;
    struct ampel_loaded_page *out = &checkpoint->pages[checkpoint->pages_count];
    out->page = page;
    if (!pack(builder, size, &out->bytes, &out->size)) return false;
    checkpoint->pages_count++;
    return true;
}

static bool take_beside(struct ampel_checkpoint_builder *builder, uint32_t slot) {
    return !due_take(&builder->beside, slot) || !ampel_beside_has_row(builder->source.engine, slot) ||
           ampel_building_beside(&builder->building, slot);
}

/* The account's rating row, which need not wait any more. */
static void choose_rating(struct ampel_checkpoint_builder *builder, uint32_t slot) {
    ampel_gathered_wait_no_more(builder->source.gathered, slot);
    due_set(&builder->ratings, slot);
}

/* Which rows of an account are to be written; those for order counts alone may have to wait. Rows that the cleaning of the
   page would lose are made. */
static bool choose_rows(struct ampel_checkpoint_builder *builder, uint32_t slot) {
    const struct ampel_engine *engine = builder->source.engine;
    struct ampel_building *building = &builder->building;
    uint8_t changed = ampel_engine_row_changed(engine, slot);
    bool orders = (changed & AMPEL_ROW_ORDERS) != 0;
    /* What is known of a violation or an incident may change what stands in the row, and no number. */
    if ((changed & (AMPEL_ROW_NUMBERS | AMPEL_ROW_VIOLATIONS)) != 0 ||
        ((changed & AMPEL_ROW_FACTS) != 0 && ampel_incident_told(engine, slot))) {
        choose_rating(builder, slot);
    } else if (orders && builder->source.orders_rows) {
        choose_rating(builder, slot);
    } else if (orders) {
        ampel_gathered_wait(builder->source.gathered, slot);
    }
    if ((changed & AMPEL_ROW_VIOLATIONS) != 0 && !ampel_building_violations(building, slot, false)) return false;
    if ((changed & AMPEL_ROW_CLOCKS) != 0 && !ampel_building_clocks(building, slot)) return false;
    /* A violation that became known may be one that was missing. */
    if ((changed & (AMPEL_ROW_FACTS | AMPEL_ROW_VIOLATIONS)) != 0) due_set(&builder->beside, slot);
    return take_beside(builder, slot);
}

static bool take_page(struct ampel_checkpoint_builder *builder, uint32_t page) {
    if (!due_take(&builder->pages, page)) return true;
    uint32_t end = (page + 1) * AMPEL_PAGE_ACCOUNTS;
    if (end > builder->accounts_count) end = builder->accounts_count;
    builder->spent += PAGE_UNITS;
    if (!build_page(builder, page)) return false;
    for (uint32_t slot = page * AMPEL_PAGE_ACCOUNTS; slot < end; slot++) {
        if (!choose_rows(builder, slot)) return false;
    }
    ampel_engine_page_clean(builder->source.engine, page);
    return true;
}

static bool take_rows(struct ampel_checkpoint_builder *builder, uint32_t slot) {
    if (due_take(&builder->ratings, slot)) {
        builder->spent += RATING_UNITS;
        if (!ampel_building_rating(&builder->building, slot)) return false;
    }
    return take_beside(builder, slot);
}

/* The engine asks: the account is about to change, or the next one comes into being. */
static bool take_before(void *context, uint32_t slot) {
    struct ampel_checkpoint_builder *builder = context;
    return take_page(builder, slot / AMPEL_PAGE_ACCOUNTS) && take_rows(builder, slot);
}

/* ---- the begin ------------------------------------------------------------------------------ */

static bool choose_pages(struct ampel_checkpoint_builder *builder) {
    const struct ampel_engine *engine = builder->source.engine;
    struct ampel_checkpoint *checkpoint = builder->building.checkpoint;
    uint32_t count = 0, page = ampel_engine_page_dirty_next(engine, 0);
    if (!due_reset(&builder->pages, ampel_engine_pages_count(engine))) return false;
    for (; page != UINT32_MAX; page = ampel_engine_page_dirty_next(engine, page + 1)) {
        due_set(&builder->pages, page);
        count++;
    }
    if (count == 0) return true;
    checkpoint->pages = ampel_arena_take(checkpoint->arena, count * sizeof(checkpoint->pages[0]));
    return checkpoint->pages != NULL;
}

/* Rows that waited for this time. */
static void choose_waiting(struct ampel_checkpoint_builder *builder) {
    struct ampel_gathered *gathered = builder->source.gathered;
    if (!builder->source.orders_rows) return;
    for (uint32_t word = 0; word < gathered->waiting_words && gathered->waiting_count > 0; word++) {
        while (gathered->waiting[word] != 0) {
            uint32_t slot = word * 64 + (uint32_t)__builtin_ctzll(gathered->waiting[word]);
            choose_rating(builder, slot);
        }
    }
    if (!gathered->beside_due) return;
    gathered->beside_due = false;
    for (uint32_t slot = 0; slot < builder->accounts_count; slot++)
        due_set(&builder->beside, slot);
}

/* All rows of all accounts, violations at once. */
static bool choose_every(struct ampel_checkpoint_builder *builder) {
    for (uint32_t slot = 0; slot < builder->accounts_count; slot++) {
        due_set(&builder->ratings, slot);
        due_set(&builder->beside, slot);
        if (!ampel_building_violations(&builder->building, slot, true)) return false;
    }
    return true;
}

/* What is to be taken. */
static bool choose(struct ampel_checkpoint_builder *builder) {
    uint32_t count = builder->accounts_count;
    if (!due_reset(&builder->pages, 0) || !due_reset(&builder->ratings, count) ||
        !due_reset(&builder->beside, count) || !ampel_gathered_reserve(builder->source.gathered, count)) {
        return false;
    }
    if (builder->source.every_row) return choose_every(builder);
    choose_waiting(builder);
    return build_meta(builder) && choose_pages(builder);
}

/* Rows gathered since the last checkpoint go along; their texts are in the arena already. */
static bool take_gathered(struct ampel_checkpoint_builder *builder) {
    struct ampel_gathered *gathered = builder->source.gathered;
    struct ampel_checkpoint *checkpoint = builder->building.checkpoint;
    if (gathered->refusals_count > 0) {
        size_t size = gathered->refusals_count * sizeof(gathered->refusals[0]);
        checkpoint->refusals = ampel_arena_take(checkpoint->arena, size);
        if (checkpoint->refusals == NULL) return false;
        memcpy(checkpoint->refusals, gathered->refusals, size);
    }
    if (gathered->gone_count > 0) {
        size_t size = gathered->gone_count * sizeof(gathered->gone[0]);
        checkpoint->gone = ampel_arena_take(checkpoint->arena, size);
        if (checkpoint->gone == NULL) return false;
        memcpy(checkpoint->gone, gathered->gone, size);
    }
    checkpoint->refusals_count = gathered->refusals_count;
    checkpoint->refusals_total = gathered->refusals_total;
    checkpoint->gone_count = gathered->gone_count;
    builder->building.size_bytes += gathered->size_bytes;
    gathered->refusals_count = 0;
    gathered->gone_count = 0;
    gathered->refusals_total = 0;
    gathered->size_bytes = 0;
    return true;
}

static void name_rules(struct ampel_checkpoint *checkpoint, const struct ampel_rules *rules) {
    memcpy(checkpoint->rules_version, rules->version, sizeof(checkpoint->rules_version));
    checkpoint->caps_count = rules->cap_groups_count;
    for (uint32_t i = 0; i < rules->cap_groups_count; i++) {
        memcpy(checkpoint->caps_names[i], rules->cap_groups[i].name,
               sizeof(checkpoint->caps_names[i]));
    }
}

bool ampel_checkpoint_begin(struct ampel_checkpoint_builder *builder, const struct ampel_checkpoint_source *source) {
    AMPEL_ASSERT(builder->building.checkpoint == NULL);
    struct ampel_checkpoint *checkpoint = calloc(1, sizeof(*checkpoint));
    struct ampel_arena *next = ampel_arena_open();
    if (checkpoint == NULL || next == NULL) {
        free(checkpoint);
        if (next != NULL) ampel_arena_close(next);
        return false;
    }
    *checkpoint = (struct ampel_checkpoint){
        .parcel.kind = AMPEL_PARCEL_CHECKPOINT,
        .partition = source->partition,
        .epoch = source->epoch,
        .position_old = source->position_old,
        .position_new = source->position_new,
        .as_of_ms = ampel_engine_now(source->engine),
        .rules_number = source->rules_number,
        .rules_recoloured = source->rules_recoloured,
        .arena = source->gathered->arena,
        .last = source->last,
    };
    source->gathered->arena = next;
    name_rules(checkpoint, ampel_engine_rules(source->engine));
    builder->source = *source;
    builder->accounts_count = ampel_engine_accounts_count(source->engine);
    builder->spent = 0;
    builder->building = (struct ampel_building){
        .engine = source->engine, .checkpoint = checkpoint, .size_bytes = sizeof(*checkpoint)};
    if (!choose(builder) || !take_gathered(builder)) return false;
    ampel_engine_copy_begin(source->engine, take_before, builder);
    return true;
}

/* ---- pieces, and the end -------------------------------------------------------------------- */

bool ampel_checkpoint_go_on(struct ampel_checkpoint_builder *builder, uint32_t units, bool *done) {
    uint64_t from = builder->spent;
    *done = false;
    while (builder->spent - from < units) {
        uint32_t page = due_first(&builder->pages);
        if (page != UINT32_MAX) {
            if (!take_page(builder, page)) return false;
            continue;
        }
        uint32_t slot = due_first(&builder->ratings);
        if (slot == UINT32_MAX) slot = due_first(&builder->beside);
        *done = slot == UINT32_MAX;
        if (*done) return true;
        if (!take_rows(builder, slot)) return false;
    }
    return true;
}

uint64_t ampel_checkpoint_spent(const struct ampel_checkpoint_builder *builder) { return builder->spent; }

void ampel_checkpoint_end(struct ampel_checkpoint_builder *builder, struct ampel_checkpoint **out,
                          uint64_t *size_bytes) {
    AMPEL_ASSERT(due_first(&builder->pages) == UINT32_MAX && due_first(&builder->ratings) == UINT32_MAX);
    AMPEL_ASSERT(due_first(&builder->beside) == UINT32_MAX);
    ampel_engine_copy_end(builder->source.engine);
    *out = builder->building.checkpoint;
    *size_bytes = builder->building.size_bytes;
    builder->building = (struct ampel_building){0};
}

bool ampel_checkpoint_build(struct ampel_checkpoint_builder *builder, const struct ampel_checkpoint_source *source,
                            struct ampel_checkpoint **out, uint64_t *size_bytes) {
    bool done = false;
    if (!ampel_checkpoint_begin(builder, source)) return false;
    while (!done)
        if (!ampel_checkpoint_go_on(builder, UINT32_MAX, &done)) return false;
    ampel_checkpoint_end(builder, out, size_bytes);
    return true;
}
