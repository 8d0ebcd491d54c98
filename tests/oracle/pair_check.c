/* See pair.h: what the engine holds and names against the oracle. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/oracle/pair.h"

#define TWO_WINDOWS (2 * AMPEL_WINDOW_MS)

/* ---- accounts ------------------------------------------------------------------------------- */

static void check_numbers(struct ampel_pair *pair, uint32_t account, uint32_t slot,
                          const struct ampel_oracle_rating *rating) {
    struct ampel_numbers actual;
    struct ampel_numbers expected = ampel_expect_numbers(rating);
    ampel_engine_numbers(pair->engine, slot, &actual);
    if (!ampel_expect_same_numbers(&actual, &expected)) {
        ampel_pair_fail(pair,
                        "S%u at %lld: score %d (oracle %d), orders %u (%u), order points %d (%d), "
                        "deducted %lld (%lld), caps %u %u (%u %u), criticals %u (%u), colour %u "
                        "(%u), risk %u (%u)",
                        account, (long long)pair->now_ms, actual.score, expected.score,
                        actual.orders, expected.orders, actual.order_points, expected.order_points,
                        (long long)actual.deducted, (long long)expected.deducted, actual.caps[0],
                        actual.caps[1], expected.caps[0], expected.caps[1], actual.criticals,
                        expected.criticals, actual.colour, expected.colour, actual.risk,
                        expected.risk);
    }
}

static bool same_text(struct ampel_text text, const char *terminated) {
    return text.size == strlen(terminated) && memcmp(text.bytes, terminated, text.size) == 0;
}

/* Rank and points are compared in the window only: before it, a repeat may have left memory. */
static bool same_violation(const struct ampel_violation *actual,
                           const struct ampel_oracle_violation *expected,
                           const struct ampel_rules *rules) {
    const struct ampel_oracle_event *told = expected->told;
    return same_text(actual->id, told->id) && actual->policy == told->policy &&
           actual->at_ms == told->at_ms &&
           actual->expires_at_ms == told->at_ms + rules->window_days * AMPEL_DAY_MS &&
           actual->state == expected->state && actual->state_at_ms == expected->state_at_ms &&
           actual->cleared_since_ms == expected->cleared_since_ms && actual->rev == told->rev &&
           actual->at_risk_sales_cents == told->at_risk_sales_cents &&
           actual->points_given == told->points && actual->severity_given == told->severity &&
           actual->severity == expected->severity && actual->in_window == expected->in_window &&
           actual->deducting == expected->deducting && actual->critical == expected->critical &&
           same_text(actual->incident, told->incident) && same_text(actual->asin, told->asin) &&
           same_text(actual->sku, told->sku) &&
           (!expected->in_window ||
            (actual->rank == expected->rank && actual->points == expected->points));
}

static void fail_violation(struct ampel_pair *pair, uint32_t account,
                           const struct ampel_violation *actual,
                           const struct ampel_oracle_violation *expected) {
    ampel_pair_fail(
        pair,
        "S%u violation '%.*s' at %lld: policy %u (oracle %u), at %lld (%lld), state %u since %lld "
        "(%u since %lld), cleared since %lld (%lld), rank %u (%u), points %lld (%lld), severity %d "
        "(%d), rev %u (%u), in window %d (%d), deducting %d (%d), critical %d (%d), or texts",
        account, (int)actual->id.size, actual->id.bytes, (long long)pair->now_ms, actual->policy,
        expected->told->policy, (long long)actual->at_ms, (long long)expected->told->at_ms,
        actual->state, (long long)actual->state_at_ms, expected->state,
        (long long)expected->state_at_ms, (long long)actual->cleared_since_ms,
        (long long)expected->cleared_since_ms, actual->rank, expected->rank,
        (long long)actual->points, (long long)expected->points, actual->severity,
        expected->severity, actual->rev, expected->told->rev, actual->in_window,
        expected->in_window, actual->deducting, expected->deducting, actual->critical,
        expected->critical);
}

/* Whether some event of the violation waits for its time: it was seen, so it keeps the violation in
 * memory. */
static bool has_waiting(const struct ampel_oracle *oracle, const char *id, int64_t now_ms) {
    for (uint32_t index = 0; index < oracle->events_count; index++) {
        const struct ampel_oracle_event *event = &oracle->events[index];
        if ((event->type == AMPEL_EVENT_VIOLATION || event->type == AMPEL_EVENT_VIOLATION_STATE) &&
            event->at_ms > now_ms && strcmp(event->id, id) == 0) {
            return true;
        }
    }
    return false;
}

/* Both lists are in the order of (policy, at, id), so one walk compares them. What left memory is
   in the oracle's list alone. */
