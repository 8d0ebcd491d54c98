/* open, contain, close, tag: what the engine is told of a case. Written down first, then sent. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/incident.h"
#include "proto/draft.h"
#include "proto/hash.h"
#include "proto/text.h"
#include "proto/time.h"
#include "workers/cli/command.h"
#include "workers/cli/connect.h"
#include "workers/cli/incident.h"
#include "workers/cli/labels.h"
#include "workers/cli/portfolio.h"
#include "workers/cli/table.h"

/* A case of more stores than a seller can have would be a mistake. */
#define STORES_MAX 256

struct store {
    char seller[AMPEL_ID_BYTES_MAX + 1], marketplace[AMPEL_ID_BYTES_MAX + 1];
};

struct opening {
    const struct ampel_incident_words *given;
    struct ampel_pq *pq;
    struct ampel_case incident;
    int64_t now_ms;
    uint32_t count, told;
    struct store stores[STORES_MAX];
    struct store telling[STORES_MAX]; /* whose event goes out */
    int status;
};

/* ---- events --------------------------------------------------------------------------------- */

static void phase_event(const struct ampel_case *incident, uint8_t phase, int64_t at_ms,
                        uint8_t extras[AMPEL_EXTRAS_BYTES_MAX], struct ampel_event *out) {
    struct ampel_extras_writer writer = {extras, AMPEL_EXTRAS_BYTES_MAX, 0};
    ampel_event_reset(out, AMPEL_EVENT_INCIDENT, at_ms);
    out->code = phase;
    AMPEL_ASSERT(ampel_extras_put_text(&writer, AMPEL_EXTRA_ID, ampel_text_of(incident->id)));
    if (phase == AMPEL_INCIDENT_OPENED)
        AMPEL_ASSERT(ampel_extras_put_number(&writer, AMPEL_EXTRA_COMPROMISED_FROM, incident->compromised_from_ms));
    out->extras = extras;
    out->extras_size = writer.size;
}

static bool phase_post(struct ampel_pq *pq, const struct ampel_incident_words *given, const struct ampel_case *incident,
                       uint8_t phase, int64_t at_ms, const struct store *stores, uint32_t count) {
    uint8_t extras[AMPEL_EXTRAS_BYTES_MAX];
    struct ampel_event event;
    struct ampel_case_lines lines = {.bytes = NULL};
    phase_event(incident, phase, at_ms, extras, &event);
    for (uint32_t i = 0; i < count; i++)
        ampel_case_line_add(&lines, incident, stores[i].seller, stores[i].marketplace, &event);
    bool good = count == 0 || ampel_case_post(pq, given, incident, lines.bytes);
    free(lines.bytes);
    return good;
}

/* ---- open ----------------------------------------------------------------------------------- */

static bool refuse(struct opening *opening, int status) {
    opening->status = status;
    return false;
}

static bool store_push(struct opening *opening, struct ampel_text seller, struct ampel_text marketplace) {
    for (uint32_t i = 0; i < opening->count; i++) {
        const struct store *store = &opening->stores[i];
        if (ampel_text_is(seller, store->seller) && ampel_text_is(marketplace, store->marketplace)) return true;
    }
    if (opening->count == STORES_MAX)
        return refuse(opening, ampel_case_refuse(opening->given, "a case has at most %d stores", STORES_MAX));
    struct store *store = &opening->stores[opening->count++];
    snprintf(store->seller, sizeof store->seller, "%.*s", (int)seller.size, seller.bytes);
    snprintf(store->marketplace, sizeof store->marketplace, "%.*s", (int)marketplace.size, marketplace.bytes);
    return true;
}

