/* pqbert: private inference of quantized BERT between three parties, as a benchmark. See README.md. */
#include "../kernels/secret.h"
#include "../kernels/status.h"
#include "commands.h"

#include <stdio.h>
#include <string.h>

static const struct command { const char *name; int (*run)(int, char **); const char *does; } commands[] = {
    { "model", pq_cmd_model, "model synth, import: make a model, synthetic or from a checkpoint; info: describe one" },
    { "plain", pq_cmd_plain, "plaintext integer inference" },
    { "cost", pq_cmd_cost, "predicted bytes, rounds, multiply-adds and memory" },
    { "run", pq_cmd_run, "one private inference (under mpirun, 3*G processes)" },
    { "eval", pq_cmd_eval, "accuracy on labelled sentences: in the clear, and under mpirun privately" },
    { "sweep", pq_cmd_sweep, "many points, measured, into a result file (under mpirun)" },
    { "offline", pq_cmd_offline, "the offline phase alone, into files that run and sweep use up (under mpirun)" },
    { "kernels", pq_cmd_kernels, "every matrix kernel: checked, then timed" },
    { "results", pq_cmd_results, "results show: a result file as a table, CSV or JSON; results merge: many into one" },
};
enum { COMMANDS = sizeof commands / sizeof *commands };

static void help(FILE *to)
{
    fprintf(to, "Usage: pqbert COMMAND [OPTION...]\n\n");
    for (size_t i = 0; i < COMMANDS; i++)
        fprintf(to, "  %-8s  %s\n", commands[i].name, commands[i].does);
    fprintf(
        to,
        "\npqbert COMMAND --help explains a command. Exit codes: 0 done and VALID, 1 the world failed, 2 a mistake in\n"
        "the command line or in a file, 3 a result was INVALID.\n");
}

int main(int argc, char **argv)
{
    pq_forbid_core_dumps();
    if (argc > 1 && (!strcmp(argv[1], "--help") || !strcmp(argv[1], "help"))) {
        help(stdout);
        return 0;
    }
    for (size_t i = 0; argc > 1 && i < COMMANDS; i++)
        if (!strcmp(argv[1], commands[i].name))
            return commands[i].run(argc - 1, argv + 1);
    struct pq_error err;
    if (argc < 2) {
        help(stderr);
        return PQ_USER;
    }
    pq_fail(&err, PQ_USER, "there is no command '%s'; pqbert --help lists them", argv[1]);
    fprintf(stderr, "pqbert: %s\n", err.text);
    return PQ_USER;
}