static void check_violations(struct ampel_pair *pair, uint32_t account, uint32_t slot,
                             const struct ampel_oracle_rating *rating) {
    const struct ampel_oracle *oracle = &pair->accounts[account].oracle;
    uint32_t cursor = 0;
    struct ampel_violation actual;
    bool more = ampel_engine_violation_next(pair->engine, slot, &cursor, &actual);
    for (uint32_t index = 0; index < rating->violations_count; index++) {
        const struct ampel_oracle_violation *expected = &rating->violations[index];
        bool forgotten = expected->newest_at_ms < pair->now_ms - TWO_WINDOWS;
        if (more && same_text(actual.id, expected->told->id)) {
            if (!same_violation(&actual, expected, pair->rules)) {
                fail_violation(pair, account, &actual, expected);
            }
            if (forgotten && !has_waiting(oracle, expected->told->id, pair->now_ms)) {
                ampel_pair_fail(pair, "S%u violation '%s' should have left memory at %lld", account,
                                expected->told->id, (long long)pair->now_ms);
            }
            more = ampel_engine_violation_next(pair->engine, slot, &cursor, &actual);
        } else if (!forgotten) {
            ampel_pair_fail(pair, "S%u violation '%s' is not known, or not in its place, at %lld",
                            account, expected->told->id, (long long)pair->now_ms);
        }
    }
    if (more) {
        ampel_pair_fail(pair, "S%u violation '%.*s' is unknown to the oracle, or not in its place",
                        account, (int)actual.id.size, actual.id.bytes);
    }
}

static void check_days(struct ampel_pair *pair, uint32_t account, uint32_t slot) {
    int64_t today = pair->now_ms / AMPEL_DAY_MS;
    const struct ampel_oracle *oracle = &pair->accounts[account].oracle;
    for (int sample = 0; sample < 2; sample++) {
        uint64_t pick = ampel_random_below(&pair->random, oracle->events_count);
        int64_t day = oracle->events[pick].at_ms / AMPEL_DAY_MS;
        bool authoritative = false;
        uint32_t actual = ampel_engine_orders_of(pair->engine, slot, day, &authoritative);
        int64_t expected = day <= today && day > today - AMPEL_WINDOW_DAYS_MAX
                               ? ampel_oracle_orders_of(oracle, pair->now_ms, day)
                               : 0;
        if (actual != expected) {
            ampel_pair_fail(pair, "S%u has %u orders on day %lld, oracle %lld", account, actual,
                            (long long)day, (long long)expected);
        }
    }
}

void ampel_pair_check_account(struct ampel_pair *pair, uint32_t account) {
    uint32_t slot = ampel_pair_slot(pair->engine, account);
    bool told = pair->accounts[account].oracle.events_count > 0;
    if (told != (slot != AMPEL_SLOT_NONE)) {
        ampel_pair_fail(pair, "S%u has slot %u, told %d", account, slot, told);
    }
    if (!told || pair->failed) {
        return;
    }
    struct ampel_oracle_rating rating;
    ampel_oracle_rate(&pair->accounts[account].oracle, pair->rules, pair->now_ms, pair->now_ms,
                      &rating);
    check_numbers(pair, account, slot, &rating);
    check_violations(pair, account, slot, &rating);
    check_days(pair, account, slot);
    ampel_oracle_rating_reset(&rating);
}

/* ---- changes -------------------------------------------------------------------------------- */

uint32_t ampel_pair_account_of(const struct ampel_pair *pair, uint32_t slot) {
    struct ampel_text tenant, seller, marketplace;
    char digits[16] = "";
    ampel_engine_account_identity(pair->engine, slot, &tenant, &seller, &marketplace);
    AMPEL_ASSERT(seller.size >= 2 && seller.size < sizeof digits);
    memcpy(digits, seller.bytes + 1, seller.size - 1);
    return (uint32_t)strtoul(digits, NULL, 10);
}

static uint64_t mix(uint64_t digest, uint64_t word) {
    struct ampel_random random = {digest ^ word};
    return ampel_random_next(&random);
}

/* Every field that a reader of changes could see; times count from the story's beginning. */
static uint64_t digest_change(uint64_t digest, const struct ampel_change *change,
                              int64_t start_ms) {
    digest = mix(digest, (uint64_t)(change->at_ms - start_ms));
    digest = mix(digest, change->deadline_ms == 0 ? 0 : (uint64_t)(change->deadline_ms - start_ms));
    digest = mix(digest, change->slot);
    digest = mix(digest, change->kind * 65536U + change->cap_group * 256U + change->is_new);
    digest = mix(digest, (uint64_t)change->before.score);
    digest = mix(digest, (uint64_t)change->after.score);
    digest = mix(digest, change->after.orders);
    digest = mix(digest, (uint64_t)change->after.deducted);
    digest = mix(digest, (uint64_t)(change->cause.at_ms - start_ms));
    digest = mix(digest, change->cause.sequence);
    digest = mix(digest, change->cause.kind * 65536U + change->cause.policy * 256U +
                             change->cause.event_type);
    for (uint32_t index = 0; index < change->cause.id_size; index++) {
        digest = mix(digest, (uint64_t)change->cause.id[index]);
    }
    return digest;
}

