#include "tests/simulation/life_inside.h"
#include "tests/simulation/undisturbed.h"

const char *const sim_life_tenants[SIM_AGENCIES] = {"nord", "sued", "west"};

/* ---- memory of the engines -------------------------------------------------------------------- */

static void *take(void *context, size_t size, size_t alignment) {
    struct life *life = context;
    size_t least = alignment < sizeof(void *) ? sizeof(void *) : alignment;
    void *block = aligned_alloc(least, (size + least - 1) / least * least);
    AMPEL_ASSERT(block != NULL);
    life->memory_bytes += size;
    return block;
}

static void give(void *context, void *block, size_t size) {
    struct life *life = context;
    AMPEL_ASSERT(size <= life->memory_bytes);
    life->memory_bytes -= size;
    free(block);
}

/* ---- after every turn of a stage -------------------------------------------------------------- */

static void check_bounds(struct life *life) {
    const struct ampel_journal *journal = ampel_world_journal(life->world);
    uint64_t held = ampel_journal_held_bytes(journal);
    if (held > JOURNAL_BYTES_MAX + JOURNAL_BYTES_MAX / 16 + life->options.segment_bytes)
        sim_model_fail(&life->model, "the journal holds %llu bytes", (unsigned long long)held);
    int64_t unstored = ampel_metric_get(AMPEL_METRIC_UNSTORED_BYTES);
    uint64_t workers = life->out->faults[SIM_PAUSED] > 0 ? 2 : 1;
    uint64_t bound =
        workers * (life->unstored_bytes_max +
                   life->options.shards_count *
                       (UNSTORED_SLACK + STEP_PARCELS * sim_hooks.told_bytes_most));
    if (unstored < 0 || (uint64_t)unstored > bound)
        sim_model_fail(&life->model, "%lld bytes are told and not stored", (long long)unstored);
    int64_t copied = ampel_metric_get(AMPEL_METRIC_CHECKPOINT_BYTES);
    if (copied < 0)
        sim_model_fail(&life->model, "checkpoints under way take %lld bytes", (long long)copied);
    int64_t messages = ampel_metric_get(AMPEL_METRIC_UNSTORED_MESSAGE_BYTES);
    if (messages < 0 || (uint64_t)messages > bound)
        sim_model_fail(&life->model, "messages of %lld bytes are not stored", (long long)messages);
    int64_t inflight = ampel_metric_get(AMPEL_METRIC_GATEWAY_INFLIGHT_BYTES);
    if (inflight < 0 || (uint64_t)inflight > life->inflight_bytes_max + INFLIGHT_SLACK)
        sim_model_fail(&life->model, "batches of %lld bytes are on their way into the log",
                       (long long)inflight);
    /* Stored everywhere, so gone: what the journal holds lies behind the least position that is stored. */
    uint64_t least = UINT64_MAX;
    for (uint32_t i = 0; i < life->model.partitions; i++)
        if (life->model.of[i].position < least) least = life->model.of[i].position;
    /* A full disk may put it off for a while. */
    bool late = least > ampel_journal_first(journal) + 6 * life->options.segment_bytes;
    life->late_releases = late ? life->late_releases + 1 : 0;
    if (life->late_releases > LATE_RELEASES_MAX)
        sim_model_fail(&life->model,
                       "the journal begins at %llu and everything before %llu is stored",
                       (unsigned long long)ampel_journal_first(journal), (unsigned long long)least);
}

/* Where one scribe stopped the worker the others, as threads do, go on until the end comes, and so does the log. */
static bool log_moves(const struct life *life) {
    const char *fatal = ampel_world_fatal(life->world);
    return fatal == NULL || strncmp(fatal, "scribe", strlen("scribe")) == 0;
}

static void turned(void *context) {
    struct life *life = context;
    struct ampel_journal *journal = ampel_world_journal(life->world);
    if (journal == NULL || !log_moves(life)) return;
    if (ampel_journal_end(journal) > life->model.end) {
        memory_disk_hold(ampel_world_disk(life->world), true);
        sim_model_read(&life->model, journal);
        memory_disk_hold(ampel_world_disk(life->world), false);
        check_bounds(life);
    }
}

/* ---- the story -------------------------------------------------------------------------------- */

static bool enough(const struct life *life) {
    return life->out->events >= SIM_EVENTS_LEAST && life->model.commits >= SIM_CHECKPOINTS_LEAST &&
           life->out->starts > SIM_RECOVERIES_LEAST;
}

