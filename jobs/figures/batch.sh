#!/usr/bin/env bash
# Throughput: sequences at once, at length 32.
# Expected: four jobs of 3 nodes, 8 cores each, 1 to 5 min each;
#   batch 1:  memory P0 972 MB, P1 583 MB, P2 485 MB.
#   batch 4:  memory P0 1090 MB, P1 1143 MB, P2 1060 MB.
#   batch 16: memory P0 1586 MB, P1 3432 MB, P2 3337 MB.
#   batch 64: memory P0 3572 MB, P1 12565 MB, P2 12470 MB.
# shellcheck source=jobs/figures/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

for batch in 1 4 16 64; do
    figure "batch-$batch" --threads-per-rank 8 "$@" -- --seq 32 --batch "$batch" --threads 8
done
