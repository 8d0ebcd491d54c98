#define _POSIX_C_SOURCE 200809L
#include "workers/keyfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <zmq.h>

#include "workers/logline.h"

#define KEYFILE_BYTES_MAX 4096
#define KEY_BYTES         32
#define PATH_BYTES        4096

bool ampel_key_valid(const char *key) {
    uint8_t bytes[KEY_BYTES];
    /* The length first: the decoder takes any multiple of five and would write behind the key. */
    return strlen(key) == AMPEL_KEY_TEXT_SIZE - 1 && zmq_z85_decode(bytes, key) != NULL;
}

bool ampel_keyfile_generate(struct ampel_keyfile *out) {
    struct ampel_keyfile made = {0};
    if (zmq_curve_keypair(made.public_key, made.secret_key) != 0) return false;
    *out = made;
    return true;
}

/* The file is taken all the same: who runs the worker decides who may read its secrets. */
static void others_warn(const char *path, int fd) {
    struct stat status;
    char mode[8];
    if (fstat(fd, &status) != 0 || (status.st_mode & (S_IRWXG | S_IRWXO)) == 0) return;
    snprintf(mode, sizeof(mode), "%03o", (unsigned)status.st_mode & 0777);
    ampel_log(AMPEL_LOG_WARN, "keys", "a key file can be read by others than its owner", "path",
              "%s", path, "mode", "%s", mode, "wanted", "%s", "600", NULL);
}

/* All of a small file, terminated. Size, or -1 with error filled. */
static ssize_t file_read(const char *path, char bytes[KEYFILE_BYTES_MAX + 1],
                         struct ampel_error *error) {
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        (void)ampel_error_set(error, "", "%s: %s", path, strerror(errno));
        return -1;
    }
    others_warn(path, fd);
    size_t size = 0;
    while (size < KEYFILE_BYTES_MAX) {
        const ssize_t got = read(fd, bytes + size, KEYFILE_BYTES_MAX - size);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) {
            (void)ampel_error_set(error, "", "%s: %s", path, strerror(errno));
            close(fd);
            return -1;
        }
        if (got == 0) break;
        size += (size_t)got;
    }
    close(fd);
    if (size == KEYFILE_BYTES_MAX) {
        (void)ampel_error_set(error, "", "%s: too large for a key file", path);
        return -1;
    }
    bytes[size] = '\0';
    return (ssize_t)size;
}

/* One line "name key", both terminated in place by the caller's copy. */
static bool line_read(const char *path, char *line, struct ampel_keyfile *out,
                      struct ampel_error *error) {
    size_t size = strlen(line);
    while (size > 0 && (line[size - 1] == ' ' || line[size - 1] == '\t' || line[size - 1] == '\r'))
        line[--size] = '\0';
    if (size == 0 || line[0] == '#') return true;
    char *key = strpbrk(line, " \t");
    if (key == NULL) return ampel_error_set(error, line, "%s: no key behind the name", path);
    *key++ = '\0';
    key += strspn(key, " \t");
    char *const to = strcmp(line, "public") == 0   ? out->public_key
                     : strcmp(line, "secret") == 0 ? out->secret_key
                     : strcmp(line, "server") == 0 ? out->server_key
                                                   : NULL;
    if (to == NULL)
        return ampel_error_set(error, line, "%s: a line starts with public, secret or server",
                               path);
    if (to[0] != '\0') return ampel_error_set(error, line, "%s: given twice", path);
    if (!ampel_key_valid(key))
        return ampel_error_set(error, line, "%s: not a key of 40 characters of Z85", path);
    memcpy(to, key, AMPEL_KEY_TEXT_SIZE);
    return true;
}

static bool complete(const char *path, bool server, const struct ampel_keyfile *keyfile,
                     struct ampel_error *error) {
    if (keyfile->public_key[0] == '\0')
        return ampel_error_set(error, "public", "%s: missing", path);
    if (keyfile->secret_key[0] == '\0')
        return ampel_error_set(error, "secret", "%s: missing", path);
    if (server && keyfile->server_key[0] == '\0')
        return ampel_error_set(error, "server", "%s: missing: the worker's public key", path);
    if (!server && keyfile->server_key[0] != '\0')
        return ampel_error_set(error, "server", "%s: this is a tenant's key file, not the worker's",
                               path);
    char derived[AMPEL_KEY_TEXT_SIZE];
    if (zmq_curve_public(derived, keyfile->secret_key) != 0 ||
        strcmp(derived, keyfile->public_key) != 0)
        return ampel_error_set(error, "public", "%s: does not belong to the secret key", path);
    return true;
}

bool ampel_keyfile_read(const char *path, bool server, struct ampel_keyfile *out,
                        struct ampel_error *error) {
    char bytes[KEYFILE_BYTES_MAX + 1];
    const ssize_t size = file_read(path, bytes, error);
    if (size < 0) return false;
    struct ampel_keyfile keyfile = {0};
    if (strlen(bytes) != (size_t)size)
        return ampel_error_set(error, "", "%s: has a zero byte", path);
    uint32_t line = 1;
    for (char *at = bytes; at != NULL; line++) {
        char *end = strchr(at, '\n');
        if (end != NULL) *end++ = '\0';
        if (!line_read(path, at, &keyfile, error)) {
            if (error != NULL) error->line = line;
            return false;
        }
        at = end;
    }
    if (!complete(path, server, &keyfile, error)) return false;
    *out = keyfile;
    return true;
}

static bool all_written(int fd, const char *bytes, size_t size) {
    while (size > 0) {
        const ssize_t put = write(fd, bytes, size);
        if (put < 0 && errno == EINTR) continue;
        if (put < 0) return false;
        bytes += put;
        size -= (size_t)put;
    }
    return fsync(fd) == 0;
}

bool ampel_keyfile_write(const char *path, const struct ampel_keyfile *keyfile,
                         struct ampel_error *error) {
    AMPEL_ASSERT(ampel_key_valid(keyfile->public_key) && ampel_key_valid(keyfile->secret_key));
    char text[256];
    int size = snprintf(text, sizeof(text), "public %s\nsecret %s\n", keyfile->public_key,
                        keyfile->secret_key);
    if (keyfile->server_key[0] != '\0')
        size +=
            snprintf(text + size, sizeof(text) - (size_t)size, "server %s\n", keyfile->server_key);
    /* Under another name until it is whole: who looks at the same moment finds all of it or none. */
    char part[PATH_BYTES];
    if ((size_t)snprintf(part, sizeof(part), "%s.XXXXXX", path) >= sizeof(part))
        return ampel_error_set(error, "", "%s: %s", path, strerror(ENAMETOOLONG));
    const int fd = mkstemp(part);
    if (fd < 0) return ampel_error_set(error, "", "%s: %s", path, strerror(errno));
    bool done = all_written(fd, text, (size_t)size);
    int failed = errno;
    if (close(fd) != 0 && done) {
        done = false;
        failed = errno;
    }
    if (done && link(part, path) != 0) {
        done = false;
        failed = errno;
    }
    (void)unlink(part);
    return done || ampel_error_set(error, "", "%s: %s", path, strerror(failed));
}
