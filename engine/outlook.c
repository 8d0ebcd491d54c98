/* How sure the score is: numbers under the variants of the rules (rating-model 3.11). */
#include "engine/outlook.h"

#include <string.h>

#include "engine/outlook_view.h"
#include "engine/window.h"

/* ---- the variants --------------------------------------------------------------------------- */

/* Whether both scales see the same repeats: what they count is a matter of window, anchor and of
   which severities are none. */
static bool ranks_alike(const struct ampel_scale *a, const struct ampel_scale *b) {
    return a->window_ms == b->window_ms &&
           memcmp(a->severity, b->severity, sizeof(a->severity)) == 0;
}

static uint32_t class_of(const struct ampel_outlook *outlook, const struct ampel_scale *present,
                         const struct ampel_scale *scale) {
    if (ranks_alike(scale, present) && scale->rerank == present->rerank) return 0;
    for (uint32_t i = 1; i < outlook->classes_count; i++) {
        const struct ampel_scale *other = &outlook->variants[outlook->classes[i].variant].scale;
        if (ranks_alike(scale, other) && scale->rerank == other->rerank) return i;
    }
    return outlook->classes_count;
}

void ampel_outlook_classes_renew(struct ampel_engine *engine) {
    struct ampel_outlook *outlook = engine->outlook;
    if (outlook == NULL) return;
    outlook->classes_count = 1;
    for (uint32_t i = 0; i < outlook->variants_count; i++) {
        struct ampel_outlook_variant *variant = &outlook->variants[i];
        variant->class_number = class_of(outlook, &engine->scale, &variant->scale);
        if (variant->class_number < outlook->classes_count) continue;
        outlook->classes[outlook->classes_count++] = (struct ampel_outlook_class){
            .variant = i, .other_anchor = ranks_alike(&variant->scale, &engine->scale)};
    }
}

enum ampel_engine_status ampel_engine_variants_set(struct ampel_engine *engine,
                                                   const struct ampel_rules *variants,
                                                   uint32_t count) {
    AMPEL_ASSERT(count <= AMPEL_VARIANTS_MAX);
    struct ampel_outlook *outlook = ampel_outlook_claim(engine);
    if (outlook == NULL) return AMPEL_ENGINE_NO_MEMORY;
    struct ampel_outlook_variant *list = NULL;
    if (count > 0) {
        list = ampel_pool_take(&engine->pool, count * sizeof(*list));
        if (list == NULL) return AMPEL_ENGINE_NO_MEMORY;
    }
    for (uint32_t i = 0; i < count; i++) {
        const char *key;
        AMPEL_ASSERT(ampel_rules_check(&variants[i], &key));
        list[i].rules = variants[i];
        ampel_scale_init(&list[i].scale, &variants[i]);
        list[i].class_number = 0;
    }
    ampel_pool_give(&engine->pool, outlook->variants, outlook->variants_count * sizeof(*list));
    outlook->variants = list;
    outlook->variants_count = count;
    ampel_outlook_classes_renew(engine);
    return AMPEL_ENGINE_OK;
}

uint32_t ampel_engine_variants_count(const struct ampel_engine *engine) {
    return engine->outlook == NULL ? 0 : engine->outlook->variants_count;
}

/* ---- sums under a variant ------------------------------------------------------------------- */

static void sums_add(struct ampel_outlook_sums *sums, const struct ampel_scale *scale,
                     const struct ampel_violation_hot *hot, uint32_t rank) {
    int8_t severity = ampel_scale_severity(scale, hot->policy, hot->severity_given);
    uint8_t group = scale->group[hot->policy];
    if (ampel_state_deducting(hot->state)) {
        sums->deducted += ampel_scale_points(scale, severity, rank, hot->points_given);
        if (severity == AMPEL_SEVERITY_CRITICAL && hot->points_given < 0) sums->criticals++;
    }
    if (group != AMPEL_CAP_GROUP_NONE && severity != AMPEL_SEVERITY_NONE &&
        !ampel_state_cleared(hot->state)) {
        sums->caps[group]++;
    }
}

static bool any_cleared(const struct ampel_violations *block) {
    uint32_t end = ampel_violations_known_end(block);
    for (uint32_t i = ampel_violations_filled(block, 0); i < end; i = ampel_violations_filled(block, i + 1)) {
        if (ampel_state_cleared(block->hot[ampel_violations_order(block)[i]].state)) return true;
    }
    return false;
}

