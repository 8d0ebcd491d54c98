/* The dossier as one HTML file: no script, no font, no picture from elsewhere; made for printing on A4. Every text that came
   from outside is escaped here, in escaped() alone. */
#include <inttypes.h>
#include <string.h>

#include "proto/text.h"
#include "workers/cli/dossier.h"
#include "workers/cli/labels.h"

#define SAY ampel_dossier_say
/* Empty rows to fill in by hand. */
#define ROWS_TO_FILL 6
#define LONG_WORD_BYTES 18

static const char style[] =
    "@page{size:A4;margin:18mm 16mm 20mm}"
    "*{box-sizing:border-box}"
    "body{font:10.5pt/1.45 'DejaVu Sans',Verdana,Arial,sans-serif;color:#1f2328;margin:0 auto;max-width:190mm;padding:8mm}"
    "h1{font-size:23pt;line-height:1.2;margin:0 0 4mm}"
    "h2{font-size:14pt;margin:9mm 0 3mm;padding-bottom:1mm;border-bottom:.5mm solid #1f2328}"
    "h3{font-size:11pt;margin:5mm 0 2mm}"
    "h2,h3{break-after:avoid}p{margin:0 0 2.5mm}"
    "table{border-collapse:collapse;width:100%;margin:0 0 4mm;font-size:9pt}"
    "thead{display:table-header-group}tr{break-inside:avoid}"
    "th{text-align:left;background:#eef1f4;font-weight:600}"
    "th,td{border:.2mm solid #c5ccd3;padding:1.2mm 2mm;vertical-align:top}"
    "td.a{overflow-wrap:anywhere}"
    "td.n,th.n{text-align:right;white-space:nowrap}td.w{white-space:nowrap}"
    "tr.fill td{height:8.5mm}"
    ".cover{min-height:225mm;display:flex;flex-direction:column;break-after:page}"
    ".cover .kind{font-size:11pt;letter-spacing:.08em;text-transform:uppercase;color:#57606a;margin:22mm 0 3mm}"
    ".cover .foot{margin-top:auto;color:#57606a;font-size:9pt}"
    ".facts td:first-child{width:48mm;background:#f6f8fa;font-weight:600}"
    ".big{font-size:17pt;font-weight:700}.green{color:#1a7f37}.yellow{color:#9a6700}.red{color:#cf222e}"
    ".warn{border:.7mm solid #cf222e;border-radius:1.5mm;padding:3mm 4mm;margin:4mm 0;font-weight:600;color:#a40e26}"
    ".box{border:.25mm solid #8c959f;border-radius:1mm;min-height:26mm;margin:0 0 4mm;padding:2mm;break-inside:avoid}"
    ".box.high{min-height:48mm}.box .what{color:#57606a;font-size:9pt}"
    ".dim{color:#57606a;font-size:9pt}.hash{font-family:'DejaVu Sans Mono',monospace;font-size:7.5pt;overflow-wrap:anywhere}"
    "ul.tick{list-style:none;padding:0}ul.tick li{margin:0 0 2.5mm;padding-left:8mm;text-indent:-8mm}"
    "ul.tick li::before{content:'';display:inline-block;width:4mm;height:4mm;border:.3mm solid #1f2328;margin-right:4mm;vertical-align:-.6mm}"
    "figure{margin:0 0 4mm;break-inside:avoid}figure svg{width:100%;height:auto;border:.2mm solid #d0d7de}"
    "section.new{break-before:page}section.whole{break-inside:avoid}"
    "@media print{body{max-width:none;padding:0 .5mm}h2{margin-top:7mm}section.new h2{margin-top:0}.cover{min-height:240mm}}";

static void escaped(FILE *out, const char *text) {
    for (; *text != 0; text++) {
        switch (*text) {
        case '&': fputs("&amp;", out); break;
        case '<': fputs("&lt;", out); break;
        case '>': fputs("&gt;", out); break;
        case '"': fputs("&quot;", out); break;
        case '\'': fputs("&#39;", out); break;
        case '\n': fputs("<br>", out); break;
        default: fputc(*text, out);
        }
    }
}

