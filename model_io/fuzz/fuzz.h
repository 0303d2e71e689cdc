/* What the fuzz targets of all folders share. A target is one file with LLVMFuzzerTestOneInput: under clang with
 * -DPQ_FUZZ=ON libFuzzer drives it, in every other build replay.c, which hands it each file of the corpus.
 *
 * A target ends the process (PQ_ASSERT) when a reader crashes, accepts what it must refuse, refuses in another way than
 * FORMAT.md says, or writes a message that is not one line. */
#ifndef PQ_FUZZ_H
#define PQ_FUZZ_H

#include "../../kernels/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

/* The input as a sequence of numbers: taken from the front, zeros at its end. */
struct fuzz_input { const uint8_t *at; size_t left; };
uint8_t fuzz_u8(struct fuzz_input *in);
uint32_t fuzz_u32(struct fuzz_input *in); /* little-endian */
/* `bytes` bytes of the input, then zeros. */
void fuzz_bytes(struct fuzz_input *in, void *to, size_t bytes);

/* PQ_OK, or PQ_USER and a line without control characters that contains `part`. True: PQ_OK. */
bool fuzz_ok(enum pq_status status, const struct pq_error *err, const char *part);

/* A folder in memory where there is one, made at the first call and gone at the end of the process with the files in
 * it. */
const char *fuzz_folder(void);
/* Replaces the file, mode 0600. */
void fuzz_spill(const char *path, const void *data, size_t bytes);
/* The whole file; free it. */
uint8_t *fuzz_slurp(const char *path, size_t *bytes);

#endif
