/* step, note, evidence, clock, product: what people do on the way back, written down once and for good. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/text.h"
#include "workers/cli/command.h"
#include "workers/cli/connect.h"
#include "workers/cli/incident.h"
#include "workers/cli/labels.h"
#include "workers/cli/options.h"
#include "workers/cli/table.h"
#include "workers/fingerprint.h"

/* One entry of one case: found, written under its lock, said. judge (NULL: none) may refuse under the lock. */
struct writing {
    const struct ampel_incident_words *given;
    struct ampel_pq *pq;
    struct ampel_case incident;
    struct ampel_case_entry entry;
    bool (*judge)(struct writing *writing);
    struct ampel_case_clock_move move; /* of clocks; none where there is neither step nor name */
    bool posted;
    int status;
};

static bool refused(struct writing *writing) {
    writing->status = AMPEL_EXIT_REFUSED;
    return false;
}

/* What people do moves clocks that the worker watches. */
static bool clocks_post(struct writing *writing) {
    if (writing->move.step == 0 && writing->move.name == NULL) return true;
    if (writing->move.name == NULL) writing->move.name = "";
    return ampel_case_clocks_post(writing->pq, writing->given, &writing->incident, &writing->move, &writing->posted);
}

/* It is written down already, so a worker that is not known here is no error: the next command that knows it sends all. */
static int clocks_send(struct writing *writing) {
    if (!writing->posted) return AMPEL_EXIT_OK;
    if (ampel_case_reaches(writing->given))
        return ampel_case_send(writing->pq, writing->given, writing->incident.tenant);
    fputs(ampel_label("the worker learns of it with the next command that reaches it (--endpoint, --keys)\n"), stderr);
    return AMPEL_EXIT_OK;
}

static int write_it(struct writing *writing) {
    const struct ampel_incident_words *given = writing->given;
    if (ampel_case_by(given) == NULL) return AMPEL_EXIT_USAGE;
    if (given->note != NULL && !ampel_case_text_valid(given->note))
        return ampel_usage_wrong(given->usage, "--note is 1 to %d bytes without control characters", AMPEL_CASE_NOTE_BYTES_MAX);
    int64_t now_ms = ampel_option_now();
    if (given->at_ms != INT64_MIN && given->at_ms > now_ms) return ampel_usage_wrong(given->usage, "--at lies in the future");
    writing->entry.moment_ms = given->at_ms != INT64_MIN ? given->at_ms : now_ms;
    if (writing->entry.note == NULL) writing->entry.note = given->note;
    writing->status = AMPEL_EXIT_FAILED;
    writing->pq = ampel_connect(given->command, given->url);
    if (writing->pq == NULL) return AMPEL_EXIT_FAILED;
    if (ampel_case_find(writing->pq, given, given->words[0], &writing->incident, &writing->status)) {
        bool good = ampel_case_begin(writing->pq, given, &writing->incident) &&
                    (writing->judge == NULL || writing->judge(writing)) &&
                    ampel_case_write(writing->pq, given, &writing->incident, &writing->entry) && clocks_post(writing);
        if (ampel_case_end(writing->pq, given, good)) writing->status = clocks_send(writing);
    }
    ampel_pq_close(writing->pq);
    return writing->status;
}

/* ---- step ----------------------------------------------------------------------------------- */

/* The row of the step in the result of case_steps, or UINT32_MAX; said. */
static uint32_t step_row(struct writing *writing) {
    const struct ampel_pq_value key[] = {ampel_pq_string(writing->incident.tenant), ampel_pq_string(writing->incident.id)};
    if (!ampel_case_run(writing->pq, writing->given, AMPEL_SQL_CASE_STEPS, key, 2)) return UINT32_MAX;
    for (uint32_t row = 0; row < ampel_pq_rows(writing->pq); row++)
        if (ampel_pq_get_int64(writing->pq, row, 0) == writing->entry.step) return row;
    (void)ampel_case_refuse(writing->given, "there is no step %lld; they are 1 to %u", (long long)writing->entry.step,
                            ampel_pq_rows(writing->pq));
    (void)refused(writing);
    return UINT32_MAX;
}

static const char *title_of(const struct ampel_pq *pq, int64_t step) {
    for (uint32_t row = 0; row < ampel_pq_rows(pq); row++)
        if (ampel_pq_get_int64(pq, row, 0) == step) return ampel_label(ampel_pq_get_text(pq, row, 2).bytes);
    return "?";
}