static void element(FILE *out, const char *name, const char *text) {
    fprintf(out, "<%s>", name);
    escaped(out, text);
    fprintf(out, "</%.*s>", (int)strcspn(name, " "), name);
}

/* A word longer than a column may break anywhere; others stay whole. */
static bool has_long_word(const char *text) {
    for (size_t size; *text != 0; text += size + (text[size] != 0)) {
        size = strcspn(text, " \n");
        if (size > LONG_WORD_BYTES) return true;
    }
    return false;
}

static void cell(FILE *out, const char *text) {
    element(out, has_long_word(text) ? "td class=\"a\"" : "td", text[0] != 0 ? text : "–");
}

static void name_cell(FILE *out, const char *name) {
    fputs("<td>", out);
    ampel_dossier_name(out, name);
    fputs("</td>", out);
}

static void number_cell(FILE *out, int64_t number) { fprintf(out, "<td class=\"n\">%" PRId64 "</td>", number); }

static void minute_cell(FILE *out, int64_t at_ms) {
    char time[AMPEL_LABEL_TIME_SIZE] = "–";
    if (at_ms != AMPEL_CASE_NONE_MS && at_ms != INT64_MAX) ampel_label_minute(at_ms, time);
    element(out, "td class=\"w\"", time);
}

static void fact(FILE *out, const char *name, const char *value) {
    fputs("<tr>", out);
    element(out, "td", name);
    cell(out, value);
    fputs("</tr>\n", out);
}

static void fact_time(FILE *out, const char *name, int64_t at_ms) {
    char time[AMPEL_LABEL_TIME_SIZE];
    if (at_ms == AMPEL_CASE_NONE_MS) return;
    ampel_label_minute(at_ms, time);
    fact(out, name, time);
}

/* A table's head; a title that begins with # is of numbers. */
static void head(FILE *out, const char *const *titles, size_t count) {
    fputs("<table><thead><tr>", out);
    for (size_t i = 0; i < count; i++)
        element(out, titles[i][0] == '#' ? "th class=\"n\"" : "th", titles[i] + (titles[i][0] == '#'));
    fputs("</tr></thead><tbody>\n", out);
}

static void tail(FILE *out) { fputs("</tbody></table>\n", out); }

static void rows_to_fill(FILE *out, uint32_t rows, uint32_t columns) {
    for (uint32_t row = 0; row < rows; row++) {
        fputs("<tr class=\"fill\">", out);
        for (uint32_t column = 0; column < columns; column++)
            fputs("<td></td>", out);
        fputs("</tr>\n", out);
    }
}

static void box(FILE *out, const char *what, bool high) {
    fprintf(out, "<div class=\"box%s\">", high ? " high" : "");
    element(out, "div class=\"what\"", what);
    fputs("</div>\n", out);
}

static void section(FILE *out, bool new_page, const char *title) {
    fprintf(out, "<section%s>", new_page ? " class=\"new\"" : "");
    element(out, "h2", title);
    fputc('\n', out);
}

static void store_title(FILE *out, const struct ampel_dossier *dossier, const struct ampel_dossier_store *store) {
    if (dossier->stores_count < 2) return;
    fputs("<h3>", out);
    escaped(out, store->seller);
    fputs(" / ", out);
    escaped(out, store->marketplace);
    fputs("</h3>\n", out);
}

/* ---- cover ----------------------------------------------------------------------------------- */

static const char *paint_of(uint8_t colour) { return ampel_registry_name(AMPEL_REGISTRY_COLOUR, colour); }

static void score_cell(FILE *out, const struct ampel_numbers *numbers) {
    fprintf(out, "<td class=\"n\"><span class=\"big %s\">%d</span> ", paint_of(numbers->colour), numbers->score);
    escaped(out, ampel_label_name(AMPEL_REGISTRY_COLOUR, numbers->colour));
    fputs("</td>", out);
}

