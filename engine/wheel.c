#include "engine/wheel.h"

#include <string.h>

#include "engine/sort.h"

#define DIGIT_BITS 11
/* So many lists of level 1 behind the present one have their first accounts fetched. */
#define HEADS_AHEAD 8

static_assert(AMPEL_WHEEL_LISTS == 1 << DIGIT_BITS, "a digit names a list");
static_assert(AMPEL_WHEEL_LEVELS * AMPEL_WHEEL_LISTS < AMPEL_WHEEL_AGENDA, "a place is a u16");
static_assert(2 * DIGIT_BITS <= 32, "a due within a list of level 2 is half an entry");
static_assert(AMPEL_WHEEL_WORDS <= 64, "a bit for each word");
static_assert(AMPEL_TIME_MAX_MS + 3 * AMPEL_WINDOW_MS <
                  INT64_C(1) << (DIGIT_BITS * AMPEL_WHEEL_LEVELS),
              "every due has a level");

static uint32_t digit(int64_t time_ms, uint32_t level) {
    return (uint32_t)((uint64_t)time_ms >> (DIGIT_BITS * level)) % AMPEL_WHEEL_LISTS;
}

void ampel_wheel_init(struct ampel_wheel *wheel, int64_t now_ms) {
    memset(wheel, 0, sizeof(*wheel));
    wheel->now_ms = wheel->lists_ms = now_ms;
    for (uint32_t level = 0; level < AMPEL_WHEEL_LEVELS; level++) {
        for (uint32_t list = 0; list < AMPEL_WHEEL_LISTS; list++) {
            wheel->first[level][list] = AMPEL_SLOT_NONE;
        }
    }
}

static void occupied_set(struct ampel_wheel *wheel, uint32_t level, uint32_t list, bool occupied) {
    uint64_t *word = &wheel->occupied[level][list / 64];
    uint64_t bit = UINT64_C(1) << (list % 64), word_bit = UINT64_C(1) << (list / 64);
    *word = occupied ? *word | bit : *word & ~bit;
    wheel->words[level] = *word != 0 ? wheel->words[level] | word_bit : wheel->words[level] & ~word_bit;
}

/* The first list that is not empty from this one on, AMPEL_WHEEL_LISTS if there is none. */
static uint32_t occupied_from(const struct ampel_wheel *wheel, uint32_t level, uint32_t list) {
    if (list >= AMPEL_WHEEL_LISTS) return AMPEL_WHEEL_LISTS;
    uint32_t word = list / 64;
    uint64_t bits = wheel->occupied[level][word] & ~UINT64_C(0) << (list % 64);
    if (bits == 0) {
        uint64_t words = wheel->words[level] & (~UINT64_C(1) << word);
        if (words == 0) return AMPEL_WHEEL_LISTS;
        word = (uint32_t)__builtin_ctzll(words);
        bits = wheel->occupied[level][word];
    }
    return word * 64 + (uint32_t)__builtin_ctzll(bits);
}

static void unhang(struct ampel_wheel *wheel, const struct ampel_accounts *accounts,
                   struct ampel_account *account) {
    if (account->wheel_place >= AMPEL_WHEEL_AGENDA) {
        account->wheel_place = AMPEL_WHEEL_NOWHERE;
        return;
    }
    uint32_t level = account->wheel_place / AMPEL_WHEEL_LISTS;
    uint32_t list = account->wheel_place % AMPEL_WHEEL_LISTS;
    if (account->wheel_next != AMPEL_SLOT_NONE) {
        ampel_account_at(accounts, account->wheel_next)->wheel_previous = account->wheel_previous;
    }
    if (account->wheel_previous != AMPEL_SLOT_NONE) {
        ampel_account_at(accounts, account->wheel_previous)->wheel_next = account->wheel_next;
    } else {
        wheel->first[level][list] = account->wheel_next;
        if (account->wheel_next == AMPEL_SLOT_NONE) occupied_set(wheel, level, list, false);
    }
    account->wheel_place = AMPEL_WHEEL_NOWHERE;
}

