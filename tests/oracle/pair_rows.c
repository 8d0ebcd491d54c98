/* See pair.h: the rows that a database would hold. They are written from what the engine marks as
   changed, and nothing else; after every checkpoint they must be the truth. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/oracle/pair.h"

static struct ampel_pair_row row_of(const struct ampel_violation *violation) {
    struct ampel_pair_row row = {
        .at_ms = violation->at_ms,
        .expires_at_ms = violation->expires_at_ms,
        .state_at_ms = violation->state_at_ms,
        .points = violation->points,
        .sales_cents = violation->at_risk_sales_cents,
        .rank = violation->rank,
        .policy = violation->policy,
        .severity = violation->severity,
        .state = violation->state,
    };
    AMPEL_ASSERT(violation->id.size <= AMPEL_ID_BYTES_MAX);
    memcpy(row.id, violation->id.bytes, violation->id.size);
    return row;
}

static struct ampel_pair_row *find_row(struct ampel_pair_rows *rows, const char *id) {
    for (uint32_t index = 0; index < rows->count; index++) {
        if (strcmp(rows->list[index].id, id) == 0) {
            return &rows->list[index];
        }
    }
    return NULL;
}

static void write_violations(struct ampel_pair *pair, uint32_t slot, struct ampel_pair_rows *rows) {
    struct ampel_violation violation;
    uint32_t cursor = 0;
    while (ampel_engine_violation_next(pair->engine, slot, &cursor, &violation)) {
        if (!violation.changed) {
            continue;
        }
        struct ampel_pair_row row = row_of(&violation);
        struct ampel_pair_row *place = find_row(rows, row.id);
        if (place == NULL) {
            rows->list =
                ampel_oracle_grow(rows->list, rows->count, &rows->capacity, sizeof *rows->list);
            place = &rows->list[rows->count++];
        }
        *place = row;
    }
}

void ampel_pair_rows_write(struct ampel_pair *pair, uint32_t page) {
    uint32_t end = (page + 1) * AMPEL_PAGE_ACCOUNTS;
    uint32_t count = ampel_engine_accounts_count(pair->engine);
    for (uint32_t slot = page * AMPEL_PAGE_ACCOUNTS; slot < end && slot < count; slot++) {
        uint8_t changed = ampel_engine_row_changed(pair->engine, slot);
        struct ampel_pair_rows *rows = &pair->accounts[ampel_pair_account_of(pair, slot)].rows;
        if ((changed & (AMPEL_ROW_NUMBERS | AMPEL_ROW_ORDERS)) != 0) {
            ampel_engine_numbers(pair->engine, slot, &rows->numbers);
            rows->written = true;
        }
        if ((changed & AMPEL_ROW_VIOLATIONS) != 0) {
            write_violations(pair, slot, rows);
        }
    }
}

void ampel_pair_rows_forget(struct ampel_pair *pair, uint32_t account,
                            const struct ampel_change *change) {
    struct ampel_pair_rows *rows = &pair->accounts[account].rows;
    char id[AMPEL_ID_BYTES_MAX + 1] = "";
    memcpy(id, change->cause.id, change->cause.id_size);
    struct ampel_pair_row *row = find_row(rows, id);
    if (row != NULL) {
        *row = rows->list[rows->count - 1];
        rows->count--;
    }
}

static bool same_row(const struct ampel_pair_row *left, const struct ampel_pair_row *right) {
    return left->at_ms == right->at_ms && left->expires_at_ms == right->expires_at_ms &&
           left->state_at_ms == right->state_at_ms && left->points == right->points &&
           left->sales_cents == right->sales_cents && left->rank == right->rank &&
           left->policy == right->policy && left->severity == right->severity &&
           left->state == right->state;
}

static void check_rows(struct ampel_pair *pair, uint32_t slot, uint32_t account) {
    struct ampel_pair_rows *rows = &pair->accounts[account].rows;
    struct ampel_numbers numbers;
    ampel_engine_numbers(pair->engine, slot, &numbers);
    if (!rows->written || !ampel_expect_same_numbers(&numbers, &rows->numbers)) {
        ampel_pair_fail(
            pair, "S%u row says score %d, orders %u, deducted %lld; engine %d, %u, %lld", account,
            rows->numbers.score, rows->numbers.orders, (long long)rows->numbers.deducted,
            numbers.score, numbers.orders, (long long)numbers.deducted);
    }
    struct ampel_violation violation;
    uint32_t cursor = 0, count = 0;
    while (ampel_engine_violation_next(pair->engine, slot, &cursor, &violation)) {
        struct ampel_pair_row truth = row_of(&violation);
        const struct ampel_pair_row *row = find_row(rows, truth.id);
        count++;
        if (row == NULL || !same_row(row, &truth)) {
            ampel_pair_fail(
                pair,
                "S%u row of '%s' is %s: rank %u (engine %u), points %lld (%lld), state "
                "%u (%u), severity %d (%d), expires %lld (%lld), in window %d",
                account, truth.id, row == NULL ? "missing" : "stale", row == NULL ? 0 : row->rank,
                truth.rank, row == NULL ? 0 : (long long)row->points, (long long)truth.points,
                row == NULL ? 0 : row->state, truth.state, row == NULL ? 0 : row->severity,
                truth.severity, row == NULL ? 0 : (long long)row->expires_at_ms,
                (long long)truth.expires_at_ms, violation.in_window);
        }
    }
    if (count != rows->count) {
        ampel_pair_fail(pair, "S%u has %u rows of violations, the engine %u", account, rows->count,
                        count);
    }
}

void ampel_pair_rows_check(struct ampel_pair *pair) {
    uint32_t count = ampel_engine_accounts_count(pair->engine);
    for (uint32_t slot = 0; slot < count && !pair->failed; slot++) {
        check_rows(pair, slot, ampel_pair_account_of(pair, slot));
    }
}
