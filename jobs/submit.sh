#!/usr/bin/env bash
# Submits a sweep to Slurm: each party on nodes of its own, all points into one result file.
#
#   jobs/submit.sh --model m --out r.h5 --nodes 2 --ranks-per-node 4 --threads-per-rank 8 -- --seq 16,128 --threads 4,8
#
# The same line again continues what a time limit, a lost node or scancel cut off, and measures nothing twice; a job
# that is still there is waited for. Memory and time are asked for as `pqbert cost` predicts them.
#
#   --model PREFIX          model files, on a file system that the nodes share; only P0's nodes read PREFIX.secret.h5
#   --out FILE.h5           result file; the job's output goes to FILE.log
#   --nodes LIST            nodes per party (default 1)
#   --ranks-per-node LIST   ranks on each node (default 1)
#   --threads-per-rank LIST cores for each rank (default 1); also the sweep's --threads where it has none
#   --partition, --account, --time, --name NAME
#                           as sbatch has them (time: three times what is expected and ten minutes; name: FILE)
#   --memory MB             of each node; 0: all of it, none: not asked for (default: what is predicted and a quarter)
#   --modules LIST          environment modules to load first, separated by commas
#   --launcher srun|mpirun  what starts the ranks in the job (default srun)
#   --mpi TYPE              srun's --mpi (default pmix; `srun --mpi=list` shows what there is)
#   --sbatch OPTION         one more option of sbatch, as in --sbatch --exclusive; may be repeated
#   --program FILE          the program (default build/pqbert)
#   --dry-run               print the batch script and submit nothing
#   -- OPTION...            options of pqbert sweep; not --model, --out, --resume
#
# Lists make a job for each allocation: one array for each number of nodes, whose tasks are the combinations of ranks
# and threads, each with a file of its own, FILE-<nodes>x<ranks>x<threads>.h5; jobs/collect.sh puts them together, where
# they are different points: G, ranks per party, is nodes x ranks, so 1 x 2 and 2 x 1 are the same one.
# Exit code 2 and one line when something is wrong with the line; nothing is submitted then.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
model='' out='' nodes=1 ranks=1 threads=1 partition='' account='' time='' name='' memory=auto modules='' launcher=srun
mpi=pmix program=$root/build/pqbert dry_run=0 extra=() sweep=()

mistake() {
    printf 'submit.sh: %s\n' "$*" >&2
    exit 2
}

