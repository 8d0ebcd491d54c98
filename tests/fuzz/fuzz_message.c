/* Messages besides batches: what is decoded, encoded and decoded again has the same bytes, and a
   change is one sound JSON object. */
#include <stdlib.h>
#include <string.h>

#include "proto/bundle.h"
#include "proto/json.h"
#include "proto/message.h"
#include "tests/fuzz/fuzz.h"

#define REFUSED_BYTES 100

static struct ampel_message_decoder *decoder, *other;

static void check_refused(const struct ampel_message_ack *ack) {
    for (uint32_t i = 0; i < ack->refused_count; i++)
        AMPEL_ASSERT(strlen(ack->refused[i].field) <= AMPEL_ID_BYTES_MAX);
}

static void check_json(const struct ampel_message_change *change) {
    static char json[AMPEL_MESSAGE_BYTES_MAX];
    struct ampel_error error = {0};
    uint32_t size = ampel_change_json(change, json, sizeof json);
    AMPEL_ASSERT(size > 0 && memchr(json, '\n', size) == NULL);
    struct ampel_json *root = ampel_json_open((struct ampel_text){json, size}, &error);
    AMPEL_ASSERT(root != NULL && ampel_json_kind(root) == AMPEL_JSON_OBJECT);
    ampel_json_close(root);
}

/* What stands in a bundle are whole values, one behind the other, up to its end. */
static void check_bundle(const uint8_t *bytes, uint32_t size) {
    struct ampel_bundle bundle;
    struct ampel_error error = {0};
    const uint8_t *end = NULL, *inner;
    uint32_t inner_size;
    bool good = ampel_bundle_open(&bundle, bytes, size, &error);
    while (good && bundle.left > 0) {
        good = ampel_bundle_next(&bundle, &inner, &inner_size, &error);
        if (!good) break;
        AMPEL_ASSERT(inner_size > 0 && inner > bytes && inner + inner_size <= bytes + size);
        AMPEL_ASSERT(end == NULL || inner == end);
        end = inner + inner_size;
    }
    AMPEL_ASSERT(good ? end == bytes + size : error.reason[0] != 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    static struct ampel_message message, again;
    struct ampel_error error = {0};
    if (decoder == NULL) {
        decoder = ampel_message_decoder_open();
        other = ampel_message_decoder_open();
    }
    if (ampel_bundle_is(bytes, (uint32_t)size)) check_bundle(bytes, (uint32_t)size);
    if (!ampel_message_decode(decoder, bytes, (uint32_t)size, &message, &error)) {
        AMPEL_ASSERT(error.reason[0] != 0);
        return 0;
    }
    if (message.kind == AMPEL_MESSAGE_BATCH) return 0;
    FUZZ_CANARY(message.kind == AMPEL_MESSAGE_WELCOME && message.welcome.done_count == 3);
    uint32_t capacity = AMPEL_MESSAGE_BYTES_MAX;
    if (message.kind == AMPEL_MESSAGE_ACK) {
        check_refused(&message.ack);
        capacity += REFUSED_BYTES * message.ack.refused_count;
    }
    if (message.kind == AMPEL_MESSAGE_CHANGE) check_json(&message.change);
    uint8_t *first = malloc(capacity), *second = malloc(capacity);
    AMPEL_ASSERT(first != NULL && second != NULL);
    uint32_t first_size = ampel_message_encode(&message, first, capacity);
    AMPEL_ASSERT(first_size > 0);
    AMPEL_ASSERT(ampel_message_decode(other, first, first_size, &again, &error));
    AMPEL_ASSERT(again.kind == message.kind);
    uint32_t second_size = ampel_message_encode(&again, second, capacity);
    AMPEL_ASSERT(first_size == second_size && memcmp(first, second, first_size) == 0);
    free(first);
    free(second);
    return 0;
}

size_t LLVMFuzzerCustomMutator(uint8_t *bytes, size_t size, size_t size_max, unsigned int seed) {
    struct ampel_random random = {seed};
    if (ampel_random_chance(&random, 25)) return LLVMFuzzerMutate(bytes, size, size_max);
    return fuzz_mutate_pack(bytes, size, size_max, &random);
}
