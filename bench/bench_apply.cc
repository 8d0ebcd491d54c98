// Apply, from decoded frame to named changes: duplicates recognised, dirty accounts marked, alerts made; beside it, in the
// same run, what random lines of as much memory cost. Nine orders to one violation, AMPEL_BENCH_FRAME events a frame
// (default 8192). Answers are held against a second opinion: of every account at smoke size, of one in 997 else.
#include <benchmark/benchmark.h>

#include "bench/figures.h"
#include "bench/machine.h"
#include "bench/memory.h"
#include "bench/traffic.h"

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

uint32_t setting(const char *name, uint32_t fallback) {
    const char *given = std::getenv(name);
    return given != nullptr ? static_cast<uint32_t>(std::strtoul(given, nullptr, 10)) : fallback;
}

class Run {
public:
    explicit Run(const Load &load)
        : load_(load), accounts_(smoke() ? load.accounts / 100 : load.accounts),
          crowded_(smoke() ? load.crowded / 100 : load.crowded), frame_events_(setting("AMPEL_BENCH_FRAME", 8192)),
          random_(load.accounts + load.crowded + load.zipf), zipf_(load.zipf ? accounts_ : 2),
          ledger_(rules_make(), smoke() ? 1 : 997) {
        memory_ = ampel_bench_memory_open(&options_.memory);
        options_.rules = &rules_;
        options_.start_ms = now_ms_;
        if (ampel_engine_open(&options_, &engine_) != AMPEL_ENGINE_OK) std::abort();
        stores_.resize(64);
    }
    ~Run() {
        ampel_engine_close(engine_);
        ampel_bench_memory_close(memory_);
    }
    Run(const Run &) = delete;
    Run &operator=(const Run &) = delete;

    // Orders all over the window, and violations: two an account, fewer where there are very many accounts.
    void fill() {
        uint32_t rounds = accounts_ > 1000000 ? 3 : 20;
        for (uint32_t round = 0; round < rounds; round++) {
            bool violations = accounts_ > 1000000 ? round == 0 : round < 2;
            for (uint32_t account = 0; account < accounts_; account++) {
                int64_t at_ms = now_ms_ - random_.below(170) * AMPEL_DAY_MS - random_.below(86400000);
                push({account, 0, at_ms, 1 + random_.below(40), 0});
                if (violations && (accounts_ <= 1000000 || account % 5 == 0)) push(violation(account, at_ms));
            }
        }
        for (uint32_t i = 0; i < crowded_ * 1000; i++) {
            int64_t at_ms = now_ms_ - random_.below(170) * AMPEL_DAY_MS - random_.below(86400000);
            push(violation(crowded_account(i % crowded_), at_ms));
        }
        (void)flush();
    }

    // One chunk of frames: made untimed, applied timed. The last frame comes a second time.
    [[gnu::noinline]] void chunk(uint32_t frames) {
        for (uint32_t i = 0; i < frames * frame_events_; i++) push(item_next());
        seconds_ += flush();
    }
    double seconds() const { return seconds_; }
    void seconds_forget() { seconds_ = 0; }

    size_t check() const { return ledger_.check(engine_); }
    uint64_t memory_bytes() const { return ampel_bench_memory_bytes(memory_); }
    uint32_t frame_events() const { return frame_events_; }

