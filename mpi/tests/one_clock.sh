#!/usr/bin/env bash
# one_clock.sh SOURCE: durations come from pq_now_ns alone. Nothing else in the sources reads a clock; time() is read
# where a date is written down.
set -euo pipefail
cd "$1"

found=$(grep -nE '\b(clock_gettime|gettimeofday|timespec_get|MPI_Wtime|omp_get_wtime|clock|time|ftime|__rdtsc) *\(' \
    --include='*.c' --include='*.h' -r kernels model_io mpi results jobs | grep -v '/tests/' || true)
allowed='^kernels/machine\.c:[0-9]+: *clock_gettime\(clock, &t\);$
^jobs/environment\.c:[0-9]+: *const time_t now = time\(NULL\);$
^jobs/record_point\.c:[0-9]+: *const time_t now = time\(NULL\);$'
if other=$(grep -vE "$allowed" <<<"$found" | grep -vE '^[^:]+:[0-9]+: *(\*|/\*)'); then
    printf 'one_clock.sh: another clock is read:\n%s\n' "$other" >&2
    exit 1
fi
if [ "$(grep -cE "$allowed" <<<"$found")" != 3 ]; then
    printf 'one_clock.sh: the clocks it knows of are not where they were:\n%s\n' "$found" >&2
    exit 1
fi
