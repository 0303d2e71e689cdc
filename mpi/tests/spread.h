/* Is it uniform, are two samples alike: chi-square tests over bytes and over half bytes, for the leak tests.
 *
 * False alarms: a test of honest data falls below SPREAD_ALARM about once in 10^9 times (Wilson and Hilferty's
 * approximation of the chi-square distribution, 15 or 255 degrees of freedom). Samples of fewer bytes than a test needs
 * for five expected counts a class are not tested by it. */
#ifndef PQ_TEST_SPREAD_H
#define PQ_TEST_SPREAD_H

#include <stddef.h>
#include <stdint.h>

#define SPREAD_ALARM 1e-9
enum { SPREAD_SMALLEST = 40, SPREAD_BYTES = 5 * 256 }; /* bytes from which on half bytes, and bytes, are tested */

struct spread { uint64_t byte[256], total; };
void spread_add(struct spread *s, const uint8_t *data, size_t bytes);

/* What a series of tests found: how many there were, the smallest p and what it was found on. Empty: { .p = 1 }. */
struct finding { size_t tests; double p; char where[96]; };

/* Books the tests of one sample against the uniform distribution. */
void spread_uniform(const struct spread *s, const char *what, struct finding *f);
/* Books the tests of two independent samples against each other. */
void spread_same(const struct spread *a, const struct spread *b, const char *what, struct finding *f);

#endif
