#!/usr/bin/env bash
# The same points on the network as it is, on an emulated local one and on an emulated wide-area one.
# Expected: 3 nodes, 1 core each, 50 min; memory P0 1460 MB, P1 2622 MB, P2 2510 MB.
# shellcheck source=jobs/figures/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

figure network "$@" -- --seq 16,32,64,128 --protocol published,preprocessed --net none,lan,wan
