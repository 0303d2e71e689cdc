/* The people's table of /evaluations: one line for each. */
#include "record_points.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { COLUMNS = 16, LEFT_COLUMNS = 4 };

static const char *const title[COLUMNS] = {
    "model", "data", "protocol", "net", "weight bits", "ranks", "threads", "batch", "sentences", "plain % [95 %]",
    "MPC % [95 %]", "agreeing %", "online ms each", "online MB each", "offline MB each", "verdict",
};

static void put_share(char *out, double value, double low, double high)
{
    snprintf(out, PQ_CELL, "%.1f [%.1f, %.1f]", 100 * value, 100 * low, 100 * high);
}

static void put_scaled(char *out, uint64_t value, double unit)
{
    const double x = (double)value / unit;
    snprintf(out, PQ_CELL, "%.*f", pq_digits(x), x);
}

static void put_text(char *out, const char *name, const struct pq_evaluation_record *e)
{
    for (size_t f = 0; f < pq_evaluation_table.fields; f++)
        if (strcmp(pq_evaluation_table.field[f].name, name) == 0)
            pq_field_print(out, PQ_CELL, &pq_evaluation_table.field[f], e);
}

/* A wrong result has neither accuracy nor time; the plain model's accuracy does not depend on it. */
static void fill(struct pq_sheet *s, size_t line, const struct pq_evaluation_record *e)
{
    static const char *const as_it_is[] = { "model", "data", "protocol", "net", "weight_bits", "ranks_per_party",
                                            "threads", "batch" };
    const bool valid = strcmp(e->verdict, "INVALID") != 0;
    char *out[COLUMNS];
    for (size_t i = 0; i < COLUMNS; i++)
        snprintf(out[i] = pq_sheet_cell(s, line, i), PQ_CELL, "-");
    for (size_t i = 0; i < sizeof as_it_is / sizeof as_it_is[0]; i++)
        put_text(out[i], as_it_is[i], e);
    snprintf(out[8], PQ_CELL, e->evaluated == e->sentences ? "%" PRIu64 : "%" PRIu64 " of %" PRIu64, e->evaluated,
             e->sentences);
    put_share(out[9], e->plain_accuracy, e->plain_accuracy_low, e->plain_accuracy_high);
    if (valid) {
        put_share(out[10], e->mpc_accuracy, e->mpc_accuracy_low, e->mpc_accuracy_high);
        snprintf(out[11], PQ_CELL, "%.1f", e->evaluated ? 100 * (double)e->agreeing / (double)e->evaluated : 0);
        put_scaled(out[12], e->online_ns, 1e6);
    }
    put_scaled(out[13], e->online_bytes, 1e6);
    put_scaled(out[14], e->offline_bytes, 1e6);
    put_text(out[15], "verdict", e);
}

static void print_doubts(const struct pq_results *r, FILE *to)
{
    size_t wrapped = 0, clocks = 0;
    for (size_t i = 0; i < r->sentences; i++) {
        wrapped += r->sentence[i].range_wrapped != 0;
        clocks += r->sentence[i].clock_off_ns != 0;
    }
    if (wrapped)
        fprintf(to, "warning: values left their declared range in the batches of %zu sentence%s\n", wrapped,
                wrapped == 1 ? "" : "s");
    if (clocks)
        fprintf(to, "warning: clocks disagreed about the batches of %zu sentence%s, whose times are doubtful\n", clocks,
                clocks == 1 ? "" : "s");
}

void pq_results_show_evaluations(const struct pq_results *r, FILE *to)
{
    struct pq_sheet s = pq_sheet_create(r->evaluations + 1, COLUMNS);
    for (size_t i = 0; i < COLUMNS; i++)
        snprintf(pq_sheet_cell(&s, 0, i), PQ_CELL, "%s", title[i]);
    for (size_t e = 0; e < r->evaluations; e++)
        fill(&s, e + 1, &r->evaluation[e]);
    fprintf(to, "%s: %zu evaluation%s, %zu sentence%s\n", r->path, r->evaluations, r->evaluations == 1 ? "" : "s",
            r->sentences, r->sentences == 1 ? "" : "s");
    fputs("accuracy with its 95 % interval (Wilson); plain: the integer model in the clear; agreeing: decided alike\n"
          "each: median over sentences, of the batch / sentences in it; MB: 10^6 bytes, sum over the parties\n", to);
    print_doubts(r, to);
    putc('\n', to);
    pq_sheet_print(&s, 0, r->evaluations, LEFT_COLUMNS, to);
    free(s.cell);
}
