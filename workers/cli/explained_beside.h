/* What stands beside an account's score, as explain tells it: assurance and delivery metrics (rating-model 3.14). */
#ifndef AMPEL_WORKERS_CLI_EXPLAINED_BESIDE_H
#define AMPEL_WORKERS_CLI_EXPLAINED_BESIDE_H

#include "engine/engine.h"

#define AMPEL_EXPLAINED_METRICS_MAX 64

struct ampel_explained_metric {
    char name[AMPEL_ID_BYTES_MAX + 1];
    int64_t at_ms, value_ppm, target_ppm;
    bool has_value, has_target;
    uint8_t banner;
};

struct ampel_explained_beside {
    bool known; /* anything but orders and violations was told of the account */
    struct ampel_assurance assurance;
    int64_t window_days; /* that assurance looks at */
    uint8_t banner;
    uint32_t metrics_count; /* the first ones by name */
    struct ampel_explained_metric metrics[AMPEL_EXPLAINED_METRICS_MAX];
};

void ampel_explained_beside_engine(const struct ampel_engine *engine, uint32_t slot,
                                   struct ampel_explained_beside *out);
/* Nothing where it is not known. */
void ampel_explained_beside_print(const struct ampel_explained_beside *beside);
/* The members "assurance", "metrics_banner" and "metrics", a comma before each; to standard output. */
void ampel_explained_beside_json(const struct ampel_explained_beside *beside);

#endif
