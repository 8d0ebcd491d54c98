/* ampel tenant: who may send and watch, and with which keys. */
#include "workers/tenants.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/print.h"
#include "proto/text.h"
#include "proto/time.h"
#include "workers/cli/command.h"
#include "workers/cli/connect.h"
#include "workers/environment.h"
#include "workers/cli/format.h"
#include "workers/cli/labels.h"
#include "workers/cli/members.h"
#include "workers/cli/table.h"
#include "workers/keyfile.h"

#define PATH_BYTES 4096

static const struct ampel_usage usage = {
    .command = "tenant",
    .arguments = "add|list|key|revoke|suspend|resume [NAME [KEY]]",
    .about = "Says who may send and watch, and with which keys.\n\n"
             "  add TENANT        makes it with a key pair, in the keys folder as TENANT.key\n"
             "  list              all tenants\n"
             "  key TENANT        its keys; with --new one more, as TENANT-N.key\n"
             "  revoke TENANT KEY takes a public key back\n"
             "  suspend TENANT    refuses all its keys; resume lets it in again\n\n"
             "Workers notice at once. The folder also holds the worker's own pair, worker.key, made if missing.",
    .examples = "  ampel tenant add nordlicht\n",
};

struct tenant_command {
    const char *url, *keys;
    enum ampel_format format;
    bool new_key;
};

static int failed(const struct ampel_error *error) { return ampel_connect_failed("tenant", error); }

static bool worker_key_ensure(const char *keys, struct ampel_keyfile *out) {
    char path[PATH_BYTES];
    struct ampel_error error = {0};
    if (mkdir(keys, 0700) != 0 && errno != EEXIST) {
        fprintf(stderr, "ampel tenant: %s: %s\n", keys, strerror(errno));
        return false;
    }
    snprintf(path, sizeof path, "%s/worker.key", keys);
    if (access(path, F_OK) != 0) {
        AMPEL_ASSERT(ampel_keyfile_generate(out));
        if (ampel_keyfile_write(path, out, &error)) return true;
        /* Another `ampel tenant` may have made it at this moment: its key is as good. */
    }
    if (ampel_keyfile_read(path, false, out, &error)) return true;
    (void)failed(&error);
    return false;
}

/* A new pair in a file that does not exist yet: the key stays when the database fails, so that a second try can use it. */
static bool tenant_key_make(const struct tenant_command *command, const char *tenant, bool first,
                            struct ampel_keyfile *out, char path[PATH_BYTES]) {
    struct ampel_keyfile worker;
    struct ampel_error error = {0};
    if (!worker_key_ensure(command->keys, &worker)) return false;
    snprintf(path, PATH_BYTES, "%s/%s.key", command->keys, tenant);
    if (first && access(path, F_OK) == 0) {
        if (ampel_keyfile_read(path, true, out, &error)) return true;
        (void)failed(&error);
        return false;
    }
    for (int number = 2; access(path, F_OK) == 0; number++)
        snprintf(path, PATH_BYTES, "%s/%s-%d.key", command->keys, tenant, number);
    AMPEL_ASSERT(ampel_keyfile_generate(out));
    memcpy(out->server_key, worker.public_key, sizeof out->server_key);
    if (ampel_keyfile_write(path, out, &error)) return true;
    (void)failed(&error);
    return false;
}

static int tenant_add(const struct tenant_command *command, const char *tenant) {
    struct ampel_keyfile keyfile;
    struct ampel_error error = {0};
    char path[PATH_BYTES], role[AMPEL_ID_BYTES_MAX];
    bool added;
    if (!tenant_key_make(command, tenant, true, &keyfile, path)) return AMPEL_EXIT_FAILED;
    if (ampel_tenant_add(command->url, tenant, keyfile.public_key, &added, role, &error) != AMPEL_DATABASE_OK)
        return failed(&error);
    printf(added ? ampel_label("tenant %s added; key %s") : ampel_label("tenant %s was there; key %s"), tenant, path);
    if (role[0] != 0) printf(ampel_label("; database role %s"), role);
    printf("\n");
    return AMPEL_EXIT_OK;
}

