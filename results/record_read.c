/* Reading the result file (SCHEMA.md) from bytes in memory. Nothing in them is trusted: types and sizes are compared
 * before anything is read. */
#include "record_hdf5.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const uint64_t schema_of_evaluations = 4; /* older files have none */
static const size_t longest_text = (size_t)1 << 26; /* of an /environment entry */

static enum pq_status damaged(const struct pq_results *r, const char *what, struct pq_error *err)
{
    return pq_fail(err, PQ_USER, "%s: is damaged or cut short (%s); use a copy, or measure again into a new file",
                   r->path, what);
}

static bool has_class(hid_t type, H5T_class_t class, size_t bytes)
{
    return type >= 0 && H5Tget_class(type) == class && H5Tget_size(type) == bytes;
}

static bool is_our_format(hid_t file)
{
    char text[PQ_NAME] = "";
    hid_t attribute = H5Aopen(file, "format", H5P_DEFAULT);
    if (attribute < 0)
        return false;
    hid_t type = H5Aget_type(attribute), space = H5Aget_space(attribute);
    size_t bytes = strlen(pq_hdf5_format) + 1;
    bool same = has_class(type, H5T_STRING, bytes) && H5Tis_variable_str(type) == 0 && space >= 0 &&
                H5Sget_simple_extent_npoints(space) == 1 && H5Aread(attribute, type, text) >= 0 &&
                memcmp(text, pq_hdf5_format, bytes) == 0;
    H5Sclose(space);
    H5Tclose(type);
    H5Aclose(attribute);
    return same;
}

static uint64_t schema_version(hid_t file)
{
    uint64_t version = 0;
    hid_t attribute = H5Aopen(file, "schema", H5P_DEFAULT);
    if (attribute < 0)
        return 0;
    hid_t type = H5Aget_type(attribute), space = H5Aget_space(attribute);
    if (space < 0 || H5Sget_simple_extent_npoints(space) != 1 || !has_class(type, H5T_INTEGER, 8) ||
        H5Aread(attribute, H5T_NATIVE_UINT64, &version) < 0)
        version = 0;
    H5Sclose(space);
    H5Tclose(type);
    H5Aclose(attribute);
    return version;
}

static bool field_matches(hid_t row, const struct pq_field *field)
{
    int index = H5Tget_member_index(row, field->name);
    hid_t type = index < 0 ? H5I_INVALID_HID : H5Tget_member_type(row, (unsigned)index);
    bool same = false;
    if (field->kind == PQ_KIND_text)
        same = has_class(type, H5T_STRING, PQ_NAME) && H5Tis_variable_str(type) == 0;
    else if (field->kind == PQ_KIND_u64)
        same = has_class(type, H5T_INTEGER, 8) && H5Tget_sign(type) == H5T_SGN_NONE;
    else
        same = has_class(type, H5T_FLOAT, 8);
    if (type >= 0)
        H5Tclose(type);
    return same;
}

/* What a field of a later schema is in the rows of an older file. */
struct addition {
    const char *table, *name;
    uint64_t schema; /* the first that has it */
    const char *text;
    uint64_t u64;
    double f64;
};
static const struct addition additions[] = {
    { .table = "runs", .name = "system", .schema = 2, .text = "pqbert" },
    { .table = "runs", .name = "parties", .schema = 2, .u64 = 3 },
    { .table = "runs", .name = "together", .schema = 2, .text = "" },
    { .table = "runs", .name = "material", .schema = 2, .text = "fresh" },
    { .table = "runs", .name = "material_ns", .schema = 2 },
    { .table = "runs", .name = "relative_error", .schema = 2, .f64 = NAN },
    { .table = "runs", .name = "clock_off_ns", .schema = 3 },
    { .table = "runs", .name = "range_wrapped", .schema = 3 },
    { .table = "runs", .name = "cycle_ns", .schema = 4 },
    { .table = "runs", .name = "range_where", .schema = 3, .text = "" },
    { .table = "runs", .name = "online_read_bytes", .schema = 5 },
    { .table = "runs", .name = "core_macs", .schema = 5, .f64 = NAN },
    { .table = "runs", .name = "core_bandwidth", .schema = 5, .f64 = NAN },
};

