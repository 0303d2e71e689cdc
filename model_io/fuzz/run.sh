#!/usr/bin/env bash
# run.sh TARGET CORPUS FOUND: replays the corpus, then lets libFuzzer look for more. What it keeps goes to FOUND, where
# the next run goes on; an input that ends the target is left there as crash-*, timeout-* or oom-*, with its name in
# the output. PQ_FUZZ_SECONDS: how long (default 2; with PQ_EXTENDED=1 400, which is an hour for all targets).
set -euo pipefail

target=$1 corpus=$2 found=$3
seconds=${PQ_FUZZ_SECONDS:-2}
if [ "${PQ_EXTENDED:-0}" = 1 ]; then
    seconds=${PQ_FUZZ_SECONDS:-400}
fi
mkdir -p "$found"
export ASAN_OPTIONS=${ASAN_OPTIONS:-allocator_may_return_null=0}
"$target" -runs=0 -rss_limit_mb=2048 "$corpus"
exec "$target" -max_total_time="$seconds" -timeout=20 -rss_limit_mb=2048 -malloc_limit_mb=512 -max_len=4096 -len_control=10 \
    -print_final_stats=1 -artifact_prefix="$found/" "$found" "$corpus"
