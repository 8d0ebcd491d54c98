/* See golden.h. */
#include "tests/oracle/golden.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Where the reader stands, for the message when something is not as it should be. */
struct place {
    const char *path;
    unsigned line;
};

__attribute__((noreturn)) static void refuse(const struct place *place, const char *reason) {
    fprintf(stderr, "%s:%u: %s\n", place->path, place->line, reason);
    abort();
}

static void copy_text(char out[AMPEL_ID_BYTES_MAX + 1], const struct ampel_json *value,
                      const struct place *place) {
    struct ampel_text text;
    if (!ampel_json_text(value, &text) || text.size > AMPEL_ID_BYTES_MAX) {
        refuse(place, "a text is missing or too long");
    }
    memcpy(out, text.bytes, text.size);
    out[text.size] = 0;
}

static int64_t number_of(const struct ampel_json *value, const struct place *place) {
    int64_t number = 0;
    if (!ampel_json_integer(value, &number)) {
        refuse(place, "a number is missing");
    }
    return number;
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

static int64_t days_from_civil(int64_t year, int64_t month, int64_t day) {
    static const int before[] = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334};
    int64_t leaps = (year - 1) / 4 - (year - 1) / 100 + (year - 1) / 400 - 477;
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return (year - 1970) * 365 + leaps + before[month - 1] + (leap && month > 2 ? 1 : 0) + day - 1;
}

/* RFC 3339 in UTC, or a whole number of milliseconds: what the cases contain. */
static int64_t time_of(const struct ampel_json *value, const struct place *place) {
    int64_t at_ms = 0;
    if (ampel_json_integer(value, &at_ms)) {
        return at_ms;
    }
    char text[AMPEL_ID_BYTES_MAX + 1];
    int year, month, day, hour, minute, second, millisecond;
    copy_text(text, value, place);
    if (strlen(text) != 24 || sscanf(text, "%4d-%2d-%2dT%2d:%2d:%2d.%3dZ", &year, &month, &day,
                                     &hour, &minute, &second, &millisecond) != 7) {
        refuse(place, "a time cannot be read");
    }
    return days_from_civil(year, month, day) * AMPEL_DAY_MS +
           ((hour * 60 + minute) * 60 + second) * INT64_C(1000) + millisecond;
}

static uint8_t code_of(enum ampel_registry registry, const struct ampel_json *value,
                       const struct place *place) {
    struct ampel_text name;
    uint8_t code = 0;
    if (!ampel_json_text(value, &name) || !ampel_registry_code(registry, name, &code)) {
        refuse(place, "a name is unknown");
    }
    return code;
}

/* One field of an event but those that say which account and when. */
static void read_field(struct ampel_oracle_event *event, const char *key,
                       const struct ampel_json *value, const struct place *place) {
    if (strcmp(key, "id") == 0) {
        copy_text(event->id, value, place);
    } else if (strcmp(key, "policy") == 0) {
        event->policy = code_of(AMPEL_REGISTRY_POLICY, value, place);
    } else if (strcmp(key, "severity") == 0) {
        event->severity = (int8_t)code_of(AMPEL_REGISTRY_SEVERITY, value, place);
    } else if (strcmp(key, "state") == 0) {
        event->code = code_of(AMPEL_REGISTRY_VIOLATION_STATE, value, place);
    } else if (strcmp(key, "count") == 0 || strcmp(key, "total") == 0) {
        event->count = (uint32_t)number_of(value, place);
    } else if (strcmp(key, "rev") == 0) {
        event->rev = (uint16_t)number_of(value, place);
    } else if (strcmp(key, "points") == 0) {
        event->points = (int16_t)number_of(value, place);
    } else {
        refuse(place, "a field is unknown");
    }
}

static int compare_accounts(const void *left, const void *right) {
    const struct ampel_golden_account *a = left;
    const struct ampel_golden_account *b = right;
    int order = strcmp(a->tenant, b->tenant);
    order = order != 0 ? order : strcmp(a->seller, b->seller);
    return order != 0 ? order : strcmp(a->marketplace, b->marketplace);
}

static struct ampel_oracle *oracle_of(struct ampel_golden_accounts *accounts,
                                      const struct ampel_json *line, const struct place *place) {
    struct ampel_golden_account wanted = {0};
    copy_text(wanted.tenant, ampel_json_get(line, "tenant"), place);
    copy_text(wanted.seller, ampel_json_get(line, "seller"), place);
    copy_text(wanted.marketplace, ampel_json_get(line, "marketplace"), place);
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

static void read_event(struct ampel_golden_accounts *accounts, const struct ampel_json *line,
                       const struct place *place) {
    uint8_t type = code_of(AMPEL_REGISTRY_EVENT_TYPE, ampel_json_get(line, "type"), place);
    struct ampel_oracle_event event;
    ampel_oracle_event_init(&event, (enum ampel_event_type)type,
                            time_of(ampel_json_get(line, "at"), place));
    const void *cursor = NULL;
    struct ampel_text key;
    const struct ampel_json *value;
    while (ampel_json_next(line, &cursor, &key, &value)) {
        const char *name = key.bytes;
        if (strcmp(name, "tenant") != 0 && strcmp(name, "seller") != 0 &&
            strcmp(name, "marketplace") != 0 && strcmp(name, "type") != 0 &&
            strcmp(name, "at") != 0) {
            read_field(&event, name, value, place);
        }
    }
    ampel_oracle_add(oracle_of(accounts, line, place), &event);
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

void ampel_golden_events(const char *path, struct ampel_golden_accounts *out) {
    char text[4096];
    struct place place;
    FILE *file = open_file(&place, path);
    *out = (struct ampel_golden_accounts){0};
    while (next_line(file, &place, text, sizeof text)) {
        struct ampel_json *line = open_line(text, &place);
        read_event(out, line, &place);
        ampel_json_close(line);
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
