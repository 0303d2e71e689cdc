#include "record_hdf5.h"

const char pq_hdf5_format[] = "pqbert-results";
const char pq_hdf5_nowhere[] = "/dev/null/in-memory";

hid_t pq_hdf5_text(size_t bytes)
{
    hid_t type = H5Tcopy(H5T_C_S1);
    H5Tset_size(type, bytes);
    H5Tset_cset(type, H5T_CSET_UTF8);
    return type;
}

hid_t pq_hdf5_row(const struct pq_table *table)
{
    hid_t row = H5Tcreate(H5T_COMPOUND, table->row_bytes);
    hid_t text = pq_hdf5_text(PQ_NAME);
    for (size_t f = 0; f < table->fields; f++) {
        const struct pq_field *field = &table->field[f];
        hid_t type = field->kind == PQ_KIND_text ? text
                   : field->kind == PQ_KIND_u64  ? H5T_NATIVE_UINT64
                                                 : H5T_NATIVE_DOUBLE;
        H5Tinsert(row, field->name, field->offset, type);
    }
    H5Tclose(text);
    return row;
}
