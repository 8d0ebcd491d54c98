/* Files of documents and the memory of what was imported. The walk over a file ends, its documents
   lie in the file one after another, each named by its line. A memory that is taken gives bytes
   that are taken again. */
#include <stdlib.h>
#include <string.h>

#include "engine/load.h"
#include "proto/document.h"
#include "proto/hash.h"
#include "tests/fuzz/fuzz.h"

static void walk(struct ampel_text file) {
    struct ampel_document_cursor cursor = {0};
    struct ampel_text document;
    const char *end = file.bytes;
    uint32_t line, lines = 1, steps = 0;
    while (ampel_document_next(file, &cursor, &document, &line)) {
        AMPEL_ASSERT(++steps <= file.size);
        AMPEL_ASSERT(document.size > 0);
        AMPEL_ASSERT(document.bytes >= end &&
                     document.bytes + document.size <= file.bytes + file.size);
        for (; end < document.bytes; end++)
            lines += *end == '\n';
        AMPEL_ASSERT(line == lines);
        FUZZ_CANARY(steps == 2 && line == 3 && document.size > 8 && document.bytes[0] == '{');
    }
}

static void import(const uint8_t *bytes, size_t size) {
    struct ampel_document_memory *memory = ampel_document_memory_open();
    struct ampel_document_memory *again = ampel_document_memory_open();
    struct ampel_error error = {0};
    AMPEL_ASSERT(memory != NULL && again != NULL);
    if (ampel_document_memory_import(memory, bytes, size, &error)) {
        size_t capacity = ampel_document_memory_export_size_max(memory);
        uint8_t *first = malloc(capacity), *second = malloc(capacity);
        AMPEL_ASSERT(first != NULL && second != NULL);
        size_t first_size = ampel_document_memory_export(memory, INT64_MIN, first, capacity);
        AMPEL_ASSERT(first_size > 0 && first_size <= size);
        AMPEL_ASSERT(ampel_document_memory_import(again, first, first_size, &error));
        size_t second_size = ampel_document_memory_export(again, INT64_MIN, second, capacity);
        AMPEL_ASSERT(first_size == second_size && memcmp(first, second, first_size) == 0);
        free(first);
        free(second);
    } else {
        AMPEL_ASSERT(error.reason[0] != 0);
        AMPEL_ASSERT(ampel_document_memory_count(memory) == 0);
    }
    ampel_document_memory_close(memory);
    ampel_document_memory_close(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    walk((struct ampel_text){(const char *)bytes, (uint32_t)size});
    import(bytes, size);
    return 0;
}

/* A memory's bytes get their checksum mended. */
size_t LLVMFuzzerCustomMutator(uint8_t *bytes, size_t size, size_t size_max, unsigned int seed) {
    size = LLVMFuzzerMutate(bytes, size, size_max);
    if (size < 24 || bytes[0] != 'A' || (seed & 7) == 0) return size;
    size_t entries = (size - 24) / 24;
    ampel_store_u64(bytes + 8, entries);
    size = 24 + 24 * entries;
    ampel_store_u64(bytes + size - 8, ampel_hash_bytes(bytes, size - 8));
    return size;
}
