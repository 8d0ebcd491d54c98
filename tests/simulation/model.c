#include "tests/simulation/model.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/hash.h"
#include "proto/rules_file.h"

#define NAME_SIZE (3 * (AMPEL_ID_BYTES_MAX + 1))

static struct ampel_text text_of(const char *name) {
    return (struct ampel_text){name, (uint32_t)strlen(name)};
}

void sim_model_open(struct sim_model *model) {
    model->reader = ampel_record_reader_open();
    AMPEL_ASSERT(model->reader != NULL && model->partitions <= SIM_PARTITIONS);
    for (uint32_t i = 0; i < SIM_AGENCIES; i++) {
        for (uint32_t j = 0; j < SIM_ACCOUNTS; j++) {
            char seller[AMPEL_AGENCY_NAME_SIZE];
            ampel_agency_seller(j, seller);
            uint64_t hash = ampel_hash_account(text_of(ampel_agency_tenant(model->agencies[i])),
                                               text_of(seller), text_of("DE"));
            model->account_partition[i][j] = ampel_hash_partition(hash, model->partitions);
            model->backfilled_ms[i][j] = INT64_MIN;
        }
    }
}

void sim_model_close(struct sim_model *model) {
    ampel_record_reader_close(model->reader);
    free(model->records);
    free(model->bytes);
    for (uint32_t i = 1; i <= model->sets_count; i++)
        free((void *)model->sets[i].rules);
    for (uint32_t i = 0; i < SIM_PARTITIONS; i++)
        free(model->of[i].notes);
    for (uint32_t i = 0; i < SIM_AGENCIES; i++) {
        for (uint32_t j = 0; j < SIM_ACCOUNTS; j++)
            ampel_oracle_reset(&model->oracles[i][j]);
    }
}

void sim_model_fail(struct sim_model *model, const char *format, ...) {
    if (model->reason[0] != '\0') return;
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(model->reason, sizeof(model->reason), format, arguments);
    va_end(arguments);
}

/* ---- rules ------------------------------------------------------------------------------------ */

void sim_model_set(struct sim_model *model, const struct ampel_rules *rules) {
    AMPEL_ASSERT(model->sets_count < SIM_SETS_MAX);
    struct ampel_rules *copy = malloc(sizeof(*copy));
    AMPEL_ASSERT(copy != NULL);
    *copy = *rules;
    model->sets[++model->sets_count] = (struct sim_set){.rules = copy, .position = UINT64_MAX};
}

uint32_t sim_model_set_before(const struct sim_model *model, uint64_t position) {
    uint32_t found = 0;
    for (uint32_t i = 1; i <= model->sets_logged; i++) {
        if (model->sets[i].position < position) found = i;
    }
    return found;
}

/* Rules come into the log in the order of their numbers, and as they were set. */
static uint32_t judge_rules(struct sim_model *model, const struct sim_record *record,
                            const uint8_t *bytes) {
    uint64_t number;
    struct ampel_text text;
    struct ampel_error error = {0};
    if (!ampel_record_rules(bytes, &number, &text, &error)) {
        sim_model_fail(model, "a record of rules is none: %s", error.reason);
        return 0;
    }
    if (number <= model->sets_logged || number > model->sets_count) {
        sim_model_fail(model, "the log has rules %llu behind %u of %u", (unsigned long long)number,
                       (unsigned)model->sets_logged, (unsigned)model->sets_count);
        return 0;
    }
    static char expected[256 * 1024];
    uint32_t size =
        ampel_rules_file_encode(model->sets[number].rules, expected, sizeof(expected));
    if (size != text.size || memcmp(expected, text.bytes, size) != 0)
        sim_model_fail(model, "the log has other rules %llu than were set",
                       (unsigned long long)number);
    model->sets_logged = (uint32_t)number;
    model->sets[number].position = record->position;
    model->sets[number].stamp_ms = record->stamp_ms;
    return (uint32_t)number;
}

/* ---- the log ---------------------------------------------------------------------------------- */

