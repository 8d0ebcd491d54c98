/* ampel migrate: brings a database to this program's shape. */
#include "workers/migrate.h"

#include <inttypes.h>
#include <stdio.h>

#include "workers/cli/command.h"
#include "workers/cli/connect.h"
#include "workers/cli/options.h"

static const struct ampel_usage usage = {
    .command = "migrate",
    .arguments = "",
    .about = "Applies the migrations that a database lacks, each in its own transaction, and makes the system in an\n"
             "empty one. A second time it changes nothing.",
};

static void migration_told(void *context, const char *name, bool applied) {
    (void)context;
    if (applied) printf("applied %s\n", name);
}

int ampel_command_migrate(int argc, char **argv) {
    const char *url = NULL;
    int64_t partitions = 0;
    const struct ampel_option options[] = {
        {"partitions", 'p', AMPEL_OPTION_NUMBER, &partitions, "N",
         "of a new system, 1 to 4096, fixed for good; default 64"},
        {"database", 'd', AMPEL_OPTION_TEXT, &url, "URL", "default: AMPEL_DATABASE_URL"},
    };
    int words;
    enum ampel_options_result read =
        ampel_options_read(&usage, options, AMPEL_ARRAY_COUNT(options), argc, argv, &words);
    if (read != AMPEL_OPTIONS_OK) return read == AMPEL_OPTIONS_HELP ? AMPEL_EXIT_OK : AMPEL_EXIT_USAGE;
    if (words > 0) return ampel_usage_wrong(&usage, "there is nothing to do with '%s'", argv[1]);
    if (partitions > AMPEL_PARTITIONS_MAX)
        return ampel_usage_wrong(&usage, "--partitions is 1 to %d", AMPEL_PARTITIONS_MAX);
    url = ampel_connect_url("migrate", url);
    if (url == NULL) return AMPEL_EXIT_USAGE;
    const struct ampel_migrate_options migrate = {
        .url = url, .partitions = (uint32_t)partitions, .told = migration_told};
    struct ampel_migrate_result result;
    struct ampel_error error = {0};
    if (ampel_migrate(&migrate, &result, &error) != AMPEL_DATABASE_OK)
        return ampel_connect_failed("migrate", &error);
    printf("%u migrations applied, %u were there; %u partitions, system %016" PRIx64 "\n", result.applied_count,
           result.known_count, result.system.partitions, result.system.id);
    return AMPEL_EXIT_OK;
}
