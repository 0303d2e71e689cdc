#!/usr/bin/env bash
# More nodes per party: 1, 2, 4 and 6 nodes, a rank of 8 cores on each. A job for each, since each needs other nodes.
# Expected: 3 to 18 nodes, 1 min each;
#   3 nodes:  memory P0 1059 MB, P1 1620 MB, P2 1535 MB.
#   6 nodes:  memory P0 1214 MB, P1 1752 MB, P2 1574 MB.
#   12 nodes: memory P0 1529 MB, P1 2021 MB, P2 1652 MB.
#   18 nodes: memory P0 1840 MB, P1 2286 MB, P2 1726 MB.
# shellcheck source=jobs/figures/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

figure ranks --nodes 1,2,4,6 --threads-per-rank 8 "$@" -- --seq 16,128
