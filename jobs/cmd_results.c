/* pqbert results VERB ...: what result files hold, for people or for scripts. No MPI. */
#include "../results/record_text.h"
#include "commands.h"

#include <argp.h>
#include <stdio.h>
#include <string.h>

/* KEY_SELECT + i: selectable[i] */
enum { KEY_CSV = 256, KEY_JSON, KEY_ROWS, KEY_MEDIANS, KEY_GROUP, KEY_HELP, KEY_SELECT };
enum { FILES = 2 };

/* Options that select rows: by a field of /runs under the name that sweep's option has. */
static const struct { const char *option, *field; } selectable[] = {
    { "system", "system" },     { "model", "model" },     { "seq", "seq_len" },     { "batch", "batch" },
    { "ranks", "ranks_per_party" }, { "threads", "threads" }, { "protocol", "protocol" }, { "max", "max_variant" },
    { "tables", "tables" },     { "net", "net" },         { "kernel", "kernel" },   { "mode", "mode" },
    { "verdict", "verdict" },
};
enum { SELECTABLE = sizeof selectable / sizeof selectable[0] };

struct settings {
    const struct verb *verb;
    const char *file[FILES];
    int files;
    struct pq_results_view view;
    bool help;
    char wrong[256]; /* empty: the line is right */
};

/* What can be done; `files` are given behind the verb. */
struct verb {
    const char *name, *usage;
    int files;
    bool viewed; /* takes the options of a view */
    enum pq_status (*run)(const struct settings *s, struct pq_error *err);
};

static enum pq_status show(const struct settings *s, struct pq_error *err)
{
    struct pq_results *r;
    enum pq_status status = pq_results_read(s->file[0], &r, err);
    if (status == PQ_OK)
        status = pq_results_show(r, &s->view, stdout, err);
    pq_results_close(r);
    return status;
}

static enum pq_status compare(const struct settings *s, struct pq_error *err)
{
    struct pq_results *r[FILES] = { NULL, NULL };
    enum pq_status status = PQ_OK;
    for (int f = 0; f < FILES && status == PQ_OK; f++)
        status = pq_results_read(s->file[f], &r[f], err);
    if (status == PQ_OK)
        status = pq_results_compare(r[0], r[1], stdout, err);
    for (int f = 0; f < FILES; f++)
        pq_results_close(r[f]);
    return status;
}

static const struct verb verbs[] = {
    { "show", "show FILE [--seq LIST ...] [--group FIELDS] [--csv | --json] [--medians | --rows NAME]", 1, true, show },
    { "compare", "compare A B", 2, false, compare },
};
enum { VERBS = sizeof verbs / sizeof verbs[0] };

static error_t wrong(struct settings *s, const char *what, const char *which)
{
    snprintf(s->wrong, sizeof s->wrong, "%s%s%s", what, *which ? " " : "", which);
    return EINVAL;
}

static error_t take_word(struct settings *s, char *text)
{
    if (s->verb) {
        if (s->files == s->verb->files)
            return wrong(s, s->files == 1 ? "one file at a time, not also" : "two files, not also", text);
        s->file[s->files++] = text;
        return 0;
    }
    for (size_t v = 0; v < VERBS; v++)
        if (strcmp(text, verbs[v].name) == 0)
            s->verb = &verbs[v];
    return s->verb ? 0 : wrong(s, "there is no command", text);
}

static error_t take_selection(struct settings *s, const char *option, const char *field, const char *values)
{
    struct pq_results_view *view = &s->view;
    for (size_t i = 0; i < view->selections; i++)
        if (strcmp(view->select[i].field, field) == 0)
            return wrong(s, "given twice: option", option);
    view->select[view->selections].field = field;
    view->select[view->selections++].values = values;
    return 0;
}

static error_t take_rows(struct settings *s, const char *name)
{
    for (int i = PQ_ROWS_RUNS; i <= PQ_ROWS_SENTENCES; i++)
        if (strcmp(name, pq_rows_name[i]) == 0) {
            s->view.rows = (enum pq_results_rows)i;
            return 0;
        }
    return wrong(s, "--rows takes runs, evaluations or sentences, not", name);
}

