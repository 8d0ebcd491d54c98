// Bytes an account: everything that the engine took from the worker's allocator, by the account; the texts of violations
// apart. Accounts come one after another, as they do over the years, so that what one grew out of serves the next. And the
// longest frame while a shard grows from nothing: what a feeder may have to wait for.
#include <benchmark/benchmark.h>

#include "bench/figures.h"
#include "bench/loader.h"

namespace {

using namespace ampel_bench;

struct Kind {
    const char *figure;
    uint32_t orders_most; // a day
    uint32_t violations;
    int64_t begun_days; // its orders began so long ago, and go on; 0: one order, half a year ago
    uint32_t accounts;
    double goal;
};
const Kind kinds[] = {
    {"memory_full", 900, 10, 40, 300000, 1200},
    {"memory_few", 7, 2, 40, 1000000, 400},
    {"memory_idle", 1, 0, 0, 1000000, 160},
};

// What only people read of a violation, and its id of ten bytes, takes a block of 32.
constexpr uint64_t text_bytes = 32;

void memory(benchmark::State &state, const Kind &kind) {
    const uint32_t accounts = smoke() ? 2000 : kind.accounts;
    double bytes = 0;
    size_t checked = 0;
    uint64_t texts = 0;
    for (auto _ : state) {
        Loader loader;
        Ledger ledger(loader.rules(), smoke() ? 1 : 997);
        Random random(5);
        uint32_t number = 0;
        auto push = [&](const Item &item) {
            ledger.note(item);
            loader.push(item);
        };
        for (uint32_t account = 0; account < accounts; account++) {
            for (int64_t age = kind.begun_days; age >= 0; age--)
                push({account, 0, loader.now_ms() - age * AMPEL_DAY_MS, 1 + random.below(kind.orders_most), 0});
            for (uint32_t i = 0; i < kind.violations; i++) {
                auto policy = static_cast<uint8_t>(random.below(policies_count));
                push({account, ++number, loader.now_ms() - 1 - random.below(86400000), 1, policy});
            }
            if (kind.begun_days > 0 || account % (accounts / 20) != 0) continue;
            loader.flush();
            (void)loader.advance(loader.now_ms() + 181 * AMPEL_DAY_MS, 4096);
        }
        loader.flush();
        if (kind.begun_days == 0) (void)loader.advance(loader.now_ms() + 181 * AMPEL_DAY_MS, 4096);
        texts = number * text_bytes;
        bytes = static_cast<double>(loader.memory_bytes() - texts) / accounts;
        checked = ledger.check(loader.engine());
        state.SetIterationTime(loader.seconds());
    }
    state.counters["bytes_each"] = bytes;
    state.counters["texts_each"] = static_cast<double>(texts) / accounts;
    state.counters["checked"] = static_cast<double>(checked);
    if (!smoke()) figure_tell({kind.figure, bytes, "bytes", kind.goal, Better::less, 0, 0, "texts of violations apart"});
}

void growth(benchmark::State &state) {
    const auto accounts = static_cast<uint32_t>(smoke() ? 20000 : state.range(0));
    Frames frames;
    for (auto _ : state) {
        Loader loader;
        for (uint32_t account = 0; account < accounts; account++) loader.push({account, 0, loader.now_ms(), 1, 0});
        loader.flush();
        frames = loader.frames();
        state.SetIterationTime(loader.seconds());
    }
    state.SetItemsProcessed(accounts);
    state.counters["longest_frame_ms"] = frames.longest.seconds * 1e3;
    if (!smoke() && state.range(0) == 10000000) {
        char note[200];
        std::snprintf(note, sizeof note,
                      "the longest frame of 2 048 events, each a new account, up to 10 M in one engine; page faults in it: %ld; of %" PRIu64
                      " frames %" PRIu64 " took over 5 ms, %" PRIu64 " of them with page faults",
                      frames.longest.faults, frames.count, frames.over, frames.over_faulted);
        figure_tell({"growth_ms", frames.longest.seconds * 1e3, "ms", 5, Better::less, 0, 0, note});
    }
}
BENCHMARK(growth)->Arg(1000000)->Arg(10000000)->Iterations(1)->UseManualTime()->Unit(benchmark::kMillisecond);

} // namespace

int main(int argc, char **argv) {
    for (const Kind &kind : kinds)
        benchmark::RegisterBenchmark(kind.figure, memory, kind)->Iterations(1)->UseManualTime()->Unit(benchmark::kMillisecond);
    benchmark::Initialize(&argc, argv);
    if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
    benchmark::RunSpecifiedBenchmarks();
    benchmark::Shutdown();
    return 0;
}
