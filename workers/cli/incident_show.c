/* list, show, remind: what is known of cases. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/bounds.h"
#include "proto/print.h"
#include "proto/text.h"
#include "proto/time.h"
#include "workers/cli/command.h"
#include "workers/cli/connect.h"
#include "workers/cli/incident.h"
#include "workers/cli/labels.h"
#include "workers/cli/options.h"
#include "workers/cli/table.h"

/* A line of JSON: a note of the longest, escaped at worst to six bytes a byte, and what stands around it. */
#define LINE_BYTES (8 * AMPEL_CASE_NOTE_BYTES_MAX + 32768)

struct line {
    char bytes[LINE_BYTES];
    struct ampel_print print;
};

static void line_begin(struct line *line) {
    line->print = (struct ampel_print){.bytes = line->bytes, .capacity = sizeof line->bytes};
    ampel_print_word(&line->print, "{");
}

static void line_end(struct line *line) {
    ampel_print_word(&line->print, "}\n");
    AMPEL_ASSERT(!line->print.full);
    fwrite(line->print.bytes, 1, line->print.size, stdout);
}

static void put_text(struct line *line, const char *key, struct ampel_text text) {
    if (text.size == 0) return;
    ampel_print_key(&line->print, key);
    ampel_print_json(&line->print, text);
}

static void put_number(struct line *line, const char *key, int64_t number) {
    ampel_print_key(&line->print, key);
    ampel_print_integer(&line->print, number);
}

static void put_time(struct line *line, const char *key, const struct ampel_pq *pq, uint32_t row, uint32_t column) {
    if (ampel_pq_is_null(pq, row, column)) return;
    ampel_print_key(&line->print, key);
    ampel_print_time(&line->print, ampel_pq_get_time(pq, row, column));
}

static const char *text_at(const struct ampel_pq *pq, uint32_t row, uint32_t column) {
    return ampel_pq_get_text(pq, row, column).bytes;
}

static void minute(const struct ampel_pq *pq, uint32_t row, uint32_t column, char out[AMPEL_LABEL_TIME_SIZE]) {
    if (ampel_pq_is_null(pq, row, column))
        snprintf(out, AMPEL_LABEL_TIME_SIZE, "-");
    else
        ampel_label_minute(ampel_pq_get_time(pq, row, column), out);
}

/* "in 2 d 3 h", "5 h ago" */
static void left_write(int64_t until_ms, char out[AMPEL_LABEL_TIME_SIZE]) {
    int64_t left_ms = until_ms - ampel_option_now(), hours = (left_ms < 0 ? -left_ms : left_ms) / AMPEL_HOUR_MS;
    const char *format = left_ms < 0 ? "%lld d %lld h over" : "%lld d %lld h left";
    snprintf(out, AMPEL_LABEL_TIME_SIZE, ampel_label(format), (long long)(hours / 24), (long long)(hours % 24));
}

static enum ampel_paint paint_of_left(int64_t until_ms) {
    int64_t left_ms = until_ms - ampel_option_now();
    if (left_ms < AMPEL_DAY_MS) return AMPEL_PAINT_RED;
    return left_ms < 3 * AMPEL_DAY_MS ? AMPEL_PAINT_YELLOW : AMPEL_PLAIN;
}

/* ---- list ----------------------------------------------------------------------------------- */

static void list_json(const struct ampel_pq *pq, uint32_t row) {
    static struct line line;
    line_begin(&line);
    put_text(&line, "tenant", ampel_pq_get_text(pq, row, 0));
    put_text(&line, "id", ampel_pq_get_text(pq, row, 1));
    put_text(&line, "state", ampel_pq_get_text(pq, row, 2));
    put_time(&line, "compromised_from", pq, row, 3);
    put_time(&line, "opened_at", pq, row, 4);
    put_text(&line, "stores", ampel_pq_get_text(pq, row, 11));
    put_number(&line, "steps_settled", ampel_pq_get_int64(pq, row, 6));
    put_number(&line, "next_step", ampel_pq_get_int64(pq, row, 7));
    put_time(&line, "next_clock", pq, row, 8);
    put_time(&line, "watched_until", pq, row, 9);
    ampel_print_key(&line.print, "unsent");
    ampel_print_word(&line.print, ampel_pq_get_boolean(pq, row, 10) ? "true" : "false");
    line_end(&line);
}

