/* See golden.h. */
#include "tests/oracle/golden.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/jsonl.h"

/* Where the reader stands, for the message when something is not as it should be. */
struct place {
    const char *path;
    unsigned line;
};

__attribute__((noreturn)) static void refuse(const struct place *place, const char *reason) {
    fprintf(stderr, "%s:%u: %s\n", place->path, place->line, reason);
    abort();
}

static FILE *open_file(struct place *place, const char *path) {
    *place = (struct place){path, 0};
    FILE *file = fopen(path, "r");
    if (file == NULL) {
        refuse(place, "cannot be read");
    }
    return file;
}

static bool next_line(FILE *file, struct place *place, char *line, int capacity) {
    if (fgets(line, capacity, file) == NULL) {
        return false;
    }
    place->line++;
    if (strchr(line, '\n') == NULL) {
        refuse(place, "the line is too long or does not end");
    }
    line[strcspn(line, "\r\n")] = 0;
    return true;
}

/* ---- cases ---------------------------------------------------------------------------------- */

/* "key=value key=value" onto the rules. */
static void override(struct ampel_rules *rules, char *text, const struct place *place) {
    while (*text != 0) {
        char *end = text + strcspn(text, " ");
        char *value = strchr(text, '=');
        if (value == NULL || value > end) {
            refuse(place, "an override is not key=value");
        }
        char *next = *end == 0 ? end : end + 1;
        *end = 0;
        *value = 0;
        if (!ampel_oracle_rules_set(rules, text, value + 1)) {
            refuse(place, "an override is unknown");
        }
        text = next;
    }
}

/* Cuts the next field off a line of commas. */
static char *cut_field(char **rest, const struct place *place) {
    char *field = *rest;
    if (field == NULL) {
        refuse(place, "a field is missing");
    }
    char *comma = strchr(field, ',');
    *rest = comma == NULL ? NULL : comma + 1;
    if (comma != NULL) {
        *comma = 0;
    }
    return field;
}

uint32_t ampel_golden_cases(const char *directory, struct ampel_golden_case *out) {
    char path[1024];
    char line[512];
    struct place place;
    (void)snprintf(path, sizeof path, "%s/cases.csv", directory);
    FILE *file = open_file(&place, path);
    uint32_t count = 0;
    while (next_line(file, &place, line, sizeof line)) {
        if (place.line == 1) {
            continue;
        }
        AMPEL_ASSERT(count < AMPEL_GOLDEN_CASES_MAX);
        struct ampel_golden_case *golden = &out[count++];
        char *rest = line;
        (void)snprintf(golden->name, sizeof golden->name, "%s", cut_field(&rest, &place));
        (void)snprintf(golden->events_path, sizeof golden->events_path, "%s/%s", directory,
                       cut_field(&rest, &place));
        (void)snprintf(golden->expected_path, sizeof golden->expected_path, "%s/%s.expected.jsonl",
                       directory, golden->name);
        golden->as_of_ms = strtoll(cut_field(&rest, &place), NULL, 10);
        ampel_oracle_rules(&golden->rules);
        override(&golden->rules, cut_field(&rest, &place), &place);
        golden->forecast = strcmp(cut_field(&rest, &place), "1") == 0;
    }
    (void)fclose(file);
    return count;
}

/* ---- events --------------------------------------------------------------------------------- */

static void copy_bytes(char out[AMPEL_ID_BYTES_MAX + 1], struct ampel_text text) {
    AMPEL_ASSERT(text.size <= AMPEL_ID_BYTES_MAX);
    if (text.size > 0) memcpy(out, text.bytes, text.size);
    out[text.size] = 0;
}

