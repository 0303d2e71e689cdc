"""No branch and no address of a kernel depends on a secret, also of AVX-512 and AMX variants, which valgrind does not
know: trace_secrets.c takes each case (secrets.h) step by step with three secrets, and the steps must be the same ones,
with the same contents in all registers that make an address. Vector registers are not noted, so no step may be a
gather or a scatter; a division's time depends on its operands, so these count as an address. Planted faults must be
noticed. Only what these secrets reach is seen: a branch taken for rare values alone is for valgrind to find.

usage: test_traces.py TRACE_SECRETS [CASE ...]   without cases: all but those of plain arithmetic alone, which valgrind
                                                 sees whole and which take many steps (PQ_EXTENDED=1: these too)
"""

import collections
import os
import re
import subprocess
import sys
import tempfile

import numpy as np

REGISTERS = "rip rax rbx rcx rdx rsi rdi rbp rsp r8 r9 r10 r11 r12 r13 r14 r15".split()
LONG = {"gemm16-ref", "gemm16-blas"}
SECRETS = 3
PREFIXES = {"rep", "repz", "repnz", "lock", "bnd", "notrack", "data16", "cs"}
# Vectors that make an address and are no secret: case, instruction, why.
PUBLIC_VECTORS = {
    ("gemm16-amx", "vpscatterdd"): "left_by_cols writes to row_starts, a constant",
}
MEMORY = re.compile(r"\(([^)]*)\)")
STRING = re.compile(r"\b(movs|stos|cmps|scas|lods)[bwlq]?\b.*%[er]?[sd]i")


def canonical(register):
    """eax, ax, al, r8d -> rax, r8; None: not a general register."""
    name = register.strip().lstrip("%")
    m = re.fullmatch(r"(r\d+)[dwb]?", name)
    if m:
        return m.group(1)
    m = re.fullmatch(r"[re]?([abcd])[xlh]", name) or re.fullmatch(r"[re]?(si|di|bp|sp)l?", name)
    if not m:
        return None
    part = m.group(1)
    return "r" + (part + "x" if len(part) == 1 else part)


def address_registers(text):
    """Registers whose contents this instruction's address, or its time, depends on; None: vectors make its address."""
    mnemonic = next(w for w in text.split() if w not in PREFIXES)
    if re.match(r"v?p?(gather|scatter)", mnemonic):
        return None
    if mnemonic.startswith(("lea", "nop")):
        return set()
    used = set()
    for operand in MEMORY.findall(text):
        for register in operand.split(",")[:2]:
            name = canonical(register) if register.strip() else None
            if name:
                used.add(name)
    if mnemonic.startswith(("push", "pop", "call", "ret", "leave")):
        used.add("rsp")
    if STRING.search(text):
        used |= {"rsi", "rdi"}
    if text.startswith("rep") and mnemonic != "ret":  # "repz ret" repeats nothing
        used.add("rcx")
    if mnemonic.startswith(("div", "idiv")):
        used |= {"rax", "rdx"} | {canonical(r) for r in re.findall(r"%\w+", text)} - {None}
    if mnemonic.startswith(("j", "call")) and "*" in text:
        used |= {canonical(r) for r in re.findall(r"%\w+", text)} - {None}
    return used


def code_at(addresses, maps):
    """Disassembled instructions by address."""
    found = {}
    files = collections.defaultdict(list)
    for line in open(maps):
        fields = line.split()
        if len(fields) < 6 or "x" not in fields[1] or not fields[5].startswith("/"):
            continue
        first, last = (int(x, 16) for x in fields[0].split("-"))
        inside = addresses[(addresses >= first) & (addresses < last)]
        if len(inside):
            files[fields[5]].append((first, int(fields[2], 16), inside))
    for file, parts in files.items():
        headers = subprocess.run(["objdump", "-p", file], check=True, capture_output=True, text=True).stdout
        segments = [(int(m.group(1), 16), int(m.group(2), 16))
                    for m in re.finditer(r"LOAD off\s+0x(\w+) vaddr 0x(\w+)", headers)]
        for first, offset, inside in parts:
            begin, virtual = max(s for s in segments if s[0] <= offset)
            shift = first - offset + begin - virtual
            pieces = np.split(inside, np.flatnonzero(np.diff(inside) > 4096) + 1)
            for piece in pieces:
                low, high = int(piece[0]) - shift, int(piece[-1]) - shift + 16
                # Not every address begins an instruction: disassembly starts where one was executed.
                command = ["objdump", "-d", "--no-show-raw-insn", f"--start-address={low}", f"--stop-address={high}"]
                text = subprocess.run(command + [file], check=True, capture_output=True, text=True).stdout
                for m in re.finditer(r"^\s*([0-9a-f]+):\t([^#<\n]*)", text, re.M):
                    found[int(m.group(1), 16) + shift] = m.group(2).strip()
    return found


