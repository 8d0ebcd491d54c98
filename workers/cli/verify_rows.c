/* The rows for people against the engine made from the pages. Both come in the order of their keys and are merged: what only
   one side has is a problem, what both have must be equal. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/rating.h"
#include "engine/registry.h"
#include "proto/json.h"
#include "proto/text.h"
#include "workers/cli/verify.h"

#define ACCOUNT_SIZE (3 * AMPEL_ID_BYTES_MAX + 3)

struct identity {
    struct ampel_text tenant, seller, marketplace;
};

static struct identity identity_of_slot(const struct ampel_verify_partition *partition, uint32_t slot) {
    struct identity identity;
    ampel_engine_account_identity(partition->engine, slot, &identity.tenant, &identity.seller,
                                  &identity.marketplace);
    return identity;
}

static struct identity identity_of_row(const struct ampel_pq *pq, uint32_t row) {
    return (struct identity){ampel_pq_get_text(pq, row, 0), ampel_pq_get_text(pq, row, 1),
                             ampel_pq_get_text(pq, row, 2)};
}

static int identity_compare(const struct identity *left, const struct identity *right) {
    int order = ampel_text_compare(left->tenant, right->tenant);
    if (order == 0) order = ampel_text_compare(left->seller, right->seller);
    return order != 0 ? order : ampel_text_compare(left->marketplace, right->marketplace);
}

static const char *identity_print(const struct identity *identity, char out[ACCOUNT_SIZE]) {
    (void)snprintf(out, ACCOUNT_SIZE, "%.*s/%.*s/%.*s", (int)identity->tenant.size, identity->tenant.bytes,
                   (int)identity->seller.size, identity->seller.bytes, (int)identity->marketplace.size,
                   identity->marketplace.bytes);
    return out;
}

static bool name_is(struct ampel_text text, enum ampel_registry registry, uint32_t code) {
    const char *name = ampel_registry_name(registry, code);
    return name != NULL && ampel_text_is(text, name);
}

/* ---- ratings -------------------------------------------------------------------------------- */

/* The row of an account and where it differs: the first field that does is told. */
struct rating {
    struct ampel_verify *verify;
    const char *account;
    struct ampel_numbers numbers; /* recomputed */
    uint32_t row;
};

static bool number_check(const struct rating *rating, const char *field, uint32_t column, int64_t expected) {
    int64_t found = ampel_pq_get_int64(rating->verify->pq, rating->row, column);
    if (found == expected) return true;
    ampel_verify_problem(rating->verify, "rating of %s: %s is %" PRId64 ", its pages make %" PRId64, rating->account,
                         field, found, expected);
    return false;
}

static bool name_check(const struct rating *rating, const char *field, uint32_t column,
                       enum ampel_registry registry, uint32_t code) {
    struct ampel_text found = ampel_pq_get_text(rating->verify->pq, rating->row, column);
    if (name_is(found, registry, code)) return true;
    ampel_verify_problem(rating->verify, "rating of %s: %s is %.*s, its pages make %s", rating->account, field,
                         (int)found.size, found.bytes, ampel_registry_name(registry, code));
    return false;
}

static bool caps_check(const struct rating *rating) {
    const struct ampel_rules *rules = rating->verify->rules;
    struct ampel_text text = ampel_pq_get_text(rating->verify->pq, rating->row, 10);
    struct ampel_error error = {0};
    struct ampel_json *caps = ampel_json_open(text, &error);
    bool right = caps != NULL;
    for (uint32_t i = 0; right && i < rules->cap_groups_count; i++) {
        int64_t count;
        right = ampel_json_integer(ampel_json_get(caps, rules->cap_groups[i].name), &count) &&
                count == rating->numbers.caps[i];
    }
    ampel_json_close(caps);
    if (!right)
        ampel_verify_problem(rating->verify, "rating of %s: the counts of repeats are %.*s, its pages make others",
                             rating->account, (int)text.size, text.bytes);
    return right;
}

/* Order counts alone may be written later than they change, but never disagree with the points they earn. */
static bool orders_check(const struct rating *rating) {
    struct ampel_verify *verify = rating->verify;
    int64_t orders = ampel_pq_get_int64(verify->pq, rating->row, 6);
    if (orders == rating->numbers.orders) return true;
    struct ampel_numbers made;
    uint32_t held = orders < 0 || orders > UINT32_MAX ? 0 : (uint32_t)orders;
    ampel_rating_numbers(verify->rules, held, 0, 0, NULL, &made);
    if (verify->exact || held != orders || made.order_points != rating->numbers.order_points)
        return number_check(rating, "orders", 6, rating->numbers.orders);
    verify->orders_waiting++;
    return true;
}

