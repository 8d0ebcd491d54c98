/* Audits: whatever the table, events are sound and counted, and what is broken is named with its line. */
#include "proto/audit.h"
#include "proto/text.h"
#include "tests/fuzz/documents.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    struct ampel_text text = {(const char *)bytes, (uint32_t)size};
    struct fuzz_heard heard = {0};
    struct ampel_list_counts counts = {0};
    struct ampel_error error = {0};
    const struct ampel_audit_options options = {
        .account = {.tenant = {"agency", 6}, .seller = {"A1", 2}, .marketplace = {"M1", 2}},
        .dates = size % 2 == 0 ? AMPEL_LIST_DATES_UNKNOWN : AMPEL_LIST_DATES_DMY};
    const struct ampel_list_sink sink = {.context = &heard, .event = fuzz_heard_event, .broken = fuzz_heard_broken};
    bool good = ampel_audit(text, &options, &sink, &counts, &error);
    AMPEL_ASSERT(good || error.reason[0] != 0);
    AMPEL_ASSERT(counts.broken == heard.broken && counts.events == heard.told.events);
    AMPEL_ASSERT(counts.rows - counts.broken == counts.events);
    FUZZ_CANARY(heard.told.of_type[AMPEL_EVENT_MAINTENANCE] == 2 && heard.broken == 1);
    return 0;
}

size_t LLVMFuzzerCustomMutator(uint8_t *bytes, size_t size, size_t size_max, unsigned int seed) {
    struct ampel_random random = {seed};
    if (ampel_random_chance(&random, 60)) return LLVMFuzzerMutate(bytes, size, size_max);
    return fuzz_mutate_lines(bytes, size, size_max, &random);
}
