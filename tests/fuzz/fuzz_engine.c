/* Sequences of what can happen to an engine. The input is a script: events, frames, resends, time, restarts from pages,
   other rules. Then another engine is told the same events in another order, in other frames, at other times: of each
   account both know the same, byte for byte (rating-model 1), and it is what the slow oracle says. */
#include <stdlib.h>
#include <string.h>

#include "engine/engine.h"
#include "engine/outlook.h"
#include "proto/batch.h"
#include "proto/draft.h"
#include "proto/hash.h"
#include "proto/text.h"
#include "tests/fuzz/fuzz.h"
#include "tests/oracle/maker.h"
#include "tests/oracle/oracle.h"

#define ACCOUNTS       3
#define EVENTS_MAX     96
#define FORECAST_STEPS 6
#define START_MS       (20000 * AMPEL_DAY_MS)
/* Below two windows from the first event on, nothing is forgotten: whatever is told late still counts. */
#define SPAN_MAX_MS (340 * AMPEL_DAY_MS)

static const char *const sellers[ACCOUNTS] = {"A1", "B2", "C3"};

struct told {
    uint32_t account;
    struct ampel_event event;
    uint8_t extras[AMPEL_EXTRAS_BYTES_MAX];
};

static struct world {
    struct fuzz_script *script;
    struct ampel_engine *engine;
    struct ampel_rules rules;
    int64_t now_ms;
    struct told told[EVENTS_MAX];
    uint32_t told_count;  /* events made */
    uint32_t flown_count; /* of them, already in frames */
    uint32_t frame_first; /* of the frame before, for resends */
    int64_t frame_ms;
    uint64_t sequence;
    bool restarted;
} world;

static struct ampel_batch_builder *builder;

/* ---- engines -------------------------------------------------------------------------------- */

static struct ampel_engine *engine_open(const struct ampel_rules *rules) {
    struct ampel_engine *engine = NULL;
    struct ampel_engine_options options = {
        .memory = fuzz_memory(), .rules = rules, .start_ms = START_MS};
    AMPEL_ASSERT(ampel_engine_open(&options, &engine) == AMPEL_ENGINE_OK);
    return engine;
}

static void advance(struct ampel_engine *engine, int64_t to_ms, uint32_t steps_max) {
    bool done = false;
    while (!done)
        AMPEL_ASSERT(ampel_engine_advance(engine, to_ms, steps_max, &done) == AMPEL_ENGINE_OK);
    AMPEL_ASSERT(ampel_engine_now(engine) >= to_ms);
    ampel_engine_changes_clear(engine);
}

static void apply(struct ampel_engine *engine, const uint32_t *order, uint32_t count,
                  const char *producer, uint64_t sequence, bool backfill, bool duplicate) {
    struct ampel_frame frame;
    struct ampel_apply_counts counts;
    ampel_batch_builder_reset(builder);
    for (uint32_t i = 0; i < count; i++) {
        const struct told *told = &world.told[order[i]];
        AMPEL_ASSERT(ampel_batch_builder_push(builder, ampel_text_of(sellers[told->account]),
                                              ampel_text_of("DE"), &told->event));
    }
    AMPEL_ASSERT(ampel_batch_builder_frame(builder, ampel_text_of("agency"), &frame));
    frame.stamp_ms = frame.sent_at_ms = ampel_engine_now(engine);
    frame.producer = ampel_text_of(producer);
    frame.sequence = sequence;
    frame.backfill = backfill;
    AMPEL_ASSERT(ampel_engine_apply(engine, &frame, &counts) == AMPEL_ENGINE_OK);
    AMPEL_ASSERT(counts.duplicate == duplicate);
    AMPEL_ASSERT(duplicate || (counts.applied == count && counts.refused == 0));
    ampel_engine_changes_clear(engine);
}

