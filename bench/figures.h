// Figures: what a bench program has to say, one JSON object a line, appended to the file that AMPEL_BENCH_RESULTS names
// (and always told on standard error). bench/run merges the lines of all programs.
//
//     {"name":"apply_1m","value":21300000,"unit":"events/s","goal":20000000,"limit":81000000,"ratio":0.263,"digest":"..."}
//
// value, unit and goal are always there; limit is what the machine could do in the same run, ratio is value / limit; both
// are left out where there is no such thing. better says whether more or less is better. With AMPEL_BENCH_SMOKE=1 in the
// environment every program runs in seconds, over little data: its answers are checked all the same, its figures are none.
#ifndef AMPEL_BENCH_FIGURES_H
#define AMPEL_BENCH_FIGURES_H

#include <cinttypes>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace ampel_bench {

inline bool smoke() {
    const char *given = std::getenv("AMPEL_BENCH_SMOKE");
    return given != nullptr && std::strcmp(given, "") != 0 && std::strcmp(given, "0") != 0;
}

enum class Better { more, less };

struct Figure {
    const char *name;
    double value;
    const char *unit;
    double goal;
    Better better = Better::more;
    double limit = 0;     // 0: none
    uint64_t digest = 0;  // 0: none
    const char *note = ""; // one sentence, without quotes
};

inline int figure_format(const Figure &figure, char *out, size_t size) {
    int used = std::snprintf(out, size, "{\"name\":\"%s\",\"value\":%.6g,\"unit\":\"%s\",\"goal\":%.6g,\"better\":\"%s\"",
                             figure.name, figure.value, figure.unit, figure.goal,
                             figure.better == Better::more ? "more" : "less");
    auto add = [&](const char *key, auto... values) {
        used += std::snprintf(out + used, size - static_cast<size_t>(used), key, values...);
    };
    if (figure.limit > 0) {
        add(",\"limit\":%.6g,\"ratio\":%.4g", figure.limit, figure.value / figure.limit);
    }
    if (figure.digest != 0) add(",\"digest\":\"%016" PRIx64 "\"", figure.digest);
    if (*figure.note != 0) add(",\"note\":\"%s\"", figure.note);
    add("%s", "}\n");
    return used;
}

inline void figure_tell(const Figure &figure) {
    char line[1024];
    int size = figure_format(figure, line, sizeof line);
    if (size < 0 || static_cast<size_t>(size) >= sizeof line) std::abort();
    std::fputs(line, stderr);
    const char *path = std::getenv("AMPEL_BENCH_RESULTS");
    if (path == nullptr || *path == 0) return;
    std::FILE *file = std::fopen(path, "a");
    if (file == nullptr || std::fputs(line, file) < 0 || std::fclose(file) != 0) {
        std::fprintf(stderr, "AMPEL_BENCH_RESULTS: %s cannot be written\n", path);
        std::exit(1);
    }
}

} // namespace ampel_bench

#endif
