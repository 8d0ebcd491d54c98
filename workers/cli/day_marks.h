/* Day marks: the lowest score that each account showed on each closed UTC day (rating-model 3.14), gathered from the
   changes of a replay and written as `day_mark` events, one JSON line each, in the order of days. */
#ifndef AMPEL_WORKERS_CLI_DAY_MARKS_H
#define AMPEL_WORKERS_CLI_DAY_MARKS_H

#include "engine/engine.h"

struct ampel_day_account {
    int64_t since_ms; /* the score was shown from here on */
    int32_t score;
    int32_t lowest;   /* of this day, without the score of now; INT32_MAX none yet */
    bool known;
};

struct ampel_day_marks {
    int64_t day; /* that is open; -1 before the first change */
    uint32_t accounts_count, accounts_capacity;
    struct ampel_day_account *accounts; /* by slot */
    uint64_t written;
};

/* Starts zeroed but for day = -1. Takes one change, ascending in time; days before it close first. */
void ampel_day_marks_take(struct ampel_day_marks *marks, const struct ampel_engine *engine,
                          const struct ampel_change *change);
/* Closes the days before the one of at_ms. */
void ampel_day_marks_close_until(struct ampel_day_marks *marks, const struct ampel_engine *engine,
                                 int64_t at_ms);
void ampel_day_marks_reset(struct ampel_day_marks *marks);

#endif
