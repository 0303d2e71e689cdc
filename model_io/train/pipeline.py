"""The student together with its integer model: calibration on data, and what the last stage's forward pass takes from
the integer model."""

import numpy as np
import torch

from convert import Converter, Ranges, measure
from integer import Integer, Widths

WIDEN = 1.15  # of a range that was left
ROUNDS = 12   # of widening
EVERY = 100   # steps of training with the same ranges


class Pipeline:
    """precision: those of convert.DEFAULTS that differ. batches: of tokens, for ranges in training. noise: a torch
    generator, for stochastic rounding in training, as shares are truncated; None: rounding to nearest."""

    def __init__(self, student, precision, batches=(), noise=None, margin=1.25):
        self.student, self.precision, self.margin = student, precision, margin
        self.batches, self.noise = batches, noise
        self.margins, self.ranges, self.converter, self.model = {}, None, None, None

    def convert(self):
        """The integer model of the student's present weights, within the ranges that were measured."""
        self.converter = Converter(self.student, self.ranges, self.precision, self.margin, self.margins)
        shape, values = self.converter.convert()
        self.model = Integer(shape, values, torch, self.student.word.weight.device)
        return shape, values

    def given(self, tokens):
        """What a Network takes as `given`: codes as they are, the rest in real values."""
        if self.noise:
            self.model.draw = lambda shape, high: torch.randint(high, shape, generator=self.noise,
                                                                device=self.noise.device)
        logits = self.model.forward(tokens.cpu().numpy())
        self.model.draw = None
        step, trace = self.converter.hidden_step, self.model.trace
        probability = 2.0 ** Widths(tokens.shape[1]).prob_bits
        given = {"residual": trace["residual"] * step["0.attention_norm"], "logits": logits * self.converter.logit}
        last = self.student.shape["layers"] - 1
        for name, code in trace.items():
            if name.endswith(".probability"):
                given[name] = code / probability
            elif name == f"{last}.ffn_norm.residual":  # nothing follows: the layer's output is what the pooler reads
                given[name] = trace[f"{last}.ffn_norm"] * self.converter.step[f"{last}.ffn_norm"][0]
            elif name.endswith(".attention_norm.residual"):
                given[name] = code * step[name.replace("attention", "ffn")[:-9]]
            elif name.endswith(".ffn_norm.residual"):
                given[name] = code * step[f"{int(name.split('.')[0]) + 1}.attention_norm"]
            elif name != "residual":
                given[name] = code
        return {name: value.float() for name, value in given.items()}

    def calibrate(self, batches, report=None):
        """Measures ranges over token batches, converts, and widens whatever range the integer model left, until it
        leaves none. Returns what it still left: {place: values}."""
        self.ranges = measure(self.student, batches)
        self.margins = {}
        for _ in range(ROUNDS):
            self.convert()
            for tokens in batches:
                self.model.forward(tokens.cpu().numpy())
            left = {place: count for place, count in self.model.wrapped.items() if count}
            if report:
                report(left)
            if not left:
                break
            for place in left:
                self.margins[place] = self.margins.get(place, 1) * WIDEN
        return left

    def follow(self, step):
        """Called before each step of training: new ranges every so many steps, a conversion at each."""
        if step % EVERY == 0:
            self.calibrate(self.batches)
        else:
            self.convert()

    def state(self):
        """For a training that goes on later: what does not follow from the network."""
        return {"low": self.ranges.low, "high": self.ranges.high, "margins": self.margins,
                "noise": self.noise.get_state() if self.noise else None}

    def restore(self, state):
        self.ranges = Ranges(state["low"], state["high"])
        self.margins = state["margins"]
        if self.noise:
            self.noise.set_state(state["noise"])


def sample(data, plan_tokens, count, seed):
    """Token batches of about `count` sequences, drawn over all lengths as they occur."""
    found, have = [], 0
    for batch in data.batches(plan_tokens, np.random.default_rng([seed, 77])):
        if have >= count:
            break
        found.append(torch.from_numpy(data.tokens(batch)))
        have += len(batch)
    return found


def integer_logits(model, data, tokens=4096):
    """int64 [sequences][labels] of an Integer model over numpy or torch arrays."""
    out = np.zeros((len(data), model.shape["labels"]), np.int64)
    for batch in data.batches(tokens, sequences=256):
        logits = model.forward(data.tokens(batch))
        out[batch] = logits if isinstance(logits, np.ndarray) else logits.cpu().numpy()
    return out
