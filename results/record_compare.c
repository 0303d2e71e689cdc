/* pqbert results compare: which points of two files differ, by how much, and whether the spread allows saying so. */
#include "record_points.h"
#include "record_text.h"
#include "spread.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

struct side {
    const struct pq_results *r;
    struct pq_result_point *point;
    size_t points;
};

enum { A, B, SIDES };

struct comparison {
    struct side side[SIDES];
    bool *ignored; /* [pq_run_table.fields]: one value in all of A, one in all of B */
    size_t *partner; /* [points of A] point of B, or SIZE_MAX */
    size_t slower, faster, unclear, few;
    FILE *to;
};

static const struct pq_run_record *first(const struct side *s, size_t point)
{
    return &s->r->run[s->point[point].row[0]];
}

static bool same_field(const struct pq_field *field, const struct pq_run_record *a, const struct pq_run_record *b)
{
    char x[PQ_CELL], y[PQ_CELL];
    pq_field_print(x, sizeof x, field, a);
    pq_field_print(y, sizeof y, field, b);
    return strcmp(x, y) == 0;
}

static void choose_fields(struct comparison *c)
{
    c->ignored = calloc(pq_run_table.fields, sizeof *c->ignored);
    PQ_ASSERT(c->ignored);
    for (size_t f = 0; f < pq_run_table.fields; f++) {
        const struct pq_field *field = &pq_run_table.field[f];
        bool matters = strcmp(field->name, "seq_len") == 0;
        if (strcmp(field->name, "batch") == 0)
            matters = !same_field(field, first(&c->side[A], 0), first(&c->side[B], 0));
        for (int s = 0; s < SIDES; s++)
            matters = matters || pq_points_vary(c->side[s].r, c->side[s].point, c->side[s].points, field);
        c->ignored[f] = !pq_field_is_point(field) || !matters;
    }
}

static bool matches(const struct comparison *c, size_t a, size_t b)
{
    for (size_t f = 0; f < pq_run_table.fields; f++)
        if (!c->ignored[f] && !same_field(&pq_run_table.field[f], first(&c->side[A], a), first(&c->side[B], b)))
            return false;
    return true;
}

/* Returns how many points have one. */
static size_t find_partners(struct comparison *c)
{
    size_t found = 0;
    c->partner = calloc(c->side[A].points + 1, sizeof *c->partner);
    PQ_ASSERT(c->partner);
    for (size_t a = 0; a < c->side[A].points; a++) {
        c->partner[a] = SIZE_MAX;
        for (size_t b = 0; b < c->side[B].points && c->partner[a] == SIZE_MAX; b++)
            if (matches(c, a, b))
                c->partner[a] = b;
        found += c->partner[a] != SIZE_MAX;
    }
    return found;
}

/* The text that the file's launches gave this entry last, or NULL. */
static const char *environment_text(const struct pq_results *r, const char *name)
{
    for (size_t l = r->launches; l-- > 0;)
        for (size_t e = 0; e < r->launch[l].count; e++)
            if (strcmp(r->launch[l].entry[e].name, name) == 0)
                return r->launch[l].entry[e].text;
    return NULL;
}

static void print_difference(FILE *to, const char *name, const char *a, const char *b)
{
    fprintf(to, "  %s: %s in A, %s in B\n", name, a && *a ? a : "none", b && *b ? b : "none");
}

/* Whatever may be the reason for a difference other than what the reader has in mind. */
static void print_circumstances(const struct comparison *c)
{
    static const char *const entry[] = {
        "host_names", "cpu", "cores", "governor", "commit", "build_type", "compiler", "mpi", "binding",
        "omp_wait_policy", "verification",
    };
    bool any = false;
    for (size_t f = 0; f < pq_run_table.fields; f++) {
        const struct pq_field *field = &pq_run_table.field[f];
        char x[PQ_CELL], y[PQ_CELL];
        if (!pq_field_is_point(field) || !c->ignored[f])
            continue;
        if (same_field(field, first(&c->side[A], 0), first(&c->side[B], 0)))
            continue;
        pq_field_print(x, sizeof x, field, first(&c->side[A], 0));
        pq_field_print(y, sizeof y, field, first(&c->side[B], 0));
        fprintf(c->to, "%s", any ? "" : "not measured alike:\n");
        print_difference(c->to, field->name, x, y);
        any = true;
    }
    for (size_t e = 0; e < sizeof entry / sizeof entry[0]; e++) {
        const char *x = environment_text(c->side[A].r, entry[e]), *y = environment_text(c->side[B].r, entry[e]);
        if (!x && !y)
            continue;
        if (x && y && strcmp(x, y) == 0)
            continue;
        fprintf(c->to, "%s", any ? "" : "not measured alike:\n");
        print_difference(c->to, entry[e], x, y);
        any = true;
    }
}

