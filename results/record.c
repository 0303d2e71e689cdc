/* The result file in memory. Lock and disk are in record_disk.c, HDF5 is in record_file.c. */
#include "record_store.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct pq_field run_fields[] = {
#define F(type, name, unit, meaning) { PQ_KIND_##type, #name, unit, meaning, offsetof(struct pq_run_record, name) },
    PQ_RUN_FIELDS(F)
#undef F
};
static const struct pq_field op_fields[] = {
#define F(type, name, unit, meaning) { PQ_KIND_##type, #name, unit, meaning, offsetof(struct pq_op_record, name) },
    PQ_OP_FIELDS(F)
#undef F
};
static const struct pq_field evaluation_fields[] = {
#define F(type, name, unit, meaning) \
    { PQ_KIND_##type, #name, unit, meaning, offsetof(struct pq_evaluation_record, name) },
    PQ_EVALUATION_FIELDS(F)
#undef F
};
static const struct pq_field sentence_fields[] = {
#define F(type, name, unit, meaning) \
    { PQ_KIND_##type, #name, unit, meaning, offsetof(struct pq_sentence_record, name) },
    PQ_SENTENCE_FIELDS(F)
#undef F
};
const struct pq_table pq_run_table = {
    "runs", run_fields, sizeof run_fields / sizeof run_fields[0], sizeof(struct pq_run_record)
};
const struct pq_table pq_op_table = {
    "ops", op_fields, sizeof op_fields / sizeof op_fields[0], sizeof(struct pq_op_record)
};
const struct pq_table pq_evaluation_table = {
    "evaluations", evaluation_fields, sizeof evaluation_fields / sizeof evaluation_fields[0],
    sizeof(struct pq_evaluation_record)
};
const struct pq_table pq_sentence_table = {
    "sentences", sentence_fields, sizeof sentence_fields / sizeof sentence_fields[0], sizeof(struct pq_sentence_record)
};

/* /environment */

void pq_environment_add(struct pq_environment *env, const char *name, const char *fmt, ...)
{
    PQ_ASSERT(env->count < sizeof env->entry / sizeof env->entry[0]);
    PQ_ASSERT(name[0] != '\0' && name[0] != '.' && strlen(name) < PQ_NAME && !strchr(name, '/'));
    for (size_t e = 0; e < env->count; e++)
        PQ_ASSERT(strcmp(env->entry[e].name, name) != 0);

    va_list args;
    va_start(args, fmt);
    char *text = NULL;
    PQ_ASSERT(vasprintf(&text, fmt, args) >= 0);
    va_end(args);
    snprintf(env->entry[env->count].name, PQ_NAME, "%s", name);
    env->entry[env->count].text = text;
    env->count++;
}

void pq_environment_free(struct pq_environment *env)
{
    for (size_t e = 0; e < env->count; e++)
        free(env->entry[e].text);
    env->count = 0;
}

/* The text `name` had at the latest launch that gave it, or NULL. */
static const char *latest_text(const struct pq_results *r, const char *name)
{
    for (size_t l = r->launches; l-- > 0;)
        for (size_t e = 0; e < r->launch[l].count; e++)
            if (strcmp(r->launch[l].entry[e].name, name) == 0)
                return r->launch[l].entry[e].text;
    return NULL;
}

/* A resumed file may come from another machine or build: whatever changed stays visible. */
void pq_results_add_launch(struct pq_results *r, const struct pq_environment *env)
{
    struct pq_environment changed = { 0 };
    for (size_t e = 0; e < env->count; e++) {
        const char *before = latest_text(r, env->entry[e].name);
        if (!before || strcmp(before, env->entry[e].text) != 0)
            pq_environment_add(&changed, env->entry[e].name, "%s", env->entry[e].text);
    }
    if (r->launches > 0 && changed.count == 0)
        return;
    r->launch = realloc(r->launch, (r->launches + 1) * sizeof *r->launch);
    PQ_ASSERT(r->launch);
    r->launch[r->launches++] = changed;
}

/* Points */

bool pq_field_is_point(const struct pq_field *field)
{
    static const char mark[] = "point:";
    return strncmp(field->meaning, mark, sizeof mark - 1) == 0;
}

bool pq_rows_same_point(const struct pq_table *table, const void *a, const void *b)
{
    for (size_t f = 0; f < table->fields; f++) {
        const struct pq_field *field = &table->field[f];
        if (!pq_field_is_point(field))
            continue;
        const char *x = (const char *)a + field->offset, *y = (const char *)b + field->offset;
        bool same = field->kind == PQ_KIND_text ? strncmp(x, y, PQ_NAME) == 0 : memcmp(x, y, 8) == 0;
        if (!same)
            return false;
    }
    return true;
}

size_t pq_results_count(const struct pq_results *r, const struct pq_run_record *like)
{
    size_t done = 0;
    for (size_t i = 0; i < r->runs; i++)
        done += (strcmp(r->run[i].verdict, "VALID") == 0 || strcmp(r->run[i].verdict, like->verdict) == 0) &&
                strcmp(r->run[i].verdict, "INVALID") != 0 && pq_rows_same_point(&pq_run_table, &r->run[i], like);
    return done;
}

size_t pq_results_first(const struct pq_results *r, const struct pq_run_record *like)
{
    size_t i = 0;
    while (i < r->runs && !pq_rows_same_point(&pq_run_table, &r->run[i], like))
        i++;
    return i;
}

/* Opening, adding, closing */

static struct pq_results *create(const char *path)
{
    struct pq_results *r = calloc(1, sizeof *r);
    PQ_ASSERT(r);
    r->path = strdup(path);
    PQ_ASSERT(r->path);
    r->lock = -1;
    return r;
}

enum pq_status pq_results_open(const char *path, bool resume, const struct pq_environment *env,
                               struct pq_results **out, struct pq_error *err)
{
    *out = NULL;
    struct pq_results *r = create(path);
    enum pq_status status = pq_results_lock(r, err);
    bool exists = access(path, F_OK) == 0;
    if (status == PQ_OK && exists && !resume)
        status = pq_fail(err, PQ_USER, "%s: exists already; continue it with --resume, or give another name with "
                         "--out", path);
    if (status == PQ_OK && exists)
        status = pq_results_load(r, err);
    if (status != PQ_OK) {
        pq_results_close(r);
        return status;
    }
    pq_results_add_launch(r, env);
    *out = r;
    return PQ_OK;
}

enum pq_status pq_results_read(const char *path, struct pq_results **out, struct pq_error *err)
{
    *out = NULL;
    struct pq_results *r = create(path);
    enum pq_status status = pq_results_load(r, err);
    if (status == PQ_OK)
        *out = r;
    else
        pq_results_close(r);
    return status;
}

void pq_tidy_texts(const struct pq_table *table, void *row)
{
    for (size_t f = 0; f < table->fields; f++) {
        if (table->field[f].kind != PQ_KIND_text)
            continue;
        char *text = (char *)row + table->field[f].offset;
        char *end = memchr(text, '\0', PQ_NAME);
        PQ_ASSERT(end);
        memset(end, 0, (size_t)(text + PQ_NAME - end));
    }
}

enum pq_status pq_results_add_run(struct pq_results *r, const struct pq_run_record *run, struct pq_error *err)
{
    PQ_ASSERT(r->lock >= 0);
    r->run = realloc(r->run, (r->runs + 1) * sizeof *r->run);
    PQ_ASSERT(r->run);
    r->run[r->runs] = *run;
    pq_tidy_texts(&pq_run_table, &r->run[r->runs]);
    PQ_ASSERT(pq_verdict_known(r->run[r->runs].verdict));
    r->runs++;
    enum pq_status status = pq_results_save(r, err);
    if (status != PQ_OK)
        r->runs--;
    return status;
}

enum pq_status pq_results_add_ops(struct pq_results *r, const struct pq_op_record *ops, size_t count,
                                  struct pq_error *err)
{
    PQ_ASSERT(r->lock >= 0);
    if (count == 0)
        return PQ_OK;
    r->op = realloc(r->op, (r->ops + count) * sizeof *r->op);
    PQ_ASSERT(r->op);
    memcpy(r->op + r->ops, ops, count * sizeof *ops);
    for (size_t i = r->ops; i < r->ops + count; i++) {
        pq_tidy_texts(&pq_op_table, &r->op[i]);
        PQ_ASSERT(r->op[i].point < r->runs);
    }
    r->ops += count;
    enum pq_status status = pq_results_save(r, err);
    if (status != PQ_OK)
        r->ops -= count;
    return status;
}

double pq_run_throughput(const struct pq_run_record *run)
{
    const uint64_t each = run->cycle_ns ? run->cycle_ns : run->online_ns;
    const bool rate = each > 0 && strcmp(run->verdict, "INVALID") != 0;
    return rate ? 1e9 * (double)run->batch / (double)each : 0;
}

bool pq_verdict_known(const char *verdict)
{
    return strcmp(verdict, "VALID") == 0 || strcmp(verdict, "INVALID") == 0 || strcmp(verdict, "UNCHECKED") == 0;
}

const struct pq_run_record *pq_results_runs(const struct pq_results *r, size_t *count)
{
    *count = r->runs;
    return r->run;
}

const struct pq_op_record *pq_results_ops(const struct pq_results *r, size_t *count)
{
    *count = r->ops;
    return r->op;
}

void pq_results_close(struct pq_results *r)
{
    if (!r)
        return;
    pq_results_unlock(r);
    for (size_t l = 0; l < r->launches; l++)
        pq_environment_free(&r->launch[l]);
    free(r->launch);
    free(r->run);
    free(r->op);
    free(r->evaluation);
    free(r->sentence);
    free(r->path);
    free(r);
}