static void list_line(const struct ampel_tenant_row *row) {
    char bytes[1024];
    struct ampel_print print = {.bytes = bytes, .capacity = sizeof bytes};
    ampel_print_word(&print, "{");
    ampel_member_text(&print, "tenant", ampel_text_of(row->tenant));
    ampel_member_boolean(&print, "suspended", row->suspended);
    ampel_member_unsigned(&print, "keys", row->keys_count);
    ampel_member_unsigned(&print, "accounts", row->accounts_count);
    ampel_member_text(&print, "role", ampel_text_of(row->role));
    ampel_member_time(&print, "created_at", row->created_at_ms);
    ampel_print_word(&print, "}\n");
    fwrite(bytes, 1, print.size, stdout);
}

static int tenant_list(const struct tenant_command *command) {
    struct ampel_tenant_row *rows;
    uint32_t rows_count;
    struct ampel_error error = {0};
    if (ampel_tenant_list(command->url, &rows, &rows_count, &error) != AMPEL_DATABASE_OK)
        return failed(&error);
    struct ampel_table *table = ampel_table_open();
    AMPEL_ASSERT(table != NULL);
    ampel_table_column(table, "TENANT", AMPEL_LEFT, AMPEL_FIT_NAME);
    ampel_table_column(table, "ACCOUNTS", AMPEL_RIGHT, AMPEL_FIT_WHOLE);
    ampel_table_column(table, "KEYS", AMPEL_RIGHT, AMPEL_FIT_WHOLE);
    ampel_table_column(table, "STATE", AMPEL_LEFT, AMPEL_FIT_WHOLE);
    ampel_table_column(table, "ROLE", AMPEL_LEFT, AMPEL_FIT_NAME);
    ampel_table_column(table, "SINCE", AMPEL_LEFT, AMPEL_FIT_WHOLE);
    for (uint32_t i = 0; i < rows_count; i++) {
        char created[AMPEL_LABEL_TIME_SIZE];
        ampel_label_day(rows[i].created_at_ms, created);
        if (command->format == AMPEL_FORMAT_JSONL) {
            list_line(&rows[i]);
            continue;
        }
        ampel_table_cell(table, AMPEL_BOLD, "%s", rows[i].tenant);
        ampel_table_cell(table, AMPEL_PLAIN, "%" PRIu64, rows[i].accounts_count);
        ampel_table_cell(table, AMPEL_PLAIN, "%" PRIu64, rows[i].keys_count);
        ampel_table_cell(table, rows[i].suspended ? AMPEL_PAINT_RED : AMPEL_PAINT_GREEN, "%s",
                         ampel_label(rows[i].suspended ? "suspended" : "active"));
        ampel_table_cell(table, AMPEL_PLAIN, "%s", rows[i].role);
        ampel_table_cell(table, AMPEL_DIM, "%s", created);
    }
    if (command->format == AMPEL_FORMAT_TABLE) ampel_table_print(table);
    ampel_table_close(table);
    free(rows);
    return AMPEL_EXIT_OK;
}

/* A tenant without keys is no error, a name that is none is. */
static bool tenant_known(const struct tenant_command *command, const char *tenant, struct ampel_error *error) {
    struct ampel_tenant_row *rows;
    uint32_t rows_count;
    bool found = false;
    if (ampel_tenant_list(command->url, &rows, &rows_count, error) != AMPEL_DATABASE_OK) return false;
    for (uint32_t i = 0; i < rows_count && !found; i++) found = strcmp(rows[i].tenant, tenant) == 0;
    free(rows);
    return found || ampel_error_set(error, "tenant", "there is no tenant '%s'", tenant);
}

static int tenant_key(const struct tenant_command *command, const char *tenant) {
    struct ampel_error error = {0};
    if (command->new_key) {
        struct ampel_keyfile keyfile;
        char path[PATH_BYTES];
        if (!tenant_key_make(command, tenant, false, &keyfile, path)) return AMPEL_EXIT_FAILED;
        if (ampel_tenant_key(command->url, tenant, keyfile.public_key, false, &error) != AMPEL_DATABASE_OK) {
            unlink(path); /* a key that nobody knows would only be taken for a good one */
            return failed(&error);
        }
        printf(ampel_label("tenant %s has one more key, %s\n"), tenant, path);
        return AMPEL_EXIT_OK;
    }
    struct ampel_tenant_key_row *rows;
    uint32_t rows_count;
    if (ampel_tenant_key_list(command->url, tenant, &rows, &rows_count, &error) != AMPEL_DATABASE_OK)
        return failed(&error);
    bool known = rows_count > 0 || tenant_known(command, tenant, &error);
    for (uint32_t i = 0; i < rows_count; i++) {
        char created[AMPEL_LABEL_TIME_SIZE];
        if (command->format == AMPEL_FORMAT_JSONL) { /* z85 has no quote and no backslash */
            ampel_time_encode(rows[i].created_at_ms, created);
            printf("{\"public_key\":\"%s\",\"created_at\":\"%s\"}\n", rows[i].public_key, created);
        } else {
            ampel_label_time(rows[i].created_at_ms, created);
            printf(ampel_label("%s  since %s\n"), rows[i].public_key, created);
        }
    }
    free(rows);
    return known ? AMPEL_EXIT_OK : failed(&error);
}

