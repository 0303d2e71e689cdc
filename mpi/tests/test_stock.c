/* Material dealt by one session and used up by others: the same logits as when it is dealt where it is used, whole
 * verdicts and counts, each entry once whatever happened to the marks, and what does not fit is refused by all ranks
 * alike. Run under mpirun -n 6. */
#include "../stock.h"
#include "models.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { ENTRIES = 4 };

struct shelf {
    struct parties *p;
    const struct tiny *tiny;
    const struct point *at;
    struct pq_session_setup session;
    struct pq_material_label label;
    char folder[64], mine[80]; /* of the set, this rank's file */
    uint32_t *token;
};

static struct pq_stock_setup stock_of(const struct shelf *f)
{
    return (struct pq_stock_setup){ &f->p->group, &f->session.plan, f->folder, &f->label };
}

static bool has_file(const struct shelf *f)
{
    return f->p->group.rank < f->session.plan.ranks;
}

static void make_folder(struct parties *p, char folder[64])
{
    strcpy(folder, "/tmp/pq_stock_XXXXXX");
    if (p->group.world_rank == 0)
        parties_check(p, mkdtemp(folder) != NULL, "no folder can be made in /tmp");
    pq_group_broadcast(&p->group, 0, folder, 64);
}

static void remove_folder(struct shelf *f)
{
    pq_group_barrier(&f->p->group);
    unlink(f->mine);
    pq_group_barrier(&f->p->group);
    if (f->p->group.world_rank == 0)
        parties_check(f->p, rmdir(f->folder) == 0, "%s is not empty", f->folder);
}

static void shelf_make(struct shelf *f, struct parties *p, const struct tiny *t, const struct point *at)
{
    *f = (struct shelf){ .p = p, .tiny = t, .at = at, .session = point_setup(p, t, at), .token = point_input(t, at),
                         .label = { .program = "test", .protocol = "p", .maximum = "m", .tables = "t",
                                    .shape = t->shape, .ranks = (uint32_t)at->ranks, .seq = (uint32_t)at->seq } };
    strcpy(f->label.mode, at->fresh_seeds ? "secure" : "INSECURE-BENCH");
    make_folder(p, f->folder);
    snprintf(f->mine, sizeof f->mine, "%s/P%d.%zu.h5", f->folder, (int)p->group.role, p->group.rank);
}

static void fill(struct shelf *f)
{
    struct pq_error err;
    struct pq_session s;
    struct pq_measurement m;
    const struct pq_stock_setup setup = stock_of(f);
    parties_check(f->p, pq_stock_create(&setup, ENTRIES, &f->session.stock, &err) == PQ_OK, "no stock: %s", err.text);
    pq_session_open(&s, &f->session);
    for (int i = 0; i < ENTRIES; i++) {
        const char *where = "";
        parties_check(f->p, pq_session_deal(&s, &m, &err) == PQ_OK, "entry %d: %s", i, err.text);
        if (f->p->group.world_rank == 0)
            parties_check(f->p, counts_agree(m.party, s.predicted.party, &where), "%s, filling: counts differ at %s",
                          point_name(f->at), where);
    }
    pq_session_close(&s);
    parties_check(f->p, access(f->mine, F_OK) != 0, "%s is there before it is whole", f->mine);
    parties_check(f->p, pq_stock_finish(f->session.stock, &err) == PQ_OK, "finish: %s", err.text);
    pq_stock_close(f->session.stock);
    f->session.stock = NULL;
    parties_check(f->p, (access(f->mine, F_OK) == 0) == has_file(f), "%s: wrong to be there or missing", f->mine);
}

/* Opens the stock; `entries` must be left. */
static void open_stock(struct shelf *f, uint32_t entries)
{
    struct pq_error err;
    const struct pq_stock_setup setup = stock_of(f);
    parties_check(f->p, pq_stock_open(&setup, &f->session.stock, &err) == PQ_OK, "open: %s", err.text);
    parties_check(f->p, pq_stock_left(f->session.stock) == entries, "%u entries are left, not %u",
                  pq_stock_left(f->session.stock), entries);
    parties_check(f->p, pq_stock_demand(f->session.stock, entries, &err) == PQ_OK, "%s", err.text);
    parties_check(f->p, pq_stock_demand(f->session.stock, entries + 1, &err) == PQ_USER, "more entries than are left");
    parties_check(f->p, pq_stock_insecure(f->session.stock) == !f->at->fresh_seeds, "the mode was lost");
}

