/* The accounts of a portfolio in the order of their names. What a name begins with becomes a number, and numbers are sorted digit
   by digit: names themselves are compared only where numbers are equal, as they lie all over the memory. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "workers/cli/portfolio.h"

#define DIGITS       8
#define DIGIT_VALUES 256
/* A seller's marketplaces, mostly: sorted by insertion. */
#define FEW 16
/* Accounts are fetched so many before they are looked at. */
#define FETCH_AHEAD 24

struct entry {
    uint64_t seller; /* what stands behind the beginning that all sellers share */
    uint32_t tenant; /* its place among the tenants' names */
    uint32_t slot;
};

/* Of equal digits where a stable pass puts the next one. */
struct digit {
    uint32_t counts[DIGIT_VALUES];
};

struct sorting {
    const struct ampel_engine *engine;
    uint32_t count, tenants_count;
    struct entry *entries, *others; /* count each; passes go from one to the other */
    uint32_t *tenants;              /* by number: a slot of each, then its place */
    uint32_t *order;                /* numbers, by name */
    uint64_t sellers_differ, tenants_differ; /* bits that are not the same in all entries */
};

static int slot_compare(const struct ampel_engine *engine, uint32_t left, uint32_t right) {
    struct ampel_text a[3], b[3];
    ampel_engine_account_identity(engine, left, &a[0], &a[1], &a[2]);
    ampel_engine_account_identity(engine, right, &b[0], &b[1], &b[2]);
    for (int i = 0; i < 3; i++) {
        int order = ampel_text_compare(a[i], b[i]);
        if (order != 0) return order;
    }
    return 0;
}

static int entry_compare(const void *left, const void *right, void *engine) {
    return slot_compare(engine, ((const struct entry *)left)->slot, ((const struct entry *)right)->slot);
}

static void few_sort(const struct ampel_engine *engine, struct entry *entries, uint32_t count) {
    for (uint32_t i = 1; i < count; i++) {
        struct entry moved = entries[i];
        uint32_t place = i;
        for (; place > 0 && slot_compare(engine, moved.slot, entries[place - 1].slot) < 0; place--)
            entries[place] = entries[place - 1];
        entries[place] = moved;
    }
}

/* Numbers of tenants, by the names of those whom they are of. */
static int tenant_compare(const void *left, const void *right, void *context) {
    const struct sorting *sorting = context;
    struct ampel_text name[2], seller, marketplace;
    ampel_engine_account_identity(sorting->engine, sorting->tenants[*(const uint32_t *)left], &name[0], &seller,
                                  &marketplace);
    ampel_engine_account_identity(sorting->engine, sorting->tenants[*(const uint32_t *)right], &name[1], &seller,
                                  &marketplace);
    return ampel_text_compare(name[0], name[1]);
}

static struct ampel_text seller_of(const struct ampel_engine *engine, uint32_t slot) {
    struct ampel_text tenant, seller, marketplace;
    ampel_engine_account_identity(engine, slot, &tenant, &seller, &marketplace);
    return seller;
}

/* Accounts one after another; their names are some lines apart. */
static void name_fetch(const struct sorting *sorting, uint32_t slot) {
    if (slot + FETCH_AHEAD < sorting->count)
        ampel_engine_account_fetch(sorting->engine, slot + FETCH_AHEAD, AMPEL_FETCH_NAME);
}

/* A slot of the tenant stands for it. False: no memory. */
static bool tenant_note(struct sorting *sorting, uint32_t tenant, uint32_t slot) {
    if (tenant >= sorting->tenants_count) {
        uint32_t count = tenant < UINT32_MAX / 4 ? 2 * tenant + 1 : tenant + 1;
        uint32_t *tenants = realloc(sorting->tenants, (size_t)count * sizeof *tenants);
        if (tenants == NULL) return false;
        for (uint32_t i = sorting->tenants_count; i < count; i++) tenants[i] = AMPEL_SLOT_NONE;
        sorting->tenants = tenants;
        sorting->tenants_count = count;
    }
    if (sorting->tenants[tenant] == AMPEL_SLOT_NONE) sorting->tenants[tenant] = slot;
    return true;
}

/* Whose accounts they are by number, and how many bytes begin every seller. False: no memory. */
static bool names_look(struct sorting *sorting, uint32_t *shared) {
    struct ampel_text first = {NULL, 0};
    for (uint32_t i = 0; i < sorting->count; i++) {
        name_fetch(sorting, i);
        const uint32_t tenant = ampel_engine_account_tenant(sorting->engine, i);
        struct ampel_text seller = seller_of(sorting->engine, i);
        if (i == 0) first = seller;
        if (seller.size < first.size) first.size = seller.size;
        while (first.size > 0 && memcmp(first.bytes, seller.bytes, first.size) != 0) first.size--;
        sorting->entries[i].tenant = tenant;
        if (!tenant_note(sorting, tenant, i)) return false;
    }
    *shared = first.size;
    return true;
}

