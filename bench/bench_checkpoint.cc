// What the pages of a checkpoint cost a shard, an account: out, packed, unpacked, in; and the copy in pieces while frames go on. Accounts have orders on twenty days and two violations each (AMPEL_BENCH_ACCOUNTS, default 100 000). What was
// packed is read again by a second engine, and must export the same bytes.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <string>
#include <vector>

#include "bench/figures.h"
#include "bench/memory.h"
#include "bench/traffic.h"

extern "C" {
#include "proto/page.h"
}

namespace {

using namespace ampel_bench;

uint32_t accounts_count() {
    const char *given = std::getenv("AMPEL_BENCH_ACCOUNTS");
    return given != nullptr ? static_cast<uint32_t>(std::strtoul(given, nullptr, 10)) : 100000;
}

class Portfolio {
public:
    Portfolio() : random_(7) {
        memory_ = ampel_bench_memory_open(&options_.memory);
        ampel_rules_init(&rules_);
        options_.rules = &rules_;
        options_.start_ms = start_ms;
        engine_ = engine_make();
        for (uint32_t round = 0; round < 20; round++) {
            touch(0, accounts_count(), 170 * AMPEL_DAY_MS, round < 2);
        }
        codec_ = ampel_page_codec_open();
        if (codec_ == nullptr) std::abort();
        raw_.resize(1 << 22);
    }
    ~Portfolio() {
        ampel_page_codec_close(codec_);
        ampel_engine_close(engine_);
        ampel_bench_memory_close(memory_);
    }
    Portfolio(const Portfolio &) = delete;
    Portfolio &operator=(const Portfolio &) = delete;

    ampel_engine *engine_make() const {
        ampel_engine *engine;
        if (ampel_engine_open(&options_, &engine) != AMPEL_ENGINE_OK) std::abort();
        return engine;
    }

    // An order of each of the accounts, or a violation, too; frames of 4 096 accounts.
    void touch(uint32_t first, uint32_t end, int64_t span_ms, bool violations) {
        while (first < end) {
            frame_.begin();
            uint32_t until = std::min(end, first + 4096);
            for (; first < until; first++) {
                int64_t age_ms = static_cast<int64_t>(random_.unit() * static_cast<double>(span_ms));
                frame_.push({first, 0, now_ms_ - age_ms, 1 + random_.below(9), 0});
                if (violations)
                    frame_.push({first, ++violations_, now_ms_ - age_ms, 1, static_cast<uint8_t>(random_.below(policies_count))});
            }
            apply(frame_.frame(0, now_ms_));
        }
    }

    uint32_t pages() const { return ampel_engine_pages_count(engine_); }
    uint32_t page_export(const ampel_engine *engine, uint32_t page) {
        uint32_t size = ampel_engine_page_export(engine, page, raw_.data(), static_cast<uint32_t>(raw_.size()));
        if (size > raw_.size()) std::abort();
        return size;
    }
    std::string page_pack(uint32_t size) {
        const uint8_t *bytes;
        if (!ampel_page_encode(codec_, raw_.data(), size, &bytes, &size)) std::abort();
        return {reinterpret_cast<const char *>(bytes), size};
    }
    void page_import(ampel_engine *engine, uint32_t page, const std::string &bytes) {
        const uint8_t *raw;
        uint32_t size;
        ampel_error error = {};
        if (!ampel_page_decode(codec_, reinterpret_cast<const uint8_t *>(bytes.data()), static_cast<uint32_t>(bytes.size()), &raw,
                               &size, &error) ||
            ampel_engine_page_import(engine, page, raw, size) != AMPEL_ENGINE_OK)
            std::abort();
    }
    void meta_import(ampel_engine *engine) {
        uint32_t size = ampel_engine_meta_export(engine_, raw_.data(), static_cast<uint32_t>(raw_.size()));
        if (size > raw_.size() || ampel_engine_meta_import(engine, raw_.data(), size) != AMPEL_ENGINE_OK) std::abort();
    }
    uint64_t digest(const ampel_engine *engine) {
        uint64_t digest = 0;
        for (uint32_t page = 0; page < pages(); page++) digest = digest * 31 + ampel_hash_bytes(raw_.data(), page_export(engine, page));
        return digest;
    }
    ampel_engine *engine() const { return engine_; }

private:
    void apply(const ampel_frame &frame) {
        ampel_apply_counts counts;
        bool done = false;
        if (ampel_engine_advance(engine_, frame.stamp_ms, UINT32_MAX, &done) != AMPEL_ENGINE_OK || !done) std::abort();
        if (ampel_engine_apply(engine_, &frame, &counts) != AMPEL_ENGINE_OK || counts.applied != frame.events_count) std::abort();
        ampel_engine_changes_clear(engine_);
    }

