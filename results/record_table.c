/* The people's table: one line per point. What is the same for all points is said once above it. */
#include "record_store.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { CELL = 64, FIXED_COLUMNS = 10 };

/* The repetitions of one point, as row numbers in r->run. */
struct point {
    size_t *row, rows;
    const char *verdict; /* the worst of the repetitions' */
};

struct sheet {
    size_t lines, columns;
    char (*cell)[CELL]; /* [lines][columns], the first line holds the titles */
};

static char *cell(struct sheet *s, size_t line, size_t column)
{
    return s->cell[line * s->columns + column];
}

static int badness(const char *verdict)
{
    return strcmp(verdict, "INVALID") == 0 ? 2 : strcmp(verdict, "UNCHECKED") == 0 ? 1 : 0;
}

static struct point *group_points(const struct pq_results *r, size_t *count)
{
    struct point *point = calloc(r->runs + 1, sizeof *point);
    PQ_ASSERT(point);
    *count = 0;
    for (size_t i = 0; i < r->runs; i++) {
        size_t p = 0;
        while (p < *count && !pq_run_same_point(&r->run[point[p].row[0]], &r->run[i]))
            p++;
        if (p == *count) {
            point[p].verdict = "VALID";
            (*count)++;
        }
        point[p].row = realloc(point[p].row, (point[p].rows + 1) * sizeof *point[p].row);
        PQ_ASSERT(point[p].row);
        point[p].row[point[p].rows++] = i;
        if (badness(r->run[i].verdict) > badness(point[p].verdict))
            point[p].verdict = r->run[i].verdict;
    }
    return point;
}

static int compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/* The point's values of one number, in ascending order; the caller frees. */
static uint64_t *sorted(const struct pq_results *r, const struct point *p, size_t offset)
{
    uint64_t *value = calloc(p->rows, sizeof *value);
    PQ_ASSERT(value);
    for (size_t i = 0; i < p->rows; i++)
        memcpy(&value[i], (const char *)&r->run[p->row[i]] + offset, sizeof *value);
    qsort(value, p->rows, sizeof *value, compare);
    return value;
}

/* Linear between neighbours, as numpy.percentile does, so that the report prints the same. */
static double quantile(const uint64_t *sorted_value, size_t count, double q)
{
    double place = q * (double)(count - 1);
    size_t below = (size_t)place, above = below + 1 < count ? below + 1 : below;
    double low = (double)sorted_value[below], high = (double)sorted_value[above];
    return low + (place - (double)below) * (high - low);
}

static int digits(double x)
{
    return x < 10 ? 3 : x < 100 ? 2 : 1;
}

static void put_times(char *out, const struct pq_results *r, const struct point *p, size_t offset)
{
    uint64_t *ns = sorted(r, p, offset);
    double low = quantile(ns, p->rows, 0.25) / 1e6, middle = quantile(ns, p->rows, 0.5) / 1e6;
    double high = quantile(ns, p->rows, 0.75) / 1e6;
    int d = digits(middle);
    snprintf(out, CELL, "%.*f [%.*f, %.*f]", d, middle, d, low, d, high);
    free(ns);
}

/* Bytes and rounds do not depend on time; where repetitions differ nevertheless, both ends are shown. */
static void put_range(char *out, const struct pq_results *r, const struct point *p, size_t offset, double unit)
{
    uint64_t *value = sorted(r, p, offset);
    double low = (double)value[0] / unit, high = (double)value[p->rows - 1] / unit;
    int d = unit > 1 ? digits(high) : 0;
    if (value[0] == value[p->rows - 1])
        snprintf(out, CELL, "%.*f", d, low);
    else
        snprintf(out, CELL, "%.*f-%.*f", d, low, d, high);
    free(value);
}

static void put_floor(char *out, const struct pq_results *r, const struct point *p)
{
    uint64_t *ns = sorted(r, p, offsetof(struct pq_run_record, online_ns));
    uint64_t *floor = sorted(r, p, offsetof(struct pq_run_record, floor_ns));
    double online = quantile(ns, p->rows, 0.5), least = quantile(floor, p->rows, 0.5);
    if (online > 0 && least > 0)
        snprintf(out, CELL, "%.1f", 100 * least / online);
    else
        snprintf(out, CELL, "-");
    free(floor);
    free(ns);
}

static void put_field(char *out, size_t room, const struct pq_field *field, const struct pq_run_record *run)
{
    const char *value = (const char *)run + field->offset;
    uint64_t u;
    double d;
    if (field->kind == PQ_KIND_text) {
        snprintf(out, room, "%s", value);
        for (char *c = out; *c; c++) /* one point, one line */
            if ((unsigned char)*c < ' ')
                *c = '?';
    } else if (field->kind == PQ_KIND_u64) {
        memcpy(&u, value, sizeof u);
        snprintf(out, room, "%" PRIu64, u);
    } else {
        memcpy(&d, value, sizeof d);
        snprintf(out, room, "%g", d);
    }
}

static bool varies(const struct pq_results *r, const struct point *point, size_t points, const struct pq_field *field)
{
    char first[CELL], other[CELL];
    for (size_t p = 1; p < points; p++) {
        put_field(first, sizeof first, field, &r->run[point[0].row[0]]);
        put_field(other, sizeof other, field, &r->run[point[p].row[0]]);
        if (strcmp(first, other) != 0)
            return true;
    }
    return false;
}

