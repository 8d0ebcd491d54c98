/* See pair.h: checkpoints, recoveries, and the same events told differently. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/oracle/pair.h"

#define TWO_WINDOWS (2 * AMPEL_WINDOW_MS)

/* ---- bytes ---------------------------------------------------------------------------------- */

static void room_for(struct ampel_pair_bytes *bytes, uint32_t size) {
    if (bytes->capacity < size) {
        free(bytes->bytes);
        bytes->bytes = malloc(size);
        AMPEL_ASSERT(bytes->bytes != NULL);
        bytes->capacity = size;
    }
    bytes->size = size;
}

static void export_page(const struct ampel_engine *engine, uint32_t page,
                        struct ampel_pair_bytes *out) {
    room_for(out, ampel_engine_page_export(engine, page, out->bytes, out->capacity));
    uint32_t size = ampel_engine_page_export(engine, page, out->bytes, out->capacity);
    AMPEL_ASSERT(size == out->size);
}

static void export_meta(const struct ampel_engine *engine, struct ampel_pair_bytes *out) {
    room_for(out, ampel_engine_meta_export(engine, out->bytes, out->capacity));
    uint32_t size = ampel_engine_meta_export(engine, out->bytes, out->capacity);
    AMPEL_ASSERT(size == out->size);
}

static void export_account(const struct ampel_engine *engine, uint32_t slot,
                           struct ampel_pair_bytes *out) {
    room_for(out, ampel_engine_account_export(engine, slot, out->bytes, out->capacity));
    uint32_t size = ampel_engine_account_export(engine, slot, out->bytes, out->capacity);
    AMPEL_ASSERT(size == out->size);
}

static bool same_bytes(const struct ampel_pair_bytes *left, const struct ampel_pair_bytes *right) {
    return left->size == right->size && memcmp(left->bytes, right->bytes, left->size) == 0;
}

void ampel_pair_check_same(struct ampel_pair *pair, const struct ampel_engine *other,
                           const char *what) {
    uint32_t count = ampel_engine_accounts_count(other);
    if (count != ampel_engine_accounts_count(pair->engine)) {
        ampel_pair_fail(pair, "%s: %u accounts, not %u", what, count,
                        ampel_engine_accounts_count(pair->engine));
    }
    for (uint32_t account = 0; account < pair->story->accounts_count && !pair->failed; account++) {
        uint32_t left = ampel_pair_slot(pair->engine, account);
        uint32_t right = ampel_pair_slot(other, account);
        if ((left == AMPEL_SLOT_NONE) != (right == AMPEL_SLOT_NONE)) {
            ampel_pair_fail(pair, "%s: S%u is in slot %u, before in %u", what, account, right,
                            left);
        } else if (left != AMPEL_SLOT_NONE) {
            export_account(pair->engine, left, &pair->left);
            export_account(other, right, &pair->right);
            if (!same_bytes(&pair->left, &pair->right)) {
                ampel_pair_fail(pair, "%s: S%u differs at %lld (%u and %u bytes)", what, account,
                                (long long)pair->now_ms, pair->left.size, pair->right.size);
            }
        }
    }
}

/* ---- checkpoints ---------------------------------------------------------------------------- */

void ampel_pair_checkpoint(struct ampel_pair *pair) {
    AMPEL_ASSERT(ampel_engine_pages_count(pair->engine) <= AMPEL_PAIR_PAGES_MAX);
    uint32_t page = ampel_engine_page_dirty_next(pair->engine, 0);
    while (page != UINT32_MAX) {
        export_page(pair->engine, page, &pair->pages[page]);
        ampel_pair_rows_write(pair, page);
        ampel_engine_page_clean(pair->engine, page);
        pair->operations++;
        page = ampel_engine_page_dirty_next(pair->engine, page);
    }
    export_meta(pair->engine, &pair->meta);
    ampel_pair_rows_check(pair);
}

/* Bytes that no export wrote: the reader may refuse them or not, but survives and gives its memory
 * back. */
