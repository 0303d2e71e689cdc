#include "prg.h"

#include "machine.h"
#include "prg_variants.h"
#include "secret.h"
#include "status.h"

#include <openssl/evp.h>

#include <omp.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_THREADS = 1024, BATCH = 128 };

/* Each thread of a team has its own cipher state, made when that thread first asks, so nothing is shared. One state
 * in ECB mode serves ranges and scattered blocks alike: the counters are written out and encrypted in bulk. */
struct pq_prg {
    struct pq_aes_key expanded; /* for the tuned variant */
    const struct pq_aes *aes; /* NULL: OpenSSL */
    uint8_t key[16];
    struct pq_prg_watch *watch;
    EVP_CIPHER_CTX *state[MAX_THREADS];
};

static const struct pq_aes variants[] = { /* best last */
#if defined(__x86_64__)
    { "aesni", pq_cpu_aes,
      pq_aes_expand, pq_aesni_blocks, pq_aesni_range, pq_aesni_entries },
    { "vaes256", pq_cpu_vaes,
      pq_aes_expand, pq_vaes256_blocks, pq_vaes256_range, pq_vaes256_entries },
    { "vaes512", pq_cpu_vaes512,
      pq_aes_expand, pq_vaes512_blocks, pq_vaes512_range, pq_vaes512_entries },
#endif
    { .name = NULL },
};

const struct pq_aes *pq_aes_pick(const char *forced)
{
    const struct pq_aes *best = NULL;
    for (const struct pq_aes *v = variants; v->name; v++)
        if ((!forced || !strcmp(forced, v->name)) && v->usable())
            best = v;
    return best;
}

static struct pq_prg *create(const uint8_t key[16], const struct pq_aes *aes)
{
    struct pq_prg *prg = pq_alloc(sizeof *prg);
    memset(prg, 0, sizeof *prg);
    memcpy(prg->key, key, 16);
    prg->aes = aes;
    if (aes)
        aes->expand(&prg->expanded, key);
    return prg;
}

struct pq_prg *pq_prg_create(const uint8_t key[16])
{
    return create(key, pq_aes_pick(NULL));
}

struct pq_prg *pq_prg_create_forced(const uint8_t key[16], const char *variant)
{
    const bool plain = !strcmp(variant, "openssl");
    const struct pq_aes *aes = plain ? NULL : pq_aes_pick(variant);
    return plain || aes ? create(key, aes) : NULL;
}

void pq_prg_free(struct pq_prg *prg)
{
    if (!prg)
        return;
    for (int t = 0; t < MAX_THREADS; t++)
        EVP_CIPHER_CTX_free(prg->state[t]);
    pq_free_secret(prg, sizeof *prg);
}

void pq_prg_set_watch(struct pq_prg *prg, struct pq_prg_watch *watch)
{
    prg->watch = watch;
}

static void tell(const struct pq_prg *prg, struct pq_address at, uint64_t first_bit, uint64_t bits)
{
    if (prg->watch)
        prg->watch->drawn(prg->watch, at, first_bit, bits);
}

static EVP_CIPHER_CTX *state_of_thread(struct pq_prg *prg)
{
    int t = omp_get_thread_num();
    PQ_ASSERT(t < MAX_THREADS);
    if (!prg->state[t]) {
        EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
        PQ_ASSERT(c && EVP_EncryptInit_ex(c, EVP_aes_128_ecb(), NULL, prg->key, NULL) == 1);
        EVP_CIPHER_CTX_set_padding(c, 0);
        prg->state[t] = c;
    }
    return prg->state[t];
}

static void put_prefix(uint8_t block[16], struct pq_address at)
{
    uint32_t word = at.op << 8 | at.stream;
    for (int i = 0; i < 4; i++) {
        block[i] = (uint8_t)(at.inference >> (8 * i));
        block[4 + i] = (uint8_t)(word >> (8 * i));
    }
}

static void put_index(uint8_t block[16], uint64_t index)
{
    uint64_t big = __builtin_bswap64(index);
    memcpy(block + 8, &big, 8);
}

static void encrypt(EVP_CIPHER_CTX *c, const uint8_t *in, uint8_t *out, size_t blocks)
{
    int done = 0;
    int rc = EVP_EncryptUpdate(c, out, &done, in, (int)(16 * blocks));
    PQ_ASSERT(rc == 1 && done == (int)(16 * blocks));
}

