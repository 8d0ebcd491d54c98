/* The letter to the performance team, as text to be completed where it says so in square brackets. */
#include <inttypes.h>
#include <string.h>

#include "proto/text.h"
#include "workers/cli/dossier.h"
#include "workers/cli/labels.h"

#define SAY ampel_dossier_say

static void stores_list(FILE *out, const struct ampel_dossier *dossier) {
    for (uint32_t i = 0; i < dossier->stores_count; i++)
        fprintf(out, "  %s, %s\n", dossier->stores[i].seller, dossier->stores[i].marketplace);
}

static void violations_list(FILE *out, const struct ampel_dossier *dossier) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < dossier->stores_count; i++) {
        for (uint32_t v = 0; v < dossier->stores[i].violations_count; v++, count++) {
            const struct ampel_dossier_violation *violation = &dossier->stores[i].violations[v];
            char day[AMPEL_DOSSIER_DAY_SIZE];
            ampel_dossier_day(violation->at_ms, day);
            fprintf(out, "  %s, %s, ", dossier->stores[i].marketplace, violation->id);
            ampel_dossier_name(out, ampel_registry_name(AMPEL_REGISTRY_POLICY, violation->policy));
            fprintf(out, ", %s%s%s\n", day, violation->asin[0] != 0 ? ", " : "", violation->asin);
        }
    }
    if (count == 0) fputs(SAY("  [none is known yet]\n", "  [noch keiner bekannt]\n"), out);
}

/* "B000000001 / SKU, removed on 1 October 2026" */
static void product_write(FILE *out, const char *asin, const char *sku, int64_t removed_ms) {
    char day[AMPEL_DOSSIER_DAY_SIZE];
    fprintf(out, "  %s%s%s", asin, asin[0] != 0 && sku[0] != 0 ? " / " : "", sku);
    if (removed_ms != AMPEL_CASE_NONE_MS) {
        ampel_dossier_day(removed_ms, day);
        fprintf(out, SAY(", removed on %s", ", entfernt am %s"), day);
    }
    fputc('\n', out);
}

static void products_list(FILE *out, const struct ampel_dossier *dossier) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < dossier->stores_count; i++) {
        for (uint32_t v = 0; v < dossier->stores[i].violations_count; v++) {
            const struct ampel_dossier_violation *violation = &dossier->stores[i].violations[v];
            if (violation->asin[0] == 0 && violation->sku[0] == 0) continue;
            product_write(out, violation->asin, violation->sku, ampel_dossier_removed(dossier, violation));
            count++;
        }
    }
    for (uint32_t i = 0; i < dossier->entries_count; i++) {
        const struct ampel_dossier_entry *entry = &dossier->entries[i];
        if (strcmp(entry->kind, "product") != 0 || ampel_dossier_is_violations(dossier, entry->what)) continue;
        product_write(out, entry->what, "", entry->moment_ms);
        count++;
    }
    if (count == 0) fputs(SAY("  [list of the products, and when each was removed]\n", "  [Liste der Produkte, und wann jedes entfernt wurde]\n"), out);
}

static uint64_t cancelled_sum(const struct ampel_dossier *dossier) {
    uint64_t sum = 0;
    for (uint32_t i = 0; i < dossier->stores_count; i++)
        sum += dossier->stores[i].damage.cancelled;
    return sum;
}

static void security(FILE *out) {
    fputs(SAY("1. Cause and security\n"
              "Cause: [root cause, as in section 2 of the dossier]\n"
              "All mail passwords were changed first, then the passwords of every user of the account; all devices were signed\n"
              "out, two-step verification with an authenticator is in force, users, apps, bank account and offers were checked.\n"
              "[Complete, or strike what does not hold yet.]\n\n",
              "1. Ursache und Sicherheit\n"
              "Ursache: [wie in Abschnitt 2 des Dossiers]\n"
              "Zuerst wurden alle Mail-Passwörter geändert, danach die Passwörter aller Benutzer des Kontos. Alle Geräte wurden\n"
              "abgemeldet, die Zwei-Schritt-Verifizierung mit einem Authenticator ist eingerichtet; Benutzer, Apps, Bankkonto und\n"
              "Angebote wurden geprüft.\n"
              "[Bitte ergänzen, oder streichen, was noch nicht zutrifft.]\n\n"),
          out);
}