static void list_row(struct ampel_table *table, const struct ampel_pq *pq, uint32_t row) {
    char since[AMPEL_LABEL_TIME_SIZE], next[AMPEL_LABEL_TIME_SIZE] = "-";
    minute(pq, row, 3, since);
    bool clock = !ampel_pq_is_null(pq, row, 8);
    if (clock) left_write(ampel_pq_get_time(pq, row, 8), next);
    ampel_table_cell(table, AMPEL_BOLD, "%s/%s", text_at(pq, row, 0), text_at(pq, row, 1));
    ampel_table_cell(table, ampel_text_is(ampel_pq_get_text(pq, row, 2), "opened") ? AMPEL_PAINT_RED : AMPEL_PLAIN, "%s%s",
                     ampel_label(text_at(pq, row, 2)), ampel_pq_get_boolean(pq, row, 10) ? ampel_label(", not sent") : "");
    ampel_table_cell(table, AMPEL_PLAIN, "%s", since);
    ampel_table_cell(table, AMPEL_PLAIN, "%s", text_at(pq, row, 11));
    ampel_table_cell(table, AMPEL_PLAIN, "%lld/20", (long long)ampel_pq_get_int64(pq, row, 6));
    ampel_table_cell(table, AMPEL_PLAIN, "%lld", (long long)ampel_pq_get_int64(pq, row, 7));
    ampel_table_cell(table, clock ? paint_of_left(ampel_pq_get_time(pq, row, 8)) : AMPEL_DIM, "%s", next);
}

static int list_print(struct ampel_pq *pq, const struct ampel_incident_words *given) {
    const struct ampel_pq_value values[] = {ampel_pq_string(given->tenant != NULL ? given->tenant : ""),
                                            ampel_pq_boolean(given->all)};
    if (!ampel_case_run(pq, given, AMPEL_SQL_CASE_LIST, values, 2)) return AMPEL_EXIT_FAILED;
    if (given->format == AMPEL_FORMAT_JSONL) {
        for (uint32_t row = 0; row < ampel_pq_rows(pq); row++)
            list_json(pq, row);
        return AMPEL_EXIT_OK;
    }
    if (ampel_pq_rows(pq) == 0) {
        fputs(ampel_label("no open cases\n"), stdout);
        return AMPEL_EXIT_OK;
    }
    static const char *const titles[] = {"CASE", "STATE", "TAKEN OVER", "STORES", "STEPS", "NEXT STEP", "NEXT CLOCK"};
    struct ampel_table *table = ampel_table_open();
    AMPEL_ASSERT(table != NULL);
    for (size_t i = 0; i < AMPEL_ARRAY_COUNT(titles); i++)
        ampel_table_column(table, titles[i], i == 4 || i == 5 ? AMPEL_RIGHT : AMPEL_LEFT, i == 3);
    for (uint32_t row = 0; row < ampel_pq_rows(pq); row++)
        list_row(table, pq, row);
    ampel_table_print(table);
    ampel_table_close(table);
    return AMPEL_EXIT_OK;
}

/* ---- show ----------------------------------------------------------------------------------- */

static void head_print(const struct ampel_case *incident) {
    char since[AMPEL_LABEL_TIME_SIZE], end[AMPEL_LABEL_TIME_SIZE];
    ampel_label_minute(incident->compromised_from_ms, since);
    printf(ampel_label("%s%s/%s%s  %s, taken over since %s"), ampel_paint_start(AMPEL_BOLD), incident->tenant, incident->id,
           ampel_paint_end(), ampel_label(incident->state), since);
    if (incident->contained_ms != AMPEL_CASE_NONE_MS) {
        ampel_label_minute(incident->contained_ms, end);
        printf(ampel_label(", contained %s"), end);
    }
    if (incident->closed_ms != AMPEL_CASE_NONE_MS) {
        ampel_label_minute(incident->closed_ms, end);
        printf(ampel_label(", closed %s"), end);
    }
    printf("\n\n");
}

