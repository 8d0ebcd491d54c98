/* A million lines are most of what scoring a large file costs, so they are put together by hand: words of known size into one
   buffer, names that come again and again quoted once.

       buffer    lines | the piece that grows ... | at least PIECE_BYTES free at the start of each piece */
#include "workers/cli/score_lines.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/load.h"
#include "proto/print.h"
#include "proto/text.h"
#include "workers/checkpoint_incident.h"
#include "workers/cli/explained_incidents.h"
#include "workers/cli/outlook_json.h"

#define OUTPUT_BYTES (256 * 1024)
/* An id in quotes, escaped at worst to six bytes a byte; the copying of texts writes up to 8 bytes behind them. */
#define NAME_BYTES (6 * AMPEL_ID_BYTES_MAX + 16)
/* What stands between two looks at the room left: three names and some numbers, all caps, or a violation. */
#define PIECE_BYTES (AMPEL_CAP_GROUPS_MAX * (NAME_BYTES + 32))
/* Accounts are fetched so many lines ahead, what hangs below them a little later. */
#define FETCH_AHEAD 24
#define FETCH_STEP   8
/* Lists up to here are sorted by insertion. */
#define INSERTION_MAX 24

static_assert(PIECE_BYTES > 3 * NAME_BYTES + 512, "what begins a line is a piece");

/* A deducting violation; its id is borrowed from the engine. */
struct listed {
    uint64_t beginning; /* of the id, in the order of ids */
    struct ampel_text id;
    int64_t points;
    uint32_t rank;
};

/* Words that come again and again, quoted. */
struct quoted {
    char bytes[NAME_BYTES];
    uint32_t size;
};

struct lines {
    struct ampel_engine *engine;
    char *bytes, *at; /* OUTPUT_BYTES, written up to at */
    struct listed *list;
    uint32_t list_count, list_capacity;
    const char *tenant; /* whose name is quoted, as the engine holds it */
    struct quoted tenant_quoted, colours[AMPEL_RED + 1], risks[AMPEL_RISK_IMMEDIATE + 1], caps[AMPEL_CAP_GROUPS_MAX];
    uint32_t caps_count;
    bool incident; /* a violation of the account names one */
};

/* ---- pieces --------------------------------------------------------------------------------- */

static void flush(struct lines *lines) {
    fwrite(lines->bytes, 1, (size_t)(lines->at - lines->bytes), stdout);
    lines->at = lines->bytes;
}

static void reserve(struct lines *lines) {
    if (lines->at + PIECE_BYTES > lines->bytes + OUTPUT_BYTES) flush(lines);
}

/* Of a literal: its size is known where this is compiled. */
AMPEL_INLINE char *put(char *at, const char *literal) {
    size_t size = strlen(literal);
    memcpy(at, literal, size);
    return at + size;
}

static inline char *put_quoted(char *at, const struct quoted *quoted) {
    memcpy(at, quoted->bytes, quoted->size);
    return at + quoted->size;
}

/* Most numbers here have one digit. */
static inline char *put_unsigned(char *at, uint64_t number) {
    if (number >= 10) return ampel_print_digits(at, number);
    *at = (char)('0' + number);
    return at + 1;
}

static inline char *put_integer(char *at, int64_t number) {
    if (number < 0) *at++ = '-';
    return put_unsigned(at, number < 0 ? 0 - (uint64_t)number : (uint64_t)number);
}

/* Nonzero where a byte of word equals byte (and, seldom, where one nearly does). */
static inline uint64_t holds(uint64_t word, uint8_t byte) {
    const uint64_t ones = UINT64_C(0x0101010101010101);
    uint64_t zero = word ^ (ones * byte);
    return (zero - ones) & ~zero & (ones << 7);
}

/* Quoted and, where it must be, escaped. Ids, which are printable ASCII, need that for two characters alone. */
static char *put_id(char *at, struct ampel_text text) {
    uint64_t odd = 0;
    char *start = at;
    *at++ = '"';
    memcpy(at, text.bytes, text.size);
    memset(at + text.size, ' ', 8);
    for (uint32_t i = 0; i < text.size; i += 8) {
        uint64_t word = ampel_load_u64(at + i);
        odd |= holds(word, '"') | holds(word, '\\');
    }
    at += text.size;
    *at++ = '"';
    if (odd == 0) return at;
    struct ampel_print print = {.bytes = start, .capacity = NAME_BYTES};
    ampel_print_json(&print, text);
    AMPEL_ASSERT(!print.full);
    return start + print.size;
}

