/* ampel-worker: gateway, shards and scribe of one machine, as threads of one process. main wires
   and watches; loop.c turns. Everything is opened in the order in which an operator sets
   it up: settings, rules, database, keys, journal, sockets. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "proto/rules_file.h"
#include "workers/clock.h"
#include "workers/database.h"
#include "workers/environment.h"
#include "workers/http.h"
#include "workers/journal.h"
#include "workers/keyfile.h"
#include "workers/logline.h"
#include "workers/loop.h"
#include "workers/memory.h"
#include "workers/metrics.h"
#include "workers/network_zmq.h"
#include "workers/realtime.h"
#include "workers/settings.h"
#include "workers/wiring.h"

#define RULES_BYTES_MAX (256 * 1024)
#define NS_PER_MS       INT64_C(1000000)
#define PAUSE_LEAST_MS  100
#define PAUSE_MOST_MS   5000
/* How long a stop may take once a stage has failed. */
#define FATAL_STOP_MS      5000
#define REASONS_COUNT      8
#define DOCUMENT_BYTES_MAX (256 * 1024)

struct worker {
    struct ampel_settings settings;
    struct ampel_system_clock clock_state;
    struct ampel_clock clock;
    struct ampel_rules rules;
    struct ampel_keyfile keys;
    struct ampel_http *http;
    struct ampel_database databases[AMPEL_SCRIBES_MAX];
    uint32_t databases_count;
    struct ampel_database_system system;
    struct ampel_disk disk;
    struct ampel_journal *journal;
    struct ampel_hub *hub;
    struct ampel_network feeders, watchers;
    struct ampel_shard_memory memory_states[AMPEL_SHARDS_MAX];
    struct ampel_memory memories[AMPEL_SHARDS_MAX];
    uint32_t memories_count;
    struct ampel_wiring *wiring;
    struct ampel_loop *loops[AMPEL_STAGES_MAX];
    uint32_t loops_count;
    int signal_fd, ended_fd;
    bool realtime; /* wanted and permitted */
    uint32_t way_core, shard_core; /* that threads of realtime keep to, or AMPEL_CORE_ANY */
    uint32_t signals_count;
    /* Why batches are not taken, as /readyz says it: a ring, so that a reader's text stays while
     * the next is written. */
    char reasons[REASONS_COUNT][400];
    uint32_t reason_next;
    _Atomic(const char *) reason;
};

/* About 50 KiB, most of it settings and rules. */
static struct worker worker;

/* Says what cannot be opened and why, naming line and field where there are any. Always false. */
static bool fail(const char *sentence, const char *name, const struct ampel_error *error) {
    char reason[sizeof(error->field) + sizeof(error->reason) + 32];
    size_t size = 0;
    reason[0] = 0;
    if (error->line > 0)
        size += (size_t)snprintf(reason, sizeof(reason), "line %u: ", (unsigned)error->line);
    if (error->field[0] != 0)
        size += (size_t)snprintf(reason + size, sizeof(reason) - size, "%s: ", error->field);
    (void)snprintf(reason + size, sizeof(reason) - size, "%s", error->reason);
    ampel_log(AMPEL_LOG_ERROR, "main", sentence, "reason", "%s", reason,
              name[0] != 0 ? "name" : NULL, "%s", name, NULL);
    return false;
}

/* ---- readiness ------------------------------------------------------------------------------ */

/* Thread: main. */
static void say_why_not(const char *format, const char *detail) {
    char *text = worker.reasons[worker.reason_next++ % REASONS_COUNT];
    (void)snprintf(text, sizeof(worker.reasons[0]), "%s%s", format, detail);
    atomic_store(&worker.reason, text);
}

/* Thread: HTTP. */
static const char *ready(void *context) {
    (void)context;
    const char *reason = atomic_load(&worker.reason);
    if (reason[0] != 0) return reason;
    return ampel_metric_get(AMPEL_METRIC_READY) != 0 ? "" : "partitions are being recovered";
}

/* ---- signals -------------------------------------------------------------------------------- */

/* From here on SIGTERM and SIGINT are read from a file descriptor, in every thread made later too.
 */
static bool take_signals(void) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    (void)signal(SIGPIPE, SIG_IGN);
    if (pthread_sigmask(SIG_BLOCK, &set, NULL) != 0) return false;
    worker.signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    worker.ended_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return worker.signal_fd >= 0 && worker.ended_fd >= 0;
}

