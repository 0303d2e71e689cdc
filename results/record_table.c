/* The people's table: one line per point. What is the same for all points is said once above it. */
#include "record_points.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { FIXED_COLUMNS = 11 };

static void put_times(char *out, const struct pq_results *r, const struct pq_result_point *p, size_t offset)
{
    uint64_t *ns = pq_point_sorted(r, p, offset);
    double low = pq_quantile(ns, p->rows, 0.25) / 1e6, middle = pq_quantile(ns, p->rows, 0.5) / 1e6;
    double high = pq_quantile(ns, p->rows, 0.75) / 1e6;
    int d = pq_digits(middle);
    snprintf(out, PQ_CELL, "%.*f [%.*f, %.*f]", d, middle, d, low, d, high);
    free(ns);
}

/* Bytes and rounds do not depend on time; where repetitions differ nevertheless, both ends are shown. */
static void put_range(char *out, const struct pq_results *r, const struct pq_result_point *p, size_t offset,
                      double unit)
{
    uint64_t *value = pq_point_sorted(r, p, offset);
    double low = (double)value[0] / unit, high = (double)value[p->rows - 1] / unit;
    int d = unit > 1 ? pq_digits(high) : 0;
    if (value[0] == value[p->rows - 1])
        snprintf(out, PQ_CELL, "%.*f", d, low);
    else
        snprintf(out, PQ_CELL, "%.*f-%.*f", d, low, d, high);
    free(value);
}

static void put_floor(char *out, const struct pq_results *r, const struct pq_result_point *p)
{
    double online = pq_point_median(r, p, offsetof(struct pq_run_record, online_ns));
    double least = pq_point_median(r, p, offsetof(struct pq_run_record, floor_ns));
    if (online > 0 && least > 0)
        snprintf(out, PQ_CELL, "%.1f", 100 * least / online);
}

/* All sequences of a batch are done when the last is. */
static void put_rate(char *out, const struct pq_results *r, const struct pq_result_point *p)
{
    const double cycle = pq_point_median(r, p, offsetof(struct pq_run_record, cycle_ns));
    const double each = cycle > 0 ? cycle : pq_point_median(r, p, offsetof(struct pq_run_record, online_ns));
    const double rate = each > 0 ? 1e9 * (double)r->run[p->row[0]].batch / each : 0;
    if (rate > 0)
        snprintf(out, PQ_CELL, "%.*f", pq_digits(rate), rate);
}

static void fill_results(struct pq_sheet *s, size_t line, size_t column, const struct pq_results *r,
                         const struct pq_result_point *p)
{
#define AT(name) offsetof(struct pq_run_record, name)
    const bool predicted = r->run[p->row[0]].online_rounds_predicted > 0; /* a peer has no cost formulas */
    char *out[FIXED_COLUMNS];
    for (size_t i = 0; i < FIXED_COLUMNS; i++)
        snprintf(out[i] = pq_sheet_cell(s, line, column + i), PQ_CELL, "-");
    snprintf(out[0], PQ_CELL, "%zu", p->rows);
    if (pq_point_has_times(p)) {
        put_times(out[1], r, p, AT(online_ns));
        put_rate(out[2], r, p);
        put_times(out[3], r, p, AT(offline_ns));
        put_floor(out[4], r, p);
    }
    put_range(out[5], r, p, AT(online_bytes), 1e6);
    put_range(out[7], r, p, AT(offline_bytes), 1e6);
    put_range(out[8], r, p, AT(online_rounds), 1);
    if (predicted) {
        put_range(out[6], r, p, AT(online_bytes_predicted), 1e6);
        put_range(out[9], r, p, AT(online_rounds_predicted), 1);
    }
    snprintf(out[10], PQ_CELL, "%s", p->verdict);
#undef AT
}

static bool is_group(const struct pq_group_by *by, const struct pq_field *field)
{
    for (size_t g = 0; g < by->count; g++)
        if (by->field[g] == field)
            return true;
    return false;
}

static void print_doubts(const struct pq_results *r, FILE *to)
{
    size_t clocks = 0, wrapped = 0;
    for (size_t i = 0; i < r->runs; i++) {
        clocks += r->run[i].clock_off_ns != 0;
        wrapped += r->run[i].range_wrapped != 0;
    }
    if (clocks)
        fprintf(to, "warning: clocks disagreed about %zu repetition%s, whose times are doubtful (clock_off_ns)\n",
                clocks, clocks == 1 ? "" : "s");
    if (wrapped)
        fprintf(to, "warning: values left their declared range in %zu repetition%s: not what the model means "
                "(range_where)\n", wrapped, wrapped == 1 ? "" : "s");
}