static void import_damaged(struct ampel_pair *pair) {
    struct ampel_engine *other = ampel_pair_open(pair, pair->rules, pair->story->start_ms);
    uint32_t pages = ampel_engine_pages_count(pair->engine);
    uint64_t victim = ampel_random_below(&pair->random, pages + UINT64_C(1));
    struct ampel_pair_bytes *bytes = victim == pages ? &pair->meta : &pair->pages[victim];
    if (bytes->size > 0) {
        uint64_t at = ampel_random_below(&pair->random, bytes->size);
        uint8_t kept = bytes->bytes[at];
        uint32_t size = bytes->size;
        if (ampel_random_chance(&pair->random, 80)) {
            bytes->bytes[at] ^= (uint8_t)ampel_random_between(&pair->random, 1, 255);
        } else {
            bytes->size = (uint32_t)at;
        }
        enum ampel_engine_status status =
            ampel_engine_meta_import(other, pair->meta.bytes, pair->meta.size);
        for (uint32_t page = 0; page < pages && status == AMPEL_ENGINE_OK; page++) {
            status = ampel_engine_page_import(other, page, pair->pages[page].bytes,
                                              pair->pages[page].size);
        }
        if (status == AMPEL_ENGINE_OK) {
            status = ampel_engine_import_finish(other);
        }
        if (status == AMPEL_ENGINE_NO_MEMORY) {
            ampel_pair_fail(pair, "damaged bytes ask for memory without end");
        }
        bytes->bytes[at] = kept;
        bytes->size = size;
    }
    ampel_engine_close(other);
}

/* Another engine reads what a database would hold by now and goes on in the place of the first. */
void ampel_pair_recover(struct ampel_pair *pair, const struct ampel_rules *rules) {
    ampel_pair_checkpoint(pair);
    import_damaged(pair);
    bool same_rules = rules == pair->rules;
    struct ampel_engine *other = ampel_pair_open(pair, rules, pair->story->start_ms);
    enum ampel_engine_status status =
        ampel_engine_meta_import(other, pair->meta.bytes, pair->meta.size);
    uint32_t pages = ampel_engine_pages_count(pair->engine);
    for (uint32_t page = 0; page < pages && status == AMPEL_ENGINE_OK; page++) {
        status =
            ampel_engine_page_import(other, page, pair->pages[page].bytes, pair->pages[page].size);
    }
    if (status == AMPEL_ENGINE_OK) {
        status = ampel_engine_import_finish(other);
    }
    if (status != AMPEL_ENGINE_OK || ampel_engine_now(other) != pair->now_ms) {
        ampel_pair_fail(pair, "recovery ends with status %d at %lld", (int)status,
                        status == AMPEL_ENGINE_OK ? (long long)ampel_engine_now(other) : 0);
        ampel_engine_close(other);
        return;
    }
    if (same_rules) {
        ampel_pair_check_same(pair, other, "recovered");
        export_meta(other, &pair->left);
        if (!same_bytes(&pair->left, &pair->meta)) {
            ampel_pair_fail(pair, "recovered: the meta page differs");
        }
    } else {
        ampel_pair_expect_rules(pair, rules);
    }
    ampel_engine_close(pair->engine);
    pair->engine = other;
    pair->operations++;
    ampel_pair_check_changes(pair);
}

/* ---- the same, told differently ------------------------------------------------------------- */

static bool of_violation(const struct ampel_story_event *event) {
    return event->told.type == AMPEL_EVENT_VIOLATION ||
           event->told.type == AMPEL_EVENT_VIOLATION_STATE;
}

/* What is young comes before what is older than two windows: a violation that lives by its young
   events would otherwise leave memory between two frames, as if a producer had told it in pieces
   two windows apart. */