static bool history_check(const struct rating *rating) {
    struct ampel_verify *verify = rating->verify;
    if (ampel_pq_is_null(verify->pq, rating->row, 13)) return true; /* what is old may have been removed */
    verify->histories++;
    int64_t score = ampel_pq_get_int64(verify->pq, rating->row, 13);
    if (score == rating->numbers.score &&
        name_is(ampel_pq_get_text(verify->pq, rating->row, 14), AMPEL_REGISTRY_COLOUR, rating->numbers.colour) &&
        name_is(ampel_pq_get_text(verify->pq, rating->row, 15), AMPEL_REGISTRY_RISK, rating->numbers.risk))
        return true;
    ampel_verify_problem(verify, "history of %s: told score %" PRId64 " last, its pages make %d", rating->account,
                         score, rating->numbers.score);
    return false;
}

static void rating_check(struct ampel_verify *verify, const struct ampel_verify_partition *partition, uint32_t slot,
                         uint32_t row, const char *account) {
    struct rating rating = {.verify = verify, .account = account, .row = row};
    ampel_engine_numbers(partition->engine, slot, &rating.numbers);
    const struct ampel_numbers *numbers = &rating.numbers;
    verify->ratings++;
    bool right = number_check(&rating, "score", 3, numbers->score) &&
                 name_check(&rating, "status", 4, AMPEL_REGISTRY_COLOUR, numbers->colour) &&
                 name_check(&rating, "risk", 5, AMPEL_REGISTRY_RISK, numbers->risk) &&
                 number_check(&rating, "order_points", 7, numbers->order_points) &&
                 number_check(&rating, "deducted", 8, numbers->deducted) &&
                 number_check(&rating, "criticals", 9, numbers->criticals) && orders_check(&rating) &&
                 caps_check(&rating);
    if (right && ampel_pq_get_time(verify->pq, row, 11) > ampel_engine_now(partition->engine))
        ampel_verify_problem(verify, "rating of %s: as_of lies behind the time of its partition", account);
    if (!ampel_engine_account_backfilling(partition->engine, slot)) (void)history_check(&rating);
}

enum ampel_database_status ampel_verify_ratings(struct ampel_verify *verify,
                                                const struct ampel_verify_partition *partition,
                                                struct ampel_error *error) {
    const struct ampel_pq_value number = ampel_pq_int64(partition->number);
    enum ampel_database_status status =
        ampel_pq_run(verify->pq, AMPEL_SQL_VERIFY_RATINGS, &number, 1, error);
    if (status != AMPEL_DATABASE_OK) return status;
    char account[ACCOUNT_SIZE];
    uint32_t rows = ampel_pq_rows(verify->pq), row = 0, i = 0;
    while (row < rows || i < partition->accounts_count) {
        struct identity stored = {0}, known = {0};
        if (row < rows) stored = identity_of_row(verify->pq, row);
        if (i < partition->accounts_count) known = identity_of_slot(partition, partition->slots[i]);
        int order = row == rows ? 1 : i == partition->accounts_count ? -1 : identity_compare(&stored, &known);
        if (order < 0) {
            ampel_verify_problem(verify, "rating of %s: no page of partition %u has this account",
                                 identity_print(&stored, account), partition->number);
        } else if (order > 0) {
            ampel_verify_problem(verify, "rating of %s: the row is missing", identity_print(&known, account));
        } else {
            rating_check(verify, partition, partition->slots[i], row, identity_print(&known, account));
        }
        row += order <= 0;
        i += order >= 0;
    }
    return AMPEL_DATABASE_OK;
}

/* ---- violations ----------------------------------------------------------------------------- */

static int id_compare(const void *left, const void *right) {
    return ampel_text_compare(((const struct ampel_violation *)left)->id,
                                ((const struct ampel_violation *)right)->id);
}

/* The violations of one account by id; texts stay the engine's. */
struct known {
    struct ampel_violation *violations;
    uint32_t count, capacity;
};