static int32_t agency_of(const struct sim_model *model, struct ampel_text tenant) {
    for (int32_t i = 0; i < SIM_AGENCIES; i++) {
        const char *name = ampel_agency_tenant(model->agencies[i]);
        if (strlen(name) == tenant.size && memcmp(name, tenant.bytes, tenant.size) == 0) return i;
    }
    return -1;
}

/* How many events of the batch belong to the partition; UINT32_MAX as partition: all. */
static uint32_t told_count(const struct sim_model *model, int32_t agency, uint64_t sequence,
                           uint32_t partition) {
    const struct ampel_agency_event *told;
    uint32_t count = ampel_agency_told(model->agencies[agency], sequence, &told), found = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (partition == UINT32_MAX ||
            model->account_partition[agency][told[i].account] == partition)
            found++;
    }
    return found;
}

static void note_frame(struct sim_model *model, const struct sim_record *record,
                       const struct ampel_frame *frame, int32_t agency, uint32_t sequence) {
    if (frame->partition >= model->partitions) {
        sim_model_fail(model, "the log names the partition %u", (unsigned)frame->partition);
        return;
    }
    struct sim_partition *of = &model->of[frame->partition];
    if (of->notes_count > 0 && of->notes[of->notes_count - 1].stamp_ms > record->stamp_ms)
        sim_model_fail(model, "stamps go backwards at %llu", (unsigned long long)record->position);
    of->notes =
        ampel_oracle_grow(of->notes, of->notes_count, &of->notes_capacity, sizeof(of->notes[0]));
    of->notes[of->notes_count++] = (struct sim_note){.position = record->position,
                                                     .stamp_ms = record->stamp_ms,
                                                     .agency = agency,
                                                     .sequence = sequence};
}

/* A batch in the log is one that was sent, and holds what was sent. */
static int32_t judge_frame(struct sim_model *model, const struct ampel_frame *frame) {
    int32_t agency = agency_of(model, frame->tenant);
    if (agency < 0) {
        sim_model_fail(model, "the log has a batch of nobody");
        return -1;
    }
    if (!ampel_feeder_was_sent(ampel_agency_feeder(model->agencies[agency]), frame->sequence)) {
        sim_model_fail(model, "the log has %s's batch %llu, which was never sent",
                       ampel_agency_tenant(model->agencies[agency]),
                       (unsigned long long)frame->sequence);
        return -1;
    }
    uint32_t expected = told_count(model, agency, frame->sequence, frame->partition);
    if (frame->events_count != expected) {
        sim_model_fail(model, "%s's batch %llu has %u events in partition %u, %u were sent",
                       ampel_agency_tenant(model->agencies[agency]),
                       (unsigned long long)frame->sequence, (unsigned)frame->events_count,
                       (unsigned)frame->partition, (unsigned)expected);
    }
    return agency;
}

static void take_record(struct sim_model *model, const uint8_t *bytes,
                        const struct ampel_record_header *header) {
    model->records = ampel_oracle_grow(model->records, model->records_count,
                                       &model->records_capacity, sizeof(model->records[0]));
    struct sim_record *record = &model->records[model->records_count++];
    *record = (struct sim_record){.position = header->position,
                                  .stamp_ms = header->stamp_ms,
                                  .size = header->size,
                                  .at = model->bytes_count,
                                  .batch = header->kind == AMPEL_RECORD_BATCH};
    while (model->bytes_count + header->size > model->bytes_capacity) {
        model->bytes_capacity = model->bytes_capacity == 0 ? 1 << 18 : model->bytes_capacity * 2;
        model->bytes = realloc(model->bytes, model->bytes_capacity);
        AMPEL_ASSERT(model->bytes != NULL);
    }
    memcpy(model->bytes + model->bytes_count, bytes, header->size);
    model->bytes_count += header->size;
    uint32_t cursor = 0, events = 0, frames = 0;
    int32_t agency = SIM_NOTE_TICK;
    uint32_t sequence = 0;
    if (header->kind == AMPEL_RECORD_RULES) {
        agency = SIM_NOTE_RULES;
        sequence = judge_rules(model, record, bytes);
    }
    struct ampel_frame frame;
    struct ampel_error error = {0};
    while (ampel_record_frame_next(model->reader, bytes, &cursor, &frame, &error)) {
        if (record->batch) {
            agency = judge_frame(model, &frame);
            if (agency < 0) return;
            sequence = (uint32_t)frame.sequence;
        }
        note_frame(model, record, &frame, agency, sequence);
        events += frame.events_count;
        frames++;
    }
    if (error.reason[0] != '\0') sim_model_fail(model, "a record is no record: %s", error.reason);
    if (agency == SIM_NOTE_RULES && frames != model->partitions)
        sim_model_fail(model, "rules %u are for %u of %u partitions", (unsigned)sequence,
                       (unsigned)frames, (unsigned)model->partitions);
    if (agency < 0) return;
    if (events != told_count(model, agency, sequence, UINT32_MAX))
        sim_model_fail(model, "%s's batch %llu is not whole",
                       ampel_agency_tenant(model->agencies[agency]), (unsigned long long)sequence);
    uint32_t times = ++model->in_log[agency][sequence];
    if (times > 1 + model->doubled[agency][sequence])
        sim_model_fail(model, "%s's batch %llu stands in the log %u times",
                       ampel_agency_tenant(model->agencies[agency]), (unsigned long long)sequence,
                       (unsigned)times);
}

