/* Names cut for narrow columns (workers/cli/names.h). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/oracle/random.h"
/* A command's part: no library has it. */
#include "workers/cli/names.c" /* NOLINT */

#define NAMES 40

static uint32_t columns_of(const char *text) {
    uint32_t columns = 0;
    for (; *text != 0; text++) columns += ((uint8_t)*text & 0xC0) != 0x80;
    return columns;
}

static void a_name_loses_marketplace_then_tenant_then_the_longest_part(void **state) {
    (void)state;
    static const struct {
        uint32_t width;
        const char *name, *cut;
    } cases[] = {
        {39, "nordlicht/A1SELLER000001/A1PA6795UKMFR9", "nordlicht/A1SELLER000001/A1PA6795UKMFR9"},
        {38, "nordlicht/A1SELLER000001/A1PA6795UKMFR9", "nordlicht/A1SELLER000001/A1PA67…UKMFR9"},
        {31, "nordlicht/A1SELLER000001/A1PA6795UKMFR9", "nordlicht/A1SELLER000001/A1P…R9"},
        {28, "nordlicht/A1SELLER000001/A1PA6795UKMFR9", "nor…ht/A1SELLER000001/A1P…R9"},
        {20, "nordlicht/A1SELLER000001/A1PA6795UKMFR9", "nor…ht/A1S…01/A1P…R9"},
        {11, "nordlicht/A1SELLER000001/A1PA6795UKMFR9", "n…t/A…1/A…9"},
        {10, "nordlicht/A1SELLER000001/A1PA6795UKMFR9", "nordl…MFR9"},
        {8, "VIOLATION-1", "VIOL…N-1"},
        {8, "a/b/c", "a/b/c"},
    };
    for (uint32_t i = 0; i < AMPEL_ARRAY_COUNT(cases); i++) {
        char cut[AMPEL_NAMES_SIZE];
        ampel_name_cut(cases[i].name, cases[i].width, cut);
        assert_true(columns_of(cut) <= cases[i].width);
        assert_string_equal(cut, cases[i].cut);
    }
}

/* Names that differ in a few places only, some of them twice. */
static void names_make(struct ampel_random *random, char *names[NAMES]) {
    for (uint32_t i = 0; i < NAMES; i++) {
        char name[AMPEL_NAMES_SIZE];
        uint32_t tenant = (uint32_t)ampel_random_below(random, 2), seller = (uint32_t)ampel_random_below(random, 30);
        snprintf(name, sizeof name, "tenant-%u/A%0*uSELLER/M%u", tenant, (int)(1 + ampel_random_below(random, 30)), seller,
                 (uint32_t)ampel_random_below(random, 3));
        names[i] = strdup(i > 0 && ampel_random_chance(random, 25) ? names[i - 1] : name);
        assert_non_null(names[i]);
    }
}

static void different_names_stay_different_and_fit_at_every_width(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= 40; seed++) {
        struct ampel_random random = {seed};
        char *whole[NAMES], *cut[NAMES];
        names_make(&random, whole);
        uint32_t least = ampel_names_width(whole, NAMES);
        for (uint32_t width = AMPEL_NAMES_WIDTH_MIN; width < 60; width++) {
            for (uint32_t i = 0; i < NAMES; i++) cut[i] = strdup(whole[i]);
            ampel_names_cut(cut, NAMES, width);
            for (uint32_t i = 0; i < NAMES; i++) {
                if (columns_of(cut[i]) > width) fail_msg("seed %u: %s at %u", (unsigned)seed, cut[i], width);
                if (width >= least) assert_null(strchr(cut[i], '~'));
                for (uint32_t k = 0; k < i; k++)
                    if ((strcmp(cut[i], cut[k]) == 0) != (strcmp(whole[i], whole[k]) == 0))
                        fail_msg("seed %u, width %u: %s and %s", (unsigned)seed, width, whole[i], whole[k]);
            }
            for (uint32_t i = 0; i < NAMES; i++) free(cut[i]);
        }
        for (uint32_t i = 0; i < NAMES; i++) free(whole[i]);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_name_loses_marketplace_then_tenant_then_the_longest_part),
        cmocka_unit_test(different_names_stay_different_and_fit_at_every_width),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
