/* Settings files: what cannot be a value is refused with its line, never cut short. */
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

static bool read_file(const void *bytes, size_t size, struct ampel_error *error) {
    char path[] = "/tmp/ampel-settings-XXXXXX", program[] = "ampel-worker", flag[] = "--settings";
    char *arguments[] = {program, flag, path, NULL};
    bool help, print;
    int file = mkstemp(path);
    assert_true(file >= 0);
    assert_int_equal(write(file, bytes, size), (ssize_t)size);
    *error = (struct ampel_error){0};
    bool good = ampel_settings_read(&settings, 3, arguments, &help, &print, error);
    close(file);
    unlink(path);
    return good;
}

static void a_line_with_a_zero_byte_is_refused_and_not_cut(void **state) {
    (void)state;
    static const char lines[] = "keys = k\nshards = 3\0 and more\n";
    static const char last[] = "keys = k\nshards = 3\0";
    struct ampel_error error;
    assert_false(read_file(lines, sizeof lines - 1, &error));
    assert_non_null(strstr(error.reason, ":2: the line has a zero byte"));
    assert_false(read_file(last, sizeof last - 1, &error));
    assert_non_null(strstr(error.reason, ":2: the line has a zero byte"));
    assert_true(read_file(last, sizeof last - 2, &error));
    assert_int_equal(settings.shards, 3);
}

static void a_control_character_in_a_text_is_refused(void **state) {
    (void)state;
    struct ampel_error error;
    static const char line[] = "journal = a\x01z";
    assert_false(read_file(line, sizeof line - 1, &error));
    assert_string_equal(error.field, "journal");
    assert_int_equal(error.line, 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_with_a_zero_byte_is_refused_and_not_cut),
        cmocka_unit_test(a_control_character_in_a_text_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
