/* What was told waits folded for its checkpoint (workers/folded.h). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "proto/hash.h"
#include "workers/checkpoint.h"
#include "workers/folded.h"

#define TOLD  4
#define TEXTS "acmeSELLERDEacmeOTHERFR"

/* Two changes of one account, the second with signals, then two of others, one of them with a cause of all bytes. */
static struct ampel_parcel_out *out_make(const char *version) {
    struct ampel_parcel_out *out = calloc(1, sizeof(*out));
    out->parcel.kind = AMPEL_PARCEL_OUT;
    out->partition = 7;
    out->position = 4096;
    memcpy(out->rules.version, version, strlen(version));
    out->rules.caps_count = 1;
    memcpy(out->rules.caps_names[0], "infringement", 12);
    out->told = calloc(TOLD, sizeof(out->told[0]));
    out->texts = malloc(sizeof(TEXTS));
    memcpy(out->texts, TEXTS, sizeof(TEXTS));
    out->signals = calloc(2, sizeof(out->signals[0]));
    for (uint32_t i = 0; i < TOLD; i++) {
        struct ampel_told *told = &out->told[out->told_count++];
        char *texts = out->texts + (i < 2 ? 0 : 12);
        told->tenant = (struct ampel_text){texts, 4};
        told->seller = (struct ampel_text){texts + 4, i < 2 ? 6 : 5};
        told->marketplace = (struct ampel_text){texts + (i < 2 ? 10 : 9), i == 3 ? 0 : 2};
        told->number = UINT64_C(1) << (i * 10);
        told->stream = i % 2 == 0 ? AMPEL_STREAM_SCORES : AMPEL_STREAM_ALERTS;
        told->change.at_ms = 1000 + i;
        told->change.kind = (uint8_t)i;
        told->change.slot = 17;
        told->change.is_new = i == 0;
        told->change.before.score = 300;
        told->change.after.score = -1;
        told->change.after.caps[AMPEL_CAP_GROUPS_MAX - 1] = 9;
        told->change.cause.sequence = UINT64_MAX - i;
    }
    struct ampel_change *with_signals = &out->told[1].change;
    out->told[1].signals = out->signals;
    with_signals->signals_count = 2;
    memset(out->signals, 0x5a, 2 * sizeof(out->signals[0]));
    struct ampel_cause *cause = &out->told[3].change.cause;
    cause->id_size = cause->producer_size = AMPEL_ID_BYTES_MAX;
    memset(cause->id, 'i', AMPEL_ID_BYTES_MAX);
    memset(cause->producer, 'p', AMPEL_ID_BYTES_MAX);
    return out;
}

static void assert_text(struct ampel_text actual, struct ampel_text expected) {
    assert_int_equal(actual.size, expected.size);
    assert_memory_equal(actual.bytes, expected.bytes, expected.size);
}

static struct ampel_shared_face *face_of(const struct ampel_parcel_out *out) {
    struct ampel_shared_face *face = NULL;
    assert_true(ampel_shared_face_renew(&face, &out->rules));
    return face;
}

static void what_was_told_comes_out_of_its_fold_as_it_went_in(void **state) {
    (void)state;
    struct ampel_parcel_out *out = out_make("v1");
    struct ampel_shared_face *face = face_of(out);
    for (uint32_t i = 0; i < TOLD; i++) {
        const struct ampel_told *expected = &out->told[i];
        struct ampel_folded *folded = ampel_folded_make(expected, 4096 + i, face);
        assert_non_null(folded);
        assert_int_equal(ampel_folded_position(folded), 4096 + i);
        assert_int_equal(ampel_folded_number(folded), expected->number);
        assert_int_equal(ampel_folded_bytes(folded), ampel_folded_size(expected));
        assert_memory_equal(ampel_folded_rules(folded), &out->rules, sizeof(out->rules));
        struct ampel_told told;
        ampel_folded_read(folded, &told);
        assert_memory_equal(&told.change, &expected->change, sizeof(told.change));
        assert_text(told.tenant, expected->tenant);
        assert_text(told.seller, expected->seller);
        assert_text(told.marketplace, expected->marketplace);
        char id[AMPEL_CHANGE_ID_SIZE];
        ampel_hash_change(expected->tenant, expected->seller, expected->marketplace, &expected->change, id);
        assert_string_equal(told.id, id);
        assert_int_equal(told.number, expected->number);
        assert_int_equal(told.stream, expected->stream);
        assert_int_equal(told.signals == NULL, expected->signals == NULL);
        if (told.signals != NULL) assert_memory_equal(told.signals, out->signals, 2 * sizeof(out->signals[0]));
        ampel_folded_release(folded);
    }
    ampel_parcel_out_free(out);
    ampel_shared_face_release(face);
}

/* As most are: some orders more, and the score that follows. */
static void a_score_takes_half_of_what_was_told_at_most(void **state) {
    (void)state;
    struct ampel_parcel_out *out = out_make("v1");
    struct ampel_change *change = &out->told[0].change;
    memset(change, 0, sizeof(*change));
    change->at_ms = INT64_C(1790000000123);
    change->position = UINT64_C(123456789);
    change->slot = 654321;
    change->cap_group = 255;
    change->before = (struct ampel_numbers){.score = 1000, .order_points = 800, .orders = 2000};
    change->after = (struct ampel_numbers){.score = 1000, .order_points = 804, .orders = 2010};
    change->cause = (struct ampel_cause){.at_ms = change->at_ms - 5000,
                                         .sequence = 4711,
                                         .event_type = 0,
                                         .policy = 255,
                                         .severity = -1,
                                         .code = 255,
                                         .producer_size = 6,
                                         .producer = "load-1"};
    assert_true(ampel_folded_size(&out->told[0]) <= sizeof(out->told[0]) / 2);
    ampel_parcel_out_free(out);
}

