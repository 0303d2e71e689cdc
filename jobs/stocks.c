#include "stocks.h"

#include "build_info.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static struct pq_material_label label_of(const struct pq_launch *l, const struct pq_plan *p)
{
    struct pq_material_label label = { .shape = p->shape, .seq = (uint32_t)p->seq, .batch = (uint32_t)p->batch,
                                       .ranks = (uint32_t)p->ranks };
    snprintf(label.program, sizeof label.program, "%s %s", PQ_VERSION, PQ_COMMIT);
    snprintf(label.protocol, sizeof label.protocol, "%s", pq_protocol_name[p->protocol]);
    snprintf(label.maximum, sizeof label.maximum, "%s", pq_maximum_name[p->maximum]);
    snprintf(label.tables, sizeof label.tables, "%s", pq_tables_name[p->tables]);
    snprintf(label.mode, sizeof label.mode, "%s", l->options.seed_given ? "INSECURE-BENCH" : "secure");
    memcpy(label.model_id, l->model_id, sizeof label.model_id);
    return label;
}

static char *folder_of(const struct pq_launch *l, const struct pq_plan *p)
{
    char *folder = NULL;
    PQ_ASSERT(asprintf(&folder, "%s/%s-s%zu-b%zu-g%zu-%s-%s", l->options.material, pq_protocol_name[p->protocol],
                       p->seq, p->batch, p->ranks, pq_maximum_name[p->maximum], pq_tables_name[p->tables]) > 0);
    return folder;
}

/* The first point with the set of point i, which may be i itself. */
static size_t first_with_set(const struct pq_launch *l, size_t i)
{
    char *mine = folder_of(l, &l->points[i].plan);
    size_t k = 0;
    for (; k < i; k++) {
        char *other = folder_of(l, &l->points[k].plan);
        const bool same = !strcmp(mine, other);
        free(other);
        if (same)
            break;
    }
    free(mine);
    return k;
}

static enum pq_status prepare_point(struct pq_launch *l, size_t i, bool create, struct pq_error *err)
{
    struct pq_point *p = &l->points[i];
    const struct pq_material_label wanted = label_of(l, &p->plan);
    char *folder = folder_of(l, &p->plan);
    const struct pq_stock_setup setup = { &l->group, &p->plan, folder, &wanted };
    enum pq_status s = create ? pq_stock_create(&setup, (uint32_t)l->options.count, &p->stock, err)
                              : pq_stock_open(&setup, &p->stock, err);
    free(folder);
    return s;
}

enum pq_status pq_stocks_open(struct pq_launch *l, struct pq_error *err)
{
    enum pq_status s = PQ_OK;
    for (size_t i = 0; i < l->point_count && s == PQ_OK; i++) {
        const size_t first = first_with_set(l, i);
        if (first < i)
            l->points[i].stock = l->points[first].stock;
        else
            s = prepare_point(l, i, false, err);
    }
    return s;
}

enum pq_status pq_stocks_create(struct pq_launch *l, struct pq_error *err)
{
    const char *path = l->options.material;
    enum pq_status s = PQ_OK;
    if (mkdir(path, 0700) != 0 && errno != EEXIST)
        s = pq_fail(err, PQ_USER, "--material %s: cannot be made: %s; give a folder in one that exists and may be "
                    "written to", path, strerror(errno));
    s = pq_group_agree(&l->group, s, err);
    for (size_t i = 0; i < l->point_count && s == PQ_OK; i++)
        if (first_with_set(l, i) == i)
            s = prepare_point(l, i, true, err);
    return s;
}

enum pq_status pq_stocks_demand(const struct pq_launch *l, const uint64_t *entries, struct pq_error *err)
{
    enum pq_status s = PQ_OK;
    for (size_t i = 0; i < l->point_count && s == PQ_OK && l->options.material; i++) {
        uint64_t sum = 0;
        if (first_with_set(l, i) < i)
            continue;
        for (size_t k = i; k < l->point_count; k++)
            sum += l->points[k].stock == l->points[i].stock ? entries[k] : 0;
        s = pq_stock_demand(l->points[i].stock, sum, err);
    }
    return s;
}

void pq_stocks_close(struct pq_launch *l)
{
    for (size_t i = 0; i < l->point_count && l->options.material; i++)
        if (first_with_set(l, i) == i)
            pq_stock_close(l->points[i].stock);
}
