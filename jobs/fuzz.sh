#!/usr/bin/env bash
# Builds the fuzz targets (model_io/fuzz/fuzz.h) with clang's libFuzzer, AddressSanitizer and
# UndefinedBehaviorSanitizer, and lets each look for inputs that its reader does not refuse as it should. Ends with
# status 1 when one was found; it lies in build/fuzz/found. Nothing is done where there is no clang.
#
#   fuzz.sh               a few seconds each
#   PQ_EXTENDED=1         an hour for all together
#   PQ_FUZZ_SECONDS=600   as long for each
#   PQ_JOBS=2             parallel compilations and targets (default: the number of cores)
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
jobs=${PQ_JOBS:-$(nproc)}

if ! printf 'int LLVMFuzzerTestOneInput(void) { return 0; }' |
    clang -fsanitize=fuzzer,address -fopenmp -x c - -o /dev/null >/dev/null 2>&1; then
    echo "fuzz.sh: no clang with libFuzzer and OpenMP here; install clang, libclang-rt-dev, libomp-dev" >&2
    exit 0
fi
mkdir -p "$root/build"
generator=()
if [ ! -e "$root/build/fuzz/CMakeCache.txt" ]; then
    generator=(-G Ninja)
fi
if ! { cmake -S "$root" -B "$root/build/fuzz" "${generator[@]}" -DCMAKE_C_COMPILER=clang -DPQ_WERROR=ON -DPQ_FUZZ=ON &&
    cmake --build "$root/build/fuzz" --parallel "$jobs" --target pq_fuzzers; } >"$root/build/fuzz.log" 2>&1; then
    tail -n 40 "$root/build/fuzz.log"
    echo "fuzz.sh: the build failed; all of its output is in $root/build/fuzz.log" >&2
    exit 1
fi
ctest --test-dir "$root/build/fuzz" --output-on-failure --no-tests=error --parallel "$jobs" -L fuzz
