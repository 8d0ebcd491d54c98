// Group commit on the real disk: growing files against recycled, preallocated segments (architecture 4.4). Checks that what
// was committed is read again, and prints a digest of it. AMPEL_BENCH_JOURNAL names the directory to use (default
// the current one), because /tmp may be memory.
#include <benchmark/benchmark.h>
#include <fcntl.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wshadow"
extern "C" {
#include "proto/hash.h"
#include "proto/record.h"
#include "workers/journal.h"
#include "workers/logline.h"
}
#pragma GCC diagnostic pop

namespace {

bool smoke() {
    const char *given = std::getenv("AMPEL_BENCH_SMOKE");
    return given != nullptr && *given != 0 && *given != '0';
}

constexpr uint32_t record_bytes = 16384;

std::string directory_make() {
    const char *place = std::getenv("AMPEL_BENCH_JOURNAL");
    std::string path = std::string(place == nullptr ? "." : place) + "/bench-journal-XXXXXX";
    if (mkdtemp(path.data()) == nullptr) std::abort();
    return path;
}

void directory_remove(const std::string &path) {
    std::string command = "rm -r '" + path + "'";
    if (std::system(command.c_str()) != 0) std::abort();
}

std::vector<uint8_t> record_make() {
    ampel_record_builder *builder = ampel_record_builder_open(4096);
    std::vector<uint32_t> partitions((record_bytes - AMPEL_RECORD_HEADER_BYTES) / 4);
    const uint8_t *bytes;
    uint32_t size;
    if (!ampel_record_encode_tick(builder, 1, partitions.data(),
                                  static_cast<uint32_t>(partitions.size()), &bytes, &size)) {
        std::abort();
    }
    std::vector<uint8_t> record(bytes, bytes + size);
    ampel_record_builder_close(builder);
    return record;
}

ampel_journal *journal_open(const std::string &path, ampel_journal_options &options) {
    if (!ampel_disk_posix(path.c_str(), &options.disk)) std::abort();
    options.system_id = 1;
    // At smoke size the making of segments would be most of it.
    options.segment_bytes = smoke() ? 4 << 20 : 64 << 20;
    options.bytes_max = uint64_t{1} << 40;
    options.group_bytes_max = 2 << 20;
    ampel_journal *journal;
    ampel_error error = {};
    if (ampel_journal_open(&options, &journal, &error) != AMPEL_JOURNAL_OK) std::abort();
    return journal;
}

void group_commit(ampel_journal *journal, std::vector<uint8_t> &record, int64_t records) {
    for (int64_t i = 0; i < records; i++) {
        ampel_journal_status status = ampel_journal_append(
            journal, record.data(), static_cast<uint32_t>(record.size()), 1);
        if (status == AMPEL_JOURNAL_AGAIN) {
            if (ampel_journal_commit(journal, nullptr) != AMPEL_JOURNAL_OK) std::abort();
            status = ampel_journal_append(journal, record.data(),
                                          static_cast<uint32_t>(record.size()), 1);
        }
        if (status != AMPEL_JOURNAL_OK) std::abort();
    }
    if (ampel_journal_commit(journal, nullptr) != AMPEL_JOURNAL_OK) std::abort();
}

// Reads back what is held; the answer that the timing stands for.
uint64_t held_digest(ampel_journal *journal) {
    uint64_t position = ampel_journal_first(journal), digest = 0;
    const uint8_t *bytes;
    ampel_record_header header;
    ampel_journal_status status;
    while ((status = ampel_journal_read(journal, &position, &bytes, &header, nullptr)) ==
           AMPEL_JOURNAL_OK) {
        // Without the header, all are one and the same.
        const uint64_t one = ampel_hash_bytes(bytes + AMPEL_RECORD_HEADER_BYTES, header.size - AMPEL_RECORD_HEADER_BYTES);
        if (digest != 0 && digest != one) std::abort();
        digest = one;
    }
    if (status != AMPEL_JOURNAL_END || digest == 0) std::abort();
    return digest;
}

void recycled(benchmark::State &state) {
    ampel_log_configure(AMPEL_LOG_ERROR, AMPEL_LOG_AUTO);
    std::string path = directory_make();
    std::vector<uint8_t> record = record_make();
    ampel_journal_options options = {};
    ampel_journal *journal = journal_open(path, options);
    int64_t records = state.range(0) * 1024 / record_bytes;
    // Two segments are made before, so that only recycled ones are timed.
    while (ampel_journal_end(journal) < 2 * options.segment_bytes) group_commit(journal, record, 16);
    bool more = true;
    while (more)
        if (ampel_journal_release(journal, ampel_journal_end(journal), &more) != AMPEL_JOURNAL_OK) std::abort();
    for (auto _ : state) {
        group_commit(journal, record, records);
        // A batch is no more than a segment: one call keeps up.
        if (ampel_journal_release(journal, ampel_journal_end(journal), &more) != AMPEL_JOURNAL_OK) {
            std::abort();
        }
    }
    state.SetBytesProcessed(state.iterations() * records * record_bytes);
    char label[32];
    std::snprintf(label, sizeof label, "digest %016llx", static_cast<unsigned long long>(held_digest(journal)));
    state.SetLabel(label);
    ampel_journal_close(journal);
    ampel_disk_posix_close(&options.disk);
    directory_remove(path);
}

// What the journal does not do: append to a file that grows.
void growing(benchmark::State &state) {
    std::string path = directory_make();
    std::string name = path + "/growing";
    int fd = open(name.c_str(), O_RDWR | O_CREAT, 0600);
    if (fd < 0) std::abort();
    std::vector<uint8_t> group(static_cast<size_t>(state.range(0)) * 1024, 7);
    for (auto _ : state) {
        if (write(fd, group.data(), group.size()) != static_cast<ssize_t>(group.size())) std::abort();
        if (fdatasync(fd) != 0) std::abort();
    }
    state.SetBytesProcessed(state.iterations() * static_cast<int64_t>(group.size()));
    state.counters["read_again"] = static_cast<double>(lseek(fd, 0, SEEK_END));
    close(fd);
    directory_remove(path);
}

BENCHMARK(growing)->Arg(16)->Arg(256)->Arg(1024)->UseRealTime();
BENCHMARK(recycled)->Arg(16)->Arg(256)->Arg(1024)->UseRealTime();

} // namespace

BENCHMARK_MAIN();