static void scores_table(FILE *out, const struct ampel_dossier *dossier) {
    const char *const titles[] = {SAY("Seller / store", "Händler / Shop"), SAY("#Score", "#Punktestand"),
                                  SAY("#Without the case", "#Ohne den Fall"), SAY("#Points lost by it", "#Dadurch verloren"),
                                  SAY("#Violations", "#Verstöße"), SAY("As of", "Stand")};
    head(out, titles, AMPEL_ARRAY_COUNT(titles));
    for (uint32_t i = 0; i < dossier->stores_count; i++) {
        const struct ampel_dossier_store *store = &dossier->stores[i];
        fputs("<tr><td>", out);
        escaped(out, store->seller);
        fputs(" / ", out);
        escaped(out, store->marketplace);
        fputs("</td>", out);
        if (store->known) {
            score_cell(out, &store->numbers);
            score_cell(out, &store->damage.without);
            number_cell(out, store->damage.points_caused);
            number_cell(out, store->damage.violations);
            minute_cell(out, store->as_of_ms);
        } else {
            fputs("<td class=\"n\">–</td><td class=\"n\">–</td><td class=\"n\">–</td><td class=\"n\">–</td><td>–</td>", out);
        }
        fputs("</tr>\n", out);
    }
    tail(out);
}

static void cover(FILE *out, const struct ampel_dossier *dossier) {
    const struct ampel_case *incident = &dossier->incident;
    char made[AMPEL_LABEL_TIME_SIZE];
    ampel_label_minute(dossier->made_ms, made);
    fputs("<div class=\"cover\">", out);
    element(out, "div class=\"kind\"", SAY("Dossier", "Dossier"));
    element(out, "h1", SAY("Takeover of a seller account", "Übernahme eines Händlerkontos"));
    fputs("<table class=\"facts\"><tbody>\n", out);
    fact(out, SAY("Case", "Fall"), incident->id);
    fact(out, SAY("Agency", "Agentur"), incident->tenant);
    fact(out, SAY("State", "Stand"), ampel_label(incident->state));
    fact_time(out, SAY("Taken over since", "Übernommen seit"), incident->compromised_from_ms);
    fact_time(out, SAY("Case opened", "Fall eröffnet"), incident->opened_ms);
    fact_time(out, SAY("Contained", "Eingedämmt"), incident->contained_ms);
    fact_time(out, SAY("Closed", "Abgeschlossen"), incident->closed_ms);
    if (dossier->by != NULL) fact(out, SAY("Handled by", "Bearbeitet von"), dossier->by);
    tail(out);
    scores_table(out, dossier);
    element(out, "div class=\"warn\"",
            SAY("Do NOT open a second account: that is a breach of its own and ends the way back.",
                "Eröffnen Sie KEIN zweites Konto: Das ist ein eigener Verstoß und beendet den Weg zurück."));
    element(out, "p class=\"dim\"",
            SAY("The score is modelled from what was reported; the marketplace publishes no formula. The second number leaves out every "
                "violation that belongs to the case, and what others cost more because of it.",
                "Der Punktestand ist ein Modell aus dem Gemeldeten; der Marktplatz veröffentlicht keine Formel. Die zweite Zahl lässt jeden "
                "Verstoß weg, der zum Fall gehört, und auch, was andere seinetwegen mehr kosten."));
    fprintf(out, "<div class=\"foot\">%s ", SAY("Made", "Erstellt"));
    escaped(out, made);
    fprintf(out, ", %s ", SAY("rules", "Regeln"));
    escaped(out, dossier->rules_version);
    fputs("</div></div>\n", out);
}

/* ---- sections -------------------------------------------------------------------------------- */

static void pictures(FILE *out, const struct ampel_dossier *dossier) {
    for (uint32_t i = 0; i < dossier->stores_count; i++)
        if (dossier->stores[i].picture != NULL) fprintf(out, "<figure>%s</figure>\n", dossier->stores[i].picture);
    element(out, "p class=\"dim\"",
            SAY("Violet: the score without the case, before today as far as the present state of each violation tells.",
                "Violett: der Punktestand ohne den Fall, vor heute soweit der heutige Stand jedes Verstoßes es hergibt."));
}

