#include "tests/simulation/life_inside.h"

/* ---- lives ------------------------------------------------------------------------------------ */

/* What stops a worker rightly is over with it. */
void sim_life_forgive(struct life *life) {
    if (life->broken)
        ampel_memory_database_fault(ampel_world_database(life->world), AMPEL_FAULT_NONE, 0);
    life->may_die = life->broken = false;
}

void sim_life_kill(struct life *life, bool power) {
    if (!ampel_world_lives(life->world)) return;
    say(life, power ? "the power fails" : "the process is killed");
    fired(life, power ? SIM_POWER : SIM_KILLED);
    ampel_world_kill(life->world, power);
    sim_life_forgive(life);
}

/* The clock must not stand behind the log at a start, unless a person says that it is right. */
static void mend_clock(struct life *life) {
    const struct sim_record *last =
        life->model.records_count > 0 ? &life->model.records[life->model.records_count - 1] : NULL;
    int64_t behind_ms = last == NULL ? 0 : last->stamp_ms - ampel_world_now_ms(life->world);
    if (behind_ms <= 0) return;
    if (chance(life, 50)) {
        say(life, "a person says that the clock is right");
        ampel_world_clock_is_right(life->world, true);
    } else {
        say(life, "the clock is set right");
        ampel_world_clock_jump(life->world, behind_ms + 1);
    }
}

static bool start_once(struct life *life) {
    struct ampel_error error = {0};
    sim_hooks.named[0] = '\0';
    life->out->starts++;
    fired(life, SIM_STARTED);
    if (life->out->starts > STARTS_MAX) {
        sim_model_fail(&life->model, "%llu starts and no end",
                       (unsigned long long)life->out->starts);
        return false;
    }
    if (!ampel_world_start(life->world, &error)) {
        say(life, "the journal does not open: %s: %s", error.field, error.reason);
        if (!life->may_die)
            sim_model_fail(&life->model, "the journal does not open: %s: %s", error.field,
                           error.reason);
        (void)snprintf(sim_hooks.named, sizeof(sim_hooks.named), "%s: %s", error.field,
                       error.reason);
        return false;
    }
    say(life, "start %llu: the log ends at %llu", (unsigned long long)life->out->starts,
        (unsigned long long)ampel_journal_end(ampel_world_journal(life->world)));
    return true;
}

void sim_life_start(struct life *life) {
    while (!ampel_world_lives(life->world) && !wrong(life)) {
        if (start_once(life)) {
            memory_disk_hold(ampel_world_disk(life->world), true);
            sim_model_verify(&life->model, ampel_world_journal(life->world));
            memory_disk_hold(ampel_world_disk(life->world), false);
            return;
        }
        /* What made it fail does not last. */
        if (life->may_die && chance(life, 50))
            memory_disk_crash(ampel_world_disk(life->world), ampel_random_next(&life->random));
        else
            memory_disk_restart(ampel_world_disk(life->world));
        sim_life_forgive(life);
        memory_disk_limit(ampel_world_disk(life->world), UINT64_MAX);
        life->full_acts = 0;
    }
}

/* A worker that stopped itself: rightly, or not. */
void sim_life_bury(struct life *life) {
    const char *fatal = ampel_world_fatal(life->world);
    if (fatal == NULL || !ampel_world_lives(life->world)) return;
    say(life, "the %s stops the worker: %s", fatal, sim_hooks.named);
    if (life->out->faults[SIM_CLOCK_BACKWARD] > 0 && strstr(sim_hooks.named, "clock") != NULL) {
        fired(life, SIM_CLOCK_REFUSED);
        mend_clock(life);
    } else if (!life->may_die) {
        sim_model_fail(&life->model, "the %s stopped the worker: %s", fatal, sim_hooks.named);
    }
    sim_life_kill(life, chance(life, 30));
}

/* ---- damage while the worker is down ---------------------------------------------------------- */

/* Where the segment that holds a position begins; its name. */
static uint64_t segment_of(struct memory_disk *disk, uint64_t position,
                           char out[AMPEL_DISK_NAME_MAX]) {
    uint64_t found = 0;
    for (uint32_t i = 0; i < memory_disk_files(disk); i++) {
        const char *name = memory_disk_name(disk, i);
        char *end;
        uint64_t start_position = strtoull(name, &end, 16);
        if (strcmp(end, ".log") != 0 || end == name || start_position > position) continue;
        found = start_position;
        (void)snprintf(out, AMPEL_DISK_NAME_MAX, "%s", name);
    }
    return found;
}

/* Flips a bit of a record that is not of the last group and that the next start reads. Damage must be named. */
void sim_life_flip(struct life *life) {
    struct sim_model *model = &life->model;
    uint64_t least = UINT64_MAX;
    for (uint32_t i = 0; i < model->partitions; i++)
        if (model->of[i].position < least) least = model->of[i].position;
    uint32_t from = 0;
    while (from < model->records_count && model->records[from].position < least)
        from++;
    if (from + 3 >= model->records_count) return;
    const struct sim_record *record =
        &model->records[from + below(life, model->records_count - from - 2)];
    /* A last group that is not whole is a torn tail: a group must end between the flip and the end, which is where the next
       record does not follow at once. */
    bool more = false;
    for (uint32_t i = from; i + 1 < model->records_count; i++) {
        if (model->records[i].position <= record->position) continue;
        more |=
            model->records[i].position + model->records[i].size != model->records[i + 1].position;
    }
    if (!more) return;
    struct memory_disk *disk = ampel_world_disk(life->world);
    char file[AMPEL_DISK_NAME_MAX] = "";
    uint64_t start_position = segment_of(disk, record->position, file);
    uint64_t offset = record->position - start_position + below(life, record->size);
    uint8_t bit = (uint8_t)(1 << below(life, 8));
    if (!memory_disk_flip(disk, file, offset, bit)) return;
    say(life, "a bit flips at position %llu", (unsigned long long)(start_position + offset));
    fired(life, SIM_FLIP_SYNCED);
    life->may_die = true;
    bool refused = !start_once(life);
    for (uint32_t i = 0; i < 400 && !refused && !wrong(life); i++) {
        ampel_world_pass(life->world, 20);
        refused = ampel_world_fatal(life->world) != NULL;
    }
    bool named =
        strstr(sim_hooks.named, ".log") != NULL && strstr(sim_hooks.named, "offset") != NULL;
    bool clock = strstr(sim_hooks.named, "clock") != NULL;
    if (refused && named) fired(life, SIM_FLIP_NAMED);
    if (!clock && !(refused && named))
        sim_model_fail(model, "damage at %llu was not named: %s",
                       (unsigned long long)(start_position + offset), sim_hooks.named);
    say(life, "%s", sim_hooks.named);
    if (clock) mend_clock(life);
    if (ampel_world_lives(life->world))
        ampel_world_kill(life->world, false);
    else
        memory_disk_restart(disk);
    /* As from a backup; a file that is there no more needs none. */
    (void)memory_disk_flip(disk, file, offset, bit);
    sim_life_forgive(life);
}
