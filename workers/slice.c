#include "workers/slice.h"

#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

/* As the kernel has it (sched_setattr(2)), in its first size; C libraries have a name for it only lately. */
struct attributes {
    uint32_t size, policy;
    uint64_t flags;
    int32_t nice;
    uint32_t priority;
    uint64_t runtime_ns, deadline_ns, period_ns;
};

static bool attributes_get(struct attributes *attributes) {
    *attributes = (struct attributes){.size = sizeof(*attributes)};
    return syscall(SYS_sched_getattr, 0, attributes, sizeof(*attributes), 0) == 0;
}

bool ampel_slice_set(uint64_t slice_ns) {
    struct attributes attributes;
    if (!attributes_get(&attributes)) return false;
    /* Real-time policies have no slices, or others. */
    if (attributes.policy != SCHED_OTHER && attributes.policy != SCHED_BATCH) return false;
    attributes.size = sizeof(attributes);
    attributes.runtime_ns = slice_ns;
    return syscall(SYS_sched_setattr, 0, &attributes, 0) == 0;
}

uint64_t ampel_slice_get(void) {
    struct attributes attributes;
    return attributes_get(&attributes) ? attributes.runtime_ns : 0;
}