static int compare_expected(const void *left, const void *right) {
    const struct ampel_expected *a = left;
    const struct ampel_expected *b = right;
    if (a->account != b->account) {
        return a->account < b->account ? -1 : 1;
    }
    if (a->at_ms != b->at_ms) {
        return a->at_ms < b->at_ms ? -1 : 1;
    }
    if (a->kind != b->kind) {
        return a->kind < b->kind ? -1 : 1;
    }
    return (int)a->cap_group - (int)b->cap_group;
}

/* The summary of a backfill comes 60 s after its last event, tells what stood before it and what
 * stands now. */
static void check_summary(struct ampel_pair *pair, uint32_t account,
                          const struct ampel_change *change) {
    struct ampel_pair_account *state = &pair->accounts[account];
    struct ampel_oracle_rating rating;
    ampel_oracle_rate(&state->oracle, pair->rules, change->at_ms, change->at_ms, &rating);
    struct ampel_numbers after = ampel_expect_numbers(&rating);
    ampel_oracle_rating_reset(&rating);
    if (!state->backfilling || change->at_ms != state->backfilled_at_ms + AMPEL_BACKFILL_QUIET_MS ||
        change->is_new != state->was_new ||
        !ampel_expect_same_numbers(&change->before, &state->before) ||
        !ampel_expect_same_numbers(&change->after, &after)) {
        ampel_pair_fail(pair,
                        "S%u summary of a backfill (%d) of %lld at %lld: score %d (oracle %d) -> "
                        "%d (%d), new %d (%d)",
                        account, state->backfilling, (long long)state->backfilled_at_ms,
                        (long long)change->at_ms, change->before.score, state->before.score,
                        change->after.score, after.score, change->is_new, state->was_new);
    }
    state->backfilling = false;
}

/* A violation that left memory: every event of it is older than two windows. */
static void check_forgotten(struct ampel_pair *pair, uint32_t account,
                            const struct ampel_change *change) {
    const struct ampel_oracle *oracle = &pair->accounts[account].oracle;
    for (uint32_t index = 0; index < oracle->events_count; index++) {
        const struct ampel_oracle_event *event = &oracle->events[index];
        struct ampel_text id = {change->cause.id, change->cause.id_size};
        if (event->id[0] != 0 && same_text(id, event->id) &&
            event->at_ms >= change->at_ms - TWO_WINDOWS) {
            ampel_pair_fail(pair, "S%u violation '%s' left memory at %lld too early", account,
                            event->id, (long long)change->at_ms);
        }
    }
}

/* A cause is something that could have moved the account at that instant. */
static bool is_cause(const struct ampel_pair *pair, const struct ampel_oracle *oracle,
                     const struct ampel_change *change) {
    const struct ampel_cause *cause = &change->cause;
    int64_t window_ms = pair->rules->window_days * AMPEL_DAY_MS;
    struct ampel_text id = {cause->id, cause->id_size};
    if (cause->kind == AMPEL_CAUSE_MIDNIGHT) {
        return cause->at_ms == change->at_ms && change->at_ms % AMPEL_DAY_MS == 0;
    }
    for (uint32_t index = 0; index < oracle->events_count; index++) {
        const struct ampel_oracle_event *event = &oracle->events[index];
        if (cause->kind == AMPEL_CAUSE_EXPIRY && event->type == AMPEL_EVENT_VIOLATION &&
            same_text(id, event->id) && event->at_ms + window_ms == change->at_ms &&
            cause->policy == event->policy) {
            return true;
        }
        if (cause->kind == AMPEL_CAUSE_EVENT && event->type == cause->event_type &&
            event->at_ms == cause->at_ms && (event->id[0] == 0 || same_text(id, event->id))) {
            return true;
        }
    }
    return cause->kind == AMPEL_CAUSE_RULES;
}

/* What stands beside the score has oracles of its own (beside.h, takeover.h). */
static bool is_beside(const struct ampel_change *change) {
    return change->kind == AMPEL_CHANGE_ASSURANCE_GAINED ||
           change->kind == AMPEL_CHANGE_ASSURANCE_LOST ||
           change->kind == AMPEL_CHANGE_ASSURANCE_NEAR || change->kind == AMPEL_CHANGE_DRIFT ||
           change->kind == AMPEL_CHANGE_MISSING || change->kind == AMPEL_CHANGE_WILL_TURN ||
           change->kind == AMPEL_CHANGE_DEADLINE_NEAR ||
           change->kind == AMPEL_CHANGE_TAKEOVER_SUSPECTED ||
           change->kind == AMPEL_CHANGE_TAKEOVER_CLEARED ||
           change->kind == AMPEL_CHANGE_INCIDENT_CHANGED || change->kind == AMPEL_CHANGE_INCIDENT_CLOCK;
}