static struct ampel_oracle_event told_of(const struct ampel_event *event) {
    struct ampel_oracle_event told;
    ampel_oracle_event_init(&told, (enum ampel_event_type)event->type, event->at_ms);
    told.count = event->count;
    told.rev = event->rev;
    told.points = event->points;
    told.policy = event->policy;
    told.severity = event->severity;
    told.code = event->code;
    copy_bytes(told.id, ampel_extra_text(event, AMPEL_EXTRA_ID));
    copy_bytes(told.incident, ampel_extra_text(event, AMPEL_EXTRA_INCIDENT));
    copy_bytes(told.asin, ampel_extra_text(event, AMPEL_EXTRA_ASIN));
    copy_bytes(told.sku, ampel_extra_text(event, AMPEL_EXTRA_SKU));
    if (!ampel_extra_number(event, AMPEL_EXTRA_AT_RISK_SALES, &told.at_risk_sales_cents)) {
        told.at_risk_sales_cents = AMPEL_ORACLE_MISSING;
    }
    return told;
}

static int compare_accounts(const void *left, const void *right) {
    const struct ampel_golden_account *a = left;
    const struct ampel_golden_account *b = right;
    int order = strcmp(a->tenant, b->tenant);
    order = order != 0 ? order : strcmp(a->seller, b->seller);
    return order != 0 ? order : strcmp(a->marketplace, b->marketplace);
}

static struct ampel_oracle *oracle_of(struct ampel_golden_accounts *accounts,
                                      const struct ampel_jsonl_event *event) {
    struct ampel_golden_account wanted = {0};
    copy_bytes(wanted.tenant, event->tenant);
    copy_bytes(wanted.seller, event->seller);
    copy_bytes(wanted.marketplace, event->marketplace);
    for (uint32_t index = 0; index < accounts->count; index++) {
        if (compare_accounts(&accounts->list[index], &wanted) == 0) {
            return &accounts->list[index].oracle;
        }
    }
    accounts->list = ampel_oracle_grow(accounts->list, accounts->count, &accounts->capacity,
                                       sizeof *accounts->list);
    accounts->list[accounts->count] = wanted;
    accounts->count++;
    return &accounts->list[accounts->count - 1].oracle;
}

void ampel_golden_events(const char *path, struct ampel_golden_accounts *out) {
    char line[4096];
    struct place place;
    FILE *file = open_file(&place, path);
    *out = (struct ampel_golden_accounts){0};
    while (next_line(file, &place, line, sizeof line)) {
        struct ampel_jsonl_event event;
        struct ampel_error error;
        struct ampel_text text = {line, (uint32_t)strlen(line)};
        if (ampel_jsonl_decode(text, INT64_MIN, (struct ampel_text){NULL, 0}, &event, &error) !=
            AMPEL_VERDICT_OK) {
            refuse(&place, error.reason);
        }
        struct ampel_oracle_event told = told_of(&event.event);
        ampel_oracle_add(oracle_of(out, &event), &told);
    }
    (void)fclose(file);
    if (out->count > 0) {
        qsort(out->list, out->count, sizeof *out->list, compare_accounts);
    }
}

void ampel_golden_accounts_reset(struct ampel_golden_accounts *accounts) {
    for (uint32_t index = 0; index < accounts->count; index++) {
        ampel_oracle_reset(&accounts->list[index].oracle);
    }
    free(accounts->list);
    *accounts = (struct ampel_golden_accounts){0};
}

static struct ampel_json *open_line(const char *text, const struct place *place) {
    struct ampel_error error;
    struct ampel_json *line =
        ampel_json_open((struct ampel_text){text, (uint32_t)strlen(text)}, &error);
    if (ampel_json_kind(line) != AMPEL_JSON_OBJECT) {
        refuse(place, "not a JSON object");
    }
    return line;
}

uint32_t ampel_golden_expected(const char *path,
                               struct ampel_json *out[AMPEL_GOLDEN_EXPECTED_MAX]) {
    char text[16384];
    struct place place;
    FILE *file = open_file(&place, path);
    uint32_t count = 0;
    while (next_line(file, &place, text, sizeof text)) {
        AMPEL_ASSERT(count < AMPEL_GOLDEN_EXPECTED_MAX);
        out[count] = open_line(text, &place);
        count++;
    }
    (void)fclose(file);
    return count;
}
