#include "stock.h"

#include "../kernels/secret.h"
#include "seed.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct pq_stock {
    const struct pq_group *group;
    char *folder;
    bool filled;
    struct pq_material_label label; /* of world rank 0's file: what is the same in all */
    struct pq_material_file *file;  /* NULL at ranks beyond G */
    uint64_t bytes;                 /* of an entry in it */
    uint8_t *used;                  /* [count] by any rank; NULL while the stock is filled */
};

static bool has_file(const struct pq_stock_setup *setup)
{
    return setup->group->rank < setup->plan->ranks;
}

static char *path_of(const struct pq_stock_setup *setup)
{
    char *path = NULL;
    PQ_ASSERT(asprintf(&path, "%s/P%d.%zu.h5", setup->folder, (int)setup->group->role, setup->group->rank) > 0);
    return path;
}

static struct pq_material_label label_of(const struct pq_stock_setup *setup)
{
    struct pq_material_label label = *setup->wanted;
    label.party = (uint32_t)setup->group->role;
    label.rank = (uint32_t)setup->group->rank;
    return label;
}

/* Bytes of this rank's entries, and whether its file holds the keys. */
static uint64_t entry_bytes(const struct pq_stock_setup *setup, bool *keys)
{
    struct pq_prediction p;
    const struct pq_group *g = setup->group;
    pq_predict(setup->plan, false, &p);
    const uint64_t bytes = g->role == PQ_P0 ? 0 : p.material[g->role][g->rank];
    pq_prediction_free(&p);
    *keys = g->role == PQ_P0 && g->rank == 0;
    return bytes;
}

static struct pq_stock *allocate(const struct pq_stock_setup *setup, bool filled)
{
    struct pq_stock *s = pq_alloc(sizeof *s);
    *s = (struct pq_stock){ .group = setup->group, .folder = strdup(setup->folder), .filled = filled };
    PQ_ASSERT(s->folder);
    return s;
}

/* status is the same at all ranks. */
static enum pq_status hand_out(struct pq_stock *s, enum pq_status status, struct pq_stock **out)
{
    *out = status == PQ_OK ? s : NULL;
    if (status != PQ_OK)
        pq_stock_close(s);
    return status;
}

static enum pq_status make_folder(const char *path, struct pq_error *err)
{
    if (mkdir(path, 0700) == 0 || errno == EEXIST)
        return PQ_OK;
    return pq_fail(err, errno == ENOSPC || errno == EDQUOT || errno == EIO ? PQ_WORLD : PQ_USER,
                   "%s: cannot be made: %s; give a folder in one that exists and may be written to", path,
                   strerror(errno));
}

enum pq_status pq_stock_create(const struct pq_stock_setup *setup, uint32_t count, struct pq_stock **out,
                               struct pq_error *err)
{
    struct pq_stock *s = allocate(setup, true);
    enum pq_status status = PQ_OK;
    s->label = label_of(setup);
    s->label.count = count;
    pq_seed_make(s->label.set_id, NULL, "set");
    pq_group_broadcast(s->group, 0, s->label.set_id, sizeof s->label.set_id);
    if (has_file(setup)) {
        bool keys;
        char *path = path_of(setup);
        s->bytes = entry_bytes(setup, &keys);
        status = make_folder(setup->folder, err);
        if (status == PQ_OK)
            status = pq_material_file_create(path, &s->label, s->bytes, keys, &s->file, err);
        free(path);
    }
    return hand_out(s, pq_group_agree(s->group, status, err), out);
}

enum pq_status pq_stock_finish(struct pq_stock *s, struct pq_error *err)
{
    enum pq_status status = s->file ? pq_material_file_seal(s->file, err) : PQ_OK;
    status = pq_group_agree(s->group, status, err);
    if (status != PQ_OK)
        return status;
    status = s->file ? pq_material_file_publish(s->file, err) : PQ_OK;
    status = pq_group_agree(s->group, status, err);
    if (status != PQ_OK && s->file)
        pq_material_file_withdraw(s->file);
    return status;
}

void pq_stock_bytes(const struct pq_stock *s, uint64_t bytes[PQ_ROLES])
{
    const struct pq_group *g = s->group;
    uint64_t mine = s->file ? pq_material_file_size(s->file) : 0, *all = pq_alloc((size_t)g->world_size * sizeof *all);
    memset(bytes, 0, PQ_ROLES * sizeof *bytes);
    pq_group_collect(g, &mine, all, sizeof mine);
    for (int rank = 0; rank < g->world_size && g->world_rank == 0; rank++)
        bytes[(size_t)rank / g->ranks_max] += all[rank];
    free(all);
}

static enum pq_status open_file(struct pq_stock *s, const struct pq_stock_setup *setup, struct pq_error *err)
{
    bool keys;
    const struct pq_material_label wanted = label_of(setup);
    char *path = path_of(setup);
    struct stat info;
    s->bytes = entry_bytes(setup, &keys);
    enum pq_status status =
        stat(setup->folder, &info) != 0
            ? pq_fail(err, PQ_USER, "%s: there is no such material (%s); make it with `pqbert offline`, with the same "
                      "model, --seq, --batch, --protocol, --ranks, --max, --tables and --material", setup->folder,
                      strerror(errno))
            : pq_material_file_open(path, &wanted, s->bytes, keys, &s->file, err);
    free(path);
    return status;
}

