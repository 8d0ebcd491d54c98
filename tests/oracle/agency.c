#include "tests/oracle/agency.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/registry.h"
#include "tests/oracle/fields.h"
#include "tests/oracle/random.h"

#define MINUTE_MS             INT64_C(60000)
#define VIOLATIONS_AN_ACCOUNT 12
#define NAME_SIZE             AMPEL_AGENCY_NAME_SIZE
#define OLD_MS                (150 * AMPEL_DAY_MS)

struct ampel_agency {
    char tenant[AMPEL_ID_BYTES_MAX + 1];
    struct ampel_random random;
    struct ampel_feeder *feeder;
    struct ampel_batch_builder *builder;
    uint32_t accounts_count, facts_percent;
    struct ampel_oracle *accounts;
    uint64_t bad_count;
    struct ampel_agency_event *told; /* of all batches */
    uint32_t told_count, told_capacity;
    uint32_t *ends; /* by sequence: where its events end in told, doubled; odd: a backfill */
    uint32_t ends_count, ends_capacity;
};

struct ampel_agency *ampel_agency_open(struct ampel_loopback *network, const char *tenant,
                                       const char *producer, uint32_t accounts_count,
                                       uint64_t seed) {
    struct ampel_agency *agency = calloc(1, sizeof(*agency));
    AMPEL_ASSERT(agency != NULL);
    agency->accounts = calloc(accounts_count, sizeof(agency->accounts[0]));
    agency->builder = ampel_batch_builder_open();
    AMPEL_ASSERT(agency->accounts != NULL && agency->builder != NULL);
    (void)snprintf(agency->tenant, sizeof(agency->tenant), "%s", tenant);
    agency->random.state = seed;
    agency->accounts_count = accounts_count;
    agency->feeder = ampel_feeder_open(network, tenant, producer);
    return agency;
}

void ampel_agency_close(struct ampel_agency *agency) {
    if (agency == NULL) return;
    for (uint32_t i = 0; i < agency->accounts_count; i++)
        ampel_oracle_reset(&agency->accounts[i]);
    free(agency->accounts);
    free(agency->told);
    free(agency->ends);
    ampel_batch_builder_close(agency->builder);
    ampel_feeder_close(agency->feeder);
    free(agency);
}

void ampel_agency_facts(struct ampel_agency *agency, uint32_t percent) {
    agency->facts_percent = percent;
}

struct ampel_feeder *ampel_agency_feeder(struct ampel_agency *agency) {
    return agency->feeder;
}
uint64_t ampel_agency_bad(const struct ampel_agency *agency) {
    return agency->bad_count;
}

/* ---- events --------------------------------------------------------------------------------- */

static void name_seller(uint32_t account, char out[NAME_SIZE]) {
    (void)snprintf(out, NAME_SIZE, "S%03u", (unsigned)account);
}

void ampel_agency_seller(uint32_t account, char out[AMPEL_AGENCY_NAME_SIZE]) {
    name_seller(account, out);
}
const char *ampel_agency_tenant(const struct ampel_agency *agency) {
    return agency->tenant;
}
uint32_t ampel_agency_accounts(const struct ampel_agency *agency) {
    return agency->accounts_count;
}

uint32_t ampel_agency_told(const struct ampel_agency *agency, uint64_t sequence,
                           const struct ampel_agency_event **out) {
    AMPEL_ASSERT(sequence < agency->ends_count);
    uint32_t from = sequence == 0 ? 0 : agency->ends[sequence - 1] / 2;
    *out = agency->told + from;
    return agency->ends[sequence] / 2 - from;
}

bool ampel_agency_backfills(const struct ampel_agency *agency, uint64_t sequence) {
    AMPEL_ASSERT(sequence < agency->ends_count);
    return agency->ends[sequence] % 2 == 1;
}

static struct ampel_text text_of(const char *name) {
    return (struct ampel_text){name, (uint32_t)strlen(name)};
}

/* A time of the last days, or up to three minutes ahead. */
static int64_t draw_at(struct ampel_agency *agency, int64_t now_ms, int64_t days) {
    int64_t now_minute = now_ms / MINUTE_MS;
    int64_t back = ampel_random_chance(&agency->random, 50)
                       ? ampel_random_between(&agency->random, -3, 60)
                       : ampel_random_between(&agency->random, 0, days * 24 * 60);
    return (now_minute - back) * MINUTE_MS;
}

static void draw_orders(struct ampel_agency *agency, struct ampel_oracle_event *event,
                        int64_t at_ms) {
    if (ampel_random_chance(&agency->random, 75)) {
        ampel_oracle_event_init(event, AMPEL_EVENT_ORDER, at_ms);
        event->count = (uint32_t)ampel_random_between(&agency->random, 1, 400);
    } else {
        ampel_oracle_event_init(event, AMPEL_EVENT_ORDERS_DAY, at_ms);
        event->count = (uint32_t)ampel_random_between(&agency->random, 0, 3000);
        event->rev = (uint16_t)ampel_random_between(&agency->random, 1, 3);
    }
}

