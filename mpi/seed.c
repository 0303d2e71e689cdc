#include "seed.h"

#include "../kernels/status.h"

#include <openssl/evp.h>
#include <openssl/rand.h>

#include <string.h>

void pq_seed_make(uint8_t key[16], const uint64_t *seed, const char *name)
{
    if (!seed) {
        int rc = RAND_priv_bytes(key, 16);
        PQ_ASSERT(rc == 1);
        return;
    }
    uint8_t text[64] = { 0 }, digest[EVP_MAX_MD_SIZE];
    for (int i = 0; i < 8; i++)
        text[i] = (uint8_t)(*seed >> (8 * i));
    size_t n = strlen(name);
    PQ_ASSERT(n < sizeof text - 8);
    memcpy(text + 8, name, n);
    int rc = EVP_Digest(text, 8 + n, digest, NULL, EVP_sha256(), NULL);
    PQ_ASSERT(rc == 1);
    memcpy(key, digest, 16);
}
