#include "proto/walk.h"

static const char problem_short[] = "the bytes end within a value";
static const char problem_nodes[] = "there are more values than a message may have";
static const char problem_depth[] = "the values are nested too deeply";
static const char problem_type[] = "a value has a type that no message uses";
static const char problem_rest[] = "there are bytes after the message";

void ampel_walk_reset(struct ampel_walk *walk, const uint8_t *bytes, uint32_t size,
                      uint32_t nodes_max) {
    *walk = (struct ampel_walk){.bytes = bytes, .size = size, .nodes_left = nodes_max};
}

static bool fail(struct ampel_walk *walk, const char *problem) {
    walk->problem = problem;
    return false;
}

/* A big-endian number of 1, 2, 4 or 8 bytes behind the tag; only lengths are looked at, of at
 * most 4. */
static bool take(struct ampel_walk *walk, uint32_t bytes_count, uint32_t *out) {
    if (walk->size - walk->offset < bytes_count) return fail(walk, problem_short);
    uint32_t value = 0;
    for (uint32_t i = 0; i < bytes_count; i++)
        value = value << 8 | walk->bytes[walk->offset + i];
    walk->offset += bytes_count;
    *out = value;
    return true;
}

static bool take_body(struct ampel_walk *walk, uint32_t size, struct ampel_walk_head *out) {
    if (walk->size - walk->offset < size) return fail(walk, problem_short);
    out->text = (struct ampel_text){(const char *)walk->bytes + walk->offset, size};
    walk->offset += size;
    return true;
}

/* Every entry takes a byte at least, so a count beyond the rest is a lie. */
static bool take_count(struct ampel_walk *walk, uint32_t count, struct ampel_walk_head *out) {
    uint32_t left = walk->size - walk->offset;
    if (count > (out->form == AMPEL_WALK_MAP ? left / 2 : left)) return fail(walk, problem_short);
    out->count = count;
    return true;
}

static bool step_sized(struct ampel_walk *walk, enum ampel_walk_form form, uint32_t length_bytes,
                       struct ampel_walk_head *out) {
    uint32_t size;
    out->form = form;
    if (!take(walk, length_bytes, &size)) return false;
    if (form == AMPEL_WALK_LIST || form == AMPEL_WALK_MAP) return take_count(walk, size, out);
    return take_body(walk, size, out);
}

static bool step_tagged(struct ampel_walk *walk, uint8_t tag, struct ampel_walk_head *out) {
    uint32_t ignored;
    out->form = AMPEL_WALK_SCALAR;
    switch (tag) {
    case 0xc0: /* nil */
    case 0xc2: /* false */
    case 0xc3: /* true */
        return true;
    case 0xc4:
        return step_sized(walk, AMPEL_WALK_BYTES, 1, out);
    case 0xc5:
        return step_sized(walk, AMPEL_WALK_BYTES, 2, out);
    case 0xc6:
        return step_sized(walk, AMPEL_WALK_BYTES, 4, out);
    case 0xcc: /* u8 */
    case 0xd0: /* i8 */
        return take(walk, 1, &ignored);
    case 0xcd: /* u16 */
    case 0xd1: /* i16 */
        return take(walk, 2, &ignored);
    case 0xca: /* f32 */
    case 0xce: /* u32 */
    case 0xd2: /* i32 */
        return take(walk, 4, &ignored);
    case 0xcb: /* f64 */
    case 0xcf: /* u64 */
    case 0xd3: /* i64 */
        return take(walk, 8, &ignored);
    case 0xd9:
        return step_sized(walk, AMPEL_WALK_TEXT, 1, out);
    case 0xda:
        return step_sized(walk, AMPEL_WALK_TEXT, 2, out);
    case 0xdb:
        return step_sized(walk, AMPEL_WALK_TEXT, 4, out);
    case 0xdc:
        return step_sized(walk, AMPEL_WALK_LIST, 2, out);
    case 0xdd:
        return step_sized(walk, AMPEL_WALK_LIST, 4, out);
    case 0xde:
        return step_sized(walk, AMPEL_WALK_MAP, 2, out);
    case 0xdf:
        return step_sized(walk, AMPEL_WALK_MAP, 4, out);
    default:
        return fail(walk, problem_type); /* extensions, and 0xc1, which is never used */
    }
}

bool ampel_walk_step(struct ampel_walk *walk, struct ampel_walk_head *out) {
    if (walk->offset >= walk->size) return fail(walk, problem_short);
    if (walk->nodes_left == 0) return fail(walk, problem_nodes);
    walk->nodes_left--;
    *out = (struct ampel_walk_head){.form = AMPEL_WALK_SCALAR};
    uint8_t tag = walk->bytes[walk->offset++];
    if (tag <= 0x7f || tag >= 0xe0) return true;
    if (tag >= 0xc0) return step_tagged(walk, tag, out);
    if (tag >= 0xa0) {
        out->form = AMPEL_WALK_TEXT;
        return take_body(walk, tag & 0x1f, out);
    }
    out->form = tag >= 0x90 ? AMPEL_WALK_LIST : AMPEL_WALK_MAP;
    return take_count(walk, tag & 0x0f, out);
}

