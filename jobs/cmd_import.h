/* pqbert model import. */
#ifndef PQ_CMD_IMPORT_H
#define PQ_CMD_IMPORT_H

#include "options.h"

/* Reads, calibrates, reports on standard output and writes, as the options say (PQ_CMD_IMPORT). Every mistake is found
 * before calibration starts. */
PQ_MUST_USE enum pq_status pq_import_command(const struct pq_options *o, struct pq_error *err);

#endif
