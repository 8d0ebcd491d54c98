#include "workers/checkpoint_build.h"

#include <stdlib.h>
#include <string.h>

#include "proto/page.h"
#include "workers/checkpoint_beside.h"
#include "workers/checkpoint_incident.h"

/* ---- gathered rows -------------------------------------------------------------------------- */

bool ampel_gathered_init(struct ampel_gathered *gathered) {
    *gathered = (struct ampel_gathered){.arena = ampel_arena_open()};
    return gathered->arena != NULL;
}

void ampel_gathered_reset(struct ampel_gathered *gathered) {
    if (gathered->arena != NULL) ampel_arena_close(gathered->arena);
    free(gathered->refusals);
    free(gathered->gone);
    free(gathered->waiting);
    *gathered = (struct ampel_gathered){0};
}

/* Makes room for one more row; the rows stay where they are or move. NULL: no memory. */
static void *grow(void *rows, uint32_t count, uint32_t *capacity, size_t row_size) {
    if (count < *capacity) return rows;
    uint32_t wanted = *capacity == 0 ? 16 : *capacity * 2;
    void *grown = realloc(rows, wanted * row_size);
    if (grown != NULL) *capacity = wanted;
    return grown;
}

static uint64_t account_size(struct ampel_text tenant, struct ampel_text seller,
                             struct ampel_text marketplace) {
    return (uint64_t)tenant.size + seller.size + marketplace.size;
}

bool ampel_gathered_refusal(struct ampel_gathered *gathered, const struct ampel_refusal_row *row) {
    void *rows = grow(gathered->refusals, gathered->refusals_count, &gathered->refusals_capacity,
                      sizeof(*row));
    if (rows == NULL) return false;
    gathered->refusals = rows;
    struct ampel_refusal_row *copy = &gathered->refusals[gathered->refusals_count];
    *copy = *row;
    struct ampel_arena *arena = gathered->arena;
    if (!ampel_arena_text(arena, row->tenant, &copy->tenant) ||
        !ampel_arena_text(arena, row->seller, &copy->seller) ||
        !ampel_arena_text(arena, row->marketplace, &copy->marketplace) ||
        !ampel_arena_text(arena, row->producer, &copy->producer) ||
        !ampel_arena_text(arena, row->field, &copy->field) ||
        !ampel_arena_text(arena, row->id, &copy->id)) {
        return false;
    }
    gathered->refusals_count++;
    gathered->size_bytes += sizeof(*row) + row->producer.size + row->field.size + row->id.size +
                            account_size(row->tenant, row->seller, row->marketplace);
    return true;
}

bool ampel_gathered_gone(struct ampel_gathered *gathered, const struct ampel_violation_gone *row) {
    void *rows = grow(gathered->gone, gathered->gone_count, &gathered->gone_capacity, sizeof(*row));
    if (rows == NULL) return false;
    gathered->gone = rows;
    struct ampel_violation_gone *copy = &gathered->gone[gathered->gone_count];
    struct ampel_arena *arena = gathered->arena;
    if (!ampel_arena_text(arena, row->tenant, &copy->tenant) ||
        !ampel_arena_text(arena, row->seller, &copy->seller) ||
        !ampel_arena_text(arena, row->marketplace, &copy->marketplace) ||
        !ampel_arena_text(arena, row->id, &copy->id)) {
        return false;
    }
    gathered->gone_count++;
    gathered->size_bytes +=
        sizeof(*row) + row->id.size + account_size(row->tenant, row->seller, row->marketplace);
    return true;
}

/* ---- slots that wait ------------------------------------------------------------------------ */

static bool waiting_reserve(struct ampel_gathered *gathered, uint32_t slots_count) {
    uint32_t words = slots_count / 64 + (slots_count % 64 != 0);
    if (words <= gathered->waiting_words) return true;
    words += words / 2;
    uint64_t *grown = realloc(gathered->waiting, words * sizeof(uint64_t));
    if (grown == NULL) return false;
    memset(grown + gathered->waiting_words, 0,
           (words - gathered->waiting_words) * sizeof(uint64_t));
    gathered->waiting = grown;
    gathered->waiting_words = words;
    return true;
}