/* The engine is gone; another one reads what it exported. */
static struct ampel_engine *restart(struct ampel_engine *engine, const struct ampel_rules *rules) {
    struct ampel_engine *next = engine_open(rules);
    uint32_t size = ampel_engine_meta_export(engine, NULL, 0);
    uint8_t *bytes = malloc(size);
    AMPEL_ASSERT(ampel_engine_meta_export(engine, bytes, size) == size);
    AMPEL_ASSERT(ampel_engine_meta_import(next, bytes, size) == AMPEL_ENGINE_OK);
    free(bytes);
    for (uint32_t page = 0; page < ampel_engine_pages_count(engine); page++) {
        size = ampel_engine_page_export(engine, page, NULL, 0);
        bytes = malloc(size);
        AMPEL_ASSERT(ampel_engine_page_export(engine, page, bytes, size) == size);
        AMPEL_ASSERT(ampel_engine_page_import(next, page, bytes, size) == AMPEL_ENGINE_OK);
        free(bytes);
    }
    AMPEL_ASSERT(ampel_engine_import_finish(next) == AMPEL_ENGINE_OK);
    ampel_engine_changes_clear(next);
    ampel_engine_close(engine);
    return next;
}

/* ---- the script ----------------------------------------------------------------------------- */

/* A moment from the start to a little after now: what lies ahead waits in the engine. */
static int64_t make_time(void) {
    uint8_t kind = fuzz_u8(world.script) % 8;
    int64_t at_ms = world.now_ms;
    if (kind == 0) at_ms += fuzz_u8(world.script) * INT64_C(1000);
    if (kind == 1) at_ms += fuzz_u8(world.script) % 25 * AMPEL_HOUR_MS;
    if (kind == 2) at_ms -= fuzz_u8(world.script);
    if (kind == 3) at_ms -= at_ms % AMPEL_DAY_MS + fuzz_u8(world.script) % 2;
    if (kind == 4) at_ms -= AMPEL_WINDOW_MS + fuzz_u8(world.script) % 3 - 1;
    if (kind == 5) at_ms -= fuzz_u8(world.script) * AMPEL_DAY_MS;
    if (kind == 6) at_ms = START_MS + fuzz_u8(world.script) * AMPEL_DAY_MS;
    if (at_ms > world.now_ms + AMPEL_DAY_MS) at_ms = world.now_ms + AMPEL_DAY_MS;
    return at_ms < START_MS ? START_MS : at_ms;
}

static void put_text(struct ampel_extras_writer *writer, enum ampel_extra_tag tag, char letter) {
    struct ampel_text text = {&letter, 1};
    AMPEL_ASSERT(ampel_extras_put_text(writer, tag, text));
}

/* Of few ids, so that they meet. */
static void make_violation(struct told *told) {
    struct ampel_event *event = &told->event;
    struct ampel_extras_writer writer = {told->extras, sizeof told->extras, 0};
    uint8_t look = fuzz_u8(world.script), more = fuzz_u8(world.script);
    put_text(&writer, AMPEL_EXTRA_ID, (char)('a' + look % 5));
    event->policy = look / 5 % 2 == 0 ? 0 : (uint8_t)(look / 10 % 13);
    event->severity = (int8_t)(more % 6 - 1);
    event->rev = more / 6 % 3;
    if (more / 18 % 4 == 0) event->points = (int16_t)(fuzz_u16(world.script) % 1001);
    if (more / 18 % 4 == 1) put_text(&writer, AMPEL_EXTRA_INCIDENT, 'i');
    if (more / 18 % 4 == 2) put_text(&writer, AMPEL_EXTRA_SKU, (char)('s' + look % 2));
    event->extras = told->extras;
    event->extras_size = writer.size;
}

static void make_state(struct told *told) {
    struct ampel_extras_writer writer = {told->extras, sizeof told->extras, 0};
    uint8_t look = fuzz_u8(world.script);
    put_text(&writer, AMPEL_EXTRA_ID, (char)('a' + look % 5));
    told->event.code = look / 5 % AMPEL_STATES_COUNT;
    told->event.extras = told->extras;
    told->event.extras_size = writer.size;
}

static void make_event(void) {
    struct told *told = &world.told[world.told_count];
    uint8_t kind = fuzz_u8(world.script);
    uint8_t type = kind / ACCOUNTS % 8 < 5 ? kind / 24 % 4 : kind / 24 % AMPEL_EVENT_TYPES_COUNT;
    const char *field;
    told->account = kind % ACCOUNTS;
    ampel_event_reset(&told->event, type, make_time());
    if (type == AMPEL_EVENT_ORDER) {
        told->event.count = 1 + fuzz_u16(world.script) * UINT32_C(256) % AMPEL_ORDERS_MAX;
    } else if (type == AMPEL_EVENT_ORDERS_DAY) {
        told->event.count = fuzz_u16(world.script);
        told->event.rev = 1 + fuzz_u8(world.script) % 3;
    } else if (type == AMPEL_EVENT_VIOLATION) {
        make_violation(told);
    } else if (type == AMPEL_EVENT_VIOLATION_STATE) {
        make_state(told);
    } else {
        struct ampel_maker maker = {fuzz_u8(world.script)};
        int64_t at_ms = told->event.at_ms;
        ampel_maker_event(&maker, type, at_ms, told->extras, &told->event);
        told->event.at_ms = at_ms;
    }
    /* What a batch would refuse never comes to an engine. */
    if (ampel_draft_judge(&told->event, INT64_MIN, &field) == AMPEL_VERDICT_OK) world.told_count++;
}

