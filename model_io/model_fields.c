#include "model_fields.h"

#include <float.h>
#include <stdarg.h>
#include <stdio.h>

struct walk { pq_field_visit *visit; void *user; enum pq_status status; };

static void PQ_PRINTF(3, 4) visit(struct walk *walk, struct pq_field field, const char *path, ...)
{
    if (walk->status != PQ_OK)
        return;
    va_list args;
    va_start(args, path);
    int length = vsnprintf(field.path, sizeof field.path, path, args);
    va_end(args);
    PQ_ASSERT(length > 0 && (size_t)length < sizeof field.path);
    walk->status = walk->visit(walk->user, &field);
}

static struct pq_field matrix(enum pq_field_type type, void *data, uint32_t rows, uint32_t cols, double low,
                              double high)
{
    return (struct pq_field){ .type = type, .rows = rows, .cols = cols, .data = data, .low = low, .high = high };
}

static struct pq_field vector(enum pq_field_type type, void *data, uint32_t size, double low, double high)
{
    struct pq_field field = matrix(type, data, size, 1, low, high);
    field.vector = 1;
    return field;
}

static void linear_fields(struct walk *walk, const struct pq_linear *l, uint32_t weight_bits, const char *path)
{
    double reach = 1u << (weight_bits - 1);
    visit(walk, weight_bits == 1 ? matrix(PQ_FIELD_BITS, l->weight, l->out, l->in, -1, 1)
                                 : matrix(PQ_FIELD_I8, l->weight, l->out, l->in, -reach, reach - 1), "%s/weight", path);
    visit(walk, vector(PQ_FIELD_U16, l->multiplier, l->out, 1, INT16_MAX), "%s/multiplier", path);
    visit(walk, vector(PQ_FIELD_U16, l->bias, l->out, 0, UINT16_MAX), "%s/bias", path);
    if (l->table_bits)
        visit(walk, matrix(PQ_FIELD_I8, l->table, l->out, 1u << l->table_bits, -8, 7), "%s/table", path);
    visit(walk, vector(PQ_FIELD_F64, l->scale, l->out, -DBL_MAX, DBL_MAX), "%s/scale", path);
}

static void norm_fields(struct walk *walk, const struct pq_norm *n, const struct pq_shape *s, const char *path)
{
    visit(walk, vector(PQ_FIELD_U32, n->rsqrt, 1u << s->var_trunc, 1, INT32_MAX), "%s/rsqrt", path);
    visit(walk, matrix(PQ_FIELD_I8, n->code, s->hidden, 1u << s->norm_trunc, -8, 7), "%s/code", path);
    visit(walk, matrix(PQ_FIELD_I8, n->residual, s->hidden, 1u << s->norm_trunc, -128, 127), "%s/residual", path);
    visit(walk, vector(PQ_FIELD_F32, n->gamma, s->hidden, -(double)FLT_MAX, FLT_MAX), "%s/gamma", path);
    visit(walk, vector(PQ_FIELD_F32, n->beta, s->hidden, -(double)FLT_MAX, FLT_MAX), "%s/beta", path);
}

enum pq_status pq_model_fields(struct pq_model *model, pq_field_visit *visit_field, void *user)
{
    static const char *const linear_name[PQ_LINEARS_PER_LAYER] = { "qkv", "attention_out", "ffn1", "ffn2" };
    static const char *const norm_name[2] = { "attention_norm", "ffn_norm" };
    const struct pq_shape *s = &model->shape;
    struct walk walk = { visit_field, user, PQ_OK };
    char path[40];
    for (uint32_t i = 0; i < s->layers; i++) {
        struct pq_layer *layer = &model->layer[i];
        for (int id = 0; id < PQ_LINEARS_PER_LAYER; id++) {
            snprintf(path, sizeof path, "layer_%03u/%s", i, linear_name[id]);
            linear_fields(&walk, &layer->linear[id], s->weight_bits, path);
        }
        visit(&walk, vector(PQ_FIELD_I8, layer->score_clamp, 64, -8, 7), "layer_%03u/score_clamp", i);
        visit(&walk, vector(PQ_FIELD_F64, &layer->exp_scale, 1, 0, 100), "layer_%03u/exp_scale", i);
        visit(&walk, matrix(PQ_FIELD_I8, layer->context, s->hidden, 1u << pq_context_trunc(s->trunc), -8, 7),
              "layer_%03u/context", i);
        for (int n = 0; n < 2; n++) {
            snprintf(path, sizeof path, "layer_%03u/%s", i, norm_name[n]);
            norm_fields(&walk, &layer->norm[n], s, path);
        }
    }
    linear_fields(&walk, &model->pooler, s->weight_bits, "pooler");
    linear_fields(&walk, &model->classifier, s->weight_bits, "classifier");
    return walk.status;
}

