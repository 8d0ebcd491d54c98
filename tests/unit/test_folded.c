/* What was told waits folded for its checkpoint (workers/folded.h). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "workers/checkpoint.h"

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
        memset(told->id, 'a' + (int)i, AMPEL_CHANGE_ID_SIZE - 1);
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

static void what_was_told_comes_out_of_its_fold_as_it_went_in(void **state) {
    (void)state;
    struct ampel_parcel_out *out = out_make("v1");
    struct ampel_shared_face *face = NULL;
    struct ampel_folded *folded = ampel_folded_make(out, &face);
    assert_non_null(folded);
    assert_int_equal(ampel_folded_count(folded), TOLD);
    assert_int_equal(ampel_folded_position(folded), 4096);
    struct ampel_parcel_out *again = ampel_folded_open(folded);
    ampel_folded_free(folded);
    assert_int_equal(again->partition, 7);
    assert_int_equal(again->position, 4096);
    assert_int_equal(again->told_count, TOLD);
    assert_memory_equal(&again->rules, &out->rules, sizeof(out->rules));
    for (uint32_t i = 0; i < TOLD; i++) {
        const struct ampel_told *told = &again->told[i], *expected = &out->told[i];
        assert_memory_equal(&told->change, &expected->change, sizeof(told->change));
        assert_text(told->tenant, expected->tenant);
        assert_text(told->seller, expected->seller);
        assert_text(told->marketplace, expected->marketplace);
        assert_string_equal(told->id, expected->id);
        assert_int_equal(told->number, expected->number);
        assert_int_equal(told->stream, expected->stream);
        assert_int_equal(told->signals == NULL, expected->signals == NULL);
    }
    assert_memory_equal(again->told[1].signals, out->signals, 2 * sizeof(out->signals[0]));
    ampel_parcel_out_free(again);
    ampel_parcel_out_free(out);
    ampel_shared_face_release(face);
}

static void one_change_takes_a_third_of_its_out_at_most(void **state) {
    (void)state;
    struct ampel_parcel_out *out = out_make("v1");
    out->told_count = 1;
    assert_true(ampel_folded_size(out) <= (sizeof(*out) + sizeof(out->told[0])) / 3);
    out->told_count = TOLD;
    ampel_parcel_out_free(out);
}

static void changes_name_the_rules_that_they_were_made_under(void **state) {
    (void)state;
    struct ampel_shared_face *face = NULL;
    struct ampel_folded *folded[3];
    const char *versions[] = {"v1", "v1", "v2"};
    for (uint32_t i = 0; i < 3; i++) {
        struct ampel_parcel_out *out = out_make(versions[i]);
        const struct ampel_shared_face *before = face;
        folded[i] = ampel_folded_make(out, &face);
        assert_int_equal(face == before, i == 1);
        ampel_parcel_out_free(out);
    }
    ampel_shared_face_release(face);
    for (uint32_t i = 0; i < 3; i++) {
        struct ampel_parcel_out *out = ampel_folded_open(folded[i]);
        assert_string_equal(out->rules.version, versions[i]);
        ampel_parcel_out_free(out);
        ampel_folded_free(folded[i]);
    }
}

static void a_checkpoint_unfolds_once_and_frees_what_it_holds(void **state) {
    (void)state;
    struct ampel_shared_face *face = NULL;
    for (uint32_t unfold = 0; unfold < 2; unfold++) {
        struct ampel_parcel_out *out = out_make("v1");
        struct ampel_checkpoint *checkpoint = calloc(1, sizeof(*checkpoint));
        checkpoint->folded = calloc(1, sizeof(checkpoint->folded[0]));
        checkpoint->folded[0] = ampel_folded_make(out, &face);
        checkpoint->folded_count = 1;
        checkpoint->arena = ampel_arena_open();
        ampel_parcel_out_free(out);
        if (unfold == 1) {
            assert_true(ampel_checkpoint_unfold(checkpoint));
            assert_true(ampel_checkpoint_unfold(checkpoint));
            assert_int_equal(checkpoint->folded_count, 0);
            assert_int_equal(checkpoint->outs_count, 1);
            assert_int_equal(checkpoint->outs[0]->told_count, TOLD);
        }
        ampel_checkpoint_free(checkpoint);
    }
    ampel_shared_face_release(face);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_told_comes_out_of_its_fold_as_it_went_in),
        cmocka_unit_test(one_change_takes_a_third_of_its_out_at_most),
        cmocka_unit_test(changes_name_the_rules_that_they_were_made_under),
        cmocka_unit_test(a_checkpoint_unfolds_once_and_frees_what_it_holds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
