/* What is told of an account ahead of time: clocks that run out (clocks.h), and that it will leave green (leaving.h).
   Asked at the end of each step that looks at all of an account, so what mostly has nothing to say is asked here,
   without a call. */
#ifndef AMPEL_ENGINE_WARNINGS_H
#define AMPEL_ENGINE_WARNINGS_H

#include "engine/clocks.h"
#include "engine/leaving.h"

#ifdef __cplusplus
extern "C" {
#endif

/* numbers are the account's; where look is set it may leave green sooner than was foreseen, and then, if it is green,
   cause is read. told is false for frames of a backfill. False: no memory. */
AMPEL_MUST_CHECK static inline bool ampel_account_warn(struct ampel_engine *engine, uint32_t slot,
                                                       struct ampel_account *account,
                                                       const struct ampel_numbers *numbers, bool told, bool look,
                                                       const struct ampel_cause *cause, uint64_t position) {
    /* What is at risk at most and has nothing rare has no clock, and none to start. */
    bool eligible = numbers->risk >= AMPEL_RISK_ELIGIBLE, clocks = account->has_rare != 0 || eligible;
    account->flags = (uint8_t)((account->flags & ~AMPEL_ACCOUNT_ELIGIBLE) | (eligible ? AMPEL_ACCOUNT_ELIGIBLE : 0));
    if (clocks && !ampel_clocks_step(engine, slot, account, numbers, told, position)) return false;
    return !look || ampel_leaving_judge(engine, slot, account, numbers, told, cause, position);
}

#ifdef __cplusplus
}
#endif

#endif
