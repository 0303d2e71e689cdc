#!/usr/bin/env bash
# Three hosts a, b, c on this machine, for as long as a command runs on a.
#
#   jobs/tests/three_hosts.sh COMMAND...      e.g. bash, to try mpirun --host a,b,c by hand
#
# Each is a network namespace with an address of its own (10.77.0.1 to 3 on eth0), linked by veth pairs and a bridge,
# and a host name of its own, so that MPI takes them for three machines and sends over TCP. In place of ssh mpirun gets a
# script that enters the other host (OMPI_MCA_plm_rsh_agent); `$PQ_ON b COMMAND` does that by hand. The kernel ends all of
# it when the command ends, however it ends.
#
# Ends with COMMAND's code; 77 with a reason where it cannot run: it needs root with the right to make namespaces, and
# Debian's iproute2.
set -euo pipefail

cannot() {
    echo "three_hosts.sh: skipped: $*" >&2
    exit 77
}

if [ "${PQ_HOSTS_INSIDE:-}" != 1 ]; then
    [ $# -gt 0 ] || { echo "three_hosts.sh: give a command" >&2; exit 2; }
    [ "$(id -u)" = 0 ] || cannot "needs root"
    export PATH=$PATH:/usr/sbin:/sbin
    for program in ip unshare nsenter; do
        command -v $program >/dev/null || cannot "there is no $program; jobs/packages.sh --tests installs it"
    done
    apart=(unshare --mount --propagation unchanged --net --pid --fork --kill-child --mount-proc)
    "${apart[@]}" ip link add br0 type bridge 2>/dev/null || cannot "no right to make namespaces and bridges"
    "${apart[@]}" ip link add pq0 type veth peer name pq1 2>/dev/null || cannot "no right to make veth links"
    PQ_HOSTS_INSIDE=1 exec "${apart[@]}" "${BASH_SOURCE[0]}" "$@"
fi

folder=$(mktemp -d /tmp/pqbert-hosts-XXXXXX)
trap 'rm -rf "$folder"' EXIT
trap 'exit 143' TERM INT HUP

ip link set lo up
ip link add br0 type bridge
ip link set br0 up
number=1
for host in a b c; do
    # shellcheck disable=SC2016  # expanded inside
    unshare --net --uts bash -c 'echo "$1" >/proc/sys/kernel/hostname; echo $$ >"$2"; exec sleep infinity' bash $host \
        "$folder/$host" &
    until [ -s "$folder/$host" ]; do
        kill -0 $!
        sleep 0.05
    done
    inside=$(cat "$folder/$host")
    ip link add "link-$host" type veth peer name eth0 netns "$inside"
    ip link set "link-$host" master br0 up
    nsenter --target "$inside" --net bash -c "ip link set lo up; ip address add 10.77.0.$number/24 dev eth0
        ip link set eth0 up"
    number=$((number + 1))
done

# As ssh does: the words after the host's name, joined, are a line for a shell over there.
cat >"$folder/on" <<END
#!/usr/bin/env bash
host=\$1
shift
exec nsenter --target "\$(cat "$folder/\$host")" --net --uts bash -c "\$*"
END
chmod +x "$folder/on"

export PQ_ON=$folder/on OMPI_MCA_plm_rsh_agent=$folder/on
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMP_WAIT_POLICY=passive
status=0
"$folder/on" a "$(printf '%q ' "$@")" || status=$?
exit "$status"
