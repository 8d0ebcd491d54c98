/* Mutations of msgpack: a value is put twice, left out, changed in size or put in place of another,
   and the counts of its container follow, which mutations of bytes seldom get right. */
#include <string.h>

#include "tests/fuzz/fuzz.h"

#define NODES_MAX 1024
#define DEPTH_MAX 8
#define BYTES_MAX (1 << 16)

struct node {
    uint32_t offset, head, end; /* the whole value; its body begins head bytes after offset */
    uint32_t count;             /* entries of a container */
    uint8_t form;               /* '.', 's'tr, 'b'in, 'l'ist, 'm'ap */
};

struct tree {
    const uint8_t *bytes;
    uint32_t size, count;
    struct node nodes[NODES_MAX];
};

static uint32_t load(const struct tree *tree, uint32_t offset, uint32_t width) {
    uint32_t value = 0;
    for (uint32_t i = 0; i < width; i++)
        value = value << 8 | tree->bytes[offset + i];
    return value;
}

/* What stands at an offset without what is in it; false where it is cut off. */
static bool head_read(const struct tree *tree, uint32_t offset, struct node *out) {
    if (offset >= tree->size) return false;
    uint8_t byte = tree->bytes[offset];
    uint32_t body = 0, width = 0;
    *out = (struct node){.offset = offset, .head = 1, .form = '.'};
    if (byte >= 0x80 && byte <= 0x9f) {
        out->form = byte < 0x90 ? 'm' : 'l';
        out->count = byte & 0x0f;
    } else if (byte >= 0xa0 && byte <= 0xbf) {
        out->form = 's';
        body = byte & 0x1f;
    } else if (byte >= 0xc4 && byte <= 0xc6) {
        out->form = 'b';
        width = 1u << (byte - 0xc4);
    } else if (byte >= 0xd9 && byte <= 0xdb) {
        out->form = 's';
        width = 1u << (byte - 0xd9);
    } else if (byte >= 0xdc && byte <= 0xdf) {
        out->form = byte < 0xde ? 'l' : 'm';
        width = (byte & 1) == 0 ? 2 : 4;
    } else if (byte >= 0xcc && byte <= 0xd3) {
        body = 1u << (byte & 3);
    } else if (byte == 0xca || byte == 0xcb) {
        body = byte == 0xca ? 4 : 8;
    }
    if (tree->size - offset < 1 + width) return false;
    out->head += width;
    uint32_t number = width > 0 ? load(tree, offset + 1, width) : 0;
    if (width > 0 && (out->form == 'l' || out->form == 'm')) out->count = number;
    if (width > 0 && (out->form == 's' || out->form == 'b')) body = number;
    if (body > tree->size - offset - out->head) return false;
    out->end = offset + out->head + body;
    return true;
}

/* All values of a message, each before what is in it. False for what is no message, or too much of
 * one. */
static bool tree_read(struct tree *tree) {
    struct {
        uint32_t node, left;
    } open[DEPTH_MAX];
    uint32_t depth = 0, offset = 0;
    tree->count = 0;
    do {
        struct node *node = &tree->nodes[tree->count];
        if (tree->count == NODES_MAX || !head_read(tree, offset, node)) return false;
        offset = node->offset + node->head;
        uint32_t entries = node->form == 'm' ? 2 * node->count : node->count;
        if (node->form == '.' || node->form == 's' || node->form == 'b') {
            offset = node->end;
        } else if (entries > 0) {
            if (depth == DEPTH_MAX || entries > tree->size) return false;
            open[depth].node = tree->count;
            open[depth++].left = entries + 1;
        } else {
            node->end = offset;
        }
        tree->count++;
        while (depth > 0 && --open[depth - 1].left == 0)
            tree->nodes[open[--depth].node].end = offset;
    } while (depth > 0);
    return offset == tree->size;
}

/* Puts other bytes in place of some. Returns the size, unchanged where there is no room. */
static size_t replace(uint8_t *bytes, size_t size, size_t size_max, uint32_t offset, uint32_t end,
                      const uint8_t *with, uint32_t with_size) {
    if (size - (end - offset) + with_size > size_max) return size;
    memmove(bytes + offset + with_size, bytes + end, size - end);
    memcpy(bytes + offset, with, with_size);
    return size - (end - offset) + with_size;
}

