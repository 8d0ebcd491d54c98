#include "workers/cli/picture.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "proto/text.h"
#include "workers/cli/labels.h"

#define WIDTH      960
#define LEFT       210
#define RIGHT      940
#define TOP        64
#define BOTTOM     324
#define LANES_TOP  358
#define LANE       20
#define SCORE_STEP 200
#define LABEL_GAP  12
#define LEGEND     18
/* Tenths of a pixel: the title, smaller where the account is long (a bold capital is 0.78 of its size wide). */
#define TITLE_TENTHS 160

#define WITHOUT    "#8250df" /* the line of the score without a takeover case */

static const char *const colours[] = {"#1a7f37", "#9a6700", "#cf222e"}; /* by enum ampel_colour */
static const char *const bands[] = {"#e3f4e6", "#fdf3cf", "#fbe0e0"};
static const char *const severities[] = {"#8c959f", "#0969da", "#8250df", "#bc4c00", "#cf222e"};

struct drawing {
    const struct ampel_picture *picture;
    const struct ampel_rules *rules;
    FILE *out;
    int64_t now_ms;
    struct ampel_numbers numbers;
    const struct ampel_outlook_step *steps;
    uint32_t steps_count;
    int32_t least, greatest; /* of the axis */
    uint8_t lanes[AMPEL_POLICIES_MAX];
    uint32_t lanes_count;
};

/* Tenths of a pixel: fine enough, and no floats. */
static int64_t x_of(const struct drawing *drawing, int64_t at_ms) {
    const struct ampel_picture *picture = drawing->picture;
    if (at_ms < picture->from_ms) at_ms = picture->from_ms;
    if (at_ms > picture->to_ms) at_ms = picture->to_ms;
    return LEFT * 10 + (at_ms - picture->from_ms) * ((RIGHT - LEFT) * 10) / (picture->to_ms - picture->from_ms);
}

static int64_t y_of(const struct drawing *drawing, int64_t score) {
    return BOTTOM * 10 - (score - drawing->least) * ((BOTTOM - TOP) * 10) / (drawing->greatest - drawing->least);
}

static void tenths(FILE *out, const char *before, int64_t value) {
    fprintf(out, "%s%" PRId64 ".%" PRId64, before, value / 10, value % 10);
}

static void escaped(FILE *out, struct ampel_text text) {
    for (uint32_t i = 0; i < text.size; i++) {
        switch (text.bytes[i]) {
        case '&': fputs("&amp;", out); break;
        case '<': fputs("&lt;", out); break;
        case '>': fputs("&gt;", out); break;
        case '"': fputs("&quot;", out); break;
        default: fputc(text.bytes[i], out);
        }
    }
}

static void word(FILE *out, const char *text) { escaped(out, ampel_text_of(text)); }

/* ---- the extent ----------------------------------------------------------------------------- */

static void reach(struct drawing *drawing, int32_t score) {
    while (score >= drawing->greatest) drawing->greatest += SCORE_STEP;
    while (score < drawing->least) drawing->least -= SCORE_STEP;
}

static void extent_find(struct drawing *drawing) {
    const struct ampel_picture *picture = drawing->picture;
    drawing->greatest = 2 * SCORE_STEP;
    for (uint32_t i = 0; i < picture->points_count; i++) reach(drawing, picture->points[i].score);
    for (uint32_t i = 0; i < drawing->steps_count; i++) reach(drawing, drawing->steps[i].score);
    for (uint32_t i = 0; i < picture->without_count; i++) reach(drawing, picture->without[i].score);
    reach(drawing, drawing->numbers.score);
    /* No score stands above the clamp. */
    if (drawing->greatest > drawing->rules->clamp_max && drawing->rules->clamp_max >= 2 * SCORE_STEP)
        drawing->greatest = drawing->rules->clamp_max;
}

static bool shown(const struct drawing *drawing, const struct ampel_violation *violation) {
    return violation->at_ms <= drawing->now_ms && violation->expires_at_ms > drawing->picture->from_ms;
}

