/* Several result files into one, and what keeps them apart. */
#include "record_store.h"

#include <stdlib.h>
#include <string.h>

/* Entries of /environment that no field of /runs repeats, and that times or bytes depend on. */
static const char *const must_agree[] = { "version", "commit", "build_type", "compiler", "mpi", "cpu" };
enum { MUST_AGREE = sizeof must_agree / sizeof must_agree[0] };

struct input { const char *path; struct pq_results *r; };

/* The first text of that name in any launch of r that is not `other`; with other NULL the first of all. NULL: none. */
static const char *text_unlike(const struct pq_results *r, const char *name, const char *other)
{
    for (size_t l = 0; l < r->launches; l++)
        for (size_t e = 0; e < r->launch[l].count; e++)
            if (strcmp(r->launch[l].entry[e].name, name) == 0 &&
                (!other || strcmp(r->launch[l].entry[e].text, other) != 0))
                return r->launch[l].entry[e].text;
    return NULL;
}

static enum pq_status check_programs(const struct input *in, size_t count, struct pq_error *err)
{
    for (size_t n = 0; n < MUST_AGREE; n++) {
        const char *first = NULL;
        for (size_t i = 0; i < count; i++) {
            first = first ? first : text_unlike(in[i].r, must_agree[n], NULL);
            const char *other = first ? text_unlike(in[i].r, must_agree[n], first) : NULL;
            if (other)
                return pq_fail(err, PQ_USER, "%s: its %s is %.100s, that of the files before %.100s, and no column "
                               "would tell; report them apart, or merge with --force", in[i].path, must_agree[n],
                               other, first);
        }
    }
    return PQ_OK;
}

/* What is said of its model and mode by a row of /runs or, behind them, of /evaluations. */
struct origin { const char *model, *model_id, *mode; };

static size_t count_origins(const struct pq_results *r)
{
    return r->runs + r->evaluations;
}

static struct origin origin_of(const struct pq_results *r, size_t row)
{
    if (row < r->runs)
        return (struct origin){ r->run[row].model, r->run[row].model_id, r->run[row].mode };
    const struct pq_evaluation_record *e = &r->evaluation[row - r->runs];
    return (struct origin){ e->model, e->model_id, e->mode };
}

static enum pq_status check_modes(const struct input *in, size_t count, struct pq_error *err)
{
    const char *first = NULL;
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < count_origins(in[i].r); k++) {
            const char *mode = origin_of(in[i].r, k).mode;
            first = first ? first : mode;
            if (strcmp(first, mode) != 0)
                return pq_fail(err, PQ_USER, "%s: has results that are %s among others that are %s; report them "
                               "apart, or merge with --force", in[i].path, mode, first);
        }
    return PQ_OK;
}

static enum pq_status check_models(const struct input *in, size_t count, struct pq_error *err)
{
    enum { MODELS = 64 };
    struct origin model[MODELS];
    size_t models = 0;
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < count_origins(in[i].r); k++) {
            const struct origin row = origin_of(in[i].r, k);
            size_t m = 0;
            while (m < models && strcmp(model[m].model, row.model) != 0)
                m++;
            if (m < models && strcmp(model[m].model_id, row.model_id) != 0)
                return pq_fail(err, PQ_USER, "%s: its model %s has the checksum %s, in the files before %s: two models "
                               "of one name", in[i].path, row.model, row.model_id, model[m].model_id);
            if (m == MODELS)
                return pq_fail(err, PQ_USER, "%s: more than %d models; merge fewer files", in[i].path, MODELS);
            if (m == models)
                model[models++] = row;
        }
    return PQ_OK;
}

struct owned { const struct pq_run_record *run; size_t file; };

/* A point is one file's. */
static enum pq_status check_points(const struct input *in, size_t count, struct pq_error *err)
{
    struct owned *point = NULL;
    size_t points = 0;
    enum pq_status status = PQ_OK;
    for (size_t i = 0; i < count && status == PQ_OK; i++)
        for (size_t k = 0; k < in[i].r->runs && status == PQ_OK; k++) {
            const struct pq_run_record *run = &in[i].r->run[k];
            size_t p = points; /* the latest first: rows of a point stand together */
            while (p > 0 && !pq_rows_same_point(&pq_run_table, point[p - 1].run, run))
                p--;
            if (p == 0) {
                point = realloc(point, (points + 1) * sizeof *point);
                PQ_ASSERT(point);
                point[points++] = (struct owned){ run, i };
            } else if (point[p - 1].file != i) {
                status = pq_fail(err, PQ_USER, "%s: the point %s, length %llu, G=%llu, %llu threads is in %s already "
                                 "(%s); leave one out", in[i].path, run->protocol, (unsigned long long)run->seq_len,
                                 (unsigned long long)run->ranks_per_party, (unsigned long long)run->threads,
                                 in[point[p - 1].file].path,
                                 memcmp(point[p - 1].run, run, sizeof *run) == 0 ? "the same measurement"
                                                                                : "measured twice");
            }
        }
    free(point);
    return status;
}

