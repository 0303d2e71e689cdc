#!/usr/bin/env bash
# Makes sure that everything needed to build, test and report is there. Run it or source it; from any folder.
#
# Looks for each thing by using it (so modules of a cluster count), and on Debian or Ubuntu installs the packages of
# what is missing, as root or through sudo. Elsewhere, or without the right to install, it says which packages are
# missing and ends with status 2. Nothing missing: nothing is done.
#
#   PQ_INSTALL=0    only say what is missing
set -euo pipefail

pq_python_ready() {
    local python
    for python in "${PQ_PYTHON:-}" python3 /usr/bin/python3; do
        if [ -n "$python" ] && "$python" -c "import $1" >/dev/null 2>&1; then
            return 0
        fi
    done
    return 1
}

pq_cmake_ready() { # 3.25 or later
    local version
    version=$(cmake --version 2>/dev/null | sed -n '1s/[^0-9]*\([0-9.]*\).*/\1/p')
    [ -n "$version" ] && [ "$(printf '3.25\n%s\n' "$version" | sort -V | head -n 1)" = 3.25 ]
}

pq_library_ready() {
    local name
    for name in "$@"; do
        if pkg-config --exists "$name" 2>/dev/null; then
            return 0
        fi
    done
    return 1
}

pq_package_ready() {
    case $1 in
        build-essential)     command -v cc && command -v make ;;
        cmake)               pq_cmake_ready ;;
        ninja-build)         command -v ninja ;;
        pkg-config)          command -v pkg-config ;;
        git)                 command -v git ;;
        libopenmpi-dev)      command -v mpicc ;;
        openmpi-bin)         command -v mpirun ;;
        libhdf5-openmpi-dev) pq_library_ready hdf5-openmpi hdf5 ;;
        libopenblas-dev)     pq_library_ready openblas ;;
        libhwloc-dev)        pq_library_ready hwloc ;;
        libssl-dev)          pq_library_ready libcrypto ;;
        libcmocka-dev)       pq_library_ready cmocka ;;
        python3-*)           pq_python_ready "${1#python3-}" ;;
    esac >/dev/null 2>&1
}

pq_missing_packages() {
    local package
    for package in build-essential cmake ninja-build pkg-config git libopenmpi-dev openmpi-bin libhdf5-openmpi-dev \
        libopenblas-dev libhwloc-dev libssl-dev libcmocka-dev python3-h5py python3-numpy python3-matplotlib; do
        pq_package_ready "$package" || printf '%s ' "$package"
    done
}

pq_install_packages() {
    local missing as_root=()
    missing=$(pq_missing_packages)
    if [ -z "$missing" ]; then
        return 0
    fi
    if [ "$(id -u)" -ne 0 ]; then
        as_root=(sudo)
    fi
    if [ "${PQ_INSTALL:-1}" = 0 ] || ! command -v apt-get >/dev/null ||
        { [ "${#as_root[@]}" -gt 0 ] && ! command -v sudo >/dev/null; }; then
        echo "packages.sh: missing (names of Debian packages): $missing; install them or their like, or run as root" \
            "on Debian 12 or later" >&2
        return 2
    fi
    echo "packages.sh: installing $missing"
    # shellcheck disable=SC2086  # a list of words
    if ! { "${as_root[@]}" apt-get update -qq && "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
        apt-get install -y -qq --no-install-recommends $missing >/dev/null; }; then
        echo "packages.sh: apt-get could not install: $missing; its messages are above" >&2
        return 2
    fi
    hash -r
    missing=$(pq_missing_packages)
    if [ -n "$missing" ]; then
        echo "packages.sh: installed but still not usable, too old perhaps: $missing" >&2
        return 2
    fi
}

pq_install_packages