static void hang(struct ampel_wheel *wheel, const struct ampel_accounts *accounts, uint32_t slot) {
    struct ampel_account *account = ampel_account_at(accounts, slot);
    uint64_t differ = (uint64_t)wheel->now_ms ^ (uint64_t)account->due_ms;
    uint32_t level = (63 - (uint32_t)__builtin_clzll(differ | 1)) / DIGIT_BITS;
    AMPEL_ASSERT(level < AMPEL_WHEEL_LEVELS);
    uint32_t list = digit(account->due_ms, level), next = wheel->first[level][list];
    int64_t start_ms = account->due_ms >> (DIGIT_BITS * level) << (DIGIT_BITS * level);
    if (start_ms < wheel->lists_ms) wheel->lists_ms = start_ms;
    account->wheel_previous = AMPEL_SLOT_NONE;
    account->wheel_next = next;
    account->wheel_place = (uint16_t)(level * AMPEL_WHEEL_LISTS + list);
    if (next != AMPEL_SLOT_NONE) {
        struct ampel_account *behind = ampel_account_at(accounts, next);
        behind->wheel_previous = slot;
        account->wheel_ahead[0] = behind->wheel_next;
        account->wheel_ahead[1] = behind->wheel_ahead[0];
        account->wheel_ahead[2] = behind->wheel_ahead[1];
    } else {
        for (uint32_t i = 0; i < AMPEL_ARRAY_COUNT(account->wheel_ahead); i++)
            account->wheel_ahead[i] = AMPEL_SLOT_NONE;
    }
    wheel->first[level][list] = slot;
    if (next == AMPEL_SLOT_NONE) occupied_set(wheel, level, list, true);
}

void ampel_wheel_set(struct ampel_wheel *wheel, const struct ampel_accounts *accounts,
                     uint32_t slot, int64_t due_ms) {
    struct ampel_account *account = ampel_account_at(accounts, slot);
    unhang(wheel, accounts, account);
    account->due_ms = due_ms;
    if (due_ms == INT64_MAX) return;
    AMPEL_ASSERT(due_ms > wheel->now_ms);
    hang(wheel, accounts, slot);
}

/* The start of the earliest list that is not empty; its level in *level, 0 meaning an exact due. */
static int64_t earliest_list(const struct ampel_wheel *wheel, uint32_t *level) {
    for (uint32_t i = 0; i < AMPEL_WHEEL_LEVELS; i++) {
        uint32_t list = occupied_from(wheel, i, digit(wheel->now_ms, i));
        if (list == AMPEL_WHEEL_LISTS) continue;
        uint64_t span = UINT64_C(1) << (DIGIT_BITS * (i + 1));
        uint64_t start = ((uint64_t)wheel->now_ms & ~(span - 1)) | (uint64_t)list
                                                                       << (DIGIT_BITS * i);
        *level = i;
        return (int64_t)start;
    }
    return INT64_MAX;
}

/* What is due soon: the first accounts of the next lists of level 1. Few hang behind them. */
AMPEL_INLINE void heads_prefetch(const struct ampel_wheel *wheel, const struct ampel_accounts *accounts) {
    uint32_t list = digit(wheel->now_ms, 1);
    for (uint32_t i = 0; i < HEADS_AHEAD; i++) {
        list = occupied_from(wheel, 1, list + 1);
        if (list == AMPEL_WHEEL_LISTS) return;
        __builtin_prefetch(&ampel_account_at(accounts, wheel->first[1][list])->violations, 1);
    }
}

/* ---- the agenda ----------------------------------------------------------------------------- */

/* So many entries ahead an account is fetched, its violations, and what names the first of them. */
#define AHEAD_ACCOUNT    24
#define AHEAD_VIOLATIONS 16
#define AHEAD_COLD       8

static struct ampel_account *agenda_account(const struct ampel_wheel *wheel,
                                            const struct ampel_accounts *accounts, uint32_t entry) {
    return ampel_account_at(accounts, (uint32_t)wheel->agenda[entry]);
}

static int64_t agenda_due(const struct ampel_wheel *wheel, uint32_t entry) {
    return wheel->agenda_ms + (int64_t)(wheel->agenda[entry] >> 32);
}

/* By the two digits of a due, the lower one first; few are sorted as they are. */
static void agenda_sort(struct ampel_wheel *wheel) {
    uint64_t other[AMPEL_WHEEL_AGENDA_MAX], *from = wheel->agenda, *to = other;
    if (wheel->agenda_count < 256) {
        ampel_sort_u64(wheel->agenda, wheel->agenda_count);
        return;
    }
    for (uint32_t level = 0; level < 2; level++) {
        uint32_t places[AMPEL_WHEEL_LISTS] = {0}, place = 0, shift = 32 + DIGIT_BITS * level;
        for (uint32_t i = 0; i < wheel->agenda_count; i++)
            places[(from[i] >> shift) % AMPEL_WHEEL_LISTS]++;
        for (uint32_t i = 0; i < AMPEL_WHEEL_LISTS; i++) {
            uint32_t count = places[i];
            places[i] = place;
            place += count;
        }
        for (uint32_t i = 0; i < wheel->agenda_count; i++)
            to[places[(from[i] >> shift) % AMPEL_WHEEL_LISTS]++] = from[i];
        uint64_t *swap = from;
        from = to;
        to = swap;
    }
}

