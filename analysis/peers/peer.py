"""What every peer needs: its options, an environment with its packages, and a row of the result file per repetition.

A peer is one script: it runs the model of bert.py in another system and calls record() for every repetition. See
crypten_bert.py and spu_bert.py.
"""
from __future__ import annotations

import argparse
import datetime
import os
import shlex
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "analysis"))

LARGEST_ERROR = 0.1
"""Logits may differ from the plain model's by a tenth of the largest logit: fixed point with 16 to 18 bits and
iterative approximations through twelve layers cost a few per cent; anything that is wrong costs everything."""


class PeerError(Exception):
    """One line for the user: what cannot be done, why, what would work."""


@dataclass
class Measured:
    """One repetition. Bytes by party, counted by the peer at the sender; what it does not tell stays empty or 0."""

    online_ns: int
    offline_ns: int = 0
    setup_ns: int = 0
    online_bytes: list[int] = field(default_factory=list)
    online_messages: int = 0
    online_rounds: int = 0
    peak_memory: list[int] = field(default_factory=list)
    error: float = float("nan")


def environment_python(name: str, packages: list[str], unresolved: list[str], see_system: bool) -> Path:
    """The Python of build/peers/NAME, made with venv and pip if it is not there. `unresolved` are installed without
    what they say they depend on. see_system: packages of /usr/bin/python3 are seen, torch for one."""
    folder = ROOT / "build" / "peers" / name
    python, ready = folder / "bin" / "python", folder / "ready"
    wanted = " ".join([*packages, *unresolved])
    if ready.exists() and ready.read_text(encoding="utf-8") == wanted:
        return python
    print(f"{name}: making {folder}", file=sys.stderr, flush=True)
    base = "/usr/bin/python3" if see_system else sys.executable
    pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    steps = [[base, "-m", "venv", *(["--system-site-packages"] if see_system else []), "--clear", str(folder)],
             [*pip, "--no-deps", *unresolved] if unresolved else [], [*pip, *packages] if packages else []]
    for step in filter(None, steps):
        done = subprocess.run(step, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            last = (done.stderr.strip().splitlines() or ["no message"])[-1]
            raise PeerError(f"{name}: cannot install ({shlex.join(step)}): {last}")
    ready.write_text(wanted, encoding="utf-8")
    return python


def parse(description: str, add_options: object = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--config", default="bert-base", help="bert-tiny, bert-mini, bert-base (default) or bert-large")
    parser.add_argument("--seq", default="8,16,32,64,128", metavar="LIST", help="sequence lengths")
    parser.add_argument("--repeat", type=int, default=3, metavar="N", help="measured repetitions (default 3)")
    parser.add_argument("--warmup", type=int, default=1, metavar="N", help="repetitions before them, checked but not "
                        "recorded (default 1)")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="of the weights (default 1)")
    parser.add_argument("--input-seed", type=int, default=1, metavar="N", help="of the input (default 1)")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="result file; rows are added to it, "
                        "and repetitions that it holds already are not measured again")
    if add_options:
        add_options(parser)
    given = parser.parse_args()
    try:
        given.seq = [int(s) for s in given.seq.split(",")]
    except ValueError:
        parser.error(f"--seq takes numbers with commas between, not {given.seq}")
    if min(given.seq) < 1 or given.repeat < 1 or given.warmup < 0:
        parser.error("lengths and repetitions begin at 1")
    return given


def first_line(path: str, word: str) -> str:
    try:
        lines = Path(path).read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return "unknown"
    return next((line.split(":", 1)[-1].strip() for line in lines if word in line), "unknown")


def utc() -> str:
    return datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def environment(versions: dict[str, str]) -> dict[str, str]:
    """/environment of this launch. `versions`: of the peer and of what computes for it."""
    governor = "/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"
    return {"hosts": "1", "host_names": socket.gethostname(), "cores": str(len(os.sched_getaffinity(0))),
            "command_line": shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]]), "peer": Path(sys.argv[0]).stem,
            "cpu": first_line("/proc/cpuinfo", "model name"),
            "governor": first_line(governor, ""), "python": sys.version.split()[0], **versions, "utc": utc()}


def point(shape: object, system: str, protocol: str, parties: int, kernel: str, transport: str, mode: str, seq: int,
          input_seed: int) -> dict[str, object]:
    """The fields of a row that a repetition does not change."""
    return dict(system=system, model=shape.name, layers=shape.layers, hidden=shape.hidden, heads=shape.heads,
                ffn=shape.ffn, seq_len=seq, batch=1, parties=parties, ranks_per_party=1, threads=1, protocol=protocol,
                net="none", kernel=kernel, transport=transport, mode=mode,
                together=os.environ.get("PQ_TOGETHER", ""), input_seed=input_seed)


def verdict(error: float) -> str:
    return "VALID" if error <= LARGEST_ERROR else "INVALID"  # not a number is not below it


def row(fixed: dict[str, object], m: Measured, repetition: int) -> dict[str, object]:
    of_party = {f"online_bytes_p{i}": n for i, n in enumerate(m.online_bytes[:3])}
    of_party |= {f"peak_memory_p{i}": n for i, n in enumerate(m.peak_memory[:3])}
    return dict(fixed, **of_party, repetition=repetition, setup_ns=m.setup_ns, offline_ns=m.offline_ns,
                online_ns=m.online_ns, online_bytes=sum(m.online_bytes), online_messages=m.online_messages,
                online_rounds=m.online_rounds, relative_error=m.error, verdict=verdict(m.error), utc=utc())


def record(recorder: object, fixed: dict[str, object], repeat: int, measure: Iterator[Measured]) -> bool:
    """Adds what is missing of the point's `repeat` repetitions, taking them from `measure`, which yields a warmed-up
    one at a time; it is not begun when nothing is missing. False: one was INVALID."""
    name = f"{fixed['system']} {fixed['model']} S={fixed['seq_len']}"
    have, valid = recorder.count(fixed), True
    if have >= repeat:
        print(f"{name}: in the file already")
        return True
    for number in range(have, repeat):
        m = next(measure)
        done = row(fixed, m, number)
        recorder.add(done)
        valid = valid and done["verdict"] == "VALID"
        print(f"{name}: online {m.online_ns / 1e9:.3f} s, offline {m.offline_ns / 1e9:.3f} s, "
              f"{sum(m.online_bytes) / 1e6:.1f} MB, relative error {m.error:.4f}, {done['verdict']}", flush=True)
    measure.close()
    return valid
