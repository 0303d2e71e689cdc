/* The test of the thread sanitizer: two OpenMP loops whose threads hand numbers on, once in OpenMP's order (at the
 * barrier between them), once, `test_race planted`, without. */
#include <omp.h>
#include <string.h>

enum { N = 64 };

int main(int argc, char **argv)
{
    int first[N], second[N], wrong = 0;
    const int planted = argc > 1 && !strcmp(argv[1], "planted");
    memset(first, 0, sizeof first);
    omp_set_num_threads(4);
#pragma omp parallel
    {
#pragma omp for schedule(static) nowait
        for (int i = 0; i < N; i++)
            first[i] = i;
        if (!planted) {
#pragma omp barrier
        }
#pragma omp for schedule(static)
        for (int i = 0; i < N; i++)
            second[i] = first[N - 1 - i];
    }
    for (int i = 0; i < N; i++)
        wrong += second[i] != N - 1 - i;
    return planted ? 0 : wrong > 0;
}
