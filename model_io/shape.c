/* Names, defaults and limits of model shapes. */
#include "shape.h"

#include <inttypes.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

const char *const pq_shape_name[PQ_SHAPE_FIELDS] = {
    "layers", "hidden", "heads", "ffn", "vocab", "max_seq", "types", "labels",
    "trunc", "score_trunc", "norm_trunc", "var_trunc", "weight_bits",
    "score_top", "var_top",
};

enum { SIZES_NEEDED = 4, FIELDS_PARSED = 13 }; /* layers..ffn; all but the two positions */

uint32_t *pq_shape_value(struct pq_shape *shape, size_t field)
{
    uint32_t *const value[PQ_SHAPE_FIELDS] = {
        &shape->layers, &shape->hidden, &shape->heads, &shape->ffn,
        &shape->vocab, &shape->max_seq, &shape->types, &shape->labels,
        &shape->trunc, &shape->score_trunc, &shape->norm_trunc, &shape->var_trunc, &shape->weight_bits,
        &shape->score_top, &shape->var_top,
    };
    PQ_ASSERT(field < PQ_SHAPE_FIELDS);
    return value[field];
}

static const struct { const char *name; uint32_t layers, hidden, heads, ffn; } named[] = {
    { "bert-tiny", 2, 128, 2, 512 },
    { "bert-mini", 4, 256, 4, 1024 },
    { "bert-base", 12, 768, 12, 3072 },
    { "bert-large", 24, 1024, 16, 4096 },
};

#define WHAT_WORKS "use bert-tiny, bert-mini, bert-base, bert-large or layers=2,hidden=128,heads=2,ffn=512"

static void set_defaults(struct pq_shape *shape)
{
    *shape = (struct pq_shape){
        .vocab = 30522, .max_seq = PQ_MAX_SEQ, .types = 2, .labels = 2,
        .trunc = 6, .score_trunc = 6, .norm_trunc = 6, .var_trunc = 10, .weight_bits = 1,
    };
}

void pq_shape_place(struct pq_shape *shape)
{
    /* Codes that use their range have standard deviation about 2.6, so a score has 7 * sqrt(head_dim): four units
     * of sqrt(head_dim) put it well inside the 4-bit clip range of 8 units, to the nearest power of two. */
    double unit = 4.0 * sqrt((double)shape->hidden / shape->heads);
    long unit_log2 = lround(log2(unit));
    shape->score_top = (uint32_t)(unit_log2 > 0 ? unit_log2 : 0) + shape->score_trunc;

    /* n times the largest standard deviation of a row of hidden codes: short rows vary more, about 19 on average */
    double spread = shape->hidden * fmax(28, 19 + 54 / sqrt(shape->hidden)), top = 1.1 * spread * spread;
    shape->var_top = 1;
    while (shape->var_top < 32 && ldexp(1.0, (int)shape->var_top) < top)
        shape->var_top++;
}

/* Sets the fields of "key=value,key=value" and marks which were given. */
static enum pq_status parse_pairs(const char *text, struct pq_shape *shape, bool given[PQ_SHAPE_FIELDS],
                                  struct pq_error *err)
{
    while (*text) {
        int length = (int)strcspn(text, ",");
        const char *equals = memchr(text, '=', (size_t)length);
        if (!equals || equals == text)
            return pq_fail(err, PQ_USER, "model configuration: '%.*s' is not KEY=VALUE; " WHAT_WORKS, length, text);
        size_t key = (size_t)(equals - text), field = 0;
        while (field < FIELDS_PARSED
               && (strlen(pq_shape_name[field]) != key || memcmp(pq_shape_name[field], text, key) != 0))
            field++;
        if (field == FIELDS_PARSED)
            return pq_fail(err, PQ_USER, "model configuration: unknown key '%.*s'; keys are layers, hidden, heads, "
                           "ffn, vocab, max_seq, types, labels, trunc, score_trunc, norm_trunc, var_trunc, "
                           "weight_bits", (int)key, text);
        if (given[field])
            return pq_fail(err, PQ_USER, "model configuration: %s is given twice; give it once", pq_shape_name[field]);
        given[field] = true;

        uint64_t value = 0;
        const char *digit = equals + 1, *end = text + length;
        for (; digit < end && *digit >= '0' && *digit <= '9' && value < 1000000000; digit++)
            value = 10 * value + (uint64_t)(*digit - '0');
        if (digit != end || end == equals + 1 || value > UINT32_MAX)
            return pq_fail(err, PQ_USER, "model configuration: %s is '%.*s', which is not a number below 2^32; "
                           "write it as decimal digits", pq_shape_name[field], (int)(end - equals - 1), equals + 1);
        *pq_shape_value(shape, field) = (uint32_t)value;
        text = end + (*end == ',');
    }
    return PQ_OK;
}