/* One argument: an account, or with * for the marketplace all stores of its seller that are known. */
static bool account_expand(struct opening *opening, const char *name) {
    const struct ampel_incident_words *given = opening->given;
    struct ampel_text texts[3];
    if (!ampel_portfolio_split(name, texts))
        return refuse(opening, ampel_usage_wrong(given->usage, "an account is tenant/seller/marketplace or tenant/seller/*, not '%s'", name));
    if (opening->incident.tenant[0] == 0)
        snprintf(opening->incident.tenant, sizeof opening->incident.tenant, "%.*s", (int)texts[0].size, texts[0].bytes);
    if (!ampel_text_is(texts[0], opening->incident.tenant))
        return refuse(opening, ampel_usage_wrong(given->usage, "the accounts of a case are of one tenant"));
    const struct ampel_pq_value key[] = {ampel_pq_bytes(texts[0].bytes, texts[0].size),
                                         ampel_pq_bytes(texts[1].bytes, texts[1].size),
                                         ampel_pq_bytes(texts[2].bytes, texts[2].size)};
    if (!ampel_case_run(opening->pq, given, AMPEL_SQL_CASE_STORES, key, 3)) return refuse(opening, AMPEL_EXIT_FAILED);
    if (ampel_pq_rows(opening->pq) == 0)
        return refuse(opening, ampel_case_refuse(given, "there is no account %s", name));
    for (uint32_t row = 0; row < ampel_pq_rows(opening->pq); row++)
        if (!store_push(opening, texts[1], ampel_pq_get_text(opening->pq, row, 0))) return false;
    return true;
}

/* The same seller and the same time make the same name, so that saying it twice opens one case. */
static void id_make(struct opening *opening) {
    struct ampel_case *incident = &opening->incident;
    char words[2 * AMPEL_ID_BYTES_MAX + 32], time[AMPEL_TIME_SIZE];
    int size = snprintf(words, sizeof words, "%s/%s/%" PRId64, incident->tenant, opening->stores[0].seller,
                        incident->compromised_from_ms);
    ampel_time_encode(incident->compromised_from_ms, time);
    snprintf(incident->id, sizeof incident->id, "case-%.4s%.2s%.2s-%04x", time, time + 5, time + 8,
             (unsigned)(ampel_hash_bytes(words, (size_t)size) & 0xffff));
}

/* An account is in one case at a time. */
static bool store_is_free(struct opening *opening, const struct store *store) {
    struct ampel_case other;
    const struct ampel_pq_value key[] = {ampel_pq_string(opening->incident.tenant), ampel_pq_string(store->seller),
                                         ampel_pq_string(store->marketplace)};
    if (!ampel_case_run(opening->pq, opening->given, AMPEL_SQL_CASE_OF_ACCOUNT, key, 3))
        return refuse(opening, AMPEL_EXIT_FAILED);
    if (ampel_pq_rows(opening->pq) == 0) return true;
    ampel_case_read(opening->pq, 0, &other);
    if (strcmp(other.state, "closed") == 0 || strcmp(other.id, opening->incident.id) == 0) return true;
    return refuse(opening, ampel_case_refuse(opening->given, "%s/%s/%s is in case %s already; give --id %s to change that one",
                                             opening->incident.tenant, store->seller, store->marketplace, other.id,
                                             other.id));
}

static bool entry_write(struct opening *opening, const char *kind, const char *what) {
    const struct ampel_case_entry entry = {.kind = kind, .what = what, .moment_ms = opening->now_ms};
    return ampel_case_write(opening->pq, opening->given, &opening->incident, &entry) ||
           refuse(opening, AMPEL_EXIT_FAILED);
}

/* The row of the case: made, or found and brought to the start that is given. *all: every store is told. */
static bool case_make(struct opening *opening, bool *all) {
    struct ampel_case *incident = &opening->incident;
    const struct ampel_pq_value made[] = {ampel_pq_string(incident->tenant), ampel_pq_string(incident->id),
                                          ampel_pq_time(incident->compromised_from_ms), ampel_pq_time(opening->now_ms)};
    int64_t since_ms = incident->compromised_from_ms;
    if (!ampel_case_run(opening->pq, opening->given, AMPEL_SQL_CASE_OPEN, made, 4)) return refuse(opening, AMPEL_EXIT_FAILED);
    *all = ampel_pq_changed(opening->pq) == 1;
    if (*all) return entry_write(opening, "opened", NULL);
    if (!ampel_case_run(opening->pq, opening->given, AMPEL_SQL_CASE_FIND, made, 2)) return refuse(opening, AMPEL_EXIT_FAILED);
    AMPEL_ASSERT(ampel_pq_rows(opening->pq) == 1);
    ampel_case_read(opening->pq, 0, incident);
    incident->compromised_from_ms = since_ms;
    if (strcmp(incident->state, "closed") == 0)
        return refuse(opening, ampel_case_refuse(opening->given, "case %s is closed; another takeover is another case: give another --id",
                                                 incident->id));
    if (!ampel_case_run(opening->pq, opening->given, AMPEL_SQL_CASE_SINCE, made, 3)) return refuse(opening, AMPEL_EXIT_FAILED);
    *all = ampel_pq_changed(opening->pq) == 1;
    return !*all || entry_write(opening, "opened", "start corrected");
}

