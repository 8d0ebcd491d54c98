#include "engine/wheel.h"

#include <string.h>

#define DIGIT_BITS 11
/* So many lists of level 1 behind the present one have their first accounts fetched. */
#define HEADS_AHEAD 8

static_assert(AMPEL_WHEEL_LISTS == 1 << DIGIT_BITS, "a digit names a list");
static_assert(AMPEL_WHEEL_LEVELS * AMPEL_WHEEL_LISTS < AMPEL_WHEEL_NOWHERE, "a place is a u16");
static_assert(AMPEL_WHEEL_WORDS <= 64, "a bit for each word");
static_assert(AMPEL_TIME_MAX_MS + 3 * AMPEL_WINDOW_MS <
                  INT64_C(1) << (DIGIT_BITS * AMPEL_WHEEL_LEVELS),
              "every due has a level");

static uint32_t digit(int64_t time_ms, uint32_t level) {
    return (uint32_t)((uint64_t)time_ms >> (DIGIT_BITS * level)) % AMPEL_WHEEL_LISTS;
}

void ampel_wheel_init(struct ampel_wheel *wheel, int64_t now_ms) {
    memset(wheel, 0, sizeof(*wheel));
    wheel->now_ms = now_ms;
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
    if (account->wheel_place == AMPEL_WHEEL_NOWHERE) return;
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
static void heads_prefetch(const struct ampel_wheel *wheel, const struct ampel_accounts *accounts) {
    uint32_t list = digit(wheel->now_ms, 1);
    for (uint32_t i = 0; i < HEADS_AHEAD; i++) {
        list = occupied_from(wheel, 1, list + 1);
        if (list == AMPEL_WHEEL_LISTS) return;
        __builtin_prefetch(&ampel_account_at(accounts, wheel->first[1][list])->violations, 1);
    }
}

/* A list reached by time is spread; who hung four places behind is fetched meanwhile. What comes down to the last level turns next: the rest of it is
   fetched. */
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

bool ampel_wheel_next(struct ampel_wheel *wheel, const struct ampel_accounts *accounts,
                      int64_t limit_ms, uint32_t *steps, int64_t *out) {
    *out = INT64_MAX;
    for (;;) {
        /* A list of a higher level at the digit of now is one whose spreading was cut short. */
        for (uint32_t level = AMPEL_WHEEL_LEVELS - 1; level > 0; level--) {
            uint32_t list = digit(wheel->now_ms, level);
            while (wheel->first[level][list] != AMPEL_SLOT_NONE) {
                if (*steps == 0) return false;
                (*steps)--;
                spread(wheel, accounts, level, wheel->first[level][list]);
            }
        }
        uint32_t level = 0;
        int64_t start_ms = earliest_list(wheel, &level);
        if (start_ms > limit_ms) return true;
        if (level == 0) {
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
    if (slot == AMPEL_SLOT_NONE) return slot;
    struct ampel_account *account = ampel_account_at(accounts, slot);
    AMPEL_ASSERT(account->due_ms == wheel->now_ms);
    unhang(wheel, accounts, account);
    return slot;
}

bool ampel_wheel_sane(const struct ampel_wheel *wheel, const struct ampel_accounts *accounts) {
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