static void disturb(struct life *life) {
    sim_life_start(life);
    for (uint32_t acts = 0; acts < ACTS_MAX && !wrong(life) && !enough(life); acts++) {
        sim_life_act(life);
        sim_life_bury(life);
        /* So that no seed lives for ever in its first life. */
        if (acts % 50 == 49 && enabled(life, SIM_POWER_IN_CALL) && chance(life, 50))
            sim_life_fault(life, SIM_POWER_IN_CALL);
        if (acts % 150 == 149) sim_life_kill(life, chance(life, 50));
        if (!ampel_world_lives(life->world) && !wrong(life)) sim_life_start(life);
    }
}

static bool all_acked(const struct life *life) {
    for (uint32_t i = 0; i < SIM_AGENCIES; i++) {
        if (!ampel_feeder_done(ampel_agency_feeder(life->model.agencies[i]))) return false;
    }
    return true;
}

/* Every fault is over. */
static void calm(struct life *life) {
    say(life, "calm");
    struct memory_disk *disk = ampel_world_disk(life->world);
    memory_disk_fail_at(disk, UINT64_MAX, AMPEL_DISK_OK);
    memory_disk_fail_reads(disk, 0);
    memory_disk_limit(disk, UINT64_MAX);
    memory_disk_on_sync(disk, NULL, NULL);
    ampel_memory_database_fault(ampel_world_database(life->world), AMPEL_FAULT_NONE, 0);
    for (uint32_t i = 0; i < SIM_AGENCIES; i++) {
        if (life->suspended[i]) {
            ampel_memory_database_suspend(ampel_world_database(life->world), sim_life_tenants[i],
                                          false);
        }
        life->suspended[i] = false;
    }
    sim_life_wake_paused(life);
    sim_watchers_calm(life->watchers);
    free(sim_hooks.doubled);
    sim_hooks.doubled = NULL;
    life->full_acts = 0;
}

static void fail_unacked(struct life *life) {
    for (uint32_t i = 0; i < SIM_AGENCIES; i++) {
        const struct ampel_feeder *feeder = ampel_agency_feeder(life->model.agencies[i]);
        if (ampel_feeder_done(feeder)) continue;
        char backs[200];
        int size = 0;
        for (uint32_t j = 0; j < AMPEL_BACKS_COUNT; j++)
            size +=
                snprintf(backs + size, sizeof(backs) - (size_t)size, " %llu",
                         (unsigned long long)ampel_feeder_backs(feeder, (enum ampel_back_reason)j));
        sim_model_fail(&life->model,
                       "%s waits for ever for acks: %llu of %llu came; back by reason:%s",
                       sim_life_tenants[i], (unsigned long long)ampel_feeder_acked(feeder),
                       (unsigned long long)ampel_feeder_count(feeder), backs);
    }
}

static void drain(struct life *life) {
    calm(life);
    for (uint32_t i = 0; i < DRAIN_ROUNDS_MAX && !wrong(life); i++) {
        if (!ampel_world_lives(life->world)) sim_life_start(life);
        if (wrong(life)) return;
        sim_life_pump(life);
        ampel_world_pass(life->world, 100);
        sim_life_bury(life);
        if (ampel_world_lives(life->world) && all_acked(life)) break;
    }
    if (!wrong(life) && !all_acked(life)) fail_unacked(life);
    ampel_world_pass(life->world, 65000 + (int64_t)below(life, 5 * MINUTE_MS));
    sim_life_bury(life);
}

/* All that was told reaches whoever watches. */
static void let_watchers_hear(struct life *life) {
    uint32_t quiet = 0;
    for (uint32_t i = 0; i < WATCHER_ROUNDS_MAX && quiet < 5 && !wrong(life); i++) {
        if (!ampel_world_lives(life->world) || ampel_world_fatal(life->world) != NULL) return;
        uint64_t before = sim_watchers_heard(life->watchers);
        ampel_world_pass(life->world, 100);
        sim_watchers_pump(life->watchers, ampel_world_monotonic_ms(life->world));
        bool still = sim_watchers_heard(life->watchers) == before &&
                     sim_watchers_settled(life->watchers);
        quiet = still ? quiet + 1 : 0;
    }
    if (quiet < 5) sim_model_fail(&life->model, "watchers are told things for ever, or nothing");
}

