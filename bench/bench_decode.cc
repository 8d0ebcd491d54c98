// What comes in: batches in columns and rows into frames, records into frames, lines of JSON into events. Each checks that every
// event was accepted and prints a digest of the columns it made.
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
#include "proto/record.h"
}
#pragma GCC diagnostic pop

namespace {

constexpr int64_t now_ms = INT64_C(1790858096789);
constexpr uint32_t partitions = 64;

uint64_t random_next(uint64_t &state) {
    state += UINT64_C(0x9e3779b97f4a7c15);
    uint64_t z = (state ^ (state >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

// Events as agencies have them: nine orders to one violation, some in a row of one account.
class Maker {
  public:
    explicit Maker(uint32_t run) : run_(run) {}

    ampel_event next(char seller[16], ampel_text &seller_text) {
        if (count_ % run_ == 0) account_ = random_next(state_) % 1000000;
        std::snprintf(seller, 16, "A%013llX", static_cast<unsigned long long>(account_));
        seller_text = {seller, 14};
        ampel_event event = {};
        event.at_ms = now_ms - static_cast<int64_t>(random_next(state_) % 2592000000);
        event.count = 1;
        event.points = -1;
        event.severity = -1;
        event.code = AMPEL_CODE_NONE;
        event.type = AMPEL_EVENT_ORDER;
        if (count_ % 10 == 9) {
            char id[24];
            ampel_extras_writer writer = {extras_, sizeof extras_, 0};
            ampel_text text = {id, static_cast<uint32_t>(std::snprintf(id, sizeof id, "V-%u", count_))};
            if (!ampel_extras_put_text(&writer, AMPEL_EXTRA_ID, text)) std::abort();
            event.type = AMPEL_EVENT_VIOLATION;
            event.policy = static_cast<uint8_t>(random_next(state_) % 12);
            event.extras = extras_;
            event.extras_size = writer.size;
        }
        count_++;
        return event;
    }

  private:
    uint32_t run_, count_ = 0;
    uint64_t state_ = 1, account_ = 0;
    uint8_t extras_[64];
};

std::vector<uint8_t> batch_make(uint32_t events, uint32_t run, bool rows) {
    ampel_batch_builder *builder = ampel_batch_builder_open();
    Maker maker(run);
    for (uint32_t i = 0; i < events; i++) {
        char seller[16];
        ampel_text seller_text;
        const ampel_event event = maker.next(seller, seller_text);
        if (!ampel_batch_builder_push(builder, seller_text, {"de", 2}, &event)) std::abort();
    }
    const ampel_batch_header header = {{"bench", 5}, 0, now_ms, false};
    const uint8_t *bytes;
    uint32_t size;
    if (!ampel_batch_encode(builder, &header, rows, &bytes, &size)) std::abort();
    std::vector<uint8_t> batch(bytes, bytes + size);
    ampel_batch_builder_close(builder);
    return batch;
}

uint64_t digest_of(const ampel_frame &frame) {
    return ampel_hash_bytes(frame.at, size_t{8} * frame.events_count) ^
           ampel_hash_bytes(frame.account, size_t{4} * frame.events_count) ^
           ampel_hash_bytes(frame.type, frame.events_count);
}

void digest_tell(benchmark::State &state, uint64_t digest) {
    char label[32];
    std::snprintf(label, sizeof label, "digest %016llx", static_cast<unsigned long long>(digest));
    state.SetLabel(label);
}

// Arguments: events in the batch, events in a row of one account.
void batch(benchmark::State &state, bool rows) {
    const uint32_t events = static_cast<uint32_t>(state.range(0));
    const std::vector<uint8_t> bytes = batch_make(events, static_cast<uint32_t>(state.range(1)), rows);
    ampel_batch_decoder *decoder = ampel_batch_decoder_open();
    ampel_batch decoded;
    ampel_error error = {};
    for (auto _ : state) {
        if (!ampel_batch_decode(decoder, bytes.data(), static_cast<uint32_t>(bytes.size()), &decoded, &error) ||
            decoded.refused_count != 0 || decoded.frame.events_count != events)
            std::abort();
    }
    state.SetItemsProcessed(state.iterations() * events);
    state.SetBytesProcessed(state.iterations() * static_cast<int64_t>(bytes.size()));
    digest_tell(state, digest_of(decoded.frame));
    ampel_batch_decoder_close(decoder);
}
void columns(benchmark::State &state) { batch(state, false); }
void rows(benchmark::State &state) { batch(state, true); }

// From decoded batch to the log's record, and from the record to the frames of its partitions.
void record_write(benchmark::State &state) {
    const uint32_t events = static_cast<uint32_t>(state.range(0));
    const std::vector<uint8_t> bytes = batch_make(events, static_cast<uint32_t>(state.range(1)), false);
    ampel_batch_decoder *decoder = ampel_batch_decoder_open();
    ampel_record_builder *builder = ampel_record_builder_open(partitions);
    ampel_batch decoded;
    ampel_error error = {};
    if (!ampel_batch_decode(decoder, bytes.data(), static_cast<uint32_t>(bytes.size()), &decoded, &error)) std::abort();
    const uint8_t *record = nullptr;
    uint32_t size = 0;
    for (auto _ : state) {
        if (!ampel_record_encode_batch(builder, &decoded, {"agency", 6}, now_ms, &record, &size)) std::abort();
    }
    state.SetItemsProcessed(state.iterations() * events);
    state.SetBytesProcessed(state.iterations() * size);
    digest_tell(state, ampel_hash_bytes(record, size));
    ampel_record_builder_close(builder);
    ampel_batch_decoder_close(decoder);
}

void record_read(benchmark::State &state) {
    const uint32_t events = static_cast<uint32_t>(state.range(0));
    const std::vector<uint8_t> bytes = batch_make(events, static_cast<uint32_t>(state.range(1)), false);
    ampel_batch_decoder *decoder = ampel_batch_decoder_open();
    ampel_record_builder *builder = ampel_record_builder_open(partitions);
    ampel_record_reader *reader = ampel_record_reader_open();
    ampel_batch decoded;
    ampel_error error = {};
    const uint8_t *record;
    uint32_t size;
    if (!ampel_batch_decode(decoder, bytes.data(), static_cast<uint32_t>(bytes.size()), &decoded, &error) ||
        !ampel_record_encode_batch(builder, &decoded, {"agency", 6}, now_ms, &record, &size))
        std::abort();
    uint64_t digest = 0;
    for (auto _ : state) {
        uint32_t cursor = 0, seen = 0;
        ampel_frame frame;
        while (ampel_record_frame_next(reader, record, &cursor, &frame, &error)) seen += frame.events_count;
        if (seen != events) std::abort();
    }
    uint32_t cursor = 0;
    ampel_frame frame;
    while (ampel_record_frame_next(reader, record, &cursor, &frame, &error)) digest ^= digest_of(frame);
    state.SetItemsProcessed(state.iterations() * events);
    state.SetBytesProcessed(state.iterations() * size);
    digest_tell(state, digest);
    ampel_record_reader_close(reader);
    ampel_record_builder_close(builder);
    ampel_batch_decoder_close(decoder);
}

std::vector<std::string> lines_make(uint32_t count) {
    std::vector<std::string> lines;
    Maker maker(1);
    for (uint32_t i = 0; i < count; i++) {
        char seller[16], line[AMPEL_JSONL_LINE_MAX];
        ampel_text seller_text;
        const ampel_event event = maker.next(seller, seller_text);
        const uint32_t size = ampel_jsonl_encode({"agency", 6}, seller_text, {"de", 2}, &event, line, sizeof line);
        if (size == 0) std::abort();
        lines.emplace_back(line, size - 1);
    }
    return lines;
}

using Decode = ampel_verdict (*)(ampel_text, int64_t, ampel_text, ampel_jsonl_event *, ampel_error *);

void lines(benchmark::State &state, Decode decode) {
    const std::vector<std::string> all = lines_make(1000);
    ampel_jsonl_event event;
    ampel_error error = {};
    uint64_t digest = 0, bytes = 0;
    for (auto _ : state) {
        digest = bytes = 0;
        for (const std::string &line : all) {
            if (decode({line.data(), static_cast<uint32_t>(line.size())}, INT64_MIN, {nullptr, 0}, &event, &error) !=
                AMPEL_VERDICT_OK)
                std::abort();
            digest = digest * 31 + static_cast<uint64_t>(event.event.at_ms) + event.event.policy;
            bytes += line.size();
        }
    }
    state.SetItemsProcessed(state.iterations() * static_cast<int64_t>(all.size()));
    state.SetBytesProcessed(state.iterations() * static_cast<int64_t>(bytes));
    digest_tell(state, digest);
}
// Both must print one digest: jansson is the oracle of what is read in place.
void jsonl(benchmark::State &state) { lines(state, ampel_jsonl_decode); }
void jsonl_by_jansson(benchmark::State &state) { lines(state, ampel_jsonl_decode_whole); }

BENCHMARK(columns)->Args({16, 1})->Args({4096, 1})->Args({4096, 20})->Args({65536, 20});
BENCHMARK(rows)->Args({16, 1})->Args({4096, 20});
BENCHMARK(record_write)->Args({16, 1})->Args({4096, 1})->Args({4096, 20});
BENCHMARK(record_read)->Args({16, 1})->Args({4096, 1})->Args({4096, 20});
BENCHMARK(jsonl);
BENCHMARK(jsonl_by_jansson);

} // namespace

BENCHMARK_MAIN();
