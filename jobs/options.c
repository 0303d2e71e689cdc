#include "options.h"

#include "lesson.h"
#include "option_values.h"

#include <argp.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *const pq_protocol_name[2] = { [PQ_PUBLISHED] = "published", [PQ_PREPROCESSED] = "preprocessed" };
const char *const pq_maximum_name[2] = { [PQ_TREE] = "tree", [PQ_COUNT] = "count" };
const char *const pq_tables_name[2] = { [PQ_DIRECT] = "direct", [PQ_COMPACT] = "compact" };

enum key {
    KEY_MODEL = 256,
    KEY_CONFIG,
    KEY_OUT,
    KEY_SEQ,
    KEY_INPUT_SEED,
    KEY_TOKENS,
    KEY_TEXT,
    KEY_TEXT_FILE,
    KEY_DATA,
    KEY_LIMIT,
    KEY_VOCAB,
    KEY_PROTOCOL,
    KEY_RANKS,
    KEY_THREADS,
    KEY_BATCH,
    KEY_REPEAT,
    KEY_WARMUP,
    KEY_RESUME,
    KEY_SEED,
    KEY_MAX,
    KEY_TABLES,
    KEY_KERNEL,
    KEY_NET,
    KEY_BIND,
    KEY_NO_VERIFY,
    KEY_CHECK,
    KEY_TOTAL,
    KEY_MATERIAL,
    KEY_OVERLAP,
    KEY_COUNT,
    KEY_CHECKPOINT,
    KEY_CALIBRATE,
    KEY_WEIGHT_BITS,
    KEY_MAX_SEQ,
    KEY_TRUNC,
    KEY_SCORE_BITS,
    KEY_NORM_BITS,
    KEY_LABELS,
    KEY_HELP
};

enum { INFER = PQ_CMD_RUN | PQ_CMD_SWEEP, STOCK = INFER | PQ_CMD_OFFLINE, POINT = STOCK | PQ_CMD_EVAL };
enum { SEQ = PQ_CMD_PLAIN | PQ_CMD_COST | STOCK, MODEL = SEQ | PQ_CMD_EVAL };

