#!/usr/bin/env python3
"""SPU with its ABY3 back end (the engine of PUMA) as a peer: the model of bert.py between three processes on this host.

    analysis/peers/spu_bert.py --seq 8,16 --repeat 3 --out r.h5

SPU comes from PyPI into an environment that is made on the first run (its wheels want Python 3.10 or 3.11).
Semi-honest, one corruption, ring 2^64 with 18 fractional bits as PUMA has it; one computing thread per party, and
besides them the threads of brpc, which carries the messages. GELU by its tanh, as for the other peers; PUMA's own
piecewise polynomial changes the time by a few per cent. This script makes the shares of weights and input and opens the
logits, so that neither is part of a time. ABY3 has no offline phase. Bytes and messages are SPU's own count, by party,
at the sender; it does not count rounds.
"""
from __future__ import annotations

import os
import pickle
import re
import socket
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import peer

PACKAGES = ["spu==0.9.5", "h5py", "pandas"]
PARTIES = 3
FRACTION_BITS = 18
COUNTED = re.compile(r"Link details: total send bytes (\d+), recv bytes \d+, send actions (\d+)")


def enter_environment() -> None:
    """Starts this script again with the Python that has SPU."""
    python = peer.environment_python("spu", PACKAGES, [], see_system=False)
    if Path(sys.executable).parent != python.parent:
        os.execv(python, [str(python), *sys.argv])


def runtime_config() -> object:
    from spu import libspu

    config = libspu.RuntimeConfig(protocol=libspu.ProtocolKind.ABY3, field=libspu.FieldType.FM64)
    config.fxp_fraction_bits = FRACTION_BITS
    config.max_concurrency = 1
    config.enable_pphlo_profile = True  # tells what was sent
    return config


# The model, in jax


def inference(shape: object, seq: int) -> object:
    """logits(x, weights) for jax."""
    import bert
    import jax
    import jax.numpy as jnp

    def normalise(x: object, w: dict, layer: int, which: int) -> object:
        centred = x - x.mean(-1, keepdims=True)
        scale = jax.lax.rsqrt((centred * centred).mean(-1, keepdims=True) + bert.EPSILON)
        return centred * scale * w[f"{layer}.gamma{which}"] + w[f"{layer}.beta{which}"]

    def gelu(x: object) -> object:
        return 0.5 * x * (1 + jnp.tanh(bert.GELU_FACTOR * (x + bert.GELU_CUBIC * x * x * x)))

    def linear(x: object, w: dict, name: str) -> object:
        return x @ w[name] + w[f"{name}_bias"]

    def attention(x: object, w: dict, layer: int) -> object:
        qkv = linear(x, w, f"{layer}.qkv").reshape(seq, 3, shape.heads, shape.head_dim)
        q, k, v = qkv.transpose(1, 2, 0, 3)
        context = jax.nn.softmax(q @ k.transpose(0, 2, 1), axis=-1) @ v
        return context.transpose(1, 0, 2).reshape(seq, shape.hidden)

    def logits(x: object, w: dict) -> object:
        for i in range(shape.layers):
            x = normalise(x + linear(attention(x, w, i), w, f"{i}.out"), w, i, 1)
            x = normalise(x + linear(gelu(linear(x, w, f"{i}.ffn1")), w, f"{i}.ffn2"), w, i, 2)
        return linear(jnp.tanh(linear(x[:1], w, "pooler")), w, "classifier")[0]

    return logits


# Messages between the parent and its parties: a length and a pickle, through pipes that nobody else holds


def put(stream: object, value: object) -> None:
    data = pickle.dumps(value, pickle.HIGHEST_PROTOCOL)
    stream.write(struct.pack("<q", len(data)))
    stream.write(data)
    stream.flush()


def take(stream: object) -> object:
    size = stream.read(8)
    if len(size) < 8:
        raise EOFError
    return pickle.loads(stream.read(struct.unpack("<q", size)[0]))