static void draw_violation(struct ampel_agency *agency, struct ampel_oracle_event *event,
                           int64_t at_ms) {
    struct ampel_random *random = &agency->random;
    uint32_t id = (uint32_t)ampel_random_below(random, VIOLATIONS_AN_ACCOUNT);
    /* Every other violation is an old one, near the window's edge: no revision moves it by more
     * than the window. */
    if (id % 2 == 0) at_ms -= OLD_MS;
    ampel_oracle_event_init(event, AMPEL_EVENT_VIOLATION, at_ms);
    event->policy =
        (uint8_t)ampel_random_below(random, ampel_registry_count(AMPEL_REGISTRY_POLICY));
    event->severity = (int8_t)ampel_random_between(random, -1, 4);
    event->rev = (uint16_t)ampel_random_below(random, 3);
    event->points =
        ampel_random_chance(random, 10) ? (int16_t)ampel_random_below(random, 30) : (int16_t)-1;
    (void)snprintf(event->id, sizeof(event->id), "V%u", (unsigned)id);
}

static void draw_state(struct ampel_agency *agency, struct ampel_oracle_event *event,
                       int64_t at_ms) {
    struct ampel_random *random = &agency->random;
    ampel_oracle_event_init(event, AMPEL_EVENT_VIOLATION_STATE, at_ms);
    event->code = (uint8_t)ampel_random_below(random, AMPEL_STATES_COUNT);
    (void)snprintf(event->id, sizeof(event->id), "V%u",
                   (unsigned)ampel_random_below(random, VIOLATIONS_AN_ACCOUNT));
}

/* Of any other type. */
static void draw_fact(struct ampel_agency *agency, struct ampel_oracle_event *event, int64_t at_ms) {
    uint32_t type = AMPEL_EVENT_VIOLATION_STATE + 1 +
                    (uint32_t)ampel_random_below(
                        &agency->random, AMPEL_EVENT_TYPES_COUNT - AMPEL_EVENT_VIOLATION_STATE - 1);
    ampel_oracle_event_init(event, (enum ampel_event_type)type, at_ms);
}

/* What a fact tells beyond its type and time is drawn here. */
static void push(struct ampel_agency *agency, uint32_t account, struct ampel_oracle_event *from) {
    uint8_t extras[AMPEL_EXTRAS_BYTES_MAX];
    struct ampel_event event;
    ampel_story_fields(&agency->random, from, &event, extras, sizeof(extras));
    event.extras = extras;
    char seller[NAME_SIZE];
    name_seller(account, seller);
    AMPEL_ASSERT(ampel_batch_builder_push(agency->builder, text_of(seller), text_of("DE"), &event));
}

void ampel_agency_batch(struct ampel_agency *agency, int64_t now_ms, uint32_t events, uint32_t bad,
                        bool backfill) {
    struct ampel_random *random = &agency->random;
    for (uint32_t i = 0; i < events; i++) {
        uint32_t account = (uint32_t)ampel_random_below(random, agency->accounts_count);
        struct ampel_oracle_event event;
        uint64_t kind = ampel_random_below(random, 10);
        if (agency->facts_percent > 0 && ampel_random_chance(random, agency->facts_percent))
            draw_fact(agency, &event, draw_at(agency, now_ms, 50));
        else if (kind < 4)
            draw_orders(agency, &event, draw_at(agency, now_ms, 200));
        else if (kind < 7)
            draw_violation(agency, &event, draw_at(agency, now_ms, 50));
        else
            draw_state(agency, &event, draw_at(agency, now_ms, 100));
        push(agency, account, &event);
        ampel_oracle_add(&agency->accounts[account], &event);
        agency->told = ampel_oracle_grow(agency->told, agency->told_count, &agency->told_capacity,
                                         sizeof(agency->told[0]));
        agency->told[agency->told_count++] =
            (struct ampel_agency_event){.account = account, .event = event};
    }
    agency->ends = ampel_oracle_grow(agency->ends, agency->ends_count, &agency->ends_capacity,
                                     sizeof(agency->ends[0]));
    agency->ends[agency->ends_count++] = agency->told_count * 2 + (backfill ? 1 : 0);
    for (uint32_t i = 0; i < bad; i++) {
        struct ampel_oracle_event event;
        ampel_oracle_event_init(&event, AMPEL_EVENT_ORDER, now_ms + 10 * MINUTE_MS);
        event.count = 1000;
        push(agency, (uint32_t)ampel_random_below(random, agency->accounts_count), &event);
        agency->bad_count++;
    }
    (void)ampel_feeder_add(agency->feeder, agency->builder, now_ms, backfill);
}

