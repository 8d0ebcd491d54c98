// An engine under traffic: events are gathered into frames, frames are applied as a shard would, and what that takes of one
// core is added up. Memory comes from the worker's allocator.
#ifndef AMPEL_BENCH_LOADER_H
#define AMPEL_BENCH_LOADER_H

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "bench/machine.h"
#include "bench/memory.h"
#include "bench/traffic.h"

namespace ampel_bench {

inline uint32_t setting(const char *name, uint32_t fallback) {
    const char *given = std::getenv(name);
    return given != nullptr ? static_cast<uint32_t>(std::strtoul(given, nullptr, 10)) : fallback;
}

// Two programs that take turns, each a piece of its work at a time, are measured beside each other although the machine is not
// quiet: AMPEL_BENCH_TURN_IN and _OUT name pipes, one for each way; whoever has no _IN of its own begins.
class Turn {
public:
    Turn() : in_(open_given("AMPEL_BENCH_TURN_IN")), out_(open_given("AMPEL_BENCH_TURN_OUT")) {}
    void wait() const {
        char byte;
        if (in_ >= 0 && read(in_, &byte, 1) < 0) std::abort();
    }
    void pass() const {
        if (out_ >= 0 && write(out_, "", 1) < 0) return; // the other one has ended
    }

private:
    static int open_given(const char *name) {
        const char *path = std::getenv(name);
        return path != nullptr ? open(path, O_RDWR | O_CLOEXEC) : -1;
    }
    int in_, out_;
};

// How often this thread met a page that was not there yet.
inline long page_faults() {
    rusage used;
    if (getrusage(RUSAGE_THREAD, &used) != 0) std::abort();
    return used.ru_minflt + used.ru_majflt;
}

// What a frame took.
struct Took {
    double seconds = 0;
    long faults = 0;
};

// What all frames took. Over: more than a shard may stand still for; one without a page fault waited for nothing but its core.
struct Frames {
    static constexpr double over_seconds = 0.005;
    uint64_t count = 0, over = 0, over_faulted = 0;
    Took longest;

    void note(const Took &took) {
        bool is_over = took.seconds > over_seconds;
        count++;
        over += is_over;
        over_faulted += is_over && took.faults > 0;
        if (took.seconds > longest.seconds) longest = took;
    }
};

class Loader {
public:
    explicit Loader(int64_t now_ms = start_ms) : frame_events_(setting("AMPEL_BENCH_FRAME", 2048)), now_ms_(now_ms) {
        ampel_rules_init(&rules_);
        memory_ = ampel_bench_memory_open(&options_.memory);
        options_.rules = &rules_;
        options_.start_ms = now_ms_;
        if (ampel_engine_open(&options_, &engine_) != AMPEL_ENGINE_OK) std::abort();
        stores_.resize(frames_prepared);
    }
    ~Loader() {
        ampel_engine_close(engine_);
        ampel_bench_memory_close(memory_);
    }
    Loader(const Loader &) = delete;
    Loader &operator=(const Loader &) = delete;

    void push(const Item &item) {
        if (used_ == 0 || pushed_ == frame_events_) {
            if (used_ == stores_.size()) flush();
            stores_[used_++].begin();
            pushed_ = 0;
        }
        stores_[used_ - 1].push(item);
        pushed_++;
    }

    // Applies what was gathered; the last frame comes a second time. What was told is read between frames, untimed: the digest
    // over it is this program's own.
    void flush() {
        std::vector<const ampel_frame *> frames;
        for (uint32_t i = 0; i < used_; i++) frames.push_back(&stores_[i].frame(++sequence_, now_ms_ + i));
        now_ms_ += used_;
        for (const ampel_frame *frame : frames) frames_.note(apply(*frame, false));
        if (!frames.empty()) apply(*frames.back(), true);
        used_ = 0;
    }

    // To to_ms in slices of so many steps; seconds of the longest one.
    double advance(int64_t to_ms, uint32_t steps) {
        double longest = 0;
        for (bool done = false; !done;) {
            double began = seconds_now();
            if (ampel_engine_advance(engine_, to_ms, steps, &done) != AMPEL_ENGINE_OK) std::abort();
            changes_take();
            double took = seconds_now() - began;
            longest = std::max(longest, took);
            seconds_ += took;
        }
        now_ms_ = std::max(now_ms_, to_ms);
        return longest;
    }

    ampel_engine *engine() const { return engine_; }
    const ampel_rules &rules() const { return rules_; }
    int64_t now_ms() const { return now_ms_; }
    uint32_t frame_events() const { return frame_events_; }
    uint64_t memory_bytes() const { return ampel_bench_memory_bytes(memory_); }
    uint64_t changes() const { return changes_; }
    double seconds() const { return seconds_; } // of one core, within the engine
    const Frames &frames() const { return frames_; } // duplicates apart
    void seconds_forget() { seconds_ = 0; }

    // Over the numbers of all accounts and what was told.
    uint64_t digest() const {
        uint64_t digest = changes_digest_;
        for (uint32_t slot = 0, count = ampel_engine_accounts_count(engine_); slot < count; slot++) {
            ampel_numbers numbers;
            ampel_engine_numbers(engine_, slot, &numbers);
            digest = digest * 31 + ampel_hash_bytes(&numbers, sizeof numbers);
        }
        return digest;
    }

    void changes_take() {
        uint32_t count;
        const ampel_change *told = ampel_engine_changes(engine_, &count);
        for (uint32_t i = 0; i < count; i++) {
            auto score = static_cast<uint32_t>(told[i].after.score);
            changes_digest_ = changes_digest_ * 31 + told[i].kind + told[i].slot + score;
        }
        changes_ += count;
        ampel_engine_changes_clear(engine_);
    }

private:
    // So many frames are made, then applied: what comes from the decoder is still near.
    static constexpr size_t frames_prepared = 8;

    Took apply(const ampel_frame &frame, bool duplicate) {
        ampel_apply_counts counts;
        bool done = false;
        long faults = page_faults();
        double began = seconds_now();
        if (ampel_engine_advance(engine_, frame.stamp_ms, UINT32_MAX, &done) != AMPEL_ENGINE_OK || !done) std::abort();
        if (ampel_engine_apply(engine_, &frame, &counts) != AMPEL_ENGINE_OK) std::abort();
        Took took = {seconds_now() - began, page_faults() - faults};
        seconds_ += took.seconds;
        if (counts.duplicate != duplicate || counts.refused > 0) std::abort();
        if (counts.applied != (duplicate ? 0 : frame.events_count)) std::abort();
        changes_take();
        return took;
    }

    uint32_t frame_events_;
    ampel_rules rules_;
    ampel_bench_memory *memory_ = nullptr;
    ampel_engine_options options_ = {};
    ampel_engine *engine_ = nullptr;
    std::vector<FrameStore> stores_;
    uint32_t used_ = 0, pushed_ = 0;
    uint64_t sequence_ = 0, changes_ = 0, changes_digest_ = 0;
    double seconds_ = 0;
    Frames frames_;
    int64_t now_ms_;
};

} // namespace ampel_bench

#endif