static void waiting_set(struct ampel_gathered *gathered, uint32_t slot) {
    uint64_t bit = UINT64_C(1) << (slot % 64);
    if ((gathered->waiting[slot / 64] & bit) != 0) return;
    gathered->waiting[slot / 64] |= bit;
    gathered->waiting_count++;
}

static void waiting_clear(struct ampel_gathered *gathered, uint32_t slot) {
    uint64_t bit = UINT64_C(1) << (slot % 64);
    if ((gathered->waiting[slot / 64] & bit) == 0) return;
    gathered->waiting[slot / 64] &= ~bit;
    gathered->waiting_count--;
}

bool ampel_gathered_wait_all(struct ampel_gathered *gathered, uint32_t slots_count) {
    if (!waiting_reserve(gathered, slots_count)) return false;
    for (uint32_t slot = 0; slot < slots_count; slot++)
        waiting_set(gathered, slot);
    gathered->beside_due = true;
    return true;
}

/* ---- the builder ---------------------------------------------------------------------------- */

struct ampel_checkpoint_builder {
    struct ampel_page_codec *codec;
    uint8_t *raw; /* what the engine exports, before it is packed */
    uint32_t raw_capacity;
    uint32_t *slots; /* whose rating and outlook rows are written */
    uint32_t slots_count, slots_capacity;
    uint32_t *violated; /* whose violation rows changed */
    uint32_t violated_count, violated_capacity;
    uint32_t *beside; /* whose assurance, metrics or drift changed */
    uint32_t beside_count, beside_capacity;
    uint32_t *clocked; /* whose clocks started or stopped */
    uint32_t clocked_count, clocked_capacity;
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
    ampel_page_codec_close(builder->codec);
    free(builder->raw);
    free(builder->slots);
    free(builder->violated);
    free(builder->beside);
    free(builder->clocked);
    free(builder);
}

/* One building in progress. */
struct building {
    struct ampel_checkpoint_builder *builder;
    const struct ampel_checkpoint_source *source;
    struct ampel_checkpoint *checkpoint;
    uint64_t size_bytes;
};

static bool raw_reserve(struct ampel_checkpoint_builder *builder, uint32_t size) {
    if (size <= builder->raw_capacity) return true;
    uint32_t wanted = size + size / 2;
    uint8_t *grown = realloc(builder->raw, wanted);
    if (grown == NULL) return false;
    builder->raw = grown;
    builder->raw_capacity = wanted;
    return true;
}

static bool push_slot(uint32_t **slots, uint32_t *count, uint32_t *capacity, uint32_t slot) {
    uint32_t *grown = grow(*slots, *count, capacity, sizeof(slot));
    if (grown == NULL) return false;
    *slots = grown;
    grown[(*count)++] = slot;
    return true;
}

/* The packed bytes of raw, in the checkpoint's arena. */
static bool pack(struct building *building, uint32_t raw_size, uint8_t **bytes, uint32_t *size) {
    const uint8_t *packed;
    if (!ampel_page_encode(building->builder->codec, building->builder->raw, raw_size, &packed,
                           size)) {
        return false;
    }
    *bytes = ampel_arena_take(building->checkpoint->arena, *size);
    if (*bytes == NULL) return false;
    memcpy(*bytes, packed, *size);
    building->size_bytes += *size;
    return true;
}

static bool build_meta(struct building *building) {
    struct ampel_checkpoint_builder *builder = building->builder;
    const struct ampel_engine *engine = building->source->engine;
    uint32_t size = ampel_engine_meta_export(engine, builder->raw, builder->raw_capacity);
    if (size > builder->raw_capacity) {
        if (!raw_reserve(builder, size)) return false;
        size = ampel_engine_meta_export(engine, builder->raw, builder->raw_capacity);
    }
    AMPEL_ASSERT(size <= builder->raw_capacity);
    return pack(building, size, &building->checkpoint->meta, &building->checkpoint->meta_size);
}

