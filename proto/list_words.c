#include "proto/list_words.h"

#include <stdio.h>
#include <string.h>

#include "engine/registry.h"
#include "proto/text.h"

void ampel_list_name(struct ampel_text text, char out[AMPEL_LIST_NAME_SIZE]) {
    uint32_t used = 0;
    for (uint32_t i = 0; i < text.size && used < AMPEL_LIST_NAME_SIZE - 1; i++) {
        uint8_t c = (uint8_t)text.bytes[i];
        if (c >= 'A' && c <= 'Z') c = (uint8_t)(c - 'A' + 'a');
        if (c == 0xC2 && i + 1 < text.size && (uint8_t)text.bytes[i + 1] == 0xA0) {
            i++; /* a space that does not break */
            continue;
        }
        if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c >= 0x80) out[used++] = (char)c;
    }
    out[used] = 0;
}

static uint32_t space_before(const char *at, const char *end) {
    if (at < end && (*at == ' ' || *at == '\t' || *at == '\n' || *at == '\r')) return 1;
    return end - at >= 2 && memcmp(at, "\xC2\xA0", 2) == 0 ? 2 : 0;
}

struct ampel_text ampel_list_trim(struct ampel_text text) {
    const char *at = text.bytes, *end = text.bytes + text.size;
    for (uint32_t step; (step = space_before(at, end)) > 0;) at += step;
    for (;;) {
        if (end - at >= 1 && space_before(end - 1, end) == 1)
            end -= 1;
        else if (end - at >= 2 && space_before(end - 2, end) == 2)
            end -= 2;
        else
            break;
    }
    return (struct ampel_text){at, (uint32_t)(end - at)};
}

/* ---- policies ------------------------------------------------------------------------------- */

static const char *const labels[] = {
    "Suspected Intellectual Property Violations",
    "Received Intellectual Property Complaints",
    "Product Authenticity Customer Complaints",
    "Product Condition Customer Complaints",
    "Product Safety Customer Complaints",
    "Food and Product Safety Issues",
    "Listing Policy Violations",
    "Restricted Product Policy Violations",
    "Customer Product Reviews Policy Violations",
    "Other Policy Violations",
    "Policy Violation Warnings",
    "Regulatory Compliance / Document Requests",
    "Marketplace Fair Pricing Policy",
};

static const struct {
    const char *words;
    uint8_t policy;
} short_forms[] = {
    {"Suspected IP Violation", 0},
    {"Suspected Intellectual Property", 0},
    {"Intellectual Property Complaint", 1},
    {"IP Complaint", 1},
    {"Received IP Complaint", 1},
    {"Product Authenticity", 2},
    {"Authenticity Complaint", 2},
    {"Authenticity", 2},
    {"Product Condition", 3},
    {"Condition Complaint", 3},
    {"Product Safety", 4},
    {"Safety Complaint", 4},
    {"Food and Product Safety", 5},
    {"Food Safety", 5},
    {"Listing Policy", 6},
    {"Restricted Product", 7},
    {"Restricted Product Violation", 7},
    {"Restricted Product Policy", 7},
    {"Customer Product Reviews", 8},
    {"Customer Product Reviews Policy", 8},
    {"Customer Reviews Policy", 8},
    {"Other Policy", 9},
    {"Other", 9},
    {"Policy Warning", 10},
    {"Warning", 10},
    {"Regulatory Compliance", 11},
    {"Document Request", 11},
    {"Compliance Document", 11},
    {"Fair Pricing", 12},
    {"Fair Pricing Policy", 12},
    {"Marketplace Fair Pricing", 12},
};

const char *ampel_list_policy_label(uint8_t policy) {
    return policy < AMPEL_ARRAY_COUNT(labels) ? labels[policy] : NULL;
}

/* One or many: "Complaint" and "Complaints" are the same. */
static void name_single(struct ampel_text text, char out[AMPEL_LIST_NAME_SIZE]) {
    ampel_list_name(text, out);
    size_t size = strlen(out);
    if (size > 1 && out[size - 1] == 's') out[size - 1] = 0;
}

static bool single_is(const char *name, const char *words) {
    char other[AMPEL_LIST_NAME_SIZE];
    name_single(ampel_text_of(words), other);
    return strcmp(name, other) == 0;
}

