#!/usr/bin/env bash
# What each choice brings: maximum by tree or by counting, compact or direct tables, both protocols.
# Expected: four jobs of 3 nodes, 1 core each, 4 min each;
#   tree, compact:  memory P0 1533 MB, P1 1873 MB, P2 1760 MB.
#   tree, direct:   memory P0 1534 MB, P1 2425 MB, P2 2313 MB.
#   count, compact: memory P0 1528 MB, P1 2144 MB, P2 2031 MB.
#   count, direct:  memory P0 1528 MB, P1 2696 MB, P2 2583 MB.
# shellcheck source=jobs/figures/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

for maximum in tree count; do
    for tables in compact direct; do
        figure "ablation-$maximum-$tables" "$@" -- --seq 16,128 --protocol published,preprocessed --max "$maximum" \
            --tables "$tables"
    done
done
