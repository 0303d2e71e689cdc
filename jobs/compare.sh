#!/usr/bin/env bash
# This suite and other systems in turn on the same cores: for every length half of the repetitions here, then the
# peers', then the other half, so that a machine that drifts is seen. Prints times, bytes and their ratios, and makes a
# report.
#
# BERT-base at five lengths takes about 15 minutes on two cores and 18 GB of memory at length 128 (CrypTen's tuples; 5
# GB with PQ_TUPLES=inline). Peers come from PyPI into build/peers/ on the first run. What was interrupted is continued
# by the same command, on the same day: rows are compared only when they were measured on one host, day and set of
# cores.
#
#   PQ_PEERS=crypten,spu     systems (default crypten): analysis/peers/NAME_bert.py
#   PQ_SEQ=8,16              lengths (default 8,16,32,64,128)
#   PQ_REPEAT=10             repetitions here (default 10)
#   PQ_PEER_REPEAT=3         repetitions of each peer (default 3)
#   PQ_PROTOCOL=LIST         protocols here (default preprocessed,published)
#   PQ_CONFIG=bert-tiny      size of the model (default bert-base)
#   PQ_MODEL=PREFIX          this suite's model files (default .models/<config>, made if missing)
#   PQ_CORES=0,1             cores for all (default: those this script may use)
#   PQ_TUPLES=inline         CrypTen makes its tuples while it infers (default ahead)
#   PQ_OUT=FILE.h5           result file (default results/compare.h5)
#   PQ_REPORT=FOLDER         report (default results/compare)
# A short try: PQ_CONFIG=bert-tiny PQ_SEQ=8,16 PQ_OUT=results/try.h5 jobs/compare.sh
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"
config=${PQ_CONFIG:-bert-base}
model=${PQ_MODEL:-.models/$config}
out=${PQ_OUT:-results/compare.h5}
report=${PQ_REPORT:-results/compare}
repeat=${PQ_REPEAT:-10}
cores=${PQ_CORES:-$(taskset -pc $$ | sed 's/.*: //')}
pqbert=build/pqbert

export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMPI_MCA_rmaps_base_oversubscribe=1
export PRTE_MCA_rmaps_default_mapping_policy=:oversubscribe
PQ_TOGETHER="$(hostname | cut -c1-20) $(date -u +%F) cores $(printf %s "$cores" | cut -c1-10)"
export PQ_TOGETHER

jobs/packages.sh --peers
if [ ! -x "$pqbert" ]; then
    echo "compare.sh: $pqbert is missing; jobs/quickstart.sh builds it" >&2
    exit 2
fi
mkdir -p "$(dirname "$out")" "$(dirname "$model")"
if ! "$pqbert" model info "$model" >/dev/null 2>&1; then
    "$pqbert" model synth --config "$config" --seed 1 --out "$model"
fi
python=$(jobs/python.sh)
IFS=, read -r -a lengths <<<"${PQ_SEQ:-8,16,32,64,128}"
IFS=, read -r -a peers <<<"${PQ_PEERS:-crypten}"
status=0

ours() { # length, repetitions that the file shall hold
    taskset -c "$cores" mpirun -n 3 "$pqbert" sweep --model "$model" --seq "$1" --repeat "$2" \
        --protocol "${PQ_PROTOCOL:-preprocessed,published}" --out "$out" --resume || status=$?
}

theirs() { # peer, length
    local options=()
    if [ "$1" = crypten ]; then
        options=(--tuples "${PQ_TUPLES:-ahead}")
    fi
    taskset -c "$cores" "$python" "analysis/peers/$1_bert.py" --config "$config" --seq "$2" \
        --repeat "${PQ_PEER_REPEAT:-3}" --out "$out" "${options[@]}" || status=$?
}

for length in "${lengths[@]}"; do
    ours "$length" $(((repeat + 1) / 2))
    for peer in "${peers[@]}"; do
        theirs "$peer" "$length"
    done
    ours "$length" "$repeat"
done

echo
"$python" analysis/compare.py "$out" || status=$?
"$python" analysis/report.py "$out" --out "$report" >/dev/null || status=$?
echo "results $out, report $report/report.html"
exit "$status"
