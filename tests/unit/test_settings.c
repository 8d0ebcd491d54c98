/* Settings: which source wins, and that every mistake is named with its source. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "workers/settings.h"

static struct ampel_settings settings;
static struct ampel_error error;
static bool help, print;

static bool read_with(int argc, char **argv) {
    error = (struct ampel_error){0};
    return ampel_settings_read(&settings, argc, argv, &help, &print, &error);
}

#define READ(...)                                                                \
    read_with((int)AMPEL_ARRAY_COUNT(((char *[]){"ampel-worker", __VA_ARGS__})), \
              (char *[]){"ampel-worker", __VA_ARGS__})

/* Refused, naming the setting and with the reason exactly. */
#define REFUSES(name, why, ...)                 \
    do {                                        \
        assert_false(READ(__VA_ARGS__));        \
        assert_string_equal(error.field, name); \
        assert_string_equal(error.reason, why); \
    } while (0)

static char path[64];

static void file_write(const char *text) {
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static int path_make(void **state) {
    (void)state;
    snprintf(path, sizeof(path), "/tmp/ampel-settings-%d.conf", (int)getpid());
    /* The tests must not see what the machine's environment says. */
    extern char **environ;
    for (char **entry = environ; *entry != NULL;) {
        char name[200];
        snprintf(name, sizeof(name), "%.*s", (int)strcspn(*entry, "="), *entry);
        if (strncmp(name, "AMPEL_", 6) == 0) {
            unsetenv(name);
            entry = environ;
        } else {
            entry++;
        }
    }
    return 0;
}

static int path_remove(void **state) {
    (void)state;
    unlink(path);
    return 0;
}

static void every_default_is_within_its_bounds(void **state) {
    (void)state;
    assert_true(read_with(1, (char *[]){"ampel-worker"}));
    assert_false(help || print);
    assert_string_equal(settings.endpoint, "tcp://127.0.0.1:5610");
    assert_int_equal(settings.segment_bytes, 64 << 20);
    assert_true(settings.journal_bytes_max == INT64_C(16) << 30);
    assert_true(settings.clock_at == INT64_MIN);
    assert_string_equal(settings.log_format, "auto");
}

static void flag_beats_environment_beats_file_beats_default(void **state) {
    (void)state;
    file_write("shards = 2\ncheckpoint_every = 20 # ms\n\n  # a comment\nkeys=\"a # b\"\n"
               "log_level\t=\tdebug\r\n");
    setenv("AMPEL_CHECKPOINT_EVERY", "30", 1);
    setenv("AMPEL_SEGMENT_BYTES", "2m", 1);
    assert_true(READ("--settings", path, "--segment-bytes=3m"));
    assert_int_equal(settings.shards, 2);
    assert_int_equal(settings.checkpoint_every, 30);
    assert_int_equal(settings.segment_bytes, 3 << 20);
    assert_string_equal(settings.keys, "a # b");
    assert_string_equal(settings.log_level, "debug");
    assert_int_equal(settings.clock_speed, 1);
    assert_string_equal(settings.sources[AMPEL_SETTING_INDEX_segment_bytes], "--segment-bytes");
    assert_string_equal(settings.sources[AMPEL_SETTING_INDEX_checkpoint_every],
                        "environment AMPEL_CHECKPOINT_EVERY");
    assert_string_equal(settings.sources[AMPEL_SETTING_INDEX_clock_speed], "default");
    char expected[100];
    snprintf(expected, sizeof(expected), "%s:1", path);
    assert_string_equal(settings.sources[AMPEL_SETTING_INDEX_shards], expected);
    unsetenv("AMPEL_CHECKPOINT_EVERY");
    unsetenv("AMPEL_SEGMENT_BYTES");
    setenv("AMPEL_SETTINGS", path, 1);
    assert_true(read_with(1, (char *[]){"ampel-worker"}));
    assert_int_equal(settings.checkpoint_every, 20);
    unsetenv("AMPEL_SETTINGS");
}

static void flags_are_written_in_both_ways(void **state) {
    (void)state;
    assert_true(READ("--checkpoint-every", "500", "--orders_rows_every=7", "--help"));
    assert_int_equal(settings.checkpoint_every, 500);
    assert_int_equal(settings.orders_rows_every, 7);
    assert_true(help && !print);
    assert_true(READ("--print-settings", "--clock-is-right"));
    assert_int_equal(settings.clock_is_right, 1);
    assert_true(print && !help);
    assert_true(READ("--clock-is-right", "0"));
    assert_int_equal(settings.clock_is_right, 0);
    assert_true(READ("--clock-is-right=yes", "--clock-at", "2026-10-01T00:00:00Z"));
    assert_int_equal(settings.clock_is_right, 1);
    assert_true(settings.clock_at == INT64_C(1790812800000));
}

static void edges_are_taken_and_the_step_beyond_is_refused(void **state) {
    (void)state;
    assert_true(READ("--shards", "64"));
    REFUSES("shards", "is 65, it can be 1 to 64 threads (from --shards)", "--shards", "65");
    assert_true(READ("--shards", "1"));
    REFUSES("shards", "is 0, it can be 1 to 64 threads (from --shards)", "--shards", "0");
    assert_true(READ("--segment-bytes", "1g"));
    REFUSES("segment_bytes",
            "is 1073745920, it can be 1048576 to 1073741824 bytes (from --segment-bytes)",
            "--segment-bytes", "1073745920");
    REFUSES("segment_bytes", "is 1048577, not a multiple of 4096 (from --segment-bytes)",
            "--segment-bytes", "1048577");
}

static void mistakes_are_named_with_their_source(void **state) {
    (void)state;
    REFUSES("shards", "is \"two\", not a whole number (from --shards)", "--shards", "two");
    REFUSES("shards", "is \"1.5\", not a whole number (from --shards)", "--shards", "1.5");
    REFUSES("shards", "is \"\", not a whole number (from --shards)", "--shards", "");
    REFUSES("shards", "is \"99999999999999999999\", not a whole number (from --shards)", "--shards",
            "99999999999999999999");
    REFUSES("segment_bytes",
            "is \"9t\", not a whole number with an optional k, m or g (from --segment-bytes)",
            "--segment-bytes", "9t");
    REFUSES(
        "segment_bytes",
        "is \"9999999999g\", not a whole number with an optional k, m or g (from --segment-bytes)",
        "--segment-bytes", "9999999999g");
    REFUSES("log_level", "is \"deb\", it can be debug|info|warn|error (from --log-level)",
            "--log-level", "deb");
    REFUSES("log_level", "is \"debug|info\", it can be debug|info|warn|error (from --log-level)",
            "--log-level", "debug|info");
    REFUSES(
        "clock_at",
        "is \"yesterday\", neither a time such as 2026-10-01T00:00:00Z nor now (from --clock-at)",
        "--clock-at", "yesterday");
    REFUSES("journal", "has 0 bytes, 1 to 1000 are allowed (from --journal)", "--journal", "");
    REFUSES("shard", "is no setting (from --shard)", "--shard", "1");
    REFUSES("shards", "lacks its value (from --shards)", "--shards");
    REFUSES("", "\"feed\" is no flag; settings are given as --name value", "feed");
    setenv("AMPEL_SHARDS", "x", 1);
    REFUSES("shards", "is \"x\", not a whole number (from environment AMPEL_SHARDS)", "--help");
    unsetenv("AMPEL_SHARDS");
}

static void mistakes_in_a_file_are_named_with_its_line(void **state) {
    (void)state;
    const struct {
        const char *text, *field, *reason;
        uint32_t line;
    } cases[] = {
        {"shards = 1\nshrads = 2\n", "shrads", "is no setting", 2},
        {"shards = 1\n# more\nshards = 1\n", "shards", "is given twice", 3},
        {"http_address = :1\nhttp-address = :2\n", "http-address", "is given twice", 2},
        {"# x\n\nshards = 0\n", "shards", "is 0, it can be 1 to 64 threads", 3},
        {"shards\n", "", "\"shards\" is no `name = value`", 1},
        {"keys = \"a\n", "keys", "has broken quotes", 1},
        {"keys = \"a\" b\n", "keys", "has broken quotes", 1},
    };
    for (size_t i = 0; i < AMPEL_ARRAY_COUNT(cases); i++) {
        file_write(cases[i].text);
        assert_false(READ("--settings", path));
        assert_string_equal(error.field, cases[i].field);
        assert_non_null(strstr(error.reason, cases[i].reason));
        char source[100];
        snprintf(source, sizeof(source), "%s:%u", path, cases[i].line);
        assert_non_null(strstr(error.reason, source));
        assert_int_equal(error.line, cases[i].line);
    }
    assert_false(READ("--settings", "/nowhere/ampel.conf"));
    assert_non_null(strstr(error.reason, "/nowhere/ampel.conf cannot be read: No such file"));
}

/* What --print-settings shows, caught from standard output. */
static const char *printed(void) {
    static char text[65536];
    fflush(stdout);
    int saved = dup(STDOUT_FILENO);
    assert_non_null(freopen(path, "w", stdout));
    ampel_settings_print(&settings);
    fflush(stdout);
    dup2(saved, STDOUT_FILENO);
    close(saved);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    size_t size = fread(text, 1, sizeof(text) - 1, file);
    text[size] = '\0';
    fclose(file);
    return text;
}

static void what_is_printed_is_a_file_that_says_the_same(void **state) {
    (void)state;
    assert_true(READ("--keys", "a # b", "--shards", "3", "--clock-at", "2026-10-01T00:00:00.5Z",
                     "--segment-bytes", "2m", "--log-level", "warn"));
    assert_non_null(strstr(printed(), "shards = 3  # --shards\n"));
    assert_true(READ("--settings", path));
    assert_string_equal(settings.keys, "a # b");
    assert_int_equal(settings.shards, 3);
    assert_true(settings.clock_at == INT64_C(1790812800500));
    assert_int_equal(settings.segment_bytes, 2 << 20);
    assert_string_equal(settings.log_level, "warn");
}

static void passwords_are_not_printed(void **state) {
    (void)state;
    const char *const urls[][2] = {
        {"postgresql://u:secret@h:5432/db", "database_url = postgresql://u:***@h:5432/db  #"},
        {"postgresql://u@h/db?password=secret&x=1",
         "database_url = postgresql://u@h/db?password=***&x=1  #"},
        {"host=h password=secret user=u", "database_url = \"host=h password=*** user=u\"  #"},
        {"host=h password='sec ret' user=u", "database_url = \"host=h password='***' user=u\"  #"},
        {"postgresql://h:5432/db", "database_url = postgresql://h:5432/db  #"},
    };
    for (size_t i = 0; i < AMPEL_ARRAY_COUNT(urls); i++) {
        assert_true(READ("--database-url", (char *)(uintptr_t)urls[i][0]));
        const char *text = printed();
        assert_null(strstr(text, "secret"));
        assert_null(strstr(text, "sec ret"));
        if (strstr(text, urls[i][1]) == NULL)
            fail_msg("%s is not shown as %s", urls[i][0], urls[i][1]);
    }
}

static void variables_that_nothing_reads_are_found(void **state) {
    (void)state;
    char *environment[] = {"PATH=/bin",     "AMPEL_SHARDS=1",     "AMPEL_SHRADS=2", "AMPEL_ENV=",
                           "AMPEL_TEST_X=", "AMPEL_SHARDS_MAX=3", "AMPEL_",         NULL};
    static const char *const expected[] = {"AMPEL_SHRADS", "AMPEL_SHARDS_MAX", "AMPEL_"};
    char name[64];
    uint32_t from = 0, found = 0;
    while ((from = ampel_settings_unknown(environment, from, name, sizeof(name))) != 0) {
        assert_true(found < AMPEL_ARRAY_COUNT(expected));
        assert_string_equal(name, expected[found++]);
    }
    assert_int_equal(found, AMPEL_ARRAY_COUNT(expected));
}

static void the_document_is_fresh(void **state) {
    (void)state;
    static char made[65536], stands[65536];
    uint32_t size = ampel_settings_document(made, sizeof(made));
    FILE *file = fopen(AMPEL_SOURCE_DIR "/docs/SETTINGS.md", "rb");
    assert_non_null(file);
    size_t stands_size = fread(stands, 1, sizeof(stands), file);
    fclose(file);
    assert_int_equal(size, stands_size);
    assert_memory_equal(made, stands, size);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_default_is_within_its_bounds),
        cmocka_unit_test(flag_beats_environment_beats_file_beats_default),
        cmocka_unit_test(flags_are_written_in_both_ways),
        cmocka_unit_test(edges_are_taken_and_the_step_beyond_is_refused),
        cmocka_unit_test(mistakes_are_named_with_their_source),
        cmocka_unit_test(mistakes_in_a_file_are_named_with_its_line),
        cmocka_unit_test(what_is_printed_is_a_file_that_says_the_same),
        cmocka_unit_test(passwords_are_not_printed),
        cmocka_unit_test(variables_that_nothing_reads_are_found),
        cmocka_unit_test(the_document_is_fresh),
    };
    return cmocka_run_group_tests_name("settings", tests, path_make, path_remove);
}