static void print_heading(const struct pq_results *r, const struct pq_result_point *point, size_t points,
                          const bool *in_column, const struct pq_group_by *by, FILE *to)
{
    fprintf(to, "%s: %zu point%s, %zu repetition%s\n", r->path, points, points == 1 ? "" : "s", r->runs,
            r->runs == 1 ? "" : "s");
    fputs("the same for all points:", to);
    for (size_t f = 0; f < pq_run_table.fields; f++) {
        char text[PQ_CELL];
        if (!pq_field_is_point(&pq_run_table.field[f]) || in_column[f] || is_group(by, &pq_run_table.field[f]))
            continue;
        pq_field_print(text, sizeof text, &pq_run_table.field[f], &r->run[point[0].row[0]]);
        if (*text)
            fprintf(to, " %s=%s", pq_run_table.field[f].name, text);
    }
    fputs("\nonline and offline time: median [first quartile, third quartile] of the repetitions, milliseconds\n"
          "MB: 10^6 bytes, sum over the parties, counted once, at the sender; rounds: one count for all parties\n"
          "sequences/s: batch / median online time, or cycle where dealing overlaps\n"
          "% of floor: lower bound of this machine / median online time\n", to);
    if (r->launches > 1)
        fprintf(to, "measured in %zu launches; what differed at the later ones stands under /resumed\n", r->launches);
    print_doubts(r, to);
}

/* Settings that tell the points apart become columns, groups excepted; length and protocol always are. */
static bool *choose_columns(const struct pq_results *r, const struct pq_result_point *point, size_t points,
                            const struct pq_group_by *by, size_t *chosen)
{
    bool *in_column = calloc(pq_run_table.fields, sizeof *in_column);
    PQ_ASSERT(in_column);
    *chosen = 0;
    for (size_t f = 0; f < pq_run_table.fields; f++) {
        const struct pq_field *field = &pq_run_table.field[f];
        bool always = strcmp(field->name, "seq_len") == 0 || strcmp(field->name, "protocol") == 0;
        in_column[f] = pq_field_is_point(field) && !is_group(by, field) &&
                       (always || pq_points_vary(r, point, points, field));
        *chosen += in_column[f];
    }
    return in_column;
}

/* run NULL: the titles. */
static void fill_settings(struct pq_sheet *s, size_t line, const bool *in_column, const struct pq_run_record *run)
{
    for (size_t f = 0, column = 0; f < pq_run_table.fields; f++) {
        if (!in_column[f])
            continue;
        if (run)
            pq_field_print(pq_sheet_cell(s, line, column++), PQ_CELL, &pq_run_table.field[f], run);
        else
            snprintf(pq_sheet_cell(s, line, column++), PQ_CELL, "%s", pq_run_table.field[f].name);
    }
}

static bool same_group(const struct pq_results *r, const struct pq_result_point *a, const struct pq_result_point *b,
                       const struct pq_group_by *by)
{
    char x[PQ_CELL], y[PQ_CELL];
    for (size_t g = 0; g < by->count; g++) {
        pq_field_print(x, sizeof x, by->field[g], &r->run[a->row[0]]);
        pq_field_print(y, sizeof y, by->field[g], &r->run[b->row[0]]);
        if (strcmp(x, y) != 0)
            return false;
    }
    return true;
}

/* Points of one group behind each other; otherwise in the order of the file. */
static void order_by_group(const struct pq_results *r, struct pq_result_point *point, size_t points,
                           const struct pq_group_by *by)
{
    for (size_t placed = 1; placed < points; placed++)
        for (size_t p = placed; p < points; p++)
            if (same_group(r, &point[placed - 1], &point[p], by)) {
                struct pq_result_point next = point[p];
                memmove(&point[placed + 1], &point[placed], (p - placed) * sizeof *point);
                point[placed] = next;
                break;
            }
}

static void print_group(const struct pq_results *r, const struct pq_result_point *point,
                        const struct pq_group_by *by, FILE *to)
{
    char text[PQ_CELL];
    for (size_t g = 0; g < by->count; g++) {
        pq_field_print(text, sizeof text, by->field[g], &r->run[point->row[0]]);
        fprintf(to, "%s%s=%s", g ? " " : "", by->field[g]->name, text);
    }
    fputs(by->count ? "\n" : "", to);
}

void pq_results_show_table(const struct pq_results *r, const struct pq_group_by *by, FILE *to)
{
    static const char *const title[FIXED_COLUMNS] = {
        "repetitions", "online ms [q1, q3]", "sequences/s", "offline ms [q1, q3]", "% of floor", "online MB",
        "predicted", "offline MB", "rounds", "predicted", "verdict",
    };
    if (r->runs == 0) {
        fprintf(to, "%s: no repetitions\n", r->path);
        return;
    }
    size_t points, settings;
    struct pq_result_point *point = pq_points_group(r, &points);
    order_by_group(r, point, points, by);
    bool *in_column = choose_columns(r, point, points, by, &settings);
    struct pq_sheet s = pq_sheet_create(points + 1, settings + FIXED_COLUMNS);

    fill_settings(&s, 0, in_column, NULL);
    for (size_t i = 0; i < FIXED_COLUMNS; i++)
        snprintf(pq_sheet_cell(&s, 0, settings + i), PQ_CELL, "%s", title[i]);
    for (size_t p = 0; p < points; p++) {
        fill_settings(&s, p + 1, in_column, &r->run[point[p].row[0]]);
        fill_results(&s, p + 1, settings, r, &point[p]);
    }
    print_heading(r, point, points, in_column, by, to);
    for (size_t first = 0, last; first < points; first = last) {
        for (last = first + 1; last < points && same_group(r, &point[first], &point[last], by); last++)
            ;
        putc('\n', to);
        print_group(r, &point[first], by, to);
        pq_sheet_print(&s, first, last, settings, to);
    }
    free(s.cell);
    free(in_column);
    pq_points_free(point, points);
}
