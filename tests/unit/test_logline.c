/* Log lines: whole, escaped, and bounded. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "proto/json.h"
#include "workers/logline.h"

static int saved_fd, pipe_fds[2];

static int catch_open(void **state) {
    (void)state;
    saved_fd = dup(STDERR_FILENO);
    return pipe(pipe_fds) == 0 && dup2(pipe_fds[1], STDERR_FILENO) >= 0 ? 0 : -1;
}

static int catch_close(void **state) {
    (void)state;
    dup2(saved_fd, STDERR_FILENO);
    return 0;
}

/* What was written last. */
static const char *caught(void) {
    static char text[8192];
    ssize_t size = read(pipe_fds[0], text, sizeof(text) - 1);
    text[size < 0 ? 0 : size] = '\0';
    return text;
}

static const char *behind_time(const char *line) {
    return line + strlen("2026-10-01T12:34:56.789Z");
}

static void text_lines_are_aligned_and_quoted_where_needed(void **state) {
    (void)state;
    ampel_log_configure(AMPEL_LOG_INFO, AMPEL_LOG_TEXT);
    ampel_log(AMPEL_LOG_WARN, "journal", "it happened", "file", "%s", "a b", "n", "%llu", 5ull, "x",
              "%s", "y", "d", "%d", -3, "u", "%u", 3u, "l", "%lld", -4ll, NULL);
    assert_string_equal(behind_time(caught()),
                        " warn  journal    it happened file=\"a b\" n=5 x=y d=-3 u=3 l=-4\n");
}

static void json_lines_are_json_whatever_the_values_are(void **state) {
    (void)state;
    ampel_log_configure(AMPEL_LOG_INFO, AMPEL_LOG_JSON);
    ampel_log(AMPEL_LOG_ERROR, "room", "a \"word\"\n", "path", "%s", "c:\\x\t\x1b[0m", "none", "%s",
              (const char *)NULL, "n", "%d", 7, NULL);
    const char *line = caught();
    size_t size = strlen(line);
    assert_int_equal(line[size - 1], '\n');
    struct ampel_error error;
    struct ampel_json *root =
        ampel_json_open((struct ampel_text){line, (uint32_t)size - 1}, &error);
    assert_non_null(root);
    struct ampel_text text;
    int64_t number;
    assert_true(ampel_json_text(ampel_json_get(root, "path"), &text));
    assert_int_equal(text.size, strlen("c:\\x\t\x1b[0m"));
    assert_memory_equal(text.bytes, "c:\\x\t\x1b[0m", text.size);
    assert_true(ampel_json_text(ampel_json_get(root, "what"), &text));
    assert_memory_equal(text.bytes, "a \"word\"\n", 9);
    assert_true(ampel_json_text(ampel_json_get(root, "none"), &text));
    assert_int_equal(text.size, 0);
    assert_true(ampel_json_integer(ampel_json_get(root, "n"), &number));
    assert_int_equal(number, 7);
    ampel_json_close(root);
}

static void what_does_not_fit_is_left_out_and_the_line_stays_whole(void **state) {
    (void)state;
    static char longest[3000];
    memset(longest, 'x', sizeof(longest) - 1);
    char half[1100];
    memset(half, '\x01', sizeof(half) - 1); /* six bytes each when escaped */
    half[sizeof(half) - 1] = '\0';
    ampel_log_configure(AMPEL_LOG_INFO, AMPEL_LOG_JSON);
    ampel_log(AMPEL_LOG_ERROR, "room", "long", "long", "%s", longest, "wide", "%s", half, "last",
              "%d", 1, NULL);
    const char *line = caught();
    struct ampel_error error;
    struct ampel_json *root =
        ampel_json_open((struct ampel_text){line, (uint32_t)strlen(line)}, &error);
    assert_non_null(root);
    struct ampel_text text;
    int64_t number;
    assert_true(ampel_json_text(ampel_json_get(root, "long"), &text));
    assert_memory_equal(text.bytes, "(too long to show)", 18);
    assert_null(ampel_json_get(root, "wide"));
    assert_true(ampel_json_integer(ampel_json_get(root, "last"), &number));
    ampel_json_close(root);
}

static void lines_below_the_level_are_not_written(void **state) {
    (void)state;
    ampel_log_configure(AMPEL_LOG_WARN, AMPEL_LOG_TEXT);
    ampel_log(AMPEL_LOG_INFO, "room", "quiet", NULL);
    ampel_log(AMPEL_LOG_WARN, "room", "loud", NULL);
    assert_string_equal(behind_time(caught()), " warn  room       loud\n");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_lines_are_aligned_and_quoted_where_needed),
        cmocka_unit_test(json_lines_are_json_whatever_the_values_are),
        cmocka_unit_test(what_does_not_fit_is_left_out_and_the_line_stays_whole),
        cmocka_unit_test(lines_below_the_level_are_not_written),
    };
    return cmocka_run_group_tests_name("logline", tests, catch_open, catch_close);
}
