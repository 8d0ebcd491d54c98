/* ampel rules: questions about rule sets, and the rules of running workers. */
#include <stdio.h>
#include <string.h>

#include "workers/cli/command.h"
#include "workers/cli/rules_compare.h"
#include "workers/cli/rules_set.h"

static void help_print(FILE *stream) {
    fprintf(stream, "usage: ampel rules WORD [OPTION]... [ARGUMENT]...\n\n"
                    "words:\n"
                    "  compare A B [FILE...|--live]   who changes colour under another rule set\n"
                    "  set FILE                       other rules for running workers\n"
                    "  show                           the rules that were set last\n\n"
                    "'ampel rules WORD --help' tells the rest.\n");
}

int ampel_command_rules(int argc, char **argv) {
    if (argc < 2) {
        help_print(stderr);
        return AMPEL_EXIT_USAGE;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
        help_print(stdout);
        return AMPEL_EXIT_OK;
    }
    if (strcmp(argv[1], "compare") == 0) return ampel_rules_compare(argc - 1, argv + 1);
    if (strcmp(argv[1], "set") == 0) return ampel_rules_set_command(argc - 1, argv + 1);
    if (strcmp(argv[1], "show") == 0) return ampel_rules_show_command(argc - 1, argv + 1);
    fprintf(stderr, "ampel rules: there is no '%s'. Try 'ampel rules --help'.\n", argv[1]);
    return AMPEL_EXIT_USAGE;
}
