#!/usr/bin/env python3
"""CrypTen as a peer: the model of bert.py between two processes on this host, one thread each, over loopback.

    analysis/peers/crypten_bert.py --seq 8,16 --repeat 3 --out r.h5

CrypTen comes from PyPI into an environment that is made on the first run; torch is Debian's python3-torch. Party 0 owns
the weights, party 1 the input, and sees the logits. CrypTen's default dealer is party 0 itself ("trusted first party"),
which protects nothing: rows say INSECURE-BENCH. It deals without messages, so its offline traffic is not counted
either.

    --tuples ahead    (default) a first inference records which random tuples are needed; they are made before every
                      repetition, timed as offline. Takes memory: 17 GB for BERT-base at length 128
    --tuples inline   tuples are made while the inference runs, as CrypTen does when nothing is said: all is online

GELU by its tanh, since CrypTen's erf is a Taylor series that diverges where activations lie. Bytes are CrypTen's own
count: it counts what a party sends and what it receives, so that half of the parties' sum was sent. Its rounds are
collectives.
"""
from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import peer

PACKAGES = ["omegaconf==2.3.0", "antlr4-python3-runtime==4.9.3", "onnx==1.14.1", "protobuf<5"]
UNRESOLVED = ["crypten==0.4.1"]  # asks for torchvision and tensorboard, too, which inference never imports
PARTIES = 2
ELEMENT = 8  # bytes


def enter_environment() -> None:
    """Starts this script again with the Python that has CrypTen."""
    python = peer.environment_python("crypten", PACKAGES, UNRESOLVED, see_system=True)
    if Path(sys.executable).parent != python.parent:
        os.execv(python, [str(python), *sys.argv])


def options(parser: object) -> None:
    parser.add_argument("--tuples", choices=("ahead", "inline"), default="ahead", help="when random tuples are made")


# One party, in its own process


def tuple_elements(request: tuple) -> int:
    """64-bit words that one party keeps for a recorded request."""
    import torch

    name, sizes = request[0], [torch.Size(a).numel() for a in request[1] if not isinstance(a, str)]
    if name == "generate_additive_triple":
        out = getattr(torch, request[1][2])(torch.empty(request[1][0], device="meta"),
                                            torch.empty(request[1][1], device="meta")).numel()
        return sum(sizes) + out
    return {"square": 2, "generate_binary_triple": 1.5, "wrap_rng": 2, "B2A_rng": 2}[name] * sum(sizes)


def check_memory(requests: list[tuple]) -> None:
    need = PARTIES * ELEMENT * sum(map(tuple_elements, requests))
    free = int(peer.first_line("/proc/meminfo", "MemAvailable").split()[0]) * 1024
    if need > 0.9 * free:
        raise peer.PeerError(f"crypten: tuples ahead take {need / 1e9:.1f} GB for both parties, {free / 1e9:.1f} GB "
                             "are free; use --tuples inline")


class Party:
    def __init__(self, rank: int, shape: object, seed: int) -> None:
        import bert
        import crypten
        import torch

        torch.set_num_threads(1)
        crypten.init()
        crypten.cfg.communicator.verbose = True  # counts
        self.crypten, self.torch, self.bert, self.rank, self.shape = crypten, torch, bert, rank, shape
        start = time.perf_counter_ns()
        self.w = {name: self.secret(value, 0) for name, value in bert.make_weights(shape, seed).items()}
        self.setup_ns = time.perf_counter_ns() - start

    def secret(self, value: object, owner: int) -> object:
        """Shared by its owner; the other knows the shape alone."""
        tensor = self.torch.from_numpy(value)
        return self.crypten.cryptensor(tensor if self.rank == owner else self.torch.zeros_like(tensor), src=owner)

    def normalise(self, x: object, layer: int, which: int) -> object:
        centred = x - x.mean(-1, keepdim=True)
        scale = (centred.square().mean(-1, keepdim=True) + self.bert.EPSILON).inv_sqrt()
        return centred * scale * self.w[f"{layer}.gamma{which}"] + self.w[f"{layer}.beta{which}"]

    def gelu(self, x: object) -> object:
        inner = (x + x * x.square() * self.bert.GELU_CUBIC) * self.bert.GELU_FACTOR
        return x * (inner.tanh() + 1) * 0.5

    def linear(self, x: object, name: str) -> object:
        return x.matmul(self.w[name]) + self.w[f"{name}_bias"]

    def attention(self, x: object, layer: int) -> object:
        seq, shape = x.size(0), self.shape
        qkv = self.linear(x, f"{layer}.qkv").view(seq, 3, shape.heads, shape.head_dim)
        q, k, v = (qkv[:, i].transpose(0, 1) for i in range(3))
        context = q.matmul(k.transpose(1, 2)).softmax(-1).matmul(v)
        return context.transpose(0, 1).reshape(seq, shape.hidden)

    def infer(self, text: object) -> object:
        """Logits at party 1."""
        x = self.secret(text, 1)
        for i in range(self.shape.layers):
            x = self.normalise(x + self.linear(self.attention(x, i), f"{i}.out"), i, 1)
            x = self.normalise(x + self.linear(self.gelu(self.linear(x, f"{i}.ffn1")), f"{i}.ffn2"), i, 2)
        return self.linear(self.linear(x[:1], "pooler").tanh(), "classifier").get_plain_text(dst=1)

    def barrier(self) -> None:
        self.crypten.communicator.get().barrier()

    def repeat(self, text: object, ahead: bool) -> dict[str, object]:
        provider, offline_ns = self.crypten.mpc.get_default_provider(), 0
        if ahead:
            self.barrier()
            start = time.perf_counter_ns()
            provider.fill_cache()
            offline_ns = time.perf_counter_ns() - start
        self.barrier()
        self.crypten.reset_communication_stats()
        start = time.perf_counter_ns()
        logits = self.infer(text)
        online_ns = time.perf_counter_ns() - start
        stats = self.crypten.communicator.get().get_communication_stats()
        left = sum(map(len, provider.tuple_cache.values()))
        if left:
            raise peer.PeerError(f"crypten: {left} tuples made ahead were not used")
        return dict(offline_ns=offline_ns, online_ns=online_ns, bytes=stats["bytes"], rounds=stats["rounds"],
                    memory=1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss,
                    logits=logits.numpy()[0].tolist() if self.rank == 1 else [])


