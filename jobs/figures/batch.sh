#!/usr/bin/env bash
# Throughput: sequences at once, at length 32.
# Expected: four jobs of 3 nodes, 8 cores each, 1 to 5 min each;
#   batch 1:  memory P0 928 MB, P1 533 MB, P2 429 MB.
#   batch 4:  memory P0 1030 MB, P1 1057 MB, P2 971 MB.
#   batch 16: memory P0 1467 MB, P1 3209 MB, P2 3114 MB.
#   batch 64: memory P0 3227 MB, P1 11805 MB, P2 11710 MB.
# shellcheck source=jobs/figures/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

for batch in 1 4 16 64; do
    figure "batch-$batch" --threads-per-rank 8 "$@" -- --seq 32 --batch "$batch" --threads 8
done
