#!/usr/bin/env bash
# The kernels' tests with AVX-512 on a machine that has none: in Bochs, a whole processor in software (an Ice Lake with VNNI,
# VBMI and VAES, no AMX), which starts Debian's kernel and nothing but the tests. Some 10 minutes of one core.
#
#   emulated.sh BUILD     folder of the built tests; everything it makes, and what the tests said, goes to BUILD/emulated
#
# Debian, with what `jobs/packages.sh --emulator` installs. The kernel's package is fetched and unpacked, not installed.
# Status 0: all passed. 1: not. 77: something is missing, nothing was run.
set -euo pipefail

build=$(cd "${1:?usage: emulated.sh BUILD}" && pwd)
work=$build/emulated
programs=(test_gemm16 test_prg test_bits test_table test_share test_signs16)
boot_loader=(/usr/lib/ISOLINUX/isolinux.bin /usr/lib/syslinux/modules/bios/ldlinux.c32)

for need in bochs busybox cpio xorriso; do
    if ! command -v "$need" >/dev/null; then
        echo "emulated.sh: $need is missing; jobs/packages.sh --emulator installs it" >&2
        exit 77
    fi
done

fetch_kernel() {
    local package
    package=$(apt-cache depends linux-image-cloud-amd64 | sed -n 's/.*Depends: \(linux-image-.*\)/\1/p' | head -n 1)
    if ! apt-get download -qq -o APT::Sandbox::User=root "$package" || ! dpkg -x ./"$package"_*.deb kernel; then
        echo "emulated.sh: the package of a kernel cannot be fetched" >&2
        exit 77
    fi
}

# What runs in the emulated machine, all of it.
write_init() {
    cat <<'INIT'
#!/bin/busybox sh
/bin/busybox --install -s /bin
export PATH=/bin LD_LIBRARY_PATH=/lib OMP_WAIT_POLICY=passive OMP_NUM_THREADS=2 OPENBLAS_NUM_THREADS=1
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev 2>/dev/null
exec >/dev/ttyS0 2>&1 </dev/null
run() {
    "$@"
    echo "== $*: status $?"
}
cd /tests
for variant in avx512bw avx512vnni strassen strassen512; do
    run ./test_gemm16 $variant
done
run ./test_prg vaes512
run ./test_bits
run ./test_table
run ./test_share
run ./test_signs16
echo "== the end"
sleep 1
poweroff -f
for c in S h u t d o w n; do # a port by which Bochs ends
    printf $c | dd of=/dev/port bs=1 seek=35072 2>/dev/null
done
INIT
}

# A disk that starts the kernel with a file system in memory: busybox, the programs and their libraries.
make_disk() {
    local library
    mkdir -p root/{bin,proc,sys,dev,tmp,tests,lib,lib64} disk/isolinux
    cp "$(command -v busybox)" root/bin/busybox
    cp "${programs[@]/#/$build/}" root/tests/
    for library in $(ldd root/tests/* | awk '/=> \//{print $3} /^\t\/lib/{print $1}' | sort -u); do
        case $library in
            */ld-linux*) cp -L "$library" root/lib64/ ;;
            *) cp -L "$library" root/lib/ ;;
        esac
    done
    write_init >root/init
    chmod 755 root/init
    (cd root && find . | cpio -o -H newc --quiet | gzip -1) >disk/initrd.gz
    cp kernel/boot/vmlinuz-* disk/vmlinuz
    cp "${boot_loader[@]}" disk/isolinux/
    # Bochs describes some features of its processor in a way that makes the kernel do without XSAVE, or hang.
    cat >disk/isolinux/isolinux.cfg <<'LOADER'
default tests
prompt 0
timeout 0
label tests
    kernel /vmlinuz
    append initrd=/initrd.gz console=ttyS0,115200 clearcpuid=pku,xsaves,xsavec,fsrm mitigations=off nokaslr nopti audit=0 random.trust_cpu=on tsc=reliable no_timer_check nowatchdog loglevel=4
LOADER
    xorriso -as mkisofs -quiet -o disk.iso -b isolinux/isolinux.bin -c isolinux/boot.cat -no-emul-boot -boot-load-size 4 \
        -boot-info-table disk 2>xorriso.log
}

write_machine() {
    cat <<'MACHINE'
plugin_ctrl: unmapped=1, biosdev=1, speaker=0, extfpuirq=1, parallel=0, serial=1
display_library: rfb, options="timeout=0"
config_interface: textconfig
memory: guest=768, host=768
romimage: file=/usr/share/bochs/BIOS-bochs-latest
vgaromimage: file=/usr/share/bochs/VGABIOS-lgpl-latest
cpu: count=1, model=corei7_icelake_u, ips=100000000, reset_on_triple_fault=0
clock: sync=none, time0=1700000000
ata0: enabled=1, ioaddr1=0x1f0, ioaddr2=0x3f0, irq=14
ata0-master: type=cdrom, path=disk.iso, status=inserted
boot: cdrom
com1: enabled=1, mode=file, dev=said.txt
log: bochs.log
panic: action=fatal
error: action=report
info: action=ignore
debug: action=ignore
MACHINE
}

rm -rf "$work"
mkdir -p "$work"
cd "$work"
fetch_kernel
make_disk
write_machine >machine.txt
echo c >go.txt # "continue": what Bochs's debugger is told to do first, where it has one
timeout 5400 bochs -q -f machine.txt -rc go.txt </dev/null >bochs.out 2>&1 || true

grep -a '^== \|FAILED' said.txt || true
if ! grep -aq '^== the end' said.txt; then
    echo "emulated.sh: the emulated machine did not come to the end; see $work/said.txt and bochs.log" >&2
    exit 1
fi
! grep -a '^== \./test' said.txt | grep -qv 'status 0'
