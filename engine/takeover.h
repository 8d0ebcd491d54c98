/* Takeover suspicion of one account (rating-model 3.9).

       signals.c   facts, ring and numbers ──▶ the signals of (now - hours, now], a pure function of
                   what the law of section 1 covers: nothing of it is stored
       takeover.c  what was told of a suspicion: when it began, the kinds that were named

       header      watched: a signal that does not come from orders may be in the window, so every
                   step of the account looks again; unset for all but few
       rare        takeover ──▶ what was told, while the account is suspected; in pages as a section,
                   in no digest, as it records what was seen when

   Orders alone never make a suspicion, so the steps of an account that is not watched cost nothing.
   Time alone only takes signals away: the wheel brings a suspected account back when the next of its
   signals leaves, and a watched one is looked at each midnight.

   Derived kinds of a day look at that day's sums against the account's own 90 days before
   (docs/TAKEOVER.md has the measurements behind the numbers below). */
#ifndef AMPEL_ENGINE_TAKEOVER_H
#define AMPEL_ENGINE_TAKEOVER_H

#include "engine/image.h"
#include "engine/state.h"

#ifdef __cplusplus
extern "C" {
#endif

/* rating-model 3.9 gives these: */
#define AMPEL_BURST_ORDERS_MIN   50
#define AMPEL_BURST_FACTOR       8
#define AMPEL_BURST_DAYS         28
/* A day's sum is a habit broken where it is so many times the greatest day of that many before. */
#define AMPEL_HABIT_FACTOR       3
#define AMPEL_HABIT_DAYS         90
/* bulk_new_listings, new_category: offers created on a day; price_cut, handling_time: offers. */
#define AMPEL_BULK_OFFERS_MIN    50
#define AMPEL_CATEGORY_OFFERS_MIN 10
#define AMPEL_CUT_OFFERS_MIN     10
#define AMPEL_CUT_PERMILLE       600 /* of the reference: below it a price is cut */
#define AMPEL_HANDLING_OFFERS_MIN 10
#define AMPEL_HANDLING_JUMP_DAYS 10
#define AMPEL_HANDLING_USUAL_DAYS 3 /* where nothing was told of handling before */
/* A shop younger than this has no habit that a bulk upload could break. */
#define AMPEL_SETTLED_DAYS       14
/* dormant_wake */
#define AMPEL_DORMANT_DAYS       60
#define AMPEL_WAKE_ORDERS_MIN    5
#define AMPEL_WAKE_OFFERS_MIN    10
/* cancel_and_mail */
#define AMPEL_CANCELLED_MIN      20

/* What was told of a suspicion that lasts. */
struct ampel_takeover {
    int64_t began_ms; /* when it was told first: with the account its id */
    int64_t due_ms;   /* when the next of its signals leaves */
    uint64_t kinds;   /* named so far */
};

enum ampel_takeover_news {
    AMPEL_TAKEOVER_SAME,
    AMPEL_TAKEOVER_SUSPECTED, /* it began, or a kind joined */
    AMPEL_TAKEOVER_CLEARED
};

/* signals.c: everything but began_ms. *watched: whether further steps may change it. */
void ampel_signals_collect(const struct ampel_engine *engine, const struct ampel_account *account,
                           struct ampel_suspicion *out, bool *watched);
/* When the first of its signals leaves the window, or a closer watch ends that it needs. */
int64_t ampel_signals_leave(const struct ampel_engine *engine, const struct ampel_account *account,
                            const struct ampel_suspicion *suspicion);

/* Looks again. Renews header and due (AMPEL_ACCOUNT_DUE_STALE), not what was told. */
enum ampel_takeover_news ampel_takeover_judge(struct ampel_engine *engine,
                                              struct ampel_account *account,
                                              struct ampel_suspicion *out);
/* Names the news. False: no memory. */
AMPEL_MUST_CHECK bool ampel_takeover_tell(struct ampel_engine *engine, uint32_t slot,
                                          struct ampel_account *account,
                                          enum ampel_takeover_news news,
                                          struct ampel_suspicion *suspicion,
                                          const struct ampel_cause *cause, uint64_t position);

/* Nothing is told of an account that is being backfilled; its summary makes it look again. */
static inline bool ampel_takeover_waits(const struct ampel_account *account) {
    return account->rare != NULL && account->rare->backfill != NULL;
}
/* Looks again and names the news where the rules, not an event, may have made some. False: no
   memory. */
AMPEL_MUST_CHECK bool ampel_takeover_renew(struct ampel_engine *engine, uint32_t slot,
                                           struct ampel_account *account,
                                           const struct ampel_cause *cause);

/* The section of a page (image.h): i64 began, u64 kinds; nothing where nothing is suspected. */
void ampel_takeover_put(struct ampel_image_writer *writer, const struct ampel_account *account);
AMPEL_MUST_CHECK enum ampel_engine_status ampel_takeover_read(struct ampel_engine *engine,
                                                              struct ampel_image_reader *reader,
                                                              struct ampel_account *account);

#ifdef __cplusplus
}
#endif

#endif
