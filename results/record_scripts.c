/* Results for scripts: CSV and JSON, a row per repetition or, with medians, per point. Both are one walk over columns;
 * what differs is how a value is written. */
#include "record_points.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* What a column holds of a row's repetitions. ONE: the field's value of the last of them, or of the only one. */
enum statistic { ONE, COUNT, Q1, MEDIAN, Q3, WORST_VERDICT, RATE };

struct column {
    char name[PQ_NAME];
    const struct pq_field *field;
    enum statistic statistic;
};

static void add_column(struct column *column, size_t *count, const struct pq_field *field, enum statistic statistic)
{
    const char *end = statistic == COUNT ? "s" : statistic == Q1 ? "_q1" : statistic == Q3 ? "_q3" : "";
    struct column *c = &column[(*count)++];
    const char *start = statistic == RATE ? "sequences_per_second" : field->name; /* follows from the file's */
    PQ_ASSERT(snprintf(c->name, sizeof c->name, "%s%s", start, end) < (int)sizeof c->name);
    c->field = field;
    c->statistic = statistic;
}

/* All columns; the caller frees. */
static struct column *choose_columns(bool medians, size_t *count)
{
    struct column *column = calloc(3 * pq_run_table.fields + 1, sizeof *column);
    PQ_ASSERT(column);
    *count = 0;
    for (size_t f = 0; f < pq_run_table.fields; f++) {
        const struct pq_field *field = &pq_run_table.field[f];
        bool time = strcmp(field->unit, "ns") == 0;
        if (medians && time)
            add_column(column, count, field, Q1);
        if (!medians || pq_field_is_point(field) || field->kind != PQ_KIND_u64)
            add_column(column, count, field,
                       medians && strcmp(field->name, "verdict") == 0 ? WORST_VERDICT : ONE);
        else
            add_column(column, count, field, strcmp(field->name, "repetition") == 0 ? COUNT : MEDIAN);
        if (medians && time)
            add_column(column, count, field, Q3);
    }
    add_column(column, count, pq_field_find("online_ns"), RATE);
    return column;
}

static bool is_text(const struct column *c)
{
    return c->field->kind == PQ_KIND_text;
}

static const char *text_of(const struct pq_results *r, const struct pq_result_point *p, const struct column *c)
{
    if (c->statistic == WORST_VERDICT)
        return p->verdict;
    return (const char *)&r->run[p->row[p->rows - 1]] + c->field->offset;
}

static void print_real(FILE *to, double d, const char *absent)
{
    if (isfinite(d))
        fprintf(to, "%.17g", d);
    else
        fputs(absent, to);
}

/* `absent`: how the format writes that there is no number. */
static void print_number(FILE *to, const struct pq_results *r, const struct pq_result_point *p,
                         const struct column *c, const char *absent)
{
    const char *value = (const char *)&r->run[p->row[p->rows - 1]] + c->field->offset;
    double d = 0;
    uint64_t u;
    if (c->statistic == ONE && c->field->kind == PQ_KIND_u64) {
        memcpy(&u, value, sizeof u);
        fprintf(to, "%" PRIu64, u);
        return;
    }
    if (c->statistic == ONE) {
        memcpy(&d, value, sizeof d);
    } else if (c->statistic == COUNT) {
        d = (double)p->rows;
    } else if (c->statistic == RATE) {
        struct pq_run_record run = r->run[p->row[0]];
        run.online_ns = (uint64_t)pq_point_median(r, p, c->field->offset);
        run.cycle_ns = (uint64_t)pq_point_median(r, p, offsetof(struct pq_run_record, cycle_ns));
        d = pq_point_has_times(p) ? pq_run_throughput(&run) : 0;
    } else if (strcmp(c->field->unit, "ns") == 0 && !pq_point_has_times(p)) {
        d = NAN;
    } else {
        uint64_t *ascending = pq_point_sorted(r, p, c->field->offset);
        d = pq_quantile(ascending, p->rows, c->statistic == Q1 ? 0.25 : c->statistic == Q3 ? 0.75 : 0.5);
        free(ascending);
    }
    print_real(to, d, absent);
}

/* What a walk over rows and columns writes. */
struct script {
    const char *before_row[2]; /* the first, the others */
    const char *after_row, *absent;
    void (*print_name)(FILE *to, const char *name, bool first);
    void (*print_text)(FILE *to, const char *text);
};

static void print_rows(const struct pq_results *r, bool medians, const struct script *how, FILE *to)
{
    size_t columns, points = r->runs;
    struct column *column = choose_columns(medians, &columns);
    struct pq_result_point *point = medians ? pq_points_group(r, &points) : NULL;
    for (size_t p = 0; p < points; p++) {
        size_t row = p;
        struct pq_result_point single = { .row = &row, .rows = 1, .verdict = r->run[p].verdict };
        const struct pq_result_point *now = point ? &point[p] : &single;
        fputs(how->before_row[p > 0], to);
        for (size_t c = 0; c < columns; c++) {
            how->print_name(to, column[c].name, c == 0);
            if (is_text(&column[c]))
                how->print_text(to, text_of(r, now, &column[c]));
            else
                print_number(to, r, now, &column[c], how->absent);
        }
        fputs(how->after_row, to);
    }
    if (point)
        pq_points_free(point, points);
    free(column);
}

