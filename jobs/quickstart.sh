#!/usr/bin/env bash
# From nothing to a report: installs what is missing, builds, asks the small trained model about a sentence, privately,
# makes a synthetic BERT-base, runs one private inference, sweeps sequence lengths with both protocols on this machine,
# and writes tables and plots. From any folder. A second run does not do again what is done.
#
# All three parties run on this one machine: computing is measured, a network is not. 3 ranks of one thread each; on
# fewer than 3 cores the parties take turns, and the report says so.
#
#   PQ_TEXT="a dull film"    the sentence (default: a moving and funny film)
#   PQ_CONFIG=bert-tiny      size of the model (default bert-base)
#   PQ_MODEL=PREFIX          the model's files (default .models/<config>)
#   PQ_SEQ=8,16              lengths (default 8,16,32,64,128)
#   PQ_PROTOCOL=published    protocols (default published,preprocessed)
#   PQ_THREADS=1,2           threads per rank (default 1)
#   PQ_NET=none,lan          networks (default none: as it is)
#   PQ_ABLATION=0            without the ablation, which measures one length again with another maximum
#   PQ_REPEAT=3 PQ_WARMUP=1  repetitions and warm-up runs of each point (default 10 and 2)
#   PQ_OUT=FILE.h5           result file (default results/quickstart.h5)
#   PQ_REPORT=FOLDER         report (default results/report)
#   PQ_JOBS=2                parallel compilations (default: the number of cores)
#   PQ_INSTALL=0             install nothing
# A short try: PQ_CONFIG=bert-tiny PQ_SEQ=8,16 PQ_REPEAT=3 PQ_OUT=results/try.h5 jobs/quickstart.sh
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
absolute() { # PQ_ paths are relative to the caller's folder
    case $1 in
        /*) printf '%s\n' "$1" ;;
        *) printf '%s/%s\n' "$PWD" "$1" ;;
    esac
}

config=${PQ_CONFIG:-bert-base}
model=$(absolute "${PQ_MODEL:-$root/.models/${config//[,=]/_}}")
out=$(absolute "${PQ_OUT:-$root/results/quickstart.h5}")
report=$(absolute "${PQ_REPORT:-$root/results/report}")
pqbert=$root/build/pqbert
cd "$root"

# Three ranks on a machine of fewer cores, and inside containers as root.
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMPI_MCA_rmaps_base_oversubscribe=1
export PRTE_MCA_rmaps_default_mapping_policy=:oversubscribe

say() {
    printf '== %s\n' "$*"
}

say "packages"
jobs/packages.sh

say "build"
mkdir -p build "$(dirname "$model")" "$(dirname "$out")"
generator=()
if [ ! -e build/CMakeCache.txt ]; then
    generator=(-G Ninja)
fi
if ! { cmake -S . -B build "${generator[@]}" && cmake --build build --parallel "${PQ_JOBS:-$(nproc)}"; } \
    >build/build.log 2>&1; then
    tail -n 40 build/build.log
    echo "quickstart.sh: the build failed; all of its output is in build/build.log" >&2
    exit 1
fi

say "one private inference of a sentiment model: ${PQ_TEXT:=a moving and funny film}"
mpirun -n 3 "$pqbert" run --model build/models/sentiment --text "$PQ_TEXT"
echo "P1's logits: the first is for negative, the second for positive; the larger one is the answer"

say "model $config"
if "$pqbert" model info "$model" >build/model-info.log 2>&1; then
    echo "$model is there"
else
    "$pqbert" model synth --config "$config" --seed 1 --out "$model"
fi

say "one private inference of the sentence in jobs/example.tokens"
mpirun -n 3 "$pqbert" run --model "$model" --tokens jobs/example.tokens

say "sweep"
status=0
lengths=${PQ_SEQ:-8,16,32,64,128}
sweep() { # more options
    local ended=0
    mpirun -n 3 "$pqbert" sweep --model "$model" --protocol "${PQ_PROTOCOL:-published,preprocessed}" \
        --repeat "${PQ_REPEAT:-10}" --warmup "${PQ_WARMUP:-2}" --out "$out" --resume "$@" || ended=$?
    if [ "$ended" -ne 0 ] && [ "$ended" -ne 3 ]; then # 3: a result was INVALID, which the tables say
        exit "$ended"
    fi
    status=$((status > ended ? status : ended))
}
sweep --seq "$lengths" --threads "${PQ_THREADS:-1}" --net "${PQ_NET:-none}"
if [ "${PQ_ABLATION:-1}" != 0 ]; then
    case ,$lengths, in
        *,16,*) sweep --seq 16 --max count ;;
        *) sweep --seq "${lengths%%,*}" --max count ;;
    esac
fi

say "results"
"$pqbert" results show "$out"

say "report"
python=$(jobs/python.sh)
"$python" analysis/report.py "$out" --out "$report" >/dev/null

say "done"
echo "model        $model.secret.h5, $model.public.h5"
echo "results      $out"
echo "report       $report/report.html, report.md, figures/"
exit "$status"