/* What turns soon is on its way when it does. */
AMPEL_INLINE void agenda_fetch(const struct ampel_wheel *wheel, const struct ampel_accounts *accounts) {
    uint32_t next = wheel->agenda_next, count = wheel->agenda_count;
    if (next + AHEAD_ACCOUNT < count) {
        const struct ampel_account *account = agenda_account(wheel, accounts, next + AHEAD_ACCOUNT);
        __builtin_prefetch(account, 1);
        __builtin_prefetch(&account->violations, 1);
    }
    if (next + AHEAD_VIOLATIONS < count) {
        const uint8_t *block =
            (const uint8_t *)agenda_account(wheel, accounts, next + AHEAD_VIOLATIONS)->violations;
        for (size_t line = 0; block != NULL && line < 3; line++)
            __builtin_prefetch(block + 64 * line, 1);
    }
    if (next + AHEAD_COLD < count) {
        const struct ampel_violations *block = agenda_account(wheel, accounts, next + AHEAD_COLD)->violations;
        if (block != NULL) __builtin_prefetch(block->hot[ampel_violations_due_record(block)].cold);
    }
}

/* When the first entry that holds is due; INT64_MAX where none is left. */
static int64_t agenda_first(struct ampel_wheel *wheel, const struct ampel_accounts *accounts) {
    for (; wheel->agenda_next < wheel->agenda_count; wheel->agenda_next++) {
        const struct ampel_account *account = agenda_account(wheel, accounts, wheel->agenda_next);
        int64_t due_ms = agenda_due(wheel, wheel->agenda_next);
        if (account->wheel_place == AMPEL_WHEEL_AGENDA && account->due_ms == due_ms) return due_ms;
        agenda_fetch(wheel, accounts);
    }
    return INT64_MAX;
}

/* What is left of it is due at times that have passed: nobody believes it. */
static void agenda_open(struct ampel_wheel *wheel) {
    wheel->agenda_count = wheel->agenda_next = 0;
    wheel->agenda_ms = wheel->now_ms;
    wheel->agenda_filling = true;
}

static void agenda_close(struct ampel_wheel *wheel) {
    if (!wheel->agenda_filling) return;
    agenda_sort(wheel);
    wheel->agenda_filling = false;
}

/* ---- on the way ----------------------------------------------------------------------------- */

/* A list reached by time is spread; who hung four places behind is fetched meanwhile. What comes down to the
   last level turns next: the rest of it is fetched. */
static void spread(struct ampel_wheel *wheel, const struct ampel_accounts *accounts, uint32_t level,
                   uint32_t slot) {
    struct ampel_account *account = ampel_account_at(accounts, slot);
    if (account->wheel_ahead[2] != AMPEL_SLOT_NONE)
        __builtin_prefetch(&ampel_account_at(accounts, account->wheel_ahead[2])->violations, 1);
    if (level == 1) {
        __builtin_prefetch(account, 1);
        for (uint32_t line = 0; account->violations != NULL && line < 3; line++)
            __builtin_prefetch((const uint8_t *)account->violations + 64 * (size_t)line, 1);
    }
    unhang(wheel, accounts, account);
    hang(wheel, accounts, slot);
}

/* The same of a list of level 2, as far as the agenda holds it: false where it is full. */
static bool agenda_fill(struct ampel_wheel *wheel, const struct ampel_accounts *accounts, uint32_t list,
                        uint32_t *steps) {
    uint32_t slot = wheel->first[2][list], room = AMPEL_WHEEL_AGENDA_MAX - wheel->agenda_count;
    if (room > *steps) room = *steps;
    for (; room > 0 && slot != AMPEL_SLOT_NONE; room--) {
        struct ampel_account *account = ampel_account_at(accounts, slot);
        if (account->wheel_ahead[2] != AMPEL_SLOT_NONE)
            __builtin_prefetch(&ampel_account_at(accounts, account->wheel_ahead[2])->violations, 1);
        wheel->agenda[wheel->agenda_count++] = (uint64_t)(account->due_ms - wheel->agenda_ms) << 32 | slot;
        account->wheel_place = AMPEL_WHEEL_AGENDA;
        slot = account->wheel_next;
        (*steps)--;
    }
    wheel->first[2][list] = slot;
    if (slot == AMPEL_SLOT_NONE)
        occupied_set(wheel, 2, list, false);
    else
        ampel_account_at(accounts, slot)->wheel_previous = AMPEL_SLOT_NONE;
    return wheel->agenda_count < AMPEL_WHEEL_AGENDA_MAX;
}

