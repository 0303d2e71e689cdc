#include "edits.h"

#include "../quiet.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { OBJECTS = 200, NAME = 64, EDITS = 16, ELEMENT = 8192 };

struct objects { size_t count; char name[OBJECTS][NAME]; };

static herr_t add_object(hid_t place, const char *name, const H5O_info_t *info, void *user)
{
    struct objects *o = user;
    (void)place, (void)info;
    if (o->count < OBJECTS && strlen(name) < NAME)
        strcpy(o->name[o->count++], name);
    return 0;
}

/* ---- types and sizes ---- */

static hid_t compound_type(void)
{
    hid_t type = H5Tcreate(H5T_COMPOUND, 16);
    H5Tinsert(type, "a", 0, H5T_STD_U64LE);
    H5Tinsert(type, "b", 8, H5T_STD_I32LE);
    return type;
}

static hid_t string_type(size_t bytes)
{
    hid_t type = H5Tcopy(H5T_C_S1);
    H5Tset_size(type, bytes);
    return type;
}

static hid_t enum_type(hid_t base)
{
    const uint64_t one = 1;
    hid_t type = H5Tenum_create(base);
    H5Tenum_insert(type, "one", &one);
    return type;
}

/* To be closed. */
static hid_t some_type(uint8_t which)
{
    const hid_t plain[] = { H5T_STD_U8LE, H5T_STD_I8LE,   H5T_STD_U16LE,  H5T_STD_I16LE,  H5T_STD_U32LE, H5T_STD_U32BE,
                            H5T_STD_I32LE, H5T_STD_U64LE, H5T_STD_U64BE,  H5T_IEEE_F32LE, H5T_IEEE_F64LE,
                            H5T_IEEE_F64BE, H5T_NATIVE_LDOUBLE, H5T_STD_B8LE, H5T_STD_REF_OBJ };
    enum { PLAIN = sizeof plain / sizeof *plain };
    const hsize_t four = 4;
    if (which % 32 < PLAIN)
        return H5Tcopy(plain[which % 32]);
    switch (which % 32) {
    case 16: return string_type(H5T_VARIABLE);
    case 17: return string_type(1);
    case 18: return string_type(48);
    case 19: return compound_type();
    case 20: return enum_type(H5T_STD_U8LE);
    case 21: return H5Tarray_create2(H5T_STD_U8LE, 1, &four);
    case 22: return H5Tvlen_create(H5T_STD_U8LE);
    case 23: return H5Tcreate(H5T_OPAQUE, 8);
    case 24: return enum_type(H5T_STD_U32LE);
    default: return string_type(1 + which / 32 * 30u);
    }
}

/* Null, scalar, or simple with sizes from the input: small ones, and some that no file can hold. */
static hid_t some_space(struct fuzz_input *in, int *rank)
{
    static const hsize_t far[] = { 0, (hsize_t)1 << 20, (hsize_t)1 << 31, (hsize_t)1 << 32, (hsize_t)1 << 40 };
    hsize_t dims[4];
    *rank = fuzz_u8(in) % 6 - 1;
    if (*rank <= 0)
        return H5Screate(*rank < 0 ? H5S_NULL : H5S_SCALAR);
    for (int d = 0; d < *rank; d++) {
        const uint8_t size = fuzz_u8(in);
        dims[d] = size < 250 ? size : size == 250 ? fuzz_u32(in) : far[size - 251];
    }
    return H5Screate_simple(*rank, dims, NULL);
}

/* ---- edits ---- */

/* A dataset of some type and size, never written or filled by HDF5, contiguous, compact, chunked or filtered. */
static void put_dataset(hid_t file, const char *name, struct fuzz_input *in)
{
    int rank;
    const hsize_t chunk[4] = { 8, 8, 8, 8 };
    hid_t type = some_type(fuzz_u8(in)), space = some_space(in, &rank), how = H5Pcreate(H5P_DATASET_CREATE);
    const uint8_t layout = fuzz_u8(in) % 6;
    if (layout == 0)
        H5Pset_layout(how, H5D_COMPACT);
    if (layout >= 3 && rank > 0)
        H5Pset_chunk(how, rank, chunk);
    if (layout == 4)
        H5Pset_fletcher32(how);
    if (layout == 5)
        H5Pset_shuffle(how);
    if (layout == 2 && H5Sget_simple_extent_npoints(space) <= 4096) {
        H5Pset_alloc_time(how, H5D_ALLOC_TIME_EARLY);
        H5Pset_fill_time(how, H5D_FILL_TIME_ALLOC);
    }
    H5Ldelete(file, name, H5P_DEFAULT);
    hid_t set = H5Dcreate2(file, name, type, space, H5P_DEFAULT, how, H5P_DEFAULT);
    if (set >= 0)
        H5Dclose(set);
    H5Pclose(how);
    H5Sclose(space);
    H5Tclose(type);
}