static bool build_page(struct building *building, uint32_t page) {
    struct ampel_checkpoint_builder *builder = building->builder;
    const struct ampel_engine *engine = building->source->engine;
    uint32_t size = ampel_engine_page_export(engine, page, builder->raw, builder->raw_capacity);
    if (size > builder->raw_capacity) {
        if (!raw_reserve(builder, size)) return false;
        size = ampel_engine_page_export(engine, page, builder->raw, builder->raw_capacity);
    }
    AMPEL_ASSERT(size <= builder->raw_capacity);
    struct ampel_checkpoint *checkpoint = building->checkpoint;
    struct ampel_loaded_page *out = &checkpoint->pages[checkpoint->pages_count];
    out->page = page;
    if (!pack(building, size, &out->bytes, &out->size)) return false;
    checkpoint->pages_count++;
    return true;
}

/* All rows beside scores are written: none is chosen for what changed. */
static bool beside_all(const struct building *building) {
    return building->source->orders_rows && building->source->gathered->beside_due;
}

static bool choose_beside(struct building *building, uint32_t slot) {
    struct ampel_checkpoint_builder *builder = building->builder;
    return !ampel_beside_has_row(building->source->engine, slot) ||
           push_slot(&builder->beside, &builder->beside_count, &builder->beside_capacity, slot);
}

/* Which rows of the page's accounts are to be written; those for order counts alone may have to
 * wait. */
static bool choose_rows(struct building *building, uint32_t page) {
    struct ampel_checkpoint_builder *builder = building->builder;
    const struct ampel_engine *engine = building->source->engine;
    struct ampel_gathered *gathered = building->source->gathered;
    uint32_t end = (page + 1) * AMPEL_PAGE_ACCOUNTS;
    if (end > ampel_engine_accounts_count(engine)) end = ampel_engine_accounts_count(engine);
    for (uint32_t slot = page * AMPEL_PAGE_ACCOUNTS; slot < end; slot++) {
        uint8_t changed = ampel_engine_row_changed(engine, slot);
        bool orders = (changed & AMPEL_ROW_ORDERS) != 0;
        /* What is known of a violation or an incident may change what stands in the row, and no number. */
        if ((changed & (AMPEL_ROW_NUMBERS | AMPEL_ROW_VIOLATIONS)) != 0 ||
            ((changed & AMPEL_ROW_FACTS) != 0 && ampel_incident_told(engine, slot)) ||
            (orders && building->source->orders_rows)) {
            waiting_clear(gathered, slot);
            if (!push_slot(&builder->slots, &builder->slots_count, &builder->slots_capacity, slot))
                return false;
        } else if (orders) {
            waiting_set(gathered, slot);
        }
        if ((changed & AMPEL_ROW_VIOLATIONS) != 0 &&
            !push_slot(&builder->violated, &builder->violated_count, &builder->violated_capacity,
                       slot)) {
            return false;
        }
        if ((changed & AMPEL_ROW_CLOCKS) != 0 &&
            !push_slot(&builder->clocked, &builder->clocked_count, &builder->clocked_capacity, slot)) {
            return false;
        }
        /* A violation that became known may be one that was missing. */
        if ((changed & (AMPEL_ROW_FACTS | AMPEL_ROW_VIOLATIONS)) != 0 && !beside_all(building) &&
            !choose_beside(building, slot)) {
            return false;
        }
    }
    return true;
}