static void read_signals(void) {
    struct signalfd_siginfo info;
    while (read(worker.signal_fd, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
        worker.signals_count++;
        ampel_log(AMPEL_LOG_INFO, "main", "signal", "signal", "%s",
                  info.ssi_signo == SIGTERM ? "SIGTERM" : "SIGINT", NULL);
    }
}

/* Until a signal or a stage's end comes, at most timeout_ms (-1: without end). */
static void watch(int timeout_ms) {
    struct pollfd fds[2] = {{.fd = worker.signal_fd, .events = POLLIN},
                            {.fd = worker.ended_fd, .events = POLLIN}};
    int count = poll(fds, 2, timeout_ms);
    AMPEL_ASSERT(count >= 0 || errno == EINTR);
    uint64_t ended;
    if (read(worker.ended_fd, &ended, sizeof(ended)) < 0) AMPEL_ASSERT(errno == EAGAIN);
    read_signals();
}

/* ---- opening -------------------------------------------------------------------------------- */

static enum ampel_log_level level_of(const char *name) {
    if (strcmp(name, "debug") == 0) return AMPEL_LOG_DEBUG;
    if (strcmp(name, "warn") == 0) return AMPEL_LOG_WARN;
    return strcmp(name, "error") == 0 ? AMPEL_LOG_ERROR : AMPEL_LOG_INFO;
}

static enum ampel_log_format format_of(const char *name) {
    if (strcmp(name, "json") == 0) return AMPEL_LOG_JSON;
    return strcmp(name, "text") == 0 ? AMPEL_LOG_TEXT : AMPEL_LOG_AUTO;
}

static bool open_rules(void) {
    struct ampel_error error = {0};
    const char *path = worker.settings.rules;
    if (path[0] == 0) {
        ampel_rules_init(&worker.rules);
        return true;
    }
    static char text[RULES_BYTES_MAX + 1];
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        (void)ampel_error_set(&error, "", "%s", strerror(errno));
        return fail("the rules file cannot be read", path, &error);
    }
    size_t size = fread(text, 1, sizeof(text), file);
    bool read_all = ferror(file) == 0;
    (void)fclose(file);
    if (!read_all || size > RULES_BYTES_MAX) {
        (void)ampel_error_set(&error, "", read_all ? "it is too large" : "it cannot be read");
        return fail("the rules file cannot be read", path, &error);
    }
    struct ampel_text all = {text, (uint32_t)size};
    if (!ampel_rules_file_decode(all, &worker.rules, &error))
        return fail("the rules file is wrong", path, &error);
    return true;
}

static bool open_keys(void) {
    struct ampel_error error = {0};
    char path[1100];
    if (worker.settings.keys[0] == 0) {
        (void)ampel_error_set(&error, "keys",
                              "the setting is empty: name a directory with worker.key");
        return fail("there are no keys", "", &error);
    }
    (void)snprintf(path, sizeof(path), "%s/worker.key", worker.settings.keys);
    if (!ampel_keyfile_read(path, false, &worker.keys, &error))
        return fail("the worker's key cannot be read", path, &error);
    return true;
}

static bool open_http(void) {
    struct ampel_error error = {0};
    worker.http = ampel_http_open(worker.settings.http_address, ready, NULL);
    if (worker.http != NULL) return true;
    const char *why = errno == EINVAL ? "must be HOST:PORT, such as 127.0.0.1:9464" : strerror(errno);
    (void)ampel_error_set(&error, "http_address", "%s", why);
    return fail("metrics and health cannot be served", worker.settings.http_address, &error);
}

/* Tries until the database answers or a signal comes. False: a signal, or it will never do. */
static bool wait_for_database(void) {
    struct ampel_error error = {0};
    if (worker.settings.database_url[0] == 0) {
        (void)ampel_error_set(&error, "database_url", "the setting is empty");
        return fail("there is no database", "", &error);
    }
    for (; worker.databases_count < (uint32_t)worker.settings.scribes; worker.databases_count++) {
        if (ampel_database_postgres(worker.settings.database_url, &worker.databases[worker.databases_count])) continue;
        (void)ampel_error_set(&error, "", "no memory");
        return fail("there is no database", "", &error);
    }
    for (int pause_ms = PAUSE_LEAST_MS; worker.signals_count == 0;) {
        enum ampel_database_status status =
            worker.databases[0].connect(worker.databases[0].context, &worker.system, &error);
        if (status == AMPEL_DATABASE_OK) return true;
        if (status == AMPEL_DATABASE_BROKEN) return fail("the database cannot be used", "", &error);
        say_why_not("waiting for the database: ", error.reason);
        ampel_log(AMPEL_LOG_WARN, "main", "waiting for the database", "reason", "%s", error.reason,
                  "retry_ms", "%d", pause_ms, NULL);
        watch(pause_ms);
        pause_ms = pause_ms * 2 > PAUSE_MOST_MS ? PAUSE_MOST_MS : pause_ms * 2;
    }
    return false;
}