void sim_model_read(struct sim_model *model, struct ampel_journal *journal) {
    while (model->end < ampel_journal_end(journal) && model->reason[0] == '\0') {
        const uint8_t *bytes;
        struct ampel_record_header header;
        struct ampel_error error = {0};
        enum ampel_journal_status status =
            ampel_journal_read(journal, &model->end, &bytes, &header, &error);
        if (status == AMPEL_JOURNAL_END) {
            model->end = ampel_journal_end(journal);
            return;
        }
        if (status != AMPEL_JOURNAL_OK) {
            sim_model_fail(model, "what is durable cannot be read: %s: %s", error.field,
                           error.reason);
            return;
        }
        take_record(model, bytes, &header);
    }
}

const struct sim_record *sim_model_record(const struct sim_model *model, uint64_t position) {
    uint32_t low = 0, high = model->records_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (model->records[middle].position <= position)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == 0) return NULL;
    const struct sim_record *record = &model->records[low - 1];
    return position < record->position + record->size ? record : NULL;
}

static bool same_record(const struct sim_model *model, const struct sim_record *record,
                        const uint8_t *bytes, const struct ampel_record_header *header) {
    return header->position == record->position && header->size == record->size &&
           memcmp(bytes, model->bytes + record->at, record->size) == 0;
}

void sim_model_verify(struct sim_model *model, struct ampel_journal *journal) {
    if (ampel_journal_end(journal) < model->end) {
        sim_model_fail(model, "the log ends at %llu after the start, %llu was durable",
                       (unsigned long long)ampel_journal_end(journal),
                       (unsigned long long)model->end);
        return;
    }
    uint64_t position = ampel_journal_first(journal);
    uint32_t index = 0;
    while (index < model->records_count && model->records[index].position < position)
        index++;
    for (; index < model->records_count; index++) {
        const uint8_t *bytes;
        struct ampel_record_header header;
        struct ampel_error error = {0};
        enum ampel_journal_status status =
            ampel_journal_read(journal, &position, &bytes, &header, &error);
        if (status != AMPEL_JOURNAL_OK) {
            sim_model_fail(model, "what was durable cannot be read: %s: %s", error.field,
                           error.reason);
            return;
        }
        if (!same_record(model, &model->records[index], bytes, &header)) {
            sim_model_fail(model, "the record at %llu is another one after the start",
                           (unsigned long long)model->records[index].position);
            return;
        }
    }
    sim_model_read(model, journal);
}

void sim_model_check_acks(struct sim_model *model) {
    for (uint32_t i = 0; i < SIM_AGENCIES; i++) {
        const struct ampel_feeder *feeder = ampel_agency_feeder(model->agencies[i]);
        for (uint64_t j = 0; j < ampel_feeder_count(feeder); j++) {
            if (ampel_feeder_is_acked(feeder, j) && model->in_log[i][j] == 0)
                sim_model_fail(model, "%s's batch %llu was acked and is not in the log",
                               ampel_agency_tenant(model->agencies[i]), (unsigned long long)j);
        }
    }
}

