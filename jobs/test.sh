#!/usr/bin/env bash
# Installs what is missing, builds, runs every test; then builds with address and undefined-behaviour sanitizers and
# runs the unit tests again. From any folder. Ends with the status of the tests. A second run rebuilds what changed.
#
#   PQ_JOBS=2         parallel compilations and tests (default: the number of cores)
#   PQ_SANITIZE=0     without the sanitizers
#   PQ_INSTALL=0      install nothing
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
jobs=${PQ_JOBS:-$(nproc)}

# Three ranks on a machine of two cores, and inside containers as root.
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMPI_MCA_rmaps_base_oversubscribe=1
export PRTE_MCA_rmaps_default_mapping_policy=:oversubscribe

say() {
    printf '== %s\n' "$*"
}

build() { # folder, then options for cmake
    local folder=$1 generator=()
    shift
    if [ ! -e "$folder/CMakeCache.txt" ]; then
        generator=(-G Ninja)
    fi
    if ! { cmake -S "$root" -B "$folder" "${generator[@]}" -DPQ_WERROR=ON "$@" &&
        cmake --build "$folder" --parallel "$jobs"; } >"$folder.log" 2>&1; then
        tail -n 40 "$folder.log"
        echo "test.sh: the build failed; all of its output is in $folder.log" >&2
        return 1
    fi
}

say "packages"
"$root/jobs/packages.sh"
mkdir -p "$root/build"

say "build in build/test"
build "$root/build/test" -DCMAKE_BUILD_TYPE=Release

status=0
say "tests"
ctest --test-dir "$root/build/test" --output-on-failure --no-tests=error --parallel "$jobs" || status=$?

if [ "${PQ_SANITIZE:-1}" != 0 ]; then
    say "build with sanitizers in build/asan"
    build "$root/build/asan" -DCMAKE_BUILD_TYPE=Release -DPQ_SANITIZE=address,undefined
    say "unit tests with sanitizers"
    ctest --test-dir "$root/build/asan" --output-on-failure --no-tests=error --parallel "$jobs" -L unit || status=$?
fi

if [ "$status" -eq 0 ]; then
    say "all tests passed"
else
    say "tests failed; details in build/test/Testing and build/asan/Testing"
fi
exit "$status"