static void close_stock(struct shelf *f)
{
    pq_stock_close(f->session.stock);
    f->session.stock = NULL;
}

/* n repetitions in a session of their own, in which `fresh` gives the logits of each; NULL: not compared. */
static void live(struct shelf *f, size_t n, const int32_t *fresh, enum pq_verdict wanted)
{
    const struct pq_group *g = &f->p->group;
    const size_t each = f->tiny->shape.labels;
    struct pq_session s;
    struct pq_measurement m;
    pq_session_open(&s, &f->session);
    for (size_t i = 0; i < n; i++) {
        const char *where = "";
        pq_session_repeat(&s, f->token, &m);
        parties_check(f->p, m.verdict == wanted, "%s: verdict %d", point_name(f->at), (int)m.verdict);
        if (g->world_rank == 0)
            parties_check(f->p, counts_agree(m.party, s.predicted.party, &where), "%s: counts differ at %s",
                          point_name(f->at), where);
        if (g->role == PQ_P1 && has_file(f) && fresh)
            parties_check(f->p, !memcmp(s.logits, fresh + i * each, each * sizeof *fresh),
                          "%s: other logits than with material that was dealt on the spot", point_name(f->at));
    }
    if (g->world_rank == 0) {
        const struct pq_count off = pq_tally_phase(&m.party[PQ_P0], PQ_OFFLINE);
        parties_check(f->p, off.bytes == 0 && off.messages == 0, "something was dealt");
    }
    pq_session_close(&s);
}

/* A job that is killed when one of its ranks has marked the next entry and the others have not. */
static void mark_alone(struct shelf *f, enum pq_role role, uint32_t entry)
{
    struct pq_error err;
    struct pq_prediction predicted;
    struct pq_material_file *file;
    struct pq_material_label label = f->label;
    if (f->p->group.role != role || f->p->group.rank != 0)
        return;
    pq_predict(&f->session.plan, false, &predicted);
    label.party = (uint32_t)role;
    const enum pq_status status = pq_material_file_open(
        f->mine, &label, role == PQ_P0 ? 0 : predicted.material[role][0], false, &file, &err);
    pq_prediction_free(&predicted);
    parties_check(f->p, status == PQ_OK, "%s", err.text);
    parties_check(f->p, pq_material_file_mark(file, entry, &err) == PQ_OK, "%s", err.text);
    pq_material_file_close(file);
}

static void used_once(struct parties *p, const struct tiny *t, const struct point *at)
{
    struct shelf f;
    int32_t fresh[ENTRIES * PQ_MAX_LABELS];
    const size_t each = t->shape.labels;
    if (!at->fresh_seeds)
        point_run(p, t, at, ENTRIES, fresh);
    shelf_make(&f, p, t, at);
    fill(&f);

    open_stock(&f, 4);
    live(&f, 2, at->fresh_seeds ? NULL : fresh, PQ_VALID);
    parties_check(p, pq_stock_left(f.session.stock) == 2, "two were used");
    close_stock(&f);

    mark_alone(&f, (enum pq_role)(at->ranks == 1 ? PQ_P0 : PQ_P2), 2);
    pq_group_barrier(&p->group);
    open_stock(&f, 1);
    live(&f, 1, at->fresh_seeds ? NULL : fresh + 3 * each, PQ_VALID); /* the third is lost */
    close_stock(&f);
    open_stock(&f, 0);
    close_stock(&f);
    free(f.token);
    remove_folder(&f);
}

static void refused(struct shelf *f, const char *what, const char *words)
{
    struct pq_error err = { "" };
    struct pq_stock *stock;
    const struct pq_stock_setup setup = stock_of(f);
    parties_check(f->p, pq_stock_open(&setup, &stock, &err) == PQ_USER, "%s is not refused", what);
    parties_check(f->p, !stock, "%s: a stock is handed out", what);
    const int mine = err.text[0] != 0;
    int lines;
    MPI_Allreduce(&mine, &lines, 1, MPI_INT, MPI_SUM, f->p->group.control);
    parties_check(f->p, lines == 1, "%s: %d lines", what, lines);
    parties_check(f->p, !mine || strstr(err.text, words), "%s: '%s' says nothing of '%s'", what, err.text, words);
}