static void entry_row(FILE *out, const struct ampel_dossier_entry *entry) {
    fputs("<tr>", out);
    minute_cell(out, entry->moment_ms);
    cell(out, entry->by);
    fputs("<td>", out);
    bool tagged = strcmp(entry->kind, "tagged") == 0;
    ampel_dossier_name(out, tagged ? "violation moved" : entry->kind);
    if (entry->step > 0) fprintf(out, " %" PRId64, entry->step);
    const char *const texts[] = {entry->what, entry->file_name, entry->note};
    for (size_t i = 0; i < AMPEL_ARRAY_COUNT(texts); i++) {
        if (texts[i][0] == 0) continue;
        fputs(i == 0 ? ": " : " – ", out);
        escaped(out, tagged ? ampel_label(texts[i]) : texts[i]);
    }
    fputs("</td></tr>\n", out);
}

static void timeline(FILE *out, const struct ampel_dossier *dossier) {
    const char *const titles[] = {SAY("When", "Wann"), SAY("Who", "Wer"), SAY("What", "Was")};
    section(out, false, SAY("1. What happened", "1. Was geschah"));
    pictures(out, dossier);
    head(out, titles, AMPEL_ARRAY_COUNT(titles));
    for (uint32_t i = 0; i < dossier->entries_count; i++)
        if (strcmp(dossier->entries[i].kind, "reminded") != 0) entry_row(out, &dossier->entries[i]);
    tail(out);
    fputs("</section>\n", out);
}

static void cause(FILE *out) {
    section(out, true, SAY("2. Cause and security concept", "2. Ursache und Sicherheitskonzept"));
    element(out, "h3", SAY("Root cause", "Ursache"));
    box(out, SAY("How did the intruder get in, through which mailbox, user, app or device? Since when?",
                 "Wie kam der Eindringling hinein, über welches Postfach, welchen Benutzer, welche App oder welches Gerät? Seit wann?"), true);
    element(out, "h3", SAY("What was changed by the intruder", "Was der Eindringling geändert hat"));
    box(out, SAY("Offers, prices, handling times, bank account, mail address, phone, users, apps, texts of the store",
                 "Angebote, Preise, Bearbeitungszeiten, Bankkonto, Mailadresse, Telefon, Benutzer, Apps, Texte des Shops"), true);
    element(out, "h3", SAY("Security concept", "Sicherheitskonzept"));
    box(out, SAY("Mail passwords before account passwords, authenticator, users and rights, devices, who checks what and how often",
                 "Mail-Passwörter vor Konto-Passwörtern, Authenticator, Benutzer und Rechte, Geräte, wer prüft was wie oft"), true);
    element(out, "h3", SAY("Why it will not happen again", "Warum es nicht wieder geschieht"));
    box(out, SAY("Anti-recurrence, with dates", "Vorkehrungen, mit Datum"), false);
    fputs("</section>\n", out);
}

static void orders(FILE *out, const struct ampel_dossier *dossier) {
    const char *const days[] = {SAY("Day (UTC)", "Tag (UTC)"), SAY("#Orders", "#Bestellungen"), SAY("#Cancelled", "#Stornos")};
    const char *const list[] = {SAY("Order number", "Bestellnummer"), SAY("Ordered on", "Bestellt am"), SAY("Product", "Produkt"),
                                SAY("Cancelled, refunded on", "Storniert, erstattet am")};
    section(out, true, SAY("3. Orders that could not be fulfilled", "3. Bestellungen, die nicht erfüllt werden konnten"));
    for (uint32_t i = 0; i < dossier->stores_count; i++) {
        const struct ampel_dossier_store *store = &dossier->stores[i];
        store_title(out, dossier, store);
        if (store->days_count == 0) {
            element(out, "p", SAY("No orders and no cancellations are known of the days of the case.",
                                  "Von den Tagen des Falls sind keine Bestellungen und keine Stornos bekannt."));
            continue;
        }
        head(out, days, AMPEL_ARRAY_COUNT(days));
        for (uint32_t d = 0; d < store->days_count; d++) {
            char day[AMPEL_LABEL_TIME_SIZE];
            /* The middle of the UTC day, so that its date is the same in any zone of a marketplace. */
            ampel_label_day(store->days[d].day * AMPEL_DAY_MS + AMPEL_DAY_MS / 2, day);
            fputs("<tr>", out);
            cell(out, day);
            number_cell(out, store->days[d].orders);
            number_cell(out, store->days[d].cancelled);
            fputs("</tr>\n", out);
        }
        fputs("<tr>", out);
        element(out, "th", SAY("Sum", "Summe"));
        fprintf(out, "<th class=\"n\">%" PRIu64 "</th><th class=\"n\">%" PRIu64 "</th></tr>\n", store->damage.orders, store->damage.cancelled);
        tail(out);
    }
    element(out, "h3", SAY("List (or see the evidence)", "Liste (oder siehe Belege)"));
    head(out, list, AMPEL_ARRAY_COUNT(list));
    rows_to_fill(out, ROWS_TO_FILL, AMPEL_ARRAY_COUNT(list));
    tail(out);
    fputs("</section>\n", out);
}