/* n blocks from number `first` on. */
static void range(struct pq_prg *prg, struct pq_address at, uint64_t first, size_t n, uint8_t *out)
{
    uint8_t counter[16 * BATCH];
    put_prefix(counter, at);
    if (prg->aes) {
        prg->aes->range(&prg->expanded, counter, first, n, out);
        return;
    }
    EVP_CIPHER_CTX *c = state_of_thread(prg);
    for (size_t i = 1; i < BATCH && i < n; i++)
        put_prefix(counter + 16 * i, at);
    for (size_t done = 0; done < n; done += BATCH) {
        size_t m = n - done < BATCH ? n - done : BATCH;
        for (size_t i = 0; i < m; i++)
            put_index(counter + 16 * i, first + done + i);
        encrypt(c, counter, out + 16 * done, m);
    }
}

void pq_prg_fill(struct pq_prg *prg, struct pq_address at, uint64_t first, size_t bytes, void *out)
{
    PQ_ASSERT(at.op < 1u << 24 && at.stream < 256);
    uint8_t edge[16];
    uint8_t *dst = out;
    uint64_t index = first / 16;
    size_t skip = first % 16;

    tell(prg, at, 8 * first, 8 * bytes);
    if (skip && bytes) {
        size_t n = 16 - skip < bytes ? 16 - skip : bytes;
        range(prg, at, index++, 1, edge);
        memcpy(dst, edge + skip, n);
        dst += n;
        bytes -= n;
    }
    range(prg, at, index, bytes / 16, dst);
    if (bytes % 16) {
        range(prg, at, index + bytes / 16, 1, edge);
        memcpy(dst + bytes / 16 * 16, edge, bytes % 16);
    }
    pq_wipe(edge, sizeof edge);
}

static void scattered(struct pq_prg *prg, struct pq_address at, const uint64_t *index, size_t n, uint8_t *out)
{
    PQ_ASSERT(at.op < 1u << 24 && at.stream < 256);
    uint8_t counter[16 * BATCH];
    size_t used = n < BATCH ? n : BATCH;
    put_prefix(counter, at);
    if (prg->aes) {
        prg->aes->blocks(&prg->expanded, counter, index, n, out);
        return;
    }
    EVP_CIPHER_CTX *c = state_of_thread(prg);

    for (size_t i = 0; i < used; i++)
        put_prefix(counter + 16 * i, at);
    for (size_t done = 0; done < n; done += BATCH) {
        size_t m = n - done < BATCH ? n - done : BATCH;
        for (size_t i = 0; i < m; i++)
            put_index(counter + 16 * i, index[done + i]);
        encrypt(c, counter, out + 16 * done, m);
    }
}

void pq_prg_blocks(struct pq_prg *prg, struct pq_address at, const uint64_t *index, size_t n, uint8_t *out)
{
    for (size_t i = 0; prg->watch && i < n; i++)
        tell(prg, at, 128 * index[i], 128);
    scattered(prg, at, index, n, out);
}

/* The bits of a block from `bit` on, 32 at most; those of an entry never cross a 32-bit word. */
static uint32_t bits_from(const uint8_t block[16], unsigned bit)
{
    uint32_t word;
    memcpy(&word, block + bit / 32 * 4, sizeof word);
    return word >> bit % 32;
}

void pq_prg_entries(struct pq_prg *prg, struct pq_address at, uint64_t first_bit, uint64_t step_bits,
                    const uint16_t *index, size_t n, unsigned w, uint32_t mask, void *out)
{
    uint64_t block[BATCH];
    uint8_t drawn[16 * BATCH], prefix[16];
    for (size_t i = 0; prg->watch && i < n; i++)
        tell(prg, at, first_bit + i * step_bits + (uint64_t)index[i] * w, w);
    if (prg->aes && w <= 16) {
        PQ_ASSERT(at.op < 1u << 24 && at.stream < 256);
        put_prefix(prefix, at);
        prg->aes->entries(&prg->expanded, prefix, first_bit, step_bits, index, n, w, mask, out);
        return;
    }
    for (size_t i0 = 0; i0 < n; i0 += BATCH) {
        const size_t m = n - i0 < BATCH ? n - i0 : BATCH;
        for (size_t i = 0; i < m; i++)
            block[i] = (first_bit + (i0 + i) * step_bits + (uint64_t)index[i0 + i] * w) / 128;
        scattered(prg, at, block, m, drawn);
        for (size_t i = 0; i < m; i++) {
            const uint64_t bit = first_bit + (i0 + i) * step_bits + (uint64_t)index[i0 + i] * w;
            const uint32_t v = bits_from(drawn + 16 * i, (unsigned)(bit % 128)) & mask;
            switch (w) {
            case 32: ((uint32_t *)out)[i0 + i] = v; break;
            case 16: ((uint16_t *)out)[i0 + i] = (uint16_t)v; break;
            default: ((uint8_t *)out)[i0 + i] = (uint8_t)v; break;
            }
        }
    }
}