/* What is compared of every point. */
static const struct quantity {
    const char *name;
    size_t offset;
    double unit;
    bool time; /* has a spread; else a count, shown where it differs */
} quantity[] = {
#define AT(name) offsetof(struct pq_run_record, name)
    { "online ms", AT(online_ns), 1e6, true },      { "offline ms", AT(offline_ns), 1e6, true },
    { "online MB", AT(online_bytes), 1e6, false },  { "offline MB", AT(offline_bytes), 1e6, false },
    { "online rounds", AT(online_rounds), 1, false },
#undef AT
};
enum { QUANTITIES = sizeof quantity / sizeof quantity[0], FIXED_COLUMNS = 7 };

static void put_number(char *out, double x, double unit)
{
    snprintf(out, PQ_CELL, "%.*f", unit > 1 ? pq_digits(x / unit) : 0, x / unit);
}

static void put_change(char *out, double ratio)
{
    snprintf(out, PQ_CELL, "%+.1f %%", 100 * (ratio - 1));
}

static const char *finding(struct comparison *c, const struct pq_ratio *r)
{
    if (!r->known) {
        c->few++;
        return "too few repetitions to say";
    }
    c->slower += r->low > 1;
    c->faster += r->high < 1;
    c->unclear += r->low <= 1 && r->high >= 1;
    return r->low > 1 ? "slower" : r->high < 1 ? "faster" : "within the spread";
}

/* One line of the table from its cell of the quantity's name on; false when there is nothing to say. */
static bool fill_count(struct pq_sheet *s, size_t line, size_t column, const double median[SIDES])
{
    if (median[A] > 0)
        put_change(pq_sheet_cell(s, line, column + 4), median[B] / median[A]);
    snprintf(pq_sheet_cell(s, line, column + 6), PQ_CELL, "%s", median[B] > median[A] ? "more" : "fewer");
    return median[A] != median[B];
}

static bool fill_time(struct comparison *c, struct pq_sheet *s, size_t line, size_t column,
                      const struct pq_result_point *const p[SIDES], uint64_t *const value[SIDES],
                      const double median[SIDES])
{
    bool compared = true;
    for (int i = 0; i < SIDES; i++) {
        const char *why = !pq_point_has_times(p[i]) ? "INVALID" : value[i][0] == 0 ? "no time" : NULL;
        compared = compared && !why;
        if (why)
            snprintf(pq_sheet_cell(s, line, column + 2 + (size_t)i), PQ_CELL, "%s", why);
    }
    if (!compared) {
        snprintf(pq_sheet_cell(s, line, column + 6), PQ_CELL, "not compared");
        return median[A] > 0 || median[B] > 0;
    }
    const struct pq_ratio r = pq_spread_ratio(value[A], p[A]->rows, value[B], p[B]->rows);
    put_change(pq_sheet_cell(s, line, column + 4), r.middle);
    if (r.known)
        snprintf(pq_sheet_cell(s, line, column + 5), PQ_CELL, "%+.1f %% to %+.1f %%", 100 * (r.low - 1),
                 100 * (r.high - 1));
    snprintf(pq_sheet_cell(s, line, column + 6), PQ_CELL, "%s", finding(c, &r));
    return true;
}

static bool fill_line(struct comparison *c, struct pq_sheet *s, size_t line, size_t column, size_t a,
                      const struct quantity *q)
{
    const struct pq_result_point *const p[SIDES] = { &c->side[A].point[a], &c->side[B].point[c->partner[a]] };
    uint64_t *value[SIDES];
    double median[SIDES];
    for (size_t i = 0; i < FIXED_COLUMNS; i++)
        *pq_sheet_cell(s, line, column + i) = '\0';
    snprintf(pq_sheet_cell(s, line, column), PQ_CELL, "%s", q->name);
    snprintf(pq_sheet_cell(s, line, column + 1), PQ_CELL, "%zu, %zu", p[A]->rows, p[B]->rows);
    for (int i = 0; i < SIDES; i++) {
        value[i] = pq_point_sorted(c->side[i].r, p[i], q->offset);
        median[i] = pq_quantile(value[i], p[i]->rows, 0.5);
        put_number(pq_sheet_cell(s, line, column + 2 + (size_t)i), median[i], q->unit);
    }
    const bool said = q->time ? fill_time(c, s, line, column, p, value, median) : fill_count(s, line, column, median);
    for (int i = 0; i < SIDES; i++)
        free(value[i]);
    return said;
}

