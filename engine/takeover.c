#include "engine/takeover.h"

#include <string.h>

static struct ampel_takeover *takeover_of(const struct ampel_account *account) {
    return account->rare != NULL ? account->rare->takeover : NULL;
}

void ampel_engine_suspicion(const struct ampel_engine *engine, uint32_t slot,
                            struct ampel_suspicion *out) {
    AMPEL_ASSERT(slot < engine->accounts.count);
    const struct ampel_account *account = ampel_account_at(&engine->accounts, slot);
    const struct ampel_takeover *told = takeover_of(account);
    bool watched;
    ampel_signals_collect(engine, account, out, &watched);
    if (told != NULL) out->began_ms = told->began_ms;
}

const struct ampel_signal *ampel_engine_change_signals(const struct ampel_engine *engine,
                                                       const struct ampel_change *change) {
    AMPEL_ASSERT(change->signals_first + change->signals_count <= engine->told_signals_count);
    return change->signals_count > 0 ? engine->told_signals + change->signals_first : NULL;
}

enum ampel_takeover_news ampel_takeover_judge(struct ampel_engine *engine,
                                              struct ampel_account *account,
                                              struct ampel_suspicion *out) {
    bool watched;
    ampel_signals_collect(engine, account, out, &watched);
    account->watched = watched || ampel_takeover_waits(account);
    struct ampel_takeover *told = takeover_of(account);
    if (told == NULL) return out->suspected ? AMPEL_TAKEOVER_SUSPECTED : AMPEL_TAKEOVER_SAME;
    out->began_ms = told->began_ms;
    if (!out->suspected) return AMPEL_TAKEOVER_CLEARED;
    int64_t due_ms = ampel_signals_leave(engine, account, out);
    if (told->due_ms != due_ms) {
        told->due_ms = due_ms;
        account->flags = (uint8_t)(account->flags | AMPEL_ACCOUNT_DUE_STALE);
    }
    return (out->kinds & ~told->kinds) != 0 ? AMPEL_TAKEOVER_SUSPECTED : AMPEL_TAKEOVER_SAME;
}

static bool signals_push(struct ampel_engine *engine, const struct ampel_suspicion *suspicion,
                         struct ampel_change *change) {
    if (suspicion->signals_count == 0) return true;
    struct ampel_signal *list = ampel_pool_grow(
        &engine->pool, engine->told_signals, &engine->told_signals_capacity,
        engine->told_signals_count + suspicion->signals_count, sizeof(*list));
    if (list == NULL) return false;
    engine->told_signals = list;
    change->signals_first = engine->told_signals_count;
    change->signals_count = suspicion->signals_count;
    memcpy(list + engine->told_signals_count, suspicion->signals,
           suspicion->signals_count * sizeof(*list));
    engine->told_signals_count += suspicion->signals_count;
    return true;
}

/* What was told from now on. NULL: no memory. */
static struct ampel_takeover *takeover_claim(struct ampel_engine *engine,
                                             struct ampel_account *account) {
    struct ampel_rare *rare = ampel_account_rare(account, &engine->pool);
    if (rare == NULL || rare->takeover != NULL) return rare != NULL ? rare->takeover : NULL;
    rare->takeover = ampel_pool_take(&engine->pool, sizeof(*rare->takeover));
    if (rare->takeover != NULL) {
        *rare->takeover = (struct ampel_takeover){.began_ms = engine->now_ms};
    }
    return rare->takeover;
}

bool ampel_takeover_tell(struct ampel_engine *engine, uint32_t slot, struct ampel_account *account,
                         enum ampel_takeover_news news, struct ampel_suspicion *suspicion,
                         const struct ampel_cause *cause, uint64_t position) {
    if (news == AMPEL_TAKEOVER_SAME) return true;
    bool cleared = news == AMPEL_TAKEOVER_CLEARED;
    struct ampel_takeover *told = takeover_claim(engine, account);
    if (told == NULL) return false;
    suspicion->began_ms = told->began_ms;
    uint8_t kind = cleared ? AMPEL_CHANGE_TAKEOVER_CLEARED : AMPEL_CHANGE_TAKEOVER_SUSPECTED;
    struct ampel_change *change = ampel_change_push(engine, kind, slot, position, cause);
    if (change == NULL || !signals_push(engine, suspicion, change)) return false;
    ampel_account_numbers(engine, account, &change->before);
    change->after = change->before;
    change->since_ms = told->began_ms;
    change->amount = (int32_t)suspicion->weight;
    if (cleared) {
        ampel_pool_give(&engine->pool, told, sizeof(*told));
        account->rare->takeover = NULL;
    } else {
        told->kinds |= suspicion->kinds;
        told->due_ms = ampel_signals_leave(engine, account, suspicion);
    }
    ampel_account_dirty(&engine->accounts, slot, account,
                        AMPEL_ROW_FACTS | AMPEL_ACCOUNT_DUE_STALE);
    return true;
}

bool ampel_takeover_renew(struct ampel_engine *engine, uint32_t slot,
                          struct ampel_account *account, const struct ampel_cause *cause) {
    const struct ampel_rare *rare = account->rare;
    if (rare == NULL || (rare->facts == NULL && rare->takeover == NULL)) return true;
    struct ampel_suspicion suspicion;
    enum ampel_takeover_news news = ampel_takeover_judge(engine, account, &suspicion);
    if (!ampel_takeover_waits(account) &&
        !ampel_takeover_tell(engine, slot, account, news, &suspicion, cause, engine->position)) {
        return false;
    }
    if ((account->flags & AMPEL_ACCOUNT_DUE_STALE) != 0) {
        ampel_account_due_renew(engine, slot, account);
    }
    return true;
}

/* ---- pages ---------------------------------------------------------------------------------- */

void ampel_takeover_put(struct ampel_image_writer *writer, const struct ampel_account *account) {
    const struct ampel_takeover *told = takeover_of(account);
    if (told == NULL) return;
    ampel_image_put_i64(writer, told->began_ms);
    ampel_image_put_u64(writer, told->kinds);
}

enum ampel_engine_status ampel_takeover_read(struct ampel_engine *engine,
                                             struct ampel_image_reader *reader,
                                             struct ampel_account *account) {
    int64_t began_ms = ampel_image_get_i64(reader);
    uint64_t kinds = ampel_image_get_u64(reader);
    uint32_t count = ampel_registry_count(AMPEL_REGISTRY_KIND);
    bool known = count == AMPEL_KINDS_MAX || kinds >> count == 0;
    if (reader->bad || began_ms < 0 || began_ms > engine->now_ms || kinds == 0 || !known) {
        return AMPEL_ENGINE_BAD_BYTES;
    }
    struct ampel_takeover *told = takeover_claim(engine, account);
    if (told == NULL) return AMPEL_ENGINE_NO_MEMORY;
    *told = (struct ampel_takeover){.began_ms = began_ms, .due_ms = INT64_MAX, .kinds = kinds};
    return AMPEL_ENGINE_OK;
}
