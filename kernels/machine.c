/* What machine.h promises except the measured peaks: features of the CPU, topology, memory, clock. */
#include "machine.h"

#include <hwloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#if defined(__x86_64__)
#include <cpuid.h>

/* XCR0: the register state that the operating system saves when it switches tasks. */
static uint64_t saved_state(void)
{
    unsigned a, b, c, d;
    if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & bit_OSXSAVE))
        return 0;
    __asm__ volatile("xgetbv" : "=a"(a), "=d"(d) : "c"(0));
    return (uint64_t)d << 32 | a;
}

/* Both halves of the question: the bits of leaf 7 that the CPU has, and the state that the system saves. */
static bool has(unsigned ebx, unsigned ecx, uint64_t state)
{
    unsigned a, b, c, d;
    if (!__get_cpuid_count(7, 0, &a, &b, &c, &d))
        return false;
    return (b & ebx) == ebx && (c & ecx) == ecx && (saved_state() & state) == state;
}

enum { LEAF7_VAES = 1 << 9, LEAF7_VNNI = 1 << 11, STATE_AVX = 0x6, STATE_AVX512 = 0xe6 };
static const unsigned leaf7_avx512 = 1u << 16 | 1u << 17 | 1u << 30 | 1u << 31; /* F, DQ, BW, VL */

bool pq_cpu_aes(void)
{
    unsigned a, b, c, d;
    return pq_cpu_avx2() && __get_cpuid(1, &a, &b, &c, &d) && (c & bit_AES);
}

bool pq_cpu_vaes(void)
{
    return pq_cpu_aes() && has(0, LEAF7_VAES, STATE_AVX);
}

bool pq_cpu_avx512bw(void)
{
    return has(leaf7_avx512, 0, STATE_AVX512);
}

bool pq_cpu_vaes512(void)
{
    return pq_cpu_vaes() && pq_cpu_avx512bw() && pq_cpu_vbmi();
}

bool pq_cpu_avx512vnni(void)
{
    return has(leaf7_avx512, LEAF7_VNNI, STATE_AVX512);
}

/* Linux gives the state of tiles (8 KiB) only to processes that ask: Documentation/arch/x86/xstate.rst. */
bool pq_cpu_amx(void)
{
    enum { ARCH_REQ_XCOMP_PERM = 0x1023, TILE_DATA = 18, LEAF7_EDX_TILE = 1 << 24, LEAF7_EDX_INT8 = 1 << 25,
           BOTH = LEAF7_EDX_TILE | LEAF7_EDX_INT8, STATE_TILES = 0x600e6 };
    unsigned a, b, c, d;
    return has(leaf7_avx512, 0, STATE_TILES) && __get_cpuid_count(7, 0, &a, &b, &c, &d) && (d & BOTH) == BOTH &&
           syscall(SYS_arch_prctl, ARCH_REQ_XCOMP_PERM, TILE_DATA) == 0;
}
#else
bool pq_cpu_aes(void)
{
    return false;
}

bool pq_cpu_vaes(void)
{
    return false;
}

bool pq_cpu_avx512bw(void)
{
    return false;
}

bool pq_cpu_vaes512(void)
{
    return false;
}

bool pq_cpu_avx512vnni(void)
{
    return false;
}

bool pq_cpu_amx(void)
{
    return false;
}
#endif

