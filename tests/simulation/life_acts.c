#include "tests/simulation/life_inside.h"

/* ---- acts ------------------------------------------------------------------------------------- */

void sim_life_pump(struct life *life) {
    uint64_t backs = 0;
    for (uint32_t i = 0; i < SIM_AGENCIES; i++) {
        struct ampel_feeder *feeder = ampel_agency_feeder(life->model.agencies[i]);
        ampel_feeder_pump(feeder, ampel_world_monotonic_ms(life->world));
        for (uint32_t reason = 0; reason < AMPEL_BACKS_COUNT; reason++)
            backs += ampel_feeder_backs(feeder, (enum ampel_back_reason)reason);
    }
    life->out->faults[SIM_BATCH_BACK] = backs;
    sim_model_check_acks(&life->model);
    sim_watchers_pump(life->watchers, ampel_world_monotonic_ms(life->world));
}

static void feed(struct life *life) {
    uint32_t agency = (uint32_t)below(life, SIM_AGENCIES);
    uint32_t events = 1 + (uint32_t)below(life, 24),
             bad = chance(life, 20) ? 1 + (uint32_t)below(life, 2) : 0;
    if (ampel_feeder_count(ampel_agency_feeder(life->model.agencies[agency])) >=
        SIM_SEQUENCES_MAX - 1)
        return;
    ampel_agency_batch(life->model.agencies[agency], ampel_world_now_ms(life->world), events, bad,
                       life->backfill && chance(life, 10));
    life->out->events += events + bad;
    say(life, "%s makes batch %llu of %u events", sim_life_tenants[agency],
        (unsigned long long)ampel_feeder_count(ampel_agency_feeder(life->model.agencies[agency])) -
            1,
        (unsigned)(events + bad));
}

static struct ampel_feeder *some_feeder(struct life *life, uint64_t *sequence) {
    struct ampel_feeder *feeder =
        ampel_agency_feeder(life->model.agencies[below(life, SIM_AGENCIES)]);
    uint64_t count = ampel_feeder_count(feeder);
    if (count == 0) return NULL;
    *sequence = below(life, count);
    return feeder;
}

static void resend(struct life *life, enum sim_fault fault) {
    uint64_t sequence;
    struct ampel_feeder *feeder = some_feeder(life, &sequence);
    if (feeder == NULL) return;
    fired(life, fault);
    if (fault == SIM_RESENT)
        ampel_feeder_resend(feeder, sequence);
    else if (fault == SIM_RESENT_ELSEWHERE)
        ampel_feeder_resend_elsewhere(feeder, sequence);
    else
        ampel_feeder_restart(feeder);
}

static void harm_message(struct life *life, enum sim_fault fault) {
    resend(life, SIM_RESENT);
    sim_life_pump(life);
    static const struct {
        enum sim_fault fault;
        enum ampel_loopback_harm harm;
    } harms[] = {{SIM_BATCH_DROPPED, AMPEL_HARM_DROP},
                 {SIM_BATCH_DOUBLED, AMPEL_HARM_DOUBLE},
                 {SIM_BATCH_REORDERED, AMPEL_HARM_REORDER},
                 {SIM_BATCH_CUT, AMPEL_HARM_CUT}};
    for (uint32_t i = 0; i < AMPEL_ARRAY_COUNT(harms); i++) {
        if (harms[i].fault == fault &&
            ampel_loopback_harm(ampel_world_feeders(life->world), harms[i].harm, true,
                                ampel_random_next(&life->random)))
            fired(life, fault);
    }
}

static void harm_answer(struct life *life, enum sim_fault fault) {
    enum ampel_loopback_harm harm = fault == SIM_ANSWER_DROPPED ? AMPEL_HARM_DROP
                                    : chance(life, 50)          ? AMPEL_HARM_DOUBLE
                                                                : AMPEL_HARM_REORDER;
    resend(life, SIM_RESENT);
    ampel_world_settle(life->world);
    if (ampel_loopback_harm(ampel_world_feeders(life->world), harm, false,
                            ampel_random_next(&life->random)))
        fired(life, fault);
}

static void fail_disk(struct life *life, enum ampel_disk_status status) {
    struct memory_disk *disk = ampel_world_disk(life->world);
    memory_disk_fail_at(disk, memory_disk_operations(disk) + below(life, 6), status);
    /* A full disk that says so in a sync, or when it should be overwritten with zeroes, stops the worker, too. */
    life->may_die = true;
}