/* The addition that explains why a file of that schema lacks the field, or NULL. */
static const struct addition *find_addition(const struct pq_table *table, const struct pq_field *field,
                                            uint64_t schema)
{
    for (size_t a = 0; a < sizeof additions / sizeof additions[0]; a++)
        if (schema < additions[a].schema && strcmp(table->name, additions[a].table) == 0 &&
            strcmp(field->name, additions[a].name) == 0)
            return &additions[a];
    return NULL;
}

/* Our table without the fields that a file of that schema lacks. *part's fields are malloc'ed. */
static void older_table(const struct pq_table *table, uint64_t schema, struct pq_table *part)
{
    struct pq_field *field = calloc(table->fields, sizeof *field);
    PQ_ASSERT(field);
    *part = (struct pq_table){ table->name, field, 0, table->row_bytes };
    for (size_t f = 0; f < table->fields; f++)
        if (!find_addition(table, &table->field[f], schema))
            field[part->fields++] = table->field[f];
}

static void fill_additions(const struct pq_table *table, uint64_t schema, char *rows, size_t count)
{
    PQ_ASSERT(rows || count == 0);
    for (size_t f = 0; f < table->fields; f++) {
        const struct pq_field *field = &table->field[f];
        const struct addition *a = find_addition(table, field, schema);
        for (size_t i = 0; a && i < count; i++) {
            char *value = rows + i * table->row_bytes + field->offset;
            if (field->kind == PQ_KIND_text)
                snprintf(value, PQ_NAME, "%s", a->text);
            else
                memcpy(value, field->kind == PQ_KIND_u64 ? (const void *)&a->u64 : &a->f64, 8);
        }
    }
}

/* The field that the file lacks or has otherwise, or NULL. */
static const char *other_field(hid_t dataset, const struct pq_table *table)
{
    hid_t row = H5Dget_type(dataset);
    const char *other = NULL;
    if (row < 0 || H5Tget_class(row) != H5T_COMPOUND || H5Tget_nmembers(row) != (int)table->fields)
        other = "their number";
    for (size_t f = 0; f < table->fields && !other; f++)
        if (!field_matches(row, &table->field[f]))
            other = table->field[f].name;
    H5Tclose(row);
    return other;
}

/* A count that the stored chunks cannot hold is a lie, and must not become an allocation. */
static bool row_count(hid_t dataset, const struct pq_table *table, size_t *count)
{
    hid_t space = H5Dget_space(dataset);
    hssize_t rows = space >= 0 && H5Sget_simple_extent_ndims(space) == 1 ? H5Sget_simple_extent_npoints(space) : -1;
    size_t stored = 0; /* of one row */
    for (size_t f = 0; f < table->fields; f++)
        stored += table->field[f].kind == PQ_KIND_text ? PQ_NAME : 8;
    H5Sclose(space);
    PQ_ASSERT(stored);
    if (rows < 0 || (hsize_t)rows > H5Dget_storage_size(dataset) / stored)
        return false;
    *count = (size_t)rows;
    return true;
}

static void end_texts(const struct pq_table *table, char *rows, size_t count)
{
    for (size_t i = 0; i < count; i++)
        for (size_t f = 0; f < table->fields; f++)
            if (table->field[f].kind == PQ_KIND_text)
                rows[i * table->row_bytes + table->field[f].offset + PQ_NAME - 1] = '\0';
}

