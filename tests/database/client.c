#include "tests/database/client.h"

#include <libpq-fe.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct client {
    PGconn *connection;
    char code[6];
    char answer[65536];
};

const char *client_url(void) {
    const char *url = getenv("AMPEL_TEST_DATABASE_URL");
    if (url == NULL || url[0] == 0) {
        fprintf(stderr, "skipped: AMPEL_TEST_DATABASE_URL is not set; "
                        "run me by tests/tools/postgres.py PROGRAM\n");
        exit(77);
    }
    if (strstr(url, "/ampel_test_") == NULL) {
        fprintf(stderr,
                "refused: these tests empty the database, so it must be called ampel_test_*\n");
        exit(2);
    }
    return url;
}

const char *client_superuser_url(void) {
    const char *url = getenv("AMPEL_TEST_SUPERUSER_URL");
    return url == NULL || url[0] == 0 ? NULL : url;
}

const char *client_password(void) {
    static char password[128];
    const char *colon = strchr(strstr(client_url(), "//"), ':');
    const char *at = strchr(client_url(), '@');
    password[0] = 0;
    if (colon != NULL && at != NULL && colon < at)
        snprintf(password, sizeof(password), "%.*s", (int)(at - colon - 1), colon + 1);
    return password;
}

const char *client_url_as(const char *user) {
    static char url[1024];
    const char *at = strchr(client_url(), '@');
    assert_non_null(at);
    snprintf(url, sizeof(url), "postgresql://%s:%s%s", user, client_password(), at);
    return url;
}

struct client *client_open(const char *url) {
    struct client *client = calloc(1, sizeof(*client));
    assert_non_null(client);
    client->connection = PQconnectdb(url);
    if (PQstatus(client->connection) != CONNECTION_OK)
        fail_msg("%s", PQerrorMessage(client->connection));
    PQclear(
        PQexec(client->connection, "set timezone = 'UTC'; set client_min_messages = 'warning'"));
    return client;
}

void client_close(struct client *client) {
    PQfinish(client->connection);
    free(client);
}

static PGresult *run(struct client *client, const char *statement) {
    PGresult *result = PQexec(client->connection, statement);
    ExecStatusType status = PQresultStatus(result);
    if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK)
        fail_msg("%s in: %s", PQresultErrorMessage(result), statement);
    return result;
}

void client_do(struct client *client, const char *statements) {
    PQclear(run(client, statements));
}

const char *client_ask(struct client *client, const char *query) {
    PGresult *result = run(client, query);
    size_t size = 0;
    client->answer[0] = 0;
    for (int row = 0; row < PQntuples(result); row++) {
        for (int column = 0; column < PQnfields(result); column++) {
            int written = snprintf(client->answer + size, sizeof(client->answer) - size, "%s%s",
                                   column > 0 ? "|"
                                   : row > 0  ? "\n"
                                              : "",
                                   PQgetvalue(result, row, column));
            assert_true(written >= 0 && size + (size_t)written < sizeof(client->answer));
            size += (size_t)written;
        }
    }
    PQclear(result);
    return client->answer;
}

const char *client_refusal(struct client *client, const char *statement) {
    PGresult *result = PQexec(client->connection, statement);
    const char *code = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    snprintf(client->code, sizeof(client->code), "%s", code == NULL ? "" : code);
    PQclear(result);
    return client->code;
}

static struct client *owner(void) {
    static struct client *client;
    if (client == NULL) client = client_open(client_url());
    return client;
}

void owner_do(const char *statements) {
    client_do(owner(), statements);
}
const char *owner_ask(const char *query) {
    return client_ask(owner(), query);
}