static bool stores_add(struct opening *opening, bool all) {
    for (uint32_t i = 0; i < opening->count; i++) {
        const struct store *store = &opening->stores[i];
        char name[2 * AMPEL_ID_BYTES_MAX + 2];
        const struct ampel_pq_value key[] = {ampel_pq_string(opening->incident.tenant),
                                             ampel_pq_string(opening->incident.id), ampel_pq_string(store->seller),
                                             ampel_pq_string(store->marketplace)};
        if (!store_is_free(opening, store)) return false;
        if (!ampel_case_run(opening->pq, opening->given, AMPEL_SQL_CASE_ACCOUNT_ADD, key, 4))
            return refuse(opening, AMPEL_EXIT_FAILED);
        bool added = ampel_pq_changed(opening->pq) == 1;
        snprintf(name, sizeof name, "%s/%s", store->seller, store->marketplace);
        if (added && !entry_write(opening, "account", name)) return false;
        if (added || all) opening->telling[opening->told++] = *store;
    }
    return true;
}

/* Stores that were in the case before and are not named now learn of a corrected start, too. */
static bool others_tell(struct opening *opening) {
    const struct ampel_pq_value key[] = {ampel_pq_string(opening->incident.tenant), ampel_pq_string(opening->incident.id)};
    if (!ampel_case_run(opening->pq, opening->given, AMPEL_SQL_CASE_ACCOUNTS, key, 2)) return refuse(opening, AMPEL_EXIT_FAILED);
    opening->told = 0;
    for (uint32_t row = 0; row < ampel_pq_rows(opening->pq) && row < STORES_MAX; row++) {
        struct store *store = &opening->telling[opening->told++];
        snprintf(store->seller, sizeof store->seller, "%s", ampel_pq_get_text(opening->pq, row, 0).bytes);
        snprintf(store->marketplace, sizeof store->marketplace, "%s", ampel_pq_get_text(opening->pq, row, 1).bytes);
    }
    return true;
}

static bool case_open(struct opening *opening) {
    const struct ampel_incident_words *given = opening->given;
    bool all;
    if (!ampel_case_begin(opening->pq, given, &opening->incident)) return refuse(opening, AMPEL_EXIT_FAILED);
    bool good = case_make(opening, &all) && stores_add(opening, all) && (!all || others_tell(opening)) &&
                (phase_post(opening->pq, given, &opening->incident, AMPEL_INCIDENT_OPENED, opening->now_ms, opening->telling,
                            opening->told) ||
                 refuse(opening, AMPEL_EXIT_FAILED));
    if (ampel_case_end(opening->pq, given, good)) return true;
    if (opening->status == AMPEL_EXIT_OK) opening->status = AMPEL_EXIT_FAILED;
    return false;
}

static void warning_print(void) {
    printf("%s%s%s\n", ampel_paint_start(AMPEL_PAINT_RED),
           ampel_label("Do NOT open a second account: that is a breach of its own and ends the way back."),
           ampel_paint_end());
}

static void opened_print(const struct opening *opening) {
    char since[AMPEL_LABEL_TIME_SIZE];
    ampel_label_minute(opening->incident.compromised_from_ms, since);
    printf(ampel_label("case %s/%s: %u stores, taken over since %s\n"), opening->incident.tenant, opening->incident.id,
           opening->count, since);
    warning_print();
    printf(ampel_label("next: ampel incident show %s\n"), opening->incident.id);
}