/* The ranks of a class in order; *own tells that they are those that the records carry. The
   anchors differ only by what is cleared. */
static bool class_ranks(struct ampel_engine *engine, struct ampel_outlook *outlook,
                        const struct ampel_violations *block, uint32_t class_number, bool *own) {
    *own =
        class_number == 0 || (outlook->classes[class_number].other_anchor && !any_cleared(block));
    if (*own) return true;
    uint16_t *ranks = ampel_pool_grow(&engine->pool, outlook->ranks, &outlook->ranks_capacity,
                                      block->count, sizeof(*ranks));
    if (ranks == NULL) return false;
    outlook->ranks = ranks;
    uint32_t variant = outlook->classes[class_number].variant;
    ampel_violations_ranks(block, &outlook->variants[variant].scale, ranks);
    return true;
}

/* One pass over the violations for all variants of a class; they have its window in common. */
static void class_add(const struct ampel_engine *engine, const struct ampel_violations *block,
                      uint32_t class_number, bool own, struct ampel_outlook_sums *sums) {
    const struct ampel_outlook *outlook = engine->outlook;
    int64_t window_ms =
        class_number == 0
            ? engine->scale.window_ms
            : outlook->variants[outlook->classes[class_number].variant].scale.window_ms;
    uint32_t end = ampel_violations_known_end(block), index = 0;
    for (uint32_t i = ampel_violations_filled(block, 0); i < end; i = ampel_violations_filled(block, i + 1), index++) {
        const struct ampel_violation_hot *hot = &block->hot[ampel_violations_order(block)[i]];
        if (hot->at_ms > engine->now_ms || engine->now_ms >= hot->at_ms + window_ms) continue;
        uint32_t rank = own ? ampel_violations_rank(block, i) : outlook->ranks[index];
        for (uint32_t k = 0; k < outlook->variants_count; k++) {
            if (outlook->variants[k].class_number != class_number) continue;
            sums_add(&sums[k], &outlook->variants[k].scale, hot, rank);
        }
    }
}

enum ampel_engine_status ampel_outlook_variants(struct ampel_engine *engine, uint32_t slot,
                                                struct ampel_numbers out[AMPEL_VARIANTS_MAX]) {
    AMPEL_ASSERT(slot < engine->accounts.count);
    struct ampel_outlook *outlook = ampel_outlook_claim(engine);
    if (outlook == NULL) return AMPEL_ENGINE_NO_MEMORY;
    const struct ampel_account *account = ampel_account_at(&engine->accounts, slot);
    const struct ampel_violations *block = account->violations;
    struct ampel_outlook_sums sums[AMPEL_VARIANTS_MAX];
    bool any = block != NULL && block->known_count > 0;
    if (any) memset(sums, 0, outlook->variants_count * sizeof(*sums));
    for (uint32_t i = 0; any && i < outlook->classes_count; i++) {
        bool own;
        if (!class_ranks(engine, outlook, block, i, &own)) return AMPEL_ENGINE_NO_MEMORY;
        class_add(engine, block, i, own, sums);
    }
    for (uint32_t i = 0; i < outlook->variants_count; i++) {
        const struct ampel_rules *rules = &outlook->variants[i].rules;
        uint32_t orders = account->orders;
        if (rules->window_days != engine->rules.window_days) {
            orders = ampel_window_sum(&account->window, engine->now_cell, (uint32_t)rules->window_days);
        }
        if (any)
            ampel_rating_numbers(rules, orders, sums[i].deducted, sums[i].criticals, sums[i].caps,
                                 &out[i]);
        else
            ampel_rating_numbers(rules, orders, 0, 0, NULL, &out[i]);
    }
    return AMPEL_ENGINE_OK;
}

enum ampel_engine_status ampel_outlook_range(struct ampel_engine *engine, uint32_t slot,
                                             int32_t *score_min, int32_t *score_max) {
    struct ampel_numbers present, variants[AMPEL_VARIANTS_MAX];
    if (ampel_outlook_variants(engine, slot, variants) != AMPEL_ENGINE_OK) {
        return AMPEL_ENGINE_NO_MEMORY;
    }
    ampel_engine_numbers(engine, slot, &present);
    int32_t least = present.score, greatest = present.score;
    for (uint32_t i = 0; i < engine->outlook->variants_count; i++) {
        if (variants[i].score < least) least = variants[i].score;
        if (variants[i].score > greatest) greatest = variants[i].score;
    }
    *score_min = least;
    *score_max = greatest;
    return AMPEL_ENGINE_OK;
}