static void fail_database(struct life *life, enum sim_fault fault) {
    static const struct {
        enum sim_fault fault;
        enum ampel_memory_fault what;
    } faults[] = {{SIM_DATABASE_AWAY, AMPEL_FAULT_AWAY},
                  {SIM_DATABASE_RETRY, AMPEL_FAULT_RETRY},
                  {SIM_COMMIT_UNKNOWN_DONE, AMPEL_FAULT_UNKNOWN_DONE},
                  {SIM_COMMIT_UNKNOWN_UNDONE, AMPEL_FAULT_UNKNOWN_UNDONE},
                  {SIM_DATABASE_BROKEN, AMPEL_FAULT_BROKEN}};
    for (uint32_t i = 0; i < AMPEL_ARRAY_COUNT(faults); i++) {
        if (faults[i].fault != fault) continue;
        ampel_memory_database_fault(ampel_world_database(life->world), faults[i].what,
                                    1 + (uint32_t)below(life, 3));
        if (fault == SIM_DATABASE_BROKEN) life->may_die = life->broken = true;
        fired(life, fault);
    }
}

static void jump_clock(struct life *life, enum sim_fault fault) {
    static const int64_t spans[] = {1500, 61000, 2 * HOUR_MS, 20 * HOUR_MS, 3 * AMPEL_DAY_MS};
    int64_t span_ms = spans[below(life, AMPEL_ARRAY_COUNT(spans))];
    if (fault == SIM_CLOCK_BACKWARD && span_ms > 2 * HOUR_MS) span_ms = 2 * HOUR_MS;
    if (life->jumped_ms + span_ms > JUMPS_MAX_MS) return;
    life->jumped_ms += span_ms;
    ampel_world_clock_jump(life->world, fault == SIM_CLOCK_FORWARD ? span_ms : -span_ms);
    fired(life, fault);
}

/* Another gateway, that had not heard of it, appends a batch once more. */
static void double_in_log(struct life *life) {
    struct sim_model *model = &life->model;
    if (model->records_count == 0 || sim_hooks.doubled != NULL) return;
    uint32_t index = (uint32_t)below(life, model->records_count);
    while (index > 0 && !model->records[index].batch)
        index--;
    const struct sim_record *record = &model->records[index];
    if (!record->batch) return;
    sim_hooks.doubled = malloc(record->size);
    AMPEL_ASSERT(sim_hooks.doubled != NULL);
    memcpy(sim_hooks.doubled, model->bytes + record->at, record->size);
    sim_hooks.doubled_size = record->size;
    uint32_t cursor = 0;
    struct ampel_frame frame;
    struct ampel_error error = {0};
    if (!ampel_record_frame_next(model->reader, sim_hooks.doubled, &cursor, &frame, &error)) return;
    for (uint32_t i = 0; i < SIM_AGENCIES; i++) {
        if (strncmp(sim_life_tenants[i], frame.tenant.bytes, frame.tenant.size) == 0)
            model->doubled[i][frame.sequence]++;
    }
}

/* So that it stands still with checkpoints in hand. */
static void hold_up_commits(struct life *life) {
    struct ampel_memory_database *database = ampel_world_database(life->world);
    ampel_memory_database_away(database, true);
    for (uint32_t i = 0; i < 3 && ampel_world_fatal(life->world) == NULL; i++) {
        sim_life_pump(life);
        feed(life);
        ampel_world_pass(life->world, life->options.checkpoint_every_ms);
    }
    ampel_memory_database_away(database, false);
}

static void pause_worker(struct life *life) {
    bool early = chance(life, 50);
    if (early) hold_up_commits(life);
    if (ampel_world_fatal(life->world) != NULL) return;
    say(life, "the worker stands still; another one starts");
    ampel_world_pause(life->world);
    sim_life_forgive(life);
    fired(life, SIM_PAUSED);
    if (!early) return;
    /* It may come back while the other one has only begun, and as soon as it would try the database again. */
    ampel_world_linger(life->world, 6000);
    sim_life_start(life);
    for (uint64_t i = below(life, 3 + life->model.partitions); i > 0 && !wrong(life); i--)
        if (ampel_world_lives(life->world) && ampel_world_fatal(life->world) == NULL)
            (void)ampel_world_turn(life->world);
    sim_life_wake_paused(life);
}

void sim_life_wake_paused(struct life *life) {
    uint64_t before = ampel_memory_database_stream_epoch(life->model.database), after = 0;
    for (uint32_t i = 0; i < life->model.partitions; i++)
        before += life->model.of[i].epoch;
    /* What it says is not what the one that lives may have said. */
    char named[sizeof(sim_hooks.named)];
    memcpy(named, sim_hooks.named, sizeof(named));
    if (!ampel_world_wake_scribe(life->world, 1 + (uint32_t)below(life, 20))) return;
    memcpy(sim_hooks.named, named, sizeof(named));
    say(life, "the paused scribe came back");
    fired(life, SIM_PAUSED_CAME_BACK);
    for (uint32_t i = 0; i < life->model.partitions; i++)
        after += life->model.of[i].epoch;
    after += ampel_memory_database_stream_epoch(life->model.database);
    /* It stood still while it began or claimed, and now has taken something from the one that lives. */
    if (after != before) life->may_die = true;
}

