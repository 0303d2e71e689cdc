/* Result files that HDF5 can open, but not what SCHEMA.md says. Input: 1 byte for how the file is shown; then edits
 * (model_io/fuzz/edits.h) of a file with two points. What is read is shown, compared with the file as it was,
 * and merged. */
#include "../../model_io/fuzz/edits.h"
#include "../record_hdf5.h"
#include "../record_text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct base {
    struct pq_results r;
    struct pq_environment launch[2];
    void *image;
    size_t bytes;
    char path[80], out[80];
};

static struct pq_run_record run(uint64_t seq, uint64_t repetition)
{
    struct pq_run_record run = { .system = "pqbert", .model = "m", .protocol = "published", .verdict = "VALID",
                                 .net = "none", .mode = "secure", .seq_len = seq, .batch = 1, .repetition = repetition,
                                 .online_ns = 1000 * seq + repetition, .offline_ns = 77, .floor_ns = 300 };
    return run;
}

static void make_base(struct base *b)
{
    static struct pq_run_record runs[3];
    static struct pq_op_record ops[2] = { { .point = 0, .operation = "qkv" }, { .point = 2, .operation = "gelu" } };
    static struct pq_sentence_record sentences[3] = {
        { .evaluation = 0, .sentence = 1, .label = 1, .mpc_label = 1, .batch = 2, .online_ns = 7, .verdict = "VALID" },
        { .evaluation = 1, .sentence = 1, .plain_label = 1, .batch = 1, .verdict = "INVALID" },
        { .evaluation = 0, .sentence = 0, .batch = 2, .online_ns = 7, .verdict = "VALID" },
    };
    static struct pq_evaluation_record evaluation[2] = { { .model = "m", .labels = 2, .sentences = 3 },
                                                         { .model = "n", .labels = 2, .sentences = 2 } };
    for (uint64_t e = 0; e < 2; e++)
        pq_evaluation_sum_up(&evaluation[e], e, sentences, 3);
    runs[0] = run(8, 0);
    runs[1] = run(8, 1);
    runs[2] = run(16, 0);
    pq_environment_add(&b->launch[0], "program", "pqbert 0");
    pq_environment_add(&b->launch[0], "hosts", "here");
    pq_environment_add(&b->launch[1], "hosts", "there");
    snprintf(b->path, sizeof b->path, "%s/r.h5", fuzz_folder());
    snprintf(b->out, sizeof b->out, "%s/merged.h5", fuzz_folder());
    b->r = (struct pq_results){ .path = b->path, .lock = -1, .run = runs, .runs = 3, .op = ops, .ops = 2,
                                .evaluation = evaluation, .evaluations = 2, .sentence = sentences, .sentences = 3,
                                .launch = b->launch, .launches = 2 };
    PQ_ASSERT(pq_results_encode(&b->r, &b->image, &b->bytes, NULL) == PQ_OK);
}

static void use(struct base *b, struct pq_results *r, uint8_t how)
{
    static const char *const groups[] = { NULL, "seq", "net,protocol", "mode" };
    const bool scripts = how % 3 != 0;
    struct pq_results_view view = { .format = (enum pq_results_format)(how % 3), .medians = scripts && how & 4,
                                    .group = scripts ? NULL : groups[how / 8 % 4] };
    struct pq_error err = { "" };
    char *text;
    size_t bytes, rows;
    FILE *to = open_memstream(&text, &bytes);
    PQ_ASSERT(to);
    for (pq_results_runs(r, &rows); rows-- > 0;)
        PQ_ASSERT(pq_verdict_known(r->run[rows].verdict));
    fuzz_ok(pq_results_compare(&b->r, r, to, &err), &err, "");
    if (how & 64) {
        view.selections = 1;
        view.select[0].field = "seq";
        view.select[0].values = "8";
    }
    fuzz_ok(pq_results_show(r, &view, to, &err), &err, "");
    view = (struct pq_results_view){ .format = how & 1 ? PQ_RESULTS_CSV : PQ_RESULTS_JSON,
                                     .rows = how & 2 ? PQ_ROWS_EVALUATIONS : PQ_ROWS_SENTENCES };
    PQ_ASSERT(pq_results_show(r, &view, to, &err) == PQ_OK);
    fclose(to);
    free(text);
}

static void merge(struct base *b)
{
    struct pq_error err = { "" };
    const char *const in[] = { b->path };
    remove(b->out);
    if (fuzz_ok(pq_results_merge(b->out, in, 1, true, &err), &err, "")) {
        struct pq_results *r;
        PQ_ASSERT(pq_results_read(b->out, &r, &err) == PQ_OK);
        pq_results_close(r);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    static struct base base;
    if (!base.bytes)
        make_base(&base);
    struct fuzz_input in = { data, bytes };
    const uint8_t how = fuzz_u8(&in);
    fuzz_spill(base.path, base.image, base.bytes);
    const bool edited = fuzz_edit(base.path, &in);
    struct pq_results *r;
    struct pq_error err = { "" };
    if (fuzz_ok(pq_results_read(base.path, &r, &err), &err, base.path)) {
        use(&base, r, how);
        pq_results_close(r);
        merge(&base);
    } else {
        PQ_ASSERT(!r && edited);
    }
    return 0;
}
