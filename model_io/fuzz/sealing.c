#include "sealing.h"

#include "fuzz.h"

#include <inttypes.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { HEADER = 512, DIGITS = 64 };

/* Where the digits stand; 0: nowhere. */
static size_t digits_at(const uint8_t *data, size_t bytes)
{
    static const char word[] = "sha256 ";
    const uint8_t *found = bytes < HEADER ? NULL : memmem(data, HEADER - DIGITS, word, sizeof word - 1);
    return found ? (size_t)(found - data) + sizeof word - 1 : 0;
}

/* The digits that the file should have, or false. */
static bool right_digits(const uint8_t *data, size_t bytes, bool parts, char digits[DIGITS + 1])
{
    const size_t at = digits_at(data, bytes);
    uint64_t open[4] = { bytes, 0, bytes, 0 };
    uint8_t digest[32];
    char text[HEADER + 1] = "";
    if (!at)
        return false;
    memcpy(text, data, HEADER);
    if (parts && sscanf(text + at + DIGITS, " open %18" SCNu64 " %18" SCNu64 " open %18" SCNu64 " %18" SCNu64, &open[0],
                        &open[1], &open[2], &open[3]) != 4)
        return false;
    if (open[0] < HEADER || open[0] > bytes || open[1] > bytes - open[0] || open[2] < open[0] + open[1] ||
        open[2] > bytes || open[3] > bytes - open[2])
        return false;
    uint8_t *hashed = malloc(bytes);
    PQ_ASSERT(hashed);
    memcpy(hashed, data, bytes);
    memset(hashed + at, '0', DIGITS);
    size_t length = open[0];
    memmove(hashed + length, hashed + open[0] + open[1], open[2] - open[0] - open[1]);
    length += open[2] - open[0] - open[1];
    memmove(hashed + length, hashed + open[2] + open[3], bytes - open[2] - open[3]);
    length += bytes - open[2] - open[3];
    PQ_ASSERT(EVP_Digest(hashed, length, digest, NULL, EVP_sha256(), NULL) == 1);
    free(hashed);
    for (int i = 0; i < 32; i++)
        snprintf(digits + 2 * i, 3, "%02x", digest[i]);
    return true;
}

void fuzz_seal(uint8_t *data, size_t bytes, bool parts)
{
    char digits[DIGITS + 1];
    if (right_digits(data, bytes, parts, digits))
        memcpy(data + digits_at(data, bytes), digits, DIGITS);
}

bool fuzz_is_sealed(const uint8_t *data, size_t bytes, bool parts)
{
    char digits[DIGITS + 1];
    return right_digits(data, bytes, parts, digits) && !memcmp(data + digits_at(data, bytes), digits, DIGITS);
}
