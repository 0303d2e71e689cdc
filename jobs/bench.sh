#!/usr/bin/env bash
# The figures this project is judged by: kernels against what they replace, then online time against floor, published against
# preprocessed, offline against online, bytes. A benchmark, not a test: run it on a quiet machine. About four minutes.
#
#   jobs/bench.sh [BEFORE.h5]      beside the figures of an earlier result file
#
#   PQ_OUT=FILE.h5     result file (default results/bench.h5; an old one moves to results/bench-before.h5 and is compared with)
#   PQ_MODEL=PREFIX    model (default .models/bert-base, which quickstart.sh makes)
#   PQ_SEQ=16,128      lengths (default 8,16,32,64,128)
#   PQ_REPEAT=10       repetitions
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"
out=${PQ_OUT:-results/bench.h5}
model=${PQ_MODEL:-.models/bert-base}
before=${1:-}
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMPI_MCA_rmaps_base_oversubscribe=1
export PRTE_MCA_rmaps_default_mapping_policy=:oversubscribe

if [ ! -x build/pqbert ] || [ ! -e "$model.secret.h5" ]; then
    echo "bench.sh: build/pqbert and $model.secret.h5 are needed; jobs/quickstart.sh makes both" >&2
    exit 2
fi
if [ -e "$out" ]; then
    mv "$out" "${out%.h5}-before.h5"
    before=${before:-${out%.h5}-before.h5}
fi

status=0
build/pqbert kernels --check || status=$?
mpirun -n 3 build/pqbert sweep --model "$model" --seq "${PQ_SEQ:-8,16,32,64,128}" --protocol preprocessed,published \
    --repeat "${PQ_REPEAT:-10}" --out "$out" || status=$?
python=$(jobs/python.sh)
if [ -n "$before" ]; then
    "$python" analysis/bench_figures.py "$out" "$before"
else
    "$python" analysis/bench_figures.py "$out"
fi
exit "$status"
