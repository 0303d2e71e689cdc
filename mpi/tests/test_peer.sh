#!/usr/bin/env bash
# test_peer.sh MPIEXEC TEST_PEER: with the right sizes every case ends well; with others the job ends with code 1, and a
# line says who found what in which phase.
set -euo pipefail

mpiexec=$1 program=$2 failures=0 cases=0
errors=$(mktemp)
trap 'rm -f "$errors"' EXIT

expect() { # code, lines at most, pattern of each, case, difference
    local code=0 said right=1
    cases=$((cases + 1))
    timeout 60 "$mpiexec" -n 6 "$program" "$4" "$5" </dev/null >/dev/null 2>"$errors" || code=$?
    said=$(grep '^pqbert: ' "$errors" || true)
    while read -r line; do
        [[ $line =~ ^$3$ ]] || right=0
    done <<<"$said"
    if [ "$code" != "$1" ] || [ $right = 0 ] || [ "$(wc -l <<<"$said")" -gt "$2" ]; then
        echo "$4 $5: code $code where $1 is right; expected, in at most $2 lines: $3; found:"
        cat "$errors"
        failures=$((failures + 1))
    fi
}

more='waiting for a message failed: MPI error [0-9]*, MPI_ERR_TRUNCATE: .*more came than was expected.*'
expect 0 1 '' all 0
# Two that differ both see it; whether the second still says so is chance.
for off in -4 4; do
    expect 1 2 "pqbert: P[12] rank 1 .*, online: expected a message of (12|$((12 + off))) bytes from .*, found .*" \
        swap_near $off
done
expect 1 2 "pqbert: P[12] rank 1 .*, online: (expected a message of 32768 bytes from P1 .*, found 32764|$more)" \
    swap_far -4
expect 1 1 "pqbert: P2 rank 1 .*, online: expected a message of 12 bytes from P1 rank 1, found 8" exchange -4
expect 1 1 "pqbert: P2 rank 1 .*, online: $more" exchange 4
expect 1 1 "pqbert: P2 rank 1 .*, online: expected a message of 12 bytes from P0 rank 1, found 8" one_way -4
expect 1 1 "pqbert: P2 rank 1 .*, online: $more" one_way 4
expect 1 1 "pqbert: P2 rank 1 .*, online: $more" material 4
expect 1 1 "pqbert: P2 rank 0 .*, online: expected a message of 12 bytes from P2 rank 1, found 8" gather -4
expect 1 1 "pqbert: P2 rank 0 .*, online: $more" gather 4
for off in -4 4; do
    expect 1 2 "pqbert: P1 rank [01] .*, online: (expected a message of .* bytes from P1 rank [01], found .*|$more)" \
        reduce $off
done
expect 1 1 "pqbert: P0 rank 0 .*, control message: expected a message of 12 bytes from P1 rank 0, found 8" control -4
expect 1 1 "pqbert: P0 rank 0 .*, control message: $more" control 4
expect 1 1 "pqbert: P1 rank 1 .*, end: expected no more messages, found one of 12 bytes from P0 rank 1" one_more 0
echo "$cases launches, $failures failures"
[ $failures = 0 ]
