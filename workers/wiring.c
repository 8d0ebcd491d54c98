#include "workers/wiring.h"

#include <stdio.h>
#include <stdlib.h>

#include "workers/gateway.h"
#include "workers/keeper.h"
#include "workers/parcel.h"
#include "workers/publisher.h"
#include "workers/queue.h"
#include "workers/scribe.h"
#include "workers/shard.h"

/* Capacities, in parcels: how far a thread may run ahead of the next. Bytes are bounded elsewhere: what is on its way into
   the log by the gateway, records in front of a shard by the keeper, what is told and not stored by the shards.
   Durable records that come back to the gateway are small work and never a reason to wait. */
#define GATEWAY_CAPACITY   4096
#define KEEPER_CAPACITY    1024
#define RECORDS_CAPACITY   1024
#define SHARD_CAPACITY     8 /* whole partitions on their way to be imported */
#define PUBLISHER_CAPACITY 1024
#define SCRIBE_CAPACITY    256

struct ampel_wiring {
    struct ampel_wiring_options options;
    struct ampel_queue *gateway_in, *keeper_in, *publisher_in, *scribes_in[AMPEL_SCRIBES_MAX];
    struct ampel_queue *records_in[AMPEL_SHARDS_MAX], *shard_in[AMPEL_SHARDS_MAX];
    struct ampel_gateway *gateway;
    struct ampel_keeper *keeper;
    struct ampel_shard *shards[AMPEL_SHARDS_MAX];
    struct ampel_publisher *publisher;
    struct ampel_scribe *scribes[AMPEL_SCRIBES_MAX];
    uint32_t stages_count;
    struct ampel_stage stages[AMPEL_STAGES_MAX];
    char names[AMPEL_STAGES_MAX][AMPEL_STAGE_NAME_SIZE];
};

static bool open_queues(struct ampel_wiring *wiring) {
    wiring->gateway_in = ampel_queue_open(GATEWAY_CAPACITY);
    wiring->keeper_in = ampel_queue_open(KEEPER_CAPACITY);
    wiring->publisher_in = ampel_queue_open(PUBLISHER_CAPACITY);
    bool opened = wiring->gateway_in != NULL && wiring->keeper_in != NULL && wiring->publisher_in != NULL;
    for (uint32_t i = 0; i < wiring->options.scribes_count; i++) {
        wiring->scribes_in[i] = ampel_queue_open(SCRIBE_CAPACITY);
        opened = opened && wiring->scribes_in[i] != NULL;
    }
    for (uint32_t i = 0; i < wiring->options.shards_count; i++) {
        wiring->records_in[i] = ampel_queue_open(RECORDS_CAPACITY);
        wiring->shard_in[i] = ampel_queue_open(SHARD_CAPACITY);
        opened = opened && wiring->records_in[i] != NULL && wiring->shard_in[i] != NULL;
    }
    return opened;
}

static bool open_gateway(struct ampel_wiring *wiring) {
    const struct ampel_wiring_options *options = &wiring->options;
    struct ampel_gateway_options gateway = {
        .network = options->feeders.network,
        .clock = options->clock,
        .partitions = options->partitions,
        .shards_count = options->shards_count,
        .inflight_bytes_max = options->inflight_bytes_max,
        .message_bytes_max = options->message_bytes_max,
        .producers_per_tenant_max = options->producers_per_tenant_max,
        .in = wiring->gateway_in,
        .keeper = wiring->keeper_in,
        .network_fds = options->feeders.fds,
        .network_tenants = options->feeders.tenants,
    };
    return ampel_gateway_open(&gateway, &wiring->gateway);
}

static bool open_keeper(struct ampel_wiring *wiring) {
    const struct ampel_wiring_options *options = &wiring->options;
    struct ampel_keeper_options keeper = {
        .journal = options->journal,
        .clock = options->clock,
        .partitions = options->partitions,
        .shards_count = options->shards_count,
        .clock_is_right = options->clock_is_right,
        .in = wiring->keeper_in,
        .shards = wiring->records_in,
        .gateway = wiring->gateway_in,
    };
    return ampel_keeper_open(&keeper, &wiring->keeper);
}

static bool open_shard(struct ampel_wiring *wiring, uint32_t index) {
    const struct ampel_wiring_options *options = &wiring->options;
    struct ampel_shard_options shard = {
        .memory = options->memories[index],
        .clock = options->clock,
        .rules = options->rules,
        .shard_index = index,
        .shards_count = options->shards_count,
        .partitions = options->partitions,
        .checkpoint_every_ms = options->checkpoint_every_ms,
        .checkpoint_share = options->checkpoint_share,
        .orders_rows_every_ms = options->orders_rows_every_ms,
        .copy_units = options->copy_units,
        .unstored_bytes_max = options->unstored_bytes_max / options->shards_count,
        .accounts_per_tenant_max = options->accounts_per_tenant_max,
        .violations_per_account_max = options->violations_per_account_max,
        .in = wiring->shard_in[index],
        .records = wiring->records_in[index],
        .publisher = wiring->publisher_in,
        .gateway = wiring->gateway_in,
    };
    return ampel_shard_open(&shard, &wiring->shards[index]);
}

