/* Violation lists: whatever the table, events are sound and counted, and what is broken is named with its line. */
#include "proto/text.h"
#include "proto/violation_list.h"
#include "tests/fuzz/documents.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    struct ampel_text text = {(const char *)bytes, (uint32_t)size};
    struct fuzz_heard heard = {0};
    struct ampel_list_counts counts = {0};
    struct ampel_error error = {0};
    const struct ampel_list_options options = {
        .account = {.tenant = {"agency", 6}, .seller = {"A1", 2}, .marketplace = {"M1", 2}},
        .dates = size % 2 == 0 ? AMPEL_LIST_DATES_UNKNOWN : AMPEL_LIST_DATES_DMY,
        .at_ms = size % 4 < 2 ? INT64_MIN : INT64_C(1790000000000)};
    const struct ampel_list_sink sink = {.context = &heard, .event = fuzz_heard_event, .broken = fuzz_heard_broken};
    bool good = ampel_violation_list(text, &options, &sink, &counts, &error);
    AMPEL_ASSERT(good || error.reason[0] != 0);
    AMPEL_ASSERT(counts.broken == heard.broken && counts.events == heard.told.events);
    AMPEL_ASSERT(counts.rows - counts.broken <= counts.events && counts.events <= 2 * counts.rows);
    FUZZ_CANARY(heard.told.of_type[AMPEL_EVENT_VIOLATION_STATE] == 2 && heard.broken == 1);
    static struct ampel_list_mapping mapping;
    AMPEL_ASSERT(ampel_list_mapping_decode(text, &mapping, &error) || error.line >= 1);
    return 0;
}

size_t LLVMFuzzerCustomMutator(uint8_t *bytes, size_t size, size_t size_max, unsigned int seed) {
    struct ampel_random random = {seed};
    if (ampel_random_chance(&random, 60)) return LLVMFuzzerMutate(bytes, size, size_max);
    return fuzz_mutate_lines(bytes, size, size_max, &random);
}
