#include "workers/cli/day_marks.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/draft.h"
#include "proto/jsonl.h"

static void mark_write(struct ampel_day_marks *marks, const struct ampel_engine *engine, uint32_t slot,
                       int32_t lowest) {
    struct ampel_text tenant, seller, marketplace;
    struct ampel_event event;
    char line[AMPEL_JSONL_LINE_MAX];
    ampel_engine_account_identity(engine, slot, &tenant, &seller, &marketplace);
    ampel_event_reset(&event, AMPEL_EVENT_DAY_MARK, marks->day * AMPEL_DAY_MS);
    event.points = (int16_t)lowest;
    uint32_t size = ampel_jsonl_encode(tenant, seller, marketplace, &event, line, sizeof line);
    AMPEL_ASSERT(size > 0);
    fwrite(line, 1, size, stdout);
    marks->written++;
}

/* A score that was taken over within its own millisecond was never shown. */
static void score_fold(struct ampel_day_account *account, int64_t until_ms) {
    if (until_ms > account->since_ms && account->score < account->lowest)
        account->lowest = account->score;
    account->since_ms = until_ms;
}

static void day_close(struct ampel_day_marks *marks, const struct ampel_engine *engine) {
    int64_t end_ms = (marks->day + 1) * AMPEL_DAY_MS;
    for (uint32_t slot = 0; slot < marks->accounts_count; slot++) {
        struct ampel_day_account *account = &marks->accounts[slot];
        if (!account->known) continue;
        score_fold(account, end_ms);
        mark_write(marks, engine, slot, account->lowest);
        account->lowest = INT32_MAX;
    }
    marks->day++;
}

void ampel_day_marks_close_until(struct ampel_day_marks *marks, const struct ampel_engine *engine,
                                 int64_t at_ms) {
    if (marks->day < 0) return;
    while (marks->day < at_ms / AMPEL_DAY_MS) day_close(marks, engine);
}

void ampel_day_marks_take(struct ampel_day_marks *marks, const struct ampel_engine *engine,
                          const struct ampel_change *change) {
    if (change->kind != AMPEL_CHANGE_SCORE) return;
    ampel_day_marks_close_until(marks, engine, change->at_ms);
    if (marks->day < 0) marks->day = change->at_ms / AMPEL_DAY_MS;
    if (change->slot >= marks->accounts_capacity) {
        uint32_t capacity = marks->accounts_capacity == 0 ? 64 : marks->accounts_capacity * 2;
        if (capacity <= change->slot) capacity = change->slot + 1;
        marks->accounts = realloc(marks->accounts, capacity * sizeof *marks->accounts);
        AMPEL_ASSERT(marks->accounts != NULL);
        memset(marks->accounts + marks->accounts_capacity, 0,
               (capacity - marks->accounts_capacity) * sizeof *marks->accounts);
        marks->accounts_capacity = capacity;
    }
    if (change->slot >= marks->accounts_count) marks->accounts_count = change->slot + 1;
    struct ampel_day_account *account = &marks->accounts[change->slot];
    if (!account->known)
        *account = (struct ampel_day_account){.since_ms = change->at_ms, .lowest = INT32_MAX, .known = true};
    else
        score_fold(account, change->at_ms);
    account->score = change->after.score;
}

void ampel_day_marks_reset(struct ampel_day_marks *marks) {
    free(marks->accounts);
    *marks = (struct ampel_day_marks){.day = -1};
}
