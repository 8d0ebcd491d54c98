// What the outlook costs (rating-model 3.11 to 3.13): over a portfolio of accounts with few violations, and for one account
// with very many. Each answer is summed up and printed as a digest, so that a faster wrong one shows.
// AMPEL_BENCH_ACCOUNTS sets the size of the portfolio (default 100000).
#include <benchmark/benchmark.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

// A function and a struct may share a name in C; C++ warns that one hides the other's constructor.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wshadow"
extern "C" {
#include "engine/outlook.h"
#include "proto/batch.h"
#include "proto/hash.h"
#include "proto/rules_file.h"
}
#pragma GCC diagnostic pop

namespace {

constexpr int64_t now_ms = INT64_C(1790858096789);

void *take(void *, size_t size, size_t alignment) {
    return aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment);
}
void give(void *, void *block, size_t) { std::free(block); }

uint64_t random_next(uint64_t &state) {
    state += UINT64_C(0x9e3779b97f4a7c15);
    uint64_t z = (state ^ (state >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

ampel_text text_of(const std::string &text) { return {text.data(), static_cast<uint32_t>(text.size())}; }

struct Portfolio {
    ampel_rules rules;
    ampel_engine *engine = nullptr;
    ampel_batch_builder *builder = ampel_batch_builder_open();
    std::vector<ampel_frame_account> accounts;
    uint64_t state = 7;

    explicit Portfolio(const char *key = nullptr, const char *value = nullptr) {
        ampel_rules_init(&rules);
        ampel_error error = {};
        if (key != nullptr &&
            !ampel_rules_set(&rules, text_of(key), text_of(value), &error)) std::abort();
        ampel_engine_options options = {};
        options.memory = {nullptr, take, give};
        options.rules = &rules;
        options.start_ms = now_ms;
        if (ampel_engine_open(&options, &engine) != AMPEL_ENGINE_OK) std::abort();
        std::vector<ampel_rules> variants(rules.variants_count);
        for (uint32_t i = 0; i < rules.variants_count; i++)
            if (!ampel_rules_variant(&rules, i, &variants[i], &error)) std::abort();
        if (ampel_engine_variants_set(engine, variants.data(), rules.variants_count) != AMPEL_ENGINE_OK) std::abort();
    }
    ~Portfolio() {
        ampel_batch_builder_close(builder);
        ampel_engine_close(engine);
    }
    Portfolio(const Portfolio &) = delete;
    Portfolio &operator=(const Portfolio &) = delete;

    void flush() {
        ampel_frame frame;
        if (ampel_batch_builder_events(builder) == 0) return;
        if (!ampel_batch_builder_frame(builder, text_of("t"), &frame)) std::abort();
        accounts.assign(frame.accounts, frame.accounts + frame.accounts_count);
        for (ampel_frame_account &account : accounts)
            account.hash = ampel_hash_account(text_of("t"), account.seller, account.marketplace);
        frame.accounts = accounts.data();
        frame.stamp_ms = now_ms;
        ampel_apply_counts counts;
        if (ampel_engine_apply(engine, &frame, &counts) != AMPEL_ENGINE_OK || counts.refused > 0) std::abort();
        ampel_engine_changes_clear(engine);
        ampel_batch_builder_reset(builder);
    }

    void push(const std::string &seller, const ampel_event &event) {
        if (ampel_batch_builder_events(builder) >= 8192) flush();
        if (!ampel_batch_builder_push(builder, text_of(seller), text_of("M"), &event)) std::abort();
    }

    ampel_event event(uint8_t type, int64_t at_ms) {
        ampel_event made = {};
        made.type = type;
        made.at_ms = at_ms;
        made.points = -1;
        made.severity = -1;
        made.code = AMPEL_CODE_NONE;
        return made;
    }

    void orders(const std::string &seller, int64_t day, uint32_t count) {
        ampel_event made = event(AMPEL_EVENT_ORDER, now_ms - day * AMPEL_DAY_MS);
        made.count = count;
        push(seller, made);
    }

    void violation(const std::string &seller, uint32_t number, uint8_t policy) {
        int64_t at_ms = now_ms - static_cast<int64_t>(random_next(state) % (170 * AMPEL_DAY_MS));
        ampel_event made = event(AMPEL_EVENT_VIOLATION, at_ms);
        uint8_t extras[64];
        ampel_extras_writer writer = {extras, sizeof extras, 0};
        if (!ampel_extras_put_text(&writer, AMPEL_EXTRA_ID, text_of("v" + std::to_string(number)))) std::abort();
        made.policy = policy;
        made.extras = extras;
        made.extras_size = writer.size;
        push(seller, made);
    }
};

// Every account sells on some days; every fourth has four violations.
void fill_crowd(Portfolio &portfolio) {
    const char *given = std::getenv("AMPEL_BENCH_ACCOUNTS");
    uint32_t count = given == nullptr ? 100000 : static_cast<uint32_t>(std::atol(given));
    for (uint32_t i = 0; i < count; i++) {
        std::string seller = "S" + std::to_string(i);
        for (int64_t day = i % 3; day < 180; day += 30) portfolio.orders(seller, day, 100 + i % 900);
        for (uint32_t k = 0; i % 4 == 0 && k < 4; k++) portfolio.violation(seller, k, static_cast<uint8_t>(i % 13));
    }
    portfolio.flush();
}

Portfolio &crowd() {
    static Portfolio *made = [] {
        auto *portfolio = new Portfolio;
        fill_crowd(*portfolio);
        return portfolio;
    }();
    return *made;
}

// One account with so many violations of four policies, and no orders.
void fill_one(Portfolio &portfolio, int64_t count) {
    for (int64_t i = 0; i < count; i++)
        portfolio.violation("BIG", static_cast<uint32_t>(i), static_cast<uint8_t>(i % 4));
    portfolio.flush();
}

void check(ampel_engine_status status) {
    if (status != AMPEL_ENGINE_OK) std::abort();
}

template <typename Ask> void over_all(benchmark::State &state, Ask ask) {
    Portfolio &portfolio = crowd();
    uint32_t count = ampel_engine_accounts_count(portfolio.engine);
    uint64_t digest = 0;
    for (auto _ : state) {
        digest = 0;
        for (uint32_t slot = 0; slot < count; slot++) digest = digest * 31 + ask(portfolio.engine, slot);
    }
    state.SetItemsProcessed(state.iterations() * count);
    state.SetLabel("digest " + std::to_string(digest));
}

void range_of_all(benchmark::State &state) {
    over_all(state, [](ampel_engine *engine, uint32_t slot) {
        int32_t least, greatest;
        check(ampel_outlook_range(engine, slot, &least, &greatest));
        return static_cast<uint64_t>(least * 1000 + greatest);
    });
}
BENCHMARK(range_of_all)->Unit(benchmark::kMillisecond);

void next_change_of_all(benchmark::State &state) {
    over_all(state, [](ampel_engine *engine, uint32_t slot) {
        int64_t at_ms;
        check(ampel_outlook_next_change(engine, slot, &at_ms));
        return static_cast<uint64_t>(at_ms);
    });
}
BENCHMARK(next_change_of_all)->Unit(benchmark::kMillisecond);

void turns_of_all(benchmark::State &state) {
    over_all(state, [](ampel_engine *engine, uint32_t slot) {
        struct ampel_outlook_turns turns;
        check(ampel_outlook_turns(engine, slot, &turns));
        return static_cast<uint64_t>(turns.leaves_green_at_ms);
    });
}
BENCHMARK(turns_of_all)->Unit(benchmark::kMillisecond);

// Midnights of a crowd that sells no more: orders leave, and green that will end is told of. Each iteration is one midnight of all
// accounts; worst_ms is the dearest of 60, told how many warnings came with them.
void midnights_of_all(benchmark::State &state) {
    Portfolio portfolio;
    fill_crowd(portfolio);
    int64_t to_ms = now_ms / AMPEL_DAY_MS * AMPEL_DAY_MS;
    double worst_ms = 0;
    uint64_t told = 0;
    for (auto _ : state) {
        to_ms += AMPEL_DAY_MS;
        bool done = false;
        auto before = std::chrono::steady_clock::now();
        while (!done) check(ampel_engine_advance(portfolio.engine, to_ms, 1 << 16, &done));
        std::chrono::duration<double> took = std::chrono::steady_clock::now() - before;
        state.SetIterationTime(took.count());
        worst_ms = std::max(worst_ms, took.count() * 1000);
        uint32_t count;
        const ampel_change *changes = ampel_engine_changes(portfolio.engine, &count);
        for (uint32_t i = 0; i < count; i++) told += changes[i].kind == AMPEL_CHANGE_WILL_TURN;
        ampel_engine_changes_clear(portfolio.engine);
    }
    state.counters["worst_ms"] = worst_ms;
    state.SetLabel("told " + std::to_string(told));
}
BENCHMARK(midnights_of_all)->Iterations(60)->UseManualTime()->Unit(benchmark::kMillisecond);

void fixes_of_one(benchmark::State &state) {
    Portfolio portfolio("repeat.anchor", "rerank");
    fill_one(portfolio, state.range(0));
    uint64_t digest = 0;
    for (auto _ : state) {
        const ampel_outlook_fix *fixes;
        uint32_t count;
        check(ampel_outlook_fixes(portfolio.engine, 0, &fixes, &count));
        digest = count * UINT64_C(1000003) + static_cast<uint64_t>(fixes[0].approved.raw);
    }
    state.SetLabel("digest " + std::to_string(digest));
}
BENCHMARK(fixes_of_one)->Arg(4)->Arg(500)->Arg(5000)->Arg(50000)->Unit(benchmark::kMicrosecond);

void forecast_of_one(benchmark::State &state) {
    Portfolio portfolio;
    fill_one(portfolio, state.range(0));
    uint64_t digest = 0;
    for (auto _ : state) {
        const ampel_outlook_step *steps;
        uint32_t count;
        check(ampel_outlook_forecast(portfolio.engine, 0, false, &steps, &count));
        digest = count;
    }
    state.SetLabel("digest " + std::to_string(digest));
}
BENCHMARK(forecast_of_one)->Arg(4)->Arg(5000)->Arg(50000)->Unit(benchmark::kMicrosecond);

// 16 is the most that is tried exactly, here in vain (a start below green); beyond it is greedy.
void to_green_of_one(benchmark::State &state) {
    bool vain = state.range(0) <= AMPEL_OUTLOOK_EXACT_MAX;
    Portfolio portfolio(vain ? "start" : "repeat.anchor", vain ? "199" : "rerank");
    fill_one(portfolio, state.range(0));
    uint64_t digest = 0;
    for (auto _ : state) {
        ampel_outlook_green green;
        check(ampel_outlook_to_green(portfolio.engine, 0, &green));
        digest = green.count * UINT64_C(4) + green.found * 2u + green.exact;
    }
    state.SetLabel("digest " + std::to_string(digest));
}
BENCHMARK(to_green_of_one)->Arg(16)->Arg(17)->Arg(5000)->Arg(50000)->Unit(benchmark::kMicrosecond);

} // namespace

BENCHMARK_MAIN();
