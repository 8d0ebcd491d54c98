#include "tests/oracle/maker.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "engine/registry.h"
#include "proto/draft.h"
#include "proto/text.h"

/* splitmix64: every seed is as good as another. */
static uint64_t next(struct ampel_maker *maker) {
    uint64_t z = maker->state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

struct ampel_maker ampel_maker_open(const char *test) {
    const char *given = getenv("AMPEL_TEST_SEED");
    struct timespec now;
    timespec_get(&now, TIME_UTC);
    uint64_t seed = given != NULL ? strtoull(given, NULL, 10)
                                  : (uint64_t)now.tv_nsec * 1000003u + (uint64_t)now.tv_sec;
    printf("%s: AMPEL_TEST_SEED=%llu\n", test, (unsigned long long)seed);
    return (struct ampel_maker){seed};
}

uint32_t ampel_maker_below(struct ampel_maker *maker, uint32_t bound) {
    return (uint32_t)(next(maker) % bound);
}

uint32_t ampel_maker_id(struct ampel_maker *maker, bool account, char out[AMPEL_ID_BYTES_MAX]) {
    uint32_t size = ampel_maker_below(maker, 4) == 0 ? 1 + ampel_maker_below(maker, 64)
                                                     : 1 + ampel_maker_below(maker, 8);
    for (uint32_t i = 0; i < size; i++) {
        do
            out[i] = (char)('!' + ampel_maker_below(maker, '~' - '!' + 1));
        while (out[i] == ',' || (account && out[i] == '/'));
    }
    return size;
}

/* Edges as often as what lies between them. */
static int64_t between(struct ampel_maker *maker, int64_t least, int64_t greatest) {
    uint32_t kind = ampel_maker_below(maker, 8);
    if (kind == 0) return least;
    if (kind == 1) return greatest;
    return least + (int64_t)(next(maker) % ((uint64_t)(greatest - least) + 1));
}

struct filling {
    struct ampel_value value;
    struct ampel_value_item items[AMPEL_VALUE_ITEMS_MAX];
    char texts[8][AMPEL_ID_BYTES_MAX];
};

static struct ampel_text name_of(const struct ampel_field *field, uint32_t code) {
    return ampel_text_of(ampel_registry_name((enum ampel_registry)field->registry, code));
}

static void fill_list(struct ampel_maker *maker, const struct ampel_field *field,
                      struct filling *out) {
    uint32_t count = 0, names = ampel_registry_count((enum ampel_registry)field->registry);
    bool map = field->form == AMPEL_FORM_COUNTS;
    if (field->form == AMPEL_FORM_TEXTS) {
        for (count = 0; count < 3; count++) {
            uint32_t size = ampel_maker_id(maker, false, out->texts[count]);
            out->items[count].kind = AMPEL_VALUE_TEXT;
            out->items[count].text = (struct ampel_text){out->texts[count], size};
        }
    }
    for (uint32_t code = 0; code < names && field->form != AMPEL_FORM_TEXTS; code++) {
        struct ampel_value_item *item = &out->items[count];
        if (code > 0 && ampel_maker_below(maker, 2) == 0) continue;
        item->kind = map ? AMPEL_VALUE_INTEGER : AMPEL_VALUE_TEXT;
        item->integer = between(maker, 0, AMPEL_ORDERS_MAX);
        item->key = item->text =
            map ? ampel_text_of(ampel_registry_name(AMPEL_REGISTRY_POLICY, code))
                : name_of(field, code);
        count++;
    }
    out->value.kind = map ? AMPEL_VALUE_MAP : AMPEL_VALUE_LIST;
    out->value.items = out->items;
    out->value.items_count = count;
}

static void fill(struct ampel_maker *maker, const struct ampel_field *field, struct filling *out) {
    static const char *const free_texts[] = {"x", "two words", "\xc3\xbc\xe2\x82\xac \"q\" \\ /"};
    memset(out, 0, sizeof *out);
    out->value.kind = AMPEL_VALUE_TEXT;
    switch ((enum ampel_field_form)field->form) {
    case AMPEL_FORM_ID:
        out->value.text =
            (struct ampel_text){out->texts[0], ampel_maker_id(maker, false, out->texts[0])};
        break;
    case AMPEL_FORM_TEXT:
        out->value.text = ampel_text_of(free_texts[ampel_maker_below(maker, 3)]);
        break;
    case AMPEL_FORM_NAME:
        out->value.text = name_of(
            field,
            ampel_maker_below(maker, ampel_registry_count((enum ampel_registry)field->registry)));
        break;
    case AMPEL_FORM_NAMES:
    case AMPEL_FORM_TEXTS:
    case AMPEL_FORM_COUNTS:
        fill_list(maker, field, out);
        break;
    case AMPEL_FORM_BOOLEAN:
        out->value.kind = AMPEL_VALUE_BOOLEAN;
        out->value.boolean = ampel_maker_below(maker, 2) == 1;
        break;
    case AMPEL_FORM_CENTS:
        out->value.kind = AMPEL_VALUE_INTEGER;
        out->value.integer = between(maker, 0, 1000000);
        break;
    case AMPEL_FORM_INTEGER:
    case AMPEL_FORM_TIME:
        out->value.kind = AMPEL_VALUE_INTEGER;
        out->value.integer = between(maker, field->least, field->greatest);
        break;
    }
}

void ampel_maker_event(struct ampel_maker *maker, uint8_t type, int64_t sent_at_ms,
                       uint8_t extras[AMPEL_EXTRAS_BYTES_MAX], struct ampel_event *out) {
    struct ampel_draft draft;
    struct filling filling;
    const char *why = "";
    int64_t at_ms =
        between(maker, sent_at_ms - 2 * AMPEL_WINDOW_MS, sent_at_ms + AMPEL_FUTURE_SLACK_MS);
    ampel_draft_reset(&draft, type, at_ms, extras, AMPEL_EXTRAS_BYTES_MAX);
    for (uint32_t i = 0; i < draft.fields_count; i++) {
        if (!draft.fields[i].required && ampel_maker_below(maker, 2) == 0) continue;
        fill(maker, &draft.fields[i], &filling);
        enum ampel_verdict verdict =
            ampel_draft_put(&draft, ampel_text_of(draft.fields[i].name), &filling.value, &why);
        AMPEL_ASSERT(verdict == AMPEL_VERDICT_OK);
    }
    enum ampel_verdict verdict = ampel_draft_check(&draft, sent_at_ms, &why);
    AMPEL_ASSERT(verdict == AMPEL_VERDICT_OK);
    *out = draft.event;
}
