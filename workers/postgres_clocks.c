/* Which clocks run, of the accounts of which that changed: a list of each as JSON, that the merge takes apart. */
#include "proto/print.h"
#include "proto/text.h"
#include "workers/postgres.h"

static void print_clock(struct ampel_print *print, const struct ampel_checkpoint *checkpoint,
                        const struct ampel_clock_run *run) {
    const char *group = run->cap_group < checkpoint->caps_count ? checkpoint->caps_names[run->cap_group] : "";
    ampel_print_word(print, "{");
    ampel_print_key(print, "clock");
    ampel_print_json(print, ampel_text_of(ampel_clock_name(run->kind)));
    ampel_print_key(print, "cap_group");
    ampel_print_json(print, ampel_text_of(group));
    ampel_print_key(print, "starts");
    ampel_print_time(print, run->started_ms);
    ampel_print_key(print, "runs_out");
    ampel_print_time(print, run->deadline_ms);
    ampel_print_word(print, "}");
}

static struct ampel_text clocks_json(struct ampel_postgres *postgres, const struct ampel_checkpoint *checkpoint,
                                     const struct ampel_clock_row *row) {
    struct ampel_print print = {.bytes = postgres->json, .capacity = sizeof(postgres->json)};
    ampel_print_word(&print, "[");
    for (uint32_t i = 0; i < row->runs_count; i++) {
        if (i > 0) ampel_print_word(&print, ",");
        print_clock(&print, checkpoint, &row->runs[i]);
    }
    ampel_print_word(&print, "]");
    AMPEL_ASSERT(!print.full);
    return (struct ampel_text){print.bytes, print.size};
}

enum ampel_database_status ampel_postgres_copy_clocks(struct ampel_postgres *postgres,
                                                      const struct ampel_checkpoint *checkpoint,
                                                      struct ampel_error *error) {
    struct ampel_copy *copy = &postgres->copy;
    ampel_copy_begin(copy, postgres->pq, AMPEL_SQL_CLOCK_COPY, 5, error);
    for (uint32_t i = 0; i < checkpoint->clocks_count; i++) {
        const struct ampel_clock_row *row = &checkpoint->clocks[i];
        ampel_copy_row(copy);
        ampel_copy_text(copy, row->tenant);
        ampel_copy_text(copy, row->seller);
        ampel_copy_text(copy, row->marketplace);
        ampel_copy_json(copy, clocks_json(postgres, checkpoint, row));
        ampel_copy_time(copy, row->as_of_ms);
    }
    return ampel_copy_end(copy);
}
