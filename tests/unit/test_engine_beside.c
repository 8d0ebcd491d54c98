/* What stands beside the score: assurance, drift, metrics (rating-model 3.14, 3.15). */
#include "tests/unit/engine_fixture.h"

#define MIDNIGHT (INT64_C(20728) * DAY)

/* ---- helpers -------------------------------------------------------------------------------- */

static void profile(struct fixture *f, bool professional, bool phone) {
    int64_t at_ms = ampel_engine_now(f->engine);
    uint8_t extras[64], type = AMPEL_EVENT_PROFILE, code = AMPEL_CODE_NONE;
    struct ampel_extras_writer writer = {extras, sizeof(extras), 0};
    assert_true(ampel_extras_put_number(&writer, AMPEL_EXTRA_PROFESSIONAL, professional));
    assert_true(ampel_extras_put_number(&writer, AMPEL_EXTRA_EMERGENCY_PHONE, phone));
    uint32_t offsets[2] = {0, writer.size};
    struct ampel_frame_account account = {.seller = text("S1"), .marketplace = text("M1")};
    account.hash = fixture_hash(account.seller);
    struct ampel_frame frame = {
        .stamp_ms = at_ms,
        .sent_at_ms = at_ms,
        .tenant = text("t1"),
        .accounts_count = 1,
        .accounts = &account,
        .events_count = 1,
        .type = &type,
        .at = (const uint8_t *)&at_ms,
        .code = &code,
        .extras_offset = (const uint8_t *)offsets,
        .extras = extras,
        .extras_size = writer.size,
    };
    assert_int_equal(ampel_engine_apply(f->engine, &frame, &f->counts), AMPEL_ENGINE_OK);
}

static struct ampel_assurance assurance(const struct fixture *f) {
    struct ampel_assurance out;
    ampel_engine_assurance(f->engine, fixture_slot(f, "S1"), &out);
    return out;
}

/* How many changes of a kind there are since the last clear; *at_ms gets the last one's. */
static uint32_t named(const struct fixture *f, uint8_t kind, struct ampel_change *out) {
    uint32_t count, found = 0;
    const struct ampel_change *changes = ampel_engine_changes(f->engine, &count);
    for (uint32_t i = 0; i < count; i++) {
        if (changes[i].kind != kind) continue;
        found++;
        if (out != NULL) *out = changes[i];
    }
    return found;
}

static void well_above(struct fixture *f) {
    SEND(f, .type = AMPEL_EVENT_ORDERS_DAY, .at_ms = ampel_engine_now(f->engine), .count = 12000);
}

/* At noon an account with 440 points. */
static void above_open(struct fixture *f) {
    fixture_open(f, NOON);
    well_above(f);
}

static void marks_of(struct fixture *f, int64_t first_day, int64_t end_day, int lowest) {
    for (int64_t day = first_day; day < end_day; day++) {
        SEND(f, .type = AMPEL_EVENT_DAY_MARK, .at_ms = day * DAY, .points = lowest,
             .has_points = true);
    }
}

/* A critical violation, open for an hour. */
static void bad_hour(struct fixture *f, const char *id) {
    SEND(f, .type = AMPEL_EVENT_VIOLATION, .at_ms = ampel_engine_now(f->engine), .policy = 2,
         .severity = SEVERITY(4), .id = id);
    assert_int_equal(fixture_score(f), 0);
    fixture_advance(f, ampel_engine_now(f->engine) + HOUR);
    SEND(f, .type = AMPEL_EVENT_VIOLATION_STATE, .at_ms = ampel_engine_now(f->engine), .id = id,
         .code = AMPEL_STATE_RETRACTED);
}

/* ---- assurance ------------------------------------------------------------------------------ */

static void assurance_is_gained_at_the_midnight_that_closes_the_180th_day(void **state) {
    (void)state;
    struct fixture f;
    struct ampel_change change = {0};
    above_open(&f);
    profile(&f, true, true);
    fixture_advance(&f, MIDNIGHT + 180 * DAY - 1);
    SEND(&f, .type = AMPEL_EVENT_ORDERS_DAY, .at_ms = MIDNIGHT + 179 * DAY, .count = 12000);
    assert_int_equal(assurance(&f).days_marked, 179);
    assert_int_equal(named(&f, AMPEL_CHANGE_ASSURANCE_GAINED, NULL), 0);
    fixture_advance(&f, MIDNIGHT + 180 * DAY);
    assert_int_equal(assurance(&f).days_marked, 180);
    assert_int_equal(assurance(&f).days_below, 0);
    assert_true(assurance(&f).eligible);
    assert_int_equal(assurance(&f).days_to_lost, 11);
    assert_int_equal(named(&f, AMPEL_CHANGE_ASSURANCE_GAINED, &change), 1);
    assert_int_equal(change.at_ms, MIDNIGHT + 180 * DAY);
    assert_int_equal(change.cause.kind, AMPEL_CAUSE_MIDNIGHT);
    fixture_close(&f);
}

static void the_lowest_score_of_a_day_counts_however_briefly_it_was_shown(void **state) {
    (void)state;
    struct fixture f;
    above_open(&f);
    fixture_advance(&f, NOON + 5 * DAY);
    assert_int_equal(assurance(&f).days_below, 0);
    bad_hour(&f, "V1");
    assert_true(assurance(&f).today_below);
    fixture_advance(&f, NOON + 6 * DAY);
    assert_false(assurance(&f).today_below);
    assert_int_equal(assurance(&f).days_below, 1);
    assert_int_equal(assurance(&f).days_marked, 6);
    fixture_close(&f);
}

