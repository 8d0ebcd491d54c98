#define _POSIX_C_SOURCE 200809L
/* Real sockets with CURVE and ZAP on ports that the system picks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <poll.h>
#include <zmq.h>

#include "workers/client_zmq.h"
#include "workers/metrics.h"
#include "workers/network_zmq.h"

#define PATIENCE_MS       10000
#define MESSAGE_BYTES_MAX 65536

static struct ampel_system_clock clock_state;
static struct ampel_clock machine;

struct bench {
    struct ampel_hub *hub;
    struct ampel_network feeders, watchers;
    struct ampel_keyfile worker, north, south, stranger, asleep;
};

static struct ampel_keyfile tenant_keys(const struct ampel_keyfile *worker) {
    struct ampel_keyfile keys;
    assert_true(ampel_keyfile_generate(&keys));
    memcpy(keys.server_key, worker->public_key, sizeof(keys.server_key));
    return keys;
}

static void tenants_set(struct bench *bench, bool south_too) {
    struct ampel_tenant_key keys[3] = {0};
    (void)snprintf(keys[0].tenant, sizeof(keys[0].tenant), "north");
    (void)snprintf(keys[1].tenant, sizeof(keys[1].tenant), "asleep");
    (void)snprintf(keys[2].tenant, sizeof(keys[2].tenant), "south");
    memcpy(keys[0].public_key, bench->north.public_key, AMPEL_KEY_TEXT_SIZE);
    memcpy(keys[1].public_key, bench->asleep.public_key, AMPEL_KEY_TEXT_SIZE);
    memcpy(keys[2].public_key, bench->south.public_key, AMPEL_KEY_TEXT_SIZE);
    keys[1].suspended = true;
    const struct ampel_parcel_tenants tenants = {
        .parcel = {AMPEL_PARCEL_TENANTS}, .keys_count = south_too ? 3 : 2, .keys = keys};
    ampel_network_zmq_tenants(bench->feeders.context, &tenants);
    ampel_network_zmq_tenants(bench->watchers.context, &tenants);
}

static int bench_open_with(void **state, uint32_t connections_max) {
    static struct bench bench;
    memset(&bench, 0, sizeof(bench));
    ampel_clock_system(&clock_state, INT64_MIN, 1, &machine);
    assert_true(ampel_keyfile_generate(&bench.worker));
    bench.north = tenant_keys(&bench.worker);
    bench.south = tenant_keys(&bench.worker);
    bench.stranger = tenant_keys(&bench.worker);
    bench.asleep = tenant_keys(&bench.worker);
    const struct ampel_hub_options options = {.keys = bench.worker,
                                              .clock = machine,
                                              .message_bytes_max = MESSAGE_BYTES_MAX,
                                              .connections_max = connections_max};
    struct ampel_error error = {0};
    assert_true(ampel_hub_open(&options, &bench.hub, &error));
    assert_true(ampel_network_zmq_open(bench.hub, "tcp://127.0.0.1:*", &bench.feeders, &error));
    assert_true(ampel_network_zmq_open(bench.hub, "tcp://127.0.0.1:*", &bench.watchers, &error));
    *state = &bench;
    return 0;
}

static int bench_open(void **state) {
    (void)bench_open_with(state, 0);
    tenants_set(*state, true);
    return 0;
}

static int bench_open_without_tenants(void **state) {
    return bench_open_with(state, 0);
}

static int bench_open_narrow(void **state) {
    (void)bench_open_with(state, 2);
    tenants_set(*state, true);
    return 0;
}

static int bench_close(void **state) {
    struct bench *bench = *state;
    ampel_network_zmq_close(bench->feeders.context);
    ampel_network_zmq_close(bench->watchers.context);
    ampel_hub_close(bench->hub);
    return 0;
}

static struct ampel_client *client_open(const struct ampel_network *network,
                                        const struct ampel_keyfile *keys) {
    struct ampel_client *client;
    struct ampel_error error = {0};
    assert_true(
        ampel_client_open(NULL, ampel_network_zmq_endpoint(network->context), keys, &client, &error));
    return client;
}

static void client_say(struct ampel_client *client, const char *text) {
    assert_int_equal(ampel_client_send(client, (const uint8_t *)text, (uint32_t)strlen(text)),
                     AMPEL_CLIENT_OK);
}

static int64_t now_ms(void) {
    return machine.monotonic_ns(machine.context) / 1000000;
}

/* As a stage does: receive until nothing waits, then wait for the fd. False: the time is over. */
static bool network_wait(struct ampel_network *network, struct ampel_received *out,
                         int64_t patience_ms) {
    const int64_t until = now_ms() + patience_ms;
    for (;;) {
        if (network->receive(network->context, out)) return true;
        const int64_t left = until - now_ms();
        if (left <= 0) return false;
        int fd;
        assert_int_equal(ampel_network_zmq_fds(network->context, &fd, 1), 1);
        struct pollfd item = {.fd = fd, .events = POLLIN};
        (void)poll(&item, 1, (int)left);
    }
}

