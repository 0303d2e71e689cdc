#include "parties.h"

#include "../../kernels/ring.h"
#include "../seed.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifdef __SANITIZE_ADDRESS__
/* Open MPI unloads its plugins before leaks are looked for; what they hold could then not be told from ours by name
 * (lsan.supp). This one comes before the system's, and keeps them. */
int dlclose(void *handle);
int dlclose(void *handle)
{
    (void)handle;
    return 0;
}
#endif

void parties_start(struct parties *p, int *argc, char ***argv)
{
    struct pq_error err;
    const uint64_t seed = 20;
    uint8_t key[3][16];
    memset(p, 0, sizeof *p);
    if (pq_group_start(argc, argv, &p->group, &err) != PQ_OK) {
        fprintf(stderr, "%s\n", err.text);
        exit(2);
    }
    pq_seed_make(key[0], &seed, "s01");
    pq_seed_make(key[1], &seed, "s02");
    pq_seed_make(key[2], &seed, "s12");
    const enum pq_role role = p->group.role;
    struct pq_context *c[2] = { &p->dealer, &p->party };
    for (int i = 0; i < 2; i++) {
        c[i]->role = role;
        c[i]->link = &p->link;
        c[i]->s01 = role != PQ_P2 ? pq_prg_create(key[0]) : NULL;
        c[i]->s02 = role != PQ_P1 ? pq_prg_create(key[1]) : NULL;
        c[i]->s12 = role != PQ_P0 ? pq_prg_create(key[2]) : NULL;
        c[i]->gemm = pq_gemm16_pick(NULL);
        c[i]->weights = &p->weights;
    }
}

int parties_finish(struct parties *p)
{
    int mine[2] = { p->checks - p->failures, p->failures }, all[2];
    MPI_Allreduce(mine, all, 2, MPI_INT, MPI_SUM, p->group.control);
    if (p->group.world_rank == 0)
        printf("%d checks hold, %d do not\n", all[0], all[1]);
    struct pq_context *c[2] = { &p->dealer, &p->party };
    for (int i = 0; i < 2; i++) {
        pq_context_finish(c[i]);
        pq_prg_free(c[i]->s01);
        pq_prg_free(c[i]->s02);
        pq_prg_free(c[i]->s12);
    }
    pq_group_finish(&p->group);
    return all[1] != 0;
}

void parties_check(struct parties *p, bool holds, const char *fmt, ...)
{
    p->checks++;
    if (holds)
        return;
    va_list args;
    p->failures++;
    va_start(args, fmt);
    fprintf(stderr, "P%d rank %zu: FAILED: ", (int)p->group.role, p->group.rank);
    vfprintf(stderr, fmt, args);
    fputc('\n', stderr);
    va_end(args);
}

void parties_begin(struct parties *p, const struct pq_plan *plan)
{
    const uint32_t inference = p->party.inference + 1;
    pq_link_open(&p->link, &p->group, plan->ranks);
    memset(&p->cost, 0, sizeof p->cost);
    pq_cost_start(&p->cost, plan, p->group.rank);
    pq_dealer_start(&p->dealer, plan, p->group.rank);
    pq_party_start(&p->party, plan, p->group.rank);
    p->dealer.inference = p->party.inference = inference;
    for (int i = 0; i < 2; i++) {
        pq_arena_reset(&p->dealer.kept[i]);
        pq_arena_reset(&p->dealer.brief[i]);
        pq_arena_reset(&p->party.kept[i]);
        pq_arena_reset(&p->party.brief[i]);
    }
    p->dealer.engine.op = p->party.engine.op = p->cost.engine.op = 0;
}

