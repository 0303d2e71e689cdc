/* Which addresses a process drew from one seed (kernels/prg.h), for the test that each is used once. One thread. */
#ifndef PQ_TEST_USES_H
#define PQ_TEST_USES_H

#include "../link.h"
#include "../../kernels/prg.h"

struct use { enum pq_phase phase; struct pq_address at; uint64_t first, bits; };

struct uses {
    struct pq_prg_watch watch; /* first: the generator gives it back */
    const struct pq_link *link; /* P0: phases are apart; NULL: they are not */
    struct use *list;
    size_t count, room;
};

/* link: P0's, which in `published` makes its own masks again online, of which the party holds nothing twice. P1 and P2,
 * which open and send, give NULL. */
void uses_open(struct uses *u, const struct pq_link *link);
void uses_close(struct uses *u);

/* No bit of any stream was drawn twice; else *where says which. Sorts the list. */
bool uses_once(struct uses *u, const char **where);

#endif