    uint64_t digest() const {
        uint64_t digest = changes_digest_;
        for (uint32_t slot = 0, count = ampel_engine_accounts_count(engine_); slot < count; slot++) {
            ampel_numbers numbers;
            ampel_engine_numbers(engine_, slot, &numbers);
            digest = digest * 31 + ampel_hash_bytes(&numbers, sizeof numbers);
        }
        return digest;
    }

private:
    const ampel_rules &rules_make() {
        ampel_rules_init(&rules_);
        return rules_;
    }
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
            return violation(account, now_ms_ - age_ms);
        }
        return {account, 0, now_ms_ - age_ms, 1 + random_.below(3), 0};
    }

    void push(const Item &item) {
        if (used_ == 0 || pushed_ == frame_events_) {
            if (used_ == stores_.size()) (void)flush();
            stores_[used_++].begin();
            pushed_ = 0;
        }
        ledger_.note(item);
        stores_[used_ - 1].push(item);
        pushed_++;
    }

    // Seconds that the frames took.
    double flush() {
        std::vector<const ampel_frame *> frames;
        for (uint32_t i = 0; i < used_; i++) frames.push_back(&stores_[i].frame(++sequence_, now_ms_ + i));
        if (used_ > 0) now_ms_ += used_;
        double began = seconds_now();
        for (const ampel_frame *frame : frames) apply(*frame, false);
        if (!frames.empty()) apply(*frames.back(), true);
        used_ = 0;
        return seconds_now() - began;
    }

    void apply(const ampel_frame &frame, bool duplicate) {
        ampel_apply_counts counts;
        bool done = false;
        if (ampel_engine_advance(engine_, frame.stamp_ms, UINT32_MAX, &done) != AMPEL_ENGINE_OK || !done) std::abort();
        if (ampel_engine_apply(engine_, &frame, &counts) != AMPEL_ENGINE_OK) std::abort();
        if (counts.duplicate != duplicate || counts.refused > 0) std::abort();
        if (counts.applied != (duplicate ? 0 : frame.events_count)) std::abort();
        uint32_t count;
        const ampel_change *changes = ampel_engine_changes(engine_, &count);
        for (uint32_t i = 0; i < count; i++)
            changes_digest_ = changes_digest_ * 31 + changes[i].kind + changes[i].slot + static_cast<uint32_t>(changes[i].after.score);
        ampel_engine_changes_clear(engine_);
    }

    Load load_;
    uint32_t accounts_, crowded_, frame_events_;
    ampel_rules rules_;
    ampel_bench_memory *memory_ = nullptr;
    ampel_engine_options options_ = {};
    ampel_engine *engine_ = nullptr;
    Random random_;
    Zipf zipf_;
    Ledger ledger_;
    std::vector<FrameStore> stores_;
    uint32_t used_ = 0, pushed_ = 0, violations_ = 0;
    uint64_t sequence_ = 0, changes_digest_ = 0;
    double seconds_ = 0;
    int64_t now_ms_ = start_ms;
};

void apply(benchmark::State &state, const Load &load) {
    Run run(load);
    run.fill();
    LineLimit limit(run.memory_bytes());
    const uint32_t chunks = smoke() ? 2 : setting("AMPEL_BENCH_CHUNKS", 32), frames = smoke() ? 2 : 64;
    const uint64_t lines = smoke() ? 1 << 16 : 1 << 22;
    run.chunk(frames);
    run.seconds_forget();
    (void)limit.measure(lines);
    double limit_seconds = 0;
    for (auto _ : state) {
        for (uint32_t i = 0; i < chunks; i++) {
            run.chunk(frames);
            if (i % 4 == 0) limit_seconds += static_cast<double>(lines) / limit.measure(lines);
        }
        state.SetIterationTime(run.seconds());
    }
    double events = double{1} * chunks * frames * run.frame_events();
    double speed = events / run.seconds(), limit_speed = (chunks + 3) / 4 * static_cast<double>(lines) / limit_seconds;
    uint64_t digest = run.digest();
    size_t checked = run.check();
    state.SetItemsProcessed(static_cast<int64_t>(events));
    state.counters["lines/s"] = limit_speed;
    state.counters["ratio"] = speed / limit_speed;
    state.counters["bytes"] = static_cast<double>(run.memory_bytes());
    state.counters["checked"] = static_cast<double>(checked);
    if (!smoke()) {
        figure_tell({load.figure, speed, "events/s", load.goal, Better::more, limit_speed, digest,
                     "limit: random lines of as much memory, read, branched on and written"});
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
