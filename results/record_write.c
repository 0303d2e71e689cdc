/* The result file as HDF5 (SCHEMA.md): building it in memory. */
#include "record_hdf5.h"

#include <stdlib.h>
#include <string.h>

enum { CHUNK_ROWS = 64 };

static bool write_text_attribute(hid_t object, const char *name, const char *text)
{
    hid_t type = pq_hdf5_text(strlen(text) + 1), space = H5Screate(H5S_SCALAR);
    hid_t attribute = H5Acreate2(object, name, type, space, H5P_DEFAULT, H5P_DEFAULT);
    bool ok = attribute >= 0 && H5Awrite(attribute, type, text) >= 0;
    if (attribute >= 0)
        H5Aclose(attribute);
    H5Sclose(space);
    H5Tclose(type);
    return ok;
}

static bool write_field_notes(hid_t dataset, const struct pq_table *table)
{
    char name[2 * PQ_NAME];
    bool ok = true;
    for (size_t f = 0; f < table->fields && ok; f++) {
        const struct pq_field *field = &table->field[f];
        snprintf(name, sizeof name, "%s.unit", field->name);
        ok = write_text_attribute(dataset, name, field->unit);
        snprintf(name, sizeof name, "%s.meaning", field->name);
        ok = ok && write_text_attribute(dataset, name, field->meaning);
    }
    return ok;
}

/* Fletcher32: a damaged row is found when it is read. Checksums need chunks. */
static bool write_table(hid_t file, const struct pq_table *table, const void *rows, size_t count)
{
    hsize_t now = count, most = H5S_UNLIMITED, chunk = CHUNK_ROWS;
    hid_t type = pq_hdf5_row(table), space = H5Screate_simple(1, &now, &most), layout = H5Pcreate(H5P_DATASET_CREATE);
    H5Pset_chunk(layout, 1, &chunk);
    H5Pset_fletcher32(layout);
    hid_t dataset = H5Dcreate2(file, table->name, type, space, H5P_DEFAULT, layout, H5P_DEFAULT);
    bool ok = dataset >= 0 && (count == 0 || H5Dwrite(dataset, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, rows) >= 0) &&
              write_field_notes(dataset, table);
    if (dataset >= 0)
        H5Dclose(dataset);
    H5Pclose(layout);
    H5Sclose(space);
    H5Tclose(type);
    return ok;
}

static hid_t create_ordered_group(hid_t place, const char *name)
{
    hid_t how = H5Pcreate(H5P_GROUP_CREATE);
    H5Pset_link_creation_order(how, H5P_CRT_ORDER_TRACKED | H5P_CRT_ORDER_INDEXED);
    hid_t group = H5Gcreate2(place, name, H5P_DEFAULT, how, H5P_DEFAULT);
    H5Pclose(how);
    return group;
}

