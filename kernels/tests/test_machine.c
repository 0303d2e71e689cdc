/* What machine.h says about this machine is consistent, plausible, and follows the process's own binding. */
#include "../machine.h"
#include "../status.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#if defined(__x86_64__)
/* What the system says it lets programs use. */
static bool system_has(const char *flag)
{
    char line[16384];
    bool found = false;
    FILE *f = fopen("/proc/cpuinfo", "r");
    while (f && !found && fgets(line, sizeof line, f))
        found = !strncmp(line, "flags", 5) && strstr(line, flag);
    if (f)
        fclose(f);
    return found;
}
#endif

static void features_agree_with_the_system(void **unused)
{
    (void)unused;
    assert_true(!pq_cpu_avx512vnni() || pq_cpu_avx512bw());
    assert_true(!pq_cpu_vbmi() || pq_cpu_avx512bw());
    assert_true(!pq_cpu_avx512bw() || pq_cpu_avx2());
    assert_true(!pq_cpu_vaes512() || (pq_cpu_vaes() && pq_cpu_avx512bw()));
    assert_true(!pq_cpu_vaes() || pq_cpu_aes());
#if defined(__x86_64__)
    __builtin_cpu_init();
    assert_int_equal(pq_cpu_avx2(), system_has(" avx2 "));
    assert_true(!pq_cpu_bmi2() || system_has(" bmi2 ")); /* not where it is slow */
    assert_int_equal(pq_cpu_aes(), system_has(" avx2 ") && system_has(" aes "));
    assert_int_equal(pq_cpu_avx512bw(), __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
                                            __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl"));
    assert_int_equal(pq_cpu_avx512vnni(), pq_cpu_avx512bw() && __builtin_cpu_supports("avx512vnni"));
#else
    assert_false(pq_cpu_avx2() || pq_cpu_aes());
#endif
}

static void count(void *starts)
{
    ++*(int *)starts;
}

static void peaks_are_plausible(void **unused)
{
    (void)unused;
    const double macs[] = { pq_machine_peak_macs(false), pq_machine_peak_macs(true) };
    for (int i = 0; i < 2; i++)
        assert_true(macs[i] > 1e8 && macs[i] < 1e14); /* a NaN fails too */
    int starts = 0;
    const double bandwidth[] = { pq_machine_read_bandwidth(1, NULL, NULL), pq_machine_read_bandwidth(1000, count, &starts) };
    for (int i = 0; i < 2; i++)
        assert_true(bandwidth[i] > 1e7 && bandwidth[i] < 1e13);
    assert_int_equal(starts, 1);
}

static void description_is_complete(void **unused)
{
    (void)unused;
    struct pq_machine m;
    pq_machine_describe(&m);
    assert_true(strlen(m.cpu_model) > 0 && strlen(m.governor) > 0);
    assert_non_null(strstr(m.topology, "cores"));
    assert_null(strchr(m.topology, '\n'));
    assert_true(m.cores >= 1 && m.pus >= m.cores);
    assert_true(m.memory_bytes > UINT64_C(100) << 20);
}

/* In a child, which has one thread only: the threads of a BLAS library would keep their own binding. */
static void only_the_own_cpuset_counts(void **unused)
{
    (void)unused;
    struct pq_machine m;
    int result;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        cpu_set_t mine, one;
        int cpu = 0;
        if (sched_getaffinity(0, sizeof mine, &mine))
            _exit(2);
        while (!CPU_ISSET(cpu, &mine))
            cpu++;
        CPU_ZERO(&one);
        CPU_SET(cpu, &one);
        if (sched_setaffinity(0, sizeof one, &one))
            _exit(2);
        pq_machine_describe(&m);
        _exit(m.pus == 1 && m.cores == 1 ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &result, 0), child);
    assert_true(WIFEXITED(result));
    assert_int_equal(WEXITSTATUS(result), 0);
    cpu_set_t mine;
    assert_int_equal(sched_getaffinity(0, sizeof mine, &mine), 0);
    pq_machine_describe(&m);
    assert_int_equal(m.pus, CPU_COUNT(&mine));
}

static void topology_is_xml(void **unused)
{
    (void)unused;
    char *xml = pq_machine_topology_xml();
    assert_non_null(xml);
    assert_memory_equal(xml, "<?xml", 5);
    assert_non_null(strstr(xml, "</topology>"));
    free(xml);
}

static void peak_memory_grows_with_use(void **unused)
{
    (void)unused;
    const size_t bytes = (size_t)400 << 20; /* more than any test before has touched */
    uint64_t before = pq_machine_peak_memory();
    assert_true(before > 0);
    volatile char *p = pq_alloc(bytes);
    for (size_t i = 0; i < bytes; i += 4096)
        p[i] = 1;
    free((void *)p);
    uint64_t after = pq_machine_peak_memory();
    assert_true(after >= bytes && after >= before);
}

static void clock_moves_forward(void **unused)
{
    (void)unused;
    uint64_t start = pq_now_ns(), last = start;
    while (last - start < 2000000) {
        uint64_t now = pq_now_ns();
        assert_true(now >= last);
        last = now;
    }
}

/* Each clock in turn is ahead or behind; less than NTP's steering is no disagreement. */
static void clocks_that_disagree_are_noticed(void **unused)
{
    (void)unused;
    const struct pq_clocks from = { 1000000000, 2000000000, 3000000000, 4000000000 };
    for (int i = 0; i < 4; i++)
        for (int64_t step = -5000000; step <= 5000000; step += 10000000) {
            uint64_t t[4] = { from.monotonic, from.raw, from.boot, from.real };
            for (int k = 0; k < 4; k++)
                t[k] += 2000000000u + (k == i ? (uint64_t)step : 0);
            const struct pq_clocks to = { t[0], t[1], t[2], t[3] };
            assert_int_equal(pq_clocks_apart(&from, &to), 5000000);
        }
    struct pq_clocks to = { 3000000000, 4000000000, 5000000000, 6000900000 };
    assert_int_equal(pq_clocks_apart(&from, &to), 0);
    const struct pq_clocks a = pq_clocks_read(), b = pq_clocks_read();
    assert_true(b.monotonic >= a.monotonic && a.real > a.monotonic);
    assert_int_equal(pq_clocks_apart(&a, &b), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(features_agree_with_the_system), cmocka_unit_test(peaks_are_plausible),
        cmocka_unit_test(description_is_complete),          cmocka_unit_test(only_the_own_cpuset_counts),
        cmocka_unit_test(topology_is_xml),                  cmocka_unit_test(peak_memory_grows_with_use),
        cmocka_unit_test(clock_moves_forward),              cmocka_unit_test(clocks_that_disagree_are_noticed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
