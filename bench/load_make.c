/* Events of the mix in a file. */
#include <stdlib.h>
#include <string.h>

#include "bench/load.h"
#include "proto/batch_file.h"
#include "proto/jsonl.h"
#include "proto/text.h"

struct lane {
    struct ampel_batch_builder *builder;
    uint64_t sequence;
};

struct making {
    FILE *out;
    bool jsonl;
    const char *producer;
    int64_t sent_at_ms;
    uint64_t first, bytes;
    uint32_t batch_events;
    struct lane *lanes;
};

static void put(struct making *making, const void *bytes, size_t size) {
    if (fwrite(bytes, 1, size, making->out) != size) load_fail("cannot be written", "the output");
    making->bytes += size;
}

static void flush(struct making *making, uint32_t tenant) {
    struct lane *lane = &making->lanes[tenant];
    if (lane->builder == NULL || ampel_batch_builder_events(lane->builder) == 0) return;
    const struct ampel_batch_header header = {.producer = ampel_text_of(making->producer),
                                              .sequence = lane->sequence++,
                                              .sent_at_ms = making->sent_at_ms};
    const uint8_t *bytes;
    uint32_t size;
    if (!ampel_batch_encode(lane->builder, &header, false, &bytes, &size)) load_fail("no memory", "");
    struct ampel_batch_file_wrap wrap;
    char name[16];
    ampel_batch_file_wrap(load_tenant(tenant, name), bytes, size, &wrap);
    put(making, wrap.head, wrap.head_size);
    put(making, bytes, size);
    put(making, wrap.tail, sizeof wrap.tail);
    ampel_batch_builder_reset(lane->builder);
}

static void push(struct making *making, uint32_t tenant, uint64_t account, const struct ampel_event *event) {
    struct ampel_text seller, marketplace;
    load_account(account, &seller, &marketplace);
    if (making->jsonl) {
        char line[AMPEL_JSONL_LINE_MAX], name[16];
        uint32_t size = ampel_jsonl_encode(load_tenant(tenant, name), seller, marketplace, event, line,
                                           sizeof line);
        put(making, line, size);
        return;
    }
    struct lane *lane = &making->lanes[tenant];
    if (lane->builder == NULL) {
        lane->builder = ampel_batch_builder_open();
        lane->sequence = making->first;
        if (lane->builder == NULL) load_fail("no memory", "");
    }
    if (!ampel_batch_builder_push(lane->builder, seller, marketplace, event))
        load_fail("a batch does not take an event", "");
    if (ampel_batch_builder_events(lane->builder) == making->batch_events) flush(making, tenant);
}

int load_make(int argc, char **argv) {
    if (argc < 1 || argv[0][0] == '-') load_fail("no FILE is given", "make");
    uint64_t events = (uint64_t)load_number(argc, argv, "events", 1e6);
    uint32_t accounts = (uint32_t)load_number(argc, argv, "accounts", 1e5);
    uint32_t tenants = (uint32_t)load_number(argc, argv, "tenants", 1);
    uint32_t run = (uint32_t)load_number(argc, argv, "run", 1);
    uint64_t state = (uint64_t)load_number(argc, argv, "seed", 1);
    uint32_t violations = (uint32_t)load_number(argc, argv, "violations", 100);
    int64_t span_ms = (int64_t)(load_number(argc, argv, "span-days", 30) * 86400000);
    struct making making = {
        .out = strcmp(argv[0], "-") == 0 ? stdout : fopen(argv[0], "wb"),
        .jsonl = strcmp(load_option(argc, argv, "form", "encoded"), "jsonl") == 0,
        .producer = load_option(argc, argv, "producer", "load"),
        .sent_at_ms = (int64_t)load_number(argc, argv, "sent-at", 1790858096789.0),
        .first = (uint64_t)load_number(argc, argv, "first", 0),
        .batch_events = (uint32_t)load_number(argc, argv, "batch", 4096),
        .lanes = calloc(tenants, sizeof(struct lane)),
    };
    if (making.out == NULL || making.lanes == NULL) load_fail("cannot be written", argv[0]);
    if (!making.jsonl) put(&making, AMPEL_BATCH_FILE_MAGIC, AMPEL_BATCH_FILE_MAGIC_BYTES);
    uint64_t account = 0, number = (uint64_t)load_number(argc, argv, "number", 0);
    for (uint64_t i = 0; i < events; i++, number++) {
        if (i % run == 0) account = load_below(&state, accounts);
        uint8_t extras[128];
        struct ampel_event event;
        load_event(&state, number, violations, making.sent_at_ms - span_ms, making.sent_at_ms, extras, &event);
        push(&making, (uint32_t)(account % tenants), account, &event);
    }
    for (uint32_t i = 0; i < tenants; i++) {
        if (!making.jsonl) flush(&making, i);
        ampel_batch_builder_close(making.lanes[i].builder);
    }
    free(making.lanes);
    if (fclose(making.out) != 0) load_fail("cannot be written", argv[0]);
    fprintf(stderr, "%llu events, %llu bytes\n", (unsigned long long)events, (unsigned long long)making.bytes);
    return 0;
}