static void send_frame(void) {
    uint32_t order[EVENTS_MAX], count = 0;
    if (world.flown_count == world.told_count) return;
    world.frame_first = world.flown_count;
    world.frame_ms = world.now_ms;
    while (world.flown_count < world.told_count)
        order[count++] = world.flown_count++;
    apply(world.engine, order, count, "erp", world.sequence++, fuzz_u8(world.script) % 4 == 3,
          false);
}

static void resend_frame(void) {
    uint32_t order[EVENTS_MAX], count = 0;
    /* A producer that was silent for 30 days is forgotten; the gateway takes nothing that old. */
    if (world.sequence == 0 || world.now_ms - world.frame_ms > AMPEL_SENT_BEHIND_MAX_MS) return;
    for (uint32_t i = world.frame_first; i < world.flown_count; i++)
        order[count++] = i;
    apply(world.engine, order, count, "erp", world.sequence - 1, false, true);
}

static void pass_time(void) {
    static const int64_t units_ms[] = {1, 1000, AMPEL_HOUR_MS, AMPEL_DAY_MS};
    uint8_t unit = fuzz_u8(world.script);
    world.now_ms += units_ms[unit % 4] * fuzz_u8(world.script);
    if (unit / 4 % 4 == 1) world.now_ms += AMPEL_DAY_MS - world.now_ms % AMPEL_DAY_MS;
    if (world.now_ms > START_MS + SPAN_MAX_MS) world.now_ms = START_MS + SPAN_MAX_MS;
    advance(world.engine, world.now_ms, 1 + unit / 16);
}

static void change_rules(void) {
    uint8_t look = fuzz_u8(world.script);
    struct ampel_rules *rules = &world.rules;
    rules->ladder = (enum ampel_ladder)(look % 4);
    rules->anchor = (enum ampel_anchor)(look / 4 % 2);
    rules->critical_mode = (enum ampel_critical_mode)(look / 8 % 3);
    rules->cap_effect = (enum ampel_cap_effect)(look / 24 % 2);
    rules->orders_rounding = (enum ampel_rounding)(look / 48 % 2);
    rules->clamp_before_deduction = look / 96 % 2 == 1;
    if (look >= 192) rules->window_days = 1 + fuzz_u8(world.script) % AMPEL_WINDOW_DAYS_MAX;
    AMPEL_ASSERT(ampel_engine_rules_set(world.engine, rules) == AMPEL_ENGINE_OK);
    ampel_engine_changes_clear(world.engine);
}

static void run_script(void) {
    while (!fuzz_done(world.script) && world.told_count < EVENTS_MAX) {
        uint8_t deed = fuzz_u8(world.script) % 16;
        if (deed < 8)
            make_event();
        else if (deed < 10)
            send_frame();
        else if (deed < 11)
            resend_frame();
        else if (deed < 14)
            pass_time();
        else if (deed < 15)
            world.engine = restart(world.engine, &world.rules), world.restarted = true;
        else
            change_rules();
    }
    send_frame();
    advance(world.engine,
            START_MS + SPAN_MAX_MS < world.now_ms + 2 * AMPEL_DAY_MS
                ? START_MS + SPAN_MAX_MS + 2 * AMPEL_DAY_MS
                : world.now_ms + 2 * AMPEL_DAY_MS,
            7);
    world.now_ms = ampel_engine_now(world.engine);
}

/* ---- told otherwise ------------------------------------------------------------------------- */

