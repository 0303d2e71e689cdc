/* No branch and no address of a kernel depends on a secret: run under `valgrind --tool=memcheck`, which is told that
 * the secret input of each case (secrets.h) is uninitialised, follows it through all arithmetic, bit by bit, and counts
 * an error where it decides a branch or an address. Planted faults must be counted; nothing else may. */
#include "secrets.h"

#include <stdio.h>
#include <valgrind/memcheck.h>

int main(void)
{
    static _Alignas(64) uint8_t secret[SECRET_BYTES];
    int wrong = 0, clean = 0, noticed = 0;
    if (!RUNNING_ON_VALGRIND) {
        fprintf(stderr, "test_secrets: says nothing but under valgrind\n");
        return 1;
    }
    for (const struct secret_case *c = secret_cases(); c->name; c++) {
        if (c->usable && !c->usable()) {
            printf("%-20s not here: valgrind's machine lacks the instructions\n", c->name);
            continue;
        }
        (void)VALGRIND_MAKE_MEM_UNDEFINED(secret, sizeof secret);
        const unsigned before = VALGRIND_COUNT_ERRORS;
        c->run(c, secret);
        const unsigned errors = VALGRIND_COUNT_ERRORS - before;
        const bool right = c->planted == (errors > 0);
        printf("%-20s %u %s\n", c->name, errors, right ? c->planted ? "noticed" : "" : "WRONG");
        fflush(stdout);
        wrong += !right;
        clean += right && !c->planted;
        noticed += right && c->planted;
    }
    printf("%d kernels take no decision on a secret, %d planted faults noticed, %d wrong\n", clean, noticed, wrong);
    return wrong > 0;
}
