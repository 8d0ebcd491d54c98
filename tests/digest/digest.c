/* The digest of some hundred stories told to an engine: each account's bytes and every change, in order. Whatever compiler
   and optimisation built it, it is the same. usage: digest [STORIES] */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "proto/hash.h"
#include "tests/oracle/pair.h"

int main(int argc, char **argv) {
    static struct ampel_pair pair;
    static uint8_t bytes[1 << 20];
    uint64_t stories = argc > 1 ? strtoull(argv[1], NULL, 10) : 200, digest = 0, accounts = 0;
    for (uint64_t seed = 1; seed <= stories; seed++) {
        struct ampel_story story;
        ampel_story_tell(&story, seed);
        ampel_pair_run(&pair, &story);
        if (pair.failed) {
            fprintf(stderr, "story %" PRIu64 ": %s\n", seed, pair.reason);
            return 1;
        }
        digest = digest * 31 + pair.changes_digest;
        for (uint32_t slot = 0; slot < ampel_engine_accounts_count(pair.engine); slot++, accounts++) {
            uint32_t size = ampel_engine_account_export(pair.engine, slot, bytes, sizeof bytes);
            AMPEL_ASSERT(size <= sizeof bytes);
            digest = digest * 31 + ampel_hash_bytes(bytes, size);
        }
        ampel_pair_reset(&pair);
        ampel_story_reset(&story);
    }
    printf("%016" PRIx64 " of %" PRIu64 " stories, %" PRIu64 " accounts\n", digest, stories, accounts);
    return 0;
}
