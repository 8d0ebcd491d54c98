#include "workers/cli/progress.h"

#include <stdio.h>
#include <unistd.h>

#include "workers/cli/labels.h"
#include "workers/clock.h"

#define REDRAW_NS INT64_C(100000000)
/* The clock is asked once for so much done: for single lines it would cost more than they. */
#define LOOK_BYTES 8192
#define BAR_WIDTH 24

static int64_t monotonic_ns(void) {
    struct ampel_system_clock state;
    struct ampel_clock clock;
    ampel_clock_system(&state, INT64_MIN, 1, &clock);
    return clock.monotonic_ns(clock.context);
}

void ampel_progress_start(struct ampel_progress *progress, const char *what, const char *unit,
                          uint64_t total) {
    *progress = (struct ampel_progress){.what = ampel_label(what), .unit = ampel_label(unit), .total = total};
    progress->shown = isatty(STDERR_FILENO) == 1;
    if (progress->shown) progress->started_ns = progress->drawn_ns = monotonic_ns();
}

void ampel_progress_show(struct ampel_progress *progress, uint64_t done, uint64_t counted) {
    if (!progress->shown || done - progress->looked < LOOK_BYTES) return;
    progress->looked = done;
    int64_t now_ns = monotonic_ns();
    if (now_ns - progress->drawn_ns < REDRAW_NS) return;
    progress->drawn_ns = now_ns;
    uint64_t elapsed_ms = (uint64_t)(now_ns - progress->started_ns) / 1000000 + 1;
    uint64_t rate = counted * 1000 / elapsed_ms;
    if (progress->total == 0) {
        fprintf(stderr, "\r%s %llu %s, %llu/s\033[K", progress->what, (unsigned long long)counted,
                progress->unit, (unsigned long long)rate);
        return;
    }
    uint64_t share = done >= progress->total ? 1000 : done * 1000 / progress->total;
    uint64_t left_s = share == 0 ? 0 : elapsed_ms * (1000 - share) / share / 1000;
    fprintf(stderr, "\r%s [", progress->what);
    for (uint64_t i = 0; i < BAR_WIDTH; i++)
        fputc(i * 1000 < share * BAR_WIDTH ? '#' : '.', stderr);
    fprintf(stderr, ampel_label("] %3llu %%  %llu %s, %llu/s, %llu s left\033[K"), (unsigned long long)(share / 10),
            (unsigned long long)counted, progress->unit, (unsigned long long)rate,
            (unsigned long long)left_s);
}

void ampel_progress_end(struct ampel_progress *progress) {
    if (progress->shown) fprintf(stderr, "\r\033[K");
    progress->shown = false;
}