static void a_score_that_stays_below_over_midnights_closes_each_of_them_below(void **state) {
    (void)state;
    struct fixture f;
    fixture_open(&f, NOON);
    SEND(&f, .type = AMPEL_EVENT_ORDER, .at_ms = NOON);
    fixture_advance(&f, NOON + 4 * DAY); /* 200 all the time */
    assert_int_equal(assurance(&f).days_below, 4);
    well_above(&f);
    assert_true(assurance(&f).today_below);
    fixture_advance(&f, NOON + 7 * DAY);
    assert_int_equal(assurance(&f).days_marked, 7);
    assert_int_equal(assurance(&f).days_below, 5);
    fixture_close(&f);
}

static void a_score_that_falls_at_midnight_was_not_shown_on_the_day_it_ended(void **state) {
    (void)state;
    struct fixture f;
    above_open(&f);
    fixture_advance(&f, MIDNIGHT + 180 * DAY - 1);
    assert_int_equal(assurance(&f).days_below, 0);
    fixture_advance(&f, MIDNIGHT + 180 * DAY); /* the orders age out: 200 */
    assert_int_equal(fixture_score(&f), 200);
    assert_int_equal(assurance(&f).days_below, 0);
    assert_true(assurance(&f).today_below);
    fixture_advance(&f, MIDNIGHT + 181 * DAY);
    assert_int_equal(assurance(&f).days_below, 1);
    SEND(&f, .type = AMPEL_EVENT_ORDERS_DAY, .at_ms = MIDNIGHT + 181 * DAY, .count = 12000);
    /* 200 was shown at the midnight itself, before the orders were told. */
    assert_true(assurance(&f).today_below);
    fixture_close(&f);
}

static void the_eleventh_day_below_loses_it_and_three_before_that_warn(void **state) {
    (void)state;
    static const char *const ids[] = {"V0", "V1", "V2", "V3", "V4", "V5",
                                      "V6", "V7", "V8", "V9", "VA"};
    struct fixture f;
    above_open(&f);
    marks_of(&f, 20728 - 180, 20728, 300);
    profile(&f, true, true);
    assert_true(assurance(&f).eligible);
    assert_int_equal(named(&f, AMPEL_CHANGE_ASSURANCE_GAINED, NULL), 1);
    for (uint32_t i = 0; i < AMPEL_ARRAY_COUNT(ids); i++) {
        struct ampel_change change = {0};
        ampel_engine_changes_clear(f.engine);
        bad_hour(&f, ids[i]);
        fixture_advance(&f, NOON + (i + 1) * DAY);
        uint32_t below = i + 1;
        assert_int_equal(assurance(&f).days_below, below);
        assert_int_equal(assurance(&f).eligible, below <= 10);
        assert_int_equal(assurance(&f).near, below >= 8 && below <= 10);
        assert_int_equal(named(&f, AMPEL_CHANGE_ASSURANCE_NEAR, &change), below == 8);
        assert_int_equal(named(&f, AMPEL_CHANGE_ASSURANCE_LOST, &change), below == 11);
        if (below == 11) assert_int_equal(change.amount, 11);
    }
    fixture_close(&f);
}

static void a_profile_without_a_phone_is_not_eligible_and_takes_it_away(void **state) {
    (void)state;
    struct fixture f;
    struct ampel_change change = {0};
    above_open(&f);
    marks_of(&f, 20728 - 180, 20728, 250);
    assert_int_equal(assurance(&f).days_marked, 180);
    assert_int_equal(assurance(&f).days_below, 0);
    profile(&f, true, false);
    assert_false(assurance(&f).eligible);
    fixture_advance(&f, NOON + 1);
    profile(&f, true, true);
    assert_true(assurance(&f).eligible);
    fixture_advance(&f, NOON + 2);
    profile(&f, false, true);
    assert_int_equal(named(&f, AMPEL_CHANGE_ASSURANCE_LOST, &change), 1);
    assert_int_equal(change.cause.event_type, AMPEL_EVENT_PROFILE);
    fixture_close(&f);
}

static void marks_join_by_the_least_with_each_other_and_with_what_was_seen(void **state) {
    (void)state;
    struct fixture f;
    above_open(&f);
    fixture_advance(&f, NOON + 3 * DAY);
    marks_of(&f, 20728, 20729, 249); /* seen at 440 */
    marks_of(&f, 20720, 20721, 300);
    marks_of(&f, 20720, 20721, 100);
    marks_of(&f, 20720, 20721, 400);
    assert_int_equal(assurance(&f).days_marked, 4);
    assert_int_equal(assurance(&f).days_below, 2);
    fixture_close(&f);
}

static void an_account_known_by_marks_alone_shows_no_score_yet(void **state) {
    (void)state;
    struct fixture f;
    fixture_open(&f, NOON);
    marks_of(&f, 20700, 20728, 300);
    fixture_advance(&f, NOON + 5 * DAY);
    assert_int_equal(assurance(&f).days_marked, 28);
    assert_int_equal(assurance(&f).days_below, 0);
    assert_false(assurance(&f).today_below);
    SEND(&f, .type = AMPEL_EVENT_ORDER, .at_ms = NOON + 5 * DAY);
    assert_true(assurance(&f).today_below);
    fixture_advance(&f, NOON + 7 * DAY);
    assert_int_equal(assurance(&f).days_marked, 30);
    assert_int_equal(assurance(&f).days_below, 2);
    fixture_close(&f);
}

