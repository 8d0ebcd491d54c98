/* The accounts that a frame names: found many at a time shortly before their events, so that their lines are still near
   then, and made with their first accepted event.
   Owner: the engine; its frame_slots and frame_accounts hold the answers until the next frame, as far as frame_found says.
   Thread: the engine's. */
#ifndef AMPEL_ENGINE_FRAME_ACCOUNTS_H
#define AMPEL_ENGINE_FRAME_ACCOUNTS_H

#include "engine/state.h"

/* Room for all of them; none is found. False, here and below: no memory. */
AMPEL_MUST_CHECK bool ampel_frame_accounts_begin(struct ampel_engine *engine, const struct ampel_frame *frame);
/* Finds those whose number in the frame is below until, which is at most what the frame has. A copy under way takes
   what the frame may change of them before it does. */
AMPEL_MUST_CHECK bool ampel_frame_accounts_find(struct ampel_engine *engine, const struct ampel_frame *frame, uint32_t until);

enum ampel_claim {
    AMPEL_CLAIM_MADE, /* *slot is its; the frame may have named it twice */
    AMPEL_CLAIM_BAD,  /* its name is none */
    AMPEL_CLAIM_MANY, /* the tenant has as many as it may */
    AMPEL_CLAIM_NO_MEMORY,
};
/* For an account of the frame that was looked for and is none. */
AMPEL_MUST_CHECK enum ampel_claim ampel_frame_account_claim(struct ampel_engine *engine, const struct ampel_frame *frame,
                                                            uint32_t index, uint32_t *slot);

#endif
