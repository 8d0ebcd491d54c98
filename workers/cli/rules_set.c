#include "workers/cli/rules_set.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/rules_file.h"
#include "proto/text.h"
#include "workers/cli/command.h"
#include "workers/cli/connect.h"
#include "workers/cli/labels.h"
#include "workers/cli/options.h"

#define TEXT_BYTES_MAX (256 * 1024)
#define LOOK_EVERY_MS  100
#define PATIENCE_S     60

static const struct ampel_usage set_usage = {
    .command = "rules set",
    .arguments = "FILE|default",
    .about = "Gives all running workers other rules. They are stored, go through the log, and every account is computed\n"
             "anew from what is known of it; no event is read again. What changes by it stands in the history with the\n"
             "cause rules. Waits until all partitions stand under them and says how many accounts changed colour.\n"
             "Workers that start later take the rules that were set last, whatever their own --rules file says.",
    .examples = "  ampel rules compare deploy/rules/amazon.yaml next.yaml --live\n"
                "  ampel rules set next.yaml\n",
};

static const struct ampel_usage show_usage = {
    .command = "rules show",
    .arguments = "",
    .about = "Prints the rules that were set last, as a file; where they stand, on standard error.",
    .examples = "  ampel rules show > present.yaml\n",
};

static bool file_read(const char *path, char *text, uint32_t *size) {
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        fprintf(stderr, "ampel rules set: %s: %s\n", path, strerror(errno));
        return false;
    }
    size_t read = fread(text, 1, TEXT_BYTES_MAX + 1, file);
    bool good = ferror(file) == 0;
    (void)fclose(file);
    if (good && read <= TEXT_BYTES_MAX) {
        *size = (uint32_t)read;
        return true;
    }
    fprintf(stderr, "ampel rules set: %s %s\n", path, good ? "has more than 256 KiB" : "cannot be read");
    return false;
}

/* The text of a file, or of the built-in rules, found right. */
static bool text_read(const char *word, char *text, uint32_t *size, struct ampel_rules *rules) {
    struct ampel_error error = {0};
    if (strcmp(word, "default") == 0) {
        ampel_rules_init(rules);
        *size = ampel_rules_file_encode(rules, text, TEXT_BYTES_MAX);
        AMPEL_ASSERT(*size > 0);
        return true;
    }
    if (!file_read(word, text, size)) return false;
    if (ampel_rules_file_decode((struct ampel_text){text, *size}, rules, &error)) return true;
    fprintf(stderr, "ampel rules set: %s", word);
    if (error.line > 0) fprintf(stderr, ":%u", error.line);
    fprintf(stderr, ": %s%s%s\n", error.field, error.field[0] != 0 ? ": " : "", error.reason);
    return false;
}

static enum ampel_database_status rules_add(struct ampel_pq *pq, const struct ampel_rules *rules,
                                            struct ampel_text text, int64_t *number, struct ampel_error *error) {
    const struct ampel_pq_value values[] = {ampel_pq_string(rules->version), ampel_pq_bytes(text.bytes, text.size)};
    enum ampel_database_status status = ampel_pq_plain(pq, AMPEL_SQL_TRANSACTION_BEGIN, error);
    if (status == AMPEL_DATABASE_OK) status = ampel_pq_run(pq, AMPEL_SQL_RULES_ADD, values, 2, error);
    if (status != AMPEL_DATABASE_OK) return status;
    *number = ampel_pq_get_int64(pq, 0, 0);
    status = ampel_pq_plain(pq, AMPEL_SQL_RULES_NOTIFY, error);
    return status == AMPEL_DATABASE_OK ? ampel_pq_commit(pq, error) : status;
}

/* Waits until every partition stands under the rules, or under newer ones. */
static int wait_for(struct ampel_pq *pq, int64_t number, int64_t patience_s, const char *version) {
    const struct ampel_pq_value value = ampel_pq_int64(number);
    int64_t partitions = 0, there = 0;
    for (int64_t waited_ms = 0; waited_ms <= patience_s * 1000; waited_ms += LOOK_EVERY_MS) {
        struct ampel_error error = {0};
        if (ampel_pq_run(pq, AMPEL_SQL_RULES_PROGRESS, &value, 1, &error) != AMPEL_DATABASE_OK)
            return ampel_connect_failed("rules set", &error);
        partitions = ampel_pq_get_int64(pq, 0, 0);
        there = ampel_pq_get_int64(pq, 0, 1) + ampel_pq_get_int64(pq, 0, 2);
        if (ampel_pq_get_int64(pq, 0, 2) > 0) {
            fprintf(stderr, "ampel rules set: other rules were set after these\n");
            return AMPEL_EXIT_REFUSED;
        }
        if (there == partitions) {
            int64_t changed = ampel_pq_get_int64(pq, 0, 3);
            printf(changed == 1 ? ampel_label("rules %s hold as number %lld: %lld account changed colour\n")
                                : ampel_label("rules %s hold as number %lld: %lld accounts changed colour\n"),
                   version, (long long)number, (long long)changed);
            return AMPEL_EXIT_OK;
        }
        (void)poll(NULL, 0, LOOK_EVERY_MS);
    }
    fprintf(stderr,
            "ampel rules set: rules %s are stored as number %" PRId64 "; %" PRId64 " of %" PRId64
            " partitions stand under them after %" PRId64 " s. Does a worker run? It takes them when it does.\n",
            version, number, there, partitions, patience_s);
    return AMPEL_EXIT_REFUSED;
}