/* ---- commits ---------------------------------------------------------------------------------- */

void sim_model_claimed(void *context, uint32_t partition, uint64_t epoch) {
    ((struct sim_model *)context)->of[partition].epoch = epoch;
}

static void apply_note(struct sim_model *model, uint32_t partition, const struct sim_note *note) {
    struct sim_partition *of = &model->of[partition];
    of->stamp_ms = note->stamp_ms;
    if (note->agency == SIM_NOTE_RULES) of->set = note->sequence;
    if (note->agency < 0 || of->seen[note->agency][note->sequence]) return;
    of->seen[note->agency][note->sequence] = true;
    const struct ampel_agency_event *told;
    uint32_t count = ampel_agency_told(model->agencies[note->agency], note->sequence, &told);
    bool backfill = ampel_agency_backfills(model->agencies[note->agency], note->sequence);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t account = told[i].account;
        if (model->account_partition[note->agency][account] != partition) continue;
        ampel_oracle_add(&model->oracles[note->agency][account], &told[i].event);
        if (backfill) model->backfilled_ms[note->agency][account] = note->stamp_ms;
    }
}

static const struct ampel_stored_violation *
violation_of(const struct ampel_memory_database *database, const char *account, const char *id) {
    const struct ampel_stored_violation *rows;
    uint32_t count = ampel_memory_database_violations(database, &rows);
    for (uint32_t i = 0; i < count; i++) {
        if (strcmp(rows[i].account, account) == 0 && strcmp(rows[i].id, id) == 0) return &rows[i];
    }
    return NULL;
}

bool sim_model_same(const struct ampel_numbers *numbers, const struct ampel_oracle_rating *rating,
                    bool orders) {
    for (uint32_t i = 0; i < AMPEL_CAP_GROUPS_MAX; i++) {
        if (numbers->caps[i] != rating->caps[i]) return false;
    }
    bool same =
        numbers->orders == rating->orders && numbers->order_points == rating->order_points;
    return numbers->score == rating->score && numbers->deducted == rating->deducted &&
           numbers->criticals == rating->criticals && numbers->colour == rating->colour &&
           numbers->risk == rating->risk && (same || !orders);
}

static void check_violations(struct sim_model *model, const char *name,
                             const struct ampel_oracle_rating *rating) {
    for (uint32_t i = 0; i < rating->violations_count; i++) {
        const struct ampel_oracle_violation *violation = &rating->violations[i];
        const struct ampel_stored_violation *stored =
            violation_of(model->database, name, violation->told->id);
        if (stored != NULL && stored->state == violation->state &&
            stored->rank == violation->rank && stored->points == violation->points)
            continue;
        sim_model_fail(
            model,
            "%s: the violation %s is stored as state %d rank %d points %lld; oracle: %u %u %lld",
            name, violation->told->id, stored == NULL ? -1 : stored->state,
            stored == NULL ? -1 : (int)stored->rank,
            stored == NULL ? -1LL : (long long)stored->points, (unsigned)violation->state,
            (unsigned)violation->rank, (long long)violation->points);
    }
}

static void check_account(struct sim_model *model, uint32_t agency, uint32_t account,
                          int64_t now_ms) {
    char seller[AMPEL_AGENCY_NAME_SIZE], name[NAME_SIZE];
    ampel_agency_seller(account, seller);
    (void)snprintf(name, sizeof(name), "%s/%s/DE", ampel_agency_tenant(model->agencies[agency]),
                   seller);
    struct ampel_oracle_rating rating;
    const struct sim_partition *of = &model->of[model->account_partition[agency][account]];
    ampel_oracle_rate(&model->oracles[agency][account], model->sets[of->set].rules, now_ms, now_ms,
                      &rating);
    const struct ampel_stored_rating *stored = ampel_memory_database_rating(model->database, name);
    model->checks++;
    /* An account whose events all lie ahead has a row already: that of an account without events. */
    bool heard_of = model->oracles[agency][account].events_count > 0;
    if ((rating.exists && stored == NULL) || (stored != NULL && !heard_of)) {
        sim_model_fail(model, "%s: %s", name,
                       stored == NULL ? "has no row" : "has a row and no event");
    } else if (stored != NULL && !sim_model_same(&stored->numbers, &rating, !model->orders_late)) {
        sim_model_fail(model,
                       "%s as of %lld: score %lld orders %lld deducted %lld colour %d; oracle: "
                       "%lld %lld %lld %d",
                       name, (long long)now_ms, (long long)stored->numbers.score,
                       (long long)stored->numbers.orders, (long long)stored->numbers.deducted,
                       stored->numbers.colour, (long long)rating.score, (long long)rating.orders,
                       (long long)rating.deducted, rating.colour);
    }
    check_violations(model, name, &rating);
    ampel_oracle_rating_reset(&rating);
}

