/* ampel incident: the verbs and their words. */
#include "workers/cli/incident.h"

#include <stdio.h>
#include <string.h>

#include "workers/cli/command.h"
#include "workers/cli/dossier.h"
#include "workers/cli/options.h"

/* Which options a verb takes, as bits. */
enum {
    WORKER = 1,    /* --endpoint, --keys, --patience */
    BY = 2,        /* --by */
    AT = 4,        /* --at */
    NOTE = 8,      /* --note */
    SINCE = 16,    /* --since, --id */
    STEP = 32,     /* --not-needed, --undo, --owner */
    SETTLED = 64,  /* --settled */
    NONE = 128,    /* --none */
    FORMAT = 256,  /* --format */
    TENANT = 512,  /* --tenant */
    ALL = 1024,    /* --all */
    REMIND = 2048, /* --within, --mark */
    RULES = 4096,  /* --rules, --set */
    OUTPUT = 8192, /* --output */
};

struct verb {
    const char *name;
    int (*run)(const struct ampel_incident_words *given);
    unsigned options;
    struct ampel_usage usage;
};

static const struct verb verbs[] = {
    {"open",
     ampel_incident_open,
     WORKER | BY | SINCE,
     {"incident open", "ACCOUNT...",
      "Opens a takeover case for one or several stores.\n"
      "TENANT/SELLER/* names all stores of a seller. From now on every rating shows\n"
      "both scores, with and without what fell into the case. Saying the same again\n"
      "changes nothing; with --id more stores join, or --since is corrected.",
      "  ampel incident open 'nordlicht/A1SELLER/*' --since 2026-11-19T22:00Z --by Ada\n"}},
    {"contain",
     ampel_incident_contain,
     WORKER | BY | AT | NOTE,
     {"incident contain", "CASE",
      "The intruder is out.\n"
      "Later violations no longer belong to the case by their time.",
      "  ampel incident contain case-1 --by Ada\n"}},
    {"close",
     ampel_incident_close,
     WORKER | BY | AT | NOTE,
     {"incident close", "CASE",
      "The way back is done.\n"
      "The stores are watched more closely for 60 days.",
      NULL}},
    {"tag",
     ampel_incident_tag,
     WORKER | BY | NONE,
     {"incident tag", "ACCOUNT VIOLATION...",
      "Puts violations into an account's case, or with --none out of it.\n"
      "Whatever their time.",
      NULL}},
    {"list",
     ampel_incident_list,
     TENANT | ALL | FORMAT,
     {"incident list", "", "Cases that are not closed, with the next step and the next clock.",
      NULL}},
    {"show",
     ampel_incident_show,
     TENANT | FORMAT,
     {"incident show", "CASE",
      "A case as it stands.\n"
      "Both scores of its stores, the 21 steps, the clocks, the history.",
      NULL}},
    {"step",
     ampel_incident_step,
     WORKER | BY | AT | NOTE | STEP | TENANT,
     {"incident step", "CASE STEP",
      "Writes down that a step is done.\n"
      "One that is too early is refused with the reason, and nothing is written.",
      "  ampel incident step case-1 4 --by Ada --note 'all five mailboxes'\n"
      "  ampel incident step case-1 12 --not-needed --note 'no stored stock' --by Ada\n"
      "  ampel incident step case-1 11 --owner Ben --by Ada\n"}},
    {"note",
     ampel_incident_note,
     BY | AT | TENANT,
     {"incident note", "CASE TEXT", "Writes a note down. Notes are never altered.", NULL}},
    {"evidence",
     ampel_incident_evidence,
     BY | AT | NOTE | TENANT,
     {"incident evidence", "CASE [STEP] FILE...",
      "Writes name, size and SHA-256 of files down.\n"
      "For the case or for a step. The files stay where they are.",
      "  ampel incident evidence case-1 1 letter.pdf screenshot.png --by Ada\n"}},
    {"clock",
     ampel_incident_clock,
     WORKER | BY | AT | NOTE | SETTLED | TENANT,
     {"incident clock", "CASE TRIGGER | CASE CLOCK --settled",
      "Says when something happened that starts a clock.\n"
      "Such as deactivated, stock_notice, review; or that a clock no longer matters.\n"
      "The worker warns before it runs out.",
      "  ampel incident clock case-1 deactivated --at 2026-11-20T08:00Z --by Ada\n"
      "  ampel incident clock case-1 funds --settled --by Ada\n"}},
    {"product",
     ampel_incident_product,
     BY | AT | NOTE | TENANT,
     {"incident product", "CASE ASIN|SKU",
      "Writes down that a foreign product was removed, and when (--at).", NULL}},
    {"dossier",
     ampel_incident_dossier,
     BY | TENANT | RULES | OUTPUT,
     {"incident dossier", "CASE",
      "Writes the dossier, for printing to PDF.\n"
      "One HTML file without anything from elsewhere (--lang de or en). What is known\n"
      "stands in it, what is not can be filled in by hand.",
      "  ampel incident dossier case-1 --lang de -o dossier.html\n"}},
    {"letter",
     ampel_incident_letter,
     BY | TENANT | RULES | OUTPUT,
     {"incident letter", "CASE",
      "Writes the letter to the performance team.\n"
      "With its deadline, as text to be completed.",
      NULL}},
    {"remind",
     ampel_incident_remind,
     BY | TENANT | REMIND | FORMAT,
     {"incident remind", "",
      "Prints the clocks of all cases that run out soon.\n"
      "Nothing where none does: for cron and its mail. With --mark each is told once\n"
      "when three days are left, once when one is, and once when it is over.",
      "  */15 * * * * ampel incident remind --mark --by cron\n"}},
};

