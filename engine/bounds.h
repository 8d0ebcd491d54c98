/* Every bound of Ampel, each with the sentence that justifies it. Relations are asserted below. */
#ifndef AMPEL_ENGINE_BOUNDS_H
#define AMPEL_ENGINE_BOUNDS_H

#include <assert.h>
#include <stdint.h>

/* Time. The model counts in integer milliseconds and UTC days (rating-model 0). */
#define AMPEL_DAY_MS          INT64_C(86400000)
#define AMPEL_HOUR_MS         INT64_C(3600000)
#define AMPEL_WINDOW_DAYS_MAX 180
#define AMPEL_WINDOW_MS       (AMPEL_WINDOW_DAYS_MAX * AMPEL_DAY_MS)
/* Times accepted from outside: 1970..2200 keeps every sum of a time and two windows far from
 * overflow. */
#define AMPEL_TIME_MAX_MS INT64_C(7258118400000)
/* An event this far after its batch's sent_at is a clock error, not news (rating-model 2). */
#define AMPEL_FUTURE_SLACK_MS (5 * INT64_C(60000))
/* A batch whose sent_at leaves the stamp by more than this is refused whole (architecture 4.6). */
#define AMPEL_SENT_AHEAD_MAX_MS  AMPEL_DAY_MS
#define AMPEL_SENT_BEHIND_MAX_MS (29 * AMPEL_DAY_MS)
/* A backfilled account is summed up when this much time passed since its last backfilled event. */
#define AMPEL_BACKFILL_QUIET_MS INT64_C(60000)

/* Texts. Ids are 1..64 bytes of printable ASCII; free texts (details, actions) are UTF-8. */
#define AMPEL_ID_BYTES_MAX   64
#define AMPEL_TEXT_BYTES_MAX 200
/* All texts and rare fields of one event, encoded (engine/event.h). */
#define AMPEL_EXTRAS_BYTES_MAX 1024

/* Numbers. 24 bits of a packed day (rev << 24 | total); the merge is then one max. */
#define AMPEL_ORDERS_MAX        UINT32_C(16777215)
#define AMPEL_ORDERS_REV_MAX    255
#define AMPEL_POINTS_MAX        1000
#define AMPEL_VIOLATION_REV_MAX 65535
/* p(v) saturates here: far beyond any clamp, and 65 535 of them still fit an int64 many times. */
#define AMPEL_VIOLATION_POINTS_MAX INT64_C(1000000000)

/* Registries grow at their end, at most to 64, so that a set of them is one u64. */
#define AMPEL_POLICIES_MAX 64
#define AMPEL_KINDS_MAX    64
/* Rules. */
#define AMPEL_CAP_GROUPS_MAX   8
#define AMPEL_LADDER_TABLE_MAX 16
#define AMPEL_VARIANTS_MAX     16
#define AMPEL_VARIANT_KEYS_MAX 8

/* One account. A count of violations is a u16; what comes beyond becomes a durable refusal. */
#define AMPEL_ACCOUNT_VIOLATIONS_MAX 65535
#define AMPEL_ACCOUNT_FACTS_MAX      4096
/* Events that wait for their time, per partition; at most a day and five minutes ahead. */
#define AMPEL_PENDING_MAX (UINT32_C(1) << 20)

/* Partitions are fixed when a system is created (architecture 4.3). */
#define AMPEL_PARTITIONS_DEFAULT 64
#define AMPEL_PARTITIONS_MAX     4096
/* Accounts of one page: the unit of snapshot, some 2 to 8 KiB compressed (architecture 4.8). */
#define AMPEL_PAGE_ACCOUNTS 32
/* A bound for the bytes of one exported page: full accounts of thousands of violations fit. */
#define AMPEL_PAGE_BYTES_MAX (UINT32_C(512) << 20)

/* Producers. The credit is how far a feeder may run ahead of its lowest unacked sequence; each
   partition remembers a window of the same width (architecture 4.5). */
#define AMPEL_CREDIT                   1024
#define AMPEL_PRODUCERS_PER_TENANT_MAX 64
#define AMPEL_PRODUCER_IDLE_MS         (30 * AMPEL_DAY_MS)

/* Batches. 128 Ki events at 31 bytes are 4 MiB; hand-written rows take some 100 bytes each. */
#define AMPEL_BATCH_EVENTS_MAX   (UINT32_C(1) << 17)
#define AMPEL_BATCH_ACCOUNTS_MAX (UINT32_C(1) << 17)
#define AMPEL_BATCH_BYTES_MAX    (UINT32_C(16) << 20)
/* A journal record holds all frames of one batch (rows may grow when they become columns). */
#define AMPEL_RECORD_BYTES_MAX (UINT32_C(64) << 20)

static_assert(AMPEL_CREDIT % 64 == 0, "windows are bitmaps of u64 words");
static_assert(AMPEL_ORDERS_MAX == (UINT32_C(1) << 24) - 1, "a day packs into a u32");
static_assert(AMPEL_SENT_BEHIND_MAX_MS < AMPEL_PRODUCER_IDLE_MS,
              "a producer's window outlives every batch that may still be resent");
static_assert(INT64_C(65535) * AMPEL_VIOLATION_POINTS_MAX < INT64_MAX / 4, "sums never overflow");

#endif
