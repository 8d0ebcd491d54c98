/* The golden cases as tests read them: tests/golden/cases.csv and its files. What is not as it
   should be stops the program and names the file and line. Thread: any, one at a time. */
#ifndef AMPEL_TESTS_ORACLE_GOLDEN_H
#define AMPEL_TESTS_ORACLE_GOLDEN_H

#include "proto/json.h"
#include "tests/oracle/oracle.h"

struct ampel_golden_case {
    char name[512];
    char events_path[1024];
    char expected_path[1024];
    int64_t as_of_ms;
    struct ampel_rules rules; /* the defaults with the overrides of the case */
    bool forecast;
};

#define AMPEL_GOLDEN_CASES_MAX 32
/* Reads the list of cases; returns how many. */
uint32_t ampel_golden_cases(const char *directory, struct ampel_golden_case *out);

struct ampel_golden_account {
    char tenant[AMPEL_ID_BYTES_MAX + 1];
    char seller[AMPEL_ID_BYTES_MAX + 1];
    char marketplace[AMPEL_ID_BYTES_MAX + 1];
    struct ampel_oracle oracle;
};
struct ampel_golden_accounts {
    struct ampel_golden_account *list;
    uint32_t count;
    uint32_t capacity;
};

/* Every event of a file, by account, sorted by tenant, seller, marketplace (bytewise), in the order
 * of the lines. */
void ampel_golden_events(const char *path, struct ampel_golden_accounts *out);
void ampel_golden_accounts_reset(struct ampel_golden_accounts *accounts);

#define AMPEL_GOLDEN_EXPECTED_MAX 256
/* The lines of an expected file, each a document that the caller closes; returns how many. */
uint32_t ampel_golden_expected(const char *path, struct ampel_json *out[AMPEL_GOLDEN_EXPECTED_MAX]);

#endif