static void lanes_find(struct drawing *drawing) {
    struct ampel_violation violation;
    uint32_t cursor = 0;
    bool met[256] = {false};
    while (ampel_engine_violation_next(drawing->picture->engine, drawing->picture->slot, &cursor, &violation))
        if (shown(drawing, &violation)) met[violation.policy] = true;
    for (uint32_t policy = 0; policy < AMPEL_POLICIES_MAX; policy++)
        if (met[policy]) drawing->lanes[drawing->lanes_count++] = (uint8_t)policy;
}

/* ---- the parts ------------------------------------------------------------------------------ */

static void head_draw(const struct drawing *drawing, int height) {
    FILE *out = drawing->out;
    char now[AMPEL_LABEL_TIME_SIZE];
    ampel_label_minute(drawing->now_ms, now);
    fprintf(out,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" viewBox=\"0 0 %d %d\" "
            "font-family=\"DejaVu Sans, Verdana, sans-serif\" font-size=\"12\" fill=\"#24292f\">\n<title>",
            WIDTH, height, WIDTH, height);
    word(out, drawing->picture->account);
    fprintf(out, "</title>\n<rect width=\"%d\" height=\"%d\" fill=\"#ffffff\"/>\n", WIDTH, height);
    int64_t size = (WIDTH - 32) * 10 / (int64_t)(strlen(drawing->picture->account) * 78 / 100 + 1);
    tenths(out, "<text x=\"16\" y=\"26\" font-weight=\"bold\" font-size=\"", size > TITLE_TENTHS ? TITLE_TENTHS : size);
    fprintf(out, "\">");
    word(out, drawing->picture->account);
    fprintf(out, "</text>\n<text x=\"16\" y=\"46\"><tspan fill=\"%s\" font-weight=\"bold\">%d %s</tspan>, %s %s, ",
            colours[drawing->numbers.colour], drawing->numbers.score,
            ampel_label_name(AMPEL_REGISTRY_COLOUR, drawing->numbers.colour), ampel_label("risk"),
            ampel_label_name(AMPEL_REGISTRY_RISK, drawing->numbers.risk));
    fprintf(out, ampel_label("as of %s, rules "), now);
    word(out, drawing->rules->version);
    fprintf(out, "</text>\n");
}

static void band_draw(const struct drawing *drawing, uint8_t colour, int32_t from, int32_t to) {
    if (from < drawing->least) from = drawing->least;
    if (to > drawing->greatest) to = drawing->greatest;
    if (from >= to) return;
    int64_t top = y_of(drawing, to), bottom = y_of(drawing, from);
    fprintf(drawing->out, "<rect x=\"%d\" width=\"%d\" fill=\"%s\"", LEFT, RIGHT - LEFT, bands[colour]);
    tenths(drawing->out, " y=\"", top);
    tenths(drawing->out, "\" height=\"", bottom - top);
    fprintf(drawing->out, "\"/>\n");
}

static void scores_draw(const struct drawing *drawing) {
    FILE *out = drawing->out;
    band_draw(drawing, AMPEL_RED, INT32_MIN, drawing->rules->band_yellow);
    band_draw(drawing, AMPEL_YELLOW, drawing->rules->band_yellow, drawing->rules->band_green);
    band_draw(drawing, AMPEL_GREEN, drawing->rules->band_green, INT32_MAX);
    int32_t step = drawing->greatest - drawing->least > 5 * SCORE_STEP ? SCORE_STEP : SCORE_STEP / 2;
    for (int32_t score = drawing->least; score <= drawing->greatest; score += step) {
        int64_t y = y_of(drawing, score);
        fprintf(out, "<line x1=\"%d\" x2=\"%d\" stroke=\"#d0d7de\" stroke-width=\"0.5\"", LEFT, RIGHT);
        tenths(out, " y1=\"", y);
        tenths(out, "\" y2=\"", y);
        fprintf(out, "\"/><text x=\"%d\" text-anchor=\"end\"", LEFT - 6);
        tenths(out, " y=\"", y + 40);
        fprintf(out, "\">%d</text>\n", score);
    }
}