static int tenant_revoke(const struct tenant_command *command, const char *tenant, const char *key) {
    struct ampel_error error = {0};
    if (ampel_tenant_key(command->url, tenant, key, true, &error) != AMPEL_DATABASE_OK) return failed(&error);
    printf(ampel_label("key %s of tenant %s is refused from now on\n"), key, tenant);
    return AMPEL_EXIT_OK;
}

static int tenant_suspend(const struct tenant_command *command, const char *tenant, bool suspended) {
    struct ampel_error error = {0};
    if (ampel_tenant_suspend(command->url, tenant, suspended, &error) != AMPEL_DATABASE_OK)
        return failed(&error);
    printf(suspended ? ampel_label("tenant %s is suspended\n") : ampel_label("tenant %s is let in again\n"), tenant);
    return AMPEL_EXIT_OK;
}

int ampel_command_tenant(int argc, char **argv) {
    const char *url = NULL, *keys = NULL, *format_text = NULL;
    struct tenant_command command = {0};
    const struct ampel_option options[] = {
        {"new", 0, AMPEL_OPTION_FLAG, &command.new_key, NULL, "key: make one more"},
        {"format", 'f', AMPEL_OPTION_TEXT, &format_text, "FORM", "table (default) or jsonl"},
        {"keys", 0, AMPEL_OPTION_TEXT, &keys, "DIR", "folder of key files; default: AMPEL_KEYS"},
        {"database", 'd', AMPEL_OPTION_TEXT, &url, "URL", "default: AMPEL_DATABASE_URL"},
    };
    int words;
    enum ampel_options_result read =
        ampel_options_read(&usage, options, AMPEL_ARRAY_COUNT(options), argc, argv, &words);
    if (read != AMPEL_OPTIONS_OK) return read == AMPEL_OPTIONS_HELP ? AMPEL_EXIT_OK : AMPEL_EXIT_USAGE;
    if (!ampel_format_read(&usage, format_text, &command.format)) return AMPEL_EXIT_USAGE;
    const char *what = words > 0 ? argv[1] : "";
    const char *tenant = words > 1 ? argv[2] : NULL;
    int wanted = strcmp(what, "list") == 0 ? 1 : (strcmp(what, "revoke") == 0 ? 3 : 2);
    if (words != wanted) return ampel_usage_wrong(&usage, "say what to do, and with which tenant");
    if (tenant != NULL && !ampel_id_valid(ampel_text_of(tenant), true))
        return ampel_usage_wrong(&usage, "a tenant is 1 to 64 printable characters without spaces and /");
    if (tenant != NULL && strcmp(tenant, "worker") == 0)
        return ampel_usage_wrong(&usage, "worker.key is the worker's own: the tenant needs another name");
    command.url = ampel_connect_url("tenant", url);
    command.keys = ampel_environment_or(keys, "AMPEL_KEYS");
    if (command.url == NULL) return AMPEL_EXIT_USAGE;
    bool needs_keys = strcmp(what, "add") == 0 || command.new_key;
    if (needs_keys && command.keys == NULL) return ampel_usage_wrong(&usage, "no --keys and no AMPEL_KEYS");
    if (strcmp(what, "add") == 0) return tenant_add(&command, tenant);
    if (strcmp(what, "list") == 0) return tenant_list(&command);
    if (strcmp(what, "key") == 0) return tenant_key(&command, tenant);
    if (strcmp(what, "revoke") == 0) return tenant_revoke(&command, tenant, argv[3]);
    if (strcmp(what, "suspend") == 0) return tenant_suspend(&command, tenant, true);
    if (strcmp(what, "resume") == 0) return tenant_suspend(&command, tenant, false);
    return ampel_usage_wrong(&usage, "there is no 'tenant %s'", what);
}