static uint32_t mix_order(struct ampel_pair *pair, const struct ampel_story_op *op,
                          uint32_t *order) {
    const struct ampel_story *story = pair->story;
    uint32_t count = 0;
    for (uint32_t index = op->events_first; index < op->events_first + op->events_count; index++) {
        order[count++] = index;
    }
    for (uint32_t index = count; index > 1; index--) {
        uint32_t other = (uint32_t)ampel_random_below(&pair->random, index);
        uint32_t kept = order[index - 1];
        order[index - 1] = order[other];
        order[other] = kept;
    }
    uint32_t *sorted = malloc((count + 1) * sizeof *sorted);
    AMPEL_ASSERT(sorted != NULL);
    uint32_t placed = 0;
    for (int old = 0; old < 2; old++) {
        for (uint32_t index = 0; index < count; index++) {
            const struct ampel_story_event *event = &story->events[order[index]];
            bool is_old = of_violation(event) && event->told.at_ms < pair->now_ms - TWO_WINDOWS;
            if (is_old == (old == 1)) {
                sorted[placed++] = order[index];
            }
        }
    }
    memcpy(order, sorted, count * sizeof *order);
    free(sorted);
    return count;
}

static void apply_pieces(struct ampel_pair *pair, struct ampel_engine *other,
                         const struct ampel_story_op *op) {
    uint32_t *order = malloc((op->events_count + 1) * sizeof *order);
    AMPEL_ASSERT(order != NULL);
    uint32_t count = mix_order(pair, op, order);
    uint32_t tenants = op->tenant == UINT32_MAX ? 2 : 1;
    for (uint32_t done = 0; done < count;) {
        uint32_t size = (uint32_t)ampel_random_between(
            &pair->random, 1, count - done > 30 ? 30 : (int64_t)(count - done));
        struct ampel_story_op piece = *op;
        piece.producer = 0;
        for (uint32_t tenant = 0; tenant < tenants; tenant++) {
            uint32_t chosen[30];
            uint32_t chosen_count = 0;
            piece.tenant = tenants == 2 ? tenant : op->tenant;
            for (uint32_t index = done; index < done + size; index++) {
                if (pair->story->events[order[index]].account % 2 == piece.tenant) {
                    chosen[chosen_count++] = order[index];
                }
            }
            ampel_framer_begin(&pair->framer, &piece);
            struct ampel_apply_counts counts;
            enum ampel_engine_status status = ampel_engine_apply(
                other, ampel_framer_finish(&pair->framer, pair->story, chosen, chosen_count),
                &counts);
            AMPEL_ASSERT(status == AMPEL_ENGINE_OK);
            pair->operations += chosen_count;
        }
        done += size;
    }
    free(order);
    ampel_engine_changes_clear(other);
}

void ampel_pair_compare_told_at_the_end(struct ampel_pair *pair) {
    if (pair->failed) {
        return;
    }
    struct ampel_engine *other = ampel_pair_open(pair, pair->rules, pair->now_ms);
    struct ampel_story_op all = {
        .deed = AMPEL_DEED_FRAME,
        .to_ms = pair->now_ms,
        .sent_at_ms = pair->now_ms,
        .tenant = UINT32_MAX,
        .events_count = pair->story->events_count,
    };
    apply_pieces(pair, other, &all);
    ampel_pair_check_same(pair, other, "told at the end");
    ampel_engine_close(other);
}

void ampel_pair_compare_told_in_pieces(struct ampel_pair *pair) {
    if (pair->failed) {
        return;
    }
    const struct ampel_story *story = pair->story;
    int64_t end_ms = pair->now_ms;
    struct ampel_engine *other = ampel_pair_open(pair, pair->rules, story->start_ms);
    pair->now_ms = story->start_ms;
    for (uint32_t index = 0; index < story->ops_count; index++) {
        const struct ampel_story_op *op = &story->ops[index];
        bool moves = op->deed == AMPEL_DEED_FRAME || op->deed == AMPEL_DEED_ADVANCE;
        if (moves && op->to_ms > pair->now_ms) {
            ampel_pair_advance(pair, other, op->to_ms, 1 + 100 * (index % 2));
            pair->now_ms = op->to_ms;
        }
        if (op->deed == AMPEL_DEED_FRAME) {
            apply_pieces(pair, other, op);
        }
    }
    AMPEL_ASSERT(pair->now_ms == end_ms);
    ampel_pair_check_same(pair, other, "told in pieces");
    ampel_engine_close(other);
}