static void product_row(FILE *out, const struct ampel_dossier *dossier, const struct ampel_dossier_violation *violation) {
    int64_t removed_ms = ampel_dossier_removed(dossier, violation);
    fputs("<tr>", out);
    cell(out, violation->asin);
    cell(out, violation->sku);
    cell(out, violation->id);
    minute_cell(out, removed_ms);
    fputs("</tr>\n", out);
}

static void products(FILE *out, const struct ampel_dossier *dossier) {
    const char *const titles[] = {"ASIN", "SKU", SAY("Known from violation", "Bekannt aus Verstoß"), SAY("Removed", "Entfernt")};
    section(out, false, SAY("4. Foreign products and when they were removed", "4. Fremdprodukte und wann sie entfernt wurden"));
    head(out, titles, AMPEL_ARRAY_COUNT(titles));
    for (uint32_t i = 0; i < dossier->stores_count; i++)
        for (uint32_t v = 0; v < dossier->stores[i].violations_count; v++) {
            const struct ampel_dossier_violation *violation = &dossier->stores[i].violations[v];
            if (violation->asin[0] != 0 || violation->sku[0] != 0) product_row(out, dossier, violation);
        }
    for (uint32_t i = 0; i < dossier->entries_count; i++) {
        const struct ampel_dossier_entry *entry = &dossier->entries[i];
        if (strcmp(entry->kind, "product") != 0 || ampel_dossier_is_violations(dossier, entry->what)) continue;
        fputs("<tr>", out);
        cell(out, entry->what);
        cell(out, "");
        cell(out, entry->note);
        minute_cell(out, entry->moment_ms);
        fputs("</tr>\n", out);
    }
    rows_to_fill(out, ROWS_TO_FILL, AMPEL_ARRAY_COUNT(titles));
    tail(out);
    fputs("</section>\n", out);
}

static void violation_row(FILE *out, const struct ampel_dossier_violation *violation) {
    fputs("<tr>", out);
    if (violation->place > 0)
        number_cell(out, violation->place);
    else
        fputs("<td class=\"n\">–</td>", out);
    cell(out, violation->id);
    name_cell(out, ampel_registry_name(AMPEL_REGISTRY_POLICY, violation->policy));
    name_cell(out, ampel_registry_name(AMPEL_REGISTRY_SEVERITY, (uint32_t)violation->severity));
    name_cell(out, ampel_registry_name(AMPEL_REGISTRY_VIOLATION_STATE, violation->state));
    minute_cell(out, violation->at_ms);
    if (violation->deducting && violation->critical)
        element(out, "td class=\"n\"", SAY("critical", "kritisch"));
    else
        number_cell(out, violation->deducting ? -violation->points : 0);
    if (violation->place > 0)
        number_cell(out, violation->score_then);
    else
        fputs("<td class=\"n\">–</td>", out);
    fputs("</tr>\n", out);
}

