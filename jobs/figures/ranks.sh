#!/usr/bin/env bash
# More nodes per party: 1, 2, 4 and 6 nodes, a rank of 8 cores on each. A job for each, since each needs other nodes.
# Expected: 3 to 18 nodes, 1 min each;
#   3 nodes:  memory P0 1122 MB, P1 1786 MB, P2 1703 MB.
#   6 nodes:  memory P0 1238 MB, P1 1878 MB, P2 1700 MB.
#   12 nodes: memory P0 1553 MB, P1 2148 MB, P2 1779 MB.
#   18 nodes: memory P0 1868 MB, P1 2417 MB, P2 1857 MB.
# shellcheck source=jobs/figures/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

figure ranks --nodes 1,2,4,6 --threads-per-rank 8 "$@" -- --seq 16,128
