#!/usr/bin/env bash
# More nodes per party: 1, 2, 4 and 6 nodes, a rank of 8 cores on each. A job for each, since each needs other nodes.
# Expected: 3 to 18 nodes, 1 min each;
#   3 nodes:  memory P0 1103 MB, P1 1664 MB, P2 1579 MB.
#   6 nodes:  memory P0 1213 MB, P1 1751 MB, P2 1573 MB.
#   12 nodes: memory P0 1523 MB, P1 2015 MB, P2 1646 MB.
#   18 nodes: memory P0 1834 MB, P1 2279 MB, P2 1720 MB.
# shellcheck source=jobs/figures/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

figure ranks --nodes 1,2,4,6 --threads-per-rank 8 "$@" -- --seq 16,128
