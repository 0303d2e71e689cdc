/* The whole model in one process, as the integer model in the clear (engine `plain`) needs it: for `plain`, and for
 * `eval` without parties. */
#ifndef PQ_CLEAR_MODEL_H
#define PQ_CLEAR_MODEL_H

#include "../model_io/model.h"

struct pq_clear_model { struct pq_model model; struct pq_embedding embedding; };

/* Reads both files of the model. PQ_USER, and nothing allocated: one of them cannot be read, is damaged, or they were
 * not written together. */
PQ_MUST_USE enum pq_status pq_clear_model_read(const char *prefix, struct pq_clear_model *m, struct pq_error *err);
void pq_clear_model_free(struct pq_clear_model *m);

#endif