static void stores_print(const struct ampel_pq *pq) {
    for (uint32_t row = 0; row < ampel_pq_rows(pq); row++) {
        const char *disputes = text_at(pq, row, 12);
        printf(ampel_label("  %s/%s: score %lld, without the case %lld; %lld violations cost %lld points\n"), text_at(pq, row, 0),
               text_at(pq, row, 1), (long long)ampel_pq_get_int64(pq, row, 2), (long long)ampel_pq_get_int64(pq, row, 5),
               (long long)ampel_pq_get_int64(pq, row, 7), (long long)ampel_pq_get_int64(pq, row, 9));
        if (disputes[0] != 0) printf(ampel_label("    dispute first: %s\n"), disputes);
    }
    printf("\n");
}

static void step_cells(struct ampel_table *table, const struct ampel_pq *pq, uint32_t row) {
    struct ampel_text state = ampel_pq_get_text(pq, row, 4);
    char done[AMPEL_LABEL_TIME_SIZE] = "", words[AMPEL_LABEL_WORDS_SIZE];
    bool settled = ampel_text_is(state, "done") || ampel_text_is(state, "not_needed");
    enum ampel_paint paint = settled ? AMPEL_PAINT_GREEN : ampel_text_is(state, "warning") ? AMPEL_PAINT_RED : AMPEL_PLAIN;
    if (settled) ampel_label_minute(ampel_pq_get_time(pq, row, 5), done);
    ampel_table_cell(table, AMPEL_PLAIN, "%lld", (long long)ampel_pq_get_int64(pq, row, 0));
    ampel_table_cell(table, paint, "%s", ampel_label(text_at(pq, row, 2)));
    ampel_table_cell(table, paint, "%s", ampel_label_words(text_at(pq, row, 4), words));
    ampel_table_cell(table, AMPEL_PLAIN, "%s", settled ? text_at(pq, row, 6) : text_at(pq, row, 8));
    ampel_table_cell(table, AMPEL_DIM, "%s", settled ? done : text_at(pq, row, 9));
}

static void steps_print(const struct ampel_pq *pq) {
    static const char *const titles[] = {"STEP", "WHAT", "STATE", "WHO", "WHEN / AFTER"};
    struct ampel_table *table = ampel_table_open();
    AMPEL_ASSERT(table != NULL);
    for (size_t i = 0; i < AMPEL_ARRAY_COUNT(titles); i++)
        ampel_table_column(table, titles[i], i == 0 ? AMPEL_RIGHT : AMPEL_LEFT, i == 1);
    for (uint32_t row = 0; row < ampel_pq_rows(pq); row++)
        step_cells(table, pq, row);
    ampel_table_print(table);
    ampel_table_close(table);
}

static void clocks_print(const struct ampel_pq *pq) {
    static const char *const titles[] = {"CLOCK", "RUNS OUT", "LEFT", "WHAT THEN", "HOW SURE"};
    if (ampel_pq_rows(pq) == 0) return;
    struct ampel_table *table = ampel_table_open();
    AMPEL_ASSERT(table != NULL);
    for (size_t i = 0; i < AMPEL_ARRAY_COUNT(titles); i++)
        ampel_table_column(table, titles[i], AMPEL_LEFT, i >= 3);
    for (uint32_t row = 0; row < ampel_pq_rows(pq); row++) {
        char out[AMPEL_LABEL_TIME_SIZE], left[AMPEL_LABEL_TIME_SIZE], words[AMPEL_LABEL_WORDS_SIZE];
        int64_t runs_out_ms = ampel_pq_get_time(pq, row, 6);
        bool settled = !ampel_pq_is_null(pq, row, 9);
        minute(pq, row, 6, out);
        left_write(runs_out_ms, left);
        ampel_table_cell(table, AMPEL_PLAIN, "%s %s", ampel_label_words(text_at(pq, row, 2), words), text_at(pq, row, 3));
        ampel_table_cell(table, AMPEL_PLAIN, "%s", out);
        ampel_table_cell(table, settled ? AMPEL_PAINT_GREEN : paint_of_left(runs_out_ms), "%s",
                         settled ? ampel_label("settled") : left);
        ampel_table_cell(table, AMPEL_PLAIN, "%s", ampel_label(text_at(pq, row, 7)));
        ampel_table_cell(table, AMPEL_DIM, "%s", ampel_label(text_at(pq, row, 8)));
    }
    printf("\n");
    ampel_table_print(table);
    ampel_table_close(table);
}

