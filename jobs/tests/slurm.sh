#!/usr/bin/env bash
# A Slurm of three nodes n0, n1, n2 on this machine, for as long as a command runs in it.
#
#   jobs/tests/slurm.sh COMMAND...        e.g. bash, to try jobs/submit.sh by hand
#
# munged, slurmctld and three slurmd, each slurmd in its own mount and UTS namespace (a host name of its own), all of
# them in one network and one process namespace: no port is taken, nothing outside is touched, and the kernel ends every
# process when the command ends, however it ends. All state is in a temporary folder, PMIx's files apart for each node.
# Slurm is told 8 cores a node whatever there are, and binds nothing. COMMAND finds sbatch, srun, squeue and SLURM_CONF.
# Works in a chroot, where nothing but /proc can be mounted for this namespace alone.
#
# Ends with COMMAND's code; 77 with a reason where it cannot run: it needs root with the right to make namespaces, and
# Debian's slurmctld, slurmd, slurm-client, munge and iproute2 (jobs/packages.sh --tests).
set -euo pipefail

cannot() {
    echo "slurm.sh: skipped: $*" >&2
    exit 77
}

if [ "${PQ_SLURM_INSIDE:-}" != 1 ]; then
    [ $# -gt 0 ] || { echo "slurm.sh: give a command" >&2; exit 2; }
    [ "$(id -u)" = 0 ] || cannot "needs root"
    export PATH=$PATH:/usr/sbin:/sbin
    for program in munged slurmctld slurmd sbatch ip unshare; do
        command -v $program >/dev/null || cannot "there is no $program; jobs/packages.sh --tests installs it"
    done
    apart=(unshare --mount --propagation unchanged --net --pid --fork --kill-child --mount-proc)
    "${apart[@]}" ip link add pq0 type veth peer name pq1 2>/dev/null || cannot "no right to make namespaces and links"
    PQ_SLURM_INSIDE=1 exec "${apart[@]}" "${BASH_SOURCE[0]}" "$@"
fi

folder=$(mktemp -d /tmp/pqbert-slurm-XXXXXX)
trap 'rm -rf "$folder"' EXIT
trap 'exit 143' TERM INT HUP
chmod 755 "$folder"
mkdir -p "$folder"/{munge,socket,state,log,spool.n0,spool.n1,spool.n2,tmp.n0,tmp.n1,tmp.n2}
chmod 700 "$folder/munge"
ip link set lo up
ip link add pq0 type veth peer name pq1 # with the loopback alone neither Slurm nor Open MPI finds an address of its own
ip address add 10.77.0.1/24 dev pq0
ip link set pq0 up
ip link set pq1 up

head -c 1024 /dev/urandom >"$folder/munge/key"
chmod 400 "$folder/munge/key"
munged --foreground --key-file="$folder/munge/key" --socket="$folder/socket/munge" --pid-file="$folder/munge/pid" \
    --log-file="$folder/munge/log" --seed-file="$folder/munge/seed" >"$folder/log/munged" 2>&1 &

export SLURM_CONF=$folder/slurm.conf
cat >"$SLURM_CONF" <<END
ClusterName=pqbert-test
SlurmctldHost=localhost(10.77.0.1)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
CryptoType=crypto/munge
AuthInfo=socket=$folder/socket/munge
StateSaveLocation=$folder/state
SlurmdSpoolDir=$folder/spool.%n
SlurmctldPidFile=$folder/slurmctld.pid
SlurmdPidFile=$folder/slurmd.%n.pid
TmpFS=$folder/tmp.%n
MailProg=/bin/true
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
SwitchType=switch/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SlurmdParameters=config_overrides
SchedulerParameters=batch_sched_delay=0,sched_interval=1,bf_interval=1
ReturnToService=2
KillWait=5
MpiDefault=none
$(for i in 0 1 2; do
    echo "NodeName=n$i NodeHostname=n$i NodeAddr=10.77.0.1 Port=$((6820 + i)) CPUs=8 RealMemory=1000000"
done)
PartitionName=main Nodes=n[0-2] Default=YES MaxTime=60 State=UP
END

# Control groups are not used; slurmd looks for them nevertheless, and ends where it finds none.
printf 'CgroupPlugin=cgroup/v1\nCgroupMountpoint=%s/cgroup\n' "$folder" >"$folder/cgroup.conf"

wait_for() { # seconds, what is waited for, command
    local until=$((SECONDS + $1)) what=$2
    shift 2
    until "$@" >/dev/null 2>&1; do
        if [ $SECONDS -ge $until ]; then
            echo "slurm.sh: no $what; logs:" >&2
            tail -n 20 "$folder"/log/* >&2
            exit 1
        fi
        sleep 0.1
    done
}

wait_for 30 "munge" munge -n --socket="$folder/socket/munge"
slurmctld -D >"$folder/log/slurmctld" 2>&1 &
for i in 0 1 2; do
    # shellcheck disable=SC2016  # expanded inside
    unshare --mount --propagation unchanged --uts bash -c 'echo "n$1" >/proc/sys/kernel/hostname
        exec slurmd -D -N "n$1"' bash $i >"$folder/log/slurmd.n$i" 2>&1 &
done
three_idle() {
    [ "$(sinfo -h -N -t idle -o %N | wc -l)" = 3 ]
}
wait_for 60 "three idle nodes" three_idle

export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMPI_MCA_rmaps_base_oversubscribe=1
export PRTE_MCA_rmaps_default_mapping_policy=:oversubscribe OMP_WAIT_POLICY=passive
# Without this, or by the tree (Slurm 22.05 with Open MPI 4.1.4), ranks left MPI_Init before others had reached its last
# barrier when the cores were busy, and their first messages ended those: in 5 of 11 runs of an array of four jobs
# beside three busy loops; by the ring in none of 15.
export SLURM_PMIX_FENCE=ring
status=0
"$@" || status=$?
if [ "$status" != 0 ] && [ -n "${PQ_SLURM_LOGS:-}" ]; then
    tail -n 50 "$folder"/log/* >&2
fi
exit "$status"