static bool open_journal(void) {
    struct ampel_error error = {0};
    if (!ampel_disk_posix(worker.settings.journal, &worker.disk)) {
        (void)ampel_error_set(&error, "journal", "%s", strerror(errno));
        return fail("the journal's directory cannot be used", worker.settings.journal, &error);
    }
    struct ampel_journal_options options = {
        .disk = worker.disk,
        .system_id = worker.system.id,
        .segment_bytes = (uint64_t)worker.settings.segment_bytes,
        .bytes_max = (uint64_t)worker.settings.journal_bytes_max,
        .group_bytes_max = (uint32_t)worker.settings.group_bytes_max,
    };
    if (ampel_journal_open(&options, &worker.journal, &error) != AMPEL_JOURNAL_OK)
        return fail("the journal cannot be opened", worker.settings.journal, &error);
    return true;
}

/* Whether the journal is the one from which the database was stored, looked at before any partition
   is claimed: claiming stops the worker that owns them, and one with a wrong journal must not get
   that far. The keeper checks again; so a database that is away now is no reason to stop. */
static bool check_journal(void) {
    uint64_t end = ampel_journal_end(worker.journal);
    for (uint32_t i = 0; i < worker.system.partitions; i++) {
        struct ampel_error error = {0};
        uint64_t epoch, position;
        if (worker.databases[0].position(worker.databases[0].context, i, &epoch, &position, &error) !=
            AMPEL_DATABASE_OK) {
            return true;
        }
        if (position <= end) continue;
        (void)ampel_error_set(&error, "journal",
                              "it ends at %llu, before position %llu of partition %u in the "
                              "database: it is lost or another one",
                              (unsigned long long)end, (unsigned long long)position, i);
        return fail("journal and database do not belong together", worker.settings.journal, &error);
    }
    return true;
}

/* Handshakes wait in the ZAP handler until the tenants are known. */
static bool open_networks(void) {
    struct ampel_error error = {0};
    struct ampel_hub_options options = {
        .keys = worker.keys,
        .clock = worker.clock,
        .message_bytes_max = (uint32_t)worker.settings.message_bytes_max,
        .realtime = worker.realtime,
        .core = worker.way_core,
    };
    if (!ampel_hub_open(&options, &worker.hub, &error))
        return fail("the network cannot be opened", "", &error);
    if (!ampel_network_zmq_open(worker.hub, worker.settings.endpoint, &worker.feeders, &error))
        return fail("the feeders' endpoint cannot be bound", worker.settings.endpoint, &error);
    if (!ampel_network_zmq_open(worker.hub, worker.settings.watch_endpoint, &worker.watchers,
                                &error))
        return fail("the watchers' endpoint cannot be bound", worker.settings.watch_endpoint,
                    &error);
    return true;
}

static bool open_wiring(void) {
    const struct ampel_settings *settings = &worker.settings;
    struct ampel_error error = {0};
    for (; worker.memories_count < (uint32_t)settings->shards; worker.memories_count++)
        ampel_memory_open(&worker.memory_states[worker.memories_count],
                          &worker.memories[worker.memories_count]);
    struct ampel_wiring_options options = {
        .clock = worker.clock,
        .rules = &worker.rules,
        .memories = worker.memories,
        .journal = worker.journal,
        .scribes_count = worker.databases_count,
        .feeders = {worker.feeders, ampel_network_zmq_fds, ampel_network_zmq_tenants},
        .watchers = {worker.watchers, ampel_network_zmq_fds, ampel_network_zmq_tenants},
        .partitions = worker.system.partitions,
        .shards_count = (uint32_t)settings->shards,
        .checkpoint_every_ms = settings->checkpoint_every,
        .checkpoint_share = (uint32_t)settings->checkpoint_share,
        .orders_rows_every_ms = settings->orders_rows_every,
        .inflight_bytes_max = (uint64_t)settings->inflight_bytes_max,
        .message_bytes_max = (uint32_t)settings->message_bytes_max,
        .unstored_bytes_max = (uint64_t)settings->unstored_bytes_max,
        .accounts_per_tenant_max = (uint32_t)settings->accounts_per_tenant_max,
        .violations_per_account_max = (uint32_t)settings->violations_per_account_max,
        .producers_per_tenant_max = (uint32_t)settings->producers_per_tenant_max,
        .clock_is_right = settings->clock_is_right != 0,
    };
    memcpy(options.databases, worker.databases, sizeof(options.databases));
    if (ampel_wiring_open(&options, &worker.wiring)) return true;
    (void)ampel_error_set(&error, "", "no memory or file descriptors");
    return fail("the stages cannot be opened", "", &error);
}

