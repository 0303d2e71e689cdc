#include "agreement.h"

#include <math.h>
#include <stdlib.h>

void pq_agreement_begin(struct pq_agreement *a, const struct pq_shape *shape, const struct pq_texts *texts)
{
    *a = (struct pq_agreement){ .texts = texts, .shape = *shape };
    a->residual = pq_alloc((size_t)shape->layers * shape->hidden * texts->tokens);
    a->logits = pq_alloc(shape->labels * texts->count * sizeof *a->logits);
}

static void keep_residual(void *user, uint32_t layer, const int32_t *code, size_t hidden, size_t tokens)
{
    const struct pq_agreement_batch *b = user;
    struct pq_agreement *a = b->agreement;
    for (size_t c = 0; c < hidden; c++)
        for (size_t j = 0; j < tokens; j++)
            a->residual[(layer * hidden + c) * a->texts->tokens + b->first_token + j] = (int8_t)code[c * tokens + j];
}

static void count_range(void *user, uint32_t layer, const char *what, uint64_t values, uint64_t wrapped)
{
    const struct pq_agreement_batch *b = user;
    (void)layer, (void)what;
    b->agreement->values += values;
    b->agreement->wrapped += wrapped;
}

struct pq_observer pq_agreement_observer(struct pq_agreement_batch *batch)
{
    return (struct pq_observer){ .user = batch, .residual = keep_residual, .range = count_range };
}

void pq_agreement_logits(struct pq_agreement *a, size_t first_text, const int32_t *logits, size_t count)
{
    for (size_t l = 0; l < a->shape.labels; l++)
        for (size_t t = 0; t < count; t++)
            a->logits[l * a->texts->count + first_text + t] = logits[l * count + t];
}

/* Sums over rows of real and integer values, each without the real row's mean. */
struct products { double real, whole, both; };

static void add_row(struct products *p, const float *real, const double *whole, size_t columns)
{
    double mean = 0;
    for (size_t j = 0; j < columns; j++)
        mean += real[j] / (double)columns;
    for (size_t j = 0; j < columns; j++) {
        const double x = real[j] - mean, y = whole[j] - mean;
        p->real += x * x;
        p->whole += y * y;
        p->both += x * y;
    }
}

static struct pq_layer_agreement judge(const struct products *p)
{
    const double lengths = sqrt(p->real * p->whole), difference = p->real + p->whole - 2 * p->both;
    return (struct pq_layer_agreement){ .cosine = lengths > 0 ? p->both / lengths : 0,
                                        .error = p->real > 0 ? sqrt(fmax(difference, 0) / p->real) : 0 };
}

static struct pq_layer_agreement compare_layer(const struct pq_agreement *a, uint32_t layer, const float *real,
                                               const double *step)
{
    const size_t tokens = a->texts->tokens, hidden = a->shape.hidden;
    struct products p = { 0, 0, 0 };
    double *row = pq_alloc(tokens * sizeof *row);
    for (size_t c = 0; c < hidden; c++) {
        for (size_t j = 0; j < tokens; j++)
            row[j] = step[c] * a->residual[(layer * hidden + c) * tokens + j];
        add_row(&p, real + c * tokens, row, tokens);
    }
    free(row);
    return judge(&p);
}

/* One unit for all logits, by least squares. */
static struct pq_layer_agreement compare_logits(const struct pq_agreement *a, const float *real)
{
    const size_t texts = a->texts->count, count = texts * a->shape.labels;
    struct products p = { 0, 0, 0 };
    double squares = 0, together = 0, *row = pq_alloc(texts * sizeof *row);
    for (size_t i = 0; i < count; i++) {
        squares += (double)a->logits[i] * a->logits[i];
        together += (double)a->logits[i] * real[i];
    }
    for (size_t l = 0; l < a->shape.labels; l++) {
        for (size_t t = 0; t < texts; t++)
            row[t] = squares > 0 ? a->logits[l * texts + t] * together / squares : 0;
        add_row(&p, real + l * texts, row, texts);
    }
    free(row);
    return judge(&p);
}

static size_t count_decisions(const struct pq_agreement *a, const float *real)
{
    const size_t texts = a->texts->count;
    size_t same = 0;
    for (size_t t = 0; t < texts; t++) {
        size_t first = 0, second = 0;
        for (size_t l = 1; l < a->shape.labels; l++) {
            first = real[l * texts + t] > real[first * texts + t] ? l : first;
            second = a->logits[l * texts + t] > a->logits[second * texts + t] ? l : second;
        }
        same += first == second;
    }
    return same;
}

void pq_agreement_compare(const struct pq_agreement *a, const struct pq_checkpoint *checkpoint, const double *step,
                          struct pq_layer_agreement *layer, struct pq_layer_agreement *logits, size_t *decisions)
{
    struct pq_float f;
    pq_float_begin(&f, checkpoint, a->texts);
    while (f.layer < a->shape.layers || f.id != PQ_CLASSIFIER) {
        pq_float_step(&f);
        if (f.id == PQ_FFN2)
            layer[f.layer] = compare_layer(a, f.layer, f.hidden, step + (size_t)f.layer * a->shape.hidden);
    }
    *logits = compare_logits(a, f.output);
    *decisions = count_decisions(a, f.output);
    pq_float_end(&f);
}

void pq_agreement_end(struct pq_agreement *a)
{
    free(a->residual);
    free(a->logits);
}