static const struct row {
    unsigned commands, needed; /* which take it, which cannot do without */
    struct argp_option option;
} table[] = {
    { MODEL, MODEL, { "model", KEY_MODEL, "PREFIX", 0, "model files PREFIX.secret.h5 and PREFIX.public.h5", 0 } },
    { PQ_CMD_SYNTH,
      PQ_CMD_SYNTH,
      { "config", KEY_CONFIG, "NAME", 0,
        "bert-tiny, bert-mini, bert-base, bert-large, or layers=..,hidden=..,heads=..,ffn=..,vocab=..; precisions may "
        "follow a name, as in bert-tiny,trunc=4",
        0 } },
    { PQ_CMD_IMPORT,
      PQ_CMD_IMPORT,
      { "checkpoint", KEY_CHECKPOINT, "DIR", 0,
        "a BERT in Hugging Face's layout: DIR/config.json, DIR/model.safetensors, DIR/vocab.txt", 0 } },
    { PQ_CMD_IMPORT,
      PQ_CMD_IMPORT,
      { "calibrate", KEY_CALIBRATE, "TEXT", 0,
        "sentences like those that will be asked, one per line, some hundred of them; three quarters set the ranges, "
        "the rest shows what is lost",
        0 } },
    { PQ_CMD_SYNTH | PQ_CMD_IMPORT | PQ_CMD_SWEEP | PQ_CMD_EVAL,
      PQ_CMD_SYNTH | PQ_CMD_IMPORT | PQ_CMD_SWEEP,
      { "out", KEY_OUT, "FILE", 0, "what is written: PREFIX of the model files, or the result file", 0 } },
    { SEQ,
      PQ_CMD_COST | PQ_CMD_SWEEP | PQ_CMD_OFFLINE,
      { "seq", KEY_SEQ, "LIST", 0, "sequence lengths, 1 to 512", 0 } },
    { PQ_CMD_PLAIN | INFER,
      0,
      { "input-seed", KEY_INPUT_SEED, "N", 0, "random token ids from this seed (default 1)", 0 } },
    { PQ_CMD_PLAIN | PQ_CMD_RUN,
      0,
      { "tokens", KEY_TOKENS, "FILE", 0, "token ids from a file, which P1 alone reads", 0 } },
    { PQ_CMD_PLAIN | PQ_CMD_RUN,
      0,
      { "text", KEY_TEXT, "TEXT", 0,
        "a text; a launcher shows its command line to every rank. -: standard input, one text per line, at P1's first "
        "rank alone (mpirun --stdin 1 -n 3; of 3*G processes --stdin G)",
        0 } },
    { PQ_CMD_PLAIN | PQ_CMD_RUN,
      0,
      { "text-file", KEY_TEXT_FILE, "FILE", 0, "texts from a file, one per line, which P1 alone reads", 0 } },
    { PQ_CMD_EVAL,
      PQ_CMD_EVAL,
      { "data", KEY_DATA, "FILE", 0,
        "labelled sentences, which P1 alone reads: a line sentence<TAB>label, then one of each sentence", 0 } },
    { PQ_CMD_EVAL, 0, { "limit", KEY_LIMIT, "N", 0, "only the first N sentences (default: all)", 0 } },
    { PQ_CMD_SYNTH,
      0,
      { "vocab", KEY_VOCAB, "FILE", 0, "vocab.txt of a BERT checkpoint: the model then takes text", 0 } },
    { PQ_CMD_IMPORT,
      0,
      { "weight-bits", KEY_WEIGHT_BITS, "N", 0,
        "1 to 8 bits for a weight (default 8). All cost the same online; without training, few bits lose much", 0 } },
    { PQ_CMD_IMPORT,
      0,
      { "trunc", KEY_TRUNC, "N", 0, "bits of a linear output that index its table: 4, 5, 6 or 8 (default 6)", 0 } },
    { PQ_CMD_IMPORT, 0, { "score-bits", KEY_SCORE_BITS, "N", 0, "bits of a score: 4 or 6 (default 6)", 0 } },
    { PQ_CMD_IMPORT,
      0,
      { "norm-bits", KEY_NORM_BITS, "N", 0, "bits of a normalised value: 6 or 8 (default 8)", 0 } },
    { PQ_CMD_IMPORT,
      0,
      { "max-seq", KEY_MAX_SEQ, "N", 0, "longest sequence (default: the checkpoint's, at most 512)", 0 } },
    { PQ_CMD_IMPORT,
      0,
      { "labels", KEY_LABELS, "N", 0,
        "for a checkpoint without a classifier: N logits that are random projections of its pooled output", 0 } },
    { PQ_CMD_COST | POINT,
      0,
      { "protocol", KEY_PROTOCOL, "LIST", 0, "published, preprocessed (default preprocessed)", 0 } },
    { PQ_CMD_COST | POINT,
      0,
      { "ranks", KEY_RANKS, "LIST", 0,
        "ranks per party, at most a third of the launch (default: a third of the launch; cost: 1)", 0 } },
    { PQ_CMD_PLAIN | POINT, 0, { "threads", KEY_THREADS, "LIST", 0, "OpenMP threads per rank (default 1)", 0 } },
    { PQ_CMD_COST | POINT, 0, { "batch", KEY_BATCH, "N", 0, "sequences at once (default 1)", 0 } },
    { PQ_CMD_SWEEP, 0, { "repeat", KEY_REPEAT, "N", 0, "measured repetitions of each point (default 10)", 0 } },
    { PQ_CMD_SWEEP,
      0,
      { "warmup", KEY_WARMUP, "N", 0, "repetitions before them, verified but not recorded (default 2)", 0 } },
    { PQ_CMD_SWEEP,
      0,
      { "overlap-offline", KEY_OVERLAP, NULL, 0,
        "throughput: P0 deals the next inference's material while P1 and P2 are online with this one", 0 } },
    { PQ_CMD_SWEEP | PQ_CMD_EVAL,
      0,
      { "resume", KEY_RESUME, NULL, 0, "continue the result file: skip what it holds already", 0 } },
    { PQ_CMD_SYNTH | POINT,
      0,
      { "seed", KEY_SEED, "N", 0,
        "synth: which model (default 1). Others: fixes the protocol's randomness, INSECURE-BENCH", 0 } },
    { PQ_CMD_COST | POINT, 0, { "max", KEY_MAX, "KIND", 0, "maximum in softmax: auto, tree or count", 0 } },
    { PQ_CMD_COST | POINT,
      0,
      { "tables", KEY_TABLES, "KIND", 0, "auto, direct (fewer rounds) or compact (less offline material)", 0 } },
    { POINT, 0, { "kernel", KEY_KERNEL, "NAME", 0, "matrix kernel (pqbert kernels lists them)", 0 } },
    { PQ_CMD_COST | POINT,
      0,
      { "net", KEY_NET, "LIST", 0,
        "network between the parties: none (as it is, default), or emulated: lan (5Gbit:0.4ms), wan (400Mbit:40ms), "
        "RATE:RTT as in 1Gbit:2ms",
        0 } },
    { POINT,
      0,
      { "bind", KEY_BIND, "KIND", 0,
        "auto (default): ranks and threads to cores, by party and NUMA node, within what the launcher gave; none: as "
        "the launcher left them",
        0 } },
    { STOCK,
      PQ_CMD_OFFLINE,
      { "material", KEY_MATERIAL, "DIR", 0,
        "offline: folder that gets the material, a set for each point. run, sweep: use it up instead of dealing new",
        0 } },
    { PQ_CMD_OFFLINE, PQ_CMD_OFFLINE, { "count", KEY_COUNT, "N", 0, "entries of a set, one for each inference", 0 } },
    { INFER,
      0,
      { "no-verify", KEY_NO_VERIFY, NULL, 0, "keep the input at P1: no replay, and results are UNCHECKED", 0 } },
    { PQ_CMD_KERNELS,
      0,
      { "check", KEY_CHECK, NULL, 0, "exit 3 where a tuned kernel is slower than what it replaces", 0 } },
    { PQ_CMD_COST,
      0,
      { "total", KEY_TOTAL, "G", 0,
        "only the sum over the points of that sweep, with G ranks per party launched: expected time, memory", 0 } },
    { ~0u, 0, { "help", KEY_HELP, NULL, 0, "this text", -1 } },
};
enum { ROWS = sizeof table / sizeof *table };

