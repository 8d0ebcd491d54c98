// What the machine can do, measured beside what the program does: random read-modify-write of 64-byte lines, prefetched in
// groups of 64, with a branch in it that nothing predicts, on huge pages. Every figure of the engine is also a ratio to it.
#ifndef AMPEL_BENCH_MACHINE_H
#define AMPEL_BENCH_MACHINE_H

#include <sys/mman.h>
#include <time.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>

namespace ampel_bench {

// Of this thread on a processor: what other programs take from it is not counted.
inline double seconds_now() {
    struct timespec now;
    if (clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now) != 0) std::abort();
    return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

class LineLimit {
public:
    explicit LineLimit(size_t bytes) : lines_(bytes / line_bytes), bytes_((bytes / huge_bytes + 1) * huge_bytes) {
        void *memory = mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (memory == MAP_FAILED || lines_ == 0) std::abort();
        (void)madvise(memory, bytes_, MADV_HUGEPAGE);
        words_ = static_cast<uint64_t *>(memory);
        for (size_t i = 0; i < lines_; i++) words_[i * line_words] = i * UINT64_C(0x9e3779b97f4a7c15);
    }
    ~LineLimit() { munmap(words_, bytes_); }
    LineLimit(const LineLimit &) = delete;
    LineLimit &operator=(const LineLimit &) = delete;

    // Lines a second.
    double measure(uint64_t accesses) {
        uint64_t state = 88172645463325252u, places[group];
        double began = seconds_now();
        for (uint64_t done = 0; done < accesses; done += group) {
            for (uint64_t &place : places) {
                state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
                place = static_cast<uint64_t>(static_cast<unsigned __int128>(state) * lines_ >> 64) * line_words;
                __builtin_prefetch(words_ + place, 1);
            }
            for (uint64_t place : places) {
                uint64_t &word = words_[place];
                if ((word >> 32 & 1) != 0) {
                    word = word * 5 + 1;
                    asm volatile("" : "+r"(sum_)); // keeps it a branch
                    sum_++;
                } else {
                    word ^= word >> 7 ^ (UINT64_C(1) << 32);
                }
            }
        }
        return static_cast<double>(accesses) / (seconds_now() - began);
    }

private:
    static constexpr size_t line_bytes = 64, line_words = 8, group = 64, huge_bytes = size_t{2} << 20;
    size_t lines_, bytes_;
    uint64_t *words_, sum_ = 0;
};

} // namespace ampel_bench

#endif
