#include "attributes.h"

#include "../kernels/status.h"

#include <string.h>

static hid_t text_type(size_t bytes)
{
    hid_t type = H5Tcopy(H5T_C_S1);
    PQ_ASSERT(type >= 0 && H5Tset_size(type, bytes) >= 0);
    return type;
}

int pq_attribute_put(hid_t file, const char *name, hid_t type, hid_t memory_type, hsize_t count, const void *value)
{
    hid_t space = count ? H5Screate_simple(1, &count, NULL) : H5Screate(H5S_SCALAR);
    hid_t attribute = H5Acreate2(file, name, type, space, H5P_DEFAULT, H5P_DEFAULT);
    int failed = attribute < 0 || H5Awrite(attribute, memory_type, value) < 0;
    if (attribute >= 0)
        failed |= H5Aclose(attribute) < 0;
    H5Sclose(space);
    return failed;
}

int pq_attribute_put_text(hid_t file, const char *name, const char *text)
{
    hid_t type = text_type(strlen(text) + 1);
    int failed = pq_attribute_put(file, name, type, type, 0, text);
    H5Tclose(type);
    return failed;
}

/* Fixed strings may have any length and padding: HDF5 converts. */
static int same_type(hid_t is, hid_t want)
{
    if (H5Tget_class(want) == H5T_STRING)
        return H5Tget_class(is) == H5T_STRING && H5Tis_variable_str(is) == 0;
    return H5Tequal(is, want) > 0;
}

enum pq_attribute pq_attribute_get(hid_t file, const char *name, hid_t type, hid_t memory_type, hsize_t count,
                                   void *value)
{
    hid_t attribute = H5Aopen(file, name, H5P_DEFAULT);
    if (attribute < 0)
        return PQ_ATTRIBUTE_ABSENT;
    hid_t space = H5Aget_space(attribute), is_type = H5Aget_type(attribute);
    int right = space >= 0 && is_type >= 0 && H5Sget_simple_extent_npoints(space) == (hssize_t)count
             && same_type(is_type, type) && H5Aread(attribute, memory_type, value) >= 0;
    H5Tclose(is_type);
    H5Sclose(space);
    H5Aclose(attribute);
    return right ? PQ_ATTRIBUTE_RIGHT : PQ_ATTRIBUTE_OTHER;
}

enum pq_attribute pq_attribute_get_text(hid_t file, const char *name, char *text, size_t room)
{
    hid_t type = text_type(room);
    enum pq_attribute found = pq_attribute_get(file, name, type, type, 1, text);
    H5Tclose(type);
    text[room - 1] = '\0';
    return found;
}
