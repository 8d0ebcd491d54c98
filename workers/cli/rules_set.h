/* ampel rules set and show: the rules of running workers. */
#ifndef AMPEL_WORKERS_CLI_RULES_SET_H
#define AMPEL_WORKERS_CLI_RULES_SET_H

/* argv[0] is "set" or "show". Returns: the exit status. */
int ampel_rules_set_command(int argc, char **argv);
int ampel_rules_show_command(int argc, char **argv);

#endif
