/* The texts of sql/ inside the programs, and that C carries no other SQL. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <ctype.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base.h"
#include "workers/sql_texts.h"

static char *file_read(const char *folder, const char *name, const char *ending) {
    char path[1024];
    snprintf(path, sizeof(path), "%s/%s/%s%s", AMPEL_SOURCE_DIR, folder, name, ending);
    FILE *file = fopen(path, "rb");
    if (file == NULL) fail_msg("cannot read %s", path);
    size_t capacity = 1 << 20;
    char *text = calloc(1, capacity);
    assert_non_null(text);
    assert_true(fread(text, 1, capacity - 1, file) < capacity - 1);
    fclose(file);
    return text;
}

static bool ends_with(const char *text, const char *ending) {
    size_t size = strlen(text), ending_size = strlen(ending);
    return size > ending_size && strcmp(text + size - ending_size, ending) == 0;
}

static uint32_t files_count(const char *folder, const char *ending) {
    char path[1024];
    snprintf(path, sizeof(path), "%s/%s", AMPEL_SOURCE_DIR, folder);
    DIR *directory = opendir(path);
    assert_non_null(directory);
    uint32_t count = 0;
    for (struct dirent *entry; (entry = readdir(directory)) != NULL;)
        count += ends_with(entry->d_name, ending);
    closedir(directory);
    return count;
}

static void each_text_is_the_file_of_its_name(void **state) {
    (void)state;
    assert_int_equal(ampel_sql_migrations_count, files_count("sql/migrations", ".sql"));
    assert_int_equal(ampel_sql_statements_count, files_count("sql/statements", ".sql"));
    assert_int_equal(ampel_sql_statements_count, AMPEL_SQL_STATEMENTS_COUNT);
    for (uint32_t i = 0; i < ampel_sql_migrations_count; i++) {
        char *text = file_read("sql/migrations", ampel_sql_migrations[i].name, ".sql");
        assert_string_equal(ampel_sql_migrations[i].text, text);
        free(text);
    }
    for (uint32_t i = 0; i < ampel_sql_statements_count; i++) {
        char *text = file_read("sql/statements", ampel_sql_statements[i].name, ".sql");
        assert_string_equal(ampel_sql_statements[i].text, text);
        free(text);
    }
    assert_string_equal(ampel_sql_statements[AMPEL_SQL_CHECKPOINT_FENCE].name, "checkpoint_fence");
}

/* Gaps do no harm: `ampel migrate` goes by the numbers that the names begin with. */
static void migrations_have_four_digits_ascending_from_one_each_once(void **state) {
    (void)state;
    assert_true(ampel_sql_migrations_count > 0);
    unsigned long before = 0;
    for (uint32_t i = 0; i < ampel_sql_migrations_count; i++) {
        char *end;
        unsigned long number = strtoul(ampel_sql_migrations[i].name, &end, 10);
        assert_int_equal(end - ampel_sql_migrations[i].name, 4);
        assert_int_equal(*end, '_');
        assert_true(i == 0 ? number == 1 : number > before);
        before = number;
    }
}

/* Whether a line of the text, apart from spaces, is this word and a semicolon. */
static bool has_line(const char *text, const char *line) {
    for (const char *at = text; at != NULL; at = strchr(at, '\n')) {
        at += *at == '\n';
        size_t size = strlen(line);
        if (strncmp(at, line, size) == 0 && (at[size] == '\n' || at[size] == 0)) return true;
    }
    return false;
}

static void a_migration_says_why_and_leaves_its_transaction_alone(void **state) {
    (void)state;
    static const char *const words[] = {"begin;", "commit;", "rollback;", "end;"};
    for (uint32_t i = 0; i < ampel_sql_migrations_count; i++) {
        const struct ampel_sql_text *migration = &ampel_sql_migrations[i];
        assert_memory_equal(migration->text, "-- ", 3);
        if (strstr(migration->text, "-- Locks:") == NULL)
            fail_msg("%s does not say which locks it takes", migration->name);
        for (size_t w = 0; w < AMPEL_ARRAY_COUNT(words); w++) {
            if (has_line(migration->text, words[w]))
                fail_msg("%s has a line '%s'", migration->name, words[w]);
        }
    }
}

static void texts_are_ascii(void **state) {
    (void)state;
    for (uint32_t i = 0; i < ampel_sql_statements_count; i++) {
        for (const char *at = ampel_sql_statements[i].text; *at != 0; at++)
            assert_in_range(*at, 1, 126);
    }
}

/* All C of the workers in one text. */
static char *sources_read(void) {
    static const char *const folders[] = {"workers", "workers/cli"};
    char *all = calloc(1, 8 << 20);
    assert_non_null(all);
    size_t size = 0;
    for (size_t f = 0; f < AMPEL_ARRAY_COUNT(folders); f++) {
        char path[1024];
        snprintf(path, sizeof(path), "%s/%s", AMPEL_SOURCE_DIR, folders[f]);
        DIR *directory = opendir(path);
        if (directory == NULL) continue;
        for (struct dirent *entry; (entry = readdir(directory)) != NULL;) {
            if (!ends_with(entry->d_name, ".c")) continue;
            char *text = file_read(folders[f], entry->d_name, "");
            size_t text_size = strlen(text);
            assert_true(size + text_size < 8 << 20);
            memcpy(all + size, text, text_size);
            size += text_size;
            free(text);
        }
        closedir(directory);
    }
    return all;
}

static void no_statement_lies_unused(void **state) {
    (void)state;
    char *sources = sources_read();
    for (uint32_t i = 0; i < ampel_sql_statements_count; i++) {
        char name[128] = "AMPEL_SQL_";
        size_t size = strlen(name);
        for (const char *at = ampel_sql_statements[i].name; *at != 0 && size + 1 < sizeof(name);
             at++)
            name[size++] = (char)toupper((unsigned char)*at);
        name[size] = 0;
        bool found = false;
        for (const char *at = sources; !found && (at = strstr(at, name)) != NULL; at += size)
            found = at[size] != '_' && !isalnum((unsigned char)at[size]);
        if (!found) fail_msg("nothing runs sql/statements/%s.sql", ampel_sql_statements[i].name);
    }
    free(sources);
}

static void no_sql_stands_in_c(void **state) {
    (void)state;
    static const char *const starts[] = {
        "\"select ",      "\"insert into ", "\"update ampel", "\"delete from ", "\"copy ",
        "\"create table", "\"begin;",       "\"commit;",      "\"SELECT ",      "\"INSERT ",
        "\"UPDATE ",      "\"DELETE ",      "\"COPY ",        "\"notify "};
    char *sources = sources_read();
    for (size_t i = 0; i < AMPEL_ARRAY_COUNT(starts); i++) {
        if (strstr(sources, starts[i]) != NULL) fail_msg("a statement stands in C: %s", starts[i]);
    }
    free(sources);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_text_is_the_file_of_its_name),
        cmocka_unit_test(migrations_have_four_digits_ascending_from_one_each_once),
        cmocka_unit_test(a_migration_says_why_and_leaves_its_transaction_alone),
        cmocka_unit_test(texts_are_ascii),
        cmocka_unit_test(no_statement_lies_unused),
        cmocka_unit_test(no_sql_stands_in_c),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
