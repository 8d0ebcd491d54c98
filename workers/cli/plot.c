/* ampel plot: a year of an account as a picture. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "proto/text.h"
#include "workers/cli/command.h"
#include "workers/cli/connect.h"
#include "workers/cli/labels.h"
#include "workers/cli/outlook_json.h"
#include "workers/cli/picture.h"
#include "workers/cli/portfolio.h"
#include "workers/cli/question.h"
#include "workers/cli/replay.h"

#define YEAR_MS    (365 * AMPEL_DAY_MS)
#define PATH_BYTES 4096

static const struct ampel_usage usage = {
    .command = "plot",
    .arguments = "ACCOUNT [FILE...] | --portfolio DIR [FILE...]",
    .about = "Draws the last year of an account as SVG: its score over the bands of colour, its violations by policy, and\n"
             "dashed what comes if nothing new happens. With --portfolio one file for each account, in DIR. With files it\n"
             "replays them (--as-of), without it reads what the worker stored.",
    .examples = "  ampel plot nordlicht/A1SELLER/A1PA6795UKMFR9 -o account.svg\n"
                "  ampel plot --portfolio pictures events.jsonl --as-of 2026-10-01T12:00:00Z\n",
};

/* The scores that one account showed, ascending in time. */
struct line {
    uint32_t count, capacity;
    struct ampel_picture_point *points;
};

struct plotting {
    struct ampel_question question;
    const char *account, *output, *folder;
    uint32_t lines_count;
    struct line *lines; /* by slot */
    uint32_t written;
};

static void line_push(struct line *line, int64_t at_ms, int32_t score) {
    if (line->count == line->capacity) {
        line->capacity = line->capacity == 0 ? 32 : line->capacity * 2;
        line->points = realloc(line->points, line->capacity * sizeof *line->points);
        AMPEL_ASSERT(line->points != NULL);
    }
    line->points[line->count++] = (struct ampel_picture_point){at_ms, score};
}

/* ---- writing -------------------------------------------------------------------------------- */

static bool picture_write(struct plotting *plotting, struct ampel_engine *engine, uint32_t slot, const char *account,
                          const char *path, const struct line *line) {
    int64_t now_ms = ampel_engine_now(engine);
    const struct ampel_picture picture = {
        .account = account,
        .engine = engine,
        .slot = slot,
        .from_ms = now_ms > YEAR_MS ? now_ms - YEAR_MS : 0,
        .to_ms = now_ms + ampel_engine_rules(engine)->window_days * AMPEL_DAY_MS,
        .points_count = line->count,
        .points = line->points,
    };
    FILE *out = path != NULL ? fopen(path, "w") : stdout;
    if (out == NULL) {
        fprintf(stderr, "ampel plot: %s: %s\n", path, strerror(errno));
        return false;
    }
    bool drawn = ampel_picture_write(&picture, out) || ampel_outlook_no_memory();
    bool good = fflush(out) == 0 && ferror(out) == 0;
    if (path != NULL && fclose(out) != 0) good = false;
    if (!good) fprintf(stderr, "ampel plot: %s: %s\n", path != NULL ? path : "standard output", strerror(errno));
    plotting->written++;
    return drawn && good;
}

/* One account to where it goes: the file named, or one of its own in the folder. */
static bool account_write(struct plotting *plotting, struct ampel_engine *engine, uint32_t slot,
                          const struct line *line) {
    struct ampel_text tenant, seller, marketplace;
    char account[AMPEL_PORTFOLIO_NAME_SIZE], path[PATH_BYTES];
    ampel_engine_account_identity(engine, slot, &tenant, &seller, &marketplace);
    snprintf(account, sizeof account, "%.*s/%.*s/%.*s", (int)tenant.size, tenant.bytes, (int)seller.size, seller.bytes,
             (int)marketplace.size, marketplace.bytes);
    if (plotting->folder == NULL) return picture_write(plotting, engine, slot, account, plotting->output, line);
    int size = snprintf(path, sizeof path, "%s/%s.svg", plotting->folder, account);
    if (size < 0 || (size_t)size >= sizeof path) {
        fprintf(stderr, "ampel plot: %s: the name is too long\n", plotting->folder);
        return false;
    }
    for (char *at = path + strlen(plotting->folder) + 1; *at != 0; at++)
        if (*at == '/') *at = '_';
    return picture_write(plotting, engine, slot, account, path, line);
}

/* ---- from files ----------------------------------------------------------------------------- */

static bool change_take(void *context, const struct ampel_engine *engine, const struct ampel_change *change) {
    struct plotting *plotting = context;
    (void)engine;
    if (change->kind != AMPEL_CHANGE_SCORE) return true;
    if (change->slot >= plotting->lines_count) {
        uint32_t count = change->slot + 1 > plotting->lines_count * 2 ? change->slot + 1 : plotting->lines_count * 2;
        plotting->lines = realloc(plotting->lines, count * sizeof *plotting->lines);
        AMPEL_ASSERT(plotting->lines != NULL);
        memset(plotting->lines + plotting->lines_count, 0, (count - plotting->lines_count) * sizeof *plotting->lines);
        plotting->lines_count = count;
    }
    line_push(&plotting->lines[change->slot], change->at_ms, change->after.score);
    return true;
}

static bool replayed_write(struct plotting *plotting, struct ampel_engine *engine) {
    for (uint32_t slot = 0; slot < ampel_engine_accounts_count(engine); slot++) {
        const struct line none = {0};
        if (!account_write(plotting, engine, slot, slot < plotting->lines_count ? &plotting->lines[slot] : &none))
            return false;
    }
    return true;
}

