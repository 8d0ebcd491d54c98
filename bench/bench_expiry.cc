// What time alone does: a month of downtime, one midnight, and other rules, each over a million accounts. Advance goes in
// slices of as many steps as a shard's (4 096); the longest slice is what an event may have to wait for. Answers are held
// against a second opinion before and behind.
#include <benchmark/benchmark.h>

#include "bench/figures.h"
#include "bench/loader.h"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wshadow"
extern "C" {
#include "engine/outlook.h"
#include "proto/rules_file.h"
}
#pragma GCC diagnostic pop

namespace {

using namespace ampel_bench;

constexpr uint32_t slice_steps = 4096;

uint32_t accounts_count() { return smoke() ? 2000 : setting("AMPEL_BENCH_ACCOUNTS", 1000000); }

// Accounts that sold on every day from first_age to last_age days ago, and two violations each that leave within 30 days.
class Fleet {
public:
    Fleet(int64_t first_age, int64_t last_age, int64_t age_step, bool violations)
        : ledger_(loader_.rules(), smoke() ? 1 : 997) {
        for (int64_t age = first_age; age >= last_age; age -= age_step)
            for (uint32_t account = 0; account < accounts_count(); account++)
                push({account, 0, loader_.now_ms() - age * AMPEL_DAY_MS, 1 + random_.below(20), 0});
        for (uint32_t account = 0; violations && account < accounts_count(); account++) {
            for (uint32_t i = 0; i < 2; i++) {
                auto left_ms = static_cast<int64_t>(random_.unit() * 30 * AMPEL_DAY_MS);
                auto policy = static_cast<uint8_t>(random_.below(policies_count));
                push({account, ++number_, loader_.now_ms() - AMPEL_WINDOW_MS + 1000 + left_ms, 1, policy});
            }
        }
        loader_.flush();
        (void)ledger_.check(loader_.engine());
        loader_.seconds_forget();
    }

    Loader &loader() { return loader_; }
    size_t check() const { return ledger_.check(loader_.engine()); }

private:
    void push(const Item &item) {
        ledger_.note(item);
        loader_.push(item);
    }

    Random random_{11};
    uint32_t number_ = 0;
    Loader loader_;
    Ledger ledger_;
};

void expiry(benchmark::State &state) {
    Fleet fleet(170, 160, 5, true); // three days of orders and two violations leave within the month
    Loader &loader = fleet.loader();
    double longest = 0;
    for (auto _ : state) {
        longest = loader.advance(loader.now_ms() + 30 * AMPEL_DAY_MS, slice_steps);
        state.SetIterationTime(loader.seconds());
    }
    double expiries = 5.0 * accounts_count(), speed = expiries / loader.seconds();
    state.SetItemsProcessed(static_cast<int64_t>(expiries));
    state.counters["longest_slice_ms"] = longest * 1e3;
    state.counters["checked"] = static_cast<double>(fleet.check());
    char note[160];
    std::snprintf(note, sizeof note, "30 midnights over all accounts with it; longest slice %.2f ms", longest * 1e3);
    if (!smoke()) figure_tell({"expiry", speed, "expiries/s", 5e6, Better::more, 0, loader.digest(), note});
}

void midnight(benchmark::State &state) {
    Fleet fleet(179, 0, 30, false); // every ring has a day that leaves now
    Loader &loader = fleet.loader();
    int64_t midnight_ms = (loader.now_ms() / AMPEL_DAY_MS + 1) * AMPEL_DAY_MS;
    (void)loader.advance(midnight_ms - 1, slice_steps);
    loader.seconds_forget();
    double longest = 0;
    for (auto _ : state) {
        longest = loader.advance(midnight_ms, slice_steps);
        state.SetIterationTime(loader.seconds());
    }
    state.SetItemsProcessed(accounts_count());
    state.counters["longest_slice_ms"] = longest * 1e3;
    state.counters["checked"] = static_cast<double>(fleet.check());
    char note[160];
    std::snprintf(note, sizeof note, "a day leaves every ring; longest slice of %u steps: %.2f ms", slice_steps, longest * 1e3);
    if (!smoke()) {
        figure_tell({"midnight_ms", loader.seconds() * 1e3, "ms", 100, Better::less, 0, loader.digest(), note});
    }
}

void rules(benchmark::State &state) {
    Fleet fleet(170, 0, 10, true);
    Loader &loader = fleet.loader();
    ampel_rules other = loader.rules();
    ampel_error error = {};
    other.severity_points[AMPEL_SEVERITY_HIGH] = 9;
    other.variants_count = 4;
    std::vector<ampel_rules> variants(other.variants_count);
    for (uint32_t i = 0; i < other.variants_count; i++)
        if (!ampel_rules_variant(&other, i, &variants[i], &error)) std::abort();
    uint64_t digest = 0;
    double seconds = 0;
    for (auto _ : state) {
        double began = seconds_now();
        if (ampel_engine_rules_set(loader.engine(), &other) != AMPEL_ENGINE_OK) std::abort();
        if (ampel_engine_variants_set(loader.engine(), variants.data(), other.variants_count) != AMPEL_ENGINE_OK) std::abort();
        loader.changes_take();
        for (uint32_t slot = 0; slot < accounts_count(); slot++) {
            int32_t least, greatest;
            if (ampel_outlook_range(loader.engine(), slot, &least, &greatest) != AMPEL_ENGINE_OK) std::abort();
            digest = digest * 31 + static_cast<uint32_t>(least * 1001 + greatest);
        }
        seconds += seconds_now() - began;
        state.SetIterationTime(seconds);
    }
    state.SetItemsProcessed(accounts_count());
    if (!smoke()) {
        figure_tell({"rules_1m_s", seconds, "s", 1, Better::less, 0, digest,
                     "two violations each; set the rules, name what changed, and the range over four variants of all"});
    }
}

BENCHMARK(expiry)->Iterations(1)->UseManualTime()->Unit(benchmark::kMillisecond);
BENCHMARK(midnight)->Iterations(1)->UseManualTime()->Unit(benchmark::kMillisecond);
BENCHMARK(rules)->Iterations(1)->UseManualTime()->Unit(benchmark::kMillisecond);

} // namespace

BENCHMARK_MAIN();