static void demands(FILE *out, const struct ampel_dossier *dossier) {
    char deadline[AMPEL_DOSSIER_DAY_SIZE];
    ampel_dossier_day(ampel_dossier_deadline(dossier), deadline);
    fprintf(out,
            SAY("5. What we ask for\n"
                "Until %s we ask you\n"
                "  - to unblock the account and to pay out the held funds,\n"
                "  - to remove the violations named above from the account's rating, with their points and as repeats,\n"
                "  - to extend the deadline for the removal of our stored stock until the account is unblocked,\n"
                "  - to remove the negative feedback from the intruder's orders.\n"
                "Should this date pass without result we will seek legal advice and bring a criminal complaint against unknown.\n\n",
                "5. Was wir verlangen\n"
                "Bis zum %s bitten wir Sie,\n"
                "  - das Konto freizugeben und das einbehaltene Guthaben auszuzahlen,\n"
                "  - die oben genannten Verstöße aus der Kontobewertung zu löschen, mit ihren Punkten und als Wiederholungen,\n"
                "  - die Frist für die Räumung unserer gelagerten Ware bis zur Freigabe zu verlängern,\n"
                "  - die negativen Bewertungen aus den Bestellungen des Eindringlings zu löschen.\n"
                "Verstreicht dieser Tag ohne Ergebnis, werden wir anwaltlichen Rat einholen und Strafanzeige gegen unbekannt erstatten.\n\n"),
            deadline);
}

void ampel_dossier_letter(const struct ampel_dossier *dossier, FILE *out) {
    char today[AMPEL_DOSSIER_DAY_SIZE], since[AMPEL_DOSSIER_DAY_SIZE];
    ampel_dossier_day(dossier->made_ms, today);
    ampel_dossier_day(dossier->incident.compromised_from_ms, since);
    fprintf(out, SAY("%s\n\nTo the performance team\n\nTakeover of our seller account by a third party, case %s\n\nSeller and stores:\n",
                     "%s\n\nAn das Performance-Team\n\nÜbernahme unseres Händlerkontos durch Dritte, Fall %s\n\nHändler und Shops:\n"),
            today, dossier->incident.id);
    stores_list(out, dossier);
    fprintf(out, SAY("\nDear Sir or Madam,\n\nsince %s our account was in the hands of a third party. We reported this at once\n"
                     "[case numbers of the reports]. What was done in that time was not done by us.\n\n",
                     "\nSehr geehrte Damen und Herren,\n\nseit dem %s war unser Konto in fremder Hand. Wir haben dies sofort gemeldet\n"
                     "[Fallnummern der Meldungen]. Was in dieser Zeit geschah, geschah nicht durch uns.\n\n"),
            since);
    security(out);
    fprintf(out, SAY("2. Orders that we could not fulfil\n%" PRIu64 " orders were cancelled on the days of the takeover; the list is enclosed. The buyers\n"
                     "were refunded [or: will be refunded until ...]. Open orders of real customers we fulfil as follows: [plan].\n\n"
                     "3. Products that are not ours\n",
                     "2. Bestellungen, die wir nicht erfüllen konnten\nAn den Tagen der Übernahme wurden %" PRIu64 " Bestellungen storniert; die Liste liegt bei. Den Käufern\n"
                     "wurde erstattet [oder: wird bis ... erstattet]. Offene Bestellungen echter Kunden erfüllen wir so: [Plan].\n\n"
                     "3. Produkte, die nicht von uns sind\n"),
            cancelled_sum(dossier));
    products_list(out, dossier);
    fputs(SAY("\n4. Violations that the intruder caused\n", "\n4. Verstöße, die der Eindringling verursacht hat\n"), out);
    violations_list(out, dossier);
    fputc('\n', out);
    demands(out, dossier);
    fputs(SAY("Enclosed: dossier with security concept, list of orders, list of products, evidence.\n\nYours faithfully\n\n[name, company]\n",
              "Anlagen: Dossier mit Sicherheitskonzept, Liste der Bestellungen, Liste der Produkte, Belege.\n\nMit freundlichen Grüßen\n\n[Name, Firma]\n"),
          out);
}
