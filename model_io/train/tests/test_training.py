"""Quantisers, the writer, the integer forward in torch, conversion, and resuming: small and quick.

    test_training.py PQBERT FOLDER
"""

import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import numpy as np
import torch

HERE = Path(__file__).parents[1]
sys.path[:0] = [str(HERE)]
import checkpoint
import files
import sentences
from data import DataError, Encoded, read_labelled
from integer import Integer
from network import Network
from quantisers import Codes, Weights, best_step
from stages import settle
from wordpiece import Tokenizer, learn_words

SHAPE = "layers=2,hidden=32,heads=4,ffn=64,vocab=300"


# Least squared error of uniform grids of 2^bits - 1 levels on a normal distribution: J. Max, IRE Trans. 1960, table II.
UNIFORM = {2: 0.1902, 3: 0.04686, 4: 0.01310, 5: 0.003698, 6: 0.001075, 7: 3.1e-4, 8: 8.8e-5}


def raises(kind, part, function, *arguments, **named):
    try:
        function(*arguments, **named)
    except kind as error:
        assert part in str(error), f"'{error}' does not say '{part}'"
        return
    raise AssertionError(f"{function.__name__} took what it should refuse: {part}")


def test_codes():
    codes = Codes()
    codes.on = True
    codes.step.data.fill_(0.5)
    x = torch.tensor([-9.0, -4.0, -0.26, 0.24, 1.1, 3.6, 40.0], requires_grad=True)
    y = codes(x)
    assert y.tolist() == [-4.0, -4.0, -0.5, 0.0, 1.0, 3.5, 3.5]
    y.sum().backward()
    assert x.grad.tolist() == [0, 1, 1, 1, 1, 0, 0]  # 3.6 is 7.2 steps: outside
    errors = [-8, 0, -1 + 0.52, -0.48, 2 - 2.2, 7, 7]
    assert abs(codes.step.grad.item() - sum(errors) / (7 * 8) ** 0.5) < 1e-5
    given = codes(x, torch.tensor([1.0] * 7))
    assert given.tolist() == [0.5] * 7
    one_sided = Codes(zero=7)
    one_sided.on = True
    one_sided.step.data.fill_(1.0)
    assert one_sided(torch.tensor([-3.0, 0.2, 20.0])).tolist() == [-1.0, 0.0, 14.0]


def test_weights():
    weight = torch.tensor([[1.0, -3.0, 0.0], [0.5, 0.25, -0.25]], requires_grad=True)
    binary = Weights(1)(weight)
    assert torch.allclose(binary, torch.tensor([[4 / 3, -4 / 3, 4 / 3], [1 / 3, 1 / 3, -1 / 3]]))
    binary.sum().backward()
    assert (weight.grad == 1).all()
    for bits in range(2, 9):
        w = Weights(bits)
        draw = torch.randn(64, 256, generator=torch.Generator().manual_seed(bits))
        integers, top = w.integers(draw, w.scale(draw)), 2 ** (bits - 1) - 1
        assert top * 0.7 <= integers.abs().max() <= top and (integers == integers.round()).all()
        error = (integers * w.scale(draw) - draw).pow(2).mean().item()
        assert error < UNIFORM[bits] * 1.06, f"{bits} bits: error {error}"
    assert abs(best_step(2) - 1.224) < 0.02  # of three levels: Max 1960


def test_text():
    texts = sentences.made(300)
    words = learn_words(texts, 200)
    assert len(words) == 200 and learn_words(texts, 200) == words
    tokenizer = Tokenizer(words)
    ids = [tokenizer.encode(text, 64) for text in texts]
    assert not any(tokenizer.id["[UNK]"] in one for one in ids)
    assert tokenizer.encode("Café [MASK] \u0000x\u3042", 64)[2:] and len(tokenizer.encode("a " * 99, 16)) == 16
    data = Encoded(texts, np.zeros(300, int), tokenizer, 64)
    seen = sorted(i for batch in data.batches(100, np.random.default_rng(1)) for i in batch)
    assert seen == list(range(300))
    assert all(len({len(data.ids[i]) for i in batch}) == 1 for batch in data.batches(100))


def test_checkpoint(folder):
    shape = {"layers": 2, "hidden": 16, "heads": 2, "ffn": 24, "vocab": 40, "max_seq": 20, "types": 2, "labels": 3}
    tokenizer = Tokenizer(learn_words(sentences.made(50), 40))
    one, other = Network(shape), Network(shape)
    checkpoint.save(folder / "checkpoint", one, tokenizer)
    assert checkpoint.read_config(folder / "checkpoint") == {k: v for k, v in shape.items() if k != "labels"}
    assert checkpoint.load(folder / "checkpoint", other) == []
    tokens = torch.arange(12).reshape(2, 6)
    assert torch.equal(one.eval()(tokens)[0], other.eval()(tokens)[0])
    path = folder / "checkpoint" / "model.safetensors"
    whole = path.read_bytes()
    path.write_bytes(whole[:-4])
    raises(DataError, "cut off", checkpoint.load, folder / "checkpoint", other)
    path.write_bytes(b"\xff" * 64)
    raises(DataError, "not a safetensors file", checkpoint.load, folder / "checkpoint", other)
    path.write_bytes(whole)
    raises(DataError, "config.json says", checkpoint.load, folder / "checkpoint", Network(shape | {"hidden": 8}))