static bool open_publisher(struct ampel_wiring *wiring) {
    const struct ampel_wiring_options *options = &wiring->options;
    struct ampel_publisher_options publisher = {
        .network = options->watchers.network,
        .clock = options->clock,
        .partitions = options->partitions,
        .shards_count = options->shards_count,
        .in = wiring->publisher_in,
        .scribes = wiring->scribes_in,
        .scribes_count = options->scribes_count,
        .network_fds = options->watchers.fds,
        .network_tenants = options->watchers.tenants,
    };
    return ampel_publisher_open(&publisher, &wiring->publisher);
}

static bool open_scribe(struct ampel_wiring *wiring, uint32_t index) {
    const struct ampel_wiring_options *options = &wiring->options;
    struct ampel_scribe_options scribe = {
        .first = index > 0 ? wiring->scribes[0] : NULL,
        .database = options->databases[index],
        .clock = options->clock,
        .partitions = options->partitions,
        .shards_count = options->shards_count,
        .in = wiring->scribes_in[index],
        .keeper = wiring->keeper_in,
        .shards = wiring->shard_in,
        .publisher = wiring->publisher_in,
        .gateway = wiring->gateway_in,
    };
    return ampel_scribe_open(&scribe, &wiring->scribes[index]);
}

static void add_stage(struct ampel_wiring *wiring, struct ampel_stage stage, const char *name) {
    uint32_t index = wiring->stages_count++;
    AMPEL_ASSERT(index < AMPEL_STAGES_MAX);
    (void)snprintf(wiring->names[index], sizeof(wiring->names[index]), "%s", name);
    wiring->stages[index] = stage;
    wiring->stages[index].name = wiring->names[index];
}

static bool open_stages(struct ampel_wiring *wiring) {
    if (!open_gateway(wiring) || !open_keeper(wiring)) return false;
    add_stage(wiring, ampel_gateway_stage(wiring->gateway), "gateway");
    add_stage(wiring, ampel_keeper_stage(wiring->keeper), "keeper");
    for (uint32_t i = 0; i < wiring->options.shards_count; i++) {
        if (!open_shard(wiring, i)) return false;
        char name[AMPEL_STAGE_NAME_SIZE];
        (void)snprintf(name, sizeof(name), "shard-%u", (unsigned)(i % 1000));
        add_stage(wiring, ampel_shard_stage(wiring->shards[i]), name);
    }
    if (!open_publisher(wiring)) return false;
    add_stage(wiring, ampel_publisher_stage(wiring->publisher), "publisher");
    for (uint32_t i = 0; i < wiring->options.scribes_count; i++) {
        if (!open_scribe(wiring, i)) return false;
        char name[AMPEL_STAGE_NAME_SIZE];
        (void)snprintf(name, sizeof(name), "scribe-%u", (unsigned)(i % 1000));
        add_stage(wiring, ampel_scribe_stage(wiring->scribes[i]), i == 0 ? "scribe" : name);
    }
    return true;
}

bool ampel_wiring_open(const struct ampel_wiring_options *options, struct ampel_wiring **out) {
    AMPEL_ASSERT(options->shards_count >= 1 && options->shards_count <= AMPEL_SHARDS_MAX);
    AMPEL_ASSERT(options->scribes_count >= 1 && options->scribes_count <= AMPEL_SCRIBES_MAX);
    struct ampel_wiring *wiring = calloc(1, sizeof(*wiring));
    if (wiring == NULL) return false;
    wiring->options = *options;
    if (!open_queues(wiring) || !open_stages(wiring)) {
        ampel_wiring_close(wiring);
        return false;
    }
    *out = wiring;
    return true;
}

static void close_queue(struct ampel_queue *queue) {
    if (queue == NULL) return;
    struct ampel_parcel *parcel;
    while ((parcel = ampel_queue_pop(queue)) != NULL)
        ampel_parcel_free(parcel);
    ampel_queue_close(queue);
}

void ampel_wiring_close(struct ampel_wiring *wiring) {
    if (wiring == NULL) return;
    if (wiring->gateway != NULL) ampel_gateway_close(wiring->gateway);
    if (wiring->keeper != NULL) ampel_keeper_close(wiring->keeper);
    for (uint32_t i = 0; i < wiring->options.shards_count; i++)
        ampel_shard_close(wiring->shards[i]);
    if (wiring->publisher != NULL) ampel_publisher_close(wiring->publisher);
    for (uint32_t i = wiring->options.scribes_count; i > 0; i--)
        ampel_scribe_close(wiring->scribes[i - 1]);
    close_queue(wiring->gateway_in);
    close_queue(wiring->keeper_in);
    close_queue(wiring->publisher_in);
    for (uint32_t i = 0; i < wiring->options.scribes_count; i++)
        close_queue(wiring->scribes_in[i]);
    for (uint32_t i = 0; i < wiring->options.shards_count; i++) {
        close_queue(wiring->records_in[i]);
        close_queue(wiring->shard_in[i]);
    }
    free(wiring);
}

uint32_t ampel_wiring_stages_count(const struct ampel_wiring *wiring) {
    return wiring->stages_count;
}

struct ampel_stage ampel_wiring_stage(const struct ampel_wiring *wiring, uint32_t index) {
    AMPEL_ASSERT(index < wiring->stages_count);
    return wiring->stages[index];
}

bool ampel_wiring_stop(struct ampel_wiring *wiring) {
    struct ampel_parcel *stop = malloc(sizeof(*stop));
    if (stop == NULL) return false;
    stop->kind = AMPEL_PARCEL_STOP;
    if (ampel_queue_push(wiring->gateway_in, stop)) return true;
    free(stop);
    return false;
}
