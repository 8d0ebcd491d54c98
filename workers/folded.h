/* What was told, folded: the form in which changes wait for their checkpoint while the database is slow or away. One block for
   each OUT, each change without the room that its texts might need, the names of the rules shared by all that were made
   under them: a quarter of the OUT. It never changes once it is made.

       block    head | change: struct change, id and producer, signals, the account's texts where they are new
                     | change ...                                          Thread: any, one at a time; faces: any. */
#ifndef AMPEL_WORKERS_FOLDED_H
#define AMPEL_WORKERS_FOLDED_H

#include "workers/parcel.h"

/* A face that several hold; the last one frees it. */
struct ampel_shared_face;
void ampel_shared_face_release(struct ampel_shared_face *face); /* NULL is fine */

struct ampel_folded;

/* How many bytes the OUT takes when it is folded. */
uint64_t ampel_folded_size(const struct ampel_parcel_out *out);
/* Folds a copy of the OUT, numbers included. *face is the last one that was used, the caller's to keep and release: held once
   more where it is that of the OUT, else replaced. NULL: no memory. */
struct ampel_folded *ampel_folded_make(const struct ampel_parcel_out *out, struct ampel_shared_face **face);
/* The OUT again, from malloc. NULL: no memory. */
struct ampel_parcel_out *ampel_folded_open(const struct ampel_folded *folded);
void ampel_folded_free(struct ampel_folded *folded); /* NULL is fine */

uint64_t ampel_folded_position(const struct ampel_folded *folded);
uint32_t ampel_folded_count(const struct ampel_folded *folded);

#endif
