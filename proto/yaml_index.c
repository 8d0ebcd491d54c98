#include "proto/yaml_index.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

struct ampel_yaml_index {
    uint32_t count;
    struct ampel_yaml_node nodes[AMPEL_YAML_NODES_MAX];
};

/* One container that is open while the events of its entries come. */
struct level {
    uint32_t node;
    uint32_t entries;
    uint32_t key_line;
    bool key_read; /* of a mapping: the key stands in `key`, its value is next */
    char key[AMPEL_YAML_KEY_BYTES_MAX + 1];
};

struct builder {
    struct ampel_yaml_index *index;
    struct ampel_error *error;
    uint32_t depth; /* open containers */
    uint32_t documents;
    struct level levels[AMPEL_YAML_DEPTH_MAX];
};

static uint32_t line_of(const yaml_event_t *event) {
    return (uint32_t)event->start_mark.line + 1;
}

static bool fail(struct builder *builder, uint32_t line, const char *field, const char *reason) {
    ampel_error_set(builder->error, field, "%s", reason);
    if (builder->error != NULL) builder->error->line = line;
    return false;
}

static bool key_plain(const char *bytes, size_t size) {
    if (size == 0 || size > AMPEL_YAML_KEY_BYTES_MAX) return false;
    for (size_t i = 0; i < size; i++) {
        if (bytes[i] <= ' ' || bytes[i] > '~') return false;
    }
    return true;
}

static bool read_key(struct builder *builder, struct level *level, const yaml_event_t *event) {
    const char *bytes = (const char *)event->data.scalar.value;
    size_t size = event->data.scalar.length;
    if (!key_plain(bytes, size))
        return fail(builder, line_of(event), "",
                    "a key must be a plain name of 1 to 64 characters");
    memcpy(level->key, bytes, size);
    level->key[size] = '\0';
    if (ampel_yaml_index_child(builder->index, level->node, level->key) != AMPEL_YAML_NODE_NONE) {
        char path[AMPEL_YAML_PATH_SIZE];
        ampel_yaml_index_path(
            builder->index, ampel_yaml_index_child(builder->index, level->node, level->key), path);
        return fail(builder, line_of(event), path, "stands here for the second time");
    }
    level->key_line = line_of(event);
    level->key_read = true;
    return true;
}

/* Adds a node under the innermost open container and makes it one itself if it is a mapping or a
 * sequence. */
static bool add_node(struct builder *builder, enum ampel_yaml_kind kind,
                     const yaml_event_t *event) {
    struct ampel_yaml_index *index = builder->index;
    if (index->count == AMPEL_YAML_NODES_MAX)
        return fail(builder, line_of(event), "", "there are more entries than any rules can have");
    uint32_t node_index = index->count;
    struct ampel_yaml_node *node = &index->nodes[node_index];
    *node = (struct ampel_yaml_node){
        .parent = AMPEL_YAML_NODE_NONE, .line = line_of(event), .kind = (uint8_t)kind};
    if (builder->depth > 0) {
        struct level *level = &builder->levels[builder->depth - 1];
        node->parent = level->node;
        node->ordinal = level->entries++;
        if (level->key_read) {
            memcpy(node->key, level->key, sizeof(node->key));
            node->line = level->key_line;
            level->key_read = false;
        }
    }
    index->count++;
    if (kind == AMPEL_YAML_SCALAR) return true;
    if (builder->depth == AMPEL_YAML_DEPTH_MAX)
        return fail(builder, line_of(event), "", "the nesting is deeper than any rules can have");
    builder->levels[builder->depth++] = (struct level){.node = node_index};
    return true;
}

static bool decorated(const yaml_event_t *event) {
    switch (event->type) {
    case YAML_ALIAS_EVENT:
        return true;
    case YAML_SCALAR_EVENT:
        return event->data.scalar.anchor != NULL || event->data.scalar.tag != NULL;
    case YAML_SEQUENCE_START_EVENT:
        return event->data.sequence_start.anchor != NULL || event->data.sequence_start.tag != NULL;
    case YAML_MAPPING_START_EVENT:
        return event->data.mapping_start.anchor != NULL || event->data.mapping_start.tag != NULL;
    default:
        return false;
    }
}

static bool take_event(struct builder *builder, const yaml_event_t *event) {
    if (decorated(event))
        return fail(builder, line_of(event), "", "anchors, aliases and tags are not used in rules");
    struct level *level = builder->depth > 0 ? &builder->levels[builder->depth - 1] : NULL;
    bool key_due = level != NULL && !level->key_read &&
                   builder->index->nodes[level->node].kind == AMPEL_YAML_MAPPING;
    switch (event->type) {
    case YAML_DOCUMENT_START_EVENT:
        if (builder->documents++ == 0) return true;
        return fail(builder, line_of(event), "", "a second document begins; a file has one");
    case YAML_SCALAR_EVENT:
        if (key_due) return read_key(builder, level, event);
        if (memchr(event->data.scalar.value, 0, event->data.scalar.length) != NULL)
            return fail(builder, line_of(event), "", "a value has a zero byte");
        return add_node(builder, AMPEL_YAML_SCALAR, event);
    case YAML_SEQUENCE_START_EVENT:
    case YAML_MAPPING_START_EVENT:
        if (key_due) return fail(builder, line_of(event), "", "a key must be a plain name");
        return add_node(builder,
                        event->type == YAML_SEQUENCE_START_EVENT ? AMPEL_YAML_SEQUENCE
                                                                 : AMPEL_YAML_MAPPING,
                        event);
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
        builder->depth--;
        return true;
    default:
        return true;
    }
}

