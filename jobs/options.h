/* The options of all commands: one table drives parsing, --help and the check that a command takes an option. Nothing
 * is silently repaired: an unknown, repeated or impossible option is the user's mistake, one line. */
#ifndef PQ_OPTIONS_H
#define PQ_OPTIONS_H

#include "../kernels/status.h"
#include "../mpi/net.h"
#include "../mpi/plan.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { PQ_LIST = 512 }; /* values in one comma-separated list, at most */

struct pq_list { size_t count; uint64_t value[PQ_LIST]; };
struct pq_nets { size_t count; struct pq_net value[PQ_LIST]; };

enum pq_maximum_choice { PQ_MAX_AUTO, PQ_MAX_TREE, PQ_MAX_COUNT };
enum pq_tables_choice { PQ_TABLES_AUTO, PQ_TABLES_DIRECT, PQ_TABLES_COMPACT };

struct pq_options {
    const char *model, *config, *out, *tokens, *text, *text_file, *data, *vocab, *kernel, *material;
    const char *checkpoint, *calibrate;
    struct pq_list seq, ranks, threads, protocol;
    uint64_t batch, repeat, warmup, input_seed, seed, count, limit; /* limit 0: all of --data */
    uint64_t weight_bits, max_seq, trunc, score_bits, norm_bits, labels; /* import; 0: not given */
    uint64_t total; /* cost: ranks per party of the launch whose sum is wanted; 0: every point */
    bool seed_given, input_seed_given, resume, no_verify, overlap, check;
    enum pq_maximum_choice maximum;
    enum pq_tables_choice tables;
    struct pq_nets net;  /* none where it is not given */
    bool bind;
    const char *argument; /* what is not an option, for commands that take one */
};

/* Which command takes which options: letters of the table in options.c. */
enum pq_command {
    PQ_CMD_SYNTH = 1,
    PQ_CMD_INFO = 2,
    PQ_CMD_PLAIN = 4,
    PQ_CMD_COST = 8,
    PQ_CMD_RUN = 16,
    PQ_CMD_SWEEP = 32,
    PQ_CMD_KERNELS = 64,
    PQ_CMD_OFFLINE = 128,
    PQ_CMD_EVAL = 256,
    PQ_CMD_IMPORT = 512
};

/* Prints what --help shows: usage, the command's options and its lesson (lesson.h). */
void pq_options_help(enum pq_command command, char *name);

/* argv[0] is the command's name as the user typed it. With --help only sets *help. PQ_USER otherwise when the line
 * cannot be understood, or misses an option that the command needs. */
PQ_MUST_USE enum pq_status pq_options_parse(enum pq_command command, int argc, char **argv, struct pq_options *o,
                                            bool *help, struct pq_error *err);

/* Names of the protocols and variants, as users type them. */
extern const char *const pq_protocol_name[2], *const pq_maximum_name[2], *const pq_tables_name[2];

#endif