static void days_leave_after_180_of_them(void **state) {
    (void)state;
    struct fixture f;
    above_open(&f);
    bad_hour(&f, "V1");
    for (int64_t day = 1; day <= 180; day++) {
        fixture_advance(&f, NOON + day * DAY);
        well_above(&f);
        assert_int_equal(assurance(&f).days_below, 1);
    }
    fixture_advance(&f, MIDNIGHT + 181 * DAY);
    assert_int_equal(assurance(&f).days_below, 0);
    assert_int_equal(assurance(&f).days_marked, 180);
    fixture_close(&f);
}

static void many_midnights_at_once_close_as_many_days(void **state) {
    (void)state;
    struct fixture f, g;
    fixture_open(&f, NOON);
    fixture_open(&g, NOON);
    well_above(&f);
    well_above(&g);
    bad_hour(&f, "V1");
    bad_hour(&g, "V1");
    fixture_advance(&f, NOON + 400 * DAY);
    for (int64_t hour = 2; hour <= 400 * 24; hour += 7)
        fixture_advance(&g, NOON + hour * HOUR);
    fixture_advance(&g, NOON + 400 * DAY);
    struct fixture_image left = fixture_export(f.engine), right = fixture_export(g.engine);
    assert_true(fixture_image_equal(&left, &right));
    assert_int_equal(assurance(&f).days_below, 180);
    fixture_image_free(&left);
    fixture_image_free(&right);
    fixture_close(&f);
    fixture_close(&g);
}

static void an_account_that_shows_the_same_score_leaves_its_page_clean_at_midnight(void **state) {
    (void)state;
    struct fixture f;
    fixture_open(&f, NOON);
    SEND(&f, .type = AMPEL_EVENT_ORDER, .at_ms = NOON);
    ampel_engine_page_clean(f.engine, 0);
    fixture_advance(&f, NOON + 30 * DAY);
    assert_int_equal(ampel_engine_page_dirty_next(f.engine, 0), UINT32_MAX);
    assert_int_equal(assurance(&f).days_below, 30);
    fixture_close(&f);
}

static void pages_bring_assurance_and_drift_back(void **state) {
    (void)state;
    struct fixture f;
    above_open(&f);
    bad_hour(&f, "V1");
    SEND(&f, .type = AMPEL_EVENT_OBSERVED, .at_ms = ampel_engine_now(f.engine), .points = 430,
         .code = 0);
    fixture_advance(&f, NOON + 3 * DAY);
    profile(&f, true, true);
    struct fixture_image image = fixture_export(f.engine);
    struct fixture other;
    fixture_open(&other, NOON);
    assert_int_equal(fixture_import(other.engine, &image), AMPEL_ENGINE_OK);
    struct fixture_image again = fixture_export(other.engine);
    assert_true(fixture_image_equal(&image, &again));
    struct ampel_assurance left = assurance(&f), right = assurance(&other);
    assert_int_equal(left.days_marked, right.days_marked);
    assert_int_equal(left.days_below, right.days_below);
    assert_int_equal(left.days_to_lost, right.days_to_lost);
    assert_int_equal(left.professional, right.professional);
    assert_int_equal(left.emergency_phone, right.emergency_phone);
    assert_int_equal(left.eligible, right.eligible);
    assert_int_equal(left.near, right.near);
    assert_int_equal(left.today_below, right.today_below);
    uint32_t cursor = 0;
    struct ampel_drift drift;
    assert_true(ampel_engine_drift_next(other.engine, 0, &cursor, &drift));
    assert_int_equal(drift.drift, -10);
    assert_int_equal(drift.score, 440);
    fixture_image_free(&image);
    fixture_image_free(&again);
    fixture_close(&f);
    fixture_close(&other);
}

/* ---- pages of the first version --------------------------------------------------------------- */

/* Two accounts as the first version wrote them: S1 with 12 000 orders, a high violation and a
   report, S2 with seven orders. */
static const char meta_1[] =
    "4d45543102000000004e7cfca0010000616d617a6f6e2d3100000000000000000000000000000000"
    "00000000000000000000000000000000000000000000000000000000000000000000000000000000"
    "00d9b0eed72a25a1dd0000000000000000";
static const char page_1[] =
    "5041473102000000792b603a8dad1efd0002020200743153314d310800000000000000b0010000f0"
    "000000e02e0000000000000000000000000000000000000000000002000100f8500000e0ae010000"
    "00004e7cfca00100000000000000000080ffffffffffffff7f004e7cfca0010000ffffffffffffff"
    "ff0000ffff0203000002000000563101000000004e7cfca001000001000000ae010500000000008e"
    "a7aab94627569b0002020200743153324d310000000000000000c800000000000000070000000000"
    "00000000000000000000000000000000000001000100f8500000070000000000000000";