static error_t take(int key, char *text, struct argp_state *state)
{
    struct settings *s = state->input;
    enum pq_results_format format = key == KEY_CSV ? PQ_RESULTS_CSV : PQ_RESULTS_JSON;
    if (key >= KEY_SELECT && key < KEY_SELECT + (int)SELECTABLE)
        return take_selection(s, selectable[key - KEY_SELECT].option, selectable[key - KEY_SELECT].field, text);
    switch (key) {
    case KEY_CSV:
    case KEY_JSON:
        if (s->view.format != PQ_RESULTS_TABLE && s->view.format != format)
            return wrong(s, "--csv and --json exclude each other", "");
        s->view.format = format;
        return 0;
    case KEY_ROWS:
        return take_rows(s, text);
    case KEY_MEDIANS:
        s->view.medians = true;
        return 0;
    case KEY_GROUP:
        s->view.group = text;
        return 0;
    case KEY_HELP:
        s->help = true;
        return 0;
    case ARGP_KEY_ARG:
        return take_word(s, text);
    case ARGP_KEY_ERROR:
        if (!*s->wrong)
            wrong(s, "cannot understand", state->next > 0 ? state->argv[state->next - 1] : "");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_option other_options[] = {
    { .doc = "show, for scripts and in parts:", .group = 1 },
    { .name = "csv", .key = KEY_CSV, .doc = "one line per repetition, one value per field, names first", .group = 1 },
    { .name = "json", .key = KEY_JSON, .doc = "an array of objects, one per repetition", .group = 1 },
    { .name = "rows", .key = KEY_ROWS, .arg = "NAME", .doc = "with --csv or --json: runs (the default), evaluations or "
      "sentences", .group = 1 },
    { .name = "medians", .key = KEY_MEDIANS, .doc = "with --csv or --json: one per point, medians and quartiles",
      .group = 1 },
    { .name = "group", .key = KEY_GROUP, .arg = "FIELDS", .doc = "a table for each value of these settings",
      .group = 1 },
    { .name = "help", .key = KEY_HELP, .doc = "this text", .group = -1 },
    { .doc = "show only repetitions with one of the values in LIST:", .group = 2 },
};
enum { OTHERS = sizeof other_options / sizeof other_options[0] };

/* Fills option[OTHERS + SELECTABLE + 1]; argp ends at the entry of zeros. */
static void list_options(struct argp_option *option)
{
    for (size_t i = 0; i < OTHERS; i++)
        option[i] = other_options[i];
    for (size_t i = 0; i < SELECTABLE; i++)
        option[OTHERS + i] = (struct argp_option){ .name = selectable[i].option, .key = KEY_SELECT + (int)i,
                                                   .arg = "LIST", .group = 2 };
    option[OTHERS + SELECTABLE] = (struct argp_option){ .name = NULL };
}

static const char doc[] =
    "show: a table of the result file with one line per point (medians and quartiles) and one per evaluation, or with "
    "--csv or --json every repetition. compare: what differs between two files, by how much, and whether the spread "
    "allows saying so.";

static int usage(const struct settings *s, const char *what)
{
    struct pq_error err;
    pq_fail(&err, PQ_USER, "%s; use: pqbert results %s", what,
            s->verb ? s->verb->usage : "show FILE, or: pqbert results compare A B, or: pqbert results merge OUT IN...");
    fprintf(stderr, "pqbert results: %s\n", err.text);
    return PQ_USER;
}

/* argp's own messages take two lines and end the process; a wrong line gets one, and the caller its status. */
int pq_cmd_results(int argc, char **argv)
{
    if (argc > 1 && !strcmp(argv[1], "merge"))
        return pq_cmd_merge(argc - 1, argv + 1);
    struct argp_option option[SELECTABLE + OTHERS + 1];
    list_options(option);
    const struct argp parser = { .options = option, .parser = take, .args_doc = "show FILE\ncompare A B",
                                 .doc = doc };
    const unsigned flags = ARGP_NO_ERRS | ARGP_NO_HELP | ARGP_NO_EXIT;
    char name[] = "pqbert results";
    struct settings s = { 0 };
    struct pq_error err;
    const error_t failed = argp_parse(&parser, argc, argv, flags, NULL, &s);
    if (s.help) {
        argp_help(&parser, stdout, ARGP_HELP_LONG | ARGP_HELP_DOC | ARGP_HELP_USAGE, name);
        return PQ_OK;
    }
    if (failed)
        return usage(&s, s.wrong);
    if (!s.verb)
        return usage(&s, "a command is missing");
    if (s.files < s.verb->files)
        return usage(&s, s.verb->files == 1 ? "FILE is missing" : "A and B are needed");
    if (!s.verb->viewed && (s.view.selections || s.view.group || s.view.medians || s.view.rows != PQ_ROWS_RUNS ||
                            s.view.format != PQ_RESULTS_TABLE))
        return usage(&s, "options are for show");
    if (s.view.medians && s.view.format == PQ_RESULTS_TABLE)
        return usage(&s, "--medians goes with --csv or --json; the table shows them anyway");
    if (s.view.rows != PQ_ROWS_RUNS && (s.view.format == PQ_RESULTS_TABLE || s.view.medians || s.view.selections))
        return usage(&s, "--rows goes with --csv or --json, and not with --medians or a selection");
    if (s.view.group && s.view.format != PQ_RESULTS_TABLE)
        return usage(&s, "--group is for the table, not for --csv or --json");
    const enum pq_status status = s.verb->run(&s, &err);
    if (status != PQ_OK)
        fprintf(stderr, "pqbert results: %s\n", err.text);
    return (int)status;
}
