/* Token files. Input: vocabulary and longest sequence of the model, 4 bytes each, then the file. */
#include "../tokens.h"
#include "fuzz.h"

#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    struct fuzz_input in = { data, bytes };
    struct pq_shape shape = { 0 };
    struct pq_error err = { "" };
    char path[80];
    uint32_t *token;
    size_t count;
    shape.vocab = 1 + fuzz_u32(&in) % (1 << 20);
    shape.max_seq = 1 + fuzz_u32(&in) % PQ_MAX_SEQ;
    snprintf(path, sizeof path, "%s/tokens", fuzz_folder());
    fuzz_spill(path, in.at, in.left);
    if (fuzz_ok(pq_tokens_read(path, &shape, &token, &count, &err), &err, path)) {
        PQ_ASSERT(count >= 1 && count <= shape.max_seq);
        for (size_t i = 0; i < count; i++)
            PQ_ASSERT(token[i] < shape.vocab);
        free(token);
    } else {
        PQ_ASSERT(!token && count == 0);
    }
    return 0;
}