static void violations(FILE *out, const struct ampel_dossier *dossier) {
    const char *const titles[] = {"##", SAY("Violation", "Verstoß"), SAY("Policy", "Richtlinie"), SAY("Severity", "Schwere"),
                                  SAY("State", "Stand"), SAY("Recorded", "Erfasst"), SAY("#Points", "#Punkte"),
                                  SAY("#Score once approved", "#Stand nach Freigabe")};
    section(out, true, SAY("5. Violations caused, and what to dispute first", "5. Verursachte Verstöße, und was zuerst anzufechten ist"));
    element(out, "p", SAY("In the order in which disputing them helps most. Each counts until it is cleared, and makes later ones repeats.",
                          "In der Reihenfolge, in der das Anfechten am meisten hilft. Jeder zählt, bis er gelöscht ist, und macht spätere zu Wiederholungen."));
    for (uint32_t i = 0; i < dossier->stores_count; i++) {
        const struct ampel_dossier_store *store = &dossier->stores[i];
        store_title(out, dossier, store);
        if (store->violations_count == 0) {
            element(out, "p", SAY("No violation belongs to the case.", "Kein Verstoß gehört zum Fall."));
            continue;
        }
        head(out, titles, AMPEL_ARRAY_COUNT(titles));
        for (uint32_t v = 0; v < store->violations_count; v++)
            violation_row(out, &store->violations[v]);
        tail(out);
        fprintf(out, SAY("<p>%u violations belong to the case, %u of them cost %" PRId64 " points; with what others cost more because of "
                         "them it took <b>%" PRId64 " points</b>.</p>\n",
                         "<p>%u Verstöße gehören zum Fall, %u davon kosten %" PRId64 " Punkte; mit dem, was andere ihretwegen mehr kosten, "
                         "nahm er <b>%" PRId64 " Punkte</b>.</p>\n"),
                store->damage.violations, store->damage.deducting, store->damage.points, store->damage.points_caused);
    }
    fputs("</section>\n", out);
}

static void requests(FILE *out, const struct ampel_dossier *dossier) {
    char deadline[AMPEL_DOSSIER_DAY_SIZE];
    ampel_dossier_day(ampel_dossier_deadline(dossier), deadline);
    fputs("<section class=\"whole\">", out);
    element(out, "h2", SAY("6. Requests to the marketplace", "6. Forderungen an den Marktplatz"));
    element(out, "p", SAY("With the letter to the performance team, and the deadline set in it:",
                          "Mit dem Brief an das Performance-Team, und der darin gesetzten Frist:"));
    element(out, "p class=\"big\"", deadline);
    const char *const requested[] = {
        SAY("Unblock the account", "Freigabe des Kontos"),
        SAY("Pay out the held funds", "Auszahlung des einbehaltenen Guthabens"),
        SAY("Remove each violation of section 5, with its points and its place among the repeats",
            "Löschung jedes Verstoßes aus Abschnitt 5, mit seinen Punkten und seinem Rang unter den Wiederholungen"),
        SAY("A longer deadline for the removal of stored stock", "Längere Frist für die Räumung gelagerter Ware"),
        SAY("Remove the negative feedback from the intruder's orders", "Löschung der negativen Bewertungen aus Bestellungen des Eindringlings"),
    };
    fputs("<ul class=\"tick\">", out);
    for (size_t i = 0; i < AMPEL_ARRAY_COUNT(requested); i++)
        element(out, "li", requested[i]);
    fputs("</ul></section>\n", out);
}

static void steps(FILE *out, const struct ampel_dossier *dossier) {
    const char *const titles[] = {"##", SAY("Step", "Schritt"), SAY("State", "Stand"), SAY("Who", "Wer"), SAY("When / after", "Wann / nach")};
    section(out, true, SAY("7. Steps of the way back", "7. Schritte des Wegs zurück"));
    head(out, titles, AMPEL_ARRAY_COUNT(titles));
    for (uint32_t i = 0; i < dossier->steps_count; i++) {
        const struct ampel_dossier_step *step = &dossier->steps[i];
        bool settled = step->done_ms != AMPEL_CASE_NONE_MS, warning = strcmp(step->state, "warning") == 0;
        fputs("<tr>", out);
        number_cell(out, step->step);
        fprintf(out, "<td%s>", warning ? " class=\"red\"" : "");
        escaped(out, ampel_label(step->title));
        if (settled && step->note[0] != 0) {
            fputs("<br>", out);
            element(out, "span class=\"dim\"", step->note);
        }
        fputs("</td>", out);
        fprintf(out, "<td%s>", settled ? " class=\"green\"" : warning ? " class=\"red\"" : "");
        ampel_dossier_name(out, step->state);
        fputs("</td>", out);
        cell(out, settled ? step->by : step->owner);
        if (settled)
            minute_cell(out, step->done_ms);
        else
            cell(out, step->waits_for);
        fputs("</tr>\n", out);
    }
    tail(out);
    fputs("</section>\n", out);
}