int ampel_incident_open(const struct ampel_incident_words *given) {
    static struct opening opening;
    opening = (struct opening){.given = given, .now_ms = ampel_option_now()};
    if (given->count == 0) return ampel_usage_wrong(given->usage, "no ACCOUNT is given");
    if (given->since_ms == INT64_MIN) return ampel_usage_wrong(given->usage, "since when? give --since TIME");
    if (given->since_ms > opening.now_ms) return ampel_usage_wrong(given->usage, "--since lies in the future");
    if (given->id != NULL && (!ampel_id_valid(ampel_text_of(given->id), true) || strcmp(given->id, AMPEL_INCIDENT_NONE) == 0))
        return ampel_usage_wrong(given->usage, "--id is 1 to 64 printable characters without spaces and /, and not '-'");
    if (ampel_case_by(given) == NULL) return AMPEL_EXIT_USAGE;
    opening.incident.compromised_from_ms = given->since_ms;
    opening.pq = ampel_connect(given->command, given->url);
    if (opening.pq == NULL) return AMPEL_EXIT_FAILED;
    bool good = true;
    for (int i = 0; good && i < given->count; i++)
        good = account_expand(&opening, given->words[i]);
    if (good && given->id != NULL)
        snprintf(opening.incident.id, sizeof opening.incident.id, "%s", given->id);
    else if (good)
        id_make(&opening);
    if (good && case_open(&opening)) {
        opened_print(&opening);
        opening.status = ampel_case_send(opening.pq, given, opening.incident.tenant);
    }
    ampel_pq_close(opening.pq);
    return opening.status;
}

/* ---- contain, close ------------------------------------------------------------------------- */

static uint32_t stores_read(struct ampel_pq *pq, struct store stores[STORES_MAX]) {
    uint32_t count = 0;
    for (; count < ampel_pq_rows(pq) && count < STORES_MAX; count++) {
        snprintf(stores[count].seller, sizeof stores[count].seller, "%s", ampel_pq_get_text(pq, count, 0).bytes);
        snprintf(stores[count].marketplace, sizeof stores[count].marketplace, "%s",
                 ampel_pq_get_text(pq, count, 1).bytes);
    }
    return count;
}

static bool phase_write(struct ampel_pq *pq, const struct ampel_incident_words *given, struct ampel_case *incident,
                        uint8_t phase, int64_t at_ms) {
    static struct store stores[STORES_MAX];
    const char *state = ampel_registry_name(AMPEL_REGISTRY_INCIDENT_PHASE, phase);
    const struct ampel_pq_value values[] = {ampel_pq_string(incident->tenant), ampel_pq_string(incident->id),
                                            ampel_pq_string(state), ampel_pq_time(at_ms)};
    const struct ampel_case_entry entry = {.kind = state, .note = given->note, .moment_ms = at_ms};
    if (!ampel_case_run(pq, given, AMPEL_SQL_CASE_PHASE, values, 4)) return false;
    if (ampel_pq_changed(pq) == 0) return true; /* another one said so at this moment */
    return ampel_case_write(pq, given, incident, &entry) && ampel_case_run(pq, given, AMPEL_SQL_CASE_ACCOUNTS, values, 2) &&
           phase_post(pq, given, incident, phase, at_ms, stores, stores_read(pq, stores));
}

/* Steps that are not settled yet, said once; nobody is held up by them. */
static void open_steps_print(struct ampel_pq *pq, const struct ampel_incident_words *given,
                             const struct ampel_case *incident, uint8_t phase) {
    const struct ampel_pq_value key[] = {ampel_pq_string(incident->tenant), ampel_pq_string(incident->id)};
    if (!ampel_case_run(pq, given, AMPEL_SQL_CASE_STEPS, key, 2)) return;
    for (uint32_t row = 0; row < ampel_pq_rows(pq); row++) {
        int64_t step = ampel_pq_get_int64(pq, row, 0);
        bool open = ampel_text_is(ampel_pq_get_text(pq, row, 4), "open");
        bool matters = phase == AMPEL_INCIDENT_CLOSED || step == 4 || step == 5 || step == 9;
        if (open && matters)
            printf(ampel_label("  still open: %lld %s\n"), (long long)step,
                   ampel_label(ampel_pq_get_text(pq, row, 2).bytes));
    }
}

