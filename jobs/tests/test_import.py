#!/usr/bin/env python3
"""pqbert model import: small checkpoints of every kind become models that `plain` and `run` take; with 8-bit weights
they decide as in full precision; and every wrong file ends with code 2 and one line, before anything is written.

    test_import.py PQBERT MPIEXEC

Needs numpy. Works in a temporary folder."""

import pathlib
import random
import re
import subprocess
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "model_io" / "tests"))
import make_checkpoint  # noqa: E402  (found by the line above)

from sweeps import InFolder, programs

PQBERT = MPIEXEC = None
TEXTS = 240


def pqbert(line, ranks=0):
    launcher = [MPIEXEC, "-n", str(ranks)] if ranks else []
    words = [word.replace("~", " ") for word in line.split()]
    return subprocess.run(launcher + [PQBERT, *words], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          timeout=300, check=False)


class Import(InFolder):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        draw = random.Random(3)
        cls.lines = [" ".join(draw.choices(make_checkpoint.WORDS[5:], k=draw.randint(1, 12))) for _ in range(TEXTS)]
        pathlib.Path("texts").write_text("".join(line + "\n" for line in cls.lines), encoding="utf8")
        make_checkpoint.write("c")

    def made(self, options, checkpoint="c"):
        done = pqbert(f"model import --checkpoint {checkpoint} --calibrate texts --out m {options}")
        self.assertEqual(done.returncode, 0, f"{options}: {done}")
        return done.stdout

    def refused(self, line, *parts):
        with self.subTest(line=line):
            done = pqbert(line)
            self.assertEqual((done.returncode, done.stderr.count("\n")), (2, 1), done)
            for part in parts:
                self.assertIn(part, done.stderr)

    def refused_checkpoint(self, *parts, options=""):
        self.refused(f"model import --checkpoint bad --calibrate texts --out x {options}", *parts)
        self.assertFalse(pathlib.Path("x.secret.h5").exists())

    def logits(self, line, ranks=0):
        done = pqbert(line, ranks)
        self.assertEqual(done.returncode, 0, f"{line}: {done}")
        if ranks:
            self.assertIn("VALID", done.stdout)
            self.assertNotIn("INVALID", done.stdout)
        return [[int(n) for n in row.split()] for row in re.findall(r"logits((?: -?\d+)+)$", done.stdout, re.M)]

    def agreement(self, out):
        """Cosines of the layers, and the share of equal decisions in per cent."""
        cosines = [float(row) for row in re.findall(r"^\d+ +(-?[\d.]+) +[\d.]+$", out, re.M)]
        return cosines, float(re.search(r"same decision on .*\(([\d.]+) %\)", out).group(1))

    def test_eight_bits_decide_as_in_full_precision(self):
        """Held against numpy's own forward pass of the checkpoint, not against what the program says of itself."""
        checkpoint = make_checkpoint.write("numpy", labels=2)
        cosines, decisions = self.agreement(self.made("", "numpy"))
        self.assertEqual(len(cosines), 3)
        self.assertGreater(min(cosines), 0.9)
        self.assertGreater(decisions, 80)
        rows = self.logits("plain --model m --text-file texts")
        same = 0
        for line, row in zip(self.lines, rows):
            ids = [2, *(make_checkpoint.WORDS.index(word) for word in line.split()), 3]
            same += int(checkpoint.forward(ids)[1].argmax() == (row[1] > row[0]))
        self.assertEqual(len(rows), TEXTS)
        self.assertGreater(same, 0.85 * TEXTS)

    def test_more_bits_agree_better(self):
        errors = [min(self.agreement(self.made(f"--weight-bits {bits}"))[0]) for bits in (1, 2, 4, 8)]
        self.assertEqual(errors, sorted(errors), "cosine of the worst layer at 1, 2, 4, 8 bits")

    def test_plain_and_private(self):
        """Whole text, private inference, every width of weights and of the other values."""
        for options in ("--weight-bits 1", "--weight-bits 3 --trunc 5", "--weight-bits 8 --trunc 8 --score-bits 4",
                        "--weight-bits 5 --trunc 4 --norm-bits 6 --max-seq 9"):
            self.made(options)
            info = pqbert("model info m").stdout
            for name, value in re.findall(r"--(weight-bits|trunc|max-seq) (\d+)", options):
                self.assertRegex(info, rf"(?m)^{name.replace('-', '_')} +{value}$")
            plain = self.logits("plain --model m --text w1~w2~w3")
            for protocol in ("preprocessed", "published"):
                private = self.logits(f"run --model m --text w1~w2~w3 --protocol {protocol} --seed 1", 3)
                self.assertEqual((len(private), len(private[0])), (1, len(plain[0])))

    def test_layouts(self):
        for how in ({"prefix": ""}, {"old_names": True}, {"dtype": "BF16"}, {"dtype": "F16"}, {"labels": 1},
                    {"hidden_act": "relu"}, {"hidden_size": 10, "num_attention_heads": 5, "intermediate_size": 9},
                    {"max_position_embeddings": 600, "num_hidden_layers": 1}):
            with self.subTest(**how):
                make_checkpoint.write("layout", **how)
                self.made("", "layout")
                self.assertEqual(pqbert("plain --model m --text w1").returncode, 0)

    def test_same_files_same_model(self):
        contents = []
        for _ in range(2):
            self.made("--weight-bits 2")
            contents.append(pathlib.Path("m.secret.h5").read_bytes())
        self.assertEqual(*contents)

    def test_without_classifier(self):
        for pooler in (True, False):
            make_checkpoint.write("bad", labels=0, pooler=pooler)
            self.refused_checkpoint("no classifier.weight", "--labels")
            out = self.made("--labels 5", "bad")
            self.assertIn("decide nothing", out)
            self.assertNotIn("same decision", out)
            self.assertEqual(len(self.logits("plain --model m --text w1")[0]), 5)
        self.refused("model import --checkpoint c --calibrate texts --out x --labels 2", "leave --labels out")

    def test_mistakes(self):
        line = "model import --checkpoint c --calibrate texts --out x"
        for options, part in (("--weight-bits 9", "1 to 8"), ("--trunc 7", "trunc is 7"), ("--max-seq 41", "40 tokens"),
                              ("--score-bits 5", "score_trunc is 5"), ("--norm-bits 7", "norm_trunc is 7"),
                              ("--seed 1", "cannot be understood")):
            self.refused(f"{line} {options}", part)
        self.refused("model import --checkpoint c --out x", "--calibrate")
        self.refused("model import --checkpoint none --calibrate texts --out x", "none/config.json")
        self.refused("model import --checkpoint c --calibrate none --out x", "none: cannot be opened")
        self.refused("model import --checkpoint c --calibrate texts --out none/x", "none")
        pathlib.Path("few").write_text("w1\n" * 7, encoding="utf8")
        self.refused("model import --checkpoint c --calibrate few --out x", "few: 7 lines are too few")
        pathlib.Path("few").write_bytes(b"w1\n" * 8 + b"\xff\n")
        self.refused("model import --checkpoint c --calibrate few --out x", "few: line 9", "UTF-8")

    def test_wrong_config(self):
        for changes, part in (({"model_type": "roberta"}, "roberta"), ({"hidden_act": "mish"}, "mish"),
                              ({"position_embedding_type": "relative_key"}, "relative_key"),
                              ({"layer_norm_eps": -1}, "layer_norm_eps"), ({"hidden_size": 25}, "25 is no multiple")):
            make_checkpoint.write("bad")
            config = {**make_checkpoint.CONFIG, **changes}
            pathlib.Path("bad/config.json").write_text(make_checkpoint.json.dumps(config), encoding="utf8")
            self.refused_checkpoint("bad/config.json", part)
        for key in ("hidden_size", "num_hidden_layers", "vocab_size", "type_vocab_size"):
            config = {name: value for name, value in make_checkpoint.CONFIG.items() if name != key}
            pathlib.Path("bad/config.json").write_text(make_checkpoint.json.dumps(config), encoding="utf8")
            self.refused_checkpoint(f"has no {key}")

    def test_wrong_tensors(self):
        make_checkpoint.write("bad", num_hidden_layers=2)
        pathlib.Path("bad/config.json").write_text(make_checkpoint.json.dumps(make_checkpoint.CONFIG), encoding="utf8")
        self.refused_checkpoint("encoder.layer.2.attention.self.query.weight' is missing")
        make_checkpoint.write("bad", intermediate_size=50)
        pathlib.Path("bad/config.json").write_text(make_checkpoint.json.dumps(make_checkpoint.CONFIG), encoding="utf8")
        self.refused_checkpoint("is 50 x 24, but config.json says 52 x 24")
        make_checkpoint.write("bad", labels=65)
        self.refused_checkpoint("65 rows")
        pathlib.Path("bad/model.safetensors").rename("bad/pytorch_model.bin")
        self.refused_checkpoint("pytorch_model.bin", "save_pretrained")
        make_checkpoint.write("bad")
        pathlib.Path("bad/vocab.txt").write_text("[UNK]\n[CLS]\n", encoding="utf8")
        self.refused_checkpoint("bad/vocab.txt", "[SEP]")

    def test_wrong_descriptions(self):
        """Values of a tensor that are another's, nobody's, outside the file, or not what the shape says."""
        make_checkpoint.write("bad", num_hidden_layers=1)
        whole = pathlib.Path("bad/model.safetensors").read_bytes()
        start = 8 + int.from_bytes(whole[:8], "little")
        header = make_checkpoint.json.loads(whole[8:start])
        name = "bert.pooler.dense.bias"
        begin, end = header[name]["data_offsets"]
        for what, value, part in (("data_offsets", [begin - 4, end - 4], "overlaps"),
                                  ("data_offsets", [begin, end + 4], "do not agree"),
                                  ("data_offsets", [end, begin], "data_offsets"),
                                  ("data_offsets", None, "data_offsets"),
                                  ("data_offsets", [2 ** 62, 2 ** 62 + end - begin], "hole"),
                                  ("shape", [-24], "shape"), ("shape", [2 ** 62, 2 ** 62], "shape"),
                                  ("shape", [23], "do not agree"), ("shape", [4, 6], "4 x 6"), ("dtype", "F4", "dtype"),
                                  ("dtype", "I32", "F32, F16")):
            text = make_checkpoint.json.dumps({**header, name: {**header[name], what: value}}).encode()
            pathlib.Path("bad/model.safetensors").write_bytes(len(text).to_bytes(8, "little") + text + whole[start:])
            self.refused_checkpoint("bad/model.safetensors", part)
        broken = bytearray(whole)
        broken[start + begin:start + begin + 4] = b"\0\0\xc0\x7f"
        pathlib.Path("bad/model.safetensors").write_bytes(broken)
        self.refused_checkpoint("bad/model.safetensors", name, "not finite")

    def test_cut_off(self):
        """A file that ends early is refused wherever it ends."""
        make_checkpoint.write("bad", num_hidden_layers=1)
        for name in ("config.json", "model.safetensors"):
            path = pathlib.Path("bad") / name
            whole = path.read_bytes()
            header = 8 + int.from_bytes(whole[:8], "little") if name.startswith("model") else len(whole)
            for keep in {0, 1, 7, 8, 9, header // 2, header - 1, header, len(whole) // 2, len(whole) - 1}:
                if keep < len(whole):
                    path.write_bytes(whole[:keep])
                    self.refused_checkpoint(f"bad/{name}")
            path.write_bytes(whole)
        self.made("", "bad")


if __name__ == "__main__":
    PQBERT, MPIEXEC = programs(__doc__)
    unittest.main()
