#include "workers/cli/names.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PARTS_MAX      3
#define PART_WIDTH_MIN 3
/* So much is kept of a tenant and a marketplace, which few accounts differ in, before a seller is cut. */
#define PART_WIDTH_KEPT 6

/* ---- one name ------------------------------------------------------------------------------- */

struct parts {
    uint32_t count;
    const char *text[PARTS_MAX];
    uint32_t size[PARTS_MAX], width[PARTS_MAX];
};

/* The last part takes what is left, slashes included. */
static void split(const char *name, struct parts *out) {
    *out = (struct parts){0};
    for (bool last = false; !last; out->count++) {
        uint32_t size = (uint32_t)(out->count + 1 == PARTS_MAX ? strlen(name) : strcspn(name, "/"));
        out->text[out->count] = name;
        out->size[out->count] = out->width[out->count] = size;
        last = name[size] == 0;
        name += size + 1;
    }
}

/* The part to take the next column from. */
static uint32_t part_next(const struct parts *parts) {
    uint32_t last = parts->count - 1, found = last;
    if (last > 0 && parts->width[last] > PART_WIDTH_KEPT) return last;
    if (last == PARTS_MAX - 1 && parts->width[0] > PART_WIDTH_KEPT) return 0;
    for (uint32_t i = parts->count; i-- > 0;)
        if (parts->width[i] > parts->width[found]) found = i;
    return found;
}

static bool shrink(struct parts *parts, uint32_t width) {
    uint32_t total = parts->count - 1;
    for (uint32_t i = 0; i < parts->count; i++) total += parts->width[i];
    for (; total > width; total--) {
        uint32_t part = part_next(parts);
        if (parts->width[part] <= PART_WIDTH_MIN) return false;
        parts->width[part]--;
    }
    return true;
}

static uint32_t part_write(const char *text, uint32_t size, uint32_t width, char *out, uint32_t capacity) {
    if (size <= width) return (uint32_t)snprintf(out, capacity, "%.*s", (int)size, text);
    uint32_t tail = (width - 1) / 2, head = width - 1 - tail;
    return (uint32_t)snprintf(out, capacity, "%.*s…%.*s", (int)head, text, (int)tail, text + size - tail);
}

void ampel_name_cut(const char *name, uint32_t width, char out[AMPEL_NAMES_SIZE]) {
    struct parts parts;
    split(name, &parts);
    if (!shrink(&parts, width)) {
        (void)part_write(name, (uint32_t)strlen(name), width, out, AMPEL_NAMES_SIZE);
        return;
    }
    uint32_t used = 0;
    for (uint32_t i = 0; i < parts.count && used < AMPEL_NAMES_SIZE - 2; i++) {
        if (i > 0) out[used++] = '/';
        used += part_write(parts.text[i], parts.size[i], parts.width[i], out + used, AMPEL_NAMES_SIZE - used);
    }
}

/* ---- many ----------------------------------------------------------------------------------- */

struct seen {
    const char *name;
    char *cut;
    uint32_t index;
};

static int by_cut(const void *left_one, const void *right_one) {
    const struct seen *left = left_one, *right = right_one;
    int order = strcmp(left->cut, right->cut);
    return order != 0 ? order : strcmp(left->name, right->name);
}

static int by_name(const void *left_one, const void *right_one) {
    const struct seen *left = left_one, *right = right_one;
    int order = strcmp(left->name, right->name);
    return order != 0 ? order : (left->index > right->index) - (left->index < right->index);
}

static bool distinct_at(struct seen *seen, uint32_t count, uint32_t width) {
    bool distinct = true;
    for (uint32_t i = 0; i < count; i++) {
        char cut[AMPEL_NAMES_SIZE];
        ampel_name_cut(seen[i].name, width, cut);
        seen[i].cut = strdup(cut);
        AMPEL_ASSERT(seen[i].cut != NULL);
    }
    qsort(seen, count, sizeof *seen, by_cut);
    for (uint32_t i = 1; i < count && distinct; i++)
        distinct = strcmp(seen[i - 1].cut, seen[i].cut) != 0 || strcmp(seen[i - 1].name, seen[i].name) == 0;
    for (uint32_t i = 0; i < count; i++) free(seen[i].cut);
    return distinct;
}

static struct seen *seen_open(char *const *names, uint32_t count) {
    struct seen *seen = calloc((size_t)count + 1, sizeof *seen);
    AMPEL_ASSERT(seen != NULL);
    for (uint32_t i = 0; i < count; i++) seen[i] = (struct seen){.name = names[i], .index = i};
    return seen;
}

uint32_t ampel_names_width(char *const *names, uint32_t count) {
    uint32_t width = AMPEL_NAMES_WIDTH_MIN;
    for (uint32_t i = 0; i < count; i++)
        if (strlen(names[i]) > width) width = (uint32_t)strlen(names[i]);
    struct seen *seen = seen_open(names, count);
    while (width > AMPEL_NAMES_WIDTH_MIN && distinct_at(seen, count, width - 1)) width--;
    free(seen);
    return width;
}

/* Equal names have equal numbers, from 1 on in the order of the first of each. */
static uint32_t *numbers_open(char *const *names, uint32_t count) {
    struct seen *seen = seen_open(names, count);
    uint32_t *numbers = calloc((size_t)count + 1, sizeof *numbers);
    AMPEL_ASSERT(numbers != NULL);
    qsort(seen, count, sizeof *seen, by_name);
    for (uint32_t i = 0; i < count; i++)
        numbers[seen[i].index] = i > 0 && strcmp(seen[i - 1].name, seen[i].name) == 0 ? numbers[seen[i - 1].index]
                                                                                      : seen[i].index + 1;
    free(seen);
    return numbers;
}

void ampel_names_cut(char **names, uint32_t count, uint32_t width) {
    struct seen *seen = seen_open(names, count);
    bool numbered = !distinct_at(seen, count, width);
    free(seen);
    uint32_t *numbers = numbered ? numbers_open(names, count) : NULL;
    for (uint32_t i = 0; i < count; i++) {
        char cut[AMPEL_NAMES_SIZE], number[16] = "", text[AMPEL_NAMES_SIZE + 16];
        int behind = numbered ? snprintf(number, sizeof number, "~%u", numbers[i]) : 0;
        uint32_t room = width > (uint32_t)behind + 1 ? width - (uint32_t)behind : 1;
        ampel_name_cut(names[i], room, cut);
        snprintf(text, sizeof text, "%s%s", cut, number);
        free(names[i]);
        names[i] = strdup(text);
        AMPEL_ASSERT(names[i] != NULL);
    }
    free(numbers);
}
