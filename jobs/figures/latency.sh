#!/usr/bin/env bash
# Latency by length and threads, both protocols, one rank per party on a node of its own.
# Expected: 3 nodes, 16 cores each, 11 min; memory P0 1460 MB, P1 1799 MB, P2 1686 MB.
# shellcheck source=jobs/figures/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

figure latency --threads-per-rank 16 "$@" -- --seq 8,16,32,64,128 --threads 1,2,4,8,16 \
    --protocol published,preprocessed