static uint32_t bytes_of(const char *hex, uint8_t *out) {
    uint32_t size = (uint32_t)strlen(hex) / 2;
    for (uint32_t i = 0; i < size; i++) {
        char two[3] = {hex[2 * i], hex[2 * i + 1], 0};
        out[i] = (uint8_t)strtoul(two, NULL, 16);
    }
    return size;
}

static void pages_of_the_first_version_are_read(void **state) {
    (void)state;
    struct fixture f;
    uint8_t meta[sizeof(meta_1) / 2], page[sizeof(page_1) / 2];
    fixture_open(&f, NOON);
    uint32_t meta_size = bytes_of(meta_1, meta), page_size = bytes_of(page_1, page);
    assert_int_equal(ampel_engine_meta_import(f.engine, meta, meta_size), AMPEL_ENGINE_OK);
    assert_int_equal(ampel_engine_page_import(f.engine, 0, page, page_size), AMPEL_ENGINE_OK);
    assert_int_equal(ampel_engine_import_finish(f.engine), AMPEL_ENGINE_OK);
    assert_int_equal(fixture_score(&f), 432);
    uint32_t cursor = 0;
    struct ampel_drift drift;
    assert_false(ampel_engine_drift_next(f.engine, 0, &cursor, &drift));
    /* Its days begin with the one on which it was read. */
    assert_int_equal(assurance(&f).days_marked, 0);
    fixture_advance(&f, NOON + 2 * DAY);
    assert_int_equal(assurance(&f).days_marked, 2);
    assert_int_equal(assurance(&f).days_below, 0);
    fixture_close(&f);
}

/* One account as the second version wrote it: with days, their bits and a drift. */
static const char meta_2[] =
    "4d455431010000000006c906a1010000616d617a6f6e2d3100000000000000000000000000000000"
    "00000000000000000000000000000000000000000000000000000000000000000000000000000000"
    "00d9b0eed72a25a1dd0000000000000000";
static const char page_2[] =
    "5041473201000000792b603a8dad1efd0002020200743153314d310800000000000000b0010000f0"
    "000000e02e0000000000000000000000000000000000000000000002000100f8500000e0ae020000"
    "00004e7cfca0010000803cb3fca0010000803cb3fca0010000803cb3fca0010000ffffffffffffff"
    "ff0000ffff0204060002000000563000aaa201a10100000000000000000080ffffffffffffff7f00"
    "aaa201a1010000ffffffffffffffff0000ffff020300000200000056310100000000aaa201a10100"
    "0001000000ae0105ff00000000f8500000f850000021000000feffffffe02e000002007f58";

static void pages_of_the_second_version_are_read(void **state) {
    (void)state;
    struct fixture f;
    uint8_t meta[sizeof(meta_2) / 2], page[sizeof(page_2) / 2];
    fixture_open(&f, NOON);
    uint32_t meta_size = bytes_of(meta_2, meta), page_size = bytes_of(page_2, page);
    assert_int_equal(ampel_engine_meta_import(f.engine, meta, meta_size), AMPEL_ENGINE_OK);
    assert_int_equal(ampel_engine_page_import(f.engine, 0, page, page_size), AMPEL_ENGINE_OK);
    assert_int_equal(ampel_engine_import_finish(f.engine), AMPEL_ENGINE_OK);
    assert_int_equal(fixture_score(&f), 432);
    assert_int_equal(assurance(&f).days_marked, 2);
    assert_int_equal(assurance(&f).days_below, 1);
    uint32_t cursor = 0;
    struct ampel_drift drift;
    assert_true(ampel_engine_drift_next(f.engine, 0, &cursor, &drift));
    assert_int_equal(drift.drift, -2);
    fixture_close(&f);
}

/* ---- sections behind an account --------------------------------------------------------------- */

static enum ampel_engine_status import_page(const struct fixture_image *image, const uint8_t *page,
                                            uint32_t size) {
    struct fixture g;
    fixture_open(&g, NOON);
    enum ampel_engine_status status =
        ampel_engine_meta_import(g.engine, image->meta, image->meta_size);
    if (status == AMPEL_ENGINE_OK) status = ampel_engine_page_import(g.engine, 0, page, size);
    if (status == AMPEL_ENGINE_OK) status = ampel_engine_import_finish(g.engine);
    fixture_close(&g);
    return status;
}

static void a_section_that_is_not_known_or_not_whole_is_refused(void **state) {
    (void)state;
    static const struct {
        const char *hex;
        enum ampel_engine_status status;
    } ends[] = {
        {"00", AMPEL_ENGINE_OK},
        {"", AMPEL_ENGINE_BAD_BYTES},
        {"0000", AMPEL_ENGINE_BAD_BYTES},
        {"ff0100000000" /* of a tag that nobody writes */ "00", AMPEL_ENGINE_BAD_BYTES},
        {"ff0000000000", AMPEL_ENGINE_BAD_BYTES},
        {"ff0200000000", AMPEL_ENGINE_BAD_BYTES},
        {"ffffffffff00", AMPEL_ENGINE_BAD_BYTES},
    };
    struct fixture f;
    uint8_t page[4096];
    fixture_open(&f, NOON);
    SEND(&f, .type = AMPEL_EVENT_ORDER, .at_ms = NOON);
    struct fixture_image image = fixture_export(f.engine);
    assert_int_equal(image.pages_count, 1);
    /* An account of which little is known has no sections: one byte says so. */
    uint32_t size = image.page_sizes[0] - 1;
    assert_int_equal(image.pages[0][size], 0);
    memcpy(page, image.pages[0], size);
    for (uint32_t i = 0; i < AMPEL_ARRAY_COUNT(ends); i++) {
        uint32_t end = bytes_of(ends[i].hex, page + size);
        assert_int_equal(import_page(&image, page, size + end), ends[i].status);
    }
    fixture_image_free(&image);
    fixture_close(&f);
}