static bool client_wait(struct ampel_client *client, const char *text, int64_t patience_ms) {
    const int64_t until = now_ms() + patience_ms;
    const uint8_t *bytes;
    uint32_t size;
    while (now_ms() < until) {
        const enum ampel_client_status status = ampel_client_receive(client, 100, &bytes, &size);
        if (status != AMPEL_CLIENT_OK) continue;
        assert_int_equal(size, strlen(text));
        assert_memory_equal(bytes, text, size);
        return true;
    }
    return false;
}

/* A DEALER without our client around it, for what only strangers do. */
static void *raw_open(void *context, const struct ampel_network *network,
                      const struct ampel_keyfile *keys, const char *name, int receive_hwm) {
    void *socket = zmq_socket(context, ZMQ_DEALER);
    assert_non_null(socket);
    const int linger_ms = 0;
    (void)zmq_setsockopt(socket, ZMQ_LINGER, &linger_ms, sizeof(linger_ms));
    (void)zmq_setsockopt(socket, ZMQ_RCVHWM, &receive_hwm, sizeof(receive_hwm));
    if (name != NULL) (void)zmq_setsockopt(socket, ZMQ_ROUTING_ID, name, strlen(name));
    if (keys != NULL) {
        (void)zmq_setsockopt(socket, ZMQ_CURVE_SERVERKEY, keys->server_key, AMPEL_KEY_TEXT_SIZE);
        (void)zmq_setsockopt(socket, ZMQ_CURVE_PUBLICKEY, keys->public_key, AMPEL_KEY_TEXT_SIZE);
        (void)zmq_setsockopt(socket, ZMQ_CURVE_SECRETKEY, keys->secret_key, AMPEL_KEY_TEXT_SIZE);
    }
    assert_int_equal(zmq_connect(socket, ampel_network_zmq_endpoint(network->context)), 0);
    return socket;
}

static void raw_close(void *context, void *socket) {
    (void)zmq_close(socket);
    (void)zmq_ctx_term(context);
}

static void the_tenant_comes_from_the_key_on_both_sockets(void **state) {
    struct bench *bench = *state;
    struct ampel_network *const networks[] = {&bench->feeders, &bench->watchers};
    for (uint32_t i = 0; i < 2; i++) {
        struct ampel_client *north = client_open(networks[i], &bench->north);
        struct ampel_client *south = client_open(networks[i], &bench->south);
        client_say(north, "from north");
        client_say(south, "from south");
        for (uint32_t k = 0; k < 2; k++) {
            struct ampel_received received;
            assert_true(network_wait(networks[i], &received, PATIENCE_MS));
            assert_int_equal(received.size, 10);
            assert_memory_equal(received.bytes, "from ", 5);
            assert_string_equal(received.tenant, received.bytes[5] == 'n' ? "north" : "south");
            assert_int_equal(
                networks[i]->send(networks[i]->context, &received.peer, received.bytes, 10),
                AMPEL_SEND_OK);
            networks[i]->release(networks[i]->context, &received);
        }
        assert_true(client_wait(north, "from north", PATIENCE_MS));
        assert_true(client_wait(south, "from south", PATIENCE_MS));
        assert_string_equal(ampel_client_trouble(north), "");
        ampel_client_close(north);
        ampel_client_close(south);
    }
}

