#!/usr/bin/env bash
# Prints the path of a Python that can import what the report needs: h5py, jinja2, matplotlib, numpy, pandas.
#
# Tries PQ_PYTHON if set, python3 on PATH, /usr/bin/python3, and the virtual environment build/python; if none can,
# makes that environment with pip. Status 2 and one line when that fails too.
#
#   python.sh MODULE...   a Python that can import these instead; makes none
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
made=$root/build/python

modules="h5py jinja2 matplotlib numpy pandas"
[ $# -eq 0 ] || modules="$*"

usable() {
    command -v "$1" >/dev/null && "$1" -c "import ${modules// /, }" >/dev/null 2>&1
}

for python in ${PQ_PYTHON:+"$PQ_PYTHON"} python3 /usr/bin/python3 "$made/bin/python3"; do
    if usable "$python"; then
        command -v "$python"
        exit 0
    fi
done

if [ $# -gt 0 ]; then
    echo "python.sh: no Python here has all of $modules" >&2
    exit 2
fi
echo "python.sh: no Python here has all of $modules; making build/python" >&2
# shellcheck disable=SC2086  # a list of words
if ! { python3 -m venv "$made" && "$made/bin/python3" -m pip install --quiet $modules; } >&2 ||
    ! usable "$made/bin/python3"; then
    echo "python.sh: cannot make build/python; install $modules, or set PQ_PYTHON" >&2
    exit 2
fi
echo "$made/bin/python3"
