/* Replies: what a peer did not take waits in order and within bounds, and what is dropped beyond them is counted. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "workers/metrics.h"
#include "workers/replies.h"

/* A network whose peer takes what room is for. */
struct peer {
    uint32_t room;
    uint32_t taken; /* messages */
    uint32_t first; /* number of the first one taken */
};

static enum ampel_send_status take(void *context, const struct ampel_peer *peer,
                                   const uint8_t *bytes, uint32_t size) {
    struct peer *slow = context;
    (void)peer, (void)size;
    if (slow->room == 0) return AMPEL_SEND_FULL;
    slow->room--;
    if (slow->taken++ == 0) memcpy(&slow->first, bytes, sizeof(slow->first));
    return AMPEL_SEND_OK;
}

static const struct ampel_peer slow_peer = {.size = 4, .bytes = "slow"};

static void send(struct ampel_replies *replies, struct peer *slow, uint32_t number, uint32_t size) {
    const struct ampel_network network = {.context = slow, .send = take};
    uint8_t *bytes = calloc(1, size);
    assert_non_null(bytes);
    memcpy(bytes, &number, sizeof(number));
    ampel_replies_send(replies, &network, &slow_peer, bytes, size);
    free(bytes);
}

static void beyond_their_number_the_oldest_are_dropped_and_counted(void **state) {
    (void)state;
    struct ampel_replies replies = {0};
    struct peer slow = {0};
    const struct ampel_network network = {.context = &slow, .send = take};
    int64_t before = ampel_metric_get(AMPEL_METRIC_REPLIES_DROPPED);
    for (uint32_t i = 0; i < AMPEL_REPLIES_MAX; i++)
        send(&replies, &slow, i, 8);
    assert_int_equal(ampel_metric_get(AMPEL_METRIC_REPLIES_DROPPED), before);
    for (uint32_t i = 0; i < 3; i++)
        send(&replies, &slow, AMPEL_REPLIES_MAX + i, 8);
    assert_int_equal(ampel_metric_get(AMPEL_METRIC_REPLIES_DROPPED), before + 3);
    slow.room = UINT32_MAX;
    assert_true(ampel_replies_flush(&replies, &network));
    assert_int_equal(slow.taken, AMPEL_REPLIES_MAX);
    assert_int_equal(slow.first, 3);
    ampel_replies_reset(&replies);
}

static void beyond_their_bytes_the_oldest_are_dropped_and_counted(void **state) {
    (void)state;
    struct ampel_replies replies = {0};
    struct peer slow = {0};
    int64_t before = ampel_metric_get(AMPEL_METRIC_REPLIES_DROPPED);
    send(&replies, &slow, 0, AMPEL_REPLIES_BYTES_MAX / 2);
    send(&replies, &slow, 1, AMPEL_REPLIES_BYTES_MAX / 2);
    assert_int_equal(ampel_metric_get(AMPEL_METRIC_REPLIES_DROPPED), before);
    send(&replies, &slow, 2, 8);
    assert_int_equal(ampel_metric_get(AMPEL_METRIC_REPLIES_DROPPED), before + 1);
    send(&replies, &slow, 3, AMPEL_REPLIES_BYTES_MAX + 1); /* one that no room would do for */
    assert_int_equal(ampel_metric_get(AMPEL_METRIC_REPLIES_DROPPED), before + 2);
    assert_int_equal(replies.count, 2);
    ampel_replies_reset(&replies);
}

static void who_reads_is_tried_soon_and_who_does_not_seldom(void **state) {
    (void)state;
    struct ampel_replies replies = {0};
    struct peer slow = {0};
    const struct ampel_network network = {.context = &slow, .send = take};
    for (int i = 0; i < 10; i++)
        assert_true(ampel_replies_flush(&replies, &network)); /* nothing waits */
    send(&replies, &slow, 1, 8);
    send(&replies, &slow, 2, 8);
    const int64_t soon_ns = replies.again_ns;
    assert_in_range(soon_ns, 1, 1000000);
    for (int i = 0; i < 10; i++)
        assert_false(ampel_replies_flush(&replies, &network));
    assert_int_equal(replies.again_ns, 20000000);
    slow.room = 1;
    assert_false(ampel_replies_flush(&replies, &network));
    assert_int_equal(replies.again_ns, soon_ns);
    ampel_replies_reset(&replies);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_reads_is_tried_soon_and_who_does_not_seldom),
        cmocka_unit_test(beyond_their_number_the_oldest_are_dropped_and_counted),
        cmocka_unit_test(beyond_their_bytes_the_oldest_are_dropped_and_counted),
    };
    return cmocka_run_group_tests_name("replies", tests, NULL, NULL);
}
