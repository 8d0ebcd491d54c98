/* Seller performance reports: all events of a report or none; each is sound and has a line that
 * tells it again. */
#include "proto/document.h"
#include "proto/text.h"
#include "tests/fuzz/documents.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    struct ampel_text text = {(const char *)bytes, (uint32_t)size};
    struct ampel_document_account account = {.tenant = {"agency", 6}, .seller = {"A1", 2}};
    struct ampel_document_counts counts = {0};
    struct ampel_error error = {0};
    struct fuzz_told told = {0};
    int64_t at_ms = size % 2 == 0 ? INT64_C(1790000000000) : INT64_MIN;
    if (!ampel_document_report(text, at_ms, &account, fuzz_told_sink, &told, &counts, &error)) {
        AMPEL_ASSERT(error.reason[0] != 0);
        AMPEL_ASSERT(told.events == 0 && counts.events == 0);
        return 0;
    }
    AMPEL_ASSERT(counts.events == told.events);
    FUZZ_CANARY(told.of_type[AMPEL_EVENT_METRIC] == 2);
    return 0;
}

size_t LLVMFuzzerCustomMutator(uint8_t *bytes, size_t size, size_t size_max, unsigned int seed) {
    struct ampel_random random = {seed};
    if (ampel_random_chance(&random, 40)) return LLVMFuzzerMutate(bytes, size, size_max);
    return fuzz_mutate_json(bytes, size, size_max, &random);
}
