/* Drift of one account (rating-model 3.15): what reports showed against what the model says.

   A report that time has reached is judged once, at the end of the step that brought it: its score
   less the score the model gives for its at, from what is known then. It stays with the fact
   (facts.h), in pages and not in digests, as it depends on what was known when.

   score(at) for a report of the past: violations in window at that time, each in its state if that
   was set by then, else as open (as cleared where it was cleared by then); orders of the days of
   its window as far as they are kept (180 days back from today). For a report of now it is the
   score shown.

   A change of drift from the report before it (under the same rules) is explained by a violation
   recorded, moved to another state or left between the two, by one that moved the account since
   drift was computed last, or, up to the points of one block, by orders. Else it is unexplained. */
#ifndef AMPEL_ENGINE_DRIFT_H
#define AMPEL_ENGINE_DRIFT_H

#include "engine/state.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Reports that arrive later than this are kept, but not compared. */
#define AMPEL_DRIFT_LATE_MS (7 * AMPEL_DAY_MS)

enum {
    AMPEL_DRIFT_NEW = 1, /* to be judged at the end of the step; never in a page */
    AMPEL_DRIFT_KNOWN = 2,
    AMPEL_DRIFT_UNEXPLAINED = 4,
    AMPEL_DRIFT_KEPT = AMPEL_DRIFT_KNOWN | AMPEL_DRIFT_UNEXPLAINED
};

/* Judges the new reports of the step; told: names what changed. False: no memory. */
AMPEL_MUST_CHECK bool ampel_drift_judge(struct ampel_engine *engine, uint32_t slot,
                                        struct ampel_account *account,
                                        const struct ampel_source *source, bool told);

#ifdef __cplusplus
}
#endif

#endif