static bool choose_waiting(struct building *building) {
    struct ampel_checkpoint_builder *builder = building->builder;
    struct ampel_gathered *gathered = building->source->gathered;
    for (uint32_t word = 0; word < gathered->waiting_words && gathered->waiting_count > 0; word++) {
        while (gathered->waiting[word] != 0) {
            uint32_t slot = word * 64 + (uint32_t)__builtin_ctzll(gathered->waiting[word]);
            waiting_clear(gathered, slot);
            if (!push_slot(&builder->slots, &builder->slots_count, &builder->slots_capacity, slot))
                return false;
        }
    }
    if (!beside_all(building)) return true;
    gathered->beside_due = false;
    for (uint32_t slot = 0; slot < ampel_engine_accounts_count(building->source->engine); slot++) {
        if (!choose_beside(building, slot)) return false;
    }
    return true;
}

static bool choose_every(struct building *building) {
    struct ampel_checkpoint_builder *builder = building->builder;
    uint32_t count = ampel_engine_accounts_count(building->source->engine);
    for (uint32_t slot = 0; slot < count; slot++) {
        if (!push_slot(&builder->slots, &builder->slots_count, &builder->slots_capacity, slot) ||
            !push_slot(&builder->violated, &builder->violated_count, &builder->violated_capacity,
                       slot) ||
            !choose_beside(building, slot)) {
            return false;
        }
    }
    return true;
}

static bool build_pages(struct building *building) {
    const struct ampel_engine *engine = building->source->engine;
    uint32_t dirty_count = 0;
    uint32_t page = ampel_engine_page_dirty_next(engine, 0);
    for (; page != UINT32_MAX; page = ampel_engine_page_dirty_next(engine, page + 1))
        dirty_count++;
    if (dirty_count == 0) return true;
    struct ampel_checkpoint *checkpoint = building->checkpoint;
    checkpoint->pages =
        ampel_arena_take(checkpoint->arena, dirty_count * sizeof(checkpoint->pages[0]));
    if (checkpoint->pages == NULL) return false;
    page = ampel_engine_page_dirty_next(engine, 0);
    for (; page != UINT32_MAX; page = ampel_engine_page_dirty_next(engine, page + 1)) {
        if (!build_page(building, page) || !choose_rows(building, page)) return false;
    }
    AMPEL_ASSERT(checkpoint->pages_count == dirty_count);
    return true;
}

static int compare_texts(struct ampel_text left, struct ampel_text right) {
    uint32_t common = left.size < right.size ? left.size : right.size;
    int order = common == 0 ? 0 : memcmp(left.bytes, right.bytes, common);
    if (order != 0) return order;
    return (left.size > right.size) - (left.size < right.size);
}

static int compare_ratings(const void *left_row, const void *right_row) {
    const struct ampel_rating_row *left = left_row, *right = right_row;
    int order = compare_texts(left->tenant, right->tenant);
    if (order == 0) order = compare_texts(left->seller, right->seller);
    if (order == 0) order = compare_texts(left->marketplace, right->marketplace);
    return order;
}

/* The account's three texts, copied. */
static bool copy_identity(struct building *building, uint32_t slot, struct ampel_text *tenant,
                          struct ampel_text *seller, struct ampel_text *marketplace) {
    struct ampel_arena *arena = building->checkpoint->arena;
    struct ampel_text from[3];
    ampel_engine_account_identity(building->source->engine, slot, &from[0], &from[1], &from[2]);
    building->size_bytes += account_size(from[0], from[1], from[2]);
    return ampel_arena_text(arena, from[0], tenant) && ampel_arena_text(arena, from[1], seller) &&
           ampel_arena_text(arena, from[2], marketplace);
}

static bool build_rating(struct building *building, uint32_t slot, struct ampel_rating_row *row) {
    struct ampel_engine *engine = building->source->engine;
    *row = (struct ampel_rating_row){.as_of_ms = ampel_engine_now(engine)};
    ampel_engine_numbers(engine, slot, &row->numbers);
    return ampel_outlook_range(engine, slot, &row->score_min, &row->score_max) == AMPEL_ENGINE_OK &&
           ampel_outlook_turns(engine, slot, &row->turns) == AMPEL_ENGINE_OK &&
           ampel_incident_row(engine, slot, building->checkpoint->arena, row) &&
           copy_identity(building, slot, &row->tenant, &row->seller, &row->marketplace);
}

