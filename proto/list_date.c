/* Dates as people write them. */
#include <string.h>

#include "engine/bounds.h"
#include "proto/list_words.h"
#include "proto/time.h"

struct part {
    uint32_t value, digits; /* digits 0: a month's name */
    char behind;            /* the first separator behind it, 0 at the end */
};

struct scan {
    const char *at, *end;
};

static bool is_digit(char c) { return c >= '0' && c <= '9'; }

static bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (uint8_t)c >= 0x80; }

/* By the first letters, English or German; 0 where it is none. */
static uint32_t month_of(const char *at, size_t size) {
    static const struct {
        const char *start;
        uint32_t month;
    } months[] = {
        {"jan", 1},  {"j\xC3\xA4n", 1}, {"feb", 2}, {"mar", 3}, {"m\xC3\xA4r", 3}, {"mrz", 3}, {"apr", 4},
        {"may", 5},  {"mai", 5},        {"jun", 6}, {"jul", 7}, {"aug", 8},        {"sep", 9}, {"oct", 10},
        {"okt", 10}, {"nov", 11},       {"dec", 12}, {"dez", 12},
    };
    char name[AMPEL_LIST_NAME_SIZE];
    ampel_list_name((struct ampel_text){at, (uint32_t)size}, name);
    for (uint32_t i = 0; i < AMPEL_ARRAY_COUNT(months); i++)
        if (strncmp(name, months[i].start, strlen(months[i].start)) == 0) return months[i].month;
    return 0;
}

static bool part_take(struct scan *scan, struct part *out) {
    *out = (struct part){0};
    const char *start = scan->at;
    if (scan->at < scan->end && is_digit(*scan->at)) {
        for (; scan->at < scan->end && is_digit(*scan->at) && out->digits < 5; scan->at++, out->digits++)
            out->value = out->value * 10 + (uint32_t)(*scan->at - '0');
        /* 1st, 2nd, 3rd, 4th */
        if (scan->end - scan->at >= 2 && is_letter(scan->at[0]) && is_letter(scan->at[1]) && out->digits <= 2 &&
            (scan->end - scan->at == 2 || !is_letter(scan->at[2])))
            scan->at += 2;
    } else {
        while (scan->at < scan->end && is_letter(*scan->at)) scan->at++;
        out->value = month_of(start, (size_t)(scan->at - start));
        if (out->value == 0) return false;
    }
    if (scan->at < scan->end) out->behind = *scan->at;
    return true;
}

static void separators_skip(struct scan *scan) {
    while (scan->at < scan->end && strchr(" ./,-", *scan->at) != NULL) scan->at++;
}

static bool number_take(struct scan *scan, uint32_t most, uint32_t *out) {
    uint32_t digits = 0;
    for (*out = 0; scan->at < scan->end && is_digit(*scan->at) && digits < 2; scan->at++, digits++)
        *out = *out * 10 + (uint32_t)(*scan->at - '0');
    return digits > 0 && *out <= most;
}

static bool half_take(struct scan *scan, uint32_t *hour) {
    while (scan->at < scan->end && *scan->at == ' ') scan->at++;
    char name[AMPEL_LIST_NAME_SIZE];
    ampel_list_name((struct ampel_text){scan->at, (uint32_t)(scan->end - scan->at)}, name);
    bool before = strcmp(name, "am") == 0, after = strcmp(name, "pm") == 0;
    if (!before && !after) return name[0] == 0 || strcmp(name, "z") == 0 || strcmp(name, "utc") == 0;
    if (*hour < 1 || *hour > 12) return false;
    *hour = *hour % 12 + (after ? 12 : 0);
    return true;
}