/* `table`: the fields that the file has, as older_table says; a row is as long as ours. */
static enum pq_status read_rows(struct pq_results *r, hid_t dataset, const struct pq_table *table, void **rows,
                                size_t *count, struct pq_error *err)
{
    const char *other = other_field(dataset, table);
    if (other)
        return pq_fail(err, PQ_USER, "%s: the fields of /%s differ from this program's (%s); use the version that "
                       "wrote the file", r->path, table->name, other);
    if (!row_count(dataset, table, count))
        return damaged(r, table->name, err);
    if (*count == 0)
        return PQ_OK;
    hid_t type = pq_hdf5_row(table);
    *rows = calloc(*count, table->row_bytes);
    PQ_ASSERT(*rows);
    bool ok = H5Dread(dataset, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, *rows) >= 0;
    H5Tclose(type);
    if (!ok)
        return damaged(r, table->name, err);
    end_texts(table, *rows, *count);
    return PQ_OK;
}

static enum pq_status read_table(struct pq_results *r, hid_t file, const struct pq_table *table, uint64_t schema,
                                 void **rows, size_t *count, struct pq_error *err)
{
    hid_t dataset = H5Dopen2(file, table->name, H5P_DEFAULT);
    if (dataset < 0)
        return damaged(r, table->name, err);
    struct pq_table part;
    older_table(table, schema, &part);
    enum pq_status status = read_rows(r, dataset, &part, rows, count, err);
    if (status == PQ_OK)
        fill_additions(table, schema, *rows, *count);
    free((void *)part.field);
    H5Dclose(dataset);
    return status;
}

/* One /environment entry: a scalar text of fixed size. NULL when it is anything else. */
static char *read_entry(hid_t group, const char *name)
{
    char *text = NULL;
    hid_t dataset = H5Dopen2(group, name, H5P_DEFAULT);
    if (dataset < 0)
        return NULL;
    hid_t type = H5Dget_type(dataset), space = H5Dget_space(dataset);
    size_t bytes = type >= 0 ? H5Tget_size(type) : 0;
    if (space >= 0 && H5Sget_simple_extent_type(space) == H5S_SCALAR && bytes > 0 && bytes <= longest_text &&
        has_class(type, H5T_STRING, bytes) && H5Tis_variable_str(type) == 0) {
        text = calloc(1, bytes + 1);
        PQ_ASSERT(text);
        if (H5Dread(dataset, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, text) < 0) {
            free(text);
            text = NULL;
        }
    }
    H5Sclose(space);
    H5Tclose(type);
    H5Dclose(dataset);
    return text;
}

/* Merging adds an entry merged_from where there is none. */
static bool has_room(const struct pq_environment *env)
{
    for (size_t e = 0; e < env->count; e++)
        if (strcmp(env->entry[e].name, "merged_from") == 0)
            return true;
    return env->count < sizeof env->entry / sizeof env->entry[0];
}

static bool read_environment(hid_t place, const char *name, struct pq_environment *env)
{
    H5G_info_t info;
    hid_t group = H5Gopen2(place, name, H5P_DEFAULT);
    bool ok = group >= 0 && H5Gget_info(group, &info) >= 0 && info.nlinks <= sizeof env->entry / sizeof env->entry[0];
    for (hsize_t e = 0; ok && e < info.nlinks; e++) {
        char entry[PQ_NAME] = "";
        ssize_t length = H5Lget_name_by_idx(group, ".", H5_INDEX_CRT_ORDER, H5_ITER_INC, e, entry, sizeof entry,
                                            H5P_DEFAULT);
        bool named = length > 0 && length < PQ_NAME && entry[0] != '.';
        char *text = named ? read_entry(group, entry) : NULL;
        ok = text != NULL;
        if (ok)
            pq_environment_add(env, entry, "%s", text);
        free(text);
    }
    if (group >= 0)
        H5Gclose(group);
    return ok && has_room(env);
}

static bool read_launch(struct pq_results *r, hid_t place, const char *name)
{
    r->launch = realloc(r->launch, (r->launches + 1) * sizeof *r->launch);
    PQ_ASSERT(r->launch);
    r->launch[r->launches] = (struct pq_environment){ 0 };
    return read_environment(place, name, &r->launch[r->launches++]);
}