/* Where every core had a shard that does, nothing else would run for as long as they have work. */
static bool runs_before(enum ampel_haste haste) {
    if (!worker.realtime || haste == AMPEL_HASTE_NONE) return false;
    return haste == AMPEL_HASTE_LIGHT || worker.settings.shards < sysconf(_SC_NPROCESSORS_ONLN);
}

/* To wake a thread on another core takes many times as long as on one's own, above all below a hypervisor: of two cores one has all
   that is on the way of an ack, the other the shard and whom it wakes. */
static void choose_cores(void) {
    if (worker.realtime && worker.settings.shards == 1)
        (void)ampel_realtime_cores(&worker.shard_core, &worker.way_core);
}

static bool start_loops(void) {
    for (uint32_t i = 0; i < ampel_wiring_stages_count(worker.wiring); i++) {
        struct ampel_stage stage = ampel_wiring_stage(worker.wiring, i);
        worker.loops[i] = ampel_loop_open(&stage, stage.name, worker.clock, worker.ended_fd, runs_before(stage.haste),
                                          stage.beside_shards ? worker.shard_core : worker.way_core);
        if (worker.loops[i] == NULL) {
            struct ampel_error error = {0};
            (void)ampel_error_set(&error, "", "%s", strerror(errno));
            return fail("a thread cannot be started", stage.name, &error);
        }
        worker.loops_count++;
    }
    return true;
}

/* ---- running and stopping ------------------------------------------------------------------- */

static int64_t monotonic_ms(void) {
    return worker.clock.monotonic_ns(worker.clock.context) / NS_PER_MS;
}

static bool any_fatal(void) {
    for (uint32_t i = 0; i < worker.loops_count; i++) {
        if (ampel_loop_state(worker.loops[i]) == AMPEL_LOOP_FATAL) return true;
    }
    return false;
}

static bool all_ended(uint32_t first_count) {
    for (uint32_t i = 0; i < first_count && i < worker.loops_count; i++) {
        if (ampel_loop_state(worker.loops[i]) == AMPEL_LOOP_RUNNING) return false;
    }
    return true;
}

/* Sends STOP along the stages and waits as long as checkpoints go on being stored: of a million
   accounts the last ones take minutes. Where a stage has failed, what was taken still becomes durable
   (gateway and keeper, the first two stages); the others have nothing that the next start could not
   do. */
static bool stop(void) {
    bool fatal = any_fatal();
    int64_t stall_ms = fatal ? FATAL_STOP_MS : worker.settings.stop_stall_max;
    int64_t until_ms = monotonic_ms() + stall_ms;
    int64_t stored = ampel_metric_get(AMPEL_METRIC_CHECKPOINTS);
    uint32_t signals_before = worker.signals_count;
    say_why_not("stopping", "");
    bool told = false;
    for (;;) {
        if (!told) told = ampel_wiring_stop(worker.wiring);
        if (all_ended(fatal ? 2 : worker.loops_count)) break;
        int64_t stored_now = ampel_metric_get(AMPEL_METRIC_CHECKPOINTS);
        if (!fatal && stored_now > stored) until_ms = monotonic_ms() + stall_ms;
        stored = stored_now;
        int64_t left_ms = until_ms - monotonic_ms();
        if (left_ms <= 0 || worker.signals_count > signals_before) {
            for (uint32_t i = 0; i < worker.loops_count; i++) {
                if (ampel_loop_state(worker.loops[i]) == AMPEL_LOOP_RUNNING)
                    ampel_log(AMPEL_LOG_ERROR, "main", "a stage did not end", "stage", "%s",
                              ampel_loop_name(worker.loops[i]), NULL);
            }
            return false;
        }
        watch(told ? (int)left_ms : 10);
        if (!fatal && any_fatal()) {
            fatal = true;
            if (until_ms > monotonic_ms() + FATAL_STOP_MS)
                until_ms = monotonic_ms() + FATAL_STOP_MS;
        }
    }
    return !fatal;
}