    ampel_rules rules_;
    ampel_bench_memory *memory_ = nullptr;
    ampel_engine_options options_ = {};
    ampel_engine *engine_ = nullptr;
    ampel_page_codec *codec_ = nullptr;
    Random random_;
    FrameStore frame_;
    std::vector<uint8_t> raw_;
    uint32_t violations_ = 0;
    int64_t now_ms_ = start_ms;
};

// Which pages are still to be taken; the engine asks, too.
class Copy {
public:
    explicit Copy(Portfolio &made) : made_(made), due_(made.pages(), true) {
        ampel_engine_copy_begin(made.engine(), before, this);
    }
    ~Copy() { ampel_engine_copy_end(made_.engine()); }
    Copy(const Copy &) = delete;
    Copy &operator=(const Copy &) = delete;
    void take(uint32_t page) {
        if (page >= due_.size() || !due_[page]) return;
        due_[page] = false;
        taken_++;
        (void)made_.page_pack(made_.page_export(made_.engine(), page));
        ampel_engine_page_clean(made_.engine(), page);
    }
    uint32_t taken() const { return taken_; }

private:
    static bool before(void *context, uint32_t slot) {
        static_cast<Copy *>(context)->take(slot / AMPEL_PAGE_ACCOUNTS);
        return true;
    }
    Portfolio &made_;
    std::vector<bool> due_;
    uint32_t taken_ = 0;
};

Portfolio &portfolio() {
    static Portfolio made;
    return made;
}

void told(benchmark::State &state, uint64_t bytes) {
    state.SetItemsProcessed(static_cast<int64_t>(state.iterations()) * accounts_count());
    state.counters["bytes/account"] = static_cast<double>(bytes) / accounts_count();
}

void page_export(benchmark::State &state) {
    Portfolio &made = portfolio();
    uint64_t bytes = 0;
    for (auto step : state) {
        bytes = 0;
        for (uint32_t page = 0; page < made.pages(); page++) bytes += made.page_export(made.engine(), page);
    }
    told(state, bytes);
}

void page_pack(benchmark::State &state) {
    Portfolio &made = portfolio();
    uint32_t size = made.page_export(made.engine(), 0);
    uint64_t bytes = 0;
    for (auto step : state) {
        bytes = 0;
        for (uint32_t page = 0; page < made.pages(); page++) bytes += made.page_pack(size).size();
    }
    told(state, bytes);
}

// Unpacked and imported; every byte of what was stored is there again.
void page_import(benchmark::State &state) {
    Portfolio &made = portfolio();
    std::vector<std::string> pages;
    uint64_t bytes = 0, digest = made.digest(made.engine());
    for (uint32_t page = 0; page < made.pages(); page++) {
        pages.push_back(made.page_pack(made.page_export(made.engine(), page)));
        bytes += pages.back().size();
    }
    for (auto step : state) {
        ampel_engine *engine = made.engine_make();
        made.meta_import(engine);
        for (uint32_t page = 0; page < pages.size(); page++) made.page_import(engine, page, pages[page]);
        if (ampel_engine_import_finish(engine) != AMPEL_ENGINE_OK) std::abort();
        state.PauseTiming();
        if (made.digest(engine) != digest) state.SkipWithError("what was read is not what was stored");
        ampel_engine_close(engine);
        state.ResumeTiming();
    }
    std::printf("digest %016" PRIx64 "\n", digest);
    told(state, bytes);
}

// A copy of all pages while frames of all accounts come: frames take the pages that they change before they do. Every page is
// taken once, and the time is that of the frames and the copy.
void copy_in_pieces(benchmark::State &state) {
    Portfolio &made = portfolio();
    for (auto step : state) {
        Copy copy(made);
        uint32_t at = 0;
        for (uint32_t page = 0; page < made.pages(); page++) {
            copy.take(page);
            uint32_t end = std::min(accounts_count(), at + 64);
            if (at < end) made.touch(at, end, 60000, false);
            at = end;
        }
        if (copy.taken() != made.pages()) state.SkipWithError("a page was taken twice, or not at all");
    }
    told(state, 0);
}

BENCHMARK(page_export)->Unit(benchmark::kMillisecond);
BENCHMARK(page_pack)->Unit(benchmark::kMillisecond);
BENCHMARK(page_import)->Unit(benchmark::kMillisecond);
BENCHMARK(copy_in_pieces)->Unit(benchmark::kMillisecond);

} // namespace

BENCHMARK_MAIN();
