/* The engine beside the slow oracle through random stories: rating-model 1, at
   least a million operations.

   test_property [--operations N] [--seed N] [--story N]
   or AMPEL_TEST_OPERATIONS, AMPEL_TEST_SEED. The seed is printed; a failure
   prints the seed of its story, which
   --story tells again, and the story itself, cut down to what still fails. */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tests/oracle/pair.h"

#define OPERATIONS_DEFAULT 2000000

/* For the message when an assertion stops the program in the middle of a story.
 */
static volatile sig_atomic_t story_high, story_low;

static void tell_story_seed(int number) {
    uint64_t seed = (uint64_t)(uint32_t)story_high << 32 | (uint32_t)story_low;
    fprintf(stderr, "stopped in the middle of a story: test_property --story %" PRIu64 "\n", seed);
    (void)signal(number, SIG_DFL);
    (void)raise(number);
}

static uint64_t setting(const char *name, uint64_t fallback) {
    const char *text = getenv(name);
    return text == NULL ? fallback : strtoull(text, NULL, 10);
}

/* ---- one story
 * ------------------------------------------------------------------------------
 */

static struct ampel_pair pair; /* large, and always the same */

static void run_all(const struct ampel_story *story) {
    ampel_pair_run(&pair, story);
    ampel_pair_compare_told_at_the_end(&pair);
    ampel_pair_compare_told_in_pieces(&pair);
    ampel_pair_reset(&pair);
}

/* The story without some ops; resends follow what they resend. */
static bool without(const struct ampel_story *story, uint32_t first, uint32_t count,
                    struct ampel_story *out) {
    *out = (struct ampel_story){.seed = story->seed,
                                .start_ms = story->start_ms,
                                .sparse = story->sparse,
                                .accounts_count = story->accounts_count};
    memcpy(out->rules, story->rules, sizeof out->rules);
    uint32_t *moved = calloc(story->ops_count + 1, sizeof *moved);
    AMPEL_ASSERT(moved != NULL);
    bool whole = true;
    for (uint32_t index = 0; index < story->ops_count; index++) {
        struct ampel_story_op op = story->ops[index];
        if (index >= first && index < first + count) {
            moved[index] = UINT32_MAX;
            continue;
        }
        moved[index] = out->ops_count;
        if (op.deed == AMPEL_DEED_RESEND) {
            whole = whole && moved[op.resend_of] != UINT32_MAX;
            op.resend_of = moved[op.resend_of];
        }
        uint32_t events_first = out->events_count;
        for (uint32_t event = 0; event < op.events_count; event++) {
            out->events = ampel_oracle_grow(out->events, out->events_count, &out->events_capacity,
                                            sizeof *out->events);
            out->events[out->events_count++] = story->events[op.events_first + event];
        }
        op.events_first = events_first;
        out->ops =
            ampel_oracle_grow(out->ops, out->ops_count, &out->ops_capacity, sizeof *out->ops);
        out->ops[out->ops_count++] = op;
    }
    free(moved);
    return whole && ampel_story_holds(out);
}

/* The story without one event of one frame. */
static bool without_event(const struct ampel_story *story, uint32_t victim,
                          struct ampel_story *out) {
    bool holds = without(story, story->ops_count, 0, out);
    for (uint32_t index = 0; index < out->ops_count; index++) {
        struct ampel_story_op *op = &out->ops[index];
        if (op->events_first <= victim && victim < op->events_first + op->events_count) {
            op->events_count--;
        } else if (op->events_first > victim) {
            op->events_first--;
        }
    }
    memmove(&out->events[victim], &out->events[victim + 1],
            (out->events_count - victim - 1) * sizeof *out->events);
    out->events_count--;
    return holds && ampel_story_holds(out);
}

/* Takes the smaller story if it fails as well. */
static bool prefer(struct ampel_story *story, struct ampel_story *smaller, bool holds) {
    bool failed = false;
    if (holds && smaller->ops_count > 0) {
        run_all(smaller);
        failed = pair.failed;
    }
    if (failed) {
        ampel_story_reset(story);
        *story = *smaller;
    } else {
        ampel_story_reset(smaller);
    }
    return failed;
}

static void shrink(struct ampel_story *story) {
    struct ampel_story smaller;
    for (uint32_t count = story->ops_count / 2; count > 0; count /= 2) {
        for (uint32_t first = 0; first + count <= story->ops_count;) {
            bool holds = without(story, first, count, &smaller);
            first += prefer(story, &smaller, holds) ? 0 : count;
        }
    }
    for (uint32_t victim = 0; victim < story->events_count;) {
        bool holds = without_event(story, victim, &smaller);
        victim += prefer(story, &smaller, holds) ? 0 : 1;
    }
}

/* True if the engine and the oracle agree through the whole story. */
static bool run_story(uint64_t seed, uint64_t *operations) {
    struct ampel_story story;
    story_high = (sig_atomic_t)(seed >> 32);
    story_low = (sig_atomic_t)seed;
    ampel_story_tell(&story, seed);
    run_all(&story);
    *operations += pair.operations;
    bool agree = !pair.failed;
    if (agree && seed % 8 == 0) {
        uint64_t digest = pair.changes_digest;
        run_all(&story);
        agree = pair.changes_digest == digest;
    }
    if (!agree) {
        printf("story %" PRIu64 " fails at op %u of %u: %s\n", seed, pair.op_index, story.ops_count,
               pair.failed ? pair.reason : "told twice, it changes otherwise");
        if (pair.failed) {
            shrink(&story);
            run_all(&story);
            printf("cut down, it fails at op %u: %s\n", pair.op_index, pair.reason);
        }
        ampel_story_print(&story);
        printf("again: test_property --story %" PRIu64 "\n", seed);
    }
    ampel_story_reset(&story);
    return agree;
}

/* ---- all
 * ------------------------------------------------------------------------------------
 */

static uint64_t seed_of_now(void) {
    struct timespec now = {0};
    (void)timespec_get(&now, TIME_UTC);
    struct ampel_random random = {(uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec};
    return ampel_random_next(&random) >> 1;
}

int main(int count, char **arguments) {
    uint64_t operations_wanted = setting("AMPEL_TEST_OPERATIONS", OPERATIONS_DEFAULT);
    uint64_t seed = setting("AMPEL_TEST_SEED", seed_of_now());
    uint64_t operations = 0, stories = 0;
    (void)signal(SIGABRT, tell_story_seed);
    for (int index = 1; index + 1 < count; index += 2) {
        uint64_t value = strtoull(arguments[index + 1], NULL, 10);
        if (strcmp(arguments[index], "--operations") == 0) {
            operations_wanted = value;
        } else if (strcmp(arguments[index], "--seed") == 0) {
            seed = value;
        } else if (strcmp(arguments[index], "--story") == 0) {
            return run_story(value, &operations) ? EXIT_SUCCESS : EXIT_FAILURE;
        } else {
            fprintf(stderr, "unknown argument %s\n", arguments[index]);
            return EXIT_FAILURE;
        }
    }
    printf("seed %" PRIu64 ", %" PRIu64 " operations\n", seed, operations_wanted);
    (void)fflush(stdout);
    struct ampel_random random = {seed};
    while (operations < operations_wanted) {
        if (!run_story(ampel_random_next(&random), &operations)) {
            return EXIT_FAILURE;
        }
        stories++;
    }
    printf("%" PRIu64 " operations in %" PRIu64 " stories agree\n", operations, stories);
    return EXIT_SUCCESS;
}
