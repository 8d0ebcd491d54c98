/* What was told, folded: the form in which a change waits for its checkpoint and for watchers. One block for each, without the
   room that its texts might need, the names of the rules shared by all that were made under them. The stream that watchers are
   sent from and the checkpoint that stores it hold the same block; the last one frees it. What was told never
   changes once it is made.

       block    rules, position, number, size | signals | sizes of the account's texts
                | struct change up to its cause's texts, without bytes that are zero | those | the account's texts

   The numbers after a change stand as what differs from those before, the cause's time likewise. The id is no part of it: it follows
   from the rest, and is made when somebody reads.

   Thread: any.                                                                                                     */
#ifndef AMPEL_WORKERS_FOLDED_H
#define AMPEL_WORKERS_FOLDED_H

#include "workers/parcel.h"

/* A face that several hold; the last one frees it. */
struct ampel_shared_face;
/* Makes *face, the caller's to keep and release, one that equals wanted: the same again where it did. False: no memory. */
AMPEL_MUST_CHECK bool ampel_shared_face_renew(struct ampel_shared_face **face, const struct ampel_rules_face *wanted);
void ampel_shared_face_release(struct ampel_shared_face *face); /* NULL is fine */

struct ampel_folded;

/* How many bytes a change takes when it is folded, with what points to it, whatever its number. */
uint32_t ampel_folded_size(const struct ampel_told *told);
/* Folds a copy of a change, its number included, that was made under these rules; one holder. position: of the record that told
   it. NULL: no memory. */
struct ampel_folded *ampel_folded_make(const struct ampel_told *told, uint64_t position, struct ampel_shared_face *face);
void ampel_folded_hold(struct ampel_folded *folded); /* once more */
void ampel_folded_release(struct ampel_folded *folded); /* NULL is fine */

uint64_t ampel_folded_position(const struct ampel_folded *folded);
uint64_t ampel_folded_number(const struct ampel_folded *folded);
/* The publisher's own notes, of its thread: the stream that keeps it, and whether it is in the database. 0 and false at first. */
uint32_t ampel_folded_place(const struct ampel_folded *folded);
void ampel_folded_place_set(struct ampel_folded *folded, uint32_t place);
bool ampel_folded_stored(const struct ampel_folded *folded);
void ampel_folded_stored_set(struct ampel_folded *folded);
uint32_t ampel_folded_bytes(const struct ampel_folded *folded); /* ampel_folded_size of what it was made of */
const struct ampel_rules_face *ampel_folded_rules(const struct ampel_folded *folded);
/* The change again, with its id. Its texts and signals are the block's. */
void ampel_folded_read(const struct ampel_folded *folded, struct ampel_told *told);
/* Those of an array that share the first one's rules, as an OUT from malloc; texts and signals are the blocks'. count > 0; told_count
   says how many they are. NULL: no memory. */
struct ampel_parcel_out *ampel_folded_open(struct ampel_folded *const *folded, uint32_t count);

#endif