static void finish(struct life *life) {
    if (wrong(life)) return;
    /* A start may be refused by the clock, and a claim that was stolen stops the worker when it stores. */
    for (uint32_t i = 0; i < 10 && !wrong(life); i++) {
        if (!ampel_world_lives(life->world)) sim_life_start(life);
        ampel_world_pass(life->world, 10000);
        sim_life_bury(life);
        if (!wrong(life) && ampel_world_lives(life->world)) let_watchers_hear(life);
        sim_life_bury(life);
        if (ampel_world_lives(life->world)) break;
    }
    if (!wrong(life) && !ampel_world_end(life->world))
        sim_model_fail(&life->model, "the worker does not stop: %s", sim_hooks.named);
    if (wrong(life)) return;
    /* Its last tick may tell something. */
    sim_watchers_pump(life->watchers, ampel_world_monotonic_ms(life->world));
    ampel_world_bury(life->world);
    fired(life, SIM_STOPPED);
    sim_model_check_drained(&life->model);
    sim_model_check_told(&life->model);
    sim_model_check_refusals(&life->model);
    sim_watchers_check(life->watchers);
    if (life->memory_bytes != 0)
        sim_model_fail(&life->model, "%llu bytes of the engines were never given back",
                       (unsigned long long)life->memory_bytes);
    if (!wrong(life)) sim_undisturbed_check(&life->model, &life->options);
}

static void open_life(struct life *life, uint64_t seed) {
    ampel_oracle_rules(&life->rules);
    ampel_world_options_init(&life->options);
    struct ampel_world_options *options = &life->options;
    options->rules = &life->rules;
    options->seed = seed;
    options->start_ms = INT64_C(1790000000000) / MINUTE_MS * MINUTE_MS;
    options->shards_count = 1 + (uint32_t)below(life, 3);
    options->scribes_count = 1 + (uint32_t)(seed / 3 % 2);
    options->partitions = 1 + (uint32_t)below(life, SIM_PARTITIONS);
    options->checkpoint_every_ms = 100 + (int64_t)below(life, 2000);
    options->checkpoint_share = seed / 6 % 2 == 0 ? 25 : 100;
    options->orders_rows_every_ms = chance(life, 20) ? 30000 : 0;
    life->unstored_bytes_max = chance(life, 30) ? 2000 : 8 << 20;
    life->inflight_bytes_max = chance(life, 30) ? 500 : 8 << 20;
    options->unstored_bytes_max =
        sim_hooks.canary == SIM_CANARY_NO_SLOWING ? UINT64_C(1) << 40 : life->unstored_bytes_max;
    options->inflight_bytes_max =
        sim_hooks.canary == SIM_CANARY_NO_CREDIT ? UINT64_C(1) << 40 : life->inflight_bytes_max;
    options->segment_bytes = chance(life, 70) ? SEGMENT_BYTES : 4 * SEGMENT_BYTES;
    options->journal_bytes_max = JOURNAL_BYTES_MAX;
    life->memory = (struct ampel_memory){.context = life, .take = take, .give = give};
    options->memory = &life->memory;
    options->turned = turned;
    options->turned_context = life;
    life->world = ampel_world_open(options);
    struct memory_disk *disk = ampel_world_disk(life->world);
    memory_disk_on_sync(disk, sim_life_linger, life);
    memory_disk_garble(disk, enabled(life, SIM_SECTOR_GARBLED) ? 30 : 0);
    memory_disk_lie(disk, sim_hooks.canary == SIM_CANARY_NO_SYNC);
    struct ampel_memory_database *database = ampel_world_database(life->world);
    static const struct {
        enum sim_canary canary;
        enum ampel_memory_bug bug;
    } bugs[] = {{SIM_CANARY_NO_FENCE, AMPEL_BUG_NO_FENCE},
                {SIM_CANARY_LATE_COMMIT, AMPEL_BUG_LATE_COMMIT},
                {SIM_CANARY_LOST_ROWS, AMPEL_BUG_LOST_ROWS},
                {SIM_CANARY_HALF_DONE, AMPEL_BUG_HALF_DONE}};
    for (uint32_t i = 0; i < AMPEL_ARRAY_COUNT(bugs); i++) {
        if (bugs[i].canary == sim_hooks.canary) ampel_memory_database_plant(database, bugs[i].bug);
    }
    ampel_memory_database_watch(database,
                                &(struct ampel_memory_watch){.context = &life->model,
                                                             .claimed = sim_model_claimed,
                                                             .committed = sim_model_committed});
    struct sim_model *model = &life->model;
    model->sets[0].rules = &life->rules;
    life->backfill = chance(life, 50);
    model->database = database;
    model->partitions = options->partitions;
    model->orders_late = options->orders_rows_every_ms > 0;
    uint32_t facts = (uint32_t)below(life, 3) * 15;
    for (uint32_t i = 0; i < SIM_AGENCIES; i++) {
        ampel_memory_database_tenant_add(database, sim_life_tenants[i], KEY);
        model->agencies[i] =
            ampel_agency_open(ampel_world_feeders(life->world), sim_life_tenants[i], "erp",
                              SIM_ACCOUNTS, seed * SIM_AGENCIES + i);
        ampel_agency_facts(model->agencies[i], facts);
        ampel_feeder_patience(ampel_agency_feeder(model->agencies[i]), PATIENCE_MS);
    }
    sim_model_open(model);
    ampel_loopback_room(ampel_world_watchers(life->world), 4 + (uint32_t)below(life, 100));
    life->watchers =
        sim_watchers_open(ampel_world_watchers(life->world), model, sim_life_tenants, seed);
    sim_hooks.model = model;
    sim_hooks.dice = seed;
    sim_hooks.told_bytes_most = 0;
}