enum pq_status pq_shape_parse(const char *text, struct pq_shape *shape, struct pq_error *err)
{
    bool given[PQ_SHAPE_FIELDS] = { false };
    size_t first = strcspn(text, ",");
    bool is_named = !memchr(text, '=', first);
    set_defaults(shape);
    if (*text && text[strlen(text) - 1] == ',')
        return pq_fail(err, PQ_USER, "model configuration: '%s' ends in a comma; remove it", text);
    if (is_named) {
        size_t n = 0, count = sizeof named / sizeof named[0];
        while (n < count && (strlen(named[n].name) != first || memcmp(named[n].name, text, first) != 0))
            n++;
        if (n == count)
            return pq_fail(err, PQ_USER, "model configuration: unknown name '%.*s'; " WHAT_WORKS, (int)first, text);
        shape->layers = named[n].layers;
        shape->hidden = named[n].hidden;
        shape->heads = named[n].heads;
        shape->ffn = named[n].ffn;
        text += first + (text[first] == ',');
    }
    enum pq_status status = parse_pairs(text, shape, given, err);
    if (status != PQ_OK)
        return status;
    for (size_t field = 0; field < SIZES_NEEDED && !is_named; field++)
        if (!given[field])
            return pq_fail(err, PQ_USER, "model configuration: %s is missing; " WHAT_WORKS, pq_shape_name[field]);
    if (shape->hidden && shape->heads)
        pq_shape_place(shape);
    return pq_shape_check(shape, err);
}

static enum pq_status check_range(const char *name, uint32_t value, uint32_t low, uint32_t high, const char *why,
                                  struct pq_error *err)
{
    if (value >= low && value <= high)
        return PQ_OK;
    return pq_fail(err, PQ_USER, "model shape: %s is %" PRIu32 " (%s); use %" PRIu32 " to %" PRIu32, name, value, why,
                   low, high);
}

static enum pq_status check_sizes(const struct pq_shape *s, struct pq_error *err)
{
    const struct { const char *name; uint32_t value, low, high; const char *why; } rules[] = {
        { "layers", s->layers, 1, 256, "a model has at least one encoder layer, and files number them to 256" },
        { "hidden", s->hidden, 8, 4096, "fewer cannot be normalised, more would wrap sums and variances" },
        { "heads", s->heads, 1, s->hidden, "attention needs a head, and a head at least one channel" },
        { "ffn", s->ffn, 8, 4096, "the sums of more would wrap 16-bit accumulators" },
        { "vocab", s->vocab, 1, 1 << 20, "the embedding needs a token, and must fit memory" },
        { "max_seq", s->max_seq, 1, PQ_MAX_SEQ, "the sum of a longer softmax row would wrap 16 bits" },
        { "types", s->types, 1, 16, "token type 0 is always used" },
        { "labels", s->labels, 1, PQ_MAX_LABELS, "the classifier needs an output, and is one small product" },
    };
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++) {
        enum pq_status status = check_range(rules[i].name, rules[i].value, rules[i].low, rules[i].high, rules[i].why,
                                            err);
        if (status != PQ_OK)
            return status;
    }
    if (s->hidden % s->heads) {
        uint32_t fewer = s->heads;
        while (s->hidden % fewer)
            fewer--;
        return pq_fail(err, PQ_USER, "model shape: hidden %" PRIu32 " is no multiple of heads %" PRIu32
                       ", so heads would differ in size; heads=%" PRIu32 " would work", s->hidden, s->heads, fewer);
    }
    return PQ_OK;
}

enum pq_status pq_shape_check(const struct pq_shape *s, struct pq_error *err)
{
    enum pq_status status = check_sizes(s, err);
    if (status != PQ_OK)
        return status;
    if (s->trunc != 4 && s->trunc != 5 && s->trunc != 6 && s->trunc != 8)
        return pq_fail(err, PQ_USER, "model shape: trunc is %" PRIu32 " (bits of a linear output that index its "
                       "table); use 4, 5, 6 or 8", s->trunc);
    if (s->score_trunc != 4 && s->score_trunc != 6)
        return pq_fail(err, PQ_USER, "model shape: score_trunc is %" PRIu32 " (bits of a score); use 4, or 6 with a "
                       "clamping table", s->score_trunc);
    if (s->norm_trunc != 6 && s->norm_trunc != 8)
        return pq_fail(err, PQ_USER, "model shape: norm_trunc is %" PRIu32 " (bits of a normalised value); use 6 or 8",
                       s->norm_trunc);
    const struct { const char *name; uint32_t value, low, high; const char *why; } rules[] = {
        { "var_trunc", s->var_trunc, 8, 10, "bits of the variance that index the 1/sqrt table" },
        { "weight_bits", s->weight_bits, 1, 8, "bits of a weight at rest" },
        { "score_top", s->score_top, s->score_trunc, PQ_LINEAR_BITS, "top bit of a score of score_trunc bits" },
        { "var_top", s->var_top, s->var_trunc, 32, "top bit of a variance of var_trunc bits" },
    };
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++) {
        status = check_range(rules[i].name, rules[i].value, rules[i].low, rules[i].high, rules[i].why, err);
        if (status != PQ_OK)
            return status;
    }
    return PQ_OK;
}