enum pq_status pq_embedding_fields(struct pq_embedding *e, pq_field_visit *visit_field, void *user)
{
    const struct pq_shape *s = &e->shape;
    struct walk walk = { visit_field, user, PQ_OK };
    const double max = FLT_MAX;
    visit(&walk, matrix(PQ_FIELD_F32, e->word, s->vocab, s->hidden, -max, max), "embedding/word");
    visit(&walk, matrix(PQ_FIELD_F32, e->position, s->max_seq, s->hidden, -max, max), "embedding/position");
    visit(&walk, matrix(PQ_FIELD_F32, e->type, s->types, s->hidden, -max, max), "embedding/type");
    visit(&walk, vector(PQ_FIELD_F32, e->gamma, s->hidden, -max, max), "embedding/gamma");
    visit(&walk, vector(PQ_FIELD_F32, e->beta, s->hidden, -max, max), "embedding/beta");
    visit(&walk, vector(PQ_FIELD_F32, &e->code_step, 1, FLT_MIN, max), "embedding/code_step");
    visit(&walk, vector(PQ_FIELD_F32, &e->residual_step, 1, FLT_MIN, max), "embedding/residual_step");
    if (e->vocab_bytes)
        visit(&walk, vector(PQ_FIELD_U8, e->vocab, e->vocab_bytes, 1, UINT8_MAX), "vocab");
    return walk.status;
}

size_t pq_field_memory(const struct pq_field *field)
{
    static const size_t size[] = { [PQ_FIELD_I8] = 1, [PQ_FIELD_U8] = 1, [PQ_FIELD_U16] = 2, [PQ_FIELD_U32] = 4,
                                   [PQ_FIELD_F32] = 4, [PQ_FIELD_F64] = 8, [PQ_FIELD_BITS] = 1 };
    return size[field->type] * field->rows * field->cols;
}

size_t pq_field_stored(const struct pq_field *field)
{
    return field->type == PQ_FIELD_BITS ? ((size_t)field->cols + 7) / 8 * field->rows : pq_field_memory(field);
}

void pq_field_pack(const struct pq_field *field, uint8_t *packed)
{
    const int8_t *weight = field->data;
    for (uint32_t row = 0; row < field->rows; row++)
        for (uint32_t col = 0; col < field->cols; col += 8) {
            uint32_t count = field->cols - col < 8 ? field->cols - col : 8, byte = 0;
            for (uint32_t i = 0; i < count; i++)
                byte |= (uint32_t)(*weight++ > 0) << i;
            *packed++ = (uint8_t)byte;
        }
}

void pq_field_unpack(const struct pq_field *field, const uint8_t *packed)
{
    int8_t *weight = field->data;
    for (uint32_t row = 0; row < field->rows; row++)
        for (uint32_t col = 0; col < field->cols; col += 8) {
            uint32_t count = field->cols - col < 8 ? field->cols - col : 8, byte = *packed++;
            for (uint32_t i = 0; i < count; i++)
                *weight++ = (int8_t)((int)(byte >> i & 1) * 2 - 1);
        }
}

#define FIRST_OUTSIDE(type) \
    for (const type *value = field->data; i < count && value[i] >= field->low && value[i] <= field->high; i++) \
        continue

size_t pq_field_outside(const struct pq_field *field)
{
    size_t i = 0, count = (size_t)field->rows * field->cols;
    switch (field->type) {
    case PQ_FIELD_I8: FIRST_OUTSIDE(int8_t); break;
    case PQ_FIELD_U8: FIRST_OUTSIDE(uint8_t); break;
    case PQ_FIELD_U16: FIRST_OUTSIDE(uint16_t); break;
    case PQ_FIELD_U32: FIRST_OUTSIDE(uint32_t); break;
    case PQ_FIELD_F32: FIRST_OUTSIDE(float); break;
    case PQ_FIELD_F64: FIRST_OUTSIDE(double); break;
    case PQ_FIELD_BITS: /* 0 is no sign */
        for (const int8_t *weight = field->data; i < count && (weight[i] == 1 || weight[i] == -1); i++)
            continue;
    }
    return i;
}

double pq_field_value(const struct pq_field *field, size_t i)
{
    switch (field->type) {
    case PQ_FIELD_U8: return ((const uint8_t *)field->data)[i];
    case PQ_FIELD_U16: return ((const uint16_t *)field->data)[i];
    case PQ_FIELD_U32: return ((const uint32_t *)field->data)[i];
    case PQ_FIELD_F32: return ((const float *)field->data)[i];
    case PQ_FIELD_F64: return ((const double *)field->data)[i];
    default: return ((const int8_t *)field->data)[i];
    }
}