/* Every byte that is not zero, and every one that is, among those that are folded away. */
static void any_bytes_of_a_change_come_back(void **state) {
    (void)state;
    struct ampel_parcel_out *out = out_make("v1");
    struct ampel_shared_face *face = face_of(out);
    const size_t folded_bytes = offsetof(struct ampel_change, cause) + offsetof(struct ampel_cause, code);
    for (uint32_t round = 0; round < 1000; round++) {
        struct ampel_told *told = &out->told[0], read;
        uint8_t bytes[sizeof(told->change)];
        memcpy(bytes, &told->change, sizeof(bytes));
        for (size_t i = 0; i < folded_bytes; i++)
            bytes[i] = (uint8_t)((round * 2654435761u + i * 40503u) >> 7) % (1 + round % 4) == 0 ? (uint8_t)(i + round) : 0;
        memcpy(&told->change, bytes, sizeof(bytes));
        told->change.is_new = round % 2 == 0;
        struct ampel_folded *folded = ampel_folded_make(told, 8, face);
        assert_non_null(folded);
        ampel_folded_read(folded, &read);
        assert_memory_equal(&read.change, &told->change, sizeof(read.change));
        assert_text(read.marketplace, told->marketplace);
        assert_int_equal(ampel_folded_bytes(folded), ampel_folded_size(&read));
        ampel_folded_release(folded);
    }
    ampel_parcel_out_free(out);
    ampel_shared_face_release(face);
}

static void the_last_holder_frees_a_change_and_its_rules(void **state) {
    (void)state;
    struct ampel_parcel_out *out = out_make("v1");
    struct ampel_shared_face *face = face_of(out);
    struct ampel_folded *folded = ampel_folded_make(&out->told[0], 8, face);
    ampel_parcel_out_free(out);
    ampel_shared_face_release(face);
    ampel_folded_hold(folded);
    ampel_folded_release(folded);
    assert_string_equal(ampel_folded_rules(folded)->version, "v1");
    ampel_folded_release(folded);
}

/* Each change of an OUT of every version, one behind the other. */
static struct ampel_checkpoint *checkpoint_make(const char *const *versions, uint32_t count) {
    struct ampel_checkpoint *checkpoint = calloc(1, sizeof(*checkpoint));
    struct ampel_shared_face *face = NULL;
    checkpoint->partition = 7;
    checkpoint->arena = ampel_arena_open();
    checkpoint->folded = calloc(count * TOLD, sizeof(checkpoint->folded[0]));
    for (uint32_t i = 0; i < count; i++) {
        struct ampel_parcel_out *out = out_make(versions[i]);
        const struct ampel_shared_face *before = face;
        assert_true(ampel_shared_face_renew(&face, &out->rules));
        assert_int_equal(face == before, i > 0 && strcmp(versions[i], versions[i - 1]) == 0);
        for (uint32_t k = 0; k < TOLD; k++)
            checkpoint->folded[checkpoint->folded_count++] = ampel_folded_make(&out->told[k], 4096, face);
        ampel_parcel_out_free(out);
    }
    ampel_shared_face_release(face);
    return checkpoint;
}

static void changes_name_the_rules_that_they_were_made_under(void **state) {
    (void)state;
    const char *const versions[] = {"v1", "v1", "v2"};
    struct ampel_checkpoint *checkpoint = checkpoint_make(versions, 3);
    assert_true(ampel_checkpoint_unfold(checkpoint));
    assert_int_equal(checkpoint->outs_count, 2);
    assert_string_equal(checkpoint->outs[0]->rules.version, "v1");
    assert_int_equal(checkpoint->outs[0]->told_count, 2 * TOLD);
    assert_string_equal(checkpoint->outs[1]->rules.version, "v2");
    assert_int_equal(checkpoint->outs[1]->told_count, TOLD);
    for (uint32_t i = 0; i < 2 * TOLD; i++)
        assert_int_equal(checkpoint->outs[0]->told[i].number, UINT64_C(1) << (i % TOLD * 10));
    ampel_checkpoint_free(checkpoint);
}

static void a_checkpoint_unfolds_once_and_frees_what_it_holds(void **state) {
    (void)state;
    const char *const version = "v1";
    for (uint32_t unfold = 0; unfold < 2; unfold++) {
        struct ampel_checkpoint *checkpoint = checkpoint_make(&version, 1);
        if (unfold == 1) {
            assert_true(ampel_checkpoint_unfold(checkpoint));
            struct ampel_parcel_out **outs = checkpoint->outs;
            assert_true(ampel_checkpoint_unfold(checkpoint));
            assert_ptr_equal(checkpoint->outs, outs);
            assert_int_equal(checkpoint->outs_count, 1);
            assert_int_equal(checkpoint->outs[0]->told_count, TOLD);
            assert_int_equal(checkpoint->outs[0]->partition, 7);
        }
        ampel_checkpoint_free(checkpoint);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_told_comes_out_of_its_fold_as_it_went_in),
        cmocka_unit_test(a_score_takes_half_of_what_was_told_at_most),
        cmocka_unit_test(any_bytes_of_a_change_come_back),
        cmocka_unit_test(the_last_holder_frees_a_change_and_its_rules),
        cmocka_unit_test(changes_name_the_rules_that_they_were_made_under),
        cmocka_unit_test(a_checkpoint_unfolds_once_and_frees_what_it_holds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
