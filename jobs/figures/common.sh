# shellcheck shell=bash
# What the figures share. Each is a batch job, or a few, of jobs/submit.sh with fixed points; what belongs to the
# cluster follows on the command line: jobs/figures/latency.sh --partition compute --account me [--dry-run]. Submitted
# again it goes on where it stopped. One result file a job; jobs/collect.sh puts several into one.
#
#   PQ_MODEL=PREFIX     model (default .models/bert-base, which jobs/quickstart.sh makes; `pqbert model synth` others)
#   PQ_FOLDER=FOLDER    where result files go (default results/figures)
#
# The expected times are those of a Xeon with AVX-512 and a network of 10 Gbit/s; --dry-run shows them for the machine
# at hand. Memory is each party's, as `pqbert cost` predicts it for BERT-base.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
model=${PQ_MODEL:-$root/.models/bert-base}
folder=${PQ_FOLDER:-$root/results/figures}
mkdir -p "$folder"

figure() { # name of the result file, then what submit.sh takes
    local name=$1
    shift
    "$root/jobs/submit.sh" --model "$model" --out "$folder/$name.h5" "$@"
}
