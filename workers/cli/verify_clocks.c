/* The clocks that run against the engine made from the pages. Both come in the order of accounts and clocks and are merged. */
#include <stdlib.h>

#include "proto/text.h"
#include "workers/cli/verify.h"

struct known_clock {
    struct ampel_text identity[3];
    struct ampel_clock_run run;
    struct ampel_text group;
};

struct known_clocks {
    struct known_clock *list;
    uint32_t count, capacity;
};

static void known_push(struct known_clocks *known, const struct known_clock *clock) {
    if (known->count == known->capacity) {
        known->capacity = known->capacity == 0 ? 64 : 2 * known->capacity;
        known->list = realloc(known->list, known->capacity * sizeof known->list[0]);
        AMPEL_ASSERT(known->list != NULL);
    }
    known->list[known->count++] = *clock;
}

static int clock_compare(const struct known_clock *left, const struct known_clock *right) {
    for (uint32_t i = 0; i < AMPEL_ARRAY_COUNT(left->identity); i++) {
        int order = ampel_text_compare(left->identity[i], right->identity[i]);
        if (order != 0) return order;
    }
    if (left->run.kind != right->run.kind) return left->run.kind < right->run.kind ? -1 : 1;
    return ampel_text_compare(left->group, right->group);
}

static int compare(const void *left, const void *right) { return clock_compare(left, right); }

static void known_read(const struct ampel_verify *verify, const struct ampel_verify_partition *partition,
                       struct known_clocks *known) {
    for (uint32_t i = 0; i < partition->accounts_count; i++) {
        uint32_t slot = partition->slots[i], cursor = 0;
        struct known_clock clock = {0};
        while (ampel_engine_clock_next(partition->engine, slot, &cursor, &clock.run)) {
            struct ampel_text *identity = clock.identity;
            ampel_engine_account_identity(partition->engine, slot, &identity[0], &identity[1], &identity[2]);
            bool group = clock.run.cap_group < verify->rules->cap_groups_count;
            clock.group = ampel_text_of(group ? verify->rules->cap_groups[clock.run.cap_group].name : "");
            known_push(known, &clock);
        }
    }
    if (known->count > 1) qsort(known->list, known->count, sizeof known->list[0], compare);
}

static void stored_read(const struct ampel_pq *pq, uint32_t row, struct known_clock *out) {
    struct ampel_text kind = ampel_pq_get_text(pq, row, 3);
    *out = (struct known_clock){.identity = {ampel_pq_get_text(pq, row, 0), ampel_pq_get_text(pq, row, 1),
                                             ampel_pq_get_text(pq, row, 2)},
                                .run = {.started_ms = ampel_pq_get_time(pq, row, 5),
                                        .deadline_ms = ampel_pq_get_time(pq, row, 6)},
                                .group = ampel_pq_get_text(pq, row, 4)};
    for (uint8_t i = AMPEL_CLOCK_RED; i <= AMPEL_CLOCK_CAP; i++)
        if (ampel_text_is(kind, ampel_clock_name(i))) out->run.kind = i;
}

static void problem(struct ampel_verify *verify, const struct known_clock *clock, const char *what) {
    const struct ampel_text *identity = clock->identity;
    ampel_verify_problem(verify, "clock %s of %.*s/%.*s/%.*s: %s", ampel_clock_name(clock->run.kind),
                         (int)identity[0].size, identity[0].bytes, (int)identity[1].size, identity[1].bytes,
                         (int)identity[2].size, identity[2].bytes, what);
}

enum ampel_database_status ampel_verify_clocks(struct ampel_verify *verify,
                                               const struct ampel_verify_partition *partition,
                                               struct ampel_error *error) {
    const struct ampel_pq_value number = ampel_pq_int64(partition->number);
    enum ampel_database_status status = ampel_pq_run(verify->pq, AMPEL_SQL_VERIFY_CLOCKS, &number, 1, error);
    if (status != AMPEL_DATABASE_OK) return status;
    struct known_clocks known = {0};
    known_read(verify, partition, &known);
    uint32_t rows = ampel_pq_rows(verify->pq), row = 0, i = 0;
    while (row < rows || i < known.count) {
        struct known_clock stored = {0};
        if (row < rows) stored_read(verify->pq, row, &stored);
        int order = row == rows ? 1 : i == known.count ? -1 : clock_compare(&stored, &known.list[i]);
        if (order < 0)
            problem(verify, &stored, "it does not run by its page");
        else if (order > 0 && known.list[i].run.started_ms < ampel_engine_now(partition->engine))
            /* Pages of before know no clocks: theirs started with this reading. */
            problem(verify, &known.list[i], "the row is missing");
        else if (order == 0 && (stored.run.started_ms != known.list[i].run.started_ms ||
                                stored.run.deadline_ms != known.list[i].run.deadline_ms))
            problem(verify, &stored, "its times differ from those of its page");
        row += order <= 0;
        i += order >= 0;
    }
    verify->clocks += known.count;
    free(known.list);
    return AMPEL_DATABASE_OK;
}
