#include "workers/cli/format.h"

#include <string.h>

bool ampel_format_read(const struct ampel_usage *usage, const char *text, enum ampel_format *out) {
    *out = AMPEL_FORMAT_TABLE;
    if (text == NULL || strcmp(text, "table") == 0) return true;
    *out = AMPEL_FORMAT_JSONL;
    if (strcmp(text, "jsonl") == 0) return true;
    ampel_usage_wrong(usage, "--format is table or jsonl, not '%s'", text);
    return false;
}