/* Up to 15 bytes of one element, as they are stored. */
static void put_bytes(hid_t set, struct fuzz_input *in)
{
    char element[ELEMENT] = "";
    hid_t type = H5Dget_type(set), space = H5Dget_space(set), one = H5Screate(H5S_SCALAR);
    hsize_t dims[H5S_MAX_RANK] = { 0 }, at[H5S_MAX_RANK];
    const int rank = H5Sget_simple_extent_ndims(space);
    const size_t bytes = H5Tget_size(type);
    /* Values that were never stored are left alone: HDF5 1.10.8 crashes where it should begin to store some. */
    bool possible = rank > 0 && bytes > 0 && bytes <= ELEMENT && H5Dget_storage_size(set) > 0 &&
                    H5Tdetect_class(type, H5T_VLEN) <= 0 &&
                    H5Tis_variable_str(type) <= 0 && H5Tdetect_class(type, H5T_REFERENCE) <= 0;
    H5Sget_simple_extent_dims(space, dims, NULL);
    for (int d = 0; d < rank && possible; d++) {
        possible = dims[d] > 0;
        if (possible)
            at[d] = fuzz_u32(in) % dims[d];
    }
    if (possible && H5Sselect_elements(space, H5S_SELECT_SET, 1, at) >= 0 &&
        H5Dread(set, type, one, space, H5P_DEFAULT, element) >= 0) {
        const size_t offset = (fuzz_u8(in) | (size_t)fuzz_u8(in) << 8) % bytes;
        size_t length = fuzz_u8(in) % 16;
        length = length < bytes - offset ? length : bytes - offset;
        fuzz_bytes(in, element + offset, length);
        H5Dwrite(set, type, one, space, H5P_DEFAULT, element);
    }
    H5Sclose(one);
    H5Sclose(space);
    H5Tclose(type);
}

/* A table of rows without one of its fields, or with another type for it; values are lost. */
static void change_field(hid_t file, const char *name, hid_t set, struct fuzz_input *in)
{
    hid_t type = H5Dget_type(set), space = H5Dget_space(set);
    const int fields = H5Tget_class(type) == H5T_COMPOUND ? H5Tget_nmembers(type) : 0;
    hid_t how = H5Dget_create_plist(set), row = fields ? H5Tcreate(H5T_COMPOUND, 2 * H5Tget_size(type) + 1024) : -1;
    const int changed = fields ? fuzz_u8(in) % fields : 0;
    const uint8_t to = fuzz_u8(in);
    for (int f = 0; f < fields; f++) {
        char *field = H5Tget_member_name(type, (unsigned)f);
        hid_t is = f == changed ? some_type(to) : H5Tget_member_type(type, (unsigned)f);
        if (f != changed || to < 128)
            H5Tinsert(row, field, H5Tget_member_offset(type, (unsigned)f) * 2, is);
        H5Tclose(is);
        H5free_memory(field);
    }
    if (fields) {
        H5Ldelete(file, name, H5P_DEFAULT);
        hid_t made = H5Dcreate2(file, name, row, space, H5P_DEFAULT, how, H5P_DEFAULT);
        if (made >= 0)
            H5Dclose(made);
        H5Tclose(row);
    }
    H5Pclose(how);
    H5Sclose(space);
    H5Tclose(type);
}

/* An attribute of the same name and another type or size, or with other bytes. */
static void change_attribute(hid_t object, struct fuzz_input *in, uint8_t edit)
{
    char name[NAME], value[ELEMENT] = "";
    H5O_info_t info;
    if (H5Oget_info2(object, &info, H5O_INFO_NUM_ATTRS) < 0 || info.num_attrs == 0 ||
        H5Aget_name_by_idx(object, ".", H5_INDEX_NAME, H5_ITER_INC, fuzz_u8(in) % info.num_attrs, name, sizeof name,
                           H5P_DEFAULT) < 0)
        return;
    if (edit == 0) {
        H5Adelete(object, name);
        return;
    }
    hid_t a = H5Aopen(object, name, H5P_DEFAULT), type = H5Aget_type(a), space = H5Aget_space(a);
    int rank;
    if (edit == 1) {
        H5Tclose(type);
        H5Sclose(space);
        H5Aclose(a);
        type = some_type(fuzz_u8(in));
        space = some_space(in, &rank);
        H5Adelete(object, name);
        const bool fits = H5Sget_simple_extent_npoints(space) <= 4096; /* HDF5 writes its values at once */
        a = fits ? H5Acreate2(object, name, type, space, H5P_DEFAULT, H5P_DEFAULT) : H5I_INVALID_HID;
    }
    const hssize_t count = H5Sget_simple_extent_npoints(space);
    if (a >= 0 && H5Tis_variable_str(type) <= 0 && H5Tdetect_class(type, H5T_VLEN) <= 0 && count > 0 &&
        (size_t)count <= ELEMENT / H5Tget_size(type)) {
        fuzz_bytes(in, value, (size_t)count * H5Tget_size(type));
        H5Awrite(a, type, value);
    }
    if (a >= 0)
        H5Aclose(a);
    H5Sclose(space);
    H5Tclose(type);
}

