/* Which rows are shown, and in which tables. */
#include "record_points.h"
#include "record_text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Calls take for every part of a comma-separated list until it returns other than PQ_OK. */
static enum pq_status each(const char *list, enum pq_status (*take)(void *with, const char *part), void *with)
{
    char *copy = strdup(list), *rest = copy, *part;
    PQ_ASSERT(copy);
    enum pq_status status = PQ_OK;
    while (status == PQ_OK && (part = strsep(&rest, ",")))
        status = take(with, part);
    free(copy);
    return status;
}

static enum pq_status no_such_field(const char *name, struct pq_error *err)
{
    return pq_fail(err, PQ_USER, "there is no field %s; results/SCHEMA.md lists the fields of /runs", name);
}

struct selection {
    const struct pq_results *r;
    const struct pq_field *field;
    bool *chosen; /* [r->runs] */
    struct pq_error *err;
};

/* Up to some of the values that the field has, for a message. */
static void list_values(const struct selection *s, char *out, size_t room)
{
    char value[PQ_CELL], before[PQ_CELL];
    *out = '\0';
    for (size_t i = 0; i < s->r->runs; i++) {
        bool seen = false;
        pq_field_print(value, sizeof value, s->field, &s->r->run[i]);
        for (size_t k = 0; k < i && !seen; k++) {
            pq_field_print(before, sizeof before, s->field, &s->r->run[k]);
            seen = strcmp(before, value) == 0;
        }
        size_t length = strlen(out);
        if (!seen && length + strlen(value) + 3 < room)
            snprintf(out + length, room - length, "%s%s", length ? ", " : "", value);
    }
}

static enum pq_status choose(void *with, const char *value)
{
    struct selection *s = with;
    char text[PQ_CELL], values[256];
    bool found = false;
    for (size_t i = 0; i < s->r->runs; i++) {
        pq_field_print(text, sizeof text, s->field, &s->r->run[i]);
        if (strcmp(text, value) == 0)
            found = s->chosen[i] = true;
    }
    if (found)
        return PQ_OK;
    list_values(s, values, sizeof values);
    return pq_fail(s->err, PQ_USER, "%s: no repetition has %s %s; there are: %s", s->r->path, s->field->name, value,
                   values);
}

static enum pq_status select_rows(struct pq_results *r, const char *field, const char *values, struct pq_error *err)
{
    struct selection s = { .r = r, .field = pq_field_find(field), .err = err };
    if (!s.field)
        return no_such_field(field, err);
    s.chosen = calloc(r->runs + 1, sizeof *s.chosen);
    PQ_ASSERT(s.chosen);
    enum pq_status status = each(values, choose, &s);
    size_t kept = 0;
    for (size_t i = 0; status == PQ_OK && i < r->runs; i++)
        if (s.chosen[i])
            r->run[kept++] = r->run[i];
    if (status == PQ_OK) {
        r->runs = kept;
        r->ops = 0; /* they point to rows by number, and nothing that is shown needs them */
    }
    free(s.chosen);
    return status;
}

static enum pq_status add_group(void *with, const char *name)
{
    struct pq_group_by *by = with;
    const struct pq_field *field = pq_field_find(name);
    if (!field || !pq_field_is_point(field) || by->count == sizeof by->field / sizeof by->field[0])
        return PQ_USER;
    by->field[by->count++] = field;
    return PQ_OK;
}

const char *const pq_rows_name[3] = { "runs", "evaluations", "sentences" };

/* Another dataset than /runs. */
static void show_rows(const struct pq_results *r, const struct pq_results_view *view, FILE *to)
{
    const bool sentences = view->rows == PQ_ROWS_SENTENCES;
    const struct pq_table *table = sentences ? &pq_sentence_table : &pq_evaluation_table;
    const void *rows = sentences ? (const void *)r->sentence : r->evaluation;
    const size_t count = sentences ? r->sentences : r->evaluations;
    if (view->format == PQ_RESULTS_CSV)
        pq_rows_show_csv(table, rows, count, to);
    else
        pq_rows_show_json(table, rows, count, to);
}

static void show_tables(const struct pq_results *r, const struct pq_results_view *view, const struct pq_group_by *by,
                        FILE *to)
{
    const bool evaluations = r->evaluations > 0 && view->selections == 0 && !view->group;
    if (r->runs > 0 || !evaluations)
        pq_results_show_table(r, by, to);
    if (r->runs > 0 && evaluations)
        putc('\n', to);
    if (evaluations)
        pq_results_show_evaluations(r, to);
}

enum pq_status pq_results_show(struct pq_results *r, const struct pq_results_view *view, FILE *to,
                               struct pq_error *err)
{
    struct pq_group_by by = { 0 };
    PQ_ASSERT(view->selections == 0 || r->lock < 0);
    PQ_ASSERT(view->rows == PQ_ROWS_RUNS ||
              (view->format != PQ_RESULTS_TABLE && !view->medians && view->selections == 0 && !view->group));
    for (size_t s = 0; s < view->selections; s++) {
        enum pq_status status = select_rows(r, view->select[s].field, view->select[s].values, err);
        if (status != PQ_OK)
            return status;
    }
    if (view->group && each(view->group, add_group, &by) != PQ_OK)
        return pq_fail(err, PQ_USER, "cannot group by %s; give up to 8 settings such as protocol,threads", view->group);
    if (view->rows != PQ_ROWS_RUNS)
        show_rows(r, view, to);
    else if (view->format == PQ_RESULTS_CSV)
        pq_results_show_csv(r, view->medians, to);
    else if (view->format == PQ_RESULTS_JSON)
        pq_results_show_json(r, view->medians, to);
    else
        show_tables(r, view, &by, to);
    if (fflush(to) == 0 && !ferror(to))
        return PQ_OK;
    return pq_fail(err, PQ_WORLD, "cannot write the result: %s", strerror(errno));
}
