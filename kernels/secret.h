/* Memory that held secrets (shares, masks, keys, clear inputs) is wiped before it is given back. */
#ifndef PQ_SECRET_H
#define PQ_SECRET_H

#include <stddef.h>

/* Zeroes in a way that the compiler does not leave out. NULL is fine when bytes is 0. */
void pq_wipe(void *p, size_t bytes);

/* Wipes and frees; p NULL is fine. */
void pq_free_secret(void *p, size_t bytes);

/* The same where the size is not at hand: all that malloc gave for p. */
void pq_free_whole_secret(void *p);

/* Wipes what deeper calls of this thread left on the stack below and in vector registers: round keys, shares. */
void pq_wipe_stack(void);

/* No core dumps of this process and its children from now on: neither a file nor, where the system hands cores to a
 * program (kernel.core_pattern with '|'), what that program gets. For that the limit is 1 byte where it can be: a limit
 * of 0 is not looked at before a program is started, one of 1 is (core(5)). Not PR_SET_DUMPABLE: it would also keep the
 * ranks of one user from copying messages out of each other's memory (process_vm_readv), as MPI does on a host. */
void pq_forbid_core_dumps(void);

#endif
