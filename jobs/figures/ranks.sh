#!/usr/bin/env bash
# More nodes per party: 1, 2, 4 and 6 nodes, a rank of 8 cores on each. A job for each, since each needs other nodes.
# Expected: 3 to 18 nodes, 1 min each;
#   3 nodes:  memory P0 1103 MB, P1 1693 MB, P2 1607 MB.
#   6 nodes:  memory P0 1213 MB, P1 1779 MB, P2 1601 MB.
#   12 nodes: memory P0 1525 MB, P1 2045 MB, P2 1676 MB.
#   18 nodes: memory P0 1838 MB, P1 2312 MB, P2 1752 MB.
# shellcheck source=jobs/figures/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

figure ranks --nodes 1,2,4,6 --threads-per-rank 8 "$@" -- --seq 16,128