void sim_life_linger(void *context) {
    struct life *life = context;
    if (!enabled(life, SIM_DISK_SLOW) || !chance(life, 2)) return;
    ampel_world_linger(life->world, 1 + (int64_t)below(life, 4000));
    fired(life, SIM_DISK_SLOW);
}

static void stop_orderly(struct life *life) {
    say(life, "an orderly stop");
    bool stopped = ampel_world_stop(life->world);
    if (stopped) fired(life, SIM_STOPPED);
    if (!stopped && ampel_world_fatal(life->world) == NULL) sim_life_kill(life, false);
}

static void suspend(struct life *life) {
    uint32_t agency = (uint32_t)below(life, SIM_AGENCIES);
    life->suspended[agency] = !life->suspended[agency];
    ampel_memory_database_suspend(ampel_world_database(life->world), sim_life_tenants[agency],
                                  life->suspended[agency]);
    fired(life, SIM_TENANT_SUSPENDED);
}

static void database_hour(struct life *life) {
    ampel_memory_database_away(ampel_world_database(life->world), true);
    fired(life, SIM_DATABASE_HOUR);
    for (uint32_t i = 0; i < 12 && ampel_world_fatal(life->world) == NULL && !wrong(life); i++) {
        sim_life_pump(life);
        for (uint32_t j = 0; j < 3 && chance(life, 50); j++)
            feed(life);
        ampel_world_pass(life->world, HOUR_MS / 12);
    }
    ampel_memory_database_away(ampel_world_database(life->world), false);
}

/* As somebody does who tries what his agency's accounts would look like. */
static void draw_rules(struct life *life, struct ampel_rules *rules) {
    static const int32_t windows[] = {180, 180, 180, 90, 30};
    ampel_oracle_rules(rules);
    (void)snprintf(rules->version, sizeof(rules->version), "set-%u",
                   (unsigned)life->model.sets_count + 1);
    rules->start = 100 + (int32_t)below(life, 200);
    rules->window_days = windows[below(life, AMPEL_ARRAY_COUNT(windows))];
    rules->orders_block = 1 + (int32_t)below(life, 400);
    for (uint32_t i = 0; i < AMPEL_ARRAY_COUNT(rules->severity_points); i++)
        rules->severity_points[i] = (int32_t)below(life, 60);
    rules->anchor = chance(life, 50) ? AMPEL_ANCHOR_RERANK : AMPEL_ANCHOR_ANCHORED;
    rules->ladder = (enum ampel_ladder)below(life, AMPEL_LADDER_OFF + 1);
    rules->critical_mode = (enum ampel_critical_mode)below(life, AMPEL_CRITICAL_POINTS + 1);
    rules->cap_effect = chance(life, 30) ? AMPEL_CAP_ZERO : AMPEL_CAP_FLAG;
    for (uint32_t i = 0; i < rules->cap_groups_count; i++)
        rules->cap_groups[i].limit = (uint16_t)(1 + below(life, 6));
    const char *key = "";
    AMPEL_ASSERT(ampel_rules_check(rules, &key));
}

static void set_rules(struct life *life, enum sim_fault fault) {
    if (life->model.sets_count == SIM_SETS_MAX) return;
    struct ampel_rules rules;
    draw_rules(life, &rules);
    say(life, "rules %u are set", (unsigned)life->model.sets_count + 1);
    sim_model_set(&life->model, &rules);
    ampel_memory_database_rules_set(ampel_world_database(life->world), &rules);
    fired(life, SIM_RULES_SET);
    if (fault != SIM_RULES_DEATH) return;
    /* On the way from the database into the log and on to the engines. */
    for (uint64_t i = below(life, 12); i > 0 && ampel_world_fatal(life->world) == NULL; i--)
        (void)ampel_world_turn(life->world);
    if (ampel_world_fatal(life->world) != NULL) return;
    fired(life, SIM_RULES_DEATH);
    sim_life_kill(life, chance(life, 50));
}

static void move_watcher(struct life *life, enum sim_fault fault) {
    int64_t now_ms = ampel_world_monotonic_ms(life->world);
    if (fault == SIM_WATCHER_LEFT)
        sim_watchers_leave(life->watchers, now_ms);
    else if (fault == SIM_WATCHER_LAGS)
        sim_watchers_lag(life->watchers, now_ms);
    else if (!sim_watchers_ask_again(life->watchers))
        return;
    fired(life, fault);
}