/* ---- drift ---------------------------------------------------------------------------------- */

static bool drift_last(const struct fixture *f, struct ampel_drift *out) {
    uint32_t cursor = 0;
    bool any = false;
    while (ampel_engine_drift_next(f->engine, fixture_slot(f, "S1"), &cursor, out))
        any = true;
    return any;
}

static void report(struct fixture *f, int64_t at_ms, int score) {
    SEND(f, .type = AMPEL_EVENT_OBSERVED, .at_ms = at_ms, .points = score, .has_points = true,
         .code = AMPEL_CODE_NONE);
}

static void a_change_of_drift_that_nothing_explains_names_both_reports(void **state) {
    (void)state;
    struct fixture f;
    struct ampel_drift drift;
    struct ampel_change change = {0};
    above_open(&f);
    report(&f, NOON, 440);
    fixture_advance(&f, NOON + DAY);
    report(&f, NOON + DAY, 432);
    assert_true(drift_last(&f, &drift));
    assert_int_equal(drift.drift, -8);
    assert_true(drift.unexplained);
    assert_int_equal(drift.since_ms, NOON);
    assert_int_equal(named(&f, AMPEL_CHANGE_DRIFT, &change), 1);
    assert_int_equal(change.amount, -8);
    assert_int_equal(change.amount_before, 0);
    assert_int_equal(change.since_ms, NOON);
    assert_int_equal(change.cause.at_ms, NOON + DAY);
    fixture_advance(&f, NOON + 2 * DAY);
    report(&f, NOON + 2 * DAY, 432);
    assert_int_equal(named(&f, AMPEL_CHANGE_DRIFT, NULL), 1);
    fixture_close(&f);
}

static void a_violation_between_two_reports_explains_their_difference(void **state) {
    (void)state;
    struct fixture f;
    struct ampel_drift drift;
    above_open(&f);
    report(&f, NOON, 440);
    fixture_advance(&f, NOON + DAY);
    SEND(&f, .type = AMPEL_EVENT_VIOLATION, .at_ms = NOON + HOUR, .policy = 2,
         .severity = SEVERITY(3), .id = "V1");
    report(&f, NOON + DAY, 436);
    assert_true(drift_last(&f, &drift));
    assert_int_equal(drift.drift, 4);
    assert_false(drift.unexplained);
    assert_int_equal(named(&f, AMPEL_CHANGE_DRIFT, NULL), 0);
    fixture_close(&f);
}

static void a_report_that_comes_late_is_compared_with_its_own_time(void **state) {
    (void)state;
    struct fixture f;
    struct ampel_drift drift;
    above_open(&f);
    SEND(&f, .type = AMPEL_EVENT_VIOLATION, .at_ms = NOON, .policy = 2, .severity = SEVERITY(3),
         .id = "V1");
    fixture_advance(&f, NOON + 2 * DAY);
    SEND(&f, .type = AMPEL_EVENT_VIOLATION_STATE, .at_ms = NOON + 2 * DAY, .id = "V1",
         .code = AMPEL_STATE_APPROVED);
    assert_int_equal(fixture_score(&f), 440);
    report(&f, NOON + DAY, 432);
    assert_true(drift_last(&f, &drift));
    assert_int_equal(drift.drift, 0);
    report(&f, NOON - 1, 200);
    assert_true(drift_last(&f, &drift)); /* still the later one */
    uint32_t cursor = 0;
    assert_true(ampel_engine_drift_next(f.engine, 0, &cursor, &drift));
    assert_int_equal(drift.at_ms, NOON - 1);
    assert_int_equal(drift.score, 440); /* days are counted whole */
    fixture_close(&f);
}

static void a_report_more_than_seven_days_late_has_no_drift(void **state) {
    (void)state;
    struct fixture f;
    struct ampel_drift drift;
    above_open(&f);
    fixture_advance(&f, NOON + 8 * DAY);
    report(&f, NOON + DAY - 1, 400);
    assert_false(drift_last(&f, &drift));
    report(&f, NOON + DAY, 400);
    assert_true(drift_last(&f, &drift));
    assert_int_equal(drift.drift, -40);
    fixture_close(&f);
}

static void a_report_of_the_future_is_judged_when_its_time_comes(void **state) {
    (void)state;
    struct fixture f;
    struct ampel_drift drift;
    above_open(&f);
    report(&f, NOON + 1000, 440);
    assert_false(drift_last(&f, &drift));
    SEND(&f, .type = AMPEL_EVENT_VIOLATION, .at_ms = NOON, .policy = 2, .severity = SEVERITY(3),
         .id = "V1");
    fixture_advance(&f, NOON + 1000);
    assert_true(drift_last(&f, &drift));
    assert_int_equal(drift.drift, 8);
    /* What comes later alters nothing: computed once. */
    SEND(&f, .type = AMPEL_EVENT_VIOLATION, .at_ms = NOON + 10, .policy = 2,
         .severity = SEVERITY(3), .id = "V2");
    assert_true(drift_last(&f, &drift));
    assert_int_equal(drift.drift, 8);
    fixture_close(&f);
}

