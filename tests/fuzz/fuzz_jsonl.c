/* JSON Lines: what is accepted is a sound event, and its line tells the same event again; what is read in place is what
   jansson reads. */
#include <string.h>

#include "proto/draft.h"
#include "proto/jsonl.h"
#include "proto/jsonl_flat.h"
#include "proto/text.h"
#include "tests/fuzz/fuzz.h"

static void check_sound(const struct ampel_jsonl_event *event) {
    const char *field;
    AMPEL_ASSERT(ampel_id_valid(event->tenant, true));
    AMPEL_ASSERT(ampel_id_valid(event->seller, true));
    AMPEL_ASSERT(ampel_id_valid(event->marketplace, true));
    AMPEL_ASSERT(ampel_draft_judge(&event->event, INT64_MIN, &field) == AMPEL_VERDICT_OK);
}

/* What is read in place means what jansson says it means; what jansson accepts may still be left to it. */
static void check_flat(struct ampel_text line, int64_t sent_at_ms, struct ampel_text tenant) {
    static struct ampel_jsonl_event flat, whole;
    struct ampel_error error = {0};
    if (!ampel_jsonl_flat(line, sent_at_ms, tenant, &flat)) return;
    AMPEL_ASSERT(ampel_jsonl_decode_whole(line, sent_at_ms, tenant, &whole, &error) == AMPEL_VERDICT_OK);
    AMPEL_ASSERT(ampel_text_equal(flat.tenant, whole.tenant));
    AMPEL_ASSERT(ampel_text_equal(flat.seller, whole.seller));
    AMPEL_ASSERT(ampel_text_equal(flat.marketplace, whole.marketplace));
    AMPEL_ASSERT(fuzz_event_equal(&flat.event, &whole.event));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    static struct ampel_jsonl_event event, again;
    static char line[AMPEL_JSONL_LINE_MAX];
    struct ampel_text text = {(const char *)bytes, (uint32_t)size}, none = {NULL, 0};
    struct ampel_error error = {0};
    check_flat(text, INT64_MIN, none);
    check_flat(text, INT64_C(1790858096789), ampel_text_of("agency"));
    enum ampel_verdict verdict =
        ampel_jsonl_decode(text, INT64_MIN, ampel_text_of("agency"), &event, &error);
    if (verdict != AMPEL_VERDICT_OK) {
        AMPEL_ASSERT(verdict < AMPEL_VERDICTS_COUNT);
        AMPEL_ASSERT(error.reason[0] != 0);
        return 0;
    }
    check_sound(&event);
    FUZZ_CANARY(event.event.type == AMPEL_EVENT_VIOLATION && event.event.points >= 100 &&
                event.event.points < 900);
    uint32_t line_size = ampel_jsonl_encode(event.tenant, event.seller, event.marketplace,
                                            &event.event, line, sizeof line);
    AMPEL_ASSERT(line_size > 0 && line[line_size - 1] == '\n');
    AMPEL_ASSERT(memchr(line, '\n', line_size - 1) == NULL);
    text = (struct ampel_text){line, line_size - 1};
    check_flat(text, INT64_MIN, none);
    AMPEL_ASSERT(ampel_jsonl_decode(text, INT64_MIN, none, &again, &error) == AMPEL_VERDICT_OK);
    AMPEL_ASSERT(ampel_text_equal(event.tenant, again.tenant));
    AMPEL_ASSERT(ampel_text_equal(event.seller, again.seller));
    AMPEL_ASSERT(ampel_text_equal(event.marketplace, again.marketplace));
    AMPEL_ASSERT(fuzz_event_equal(&event.event, &again.event));
    return 0;
}

size_t LLVMFuzzerCustomMutator(uint8_t *bytes, size_t size, size_t size_max, unsigned int seed) {
    struct ampel_random random = {seed};
    if (ampel_random_chance(&random, 40)) return LLVMFuzzerMutate(bytes, size, size_max);
    return fuzz_mutate_json(bytes, size, size_max, &random);
}
