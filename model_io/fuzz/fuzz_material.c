/* Material files that are sealed, but not what FORMAT.md says. Input: 1 byte, of which bit 0 says that the file's user
 * wants no keys and bit 1 that the header's numbers of open parts come from the input (4 times 4 bytes); then edits
 * (edits.h). */
#include "../material_store.h"
#include "edits.h"
#include "sealing.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { COUNT = 3, BYTES = 40 };

struct base { struct pq_material_label label; char path[80]; uint8_t *file; size_t bytes; uint64_t used, material; };

static void make_base(struct base *b)
{
    static const struct pq_material_label label = {
        .program = "1 fuzz", .protocol = "published", .maximum = "tree", .tables = "direct", .mode = "secure",
        .model_id = { 1, 2, 3 }, .seq = 4, .batch = 1, .ranks = 2, .party = 1, .rank = 0, .count = COUNT,
        .set_id = { 9 },
    };
    struct pq_material_file *f;
    uint8_t keys[PQ_MATERIAL_KEYS][PQ_KEY_BYTES] = { { 1 }, { 2 } }, entry[BYTES] = { 7 };
    b->label = label;
    PQ_ASSERT(pq_shape_parse("bert-tiny", &b->label.shape, NULL) == PQ_OK);
    snprintf(b->path, sizeof b->path, "%s/P1.0.h5", fuzz_folder());
    PQ_ASSERT(pq_material_file_create(b->path, &b->label, BYTES, true, &f, NULL) == PQ_OK);
    for (uint32_t e = 0; e < COUNT; e++)
        PQ_ASSERT(pq_material_file_put(f, e, entry, NULL) == PQ_OK);
    PQ_ASSERT(pq_material_file_put_keys(f, keys, NULL) == PQ_OK && pq_material_file_seal(f, NULL) == PQ_OK &&
              pq_material_file_publish(f, NULL) == PQ_OK);
    b->used = f->used_at;
    b->material = f->material_at;
    pq_material_file_close(f);
    b->file = fuzz_slurp(b->path, &b->bytes);
}

/* What a job does with the file. */
static void use(struct pq_material_file *f, const char *path)
{
    struct pq_error err = { "" };
    uint8_t entry[BYTES];
    const struct pq_material_label *l = pq_material_file_label(f);
    PQ_ASSERT(l->count > 0 && strlen(l->mode) < PQ_LABEL_TEXT);
    PQ_ASSERT(pq_material_file_size(f) >= (uint64_t)l->count * BYTES);
    for (uint32_t e = 0; e < l->count; e++) {
        if (!fuzz_ok(pq_material_file_check(f, e, &err), &err, path) || pq_material_file_used(f)[e])
            continue;
        PQ_ASSERT(pq_material_file_mark(f, e, &err) == PQ_OK);
        PQ_ASSERT(pq_material_file_read(f, e, entry, &err) == PQ_OK);
    }
}

static uint64_t small(uint32_t number, uint64_t size)
{
    return number % 5 ? number % (2 * size) : UINT64_MAX - number;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    static struct base base;
    if (!base.bytes)
        make_base(&base);
    struct fuzz_input in = { data, bytes };
    const uint8_t choice = fuzz_u8(&in);
    uint64_t part[4] = { base.used, COUNT, base.material, COUNT * BYTES };
    for (int i = 0; i < 4 && choice & 2; i++)
        part[i] = small(fuzz_u32(&in), base.bytes);
    fuzz_spill(base.path, base.file, base.bytes);
    const bool edited = fuzz_edit(base.path, &in);
    size_t size;
    uint8_t *image = fuzz_slurp(base.path, &size);
    char header[PQ_SEAL_BYTES] = "";
    snprintf(header, sizeof header, "pqbert file\nkind material\nversion 1\nbytes %zu\nsha256 %064d\nopen %" PRIu64
             " %" PRIu64 "\nopen %" PRIu64 " %" PRIu64 "\n", size, 0, part[0], part[1], part[2], part[3]);
    memcpy(image, header, sizeof header);
    fuzz_seal(image, size, true);
    fuzz_spill(base.path, image, size);
    free(image);

    struct pq_material_file *f;
    struct pq_error err = { "" };
    const bool right = fuzz_ok(pq_material_file_open(base.path, &base.label, BYTES, !(choice & 1), &f, &err), &err,
                               base.path);
    PQ_ASSERT(right || edited || choice & 2);
    if (right)
        use(f, base.path);
    else
        PQ_ASSERT(!f);
    pq_material_file_close(f);
    return 0;
}