absolute() {
    case $1 in
        /*) printf '%s\n' "$1" ;;
        *) printf '%s/%s\n' "$PWD" "$1" ;;
    esac
}

number_list() { # option, list
    [[ $2 =~ ^[1-9][0-9]{0,3}(,[1-9][0-9]{0,3})*$ ]] || mistake "$1 $2: give whole numbers from 1, separated by commas"
}

parse() {
    local given=' ' option
    while [ $# -gt 0 ]; do
        option=$1
        case $option in
            --help) sed -n '2,/^set -euo/{/^#/{s/^# \{0,1\}//;p}}' "${BASH_SOURCE[0]}"; exit 0 ;;
            --dry-run) dry_run=1; shift; continue ;;
            --) shift; sweep=("$@"); return ;;
            --model | --out | --nodes | --ranks-per-node | --threads-per-rank | --partition | --account | --time | \
                --name | --memory | --modules | --launcher | --mpi | --sbatch | --program) ;;
            *) mistake "'$option' cannot be understood here; the sweep's options stand behind --, --help lists ours" ;;
        esac
        [ $# -ge 2 ] || mistake "$option needs a value; --help explains it"
        [ -n "$2" ] || mistake "$option is empty"
        if [ "$option" != --sbatch ]; then
            case $given in *" $option "*) mistake "$option is given twice" ;; esac
            given+="$option "
        fi
        case $option in
            --model) model=$(absolute "$2") ;;
            --out) out=$(absolute "$2") ;;
            --nodes) nodes=$2; number_list "$option" "$2" ;;
            --ranks-per-node) ranks=$2; number_list "$option" "$2" ;;
            --threads-per-rank) threads=$2; number_list "$option" "$2" ;;
            --partition) partition=$2 ;;
            --account) account=$2 ;;
            --time) time=$2 ;;
            --name) name=$2 ;;
            --memory) memory=$2 ;;
            --modules) modules=${2//,/ } ;;
            --launcher) launcher=$2 ;;
            --mpi) mpi=$2 ;;
            --sbatch) extra+=("$2") ;;
            --program) program=$(absolute "$2") ;;
        esac
        shift 2
    done
}

sweep_value() { # the value that the sweep's options give to --$1, if any
    local i
    for ((i = 0; i < ${#sweep[@]}; i++)); do
        case ${sweep[i]} in
            "--$1") printf '%s\n' "${sweep[i + 1]:-}" ;;
            "--$1="*) printf '%s\n' "${sweep[i]#*=}" ;;
        esac
    done
}

check() {
    local word
    [ -n "$model" ] || mistake "--model PREFIX is missing"
    [ -n "$out" ] || mistake "--out FILE.h5 is missing"
    [[ $out == *.h5 ]] || mistake "--out $out: a result file's name ends in .h5"
    [[ "$model$out$program" != *[[:space:]\"\'\\%]* ]] || mistake "no spaces, quotes or % in names of files, please"
    [ -d "$(dirname "$out")" ] || mistake "--out $out: there is no such folder"
    [ -x "$program" ] || mistake "$program is not there; build it, or name it with --program"
    [ -r "$model.secret.h5" ] || mistake "$model.secret.h5 cannot be read; P0's nodes need it"
    [[ $launcher == srun || $launcher == mpirun ]] || mistake "--launcher $launcher: use srun or mpirun"
    [[ $memory =~ ^(auto|none|[0-9]+)$ ]] || mistake "--memory $memory: give megabytes, or none"
    [[ -z $time || $time =~ ^[0-9:-]+$ ]] || mistake "--time $time: give minutes, HH:MM:SS or D-HH:MM:SS"
    for word in "${sweep[@]}"; do
        case ${word%%=*} in
            --model | --out) mistake "${word%%=*} stands before the --, not behind it" ;;
            --resume) mistake "--resume is always given; leave it out" ;;
            --total | --help) mistake "$word is no option of pqbert sweep" ;;
        esac
    done
}

declare -A cost # of one launch: points, repetitions, seconds, memory_p0_mb, ...
options=()      # of the sweep, --threads included
ask_cost() {    # nodes, ranks per node, threads per rank
    local text key value asked
    asked=$(sweep_value threads)
    for value in ${asked//,/ }; do
        if [[ $value =~ ^[0-9]+$ ]] && [ "$value" -gt "$3" ]; then
            mistake "the sweep's --threads $value are more than the $3 cores of a rank (--threads-per-rank)"
        fi
    done
    options=("${sweep[@]}")
    [ -n "$asked" ] || options+=(--threads "$3")
    if ! text=$("$program" cost --model "$model" --total $(($1 * $2)) "${options[@]}" 2>&1); then
        mistake "${text#pqbert: }"
    fi
    while read -r key value; do
        cost[$key]=$value
    done <<<"$text"
}

# Megabytes of a node: P0's first rank also verifies, so P0's memory is not divided; P1's and P2's is. A quarter more,
# and what MPI takes.
node_memory() { # nodes, ranks per node
    local p0=${cost[memory_p0_mb]} p1=$((cost[memory_p1_mb] / $1)) p2=$((cost[memory_p2_mb] / $1)) most
    most=$((p0 > p1 ? p0 : p1))
    most=$((most > p2 ? most : p2))
    printf '%s\n' $((most * 5 / 4 + 200 * $2))
}

launch_line() { # nodes, ranks per node, threads per rank, result file
    local line=()
    if [ "$launcher" = srun ]; then
        # A rank that is lost ends the job. Block by block: P0 on the first third of the nodes, then P1, then P2.
        line=(srun "--mpi=$mpi" --kill-on-bad-exit=1 --distribution=block --nodes=$((3 * $1)) --ntasks=$((3 * $1 * $2))
            --ntasks-per-node="$2" --cpus-per-task="$3")
    else
        line=(mpirun -n $((3 * $1 * $2)) --map-by "ppr:$2:node" --bind-to none)
    fi
    quote "${line[@]}" "$program" sweep --model "$model" --out "$4" --resume "${options[@]}"
}

quote() { # words for the script: as they are where that is safe
    local word
    for word in "$@"; do
        [[ $word =~ ^[A-Za-z0-9_.,:/=+-]+$ ]] || word=$(printf '%q' "$word")
        printf '%s ' "$word"
    done
}

result_file() { # nodes, ranks per node, threads per rank
    if [[ "$nodes$ranks$threads" == *,* ]]; then
        printf '%s-%sx%sx%s.h5\n' "${out%.h5}" "$1" "$2" "$3"
    else
        printf '%s\n' "$out"
    fi
}

# The batch script for n nodes per party: one task, or an array of all combinations of ranks and threads.
batch_script() { # n
    local n=$1 r t p0 p1 p2 runs minutes tasks=() heads=() need=0 seconds=0 cores=0 array=0 log=${out%.h5}.log
    for r in ${ranks//,/ }; do
        for t in ${threads//,/ }; do
            ask_cost "$n" "$r" "$t"
            p0=${cost[memory_p0_mb]} p1=${cost[memory_p1_mb]} p2=${cost[memory_p2_mb]} runs=${cost[repetitions]}
            minutes=$(((cost[seconds] + 59) / 60))
            heads+=("#   nodes $((3 * n)), ranks a node $r, cores a rank $t: $minutes min for $runs repetitions; \
memory P0 $p0 MB, P1 $p1 MB, P2 $p2 MB")
            tasks+=("$(launch_line "$n" "$r" "$t" "$(result_file "$n" "$r" "$t")")|| status=\$?")
            need=$(($(node_memory "$n" "$r") > need ? $(node_memory "$n" "$r") : need))
            seconds=$((cost[seconds] > seconds ? cost[seconds] : seconds))
            cores=$((r * t > cores ? r * t : cores))
        done
    done
    [[ "$nodes$ranks$threads" != *,* ]] || array=1
    [ "$array" = 0 ] || log=${out%.h5}-${n}-%a.log
    if [ -n "$modules" ]; then
        echo '#!/bin/bash -l'
    else
        echo '#!/bin/bash'
    fi
    echo "#SBATCH --job-name=${name:-$(basename "${out%.h5}")}"
    [ -z "$partition" ] || echo "#SBATCH --partition=$partition"
    [ -z "$account" ] || echo "#SBATCH --account=$account"
    echo "#SBATCH --nodes=$((3 * n))"
    if [ "$array" = 1 ]; then # the tasks divide a node's cores differently
        echo "#SBATCH --array=0-$((${#tasks[@]} - 1))"
        echo "#SBATCH --ntasks-per-node=$cores"
    else
        echo "#SBATCH --ntasks-per-node=$ranks"
        echo "#SBATCH --cpus-per-task=$threads"
        echo "#SBATCH --dependency=singleton" # the same line twice: one after the other
    fi
    [ "$memory" = none ] || echo "#SBATCH --mem=$([ "$memory" = auto ] && echo "$need" || echo "$memory")M"
    echo "#SBATCH --time=${time:-$((seconds * 3 / 60 + 10))}"
    echo "#SBATCH --output=$log"
    echo "#SBATCH --open-mode=append"
    echo "#SBATCH --requeue"
    for t in "${extra[@]}"; do
        echo "#SBATCH $t"
    done
    echo "# Expected, on nodes like the one this was written on (pqbert cost; the time is rough):"
    printf '%s\n' "${heads[@]}"
    echo "# Submitted again, it goes on where it stopped: the result file keeps every finished repetition."
    [ -z "$modules" ] || echo "module load $modules"
    [ "$launcher" = srun ] || echo "export SLURM_WHOLE=1 # mpirun's own daemons get all cores of the job"
    echo 'status=0'
    if [ "$array" = 1 ]; then
        echo "case \$SLURM_ARRAY_TASK_ID in"
        for ((t = 0; t < ${#tasks[@]}; t++)); do
            echo "$t) ${tasks[t]} ;;"
        done
        echo 'esac'
    else
        echo "${tasks[0]}"
    fi
    echo "[ \$status -le 128 ] || status=1 # a signal ended the launcher: the world failed"
    echo "exit \$status"
}

submit() { # script
    local said
    if [ "$dry_run" = 1 ]; then
        printf '%s\n' "$1"
        return
    fi
    command -v sbatch >/dev/null || mistake "there is no sbatch here; run it where Slurm is, or see --dry-run"
    said=$(sbatch --parsable <<<"$1" 2>&1) || mistake "sbatch refused: ${said//$'\n'/; }"
    printf 'job %s: progress in %s\n' "${said##*$'\n'}" "$(sed -n 's/^#SBATCH --output=//p' <<<"$1")"
}

parse "$@"
check
scripts=()
for n in ${nodes//,/ }; do # all of them first: nothing is submitted when one is wrong
    scripts+=("$(batch_script "$n")")
done
for script in "${scripts[@]}"; do
    submit "$script"
done
