#include "environment.h"

#include "../kernels/machine.h"
#include "build_info.h"

#include <hdf5.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

struct place { char host[64]; uint64_t cores; };

static void describe_places(struct pq_environment *env, const struct pq_launch *l)
{
    const int n = l->group.world_size;
    struct place mine = { "", pq_binding_cores(l->binding) }, *all = pq_alloc((size_t)n * sizeof *all);
    char hosts[2048] = "", seen_text[32];
    uint64_t cores = 0;
    gethostname(mine.host, sizeof mine.host - 1);
    pq_group_collect(&l->group, &mine, all, sizeof mine);
    if (l->group.world_rank == 0) {
        for (int i = 0; i < n; i++) {
            int known = 0;
            for (int k = 0; k < i && !known; k++)
                known = !strcmp(all[i].host, all[k].host);
            if (known)
                continue;
            cores += all[i].cores;
            if (strlen(hosts) + strlen(all[i].host) + 2 < sizeof hosts)
                strcat(strcat(hosts, *hosts ? " " : ""), all[i].host);
        }
        snprintf(seen_text, sizeof seen_text, "%d", l->group.hosts);
        pq_environment_add(env, "hosts", "%s", seen_text);
        pq_environment_add(env, "host_names", "%s", hosts);
        pq_environment_add(env, "cores", "%llu", (unsigned long long)cores);
        pq_environment_add(env, "ranks", "%d", n);
    }
    free(all);
}

static void add_command_line(struct pq_environment *env, int argc, char **argv)
{
    char text[4096] = "pqbert";
    for (int i = 0; i < argc; i++)
        if (strlen(text) + strlen(argv[i]) + 2 < sizeof text)
            strcat(strcat(text, " "), argv[i]);
    pq_environment_add(env, "command_line", "%s", text);
}

void pq_environment_describe(struct pq_environment *env, const struct pq_launch *l, int argc, char **argv)
{
    struct pq_machine m;
    char mpi[MPI_MAX_LIBRARY_VERSION_STRING] = "", utc[32];
    unsigned major, minor, release;
    int length;
    const time_t now = time(NULL);
    struct tm t;
    bool insecure = false;

    for (size_t i = 0; i < l->point_count; i++)
        insecure |= pq_launch_insecure(l, &l->points[i]);
    memset(env, 0, sizeof *env);
    pq_machine_describe(&m);
    describe_places(env, l);
    if (l->group.world_rank != 0)
        return;
    add_command_line(env, argc, argv);
    pq_environment_add(env, "version", "%s", PQ_VERSION);
    pq_environment_add(env, "commit", "%s", PQ_COMMIT);
    pq_environment_add(env, "build_type", "%s", PQ_BUILD_TYPE);
    pq_environment_add(env, "compiler", "%s", PQ_COMPILER);
    MPI_Get_library_version(mpi, &length);
    mpi[strcspn(mpi, ",\n")] = 0;
    pq_environment_add(env, "mpi", "%s", mpi);
    H5get_libversion(&major, &minor, &release);
    pq_environment_add(env, "hdf5", "%u.%u.%u", major, minor, release);
    pq_environment_add(env, "cpu", "%s", m.cpu_model);
    pq_environment_add(env, "governor", "%s", m.governor);
    pq_environment_add(env, "topology", "%s", m.topology);
    char *xml = pq_machine_topology_xml();
    if (xml)
        pq_environment_add(env, "topology_xml", "%s", xml);
    free(xml);
    pq_environment_add(env, "memory_bytes", "%llu", (unsigned long long)m.memory_bytes);
    pq_environment_add(env, "transport", "%s", pq_group_transport(&l->group));
    pq_environment_add(env, "binding", "%s", l->binding_text);
    pq_environment_add(env, "omp_wait_policy", "%s", getenv("OMP_WAIT_POLICY") ? getenv("OMP_WAIT_POLICY") : "not set");
    pq_environment_add(env, "material", "%s", l->options.material ? l->options.material : "dealt by this launch");
    pq_environment_add(env, "seed_mode", "%s", insecure ? "fixed (INSECURE-BENCH)" : "operating system");
    pq_environment_add(env, "verification", "%s", l->options.no_verify ? "off" : "replay at P0's first rank");
    pq_environment_add(env, "slurm_job", "%s", getenv("SLURM_JOB_ID") ? getenv("SLURM_JOB_ID") : "none");
    gmtime_r(&now, &t);
    strftime(utc, sizeof utc, "%Y-%m-%dT%H:%M:%SZ", &t);
    pq_environment_add(env, "utc", "%s", utc);
}