static uint64_t read_clock(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

uint64_t pq_now_ns(void)
{
    return read_clock(CLOCK_MONOTONIC);
}

/* One after the other: read again when something came between, and the closest reading counts. */
struct pq_clocks pq_clocks_read(void)
{
    enum { TRIES = 20, CLOSE_NS = 2000 };
    struct pq_clocks best = { 0 };
    uint64_t least = UINT64_MAX;
    for (int i = 0; i < TRIES && least > CLOSE_NS; i++) {
        struct pq_clocks c = { .monotonic = pq_now_ns() };
        c.raw = read_clock(CLOCK_MONOTONIC_RAW);
        c.boot = read_clock(CLOCK_BOOTTIME);
        c.real = read_clock(CLOCK_REALTIME);
        const uint64_t took = pq_now_ns() - c.monotonic;
        if (took < least || i == 0) {
            least = took;
            best = c;
        }
    }
    return best;
}

uint64_t pq_clocks_apart(const struct pq_clocks *from, const struct pq_clocks *to)
{
    const int64_t spent = (int64_t)(to->monotonic - from->monotonic);
    const int64_t others[] = { (int64_t)(to->raw - from->raw), (int64_t)(to->boot - from->boot),
                               (int64_t)(to->real - from->real) };
    uint64_t apart = 0;
    for (int i = 0; i < 3; i++) {
        const uint64_t off = (uint64_t)llabs(others[i] - spent);
        apart = off > apart ? off : apart;
    }
    return apart > 1000000u + (uint64_t)llabs(spent) / 1000 ? apart : 0;
}

/* First line of a file into text, or text unchanged. /proc and /sys have no other reader. */
static void read_line(char *text, int size, const char *path)
{
    FILE *f = fopen(path, "r");
    if (!f)
        return;
    if (fgets(text, size, f))
        text[strcspn(text, "\n")] = '\0';
    fclose(f);
}

/* The value of the first line of a /proc file that starts with key, past the colon and blanks; NULL if none. */
static const char *read_key(char *line, int size, const char *path, const char *key)
{
    const char *found = NULL;
    FILE *f = fopen(path, "r");
    if (!f)
        return NULL;
    while (!found && fgets(line, size, f))
        if (!strncmp(line, key, strlen(key)) && (found = strchr(line, ':'))) {
            found += 1 + strspn(found + 1, " \t");
            line[strcspn(line, "\n")] = '\0';
        }
    fclose(f);
    return found;
}

uint64_t pq_machine_peak_memory(void)
{
    char line[256];
    const char *value = read_key(line, sizeof line, "/proc/self/status", "VmHWM");
    return value ? strtoull(value, NULL, 10) * 1024 : 0;
}

static unsigned count(hwloc_topology_t t, hwloc_const_bitmap_t of, hwloc_obj_type_t type)
{
    int n = hwloc_get_nbobjs_inside_cpuset_by_type(t, of, type);
    return n > 0 ? (unsigned)n : 0;
}

static void append(char *text, size_t size, const char *name, unsigned long long value, const char *unit)
{
    size_t used = strlen(text);
    snprintf(text + used, size - used, "%s%s %llu%s", used ? ", " : "", name, value, unit);
}

/* One cache level: how many and how large each. Silent about levels that hwloc does not know. */
static void append_cache(char *text, size_t size, hwloc_topology_t t, const char *name, hwloc_obj_type_t type)
{
    hwloc_obj_t cache = hwloc_get_obj_by_type(t, type, 0);
    char label[32];
    if (!cache || !cache->attr->cache.size)
        return;
    snprintf(label, sizeof label, "%s %d x", name, hwloc_get_nbobjs_by_type(t, type));
    append(text, size, label, (unsigned long long)cache->attr->cache.size / 1024, " KiB");
}

/* A loaded topology, or NULL. */
static hwloc_topology_t load(void)
{
    hwloc_topology_t t;
    if (hwloc_topology_init(&t))
        return NULL;
    if (hwloc_topology_load(t)) {
        hwloc_topology_destroy(t);
        return NULL;
    }
    return t;
}

static void describe_topology(struct pq_machine *m, hwloc_topology_t t)
{
    hwloc_bitmap_t mine = hwloc_bitmap_alloc();
    char *text = m->topology;
    size_t size = sizeof m->topology;
    /* Where this process may run, as mpiexec or taskset left it: the union over its threads, since OpenMP may have
     * bound the calling one to a single core. Else all that is allowed. */
    if (hwloc_get_cpubind(t, mine, HWLOC_CPUBIND_PROCESS))
        hwloc_bitmap_copy(mine, hwloc_topology_get_allowed_cpuset(t));
    m->pus = count(t, mine, HWLOC_OBJ_PU);
    /* A core of which we own one hardware thread is a core too: objects that only intersect count. */
    for (hwloc_obj_t core = NULL; (core = hwloc_get_next_obj_by_type(t, HWLOC_OBJ_CORE, core));)
        m->cores += (unsigned)hwloc_bitmap_intersects(core->cpuset, mine);
    hwloc_bitmap_free(mine);

    hwloc_const_bitmap_t all = hwloc_topology_get_topology_cpuset(t);
    text[0] = '\0';
    append(text, size, "packages", count(t, all, HWLOC_OBJ_PACKAGE), "");
    append(text, size, "NUMA nodes", (unsigned)hwloc_get_nbobjs_by_type(t, HWLOC_OBJ_NUMANODE), "");
    append(text, size, "cores", count(t, all, HWLOC_OBJ_CORE), "");
    append(text, size, "PUs", count(t, all, HWLOC_OBJ_PU), "");
    append_cache(text, size, t, "L1d", HWLOC_OBJ_L1CACHE);
    append_cache(text, size, t, "L2", HWLOC_OBJ_L2CACHE);
    append_cache(text, size, t, "L3", HWLOC_OBJ_L3CACHE);
}

void pq_machine_describe(struct pq_machine *m)
{
    char line[256];
    *m = (struct pq_machine){ .cpu_model = "unknown", .governor = "unknown", .topology = "unknown" };
    const char *model = read_key(line, sizeof line, "/proc/cpuinfo", "model name");
    if (model)
        snprintf(m->cpu_model, sizeof m->cpu_model, "%.127s", model);
    read_line(m->governor, sizeof m->governor, "/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor");
    /* not hwloc's sum over NUMA nodes, which containers are seen to report too small */
    m->memory_bytes = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);
    hwloc_topology_t t = load();
    if (t) {
        describe_topology(m, t);
        hwloc_topology_destroy(t);
    }
    /* a machine that does not tell has one of each: no caller divides by zero */
    m->pus += m->pus == 0;
    m->cores += m->cores == 0;
}

unsigned pq_machine_hardware_threads(void)
{
    hwloc_topology_t t = load();
    if (!t)
        return 1;
    const int n = hwloc_bitmap_weight(hwloc_topology_get_allowed_cpuset(t));
    hwloc_topology_destroy(t);
    return n > 0 ? (unsigned)n : 1;
}

char *pq_machine_topology_xml(void)
{
    hwloc_topology_t t = load();
    char *xml = NULL, *copy = NULL;
    int bytes;
    if (!t)
        return NULL;
    if (!hwloc_topology_export_xmlbuffer(t, &xml, &bytes, 0)) {
        copy = strdup(xml);
        hwloc_free_xmlbuffer(t, xml);
    }
    hwloc_topology_destroy(t);
    return copy;
}

void pq_machine_restart_peak_memory(void)
{
    FILE *f = fopen("/proc/self/clear_refs", "w");
    if (!f)
        return;
    fputs("5\n", f); /* proc(5): resets the high-water mark */
    fclose(f);
}
