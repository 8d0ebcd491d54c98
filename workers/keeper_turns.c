#include "workers/keeper_turns.h"

bool ampel_turns_push(struct ampel_turns *turns, struct ampel_parcel_record *record) {
    if (!ampel_fifo_push(&turns->lines[record->producer_index % AMPEL_TURNS_LINES], record)) return false;
    turns->count++;
    return true;
}

struct ampel_parcel_record *ampel_turns_first(struct ampel_turns *turns) {
    if (turns->count == 0) return NULL;
    while (turns->lines[turns->next].count == 0)
        turns->next = (turns->next + 1) % AMPEL_TURNS_LINES;
    return ampel_fifo_first(&turns->lines[turns->next]);
}

void ampel_turns_pop(struct ampel_turns *turns) {
    AMPEL_ASSERT(turns->count > 0);
    ampel_fifo_pop(&turns->lines[turns->next]);
    turns->next = (turns->next + 1) % AMPEL_TURNS_LINES;
    turns->count--;
}

void ampel_turns_reset(struct ampel_turns *turns) {
    struct ampel_parcel_record *record;
    while ((record = ampel_turns_first(turns)) != NULL) {
        ampel_turns_pop(turns);
        ampel_parcel_free(&record->parcel);
    }
    for (uint32_t i = 0; i < AMPEL_TURNS_LINES; i++)
        ampel_fifo_reset(&turns->lines[i]);
}