def read(path):
    """Steps of each secret: a list of arrays [steps][registers]."""
    records = np.fromfile(path, dtype=np.uint64).reshape(-1, len(REGISTERS))
    ends = np.flatnonzero(records[:, 0] == 0)
    assert len(ends) == SECRETS, f"{path}: {len(ends)} traces"
    return [records[first:last] for first, last in zip(np.append(0, ends[:-1] + 1), ends)]


def findings(name, path):
    """What depends on the secret, as lines; and how many steps a run took."""
    runs = read(path)
    steps = len(runs[0])
    for other in runs[1:]:
        n = min(steps, len(other))
        apart = np.flatnonzero(runs[0][:n, 0] != other[:n, 0])
        if len(apart) or len(other) != steps:
            at = apart[0] if len(apart) else n
            before = runs[0][max(int(at) - 1, 0), 0]
            code = code_at(np.array([before]), path + ".maps").get(int(before), "?")
            return [f"the ways part after step {at}, {int(before):#x}: {code}"], steps
    differs = np.any([other != runs[0] for other in runs[1:]], axis=0)
    where, number = np.unique(runs[0][:, 0], return_inverse=True)
    registers = np.zeros((len(where), len(REGISTERS)), dtype=bool)
    np.logical_or.at(registers, number, differs)
    code = code_at(where, path + ".maps")
    lines = []
    for address, row in zip(where, registers):
        text = code.get(int(address))
        if text is None:
            lines.append(f"{int(address):#x}: code that belongs to no file")
            continue
        used = address_registers(text)
        if used is None and (name, text.split()[0]) in PUBLIC_VECTORS:
            continue
        secret = {REGISTERS[i] for i in np.flatnonzero(row)}
        if used is None or used & secret:
            whose = "vectors" if used is None else ", ".join(sorted(used & secret))
            lines.append(f"{int(address):#x}: {text}: {whose}")
    return lines, steps


def main():
    program, chosen = sys.argv[1], sys.argv[2:]
    # malloc's ways depend on what was freed before, unless that leaves nothing behind
    environment = dict(os.environ, LD_BIND_NOW="1", OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1",
                       GLIBC_TUNABLES="glibc.malloc.tcache_count=0:glibc.malloc.mxfast=0")
    listed = subprocess.run([program], check=True, capture_output=True, text=True).stdout.splitlines()
    wrong = total = 0
    for line in listed:
        name, planted = line.split()[0], line.endswith(" planted")
        if chosen and name not in chosen or not chosen and name in LONG and not os.environ.get("PQ_EXTENDED"):
            continue
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "trace")
            status = subprocess.run([program, name, path], env=environment).returncode
            if status == 77:
                print("this machine lets no process trace another: nothing was looked at")
                sys.exit(77)
            assert status == 0, f"{name}: trace_secrets ended with {status}"
            lines, steps = findings(name, path)
        total += steps
        right = bool(lines) == planted
        wrong += not right
        said = "WRONG" if not right else "noticed: " + lines[0] if planted else "right"
        print(f"{name:20} {steps:8} steps  {said}", flush=True)
        for text in lines if not right else ():
            print("    " + text)
    print(f"{total} steps with each of {SECRETS} secrets, {wrong} cases wrong")
    assert total > 0
    sys.exit(wrong > 0)


main()
