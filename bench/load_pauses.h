/* For how long cores are gone: on each core that this process may use a thread that runs before all others wakes five hundred times a
   second and tells how late it was. What it waits for is the machine's host, or the kernel where it lets no thread in; no other thread.
   A wake takes 25 to 50 us of processor time on a virtual machine, all of them 1 to 3 % of each core. Thread: one, beside those that
   it begins. */
#ifndef AMPEL_BENCH_LOAD_PAUSES_H
#define AMPEL_BENCH_LOAD_PAUSES_H

#include <stdint.h>

struct load_pauses;

/* Counts from this time on (load_now_ns). NULL: no thread may run before all others here, or keep to a core. */
struct load_pauses *load_pauses_begin(int64_t from_ns);
/* Ends the watch and tells two things; nothing for NULL. NAME: by how much each due moment of all cores was missed, those that were
   slept through as well, which is what a thread had to wait that was due at any time. NAME_gone: the percentage of all cores' time in
   waits of over a millisecond, each from the moment that was missed, so rather less than was gone. */
void load_pauses_end(struct load_pauses *pauses, const char *name);

#endif