static struct ampel_engine *tell_otherwise(struct ampel_random *random) {
    uint32_t order[EVENTS_MAX], done = 0;
    struct ampel_engine *engine = engine_open(&world.rules);
    for (uint32_t i = 0; i < world.told_count; i++)
        order[i] = i;
    for (uint32_t i = world.told_count; i > 1; i--) {
        uint32_t other = (uint32_t)ampel_random_below(random, i), kept = order[i - 1];
        order[i - 1] = order[other];
        order[other] = kept;
    }
    while (done < world.told_count) {
        uint32_t count = 1 + (uint32_t)ampel_random_below(random, world.told_count - done);
        apply(engine, order + done, count, "", 0, ampel_random_chance(random, 20), false);
        done += count;
        if (ampel_random_chance(random, 40))
            advance(engine, ampel_random_between(random, ampel_engine_now(engine), world.now_ms),
                    1000);
        if (ampel_random_chance(random, 20)) engine = restart(engine, &world.rules);
    }
    advance(engine, world.now_ms, 3);
    return engine;
}

static uint32_t slot_of(const struct ampel_engine *engine, uint32_t account) {
    struct ampel_text tenant = ampel_text_of("agency"), seller = ampel_text_of(sellers[account]);
    uint64_t hash = ampel_hash_account(tenant, seller, ampel_text_of("DE"));
    return ampel_engine_account_find(engine, hash, tenant, seller, ampel_text_of("DE"));
}

static uint32_t export_account(const struct ampel_engine *engine, uint32_t account,
                               uint8_t **bytes) {
    uint32_t slot = slot_of(engine, account);
    *bytes = NULL;
    if (slot == AMPEL_SLOT_NONE) return 0;
    uint32_t size = ampel_engine_account_export(engine, slot, NULL, 0);
    *bytes = malloc(size);
    AMPEL_ASSERT(ampel_engine_account_export(engine, slot, *bytes, size) == size);
    return size;
}

static void check_same(const struct ampel_engine *other) {
    for (uint32_t account = 0; account < ACCOUNTS; account++) {
        uint8_t *left, *right;
        uint32_t left_size = export_account(world.engine, account, &left);
        uint32_t right_size = export_account(other, account, &right);
        AMPEL_ASSERT(left_size == right_size);
        AMPEL_ASSERT(left_size == 0 || memcmp(left, right, left_size) == 0);
        free(left);
        free(right);
    }
}

/* ---- the oracle ----------------------------------------------------------------------------- */

static void copy_text(char out[AMPEL_ID_BYTES_MAX + 1], const struct ampel_event *event,
                      enum ampel_extra_tag tag) {
    struct ampel_text text = ampel_extra_text(event, tag);
    if (text.size > 0) memcpy(out, text.bytes, text.size);
    out[text.size] = 0;
}

static void oracle_fill(struct ampel_oracle *oracle, uint32_t account) {
    for (uint32_t i = 0; i < world.told_count; i++) {
        const struct ampel_event *event = &world.told[i].event;
        struct ampel_oracle_event out;
        if (world.told[i].account != account) continue;
        ampel_oracle_event_init(&out, (enum ampel_event_type)event->type, event->at_ms);
        out.count = event->count;
        out.rev = event->rev;
        out.points = event->points;
        out.policy = event->policy;
        out.severity = event->severity;
        out.code = event->code;
        if (event->type == AMPEL_EVENT_VIOLATION || event->type == AMPEL_EVENT_VIOLATION_STATE) {
            copy_text(out.id, event, AMPEL_EXTRA_ID);
            copy_text(out.incident, event, AMPEL_EXTRA_INCIDENT);
            copy_text(out.asin, event, AMPEL_EXTRA_ASIN);
            copy_text(out.sku, event, AMPEL_EXTRA_SKU);
        }
        ampel_oracle_add(oracle, &out);
    }
}

static void check_oracle(void) {
    for (uint32_t account = 0; account < ACCOUNTS; account++) {
        struct ampel_oracle oracle = {0};
        struct ampel_oracle_rating rating = {0};
        struct ampel_numbers numbers;
        oracle_fill(&oracle, account);
        ampel_oracle_rate(&oracle, &world.rules, world.now_ms, world.now_ms, &rating);
        uint32_t slot = slot_of(world.engine, account);
        AMPEL_ASSERT((slot != AMPEL_SLOT_NONE) == (oracle.events_count > 0));
        if (slot != AMPEL_SLOT_NONE) {
            ampel_engine_numbers(world.engine, slot, &numbers);
            AMPEL_ASSERT(numbers.score == rating.score);
            AMPEL_ASSERT(numbers.orders == rating.orders);
            AMPEL_ASSERT(numbers.deducted == rating.deducted);
            AMPEL_ASSERT(numbers.colour == rating.colour && numbers.risk == rating.risk);
            AMPEL_ASSERT(numbers.criticals == rating.criticals);
            for (uint32_t i = 0; i < world.rules.cap_groups_count; i++)
                AMPEL_ASSERT(numbers.caps[i] == rating.caps[i]);
            FUZZ_CANARY(world.restarted && rating.deducted > 60 && rating.orders == 0);
        }
        ampel_oracle_rating_reset(&rating);
        ampel_oracle_reset(&oracle);
    }
}