/* Files that were copied together from two sets fit the same plan, but not each other. */
static enum pq_status compare_sets(struct pq_stock *s, const struct pq_stock_setup *setup, struct pq_error *err)
{
    if (s->group->world_rank == 0)
        s->label = *pq_material_file_label(s->file);
    pq_group_broadcast(s->group, 0, &s->label, sizeof s->label);
    if (!s->file)
        return PQ_OK;
    const struct pq_material_label *mine = pq_material_file_label(s->file);
    if (memcmp(mine->set_id, s->label.set_id, sizeof mine->set_id) || mine->count != s->label.count ||
        strcmp(mine->mode, s->label.mode))
        return pq_fail(err, PQ_USER, "%s/P%d.%zu.h5: is not of the set of P0.0.h5: they were not made together; put "
                       "the set's own files there, or make another with `pqbert offline`", setup->folder,
                       (int)s->group->role, s->group->rank);
    return PQ_OK;
}

/* What any rank has marked is used for all. */
static void unite_marks(struct pq_stock *s)
{
    const struct pq_group *g = s->group;
    const size_t count = s->label.count, ranks = (size_t)g->world_size;
    uint8_t *all = pq_alloc(ranks * count);
    s->used = memset(pq_alloc(count), 0, count);
    if (s->file)
        memcpy(s->used, pq_material_file_used(s->file), count);
    pq_group_collect(g, s->used, all, count);
    for (size_t i = 0; i < ranks * count && g->world_rank == 0; i++)
        s->used[i % count] |= all[i];
    pq_group_broadcast(g, 0, s->used, count);
    free(all);
}

enum pq_status pq_stock_open(const struct pq_stock_setup *setup, struct pq_stock **out, struct pq_error *err)
{
    struct pq_stock *s = allocate(setup, false);
    enum pq_status status = has_file(setup) ? open_file(s, setup, err) : PQ_OK;
    status = pq_group_agree(s->group, status, err);
    if (status == PQ_OK)
        status = pq_group_agree(s->group, compare_sets(s, setup, err), err);
    if (status == PQ_OK)
        unite_marks(s);
    return hand_out(s, status, out);
}

uint32_t pq_stock_left(const struct pq_stock *s)
{
    uint32_t left = 0;
    for (uint32_t e = 0; e < s->label.count; e++)
        left += !s->used[e];
    return left;
}

enum pq_status pq_stock_demand(const struct pq_stock *s, uint64_t entries, struct pq_error *err)
{
    const uint32_t left = pq_stock_left(s), count = s->label.count;
    enum pq_status status = PQ_OK;
    if (left == 0 && entries)
        status = pq_fail(err, PQ_USER, "%s: all %" PRIu32 " entries are used, and none may be used twice; make more "
                         "with `pqbert offline`, in another folder", s->folder, count);
    else if (left < entries)
        status = pq_fail(err, PQ_USER, "%s: %" PRIu32 " of %" PRIu32 " entries are left and %" PRIu64 " are needed, "
                         "one for each inference, warm-up included; make more with `pqbert offline`, in another folder",
                         s->folder, left, count, entries);
    for (uint32_t e = 0; e < count && s->file && status == PQ_OK && entries; e++)
        if (!s->used[e]) {
            status = pq_material_file_check(s->file, e, err);
            entries--;
        }
    return pq_group_agree(s->group, status, err);
}

bool pq_stock_insecure(const struct pq_stock *s)
{
    return strcmp(s->label.mode, "secure") != 0;
}

const char *pq_stock_folder(const struct pq_stock *s)
{
    return s->folder;
}

void pq_stock_close(struct pq_stock *s)
{
    if (!s)
        return;
    pq_material_file_close(s->file);
    if (s->filled)
        rmdir(s->folder); /* where no file is left in it */
    free(s->used);
    free(s->folder);
    free(s);
}

bool pq_stock_is_filled(const struct pq_stock *s)
{
    return s->filled;
}

void pq_stock_put_keys(struct pq_stock *s, uint8_t keys[PQ_MATERIAL_KEYS][PQ_KEY_BYTES])
{
    struct pq_error err;
    if (pq_material_file_put_keys(s->file, keys, &err) != PQ_OK)
        pq_group_die(s->group, "writing material", "%s", err.text);
}

void pq_stock_keys(const struct pq_stock *s, uint8_t keys[PQ_MATERIAL_KEYS][PQ_KEY_BYTES])
{
    pq_material_file_keys(s->file, keys);
}

enum pq_status pq_stock_put(struct pq_stock *s, uint32_t entry, const struct pq_material *m, struct pq_error *err)
{
    const enum pq_status status = s->file ? pq_material_file_put(s->file, entry, m->base, err) : PQ_OK;
    return pq_group_agree(s->group, status, err);
}

void pq_stock_explain(const struct pq_stock *s, uint32_t entry)
{
    struct pq_error err;
    if (s->file && pq_material_file_check(s->file, entry, &err) != PQ_OK)
        fprintf(stderr, "pqbert: %s, verification: %s\n", pq_group_name(s->group), err.text);
}

uint32_t pq_stock_take(struct pq_stock *s, struct pq_material *m)
{
    struct pq_error err;
    uint32_t entry = 0;
    while (entry < s->label.count && s->used[entry])
        entry++;
    PQ_ASSERT(!s->filled && entry < s->label.count);
    s->used[entry] = 1;
    if (s->file && pq_material_file_mark(s->file, entry, &err) != PQ_OK)
        pq_group_die(s->group, "marking material", "%s", err.text);
    pq_group_barrier(s->group); /* marked by all; a rank that could not has ended the job */
    if (s->file && s->group->role != PQ_P0) {
        pq_material_make_room(m, s->bytes);
        if (pq_material_file_read(s->file, entry, m->base, &err) != PQ_OK)
            pq_group_die(s->group, "reading material", "%s", err.text);
    }
    return entry;
}