/* Turns the engine's changes of compared accounts into the form of the expectation. */
static void collect_changes(struct ampel_pair *pair, struct ampel_expectation *actual) {
    uint32_t count = 0;
    const struct ampel_change *changes = ampel_engine_changes(pair->engine, &count);
    for (uint32_t index = 0; index < count; index++) {
        const struct ampel_change *change = &changes[index];
        if (is_beside(change)) continue;
        pair->changes_digest = digest_change(pair->changes_digest, change, pair->story->start_ms);
        if (change->slot == AMPEL_SLOT_NONE || change->kind == AMPEL_CHANGE_REFUSED) {
            ampel_pair_fail(pair, "an event was refused: verdict %u", change->verdict);
            return;
        }
        uint32_t account = ampel_pair_account_of(pair, change->slot);
        if (index > 0 && change->at_ms < changes[index - 1].at_ms) {
            ampel_pair_fail(pair, "changes go back in time from %lld to %lld",
                            (long long)changes[index - 1].at_ms, (long long)change->at_ms);
        }
        if (change->kind == AMPEL_CHANGE_BACKFILL) {
            check_summary(pair, account, change);
        } else if (change->kind == AMPEL_CHANGE_FORGOTTEN) {
            check_forgotten(pair, account, change);
            ampel_pair_rows_forget(pair, account, change);
        } else if (!pair->accounts[account].quiet) {
            if (!is_cause(pair, &pair->accounts[account].oracle, change)) {
                ampel_pair_fail(pair, "S%u changes at %lld by something of kind %u that was not",
                                account, (long long)change->at_ms, change->cause.kind);
            }
            actual->list = ampel_oracle_grow(actual->list, actual->count, &actual->capacity,
                                             sizeof *actual->list);
            actual->list[actual->count++] = (struct ampel_expected){
                .at_ms = change->at_ms,
                .account = account,
                .kind = change->kind,
                .cap_group = change->cap_group,
                .is_new = change->is_new,
                .deadline_ms = change->deadline_ms,
                .before = change->before,
                .after = change->after,
            };
        }
    }
}

static bool same_change(const struct ampel_expected *left, const struct ampel_expected *right) {
    return compare_expected(left, right) == 0 && left->is_new == right->is_new &&
           left->deadline_ms == right->deadline_ms &&
           ampel_expect_same_numbers(&left->before, &right->before) &&
           ampel_expect_same_numbers(&left->after, &right->after);
}

static void sort_changes(struct ampel_expectation *changes) {
    if (changes->count > 1) {
        qsort(changes->list, changes->count, sizeof *changes->list, compare_expected);
    }
}

/* A backfill that has been quiet for long enough was summed up. */
static void check_summaries(struct ampel_pair *pair) {
    for (uint32_t account = 0; account < pair->story->accounts_count; account++) {
        const struct ampel_pair_account *state = &pair->accounts[account];
        if (state->backfilling &&
            state->backfilled_at_ms + AMPEL_BACKFILL_QUIET_MS <= pair->now_ms) {
            ampel_pair_fail(pair, "S%u backfilled at %lld is not summed up at %lld", account,
                            (long long)state->backfilled_at_ms, (long long)pair->now_ms);
        }
    }
}

void ampel_pair_check_changes(struct ampel_pair *pair) {
    struct ampel_expectation *expected = &pair->expectation;
    struct ampel_expectation actual = {0};
    char line[2][400] = {"nothing", "nothing"};
    collect_changes(pair, &actual);
    sort_changes(expected);
    sort_changes(&actual);
    for (uint32_t index = 0; index < expected->count || index < actual.count; index++) {
        bool both = index < expected->count && index < actual.count;
        if (both && same_change(&expected->list[index], &actual.list[index])) {
            continue;
        }
        if (index < actual.count) {
            ampel_expect_print(&actual.list[index], line[0], sizeof line[0]);
        }
        if (index < expected->count) {
            ampel_expect_print(&expected->list[index], line[1], sizeof line[1]);
        }
        ampel_pair_fail(pair, "the engine names %s\n  and the oracle %s", line[0], line[1]);
        break;
    }
    check_summaries(pair);
    free(actual.list);
    expected->count = 0;
    ampel_engine_changes_clear(pair->engine);
}