/* An evaluation is one file's. */
static enum pq_status check_evaluations(const struct input *in, size_t count, struct pq_error *err)
{
    for (size_t i = 1; i < count; i++)
        for (size_t e = 0; e < in[i].r->evaluations; e++)
            for (size_t before = 0; before < i; before++) {
                const struct pq_evaluation_record *mine = &in[i].r->evaluation[e];
                if (pq_results_find_evaluation(in[before].r, mine) < in[before].r->evaluations)
                    return pq_fail(err, PQ_USER, "%s: the evaluation of %s on %s is in %s already; leave one out",
                                   in[i].path, mine->model, mine->data, in[before].path);
            }
    return PQ_OK;
}

static void append_launches(struct pq_results *to, const struct input *in)
{
    for (size_t l = 0; l < in->r->launches; l++) {
        struct pq_environment *env = &in->r->launch[l];
        if (l == 0 && !text_unlike(in->r, "merged_from", NULL))
            pq_environment_add(env, "merged_from", "%s, %zu rows", in->path, in->r->runs + in->r->sentences);
        pq_results_add_launch(to, env);
    }
}

static void append_rows(struct pq_results *to, const struct pq_results *from)
{
    to->run = realloc(to->run, (to->runs + from->runs + 1) * sizeof *to->run);
    to->op = realloc(to->op, (to->ops + from->ops + 1) * sizeof *to->op);
    PQ_ASSERT(to->run && to->op);
    if (from->runs)
        memcpy(to->run + to->runs, from->run, from->runs * sizeof *to->run);
    for (size_t i = 0; i < from->ops; i++) {
        to->op[to->ops + i] = from->op[i];
        to->op[to->ops + i].point += to->runs;
    }
    to->runs += from->runs;
    to->ops += from->ops;
}

static void append_evaluations(struct pq_results *to, const struct pq_results *from)
{
    to->evaluation = realloc(to->evaluation, (to->evaluations + from->evaluations + 1) * sizeof *to->evaluation);
    to->sentence = realloc(to->sentence, (to->sentences + from->sentences + 1) * sizeof *to->sentence);
    PQ_ASSERT(to->evaluation && to->sentence);
    for (size_t i = 0; i < from->evaluations; i++)
        to->evaluation[to->evaluations + i] = from->evaluation[i];
    for (size_t i = 0; i < from->sentences; i++) {
        to->sentence[to->sentences + i] = from->sentence[i];
        to->sentence[to->sentences + i].evaluation += to->evaluations;
    }
    to->evaluations += from->evaluations;
    to->sentences += from->sentences;
}

static enum pq_status write_merged(const char *out, const struct input *in, size_t count, struct pq_error *err)
{
    const struct pq_environment nothing = { 0 };
    struct pq_results *to;
    enum pq_status status = pq_results_open(out, false, &nothing, &to, err);
    if (status != PQ_OK)
        return status;
    to->launches = 0; /* of the empty one */
    for (size_t i = 0; i < count; i++) {
        append_launches(to, &in[i]);
        append_rows(to, in[i].r);
        append_evaluations(to, in[i].r);
    }
    status = pq_results_save(to, err);
    pq_results_close(to);
    return status;
}

enum pq_status pq_results_merge(const char *out, const char *const *path, size_t count, bool force,
                                struct pq_error *err)
{
    struct input *in = calloc(count, sizeof *in);
    enum pq_status status = PQ_OK;
    PQ_ASSERT(in);
    for (size_t i = 0; i < count && status == PQ_OK; i++) {
        in[i].path = path[i];
        status = pq_results_read(path[i], &in[i].r, err);
    }
    if (status == PQ_OK)
        status = check_points(in, count, err);
    if (status == PQ_OK)
        status = check_evaluations(in, count, err);
    if (status == PQ_OK)
        status = check_models(in, count, err);
    if (status == PQ_OK && !force)
        status = check_programs(in, count, err);
    if (status == PQ_OK && !force)
        status = check_modes(in, count, err);
    if (status == PQ_OK)
        status = write_merged(out, in, count, err);
    for (size_t i = 0; i < count; i++)
        pq_results_close(in[i].r);
    free(in);
    return status;
}
