/* What a reader of lists told: events as JSON Lines, what is wrong as lines of "LINE FIELD: REASON". For tests that read one list
   at a time; included once in each. */
#ifndef AMPEL_TESTS_UNIT_LIST_FIXTURE_H
#define AMPEL_TESTS_UNIT_LIST_FIXTURE_H

#include <stdio.h>
#include <string.h>

#include "proto/jsonl.h"

static char told[1 << 16], wrong[8192];

static void event_take(void *context, const struct ampel_jsonl_event *event) {
    (void)context;
    size_t used = strlen(told);
    uint32_t size = ampel_jsonl_encode(event->tenant, event->seller, event->marketplace, &event->event, told + used,
                                       (uint32_t)(sizeof told - used - 1));
    assert_true(size > 0);
    told[used + size] = 0;
}

static void broken_take(void *context, const struct ampel_error *error) {
    (void)context;
    size_t used = strlen(wrong);
    snprintf(wrong + used, sizeof wrong - used, "%u %s: %s\n", error->line, error->field, error->reason);
}

/* What was wrong, in this order and nothing else, begins with these lines. */
static void assert_wrong(const char *const *lines, uint32_t count) {
    const char *at = wrong;
    for (uint32_t i = 0; i < count; i++) {
        if (strncmp(at, lines[i], strlen(lines[i])) != 0) fail_msg("'%s' is not '%s'", at, lines[i]);
        at = strchr(at, '\n') + 1;
    }
    assert_int_equal(*at, 0);
}

#endif