static void history_print(const struct ampel_pq *pq) {
    printf("\n");
    for (uint32_t row = 0; row < ampel_pq_rows(pq); row++) {
        char at[AMPEL_LABEL_TIME_SIZE], words[AMPEL_LABEL_WORDS_SIZE];
        int64_t step = ampel_pq_get_int64(pq, row, 4);
        minute(pq, row, 6, at);
        /* A violation was put in or taken out, said in words that this program chose. */
        bool tagged = ampel_text_is(ampel_pq_get_text(pq, row, 3), "tagged");
        printf("  %s  %s: %s", at, text_at(pq, row, 2),
               ampel_label_words(tagged ? "violation moved" : text_at(pq, row, 3), words));
        if (step > 0) printf(" %lld", (long long)step);
        for (uint32_t column = 5; column <= 8; column++)
            if (column != 6 && ampel_pq_get_text(pq, row, column).size > 0)
                printf("  %s", tagged ? ampel_label(text_at(pq, row, column)) : text_at(pq, row, column));
        if (ampel_pq_get_text(pq, row, 10).size > 0) printf("  %s", text_at(pq, row, 10));
        printf("\n");
    }
}

static void show_json_stores(const struct ampel_pq *pq) {
    static struct line line;
    for (uint32_t row = 0; row < ampel_pq_rows(pq); row++) {
        line_begin(&line);
        put_text(&line, "row", ampel_text_of("store"));
        put_text(&line, "seller", ampel_pq_get_text(pq, row, 0));
        put_text(&line, "marketplace", ampel_pq_get_text(pq, row, 1));
        static const char *const names[] = {"score", NULL, NULL, "score_without", "violations", "deducting", "points",
                                            "points_caused", "orders", "cancelled"};
        for (uint32_t i = 0; i < AMPEL_ARRAY_COUNT(names); i++)
            if (names[i] != NULL && !ampel_pq_is_null(pq, row, i + 2)) put_number(&line, names[i], ampel_pq_get_int64(pq, row, i + 2));
        put_text(&line, "dispute_first", ampel_pq_get_text(pq, row, 12));
        line_end(&line);
    }
}

static void show_json_steps(const struct ampel_pq *pq) {
    static struct line line;
    static const char *const names[] = {"phase", "title", "evidence", "state"};
    for (uint32_t row = 0; row < ampel_pq_rows(pq); row++) {
        line_begin(&line);
        put_text(&line, "row", ampel_text_of("step"));
        put_number(&line, "step", ampel_pq_get_int64(pq, row, 0));
        for (uint32_t i = 0; i < AMPEL_ARRAY_COUNT(names); i++)
            put_text(&line, names[i], ampel_pq_get_text(pq, row, i + 1));
        put_time(&line, "done_at", pq, row, 5);
        put_text(&line, "by", ampel_pq_get_text(pq, row, 6));
        put_text(&line, "note", ampel_pq_get_text(pq, row, 7));
        put_text(&line, "owner", ampel_pq_get_text(pq, row, 8));
        put_text(&line, "waits_for", ampel_pq_get_text(pq, row, 9));
        line_end(&line);
    }
}

