#include "record_points.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static int badness(const char *verdict)
{
    return strcmp(verdict, "INVALID") == 0 ? 2 : strcmp(verdict, "UNCHECKED") == 0 ? 1 : 0;
}

struct pq_result_point *pq_points_group(const struct pq_results *r, size_t *count)
{
    struct pq_result_point *point = calloc(r->runs + 1, sizeof *point);
    PQ_ASSERT(point);
    *count = 0;
    for (size_t i = 0; i < r->runs; i++) {
        size_t p = 0;
        while (p < *count && !pq_rows_same_point(&pq_run_table, &r->run[point[p].row[0]], &r->run[i]))
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

void pq_points_free(struct pq_result_point *point, size_t count)
{
    for (size_t p = 0; p < count; p++)
        free(point[p].row);
    free(point);
}

bool pq_point_has_times(const struct pq_result_point *p)
{
    return badness(p->verdict) < 2;
}

int pq_ascending(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

uint64_t *pq_point_sorted(const struct pq_results *r, const struct pq_result_point *p, size_t offset)
{
    uint64_t *value = calloc(p->rows, sizeof *value);
    PQ_ASSERT(value);
    for (size_t i = 0; i < p->rows; i++)
        memcpy(&value[i], (const char *)&r->run[p->row[i]] + offset, sizeof *value);
    qsort(value, p->rows, sizeof *value, pq_ascending);
    return value;
}

double pq_quantile(const uint64_t *ascending, size_t count, double q)
{
    double place = q * (double)(count - 1);
    size_t below = (size_t)place, above = below + 1 < count ? below + 1 : below;
    double low = (double)ascending[below], high = (double)ascending[above];
    return low + (place - (double)below) * (high - low);
}

double pq_point_median(const struct pq_results *r, const struct pq_result_point *p, size_t offset)
{
    uint64_t *value = pq_point_sorted(r, p, offset);
    double median = pq_quantile(value, p->rows, 0.5);
    free(value);
    return median;
}

void pq_field_print(char *out, size_t room, const struct pq_field *field, const void *row)
{
    const char *value = (const char *)row + field->offset;
    uint64_t u;
    double d;
    if (field->kind == PQ_KIND_text) {
        snprintf(out, room, "%s", value);
        for (char *c = out; *c; c++)
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

const struct pq_field *pq_field_find(const char *name)
{
    static const char *const typed[][2] = {
        { "seq", "seq_len" }, { "ranks", "ranks_per_party" }, { "max", "max_variant" }, { "input-seed", "input_seed" },
    };
    for (size_t i = 0; i < sizeof typed / sizeof typed[0]; i++)
        if (strcmp(name, typed[i][0]) == 0)
            name = typed[i][1];
    for (size_t f = 0; f < pq_run_table.fields; f++)
        if (strcmp(name, pq_run_table.field[f].name) == 0)
            return &pq_run_table.field[f];
    return NULL;
}

bool pq_points_vary(const struct pq_results *r, const struct pq_result_point *point, size_t points,
                    const struct pq_field *field)
{
    char first[PQ_CELL], other[PQ_CELL];
    for (size_t p = 1; p < points; p++) {
        pq_field_print(first, sizeof first, field, &r->run[point[0].row[0]]);
        pq_field_print(other, sizeof other, field, &r->run[point[p].row[0]]);
        if (strcmp(first, other) != 0)
            return true;
    }
    return false;
}

struct pq_sheet pq_sheet_create(size_t lines, size_t columns)
{
    struct pq_sheet s = { .lines = lines, .columns = columns };
    s.cell = calloc(lines * columns, sizeof *s.cell);
    PQ_ASSERT(s.cell);
    return s;
}

char *pq_sheet_cell(struct pq_sheet *s, size_t line, size_t column)
{
    return s->cell[line * s->columns + column];
}

static void print_line(struct pq_sheet *s, size_t line, const int *width, size_t left_columns, FILE *to)
{
    for (size_t c = 0; c < s->columns; c++) {
        fprintf(to, c < left_columns ? "%-*s" : "%*s", width[c], pq_sheet_cell(s, line, c));
        fputs(c + 1 < s->columns ? "  " : "\n", to);
    }
}

void pq_sheet_print(struct pq_sheet *s, size_t first, size_t last, size_t left_columns, FILE *to)
{
    int *width = calloc(s->columns, sizeof *width);
    PQ_ASSERT(width);
    for (size_t line = 0; line < s->lines; line++)
        for (size_t c = 0; c + 1 < s->columns; c++) { /* the last column needs none */
            int w = (int)strlen(pq_sheet_cell(s, line, c));
            width[c] = w > width[c] ? w : width[c];
        }
    print_line(s, 0, width, left_columns, to);
    for (size_t line = first; line < last; line++)
        print_line(s, line + 1, width, left_columns, to);
    free(width);
}

int pq_digits(double x)
{
    return x < 10 ? 3 : x < 100 ? 2 : 1;
}