static int rules_set(struct ampel_pq *pq, const char *word, int64_t patience_s) {
    static char text[TEXT_BYTES_MAX + 1];
    static struct ampel_rules rules;
    uint32_t size;
    int64_t number;
    struct ampel_error error = {0};
    if (!text_read(word, text, &size, &rules)) return AMPEL_EXIT_FAILED;
    if (rules_add(pq, &rules, (struct ampel_text){text, size}, &number, &error) != AMPEL_DATABASE_OK)
        return ampel_connect_failed("rules set", &error);
    return wait_for(pq, number, patience_s, rules.version);
}

int ampel_rules_set_command(int argc, char **argv) {
    const char *url = NULL;
    int64_t patience_s = PATIENCE_S;
    const struct ampel_option options[] = {
        {"seconds", 's', AMPEL_OPTION_NUMBER, &patience_s, "N", "how long to wait; default 60, 0: only look once"},
        {"database", 'd', AMPEL_OPTION_TEXT, &url, "URL", "default: AMPEL_DATABASE_URL"},
    };
    int words;
    enum ampel_options_result read =
        ampel_options_read(&set_usage, options, AMPEL_ARRAY_COUNT(options), argc, argv, &words);
    if (read != AMPEL_OPTIONS_OK) return read == AMPEL_OPTIONS_HELP ? AMPEL_EXIT_OK : AMPEL_EXIT_USAGE;
    if (words != 1) return ampel_usage_wrong(&set_usage, "give one rules file, or default");
    if (patience_s > 86400) return ampel_usage_wrong(&set_usage, "--seconds is at most a day");
    struct ampel_pq *pq = ampel_connect("rules set", url);
    if (pq == NULL) return AMPEL_EXIT_FAILED;
    int status = rules_set(pq, argv[1], patience_s);
    ampel_pq_close(pq);
    return status;
}

static int rules_show(struct ampel_pq *pq) {
    struct ampel_error error = {0};
    if (ampel_pq_run(pq, AMPEL_SQL_RULES_SHOW, NULL, 0, &error) != AMPEL_DATABASE_OK)
        return ampel_connect_failed("rules show", &error);
    if (ampel_pq_rows(pq) == 0) {
        fprintf(stderr, "ampel rules show: none were set; workers use their own --rules file, or the built-in rules\n");
        return AMPEL_EXIT_REFUSED;
    }
    char set_at[AMPEL_LABEL_TIME_SIZE];
    ampel_label_time(ampel_pq_get_time(pq, 0, 3), set_at);
    fprintf(stderr, ampel_label("rules %s, number %lld, set at %s\n"), ampel_pq_get_text(pq, 0, 1).bytes,
            (long long)ampel_pq_get_int64(pq, 0, 0), set_at);
    struct ampel_text text = ampel_pq_get_text(pq, 0, 2);
    (void)fwrite(text.bytes, 1, text.size, stdout);
    return AMPEL_EXIT_OK;
}

int ampel_rules_show_command(int argc, char **argv) {
    const char *url = NULL;
    const struct ampel_option options[] = {
        {"database", 'd', AMPEL_OPTION_TEXT, &url, "URL", "default: AMPEL_DATABASE_URL"},
    };
    int words;
    enum ampel_options_result read =
        ampel_options_read(&show_usage, options, AMPEL_ARRAY_COUNT(options), argc, argv, &words);
    if (read != AMPEL_OPTIONS_OK) return read == AMPEL_OPTIONS_HELP ? AMPEL_EXIT_OK : AMPEL_EXIT_USAGE;
    if (words != 0) return ampel_usage_wrong(&show_usage, "there is nothing to do with '%s'", argv[1]);
    struct ampel_pq *pq = ampel_connect("rules show", url);
    if (pq == NULL) return AMPEL_EXIT_FAILED;
    int status = rules_show(pq);
    ampel_pq_close(pq);
    return status;
}
