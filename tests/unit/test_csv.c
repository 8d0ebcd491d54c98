/* Tables as text (proto/csv.h). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/csv.h"
#include "proto/text.h"
#include "tests/oracle/random.h"

/* All cells as "a|b/c|d" (rows behind a slash), or "line L field: reason" where it breaks. */
static const char *read_all(const char *text, uint32_t size) {
    static char out[4096];
    struct ampel_error error = {0};
    struct ampel_csv_row row;
    uint32_t used = 0;
    struct ampel_csv *csv = ampel_csv_open((struct ampel_text){text, size}, &error);
    enum ampel_csv_status status = csv == NULL ? AMPEL_CSV_BROKEN : AMPEL_CSV_ROW;
    out[0] = 0;
    while (csv != NULL && (status = ampel_csv_next(csv, &row, &error)) == AMPEL_CSV_ROW) {
        if (used > 0) out[used++] = '/';
        for (uint32_t i = 0; i < row.cells_count; i++)
            used += (uint32_t)snprintf(out + used, sizeof out - used, "%s%.*s", i > 0 ? "|" : "",
                                       (int)row.cells[i].size, row.cells[i].bytes);
        out[used] = 0;
    }
    ampel_csv_close(csv);
    if (status == AMPEL_CSV_BROKEN)
        snprintf(out, sizeof out, "line %u %s: %s", error.line, error.field, error.reason);
    return out;
}

static void expect(const char *text, const char *wanted) {
    assert_string_equal(read_all(text, (uint32_t)strlen(text)), wanted);
}

static void cells_read_as_rfc_4180_writes_them(void **state) {
    (void)state;
    expect("a,b\r\nc,d\r\n", "a|b/c|d");
    expect("a,b\nc,d", "a|b/c|d");
    expect("a,b\rc,d\r", "a|b/c|d");
    expect("\"a,1\",\"say \"\"no\"\"\",\"two\nlines\"\n", "a,1|say \"no\"|two\nlines");
    expect("a,,\n,\n", "a||/|");
    expect("\"\",x", "|x");
    expect("12\" pan,b", "12\" pan|b");
    expect("\n\na,b\n\n\r\nc,d\n\n", "a|b/c|d");
    expect("", "");
    expect("\xEF\xBB\xBF" "ASIN,b\n", "ASIN|b");
}

static void the_separator_is_what_the_first_row_has_most_outside_of_quotes(void **state) {
    (void)state;
    expect("a;b;c\n1,5;2;3", "a|b|c/1,5|2|3");
    expect("a\tb\n1,2\t3;4", "a|b/1,2|3;4");
    expect("\"x,y,z\";b\n1;2", "x,y,z|b/1|2");
    expect("alone\nb,c", "alone/b|c");
}

static void what_cannot_be_read_names_line_and_column(void **state) {
    (void)state;
    expect("a,b\nc,\"d\ne", "line 2 column 2: the quote is never closed");
    expect("a,b\n\"c\"d,e\n", "line 2 column 1: there is text behind the closing quote");
    expect("a\n\xE4\n", "line 2 : a byte is no character of UTF-8: save the file as CSV in UTF-8");
    assert_string_equal(read_all("\xFF\xFE" "a\0", 4), "line 1 : the file is UTF-16: save it as CSV in UTF-8");
    assert_string_equal(read_all("a\0b", 3), "line 1 : a byte is zero: this is no table of text");
    char wide[AMPEL_CSV_CELLS_MAX + 1];
    memset(wide, ',', sizeof wide);
    assert_string_equal(read_all(wide, AMPEL_CSV_CELLS_MAX),
                        "line 1 column 257: a row has at most 256 cells");
    assert_true(strchr(read_all(wide, AMPEL_CSV_CELLS_MAX - 1), ':') == NULL);
}

static void a_row_knows_the_line_on_which_it_begins(void **state) {
    (void)state;
    static const char text[] = "a,\"b\r\nc\"\r\n\r\nd,e\n";
    struct ampel_csv_row row;
    struct ampel_error error = {0};
    struct ampel_csv *csv = ampel_csv_open(ampel_text_of(text), &error);
    assert_int_equal(ampel_csv_next(csv, &row, &error), AMPEL_CSV_ROW);
    assert_int_equal(row.line, 1);
    assert_int_equal(ampel_csv_next(csv, &row, &error), AMPEL_CSV_ROW);
    assert_int_equal(row.line, 4);
    assert_int_equal(ampel_csv_next(csv, &row, &error), AMPEL_CSV_END);
    ampel_csv_close(csv);
}

/* Random cells, written and read again, and then with random bytes changed: no read leaves the text (asan sees it). */
static void written_cells_read_back_and_damaged_ones_never_crash(void **state) {
    (void)state;
    static const char alphabet[] = "ab,;\t\"\r\n \xC3\xA4";
    struct ampel_random random = {20261001};
    for (int round = 0; round < 20000; round++) {
        char file[512], cells[6][16];
        uint32_t size = 0, count = 2 + (uint32_t)(ampel_random_next(&random) % 5);
        for (uint32_t i = 0; i < count; i++) {
            uint32_t length = (uint32_t)(ampel_random_next(&random) % 8);
            for (uint32_t k = 0; k < length; k++)
                cells[i][k] = alphabet[ampel_random_next(&random) % 9];
            cells[i][length] = 0;
            if (i > 0) file[size++] = ',';
            size += ampel_csv_cell(ampel_text_of(cells[i]), file + size, sizeof file - size);
        }
        /* Commas outside of quotes are the most: none of the others stands there. */
        struct ampel_csv_row row;
        struct ampel_error error = {0};
        struct ampel_csv *csv = ampel_csv_open((struct ampel_text){file, size}, &error);
        assert_non_null(csv);
        assert_int_equal(ampel_csv_next(csv, &row, &error), AMPEL_CSV_ROW);
        assert_int_equal(row.cells_count, count);
        for (uint32_t i = 0; i < count; i++) assert_true(ampel_text_is(row.cells[i], cells[i]));
        ampel_csv_close(csv);
        char *exact = malloc(size);
        memcpy(exact, file, size);
        for (int k = 0; k < 3; k++)
            exact[ampel_random_next(&random) % size] = (char)ampel_random_next(&random);
        csv = ampel_csv_open((struct ampel_text){exact, size}, &error);
        while (csv != NULL && ampel_csv_next(csv, &row, &error) == AMPEL_CSV_ROW) assert_true(row.line >= 1);
        ampel_csv_close(csv);
        free(exact);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cells_read_as_rfc_4180_writes_them),
        cmocka_unit_test(the_separator_is_what_the_first_row_has_most_outside_of_quotes),
        cmocka_unit_test(what_cannot_be_read_names_line_and_column),
        cmocka_unit_test(a_row_knows_the_line_on_which_it_begins),
        cmocka_unit_test(written_cells_read_back_and_damaged_ones_never_crash),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
