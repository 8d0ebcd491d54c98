/* Notifications: each event is sound and has a line that tells it again; a second delivery adds
   nothing; a document that is refused leaves no trace in the memory. */
#include "proto/document.h"
#include "proto/text.h"
#include "tests/fuzz/documents.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    struct ampel_text text = {(const char *)bytes, (uint32_t)size};
    struct ampel_document_account account = {.tenant = {"agency", 6}, .marketplace = {"DE", 2}};
    struct ampel_document_memory *memory = ampel_document_memory_open();
    struct ampel_document_counts counts = {0}, twice = {0};
    struct ampel_error error = {0};
    struct fuzz_told told = {0}, again = {0};
    AMPEL_ASSERT(memory != NULL);
    bool good =
        ampel_document_notification(text, &account, memory, fuzz_told_sink, &told, &counts, &error);
    uint32_t remembered = ampel_document_memory_count(memory);
    if (good) {
        AMPEL_ASSERT(counts.events == told.events);
        /* Documents have whole minutes, or the last millisecond of one. */
        FUZZ_CANARY(told.events == 1 && (told.at_ms + 1) % 60000 > 1001);
        AMPEL_ASSERT(ampel_document_notification(text, &account, memory, fuzz_told_sink, &again,
                                                 &twice, &error));
        AMPEL_ASSERT(again.of_type[AMPEL_EVENT_ORDER] == 0);
        AMPEL_ASSERT(ampel_document_memory_count(memory) == remembered);
    } else {
        AMPEL_ASSERT(error.reason[0] != 0);
        AMPEL_ASSERT(told.events == 0 && remembered == 0);
    }
    ampel_document_memory_close(memory);
    return 0;
}

size_t LLVMFuzzerCustomMutator(uint8_t *bytes, size_t size, size_t size_max, unsigned int seed) {
    struct ampel_random random = {seed};
    if (ampel_random_chance(&random, 40)) return LLVMFuzzerMutate(bytes, size, size_max);
    return fuzz_mutate_json(bytes, size, size_max, &random);
}
