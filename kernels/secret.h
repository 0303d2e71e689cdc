/* Memory that held secrets (shares, masks, keys, clear inputs) is wiped before it is given back. */
#ifndef PQ_SECRET_H
#define PQ_SECRET_H

#include <stddef.h>

/* Zeroes in a way that the compiler does not leave out. NULL is fine when bytes is 0. */
void pq_wipe(void *p, size_t bytes);

/* Wipes and frees; p NULL is fine. */
void pq_free_secret(void *p, size_t bytes);

/* No core dumps of this process from now on. */
void pq_forbid_core_dumps(void);

#endif