/* "step 5 (...) comes after step 4 (...), which is not done" */
static bool order_refuse(struct writing *writing, uint32_t row) {
    const char *waits = ampel_pq_get_text(writing->pq, row, 9).bytes;
    fprintf(stderr, ampel_label("ampel %s: step %lld (%s) is too early: first\n"), writing->given->command,
            (long long)writing->entry.step, title_of(writing->pq, writing->entry.step));
    for (char *end; *waits != 0; waits = *end == ' ' ? end + 1 : end) {
        long long step = strtoll(waits, &end, 10);
        fprintf(stderr, "  %lld %s\n", step, title_of(writing->pq, step));
    }
    return refused(writing);
}

static bool warning_refuse(struct writing *writing, uint32_t row) {
    fprintf(stderr, "%s\n",
            ampel_label("Do NOT open a second account: that is a breach of its own and ends the way back."));
    (void)ampel_case_refuse(writing->given, "step %lld is a warning (%s); nobody can have done it",
                            (long long)writing->entry.step, ampel_label(ampel_pq_get_text(writing->pq, row, 2).bytes));
    return refused(writing);
}

static bool undo_judge(struct writing *writing, struct ampel_text state) {
    if (ampel_text_is(state, "open")) {
        (void)ampel_case_refuse(writing->given, "step %lld is open", (long long)writing->entry.step);
        return refused(writing);
    }
    const struct ampel_pq_value key[] = {ampel_pq_string(writing->incident.tenant), ampel_pq_string(writing->incident.id),
                                         ampel_pq_int64(writing->entry.step)};
    if (!ampel_case_run(writing->pq, writing->given, AMPEL_SQL_CASE_FOLLOWERS, key, 3)) return false;
    struct ampel_text followers = ampel_pq_get_text(writing->pq, 0, 0);
    if (followers.size == 0) return true;
    (void)ampel_case_refuse(writing->given, "steps %s were done because this one was: reopen them first", followers.bytes);
    return refused(writing);
}

static bool step_judge(struct writing *writing) {
    uint32_t row = step_row(writing);
    if (row == UINT32_MAX) return false;
    struct ampel_text state = ampel_pq_get_text(writing->pq, row, 4);
    if (ampel_text_is(state, "warning")) return warning_refuse(writing, row);
    if (writing->given->owner != NULL) return true;
    if (writing->given->undo) return undo_judge(writing, state);
    if (!ampel_text_is(state, "open")) {
        (void)ampel_case_refuse(writing->given, "step %lld is settled already, by %s; --undo reopens it",
                                (long long)writing->entry.step, ampel_pq_get_text(writing->pq, row, 6).bytes);
        return refused(writing);
    }
    if (ampel_pq_get_text(writing->pq, row, 9).size > 0) return order_refuse(writing, row);
    if (!writing->given->not_needed || ampel_pq_get_boolean(writing->pq, row, 10)) return true;
    (void)ampel_case_refuse(writing->given, "step %lld (%s) is always needed", (long long)writing->entry.step,
                            title_of(writing->pq, writing->entry.step));
    return refused(writing);
}

int ampel_incident_step(const struct ampel_incident_words *given) {
    char *end;
    if (given->count != 2) return ampel_usage_wrong(given->usage, "give a CASE and the number of a STEP");
    long long step = strtoll(given->words[1], &end, 10);
    if (*end != 0 || end == given->words[1] || step < 1 || step > 1000)
        return ampel_usage_wrong(given->usage, "a STEP is a number, not '%s'", given->words[1]);
    if (given->not_needed + given->undo + (given->owner != NULL) > 1)
        return ampel_usage_wrong(given->usage, "--not-needed, --undo and --owner go alone");
    if (given->not_needed && given->note == NULL) return ampel_usage_wrong(given->usage, "--not-needed wants a --note that says why");
    if (given->owner != NULL && !ampel_case_text_valid(given->owner)) return ampel_usage_wrong(given->usage, "--owner is a name");
    struct writing writing = {
        .given = given,
        .entry = {.kind = given->owner != NULL ? "owner" : given->undo ? "step_reopened" : given->not_needed ? "step_not_needed" : "step_done",
                  .what = given->owner,
                  .step = step},
        .judge = step_judge,
        .move = {.step = given->owner != NULL ? 0 : step, .settles = !given->undo},
    };
    int status = write_it(&writing);
    if (status == AMPEL_EXIT_OK)
        printf(ampel_label("%s: step %lld: %s\n"), writing.incident.id, step,
               given->owner != NULL ? given->owner
                                    : ampel_label(given->undo ? "open" : given->not_needed ? "not needed" : "done"));
    return status;
}

/* ---- note, evidence ------------------------------------------------------------------------- */

