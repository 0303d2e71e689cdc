#include "secret.h"

#include <openssl/crypto.h>

#include <stdlib.h>
#include <sys/resource.h>

void pq_wipe(void *p, size_t bytes)
{
    if (bytes)
        OPENSSL_cleanse(p, bytes);
}

void pq_free_secret(void *p, size_t bytes)
{
    if (p)
        pq_wipe(p, bytes);
    free(p);
}

void pq_forbid_core_dumps(void)
{
    const struct rlimit none = { 0, 0 };
    setrlimit(RLIMIT_CORE, &none); /* lowering a limit is always allowed */
}