static int files_plot(struct plotting *plotting, char *const *files, int files_count) {
    struct ampel_replay replay;
    const struct ampel_replay_options options = {.rules = &plotting->question.rules,
                                                 .until_ms = plotting->question.as_of_ms,
                                                 .account = plotting->account};
    const struct ampel_replay_sink sink = {.context = plotting, .change = change_take};
    bool good = ampel_replay_open(&replay, files, files_count, &options) && ampel_replay_run(&replay, &sink) &&
                replayed_write(plotting, replay.engine);
    bool refused = replay.counts.refused > 0;
    ampel_replay_close(&replay);
    if (!good) return AMPEL_EXIT_FAILED;
    return refused ? AMPEL_EXIT_REFUSED : AMPEL_EXIT_OK;
}

/* ---- from the database ---------------------------------------------------------------------- */

static bool history_read(struct ampel_pq *pq, struct ampel_engine *engine, uint32_t slot, struct line *line) {
    struct ampel_text tenant, seller, marketplace;
    struct ampel_error error = {0};
    ampel_engine_account_identity(engine, slot, &tenant, &seller, &marketplace);
    const struct ampel_pq_value values[] = {ampel_pq_bytes(tenant.bytes, tenant.size),
                                            ampel_pq_bytes(seller.bytes, seller.size),
                                            ampel_pq_bytes(marketplace.bytes, marketplace.size),
                                            ampel_pq_time(ampel_engine_now(engine) - YEAR_MS)};
    if (ampel_pq_run(pq, AMPEL_SQL_READ_HISTORY, values, 4, &error) != AMPEL_DATABASE_OK) {
        (void)ampel_connect_failed(usage.command, &error);
        return false;
    }
    line->count = 0;
    for (uint32_t row = 0; row < ampel_pq_rows(pq); row++)
        line_push(line, ampel_pq_get_time(pq, row, 0), (int32_t)ampel_pq_get_int64(pq, row, 1));
    return true;
}

static bool stored_write(struct plotting *plotting, struct ampel_pq *pq, struct ampel_portfolio *portfolio,
                         struct line *line) {
    for (uint32_t i = 0; i < portfolio->accounts_count; i++) {
        char name[AMPEL_PORTFOLIO_NAME_SIZE];
        ampel_portfolio_name(portfolio, portfolio->slots[i], name);
        if (plotting->account != NULL && strcmp(name, plotting->account) != 0) continue;
        if (!history_read(pq, portfolio->engine, portfolio->slots[i], line) ||
            !account_write(plotting, portfolio->engine, portfolio->slots[i], line))
            return false;
    }
    return true;
}

static int database_plot(struct plotting *plotting) {
    struct ampel_stored_options where =
        ampel_question_stored(&plotting->question, usage.command, NULL, 0, plotting->account);
    struct ampel_pq *pq = ampel_connect(usage.command, plotting->question.url);
    if (pq == NULL) return AMPEL_EXIT_FAILED;
    struct ampel_stored stored;
    struct ampel_portfolio *portfolio;
    struct line line = {0};
    bool good = ampel_stored_open(&stored, &where);
    while (good && (portfolio = ampel_stored_next(&stored)) != NULL)
        good = stored_write(plotting, pq, portfolio, &line);
    int status = ampel_stored_close(&stored);
    free(line.points);
    ampel_pq_close(pq);
    return good ? status : AMPEL_EXIT_FAILED;
}

/* ---- the command ---------------------------------------------------------------------------- */

static int plot_run(struct plotting *plotting, char *const *files, int files_count) {
    if (plotting->folder != NULL && mkdir(plotting->folder, 0777) != 0 && errno != EEXIST) {
        fprintf(stderr, "ampel plot: %s: %s\n", plotting->folder, strerror(errno));
        return AMPEL_EXIT_FAILED;
    }
    int status = files_count > 0 ? files_plot(plotting, files, files_count) : database_plot(plotting);
    for (uint32_t i = 0; i < plotting->lines_count; i++) free(plotting->lines[i].points);
    free(plotting->lines);
    if (plotting->folder != NULL) fprintf(stderr, ampel_label("%u pictures in %s\n"), plotting->written, plotting->folder);
    if (status == AMPEL_EXIT_FAILED || plotting->account == NULL || plotting->written > 0) return status;
    return ampel_account_missing(usage.command, plotting->account);
}

int ampel_command_plot(int argc, char **argv) {
    static struct plotting plotting = {.question = AMPEL_QUESTION_INIT};
    const struct ampel_option options[] = {
        {"output", 'o', AMPEL_OPTION_TEXT, &plotting.output, "FILE", "default: standard output"},
        {"portfolio", 'p', AMPEL_OPTION_TEXT, &plotting.folder, "DIR", "every account, one file each"},
        AMPEL_QUESTION_OPTIONS(plotting.question),
    };
    int words;
    enum ampel_options_result read =
        ampel_options_read(&usage, options, AMPEL_ARRAY_COUNT(options), argc, argv, &words);
    if (read != AMPEL_OPTIONS_OK) return read == AMPEL_OPTIONS_HELP ? AMPEL_EXIT_OK : AMPEL_EXIT_USAGE;
    if (words == 0 && plotting.folder == NULL) return ampel_usage_wrong(&usage, "give an ACCOUNT, or --portfolio DIR");
    if (plotting.folder != NULL && plotting.output != NULL)
        return ampel_usage_wrong(&usage, "--portfolio writes a file for each account: --output has nothing to do");
    int accounts = plotting.folder != NULL ? 0 : 1;
    if (accounts == 1) plotting.account = argv[1];
    if (plotting.question.format_text != NULL) return ampel_usage_wrong(&usage, "a picture has no --format");
    if (!ampel_question_settle(&plotting.question, &usage, words - accounts)) return AMPEL_EXIT_USAGE;
    return plot_run(&plotting, argv + 1 + accounts, words - accounts);
}
