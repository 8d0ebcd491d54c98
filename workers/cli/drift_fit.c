#include "workers/cli/drift_fit.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/print.h"
#include "proto/rules_file.h"
#include "proto/text.h"
#include "workers/cli/labels.h"
#include "workers/cli/members.h"
#include "workers/cli/table.h"

/* What a violation typically costs is told as 2 to 8; how it is spread over the severities is not (domain.md). */
static const int32_t severities[][3] = {{2, 4, 8}, {2, 5, 8}, {2, 6, 8}, {2, 4, 6}, {4, 6, 8},
                                        {2, 2, 2}, {4, 4, 4}, {8, 8, 8}, {2, 3, 4}, {2, 8, 8}};
static const struct {
    const char *name;
    enum ampel_ladder ladder;
} ladders[] = {{"geometric", AMPEL_LADDER_GEOMETRIC},
               {"double_once", AMPEL_LADDER_DOUBLE_ONCE},
               {"off", AMPEL_LADDER_OFF}};

#define CANDIDATES_MAX (1 + AMPEL_VARIANTS_MAX + AMPEL_ARRAY_COUNT(severities) * AMPEL_ARRAY_COUNT(ladders))
/* A table for people shows the best of them. */
#define ROWS_MAX 10

struct candidate {
    char name[AMPEL_ID_BYTES_MAX + 1];
    bool present;
    uint32_t number; /* in the order of trying: of equals the nearer to the present rules first */
    uint64_t reports_count, error;
};

struct fitting {
    char *const *files;
    int files_count;
    const struct ampel_replay_options *options;
    uint32_t count;
    struct candidate candidates[CANDIDATES_MAX];
};

static bool ignore(void *context, const struct ampel_engine *engine, const struct ampel_change *change) {
    (void)context;
    (void)engine;
    (void)change;
    return true;
}

static void errors_add(const struct ampel_engine *engine, struct candidate *candidate) {
    for (uint32_t slot = 0; slot < ampel_engine_accounts_count(engine); slot++) {
        struct ampel_drift drift;
        uint32_t cursor = 0;
        while (ampel_engine_drift_next(engine, slot, &cursor, &drift)) {
            candidate->reports_count++;
            candidate->error += (uint64_t)(drift.drift < 0 ? -(int64_t)drift.drift : drift.drift);
        }
    }
}

static bool candidate_try(struct fitting *fitting, const char *name, const struct ampel_rules *rules) {
    AMPEL_ASSERT(fitting->count < CANDIDATES_MAX);
    struct candidate *candidate = &fitting->candidates[fitting->count];
    *candidate = (struct candidate){.present = fitting->count == 0, .number = fitting->count};
    (void)snprintf(candidate->name, sizeof candidate->name, "%s", name);
    struct ampel_replay_options options = *fitting->options;
    options.rules = rules;
    struct ampel_replay replay;
    const struct ampel_replay_sink sink = {.change = ignore};
    bool good = ampel_replay_open(&replay, fitting->files, fitting->files_count, &options) &&
                ampel_replay_run(&replay, &sink);
    if (good) errors_add(replay.engine, candidate);
    ampel_replay_close(&replay);
    fitting->count += good;
    return good;
}

static bool variants_try(struct fitting *fitting) {
    const struct ampel_rules *rules = fitting->options->rules;
    for (uint32_t i = 0; i < rules->variants_count; i++) {
        struct ampel_rules variant;
        struct ampel_error error = {0};
        if (!ampel_rules_variant(rules, i, &variant, &error)) {
            fprintf(stderr, "ampel drift: variant %s: %s: %s\n", rules->variants[i].name, error.field, error.reason);
            return false;
        }
        if (!candidate_try(fitting, rules->variants[i].name, &variant)) return false;
    }
    return true;
}

