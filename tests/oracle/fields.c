/* See fields.h. */
#include "tests/oracle/fields.h"

#include <string.h>

#include "engine/load.h"

static struct ampel_text text_of(const char *terminated) {
    return (struct ampel_text){terminated, (uint32_t)strlen(terminated)};
}

static void put_text(struct ampel_extras_writer *writer, enum ampel_extra_tag tag,
                     const char *text) {
    if (text[0] != 0) {
        AMPEL_ASSERT(ampel_extras_put_text(writer, tag, text_of(text)));
    }
}

static void put_violation(struct ampel_extras_writer *writer,
                          const struct ampel_oracle_event *told) {
    put_text(writer, AMPEL_EXTRA_ID, told->id);
    put_text(writer, AMPEL_EXTRA_INCIDENT, told->incident);
    put_text(writer, AMPEL_EXTRA_ASIN, told->asin);
    put_text(writer, AMPEL_EXTRA_SKU, told->sku);
    if (told->at_risk_sales_cents != AMPEL_ORACLE_MISSING) {
        AMPEL_ASSERT(
            ampel_extras_put_number(writer, AMPEL_EXTRA_AT_RISK_SALES, told->at_risk_sales_cents));
    }
}

static int64_t random_number(struct ampel_random *random, const struct ampel_field *field) {
    if (ampel_random_chance(random, 20)) {
        return ampel_random_chance(random, 50) ? field->least : field->greatest;
    }
    int64_t greatest = field->greatest - field->least < 1000 ? field->greatest : field->least + 999;
    return ampel_random_between(random, field->least, greatest);
}

static void put_counts(struct ampel_random *random, struct ampel_extras_writer *writer,
                       const struct ampel_field *field) {
    char bytes[10];
    bytes[0] = 0;
    bytes[5] = 7;
    ampel_store_u32(bytes + 1, (uint32_t)ampel_random_below(random, 3));
    ampel_store_u32(bytes + 6, (uint32_t)ampel_random_below(random, 3));
    AMPEL_ASSERT(ampel_extras_put_text(writer, (enum ampel_extra_tag)field->tag,
                                       (struct ampel_text){bytes, sizeof bytes}));
}

static void put_random(struct ampel_random *random, struct ampel_extras_writer *writer,
                       const struct ampel_field *field) {
    static const char *const texts[] = {"x", "y", "X1", "another-one"};
    enum ampel_extra_tag tag = (enum ampel_extra_tag)field->tag;
    int64_t number = 0;
    switch ((enum ampel_field_form)field->form) {
    case AMPEL_FORM_ID:
    case AMPEL_FORM_TEXT:
        put_text(writer, tag, texts[ampel_random_below(random, AMPEL_ARRAY_COUNT(texts))]);
        return;
    case AMPEL_FORM_TEXTS:
        put_text(writer, tag, ampel_random_chance(random, 50) ? "one" : "one,two");
        return;
    case AMPEL_FORM_COUNTS:
        put_counts(random, writer, field);
        return;
    case AMPEL_FORM_NAME:
        number = (int64_t)ampel_random_below(
            random, ampel_registry_count((enum ampel_registry)field->registry));
        break;
    case AMPEL_FORM_NAMES:
        number = ampel_random_chance(random, 50) ? -1 : ampel_random_between(random, 1, 15);
        break;
    case AMPEL_FORM_BOOLEAN:
        number = (int64_t)ampel_random_below(random, 2);
        break;
    case AMPEL_FORM_INTEGER:
    case AMPEL_FORM_TIME:
    case AMPEL_FORM_CENTS:
        number = random_number(random, field);
        break;
    }
    AMPEL_ASSERT(ampel_extras_put_number(writer, tag, number));
}

static void fill_random(struct ampel_random *random, const struct ampel_field *field,
                        struct ampel_event *event, struct ampel_extras_writer *writer) {
    switch ((enum ampel_field_home)field->home) {
    case AMPEL_HOME_COUNT:
        event->count = (uint32_t)random_number(random, field);
        break;
    case AMPEL_HOME_REV:
        event->rev = (uint16_t)random_number(random, field);
        break;
    case AMPEL_HOME_POINTS:
        event->points = (int16_t)random_number(random, field);
        break;
    case AMPEL_HOME_CODE:
        event->code = (uint8_t)ampel_random_below(
            random, ampel_registry_count((enum ampel_registry)field->registry));
        break;
    case AMPEL_HOME_EXTRA:
        put_random(random, writer, field);
        break;
    case AMPEL_HOME_POLICY:
    case AMPEL_HOME_SEVERITY:
        break; /* of violations alone, which are not random here */
    }
}

void ampel_story_fields(struct ampel_random *random, struct ampel_oracle_event *told,
                        struct ampel_event *event, uint8_t *extras, uint32_t capacity) {
    struct ampel_extras_writer writer = {extras, capacity, 0};
    *event = (struct ampel_event){
        .at_ms = told->at_ms,
        .count = told->count,
        .rev = told->rev,
        .points = told->points,
        .type = told->type,
        .policy = told->policy,
        .severity = told->severity,
        .code = told->code,
    };
    if (told->type == AMPEL_EVENT_VIOLATION || told->type == AMPEL_EVENT_VIOLATION_STATE) {
        put_violation(&writer, told);
    } else if (told->type != AMPEL_EVENT_ORDER && told->type != AMPEL_EVENT_ORDERS_DAY) {
        const struct ampel_field *fields = NULL;
        uint32_t count = ampel_fields_of(told->type, &fields);
        for (uint32_t index = 0; index < count; index++) {
            if (fields[index].required || ampel_random_chance(random, 50)) {
                fill_random(random, &fields[index], event, &writer);
            }
        }
        told->code = event->code;
        told->count = event->count;
        told->points = event->points;
    }
    event->extras_size = writer.size;
}