/* ---- counts and metrics ----------------------------------------------------------------------- */

static void send_extras(struct fixture *f, uint8_t type, uint8_t code, const uint8_t *extras,
                        uint32_t size) {
    int64_t at_ms = ampel_engine_now(f->engine);
    uint32_t offsets[2] = {0, size};
    struct ampel_frame_account account = {.seller = text("S1"), .marketplace = text("M1")};
    account.hash = fixture_hash(account.seller);
    int16_t points = -1;
    struct ampel_frame frame = {
        .stamp_ms = at_ms,
        .sent_at_ms = at_ms,
        .tenant = text("t1"),
        .accounts_count = 1,
        .accounts = &account,
        .events_count = 1,
        .type = &type,
        .at = (const uint8_t *)&at_ms,
        .code = &code,
        .points = (const uint8_t *)&points,
        .extras_offset = (const uint8_t *)offsets,
        .extras = extras,
        .extras_size = size,
    };
    assert_int_equal(ampel_engine_apply(f->engine, &frame, &f->counts), AMPEL_ENGINE_OK);
    assert_int_equal(f->counts.refused, 0);
}

static void counts(struct fixture *f, uint8_t policy, uint8_t shown) {
    uint8_t pair[5] = {policy, shown, 0, 0, 0}, extras[32];
    struct ampel_extras_writer writer = {extras, sizeof(extras), 0};
    assert_true(ampel_extras_put_text(&writer, AMPEL_EXTRA_COUNTS,
                                      (struct ampel_text){(const char *)pair, sizeof(pair)}));
    send_extras(f, AMPEL_EVENT_OBSERVED, AMPEL_CODE_NONE, extras, writer.size);
}

static void a_report_that_shows_more_than_is_known_opens_missing_n_until_they_are(void **state) {
    (void)state;
    struct fixture f;
    struct ampel_missing missing;
    struct ampel_change change = {0};
    uint32_t cursor = 0;
    fixture_open(&f, NOON);
    SEND(&f, .type = AMPEL_EVENT_VIOLATION, .at_ms = NOON, .policy = 3, .id = "V1");
    counts(&f, 3, 3);
    assert_true(ampel_engine_missing_next(f.engine, 0, &cursor, &missing));
    assert_int_equal(missing.shown - missing.known, 2);
    assert_int_equal(missing.policy, 3);
    assert_false(ampel_engine_missing_next(f.engine, 0, &cursor, &missing));
    assert_int_equal(named(&f, AMPEL_CHANGE_MISSING, &change), 1);
    assert_int_equal(change.amount, 2);
    assert_int_equal(change.cause.policy, 3);
    assert_int_equal(fixture_numbers(&f).deducted, 4); /* none is invented */
    fixture_advance(&f, NOON + HOUR);
    counts(&f, 3, 3); /* the same is not told again */
    assert_int_equal(named(&f, AMPEL_CHANGE_MISSING, NULL), 1);
    fixture_advance(&f, NOON + HOUR + 1);
    counts(&f, 4, 2); /* the report before says nothing of this policy */
    assert_int_equal(named(&f, AMPEL_CHANGE_MISSING, &change), 2);
    assert_int_equal(change.cause.policy, 4);
    assert_int_equal(change.amount_before, 0);
    fixture_advance(&f, NOON + HOUR + 2);
    counts(&f, 3, 3);
    SEND(&f, .type = AMPEL_EVENT_VIOLATION, .at_ms = NOON, .policy = 3, .id = "V2");
    SEND(&f, .type = AMPEL_EVENT_VIOLATION, .at_ms = NOON, .policy = 3, .id = "V3");
    cursor = 0;
    assert_false(ampel_engine_missing_next(f.engine, 0, &cursor, &missing));
    fixture_close(&f);
}

static void metric(struct fixture *f, const char *name, int value, int target, int condition,
                   uint8_t state) {
    uint8_t extras[128];
    struct ampel_extras_writer writer = {extras, sizeof(extras), 0};
    assert_true(ampel_extras_put_text(&writer, AMPEL_EXTRA_NAME, text(name)));
    if (value >= 0) assert_true(ampel_extras_put_number(&writer, AMPEL_EXTRA_VALUE_PPM, value));
    if (target >= 0) assert_true(ampel_extras_put_number(&writer, AMPEL_EXTRA_TARGET_PPM, target));
    if (condition >= 0) {
        assert_true(ampel_extras_put_number(&writer, AMPEL_EXTRA_CONDITION, condition));
    }
    send_extras(f, AMPEL_EVENT_METRIC, state, extras, writer.size);
}

