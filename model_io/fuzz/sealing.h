/* Seals as FORMAT.md describes them, written a second time and independently of seal.c: the fuzz targets put a right
 * seal on what they changed, and compare seal.c's opinion with this one. */
#ifndef PQ_FUZZ_SEALING_H
#define PQ_FUZZ_SEALING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Puts the right 64 digits behind the first "sha256 " in the first 512 bytes. `parts`: open parts of the file, as the
 * header's two lines `open` say, do not count. Does nothing where the header cannot be understood. */
void fuzz_seal(uint8_t *data, size_t bytes, bool parts);

/* Whether the digits are right. */
bool fuzz_is_sealed(const uint8_t *data, size_t bytes, bool parts);

#endif