static void client_is_refused(struct bench *bench, const struct ampel_keyfile *keys) {
    const int64_t before = ampel_metric_get(AMPEL_METRIC_GATEWAY_PEERS_REFUSED);
    struct ampel_client *client = client_open(&bench->feeders, keys);
    client_say(client, "let me in");
    const uint8_t *bytes;
    uint32_t size;
    enum ampel_client_status status = AMPEL_CLIENT_NOTHING;
    for (int64_t until = now_ms() + PATIENCE_MS;
         status == AMPEL_CLIENT_NOTHING && now_ms() < until;)
        status = ampel_client_receive(client, 100, &bytes, &size);
    assert_int_equal(status, AMPEL_CLIENT_REFUSED);
    assert_non_null(strstr(ampel_client_trouble(client), "does not accept this key"));
    assert_true(ampel_metric_get(AMPEL_METRIC_GATEWAY_PEERS_REFUSED) > before);
    struct ampel_received received;
    assert_false(network_wait(&bench->feeders, &received, 50));
    ampel_client_close(client);
}

static void an_unknown_key_is_refused_and_told_so(void **state) {
    struct bench *bench = *state;
    client_is_refused(bench, &bench->stranger);
}

static void a_suspended_tenant_is_refused_and_told_so(void **state) {
    struct bench *bench = *state;
    client_is_refused(bench, &bench->asleep);
}

static void a_client_with_the_wrong_server_key_gets_nowhere_and_knows_why(void **state) {
    struct bench *bench = *state;
    struct ampel_keyfile keys = bench->north;
    memcpy(keys.server_key, bench->stranger.public_key, sizeof(keys.server_key));
    struct ampel_client *client = client_open(&bench->feeders, &keys);
    client_say(client, "hello?");
    const uint8_t *bytes;
    uint32_t size;
    for (int64_t until = now_ms() + PATIENCE_MS;
         strstr(ampel_client_trouble(client), "server") == NULL && now_ms() < until;)
        assert_int_equal(ampel_client_receive(client, 50, &bytes, &size), AMPEL_CLIENT_NOTHING);
    assert_non_null(strstr(ampel_client_trouble(client), "wrong `server` key"));
    struct ampel_received received;
    assert_false(network_wait(&bench->feeders, &received, 50));
    ampel_client_close(client);
}

static void a_key_that_becomes_known_is_let_in_by_the_same_client(void **state) {
    struct bench *bench = *state;
    tenants_set(bench, false);
    struct ampel_client *south = client_open(&bench->feeders, &bench->south);
    const uint8_t *bytes;
    uint32_t size;
    enum ampel_client_status status = AMPEL_CLIENT_NOTHING;
    for (int64_t until = now_ms() + PATIENCE_MS;
         status == AMPEL_CLIENT_NOTHING && now_ms() < until;)
        status = ampel_client_receive(south, 100, &bytes, &size);
    assert_int_equal(status, AMPEL_CLIENT_REFUSED);
    tenants_set(bench, true);
    assert_int_equal(ampel_client_receive(south, 2000, &bytes, &size), AMPEL_CLIENT_NOTHING);
    client_say(south, "again");
    struct ampel_received received;
    assert_true(network_wait(&bench->feeders, &received, PATIENCE_MS));
    assert_string_equal(received.tenant, "south");
    bench->feeders.release(bench->feeders.context, &received);
    ampel_client_close(south);
}

static void a_key_that_is_added_while_its_client_connects_is_never_refused(void **state) {
    struct bench *bench = *state;
    const int64_t before = ampel_metric_get(AMPEL_METRIC_GATEWAY_PEERS_REFUSED);
    tenants_set(bench, false);
    struct ampel_client *south = client_open(&bench->feeders, &bench->south);
    client_say(south, "too early");
    struct ampel_received received;
    assert_false(network_wait(&bench->feeders, &received, 500));
    tenants_set(bench, true);
    assert_true(network_wait(&bench->feeders, &received, 1000));
    assert_string_equal(received.tenant, "south");
    bench->feeders.release(bench->feeders.context, &received);
    assert_int_equal(ampel_metric_get(AMPEL_METRIC_GATEWAY_PEERS_REFUSED), before);
    ampel_client_close(south);
}