def party_main(rank: int) -> None:
    """Reads ports, the executable and shares of all inputs; then, for every True, runs and answers."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    from spu import api, libspu

    task = take(sys.stdin.buffer)
    link = libspu.link.Desc()
    link.recv_timeout_ms = 600_000
    for r, port in enumerate(task["ports"]):
        link.add_party(f"party{r}", f"127.0.0.1:{port}")
    context = libspu.link.create_brpc(link, rank)
    runtime = api.Runtime(context, runtime_config())
    program = libspu.Executable(name="bert", input_names=task["inputs"], output_names=task["outputs"],
                                code=task["code"])
    for name in task["inputs"]:
        meta, chunks = take(sys.stdin.buffer)
        share = libspu.Share()
        share.meta, share.share_chunks = meta, chunks
        runtime.set_var(name, share)
    put(answers, "ready")
    while take(sys.stdin.buffer):
        context.barrier()
        start = time.perf_counter_ns()
        runtime.run(program)
        spent = time.perf_counter_ns() - start
        share = runtime.get_var(task["outputs"][0])
        put(answers, dict(online_ns=spent, memory=peak_memory(), share=(share.meta, share.share_chunks)))
    context.stop_link()


def peak_memory() -> int:
    return 1024 * int(peer.first_line("/proc/self/status", "VmHWM").split()[0])


# The parent of all three


def free_ports() -> list[int]:
    sockets = [socket.socket() for _ in range(PARTIES)]
    for s in sockets:
        s.bind(("127.0.0.1", 0))
    ports = [s.getsockname()[1] for s in sockets]
    for s in sockets:
        s.close()
    return ports


class Parties:
    def __init__(self, folder: str) -> None:
        self.logs = [Path(folder) / f"party{rank}.log" for rank in range(PARTIES)]
        self.read_to = [0] * PARTIES
        env = dict(os.environ, OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")
        self.processes = []
        for rank, log in enumerate(self.logs):
            with open(log, "wb") as stderr:
                self.processes.append(subprocess.Popen([sys.executable, __file__, "--party", str(rank)], env=env,
                                                       stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=stderr))

    def tell(self, rank: int, value: object) -> None:
        put(self.processes[rank].stdin, value)

    def answers(self) -> list[object]:
        found = []
        for rank, process in enumerate(self.processes):
            try:
                found.append(take(process.stdout))
            except EOFError:
                last = (self.logs[rank].read_text(errors="replace").strip().splitlines() or ["no message"])[-1]
                raise peer.PeerError(f"spu: party {rank} ended with code {process.wait()}: {last}") from None
        return found

    def counted(self) -> list[tuple[int, int]]:
        """Bytes and messages that each party sent since the last call, from its log."""
        found = []
        for rank, log in enumerate(self.logs):
            text = log.read_text(errors="replace")
            counts = COUNTED.findall(text[self.read_to[rank]:])
            self.read_to[rank] = len(text)
            if len(counts) != 1:
                raise peer.PeerError(f"spu: party {rank} counted its bytes {len(counts)} times in a run, not once")
            found.append((int(counts[0][0]), int(counts[0][1])))
        return found

    def stop(self) -> None:
        for rank, process in enumerate(self.processes):
            if process.poll() is None:
                try:
                    self.tell(rank, False)
                except BrokenPipeError:
                    pass
        for process in self.processes:
            try:
                process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                process.kill()


def compile_model(shape: object, seq: int, inputs: tuple) -> tuple[dict[str, object], list[object]]:
    """What a party needs to run, and the inputs in its order."""
    import jax
    from spu import libspu
    from spu.utils import frontend

    flat, _ = jax.tree_util.tree_flatten((inputs, {}))
    names = [f"in{i}" for i in range(len(flat))]
    program, _ = frontend.compile(frontend.Kind.JAX, inference(shape, seq), inputs, {}, names,
                                  [libspu.Visibility.VIS_SECRET] * len(flat),
                                  lambda out: [f"out{i}" for i in range(len(out))])
    return dict(code=program.code, inputs=list(program.input_names), outputs=list(program.output_names)), flat


def measure(given: object, shape: object, seq: int) -> Iterator[peer.Measured]:
    import bert
    from spu import api, libspu

    weights, text = bert.make_weights(shape, given.seed), bert.make_input(shape, seq, given.input_seed)
    wanted = bert.plain_logits(shape, weights, text)
    task, flat = compile_model(shape, seq, (text, weights))
    io = api.Io(PARTIES, runtime_config())
    with tempfile.TemporaryDirectory(prefix="pqbert-spu-") as folder:
        parties = Parties(folder)
        try:
            start = time.perf_counter_ns()
            task["ports"] = free_ports()
            for rank in range(PARTIES):
                parties.tell(rank, task)
            for value in flat:
                for rank, share in enumerate(io.make_shares(value, libspu.Visibility.VIS_SECRET)):
                    parties.tell(rank, (share.meta, share.share_chunks))
            parties.answers()
            setup_ns = time.perf_counter_ns() - start
            repetition = 0
            while True:
                for rank in range(PARTIES):
                    parties.tell(rank, True)
                all_three, counts = parties.answers(), parties.counted()
                shares = []
                for answer in all_three:
                    shares.append(libspu.Share())
                    shares[-1].meta, shares[-1].share_chunks = answer["share"]
                repetition += 1
                if repetition <= given.warmup:
                    continue
                yield peer.Measured(
                    online_ns=all_three[1]["online_ns"], setup_ns=setup_ns, online_bytes=[b for b, _ in counts],
                    online_messages=sum(m for _, m in counts), peak_memory=[a["memory"] for a in all_three],
                    error=bert.relative_error(io.reconstruct(shares), wanted))
        finally:
            parties.stop()


def main() -> int:
    given = peer.parse(__doc__.split("\n\n")[0])
    enter_environment()
    import bert
    import jax
    import pqresults
    import pqwrite
    import spu

    if given.config not in bert.SHAPES:
        raise peer.PeerError(f"spu: there is no {given.config}; give one of {', '.join(bert.SHAPES)}")
    shape, valid = bert.SHAPES[given.config], True
    try:
        versions = {"spu": spu.__version__, "jax": jax.__version__}
        with pqwrite.Recorder(given.out, peer.environment(versions)) as recorder:
            for seq in given.seq:
                fixed = peer.point(shape, f"SPU {spu.__version__}", "ABY3", PARTIES, "SPU", "brpc, TCP over loopback",
                                   "secure", seq, given.input_seed)
                valid &= peer.record(recorder, fixed, given.repeat, measure(given, shape, seq))
    except pqresults.ResultFileError as e:
        raise peer.PeerError(f"spu: {e}") from e
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
