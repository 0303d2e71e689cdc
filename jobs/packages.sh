#!/usr/bin/env bash
# Makes sure that everything needed to build, test and report is there. Run it or source it; from any folder.
#
# Looks for each thing by using it (so modules of a cluster count), and on Debian or Ubuntu installs the packages of
# what is missing, as root or through sudo. Elsewhere, or without the right to install, it says which packages are
# missing and ends with status 2. Nothing missing: nothing is done.
#
# With --tests also what only some tests need, a Slurm and network tools, a browser, and analysers (valgrind, clang
# with its sanitizers and clang-tidy, cppcheck; some 700 MB on the disk): as root alone, since some of those tests need
# root too; what cannot be had is said, and the tests are skipped. No service is started. PyTorch (some 400 MB) is what
# model_io/train needs.
#
# With --emulator also what kernels/tests/emulated.sh needs (a processor in software; some 30 MB).
#
# With --peers also what jobs/compare.sh needs to make environments for other systems (some 400 MB).
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

# Whether clang links a program with these sanitizers, and further options.
pq_clang_ready() {
    local sanitizers=$1
    shift
    printf 'int LLVMFuzzerTestOneInput(void) { return 0; }%s' \
        "$([ "$sanitizers" = address ] && echo ' int main(void) { return 0; }')" |
        clang -fsanitize="$sanitizers" "$@" -x c - -o /dev/null
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
        python3-torch)       /usr/bin/python3 -c 'import torch' ;; # an environment that sees it is made of this Python
        python3-venv)        /usr/bin/python3 -c 'import ensurepip, venv' ;;
        chromium)            command -v chromium || command -v chromium-browser || command -v google-chrome ;;
        libutf8proc-dev)     pq_library_ready libutf8proc ;;
        libjansson-dev)      pq_library_ready jansson ;;
        python3-*)           pq_python_ready "${1#python3-}" ;;
        slurmctld | slurmd)  command -v "$1" ;;
        slurm-client)        command -v sbatch ;;
        munge)               command -v munged ;;
        iproute2)            command -v ip ;;
        libclang-rt-dev)     pq_clang_ready fuzzer,address,undefined ;;
        libomp-dev)          pq_clang_ready address -fopenmp ;;
        valgrind)            command -v valgrind && test -e /usr/include/valgrind/memcheck.h ;;
        clang | clang-tidy | cppcheck | bochs | cpio | xorriso) command -v "$1" ;;
        busybox-static)      command -v busybox ;;
        isolinux)            test -e /usr/lib/ISOLINUX/isolinux.bin ;;
        syslinux-common)     test -e /usr/lib/syslinux/modules/bios/ldlinux.c32 ;;
    esac >/dev/null 2>&1
}

PATH=$PATH:/usr/sbin:/sbin # where a user's PATH lacks them: slurmctld, slurmd, munged

pq_needed=(build-essential cmake ninja-build pkg-config git libopenmpi-dev openmpi-bin libhdf5-openmpi-dev
    libopenblas-dev libhwloc-dev libssl-dev libcmocka-dev libutf8proc-dev libjansson-dev python3-h5py python3-numpy
    python3-matplotlib python3-pandas python3-jinja2)
pq_needed_by_tests=(slurmctld slurmd slurm-client munge iproute2 python3-venv)
pq_needed_by_browser_test=(chromium)
pq_needed_by_training=(python3-torch)
pq_needed_by_checks=(clang libclang-rt-dev libomp-dev valgrind clang-tidy cppcheck)
pq_needed_by_peers=(python3-torch python3-venv)
pq_needed_by_emulator=(bochs busybox-static cpio xorriso isolinux syslinux-common)

pq_missing_packages() {
    local package
    for package in "$@"; do
        pq_package_ready "$package" || printf '%s ' "$package"
    done
}

# The packages bring services; where nothing says otherwise, apt would start them.
pq_install_quietly() {
    local policy=/usr/sbin/policy-rc.d status=0
    if [ -e $policy ]; then
        pq_install_packages "$@"
        return
    fi
    printf '#!/bin/sh\nexit 101\n' >$policy
    chmod 755 $policy
    pq_install_packages "$@" || status=$?
    rm -f $policy
    return $status
}

pq_install_for_tests() {
    local missing
    missing=$(pq_missing_packages "$@")
    if [ -z "$missing" ]; then
        return 0
    fi
    if [ "$(id -u)" -ne 0 ] || ! pq_install_quietly "$@"; then
        echo "packages.sh: without $missing some tests are skipped" >&2
    fi
}

pq_install_packages() {
    local missing as_root=()
    missing=$(pq_missing_packages "$@")
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
    missing=$(pq_missing_packages "$@")
    if [ -n "$missing" ]; then
        echo "packages.sh: installed but still not usable, too old perhaps: $missing" >&2
        return 2
    fi
}

pq_install_packages "${pq_needed[@]}"
case ${1:-} in
    --tests)
        pq_install_for_tests "${pq_needed_by_tests[@]}"
        pq_install_for_tests "${pq_needed_by_browser_test[@]}"
        pq_install_for_tests "${pq_needed_by_training[@]}"
        pq_install_for_tests "${pq_needed_by_checks[@]}"
        ;;
    --emulator)
        pq_install_packages "${pq_needed_by_emulator[@]}"
        ;;
    --peers)
        pq_install_packages "${pq_needed_by_peers[@]}"
        ;;
esac