static void fill_results(struct sheet *s, size_t line, size_t column, const struct pq_results *r,
                         const struct point *p)
{
#define AT(name) offsetof(struct pq_run_record, name)
    bool valid = badness(p->verdict) < 2;
    char *out[FIXED_COLUMNS];
    for (size_t i = 0; i < FIXED_COLUMNS; i++)
        snprintf(out[i] = cell(s, line, column + i), CELL, "-");
    snprintf(out[0], CELL, "%zu", p->rows);
    if (valid) {
        put_times(out[1], r, p, AT(online_ns));
        put_times(out[2], r, p, AT(offline_ns));
        put_floor(out[3], r, p);
    }
    put_range(out[4], r, p, AT(online_bytes), 1e6);
    put_range(out[5], r, p, AT(online_bytes_predicted), 1e6);
    put_range(out[6], r, p, AT(offline_bytes), 1e6);
    put_range(out[7], r, p, AT(online_rounds), 1);
    put_range(out[8], r, p, AT(online_rounds_predicted), 1);
    snprintf(out[9], CELL, "%s", p->verdict);
#undef AT
}

static void print_sheet(struct sheet *s, size_t left_columns, FILE *to)
{
    int *width = calloc(s->columns, sizeof *width);
    PQ_ASSERT(width);
    for (size_t line = 0; line < s->lines; line++)
        for (size_t c = 0; c + 1 < s->columns; c++) { /* the last column needs none */
            int w = (int)strlen(cell(s, line, c));
            width[c] = w > width[c] ? w : width[c];
        }
    for (size_t line = 0; line < s->lines; line++)
        for (size_t c = 0; c < s->columns; c++) {
            fprintf(to, c < left_columns ? "%-*s" : "%*s", width[c], cell(s, line, c));
            fputs(c + 1 < s->columns ? "  " : "\n", to);
        }
    free(width);
}

static void print_heading(const struct pq_results *r, const struct point *point, size_t points,
                          const bool *in_column, FILE *to)
{
    fprintf(to, "%s: %zu point%s, %zu repetition%s\n", r->path, points, points == 1 ? "" : "s", r->runs,
            r->runs == 1 ? "" : "s");
    fputs("the same for all points:", to);
    for (size_t f = 0; f < pq_run_table.fields; f++) {
        char text[CELL];
        if (!pq_field_is_point(&pq_run_table.field[f]) || in_column[f])
            continue;
        put_field(text, sizeof text, &pq_run_table.field[f], &r->run[point[0].row[0]]);
        fprintf(to, " %s=%s", pq_run_table.field[f].name, text);
    }
    fputs("\nonline and offline time: median [first quartile, third quartile] of the repetitions, milliseconds\n"
          "MB: 10^6 bytes, sum over the three parties, counted once, at the sender; rounds: one count for all parties\n"
          "% of floor: lower bound of this machine / median online time\n", to);
    if (r->launches > 1)
        fprintf(to, "resumed %zu times on a changed environment: see /resumed in the file\n", r->launches - 1);
    putc('\n', to);
}

/* Settings that tell the points apart become columns; length and protocol always are. */
static bool *choose_columns(const struct pq_results *r, const struct point *point, size_t points, size_t *chosen)
{
    bool *in_column = calloc(pq_run_table.fields, sizeof *in_column);
    PQ_ASSERT(in_column);
    *chosen = 0;
    for (size_t f = 0; f < pq_run_table.fields; f++) {
        const struct pq_field *field = &pq_run_table.field[f];
        bool always = strcmp(field->name, "seq_len") == 0 || strcmp(field->name, "protocol") == 0;
        in_column[f] = pq_field_is_point(field) && (always || varies(r, point, points, field));
        *chosen += in_column[f];
    }
    return in_column;
}

/* run NULL: the titles. */
static void fill_settings(struct sheet *s, size_t line, const bool *in_column, const struct pq_run_record *run)
{
    for (size_t f = 0, column = 0; f < pq_run_table.fields; f++) {
        if (!in_column[f])
            continue;
        if (run)
            put_field(cell(s, line, column++), CELL, &pq_run_table.field[f], run);
        else
            snprintf(cell(s, line, column++), CELL, "%s", pq_run_table.field[f].name);
    }
}

void pq_results_show_table(const struct pq_results *r, FILE *to)
{
    static const char *const title[FIXED_COLUMNS] = {
        "repetitions", "online ms [q1, q3]", "offline ms [q1, q3]", "% of floor", "online MB", "predicted",
        "offline MB", "rounds", "predicted", "verdict",
    };
    if (r->runs == 0) {
        fprintf(to, "%s: no repetitions\n", r->path);
        return;
    }
    size_t points, settings;
    struct point *point = group_points(r, &points);
    bool *in_column = choose_columns(r, point, points, &settings);
    struct sheet s = { .lines = points + 1, .columns = settings + FIXED_COLUMNS };
    s.cell = calloc(s.lines * s.columns, sizeof *s.cell);
    PQ_ASSERT(s.cell);

    fill_settings(&s, 0, in_column, NULL);
    for (size_t i = 0; i < FIXED_COLUMNS; i++)
        snprintf(cell(&s, 0, settings + i), CELL, "%s", title[i]);
    for (size_t p = 0; p < points; p++) {
        fill_settings(&s, p + 1, in_column, &r->run[point[p].row[0]]);
        fill_results(&s, p + 1, settings, r, &point[p]);
    }
    print_heading(r, point, points, in_column, to);
    print_sheet(&s, settings, to);

    free(s.cell);
    free(in_column);
    for (size_t p = 0; p < points; p++)
        free(point[p].row);
    free(point);
}