void sim_model_committed(void *context, const struct ampel_checkpoint *checkpoint) {
    struct sim_model *model = context;
    struct sim_partition *of = &model->of[checkpoint->partition];
    model->commits++;
    if (checkpoint->epoch != of->epoch)
        sim_model_fail(model, "epoch %llu committed partition %u, which belongs to %llu",
                       (unsigned long long)checkpoint->epoch, (unsigned)checkpoint->partition,
                       (unsigned long long)of->epoch);
    if (checkpoint->position_old != of->position || checkpoint->position_new < of->position)
        sim_model_fail(
            model, "partition %u moved from %llu to %llu, it stood at %llu",
            (unsigned)checkpoint->partition, (unsigned long long)checkpoint->position_old,
            (unsigned long long)checkpoint->position_new, (unsigned long long)of->position);
    if (checkpoint->position_new > model->end)
        sim_model_fail(model, "partition %u is stored up to %llu, the log ends at %llu",
                       (unsigned)checkpoint->partition,
                       (unsigned long long)checkpoint->position_new,
                       (unsigned long long)model->end);
    of->position = checkpoint->position_new;
    while (of->cursor < of->notes_count && of->notes[of->cursor].position < of->position)
        apply_note(model, checkpoint->partition, &of->notes[of->cursor++]);
    if (of->cursor > 0 && checkpoint->as_of_ms != of->stamp_ms)
        sim_model_fail(model, "partition %u is stored as of %lld, its log says %lld",
                       (unsigned)checkpoint->partition, (long long)checkpoint->as_of_ms,
                       (long long)of->stamp_ms);
    if (checkpoint->rules_number != of->set ||
        strcmp(checkpoint->rules_version, model->sets[of->set].rules->version) != 0)
        sim_model_fail(model, "partition %u is stored under rules %llu (%s), its log says %llu",
                       (unsigned)checkpoint->partition,
                       (unsigned long long)checkpoint->rules_number, checkpoint->rules_version,
                       (unsigned long long)of->set);
    sim_model_told(model, checkpoint);
    for (uint32_t i = 0; i < SIM_AGENCIES && model->reason[0] == '\0'; i++) {
        for (uint32_t j = 0; j < SIM_ACCOUNTS; j++) {
            if (model->account_partition[i][j] == checkpoint->partition)
                check_account(model, i, j, checkpoint->as_of_ms);
        }
    }
}

/* ---- the end ---------------------------------------------------------------------------------- */

void sim_model_check_drained(struct sim_model *model) {
    sim_model_check_acks(model);
    for (uint32_t i = 0; i < SIM_AGENCIES; i++) {
        const struct ampel_feeder *feeder = ampel_agency_feeder(model->agencies[i]);
        for (uint64_t j = 0; j < ampel_feeder_count(feeder); j++) {
            if (!ampel_feeder_is_acked(feeder, j) || model->in_log[i][j] == 0)
                sim_model_fail(model, "%s's batch %llu never became durable",
                               ampel_agency_tenant(model->agencies[i]), (unsigned long long)j);
        }
    }
    for (uint32_t i = 0; i < model->partitions; i++) {
        if (model->of[i].cursor != model->of[i].notes_count)
            sim_model_fail(model, "partition %u is not stored to its end", (unsigned)i);
        if (model->of[i].set != model->sets_count)
            sim_model_fail(model, "partition %u stands under rules %llu, %u were set", (unsigned)i,
                           (unsigned long long)model->of[i].set, (unsigned)model->sets_count);
    }
}