struct parse {
    struct pq_options *o;
    struct pq_error *err;
    enum pq_command command;
    uint64_t seen;
    int next;
    bool help;
    enum pq_status status;
};

static enum pq_status take(struct parse *p, int key, const char *name, char *text)
{
    struct pq_options *o = p->o;
    struct pq_error *err = p->err;
    int which = 0;
    enum pq_status s = PQ_OK;
    switch (key) {
    case KEY_MODEL: o->model = text; break;
    case KEY_CONFIG: o->config = text; break;
    case KEY_OUT: o->out = text; break;
    case KEY_TOKENS: o->tokens = text; break;
    case KEY_TEXT: o->text = text; break;
    case KEY_TEXT_FILE: o->text_file = text; break;
    case KEY_DATA: o->data = text; break;
    case KEY_VOCAB: o->vocab = text; break;
    case KEY_KERNEL: o->kernel = text; break;
    case KEY_MATERIAL: o->material = text; break;
    case KEY_CHECKPOINT: o->checkpoint = text; break;
    case KEY_CALIBRATE: o->calibrate = text; break;
    case KEY_WEIGHT_BITS: return pq_value_number(name, text, 1, 8, &o->weight_bits, err);
    case KEY_MAX_SEQ: return pq_value_number(name, text, 2, PQ_MAX_SEQ, &o->max_seq, err);
    case KEY_TRUNC: return pq_value_number(name, text, 4, 8, &o->trunc, err);
    case KEY_SCORE_BITS: return pq_value_number(name, text, 4, 6, &o->score_bits, err);
    case KEY_NORM_BITS: return pq_value_number(name, text, 6, 8, &o->norm_bits, err);
    case KEY_LABELS: return pq_value_number(name, text, 1, PQ_MAX_LABELS, &o->labels, err);
    case KEY_SEQ: return pq_value_list(name, text, 1, PQ_MAX_SEQ, NULL, &o->seq, err);
    case KEY_RANKS: return pq_value_list(name, text, 1, 4096, NULL, &o->ranks, err);
    case KEY_THREADS: return pq_value_list(name, text, 1, 512, NULL, &o->threads, err);
    case KEY_PROTOCOL: return pq_value_list(name, text, 0, 0, pq_protocol_name, &o->protocol, err);
    case KEY_BATCH: return pq_value_number(name, text, 1, 1024, &o->batch, err);
    case KEY_REPEAT: return pq_value_number(name, text, 1, 100000, &o->repeat, err);
    case KEY_COUNT: return pq_value_number(name, text, 1, 1000000, &o->count, err);
    case KEY_LIMIT: return pq_value_number(name, text, 1, 1000000000, &o->limit, err);
    case KEY_WARMUP: return pq_value_number(name, text, 0, 1000, &o->warmup, err);
    case KEY_INPUT_SEED:
        o->input_seed_given = true;
        return pq_value_number(name, text, 0, UINT64_MAX, &o->input_seed, err);
    case KEY_SEED: o->seed_given = true; return pq_value_number(name, text, 0, UINT64_MAX, &o->seed, err);
    case KEY_MAX:
        s = pq_value_choice(name, text, pq_maximum_name, &which, err);
        o->maximum = (enum pq_maximum_choice)which;
        return s;
    case KEY_TABLES:
        s = pq_value_choice(name, text, pq_tables_name, &which, err);
        o->tables = (enum pq_tables_choice)which;
        return s;
    case KEY_NET: return pq_value_nets(name, text, &o->net, err);
    case KEY_BIND:
        o->bind = !strcmp(text, "auto");
        if (!o->bind && strcmp(text, "none"))
            return pq_fail(err, PQ_USER, "--bind: there is no '%s'; use auto or none", text);
        break;
    case KEY_RESUME: o->resume = true; break;
    case KEY_NO_VERIFY: o->no_verify = true; break;
    case KEY_OVERLAP: o->overlap = true; break;
    case KEY_CHECK: o->check = true; break;
    case KEY_TOTAL: return pq_value_number(name, text, 1, 4096, &o->total, err);
    default: PQ_ASSERT(!"an option without a case");
    }
    return s;
}