/* The first day of each month, named every second one as 2026-12. */
static void months_draw(const struct drawing *drawing, int bottom) {
    FILE *out = drawing->out;
    char before[AMPEL_LABEL_TIME_SIZE] = "", day[AMPEL_LABEL_TIME_SIZE];
    uint32_t month = 0;
    int64_t first_ms = drawing->picture->from_ms / AMPEL_DAY_MS * AMPEL_DAY_MS;
    for (int64_t at_ms = first_ms; at_ms <= drawing->picture->to_ms; at_ms += AMPEL_DAY_MS) {
        ampel_label_day(at_ms, day);
        bool turn = before[0] != 0 && strncmp(before, day, 7) != 0;
        memcpy(before, day, sizeof before);
        if (!turn || at_ms < drawing->picture->from_ms) continue;
        int64_t x = x_of(drawing, at_ms);
        fprintf(out, "<line y1=\"%d\" y2=\"%d\" stroke=\"#d0d7de\" stroke-width=\"0.5\"", TOP, bottom);
        tenths(out, " x1=\"", x);
        tenths(out, "\" x2=\"", x);
        fprintf(out, "\"/>\n");
        if (month++ % 2 != 0 || x > RIGHT * 10 - 250) continue;
        fprintf(out, "<text text-anchor=\"middle\" y=\"%d\" fill=\"#57606a\"", BOTTOM + 16);
        tenths(out, " x=\"", x);
        fprintf(out, "\">%.7s</text>\n", day);
    }
}

static void path_go(const struct drawing *drawing, bool first, int64_t at_ms, int32_t score) {
    if (first)
        tenths(drawing->out, "M", x_of(drawing, at_ms));
    else
        tenths(drawing->out, "H", x_of(drawing, at_ms));
    tenths(drawing->out, first ? " " : "V", y_of(drawing, score));
}

static void line_draw(const struct drawing *drawing, const struct ampel_picture_point *points, uint32_t count,
                      const char *paint) {
    FILE *out = drawing->out;
    uint32_t first = 0;
    if (count == 0) return;
    while (first + 1 < count && points[first + 1].at_ms <= drawing->picture->from_ms) first++;
    fprintf(out, "<path fill=\"none\" stroke=\"%s\" stroke-width=\"1.8\" d=\"", paint);
    for (uint32_t i = first; i < count; i++)
        path_go(drawing, i == first, points[i].at_ms, points[i].score);
    tenths(out, "H", x_of(drawing, drawing->now_ms));
    fprintf(out, "\"/>\n");
}

static void case_draw(const struct drawing *drawing, int bottom) {
    const struct ampel_picture *picture = drawing->picture;
    FILE *out = drawing->out;
    int64_t left = x_of(drawing, picture->case_from_ms), right = x_of(drawing, picture->case_end_ms);
    if (picture->case_from_ms >= picture->case_end_ms) return;
    fprintf(out, "<rect y=\"%d\" height=\"%d\" fill=\"#8250df\" fill-opacity=\"0.13\"", TOP, bottom - TOP);
    tenths(out, " x=\"", left);
    tenths(out, "\" width=\"", right - left < 15 ? 15 : right - left);
    fprintf(out, "\"/>\n");
}

static void future_draw(const struct drawing *drawing) {
    FILE *out = drawing->out;
    fprintf(out, "<path fill=\"none\" stroke=\"#24292f\" stroke-width=\"1.5\" stroke-dasharray=\"5 4\" d=\"");
    path_go(drawing, true, drawing->now_ms, drawing->numbers.score);
    for (uint32_t i = 0; i < drawing->steps_count && drawing->steps[i].at_ms <= drawing->picture->to_ms; i++)
        path_go(drawing, false, drawing->steps[i].at_ms, drawing->steps[i].score);
    tenths(out, "H", RIGHT * 10);
    fprintf(out, "\"/>\n");
}

