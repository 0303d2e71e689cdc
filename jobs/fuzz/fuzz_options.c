/* Command lines. Input: 1 byte for the command; then its words, each ended by a zero byte. */
#include "../../model_io/fuzz/fuzz.h"
#include "../options.h"

#include <stdlib.h>
#include <string.h>

enum { WORDS = 64 };

static void check(const struct pq_options *o)
{
    const struct pq_list *const lists[] = { &o->seq, &o->ranks, &o->threads, &o->protocol };
    for (size_t l = 0; l < sizeof lists / sizeof *lists; l++) {
        PQ_ASSERT(lists[l]->count <= PQ_LIST);
        for (size_t i = 0; i < lists[l]->count; i++)
            PQ_ASSERT(lists[l]->value[i] <= 4096);
    }
    PQ_ASSERT(o->net.count >= 1 && o->net.count <= PQ_LIST && o->batch >= 1 && o->batch <= 1024 && o->repeat >= 1);
    PQ_ASSERT(!(o->text && o->text_file) && !(o->tokens && o->seq.count));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    static char name[] = "command";
    struct fuzz_input in = { data, bytes };
    const enum pq_command command = (enum pq_command)(1 << fuzz_u8(&in) % 10);
    char *text = pq_alloc(in.left + 1), *argv[WORDS + 2] = { name };
    const size_t left = in.left;
    int argc = 1;
    fuzz_bytes(&in, text, left + 1);
    for (size_t at = 0; at < left && argc <= WORDS; at += strlen(text + at) + 1)
        argv[argc++] = text + at;
    struct pq_options *o = pq_alloc(sizeof *o);
    struct pq_error err = { "" };
    bool help = false;
    if (fuzz_ok(pq_options_parse(command, argc, argv, o, &help, &err), &err, "") && !help)
        check(o);
    free(o);
    free(text);
    return 0;
}