/* ---- the outlook ---------------------------------------------------------------------------- */

static int32_t score_of(const struct ampel_engine *engine, uint32_t slot) {
    struct ampel_numbers numbers;
    ampel_engine_numbers(engine, slot, &numbers);
    return numbers.score;
}

/* What was forecast comes to pass, at its instant and not a millisecond before. Spends the engine's
   time. */
static void check_forecast(struct ampel_engine *engine, uint32_t slot) {
    struct ampel_outlook_step steps[FORECAST_STEPS];
    const struct ampel_outlook_step *told;
    uint32_t count;
    int64_t next_ms;
    int32_t score = score_of(engine, slot);
    AMPEL_ASSERT(ampel_outlook_forecast(engine, slot, false, &told, &count) == AMPEL_ENGINE_OK);
    uint32_t kept = count < FORECAST_STEPS ? count : FORECAST_STEPS;
    if (kept > 0) memcpy(steps, told, kept * sizeof steps[0]);
    AMPEL_ASSERT(ampel_outlook_next_change(engine, slot, &next_ms) == AMPEL_ENGINE_OK);
    AMPEL_ASSERT(next_ms == (kept > 0 ? steps[0].at_ms : INT64_MAX));
    for (uint32_t i = 0; i < kept; i++) {
        advance(engine, steps[i].at_ms - 1, 1000);
        AMPEL_ASSERT(score_of(engine, slot) == score);
        advance(engine, steps[i].at_ms, 1000);
        AMPEL_ASSERT(score_of(engine, slot) == steps[i].score);
        AMPEL_ASSERT(steps[i].score != score);
        score = steps[i].score;
    }
}

/* Every answer starts from what the account shows, the better risk comes first, and green needs
   nothing to be green. */
static void check_fixes(struct ampel_engine *engine, uint32_t slot) {
    const struct ampel_outlook_fix *fixes;
    struct ampel_outlook_green green;
    struct ampel_numbers numbers;
    uint32_t count;
    ampel_engine_numbers(engine, slot, &numbers);
    AMPEL_ASSERT(ampel_outlook_fixes(engine, slot, &fixes, &count) == AMPEL_ENGINE_OK);
    for (uint32_t i = 0; i < count; i++) {
        AMPEL_ASSERT(fixes[i].now.score == numbers.score && fixes[i].now.risk == numbers.risk);
        AMPEL_ASSERT(i == 0 || fixes[i - 1].approved.risk <= fixes[i].approved.risk);
    }
    AMPEL_ASSERT(ampel_outlook_to_green(engine, slot, &green) == AMPEL_ENGINE_OK);
    AMPEL_ASSERT(!green.found || green.count <= count);
    AMPEL_ASSERT(numbers.score < world.rules.band_green || (green.found && green.count == 0));
}

static void check_outlook(struct ampel_engine *engine, uint32_t account) {
    uint32_t slot = slot_of(engine, account);
    if (slot == AMPEL_SLOT_NONE) return;
    check_fixes(engine, slot);
    check_forecast(engine, slot);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    struct fuzz_script script = {bytes, size, 0};
    struct ampel_random random = {ampel_hash_bytes(bytes, size)};
    if (builder == NULL) builder = ampel_batch_builder_open();
    world.script = &script;
    world.now_ms = START_MS;
    world.told_count = world.flown_count = world.frame_first = 0;
    world.sequence = 0;
    world.restarted = false;
    ampel_rules_init(&world.rules);
    world.engine = engine_open(&world.rules);
    run_script();
    struct ampel_engine *other = tell_otherwise(&random);
    check_same(other);
    check_oracle();
    check_outlook(other, (uint32_t)ampel_random_below(&random, ACCOUNTS));
    ampel_engine_close(other);
    ampel_engine_close(world.engine);
    return 0;
}