/* Bytes in the middle of the first unused entry of this rank's file become others. */
static void damage_entry(const struct shelf *f, enum pq_role role, uint32_t entry)
{
    struct pq_prediction predicted;
    struct stat info;
    uint8_t bytes[4096];
    if (f->p->group.role != role || f->p->group.rank != 0)
        return;
    pq_predict(&f->session.plan, false, &predicted);
    const int fd = open(f->mine, O_RDWR);
    fstat(fd, &info);
    const off_t each = (off_t)predicted.material[role][0];
    const off_t at = info.st_size - each * (ENTRIES - (off_t)entry) + each / 2;
    pq_prediction_free(&predicted);
    bool done = pread(fd, bytes, sizeof bytes, at) == sizeof bytes;
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] ^= 0x5a;
    done = done && pwrite(fd, bytes, sizeof bytes, at) == sizeof bytes;
    close(fd);
    parties_check(f->p, done, "%s cannot be damaged", f->mine);
}

static void rename_at(const struct shelf *f, enum pq_role role, const char *from, const char *to)
{
    pq_group_barrier(&f->p->group);
    if (f->p->group.role == role && has_file(f))
        parties_check(f->p, rename(from, to) == 0, "%s cannot be renamed", from);
    pq_group_barrier(&f->p->group);
}

static void misfits_are_refused(struct parties *p, const struct tiny *t)
{
    const struct point at = { .seq = 5, .ranks = p->group.ranks_max, .protocol = PQ_PREPROCESSED };
    struct pq_error err;
    struct shelf f, other;
    char away[96];
    shelf_make(&f, p, t, &at);
    fill(&f);
    const struct pq_stock_setup setup = stock_of(&f);
    struct pq_stock *again;
    parties_check(p, pq_stock_create(&setup, ENTRIES, &again, &err) == PQ_USER, "a set is overwritten");
    parties_check(p, !again, "a stock is handed out");

    f.label.seq++;
    refused(&f, "another length", "another length");
    f.label.seq--;
    snprintf(away, sizeof away, "%s.away", f.mine);
    rename_at(&f, PQ_P2, f.mine, away);
    refused(&f, "a missing file", "cannot be opened");
    shelf_make(&other, p, t, &at);
    fill(&other);
    rename_at(&f, PQ_P2, other.mine, f.mine);
    refused(&f, "a file of another set", "not of the set");
    rename_at(&f, PQ_P2, away, f.mine);
    free(other.token);
    remove_folder(&other);
    strcat(f.folder, "x");
    refused(&f, "no set", "no such material");
    f.folder[strlen(f.folder) - 1] = 0;

    open_stock(&f, 4);
    damage_entry(&f, PQ_P1, 1);
    pq_group_barrier(&p->group);
    parties_check(p, pq_stock_demand(f.session.stock, 1, &err) == PQ_OK, "the first entry: %s", err.text);
    parties_check(p, pq_stock_demand(f.session.stock, 2, &err) == PQ_USER, "a damaged entry is not refused");
    live(&f, 1, NULL, PQ_VALID);
    live(&f, 1, NULL, PQ_WRONG); /* nobody asked: the verdict sees it */
    close_stock(&f);
    free(f.token);
    remove_folder(&f);
}

int main(int argc, char **argv)
{
    struct parties p;
    struct tiny t;
    parties_start(&p, &argc, &argv);
    tiny_make(&t, "layers=2,hidden=60,heads=5,ffn=98,vocab=50,max_seq=40,labels=3");
    for (size_t ranks = 1; ranks <= p.group.ranks_max; ranks++)
        for (int protocol = PQ_PUBLISHED; protocol <= PQ_PREPROCESSED; protocol++)
            for (int secure = 0; secure < 2; secure++)
                used_once(&p, &t, &(struct point){ .seq = 6, .ranks = ranks, .fresh_seeds = secure,
                                                   .protocol = (enum pq_protocol)protocol });
    misfits_are_refused(&p, &t);
    tiny_free(&t);
    return parties_finish(&p);
}
