#include "workers/cli/labels.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "proto/time.h"

static bool german;

/* By the English words, in the order of strcmp (a test looks). */
static const struct {
    const char *english, *german;
} words[] = {
    /* clang-format off */
    {"\n  incident %s%.*s%s (%s): score %d with it, %s%lld%s without\n", "\n  Vorfall %s%.*s%s (%s): mit ihm %d Punkte, %s%lld%s ohne ihn\n"},
    {"\n  without all %u incidents: %d\n", "\n  ohne alle %u Vorfälle: %d\n"},
    {"\n%severy %lld s; Ctrl-C ends%s", "\n%salle %lld s; Strg-C beendet%s"},
    {"    %lld orders, %lld cancelled on its days\n", "    %lld Bestellungen, %lld Stornos an seinen Tagen\n"},
    {"    %lld violations, %lld of them cost %lld points, with their repeats %lld\n", "    %lld Verstöße, %lld davon kosten %lld Punkte, mit ihren Wiederholungen %lld\n"},
    {"    dispute first:", "    zuerst anfechten:"},
    {"    from %s until %s\n", "    von %s bis %s\n"},
    {"  %d days below\n", "  %d Tage darunter\n"},
    {"  %s%d %s%s, risk %s\n", "  %s%d %s%s, Risiko %s\n"},
    {"  %u critical violation%-22s %8d\n", "  %u kritische(r) Verstoß%-20s %8d\n"},
    {"  %u critical violation%-22s %8s\n", "  %u kritische(r) Verstoß%-20s %8s\n"},
    {"  drawn and listed with orders as in the last 28 days; without any more it\n",
     "  gezeigt mit Bestellungen wie in den letzten 28 Tagen; ohne weitere\n"},
    {"  drift %+d, before %+d\n", "  Abweichung %+d, davor %+d\n"},
    {"  missing %d\n", "  es fehlen %d\n"},
    {"  no violations\n", "  keine Verstöße\n"},
    {"  nothing changes by itself in %d days\n", "  in %d Tagen ändert sich nichts von selbst\n"},
    {"  repeats, %-*s %s%5u of %u%s\n", "  Wiederholungen, %-*s %s%5u von %u%s\n"},
    {"  resolve before %s%s%s\n", "  lösen bis %s%s%s\n"},
    {" accounts", " Konten"},
    {" of ", " von "},
    {" of %s\n", " vom %s\n"},
    {" reached", " erreicht"},
    {"%s%s%.*s leaves (%s)", "%s%s%.*s verfällt (%s)"},
    {"%s%s%s  %s%d %s%s, risk %s\n", "%s%s%s  %s%d %s%s, Risiko %s\n"},
    {"%s%s%s  %s%d %s%s, risk %s\n  as of %s, rules %s\n\n",
     "%s%s%s  %s%d %s%s, Risiko %s\n  Stand %s, Regeln %s\n\n"},
    {"%s%s%u violations leave, %.*s first", "%s%s%u Verstöße verfallen, zuerst %.*s"},
    {"%s%u more; --limit 0 shows all%s\n", "%s%u weitere; --limit 0 zeigt alle%s\n"},
    {"%s%u violations of %u accounts cost points%s\nRISK: now>approved. * acknowledged, another: repeats and caps stay.%s\n",
     "%s%u Verstöße von %u Konten kosten Punkte%s\nRISIKO: jetzt>stattgegeben. * anerkannt, ein anderes: Wiederholungen und Grenzen bleiben.%s\n"},
    {"%s, in %lld day\n", "%s, in %lld Tag\n"},
    {"%s, in %lld days\n", "%s, in %lld Tagen\n"},
    {"%sAPPROVED, ACKN.: score, gain. RISK: once approved (* acknowledged, another).\nNEXT: the rank of one more violation of the policy, now>once this is approved.\nCAP: repeats now>approved/limit. Acknowledging changes neither NEXT nor CAP.\nSALES: at risk, as reported. DAYS: until it leaves the window by itself.%s\n",
     "%sSTATTG., ANERK.: Punkte, Gewinn. RISIKO: wenn stattgegeben (* anerkannt: ein anderes).\nRANG: der eines weiteren Verstoßes der Richtlinie, jetzt>danach.\nLIMIT: Wiederholungen jetzt>danach/Grenze. Anerkennen ändert beide nicht.\nUMSATZ: gefährdet, wie gemeldet. TAGE: bis er von selbst verfällt.%s\n"},
    {"%sas of %s, rules %s, %d to %d over their variants%s\n",
     "%sStand %s, Regeln %s, %d bis %d über ihre Lesarten%s\n"},
    {"%u accounts, nothing costs points\n", "%u Konten, nichts kostet Punkte\n"},
    {"%u orders in %d days, %d for each %d", "%u Bestellungen in %d Tagen, %d je %d"},
    {", and with no fewer", ", und mit nicht weniger"},
    {", found by a greedy choice", ", gierig gewählt"},
    {"72 HOURS", "72 STUNDEN"},
    {": at most", ": höchstens"},
    {": zero", ": null"},
    {"; --limit 0 shows all", "; --limit 0 zeigt alle"},
    {"ACCOUNT", "KONTO"},
    {"ACKN.", "ANERK."},
    {"APPROVED", "STATTG."},
    {"CAP", "LIMIT"},
    {"CAUSE", "GRUND"},
    {"CHANGE", "UM"},
    {"COSTS", "MINUS"},
    {"DAYS", "TAGE"},
    {"EARNED", "DAZU"},
    {"HOW", "WIE"},
    {"LOST", "WEG"},
    {"NEXT", "RANG"},
    {"ORDERS", "BESTELL."},
    {"POINTS", "PUNKTE"},
    {"POLICY", "RICHTLINIE"},
    {"RANGE", "SPANNE"},
    {"RANK", "RANG"},
    {"REPEATS", "WIEDERHOLT"},
    {"RETURNS", "ZURÜCK"},
    {"RISK", "RISIKO"},
    {"SALES", "UMSATZ"},
    {"SCORE", "PUNKTE"},
    {"SEVERITY", "SCHWERE"},
    {"STATE", "STAND"},
    {"STATUS", "FARBE"},
    {"VIOLATION", "VERSTOSS"},
    {"WHEN", "WANN"},
    {"a repeat cap is reached: zero", "eine Wiederholungsgrenze ist erreicht: null"},
    {"account_status", "Kontostatus"},
    {"acknowledged", "anerkannt"},
    {"after a backfill", "nach einem Nachtrag"},
    {"appealed", "Einspruch"},
    {"approved", "stattgegeben"},
    {"as of %s, rules ", "Stand %s, Regeln "},
    {"assurance_gained", "Zusicherung erlangt"},
    {"assurance_lost", "Zusicherung verloren"},
    {"assurance_near", "Zusicherung bald verloren"},
    {"at_risk", "gefährdet"},
    {"back to green (%s%d%s) with %u approval%s%s:\n", "zurück zu Grün (%s%d%s), wenn %u stattgegeben%s%s:\n"},
    {"back to green: %s\n", "zurück zu Grün: %s\n"},
    {"back to green: it is green\n", "zurück zu Grün: ist grün\n"},
    {"backfill_summary", "Nachtrag"},
    {"bar: takes points", "Balken: kostet Punkte"},
    {"because a day closed", "weil ein Tag zu Ende ging"},
    {"because a violation left the window:", "weil ein Verstoß verfallen ist:"},
    {"because of %s", "wegen %s"},
    {"because orders left the window", "weil Bestellungen verfallen sind"},
    {"because the rules changed", "weil die Regeln geändert wurden"},
    {"cap_near", "Grenze nahe"},
    {"cap_reached", "Grenze erreicht"},
    {"changes next", "ändert sich als Nächstes"},
    {"cleared", "erledigt"},
    {"closed", "abgeschlossen"},
    {"colour_changed", "Farbe gewechselt"},
    {"contained", "eingedämmt"},
    {"crit", "krit."},
    {"critical", "kritisch"},
    {"critical_violation", "Kritischer Verstoß"},
    {"customer_reviews", "Kundenrezensionen"},
    {"day_mark", "Tagesmarke"},
    {"deactivated", "gesperrt"},
    {"deadline_near", "Frist läuft ab"},
    {"deducts", "kostet"},
    {"denied", "abgelehnt"},
    {"drift_changed", "Abweichung geändert"},
    {"edited", "berichtigt"},
    {"eligible", "sperrbar"},
    {"expired", "verfallen"},
    {"fair_pricing", "Faire Preise"},
    {"food_and_product_safety", "Lebensmittelsicherheit"},
    {"given", "vorgegeben"},
    {"green", "grün"},
    {"high", "hoch"},
    {"hint", "Hinweis"},
    {"if nothing new happens", "wenn nichts Neues geschieht"},
    {"immediate", "sofort"},
    {"incident", "Vorfall"},
    {"infringement", "Schutzrechte"},
    {"listing", "Angebot"},
    {"listing_deleted", "Angebot gelöscht"},
    {"listing_policy", "Angebotsrichtlinien"},
    {"low", "niedrig"},
    {"maintenance", "Wartung"},
    {"medium", "mittel"},
    {"metric", "Kennzahl"},
    {"more orders than leave", "mehr Bestellungen als verfallen"},
    {"no greedy choice of approvals does it", "keine gierige Auswahl reicht dafür"},
    {"no set of approvals does it", "keine Auswahl reicht dafür"},
    {"none", "keine"},
    {"normal", "normal"},
    {"not above", "nicht über"},
    {"not below", "nicht unter"},
    {"not yet", "noch nicht"},
    {"nothing costs points\n", "nichts kostet Punkte\n"},
    {"now", "jetzt"},
    {"observed", "Bericht"},
    {"open", "offen"},
    {"opened", "eröffnet"},
    {"order", "Bestellung"},
    {"orders age out", "Bestellungen verfallen"},
    {"orders alone end its green", "Bestellungen beenden Grün"},
    {"orders_cancelled", "Stornierungen"},
    {"orders_day", "Tagesbestellungen"},
    {"other_policy", "Andere Richtlinien"},
    {"policy_warning", "Warnung"},
    {"product_authenticity", "Echtheit"},
    {"product_condition", "Artikelzustand"},
    {"product_safety", "Produktsicherheit"},
    {"profile", "Profil"},
    {"received_ip_complaint", "Beschwerde geistiges Eigentum"},
    {"red", "rot"},
    {"regulatory_compliance", "Vorschriften, Nachweise"},
    {"restored", "zählt nicht"},
    {"restricted", "Eingeschränkt"},
    {"restricted_product", "Eingeschränkte Produkte"},
    {"retracted", "zurückgezogen"},
    {"risk", "Risiko"},
    {"risk_changed", "Risiko geändert"},
    {"s: at most", ": höchstens"},
    {"s: zero", ": null"},
    {"score", "Punkte"},
    {"signal", "Anzeichen"},
    {"start", "Anfang"},
    {"suspected_ip", "Verdacht geistiges Eigentum"},
    {"tagged", "nur benannt"},
    {"turns green", "wird grün"},
    {"turns red", "wird rot"},
    {"turns yellow", "wird gelb"},
    {"violation", "Verstoß"},
    {"violation_state", "Stand eines Verstoßes"},
    {"violations", "Verstöße"},
    {"violations_missing", "Verstöße fehlen"},
    {"will_turn", "Farbwechsel kommt"},
    {"yellow", "gelb"},
    /* clang-format on */
};

