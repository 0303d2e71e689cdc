/* Result files whose bytes are damaged or made up. Input: 1 byte; when its bit 0 is set, the rest is the file.
 * Otherwise bit 1 chooses the file as this program writes it, whose structure carries checksums, or in HDF5's earliest
 * format, which has none (h5py writes it); bits 2 to 7, when not 0, cut it off after as many 64ths; and the rest are changes: 4
 * bytes for where, 1 for how many, and the bytes. */
#include "../../model_io/fuzz/fuzz.h"
#include "../record_hdf5.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct base { void *image[2]; size_t bytes[2]; };

static herr_t copy(hid_t from, const char *name, const H5L_info_t *info, void *to)
{
    (void)info;
    return H5Ocopy(from, name, *(hid_t *)to, name, H5P_DEFAULT, H5P_DEFAULT);
}

static herr_t copy_attribute(hid_t from, const char *name, const H5A_info_t *info, void *to)
{
    char value[256] = "";
    (void)info;
    hid_t a = H5Aopen(from, name, H5P_DEFAULT), type = H5Aget_type(a), space = H5Aget_space(a);
    hid_t b = H5Acreate2(*(hid_t *)to, name, type, space, H5P_DEFAULT, H5P_DEFAULT);
    PQ_ASSERT(H5Aget_storage_size(a) <= sizeof value && H5Aread(a, type, value) >= 0 && H5Awrite(b, type, value) >= 0);
    H5Aclose(b);
    H5Aclose(a);
    H5Sclose(space);
    H5Tclose(type);
    return 0;
}

static void make_base(struct base *b)
{
    static struct pq_run_record runs[2] = { { .system = "pqbert", .verdict = "VALID" }, { .verdict = "INVALID" } };
    static struct pq_op_record op = { .operation = "qkv" };
    struct pq_environment launch[2] = { { 0 }, { 0 } };
    char path[80], earliest[80];
    pq_environment_add(&launch[0], "hosts", "here");
    pq_environment_add(&launch[1], "hosts", "there");
    struct pq_results r = { .path = path, .lock = -1, .run = runs, .runs = 2, .op = &op, .ops = 1, .launch = launch,
                            .launches = 2 };
    PQ_ASSERT(pq_results_encode(&r, &b->image[0], &b->bytes[0], NULL) == PQ_OK);
    snprintf(path, sizeof path, "%s/first.h5", fuzz_folder());
    snprintf(earliest, sizeof earliest, "%s/earliest.h5", fuzz_folder());
    fuzz_spill(path, b->image[0], b->bytes[0]);
    hid_t from = H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT);
    hid_t to = H5Fcreate(earliest, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    hsize_t link = 0, attribute = 0;
    PQ_ASSERT(from >= 0 && H5Literate(from, H5_INDEX_NAME, H5_ITER_INC, &link, copy, &to) >= 0 &&
              H5Aiterate2(from, H5_INDEX_NAME, H5_ITER_INC, &attribute, copy_attribute, &to) >= 0);
    H5Fclose(to);
    H5Fclose(from);
    b->image[1] = fuzz_slurp(earliest, &b->bytes[1]);
    pq_environment_free(&launch[0]);
    pq_environment_free(&launch[1]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    static struct base base;
    if (!base.bytes[0])
        make_base(&base);
    struct fuzz_input in = { data, bytes };
    const uint8_t choice = fuzz_u8(&in);
    const int which = choice >> 1 & 1;
    const bool changed = in.left > 0;
    size_t size = choice & 1 ? in.left : base.bytes[which];
    uint8_t *file = pq_alloc(size);
    if (choice & 1)
        fuzz_bytes(&in, file, size);
    else
        memcpy(file, base.image[which], size);
    while (size && in.left) {
        const size_t at = fuzz_u32(&in) % size, most = size - at, length = fuzz_u8(&in) % 16;
        fuzz_bytes(&in, file + at, length < most ? length : most);
    }
    if (!(choice & 1) && choice >> 2)
        size = size * (choice >> 2) / 64;

    char path[80];
    struct pq_results *r;
    struct pq_error err = { "" };
    snprintf(path, sizeof path, "%s/r.h5", fuzz_folder());
    fuzz_spill(path, file, size);
    if (!fuzz_ok(pq_results_read(path, &r, &err), &err, path))
        PQ_ASSERT(!r && (changed || choice & 1 || choice >> 2));
    pq_results_close(r);
    free(file);
    return 0;
}