static bool fail_syntax(struct builder *builder, const yaml_parser_t *parser) {
    ampel_error_set(builder->error, "", "not valid YAML: %s",
                    parser->problem != NULL ? parser->problem : "it cannot be read");
    if (builder->error != NULL) builder->error->line = (uint32_t)parser->problem_mark.line + 1;
    return false;
}

static bool build(struct builder *builder, yaml_parser_t *parser) {
    for (bool ended = false; !ended;) {
        yaml_event_t event;
        if (!yaml_parser_parse(parser, &event)) return fail_syntax(builder, parser);
        ended = event.type == YAML_STREAM_END_EVENT;
        bool taken = take_event(builder, &event);
        yaml_event_delete(&event);
        if (!taken) return false;
    }
    if (builder->index->count == 0) return fail(builder, 1, "", "the file is empty");
    return true;
}

struct ampel_yaml_index *ampel_yaml_index_open(struct ampel_text text, struct ampel_error *error) {
    struct ampel_yaml_index *index = malloc(sizeof(*index));
    yaml_parser_t parser;
    if (index == NULL || !yaml_parser_initialize(&parser)) {
        free(index);
        ampel_error_set(error, "", "there is no memory");
        return NULL;
    }
    index->count = 0;
    struct builder builder = {.index = index, .error = error};
    yaml_parser_set_input_string(&parser, (const unsigned char *)text.bytes, text.size);
    bool built = build(&builder, &parser);
    yaml_parser_delete(&parser);
    if (built) return index;
    free(index);
    return NULL;
}

void ampel_yaml_index_close(struct ampel_yaml_index *index) {
    free(index);
}

uint32_t ampel_yaml_index_count(const struct ampel_yaml_index *index) {
    return index->count;
}

const struct ampel_yaml_node *ampel_yaml_index_node(const struct ampel_yaml_index *index,
                                                    uint32_t node_index) {
    AMPEL_ASSERT(node_index < index->count);
    return &index->nodes[node_index];
}

uint32_t ampel_yaml_index_child(const struct ampel_yaml_index *index, uint32_t parent,
                                const char *key) {
    for (uint32_t i = parent + 1; i < index->count; i++) {
        const struct ampel_yaml_node *node = &index->nodes[i];
        if (node->parent == parent && strcmp(node->key, key) == 0) return i;
    }
    return AMPEL_YAML_NODE_NONE;
}

static uint32_t entry_of(const struct ampel_yaml_index *index, uint32_t parent, uint32_t ordinal) {
    for (uint32_t i = parent + 1; i < index->count; i++) {
        const struct ampel_yaml_node *node = &index->nodes[i];
        if (node->parent == parent && node->ordinal == ordinal) return i;
    }
    return AMPEL_YAML_NODE_NONE;
}

/* One step of a path from node: "name" or "[3]"; *path moves behind it and a dot. */
static uint32_t step(const struct ampel_yaml_index *index, uint32_t node, const char **path) {
    if (**path == '[') {
        char *end;
        unsigned long ordinal = strtoul(*path + 1, &end, 10);
        *path = end + (*end == ']');
        *path += **path == '.';
        return ordinal < AMPEL_YAML_NODES_MAX ? entry_of(index, node, (uint32_t)ordinal)
                                              : AMPEL_YAML_NODE_NONE;
    }
    char key[AMPEL_YAML_KEY_BYTES_MAX + 1];
    size_t size = strcspn(*path, ".[");
    if (size == 0 || size >= sizeof(key)) return AMPEL_YAML_NODE_NONE;
    memcpy(key, *path, size);
    key[size] = '\0';
    *path += size;
    *path += **path == '.';
    return ampel_yaml_index_child(index, node, key);
}

uint32_t ampel_yaml_index_line(const struct ampel_yaml_index *index, const char *path) {
    uint32_t node = 0;
    while (*path != '\0') {
        uint32_t below = step(index, node, &path);
        if (below == AMPEL_YAML_NODE_NONE) break;
        node = below;
    }
    return index->nodes[node].line;
}

void ampel_yaml_index_path(const struct ampel_yaml_index *index, uint32_t node_index,
                           char out[AMPEL_YAML_PATH_SIZE]) {
    uint32_t chain[AMPEL_YAML_DEPTH_MAX + 1];
    uint32_t depth = 0;
    for (uint32_t i = node_index; index->nodes[i].parent != AMPEL_YAML_NODE_NONE;
         i = index->nodes[i].parent) {
        AMPEL_ASSERT(depth <= AMPEL_YAML_DEPTH_MAX);
        chain[depth++] = i;
    }
    size_t size = 0;
    out[0] = '\0';
    while (depth > 0 && size + 1 < AMPEL_YAML_PATH_SIZE) {
        const struct ampel_yaml_node *node = &index->nodes[chain[--depth]];
        int written = node->key[0] == '\0'
                          ? snprintf(out + size, AMPEL_YAML_PATH_SIZE - size, "[%u]", node->ordinal)
                          : snprintf(out + size, AMPEL_YAML_PATH_SIZE - size, "%s%s",
                                     size > 0 ? "." : "", node->key);
        size += (size_t)written;
    }
}
