#include "../shape.h"
#include "check.h"

static struct pq_error err;

static void parsed(const char *text, struct pq_shape *shape)
{
    CHECK_OK(pq_shape_parse(text, shape, &err), &err);
}

static void named_configurations(void **state)
{
    (void)state;
    static const struct { const char *name; uint32_t layers, hidden, heads, ffn, score_top, var_top; } cases[] = {
        { "bert-tiny", 2, 128, 2, 512, 11, 24 },
        { "bert-mini", 4, 256, 4, 1024, 11, 26 },
        { "bert-base", 12, 768, 12, 3072, 11, 29 },
        { "bert-large", 24, 1024, 16, 4096, 11, 30 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct pq_shape s;
        parsed(cases[i].name, &s);
        assert_int_equal(s.layers, cases[i].layers);
        assert_int_equal(s.hidden, cases[i].hidden);
        assert_int_equal(s.heads, cases[i].heads);
        assert_int_equal(s.ffn, cases[i].ffn);
        assert_int_equal(s.score_top, cases[i].score_top);
        assert_int_equal(s.var_top, cases[i].var_top);
        assert_int_equal(s.vocab, 30522);
        assert_int_equal(s.max_seq, 512);
        assert_int_equal(s.types, 2);
        assert_int_equal(s.labels, 2);
        assert_int_equal(s.trunc, 6);
        assert_int_equal(s.score_trunc, 6);
        assert_int_equal(s.norm_trunc, 6);
        assert_int_equal(s.var_trunc, 10);
        assert_int_equal(s.weight_bits, 1);
    }
}

static void custom_configurations(void **state)
{
    (void)state;
    struct pq_shape s;
    parsed("layers=1,hidden=60,heads=3,ffn=100,vocab=1000,max_seq=40,types=1,labels=5", &s);
    assert_int_equal(s.hidden, 60);
    assert_int_equal(s.labels, 5);
    assert_int_equal(s.max_seq, 40);
    parsed("layers=1,hidden=8,heads=8,ffn=8", &s);
    assert_int_equal(s.score_top, 2 + 6); /* one channel a head: unit 4 */
    assert_int_equal(s.var_top, 17);      /* rows of 8 vary more than long ones, which would have had 16 */
    parsed("layers=1,hidden=4096,heads=1,ffn=4096", &s);
    assert_int_equal(s.score_top, 8 + 6);
    assert_int_equal(s.var_top, 32);
    parsed("bert-base,layers=2,trunc=5,score_trunc=4", &s);
    assert_int_equal(s.layers, 2);
    assert_int_equal(s.trunc, 5);
    assert_int_equal(s.score_top, 9); /* the same unit, two bits fewer above it */
}

static void every_field_has_its_name(void **state)
{
    (void)state;
    struct pq_shape s = { 0 };
    for (size_t i = 0; i < PQ_SHAPE_FIELDS; i++)
        *pq_shape_value(&s, i) = (uint32_t)i + 1;
    struct pq_shape want = { .layers = 1, .hidden = 2, .heads = 3, .ffn = 4, .vocab = 5, .max_seq = 6, .types = 7,
                             .labels = 8, .trunc = 9, .score_trunc = 10, .norm_trunc = 11, .var_trunc = 12,
                             .weight_bits = 13, .score_top = 14, .var_top = 15 };
    assert_memory_equal(&s, &want, sizeof s);
    assert_int_equal(sizeof s, PQ_SHAPE_FIELDS * sizeof(uint32_t)); /* a new field needs a name */
    assert_string_equal(pq_shape_name[0], "layers");
    assert_string_equal(pq_shape_name[PQ_SHAPE_FIELDS - 1], "var_top");
}

static void wrong_text_is_refused(void **state)
{
    (void)state;
    static const struct { const char *text, *part; } cases[] = {
        { "", "bert-tiny" },
        { "bert-huge", "bert-huge" },
        { "bert-bas", "bert-bas" },
        { "bert-base,", "comma" },
        { "bert-base,12", "'12'" },
        { "bert-base,=12", "'=12'" },
        { "bert-base,depth=2", "'depth'" },
        { "bert-base,score_top=9", "'score_top'" },
        { "bert-base,layers=2,layers=2", "twice" },
        { "bert-base,layers=", "layers is ''" },
        { "bert-base,layers=two", "'two'" },
        { "bert-base,layers=-1", "'-1'" },
        { "bert-base,layers=2 ", "'2 '" },
        { "bert-base,layers=99999999999999999999", "999" },
        { "layers=2,hidden=128,heads=2", "ffn is missing" },
        { "layers=2,,hidden=128,heads=2,ffn=9", "''" },
        { "layers=0,hidden=128,heads=2,ffn=512", "layers is 0" },
        { "layers=257,hidden=128,heads=2,ffn=512", "layers is 257" },
        { "layers=2,hidden=0,heads=2,ffn=512", "hidden is 0" },
        { "layers=2,hidden=4,heads=2,ffn=512", "hidden is 4" },
        { "layers=2,hidden=4100,heads=2,ffn=512", "hidden is 4100" },
        { "layers=2,hidden=128,heads=0,ffn=512", "heads is 0" },
        { "layers=2,hidden=128,heads=129,ffn=512", "heads is 129" },
        { "layers=2,hidden=128,heads=12,ffn=512", "heads=8 would work" },
        { "layers=2,hidden=128,heads=2,ffn=5000", "ffn is 5000" },
        { "layers=2,hidden=128,heads=2,ffn=512,vocab=0", "vocab is 0" },
        { "layers=2,hidden=128,heads=2,ffn=512,max_seq=513", "max_seq is 513" },
        { "layers=2,hidden=128,heads=2,ffn=512,types=0", "types is 0" },
        { "layers=2,hidden=128,heads=2,ffn=512,labels=65", "labels is 65" },
        { "bert-tiny,trunc=7", "trunc is 7" },
        { "bert-tiny,score_trunc=5", "score_trunc is 5" },
        { "bert-tiny,norm_trunc=7", "norm_trunc is 7" },
        { "bert-tiny,var_trunc=11", "var_trunc is 11" },
        { "bert-tiny,weight_bits=9", "weight_bits is 9" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct pq_shape s;
        CHECK_USER_ERROR(pq_shape_parse(cases[i].text, &s, &err), &err, cases[i].part);
    }
}

static void wrong_positions_are_refused(void **state)
{
    (void)state;
    struct pq_shape s;
    parsed("bert-tiny", &s);
    struct pq_shape t = s;
    t.score_top = 5;
    CHECK_USER_ERROR(pq_shape_check(&t, &err), &err, "score_top is 5");
    t.score_top = 17;
    CHECK_USER_ERROR(pq_shape_check(&t, &err), &err, "score_top is 17");
    t = s;
    t.var_top = 33;
    CHECK_USER_ERROR(pq_shape_check(&t, &err), &err, "var_top is 33");
    t.var_top = 9;
    CHECK_USER_ERROR(pq_shape_check(&t, &err), &err, "var_top is 9");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(named_configurations),
        cmocka_unit_test(custom_configurations),
        cmocka_unit_test(every_field_has_its_name),
        cmocka_unit_test(wrong_text_is_refused),
        cmocka_unit_test(wrong_positions_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