uint32_t ampel_walk_pair(const uint8_t *bytes, uint32_t size, struct ampel_text out[2]) {
    if (size < 3 || bytes[0] != 0x92 || bytes[1] >> 5 != 5) return 0;
    uint32_t first = bytes[1] & 0x1f;
    if (size < first + 3 || bytes[2 + first] >> 5 != 5) return 0;
    uint32_t second = bytes[2 + first] & 0x1f;
    if (size < first + second + 3) return 0;
    out[0] = (struct ampel_text){(const char *)bytes + 2, first};
    out[1] = (struct ampel_text){(const char *)bytes + 3 + first, second};
    return first + second + 3;
}

/* Passes over short pairs as long as they come; returns how many. The accounts of a batch are most of its values. */
static uint32_t pairs_over(struct ampel_walk *walk, uint64_t count) {
    uint32_t passed = 0;
    struct ampel_text texts[2];
    while (passed < count && walk->nodes_left >= 3) {
        uint32_t size =
            ampel_walk_pair(walk->bytes + walk->offset, walk->size - walk->offset, texts);
        if (size == 0) break;
        walk->offset += size;
        walk->nodes_left -= 3;
        passed++;
    }
    return passed;
}

/* Bytes of a value without entries, 0 where it has entries or does not end within left. Most values of a message are such: they
   are passed over without being taken apart. */
AMPEL_INLINE uint32_t leaf_size(const uint8_t *at, uint32_t left) {
    /* By tag from 0xc0 on: the size where it is fixed, else the bytes of the length behind the tag. */
    static const uint8_t fixed[32] = {1, 0, 1, 1, 0, 0, 0, 0, 0, 0, 5, 9, 2, 3, 5, 9, 2, 3, 5, 9};
    static const uint8_t lengths[32] = {[4] = 1, [5] = 2, [6] = 4, [25] = 1, [26] = 2, [27] = 4};
    if (left == 0) return 0;
    uint8_t tag = at[0];
    uint64_t size = 1;
    if (tag >= 0xa0 && tag < 0xc0) size += tag & 0x1f;
    if (tag >= 0x80 && tag < 0xa0) return 0;
    if (tag >= 0xc0 && tag < 0xe0) {
        uint32_t length_bytes = lengths[tag - 0xc0], length = 0;
        size = fixed[tag - 0xc0];
        if (size == 0 && (length_bytes == 0 || left <= length_bytes)) return 0;
        if (size == 0) {
            for (uint32_t i = 1; i <= length_bytes; i++)
                length = length << 8 | at[i];
            size = UINT64_C(1) + length_bytes + length;
        }
    }
    return size <= left ? (uint32_t)size : 0;
}

/* Passes over values without entries as long as they come; returns how many. */
static uint64_t leaves_over(struct ampel_walk *walk, uint64_t count) {
    uint64_t passed = 0;
    while (passed < count && walk->nodes_left > 0) {
        uint32_t size = leaf_size(walk->bytes + walk->offset, walk->size - walk->offset);
        if (size == 0) break;
        walk->offset += size;
        walk->nodes_left--;
        passed++;
    }
    return passed;
}

bool ampel_walk_over(struct ampel_walk *walk) {
    /* How many values are still to come at each level. */
    uint64_t left[AMPEL_WALK_DEPTH_MAX + 1];
    uint32_t depth = 0;
    left[0] = 1;
    for (;;) {
        struct ampel_walk_head head;
        left[depth] -= leaves_over(walk, left[depth]);
        if (left[depth] == 0) {
            if (depth == 0) return true;
            depth--;
            continue;
        }
        left[depth]--;
        if (!ampel_walk_step(walk, &head)) return false;
        if (head.count == 0) continue;
        if (depth == AMPEL_WALK_DEPTH_MAX) return fail(walk, problem_depth);
        left[++depth] = head.form == AMPEL_WALK_MAP ? UINT64_C(2) * head.count : head.count;
        if (head.form == AMPEL_WALK_LIST && depth < AMPEL_WALK_DEPTH_MAX)
            left[depth] -= pairs_over(walk, left[depth]);
    }
}

bool ampel_walk_whole(struct ampel_walk *walk) {
    if (!ampel_walk_over(walk)) return false;
    return walk->offset == walk->size || fail(walk, problem_rest);
}