static void before_the_tenants_are_known_clients_wait_and_then_get_in(void **state) {
    struct bench *bench = *state;
    struct ampel_client *north = client_open(&bench->feeders, &bench->north);
    client_say(north, "early");
    struct ampel_received received;
    assert_false(network_wait(&bench->feeders, &received, 300));
    tenants_set(bench, true);
    assert_true(network_wait(&bench->feeders, &received, 2000));
    assert_string_equal(received.tenant, "north");
    bench->feeders.release(bench->feeders.context, &received);
    ampel_client_close(north);
}

static void a_key_that_is_taken_away_loses_its_tenant_on_an_open_connection(void **state) {
    struct bench *bench = *state;
    struct ampel_client *south = client_open(&bench->feeders, &bench->south);
    client_say(south, "one");
    struct ampel_received received;
    assert_true(network_wait(&bench->feeders, &received, PATIENCE_MS));
    assert_string_equal(received.tenant, "south");
    bench->feeders.release(bench->feeders.context, &received);
    tenants_set(bench, false);
    client_say(south, "two");
    assert_true(network_wait(&bench->feeders, &received, PATIENCE_MS));
    assert_string_equal(received.tenant, "");
    bench->feeders.release(bench->feeders.context, &received);
    ampel_client_close(south);
}

static void a_message_far_too_large_costs_its_connection_and_no_other(void **state) {
    struct bench *bench = *state;
    struct ampel_client *north = client_open(&bench->feeders, &bench->north);
    struct ampel_client *south = client_open(&bench->feeders, &bench->south);
    const uint32_t size = MESSAGE_BYTES_MAX + AMPEL_NETWORK_SLACK_BYTES + 4096;
    uint8_t *large = calloc(size, 1);
    assert_non_null(large);
    assert_int_equal(ampel_client_send(north, large, size), AMPEL_CLIENT_OK);
    struct ampel_received received;
    assert_false(network_wait(&bench->feeders, &received, 500));
    /* One that is only a little too large arrives, so that it can be answered. */
    assert_int_equal(ampel_client_send(south, large, MESSAGE_BYTES_MAX + 1), AMPEL_CLIENT_OK);
    assert_true(network_wait(&bench->feeders, &received, PATIENCE_MS));
    assert_int_equal(received.size, MESSAGE_BYTES_MAX + 1);
    assert_string_equal(received.tenant, "south");
    bench->feeders.release(bench->feeders.context, &received);
    free(large);
    ampel_client_close(north);
    ampel_client_close(south);
}

static void a_peer_that_left_is_told_as_gone(void **state) {
    struct bench *bench = *state;
    struct ampel_client *north = client_open(&bench->feeders, &bench->north);
    client_say(north, "bye");
    struct ampel_received received;
    assert_true(network_wait(&bench->feeders, &received, PATIENCE_MS));
    const struct ampel_peer peer = received.peer;
    bench->feeders.release(bench->feeders.context, &received);
    ampel_client_close(north);
    enum ampel_send_status status = AMPEL_SEND_OK;
    for (int64_t until = now_ms() + PATIENCE_MS; status != AMPEL_SEND_GONE && now_ms() < until;) {
        status = bench->feeders.send(bench->feeders.context, &peer, (const uint8_t *)"?", 1);
        (void)poll(NULL, 0, 10);
    }
    assert_int_equal(status, AMPEL_SEND_GONE);
}