static bool build_ratings(struct building *building) {
    const struct ampel_checkpoint_builder *builder = building->builder;
    struct ampel_checkpoint *checkpoint = building->checkpoint;
    if (builder->slots_count == 0) return true;
    size_t size = builder->slots_count * sizeof(checkpoint->ratings[0]);
    checkpoint->ratings = ampel_arena_take(checkpoint->arena, size);
    if (checkpoint->ratings == NULL) return false;
    building->size_bytes += size;
    for (uint32_t i = 0; i < builder->slots_count; i++) {
        if (!build_rating(building, builder->slots[i], &checkpoint->ratings[i])) return false;
    }
    checkpoint->ratings_count = builder->slots_count;
    qsort(checkpoint->ratings, checkpoint->ratings_count, sizeof(checkpoint->ratings[0]),
          compare_ratings);
    return true;
}

/* ---- outlooks ---------------------------------------------------------------------------------
 */

static void *arena_copy(struct building *building, const void *from, size_t size) {
    void *to = ampel_arena_take(building->checkpoint->arena, size);
    if (to != NULL && size > 0) memcpy(to, from, size);
    building->size_bytes += size;
    return to;
}

static bool copy_fixes(struct building *building, uint32_t slot, struct ampel_outlook_row *row) {
    const struct ampel_outlook_fix *fixes;
    if (ampel_outlook_fixes(building->source->engine, slot, &fixes, &row->fixes_total) !=
        AMPEL_ENGINE_OK) {
        return false;
    }
    row->fixes_count = row->fixes_total < AMPEL_OUTLOOK_FIXES_STORED ? row->fixes_total
                                                                     : AMPEL_OUTLOOK_FIXES_STORED;
    if (row->fixes_count == 0) return true;
    row->fixes = arena_copy(building, fixes, row->fixes_count * sizeof(*fixes));
    if (row->fixes == NULL) return false;
    for (uint32_t i = 0; i < row->fixes_count; i++) {
        if (!ampel_arena_text(building->checkpoint->arena, fixes[i].id, &row->fixes[i].id))
            return false;
    }
    return true;
}

static bool copy_steps(struct building *building, uint32_t slot, struct ampel_outlook_row *row) {
    const struct ampel_outlook_step *steps;
    if (ampel_outlook_forecast(building->source->engine, slot, false, &steps, &row->steps_total) !=
        AMPEL_ENGINE_OK) {
        return false;
    }
    row->steps_count = row->steps_total < AMPEL_OUTLOOK_STEPS_STORED ? row->steps_total
                                                                     : AMPEL_OUTLOOK_STEPS_STORED;
    if (row->steps_count == 0) return true;
    row->steps = arena_copy(building, steps, row->steps_count * sizeof(*steps));
    if (row->steps == NULL) return false;
    for (uint32_t i = 0; i < row->steps_count; i++) {
        if (!ampel_arena_text(building->checkpoint->arena, steps[i].id, &row->steps[i].id))
            return false;
    }
    return true;
}

static bool copy_green(struct building *building, uint32_t slot, struct ampel_outlook_row *row) {
    row->green_known = row->fixes_total <= AMPEL_OUTLOOK_GREEN_STORED;
    if (!row->green_known) return true;
    struct ampel_outlook_green green;
    if (ampel_outlook_to_green(building->source->engine, slot, &green) != AMPEL_ENGINE_OK)
        return false;
    row->green_found = green.found;
    if (!green.found || green.count == 0) return true;
    row->green = arena_copy(building, green.ids, green.count * sizeof(*green.ids));
    if (row->green == NULL) return false;
    row->green_count = green.count;
    for (uint32_t i = 0; i < green.count; i++) {
        if (!ampel_arena_text(building->checkpoint->arena, green.ids[i], &row->green[i]))
            return false;
    }
    return true;
}

