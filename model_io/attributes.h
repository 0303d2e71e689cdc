/* Attributes of our HDF5 files' root groups. Internal to model_io. */
#ifndef PQ_ATTRIBUTES_H
#define PQ_ATTRIBUTES_H

#include <hdf5.h>

/* count values of a type (0: one, as a scalar); non-zero when HDF5 fails. */
int pq_attribute_put(hid_t file, const char *name, hid_t type, hid_t memory_type, hsize_t count, const void *value);
int pq_attribute_put_text(hid_t file, const char *name, const char *text);

enum pq_attribute { PQ_ATTRIBUTE_RIGHT, PQ_ATTRIBUTE_ABSENT, PQ_ATTRIBUTE_OTHER };

/* Exactly this type and number of values, or OTHER. */
enum pq_attribute pq_attribute_get(hid_t file, const char *name, hid_t type, hid_t memory_type, hsize_t count,
                                   void *value);
/* A text of fixed length, cut to room - 1 bytes. */
enum pq_attribute pq_attribute_get_text(hid_t file, const char *name, char *text, size_t room);

#endif