def party_main(rank: int) -> None:
    """Reads a task per line, answers with a line. The tasks: what to load, then one per repetition."""
    import bert

    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # whatever libraries print does not come between
    task = json.loads(sys.stdin.readline())
    party = Party(rank, bert.SHAPES[task["config"]], task["seed"])
    text = bert.make_input(party.shape, task["seq"], task["input_seed"])
    provider = party.crypten.mpc.get_default_provider()
    try:
        if task["ahead"]:
            provider.trace(True)
            party.infer(text)
            provider.trace(False)
            check_memory(provider.request_cache)
        for line in sys.stdin:
            answer = party.repeat(text, json.loads(line)["ahead"])
            print(json.dumps({"setup_ns": party.setup_ns, **answer}), file=answers, flush=True)
    except peer.PeerError as e:
        print(json.dumps({"failed": str(e)}), file=answers, flush=True)


# The parent of both


def start_parties(given: object, seq: int, folder: str) -> list[subprocess.Popen]:
    task = dict(config=given.config, seed=given.seed, input_seed=given.input_seed, seq=seq,
                ahead=given.tuples == "ahead")
    processes = []
    for rank in range(PARTIES):
        env = dict(os.environ, RANK=str(rank), WORLD_SIZE=str(PARTIES), RENDEZVOUS=f"file://{folder}/rendezvous",
                   DISTRIBUTED_BACKEND="gloo", GLOO_SOCKET_IFNAME="lo", OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1",
                   PYTHONWARNINGS="ignore")
        processes.append(subprocess.Popen([sys.executable, __file__, "--party", str(rank)], env=env, text=True,
                                          stdin=subprocess.PIPE, stdout=subprocess.PIPE))
        tell(processes[-1], task)
    return processes


def tell(process: subprocess.Popen, task: dict[str, object]) -> None:
    process.stdin.write(json.dumps(task) + "\n")
    process.stdin.flush()


def ask(processes: list[subprocess.Popen], ahead: bool) -> list[dict[str, object]]:
    for p in processes:
        tell(p, {"ahead": ahead})
    answers = []
    for rank, p in enumerate(processes):
        line = p.stdout.readline()
        if not line:
            raise peer.PeerError(f"crypten: party {rank} ended with code {p.wait()}; its messages are above")
        answers.append(json.loads(line))
        if "failed" in answers[-1]:
            raise peer.PeerError(answers[-1]["failed"])
    return answers


def measure(given: object, shape: object, seq: int) -> Iterator[peer.Measured]:
    import bert

    wanted = bert.plain_logits(shape, bert.make_weights(shape, given.seed),
                               bert.make_input(shape, seq, given.input_seed))
    ahead = given.tuples == "ahead"
    with tempfile.TemporaryDirectory(prefix="pqbert-crypten-") as folder:
        processes = start_parties(given, seq, folder)
        try:
            # With tuples ahead the recording inference has warmed the parties up.
            for _ in range(max(0, given.warmup - ahead)):
                ask(processes, ahead)
            while True:
                both = ask(processes, ahead)
                yield peer.Measured(
                    online_ns=both[1]["online_ns"], offline_ns=max(a["offline_ns"] for a in both),
                    setup_ns=max(a["setup_ns"] for a in both), online_bytes=[int(a["bytes"] // 2) for a in both],
                    online_rounds=both[1]["rounds"], peak_memory=[a["memory"] for a in both],
                    error=bert.relative_error(both[1]["logits"], wanted))
        finally:
            for p in processes:
                p.stdin.close()
            for p in processes:
                try:
                    p.wait(timeout=30)
                except subprocess.TimeoutExpired:
                    p.kill()


def main() -> int:
    given = peer.parse(__doc__.split("\n\n")[0], options)
    enter_environment()
    import bert
    import crypten
    import pqresults
    import pqwrite
    import torch

    if given.config not in bert.SHAPES:
        raise peer.PeerError(f"crypten: there is no {given.config}; give one of {', '.join(bert.SHAPES)}")
    shape, valid = bert.SHAPES[given.config], True
    system, kernel = f"CrypTen {crypten.__version__}", f"torch {torch.__version__}"
    try:
        versions = {"crypten": crypten.__version__, "torch": torch.__version__}
        with pqwrite.Recorder(given.out, peer.environment(versions)) as recorder:
            for seq in given.seq:
                fixed = peer.point(shape, system, f"Beaver tuples {given.tuples}", PARTIES, kernel,
                                   "gloo, TCP over loopback", "INSECURE-BENCH", seq, given.input_seed)
                valid &= peer.record(recorder, fixed, given.repeat, measure(given, shape, seq))
    except pqresults.ResultFileError as e:
        raise peer.PeerError(f"crypten: {e}") from e
    return 0 if valid else 3


if __name__ == "__main__":
    try:
        if sys.argv[1:2] == ["--party"]:
            party_main(int(sys.argv[2]))
            sys.exit(0)
        sys.exit(main())
    except peer.PeerError as failure:
        print(failure, file=sys.stderr)
        sys.exit(2)