void sim_life_fault(struct life *life, enum sim_fault fault) {
    say(life, "fault %u", (unsigned)fault);
    switch (fault) {
    case SIM_KILLED:
        sim_life_kill(life, false);
        return;
    case SIM_POWER:
        sim_life_kill(life, true);
        return;
    case SIM_POWER_IN_CALL:
        fail_disk(life, AMPEL_DISK_OK);
        fired(life, fault);
        return;
    case SIM_DISK_EIO:
        fail_disk(life, AMPEL_DISK_FAILED);
        return;
    case SIM_DISK_FULL:
        fail_disk(life, AMPEL_DISK_FULL);
        return;
    case SIM_DISK_READ_EIO: /* only a start reads */
        sim_life_kill(life, false);
        life->may_die = true;
        memory_disk_fail_reads(ampel_world_disk(life->world), 1);
        return;
    case SIM_DISK_FULL_LONG:
        memory_disk_limit(ampel_world_disk(life->world), below(life, 2 * SEGMENT_BYTES));
        life->full_acts = 40;
        fired(life, fault);
        return;
    case SIM_BATCH_DROPPED:
    case SIM_BATCH_DOUBLED:
    case SIM_BATCH_REORDERED:
    case SIM_BATCH_CUT:
        harm_message(life, fault);
        return;
    case SIM_ANSWER_DROPPED:
    case SIM_ANSWER_HARMED:
        harm_answer(life, fault);
        return;
    case SIM_RESENT:
    case SIM_RESENT_ELSEWHERE:
    case SIM_FEEDER_RESTARTED:
        resend(life, fault);
        return;
    case SIM_LOG_DOUBLED:
        double_in_log(life);
        return;
    case SIM_TENANT_SUSPENDED:
        suspend(life);
        return;
    case SIM_RULES_SET:
    case SIM_RULES_DEATH:
        set_rules(life, fault);
        return;
    case SIM_WATCHER_LEFT:
    case SIM_WATCHER_LAGS:
    case SIM_WATCHER_ASKS:
        move_watcher(life, fault);
        return;
    case SIM_DATABASE_AWAY:
    case SIM_DATABASE_RETRY:
    case SIM_COMMIT_UNKNOWN_DONE:
    case SIM_COMMIT_UNKNOWN_UNDONE:
    case SIM_DATABASE_BROKEN:
        fail_database(life, fault);
        return;
    case SIM_DATABASE_HOUR:
        if (chance(life, 8)) database_hour(life);
        return;
    case SIM_CLOCK_FORWARD:
    case SIM_CLOCK_BACKWARD:
        jump_clock(life, fault);
        return;
    case SIM_STOLEN:
        ampel_memory_database_steal(ampel_world_database(life->world),
                                    (uint32_t)below(life, life->model.partitions));
        life->may_die = true;
        fired(life, fault);
        return;
    case SIM_PAUSED:
        pause_worker(life);
        return;
    case SIM_PAUSED_CAME_BACK:
        sim_life_wake_paused(life);
        return;
    case SIM_FLIP_SYNCED:
        sim_life_kill(life, chance(life, 50));
        sim_life_flip(life);
        return;
    case SIM_STOPPED:
        stop_orderly(life);
        return;
    default:
        return; /* what follows from others */
    }
}

void sim_life_act(struct life *life) {
    if (life->full_acts > 0 && --life->full_acts == 0)
        memory_disk_limit(ampel_world_disk(life->world), UINT64_MAX);
    uint64_t what = below(life, 100);
    if (what < 30) {
        for (uint64_t i = below(life, 30); i > 0 && ampel_world_fatal(life->world) == NULL; i--)
            (void)ampel_world_turn(life->world);
    } else if (what < 55) {
        sim_life_pump(life);
    } else if (what < 80) {
        ampel_world_pass(life->world, 1 + (int64_t)below(life, chance(life, 10) ? 8000 : 300));
    } else if (what < 92) {
        if (life->out->events < SIM_EVENTS_LEAST || chance(life, 5)) feed(life);
    } else {
        enum sim_fault fault = (enum sim_fault)below(life, SIM_FAULTS_COUNT);
        for (uint32_t i = 0; i < SIM_FAULTS_COUNT && !enabled(life, fault); i++)
            fault = (enum sim_fault)below(life, SIM_FAULTS_COUNT);
        if (enabled(life, fault)) sim_life_fault(life, fault);
    }
}
