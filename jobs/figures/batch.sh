#!/usr/bin/env bash
# Throughput: sequences at once, at length 32.
# Expected: four jobs of 3 nodes, 8 cores each, 1 to 5 min each;
#   batch 1:  memory P0 972 MB, P1 577 MB, P2 474 MB.
#   batch 4:  memory P0 1074 MB, P1 1101 MB, P2 1015 MB.
#   batch 16: memory P0 1511 MB, P1 3253 MB, P2 3158 MB.
#   batch 64: memory P0 3271 MB, P1 11849 MB, P2 11754 MB.
# shellcheck source=jobs/figures/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

for batch in 1 4 16 64; do
    figure "batch-$batch" --threads-per-rank 8 "$@" -- --seq 32 --batch "$batch" --threads 8
done