static int phase_do(const struct ampel_incident_words *given, struct ampel_pq *pq, uint8_t phase) {
    struct ampel_case incident;
    int status = AMPEL_EXIT_FAILED;
    int64_t at_ms = given->at_ms == INT64_MIN ? ampel_option_now() : given->at_ms;
    if (!ampel_case_find(pq, given, given->words[0], &incident, &status)) return status;
    if (phase == AMPEL_INCIDENT_CLOSED && strcmp(incident.state, "opened") == 0)
        return ampel_case_refuse(given, "case %s is not contained yet: ampel incident contain %s", incident.id, incident.id);
    int64_t before_ms = phase == AMPEL_INCIDENT_CLOSED ? incident.contained_ms : incident.compromised_from_ms;
    if (given->at_ms != INT64_MIN && (at_ms < before_ms || at_ms > ampel_option_now()))
        return ampel_case_refuse(given, "--at lies %s", at_ms < before_ms ? "before what it ends" : "in the future");
    bool good = ampel_case_begin(pq, given, &incident) && phase_write(pq, given, &incident, phase, at_ms);
    if (!ampel_case_end(pq, given, good)) return AMPEL_EXIT_FAILED;
    printf("%s/%s: %s\n", incident.tenant, incident.id,
           ampel_label(ampel_registry_name(AMPEL_REGISTRY_INCIDENT_PHASE, phase)));
    open_steps_print(pq, given, &incident, phase);
    if (phase == AMPEL_INCIDENT_CLOSED)
        printf(ampel_label("watched more closely for %d days: sellers were taken over again\n"), AMPEL_AFTERCARE_DAYS);
    return ampel_case_send(pq, given, incident.tenant);
}

static int phase_verb(const struct ampel_incident_words *given, uint8_t phase) {
    if (given->count != 1) return ampel_usage_wrong(given->usage, "give one CASE: its id, or an account");
    if (ampel_case_by(given) == NULL) return AMPEL_EXIT_USAGE;
    struct ampel_pq *pq = ampel_connect(given->command, given->url);
    if (pq == NULL) return AMPEL_EXIT_FAILED;
    int status = phase_do(given, pq, phase);
    ampel_pq_close(pq);
    return status;
}

int ampel_incident_contain(const struct ampel_incident_words *given) { return phase_verb(given, AMPEL_INCIDENT_CONTAINED); }
int ampel_incident_close(const struct ampel_incident_words *given) { return phase_verb(given, AMPEL_INCIDENT_CLOSED); }

/* ---- tag ------------------------------------------------------------------------------------ */

static void put_text(struct ampel_extras_writer *writer, enum ampel_extra_tag tag, struct ampel_text text) {
    if (text.size > 0) AMPEL_ASSERT(ampel_extras_put_text(writer, tag, text));
}

/* The violation as it is known, one revision later, with the tag. False: it cannot be; said. */
static bool revision_make(const struct ampel_pq *pq, const struct ampel_incident_words *given, struct ampel_text id,
                          const char *tag, uint8_t extras[AMPEL_EXTRAS_BYTES_MAX], struct ampel_event *out) {
    struct ampel_extras_writer writer = {extras, AMPEL_EXTRAS_BYTES_MAX, 0};
    struct ampel_text severity = ampel_pq_get_text(pq, 0, 1);
    int64_t rev = ampel_pq_get_int64(pq, 0, 4), sales = ampel_pq_get_int64(pq, 0, 8);
    uint8_t code;
    ampel_event_reset(out, AMPEL_EVENT_VIOLATION, ampel_pq_get_time(pq, 0, 2));
    if (rev == AMPEL_VIOLATION_REV_MAX || !ampel_registry_code(AMPEL_REGISTRY_POLICY, ampel_pq_get_text(pq, 0, 0), &out->policy)) {
        (void)ampel_case_refuse(given, "%.*s has no room for another revision, or a policy of a newer Ampel", (int)id.size, id.bytes);
        return false;
    }
    if (severity.size > 0 && ampel_registry_code(AMPEL_REGISTRY_SEVERITY, severity, &code)) out->severity = (int8_t)code;
    out->points = (int16_t)ampel_pq_get_int64(pq, 0, 3);
    out->rev = (uint16_t)(rev + 1);
    put_text(&writer, AMPEL_EXTRA_ID, id);
    put_text(&writer, AMPEL_EXTRA_INCIDENT, ampel_text_of(tag));
    put_text(&writer, AMPEL_EXTRA_ASIN, ampel_pq_get_text(pq, 0, 6));
    put_text(&writer, AMPEL_EXTRA_SKU, ampel_pq_get_text(pq, 0, 7));
    if (sales >= 0) AMPEL_ASSERT(ampel_extras_put_number(&writer, AMPEL_EXTRA_AT_RISK_SALES, sales));
    out->extras = extras;
    out->extras_size = writer.size;
    return true;
}

