#include "sha256.h"

#include "../kernels/status.h"

#include <openssl/evp.h>
#include <stdlib.h>

struct pq_sha256 { EVP_MD_CTX *context; };

struct pq_sha256 *pq_sha256_begin(void)
{
    struct pq_sha256 *sha = pq_alloc(sizeof *sha);
    sha->context = EVP_MD_CTX_new();
    PQ_ASSERT(sha->context && EVP_DigestInit_ex(sha->context, EVP_sha256(), NULL) == 1);
    return sha;
}

void pq_sha256_add(struct pq_sha256 *sha, const void *data, size_t bytes)
{
    PQ_ASSERT(EVP_DigestUpdate(sha->context, data, bytes) == 1);
}

void pq_sha256_end(struct pq_sha256 *sha, uint8_t digest[PQ_SHA256_BYTES])
{
    PQ_ASSERT(!digest || EVP_DigestFinal_ex(sha->context, digest, NULL) == 1);
    EVP_MD_CTX_free(sha->context);
    free(sha);
}
