#!/usr/bin/env python3
"""Trains a model for pqbert on labelled text, from nothing or from a BERT checkpoint, and writes its two files.

    python3 model_io/train/train.py --data train.tsv --tune dev.tsv --report test.tsv --out m --work m.work

Stages, each kept in the work folder and not done twice: a full-precision `teacher`; `activations`: the student with
4-bit codes and full-precision weights; `weights`: with weights of --weight-bits; `pipeline` (0 epochs unless asked
for): with everything else the integer model does; then calibration and the files. A run that was stopped goes on with
the same command. Lines of the data: sentence<TAB>label.
"""

import argparse
import os
import sys

import numpy as np
import torch

import checkpoint
import files
from data import DataError, Encoded, read_labelled
from integer import Integer
from network import Network
from pipeline import Pipeline, integer_logits, sample
from quantisers import Weights
from stages import Plan, describe, distil, learn, logits_of, settle, store, supervised, switch_on
from wordpiece import Tokenizer, learn_words

EPOCHS = {"teacher": 8, "activations": 2, "weights": 8, "pipeline": 0}
RATES = {"teacher": 1e-3, "activations": 3e-4, "weights": 5e-4, "pipeline": 2e-4}
RATES_FROM_CHECKPOINT = {"teacher": 1e-4, "activations": 1e-4, "weights": 3e-4, "pipeline": 1e-4}


def pairs(kind):
    def parse(text):
        found = dict(item.split("=") for item in text.split(","))
        return {name: kind(value) for name, value in found.items()}
    return parse


def options(arguments):
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--data", required=True, help="training text")
    p.add_argument("--tune", help="text whose accuracy is printed after each epoch")
    p.add_argument("--report", nargs="*", default=[], help="texts whose accuracy is printed at the end")
    p.add_argument("--limit", type=int, help="use this many lines of the training text")
    p.add_argument("--out", help="prefix of the model files; none: train only")
    p.add_argument("--work", required=True, help="folder for what a later run goes on from")
    p.add_argument("--checkpoint", help="BERT checkpoint to start from: config.json, model.safetensors, vocab.txt")
    p.add_argument("--shape", type=pairs(int), default={}, help="without a checkpoint, e.g. layers=2,hidden=128,"
                   "heads=2,ffn=512,vocab=5000: as many words are learned from the training text")
    p.add_argument("--max-seq", type=int, default=128, help="longest sequence (default 128)")
    p.add_argument("--better", help="fine-tuned checkpoint whose answers the teacher learns beside the labels")
    p.add_argument("--teacher-work", help="work folder of another run, whose teacher is taken")
    p.add_argument("--weight-bits", type=int, default=1, choices=range(1, 9), help="1 to 8 (default 1)")
    p.add_argument("--precision", type=pairs(int), default={}, help="trunc=6,score_trunc=6,norm_trunc=8,var_trunc=10")
    p.add_argument("--epochs", type=pairs(float), default={}, help=f"by stage (default {EPOCHS})")
    p.add_argument("--rates", type=pairs(float), default={}, help=f"learning rates (default {RATES})")
    p.add_argument("--attention", type=float, default=0.1, help="weight of the attention loss (default 0.1)")
    p.add_argument("--tokens", type=int, default=1024, help="tokens of a batch (default 1024)")
    p.add_argument("--calibrate", type=int, default=4000, help="training sentences that set ranges (default 4000)")
    p.add_argument("--dropout", type=float, default=0.1, help="of the teacher (default 0.1)")
    p.add_argument("--freeze-words", action="store_true", help="leave the word embedding as the teacher has it")
    p.add_argument("--nearest", action="store_true", help="pipeline stage: round to nearest as `plain` does, not "
                   "at random as shares are truncated")
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--threads", type=int, default=0, help="of the processor (default: all)")
    p.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    p.add_argument("--bfloat16", action="store_true", help="matrix products in bfloat16: faster on some processors")
    p.add_argument("--until", choices=["teacher"], help="stop after this stage; the work folder has its "
                   "checkpoint")
    p.add_argument("--stop-after", type=int, help="stop after so many steps of a stage, as if killed")
    return p.parse_args(arguments)


