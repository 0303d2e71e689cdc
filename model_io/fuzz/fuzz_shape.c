/* A model's configuration as it is typed. */
#include "../shape.h"
#include "fuzz.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    struct fuzz_input in = { data, bytes };
    struct pq_shape shape;
    struct pq_error err = { "" };
    char *text = pq_alloc(bytes + 1);
    fuzz_bytes(&in, text, bytes + 1);
    if (fuzz_ok(pq_shape_parse(text, &shape, &err), &err, "model"))
        PQ_ASSERT(pq_shape_check(&shape, &err) == PQ_OK && shape.hidden % shape.heads == 0);
    free(text);
    return 0;
}
