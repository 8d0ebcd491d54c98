/* ampel replay: what happened, in the order in which it happened, without a server. */
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/text.h"
#include "workers/cli/command.h"
#include "workers/cli/day_marks.h"
#include "workers/cli/portfolio.h"
#include "workers/cli/replay.h"
#include "workers/cli/told.h"
#include "workers/clock.h"

static const struct ampel_usage usage = {
    .command = "replay",
    .arguments = "FILE...",
    .about = "Takes the events of files (JSON Lines or what `ampel encode` wrote; - is standard input) in the order of\n"
             "time and prints score changes and alerts as they happen, with jsonl the same lines as `ampel watch`.\n"
             "--day-marks prints instead the lowest score of each closed day as `day_mark` events: history for a\n"
             "worker that takes the accounts over.",
    .examples = "  ampel replay events.jsonl --alerts\n"
                "  ampel replay events.jsonl --speed 86400 --format jsonl\n"
                "  ampel replay events.jsonl --day-marks > marks.jsonl\n",
};

struct numbering {
    char tenant[AMPEL_ID_BYTES_MAX + 1];
    uint64_t told[2]; /* by stream */
};

struct replaying {
    enum ampel_format format;
    bool alerts_only, mark_days;
    int64_t speed;
    int64_t first_ms, started_ns; /* of the replayed time and the machine's; started_ns 0: not yet */
    struct ampel_day_marks marks;
    uint32_t tenants_count, tenants_capacity, tenant_last;
    struct numbering *tenants;
    uint64_t refused;
};

/* Numbers count from 1 for each tenant and stream, as the worker's do. */
static uint64_t number_next(struct replaying *replaying, struct ampel_text tenant, enum ampel_stream stream) {
    uint32_t i = replaying->tenant_last;
    if (i >= replaying->tenants_count || !ampel_text_is(tenant, replaying->tenants[i].tenant))
        for (i = 0; i < replaying->tenants_count; i++)
            if (ampel_text_is(tenant, replaying->tenants[i].tenant)) break;
    if (i == replaying->tenants_capacity) {
        uint32_t capacity = i == 0 ? 16 : i * 2;
        replaying->tenants = realloc(replaying->tenants, capacity * sizeof *replaying->tenants);
        AMPEL_ASSERT(replaying->tenants != NULL);
        replaying->tenants_capacity = capacity;
    }
    if (i == replaying->tenants_count) {
        replaying->tenants[i] = (struct numbering){0};
        memcpy(replaying->tenants[i].tenant, tenant.bytes, tenant.size);
        replaying->tenants_count++;
    }
    replaying->tenant_last = i;
    return ++replaying->tenants[i].told[stream];
}

/* Waits until the replayed time has come, at speed times the machine's. */
static void pace(struct replaying *replaying, int64_t at_ms) {
    if (replaying->speed == 0) return;
    int64_t now_ns = ampel_clock_machine_ns();
    if (replaying->started_ns == 0) {
        replaying->started_ns = now_ns;
        replaying->first_ms = at_ms;
    }
    fflush(stdout);
    int64_t due_ms = (at_ms - replaying->first_ms) / replaying->speed;
    int64_t left_ms = due_ms - (now_ns - replaying->started_ns) / 1000000;
    while (left_ms > 0) {
        int slice_ms = left_ms > AMPEL_DAY_MS ? (int)AMPEL_DAY_MS : (int)left_ms;
        (void)poll(NULL, 0, slice_ms);
        left_ms -= slice_ms;
    }
}

static void refusal_say(struct replaying *replaying, const struct ampel_engine *engine,
                        const struct ampel_change *change) {
    struct ampel_text tenant = {"?", 1}, seller = {"?", 1}, marketplace = {"?", 1};
    if (change->slot != AMPEL_SLOT_NONE)
        ampel_engine_account_identity(engine, change->slot, &tenant, &seller, &marketplace);
    const struct ampel_cause *cause = &change->cause;
    const char *type = ampel_registry_name(AMPEL_REGISTRY_EVENT_TYPE, cause->event_type);
    fprintf(stderr, "ampel replay: %.*s/%.*s/%.*s: %s %.*s: %s (%s)\n", (int)tenant.size, tenant.bytes,
            (int)seller.size, seller.bytes, (int)marketplace.size, marketplace.bytes,
            type != NULL ? type : "event", (int)cause->id_size, cause->id,
            ampel_verdict_sentence(change->verdict), ampel_verdict_name(change->verdict));
    replaying->refused++;
}