/* False: no memory. */
static bool tenants_sort(struct sorting *sorting) {
    uint32_t known = 0;
    sorting->order = calloc((size_t)sorting->tenants_count + 1, sizeof *sorting->order);
    if (sorting->order == NULL) return false;
    for (uint32_t i = 0; i < sorting->tenants_count; i++)
        if (sorting->tenants[i] != AMPEL_SLOT_NONE) sorting->order[known++] = i;
    qsort_r(sorting->order, known, sizeof *sorting->order, tenant_compare, sorting);
    for (uint32_t i = 0; i < known; i++) sorting->tenants[sorting->order[i]] = i;
    return true;
}

static void entries_fill(struct sorting *sorting, uint32_t shared) {
    for (uint32_t i = 0; i < sorting->count; i++) {
        struct entry *entry = &sorting->entries[i];
        name_fetch(sorting, i);
        struct ampel_text seller = seller_of(sorting->engine, i);
        entry->seller = ampel_text_beginning((struct ampel_text){seller.bytes + shared, seller.size - shared});
        entry->tenant = sorting->tenants[entry->tenant];
        entry->slot = i;
        sorting->sellers_differ |= entry->seller ^ sorting->entries[0].seller;
        sorting->tenants_differ |= entry->tenant ^ sorting->entries[0].tenant;
    }
}

static uint32_t digit_of(const struct entry *entry, bool tenant, uint32_t shift) {
    return (uint32_t)((tenant ? entry->tenant : entry->seller) >> shift) % DIGIT_VALUES;
}

/* One stable pass over all entries; none where the digit is the same in each of them. */
static void digit_sort(struct sorting *sorting, bool tenant, uint32_t shift) {
    struct digit digit = {{0}};
    if (((tenant ? sorting->tenants_differ : sorting->sellers_differ) >> shift) % DIGIT_VALUES == 0) return;
    for (uint32_t i = 0; i < sorting->count; i++) digit.counts[digit_of(&sorting->entries[i], tenant, shift)]++;
    uint32_t place = 0;
    for (uint32_t value = 0; value < DIGIT_VALUES; value++) {
        uint32_t count = digit.counts[value];
        digit.counts[value] = place;
        place += count;
    }
    for (uint32_t i = 0; i < sorting->count; i++)
        sorting->others[digit.counts[digit_of(&sorting->entries[i], tenant, shift)]++] = sorting->entries[i];
    struct entry *sorted = sorting->others;
    sorting->others = sorting->entries;
    sorting->entries = sorted;
}

static bool entries_equal(const struct entry *a, const struct entry *b) {
    return a->seller == b->seller && a->tenant == b->tenant;
}

/* An entry whose name is going to be compared. */
static void equal_fetch(const struct sorting *sorting, uint32_t i) {
    if (i >= sorting->count) return;
    const struct entry *entry = &sorting->entries[i];
    if ((i > 0 && entries_equal(entry, entry - 1)) || (i + 1 < sorting->count && entries_equal(entry, entry + 1)))
        ampel_engine_account_fetch(sorting->engine, entry->slot, AMPEL_FETCH_NAME);
}

/* What numbers leave open: sellers that differ further behind, and marketplaces. */
static void equals_sort(struct sorting *sorting) {
    for (uint32_t i = 0; i < FETCH_AHEAD; i++) equal_fetch(sorting, i);
    for (uint32_t from = 0, next; from < sorting->count; from = next) {
        const struct entry *first = &sorting->entries[from];
        equal_fetch(sorting, from + FETCH_AHEAD);
        for (next = from + 1; next < sorting->count; next++) {
            if (!entries_equal(&sorting->entries[next], first)) break;
            equal_fetch(sorting, next + FETCH_AHEAD);
        }
        if (next - from <= FEW)
            few_sort(sorting->engine, sorting->entries + from, next - from);
        else
            qsort_r(sorting->entries + from, next - from, sizeof *sorting->entries, entry_compare,
                    (void *)(uintptr_t)sorting->engine);
    }
}

static bool slots_sort(struct sorting *sorting, uint32_t *slots) {
    uint32_t shared;
    if (sorting->entries == NULL || sorting->others == NULL || slots == NULL) return false;
    if (!names_look(sorting, &shared) || !tenants_sort(sorting)) return false;
    entries_fill(sorting, shared);
    for (uint32_t shift = 0; shift < 8 * DIGITS; shift += 8) digit_sort(sorting, false, shift);
    for (uint32_t shift = 0; shift < 32; shift += 8) digit_sort(sorting, true, shift);
    equals_sort(sorting);
    for (uint32_t i = 0; i < sorting->count; i++) slots[i] = sorting->entries[i].slot;
    return true;
}

bool ampel_portfolio_sort(struct ampel_portfolio *portfolio) {
    uint32_t count = ampel_engine_accounts_count(portfolio->engine);
    struct sorting sorting = {.engine = portfolio->engine, .count = count};
    sorting.entries = malloc(((size_t)count + 1) * sizeof *sorting.entries);
    sorting.others = malloc(((size_t)count + 1) * sizeof *sorting.others);
    portfolio->slots = malloc(((size_t)count + 1) * sizeof *portfolio->slots);
    bool good = slots_sort(&sorting, portfolio->slots);
    if (good) portfolio->accounts_count = count;
    if (!good) fprintf(stderr, "ampel: out of memory\n");
    free(sorting.entries);
    free(sorting.others);
    free(sorting.tenants);
    free(sorting.order);
    return good;
}
