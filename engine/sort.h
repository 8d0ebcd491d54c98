/* Sorting in place, without recursion or callbacks. */
#ifndef AMPEL_ENGINE_SORT_H
#define AMPEL_ENGINE_SORT_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Ascending. Cost: O(n log n), O(n) where sorted already. */
void ampel_sort_u64(uint64_t *keys, uint32_t count);

#ifdef __cplusplus
}
#endif

#endif
