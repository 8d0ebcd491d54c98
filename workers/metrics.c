#include "workers/metrics.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <string.h>

#include "workers/sheet.h"

enum kind { COUNTER, GAUGE, HISTOGRAM };

struct row {
    const char *name, *unit, *sentence;
    enum kind kind;
};

static const struct row rows[AMPEL_METRICS_COUNT] = {
#define X(upper, name, kind, unit, sentence) {#name, #unit, sentence, kind},
    AMPEL_METRICS(X)
#undef X
};
static const char *const kind_names[] = {"counter", "gauge", "histogram"};

/* Upper bounds of a histogram's buckets: from a fast disk's sync to a database that hangs. */
#define US INT64_C(1000)
#define MS INT64_C(1000000)
static const struct bucket {
    int64_t ns;
    const char *seconds;
} buckets[] = {
    {50 * US, "5e-05"}, {100 * US, "0.0001"}, {200 * US, "0.0002"}, {500 * US, "0.0005"},
    {1 * MS, "0.001"},  {2 * MS, "0.002"},    {5 * MS, "0.005"},    {10 * MS, "0.01"},
    {20 * MS, "0.02"},  {50 * MS, "0.05"},    {100 * MS, "0.1"},    {200 * MS, "0.2"},
    {500 * MS, "0.5"},  {1000 * MS, "1"},     {2000 * MS, "2"},     {5000 * MS, "5"},
    {10000 * MS, "10"}, {30000 * MS, "30"},
};
#define BUCKETS_COUNT AMPEL_ARRAY_COUNT(buckets)

static _Atomic int64_t values[AMPEL_METRICS_COUNT]; /* of histograms: the sum in nanoseconds */
static _Atomic uint64_t observed[AMPEL_METRICS_COUNT][BUCKETS_COUNT + 1];

void ampel_metric_add(enum ampel_metric metric, uint64_t amount) {
    AMPEL_ASSERT(rows[metric].kind != HISTOGRAM);
    atomic_fetch_add_explicit(&values[metric], (int64_t)amount, memory_order_relaxed);
}

void ampel_metric_set(enum ampel_metric metric, int64_t value) {
    AMPEL_ASSERT(rows[metric].kind == GAUGE);
    atomic_store_explicit(&values[metric], value, memory_order_relaxed);
}

void ampel_metric_observe(enum ampel_metric metric, int64_t ns) {
    AMPEL_ASSERT(rows[metric].kind == HISTOGRAM);
    size_t bucket = 0;
    while (bucket < BUCKETS_COUNT && ns > buckets[bucket].ns)
        bucket++;
    atomic_fetch_add_explicit(&observed[metric][bucket], 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&values[metric], ns, memory_order_relaxed);
}

static uint64_t observations(enum ampel_metric metric) {
    uint64_t count = 0;
    for (size_t i = 0; i <= BUCKETS_COUNT; i++) {
        count += atomic_load_explicit(&observed[metric][i], memory_order_relaxed);
    }
    return count;
}

int64_t ampel_metric_get(enum ampel_metric metric) {
    if (rows[metric].kind == HISTOGRAM) return (int64_t)observations(metric);
    return atomic_load_explicit(&values[metric], memory_order_relaxed);
}

static void histogram_print(struct ampel_sheet *sheet, enum ampel_metric metric) {
    const char *name = rows[metric].name;
    uint64_t count = 0;
    for (size_t i = 0; i <= BUCKETS_COUNT; i++) {
        count += atomic_load_explicit(&observed[metric][i], memory_order_relaxed);
        ampel_sheet_print(sheet, "ampel_%s_bucket{le=\"%s\"} %" PRIu64 "\n", name,
                          i < BUCKETS_COUNT ? buckets[i].seconds : "+Inf", count);
    }
    int64_t sum_ns = atomic_load_explicit(&values[metric], memory_order_relaxed);
    ampel_sheet_print(sheet, "ampel_%s_sum %" PRId64 ".%09" PRId64 "\n", name,
                      sum_ns / INT64_C(1000000000), sum_ns % INT64_C(1000000000));
    ampel_sheet_print(sheet, "ampel_%s_count %" PRIu64 "\n", name, count);
}

uint32_t ampel_metrics_encode(char *bytes, uint32_t capacity) {
    struct ampel_sheet sheet = {.bytes = bytes, .capacity = capacity};
    for (uint32_t i = 0; i < AMPEL_METRICS_COUNT; i++) {
        ampel_sheet_print(&sheet, "# HELP ampel_%s %s\n# TYPE ampel_%s %s\n", rows[i].name,
                          rows[i].sentence, rows[i].name, kind_names[rows[i].kind]);
        if (rows[i].kind == HISTOGRAM) {
            histogram_print(&sheet, i);
        } else {
            ampel_sheet_print(&sheet, "ampel_%s %" PRId64 "\n", rows[i].name, ampel_metric_get(i));
        }
    }
    return sheet.full ? 0 : sheet.size;
}

uint32_t ampel_metrics_document(char *bytes, uint32_t capacity) {
    struct ampel_sheet sheet = {.bytes = bytes, .capacity = capacity};
    ampel_sheet_print(&sheet,
                      "# Metrics\n\n"
                      "What `ampel-worker` tells at `http://HOST:PORT/metrics`, in the Prometheus "
                      "text format.\nMade from the table in `workers/metrics.h` by `ampel-worker "
                      "--print-metrics-document`; a test compares.\n\n"
                      "| name | kind | unit | meaning |\n|---|---|---|---|\n");
    for (uint32_t i = 0; i < AMPEL_METRICS_COUNT; i++) {
        ampel_sheet_print(&sheet, "| `ampel_%s` | %s | %s | ", rows[i].name,
                          kind_names[rows[i].kind], rows[i].unit);
        ampel_sheet_cell(&sheet, rows[i].sentence);
        ampel_sheet_print(&sheet, " |\n");
    }
    return sheet.full ? 0 : sheet.size;
}