static error_t parse_one(int key, char *text, struct argp_state *state)
{
    struct parse *p = state->input;
    if (key == ARGP_KEY_ERROR) { /* what was not understood stands before the next argument */
        p->next = state->next;
        return 0;
    }
    if (key == KEY_HELP) {
        p->help = true;
        return 0;
    }
    if (key == ARGP_KEY_ARG) {
        if (p->command != PQ_CMD_INFO || p->o->argument) {
            p->status = pq_fail(p->err, PQ_USER, "'%s' is not expected here; --help lists the options", text);
            return EINVAL;
        }
        p->o->argument = text;
        return 0;
    }
    for (size_t r = 0; r < ROWS; r++)
        if (table[r].option.key == key) {
            if (p->seen >> r & 1) {
                p->status = pq_fail(p->err, PQ_USER, "--%s is given twice", table[r].option.name);
                return EINVAL;
            }
            p->seen |= UINT64_C(1) << r;
            p->status = take(p, key, table[r].option.name, text);
            return p->status == PQ_OK ? 0 : EINVAL;
        }
    return ARGP_ERR_UNKNOWN;
}

/* cost takes the options of sweep, so that the same line can first be asked for its cost. */
static bool takes(const struct row *row, enum pq_command command)
{
    const unsigned as = command == PQ_CMD_COST ? PQ_CMD_COST | PQ_CMD_SWEEP : (unsigned)command;
    return (row->commands & as) != 0;
}

/* The command's rows of the table. */
static struct argp argp_of(enum pq_command command, struct argp_option options[ROWS + 1])
{
    size_t n = 0;
    for (size_t r = 0; r < ROWS; r++)
        if (takes(&table[r], command))
            options[n++] = table[r].option;
    options[n] = (struct argp_option){ 0 };
    const char *arguments = command == PQ_CMD_INFO ? "PREFIX" : NULL;
    return (struct argp){ .options = options, .parser = parse_one, .args_doc = arguments };
}

