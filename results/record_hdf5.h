/* What writing and reading the result file with HDF5 have in common. Needs hdf5.h; included by record_*.c alone. */
#ifndef PQ_RECORD_HDF5_H
#define PQ_RECORD_HDF5_H

#include "../model_io/quiet.h"
#include "record_store.h"

#include <hdf5.h>

/* The root attribute `format`. */
extern const char pq_hdf5_format[];

/* The name of files in memory. HDF5 opens none under the name of a file that exists; this name cannot. */
extern const char pq_hdf5_nowhere[];

/* A UTF-8 text of fixed size (its zero included) or H5T_VARIABLE; a record as a compound. Close with H5Tclose. */
hid_t pq_hdf5_text(size_t bytes);
hid_t pq_hdf5_row(const struct pq_table *table);

#endif
