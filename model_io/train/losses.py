#!/usr/bin/env python3
"""What each step from full precision to the integer model costs: accuracy on --report, and agreement with the teacher.

    python3 model_io/train/losses.py (the options of a finished train.py, --report FILE)

Each row of the integer model is a conversion of its own of the same student, calibrated like the one that is written.
The last row rounds at random wherever shares are truncated, as private inference does.
"""

import math
import os
import sys

import numpy as np
import torch

from data import DataError
from integer import Integer
from pipeline import Pipeline, integer_logits, sample
from quantisers import Weights
from stages import logits_of
from train import Run, options

VARIANTS = [("integer model, every precision at its finest", {"trunc": 8, "score_trunc": 6, "norm_trunc": 8}),
            ("truncation to t = 6 bits", {"trunc": 6}), ("t = 5", {"trunc": 5}), ("t = 4", {"trunc": 4}),
            ("softmax of 4-bit scores", {"score_trunc": 4}), ("LayerNorm output of 6 bits", {"norm_trunc": 6}),
            ("variance of 8 bits", {"var_trunc": 8})]
FINEST = VARIANTS[0][1]


def interval(right, count):
    """Wilson's 95 % interval of a share, in per cent."""
    z, p = 1.959964, right / count
    middle, width = p + z * z / (2 * count), z * math.sqrt(p * (1 - p) / count + z * z / (4 * count * count))
    return (100 * (middle + sign * width) / (1 + z * z / count) for sign in (-1, 1))


class Table:
    def __init__(self, data, teacher):
        self.data, self.teacher = data, teacher.argmax(1)
        print("| step | accuracy, % | 95 % interval | agreement with the teacher, % |\n|---|---|---|---|")
        self.row("teacher, full precision", teacher)

    def row(self, what, logits):
        answer = logits.argmax(1)
        right, count = int((answer == self.data.labels).sum()), len(answer)
        low, high = interval(right, count)
        print(f"| {what} | {100 * right / count:.2f} ({right} of {count}) | {low:.1f} to {high:.1f} | "
              f"{100 * np.mean(answer == self.teacher):.2f} |", flush=True)


def main(run):
    data = run.others[run.o.report[0]]
    teacher = run.teacher()
    table = Table(data, logits_of(teacher, data))
    student = run.student_of("activations")
    table.row("activations of 4 bits", logits_of(student, data))
    student.weights = Weights(run.o.weight_bits)
    for stage in ("weights", "pipeline"):
        if os.path.exists(os.path.join(run.o.work, f"{stage}.pt")):
            run.load(student, stage)
            what = {"weights": f"weights of {run.o.weight_bits} bit", "pipeline": "trained on with pipeline effects"}
            table.row(what[stage], logits_of(student, data))
    batches = [t.to(run.o.device) for t in sample(run.train, 8192, run.o.calibrate, run.o.seed)]

    def integer(precision):
        pipeline = Pipeline(student, precision)
        left = pipeline.calibrate(batches)
        model = Integer(*pipeline.convert())
        if left:
            print("left their ranges while calibrating:", left, file=sys.stderr)
        return model
    for what, precision in VARIANTS:
        table.row(what, integer_logits(integer(FINEST | precision), data))
    model = integer(run.o.precision)
    table.row("integer model as it is written", integer_logits(model, data))
    draw = np.random.default_rng(run.o.seed)
    model.draw = lambda shape, high: draw.integers(0, high, shape)
    table.row("the same, rounded at random as shares are", integer_logits(model, data))


if __name__ == "__main__":
    try:
        with torch.no_grad():
            main(Run(options(sys.argv[1:])))
    except (DataError, ValueError, OSError) as error:
        print(f"losses.py: {error}", file=sys.stderr)
        sys.exit(2)