static void a_peer_that_does_not_read_is_full_and_slows_no_other(void **state) {
    struct bench *bench = *state;
    void *context = zmq_ctx_new();
    void *north = raw_open(context, &bench->watchers, &bench->north, NULL, 8);
    struct ampel_client *south = client_open(&bench->watchers, &bench->south);
    assert_int_equal(zmq_send(north, "slow", 4, 0), 4);
    struct ampel_received received;
    assert_true(network_wait(&bench->watchers, &received, PATIENCE_MS));
    const struct ampel_peer slow = received.peer;
    bench->watchers.release(bench->watchers.context, &received);
    client_say(south, "quick");
    assert_true(network_wait(&bench->watchers, &received, PATIENCE_MS));
    const struct ampel_peer quick = received.peer;
    bench->watchers.release(bench->watchers.context, &received);
    uint8_t *large = calloc(MESSAGE_BYTES_MAX, 1);
    assert_non_null(large);
    /* The peer takes 8 messages and the system some megabytes; then it is full for good. */
    enum ampel_send_status status = AMPEL_SEND_OK;
    uint32_t sent = 0, fulls = 0;
    while (fulls < 20 && sent < 5000) {
        status = bench->watchers.send(bench->watchers.context, &slow, large, MESSAGE_BYTES_MAX);
        assert_int_not_equal(status, AMPEL_SEND_GONE);
        if (status == AMPEL_SEND_OK) {
            sent++;
            fulls = 0;
            continue;
        }
        fulls++;
        (void)poll(NULL, 0, 10);
    }
    free(large);
    assert_int_equal(status, AMPEL_SEND_FULL);
    assert_true(sent < 5000);
    assert_int_equal(
        bench->watchers.send(bench->watchers.context, &quick, (const uint8_t *)"here", 4),
        AMPEL_SEND_OK);
    assert_true(client_wait(south, "here", PATIENCE_MS));
    raw_close(context, north);
    ampel_client_close(south);
}

static void a_burst_is_read_to_its_end_though_the_fd_fires_once(void **state) {
    struct bench *bench = *state;
    struct ampel_client *north = client_open(&bench->feeders, &bench->north);
    uint32_t sent = 0, got = 0;
    for (int64_t until = now_ms() + PATIENCE_MS; got < 2000 && now_ms() < until;) {
        uint8_t number[4];
        memcpy(number, &sent, sizeof(number));
        if (sent < 2000 && ampel_client_send(north, number, 4) == AMPEL_CLIENT_OK) {
            sent++;
            continue;
        }
        struct ampel_received received;
        if (!network_wait(&bench->feeders, &received, 1000)) continue;
        uint32_t told;
        memcpy(&told, received.bytes, sizeof(told));
        assert_int_equal(told, got);
        got++;
        bench->feeders.release(bench->feeders.context, &received);
    }
    assert_int_equal(got, 2000);
    ampel_client_close(north);
}

static void a_connection_that_names_itself_is_not_heard(void **state) {
    struct bench *bench = *state;
    void *context = zmq_ctx_new();
    void *socket = raw_open(context, &bench->feeders, &bench->north, "mallory", 1000);
    assert_int_equal(zmq_send(socket, "psst", 4, 0), 4);
    struct ampel_client *north = client_open(&bench->feeders, &bench->north);
    (void)poll(NULL, 0, 200);
    client_say(north, "hear me");
    struct ampel_received received;
    assert_true(network_wait(&bench->feeders, &received, PATIENCE_MS));
    assert_int_equal(received.size, 7);
    bench->feeders.release(bench->feeders.context, &received);
    assert_false(network_wait(&bench->feeders, &received, 100));
    ampel_client_close(north);
    raw_close(context, socket);
}

static void a_plain_connection_without_curve_is_not_heard(void **state) {
    struct bench *bench = *state;
    void *context = zmq_ctx_new();
    void *socket = raw_open(context, &bench->feeders, NULL, NULL, 1000);
    assert_int_equal(zmq_send(socket, "psst", 4, 0), 4);
    struct ampel_received received;
    assert_false(network_wait(&bench->feeders, &received, 500));
    raw_close(context, socket);
}

static void connections_beyond_the_bound_wait_until_one_leaves(void **state) {
    struct bench *bench = *state;
    struct ampel_client *clients[3];
    struct ampel_received received;
    for (uint32_t i = 0; i < 2; i++) {
        clients[i] = client_open(&bench->feeders, &bench->north);
        client_say(clients[i], "in");
        assert_true(network_wait(&bench->feeders, &received, PATIENCE_MS));
        bench->feeders.release(bench->feeders.context, &received);
    }
    clients[2] = client_open(&bench->watchers, &bench->north);
    client_say(clients[2], "third");
    assert_false(network_wait(&bench->watchers, &received, 500));
    ampel_client_close(clients[0]);
    /* Far sooner than a handshake that was turned away is tried again. */
    assert_true(network_wait(&bench->watchers, &received, 3000));
    assert_int_equal(received.size, 5);
    bench->watchers.release(bench->watchers.context, &received);
    ampel_client_close(clients[1]);
    ampel_client_close(clients[2]);
}

