#!/usr/bin/env bash
# Installs what is missing, builds, runs every test; then builds with address and undefined-behaviour sanitizers, and by
# clang with the thread sanitizer, and runs unit and protocol tests again. From any folder. Ends with the status of the
# tests. A second run rebuilds what changed. Under 20 minutes on two cores.
#
#   --extended        long variants too (tests see PQ_EXTENDED=1): hours
#
#   PQ_JOBS=2         parallel compilations and tests (default: the number of cores)
#   PQ_SANITIZE=0     without the sanitizers
#   PQ_INSTALL=0      install nothing
set -euo pipefail

case ${1:-} in
    --extended) export PQ_EXTENDED=1 ;;
    "") unset PQ_EXTENDED ;;
    *)
        echo "test.sh: unknown option $1; there is --extended" >&2
        exit 2
        ;;
esac

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
"$root/jobs/packages.sh" --tests
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
    # latency: the same code as wire's, and most of its time is asleep; flips.6: flips.3's, for a minute
    ctest --test-dir "$root/build/asan" --output-on-failure --no-tests=error --parallel "$jobs" -L unit \
        -E '^mpi\.(latency|flips\.6)' || status=$?
    if [ -n "$(command -v clang)" ]; then
        # clang, because its OpenMP tells the sanitizer who waits for whom; GCC's does not, and all would be races.
        say "build with the thread sanitizer in build/tsan"
        build "$root/build/tsan" -DCMAKE_BUILD_TYPE=Release -DPQ_SANITIZE=thread -DCMAKE_C_COMPILER=clang
        say "unit tests with the thread sanitizer"
        # Left out: machine, which counts on a forked child having one thread (the sanitizer starts another); what
        # compares times; and, unless extended, what runs long and has one thread a rank.
        leave_out='^machine$|^mpi\.(latency|wire)'
        [ -n "${PQ_EXTENDED:-}" ] || leave_out+='|^mpi\.(models|leaks|stock|verdict\.6|flips|random|peer|reuse)'
        TSAN_OPTIONS=ignore_noninstrumented_modules=1 ctest --test-dir "$root/build/tsan" --output-on-failure \
            --no-tests=error --parallel "$jobs" -L unit -E "$leave_out" || status=$?
    else
        say "no clang: nothing is run with the thread sanitizer"
    fi
fi

if [ -n "${PQ_EXTENDED:-}" ] && ! grep -qs avx512_vnni /proc/cpuinfo; then
    say "kernels with AVX-512 in an emulated processor"
    "$root/jobs/packages.sh" --emulator && "$root/kernels/tests/emulated.sh" "$root/build/test" || status=$?
fi

say "fuzzing"
"$root/jobs/fuzz.sh" || status=$?

if [ "$status" -eq 0 ]; then
    say "all tests passed"
else
    say "tests failed; details in build/test/Testing, build/asan/Testing, build/tsan/Testing"
fi
exit "$status"
