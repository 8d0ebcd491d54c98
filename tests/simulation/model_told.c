/* What is told: once, under the rules that held, in a chain without a missing link. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/simulation/model.h"

/* ---- each commit ------------------------------------------------------------------------------ */

bool sim_model_account(const struct sim_model *model, struct ampel_text tenant,
                       struct ampel_text seller, uint32_t *agency, uint32_t *account) {
    for (uint32_t i = 0; i < SIM_AGENCIES; i++) {
        const char *name = ampel_agency_tenant(model->agencies[i]);
        if (strlen(name) != tenant.size || memcmp(name, tenant.bytes, tenant.size) != 0) continue;
        for (uint32_t j = 0; j < SIM_ACCOUNTS; j++) {
            char other[AMPEL_AGENCY_NAME_SIZE];
            ampel_agency_seller(j, other);
            if (strlen(other) != seller.size || memcmp(other, seller.bytes, seller.size) != 0)
                continue;
            *agency = i;
            *account = j;
            return true;
        }
    }
    return false;
}

/* A change names the rules under which it was made, and one that rules made is dated by their record. */
static void check_rules(struct sim_model *model, const struct ampel_parcel_out *out,
                        const struct ampel_change *change) {
    uint32_t number = sim_model_set_before(model, change->position);
    if (change->cause.kind == AMPEL_CAUSE_RULES) {
        const struct sim_set *set = NULL;
        for (uint32_t i = 1; i <= model->sets_logged; i++) {
            if (model->sets[i].position != change->position) continue;
            set = &model->sets[i];
            number = i;
        }
        if (set == NULL || set->stamp_ms != change->at_ms)
            sim_model_fail(model, "a change of %lld by rules is not dated by a record of rules",
                           (long long)change->at_ms);
    }
    if (strcmp(out->rules.version, model->sets[number].rules->version) != 0)
        sim_model_fail(model, "a change of %lld names the rules %s, %s held",
                       (long long)change->at_ms, out->rules.version,
                       model->sets[number].rules->version);
}

static bool same_rating(const struct ampel_numbers *left, const struct ampel_numbers *right) {
    return left->score == right->score && left->colour == right->colour &&
           left->risk == right->risk;
}

static void chain(struct sim_model *model, const struct ampel_told *told) {
    uint32_t agency, account;
    if (!sim_model_account(model, told->tenant, told->seller, &agency, &account)) {
        sim_model_fail(model, "a change is told of nobody");
        return;
    }
    struct sim_history *history = &model->history[agency][account];
    bool whole = history->begun != told->change.is_new &&
                 (!history->begun || same_rating(&history->last, &told->change.before));
    /* The summary of old events leaves out what happened in between. */
    if (!whole && model->backfilled_ms[agency][account] == INT64_MIN)
        sim_model_fail(model, "%s/%.*s: the history has a gap: it stood at %d, then from %d to %d",
                       ampel_agency_tenant(model->agencies[agency]), (int)told->seller.size,
                       told->seller.bytes, history->begun ? (int)history->last.score : -1,
                       told->change.is_new ? -1 : (int)told->change.before.score,
                       (int)told->change.after.score);
    *history = (struct sim_history){.begun = true, .last = told->change.after};
}

void sim_model_told(struct sim_model *model, const struct ampel_checkpoint *checkpoint) {
    for (uint32_t i = 0; i < checkpoint->outs_count; i++) {
        const struct ampel_parcel_out *out = checkpoint->outs[i];
        for (uint32_t j = 0; j < out->told_count; j++) {
            check_rules(model, out, &out->told[j].change);
            if (out->told[j].stream == AMPEL_STREAM_SCORES) chain(model, &out->told[j]);
        }
    }
}

/* ---- the end ---------------------------------------------------------------------------------- */

/* Where no summary is to come any more. */
static void check_history(struct sim_model *model) {
    for (uint32_t i = 0; i < SIM_AGENCIES; i++) {
        for (uint32_t j = 0; j < SIM_ACCOUNTS; j++) {
            const struct sim_history *history = &model->history[i][j];
            const struct sim_partition *of = &model->of[model->account_partition[i][j]];
            char seller[AMPEL_AGENCY_NAME_SIZE], name[3 * (AMPEL_ID_BYTES_MAX + 1)];
            ampel_agency_seller(j, seller);
            (void)snprintf(name, sizeof(name), "%s/%s/DE", ampel_agency_tenant(model->agencies[i]),
                           seller);
            const struct ampel_stored_rating *rating =
                ampel_memory_database_rating(model->database, name);
            bool open = model->backfilled_ms[i][j] != INT64_MIN &&
                        of->stamp_ms < model->backfilled_ms[i][j] + 2 * AMPEL_BACKFILL_QUIET_MS;
            if (open || rating == NULL || !history->begun) continue;
            if (!same_rating(&history->last, &rating->numbers))
                sim_model_fail(model, "%s: the history ends at %d, the rating is %d", name,
                               (int)history->last.score, (int)rating->numbers.score);
        }
    }
}

static int compare_ids(const void *left, const void *right) {
    return strcmp(((const struct ampel_stored_told *)left)->id,
                  ((const struct ampel_stored_told *)right)->id);
}

void sim_model_check_told(struct sim_model *model) {
    const struct ampel_stored_told *stored;
    uint32_t count = ampel_memory_database_told(model->database, &stored);
    struct ampel_stored_told *told = malloc((count + 1) * sizeof(told[0]));
    AMPEL_ASSERT(told != NULL);
    if (count > 0) memcpy(told, stored, count * sizeof(told[0]));
    qsort(told, count, sizeof(told[0]), compare_ids);
    for (uint32_t i = 1; i < count; i++) {
        if (strcmp(told[i - 1].id, told[i].id) == 0)
            sim_model_fail(model, "the change %s of %s is stored twice", told[i].id,
                           told[i].account);
    }
    free(told);
    check_history(model);
}

void sim_model_check_refusals(struct sim_model *model) {
    uint64_t bad = 0;
    for (uint32_t i = 0; i < SIM_AGENCIES; i++)
        bad += ampel_agency_bad(model->agencies[i]);
    const struct ampel_stored_refusal *rows;
    uint32_t count = ampel_memory_database_refusals(model->database, &rows);
    if (count != bad)
        sim_model_fail(model, "%u refusals are stored, %llu events were refused", (unsigned)count,
                       (unsigned long long)bad);
}
