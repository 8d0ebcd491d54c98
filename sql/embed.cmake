# Every text of sql/ becomes a constant of ampel_workers, so that a binary and its SQL never disagree. Writes into the
# build folder: workers/sql_texts.h with a name for each statement, so that a misspelt one does not compile, and
# sql_texts.c with the bytes. Included by the root CMakeLists.txt; a changed file configures anew.
set(sql_generated ${CMAKE_BINARY_DIR}/generated)
file(GLOB sql_migrations CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/sql/migrations/*.sql)
file(GLOB sql_statements CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/sql/statements/*.sql)
list(SORT sql_migrations)
list(SORT sql_statements)
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${sql_migrations} ${sql_statements})

set(sql_bytes "")
set(sql_enum "")
function(sql_embed list_name)
    set(rows "")
    foreach(path ${ARGN})
        get_filename_component(name ${path} NAME_WE)
        file(READ ${path} hex HEX)
        string(REGEX REPLACE "(................................)" "\\1\n" hex "${hex}")
        string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," hex "${hex}")
        string(APPEND sql_bytes "static const unsigned char text_${name}[] = {\n${hex}0x00};\n")
        string(APPEND rows "    {\"${name}\", (const char *)text_${name}},\n")
        string(TOUPPER ${name} upper)
        string(APPEND enum "    AMPEL_SQL_${upper},\n")
    endforeach()
    string(APPEND sql_bytes "const struct ampel_sql_text ampel_sql_${list_name}[] = {\n${rows}};\n")
    list(LENGTH ARGN count)
    string(APPEND sql_bytes "const uint32_t ampel_sql_${list_name}_count = ${count};\n")
    set(sql_bytes "${sql_bytes}" PARENT_SCOPE)
    set(sql_enum "${enum}" PARENT_SCOPE)
endfunction()
sql_embed(migrations ${sql_migrations})
sql_embed(statements ${sql_statements})

function(sql_write path content)
    file(WRITE ${path}.new "${content}")
    file(COPY_FILE ${path}.new ${path} ONLY_IF_DIFFERENT)
endfunction()
sql_write(${sql_generated}/workers/sql_texts.h
"/* Made by sql/embed.cmake: the texts of sql/, by name. */
#ifndef AMPEL_WORKERS_SQL_TEXTS_H
#define AMPEL_WORKERS_SQL_TEXTS_H

#include <stdint.h>

struct ampel_sql_text {
    const char *name; /* of the file, without folder and ending */
    const char *text;
};

/* Ascending by name, which begins with the number. */
extern const struct ampel_sql_text ampel_sql_migrations[];
extern const uint32_t ampel_sql_migrations_count;

enum ampel_sql_statement {
${sql_enum}    AMPEL_SQL_STATEMENTS_COUNT
};
extern const struct ampel_sql_text ampel_sql_statements[];
extern const uint32_t ampel_sql_statements_count;

#endif
")
sql_write(${sql_generated}/sql_texts.c
"/* Made by sql/embed.cmake. */
#include \"workers/sql_texts.h\"

${sql_bytes}")
target_sources(ampel_workers PRIVATE ${sql_generated}/sql_texts.c)
target_include_directories(ampel_workers PUBLIC ${sql_generated})