static void metrics_stand_beside_the_score_and_the_worst_makes_the_banner(void **state) {
    (void)state;
    struct fixture f;
    struct ampel_delivery_metric got;
    uint32_t cursor = 0;
    fixture_open(&f, NOON);
    metric(&f, "odr", -1, 10000, AMPEL_METRIC_LESS_THAN, AMPEL_METRIC_NONE);
    assert_int_equal(ampel_engine_banner(f.engine, 0), AMPEL_BANNER_NO_DATA);
    metric(&f, "late", 39999, 40000, AMPEL_METRIC_LESS_THAN, AMPEL_CODE_NONE);
    assert_int_equal(ampel_engine_banner(f.engine, 0), AMPEL_BANNER_GOOD);
    fixture_advance(&f, NOON + 1);
    metric(&f, "late", 40000, 40000, AMPEL_METRIC_LESS_THAN, AMPEL_CODE_NONE);
    assert_int_equal(ampel_engine_banner(f.engine, 0), AMPEL_BANNER_BAD);
    assert_int_equal(fixture_score(&f), 200);
    assert_true(ampel_engine_metrics_next(f.engine, 0, &cursor, &got));
    assert_memory_equal(got.name.bytes, "late", 4);
    assert_int_equal(got.value_ppm, 40000);
    assert_int_equal(got.at_ms, NOON + 1);
    assert_true(ampel_engine_metrics_next(f.engine, 0, &cursor, &got));
    assert_false(got.has_value);
    assert_int_equal(got.banner, AMPEL_BANNER_NO_DATA);
    assert_false(ampel_engine_metrics_next(f.engine, 0, &cursor, &got));
    /* A report's own state goes before the arithmetic. */
    fixture_advance(&f, NOON + 2);
    metric(&f, "late", 40000, 40000, AMPEL_METRIC_LESS_THAN, AMPEL_METRIC_GOOD);
    assert_int_equal(ampel_engine_banner(f.engine, 0), AMPEL_BANNER_GOOD);
    fixture_close(&f);
}

static void each_condition_of_a_metric_draws_its_own_line(void **state) {
    (void)state;
    static const struct {
        int value, target, condition;
        uint8_t banner;
    } rows[] = {
        {949999, 950000, AMPEL_METRIC_GREATER_THAN, AMPEL_BANNER_BAD}, {950000, 950000, AMPEL_METRIC_GREATER_THAN, AMPEL_BANNER_BAD},
        {950001, 950000, AMPEL_METRIC_GREATER_THAN, AMPEL_BANNER_GOOD}, {0, 0, AMPEL_METRIC_EQUALS, AMPEL_BANNER_GOOD},
        {1, 0, AMPEL_METRIC_EQUALS, AMPEL_BANNER_BAD},                  {1, 1, -1, AMPEL_BANNER_NO_DATA},
        {1, -1, AMPEL_METRIC_EQUALS, AMPEL_BANNER_NO_DATA},             {-1, 1, AMPEL_METRIC_EQUALS, AMPEL_BANNER_NO_DATA},
    };
    for (uint32_t i = 0; i < AMPEL_ARRAY_COUNT(rows); i++) {
        struct fixture f;
        fixture_open(&f, NOON);
        metric(&f, "vtr", rows[i].value, rows[i].target, rows[i].condition, AMPEL_CODE_NONE);
        assert_int_equal(ampel_engine_banner(f.engine, 0), rows[i].banner);
        fixture_close(&f);
    }
}

/* What was told of one instant joins by the greatest, field by field in their order, whoever came first. */
static void of_two_metrics_of_one_instant_the_same_one_stands_in_either_order(void **state) {
    (void)state;
    static const struct {
        int value, target, condition;
        uint8_t state;
    } rows[][2] = {
        {{1, 5, AMPEL_METRIC_EQUALS, AMPEL_METRIC_BAD}, {2, 4, AMPEL_METRIC_LESS_THAN, AMPEL_METRIC_GOOD}},
        {{2, 4, AMPEL_METRIC_EQUALS, AMPEL_METRIC_BAD}, {2, 5, AMPEL_METRIC_LESS_THAN, AMPEL_METRIC_GOOD}},
        {{2, 5, AMPEL_METRIC_LESS_THAN, AMPEL_METRIC_BAD}, {2, 5, AMPEL_METRIC_EQUALS, AMPEL_METRIC_GOOD}},
        {{2, 5, AMPEL_METRIC_EQUALS, AMPEL_METRIC_GOOD}, {2, 5, AMPEL_METRIC_EQUALS, AMPEL_METRIC_BAD}},
    };
    for (uint32_t i = 0; i < AMPEL_ARRAY_COUNT(rows); i++) {
        for (uint32_t first = 0; first < 2; first++) {
            struct fixture f;
            struct ampel_delivery_metric got;
            uint32_t cursor = 0;
            fixture_open(&f, NOON);
            for (uint32_t k = 0; k < 2; k++) {
                uint32_t row = k == 0 ? first : 1 - first;
                metric(&f, "odr", rows[i][row].value, rows[i][row].target, rows[i][row].condition, rows[i][row].state);
            }
            assert_true(ampel_engine_metrics_next(f.engine, 0, &cursor, &got));
            assert_int_equal(got.value_ppm, rows[i][1].value);
            assert_int_equal(got.target_ppm, rows[i][1].target);
            assert_int_equal(got.condition, rows[i][1].condition);
            assert_int_equal(got.state, rows[i][1].state);
            assert_false(ampel_engine_metrics_next(f.engine, 0, &cursor, &got));
            fixture_close(&f);
        }
    }
}

