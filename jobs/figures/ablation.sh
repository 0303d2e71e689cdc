#!/usr/bin/env bash
# What each choice brings: maximum by tree or by counting, compact or direct tables, both protocols.
# Expected: four jobs of 3 nodes, 1 core each, 4 min each;
#   tree, compact:  memory P0 1598 MB, P1 2007 MB, P2 1896 MB.
#   tree, direct:   memory P0 1583 MB, P1 2552 MB, P2 2441 MB.
#   count, compact: memory P0 1591 MB, P1 2174 MB, P2 2063 MB.
#   count, direct:  memory P0 1576 MB, P1 2719 MB, P2 2608 MB.
# shellcheck source=jobs/figures/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

for maximum in tree count; do
    for tables in compact direct; do
        figure "ablation-$maximum-$tables" "$@" -- --seq 16,128 --protocol published,preprocessed --max "$maximum" \
            --tables "$tables"
    done
done