static void now_draw(const struct drawing *drawing, int bottom) {
    int64_t x = x_of(drawing, drawing->now_ms);
    fprintf(drawing->out, "<line y1=\"%d\" y2=\"%d\" stroke=\"#0969da\" stroke-width=\"1\"", TOP - 4, bottom);
    tenths(drawing->out, " x1=\"", x);
    tenths(drawing->out, "\" x2=\"", x);
    fprintf(drawing->out, "\"/><text text-anchor=\"middle\" fill=\"#0969da\" y=\"%d\"", TOP - 8);
    tenths(drawing->out, " x=\"", x);
    fprintf(drawing->out, "\">%s</text>\n", ampel_label("now"));
}

/* ---- violations ----------------------------------------------------------------------------- */

/* Until when it took points, or will if nothing happens. */
static int64_t end_of(const struct ampel_violation *violation) {
    if (ampel_state_deducting(violation->state) || violation->state_at_ms == INT64_MIN)
        return violation->expires_at_ms;
    if (violation->state_at_ms < violation->at_ms) return violation->at_ms;
    return violation->state_at_ms < violation->expires_at_ms ? violation->state_at_ms : violation->expires_at_ms;
}

static void violation_draw(const struct drawing *drawing, const struct ampel_violation *violation, int y) {
    FILE *out = drawing->out;
    char day[AMPEL_LABEL_TIME_SIZE];
    int64_t left = x_of(drawing, violation->at_ms), right = x_of(drawing, end_of(violation));
    fprintf(out, "<g><rect y=\"%d\" height=\"6\" rx=\"2\" fill=\"#57606a\" fill-opacity=\"0.25\"", y - 3);
    tenths(out, " x=\"", left);
    tenths(out, "\" width=\"", right - left);
    fprintf(out, "\"/>");
    if (violation->at_ms >= drawing->picture->from_ms) {
        fprintf(out, "<circle cy=\"%d\" r=\"4\" fill=\"%s\"", y, severities[violation->severity]);
        tenths(out, " cx=\"", left);
        fprintf(out, "\"/>");
    }
    ampel_label_day(violation->at_ms, day);
    fprintf(out, "<title>");
    escaped(out, violation->id);
    fprintf(out, ": %s, %s, %s, %s</title></g>\n", ampel_label_name(AMPEL_REGISTRY_POLICY, violation->policy),
            ampel_label_name(AMPEL_REGISTRY_SEVERITY, (uint32_t)violation->severity),
            ampel_label_name(AMPEL_REGISTRY_VIOLATION_STATE, violation->state), day);
}

static void lanes_draw(const struct drawing *drawing) {
    FILE *out = drawing->out;
    const struct ampel_picture *picture = drawing->picture;
    for (uint32_t lane = 0; lane < drawing->lanes_count; lane++) {
        int y = LANES_TOP + (int)lane * LANE;
        fprintf(out, "<line x1=\"%d\" x2=\"%d\" y1=\"%d\" y2=\"%d\" stroke=\"#eaeef2\"/>"
                     "<text x=\"%d\" y=\"%d\" text-anchor=\"end\" font-size=\"11\">",
                LEFT, RIGHT, y, y, LEFT - LABEL_GAP, y + 4);
        word(out, ampel_label_name(AMPEL_REGISTRY_POLICY, drawing->lanes[lane]));
        fprintf(out, "</text>\n");
        struct ampel_violation violation;
        uint32_t cursor = 0;
        while (ampel_engine_violation_next(picture->engine, picture->slot, &cursor, &violation))
            if (violation.policy == drawing->lanes[lane] && shown(drawing, &violation))
                violation_draw(drawing, &violation, y);
    }
}