/* A report of the past, that reaches back to days whose orders are gone. */
static void a_report_older_than_all_orders_known_is_compared_with_none(void **state) {
    (void)state;
    struct fixture f;
    struct ampel_drift drift;
    uint32_t cursor = 0;
    fixture_open(&f, NOON);
    SEND(&f, .type = AMPEL_EVENT_ORDER, .at_ms = NOON - DAY, .count = 5000);
    for (int days = 400; days > 0; days -= 40)
        SEND(&f, .type = AMPEL_EVENT_OBSERVED, .at_ms = NOON - days * DAY, .points = 200, .code = AMPEL_CODE_NONE);
    fixture_advance(&f, NOON + DAY);
    while (ampel_engine_drift_next(f.engine, fixture_slot(&f, "S1"), &cursor, &drift))
        assert_int_equal(drift.score, 200);
    fixture_close(&f);
}

/* Of a backfill only the summary is told; what it shows beside is kept all the same. */
static void drift_between_backfilled_reports_is_kept_and_not_told(void **state) {
    (void)state;
    struct fixture f;
    struct ampel_drift drift;
    uint32_t cursor = 0, count, unexplained = 0;
    fixture_open(&f, NOON);
    f.backfill = true;
    SEND(&f, .type = AMPEL_EVENT_ORDER, .at_ms = NOON - 5 * DAY);
    SEND(&f, .type = AMPEL_EVENT_OBSERVED, .at_ms = NOON - 3 * DAY, .points = 200, .code = AMPEL_CODE_NONE);
    SEND(&f, .type = AMPEL_EVENT_OBSERVED, .at_ms = NOON - 2 * DAY, .points = 150, .code = AMPEL_CODE_NONE);
    const struct ampel_change *changes = ampel_engine_changes(f.engine, &count);
    for (uint32_t i = 0; i < count; i++)
        assert_int_not_equal(changes[i].kind, AMPEL_CHANGE_DRIFT);
    while (ampel_engine_drift_next(f.engine, fixture_slot(&f, "S1"), &cursor, &drift))
        unexplained += drift.unexplained;
    assert_int_equal(unexplained, 1);
    fixture_close(&f);
}

/* There was room when it was told, and none when its time came. */
static void an_event_that_waited_for_its_time_is_refused_by_a_full_account(void **state) {
    (void)state;
    struct fixture f;
    uint32_t count, refused = 0;
    fixture_open(&f, NOON);
    SEND(&f, .type = AMPEL_EVENT_SIGNAL, .at_ms = NOON + 5000, .code = 1);
    for (int i = 0; i < AMPEL_ACCOUNT_FACTS_MAX + 10; i++) {
        SEND(&f, .type = AMPEL_EVENT_SIGNAL, .at_ms = NOON - i, .code = 1);
        ampel_engine_changes_clear(f.engine);
    }
    fixture_advance(&f, NOON + 10000);
    const struct ampel_change *changes = ampel_engine_changes(f.engine, &count);
    for (uint32_t i = 0; i < count; i++)
        refused += changes[i].kind == AMPEL_CHANGE_REFUSED && changes[i].cause.at_ms == NOON + 5000;
    assert_int_equal(refused, 1);
    fixture_close(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(assurance_is_gained_at_the_midnight_that_closes_the_180th_day),
        cmocka_unit_test(the_lowest_score_of_a_day_counts_however_briefly_it_was_shown),
        cmocka_unit_test(a_score_that_stays_below_over_midnights_closes_each_of_them_below),
        cmocka_unit_test(a_score_that_falls_at_midnight_was_not_shown_on_the_day_it_ended),
        cmocka_unit_test(the_eleventh_day_below_loses_it_and_three_before_that_warn),
        cmocka_unit_test(a_profile_without_a_phone_is_not_eligible_and_takes_it_away),
        cmocka_unit_test(marks_join_by_the_least_with_each_other_and_with_what_was_seen),
        cmocka_unit_test(an_account_known_by_marks_alone_shows_no_score_yet),
        cmocka_unit_test(days_leave_after_180_of_them),
        cmocka_unit_test(many_midnights_at_once_close_as_many_days),
        cmocka_unit_test(an_account_that_shows_the_same_score_leaves_its_page_clean_at_midnight),
        cmocka_unit_test(pages_bring_assurance_and_drift_back),
        cmocka_unit_test(pages_of_the_first_version_are_read),
        cmocka_unit_test(pages_of_the_second_version_are_read),
        cmocka_unit_test(a_section_that_is_not_known_or_not_whole_is_refused),
        cmocka_unit_test(a_change_of_drift_that_nothing_explains_names_both_reports),
        cmocka_unit_test(a_violation_between_two_reports_explains_their_difference),
        cmocka_unit_test(a_report_that_comes_late_is_compared_with_its_own_time),
        cmocka_unit_test(a_report_more_than_seven_days_late_has_no_drift),
        cmocka_unit_test(a_report_of_the_future_is_judged_when_its_time_comes),
        cmocka_unit_test(a_report_that_shows_more_than_is_known_opens_missing_n_until_they_are),
        cmocka_unit_test(each_condition_of_a_metric_draws_its_own_line),
        cmocka_unit_test(of_two_metrics_of_one_instant_the_same_one_stands_in_either_order),
        cmocka_unit_test(a_report_older_than_all_orders_known_is_compared_with_none),
        cmocka_unit_test(drift_between_backfilled_reports_is_kept_and_not_told),
        cmocka_unit_test(an_event_that_waited_for_its_time_is_refused_by_a_full_account),
        cmocka_unit_test(metrics_stand_beside_the_score_and_the_worst_makes_the_banner),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