void parties_run(struct parties *p, const char *what, void (*body)(struct parties *, struct pq_engine *, void *),
                 void *user)
{
    const enum pq_role role = p->group.role;
    p->cost.operation = PQ_OP_INPUT;
    body(p, &p->cost.engine, user);
    pq_cost_close(&p->cost);

    pq_link_phase(&p->link, PQ_OFFLINE, PQ_OP_INPUT);
    if (role == PQ_P0) {
        for (enum pq_role r = PQ_P1; r <= PQ_P2; r++)
            pq_stage_open(pq_stage_of(&p->dealer, r), &p->link, r);
        body(p, &p->dealer.engine, user);
        for (enum pq_role r = PQ_P1; r <= PQ_P2; r++) {
            pq_stage_flush(pq_stage_of(&p->dealer, r));
            pq_stage_close(pq_stage_of(&p->dealer, r));
        }
    } else {
        pq_material_receive(&p->party.material, &p->link, p->cost.stage[role].bytes);
    }
    pq_draws_free(&p->party.draws);
    if (role != PQ_P0) {
        p->party.draws = p->cost.draws[role];
        p->cost.draws[role] = (struct pq_draws){ 0 };
        pq_draws_make(&p->party.draws, role == PQ_P1 ? p->party.s01 : p->party.s02, p->party.inference);
    }
    pq_draws_free(&p->cost.draws[PQ_P1]);
    pq_draws_free(&p->cost.draws[PQ_P2]);
    pq_link_phase(&p->link, PQ_ONLINE, PQ_OP_INPUT);
    if (role != PQ_P0 || p->party.engine.plan.protocol == PQ_PUBLISHED)
        body(p, &p->party.engine, user);
    if (role != PQ_P0)
        pq_material_done(&p->party.material);

    for (int phase = PQ_OFFLINE; phase <= PQ_ONLINE; phase++) {
        const struct pq_count a = p->link.tally.at[phase][PQ_OP_INPUT], b = p->cost.party[role].at[phase][PQ_OP_INPUT];
        parties_check(
            p, pq_count_agrees(&a, &b),
            "%s, %s: counted %llu bytes %llu messages %llu rounds (%llu inside), predicted %llu %llu %llu (%llu)", what,
            pq_phase_name[phase], (unsigned long long)a.bytes, (unsigned long long)a.messages,
            (unsigned long long)a.rounds, (unsigned long long)a.internal_bytes, (unsigned long long)b.bytes,
            (unsigned long long)b.messages, (unsigned long long)b.rounds, (unsigned long long)b.internal_bytes);
    }
}

static bool is_party(const struct parties *p, const struct pq_engine *e)
{
    return e == &p->party.engine && p->group.role != PQ_P0;
}

struct pq_add parties_share(struct parties *p, struct pq_engine *e, struct pq_dim dim, unsigned bits,
                            const int32_t *clear)
{
    const size_t n = pq_dim_count(dim);
    struct pq_add x = { .dim = dim, .bits = bits };
    e->op++;
    if (!is_party(p, e))
        return x;
    uint32_t *half = pq_alloc(4 * n);
    x.share = pq_context_alloc(&p->party, n * pq_ring_bytes(bits));
    pq_context_fill(&p->party, p->party.s12, PQ_S_MASK, 4, dim.first, n, half);
    for (size_t i = 0; i < n; i++)
        pq_ring_put(x.share, i, bits,
                    (p->group.role == PQ_P1 ? half[i] : (uint32_t)clear[i] - half[i]) & pq_ring_mask(bits));
    free(half);
    return x;
}

/* Both P1's and P2's array at both of them, over the uncounted channel. */
static void swap(struct parties *p, const void *mine, void *theirs, size_t bytes)
{
    const int other = pq_group_rank_of(&p->group, p->group.role == PQ_P1 ? PQ_P2 : PQ_P1, p->group.rank);
    MPI_Sendrecv(mine, (int)bytes, MPI_BYTE, other, 9, theirs, (int)bytes, MPI_BYTE, other, 9, p->group.control,
                 MPI_STATUS_IGNORE);
}

bool parties_sum(struct parties *p, struct pq_engine *e, const void *share, size_t n, unsigned bits, uint32_t *out)
{
    if (!is_party(p, e))
        return false;
    const size_t bytes = n * pq_ring_bytes(bits);
    void *theirs = pq_alloc(bytes);
    swap(p, share, theirs, bytes);
    for (size_t i = 0; i < n; i++)
        out[i] = (pq_ring_get(share, i, bits) + pq_ring_get(theirs, i, bits)) & pq_ring_mask(bits);
    free(theirs);
    return true;
}

bool parties_rss(struct parties *p, struct pq_engine *e, const struct pq_rss *x, uint16_t *out)
{
    if (!is_party(p, e))
        return false;
    const size_t n = pq_dim_count(x->dim);
    const bool p1 = p->group.role == PQ_P1;
    uint16_t *mask = pq_alloc(2 * n), *x2 = pq_alloc(2 * n);
    swap(p, p1 ? x->x1 : x->x0, mask, 2 * n);
    swap(p, x->x2, x2, 2 * n);
    parties_check(p, !memcmp(x2, x->x2, 2 * n), "P1 and P2 hold different x2");
    for (size_t i = 0; i < n; i++)
        out[i] = (uint16_t)(x2[i] + mask[i] + ((const uint16_t *)(p1 ? x->x1 : x->x0))[i]);
    free(mask);
    free(x2);
    return true;
}