int ampel_incident_note(const struct ampel_incident_words *given) {
    if (given->count != 2) return ampel_usage_wrong(given->usage, "give a CASE and a TEXT");
    if (!ampel_case_text_valid(given->words[1]))
        return ampel_usage_wrong(given->usage, "a TEXT is 1 to %d bytes without control characters", AMPEL_CASE_NOTE_BYTES_MAX);
    struct writing writing = {.given = given, .entry = {.kind = "note", .note = given->words[1]}};
    int status = write_it(&writing);
    if (status == AMPEL_EXIT_OK) printf(ampel_label("%s: noted\n"), writing.incident.id);
    return status;
}

static const char *base_name(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash != NULL ? slash + 1 : path;
}

static bool evidence_judge(struct writing *writing) {
    return writing->entry.step == 0 || step_row(writing) != UINT32_MAX;
}

static int evidence_add(const struct ampel_incident_words *given, const char *path, int64_t step) {
    char sha256[AMPEL_FINGERPRINT_SIZE];
    int64_t size;
    struct ampel_error error = {0};
    if (!ampel_fingerprint_file(path, sha256, &size, &error)) return ampel_case_refuse(given, "%s: %s", path, error.reason);
    if (!ampel_case_text_valid(base_name(path))) return ampel_case_refuse(given, "%s: the name has control characters", path);
    struct writing writing = {
        .given = given,
        .entry = {.kind = "evidence", .step = step, .file_name = base_name(path), .file_sha256 = sha256, .file_size = size},
        .judge = evidence_judge,
    };
    int status = write_it(&writing);
    if (status == AMPEL_EXIT_OK) printf("%s  %lld  %s\n", sha256, (long long)size, base_name(path));
    return status;
}

int ampel_incident_evidence(const struct ampel_incident_words *given) {
    int first = 1;
    char *end;
    if (given->count < 2) return ampel_usage_wrong(given->usage, "give a CASE and FILEs");
    /* A number in front is the step that the files belong to. */
    long long step = strtoll(given->words[1], &end, 10);
    if (*end == 0 && given->count > 2 && step >= 1 && step <= 1000)
        first = 2;
    else
        step = 0;
    for (int i = first; i < given->count; i++) {
        int status = evidence_add(given, given->words[i], step);
        if (status != AMPEL_EXIT_OK) return status;
    }
    return AMPEL_EXIT_OK;
}

/* ---- clock, product ------------------------------------------------------------------------- */

static bool clock_judge(struct writing *writing) {
    const struct ampel_pq_value name = ampel_pq_string(writing->entry.what);
    if (!ampel_case_run(writing->pq, writing->given, AMPEL_SQL_CASE_CLOCK_NAMES, &name, 1)) return false;
    bool settled = writing->given->settled;
    if (ampel_pq_get_boolean(writing->pq, 0, settled ? 1 : 0)) return true;
    (void)ampel_case_refuse(writing->given, settled ? "there is no clock %s; they are %s" : "%s starts no clock; these do: %s",
                            writing->entry.what, ampel_pq_get_text(writing->pq, 0, settled ? 3 : 2).bytes);
    return refused(writing);
}

int ampel_incident_clock(const struct ampel_incident_words *given) {
    if (given->count != 2) return ampel_usage_wrong(given->usage, "give a CASE and what started a clock (or, with --settled, the clock)");
    struct writing writing = {.given = given,
                              .entry = {.kind = given->settled ? "clock_settled" : "clock_start", .what = given->words[1]},
                              .judge = clock_judge,
                              .move = {.name = given->words[1], .settles = given->settled}};
    int status = write_it(&writing);
    if (status == AMPEL_EXIT_OK)
        printf("%s: %s %s\n", writing.incident.id, given->words[1], ampel_label(given->settled ? "settled" : "started"));
    return status;
}

int ampel_incident_product(const struct ampel_incident_words *given) {
    if (given->count != 2) return ampel_usage_wrong(given->usage, "give a CASE and the ASIN or SKU of a foreign product");
    if (!ampel_case_text_valid(given->words[1]) || strlen(given->words[1]) > AMPEL_TEXT_BYTES_MAX)
        return ampel_usage_wrong(given->usage, "an ASIN or SKU is 1 to %d bytes", AMPEL_TEXT_BYTES_MAX);
    struct writing writing = {.given = given, .entry = {.kind = "product", .what = given->words[1]}};
    int status = write_it(&writing);
    if (status == AMPEL_EXIT_OK) printf(ampel_label("%s: %s removed\n"), writing.incident.id, given->words[1]);
    return status;
}
