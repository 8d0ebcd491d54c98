/* A plain client of PostgreSQL for the tests: what a person with psql would see. */
#ifndef AMPEL_TESTS_DATABASE_CLIENT_H
#define AMPEL_TESTS_DATABASE_CLIENT_H

#include <stdbool.h>

/* The test's database, as its owner and as a superuser (tests/tools/postgres.py sets both). Ends
   the program with status 77 and a sentence where it is not set, and refuses a database that is not
   called ampel_test_*. */
const char *client_url(void);
const char *client_superuser_url(void); /* NULL where there is none */
/* The owner's password, which roles made by tests get, too; "" where it has none. */
const char *client_password(void);
/* The owner's URL with another user. Static storage, until the next call. */
const char *client_url_as(const char *user);

struct client;
struct client *client_open(const char *url);
void client_close(struct client *client);
/* Runs statements; fails the test on an error. */
void client_do(struct client *client, const char *statements);
/* The rows of one query as psql -A -t prints them: columns split by |, rows by newlines, NULL
 * empty. Lifetime: until the next call. */
const char *client_ask(struct client *client, const char *query);
/* The SQLSTATE with which it fails, "" if it does not. */
const char *client_refusal(struct client *client, const char *statement);

/* The same as the owner, on a connection of their own. */
void owner_do(const char *statements);
const char *owner_ask(const char *query);

#endif
