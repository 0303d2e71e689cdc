/* For test_wrong.py, loaded before the MPI library: the process of rank PQ_FLIP_RANK sends each message of
 * PQ_FLIP_BYTES bytes with its lowest bit flipped. */
#include <mpi.h>

#include <stdlib.h>
#include <string.h>

static int number(const char *name)
{
    const char *text = getenv(name);
    return text ? atoi(text) : -1;
}

int MPI_Isend(const void *data, int count, MPI_Datatype type, int to, int tag, MPI_Comm comm, MPI_Request *request)
{
    int rank;
    PMPI_Comm_rank(MPI_COMM_WORLD, &rank);
    if (rank == number("PQ_FLIP_RANK") && type == MPI_BYTE && count == number("PQ_FLIP_BYTES")) {
        char *wrong = malloc((size_t)count); /* kept: when it was sent is not known here */
        memcpy(wrong, data, (size_t)count);
        wrong[0] ^= 1;
        data = wrong;
    }
    return PMPI_Isend(data, count, type, to, tag, comm, request);
}
