/* What carries messages, as far as MPI tells: asked through MPI's tools interface, where Open MPI shows the variables
 * of the components that it keeps open. */
#ifndef PQ_TRANSPORT_H
#define PQ_TRANSPORT_H

#include <stddef.h>

/* "shared memory, one host (ob1/vader)", "loopback, one host (ob1/tcp)", "network (ob1/tcp)", "network (ucx)"; without
 * what stands in brackets where MPI does not tell. After MPI_Init. hosts: of the launch. */
void pq_transport_name(char *text, size_t room, int hosts);

#endif
