#!/usr/bin/env bash
# Bytes and rounds by length, both protocols: counts do not vary, so one repetition of each.
# Expected: 3 nodes, 1 core each, 4 min; memory P0 2590 MB, P1 14609 MB, P2 14344 MB.
# shellcheck source=jobs/figures/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

figure bytes "$@" -- --seq 8,16,32,64,128,256,512 --protocol published,preprocessed --repeat 1 --warmup 0
