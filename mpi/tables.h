/* Tables of look-ups on their way from P0 to the parties that read them (protocols.md section 3). Of each table one
 * party stores a half, which P0 sends; the other makes the entry it reads from a seed, one AES block. Who stores
 * alternates between runs of elements, so that both parties touch the same amount of memory and draw the same number of
 * blocks (section 7; measured here: a stored entry costs 1 to 9 ns of memory traffic, a drawn one 1.2 ns, so a party
 * that stores everything keeps the other waiting):
 *
 *   element e with e / PQ_RUN even: P2 stores T - PRG(s01), P1 draws PRG(s01)
 *   element e with e / PQ_RUN odd:  P1 stores T - PRG(s02), P2 draws PRG(s02)
 *
 * Element numbers are those of the whole value, so a table's holder does not depend on G. Entry i of element e's table
 * is element e*2^index_bits + i of stream PQ_S_TABLE + output. */
#ifndef PQ_TABLES_H
#define PQ_TABLES_H

#include "context.h"
#include "cost.h"

enum { PQ_RUN = 256, PQ_ROW_RUN = 32 }; /* of elements; of rows, where the tables of a row lie together (lookup.c) */
enum { PQ_TABLES_MADE = 64 };           /* most tables that are made and masked together */

/* Who stores the half of element (or row) e. */
static inline enum pq_role pq_holder(size_t e, size_t run)
{
    return e / run % 2 ? PQ_P1 : PQ_P2;
}

/* How many of the elements below e `role` stores. */
static inline size_t pq_held_below(enum pq_role role, size_t e, size_t run)
{
    const size_t whole = e / (2 * run) * run, rest = e % (2 * run), even = rest < run ? rest : run;
    return whole + (role == PQ_P2 ? even : rest - even);
}

static inline size_t pq_held(enum pq_role role, size_t first, size_t n, size_t run)
{
    return pq_held_below(role, first + n, run) - pq_held_below(role, first, run);
}

/* The k-th element from `first` on that `role` stores. */
static inline size_t pq_held_element(enum pq_role role, size_t first, size_t k, size_t run)
{
    const size_t number = pq_held_below(role, first, run) + k;
    return number / run * 2 * run + (role == PQ_P1 ? run : 0) + number % run;
}

/* How many of the `left` elements from e on have e's holder. */
static inline size_t pq_run_at(size_t e, size_t left, size_t run)
{
    const size_t rest = run - e % run;
    return rest < left ? rest : left;
}

/* Writes `some` tables, from table i of a value on, as they are to be read at their opened indices: one after the other.
 * some <= PQ_TABLES_MADE. */
typedef void pq_make_tables(void *tables, size_t i, size_t some, const void *user);

/* P0: n tables of `each` bytes with entries in Z_2^out_bits, numbered from `first` on: make's tables 0 to n - 1. It runs
 * on any thread. Sends pq_table_stored bytes of each. */
void pq_tables_deal(struct pq_context *c, unsigned output, size_t first, size_t n, size_t each, unsigned out_bits,
                    pq_make_tables *make, const void *user);

/* P1, P2: the same n tables, as this party has them. */
struct pq_table_halves {
    struct pq_prg *prg;
    struct pq_address at;
    const uint8_t *stored; /* this party's halves, in order of elements */
    size_t first, each, stored_each;
    enum pq_role role;
};
struct pq_table_halves pq_tables_take(struct pq_context *c, unsigned output, size_t first, size_t n, size_t each,
                                      unsigned out_bits);

/* This party's half of table i (counted from `first`), which it must store. */
static inline const uint8_t *pq_tables_at(const struct pq_table_halves *t, size_t i)
{
    return t->stored + pq_held(t->role, t->first, i, PQ_RUN) * t->stored_each;
}

/* out[k] = this party's share of entry index[k] of table i + k, k < n, in Z_2^out_bits. Any thread. */
void pq_tables_read(const struct pq_table_halves *t, void *out, size_t i, const uint16_t *index, size_t n,
                    unsigned out_bits);

/* The material of such tables and the look-ups in stored ones; a multi-output look-up calls it once per output. */
void pq_tables_cost(struct pq_cost *c, size_t first, size_t n, size_t each, unsigned out_bits);

#endif
