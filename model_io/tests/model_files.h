/* A pair of model files in a scratch folder, for the tests that write, read and damage them. */
#ifndef PQ_MODEL_FILES_H
#define PQ_MODEL_FILES_H

#include "../model_file.h"
#include "../synth.h"
#include "check.h"

extern char prefix[64], secret[80], public[80]; /* in the scratch folder; the files of the prefix */
extern const char odd[];                        /* a shape whose rows do not fill their bytes */

/* Group set-up and tear-down: the folder, and the files of the prefix in it. */
int make_folder(void **state);
int remove_folder(void **state);
size_t files_in_folder(void);

/* An uncalibrated synthetic model. */
void write_model(const char *configuration, uint64_t seed);

/* Reading the file is a user's error whose line names the file and contains part; nothing is left allocated. */
void refused_secret(const char *part);
void refused_public(const char *part);

/* The bytes of a file (free them), and the other way round; spill keeps the mode. */
char *slurp(const char *path, size_t *bytes);
void spill(const char *path, const char *data, size_t bytes);

/* Gives the file a right seal whatever stands behind its first 512 bytes. */
void reseal(const char *path, const struct pq_model_file_kind *kind, uint32_t version);

#endif