bool ampel_list_policy(struct ampel_text text, uint8_t *policy) {
    char name[AMPEL_LIST_NAME_SIZE];
    name_single(text, name);
    for (uint8_t i = 0; i < ampel_registry_count(AMPEL_REGISTRY_POLICY); i++) {
        const char *label = ampel_list_policy_label(i);
        if (!single_is(name, ampel_registry_name(AMPEL_REGISTRY_POLICY, i)) &&
            (label == NULL || !single_is(name, label)))
            continue;
        *policy = i;
        return true;
    }
    for (uint32_t i = 0; i < AMPEL_ARRAY_COUNT(short_forms); i++) {
        if (!single_is(name, short_forms[i].words)) continue;
        *policy = short_forms[i].policy;
        return true;
    }
    return false;
}

/* ---- impacts and states --------------------------------------------------------------------- */

bool ampel_list_impact(struct ampel_text text, int8_t *severity) {
    static const struct {
        const char *start;
        int8_t severity;
    } starts[] = {
        {"noimpact", AMPEL_SEVERITY_NONE},     {"none", AMPEL_SEVERITY_NONE},
        {"keine", AMPEL_SEVERITY_NONE},        {"low", AMPEL_SEVERITY_LOW},
        {"niedrig", AMPEL_SEVERITY_LOW},       {"gering", AMPEL_SEVERITY_LOW},
        {"medium", AMPEL_SEVERITY_MEDIUM},     {"mittel", AMPEL_SEVERITY_MEDIUM},
        {"high", AMPEL_SEVERITY_HIGH},         {"hoch", AMPEL_SEVERITY_HIGH},
        {"critical", AMPEL_SEVERITY_CRITICAL}, {"kritisch", AMPEL_SEVERITY_CRITICAL},
    };
    static const char by_policy[] = "bypolicy";
    /* The word stands alone or before one of these, so that "Lowest offer" is no impact. */
    uint32_t size = 0;
    while (size < text.size && strchr("-(:,;/", text.bytes[size]) == NULL) size++;
    char name[AMPEL_LIST_NAME_SIZE], word[AMPEL_LIST_NAME_SIZE];
    ampel_list_name(text, name);
    ampel_list_name((struct ampel_text){text.bytes, size}, word);
    size_t length = strlen(name);
    *severity = AMPEL_SEVERITY_NOT_GIVEN;
    if (length == 0) return true;
    for (uint32_t i = 0; i < AMPEL_ARRAY_COUNT(starts); i++) {
        size_t start = strlen(starts[i].start);
        bool repeat = strncmp(name, starts[i].start, start) == 0 && strncmp(name + start, "repeat", 6) == 0;
        if (strcmp(word, starts[i].start) != 0 && !repeat) continue;
        if (length < sizeof by_policy - 1 || strcmp(name + length - (sizeof by_policy - 1), by_policy) != 0)
            *severity = starts[i].severity;
        return true;
    }
    return false;
}

/* The first of a state is what the list gives back. */
static const struct {
    const char *words;
    uint8_t state;
} states[] = {
    {"Working", AMPEL_STATE_OPEN},
    {"Assessing", AMPEL_STATE_OPEN},
    {"Waiting on Client", AMPEL_STATE_OPEN},
    {"Ignored", AMPEL_STATE_OPEN},
    {"New", AMPEL_STATE_OPEN},
    {"Submitted", AMPEL_STATE_APPEALED},
    {"Denied", AMPEL_STATE_DENIED},
    {"Listing Deleted", AMPEL_STATE_LISTING_DELETED},
    {"Acknowledged", AMPEL_STATE_ACKNOWLEDGED},
    {"Edited", AMPEL_STATE_EDITED},
    {"Retracted", AMPEL_STATE_RETRACTED},
    {"Resolved", AMPEL_STATE_APPROVED},
    {"Review Resolved", AMPEL_STATE_APPROVED},
};

const char *ampel_list_state_label(uint8_t state) {
    for (uint32_t i = 0; i < AMPEL_ARRAY_COUNT(states); i++)
        if (states[i].state == state) return states[i].words;
    return NULL;
}

