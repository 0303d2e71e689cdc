/* Reader of safetensors files, the format of Hugging Face's checkpoints: 8 bytes n (little-endian), n bytes of JSON,
 * then the tensors' values. The JSON is an object: name -> {"dtype", "shape", "data_offsets": [begin, end]}, offsets
 * counted from the end of the JSON; "__metadata__" is text for people and is passed over.
 *
 * Opening checks the whole description, before memory is taken for any value: every dtype is one of the format's, a
 * shape's product times the size of an element is end - begin, and the tensors cover the values' bytes without hole,
 * overlap or rest. So a file that was cut off anywhere is refused. The values have no checksum. */
#ifndef PQ_SAFETENSORS_H
#define PQ_SAFETENSORS_H

#include "../kernels/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pq_safetensors;

/* PQ_USER, one line that starts with the path: cannot be opened, is no safetensors file, is not whole. */
PQ_MUST_USE enum pq_status pq_safetensors_open(const char *path, struct pq_safetensors **file, struct pq_error *err);
void pq_safetensors_close(struct pq_safetensors *file); /* NULL is fine */

/* Whether there is a tensor of this name; *rows and *cols (NULL: not wanted) of one with two dimensions, or cols = 1
 * with one dimension; both 0 for other numbers of dimensions and sizes beyond 2^32 - 1. */
bool pq_safetensors_find(const struct pq_safetensors *file, const char *name, uint32_t *rows, uint32_t *cols);

/* The values of a matrix [rows][cols], or a vector (cols 1), malloc'ed as float32: F64, F16 and BF16 are converted.
 * PQ_USER: no such tensor, other dimensions, another dtype, a value that is no finite float32, unreadable. */
PQ_MUST_USE enum pq_status pq_safetensors_read(const struct pq_safetensors *file, const char *name, uint32_t rows,
                                               uint32_t cols, float **values, struct pq_error *err);

#endif