/* Everything after the settings. Returns whether the worker stopped in order. */
static bool run(void) {
    if (!open_rules() || !open_http()) return false;
    if (!wait_for_database()) return worker.signals_count > 0;
    worker.realtime = worker.settings.realtime != 0 && ampel_realtime_permitted();
    if (worker.settings.realtime != 0 && !worker.realtime)
        ampel_log(AMPEL_LOG_WARN, "main", "threads may not run before others: no CAP_SYS_NICE, and RLIMIT_RTPRIO is 0", "setting", "%s",
                  "realtime", NULL);
    choose_cores();
    if (!open_keys() || !open_journal() || !check_journal() || !open_networks() || !open_wiring())
        return false;
    say_why_not("", "");
    if (!start_loops()) return false;
    ampel_log(AMPEL_LOG_INFO, "main", "running", "version", "%s", AMPEL_VERSION, "endpoint", "%s",
              ampel_network_zmq_endpoint(worker.feeders.context), "watch_endpoint", "%s",
              ampel_network_zmq_endpoint(worker.watchers.context), "http_port", "%u",
              (unsigned)ampel_http_port(worker.http), "partitions", "%u", worker.system.partitions,
              "rules", "%s", worker.rules.version, NULL);
    while (worker.signals_count == 0 && !any_fatal())
        watch(-1);
    return stop();
}

static void close_all(void) {
    for (uint32_t i = 0; i < worker.loops_count; i++)
        ampel_loop_close(worker.loops[i]);
    ampel_wiring_close(worker.wiring);
    for (uint32_t i = 0; i < worker.memories_count; i++)
        ampel_memory_close(&worker.memory_states[i]);
    if (worker.feeders.context != NULL) ampel_network_zmq_close(worker.feeders.context);
    if (worker.watchers.context != NULL) ampel_network_zmq_close(worker.watchers.context);
    if (worker.hub != NULL) ampel_hub_close(worker.hub);
    if (worker.journal != NULL) ampel_journal_close(worker.journal);
    for (uint32_t i = 0; i < worker.databases_count; i++)
        worker.databases[i].close(worker.databases[i].context);
    if (worker.http != NULL) ampel_http_close(worker.http);
}

/* ---- what needs no worker ------------------------------------------------------------------- */

static int print_document(uint32_t (*document)(char *bytes, uint32_t capacity)) {
    static char text[DOCUMENT_BYTES_MAX];
    uint32_t size = document(text, sizeof(text));
    AMPEL_ASSERT(size > 0);
    return fwrite(text, 1, size, stdout) == size && fflush(stdout) == 0 ? 0 : 1;
}

/* Arguments that ask for a text and nothing else. False: there is none. */
static bool print_asked(int argc, char **argv, int *status) {
    if (argc != 2) return false;
    if (strcmp(argv[1], "--version") == 0) {
        *status = printf("ampel-worker %s\n", AMPEL_VERSION) > 0 ? 0 : 1;
        return true;
    }
    if (strcmp(argv[1], "--print-settings-document") == 0) {
        *status = print_document(ampel_settings_document);
        return true;
    }
    if (strcmp(argv[1], "--print-metrics-document") == 0) {
        *status = print_document(ampel_metrics_document);
        return true;
    }
    return false;
}

/* A variable that nothing reads is likely a setting that was meant. */
static void variables_warn(void) {
    char name[128];
    for (uint32_t i = 0; (i = ampel_settings_unknown(environ, i, name, sizeof(name))) != 0;)
        ampel_log(AMPEL_LOG_WARN, "main", "no setting has this name in the environment", "variable",
                  "%s", name, NULL);
}

int main(int argc, char **argv) {
    int status;
    if (print_asked(argc, argv, &status)) return status;
    if (!ampel_environment_read()) return 2;
    bool help = false, print = false;
    struct ampel_error error = {0};
    if (!ampel_settings_read(&worker.settings, argc, argv, &help, &print, &error)) {
        fprintf(stderr, "ampel-worker: %s%s%s\n", error.field, error.field[0] != 0 ? ": " : "",
                error.reason);
        return 2;
    }
    if (help) {
        ampel_settings_help("ampel-worker");
        return 0;
    }
    if (print) {
        ampel_settings_print(&worker.settings);
        return 0;
    }
    ampel_log_configure(level_of(worker.settings.log_level), format_of(worker.settings.log_format));
    ampel_clock_system(&worker.clock_state, worker.settings.clock_at, worker.settings.clock_speed,
                       &worker.clock);
    variables_warn();
    say_why_not("starting", "");
    if (!take_signals()) {
        ampel_log(AMPEL_LOG_ERROR, "main", "signals cannot be read", NULL);
        return 1;
    }
    bool orderly = run();
    ampel_log(orderly ? AMPEL_LOG_INFO : AMPEL_LOG_ERROR, "main",
              orderly ? "stopped in order" : "stopped", NULL);
    /* Threads that did not end still use what would be closed. */
    if (!orderly && !all_ended(worker.loops_count)) _exit(1);
    close_all();
    return orderly ? 0 : 1;
}