bool ampel_list_state(struct ampel_text text, uint8_t *state) {
    char name[AMPEL_LIST_NAME_SIZE], other[AMPEL_LIST_NAME_SIZE];
    ampel_list_name(text, name);
    *state = AMPEL_STATE_OPEN;
    if (name[0] == 0) return true;
    for (uint32_t i = 0; i < AMPEL_ARRAY_COUNT(states); i++) {
        ampel_list_name(ampel_text_of(states[i].words), other);
        if (strcmp(name, other) != 0) continue;
        *state = states[i].state;
        return true;
    }
    for (uint8_t i = 0; i < AMPEL_STATES_COUNT; i++) {
        ampel_list_name(ampel_text_of(ampel_registry_name(AMPEL_REGISTRY_VIOLATION_STATE, i)), other);
        if (strcmp(name, other) != 0) continue;
        *state = i;
        return true;
    }
    return false;
}

/* ---- amounts -------------------------------------------------------------------------------- */

/* Currency names, signs and spaces at either end: everything but digits and a sign. */
static struct ampel_text money_bare(struct ampel_text text) {
    while (text.size > 0 && (text.bytes[0] < '0' || text.bytes[0] > '9') && text.bytes[0] != '-' &&
           text.bytes[0] != '.' && text.bytes[0] != ',') {
        text.bytes++;
        text.size--;
    }
    while (text.size > 0 && (text.bytes[text.size - 1] < '0' || text.bytes[text.size - 1] > '9')) text.size--;
    return text;
}

/* At most three letters or one sign: "1.2k" and "12 pieces" are no amounts. */
static bool currency_valid(const char *at, const char *end) {
    uint32_t letters = 0, others = 0;
    for (; at < end; at++) {
        uint8_t c = (uint8_t)*at;
        if (c == ' ' || c == '\t' || c == 0xC2 || c == 0xA0) continue;
        if ((c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z'))
            letters++;
        else if (c == '$' || c >= 0x80)
            others++;
        else
            return false;
    }
    return letters == 3 || (letters == 0 && others <= 3) || (letters <= 3 && others == 1);
}

/* Where the decimals begin, or the size: behind the last point or comma, unless it parts thousands. */
static uint32_t decimals_find(struct ampel_text digits) {
    uint32_t last = digits.size, kinds[2] = {0};
    for (uint32_t i = 0; i < digits.size; i++) {
        if (digits.bytes[i] != '.' && digits.bytes[i] != ',') continue;
        last = i;
        kinds[digits.bytes[i] == ',']++;
    }
    if (last == digits.size || kinds[digits.bytes[last] == ','] > 1) return digits.size;
    bool both = kinds[0] > 0 && kinds[1] > 0;
    if (digits.size - last - 1 == 3 && !both) return digits.size;
    return last;
}

bool ampel_list_money(struct ampel_text text, int64_t *cents) {
    char name[AMPEL_LIST_NAME_SIZE];
    text = ampel_list_trim(text);
    ampel_list_name(text, name);
    *cents = -1;
    if (text.size == 0 || ampel_text_is(text, "-") || ampel_text_is(text, "\xE2\x80\x93") ||
        strcmp(name, "na") == 0)
        return true;
    struct ampel_text digits = money_bare(text);
    if (digits.size == 0 || !currency_valid(text.bytes, digits.bytes) ||
        !currency_valid(digits.bytes + digits.size, text.bytes + text.size))
        return false;
    uint32_t decimals = decimals_find(digits), places = 0;
    int64_t value = 0;
    uint32_t count = 0, run = 0;
    bool grouped = false;
    for (uint32_t i = 0; i < digits.size; i++) {
        char c = digits.bytes[i];
        if (c >= '0' && c <= '9') {
            if (++count > 15 || (i > decimals && ++places > 2)) return false;
            value = value * 10 + (c - '0');
            run++;
        } else if (i == decimals) {
            if (grouped && run != 3) return false;
        } else {
            /* Thousands: by point, comma, apostrophe, space; three digits behind each. */
            bool wide = (uint8_t)c == 0xC2 && i + 1 < digits.size && (uint8_t)digits.bytes[i + 1] == 0xA0;
            if (i > decimals || (strchr(".,' ", c) == NULL && !wide)) return false;
            if ((grouped && run != 3) || run == 0 || run > 3) return false;
            if (wide) i++;
            grouped = true;
            run = 0;
        }
    }
    if (grouped && decimals == digits.size && run != 3) return false;
    for (; places < 2; places++) value *= 10;
    *cents = value;
    return count > 0;
}
