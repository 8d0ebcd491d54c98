// What goes out: events into batches of columns and rows, and into lines of JSON. Each prints a digest of the bytes it made, and
// what was made is read again.
#include <benchmark/benchmark.h>

#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wshadow"
extern "C" {
#include "proto/batch.h"
#include "proto/hash.h"
#include "proto/jsonl.h"
}
#pragma GCC diagnostic pop

namespace {

constexpr int64_t now_ms = INT64_C(1790858096789);

struct Order {
    char seller[24]; // 14 of them used
    ampel_event event;
};

std::vector<Order> orders_make(uint32_t count, uint32_t run) {
    std::vector<Order> orders(count);
    uint64_t state = 1, account = 0;
    for (uint32_t i = 0; i < count; i++) {
        state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        if (i % run == 0) account = state >> 44;
        std::snprintf(orders[i].seller, sizeof orders[i].seller, "A%013llX", static_cast<unsigned long long>(account));
        orders[i].event = {};
        orders[i].event.at_ms = now_ms - static_cast<int64_t>((state >> 33) % 2592000000);
        orders[i].event.count = 1 + static_cast<uint32_t>(i % 3 == 0);
        orders[i].event.points = -1;
        orders[i].event.severity = -1;
        orders[i].event.code = AMPEL_CODE_NONE;
        orders[i].event.type = AMPEL_EVENT_ORDER;
    }
    return orders;
}

void digest_tell(benchmark::State &state, uint64_t digest) {
    char label[32];
    std::snprintf(label, sizeof label, "digest %016llx", static_cast<unsigned long long>(digest));
    state.SetLabel(label);
}

// Arguments: events in the batch, events in a row of one account.
void batch(benchmark::State &state, bool rows) {
    const uint32_t events = static_cast<uint32_t>(state.range(0));
    const std::vector<Order> orders = orders_make(events, static_cast<uint32_t>(state.range(1)));
    ampel_batch_builder *builder = ampel_batch_builder_open();
    const ampel_batch_header header = {{"bench", 5}, 0, now_ms, false};
    const uint8_t *bytes = nullptr;
    uint32_t size = 0;
    for (auto _ : state) {
        ampel_batch_builder_reset(builder);
        for (const Order &order : orders)
            if (!ampel_batch_builder_push(builder, {order.seller, 14}, {"de", 2}, &order.event)) std::abort();
        if (!ampel_batch_encode(builder, &header, rows, &bytes, &size)) std::abort();
    }
    ampel_batch_decoder *decoder = ampel_batch_decoder_open();
    ampel_batch decoded;
    ampel_error error = {};
    if (!ampel_batch_decode(decoder, bytes, size, &decoded, &error) || decoded.refused_count != 0 ||
        decoded.frame.events_count != events)
        std::abort();
    state.SetItemsProcessed(state.iterations() * events);
    state.SetBytesProcessed(state.iterations() * size);
    digest_tell(state, ampel_hash_bytes(bytes, size));
    ampel_batch_decoder_close(decoder);
    ampel_batch_builder_close(builder);
}
void columns(benchmark::State &state) { batch(state, false); }
void rows(benchmark::State &state) { batch(state, true); }

void jsonl(benchmark::State &state) {
    const std::vector<Order> orders = orders_make(1000, 1);
    std::vector<char> bytes(orders.size() * 256);
    size_t size = 0;
    for (auto _ : state) {
        size = 0;
        for (const Order &order : orders) {
            uint32_t added = ampel_jsonl_encode({"agency", 6}, {order.seller, 14}, {"de", 2}, &order.event, bytes.data() + size,
                                                static_cast<uint32_t>(bytes.size() - size));
            if (added == 0) std::abort();
            size += added;
        }
    }
    state.SetItemsProcessed(state.iterations() * static_cast<int64_t>(orders.size()));
    state.SetBytesProcessed(state.iterations() * static_cast<int64_t>(size));
    digest_tell(state, ampel_hash_bytes(bytes.data(), size));
}

BENCHMARK(columns)->Args({16, 1})->Args({4096, 1})->Args({4096, 20})->Args({65536, 20});
BENCHMARK(rows)->Args({16, 1})->Args({4096, 20});
BENCHMARK(jsonl);

} // namespace

BENCHMARK_MAIN();
