/* Changes to an HDF5 file that leave it one: what a careless or hostile writer could produce with HDF5 or h5py. Damage
 * to the bytes themselves is the seals' affair (fuzz_seal.c) or HDF5's own. */
#ifndef PQ_FUZZ_EDITS_H
#define PQ_FUZZ_EDITS_H

#include "fuzz.h"

#include <hdf5.h>

/* Edits the file as the input says until it is used up, at most 16 times; nothing is done for an empty one, and then
 * false is returned. An edit takes 1 byte for what, 1 byte for which object (in the order of their names), and what it
 * needs. What HDF5 refuses is left out. The file is closed after each edit: HDF5 1.10.8 can fall over its own memory of
 * what was deleted. */
bool fuzz_edit(const char *path, struct fuzz_input *in);

#endif
