#include "workers/fingerprint.h"

#include <assert.h>
#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define CHUNK_BYTES 65536

static bool failed(struct ampel_error *error, const char *path, const char *reason) {
    (void)ampel_error_set(error, path, "%s", reason);
    return false;
}

/* An error of reading leaves *size_bytes as it was. */
static bool stream_hash(FILE *file, uint8_t digest[crypto_hash_sha256_BYTES], int64_t *size_bytes) {
    crypto_hash_sha256_state state;
    uint8_t bytes[CHUNK_BYTES];
    int64_t total = 0;
    (void)crypto_hash_sha256_init(&state);
    for (size_t got; (got = fread(bytes, 1, sizeof bytes, file)) > 0; total += (int64_t)got)
        (void)crypto_hash_sha256_update(&state, bytes, got);
    (void)crypto_hash_sha256_final(&state, digest);
    if (ferror(file)) return false;
    *size_bytes = total;
    return true;
}

bool ampel_fingerprint_file(const char *path, char out[AMPEL_FINGERPRINT_SIZE], int64_t *size_bytes,
                            struct ampel_error *error) {
    static_assert(AMPEL_FINGERPRINT_SIZE == 2 * crypto_hash_sha256_BYTES + 1, "two digits a byte");
    uint8_t digest[crypto_hash_sha256_BYTES];
    struct stat about;
    if (sodium_init() < 0) return failed(error, path, "libsodium does not start");
    if (stat(path, &about) != 0) return failed(error, path, strerror(errno));
    if (!S_ISREG(about.st_mode)) return failed(error, path, "is no file");
    FILE *file = fopen(path, "rb");
    if (file == NULL) return failed(error, path, strerror(errno));
    bool good = stream_hash(file, digest, size_bytes);
    int reason = errno;
    (void)fclose(file);
    if (!good) return failed(error, path, strerror(reason));
    (void)sodium_bin2hex(out, AMPEL_FINGERPRINT_SIZE, digest, sizeof digest);
    return true;
}