static uint32_t head_write(uint8_t *out, uint8_t form, uint32_t number) {
    bool container = form == 'l' || form == 'm';
    uint32_t small = form == 'b' ? 0 : container ? 16 : 32;
    if (number < small) {
        out[0] = (uint8_t)((form == 'm' ? 0x80 : form == 'l' ? 0x90 : 0xa0) | number);
        return 1;
    }
    if (number < 256 && !container) {
        out[0] = form == 'b' ? 0xc4 : 0xd9;
        out[1] = (uint8_t)number;
        return 2;
    }
    out[0] = form == 'b' ? 0xc5 : form == 's' ? 0xda : form == 'l' ? 0xdc : 0xde;
    out[1] = (uint8_t)(number >> 8);
    out[2] = (uint8_t)number;
    return 3;
}

/* The n-th value in a container: its node, or 0. */
static uint32_t child(const struct tree *tree, uint32_t parent, uint32_t n) {
    uint32_t node = parent + 1;
    while (n > 0 && node < tree->count) {
        uint32_t end = tree->nodes[node].end;
        while (node < tree->count && tree->nodes[node].offset < end)
            node++;
        n--;
    }
    return node < tree->count && tree->nodes[node].offset < tree->nodes[parent].end ? node : 0;
}

/* An entry of a container once more, or left out. */
static size_t count_change(const struct tree *tree, uint8_t *bytes, size_t size, size_t size_max,
                           uint32_t parent, struct ampel_random *random) {
    static uint8_t entry[BYTES_MAX];
    const struct node *node = &tree->nodes[parent];
    uint32_t step = node->form == 'm' ? 2 : 1;
    if (node->count == 0 || node->count > 60000) return size;
    uint32_t which = (uint32_t)ampel_random_below(random, node->count);
    uint32_t first = child(tree, parent, which * step);
    uint32_t last = child(tree, parent, which * step + step - 1);
    if (first == 0 || last == 0) return size;
    uint32_t from = tree->nodes[first].offset, to = tree->nodes[last].end;
    bool more = ampel_random_chance(random, 50);
    if (to - from > sizeof entry || size + (to - from) + 2 > size_max) return size;
    memcpy(entry, bytes + from, to - from);
    size = replace(bytes, size, size_max, from, more ? from : to, entry, more ? to - from : 0);
    uint8_t head[3];
    uint32_t head_size = head_write(head, node->form, more ? node->count + 1 : node->count - 1);
    return replace(bytes, size, size_max, node->offset, node->offset + node->head, head, head_size);
}

/* A text or bytes of another size. */
static size_t body_change(const struct node *node, uint8_t *bytes, size_t size, size_t size_max) {
    static uint8_t made[BYTES_MAX + 3];
    uint32_t body = node->end - node->offset - node->head;
    if (body > BYTES_MAX / 2) return size;
    memcpy(made + 3, bytes + node->offset + node->head, body);
    body = (uint32_t)LLVMFuzzerMutate(made + 3, body, body + 16);
    uint8_t head[3];
    uint32_t head_size = head_write(head, node->form, body);
    memmove(made + head_size, made + 3, body);
    memcpy(made, head, head_size);
    return replace(bytes, size, size_max, node->offset, node->end, made, head_size + body);
}

static size_t put_in_place(const struct node *node, const struct node *other, uint8_t *bytes,
                           size_t size, size_t size_max) {
    static uint8_t made[BYTES_MAX];
    uint32_t made_size = other->end - other->offset;
    if (made_size > sizeof made) return size;
    memcpy(made, bytes + other->offset, made_size);
    return replace(bytes, size, size_max, node->offset, node->end, made, made_size);
}

size_t fuzz_mutate_pack(uint8_t *bytes, size_t size, size_t size_max, struct ampel_random *random) {
    static struct tree tree;
    tree.bytes = bytes;
    tree.size = (uint32_t)size;
    if (size == 0 || size > BYTES_MAX || !tree_read(&tree))
        return LLVMFuzzerMutate(bytes, size, size_max);
    uint32_t which = (uint32_t)ampel_random_below(random, tree.count);
    const struct node *node = &tree.nodes[which];
    switch (ampel_random_below(random, 4)) {
    case 0:
        return put_in_place(node, &tree.nodes[ampel_random_below(random, tree.count)], bytes, size,
                            size_max);
    case 1:
        if (node->form == 's' || node->form == 'b') return body_change(node, bytes, size, size_max);
        break;
    default:
        while (which > 0 && tree.nodes[which].form != 'l' && tree.nodes[which].form != 'm')
            which--;
        return count_change(&tree, bytes, size, size_max, which, random);
    }
    fuzz_mutate_in_place(bytes + node->offset, node->end - node->offset, random);
    return size;
}