static bool write_environment(hid_t place, const char *name, const struct pq_environment *env)
{
    hid_t group = create_ordered_group(place, name);
    bool ok = group >= 0;
    for (size_t e = 0; e < env->count && ok; e++) {
        const char *text = env->entry[e].text;
        hid_t type = pq_hdf5_text(strlen(text) + 1), space = H5Screate(H5S_SCALAR);
        hid_t dataset = H5Dcreate2(group, env->entry[e].name, type, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
        ok = dataset >= 0 && H5Dwrite(dataset, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, text) >= 0;
        if (dataset >= 0)
            H5Dclose(dataset);
        H5Sclose(space);
        H5Tclose(type);
    }
    if (group >= 0)
        H5Gclose(group);
    return ok;
}

static bool write_launches(hid_t file, const struct pq_results *r)
{
    hid_t resumed = create_ordered_group(file, "resumed");
    bool ok = resumed >= 0 && r->launches > 0 && write_environment(file, "environment", &r->launch[0]);
    for (size_t l = 1; l < r->launches && ok; l++) {
        char number[24];
        snprintf(number, sizeof number, "%zu", l);
        ok = write_environment(resumed, number, &r->launch[l]);
    }
    if (resumed >= 0)
        H5Gclose(resumed);
    return ok;
}

static bool write_root(hid_t file)
{
    uint64_t version = PQ_SCHEMA_VERSION;
    hid_t space = H5Screate(H5S_SCALAR);
    hid_t attribute = H5Acreate2(file, "schema", H5T_NATIVE_UINT64, space, H5P_DEFAULT, H5P_DEFAULT);
    bool ok = attribute >= 0 && H5Awrite(attribute, H5T_NATIVE_UINT64, &version) >= 0;
    if (attribute >= 0)
        H5Aclose(attribute);
    H5Sclose(space);
    return ok && write_text_attribute(file, "format", pq_hdf5_format);
}

/* The file is built in memory that is ours, and kept when HDF5 gives it back at close: H5Fget_file_image would hand
 * out a copy whose superblock has a wrong checksum in the newer formats (HDFGroup/hdf5 issue 1915). */
struct keeper { void *image; };

static void *keeper_malloc(size_t bytes, H5FD_file_image_op_t op, void *keeper)
{
    (void)op, (void)keeper;
    return malloc(bytes);
}

static void *keeper_memcpy(void *to, const void *from, size_t bytes, H5FD_file_image_op_t op, void *keeper)
{
    (void)op, (void)keeper;
    return memcpy(to, from, bytes);
}

static void *keeper_realloc(void *image, size_t bytes, H5FD_file_image_op_t op, void *keeper)
{
    (void)op, (void)keeper;
    return realloc(image, bytes);
}

static herr_t keeper_free(void *image, H5FD_file_image_op_t op, void *keeper)
{
    if (op == H5FD_FILE_IMAGE_OP_FILE_CLOSE)
        ((struct keeper *)keeper)->image = image;
    else
        free(image);
    return 0;
}

static void *keeper_share(void *keeper)
{
    return keeper;
}

static herr_t keeper_release(void *keeper)
{
    (void)keeper;
    return 0;
}

/* Everything in the file but the texts of /environment carries a checksum in the format of HDF5 1.10; with both
 * bounds given the file does not depend on the library's version. */
static hid_t memory_access(struct keeper *keeper)
{
    H5FD_file_image_callbacks_t callbacks = { keeper_malloc, keeper_memcpy,  keeper_realloc, keeper_free,
                                              keeper_share,  keeper_release, keeper };
    hid_t how = H5Pcreate(H5P_FILE_ACCESS);
    H5Pset_libver_bounds(how, H5F_LIBVER_V110, H5F_LIBVER_V110);
    H5Pset_fapl_core(how, (size_t)1 << 16, false);
    H5Pset_meta_block_size(how, 0); /* nothing unused at the end, so that a file without its last byte is not whole */
    H5Pset_small_data_block_size(how, 0);
    H5Pset_file_image_callbacks(how, &callbacks);
    return how;
}

enum pq_status pq_results_encode(const struct pq_results *r, void **image, size_t *bytes, struct pq_error *err)
{
    struct pq_hdf5_quiet quiet = pq_hdf5_quiet_begin();
    struct keeper keeper = { NULL };
    hid_t how = memory_access(&keeper);
    hid_t file = H5Fcreate(pq_hdf5_nowhere, H5F_ACC_TRUNC, H5P_DEFAULT, how);
    bool ok = file >= 0 && write_root(file) && write_table(file, &pq_run_table, r->run, r->runs) &&
              write_table(file, &pq_op_table, r->op, r->ops) &&
              write_table(file, &pq_evaluation_table, r->evaluation, r->evaluations) &&
              write_table(file, &pq_sentence_table, r->sentence, r->sentences) && write_launches(file, r) &&
              H5Fflush(file, H5F_SCOPE_GLOBAL) >= 0;
    ssize_t size = ok ? H5Fget_file_image(file, NULL, 0) : -1; /* the buffer is longer */
    ok = file >= 0 && H5Fclose(file) >= 0 && size > 0 && keeper.image;
    H5Pclose(how);
    pq_hdf5_quiet_end(quiet);
    *image = keeper.image;
    *bytes = (size_t)size;
    if (ok)
        return PQ_OK;
    free(keeper.image);
    *image = NULL;
    return pq_fail(err, PQ_WORLD, "%s: HDF5 cannot build the file of %zu repetitions in memory", r->path, r->runs);
}