def write_texts(path, count, seed):
    """Texts of templates whose label is the judgement's."""
    bad = ("dull", "too long", "forgettable", "clumsy", "mess", "tiresome", "hollow", "neither", "unwatchable")
    texts = sentences.made(count, seed)
    path.write_text("sentence\tlabel\n" + "".join(
        f"{text}\t{int(not any(word in text.lower() for word in bad))}\n" for text in texts), encoding="utf-8")


def train(folder, work, *more):
    return subprocess.run(
        [sys.executable, HERE / "train.py", "--data", folder / "train.tsv", "--tune", folder / "test.tsv", "--out",
         folder / work, "--work", folder / f"{work}.work", "--shape", SHAPE, "--threads", "1", "--device", "cpu",
         "--epochs", "teacher=3,activations=1,weights=2,pipeline=1", "--calibrate", "300", *map(str, more)],
        capture_output=True, text=True, check=False)


def test_run_and_resume(folder, pqbert):
    """A stopped training goes on to the very files of one that was not; both engines agree on them; a different seed
    gives another model."""
    write_texts(folder / "train.tsv", 800, 1)
    write_texts(folder / "test.tsv", 100, 2)
    whole = train(folder, "whole")
    assert whole.returncode == 0, whole.stdout + whole.stderr
    stopped = 0
    while (part := train(folder, "parts", "--stop-after", 29)).returncode != 0:
        assert "stopped as asked" in part.stderr, part.stdout + part.stderr
        stopped += 1
    assert stopped >= 4, f"stopped {stopped} times only"
    for kind in ("secret", "public"):
        assert (folder / f"whole.{kind}.h5").read_bytes() == (folder / f"parts.{kind}.h5").read_bytes(), kind
    shape, values, words = files.read(folder / "whole")
    numbers, tensors = Integer(shape, values), Integer(shape, values, torch)
    data = Encoded(*read_labelled(folder / "test.tsv"), Tokenizer(words.splitlines()), shape["max_seq"])
    for batch in data.batches(200):
        tokens = data.tokens(batch)
        assert (numbers.forward(tokens) == tensors.forward(tokens).numpy()).all()
        assert all((numbers.trace[name] == tensors.trace[name].numpy()).all() for name in numbers.trace)
    text = "the film is moving and funny"
    out = subprocess.run([pqbert, "plain", "--model", folder / "whole", "--text", text], capture_output=True, text=True,
                         check=True).stdout
    ids = Tokenizer(words.splitlines()).encode(text, shape["max_seq"])
    logits = numbers.forward(np.array([ids]))[0].tolist()
    assert out.split() == ["logits", *map(str, logits)] and logits[1] > logits[0], out
    assert "integer model accuracy" in whole.stdout and accuracy(whole.stdout) > 90, whole.stdout


def accuracy(text):
    return float(text.split("integer model accuracy ")[1].split()[0])


def test_writer(folder, pqbert):
    """What the writer makes is accepted by the program; what the format forbids is not written."""
    shape, values, words = files.read(folder / "whole")

    def info():
        return subprocess.run([pqbert, "model", "info", folder / "w"], capture_output=True, text=True, check=False)
    files.write(folder / "w", shape, values, words)
    secret = folder / "w.secret.h5"
    assert stat.S_IMODE(secret.stat().st_mode) == 0o600
    assert info().returncode == 0, info().stderr
    assert secret.read_bytes() == (folder / "whole.secret.h5").read_bytes()
    secret.chmod(0o644)
    assert info().returncode == 2
    raises(ValueError, "others may open it", files.read, folder / "w")
    secret.chmod(0o600)
    changed = bytearray(secret.read_bytes())
    changed[len(changed) // 2] ^= 1
    secret.write_bytes(changed)
    assert info().returncode == 2

    def write(name, value, **sizes):
        files.write(folder / "refused", shape | sizes, values | {name: value}, words)
    raises(ValueError, "must be 1 to 32767", write, "classifier/multiplier", np.array([0, 1]))
    raises(ValueError, "must be -8 to 7", write, "pooler/table", np.full((32, 64), 8))
    raises(ValueError, "no whole number", write, "pooler/table", np.full((32, 64), 0.5))
    raises(ValueError, "must be -1 to 1", write, "classifier/weight", np.zeros((2, 32)))
    raises(ValueError, "it must be (32, 64)", write, "pooler/table", np.zeros((64, 32)))
    raises(ValueError, "must be", write, "embedding/gamma", np.full(32, np.nan))
    raises(ValueError, "trunc is 7", write, "pooler/table", np.zeros((32, 128)), **{"trunc": 7})
    assert not list(folder.glob("refused*"))


def test_mistakes(folder):
    (folder / "bad.tsv").write_text("good film\t1\nno label here\n")
    raises(DataError, "line 2", read_labelled, folder / "bad.tsv")
    out = subprocess.run([sys.executable, HERE / "train.py", "--data", folder / "bad.tsv", "--work", folder / "bad"],
                         capture_output=True, text=True, check=False)
    assert out.returncode == 2 and out.stderr.startswith("train.py: ") and out.stderr.count("\n") == 1, out.stderr


def main(pqbert, folder):
    folder = Path(folder)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    torch.set_num_threads(1)
    settle(1)
    for test, arguments in ((test_codes, ()), (test_weights, ()), (test_text, ()), (test_checkpoint, (folder,)),
                            (test_run_and_resume, (folder, pqbert)), (test_writer, (folder, pqbert)),
                            (test_mistakes, (folder,))):
        test(*arguments)
        print(f"{test.__name__}: passed", flush=True)


if __name__ == "__main__":
    os.umask(0o022)
    main(*sys.argv[1:])
