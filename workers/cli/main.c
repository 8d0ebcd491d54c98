/* ampel: one binary, a command for each thing that people do. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "workers/cli/command.h"
#include "workers/environment.h"
#include "workers/settings.h"

static const struct ampel_command commands[] = {
    {"score", "ratings of all accounts in files at one time, without a server", ampel_command_score},
    {"explain", "every point of one account accounted for", ampel_command_explain},
    {"replay", "events in the order of time, changes and alerts as they happen", ampel_command_replay},
    {"drift", "what reports showed against what the model says", ampel_command_drift},
    {"forecast", "what the score will be if nothing new happens", ampel_command_forecast},
    {"fix", "what to fix first, of one account or of all", ampel_command_fix},
    {"plot", "a year of an account as a picture", ampel_command_plot},
    {"rules", "other rules: who would change colour, and setting them", ampel_command_rules},
    {"encode", "events as batches in a file, for fast feeding and scoring", ampel_command_encode},
    {"import", "reports, notifications and violation lists become events", ampel_command_import},
    {"export", "violations as the lists that agencies keep", ampel_command_export},
    {"feed", "events to a worker, each exactly once", ampel_command_feed},
    {"watch", "a tenant's alerts as they come, from any number on", ampel_command_watch},
    {"top", "the portfolio, worst first, refreshed in place", ampel_command_top},
    {"incident", "takeover cases: both scores, the way back in order, the dossier", ampel_command_incident},
    {"tenant", "who may send and watch, and with which keys", ampel_command_tenant},
    {"verify", "whether journal, pages, rows and history agree", ampel_command_verify},
    {"migrate", "bring a database to this program's shape", ampel_command_migrate},
};

static const struct ampel_command *command_find(const char *name) {
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
        if (strcmp(commands[i].name, name) == 0) return &commands[i];
    return NULL;
}

static void help_print(FILE *stream) {
    fprintf(stream, "usage: ampel COMMAND [OPTION]... [ARGUMENT]...\n\n"
                    "Ratings of marketplace seller accounts: computed, kept, explained.\n\ncommands:\n");
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
        fprintf(stream, "  %-9s %s\n", commands[i].name, commands[i].summary);
    fprintf(stream,
            "\n'ampel COMMAND --help' tells the rest.\nAn account is written tenant/seller/marketplace.\n"
            "Exit status: 0 all well, 1 something refused or not found, 2 wrong words,\n3 failure.\n");
}

/* A variable that nothing reads is likely one that was meant. */
static void variables_warn(void) {
    char name[128];
    for (uint32_t i = 0; (i = ampel_settings_unknown(environ, i, name, sizeof name)) != 0;)
        fprintf(stderr, "ampel: nothing reads the variable %s of the environment\n", name);
}

int main(int argc, char **argv) {
    if (argc < 2) {
        help_print(stderr);
        return AMPEL_EXIT_USAGE;
    }
    /* `ampel help score` is `ampel score --help`. */
    char help[] = "--help";
    char *asked[] = {argv[0], argc > 2 ? argv[2] : help, help, NULL};
    if (argc == 3 && strcmp(argv[1], "help") == 0) argv = asked;
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "help") == 0) {
        help_print(stdout);
        return AMPEL_EXIT_OK;
    }
    if (strcmp(argv[1], "--version") == 0) {
        printf("ampel %s\n", AMPEL_VERSION);
        return AMPEL_EXIT_OK;
    }
    const struct ampel_command *command = command_find(argv[1]);
    if (command == NULL) {
        fprintf(stderr, "ampel: there is no command '%s'. Try 'ampel --help'.\n", argv[1]);
        return AMPEL_EXIT_USAGE;
    }
    if (!ampel_environment_read()) return AMPEL_EXIT_USAGE;
    variables_warn();
    int status = command->run(argc - 1, argv + 1);
    if (fflush(stdout) != 0 || ferror(stdout) != 0) {
        perror("ampel: standard output");
        return AMPEL_EXIT_FAILED;
    }
    return status;
}