/* ---- the check ------------------------------------------------------------------------------ */

static bool same_caps(const struct ampel_numbers *numbers,
                      const struct ampel_oracle_rating *rating) {
    for (uint32_t i = 0; i < AMPEL_CAP_GROUPS_MAX; i++) {
        if (numbers->caps[i] != rating->caps[i]) return false;
    }
    return true;
}

static bool same(const struct ampel_numbers *numbers, const struct ampel_oracle_rating *rating) {
    return numbers->score == rating->score && numbers->orders == rating->orders &&
           numbers->order_points == rating->order_points && numbers->deducted == rating->deducted &&
           numbers->criticals == rating->criticals && numbers->colour == rating->colour &&
           numbers->risk == rating->risk && same_caps(numbers, rating);
}

static bool check_account(const struct ampel_agency *agency, uint32_t account,
                          const struct ampel_memory_database *database,
                          const struct ampel_oracle_rating *rating, char reason[400]) {
    char seller[NAME_SIZE], name[3 * (AMPEL_ID_BYTES_MAX + 1)];
    name_seller(account, seller);
    (void)snprintf(name, sizeof(name), "%s/%s/DE", agency->tenant, seller);
    const struct ampel_stored_rating *stored = ampel_memory_database_rating(database, name);
    if (!rating->exists) {
        (void)snprintf(reason, 400, "%.60s has a row and no event", name);
        return stored == NULL;
    }
    if (stored == NULL) {
        (void)snprintf(reason, 400, "%.60s has no row", name);
        return false;
    }
    const struct ampel_numbers *numbers = &stored->numbers;
    if (same(numbers, rating)) return true;
    (void)snprintf(
        reason, 400,
        "%.60s: stored score %d orders %u deducted %lld risk %u, oracle %lld %lld %lld %u; "
        "as of %lld",
        name, (int)numbers->score, (unsigned)numbers->orders, (long long)numbers->deducted,
        (unsigned)numbers->risk, (long long)rating->score, (long long)rating->orders,
        (long long)rating->deducted, (unsigned)rating->risk, (long long)stored->as_of_ms);
    return false;
}

bool ampel_agency_check(const struct ampel_agency *agency,
                        const struct ampel_memory_database *database,
                        const struct ampel_rules *rules, int64_t now_ms, char reason[400]) {
    bool fine = true;
    for (uint32_t i = 0; i < agency->accounts_count && fine; i++) {
        struct ampel_oracle_rating rating;
        ampel_oracle_rate(&agency->accounts[i], rules, now_ms, now_ms, &rating);
        fine = check_account(agency, i, database, &rating, reason);
        ampel_oracle_rating_reset(&rating);
    }
    return fine;
}

static const struct ampel_stored_violation *
find_violation(const struct ampel_memory_database *database, const char *account, const char *id) {
    const struct ampel_stored_violation *rows;
    uint32_t count = ampel_memory_database_violations(database, &rows);
    for (uint32_t i = 0; i < count; i++) {
        if (strcmp(rows[i].account, account) == 0 && strcmp(rows[i].id, id) == 0) return &rows[i];
    }
    return NULL;
}

bool ampel_agency_check_violations(const struct ampel_agency *agency,
                                   const struct ampel_memory_database *database,
                                   const struct ampel_rules *rules, int64_t now_ms,
                                   char reason[400]) {
    bool fine = true;
    for (uint32_t i = 0; i < agency->accounts_count && fine; i++) {
        char seller[NAME_SIZE], name[3 * (AMPEL_ID_BYTES_MAX + 1)];
        name_seller(i, seller);
        (void)snprintf(name, sizeof(name), "%s/%s/DE", agency->tenant, seller);
        struct ampel_oracle_rating rating;
        ampel_oracle_rate(&agency->accounts[i], rules, now_ms, now_ms, &rating);
        for (uint32_t j = 0; j < rating.violations_count && fine; j++) {
            const struct ampel_oracle_violation *violation = &rating.violations[j];
            const struct ampel_stored_violation *stored =
                find_violation(database, name, violation->told->id);
            fine = stored != NULL && stored->state == violation->state &&
                   stored->rank == violation->rank && stored->points == violation->points;
            (void)snprintf(
                reason, 400, "%.60s %.60s: state %d rank %d points %lld, oracle %u %u %lld", name,
                violation->told->id, stored == NULL ? -1 : stored->state,
                stored == NULL ? -1 : (int)stored->rank,
                stored == NULL ? -1LL : (long long)stored->points, (unsigned)violation->state,
                (unsigned)violation->rank, (long long)violation->points);
        }
        ampel_oracle_rating_reset(&rating);
    }
    return fine;
}
