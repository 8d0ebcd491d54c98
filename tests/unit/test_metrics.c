/* Metrics as Prometheus reads them, and their document. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "workers/http.h"
#include "workers/metrics.h"

static char encoded[65536];

static const char *encode(void) {
    uint32_t size = ampel_metrics_encode(encoded, sizeof(encoded) - 1);
    assert_true(size > 0);
    encoded[size] = '\0';
    return encoded;
}

static void assert_line(const char *text, const char *line) {
    const char *found = strstr(text, line);
    if (found == NULL || (found != text && found[-1] != '\n')) fail_msg("no line %s", line);
}

static void counters_and_gauges_tell_their_sums(void **state) {
    (void)state;
    ampel_metric_add(AMPEL_METRIC_BATCHES_TAKEN, 2);
    ampel_metric_add(AMPEL_METRIC_BATCHES_TAKEN, 3);
    ampel_metric_set(AMPEL_METRIC_WATCHERS, 7);
    ampel_metric_add(AMPEL_METRIC_WATCHERS, (uint64_t)-2);
    assert_int_equal(ampel_metric_get(AMPEL_METRIC_WATCHERS), 5);
    const char *text = encode();
    assert_line(text, "# TYPE ampel_batches_taken_total counter\n");
    assert_line(text, "ampel_batches_taken_total 5\n");
    assert_line(text, "# TYPE ampel_watchers gauge\n");
    assert_line(text, "ampel_watchers 5\n");
}

static void a_histogram_counts_up_to_and_at_its_bounds(void **state) {
    (void)state;
    ampel_metric_observe(AMPEL_METRIC_ACK_SECONDS, 1000000);
    ampel_metric_observe(AMPEL_METRIC_ACK_SECONDS, 1000001);
    ampel_metric_observe(AMPEL_METRIC_ACK_SECONDS, INT64_C(100000000000));
    assert_int_equal(ampel_metric_get(AMPEL_METRIC_ACK_SECONDS), 3);
    const char *text = encode();
    assert_line(text, "ampel_ack_seconds_bucket{le=\"0.0005\"} 0\n");
    assert_line(text, "ampel_ack_seconds_bucket{le=\"0.001\"} 1\n");
    assert_line(text, "ampel_ack_seconds_bucket{le=\"0.002\"} 2\n");
    assert_line(text, "ampel_ack_seconds_bucket{le=\"30\"} 2\n");
    assert_line(text, "ampel_ack_seconds_bucket{le=\"+Inf\"} 3\n");
    assert_line(text, "ampel_ack_seconds_sum 100.002000001\n");
    assert_line(text, "ampel_ack_seconds_count 3\n");
}

static void every_line_is_a_comment_or_a_name_and_a_number(void **state) {
    (void)state;
    for (char *line = strtok((char *)(uintptr_t)encode(), "\n"); line != NULL;
         line = strtok(NULL, "\n")) {
        if (line[0] == '#') continue;
        char *space = strrchr(line, ' '), *end;
        assert_non_null(space);
        assert_int_equal(strncmp(line, "ampel_", 6), 0);
        (void)strtod(space + 1, &end);
        assert_true(end > space + 1 && *end == '\0');
    }
}

static void what_does_not_fit_is_told_by_zero(void **state) {
    (void)state;
    uint32_t size = ampel_metrics_encode(encoded, sizeof(encoded));
    assert_int_equal(ampel_metrics_encode(encoded, size / 2), 0);
    assert_int_equal(ampel_metrics_document(encoded, 100), 0);
}

static void the_document_is_fresh(void **state) {
    (void)state;
    static char made[65536], stands[65536];
    uint32_t size = ampel_metrics_document(made, sizeof(made));
    FILE *file = fopen(AMPEL_SOURCE_DIR "/docs/METRICS.md", "rb");
    assert_non_null(file);
    size_t stands_size = fread(stands, 1, sizeof(stands), file);
    fclose(file);
    assert_int_equal(size, stands_size);
    assert_memory_equal(made, stands, size);
}

/* ---- over HTTP --------------------------------------------------------------------------------
 */

static const char *reason = "";

static const char *ready(void *context) {
    (void)context;
    return reason;
}

/* The whole answer to one request. */
static const char *request(uint16_t port, const char *line) {
    static char answer[80000];
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    char text[200];
    int size =
        snprintf(text, sizeof(text), "%s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", line);
    assert_int_equal(write(fd, text, (size_t)size), size);
    size_t got = 0;
    ssize_t now;
    while ((now = read(fd, answer + got, sizeof(answer) - 1 - got)) > 0)
        got += (size_t)now;
    answer[got] = '\0';
    close(fd);
    return answer;
}

static void health_and_readiness_are_told_over_http(void **state) {
    (void)state;
    struct ampel_http *http = ampel_http_open("127.0.0.1:0", ready, NULL);
    assert_non_null(http);
    uint16_t port = ampel_http_port(http);
    assert_int_not_equal(port, 0);
    assert_non_null(strstr(request(port, "GET /healthz"), "HTTP/1.1 200 "));
    assert_non_null(strstr(request(port, "GET /readyz"), "HTTP/1.1 200 "));
    reason = "replaying the log";
    assert_non_null(strstr(request(port, "GET /readyz"), "HTTP/1.1 503 "));
    assert_non_null(strstr(request(port, "GET /readyz"), "replaying the log\n"));
    assert_non_null(strstr(request(port, "GET /healthz"), "HTTP/1.1 200 "));
    assert_non_null(strstr(request(port, "GET /metrics"), "\nampel_ready 0\n"));
    assert_non_null(strstr(request(port, "GET /nothing"), "HTTP/1.1 404 "));
    assert_non_null(strstr(request(port, "POST /metrics"), "HTTP/1.1 405 "));
    char taken[32];
    snprintf(taken, sizeof(taken), "127.0.0.1:%u", port);
    assert_null(ampel_http_open(taken, ready, NULL));
    ampel_http_close(http);
    assert_null(ampel_http_open("no address", ready, NULL));
    assert_null(ampel_http_open("127.0.0.1:", ready, NULL));
    assert_null(ampel_http_open("127.0.0.1:99999", ready, NULL));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counters_and_gauges_tell_their_sums),
        cmocka_unit_test(a_histogram_counts_up_to_and_at_its_bounds),
        cmocka_unit_test(every_line_is_a_comment_or_a_name_and_a_number),
        cmocka_unit_test(what_does_not_fit_is_told_by_zero),
        cmocka_unit_test(the_document_is_fresh),
        cmocka_unit_test(health_and_readiness_are_told_over_http),
    };
    return cmocka_run_group_tests_name("metrics", tests, NULL, NULL);
}