static int compare_outlooks(const void *left_row, const void *right_row) {
    const struct ampel_outlook_row *left = left_row, *right = right_row;
    int order = compare_texts(left->tenant, right->tenant);
    if (order == 0) order = compare_texts(left->seller, right->seller);
    if (order == 0) order = compare_texts(left->marketplace, right->marketplace);
    return order;
}

static bool build_outlooks(struct building *building) {
    const struct ampel_checkpoint_builder *builder = building->builder;
    struct ampel_checkpoint *checkpoint = building->checkpoint;
    if (builder->slots_count == 0) return true;
    size_t size = builder->slots_count * sizeof(checkpoint->outlooks[0]);
    checkpoint->outlooks = ampel_arena_take(checkpoint->arena, size);
    if (checkpoint->outlooks == NULL) return false;
    building->size_bytes += size;
    for (uint32_t i = 0; i < builder->slots_count; i++) {
        struct ampel_outlook_row *row = &checkpoint->outlooks[i];
        uint32_t slot = builder->slots[i];
        *row = (struct ampel_outlook_row){.as_of_ms = ampel_engine_now(building->source->engine)};
        if (!copy_identity(building, slot, &row->tenant, &row->seller, &row->marketplace) ||
            !copy_fixes(building, slot, row) || !copy_steps(building, slot, row) ||
            !copy_green(building, slot, row) ||
            ampel_outlook_caps(building->source->engine, slot, row->caps) != AMPEL_ENGINE_OK) {
            return false;
        }
    }
    checkpoint->outlooks_count = builder->slots_count;
    qsort(checkpoint->outlooks, checkpoint->outlooks_count, sizeof(checkpoint->outlooks[0]),
          compare_outlooks);
    return true;
}

static uint32_t count_changed_violations(const struct building *building) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < building->builder->violated_count; i++) {
        uint32_t cursor = 0;
        struct ampel_violation violation;
        while (ampel_engine_violation_next(building->source->engine, building->builder->violated[i],
                                           &cursor, &violation)) {
            if (violation.changed || building->source->every_row) count++;
        }
    }
    return count;
}

static bool copy_violation(struct building *building, const struct ampel_violation *from,
                           struct ampel_violation *to) {
    struct ampel_arena *arena = building->checkpoint->arena;
    *to = *from;
    building->size_bytes +=
        (uint64_t)from->id.size + from->incident.size + from->asin.size + from->sku.size;
    return ampel_arena_text(arena, from->id, &to->id) &&
           ampel_arena_text(arena, from->incident, &to->incident) &&
           ampel_arena_text(arena, from->asin, &to->asin) &&
           ampel_arena_text(arena, from->sku, &to->sku);
}

static bool build_violations_of(struct building *building, uint32_t slot) {
    struct ampel_checkpoint *checkpoint = building->checkpoint;
    struct ampel_violation_row account = {0};
    if (!copy_identity(building, slot, &account.tenant, &account.seller, &account.marketplace))
        return false;
    uint32_t cursor = 0;
    struct ampel_violation violation;
    while (ampel_engine_violation_next(building->source->engine, slot, &cursor, &violation)) {
        if (!violation.changed && !building->source->every_row) continue;
        struct ampel_violation_row *row = &checkpoint->violations[checkpoint->violations_count++];
        *row = account;
        if (!copy_violation(building, &violation, &row->violation)) return false;
    }
    return true;
}

static bool build_violations(struct building *building) {
    struct ampel_checkpoint *checkpoint = building->checkpoint;
    uint32_t count = count_changed_violations(building);
    if (count == 0) return true;
    size_t size = count * sizeof(checkpoint->violations[0]);
    checkpoint->violations = ampel_arena_take(checkpoint->arena, size);
    if (checkpoint->violations == NULL) return false;
    building->size_bytes += size;
    for (uint32_t i = 0; i < building->builder->violated_count; i++) {
        if (!build_violations_of(building, building->builder->violated[i])) return false;
    }
    AMPEL_ASSERT(checkpoint->violations_count == count);
    return true;
}