static bool change_take(void *context, const struct ampel_engine *engine,
                        const struct ampel_change *change) {
    struct replaying *replaying = context;
    if (change->kind == AMPEL_CHANGE_REFUSED) refusal_say(replaying, engine, change);
    if (replaying->mark_days) ampel_day_marks_take(&replaying->marks, engine, change);
    if (replaying->mark_days || !ampel_change_is_told(change->kind)) return true;
    struct ampel_message_change told;
    ampel_told_fill(engine, change, &told);
    told.number = number_next(replaying, told.tenant, told.stream);
    if (replaying->alerts_only && told.stream != AMPEL_STREAM_ALERTS) return true;
    pace(replaying, change->at_ms);
    ampel_told_print(&told, replaying->format);
    return ferror(stdout) == 0;
}

static int replay_run(struct replaying *replaying, char *const *files, int files_count,
                      const struct ampel_replay_options *options) {
    struct ampel_replay replay;
    const struct ampel_replay_sink sink = {.context = replaying, .change = change_take};
    bool good = ampel_replay_open(&replay, files, files_count, options) && ampel_replay_run(&replay, &sink);
    if (good && replaying->mark_days)
        ampel_day_marks_close_until(&replaying->marks, replay.engine, options->until_ms);
    replaying->refused += replay.counts.refused;
    ampel_day_marks_reset(&replaying->marks);
    ampel_replay_close(&replay);
    free(replaying->tenants);
    if (!good) return AMPEL_EXIT_FAILED;
    return replaying->refused > 0 ? AMPEL_EXIT_REFUSED : AMPEL_EXIT_OK;
}

int ampel_command_replay(int argc, char **argv) {
    const char *rules_path = NULL, *format_text = NULL;
    int64_t until_ms = INT64_MIN;
    struct ampel_option_list sets = {0};
    struct replaying replaying = {.marks = {.day = -1}};
    const struct ampel_option options[] = {
        {"until", 't', AMPEL_OPTION_TIME, &until_ms, "TIME", "where time ends; default: now"},
        {"as-of", 0, AMPEL_OPTION_TIME, &until_ms, "TIME", "the same"},
        {"speed", 0, AMPEL_OPTION_NUMBER, &replaying.speed, "N",
         "N seconds of events in a second; default 0: as fast as it goes"},
        {"alerts", 'a', AMPEL_OPTION_FLAG, &replaying.alerts_only, NULL, "alerts alone, no score changes"},
        {"day-marks", 0, AMPEL_OPTION_FLAG, &replaying.mark_days, NULL,
         "the lowest score of each closed day, as events"},
        {"rules", 'r', AMPEL_OPTION_TEXT, &rules_path, "FILE", "rules file; default: the built-in rules"},
        {"set", 's', AMPEL_OPTION_LIST, &sets, "KEY=VALUE", "one rule by its dotted key; may be repeated"},
        {"format", 'f', AMPEL_OPTION_TEXT, &format_text, "FORM", "table (for people, default) or jsonl"},
    };
    int files_count;
    enum ampel_options_result result =
        ampel_options_read(&usage, options, AMPEL_ARRAY_COUNT(options), argc, argv, &files_count);
    if (result != AMPEL_OPTIONS_OK) return result == AMPEL_OPTIONS_HELP ? AMPEL_EXIT_OK : AMPEL_EXIT_USAGE;
    if (!ampel_format_read(&usage, format_text, &replaying.format)) return AMPEL_EXIT_USAGE;
    if (files_count == 0) return ampel_usage_wrong(&usage, "no FILE is given");
    if (replaying.speed > 0 && replaying.mark_days)
        return ampel_usage_wrong(&usage, "--day-marks come at once: --speed has nothing to do");
    if (until_ms == INT64_MIN) until_ms = ampel_option_now();
    struct ampel_rules rules;
    if (!ampel_portfolio_rules(rules_path, &sets, &rules)) return AMPEL_EXIT_USAGE;
    const struct ampel_replay_options replay = {.rules = &rules, .until_ms = until_ms};
    return replay_run(&replaying, argv + 1, files_count, &replay);
}