static void a_key_file_reads_back_and_is_its_owners_alone(void **state) {
    (void)state;
    char directory[] = "/tmp/ampel-keys-XXXXXX";
    assert_non_null(mkdtemp(directory));
    char path[64];
    (void)snprintf(path, sizeof(path), "%s/worker.key", directory);
    struct ampel_keyfile worker, read;
    struct ampel_error error = {0};
    assert_true(ampel_keyfile_generate(&worker));
    assert_true(ampel_keyfile_write(path, &worker, &error));
    struct stat status;
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0600);
    assert_true(ampel_keyfile_read(path, false, &read, &error));
    assert_memory_equal(&worker, &read, sizeof(worker));
    /* Not a second time: somebody may be using it. */
    assert_false(ampel_keyfile_write(path, &worker, &error));
    assert_non_null(strstr(error.reason, "File exists"));
    assert_false(ampel_keyfile_read(path, true, &read, &error));
    assert_string_equal(error.field, "server");
    (void)unlink(path);

    const struct {
        const char *text;
        const char *field;
        uint32_t line;
    } bad[] = {
        {"public abc\n", "public", 1},
        {"# a comment\n\npublic\n", "public", 3},
        {"pubic rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7\n", "pubic", 1},
        {"secret JTKVSB%%)wK0E.X)V>+}o?pNmC{O&4W4b!Ni{Lh6\n", "public", 0},
        /* Of two different pairs. */
        {"public Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hID\nsecret "
         "D:)Q[IlAW!ahhC2ac:9*A}h:p?([4%wOTJ%JR%cs\n",
         "", 0},
    };
    for (uint32_t i = 0; i < 5; i++) {
        FILE *file = fopen(path, "w");
        assert_non_null(file);
        (void)fputs(bad[i].text, file);
        (void)fclose(file);
        error = (struct ampel_error){0};
        const bool whole = ampel_keyfile_read(path, false, &read, &error);
        if (i == 4) {
            assert_true(whole); /* the pair of the library's documentation belongs together */
            continue;
        }
        assert_false(whole);
        assert_string_equal(error.field, bad[i].field);
        assert_int_equal(error.line, bad[i].line);
        assert_non_null(strstr(error.reason, path));
    }
    (void)unlink(path);
    (void)rmdir(directory);
}

#define WITH(test, open) cmocka_unit_test_setup_teardown(test, open, bench_close)

int main(void) {
    const struct CMUnitTest tests[] = {
        WITH(the_tenant_comes_from_the_key_on_both_sockets, bench_open),
        WITH(an_unknown_key_is_refused_and_told_so, bench_open),
        WITH(a_suspended_tenant_is_refused_and_told_so, bench_open),
        WITH(a_client_with_the_wrong_server_key_gets_nowhere_and_knows_why, bench_open),
        WITH(a_key_that_becomes_known_is_let_in_by_the_same_client, bench_open),
        WITH(a_key_that_is_added_while_its_client_connects_is_never_refused, bench_open),
        WITH(before_the_tenants_are_known_clients_wait_and_then_get_in, bench_open_without_tenants),
        WITH(a_key_that_is_taken_away_loses_its_tenant_on_an_open_connection, bench_open),
        WITH(a_message_far_too_large_costs_its_connection_and_no_other, bench_open),
        WITH(a_peer_that_left_is_told_as_gone, bench_open),
        WITH(a_peer_that_does_not_read_is_full_and_slows_no_other, bench_open),
        WITH(a_burst_is_read_to_its_end_though_the_fd_fires_once, bench_open),
        WITH(a_connection_that_names_itself_is_not_heard, bench_open),
        WITH(a_plain_connection_without_curve_is_not_heard, bench_open),
        WITH(connections_beyond_the_bound_wait_until_one_leaves, bench_open_narrow),
        cmocka_unit_test(a_key_file_reads_back_and_is_its_owners_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
