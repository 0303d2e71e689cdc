/* Everything in kernels/ that handles shares, masks, keys or tables, as cases that a checker runs: each gets its secret
 * input in one place, so that a checker can say of every branch and address whether it depends on it. Two checkers do:
 * test_secrets.c (valgrind's memcheck, up to AVX2) and trace_secrets.c (single steps on the machine itself, which finds
 * what VAES, AVX-512 and AMX variants do). Lengths, widths and opened indices are public and fixed. */
#ifndef PQ_TEST_SECRETS_H
#define PQ_TEST_SECRETS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SECRET_BYTES = 1 << 18 };

struct secret_case {
    const char *name;      /* one word */
    bool (*usable)(void);  /* on this machine; NULL: always */
    void (*run)(const struct secret_case *c, const uint8_t secret[SECRET_BYTES]);
    const char *kernel;    /* of matrix products and random numbers: the variant */
    bool planted;          /* a fault, which the checker must notice */
};

/* Terminated by name == NULL. */
const struct secret_case *secret_cases(void);

#endif