static void quote(struct quoted *quoted, struct ampel_text text) {
    struct ampel_print print = {.bytes = quoted->bytes, .capacity = sizeof quoted->bytes};
    ampel_print_json(&print, text);
    AMPEL_ASSERT(!print.full);
    quoted->size = print.size;
}

/* null beyond the registry. */
static void quote_name(struct quoted *quoted, enum ampel_registry registry, uint32_t code) {
    const char *name = ampel_registry_name(registry, code);
    if (name != NULL) quote(quoted, ampel_text_of(name));
    if (name == NULL) quoted->size = (uint32_t)(put(quoted->bytes, "null") - quoted->bytes);
}

/* ---- violations ----------------------------------------------------------------------------- */

static int listed_compare(const void *left, const void *right) {
    const struct listed *a = left, *b = right;
    if (a->beginning != b->beginning) return a->beginning < b->beginning ? -1 : 1;
    return ampel_text_compare(a->id, b->id);
}

static void list_sort(struct lines *lines) {
    struct listed *list = lines->list;
    if (lines->list_count > INSERTION_MAX) {
        qsort(list, lines->list_count, sizeof *list, listed_compare);
        return;
    }
    for (uint32_t i = 1; i < lines->list_count; i++) {
        struct listed moved = list[i];
        uint32_t place = i;
        for (; place > 0 && listed_compare(&moved, &list[place - 1]) < 0; place--) list[place] = list[place - 1];
        list[place] = moved;
    }
}

static struct listed *list_push(struct lines *lines) {
    if (lines->list_count == lines->list_capacity) {
        lines->list_capacity = lines->list_capacity == 0 ? 64 : lines->list_capacity * 2;
        lines->list = realloc(lines->list, lines->list_capacity * sizeof *lines->list);
        AMPEL_ASSERT(lines->list != NULL);
    }
    return &lines->list[lines->list_count++];
}

/* The deducting violations in window, by id. */
static void list_fill(struct lines *lines, uint32_t slot) {
    uint32_t cursor = 0;
    struct ampel_violation violation;
    lines->list_count = 0;
    lines->incident = false;
    while (ampel_engine_violation_next(lines->engine, slot, &cursor, &violation)) {
        if (violation.incident.size > 0) lines->incident = true;
        if (!violation.deducting) continue;
        *list_push(lines) = (struct listed){ampel_text_beginning(violation.id), violation.id, violation.points, violation.rank};
    }
    list_sort(lines);
}

static void violations_put(struct lines *lines) {
    lines->at = put(lines->at, ",\"violations\":[");
    for (uint32_t i = 0; i < lines->list_count; i++) {
        const struct listed *listed = &lines->list[i];
        reserve(lines);
        char *at = lines->at;
        if (i > 0) *at++ = ',';
        at = put_id(put(at, "{\"id\":"), listed->id);
        at = put_unsigned(put(at, ",\"rank\":"), listed->rank);
        at = put_integer(put(at, ",\"points\":"), listed->points);
        *at++ = '}';
        lines->at = at;
    }
    lines->at = put(lines->at, "]");
}

/* ---- a line --------------------------------------------------------------------------------- */

static void identity_put(struct lines *lines, uint32_t slot) {
    struct ampel_text tenant, seller, marketplace;
    ampel_engine_account_identity(lines->engine, slot, &tenant, &seller, &marketplace);
    if (tenant.bytes != lines->tenant) quote(&lines->tenant_quoted, tenant);
    lines->tenant = tenant.bytes;
    char *at = put_quoted(put(lines->at, "{\"tenant\":"), &lines->tenant_quoted);
    at = put_id(put(at, ",\"seller\":"), seller);
    lines->at = put_id(put(at, ",\"marketplace\":"), marketplace);
}

