/* ampel rules: questions about rule sets. */
#include <stdio.h>
#include <string.h>

#include "workers/cli/command.h"
#include "workers/cli/rules_compare.h"

static void help_print(FILE *stream) {
    fprintf(stream, "usage: ampel rules WORD [OPTION]... [ARGUMENT]...\n\n"
                    "words:\n"
                    "  compare A B [FILE...|--live]   who changes colour under another rule set\n\n"
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
    fprintf(stderr, "ampel rules: there is no '%s'. Try 'ampel rules --help'.\n", argv[1]);
    return AMPEL_EXIT_USAGE;
}