static bool build_beside(struct building *building) {
    const struct ampel_checkpoint_builder *builder = building->builder;
    struct ampel_checkpoint *checkpoint = building->checkpoint;
    if (builder->beside_count == 0) return true;
    size_t size = builder->beside_count * sizeof(checkpoint->beside[0]);
    checkpoint->beside = ampel_arena_take(checkpoint->arena, size);
    if (checkpoint->beside == NULL) return false;
    building->size_bytes += size;
    for (uint32_t i = 0; i < builder->beside_count; i++) {
        uint32_t slot = builder->beside[i];
        struct ampel_beside_row *row = &checkpoint->beside[i];
        *row = (struct ampel_beside_row){0};
        if (!copy_identity(building, slot, &row->tenant, &row->seller, &row->marketplace) ||
            !ampel_beside_row(building->source->engine, slot, checkpoint->arena, row)) {
            return false;
        }
        building->size_bytes += (uint64_t)row->metrics.size + row->drifts.size + row->missing.size;
    }
    checkpoint->beside_count = builder->beside_count;
    return true;
}

static bool build_clocks(struct building *building) {
    const struct ampel_checkpoint_builder *builder = building->builder;
    struct ampel_checkpoint *checkpoint = building->checkpoint;
    if (builder->clocked_count == 0) return true;
    size_t size = builder->clocked_count * sizeof(checkpoint->clocks[0]);
    checkpoint->clocks = ampel_arena_take(checkpoint->arena, size);
    if (checkpoint->clocks == NULL) return false;
    building->size_bytes += size;
    for (uint32_t i = 0; i < builder->clocked_count; i++) {
        uint32_t slot = builder->clocked[i], cursor = 0;
        struct ampel_clock_row *row = &checkpoint->clocks[i];
        *row = (struct ampel_clock_row){.as_of_ms = checkpoint->as_of_ms};
        if (!copy_identity(building, slot, &row->tenant, &row->seller, &row->marketplace)) return false;
        while (ampel_engine_clock_next(building->source->engine, slot, &cursor, &row->runs[row->runs_count]))
            row->runs_count++;
    }
    checkpoint->clocks_count = builder->clocked_count;
    return true;
}

/* Rows gathered since the last checkpoint go along; their texts are in the arena already. */
static bool take_gathered(struct building *building) {
    struct ampel_gathered *gathered = building->source->gathered;
    struct ampel_checkpoint *checkpoint = building->checkpoint;
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
    building->size_bytes += gathered->size_bytes;
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

static bool build_all(struct building *building) {
    const struct ampel_checkpoint_source *source = building->source;
    building->builder->slots_count = 0;
    building->builder->violated_count = 0;
    building->builder->beside_count = 0;
    building->builder->clocked_count = 0;
    if (!waiting_reserve(source->gathered, ampel_engine_accounts_count(source->engine)))
        return false;
    bool chosen = source->every_row
                      ? choose_every(building)
                      : build_meta(building) && build_pages(building) &&
                            (!source->orders_rows || choose_waiting(building));
    return chosen && build_ratings(building) && build_outlooks(building) &&
           build_violations(building) && build_beside(building) && build_clocks(building) &&
           take_gathered(building);
}

static void clean_pages(const struct building *building) {
    for (uint32_t i = 0; i < building->checkpoint->pages_count; i++) {
        ampel_engine_page_clean(building->source->engine, building->checkpoint->pages[i].page);
    }
}

bool ampel_checkpoint_build(struct ampel_checkpoint_builder *builder,
                            const struct ampel_checkpoint_source *source,
                            struct ampel_checkpoint **out, uint64_t *size_bytes) {
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
    struct building building = {.builder = builder,
                                .source = source,
                                .checkpoint = checkpoint,
                                .size_bytes = sizeof(*checkpoint)};
    if (!build_all(&building)) {
        ampel_checkpoint_free(checkpoint);
        return false;
    }
    clean_pages(&building);
    *out = checkpoint;
    *size_bytes = building.size_bytes;
    return true;
}
