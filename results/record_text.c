#include "record_text.h"

#include "record_store.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

static void print_number(FILE *to, const struct pq_field *field, const void *value, const char *not_a_number)
{
    uint64_t u;
    double d;
    if (field->kind == PQ_KIND_u64) {
        memcpy(&u, value, sizeof u);
        fprintf(to, "%" PRIu64, u);
    } else {
        memcpy(&d, value, sizeof d);
        if (isfinite(d))
            fprintf(to, "%.17g", d);
        else
            fputs(not_a_number, to);
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

static void show_csv(const struct pq_results *r, FILE *to)
{
    const struct pq_table *t = &pq_run_table;
    for (size_t f = 0; f < t->fields; f++)
        fprintf(to, "%s%s", f ? "," : "", t->field[f].name);
    putc('\n', to);
    for (size_t i = 0; i < r->runs; i++) {
        for (size_t f = 0; f < t->fields; f++) {
            const char *value = (const char *)&r->run[i] + t->field[f].offset;
            if (f > 0)
                putc(',', to);
            if (t->field[f].kind == PQ_KIND_text)
                print_csv_text(to, value);
            else
                print_number(to, &t->field[f], value, "");
        }
        putc('\n', to);
    }
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

static void show_json(const struct pq_results *r, FILE *to)
{
    const struct pq_table *t = &pq_run_table;
    putc('[', to);
    for (size_t i = 0; i < r->runs; i++) {
        fputs(i ? ",\n{" : "\n{", to);
        for (size_t f = 0; f < t->fields; f++) {
            const char *value = (const char *)&r->run[i] + t->field[f].offset;
            fprintf(to, "%s\"%s\": ", f ? ", " : "", t->field[f].name);
            if (t->field[f].kind == PQ_KIND_text)
                print_json_text(to, value);
            else
                print_number(to, &t->field[f], value, "null");
        }
        putc('}', to);
    }
    fputs("\n]\n", to);
}

enum pq_status pq_results_show(const struct pq_results *r, FILE *to, enum pq_results_format format)
{
    if (format == PQ_RESULTS_CSV)
        show_csv(r, to);
    else if (format == PQ_RESULTS_JSON)
        show_json(r, to);
    else
        pq_results_show_table(r, to);
    return fflush(to) == 0 && !ferror(to) ? PQ_OK : PQ_WORLD;
}