static bool read_launches(struct pq_results *r, hid_t file)
{
    H5G_info_t info;
    hid_t resumed = H5Gopen2(file, "resumed", H5P_DEFAULT);
    bool ok = resumed >= 0 && H5Gget_info(resumed, &info) >= 0 && read_launch(r, file, "environment");
    for (hsize_t l = 1; ok && l <= info.nlinks; l++) {
        char number[24];
        snprintf(number, sizeof number, "%llu", (unsigned long long)l);
        ok = read_launch(r, resumed, number);
    }
    if (resumed >= 0)
        H5Gclose(resumed);
    return ok;
}

/* What the writer promises about values, beyond their types. */
static bool rows_consistent(const struct pq_results *r)
{
    PQ_ASSERT((r->run || r->runs == 0) && (r->op || r->ops == 0));
    for (size_t i = 0; i < r->runs; i++)
        if (!pq_verdict_known(r->run[i].verdict))
            return false;
    for (size_t i = 0; i < r->ops; i++)
        if (r->op[i].point >= r->runs)
            return false;
    return pq_evaluations_consistent(r);
}

static enum pq_status read_evaluations(struct pq_results *r, hid_t file, uint64_t version, struct pq_error *err)
{
    void *evaluations = NULL, *sentences = NULL;
    enum pq_status status = read_table(r, file, &pq_evaluation_table, version, &evaluations, &r->evaluations, err);
    r->evaluation = evaluations;
    if (status == PQ_OK)
        status = read_table(r, file, &pq_sentence_table, version, &sentences, &r->sentences, err);
    r->sentence = sentences;
    return status;
}

static enum pq_status read_file(struct pq_results *r, hid_t file, struct pq_error *err)
{
    if (!is_our_format(file))
        return pq_fail(err, PQ_USER, "%s: is an HDF5 file, but not a result file; give one that sweep or run has "
                       "written", r->path);
    uint64_t version = schema_version(file);
    if (version < 1 || version > PQ_SCHEMA_VERSION)
        return pq_fail(err, PQ_USER, "%s: has result schema %llu, this program reads schema 1 to %d; use the version "
                       "that wrote the file", r->path, (unsigned long long)version, PQ_SCHEMA_VERSION);
    void *runs = NULL, *ops = NULL;
    enum pq_status status = read_table(r, file, &pq_run_table, version, &runs, &r->runs, err);
    r->run = runs;
    if (status == PQ_OK)
        status = read_table(r, file, &pq_op_table, version, &ops, &r->ops, err);
    r->op = ops;
    if (status == PQ_OK && version >= schema_of_evaluations)
        status = read_evaluations(r, file, version, err);
    if (status == PQ_OK && !read_launches(r, file))
        status = damaged(r, "environment", err);
    if (status == PQ_OK && !rows_consistent(r))
        status = damaged(r, "rows that contradict each other", err);
    return status;
}

/* From memory, so that HDF5 takes no lock of its own, which some cluster file systems refuse. */
static hid_t open_image(const void *image, size_t bytes)
{
    hid_t how = H5Pcreate(H5P_FILE_ACCESS), file = H5I_INVALID_HID;
    H5Pset_fapl_core(how, (size_t)1 << 16, false);
    if (H5Pset_file_image(how, (void *)(uintptr_t)image, bytes) >= 0) /* copies, though not const */
        file = H5Fopen(pq_hdf5_nowhere, H5F_ACC_RDONLY, how);
    H5Pclose(how);
    return file;
}

enum pq_status pq_results_decode(struct pq_results *r, const void *image, size_t bytes, struct pq_error *err)
{
    struct pq_hdf5_quiet quiet = pq_hdf5_quiet_begin();
    enum pq_status status;
    hid_t file = open_image(image, bytes);
    if (file < 0) {
        status = damaged(r, "HDF5 cannot open it", err);
    } else {
        status = read_file(r, file, err);
        H5Fclose(file);
    }
    pq_hdf5_quiet_end(quiet);
    return status;
}
