#!/usr/bin/env bash
# Puts the result files of many jobs into one and shows it. The files stay.
#
#   jobs/collect.sh OUT.h5 IN.h5|FOLDER... [--force]
#
# A FOLDER stands for all *.h5 in it. What does not belong together is refused in one line, code 2 (`pqbert results
# merge --help`): a point twice, two models of one name; without --force also other programs, processors or seed modes.
#
#   PQ_PROGRAM=FILE    the program (default build/pqbert)
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
program=${PQ_PROGRAM:-$root/build/pqbert}
usage='collect.sh OUT.h5 IN.h5|FOLDER... [--force]'
mistake() {
    printf 'collect.sh: %s\n' "$*" >&2
    exit 2
}

[ -x "$program" ] || mistake "$program is not there; build it, or name it with PQ_PROGRAM"
out='' force=() files=()
for word in "$@"; do
    if [ "$word" = --help ]; then
        sed -n '2,/^set -euo/{/^#/{s/^# \{0,1\}//;p}}' "${BASH_SOURCE[0]}"
        exit 0
    elif [ "$word" = --force ]; then
        force=(--force)
    elif [[ $word == -* ]]; then
        mistake "$word cannot be understood; use: $usage"
    elif [ -z "$out" ]; then
        out=$word
    elif [ -d "$word" ]; then
        found=("$word"/*.h5)
        [ -e "${found[0]}" ] || mistake "$word holds no .h5 file"
        files+=("${found[@]}")
    else
        files+=("$word")
    fi
done
[ ${#files[@]} -gt 0 ] || mistake "give OUT.h5 and what to put into it; use: $usage"
"$program" results merge "$out" "${files[@]}" "${force[@]}"
exec "$program" results show "$out"
