/* The commands of `ampel`, one file each; main.c holds the table. A command returns the exit status:
   0 all well, 1 something was refused or not found, 2 the call's words are wrong, 3 the world failed. */
#ifndef AMPEL_WORKERS_CLI_COMMAND_H
#define AMPEL_WORKERS_CLI_COMMAND_H

#define AMPEL_EXIT_OK 0
#define AMPEL_EXIT_REFUSED 1
#define AMPEL_EXIT_USAGE 2
#define AMPEL_EXIT_FAILED 3

struct ampel_command {
    const char *name;
    const char *summary; /* one line of `ampel --help` */
    int (*run)(int argc, char **argv); /* argv[0] is the command's name */
};

int ampel_command_score(int argc, char **argv);
int ampel_command_explain(int argc, char **argv);
int ampel_command_forecast(int argc, char **argv);
int ampel_command_fix(int argc, char **argv);
int ampel_command_rules(int argc, char **argv);
int ampel_command_encode(int argc, char **argv);
int ampel_command_import(int argc, char **argv);
int ampel_command_export(int argc, char **argv);
int ampel_command_plot(int argc, char **argv);
int ampel_command_feed(int argc, char **argv);
int ampel_command_replay(int argc, char **argv);
int ampel_command_drift(int argc, char **argv);
int ampel_command_watch(int argc, char **argv);
int ampel_command_top(int argc, char **argv);
int ampel_command_incident(int argc, char **argv);
int ampel_command_tenant(int argc, char **argv);
int ampel_command_verify(int argc, char **argv);
int ampel_command_migrate(int argc, char **argv);

#endif
