/* A stock: offline material on disk, dealt by one job (`pqbert offline`) and used up by others, one file per rank
 * (model_io/material_file.h). Every rank of the launch calls these in the same order; ranks beyond the plan's G have no
 * file. Called by jobs/, and by a session (inference.h) that fills a stock or lives on one.
 *
 * What is stored. P1 and P2: what P0 sent them for each inference. P0's first rank: the keys s01 and s02 under which it
 * was dealt. The other files of P0 only count. P1 and P2 store no keys, nor the masks they draw from them: P0 hands
 * them the keys again when a run is set up, in the same messages in which it hands out fresh ones, so fewer files can
 * lose a key, and a run's set-up costs what any set-up costs. s12 is not part of the material and is made anew in every
 * run: a run that verifies shows it to P0, which must not tell P0 anything about later ones.
 *
 * Nothing is masked twice with different content under one address of these keys. Entry e is inference number e, and is
 * used once. Set-up's address masks the weight shares, in the offline job and again in every run: the model is the same
 * one (its checksum is compared), so are the masks, and therefore the bytes that P2 (in `published` also P1) receives,
 * which tell it nothing that it has not had.
 *
 * Single use. An entry is marked as used in every rank's file, on the disk, before any rank reads it, and a rank that
 * cannot mark it ends the job. When the job dies between two marks, the entry counts as used as soon as one file says
 * so. The next entry is the first that no file marks, which all ranks know from the opening on. A lock on each file
 * keeps other jobs out meanwhile. What this cannot see: copies of the files that were made before an entry was used. */
#ifndef PQ_STOCK_H
#define PQ_STOCK_H

#include "../model_io/material_file.h"
#include "engine_run.h"

struct pq_stock;

/* folder: of this set. wanted: what it is for; party, rank, count and set_id are filled in here. */
struct pq_stock_setup {
    const struct pq_group *group;
    const struct pq_plan *plan;
    const char *folder;
    const struct pq_material_label *wanted;
};

/* --- filling one: create, then a session deals each entry (pq_session_deal), then finish --- */

/* Makes the folder (its parent exists) and every rank's file, with room for `count` entries. All ranks return the same.
 * PQ_USER: there is a set already, no right to write. PQ_WORLD: no room on a disk. *out is NULL on failure, and what
 * was made is removed. */
PQ_MUST_USE enum pq_status pq_stock_create(const struct pq_stock_setup *setup, uint32_t count, struct pq_stock **out,
                                           struct pq_error *err);
/* Seals the files and gives them their names, once all are sealed. All ranks return the same; PQ_WORLD when a disk
 * refuses. */
PQ_MUST_USE enum pq_status pq_stock_finish(struct pq_stock *s, struct pq_error *err);
/* Bytes of all ranks' files, by party; on world rank 0. */
void pq_stock_bytes(const struct pq_stock *s, uint64_t bytes[PQ_ROLES]);

/* --- living on one --- */

/* Opens every rank's file. All ranks return the same. PQ_USER, one line: a file is missing, foreign, damaged, open to
 * others, in use, made for something else, or not of the same set as the others. */
PQ_MUST_USE enum pq_status pq_stock_open(const struct pq_stock_setup *setup, struct pq_stock **out,
                                         struct pq_error *err);
/* PQ_USER unless `entries` entries are left and whole: reads them all and compares their SHA-256. All ranks return the
 * same. */
PQ_MUST_USE enum pq_status pq_stock_demand(const struct pq_stock *s, uint64_t entries, struct pq_error *err);
uint32_t pq_stock_left(const struct pq_stock *s);
/* Made with a fixed seed. */
bool pq_stock_insecure(const struct pq_stock *s);

const char *pq_stock_folder(const struct pq_stock *s);
/* What was not finished is removed. s may be NULL. */
void pq_stock_close(struct pq_stock *s);

/* --- for the session --- */

bool pq_stock_is_filled(const struct pq_stock *s); /* being filled; else lived on */
/* P0's first rank: s01 and s02. A failing disk ends the job. */
void pq_stock_put_keys(struct pq_stock *s, uint8_t keys[PQ_MATERIAL_KEYS][PQ_KEY_BYTES]);
void pq_stock_keys(const struct pq_stock *s, uint8_t keys[PQ_MATERIAL_KEYS][PQ_KEY_BYTES]);
/* Stores the entry, which at P1 and P2 m holds. All ranks return the same; PQ_WORLD when a disk refuses. */
PQ_MUST_USE enum pq_status pq_stock_put(struct pq_stock *s, uint32_t entry, const struct pq_material *m,
                                        struct pq_error *err);
/* Marks the next entry as used at all ranks, then at P1 and P2 reads it into m. Returns its number. There must be one
 * (PQ_ASSERT); a failing disk ends the job. */
uint32_t pq_stock_take(struct pq_stock *s, struct pq_material *m);
/* After a wrong result: where this rank's part of the entry is not what was written, says so on standard error. */
void pq_stock_explain(const struct pq_stock *s, uint32_t entry);

#endif
