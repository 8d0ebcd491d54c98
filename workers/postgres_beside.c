/* What stands beside the score into its table. */
#include "workers/postgres.h"

enum ampel_database_status ampel_postgres_copy_beside(struct ampel_postgres *postgres,
                                                      const struct ampel_checkpoint *checkpoint,
                                                      struct ampel_error *error) {
    struct ampel_copy *copy = &postgres->copy;
    ampel_copy_begin(copy, postgres->pq, AMPEL_SQL_BESIDE_COPY, 16, error);
    for (uint32_t i = 0; i < checkpoint->beside_count; i++) {
        const struct ampel_beside_row *row = &checkpoint->beside[i];
        const struct ampel_assurance *assurance = &row->assurance;
        ampel_copy_row(copy);
        ampel_copy_text(copy, row->tenant);
        ampel_copy_text(copy, row->seller);
        ampel_copy_text(copy, row->marketplace);
        ampel_copy_int32(copy, assurance->days_marked);
        ampel_copy_int32(copy, assurance->days_below);
        ampel_copy_int32(copy, assurance->days_to_lost);
        ampel_copy_boolean(copy, assurance->professional);
        ampel_copy_boolean(copy, assurance->emergency_phone);
        ampel_copy_boolean(copy, assurance->eligible);
        ampel_copy_boolean(copy, assurance->near);
        ampel_copy_boolean(copy, assurance->today_below);
        ampel_copy_name(copy, ampel_banner_name(row->banner));
        ampel_copy_json(copy, row->metrics);
        ampel_copy_json(copy, row->drifts);
        ampel_copy_json(copy, row->missing);
        ampel_copy_time(copy, row->as_of_ms);
    }
    return ampel_copy_end(copy);
}
