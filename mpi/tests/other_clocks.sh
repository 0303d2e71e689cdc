#!/usr/bin/env bash
# other_clocks.sh MPIEXEC PROGRAM [ARGUMENT...]: three processes whose monotonic clocks are far from each other. 77:
# this system or user cannot make time namespaces.
set -euo pipefail

mpiexec=$1
shift
if ! unshare --time --monotonic 1000 --fork true 2>/dev/null; then
    echo "other_clocks.sh: no right to make time namespaces here" >&2
    exit 77
fi
exec "$mpiexec" -n 1 "$@" : -n 1 unshare --time --monotonic 1000 --fork "$@" \
    : -n 1 unshare --time --monotonic 777777 --fork "$@"