static void print_table(struct comparison *c, size_t found)
{
    static const char *const title[FIXED_COLUMNS] = {
        "quantity", "repetitions A, B", "A", "B", "change", "95 % interval", "finding"
    };
    size_t settings = 0, line = 0;
    for (size_t f = 0; f < pq_run_table.fields; f++)
        settings += !c->ignored[f];
    struct pq_sheet s = pq_sheet_create(found * QUANTITIES + 1, settings + FIXED_COLUMNS);
    for (size_t i = 0; i < FIXED_COLUMNS; i++)
        snprintf(pq_sheet_cell(&s, 0, settings + i), PQ_CELL, "%s", title[i]);
    for (size_t f = 0, column = 0; f < pq_run_table.fields; f++)
        if (!c->ignored[f])
            snprintf(pq_sheet_cell(&s, 0, column++), PQ_CELL, "%s", pq_run_table.field[f].name);
    for (size_t a = 0; a < c->side[A].points; a++)
        for (size_t q = 0; q < QUANTITIES && c->partner[a] != SIZE_MAX; q++) {
            if (!fill_line(c, &s, line + 1, settings, a, &quantity[q]))
                continue;
            line++;
            for (size_t f = 0, column = 0; f < pq_run_table.fields; f++)
                if (!c->ignored[f])
                    pq_field_print(pq_sheet_cell(&s, line, column++), PQ_CELL, &pq_run_table.field[f],
                                   first(&c->side[A], a));
        }
    s.lines = line + 1; /* a count without a difference leaves its line to the next */
    putc('\n', c->to);
    pq_sheet_print(&s, 0, line, settings + 1, c->to);
    free(s.cell);
}

static void print_heading(const struct comparison *c, size_t found)
{
    fprintf(c->to, "A %s, B %s: %zu points in both, %zu in A alone, %zu in B alone\n", c->side[A].r->path,
            c->side[B].r->path, found, c->side[A].points - found, c->side[B].points - found);
    fputs("A and B: medians. change: median of B over A for all pairs of repetitions; 95 % interval from Mann and "
          "Whitney's U\nMB: 10^6 bytes, sum over the parties; bytes and rounds are listed where they differ\n", c->to);
}

static void print_summary(const struct comparison *c)
{
    const size_t all = c->slower + c->faster + c->unclear;
    fprintf(c->to, "\nof %zu times compared %zu are slower, %zu faster, %zu within the spread", all, c->slower,
            c->faster, c->unclear);
    if (c->few)
        fprintf(c->to, "; %zu more have too few repetitions to say (4 and 4 suffice)", c->few);
    if (c->side[A].r->evaluations || c->side[B].r->evaluations)
        fputs("\nevaluations are not compared; results show lists those of each file", c->to);
    fputs("\nof 20 times that did not change, one is expected to be called slower or faster; what changed on the "
          "machine between the two runs is part of the change\n", c->to);
}

enum pq_status pq_results_compare(const struct pq_results *a, const struct pq_results *b, FILE *to,
                                  struct pq_error *err)
{
    struct comparison c = { .side = { { .r = a }, { .r = b } }, .to = to };
    for (int s = 0; s < SIDES; s++)
        if (c.side[s].r->runs == 0)
            return pq_fail(err, PQ_USER, "%s: holds no repetitions, nothing to compare%s", c.side[s].r->path,
                           c.side[s].r->evaluations ? "; results show lists its evaluations" : "");
    for (int s = 0; s < SIDES; s++)
        c.side[s].point = pq_points_group(c.side[s].r, &c.side[s].points);
    choose_fields(&c);
    const size_t found = find_partners(&c);
    enum pq_status status = PQ_OK;
    if (found == 0) {
        status = pq_fail(err, PQ_USER, "%s and %s have no point in common; results show lists the points of each",
                         a->path, b->path);
    } else {
        print_heading(&c, found);
        print_circumstances(&c);
        print_table(&c, found);
        print_summary(&c);
        if (fflush(to) != 0 || ferror(to))
            status = pq_fail(err, PQ_WORLD, "cannot write the result: %s", strerror(errno));
    }
    free(c.partner);
    free(c.ignored);
    for (int s = 0; s < SIDES; s++)
        pq_points_free(c.side[s].point, c.side[s].points);
    return status;
}