static void help_print(FILE *out) {
    fputs("usage: ampel incident VERB [OPTION]... [ARGUMENT]...\n\n"
          "Takeover cases: what they did to the ratings, and the way back in order.\n"
          "A CASE is its id, TENANT/ID, or one of its accounts.\n\nverbs:\n",
          out);
    for (size_t i = 0; i < AMPEL_ARRAY_COUNT(verbs); i++) {
        const char *about = verbs[i].usage.about;
        fprintf(out, "  %-9s %.*s\n", verbs[i].name, (int)strcspn(about, "\n"), about);
    }
    fputs("\n'ampel incident VERB --help' tells the rest.\n", out);
}

/* The rows of the option table that the verb takes, put into out; the return is how many. */
static uint32_t options_choose(struct ampel_incident_words *given, unsigned wanted,
                               struct ampel_option out[32]) {
    const struct {
        unsigned bit;
        struct ampel_option option;
    } rows[] = {
        {SINCE,
         {"since", 's', AMPEL_OPTION_TIME, &given->since_ms, "TIME",
          "when the intruder came in, as far as is known"}},
        {SINCE,
         {"id", 0, AMPEL_OPTION_TEXT, &given->id, "ID",
          "default: one made of the day and the seller"}},
        {AT,
         {"at", 't', AMPEL_OPTION_TIME, &given->at_ms, "TIME", "when it was done; default: now"}},
        {BY,
         {"by", 'b', AMPEL_OPTION_TEXT, &given->by, "NAME",
          "who says so; default: AMPEL_BY, else USER"}},
        {NOTE, {"note", 'n', AMPEL_OPTION_TEXT, &given->note, "TEXT", "what else is to be known"}},
        {STEP,
         {"not-needed", 0, AMPEL_OPTION_FLAG, &given->not_needed, NULL,
          "settled without being done; --note says why"}},
        {STEP, {"undo", 0, AMPEL_OPTION_FLAG, &given->undo, NULL, "reopens the step"}},
        {STEP, {"owner", 'o', AMPEL_OPTION_TEXT, &given->owner, "NAME", "whose task the step is"}},
        {SETTLED,
         {"settled", 0, AMPEL_OPTION_FLAG, &given->settled, NULL, "the clock no longer matters"}},
        {NONE, {"none", 0, AMPEL_OPTION_FLAG, &given->none, NULL, "takes them out of every case"}},
        {ALL, {"all", 'a', AMPEL_OPTION_FLAG, &given->all, NULL, "closed cases, too"}},
        {REMIND,
         {"within", 'w', AMPEL_OPTION_NUMBER, &given->within_hours, "HOURS",
          "how soon; default 72"}},
        {REMIND,
         {"mark", 'm', AMPEL_OPTION_FLAG, &given->mark, NULL,
          "writes down what was told, and does not tell it again"}},
        {OUTPUT,
         {"output", 'o', AMPEL_OPTION_TEXT, &given->output, "FILE", "default: standard output"}},
        {TENANT,
         {"tenant", 0, AMPEL_OPTION_TEXT, &given->tenant, "NAME",
          "whose cases; default: any tenant's"}},
        {FORMAT,
         {"format", 'f', AMPEL_OPTION_TEXT, &given->format_text, "FORM",
          "table (for people, default) or jsonl"}},
        {RULES,
         {"rules", 'r', AMPEL_OPTION_TEXT, &given->rules_path, "FILE",
          "default: AMPEL_RULES, else the built-in rules"}},
        {RULES,
         {"set", 0, AMPEL_OPTION_LIST, &given->sets, "KEY=VALUE",
          "one rule by its dotted key; may be repeated"}},
        {WORKER,
         {"endpoint", 0, AMPEL_OPTION_TEXT, &given->endpoint, "URL",
          "of the worker; default: AMPEL_ENDPOINT"}},
        {WORKER,
         {"keys", 0, AMPEL_OPTION_TEXT, &given->keys, "DIR",
          "with TENANT.key files; default: AMPEL_KEYS"}},
        {WORKER,
         {"patience", 0, AMPEL_OPTION_NUMBER, &given->patience_s, "S",
          "seconds without a word from the worker; default 20"}},
        {~0u,
         {"database", 'd', AMPEL_OPTION_TEXT, &given->url, "URL", "default: AMPEL_DATABASE_URL"}},
    };
    static_assert(AMPEL_ARRAY_COUNT(rows) <= 32, "every row has room");
    uint32_t count = 0;
    for (size_t i = 0; i < AMPEL_ARRAY_COUNT(rows); i++)
        if ((rows[i].bit & wanted) != 0 || rows[i].bit == ~0u) out[count++] = rows[i].option;
    return count;
}

