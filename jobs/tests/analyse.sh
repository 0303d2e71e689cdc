#!/usr/bin/env bash
# Static analysis: no finding but the exceptions, which stand with their reasons in .clang-tidy and cppcheck.supp.
#
#   analyse.sh tidy|cppcheck BUILD      BUILD has compile_commands.json. tidy: the program, neither
#                                       tests nor fuzz targets.
#
# Status 0: clean. 77: the tool is not installed. 1: findings, or a planted fault that went unnoticed.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
tool=$1 build=$2
work=$(mktemp -d)
trap 'rm -r "$work"' EXIT

check() { # folder of compile_commands.json, files
    local folder=$1
    shift
    if [ "$tool" = tidy ]; then
        printf '%s\0' "$@" | xargs -0 -P "$(nproc)" -n 4 \
            clang-tidy --quiet --config-file="$root/.clang-tidy" -p "$folder" 2>/dev/null
    else
        cppcheck --project="$folder/compile_commands.json" -j "$(nproc)" --enable=warning,performance,portability \
            --std=c11 --suppressions-list="$root/jobs/tests/cppcheck.supp" --suppress=missingIncludeSystem \
            --error-exitcode=1 --quiet
    fi
}

case $tool in
    tidy) command -v clang-tidy ;;
    cppcheck) command -v cppcheck ;;
esac >/dev/null || exit 77

# The test of the test: an array read past its end, and a branch on what nobody wrote.
cat >"$work/planted.c" <<'C'
int planted(int n);
int planted(int n)
{
    int a[4] = { 0 }, b;
    if (n > 100)
        b = a[4];
    return b ? n : a[0] / (n - n);
}
C
printf '[{"directory": "%s", "file": "planted.c", "command": "cc -c planted.c"}]' "$work" >"$work/compile_commands.json"
if check "$work" "$work/planted.c" >/dev/null 2>&1; then
    echo "analyse.sh: $tool did not notice planted faults" >&2
    exit 1
fi

mapfile -t files < <(sed -n 's/^ *"file": "\(.*\)",\{0,1\}$/\1/p' "$build/compile_commands.json" |
    grep -vE '/(tests|fuzz)/' | sort -u)
if [ "${#files[@]}" -lt 50 ]; then
    echo "analyse.sh: only ${#files[@]} files in $build/compile_commands.json" >&2
    exit 1
fi
check "$build" "${files[@]}" || exit 1
echo "$tool: clean"