static void show_json_clocks(const struct ampel_pq *pq, const char *kind) {
    static struct line line;
    for (uint32_t row = 0; row < ampel_pq_rows(pq); row++) {
        line_begin(&line);
        put_text(&line, "row", ampel_text_of(kind));
        put_text(&line, "clock", ampel_pq_get_text(pq, row, 2));
        put_text(&line, "store", ampel_pq_get_text(pq, row, 3));
        put_time(&line, "starts", pq, row, 4);
        put_time(&line, "earliest_at", pq, row, 5);
        put_time(&line, "runs_out", pq, row, 6);
        put_text(&line, "what", ampel_pq_get_text(pq, row, 7));
        put_text(&line, "certainty", ampel_pq_get_text(pq, row, 8));
        put_time(&line, "settled_at", pq, row, 9);
        line_end(&line);
    }
}

static void show_json_history(const struct ampel_pq *pq) {
    static struct line line;
    for (uint32_t row = 0; row < ampel_pq_rows(pq); row++) {
        line_begin(&line);
        put_text(&line, "row", ampel_text_of("history"));
        put_number(&line, "number", ampel_pq_get_int64(pq, row, 0));
        put_time(&line, "at", pq, row, 1);
        put_text(&line, "by", ampel_pq_get_text(pq, row, 2));
        put_text(&line, "kind", ampel_pq_get_text(pq, row, 3));
        if (ampel_pq_get_int64(pq, row, 4) > 0) put_number(&line, "step", ampel_pq_get_int64(pq, row, 4));
        put_text(&line, "what", ampel_pq_get_text(pq, row, 5));
        put_time(&line, "moment", pq, row, 6);
        put_text(&line, "note", ampel_pq_get_text(pq, row, 7));
        put_text(&line, "file_name", ampel_pq_get_text(pq, row, 8));
        if (ampel_pq_get_text(pq, row, 10).size > 0) put_number(&line, "file_size", ampel_pq_get_int64(pq, row, 9));
        put_text(&line, "file_sha256", ampel_pq_get_text(pq, row, 10));
        line_end(&line);
    }
}

static int show_print(struct ampel_pq *pq, const struct ampel_incident_words *given) {
    struct ampel_case incident;
    int status = AMPEL_EXIT_FAILED;
    if (!ampel_case_find(pq, given, given->words[0], &incident, &status)) return status;
    const struct ampel_pq_value key[] = {ampel_pq_string(incident.tenant), ampel_pq_string(incident.id)};
    bool people = given->format == AMPEL_FORMAT_TABLE;
    if (people) head_print(&incident);
    if (!ampel_case_run(pq, given, AMPEL_SQL_CASE_RATINGS, key, 2)) return AMPEL_EXIT_FAILED;
    people ? stores_print(pq) : show_json_stores(pq);
    if (!ampel_case_run(pq, given, AMPEL_SQL_CASE_STEPS, key, 2)) return AMPEL_EXIT_FAILED;
    people ? steps_print(pq) : show_json_steps(pq);
    if (!ampel_case_run(pq, given, AMPEL_SQL_CASE_CLOCKS, key, 2)) return AMPEL_EXIT_FAILED;
    people ? clocks_print(pq) : show_json_clocks(pq, "clock");
    if (!ampel_case_run(pq, given, AMPEL_SQL_CASE_HISTORY, key, 2)) return AMPEL_EXIT_FAILED;
    people ? history_print(pq) : show_json_history(pq);
    return AMPEL_EXIT_OK;
}

/* ---- remind --------------------------------------------------------------------------------- */

struct due {
    struct ampel_case incident;
    char *what;
    int64_t runs_out_ms;
};