static bool grid_try(struct fitting *fitting) {
    for (uint32_t l = 0; l < AMPEL_ARRAY_COUNT(ladders); l++) {
        for (uint32_t s = 0; s < AMPEL_ARRAY_COUNT(severities); s++) {
            struct ampel_rules rules = *fitting->options->rules;
            char name[AMPEL_ID_BYTES_MAX + 1];
            rules.ladder = ladders[l].ladder;
            for (uint32_t i = 0; i < 3; i++) rules.severity_points[AMPEL_SEVERITY_LOW + i] = severities[s][i];
            (void)snprintf(name, sizeof name, "ladder %s, points %d/%d/%d", ladders[l].name, severities[s][0],
                           severities[s][1], severities[s][2]);
            if (!candidate_try(fitting, name, &rules)) return false;
        }
    }
    return true;
}

static int nearer_first(const void *left_one, const void *right_one) {
    const struct candidate *left = left_one, *right = right_one;
    if (left->error != right->error) return left->error < right->error ? -1 : 1;
    return (left->number > right->number) - (left->number < right->number);
}

static void people_print(const struct fitting *fitting, uint64_t present_error) {
    struct ampel_table *table = ampel_table_open();
    AMPEL_ASSERT(table != NULL);
    ampel_table_column(table, "RULES", AMPEL_LEFT, AMPEL_FIT_CUT);
    ampel_table_column(table, "TOTAL ERROR", AMPEL_RIGHT, AMPEL_FIT_WHOLE);
    ampel_table_column(table, "PER REPORT", AMPEL_RIGHT, AMPEL_FIT_WHOLE);
    ampel_table_column(table, "BETTER BY", AMPEL_RIGHT, AMPEL_FIT_WHOLE);
    for (uint32_t i = 0; i < fitting->count; i++) {
        const struct candidate *candidate = &fitting->candidates[i];
        if (i >= ROWS_MAX && !candidate->present) continue;
        enum ampel_paint paint = candidate->present ? AMPEL_BOLD : AMPEL_PLAIN;
        uint64_t tenths = candidate->reports_count > 0 ? candidate->error * 10 / candidate->reports_count : 0;
        ampel_table_cell(table, paint, "%s", ampel_label(candidate->name));
        ampel_table_cell(table, paint, "%" PRIu64, candidate->error);
        ampel_table_cell(table, paint, "%" PRIu64 ".%u", tenths / 10, (unsigned)(tenths % 10));
        ampel_table_cell(table, paint, "%+" PRId64, (int64_t)(present_error - candidate->error));
    }
    printf(ampel_label("\nThe rules that explain %llu reports best, of %u that were tried:\n"),
           (unsigned long long)fitting->candidates[0].reports_count, fitting->count);
    ampel_table_print(table);
    ampel_table_close(table);
}

static void programs_print(const struct fitting *fitting, uint64_t present_error) {
    for (uint32_t i = 0; i < fitting->count; i++) {
        const struct candidate *candidate = &fitting->candidates[i];
        char bytes[512];
        struct ampel_print print = {.bytes = bytes, .capacity = sizeof bytes};
        ampel_print_word(&print, "{");
        ampel_member_text(&print, "rules", ampel_text_of(candidate->name));
        ampel_member_boolean(&print, "present", candidate->present);
        ampel_member_unsigned(&print, "error", candidate->error);
        ampel_member_unsigned(&print, "reports", candidate->reports_count);
        ampel_member_integer(&print, "better", (int64_t)(present_error - candidate->error));
        ampel_print_word(&print, "}\n");
        AMPEL_ASSERT(!print.full);
        fwrite(bytes, 1, print.size, stdout);
    }
}

bool ampel_drift_fit(char *const *files, int files_count, const struct ampel_replay_options *options,
                     enum ampel_format format) {
    struct fitting *fitting = calloc(1, sizeof *fitting);
    if (fitting == NULL) {
        fprintf(stderr, "ampel drift: out of memory\n");
        return false;
    }
    fitting->files = files;
    fitting->files_count = files_count;
    fitting->options = options;
    bool good = candidate_try(fitting, "the present rules", options->rules) && variants_try(fitting) &&
                grid_try(fitting);
    if (good && fitting->candidates[0].reports_count > 0) {
        uint64_t present_error = fitting->candidates[0].error;
        qsort(fitting->candidates, fitting->count, sizeof fitting->candidates[0], nearer_first);
        if (format == AMPEL_FORMAT_TABLE)
            people_print(fitting, present_error);
        else
            programs_print(fitting, present_error);
    }
    free(fitting);
    return good;
}
