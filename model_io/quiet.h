/* Keeps HDF5 from printing its own error stack while a file is read or written: our one line says what is wrong. Used
 * by model_io/ and results/. Between begin and end, on the thread that calls HDF5. */
#ifndef PQ_QUIET_H
#define PQ_QUIET_H

#include <hdf5.h>

struct pq_hdf5_quiet { H5E_auto2_t print; void *data; };
struct pq_hdf5_quiet pq_hdf5_quiet_begin(void);
void pq_hdf5_quiet_end(struct pq_hdf5_quiet saved);

#endif