static void change_dataset(hid_t file, const char *name, struct fuzz_input *in, uint8_t edit)
{
    hid_t set = H5Dopen2(file, name, H5P_DEFAULT);
    const hsize_t dims[2] = { fuzz_u8(in), fuzz_u8(in) };
    if (set < 0)
        return;
    if (edit == 0)
        put_bytes(set, in);
    else if (edit == 1)
        change_field(file, name, set, in);
    else
        H5Dset_extent(set, dims);
    H5Dclose(set);
}

static void change_link(hid_t file, const char *name, const struct objects *o, struct fuzz_input *in, uint8_t edit)
{
    char text[NAME] = "";
    const char *other = o->name[fuzz_u8(in) % o->count];
    if (edit == 0) {
        H5Ldelete(file, name, H5P_DEFAULT);
    } else if (edit == 1) { /* not to groups: HDF5 walks round in circles for ever */
        hid_t set = H5Dopen2(file, other, H5P_DEFAULT);
        H5Ldelete(file, name, H5P_DEFAULT);
        H5Lcreate_hard(set, ".", file, name, H5P_DEFAULT, H5P_DEFAULT);
        if (set >= 0)
            H5Dclose(set);
    } else if (edit == 2) {
        H5Ldelete(file, name, H5P_DEFAULT);
        H5Lcreate_soft(other, file, name, H5P_DEFAULT, H5P_DEFAULT);
    } else if (edit == 3) {
        H5Ldelete(file, name, H5P_DEFAULT);
        H5Lcreate_external("elsewhere.h5", other, file, name, H5P_DEFAULT, H5P_DEFAULT);
    } else if (edit == 4) {
        H5Ldelete(file, name, H5P_DEFAULT);
        hid_t group = H5Gcreate2(file, name, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
        if (group >= 0)
            H5Gclose(group);
    } else { /* another name in the same folder */
        const char *slash = strrchr(name, '/');
        const size_t keep = slash ? (size_t)(slash - name) + 1 : 0;
        char bytes[16];
        fuzz_bytes(in, bytes, sizeof bytes - 1);
        bytes[fuzz_u8(in) % sizeof bytes] = '\0';
        bytes[sizeof bytes - 1] = '\0';
        snprintf(text, sizeof text, "%.*s%s", (int)keep, name, bytes);
        H5Lmove(file, name, file, text, H5P_DEFAULT, H5P_DEFAULT);
    }
}

static void edit_once(hid_t file, const struct objects *o, struct fuzz_input *in)
{
    const uint8_t edit = fuzz_u8(in) % 16;
    const char *name = o->name[fuzz_u8(in) % o->count];
    const bool root = !strcmp(name, ".");
    if (edit < 6 && !root) {
        change_link(file, name, o, in, edit);
    } else if (edit < 9) {
        hid_t object = H5Oopen(file, name, H5P_DEFAULT);
        if (object >= 0)
            change_attribute(object, in, edit % 3);
        if (object >= 0)
            H5Oclose(object);
    } else if (edit < 11 && !root) {
        put_dataset(file, name, in);
    } else if (!root) {
        change_dataset(file, name, in, edit < 14 ? 0 : edit - 13);
    }
}

bool fuzz_edit(const char *path, struct fuzz_input *in)
{
    struct pq_hdf5_quiet saved = pq_hdf5_quiet_begin();
    struct objects *o = pq_alloc(sizeof *o);
    const bool any = in->left > 0;
    for (int edit = 0; edit < EDITS && in->left; edit++) {
        hid_t file = H5Fopen(path, H5F_ACC_RDWR, H5P_DEFAULT);
        o->count = 0;
        if (file < 0 || H5Ovisit2(file, H5_INDEX_NAME, H5_ITER_INC, add_object, o, H5O_INFO_BASIC) < 0 || !o->count)
            in->left = 0;
        else
            edit_once(file, o, in);
        if (file >= 0)
            H5Fclose(file);
    }
    free(o);
    pq_hdf5_quiet_end(saved);
    return any;
}
