/* pqbert results show FILE [--csv | --json]: what a result file holds, for people or for scripts. No MPI. */
#include "../results/record_text.h"
#include "commands.h"

#include <argp.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>


enum { KEY_CSV = 256, KEY_JSON, KEY_HELP };

struct settings {
    const char *verb, *path;
    enum pq_results_format format;
    bool help;
    char wrong[256]; /* empty: the line is right */
};

static const struct argp_option options[] = {
    { .name = "csv", .key = KEY_CSV, .doc = "one line per repetition, one value per field, names first", .group = 0 },
    { .name = "json", .key = KEY_JSON, .doc = "an array of objects, one per repetition", .group = 0 },
    { .name = "help", .key = KEY_HELP, .doc = "this text", .group = -1 },
    { .name = NULL },
};

static error_t wrong(struct settings *s, const char *what, const char *which)
{
    snprintf(s->wrong, sizeof s->wrong, "%s%s%s", what, *which ? " " : "", which);
    return EINVAL;
}

static error_t take(int key, char *text, struct argp_state *state)
{
    struct settings *s = state->input;
    enum pq_results_format format = key == KEY_CSV ? PQ_RESULTS_CSV : PQ_RESULTS_JSON;
    switch (key) {
    case KEY_CSV:
    case KEY_JSON:
        if (s->format != PQ_RESULTS_TABLE && s->format != format)
            return wrong(s, "--csv and --json exclude each other", "");
        s->format = format;
        return 0;
    case KEY_HELP:
        s->help = true;
        return 0;
    case ARGP_KEY_ARG:
        if (!s->verb) {
            s->verb = text;
            return strcmp(text, "show") == 0 ? 0 : wrong(s, "there is no command", text);
        }
        if (s->path)
            return wrong(s, "one file at a time, not also", text);
        s->path = text;
        return 0;
    case ARGP_KEY_ERROR:
        if (!*s->wrong)
            wrong(s, "cannot understand", state->next > 0 ? state->argv[state->next - 1] : "");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp parser = {
    .options = options,
    .parser = take,
    .args_doc = "show FILE",
    .doc = "Show the result file FILE: a table with one line per point (medians and quartiles), or with --csv or "
           "--json every repetition.",
};

static int usage(const char *what)
{
    fprintf(stderr, "pqbert results: %s; use: pqbert results show FILE [--csv | --json]\n", what);
    return PQ_USER;
}

static int show(const struct settings *s)
{
    struct pq_error err;
    struct pq_results *r;
    enum pq_status status = pq_results_read(s->path, &r, &err);
    if (status == PQ_OK) {
        status = pq_results_show(r, stdout, s->format);
        if (status != PQ_OK)
            pq_fail(&err, status, "standard output: %s", strerror(errno));
        pq_results_close(r);
    }
    if (status != PQ_OK)
        fprintf(stderr, "pqbert results: %s\n", err.text);
    return (int)status;
}

/* argp's own messages take two lines and end the process; a wrong line gets one, and the caller its status. */
int pq_cmd_results(int argc, char **argv)
{
    char name[] = "pqbert results";
    struct settings s = { .format = PQ_RESULTS_TABLE };
    error_t failed = argp_parse(&parser, argc, argv, ARGP_NO_ERRS | ARGP_NO_HELP | ARGP_NO_EXIT, NULL, &s);
    if (s.help) {
        argp_help(&parser, stdout, ARGP_HELP_LONG | ARGP_HELP_DOC | ARGP_HELP_USAGE, name);
        return PQ_OK;
    }
    if (failed)
        return usage(s.wrong);
    if (!s.verb || !s.path)
        return usage(s.verb ? "FILE is missing" : "a command is missing");
    return show(&s);
}
