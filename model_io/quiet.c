#include "quiet.h"

struct pq_hdf5_quiet pq_hdf5_quiet_begin(void)
{
    struct pq_hdf5_quiet saved = { NULL, NULL };
    H5Eget_auto2(H5E_DEFAULT, &saved.print, &saved.data);
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    return saved;
}

void pq_hdf5_quiet_end(struct pq_hdf5_quiet saved)
{
    H5Eset_auto2(H5E_DEFAULT, saved.print, saved.data);
}