/* "14:30", "14:30:05", "2:30 PM"; nothing is midnight. */
static bool clock_take(struct scan *scan, int64_t *ms) {
    uint32_t hour, minute, second = 0;
    *ms = 0;
    while (scan->at < scan->end && strchr(" ,T", *scan->at) != NULL) scan->at++;
    if (scan->at == scan->end) return true;
    if (!number_take(scan, 23, &hour) || scan->at == scan->end || *scan->at++ != ':') return false;
    if (!number_take(scan, 59, &minute)) return false;
    if (scan->at < scan->end && *scan->at == ':') {
        scan->at++;
        if (!number_take(scan, 59, &second)) return false;
    }
    if (!half_take(scan, &hour)) return false;
    *ms = ((int64_t)hour * 3600 + minute * 60 + second) * 1000;
    return true;
}

/* Which of the three is what. 0 years: not to be told. */
struct date {
    uint32_t year, month, day;
};

static bool slashes_order(uint32_t first, uint32_t second, enum ampel_list_dates order, struct date *date,
                          const char **why) {
    bool day_first = order == AMPEL_LIST_DATES_DMY;
    if (order == AMPEL_LIST_DATES_UNKNOWN) {
        if (first <= 12 && second <= 12 && first != second) {
            *why = "may be two dates: say which comes first with --dates dmy or --dates mdy";
            return false;
        }
        day_first = first > 12;
    }
    date->day = day_first ? first : second;
    date->month = day_first ? second : first;
    return true;
}

static bool parts_order(const struct part parts[3], enum ampel_list_dates order, struct date *date,
                        const char **why) {
    *date = (struct date){0};
    if (parts[0].digits == 4) {
        if (parts[1].digits == 0 || parts[2].digits == 0) return false;
        *date = (struct date){parts[0].value, parts[1].value, parts[2].value};
        return true;
    }
    if (parts[2].digits != 4 && parts[2].digits != 2) return false;
    if (parts[0].digits > 2 || parts[1].digits > 2) return false;
    date->year = parts[2].value + (parts[2].digits == 2 ? 2000 : 0);
    if (parts[0].digits == 0 || parts[1].digits == 0) {
        bool month_first = parts[0].digits == 0;
        if (month_first == (parts[1].digits == 0)) return false;
        date->month = parts[month_first ? 0 : 1].value;
        date->day = parts[month_first ? 1 : 0].value;
        return true;
    }
    if (parts[0].behind != '.') return slashes_order(parts[0].value, parts[1].value, order, date, why);
    date->day = parts[0].value;
    date->month = parts[1].value;
    return true;
}

static void two_digits(char *out, uint32_t value) {
    out[0] = (char)('0' + value / 10 % 10);
    out[1] = (char)('0' + value % 10);
}

/* Through the one reader of calendars. */
static bool date_time(const struct date *date, int64_t *day_ms) {
    if (date->month > 12 || date->day > 31 || date->year > 9999) return false;
    char text[] = "0000-00-00T00:00Z";
    two_digits(text, date->year / 100);
    two_digits(text + 2, date->year);
    two_digits(text + 5, date->month);
    two_digits(text + 8, date->day);
    return ampel_time_decode((struct ampel_text){text, sizeof text - 1}, day_ms);
}

bool ampel_list_date(struct ampel_text text, enum ampel_list_dates order, int64_t *at_ms, const char **why) {
    text = ampel_list_trim(text);
    *why = "is no date";
    struct scan scan = {text.bytes, text.bytes + text.size};
    if (text.size > 16 && ampel_time_decode(text, at_ms)) return true;
    struct part parts[3];
    for (uint32_t i = 0; i < 3; i++) {
        if (!part_take(&scan, &parts[i])) return false;
        if (i < 2) separators_skip(&scan);
    }
    struct date date;
    int64_t day_ms, clock_ms;
    if (!parts_order(parts, order, &date, why)) return false;
    if (!clock_take(&scan, &clock_ms) || scan.at > scan.end) return false;
    if (!date_time(&date, &day_ms)) return false;
    *at_ms = day_ms + clock_ms;
    return true;
}
