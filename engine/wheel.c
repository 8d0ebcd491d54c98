#include "engine/wheel.h"

#include <string.h>

#define DIGIT_BITS 6

static_assert(AMPEL_WHEEL_LISTS == 1 << DIGIT_BITS, "a digit names a list");
static_assert(AMPEL_WHEEL_LEVELS * AMPEL_WHEEL_LISTS < AMPEL_WHEEL_NOWHERE, "a place is a u16");

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
        if (account->wheel_next == AMPEL_SLOT_NONE) {
            wheel->occupied[level] &= ~(UINT64_C(1) << list);
        }
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
    if (next != AMPEL_SLOT_NONE) ampel_account_at(accounts, next)->wheel_previous = slot;
    wheel->first[level][list] = slot;
    wheel->occupied[level] |= UINT64_C(1) << list;
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
        uint64_t ahead = wheel->occupied[i] & (~UINT64_C(0) << digit(wheel->now_ms, i));
        if (ahead == 0) continue;
        uint32_t list = (uint32_t)__builtin_ctzll(ahead);
        uint64_t span = UINT64_C(1) << (DIGIT_BITS * (i + 1));
        uint64_t start = ((uint64_t)wheel->now_ms & ~(span - 1)) | (uint64_t)list
                                                                       << (DIGIT_BITS * i);
        *level = i;
        return (int64_t)start;
    }
    return INT64_MAX;
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
                uint32_t slot = wheel->first[level][list];
                unhang(wheel, accounts, ampel_account_at(accounts, slot));
                hang(wheel, accounts, slot);
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
            if ((slot != AMPEL_SLOT_NONE) != (wheel->occupied[level] >> list & 1)) return false;
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