static void due_print(const struct ampel_pq *pq, uint32_t row, enum ampel_format format) {
    char words[AMPEL_LABEL_WORDS_SIZE], out[AMPEL_LABEL_TIME_SIZE], left[AMPEL_LABEL_TIME_SIZE];
    static struct line line;
    if (format == AMPEL_FORMAT_JSONL) {
        static const char *const names[] = {"tenant", "id", "clock", "store", NULL, "what", "certainty"};
        line_begin(&line);
        for (uint32_t i = 0; i < AMPEL_ARRAY_COUNT(names); i++)
            if (names[i] != NULL) put_text(&line, names[i], ampel_pq_get_text(pq, row, i));
        put_time(&line, "runs_out", pq, row, 4);
        line_end(&line);
        return;
    }
    minute(pq, row, 4, out);
    left_write(ampel_pq_get_time(pq, row, 4), left);
    printf("%s/%s %s %s  %s (%s): %s [%s]\n", text_at(pq, row, 0), text_at(pq, row, 1), ampel_label_words(text_at(pq, row, 2), words),
           text_at(pq, row, 3), out, left, ampel_label(text_at(pq, row, 5)), ampel_label(text_at(pq, row, 6)));
}

static bool reminded_write(struct ampel_pq *pq, const struct ampel_incident_words *given, const struct due *due) {
    const struct ampel_case_entry entry = {.kind = "reminded", .what = due->what, .moment_ms = due->runs_out_ms};
    return ampel_case_end(pq, given,
                          ampel_case_begin(pq, given, &due->incident) && ampel_case_write(pq, given, &due->incident, &entry));
}

static int remind_print(struct ampel_pq *pq, const struct ampel_incident_words *given) {
    const struct ampel_pq_value values[] = {ampel_pq_string(given->tenant != NULL ? given->tenant : ""), ampel_pq_string(""),
                                            ampel_pq_int64(given->within_hours)};
    if (!ampel_case_run(pq, given, AMPEL_SQL_CASE_DUE, values, 3)) return AMPEL_EXIT_FAILED;
    uint32_t count = ampel_pq_rows(pq);
    struct due *list = calloc(count + 1, sizeof *list);
    AMPEL_ASSERT(list != NULL);
    for (uint32_t row = 0; row < count; row++) {
        due_print(pq, row, given->format);
        snprintf(list[row].incident.tenant, sizeof list[row].incident.tenant, "%s", text_at(pq, row, 0));
        snprintf(list[row].incident.id, sizeof list[row].incident.id, "%s", text_at(pq, row, 1));
        list[row].runs_out_ms = ampel_pq_get_time(pq, row, 4);
        list[row].what = strdup(text_at(pq, row, 7));
        AMPEL_ASSERT(list[row].what != NULL);
    }
    bool good = fflush(stdout) == 0;
    for (uint32_t row = 0; row < count; row++) {
        good = good && (!given->mark || reminded_write(pq, given, &list[row]));
        free(list[row].what);
    }
    free(list);
    return good ? AMPEL_EXIT_OK : AMPEL_EXIT_FAILED;
}

/* ---- the verbs ------------------------------------------------------------------------------ */

static int with_database(const struct ampel_incident_words *given,
                         int (*verb)(struct ampel_pq *, const struct ampel_incident_words *)) {
    struct ampel_pq *pq = ampel_connect(given->command, given->url);
    if (pq == NULL) return AMPEL_EXIT_FAILED;
    int status = verb(pq, given);
    ampel_pq_close(pq);
    return status;
}

int ampel_incident_list(const struct ampel_incident_words *given) {
    if (given->count != 0) return ampel_usage_wrong(given->usage, "list has no arguments; --tenant NAME chooses one");
    return with_database(given, list_print);
}

int ampel_incident_show(const struct ampel_incident_words *given) {
    if (given->count != 1) return ampel_usage_wrong(given->usage, "give one CASE: its id, or an account");
    return with_database(given, show_print);
}

int ampel_incident_remind(const struct ampel_incident_words *given) {
    if (given->count != 0) return ampel_usage_wrong(given->usage, "remind has no arguments; --tenant NAME chooses one");
    if (given->mark && ampel_case_by(given) == NULL) return AMPEL_EXIT_USAGE;
    return with_database(given, remind_print);
}