class Run:
    def __init__(self, o):
        self.o = o
        settle(o.seed)
        if o.threads:
            torch.set_num_threads(o.threads)
        os.makedirs(o.work, exist_ok=True)
        texts, labels = read_labelled(o.data)
        texts, labels = texts[:o.limit], labels[:o.limit]
        self.tokenizer, self.shape = self._shape(texts, int(labels.max()) + 1)
        self.train = Encoded(texts, labels, self.tokenizer, self.shape["max_seq"])
        self.others = {path: Encoded(*read_labelled(path), self.tokenizer, self.shape["max_seq"])
                       for path in ([o.tune] if o.tune else []) + o.report}
        self.epochs = EPOCHS | o.epochs
        self.rates = (RATES_FROM_CHECKPOINT if o.checkpoint else RATES) | o.rates

    def _shape(self, texts, labels):
        o = self.o
        if o.checkpoint:
            shape = checkpoint.read_config(o.checkpoint)
            tokenizer = Tokenizer.read(os.path.join(o.checkpoint, "vocab.txt"))
        else:
            shape = {"layers": 2, "hidden": 128, "heads": 2, "ffn": 512, "vocab": 5000, "types": 1, "max_seq": 512}
            shape |= o.shape
            path = os.path.join(o.work, "vocab.txt")
            if not os.path.exists(path):
                print(f"learning {shape['vocab']} words", flush=True)
                with open(path, "w", encoding="utf-8") as file:
                    file.writelines(word + "\n" for word in learn_words(texts, shape["vocab"]))
            tokenizer = Tokenizer.read(path)
            shape["vocab"] = len(tokenizer.words)
        return tokenizer, shape | {"max_seq": min(o.max_seq, shape["max_seq"]), "labels": labels}

    def network(self, dropout=0.0):
        network = Network(self.shape, dropout).to(self.o.device)
        network.fast = self.o.bfloat16
        return network

    def plan(self, stage):
        return Plan(stage, self.epochs[stage], self.rates[stage], tokens=self.o.tokens, seed=self.o.seed,
                    decay=0.01 if stage == "teacher" else 0.0, folder=self.o.work, stop_after=self.o.stop_after)

    def accuracy(self, logits_of_data):
        return ", ".join(f"{os.path.basename(path)} {describe(logits_of_data(data), data.labels)}"
                         for path, data in self.others.items())

    def _stage(self, name, network, loss_of, pipeline=None):
        """Trains unless it was; leaves the trained network."""
        done = os.path.join(self.o.work, f"{name}.pt")
        if not os.path.exists(done):
            settle(self.o.seed)
            plan = self.plan(name)
            if not learn(network, self.train, loss_of, plan, lambda: self.accuracy(lambda d: logits_of(network, d)),
                         pipeline):
                sys.exit(f"{name}: stopped as asked")
            store(done, network.state_dict())
            if os.path.exists(plan.state_path()):
                os.unlink(plan.state_path())
        self.load(network, name)

    def load(self, network, stage, folder=None):
        """What a finished stage left, in another run's work folder or this one's."""
        path = os.path.join(folder or self.o.work, f"{stage}.pt")
        network.load_state_dict(torch.load(path, map_location=self.o.device))
        network.eval()

    def student_of(self, stage):
        """The student after a finished stage of training, with full-precision weights."""
        student = self.network()
        self.load(student, stage)
        for codes in student.quantisers().values():
            codes.on = True
        return student

    def _soft_labels(self):
        path = os.path.join(self.o.work, "soft.npy")
        if not os.path.exists(path):
            print(f"answers of {self.o.better}", flush=True)
            shape = checkpoint.read_config(self.o.better) | {"labels": self.shape["labels"]}
            better = Network(shape, 0.0).to(self.o.device)
            checkpoint.load(self.o.better, better)
            better.fast = self.o.bfloat16
            tokenizer = Tokenizer.read(os.path.join(self.o.better, "vocab.txt"))
            texts, labels = read_labelled(self.o.data)
            data = Encoded(texts[:self.o.limit], labels[:self.o.limit], tokenizer, shape["max_seq"])
            np.save(path, logits_of(better, data))
        return np.load(path)

    def teacher(self):
        settle(self.o.seed)
        network = self.network(self.o.dropout)
        if self.o.teacher_work:
            self.load(network, "teacher", self.o.teacher_work)
            return network
        if self.o.checkpoint:
            missing = checkpoint.load(self.o.checkpoint, network)
            print("from", self.o.checkpoint, *(["without", ", ".join(missing)] if missing else []), flush=True)
        self._stage("teacher", network, supervised(network, self.train, self._soft_labels() if self.o.better else None))
        checkpoint.save(os.path.join(self.o.work, "teacher"), network, self.tokenizer)
        return network

    def student(self, teacher):
        student = self.network()
        student.load_state_dict(teacher.state_dict())
        if self.o.freeze_words:
            student.word.weight.requires_grad_(False)
        switch_on(student, self.train, self.plan("activations"))
        loss = distil(student, teacher, self.train, self.o.attention)
        self._stage("activations", student, loss)
        student.weights = Weights(self.o.weight_bits)
        self._stage("weights", student, loss)
        few = [t.to(self.o.device) for t in sample(self.train, self.o.tokens, 500, self.o.seed)]
        noise = None if self.o.nearest else torch.Generator(self.o.device).manual_seed(self.o.seed)
        pipeline = Pipeline(student, self.o.precision, few, noise)
        if self.epochs["pipeline"]:
            self._stage("pipeline", student, distil(student, teacher, self.train, self.o.attention, pipeline), pipeline)
        return student, pipeline

    def write(self, student, pipeline):
        batches = [t.to(self.o.device) for t in sample(self.train, 8192, self.o.calibrate, self.o.seed)]
        left = pipeline.calibrate(batches, lambda left: print(f"calibrating: {sum(left.values())} values left their "
                                                              "ranges", flush=True))
        if left:
            print(f"warning: some ranges cannot be widened enough: {left}", flush=True)
        shape, values = pipeline.convert()
        files.write(self.o.out, shape, values, self.tokenizer.text())
        model = Integer(*files.read(self.o.out)[:2])
        for path, data in self.others.items():
            model.wrapped = {}
            print(f"{path}: integer model {describe(integer_logits(model, data), data.labels)}, full precision "
                  f"{describe(logits_of(self.full_precision, data), data.labels)}; values that left their ranges: "
                  f"{ {k: v for k, v in model.wrapped.items() if v} or 'none'}", flush=True)

    def main(self):
        print(f"{len(self.train)} training texts of {self.train.length.mean():.1f} tokens, shape {self.shape}",
              flush=True)
        self.full_precision = self.teacher()
        print("teacher:", self.accuracy(lambda d: logits_of(self.full_precision, d)), flush=True)
        if self.o.until:
            return
        student, pipeline = self.student(self.full_precision)
        print("student:", self.accuracy(lambda d: logits_of(student, d)), flush=True)
        if self.o.out:
            self.write(student, pipeline)
            print(f"wrote {self.o.out}.secret.h5 (the model owner's) and {self.o.out}.public.h5", flush=True)


if __name__ == "__main__":
    try:
        Run(options(sys.argv[1:])).main()
    except (DataError, ValueError, OSError) as error:
        print(f"train.py: {error}", file=sys.stderr)
        sys.exit(2)
