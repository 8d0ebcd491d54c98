#include "engine/frame.h"

#include <string.h>

#include "engine/load.h"
#include "engine/registry.h"

void ampel_frame_event(const struct ampel_frame *frame, uint32_t index, uint32_t *account_index,
                       struct ampel_event *out) {
    AMPEL_ASSERT(index < frame->events_count);
    size_t i = index;
    *account_index = frame->account != NULL ? ampel_load_u32(frame->account + 4 * i) : 0;
    out->type = frame->type != NULL ? frame->type[i] : 0;
    out->at_ms = frame->at != NULL ? ampel_load_i64(frame->at + 8 * i) : 0;
    out->count = frame->count != NULL ? ampel_load_u32(frame->count + 4 * i) : 1;
    out->policy = frame->policy != NULL ? frame->policy[i] : 0;
    out->severity = frame->severity != NULL ? (int8_t)frame->severity[i] : AMPEL_SEVERITY_NOT_GIVEN;
    out->code = frame->code != NULL ? frame->code[i] : AMPEL_CODE_NONE;
    out->points = frame->points != NULL ? (int16_t)ampel_load_u16(frame->points + 2 * i) : -1;
    out->rev = frame->rev != NULL                    ? ampel_load_u16(frame->rev + 2 * i)
               : out->type == AMPEL_EVENT_ORDERS_DAY ? 1
                                                     : 0;
    out->extras = NULL;
    out->extras_size = 0;
    if (frame->extras_offset == NULL) return;
    uint32_t from = ampel_load_u32(frame->extras_offset + 4 * i);
    uint32_t to = ampel_load_u32(frame->extras_offset + 4 * (i + 1));
    if (from > to || to > frame->extras_size) return;
    out->extras = frame->extras + from;
    out->extras_size = to - from;
}