void pq_options_help(enum pq_command command, char *name)
{
    struct argp_option options[ROWS + 1];
    const struct argp argp = argp_of(command, options);
    argp_help(&argp, stdout, ARGP_HELP_USAGE | ARGP_HELP_LONG, name);
    fputs(pq_lesson(command), stdout);
}

/* What dealing beside the online phase cannot go with. */
static enum pq_status check_overlap(const struct pq_options *o, struct pq_error *err)
{
    bool published = false, emulated = false;
    for (size_t i = 0; i < o->protocol.count; i++)
        published |= o->protocol.value[i] == PQ_PUBLISHED;
    for (size_t i = 0; i < o->net.count; i++)
        emulated |= pq_net_emulates(&o->net.value[i]);
    if (o->overlap && published)
        return pq_fail(err, PQ_USER, 
                       "--overlap-offline is for --protocol preprocessed: in published P0 takes part in the online "
                       "phase and cannot deal beside it");
    if (o->overlap && o->material)
        return pq_fail(err, PQ_USER, 
                       "--overlap-offline and --material exclude each other: stored material was dealt before");
    if (o->overlap && emulated)
        return pq_fail(err, PQ_USER, 
                       "--overlap-offline needs the real network: --net emulates one message after the other, not "
                       "material beside them");
    return PQ_OK;
}

/* The input comes from one place, which says how long it is. */
static enum pq_status check_input(const struct pq_options *o, struct pq_error *err)
{
    const char *name[4];
    size_t given = 0;
    if (o->tokens)
        name[given++] = "tokens";
    if (o->text)
        name[given++] = "text";
    if (o->text_file)
        name[given++] = "text-file";
    if (given > 0 && o->input_seed_given)
        name[given++] = "input-seed";
    if (given > 1)
        return pq_fail(err, PQ_USER, "--%s and --%s exclude each other: the input is one or the other", name[0],
                       name[1]);
    if (given > 0 && o->seq.count)
        return pq_fail(err, PQ_USER, "--%s and --seq exclude each other: the input says how long it is", name[0]);
    if (given > 0 && o->batch != 1)
        return pq_fail(err, PQ_USER, "--%s is one sequence at a time: leave --batch out", name[0]);
    return PQ_OK;
}

enum pq_status pq_options_parse(enum pq_command command, int argc, char **argv, struct pq_options *o, bool *help,
                                struct pq_error *err)
{
    struct argp_option options[ROWS + 1];
    const struct argp argp = argp_of(command, options);
    struct parse p = { .o = o, .err = err, .command = command };

    *o = (struct pq_options){ .batch = 1, .repeat = 10, .warmup = 2, .input_seed = 1, .seed = 1, .bind = true,
                               .net = { .count = 1, .value = { { .name = "none" } } },
                               .no_verify = command == PQ_CMD_OFFLINE }; /* there is nothing to verify yet */
    const error_t e = argp_parse(&argp, argc, argv, ARGP_NO_ERRS | ARGP_NO_EXIT | ARGP_NO_HELP, NULL, &p);
    *help = p.help;
    if (p.help)
        return PQ_OK;
    if (p.status != PQ_OK)
        return p.status;
    if (e)
        return pq_fail(
            err, PQ_USER,
            "%s: '%s' cannot be understood here (unknown, or its value is missing); --help lists the options", argv[0],
            argv[p.next > 0 ? p.next - 1 : argc - 1]);
    for (size_t r = 0; r < ROWS; r++)
        if ((table[r].needed & (unsigned)command) && !(p.seen >> r & 1))
            return pq_fail(err, PQ_USER, "%s needs --%s %s; --help explains it", argv[0], table[r].option.name,
                           table[r].option.arg);
    if (command == PQ_CMD_INFO && !o->argument)
        return pq_fail(err, PQ_USER, "%s needs the PREFIX of a model's files", argv[0]);
    const enum pq_status status = check_overlap(o, err);
    return status == PQ_OK ? check_input(o, err) : status;
}
