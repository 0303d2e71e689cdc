/* The seal of model and material files. Input: 1 byte, of which bit 0 says whether the file is sealed again, the others
 * which kind is wanted; then the file. Nothing but a file whose digits are right may pass. */
#include "../material_store.h"
#include "../model_file.h"
#include "fuzz.h"
#include "sealing.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    const struct pq_seal_kind *const kinds[] = { &pq_secret_file.seal, &pq_public_file.seal, &pq_material_seal };
    struct fuzz_input in = { data, bytes };
    const uint8_t choice = fuzz_u8(&in);
    const struct pq_seal_kind *kind = kinds[(choice >> 1) % 3];
    struct pq_seal_part part[PQ_SEAL_PARTS];
    struct pq_error err = { "" };
    char path[80];
    const size_t size = in.left;
    uint8_t *file = pq_alloc(size);
    fuzz_bytes(&in, file, size);
    if (choice & 1)
        fuzz_seal(file, size, kind->parts);
    snprintf(path, sizeof path, "%s/sealed", fuzz_folder());
    fuzz_spill(path, file, size);
    if (fuzz_ok(pq_seal_check(path, kind, kind->parts ? part : NULL, NULL, &err), &err, path)) {
        PQ_ASSERT(fuzz_is_sealed(file, size, kind->parts));
        PQ_ASSERT(memmem(file, PQ_SEAL_BYTES, kind->name, strlen(kind->name)));
        uint64_t at = PQ_SEAL_BYTES;
        for (int i = 0; i < PQ_SEAL_PARTS && kind->parts; at = part[i].at + part[i].bytes, i++)
            PQ_ASSERT(part[i].at >= at && part[i].at <= size && part[i].bytes <= size - part[i].at);
    }
    free(file);
    return 0;
}
