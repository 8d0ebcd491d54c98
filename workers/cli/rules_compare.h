/* ampel rules compare: who changes colour under another rule set. */
#ifndef AMPEL_WORKERS_CLI_RULES_COMPARE_H
#define AMPEL_WORKERS_CLI_RULES_COMPARE_H

/* argv[0] is the word. Returns the exit status. */
int ampel_rules_compare(int argc, char **argv);

#endif