static void tell(struct life *life) {
    struct sim_outcome *out = life->out;
    struct memory_disk_toll toll = memory_disk_toll(ampel_world_disk(life->world));
    out->faults[SIM_SECTOR_LOST] = toll.sectors_lost;
    out->faults[SIM_SECTOR_KEPT] = toll.sectors_kept;
    out->faults[SIM_SECTOR_GARBLED] = toll.sectors_garbled;
    out->faults[SIM_SYNC_FORGOTTEN] = toll.sectors_forgotten;
    out->faults[SIM_NAME_UNDONE] = toll.names_undone;
    out->faults[SIM_DISK_EIO] = toll.failed;
    out->faults[SIM_DISK_READ_EIO] = toll.failed_reads;
    out->faults[SIM_DISK_FULL] = toll.full;
    out->faults[SIM_WRITE_SHORT] = toll.short_writes;
    out->faults[SIM_LOG_DOUBLED] = sim_hooks.doubled_count;
    out->commits = life->model.commits;
    out->checks = life->model.checks;
    out->steps = life->model.frames_checked;
    out->heard = sim_watchers_heard(life->watchers);
    out->log_records = life->model.records_count;
    out->simulated_ms = (uint64_t)(ampel_world_now_ms(life->world) -
                                   INT64_C(1790000000000) / MINUTE_MS * MINUTE_MS);
    const struct ampel_stored_told *told;
    out->told = ampel_memory_database_told(ampel_world_database(life->world), &told);
    (void)snprintf(out->reason, sizeof(out->reason), "%s", life->model.reason);
}

void sim_live(uint64_t seed, struct sim_outcome *out) {
    *out = (struct sim_outcome){0};
    sim_hooks.doubled_count = 0;
    struct life *life = calloc(1, sizeof(*life));
    AMPEL_ASSERT(life != NULL);
    life->out = out;
    life->random.state = seed ^ UINT64_C(0x73696d);
    /* Some seeds meet everything, most a half, a few hardly anything. */
    uint64_t kind = below(life, 10);
    life->enabled = ampel_random_next(&life->random);
    if (kind == 0) life->enabled = UINT64_MAX;
    if (kind == 1) life->enabled &= ampel_random_next(&life->random);
    open_life(life, seed);
    disturb(life);
    drain(life);
    finish(life);
    if (!wrong(life) && !enough(life))
        sim_model_fail(&life->model, "too little happened: %llu events, %llu commits, %llu starts",
                       (unsigned long long)out->events, (unsigned long long)life->model.commits,
                       (unsigned long long)out->starts);
    tell(life);
    sim_hooks.model = NULL;
    sim_watchers_close(life->watchers);
    for (uint32_t i = 0; i < SIM_AGENCIES; i++)
        ampel_agency_close(life->model.agencies[i]);
    ampel_world_close(life->world);
    sim_model_close(&life->model);
    free(life);
}