static void known_read(const struct ampel_verify_partition *partition, uint32_t slot, struct known *known) {
    uint32_t cursor = 0;
    struct ampel_violation violation;
    known->count = 0;
    while (ampel_engine_violation_next(partition->engine, slot, &cursor, &violation)) {
        if (known->count == known->capacity) {
            known->capacity = known->capacity == 0 ? 16 : known->capacity * 2;
            known->violations = realloc(known->violations, known->capacity * sizeof *known->violations);
            AMPEL_ASSERT(known->violations != NULL);
        }
        known->violations[known->count++] = violation;
    }
    if (known->count > 1) qsort(known->violations, known->count, sizeof *known->violations, id_compare);
}

static const char *violation_difference(const struct ampel_pq *pq, uint32_t row,
                                        const struct ampel_violation *violation) {
    if (!name_is(ampel_pq_get_text(pq, row, 4), AMPEL_REGISTRY_POLICY, violation->policy)) return "policy";
    if (!name_is(ampel_pq_get_text(pq, row, 5), AMPEL_REGISTRY_SEVERITY, (uint32_t)violation->severity))
        return "severity";
    if (!name_is(ampel_pq_get_text(pq, row, 6), AMPEL_REGISTRY_VIOLATION_STATE, violation->state)) return "state";
    if (ampel_pq_get_time(pq, row, 7) != violation->at_ms) return "at";
    if (ampel_pq_get_time(pq, row, 8) != violation->expires_at_ms) return "expires_at";
    if (ampel_pq_get_int64(pq, row, 9) != violation->rank) return "rank";
    if (ampel_pq_get_int64(pq, row, 10) != violation->points) return "points";
    return NULL;
}

/* Merges the rows of one account, from *row on, with what its page knows. */
static void account_check(struct ampel_verify *verify, const struct known *known, const struct identity *identity,
                          uint32_t rows, uint32_t *row) {
    char account[ACCOUNT_SIZE];
    (void)identity_print(identity, account);
    uint32_t i = 0;
    for (;;) {
        bool more = false;
        if (*row < rows) {
            struct identity stored = identity_of_row(verify->pq, *row);
            more = identity_compare(&stored, identity) == 0;
        }
        if (!more && i == known->count) return;
        struct ampel_text id = more ? ampel_pq_get_text(verify->pq, *row, 3) : (struct ampel_text){0};
        int order = !more ? 1 : i == known->count ? -1 : ampel_text_compare(id, known->violations[i].id);
        if (order < 0) {
            ampel_verify_problem(verify, "violation %.*s of %s: no page has it", (int)id.size, id.bytes, account);
        } else if (order > 0) {
            ampel_verify_problem(verify, "violation %.*s of %s: the row is missing",
                                 (int)known->violations[i].id.size, known->violations[i].id.bytes, account);
        } else {
            const char *field = violation_difference(verify->pq, *row, &known->violations[i]);
            if (field != NULL)
                ampel_verify_problem(verify, "violation %.*s of %s: %s differs from its page", (int)id.size,
                                     id.bytes, account, field);
        }
        *row += order <= 0;
        i += order >= 0;
    }
}

enum ampel_database_status ampel_verify_violations(struct ampel_verify *verify,
                                                   const struct ampel_verify_partition *partition,
                                                   struct ampel_error *error) {
    const struct ampel_pq_value number = ampel_pq_int64(partition->number);
    enum ampel_database_status status =
        ampel_pq_run(verify->pq, AMPEL_SQL_VERIFY_VIOLATIONS, &number, 1, error);
    if (status != AMPEL_DATABASE_OK) return status;
    uint32_t rows = ampel_pq_rows(verify->pq), row = 0;
    struct known known = {0};
    const struct known none = {0};
    for (uint32_t i = 0; i < partition->accounts_count; i++) {
        struct identity identity = identity_of_slot(partition, partition->slots[i]);
        /* Rows of accounts that no page has come first. */
        while (row < rows) {
            struct identity stored = identity_of_row(verify->pq, row);
            if (identity_compare(&stored, &identity) >= 0) break;
            account_check(verify, &none, &stored, rows, &row);
        }
        known_read(partition, partition->slots[i], &known);
        verify->violations += known.count;
        account_check(verify, &known, &identity, rows, &row);
    }
    while (row < rows) {
        struct identity stored = identity_of_row(verify->pq, row);
        account_check(verify, &none, &stored, rows, &row);
    }
    free(known.violations);
    return AMPEL_DATABASE_OK;
}
