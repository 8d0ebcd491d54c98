/* Where things stand in a YAML text: a tree of its nodes with their lines, which libcyaml does not
   keep. Building it refuses what a configuration has no use for and what libcyaml lets pass:
   doubled keys, a second document, anchors, aliases, tags, keys that are no plain names.

       node 0, the root ── children in the order of the text; each knows parent, kind, line, and its
   key or its ordinal */
#ifndef AMPEL_PROTO_YAML_INDEX_H
#define AMPEL_PROTO_YAML_INDEX_H

#include "proto/error.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A rules file with all registries full and all variants has some 1 200 nodes, four levels deep. */
#define AMPEL_YAML_NODES_MAX     4096
#define AMPEL_YAML_DEPTH_MAX     12
#define AMPEL_YAML_KEY_BYTES_MAX 64
#define AMPEL_YAML_NODE_NONE     UINT32_MAX
#define AMPEL_YAML_PATH_SIZE     80

enum ampel_yaml_kind { AMPEL_YAML_SCALAR, AMPEL_YAML_MAPPING, AMPEL_YAML_SEQUENCE };

struct ampel_yaml_node {
    uint32_t parent;                        /* AMPEL_YAML_NODE_NONE for the root */
    uint32_t line;                          /* 1.., of the key where there is one */
    uint32_t ordinal;                       /* among its siblings, from 0 */
    uint8_t kind;                           /* enum ampel_yaml_kind */
    char key[AMPEL_YAML_KEY_BYTES_MAX + 1]; /* "" in a sequence and for the root */
};

struct ampel_yaml_index;

/* NULL with error filled for anything that is not one plain YAML document. Lifetime: until close.
 * Thread: any. */
AMPEL_MUST_CHECK struct ampel_yaml_index *ampel_yaml_index_open(struct ampel_text text,
                                                                struct ampel_error *error);
void ampel_yaml_index_close(struct ampel_yaml_index *index);

uint32_t ampel_yaml_index_count(const struct ampel_yaml_index *index);
/* index below the count; valid until close. */
const struct ampel_yaml_node *ampel_yaml_index_node(const struct ampel_yaml_index *index,
                                                    uint32_t node_index);
/* A mapping's child by key; AMPEL_YAML_NODE_NONE where there is none. */
uint32_t ampel_yaml_index_child(const struct ampel_yaml_index *index, uint32_t parent,
                                const char *key);
/* The line of "caps.groups[1].limit", or where there is no such node, of the nearest one above it;
 * at least 1. */
uint32_t ampel_yaml_index_line(const struct ampel_yaml_index *index, const char *path);
/* The path of a node in that form, cut to fit, terminated; "" for the root. */
void ampel_yaml_index_path(const struct ampel_yaml_index *index, uint32_t node_index,
                           char out[AMPEL_YAML_PATH_SIZE]);

#ifdef __cplusplus
}
#endif

#endif
