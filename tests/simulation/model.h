/* The model: the log as it was read from the journal, and what must follow from it.

       log        every record that was ever durable, in order; none may vanish or change
       notes      by partition: which batch, tick or set of rules each of its frames was
       sets       the rules of the start and those that were set since, by number
       oracles    by account: the events of the partition's prefix that the database has stored

   What is compared: each record with what the agency sent; each commit's rows with the oracle's answer for the prefix of
   the partition's log that ends at the commit's position; epochs with claims; each change told with the rules that held
   where it was made, and with the change of its account before it. The first difference is kept as the failure's reason.
   Thread: one. */
#ifndef AMPEL_TESTS_SIMULATION_MODEL_H
#define AMPEL_TESTS_SIMULATION_MODEL_H

#include "tests/oracle/agency.h"
#include "tests/oracle/world.h"

#define SIM_AGENCIES      3
#define SIM_PARTITIONS    8
#define SIM_ACCOUNTS      8
#define SIM_SEQUENCES_MAX 256
#define SIM_SETS_MAX      24 /* of rules, in one life */

/* What a note is of, where it is no agency's batch. */
#define SIM_NOTE_TICK  (-1)
#define SIM_NOTE_RULES (-2)

struct sim_record {
    uint64_t position;
    int64_t stamp_ms;
    uint32_t size;
    uint32_t notes_from[SIM_PARTITIONS];
    uint64_t at; /* of its bytes in the model's */
    bool batch;
};

struct sim_note {
    uint64_t position;
    int64_t stamp_ms;
    int32_t agency;    /* or SIM_NOTE_* */
    uint32_t sequence; /* RULES: their number */
};

/* One set of rules; number 0 holds from the start on. */
struct sim_set {
    const struct ampel_rules *rules; /* owned, but those of number 0 */
    uint64_t position;               /* of its record; UINT64_MAX: not in the log, which may pass over it */
    int64_t stamp_ms;
};

struct sim_partition {
    struct sim_note *notes;
    uint32_t notes_count, notes_capacity;
    uint32_t cursor;   /* notes that the oracles know */
    uint64_t position; /* that is stored */
    uint64_t epoch;    /* of the last claim */
    int64_t stamp_ms;  /* of the last note known */
    uint64_t set;      /* of rules: the number that holds there */
    bool seen[SIM_AGENCIES][SIM_SEQUENCES_MAX];
};

struct sim_model {
    struct sim_set sets[SIM_SETS_MAX + 1];
    uint32_t sets_count, sets_logged; /* greatest numbers: in the database, in the log */
    struct ampel_agency *agencies[SIM_AGENCIES];
    const struct ampel_memory_database *database;
    uint32_t partitions;
    bool orders_late; /* rows may lag in their order counts */
    struct ampel_record_reader *reader;
    struct sim_record *records;
    uint32_t records_count, records_capacity;
    uint8_t *bytes;
    uint64_t bytes_count, bytes_capacity;
    uint64_t end; /* of the log as it was read */
    uint32_t in_log[SIM_AGENCIES][SIM_SEQUENCES_MAX], doubled[SIM_AGENCIES][SIM_SEQUENCES_MAX];
    struct sim_partition of[SIM_PARTITIONS];
    uint32_t account_partition[SIM_AGENCIES][SIM_ACCOUNTS];
    struct ampel_oracle oracles[SIM_AGENCIES][SIM_ACCOUNTS];
    int64_t backfilled_ms[SIM_AGENCIES][SIM_ACCOUNTS]; /* by the last such batch; INT64_MIN: never */
    struct sim_history {
        bool begun;
        struct ampel_numbers last;
    } history[SIM_AGENCIES][SIM_ACCOUNTS];
    uint64_t commits, checks, frames_checked;
    char reason[600]; /* empty: nothing is wrong */
};

void sim_model_open(struct sim_model *model);
void sim_model_close(struct sim_model *model);
/* The first reason counts. */
void sim_model_fail(struct sim_model *model, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* What became durable since the last call. */
void sim_model_read(struct sim_model *model, struct ampel_journal *journal);
/* After a start: all that was durable before is there still. */
void sim_model_verify(struct sim_model *model, struct ampel_journal *journal);
/* Every ack is true: its batch stands in the log. */
void sim_model_check_acks(struct sim_model *model);
/* All batches are applied, once, and stored. */
void sim_model_check_drained(struct sim_model *model);
/* Other rules were set in the database; they are copied. */
void sim_model_set(struct sim_model *model, const struct ampel_rules *rules);
/* The number of the rules that hold where the record at a position is read, before what it brings. */
uint32_t sim_model_set_before(const struct sim_model *model, uint64_t position);
/* Which account a name (tenant, seller) is of. False: of none. */
bool sim_model_account(const struct sim_model *model, struct ampel_text tenant,
                       struct ampel_text seller, uint32_t *agency, uint32_t *account);
/* What a rating must be is what it is. orders: those too. */
bool sim_model_same(const struct ampel_numbers *numbers, const struct ampel_oracle_rating *rating,
                    bool orders);

/* ---- frames.c: after a step of an engine ---------------------------------------------------------- */

/* One account of the partition, by the engine's own words, against an oracle told anew from the log up to the engine's
   place in it. position: of the record that it is at; applied: it has taken what that brings, and not the time alone. */
void sim_model_check_step(struct sim_model *model, const struct ampel_engine *engine,
                          uint32_t partition, uint64_t position, bool applied, uint64_t dice);

/* ---- model_told.c ----------------------------------------------------------------------------------- */

/* The changes that a commit brings: their rules, their dates, the chain of each account's history. */
void sim_model_told(struct sim_model *model, const struct ampel_checkpoint *checkpoint);
/* No change is stored twice; the history of each account ends at its rating. */
void sim_model_check_told(struct sim_model *model);
/* Each refused event has its row, once. */
void sim_model_check_refusals(struct sim_model *model);
/* For ampel_memory_database_watch; the context is the model. */
void sim_model_claimed(void *context, uint32_t partition, uint64_t epoch);
void sim_model_committed(void *context, const struct ampel_checkpoint *checkpoint);
/* Which record a position lies in; NULL: none. */
const struct sim_record *sim_model_record(const struct sim_model *model, uint64_t position);

#endif
