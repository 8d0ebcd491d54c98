/* Times: what is read, written and read again is the same instant. */
#include "engine/bounds.h"
#include "proto/text.h"
#include "proto/time.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    struct ampel_text text = {(const char *)bytes, (uint32_t)size};
    char written[AMPEL_TIME_SIZE];
    int64_t at_ms = -1, again_ms;
    if (!ampel_time_decode(text, &at_ms)) {
        AMPEL_ASSERT(at_ms == -1);
        return 0;
    }
    FUZZ_CANARY(size > 10 && at_ms % 1000 == 999);
    AMPEL_ASSERT(at_ms >= 0 && at_ms <= AMPEL_TIME_MAX_MS);
    ampel_time_encode(at_ms, written);
    AMPEL_ASSERT(ampel_time_decode(ampel_text_of(written), &again_ms));
    AMPEL_ASSERT(again_ms == at_ms);
    return 0;
}
