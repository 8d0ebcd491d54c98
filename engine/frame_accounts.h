/* The accounts that a frame names: found all at once before its events, made with their first accepted event.
   Owner: the engine; its frame_slots and frame_accounts hold the answers until the next frame. Thread: the engine's. */
#ifndef AMPEL_ENGINE_FRAME_ACCOUNTS_H
#define AMPEL_ENGINE_FRAME_ACCOUNTS_H

#include "engine/state.h"

/* False, here and below: no memory. */
AMPEL_MUST_CHECK bool ampel_frame_accounts_find(struct ampel_engine *engine, const struct ampel_frame *frame);
/* A copy under way takes what the frame may change before it does. */
AMPEL_MUST_CHECK bool ampel_frame_accounts_copy(const struct ampel_engine *engine, const struct ampel_frame *frame);

enum ampel_claim {
    AMPEL_CLAIM_MADE, /* *slot is its; the frame may have named it twice */
    AMPEL_CLAIM_BAD,  /* its name is none */
    AMPEL_CLAIM_MANY, /* the tenant has as many as it may */
    AMPEL_CLAIM_NO_MEMORY,
};
/* For an account of the frame that was not found. */
AMPEL_MUST_CHECK enum ampel_claim ampel_frame_account_claim(struct ampel_engine *engine, const struct ampel_frame *frame,
                                                            uint32_t index, uint32_t *slot);

#endif
