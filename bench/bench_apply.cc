// Apply, from decoded frame to named changes: duplicates recognised, dirty accounts marked, alerts made; beside it, in the
// same run, what random lines of as much memory cost. Nine orders to one violation, AMPEL_BENCH_FRAME events a frame
// (default 2048: a full batch over 64 partitions). Answers are held against a second opinion: of every account at smoke size, of one in 997 else.
#include <algorithm>
#include <vector>

#include <benchmark/benchmark.h>

#include "bench/figures.h"
#include "bench/loader.h"

namespace {

using namespace ampel_bench;

struct Load {
    const char *figure;
    uint32_t accounts;
    double goal;
    bool zipf;
    uint32_t crowded; // so many accounts have 1 000 violations each, and get all new ones
    int64_t late_ms;  // events are up to so old
};

constexpr int64_t minute_ms = 60000;
const Load loads[] = {
    {"apply_1m", 1000000, 20e6, false, 0, minute_ms},
    {"apply_10m", 10000000, 10e6, false, 0, minute_ms},
    {"apply_zipf", 1000000, 10e6, true, 0, minute_ms},
    {"apply_crowded", 1000000, 10e6, false, 1000, minute_ms},
    {"apply_late", 1000000, 10e6, false, 0, 30 * AMPEL_DAY_MS},
};

class Run {
public:
    explicit Run(const Load &load)
        : load_(load), accounts_(smoke() ? load.accounts / 100 : load.accounts),
          crowded_(smoke() ? load.crowded / 100 : load.crowded), random_(load.accounts + load.crowded + load.zipf),
          zipf_(load.zipf ? accounts_ : 2), ledger_(loader_.rules(), smoke() ? 1 : 997) {}

    // Orders all over the window, and violations: two an account, fewer where there are very many accounts.
    void fill() {
        uint32_t rounds = accounts_ > 1000000 ? 3 : 20;
        for (uint32_t round = 0; round < rounds; round++) {
            bool violations = accounts_ > 1000000 ? round == 0 : round < 2;
            for (uint32_t account = 0; account < accounts_; account++) {
                int64_t at_ms = loader_.now_ms() - random_.below(170) * AMPEL_DAY_MS - random_.below(86400000);
                push({account, 0, at_ms, 1 + random_.below(40), 0});
                if (violations && (accounts_ <= 1000000 || account % 5 == 0)) push(violation(account, at_ms));
            }
        }
        for (uint32_t i = 0; i < crowded_ * 1000; i++) {
            int64_t at_ms = loader_.now_ms() - random_.below(170) * AMPEL_DAY_MS - random_.below(86400000);
            push(violation(crowded_account(i % crowded_), at_ms));
        }
        loader_.flush();
    }

    // Frames are made untimed and applied timed; every eighth comes a second time.
    [[gnu::noinline]] void chunk(uint32_t frames) {
        for (uint32_t i = 0; i < frames * loader_.frame_events(); i++) push(item_next());
        loader_.flush();
    }

    size_t check() const { return ledger_.check(loader_.engine()); }
    Loader &loader() { return loader_; }

private:
    uint32_t crowded_account(uint32_t index) const { return index * (accounts_ / crowded_); }
    Item violation(uint32_t account, int64_t at_ms) {
        return {account, ++violations_, at_ms, 1, static_cast<uint8_t>(random_.below(policies_count))};
    }

    Item item_next() {
        uint32_t account = random_.below(accounts_);
        if (load_.zipf) account = static_cast<uint32_t>(zipf_.next(random_) * UINT64_C(2654435761) % accounts_);
        auto age_ms = static_cast<int64_t>(random_.unit() * static_cast<double>(load_.late_ms));
        if (random_.below(10) == 0) {
            if (crowded_ > 0) account = crowded_account(random_.below(crowded_));
            return violation(account, loader_.now_ms() - age_ms);
        }
        return {account, 0, loader_.now_ms() - age_ms, 1 + random_.below(3), 0};
    }

    void push(const Item &item) {
        ledger_.note(item);
        loader_.push(item);
    }

    Load load_;
    uint32_t accounts_, crowded_, violations_ = 0;
    Random random_;
    Zipf zipf_;
    Loader loader_;
    Ledger ledger_;
};

double median(std::vector<double> values) {
    auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
    std::nth_element(values.begin(), middle, values.end());
    return *middle;
}

void apply(benchmark::State &state, const Load &load) {
    Run run(load);
    run.fill();
    LineLimit limit(run.loader().memory_bytes());
    const uint32_t chunks = setting("AMPEL_BENCH_CHUNKS", smoke() ? 2 : 32), frames = smoke() ? 2 : 64;
    const uint64_t lines = smoke() ? 1 << 16 : 1 << 22;
    run.chunk(frames);
    run.loader().seconds_forget();
    (void)limit.measure(lines);
    std::vector<double> seconds, limits; // of each piece: a neighbour on the machine slows some of them
    Turn turn;
    for (auto _ : state) {
        for (uint32_t i = 0; i < chunks; i++) {
            turn.wait();
            double before = run.loader().seconds();
            run.chunk(frames);
            seconds.push_back(run.loader().seconds() - before);
            turn.pass();
            if (i % 4 == 0) limits.push_back(limit.measure(lines));
        }
        state.SetIterationTime(run.loader().seconds());
    }
    double events = double{1} * chunks * frames * run.loader().frame_events();
    double speed = events / chunks / median(seconds), limit_speed = median(limits);
    uint64_t digest = run.loader().digest();
    size_t checked = run.check();
    state.SetItemsProcessed(static_cast<int64_t>(events));
    state.counters["lines/s"] = limit_speed;
    state.counters["ratio"] = speed / limit_speed;
    state.counters["bytes"] = static_cast<double>(run.loader().memory_bytes());
    state.counters["checked"] = static_cast<double>(checked);
    if (!smoke()) {
        figure_tell({load.figure, speed, "events/s", load.goal, Better::more, limit_speed, digest,
                     "the median of 32 pieces; limit: random lines of as much memory, read, branched on and written, the median of 8"});
    }
}

} // namespace

int main(int argc, char **argv) {
    for (const Load &load : loads)
        benchmark::RegisterBenchmark(load.figure, apply, load)->Iterations(1)->UseManualTime()->Unit(benchmark::kMillisecond);
    benchmark::Initialize(&argc, argv);
    if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
    benchmark::RunSpecifiedBenchmarks();
    benchmark::Shutdown();
    return 0;
}
