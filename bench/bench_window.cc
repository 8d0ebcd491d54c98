// The window of one account: an order more on a day, by the width of its cells, and the sum of 180 days. Sums kept by differences are
// held against the sum of all cells.
#include <benchmark/benchmark.h>

#include <cstdlib>
#include <string>

#include "bench/traffic.h"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wshadow"
extern "C" {
#include "engine/window.h"
}
#pragma GCC diagnostic pop

namespace {

using namespace ampel_bench;

void *take(void *, size_t size, size_t alignment) {
    return std::aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment);
}
void give(void *, void *block, size_t) { std::free(block); }

// A ring whose cells have this many bits from the beginning.
class Ring {
public:
    explicit Ring(int64_t bits) {
        ampel_memory memory = {nullptr, take, give};
        ampel_pool_init(&pool_, &memory);
        put(0, bits == 4 ? 1 : bits == 8 ? 20 : bits == 16 ? 200 : 40000);
        if (!ampel_window_bring(&pool_, &window_, 1) || window_.bits != bits) std::abort();
    }
    ~Ring() { ampel_pool_reset(&pool_); }
    Ring(const Ring &) = delete;
    Ring &operator=(const Ring &) = delete;

    // One order more, or the day begins anew where its cell is full: a ring keeps its width.
    void more(uint32_t cell) {
        uint32_t before = ampel_window_get(&window_, cell), after = ampel_day_increment(before, 1);
        put(cell, ampel_cells_bits(after) > window_.bits ? 0 : after);
    }
    uint32_t kept() const { return sum_; }
    uint32_t counted() const { return ampel_window_sum(&window_, 17, AMPEL_WINDOW_CELLS); }

private:
    void put(uint32_t cell, uint32_t packed) {
        uint32_t before = ampel_day_total(ampel_window_get(&window_, cell));
        if (!ampel_window_put(&pool_, &window_, cell, packed)) std::abort();
        sum_ += ampel_day_total(packed) - before;
    }

    ampel_pool pool_;
    ampel_window window_ = {};
    uint32_t sum_ = 0;
};

void more(benchmark::State &state) {
    Ring ring(state.range(0));
    Random random(3);
    for (auto _ : state) ring.more(random.below(AMPEL_WINDOW_CELLS));
    if (ring.kept() != ring.counted()) std::abort();
    state.SetItemsProcessed(state.iterations());
}
BENCHMARK(more)->Arg(4)->Arg(8)->Arg(16)->Arg(32);

void sum(benchmark::State &state) {
    Ring ring(state.range(0));
    Random random(3);
    for (uint32_t i = 0; i < 5000; i++) ring.more(random.below(AMPEL_WINDOW_CELLS));
    uint32_t total = 0;
    for (auto _ : state) benchmark::DoNotOptimize(total = ring.counted());
    if (total != ring.kept()) std::abort();
    state.SetLabel("digest " + std::to_string(total));
    state.SetItemsProcessed(state.iterations());
}
BENCHMARK(sum)->Arg(4)->Arg(8)->Arg(16)->Arg(32);

} // namespace

BENCHMARK_MAIN();