static void clocks(FILE *out, const struct ampel_dossier *dossier) {
    const char *const titles[] = {SAY("Clock", "Frist"), SAY("Started", "Beginn"), SAY("Runs out", "Läuft ab"), SAY("What then", "Was dann"),
                                  SAY("How sure", "Wie sicher"), SAY("Settled", "Erledigt")};
    section(out, false, SAY("8. Clocks", "8. Fristen"));
    head(out, titles, AMPEL_ARRAY_COUNT(titles));
    for (uint32_t i = 0; i < dossier->clocks_count; i++) {
        const struct ampel_dossier_clock *clock = &dossier->clocks[i];
        bool over = clock->settled_ms == AMPEL_CASE_NONE_MS && clock->runs_out_ms < dossier->made_ms;
        fprintf(out, "<tr><td%s>", over ? " class=\"red\"" : "");
        ampel_dossier_name(out, clock->clock);
        if (clock->store[0] != 0) {
            fputs("<br>", out);
            element(out, "span class=\"dim\"", clock->store);
        }
        fputs("</td>", out);
        minute_cell(out, clock->starts_ms);
        minute_cell(out, clock->runs_out_ms);
        cell(out, ampel_label(clock->what));
        cell(out, ampel_label(clock->certainty));
        minute_cell(out, clock->settled_ms);
        fputs("</tr>\n", out);
    }
    tail(out);
    fputs("</section>\n", out);
}

static void evidence(FILE *out, const struct ampel_dossier *dossier) {
    const char *const titles[] = {SAY("#Step", "#Schritt"), SAY("File", "Datei"), SAY("#Bytes", "#Bytes"), "SHA-256", SAY("Kept", "Aufgenommen")};
    uint32_t count = 0;
    section(out, false, SAY("9. Evidence", "9. Belege"));
    for (uint32_t i = 0; i < dossier->entries_count; i++) {
        const struct ampel_dossier_entry *entry = &dossier->entries[i];
        if (strcmp(entry->kind, "evidence") != 0) continue;
        if (count++ == 0) head(out, titles, AMPEL_ARRAY_COUNT(titles));
        fputs("<tr>", out);
        if (entry->step > 0)
            number_cell(out, entry->step);
        else
            fputs("<td class=\"n\">–</td>", out);
        cell(out, entry->file_name);
        number_cell(out, entry->file_size);
        element(out, "td class=\"hash\"", entry->file_sha256);
        minute_cell(out, entry->moment_ms);
        fputs("</tr>\n", out);
    }
    if (count > 0)
        tail(out);
    else
        element(out, "p", SAY("No evidence was written down yet.", "Noch kein Beleg wurde aufgenommen."));
    fputs("</section>\n", out);
}

void ampel_dossier_html(const struct ampel_dossier *dossier, FILE *out) {
    fprintf(out, "<!DOCTYPE html>\n<html lang=\"%s\"><head><meta charset=\"utf-8\">\n"
                 "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n<title>",
            SAY("en", "de"));
    escaped(out, dossier->incident.id);
    fprintf(out, "</title>\n<style>%s</style></head><body>\n", style);
    cover(out, dossier);
    timeline(out, dossier);
    cause(out);
    orders(out, dossier);
    products(out, dossier);
    violations(out, dossier);
    requests(out, dossier);
    steps(out, dossier);
    clocks(out, dossier);
    evidence(out, dossier);
    fputs("</body></html>\n", out);
}
