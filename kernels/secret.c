#include "secret.h"

#include "prg_variants.h"

#include <openssl/crypto.h>

#include <malloc.h>
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

void pq_free_whole_secret(void *p)
{
    if (p)
        pq_wipe(p, malloc_usable_size(p));
    free(p);
}

/* A frame of its own, as deep as calls from where secrets are used go, MPI's among them. */
__attribute__((noinline)) void pq_wipe_stack(void)
{
    char below[1 << 17];
    pq_wipe(below, sizeof below);
    const struct pq_aes *aes = pq_aes_pick(NULL);
    if (aes)
        aes->forget();
}

void pq_forbid_core_dumps(void)
{
    struct rlimit limit = { 0, 0 };
    getrlimit(RLIMIT_CORE, &limit);
    limit.rlim_max = limit.rlim_max > 1 ? 1 : limit.rlim_max; /* 0 can be lowered no further */
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_CORE, &limit);
}