/* Rows of another table than /runs. */
static void print_table(const struct pq_table *table, const char *rows, size_t count, const struct script *how,
                        FILE *to)
{
    for (size_t i = 0; i < count; i++) {
        fputs(how->before_row[i > 0], to);
        for (size_t f = 0; f < table->fields; f++) {
            const struct pq_field *field = &table->field[f];
            const char *value = rows + i * table->row_bytes + field->offset;
            char number[PQ_CELL];
            double d;
            how->print_name(to, field->name, f == 0);
            if (field->kind == PQ_KIND_text) {
                how->print_text(to, value);
            } else if (field->kind == PQ_KIND_u64) {
                pq_field_print(number, sizeof number, field, rows + i * table->row_bytes);
                fputs(number, to);
            } else {
                memcpy(&d, value, sizeof d);
                print_real(to, d, how->absent);
            }
        }
        fputs(how->after_row, to);
    }
}

/* CSV (RFC 4180: a value with a comma, a quote or a line break stands in quotes, its quotes doubled) */

static void print_csv_text(FILE *to, const char *text)
{
    if (!strpbrk(text, ",\"\r\n")) {
        fputs(text, to);
        return;
    }
    putc('"', to);
    for (; *text; text++) {
        if (*text == '"')
            putc('"', to);
        putc(*text, to);
    }
    putc('"', to);
}

static void print_csv_separator(FILE *to, const char *name, bool first)
{
    (void)name; /* it stands in the first line */
    fputs(first ? "" : ",", to);
}

static const struct script csv = {
    .before_row = { "", "" }, .after_row = "\n", .absent = "",
    .print_name = print_csv_separator, .print_text = print_csv_text,
};

void pq_rows_show_csv(const struct pq_table *table, const void *rows, size_t count, FILE *to)
{
    for (size_t f = 0; f < table->fields; f++)
        fprintf(to, "%s%s", f ? "," : "", table->field[f].name);
    putc('\n', to);
    print_table(table, rows, count, &csv, to);
}

void pq_results_show_csv(const struct pq_results *r, bool medians, FILE *to)
{
    size_t columns;
    struct column *column = choose_columns(medians, &columns);
    for (size_t c = 0; c < columns; c++)
        fprintf(to, "%s%s", c ? "," : "", column[c].name);
    putc('\n', to);
    free(column);
    print_rows(r, medians, &csv, to);
}

/* JSON */

/* Bytes of the UTF-8 character at s (1 to 4), or 0 when it is none. A file name may hold any bytes; JSON may not. */
static size_t utf8_length(const unsigned char *s)
{
    static const uint32_t smallest[5] = { 0, 0, 0x80, 0x800, 0x10000 };
    size_t n = s[0] < 0x80           ? 1
             : (s[0] & 0xe0) == 0xc0 ? 2
             : (s[0] & 0xf0) == 0xe0 ? 3
             : (s[0] & 0xf8) == 0xf0 ? 4
                                     : 0;
    if (n < 2)
        return n;
    uint32_t code = s[0] & (0x7fu >> n);
    for (size_t i = 1; i < n; i++) {
        if ((s[i] & 0xc0) != 0x80) /* the terminating zero stops here too */
            return 0;
        code = code << 6 | (s[i] & 0x3fu);
    }
    bool surrogate = code >= 0xd800 && code < 0xe000;
    return code < smallest[n] || surrogate || code > 0x10ffff ? 0 : n;
}

static void print_json_text(FILE *to, const char *text)
{
    const unsigned char *s = (const unsigned char *)text;
    putc('"', to);
    while (*s) {
        size_t n = utf8_length(s);
        if (n == 0)
            fputs("\\ufffd", to);
        else if (*s < 0x20 || *s == 0x7f)
            fprintf(to, "\\u%04x", *s);
        else if (*s == '"' || *s == '\\')
            fprintf(to, "\\%c", *s);
        else
            fwrite(s, 1, n, to);
        s += n ? n : 1;
    }
    putc('"', to);
}

static void print_json_name(FILE *to, const char *name, bool first)
{
    fprintf(to, "%s\"%s\": ", first ? "" : ", ", name);
}

static const struct script json = {
    .before_row = { "\n{", ",\n{" }, .after_row = "}", .absent = "null",
    .print_name = print_json_name, .print_text = print_json_text,
};

void pq_rows_show_json(const struct pq_table *table, const void *rows, size_t count, FILE *to)
{
    putc('[', to);
    print_table(table, rows, count, &json, to);
    fputs("\n]\n", to);
}

void pq_results_show_json(const struct pq_results *r, bool medians, FILE *to)
{
    putc('[', to);
    print_rows(r, medians, &json, to);
    fputs("\n]\n", to);
}
