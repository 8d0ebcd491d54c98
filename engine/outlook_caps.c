/* How far each repeat cap is, and what time alone does to its count. */
#include "engine/outlook.h"

#include "engine/outlook_view.h"
#include "engine/sort.h"

/* What counts to the group, ascending by its expiry. */
static uint32_t counted_sort(const struct ampel_outlook_view *view, uint32_t group,
                             uint64_t *keys) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < view->count; i++) {
        const struct ampel_outlook_item *item = &view->items[i];
        if (item->capped && item->group == group) keys[count++] = (uint64_t)item->at_ms;
    }
    ampel_sort_u64(keys, count);
    return count;
}

enum ampel_engine_status ampel_outlook_caps(struct ampel_engine *engine, uint32_t slot,
                                            struct ampel_outlook_cap out[AMPEL_CAP_GROUPS_MAX]) {
    struct ampel_outlook *outlook = ampel_outlook_claim(engine);
    if (outlook == NULL || !ampel_outlook_view_fill(engine, outlook, slot)) {
        return AMPEL_ENGINE_NO_MEMORY;
    }
    const struct ampel_outlook_view *view = &outlook->view;
    uint64_t *keys = outlook->keys;
    if (view->count > 0) {
        keys = ampel_pool_grow(&engine->pool, keys, &outlook->keys_capacity, view->count,
                               sizeof(*keys));
        if (keys == NULL) return AMPEL_ENGINE_NO_MEMORY;
        outlook->keys = keys;
    }
    int64_t window_ms = engine->scale.window_ms;
    for (uint32_t i = 0; i < engine->rules.cap_groups_count; i++) {
        uint32_t limit = engine->rules.cap_groups[i].limit;
        uint32_t count = view->count > 0 ? counted_sort(view, i, keys) : 0;
        out[i] = (struct ampel_outlook_cap){INT64_MAX, INT64_MAX, (uint16_t)count, (uint16_t)limit};
        if (count == 0) continue;
        out[i].falls_at_ms = (int64_t)keys[0] + window_ms;
        if (count >= limit) out[i].below_at_ms = (int64_t)keys[count - limit] + window_ms;
    }
    return AMPEL_ENGINE_OK;
}