/* One entry's words behind its mark of so many pixels; where the next begins. */
static int legend_words(FILE *out, int x, int y, int mark, const char *words) {
    fprintf(out, "<text x=\"%d\" y=\"%d\">%s</text>\n", x + mark, y + 4, words);
    int letters = 0;
    for (; *words != 0; words++) letters += ((unsigned char)*words & 0xC0) != 0x80;
    return x + mark + letters * 7 + 2 * LABEL_GAP;
}

/* Two lines: what the lines and bars are, and the severities. */
static void legend_draw(const struct drawing *drawing, int y) {
    FILE *out = drawing->out;
    int x = LEFT;
    bool incident = drawing->picture->without_count > 0;
    fprintf(out, "<g font-size=\"11\" fill=\"#57606a\">");
    fprintf(out, "<path d=\"M%d %dh24\" stroke=\"#24292f\" stroke-width=\"1.8\"/>", x, y);
    x = legend_words(out, x, y, 30, ampel_label("score"));
    if (incident) { /* a line of its own above the others */
        fprintf(out, "<path d=\"M%d %dh24\" stroke=\"%s\" stroke-width=\"1.8\"/>", x, y, WITHOUT);
        x = legend_words(out, x, y, 30, ampel_label("without the case"));
        fprintf(out, "<rect x=\"%d\" y=\"%d\" width=\"24\" height=\"10\" fill=\"" WITHOUT "\" fill-opacity=\"0.13\"/>", x, y - 5);
        (void)legend_words(out, x, y, 30, ampel_label("time of the case"));
        x = LEFT;
        y += LEGEND;
    }
    fprintf(out, "<path d=\"M%d %dh24\" stroke=\"#24292f\" stroke-width=\"1.5\" stroke-dasharray=\"5 4\"/>", x, y);
    x = legend_words(out, x, y, 30, ampel_label("if nothing new happens"));
    fprintf(out, "<rect x=\"%d\" y=\"%d\" width=\"24\" height=\"6\" rx=\"2\" fill-opacity=\"0.25\"/>", x, y - 3);
    (void)legend_words(out, x, y, 30, ampel_label("takes points; darker: several"));
    x = LEFT;
    y += LEGEND;
    for (uint32_t i = 0; i < AMPEL_ARRAY_COUNT(severities); i++) {
        fprintf(out, "<circle cx=\"%d\" cy=\"%d\" r=\"4\" fill=\"%s\"/>", x + 4, y, severities[i]);
        x = legend_words(out, x, y, 14, ampel_label_name(AMPEL_REGISTRY_SEVERITY, i));
    }
    fprintf(out, "</g>\n");
}

bool ampel_picture_write(const struct ampel_picture *picture, FILE *out) {
    struct drawing drawing = {.picture = picture,
                              .rules = ampel_engine_rules(picture->engine),
                              .out = out,
                              .now_ms = ampel_engine_now(picture->engine)};
    if (ampel_outlook_forecast(picture->engine, picture->slot, false, &drawing.steps, &drawing.steps_count) !=
        AMPEL_ENGINE_OK)
        return false;
    ampel_engine_numbers(picture->engine, picture->slot, &drawing.numbers);
    extent_find(&drawing);
    lanes_find(&drawing);
    int lanes_bottom = drawing.lanes_count > 0 ? LANES_TOP + (int)drawing.lanes_count * LANE - LANE / 2 : BOTTOM;
    int legend = (drawing.lanes_count > 0 ? lanes_bottom : BOTTOM + 24) + 20;
    head_draw(&drawing, legend + (picture->without_count > 0 ? 2 : 1) * LEGEND + 20);
    scores_draw(&drawing);
    months_draw(&drawing, BOTTOM);
    case_draw(&drawing, lanes_bottom);
    line_draw(&drawing, picture->without, picture->without_count, WITHOUT);
    line_draw(&drawing, picture->points, picture->points_count, "#24292f");
    future_draw(&drawing);
    now_draw(&drawing, lanes_bottom);
    lanes_draw(&drawing);
    legend_draw(&drawing, legend);
    fprintf(out, "</svg>\n");
    return true;
}