static void numbers_put(struct lines *lines, const struct ampel_numbers *numbers) {
    char *at = put_integer(put(lines->at, ",\"score\":"), numbers->score);
    at = put_quoted(put(at, ",\"status\":"), &lines->colours[numbers->colour]);
    at = put_quoted(put(at, ",\"risk\":"), &lines->risks[numbers->risk]);
    at = put_unsigned(put(at, ",\"orders\":"), numbers->orders);
    at = put_integer(put(at, ",\"order_points\":"), numbers->order_points);
    lines->at = put_integer(put(at, ",\"deducted\":"), numbers->deducted);
}

static void caps_put(struct lines *lines, const struct ampel_numbers *numbers) {
    char *at = put(lines->at, ",\"caps\":{");
    for (uint32_t i = 0; i < lines->caps_count; i++) {
        if (i > 0) *at++ = ',';
        at = put_quoted(at, &lines->caps[i]);
        *at++ = ':';
        at = put_unsigned(at, numbers->caps[i]);
    }
    *at++ = '}';
    lines->at = at;
}

/* What few accounts have goes its own way to standard output. */
static bool incidents_print(struct lines *lines, uint32_t slot) {
    struct ampel_explained_incidents incidents;
    if (!lines->incident && !ampel_incident_told(lines->engine, slot)) return true;
    flush(lines);
    if (!ampel_explained_incidents_engine(lines->engine, slot, &incidents)) return false;
    ampel_explained_incidents_json(&incidents);
    ampel_explained_incidents_close(&incidents);
    return true;
}

static bool outlook_print(struct lines *lines, uint32_t slot) {
    flush(lines);
    return ampel_outlook_json_all(lines->engine, slot);
}

static bool line_print(struct lines *lines, uint32_t slot, bool outlook) {
    struct ampel_numbers numbers;
    ampel_engine_numbers(lines->engine, slot, &numbers);
    reserve(lines);
    identity_put(lines, slot);
    numbers_put(lines, &numbers);
    reserve(lines);
    caps_put(lines, &numbers);
    reserve(lines);
    list_fill(lines, slot);
    violations_put(lines);
    if (!incidents_print(lines, slot)) return false;
    if (outlook && !outlook_print(lines, slot)) return false;
    reserve(lines);
    lines->at = put(lines->at, "}\n");
    return true;
}

static void slots_fetch(const struct ampel_portfolio *portfolio, uint32_t line) {
    for (uint32_t step = AMPEL_FETCH_ACCOUNT; step <= AMPEL_FETCH_TEXTS; step++) {
        uint32_t ahead = line + FETCH_AHEAD - step * FETCH_STEP;
        if (ahead < portfolio->accounts_count)
            ampel_engine_account_fetch(portfolio->engine, portfolio->slots[ahead], (enum ampel_fetch)step);
    }
}

static void names_quote(struct lines *lines) {
    const struct ampel_rules *rules = ampel_engine_rules(lines->engine);
    for (uint32_t i = 0; i < AMPEL_ARRAY_COUNT(lines->colours); i++) quote_name(&lines->colours[i], AMPEL_REGISTRY_COLOUR, i);
    for (uint32_t i = 0; i < AMPEL_ARRAY_COUNT(lines->risks); i++) quote_name(&lines->risks[i], AMPEL_REGISTRY_RISK, i);
    for (uint32_t i = 0; i < rules->cap_groups_count; i++)
        quote(&lines->caps[i], ampel_text_of(rules->cap_groups[i].name));
    lines->caps_count = rules->cap_groups_count;
}

bool ampel_score_lines_print(const struct ampel_portfolio *portfolio, bool outlook) {
    struct lines *lines = calloc(1, sizeof *lines);
    char *bytes = malloc(OUTPUT_BYTES);
    AMPEL_ASSERT(lines != NULL && bytes != NULL);
    *lines = (struct lines){.engine = portfolio->engine, .bytes = bytes, .at = bytes};
    names_quote(lines);
    bool good = true;
    for (uint32_t i = 0; good && i < portfolio->accounts_count; i++) {
        slots_fetch(portfolio, i);
        good = line_print(lines, portfolio->slots[i], outlook);
    }
    flush(lines);
    free(lines->list);
    free(lines);
    free(bytes);
    return good;
}
