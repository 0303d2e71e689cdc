/* Writes down every step that a case of secrets.h takes, for test_traces.py to compare between secrets. On the
 * machine itself, so also for instructions that valgrind does not know: a child runs the case, and its parent lets it
 * take one instruction at a time and notes all general registers before each, from which the addresses follow.
 *
 *   trace_secrets                 names of the cases that this machine can run, one a line: NAME [planted]
 *   trace_secrets NAME OUT        OUT: for each of three secrets (all zeros, all ones, random) the steps, 17 numbers
 *                                 of 8 bytes each (REGISTERS below), then one record of zeros. OUT.maps: what code lies
 *                                 where. 77: this machine lets no process trace another.
 *
 * x86-64 Linux. About 30,000 steps a second. */
#include "secrets.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SECRETS = 3, REGISTERS = 17, WARM_UPS = 8 };

static _Alignas(64) uint8_t secret[SECRET_BYTES];

/* Where the parent begins and ends to look. */
__attribute__((noinline)) static void begin(void)
{
    __asm__ volatile("int3" ::: "memory");
}

__attribute__((noinline)) static void end(void)
{
    __asm__ volatile("nop" ::: "memory");
}

/* By itself, so that all secrets take the very same instructions: compilers unroll the loop that calls it. */
__attribute__((noinline)) static void run_once(const struct secret_case *c)
{
    begin();
    c->run(c, secret);
    end();
}

static void run_child(const struct secret_case *c)
{
    uint64_t state = 1;
    if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0)
        _exit(77);
    for (int i = 0; i < WARM_UPS; i++) /* what is made once */
        c->run(c, secret);
    for (int s = 0; s < SECRETS; s++) {
        memset(secret, s == 1 ? 0xff : 0, sizeof secret);
        for (size_t i = 0; s == 2 && i < sizeof secret; i++) {
            state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
            secret[i] = (uint8_t)(state >> 56);
        }
        run_once(c);
    }
    _exit(0);
}

static void copy_maps(pid_t child, const char *out)
{
    char path[4096], line[1024];
    snprintf(path, sizeof path, "/proc/%d/maps", (int)child);
    FILE *from = fopen(path, "r");
    snprintf(path, sizeof path, "%s.maps", out);
    FILE *to = fopen(path, "w");
    if (!from || !to) {
        perror(path);
        exit(1);
    }
    while (fgets(line, sizeof line, from))
        fputs(line, to);
    fclose(from);
    fclose(to);
}

static void note(FILE *f, const struct user_regs_struct *r)
{
    const uint64_t record[REGISTERS] = { r->rip, r->rax, r->rbx, r->rcx, r->rdx, r->rsi, r->rdi, r->rbp, r->rsp,
                                         r->r8,  r->r9,  r->r10, r->r11, r->r12, r->r13, r->r14, r->r15 };
    fwrite(record, sizeof record, 1, f);
}

static void stopped(pid_t child, int *status)
{
    if (waitpid(child, status, 0) != child) {
        perror("waitpid");
        exit(1);
    }
}

static void step_through(pid_t child, FILE *f)
{
    struct user_regs_struct r;
    int status;
    for (;;) {
        ptrace(PTRACE_GETREGS, child, NULL, &r);
        if (r.rip == (uint64_t)(uintptr_t)end)
            break;
        note(f, &r);
        ptrace(PTRACE_SINGLESTEP, child, NULL, NULL);
        stopped(child, &status);
        if (!WIFSTOPPED(status) || WSTOPSIG(status) != SIGTRAP) {
            fprintf(stderr, "trace_secrets: the case ended in the middle\n");
            exit(1);
        }
    }
    const struct user_regs_struct none = { 0 };
    note(f, &none);
}

int main(int argc, char **argv)
{
    const struct secret_case *c = secret_cases();
    if (argc != 3) {
        for (; c->name; c++)
            if (!c->usable || c->usable())
                printf("%s%s\n", c->name, c->planted ? " planted" : "");
        return 0;
    }
    while (c->name && strcmp(c->name, argv[1]) != 0)
        c++;
    FILE *f = fopen(argv[2], "wb");
    if (!c->name || !f) {
        fprintf(stderr, "trace_secrets: no case %s, or no file %s: %s\n", argv[1], argv[2], strerror(errno));
        return 1;
    }
    const pid_t child = fork();
    if (child == 0)
        run_child(c);
    int status, runs = 0;
    stopped(child, &status);
    for (; WIFSTOPPED(status) && WSTOPSIG(status) == SIGTRAP; runs++) {
        if (runs == 0)
            copy_maps(child, argv[2]);
        step_through(child, f);
        ptrace(PTRACE_CONT, child, NULL, NULL);
        stopped(child, &status);
    }
    if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
        return 77;
    if (fclose(f) != 0 || runs != SECRETS || !WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        fprintf(stderr, "trace_secrets: %s: %d runs of %d\n", argv[1], runs, SECRETS);
        return 1;
    }
    return 0;
}
