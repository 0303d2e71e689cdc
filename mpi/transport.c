#include "transport.h"

#include <mpi.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

enum { PARTS = 12, PART = 24 };

/* Components of one kind ("pml", "btl"), in the order in which MPI lists them. */
struct parts { size_t count; char name[PARTS][PART]; };

static bool has(const struct parts *p, const char *name)
{
    for (size_t i = 0; i < p->count; i++)
        if (!strcmp(p->name[i], name))
            return true;
    return false;
}

/* A variable is called kind_component_what. */
static void note(struct parts *p, const char *kind, const char *variable)
{
    const size_t k = strlen(kind);
    char name[PART];
    if (strncmp(variable, kind, k) || variable[k] != '_')
        return;
    snprintf(name, sizeof name, "%.*s", (int)strcspn(variable + k + 1, "_"), variable + k + 1);
    if (*name && strcmp(name, "base") && strcmp(name, "self") && !has(p, name) && p->count < PARTS)
        strcpy(p->name[p->count++], name);
}

static void ask(struct parts *pml, struct parts *btl)
{
    int provided, variables;
    if (MPI_T_init_thread(MPI_THREAD_SINGLE, &provided) != MPI_SUCCESS)
        return;
    if (MPI_T_cvar_get_num(&variables) != MPI_SUCCESS)
        variables = 0;
    for (int i = 0; i < variables; i++) {
        char name[256];
        int room = sizeof name, none = 0, verbosity, binding, scope;
        MPI_Datatype type;
        if (MPI_T_cvar_get_info(i, name, &room, &verbosity, &type, NULL, NULL, &none, &binding, &scope) != MPI_SUCCESS)
            continue;
        note(pml, "pml", name);
        note(btl, "btl", name);
    }
    MPI_T_finalize();
}

void pq_transport_name(char *text, size_t room, int hosts)
{
    struct parts pml = { 0 }, btl = { 0 };
    ask(&pml, &btl);
    const bool ob1 = pml.count == 1 && has(&pml, "ob1"); /* which uses BTLs; others carry messages themselves */
    const bool memory = !ob1 || has(&btl, "vader") || has(&btl, "sm");
    char by[64] = "";
    if (ob1 && hosts == 1 && memory) {
        snprintf(by, sizeof by, " (ob1/%s)", has(&btl, "vader") ? "vader" : "sm");
    } else if (ob1) {
        size_t at = (size_t)snprintf(by, sizeof by, " (ob1");
        for (size_t i = 0; i < btl.count && at < sizeof by; i++)
            if (strcmp(btl.name[i], "vader") && strcmp(btl.name[i], "sm"))
                at += (size_t)snprintf(by + at, sizeof by - at, "/%s", btl.name[i]);
        if (at < sizeof by)
            snprintf(by + at, sizeof by - at, ")");
    } else if (pml.count == 1) {
        snprintf(by, sizeof by, " (%s)", pml.name[0]);
    }
    snprintf(text, room, "%s%s", hosts > 1 ? "network" : memory ? "shared memory, one host" : "loopback, one host", by);
}