struct tagging {
    const struct ampel_incident_words *given;
    struct ampel_pq *pq;
    struct ampel_case incident;
    struct store store;
    const char *tag;
    struct ampel_case_lines lines;
};

/* 1 tagged, 0 it was so already, -1 refused. */
static int violation_tag(struct tagging *tagging, const char *id) {
    const struct ampel_pq_value key[] = {ampel_pq_string(tagging->incident.tenant), ampel_pq_string(tagging->store.seller),
                                         ampel_pq_string(tagging->store.marketplace), ampel_pq_string(id)};
    uint8_t extras[AMPEL_EXTRAS_BYTES_MAX];
    struct ampel_event event;
    if (!ampel_case_run(tagging->pq, tagging->given, AMPEL_SQL_CASE_VIOLATION, key, 4)) return -1;
    if (ampel_pq_rows(tagging->pq) == 0) {
        (void)ampel_case_refuse(tagging->given, "%s/%s/%s has no violation %s", tagging->incident.tenant,
                                tagging->store.seller, tagging->store.marketplace, id);
        return -1;
    }
    if (ampel_text_is(ampel_pq_get_text(tagging->pq, 0, 5), tagging->tag)) return 0;
    if (!revision_make(tagging->pq, tagging->given, ampel_text_of(id), tagging->tag, extras, &event)) return -1;
    ampel_case_line_add(&tagging->lines, &tagging->incident, tagging->store.seller, tagging->store.marketplace, &event);
    const struct ampel_case_entry entry = {.kind = "tagged",
                                           .what = id,
                                           .note = tagging->given->none ? "taken out" : "put in",
                                           .moment_ms = ampel_option_now()};
    return ampel_case_write(tagging->pq, tagging->given, &tagging->incident, &entry) ? 1 : -1;
}

static int tag_do(struct tagging *tagging) {
    const struct ampel_incident_words *given = tagging->given;
    int status = AMPEL_EXIT_FAILED, changed = 0;
    if (!ampel_case_find(tagging->pq, given, given->words[0], &tagging->incident, &status)) return status;
    tagging->tag = given->none ? AMPEL_INCIDENT_NONE : tagging->incident.id;
    bool good = ampel_case_begin(tagging->pq, given, &tagging->incident);
    for (int i = 1; good && i < given->count; i++) {
        int result = violation_tag(tagging, given->words[i]);
        good = result >= 0;
        changed += result > 0;
    }
    if (good && changed > 0) good = ampel_case_post(tagging->pq, given, &tagging->incident, tagging->lines.bytes);
    if (!ampel_case_end(tagging->pq, given, good)) return AMPEL_EXIT_REFUSED;
    printf(ampel_label(given->none ? "%d violations taken out of %s\n" : "%d violations put into %s\n"), changed,
           tagging->incident.id);
    return ampel_case_send(tagging->pq, given, tagging->incident.tenant);
}

int ampel_incident_tag(const struct ampel_incident_words *given) {
    struct ampel_text texts[3];
    struct tagging tagging = {.given = given};
    if (given->count < 2 || !ampel_portfolio_split(given->words[0], texts))
        return ampel_usage_wrong(given->usage, "give the ACCOUNT (tenant/seller/marketplace) and its VIOLATIONs");
    if (ampel_case_by(given) == NULL) return AMPEL_EXIT_USAGE;
    snprintf(tagging.store.seller, sizeof tagging.store.seller, "%.*s", (int)texts[1].size, texts[1].bytes);
    snprintf(tagging.store.marketplace, sizeof tagging.store.marketplace, "%.*s", (int)texts[2].size, texts[2].bytes);
    tagging.pq = ampel_connect(given->command, given->url);
    if (tagging.pq == NULL) return AMPEL_EXIT_FAILED;
    int status = tag_do(&tagging);
    free(tagging.lines.bytes);
    ampel_pq_close(tagging.pq);
    return status;
}
