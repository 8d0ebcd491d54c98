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
    {"\n  without all %u incidents: %d\n", "\n  ohne alle %u Vorfälle: %d\n"},
    {"\n%severy %lld s; Ctrl-C ends%s", "\n%salle %lld s; Strg-C beendet%s"},
    {"\nDelivery metrics, no part of the score:\n", "\nLieferkennzahlen, kein Teil der Punkte:\n"},
    {"\nThe rules that explain %llu reports best, of %u that were tried:\n",
     "\nDie Regeln, die %llu Berichte am besten erklären, von %u versuchten:\n"},
    {"    %lld orders, %lld cancelled on its days\n", "    %lld Bestellungen, %lld Stornos an seinen Tagen\n"},
    {"    dispute first: %s\n", "    zuerst anfechten: %s\n"},
    {"    from %s until %s\n", "    von %s bis %s\n"},
    {"    lost with %u more day below\n", "    mit noch %u Tag darunter verloren\n"},
    {"    lost with %u more days below\n", "    mit noch %u Tagen darunter verloren\n"},
    {"    no emergency phone is known\n", "    von einer Notfallnummer ist nichts bekannt\n"},
    {"    no professional plan is known\n", "    von einem professionellen Tarif ist nichts bekannt\n"},
    {"  %s/%s: score %lld, without the case %lld; %lld violations cost %lld points\n", "  %s/%s: %lld Punkte, ohne den Fall %lld; %lld Verstöße kosten %lld Punkte\n"},
    {"  drawn and listed with orders as in the last 28 days; without any more it\n",
     "  gezeigt mit Bestellungen wie in den letzten 28 Tagen; ohne weitere\n"},
    {"  no violations\n", "  keine Verstöße\n"},
    {"  nothing changes by itself in %d days\n", "  in %d Tagen ändert sich nichts von selbst\n"},
    {"  range: %d to %d; %u of %u variants of the rules move it\n", "  Spanne: %d bis %d; %u von %u Lesarten der Regeln ändern die Punkte\n"},
    {"  range: the same under all %u variants of the rules\n", "  Spanne: gleich unter allen %u Lesarten der Regeln\n"},
    {"  still open: %lld %s\n", "  noch offen: %lld %s\n"},
    {" (%llu of them were durable before)", " (%llu davon waren schon gesichert)"},
    {" accounts", " Konten"},
    {" of ", " von "},
    {"%8u of %u", "%8u von %u"},
    {"%8u of %u reached", "%8u von %u erreicht"},
    {"%d days below its mark", "%d Tage unter ihrer Marke"},
    {"%d days below its mark; three more lose it", "%d Tage unter ihrer Marke; drei mehr, und sie ist verloren"},
    {"%d violations put into %s\n", "%d Verstöße zu %s genommen\n"},
    {"%d violations taken out of %s\n", "%d Verstöße aus %s herausgenommen\n"},
    {"%lld d %lld h left", "noch %lld T %lld h"},
    {"%lld d %lld h over", "%lld T %lld h vorbei"},
    {"%lld violations, %lld of them cost %lld points, with their repeats %lld",
     "%lld Verstöße, %lld davon kosten %lld Punkte, mit ihren Wiederholungen %lld"},
    {"%lld without", "%lld ohne ihn"},
    {"%llu events accepted, %llu refused, in %llu batches", "%llu Ereignisse angenommen, %llu abgewiesen, in %llu Paketen"},
    {"%llu problems\n", "%llu Fehler\n"},
    {"%llu rating rows wait for their order counts (orders_rows_every); their scores are right",
     "%llu Bewertungszeilen warten auf ihre Bestellzahlen (orders_rows_every); ihre Punkte stimmen"},
    {"%llu violation\n", "%llu Verstoß\n"},
    {"%llu violations\n", "%llu Verstöße\n"},
    {"%s  since %s\n", "%s  seit %s\n"},
    {"%s%s%.*s leaves (%s)", "%s%s%.*s verfällt (%s)"},
    {"%s%s%u violations leave, %.*s first", "%s%s%u Verstöße verfallen, zuerst %.*s"},
    {"%s%s/%s%s  %s, taken over since %s", "%s%s/%s%s  %s, übernommen seit %s"},
    {"%s%u more; --limit 0 shows all%s\n", "%s%u weitere; --limit 0 zeigt alle%s\n"},
    {"%s%u violations of %u accounts cost points%s\nRISK: now>approved. * acknowledged, another: repeats and caps stay.%s\n",
     "%s%u Verstöße von %u Konten kosten Punkte%s\nRISIKO: jetzt>stattgegeben. * anerkannt anders: Wiederholungen, Grenzen bleiben.%s\n"},
    {"%s, in %lld day\n", "%s, in %lld Tag\n"},
    {"%s, in %lld days\n", "%s, in %lld Tagen\n"},
    {"%s: %s removed\n", "%s: %s entfernt\n"},
    {"%s: noted\n", "%s: notiert\n"},
    {"%s: step %lld: %s\n", "%s: Schritt %lld: %s\n"},
    {"%sAPPROVED, ACKN.: score, gain. RISK: once approved (* acknowledged, another).\nNEXT: the rank of one more violation of the policy, now>once this is approved.\nCAP: repeats now>approved/limit. Acknowledging changes neither NEXT nor CAP.\nSALES: at risk, as reported. DAYS: until it leaves the window by itself.%s\n",
     "%sSTATTG., ANERK.: Punkte, Gewinn. RISIKO: wenn stattgegeben (*anerkannt: anders).\nRANG: der eines weiteren Verstoßes der Richtlinie, jetzt>danach.\nLIMIT: Wiederholungen jetzt>danach/Grenze. Anerkennen ändert beide nicht.\nUMSATZ: gefährdet, wie gemeldet. TAGE: bis er von selbst verfällt.%s\n"},
    {"%u accounts, %u with another score, %u with another colour\n", "%u Konten, %u mit anderen Punkten, %u mit anderer Farbe\n"},
    {"%u accounts, nothing costs points\n", "%u Konten, nichts kostet Punkte\n"},
    {"%u critical violation: at most", "%u kritischer Verstoß: höchstens"},
    {"%u critical violation: zero", "%u kritischer Verstoß: null"},
    {"%u critical violations: at most", "%u kritische Verstöße: höchstens"},
    {"%u critical violations: zero", "%u kritische Verstöße: null"},
    {"%u events, %u duplicates, %u documents of no interest, %u broken\n", "%u Ereignisse, %u doppelt, %u Dokumente ohne Belang, %u unlesbar\n"},
    {"%u events, %u rows broken\n", "%u Ereignisse, %u Zeilen unlesbar\n"},
    {"%u of %u rows shown; --limit 0 shows all\n", "%u von %u Zeilen gezeigt; --limit 0 zeigt alle\n"},
    {"%u orders in %d days, %d for each %d", "%u Bestellungen in %d Tagen, %d je %d"},
    {"%u partitions: %llu pages, %llu accounts, %llu violations, %llu windows of producers",
     "%u Partitionen: %llu Seiten, %llu Konten, %llu Verstöße, %llu Fenster von Sendern"},
    {"%u pictures in %s\n", "%u Bilder in %s\n"},
    {"(%d hours left)", "(noch %d Stunden)"},
    {", %u of %lld days marked, %u below", ", %u von %lld Tagen vermerkt, %u darunter"},
    {", and with no fewer", ", und mit nicht weniger"},
    {", closed %s", ", abgeschlossen %s"},
    {", contained %s", ", eingedämmt %s"},
    {", found by Ampel", ", von Ampel gefunden"},
    {", found by a greedy choice", ", gierig gewählt"},
    {", not sent", ", nicht gesendet"},
    {", risk %s", ", Risiko %s"},
    {", today below", ", heute darunter"},
    {"; --limit 0 shows all", "; --limit 0 zeigt alle"},
    {"; database role %s", "; Datenbankrolle %s"},
    {"ACCOUNT", "KONTO"},
    {"ACCOUNTS", "KONTEN"},
    {"ACKN.", "ANERK."},
    {"AND THAT OF", "UND DER VOM"},
    {"APPROVED", "STATTG."},
    {"Ask for a longer removal deadline of stored stock", "Um eine längere Frist für gelagerte Ware bitten"},
    {"Ask for removal of negative feedback from the intruder's orders, elsewhere, too", "Löschung negativer Bewertungen aus Bestellungen des Eindringlings verlangen, auch anderswo"},
    {"BANNER", "BANNER"},
    {"BETTER BY", "BESSER UM"},
    {"BY", "UM"},
    {"CAP", "LIMIT"},
    {"CASE", "FALL"},
    {"CAUSE", "GRUND"},
    {"CHANGE", "UM"},
    {"CLOCK", "FRIST"},
    {"COSTS", "MINUS"},
    {"Cancel and refund the intruder's orders that were not shipped", "Nicht versandte Bestellungen des Eindringlings stornieren und erstatten"},
    {"Change ALL mail passwords first, those of secondary users, too", "Zuerst ALLE Mail-Passwörter ändern, auch die der Nebenbenutzer"},
    {"Change IMAP users and passwords at the mail provider", "IMAP-Benutzer und -Passwörter beim Mail-Anbieter ändern"},
    {"DAYS", "TAGE"},
    {"DRIFT", "ABWEICH."},
    {"Delete unknown addresses and forwardings at the mail provider", "Unbekannte Adressen und Weiterleitungen beim Mail-Anbieter löschen"},
    {"Describe the security concept and why it will not happen again", "Sicherheitskonzept darlegen, und warum es nicht wieder geschieht"},
    {"Dispute each violation that the intruder caused, so that points and repeats go", "Jeden vom Eindringling verursachten Verstoß anfechten, damit Punkte und Wiederholungen verschwinden"},
    {"Do NOT open a second account", "KEIN zweites Konto eröffnen"},
    {"Do NOT open a second account: that is a breach of its own and ends the way back.", "Eröffnen Sie KEIN zweites Konto: Das ist ein eigener Verstoß und beendet den Weg zurück."},
    {"EARNED", "DAZU"},
    {"HOW", "WIE"},
    {"HOW SURE", "WIE SICHER"},
    {"Identity, business licence, utility bill of the last 90 days, valid card, supplier invoices", "Ausweis, Gewerbeschein, Versorgerrechnung der letzten 90 Tage, gültige Karte, Lieferantenrechnungen"},
    {"KEYS", "SCHLÜSSEL"},
    {"KNOWN", "BEKANNT"},
    {"LAST", "ZULETZT"},
    {"LEFT", "NOCH"},
    {"LOST", "WEG"},
    {"Lawyer if the deadline passes; criminal complaint against unknown", "Anwalt, wenn die Frist verstreicht; Strafanzeige gegen unbekannt"},
    {"Letter to the performance team with a deadline: account, funds, orders, foreign products", "Brief an das Performance-Team mit Frist: Konto, Guthaben, Bestellungen, Fremdprodukte"},
    {"METRIC", "KENNZAHL"},
    {"MISSING", "ES FEHLEN"},
    {"MODEL", "MODELL"},
    {"NEXT", "RANG"},
    {"NEXT CLOCK", "NÄCHSTE FRIST"},
    {"NEXT STEP", "NÄCHSTER"},
    {"OBSERVED", "BERICHT"},
    {"ORDERS", "BESTELL."},
    {"PER REPORT", "JE BERICHT"},
    {"POINTS", "PUNKTE"},
    {"POLICY", "RICHTLINIE"},
    {"Plan for real customers and open orders", "Plan für echte Kunden und offene Bestellungen"},
    {"RANGE", "SPANNE"},
    {"RANK", "RANG"},
    {"REPEATS", "WIEDERHOLT"},
    {"REPORT", "BERICHT"},
    {"REPORT OF", "BERICHT VOM"},
    {"REPORTS", "BERICHTE"},
    {"RETURNS", "ZURÜCK"},
    {"RISK", "RISIKO"},
    {"ROLE", "ROLLE"},
    {"RULES", "REGELN"},
    {"RUNS OUT", "LÄUFT AB"},
    {"Replace the credit card, then have the old one blocked by marketplace and bank", "Kreditkarte ersetzen, dann die alte bei Marktplatz und Bank sperren lassen"},
    {"Report the takeover to the marketplace at once, through every channel and by post", "Die Übernahme dem Marktplatz sofort melden, auf jedem Weg und per Post"},
    {"SALES", "UMSATZ"},
    {"SCORE", "PUNKTE"},
    {"SEVERITY", "SCHWERE"},
    {"SHOWN", "GEZEIGT"},
    {"SINCE", "SEIT"},
    {"STATE", "STAND"},
    {"STATUS", "FARBE"},
    {"STEP", "SCHRITT"},
    {"STEPS", "SCHRITTE"},
    {"STORES", "SHOPS"},
    {"Scan the computer for malware or rebuild it", "Rechner auf Schadprogramme prüfen oder neu aufsetzen"},
    {"Set the listings inactive (vacation); offers fulfilled by the marketplace stay live", "Angebote inaktiv stellen (Urlaub); vom Marktplatz versandte Angebote bleiben aktiv"},
    {"Sign all devices out, two steps with an authenticator, check users, apps, bank account, store and offers", "Alle Geräte abmelden, Zwei-Schritt-Anmeldung mit Authenticator; Benutzer, Apps, Bankkonto, Shop und Angebote prüfen"},
    {"TAKEN OVER", "ÜBERNOMMEN"},
    {"TARGET", "ZIEL"},
    {"TENANT", "MANDANT"},
    {"THEN change the marketplace password of every user", "DANN das Marktplatz-Passwort jedes Benutzers ändern"},
    {"TOTAL ERROR", "FEHLER"},
    {"The files hold no report to compare with (events of type observed).\n",
     "Die Dateien enthalten keinen Bericht zum Vergleich (Ereignisse observed).\n"},
    {"UNEXPLAINED", "UNERKLÄRT"},
    {"VALUE", "WERT"},
    {"VIOLATION", "VERSTOSS"},
    {"VIOLATIONS MISSING", "VERSTÖSSE FEHLEN"},
    {"WHAT", "WAS"},
    {"WHAT THEN", "WAS DANN"},
    {"WHEN", "WANN"},
    {"WHEN / AFTER", "WANN / NACH"},
    {"WHO", "WER"},
    {"Watch for another takeover; claim back what was paid out elsewhere", "Auf erneute Übernahme achten; umgeleitete Auszahlungen zurückfordern"},
    {"Write down the root cause and the security concept", "Ursache und Sicherheitskonzept aufschreiben"},
    {"] %3llu %%  %llu %s, %llu/s, %llu s left\033[K", "] %3llu %%  %llu %s, %llu/s, noch %llu s\033[K"},
    {"a material breach can be cured", "einem erheblichen Verstoß kann abgeholfen werden"},
    {"a repeat cap is reached: zero", "eine Wiederholungsgrenze ist erreicht: null"},
    {"a worker uses the journal: it is left out, the database is checked in one snapshot",
     "ein Worker benutzt das Journal: es bleibt außen vor, die Datenbank wird in einem Stand geprüft"},
    {"account", "Konto"},
    {"account_status", "Kontostatus"},
    {"acknowledged", "anerkannt"},
    {"active", "aktiv"},
    {"after a backfill", "nach einem Nachtrag"},
    {"ampel %s: step %lld (%s) is too early: first\n", "ampel %s: Schritt %lld (%s) ist zu früh, erst\n"},
    {"and %llu more problems\n", "und %llu weitere Fehler\n"},
    {"anecdotal", "aus Berichten"},
    {"appeal", "Einspruch"},
    {"appealed", "Einspruch"},
    {"approved", "stattgegeben"},
    {"as of %s, rules ", "Stand %s, Regeln "},
    {"as of %s, rules %s, %d to %d over their variants", "Stand %s, Regeln %s, %d bis %d über ihre Lesarten"},
    {"assurance", "Zusicherung"},
    {"assurance: eligible", "Zusicherung: erfüllt"},
    {"assurance: not eligible", "Zusicherung: nicht erfüllt"},
    {"assurance_gained", "Zusicherung erlangt"},
    {"assurance_lost", "Zusicherung verloren"},
    {"assurance_near", "Zusicherung bald verloren"},
    {"at_risk", "gefährdet"},
    {"back to green", "zurück zu Grün"},
    {"back to green: %s\n", "zurück zu Grün: %s\n"},
    {"back to green: it is green\n", "zurück zu Grün: ist grün\n"},
    {"backfill_summary", "Nachtrag"},
    {"bad", "schlecht"},
    {"because a day closed", "weil ein Tag zu Ende ging"},
    {"because a signal left the window", "weil ein Anzeichen verfallen ist"},
    {"because a violation left the window:", "weil ein Verstoß verfallen ist:"},
    {"because of %s", "wegen %s"},
    {"because of the clock %s", "wegen der Frist %s"},
    {"because orders left the window", "weil Bestellungen verfallen sind"},
    {"because orders will leave the window", "weil Bestellungen verfallen werden"},
    {"because the rules changed", "weil die Regeln geändert wurden"},
    {"bulk_new_listings", "Massenhaft neue Angebote"},
    {"cancel_and_mail", "Stornos und Mails"},
    {"cap", "Grenze"},
    {"cap_near", "Grenze nahe"},
    {"cap_reached", "Grenze erreicht"},
    {"case %.*s:", "Fall %.*s:"},
    {"case %s is not contained yet: ampel incident contain %s", "Fall %s ist noch nicht eingedämmt: ampel incident contain %s"},
    {"case %s/%s: %u stores, taken over since %s\n", "Fall %s/%s: %u Shops, übernommen seit %s\n"},
    {"case_clock", "Frist eines Falls"},
    {"changes next", "ändert sich als Nächstes"},
    {"cleared", "erledigt"},
    {"clock_settled", "Frist erledigt"},
    {"clock_start", "Frist beginnt"},
    {"closed", "abgeschlossen"},
    {"closer watch for another takeover ends", "die genauere Beobachtung auf erneute Übernahme endet"},
    {"colour_changed", "Farbe gewechselt"},
    {"compared: %llu rating rows, %llu with history; %llu rows by column\n",
     "verglichen: %llu Bewertungszeilen, %llu mit Verlauf; %llu Zeilen spaltenweise\n"},
    {"contact", "Antwort"},
    {"contained", "eingedämmt"},
    {"crit", "krit."},
    {"critical", "kritisch"},
    {"critical_violation", "Kritischer Verstoß"},
    {"cure", "Abhilfe"},
    {"customer_reviews", "Kundenrezensionen"},
    {"day_mark", "Tagesmarke"},
    {"deactivated", "gesperrt"},
    {"deactivation: a cap is reached", "Sperrung: Ein Limit ist erreicht"},
    {"deactivation: the account is red", "Sperrung: Das Konto ist rot"},
    {"deadline_near", "Frist läuft ab"},
    {"deducts", "kostet"},
    {"denied", "abgelehnt"},
    {"deposit_change", "Bankkonto geändert"},
    {"dispute first:", "zuerst anfechten:"},
    {"done", "erledigt"},
    {"dormant_wake", "Ruhendes Konto erwacht"},
    {"drift_changed", "Abweichung geändert"},
    {"edited", "berichtigt"},
    {"eligible", "sperrbar"},
    {"email_phone_change", "E-Mail oder Telefon geändert"},
    {"encoding", "packe"},
    {"events", "Ereignisse"},
    {"evidence", "Beleg"},
    {"expired", "verfallen"},
    {"fair_pricing", "Faire Preise"},
    {"feeding", "sende"},
    {"file", "Akteneinsicht"},
    {"food_and_product_safety", "Lebensmittelsicherheit"},
    {"foreign_login_language", "Fremde Anmeldung oder Sprache"},
    {"funds", "Guthaben"},
    {"given", "vorgegeben"},
    {"good", "gut"},
    {"green", "grün"},
    {"handling_time", "Lange Bearbeitungszeit"},
    {"held funds may be requested", "einbehaltenes Guthaben kann angefordert werden"},
    {"high", "hoch"},
    {"hint", "Hinweis"},
    {"if nothing new happens", "wenn nichts Neues geschieht"},
    {"immediate", "sofort"},
    {"incident", "Vorfall"},
    {"incident ", "Vorfall "},
    {"incident_changed", "Fall geändert"},
    {"incident_clock", "Frist des Falls"},
    {"infringement", "Schutzrechte"},
    {"ip_removal", "Lagerräumung (Schutzrecht)"},
    {"it is written down, but the worker does not know yet: run the same again", "es ist aufgeschrieben, aber der Worker weiß es noch nicht: denselben Befehl noch einmal"},
    {"journal: %llu segments, %llu records, positions %llu to %llu\n", "Journal: %llu Dateien, %llu Einträge, Stellen %llu bis %llu\n"},
    {"journal: the last group is not whole; a start would cut it, nobody was told of it",
     "Journal: die letzte Gruppe ist nicht ganz; ein Start würde sie abschneiden, niemand weiß von ihr"},
    {"key %s of tenant %s is refused from now on\n", "Schlüssel %s des Mandanten %s wird ab jetzt abgewiesen\n"},
    {"law firm", "Kanzlei"},
    {"leaves green at", "verlässt Grün am"},
    {"letter", "Brief"},
    {"listing", "Angebot"},
    {"listing_deleted", "Angebot gelöscht"},
    {"listing_policy", "Angebotsrichtlinien"},
    {"listings and disbursement are limited at most so long", "Angebote und Auszahlung sind höchstens so lange eingeschränkt"},
    {"lock", "Sperre"},
    {"low", "niedrig"},
    {"maintenance", "Wartung"},
    {"medium", "mittel"},
    {"metric", "Kennzahl"},
    {"missing %d: the report shows more than are known; at the report before: %d",
     "es fehlen %d: der Bericht zeigt mehr, als bekannt sind; beim Bericht davor: %d"},
    {"more orders than leave", "mehr Bestellungen als verfallen"},
    {"new_category", "Fremde Produktarten"},
    {"new_user_or_app", "Neuer Nutzer oder App"},
    {"next: ampel incident show %s\n", "weiter: ampel incident show %s\n"},
    {"no data", "keine Angabe"},
    {"no greedy choice of approvals does it", "keine gierige Auswahl reicht dafür"},
    {"no open cases\n", "keine offenen Fälle\n"},
    {"no set of approvals does it", "keine Auswahl reicht dafür"},
    {"none", "keine"},
    {"normal", "normal"},
    {"not above", "nicht über"},
    {"not below", "nicht unter"},
    {"not needed", "nicht nötig"},
    {"not yet", "noch nicht"},
    {"not_needed", "nicht nötig"},
    {"note", "Notiz"},
    {"nothing costs points\n", "nichts kostet Punkte\n"},
    {"now", "jetzt"},
    {"observed", "Bericht"},
    {"of %s", "vom %s"},
    {"official", "amtlich"},
    {"official (notice)", "amtlich (Mitteilung)"},
    {"official, reposted", "amtlich, weiterverbreitet"},
    {"older text, not in current notices", "älterer Text, nicht in heutigen Mitteilungen"},
    {"open", "offen"},
    {"opened", "eröffnet"},
    {"order", "Bestellung"},
    {"order_burst", "Bestellflut"},
    {"orders age out", "Bestellungen verfallen"},
    {"orders alone end its green", "Bestellungen beenden Grün"},
    {"orders_cancelled", "Stornierungen"},
    {"orders_day", "Tagesbestellungen"},
    {"other_policy", "Andere Richtlinien"},
    {"over", "vorbei"},
    {"owner", "zuständig"},
    {"policy_warning", "Warnung"},
    {"price_cut", "Preissturz"},
    {"product", "Fremdprodukt entfernt"},
    {"product_authenticity", "Echtheit"},
    {"product_condition", "Artikelzustand"},
    {"product_safety", "Produktsicherheit"},
    {"profile", "Profil"},
    {"protection is lost without an answer", "ohne Antwort geht der Schutz verloren"},
    {"put in", "hineingenommen"},
    {"quoted by a law firm", "von einer Kanzlei zitiert"},
    {"reading", "lese"},
    {"received_ip_complaint", "Beschwerde geistiges Eigentum"},
    {"red", "rot"},
    {"refused events: %s\n", "abgewiesene Ereignisse: %s\n"},
    {"regulatory_compliance", "Vorschriften, Nachweise"},
    {"reminded", "erinnert"},
    {"removal", "Lagerräumung"},
    {"removal is requested, then stock is destroyed", "Rücknahme wird verlangt, dann wird die Ware vernichtet"},
    {"removal_notice", "Lagerräumung (Mitteilung)"},
    {"repeats, %s", "Wiederholungen, %s"},
    {"resolve before", "lösen bis"},
    {"restored", "zählt nicht"},
    {"restricted", "Eingeschränkt"},
    {"restricted_product", "Eingeschränkte Produkte"},
    {"retracted", "zurückgezogen"},
    {"review", "Prüfung"},
    {"risk", "Risiko"},
    {"risk_changed", "Risiko geändert"},
    {"rule of the model", "Regel des Modells"},
    {"rules %s hold as number %lld: %lld account changed colour\n", "Regeln %s gelten als Nummer %lld: %lld Konto wechselte die Farbe\n"},
    {"rules %s hold as number %lld: %lld accounts changed colour\n", "Regeln %s gelten als Nummer %lld: %lld Konten wechselten die Farbe\n"},
    {"rules %s, number %lld, set at %s\n", "Regeln %s, Nummer %lld, gesetzt %s\n"},
    {"runs out at", "läuft ab"},
    {"score", "Punkte"},
    {"score %d with it,", "mit ihm %d Punkte,"},
    {"set by yourselves", "selbst gesetzt"},
    {"settled", "erledigt"},
    {"signal", "Anzeichen"},
    {"signs of a takeover, but all of one group: weight %d, another group would do", "Anzeichen einer Übernahme, aber alle aus einer Gruppe: Gewicht %d, eine zweite Gruppe genügte"},
    {"signs of a takeover, not enough: weight %d of %d", "Anzeichen einer Übernahme, nicht genug: Gewicht %d von %d"},
    {"start", "Anfang"},
    {"started", "läuft"},
    {"status_flip", "Sperre ohne Anlass"},
    {"step %lld (%s) is always needed", "Schritt %lld (%s) ist immer nötig"},
    {"step %lld is a warning (%s); nobody can have done it", "Schritt %lld ist eine Warnung (%s); niemand kann ihn getan haben"},
    {"step %lld is open", "Schritt %lld ist offen"},
    {"step %lld is settled already, by %s; --undo reopens it", "Schritt %lld ist schon erledigt, von %s; --undo öffnet ihn wieder"},
    {"step_done", "Schritt erledigt"},
    {"step_not_needed", "Schritt nicht nötig"},
    {"step_reopened", "Schritt wieder offen"},
    {"steps %s were done because this one was: reopen them first", "die Schritte %s folgten auf diesen: erst diese wieder öffnen"},
    {"stored stock is disposed of", "gelagerte Ware wird entsorgt"},
    {"storefront_text", "Kontakt im Angebotstext"},
    {"suspected since %s, weight %d:", "Verdacht seit %s, Gewicht %d:"},
    {"suspected_ip", "Verdacht geistiges Eigentum"},
    {"suspended", "ausgesperrt"},
    {"tagged", "nur benannt"},
    {"taken out", "herausgenommen"},
    {"taken over since %s", "übernommen seit %s"},
    {"taken over?", "übernommen?"},
    {"takeover?", "Übernahme?"},
    {"takeover_cleared", "Übernahmeverdacht vorbei"},
    {"takeover_suspected", "Übernahme vermutet"},
    {"takes points; darker: several", "kostet Punkte; dunkler: mehrere"},
    {"tenant %s added; key %s", "Mandant %s angelegt; Schlüssel %s"},
    {"tenant %s has one more key, %s\n", "Mandant %s hat einen Schlüssel mehr, %s\n"},
    {"tenant %s is let in again\n", "Mandant %s ist wieder zugelassen\n"},
    {"tenant %s is suspended\n", "Mandant %s ist ausgesperrt\n"},
    {"tenant %s was there; key %s", "Mandant %s war da; Schlüssel %s"},
    {"text of the notice", "Text der Mitteilung"},
    {"the account may become permanently ineligible", "das Konto kann dauerhaft ausgeschlossen werden"},
    {"the deadline set in the letter passes", "die im Brief gesetzte Frist läuft ab"},
    {"the lawyer can inspect the file", "der Anwalt kann die Akte einsehen"},
    {"the marketplace locks the account", "der Marktplatz sperrt das Konto"},
    {"the present rules", "die jetzigen Regeln"},
    {"the report less the model: %+d; at the report before: %+d", "Bericht minus Modell: %+d; beim Bericht davor: %+d"},
    {"the worker learns of it with the next command that reaches it (--endpoint, --keys)\n", "der Worker erfährt es mit dem nächsten Befehl, der ihn erreicht (--endpoint, --keys)\n"},
    {"there is no step %lld; they are 1 to %u", "Schritt %lld gibt es nicht; es sind 1 bis %u"},
    {"time of the case", "Zeit des Falls"},
    {"turns green", "wird grün"},
    {"turns red", "wird rot"},
    {"turns yellow", "wird gelb"},
    {"violation", "Verstoß"},
    {"violation moved", "Verstoß zugeordnet"},
    {"violation_state", "Stand eines Verstoßes"},
    {"violations", "Verstöße"},
    {"violations_missing", "Verstöße fehlen"},
    {"warning", "Warnung"},
    {"watch", "Beobachtung"},
    {"watched more closely for %d days: sellers were taken over again\n", "%d Tage lang genauer beobachtet: Händler wurden erneut übernommen\n"},
    {"will_turn", "Farbwechsel kommt"},
    {"wismo_burst", "Flut von Nachfragen"},
    {"with %u approval%s:", "wenn %u stattgegeben%s:"},
    {"with %u approvals%s:", "wenn %u stattgegeben%s:"},
    {"with a score of %d then", "mit dann %d Punkten"},
    {"without the case", "ohne den Fall"},
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

const char *ampel_label_words(const char *name, char out[AMPEL_LABEL_WORDS_SIZE]) {
    snprintf(out, AMPEL_LABEL_WORDS_SIZE, "%s", ampel_label(name));
    for (char *at = out; *at != 0; at++)
        if (*at == '_') *at = ' ';
    return out;
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
