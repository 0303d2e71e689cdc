#include "clear_model.h"

#include <string.h>

enum pq_status pq_clear_model_read(const char *prefix, struct pq_clear_model *m, struct pq_error *err)
{
    enum pq_status s = pq_model_read_secret(prefix, &m->model, err);
    if (s != PQ_OK)
        return s;
    s = pq_model_read_public(prefix, &m->embedding, err);
    if (s != PQ_OK) {
        pq_model_free(&m->model);
        return s;
    }
    if (memcmp(m->model.id, m->embedding.id, 32) == 0)
        return PQ_OK;
    pq_clear_model_free(m);
    return pq_fail(err, PQ_USER, "%s.public.h5 does not belong to %s.secret.h5: they were not written together", prefix,
                   prefix);
}

void pq_clear_model_free(struct pq_clear_model *m)
{
    pq_model_free(&m->model);
    pq_embedding_free(&m->embedding);
}