/* The first of the three that says anything, as the C library has it. */
static const char *language_of_environment(void) {
    static const char *const names[] = {"LC_ALL", "LC_MESSAGES", "LANG"};
    for (uint32_t i = 0; i < AMPEL_ARRAY_COUNT(names); i++) {
        const char *value = getenv(names[i]);
        if (value != NULL && value[0] != 0) return value;
    }
    return "C";
}

bool ampel_language_set(const char *name) {
    if (name == NULL) {
        const char *locale = language_of_environment();
        german = strncmp(locale, "de", 2) == 0 && (locale[2] == 0 || strchr("_.@", locale[2]) != NULL);
        return true;
    }
    if (strcmp(name, "de") != 0 && strcmp(name, "en") != 0) return false;
    german = name[0] == 'd';
    return true;
}

bool ampel_language_is_german(void) { return german; }

const char *ampel_label(const char *english) {
    uint32_t low = 0, high = AMPEL_ARRAY_COUNT(words);
    while (german && low < high) {
        uint32_t middle = low + (high - low) / 2;
        int order = strcmp(english, words[middle].english);
        if (order == 0) return words[middle].german;
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return english;
}

const char *ampel_label_name(enum ampel_registry registry, uint32_t code) {
    const char *name = ampel_registry_name(registry, code);
    return name == NULL ? NULL : ampel_label(name);
}

int ampel_label_width(const char *text, int columns) {
    for (; *text != 0; text++)
        if (((uint8_t)*text & 0xC0) == 0x80) columns++;
    return columns;
}

/* ---- times ---------------------------------------------------------------------------------- */

/* False in UTC, or where the C library has no such day. */
static bool local_time(int64_t at_ms, struct tm *out) {
    time_t seconds = (time_t)(at_ms / 1000);
    return localtime_r(&seconds, out) != NULL && (out->tm_gmtoff != 0 || strcmp(out->tm_zone, "UTC") != 0);
}

/* What strftime makes of the local time; in UTC a part of the RFC 3339 text. */
static void time_write(int64_t at_ms, const char *format, uint32_t from, uint32_t size, const char *behind,
                       char out[AMPEL_LABEL_TIME_SIZE]) {
    struct tm local;
    char text[AMPEL_TIME_SIZE];
    if (local_time(at_ms, &local) && strftime(out, AMPEL_LABEL_TIME_SIZE, format, &local) > 0) return;
    ampel_time_encode(at_ms, text);
    snprintf(out, AMPEL_LABEL_TIME_SIZE, "%.*s%s", (int)size, text + from, behind);
}

void ampel_label_time(int64_t at_ms, char out[AMPEL_LABEL_TIME_SIZE]) {
    time_write(at_ms, "%Y-%m-%d %H:%M:%S %Z", 0, AMPEL_TIME_SIZE, "", out);
}

void ampel_label_minute(int64_t at_ms, char out[AMPEL_LABEL_TIME_SIZE]) {
    time_write(at_ms, "%Y-%m-%d %H:%M %Z", 0, 16, "Z", out);
    char *letter = strchr(out, 'T');
    if (letter == out + 10) *letter = ' ';
}

void ampel_label_day(int64_t at_ms, char out[AMPEL_LABEL_TIME_SIZE]) {
    time_write(at_ms, "%Y-%m-%d", 0, 10, "", out);
}

void ampel_label_clock(int64_t at_ms, char out[AMPEL_LABEL_TIME_SIZE]) {
    time_write(at_ms, "%H:%M:%S %Z", 11, 8, "Z", out);
}