static int verb_run(const struct verb *verb, int argc, char **argv) {
    struct ampel_incident_words given = {.command = verb->usage.command,
                                         .usage = &verb->usage,
                                         .since_ms = INT64_MIN,
                                         .at_ms = INT64_MIN,
                                         .within_hours = 72,
                                         .patience_s = 20};
    struct ampel_option options[32];
    uint32_t options_count = options_choose(&given, verb->options, options);
    int words;
    enum ampel_options_result read =
        ampel_options_read(&verb->usage, options, options_count, argc, argv, &words);
    if (read != AMPEL_OPTIONS_OK)
        return read == AMPEL_OPTIONS_HELP ? AMPEL_EXIT_OK : AMPEL_EXIT_USAGE;
    if (!ampel_format_read(&verb->usage, given.format_text, &given.format)) return AMPEL_EXIT_USAGE;
    given.count = words;
    given.words = argv + 1;
    return verb->run(&given);
}

int ampel_command_incident(int argc, char **argv) {
    if (argc < 2) {
        help_print(stderr);
        return AMPEL_EXIT_USAGE;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
        help_print(stdout);
        return AMPEL_EXIT_OK;
    }
    for (size_t i = 0; i < AMPEL_ARRAY_COUNT(verbs); i++)
        if (strcmp(argv[1], verbs[i].name) == 0) return verb_run(&verbs[i], argc - 1, argv + 1);
    fprintf(stderr, "ampel incident: there is no verb '%s'. Try 'ampel incident --help'.\n",
            argv[1]);
    return AMPEL_EXIT_USAGE;
}
