#include "proto/time.h"

#include "engine/bounds.h"

/* Days since 1970-01-01 of a date of the Gregorian calendar. Years begin in March here, so that the
   leap day is the last of its year. Range: years 0 to 9999. */
static int64_t days_of_date(int64_t year, int64_t month, int64_t day) {
    if (month <= 2) year--;
    int64_t era = (year >= 0 ? year : year - 399) / 400;
    int64_t year_of_era = year - era * 400;
    int64_t day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * 146097 + day_of_era - 719468;
}

static int64_t days_of_month(int64_t year, int64_t month) {
    static const uint8_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return month == 2 && leap ? 29 : days[month - 1];
}

/* A cursor over the text; each step says whether it found what it wanted. */
struct cursor {
    const char *at, *end;
};

static bool take_digits(struct cursor *cursor, uint32_t count, int64_t *out) {
    if ((size_t)(cursor->end - cursor->at) < count) return false;
    int64_t value = 0;
    for (uint32_t i = 0; i < count; i++) {
        char c = cursor->at[i];
        if (c < '0' || c > '9') return false;
        value = value * 10 + (c - '0');
    }
    cursor->at += count;
    *out = value;
    return true;
}

static bool take_one_of(struct cursor *cursor, const char *set) {
    if (cursor->at == cursor->end) return false;
    for (; *set != 0; set++) {
        if (*cursor->at == *set) {
            cursor->at++;
            return true;
        }
    }
    return false;
}

static bool take_date(struct cursor *cursor, int64_t *days) {
    int64_t year, month, day;
    if (!take_digits(cursor, 4, &year) || !take_one_of(cursor, "-")) return false;
    if (!take_digits(cursor, 2, &month) || !take_one_of(cursor, "-")) return false;
    if (!take_digits(cursor, 2, &day)) return false;
    if (month < 1 || month > 12 || day < 1 || day > days_of_month(year, month)) return false;
    *days = days_of_date(year, month, day);
    return true;
}

/* What lies beyond milliseconds is cut off, never rounded (rating-model 2). */
static bool take_fraction(struct cursor *cursor, int64_t *milliseconds) {
    int64_t value = 0, weight = 100, digit;
    if (!take_digits(cursor, 1, &digit)) return false;
    do {
        value += digit * weight;
        weight /= 10;
    } while (take_digits(cursor, 1, &digit));
    *milliseconds = value;
    return true;
}

static bool take_clock(struct cursor *cursor, int64_t *milliseconds) {
    int64_t hour, minute, second = 0, fraction = 0;
    if (!take_digits(cursor, 2, &hour) || !take_one_of(cursor, ":")) return false;
    if (!take_digits(cursor, 2, &minute)) return false;
    if (take_one_of(cursor, ":")) {
        if (!take_digits(cursor, 2, &second)) return false;
        if (take_one_of(cursor, ".") && !take_fraction(cursor, &fraction)) return false;
    }
    if (hour > 23 || minute > 59 || second > 59) return false;
    *milliseconds = ((hour * 60 + minute) * 60 + second) * 1000 + fraction;
    return true;
}

static bool take_zone(struct cursor *cursor, int64_t *milliseconds) {
    if (take_one_of(cursor, "Zz")) {
        *milliseconds = 0;
        return true;
    }
    bool west = cursor->at < cursor->end && *cursor->at == '-';
    int64_t hour, minute;
    if (!take_one_of(cursor, "+-")) return false;
    if (!take_digits(cursor, 2, &hour) || !take_one_of(cursor, ":")) return false;
    if (!take_digits(cursor, 2, &minute) || hour > 23 || minute > 59) return false;
    *milliseconds = (hour * 60 + minute) * 60000 * (west ? -1 : 1);
    return true;
}

static bool decode_integer(struct ampel_text text, int64_t *out_ms) {
    struct cursor cursor = {text.bytes, text.bytes + text.size};
    int64_t value;
    if (text.size == 0 || text.size > 13) return false;
    if (!take_digits(&cursor, text.size, &value) || value > AMPEL_TIME_MAX_MS) return false;
    *out_ms = value;
    return true;
}

bool ampel_time_decode(struct ampel_text text, int64_t *out_ms) {
    if (decode_integer(text, out_ms)) return true;
    if (text.size == 0) return false;
    struct cursor cursor = {text.bytes, text.bytes + text.size};
    int64_t days, clock_ms, zone_ms;
    if (!take_date(&cursor, &days) || !take_one_of(&cursor, "Tt ")) return false;
    if (!take_clock(&cursor, &clock_ms) || !take_zone(&cursor, &zone_ms)) return false;
    if (cursor.at != cursor.end) return false;
    int64_t at_ms = days * AMPEL_DAY_MS + clock_ms - zone_ms;
    if (at_ms < 0 || at_ms > AMPEL_TIME_MAX_MS) return false;
    *out_ms = at_ms;
    return true;
}

static void put_digits(char *to, uint32_t count, int64_t value) {
    for (uint32_t i = count; i > 0; i--) {
        to[i - 1] = (char)('0' + value % 10);
        value /= 10;
    }
}

/* The inverse of days_of_date. */
static void date_of_days(int64_t days, int64_t *year, int64_t *month, int64_t *day) {
    days += 719468;
    int64_t era = days / 146097;
    int64_t day_of_era = days - era * 146097;
    int64_t year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t march_month = (5 * day_of_year + 2) / 153;
    *day = day_of_year - (153 * march_month + 2) / 5 + 1;
    *month = march_month < 10 ? march_month + 3 : march_month - 9;
    *year = year_of_era + era * 400 + (*month <= 2 ? 1 : 0);
}

void ampel_time_encode(int64_t at_ms, char out[AMPEL_TIME_SIZE]) {
    /* Four digits of a year are what the form has room for. */
    const int64_t last_ms = INT64_C(253402300799999);
    if (at_ms < 0) at_ms = 0;
    if (at_ms > last_ms) at_ms = last_ms;
    int64_t year, month, day, clock_ms = at_ms % AMPEL_DAY_MS;
    date_of_days(at_ms / AMPEL_DAY_MS, &year, &month, &day);
    put_digits(out, 4, year);
    out[4] = '-';
    put_digits(out + 5, 2, month);
    out[7] = '-';
    put_digits(out + 8, 2, day);
    out[10] = 'T';
    put_digits(out + 11, 2, clock_ms / AMPEL_HOUR_MS);
    out[13] = ':';
    put_digits(out + 14, 2, clock_ms / 60000 % 60);
    out[16] = ':';
    put_digits(out + 17, 2, clock_ms / 1000 % 60);
    out[19] = '.';
    put_digits(out + 20, 3, clock_ms % 1000);
    out[23] = 'Z';
    out[24] = 0;
}
