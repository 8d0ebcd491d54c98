/* The state of an engine between two commits, by its own words. */
#include "tests/simulation/model.h"

#include "proto/hash.h"

#include <string.h>

static struct ampel_text text_of(const char *name) {
    return (struct ampel_text){name, (uint32_t)strlen(name)};
}

/* The events of an account that stand in its partition's log up to the engine's place, each batch once; the rules that
   hold there, and the time. */
static uint64_t tell(const struct sim_model *model, uint32_t agency, uint32_t account,
                     uint64_t position, bool applied, struct ampel_oracle *oracle,
                     int64_t *stamp_ms) {
    const struct sim_partition *of = &model->of[model->account_partition[agency][account]];
    bool seen[SIM_SEQUENCES_MAX] = {false};
    uint64_t set = 0;
    for (uint32_t i = 0; i < of->notes_count && of->notes[i].position <= position; i++) {
        const struct sim_note *note = &of->notes[i];
        *stamp_ms = note->stamp_ms;
        if (note->position == position && !applied) break;
        if (note->agency == SIM_NOTE_RULES) set = note->sequence;
        if (note->agency != (int32_t)agency || seen[note->sequence]) continue;
        seen[note->sequence] = true;
        const struct ampel_agency_event *told;
        uint32_t count = ampel_agency_told(model->agencies[agency], note->sequence, &told);
        for (uint32_t j = 0; j < count; j++) {
            if (told[j].account == account) ampel_oracle_add(oracle, &told[j].event);
        }
    }
    return set;
}

static void compare(struct sim_model *model, const struct ampel_engine *engine, uint32_t agency,
                    uint32_t account, uint64_t position, bool applied) {
    char seller[AMPEL_AGENCY_NAME_SIZE];
    ampel_agency_seller(account, seller);
    struct ampel_text names[3] = {text_of(ampel_agency_tenant(model->agencies[agency])),
                                  text_of(seller), text_of("DE")};
    struct ampel_oracle oracle = {0};
    int64_t stamp_ms = INT64_MIN;
    uint64_t set = tell(model, agency, account, position, applied, &oracle, &stamp_ms);
    struct ampel_oracle_rating rating;
    int64_t now_ms = ampel_engine_now(engine);
    ampel_oracle_rate(&oracle, model->sets[set].rules, now_ms, now_ms, &rating);
    uint32_t slot = ampel_engine_account_find(
        engine, ampel_hash_account(names[0], names[1], names[2]), names[0], names[1], names[2]);
    struct ampel_numbers numbers = {0};
    if (slot != AMPEL_SLOT_NONE) ampel_engine_numbers(engine, slot, &numbers);
    if (now_ms != stamp_ms)
        sim_model_fail(model, "after the step at %llu the engine's time is %lld, the log's %lld",
                       (unsigned long long)position, (long long)now_ms, (long long)stamp_ms);
    else if (slot == AMPEL_SLOT_NONE ? rating.exists : !sim_model_same(&numbers, &rating, true))
        sim_model_fail(model,
                       "after the step at %llu %s/%s has score %d orders %u deducted %lld; oracle "
                       "under rules %llu: %lld %lld %lld",
                       (unsigned long long)position, names[0].bytes, seller, (int)numbers.score,
                       (unsigned)numbers.orders, (long long)numbers.deducted,
                       (unsigned long long)set, (long long)rating.score, (long long)rating.orders,
                       (long long)rating.deducted);
    model->frames_checked++;
    ampel_oracle_rating_reset(&rating);
    ampel_oracle_reset(&oracle);
}

void sim_model_check_step(struct sim_model *model, const struct ampel_engine *engine,
                          uint32_t partition, uint64_t position, bool applied, uint64_t dice) {
    if (partition >= model->partitions || model->reason[0] != '\0') return;
    /* When a stage has failed the others go on for a moment, and nobody reads the log any more. */
    if (position >= model->end) return;
    /* The first account from a random one on that lives in this partition. */
    uint32_t all = SIM_AGENCIES * SIM_ACCOUNTS, from = (uint32_t)(dice % all);
    for (uint32_t i = 0; i < all; i++) {
        uint32_t agency = (from + i) % all / SIM_ACCOUNTS, account = (from + i) % SIM_ACCOUNTS;
        if (model->account_partition[agency][account] != partition) continue;
        compare(model, engine, agency, account, position, applied);
        return;
    }
}