/* A list of a higher level at the digit of now is one that time has reached. False: the steps did not suffice. */
static bool lists_spread(struct ampel_wheel *wheel, const struct ampel_accounts *accounts, uint32_t *steps) {
    for (uint32_t level = AMPEL_WHEEL_LEVELS - 1; level > 0; level--) {
        uint32_t list = digit(wheel->now_ms, level);
        while (wheel->first[level][list] != AMPEL_SLOT_NONE) {
            if (*steps == 0) return false;
            if (level == 2 && !wheel->agenda_filling) agenda_open(wheel);
            if (level == 2 && agenda_fill(wheel, accounts, list, steps)) continue;
            if (*steps == 0 || wheel->first[level][list] == AMPEL_SLOT_NONE) continue;
            (*steps)--;
            spread(wheel, accounts, level, wheel->first[level][list]);
        }
    }
    agenda_close(wheel);
    return true;
}

bool ampel_wheel_next(struct ampel_wheel *wheel, const struct ampel_accounts *accounts,
                      int64_t limit_ms, uint32_t *steps, int64_t *out) {
    *out = INT64_MAX;
    for (;;) {
        int64_t agenda_ms = wheel->agenda_filling ? INT64_MAX : agenda_first(wheel, accounts), start_ms = 0;
        uint32_t level = 0;
        if (agenda_ms >= wheel->lists_ms) {
            if (!lists_spread(wheel, accounts, steps)) return false;
            wheel->lists_ms = start_ms = earliest_list(wheel, &level);
            agenda_ms = agenda_first(wheel, accounts);
        }
        bool exact = level == 0 || agenda_ms < wheel->lists_ms;
        if (agenda_ms < wheel->lists_ms) start_ms = agenda_ms;
        if (start_ms > limit_ms) return true;
        if (exact) {
            *out = start_ms;
            return true;
        }
        wheel->now_ms = start_ms;
        if (level == 1) heads_prefetch(wheel, accounts);
    }
}

void ampel_wheel_move(struct ampel_wheel *wheel, int64_t now_ms) {
    AMPEL_ASSERT(now_ms >= wheel->now_ms);
    wheel->now_ms = now_ms;
}

uint32_t ampel_wheel_pop(struct ampel_wheel *wheel, const struct ampel_accounts *accounts) {
    uint32_t slot = wheel->first[0][digit(wheel->now_ms, 0)];
    if (slot == AMPEL_SLOT_NONE) {
        if (wheel->agenda_next == wheel->agenda_count || agenda_due(wheel, wheel->agenda_next) > wheel->now_ms)
            return slot;
        if (agenda_first(wheel, accounts) != wheel->now_ms) return slot;
        slot = (uint32_t)wheel->agenda[wheel->agenda_next];
        agenda_fetch(wheel, accounts);
        wheel->agenda_next++;
    }
    struct ampel_account *account = ampel_account_at(accounts, slot);
    AMPEL_ASSERT(account->due_ms == wheel->now_ms);
    unhang(wheel, accounts, account);
    return slot;
}

/* Whoever says that it is on the agenda has an entry there that is to come, and entries that hold are sorted. */
static bool agenda_sane(const struct ampel_wheel *wheel, const struct ampel_accounts *accounts) {
    uint32_t on = 0, entries = 0;
    for (uint32_t slot = 0; slot < accounts->count; slot++)
        on += ampel_account_at(accounts, slot)->wheel_place == AMPEL_WHEEL_AGENDA;
    for (uint32_t i = wheel->agenda_next; i < wheel->agenda_count; i++) {
        const struct ampel_account *account = agenda_account(wheel, accounts, i);
        bool before = wheel->agenda_filling || i == 0 || wheel->agenda[i - 1] >> 32 <= wheel->agenda[i] >> 32;
        if (!before) return false;
        entries += account->wheel_place == AMPEL_WHEEL_AGENDA && account->due_ms == agenda_due(wheel, i);
    }
    return on == entries;
}

bool ampel_wheel_sane(const struct ampel_wheel *wheel, const struct ampel_accounts *accounts) {
    if (!agenda_sane(wheel, accounts)) return false;
    for (uint32_t level = 0; level < AMPEL_WHEEL_LEVELS; level++) {
        for (uint32_t list = 0; list < AMPEL_WHEEL_LISTS; list++) {
            uint32_t slot = wheel->first[level][list], previous = AMPEL_SLOT_NONE;
            if ((slot != AMPEL_SLOT_NONE) != (wheel->occupied[level][list / 64] >> (list % 64) & 1)) return false;
            while (slot != AMPEL_SLOT_NONE) {
                const struct ampel_account *account = ampel_account_at(accounts, slot);
                if (account->wheel_place != level * AMPEL_WHEEL_LISTS + list) return false;
                if (account->wheel_previous != previous) return false;
                if (account->due_ms < wheel->now_ms) return false;
                if (digit(account->due_ms, level) != list) return false;
                previous = slot;
                slot = account->wheel_next;
            }
        }
    }
    return true;
}
