#!/usr/bin/env bash
# What each choice brings: maximum by tree or by counting, compact or direct tables, both protocols.
# Expected: four jobs of 3 nodes, 1 core each, 4 min each;
#   tree, compact:  memory P0 1460 MB, P1 1799 MB, P2 1686 MB.
#   tree, direct:   memory P0 1460 MB, P1 2351 MB, P2 2239 MB.
#   count, compact: memory P0 1454 MB, P1 2070 MB, P2 1957 MB.
#   count, direct:  memory P0 1455 MB, P1 2622 MB, P2 2510 MB.
# shellcheck source=jobs/figures/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

for maximum in tree count; do
    for tables in compact direct; do
        figure "ablation-$maximum-$tables" "$@" -- --seq 16,128 --protocol published,preprocessed --max "$maximum" \
            --tables "$tables"
    done
done
