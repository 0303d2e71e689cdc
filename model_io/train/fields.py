"""What the two model files hold, in their order: the Python side of FORMAT.md, and their shape's rules."""

from dataclasses import dataclass

import numpy as np

SHAPE = ["layers", "hidden", "heads", "ffn", "vocab", "max_seq", "types", "labels", "trunc", "score_trunc",
         "norm_trunc", "var_trunc", "weight_bits", "score_top", "var_top"]
FLOAT_MAX = float(np.finfo(np.float32).max)


@dataclass
class Field:
    name: str
    type: str    # numpy's, little-endian
    dims: tuple
    low: float
    high: float
    bits: bool = False  # signs, packed in the file

    def stored_dims(self):
        return (self.dims[0], (self.dims[1] + 7) // 8) if self.bits else self.dims


def context_bits(trunc):
    return 8 if trunc >= 8 else max(6, trunc + 1)


def _linear(name, shape, rows, columns, table):
    bits = shape["weight_bits"]
    reach = 2 ** (bits - 1)
    yield Field(f"{name}/weight", "i1", (rows, columns), -1 if bits == 1 else -reach, 1 if bits == 1 else reach - 1,
                bits == 1)
    yield Field(f"{name}/multiplier", "<u2", (rows,), 1, 32767)
    yield Field(f"{name}/bias", "<u2", (rows,), 0, 65535)
    if table:
        yield Field(f"{name}/table", "i1", (rows, 2 ** shape["trunc"]), -8, 7)
    yield Field(f"{name}/scale", "<f8", (rows,), -np.inf, np.inf)


def secret(shape):
    """The datasets of the secret file."""
    hidden, ffn = shape["hidden"], shape["ffn"]
    for i in range(shape["layers"]):
        layer = f"layer_{i:03d}"
        yield from _linear(f"{layer}/qkv", shape, 3 * hidden, hidden, True)
        yield from _linear(f"{layer}/attention_out", shape, hidden, hidden, False)
        yield from _linear(f"{layer}/ffn1", shape, ffn, hidden, True)
        yield from _linear(f"{layer}/ffn2", shape, hidden, ffn, False)
        yield Field(f"{layer}/score_clamp", "i1", (64,), -8, 7)
        yield Field(f"{layer}/exp_scale", "<f8", (1,), 0, 100)
        yield Field(f"{layer}/context", "i1", (hidden, 2 ** context_bits(shape["trunc"])), -8, 7)
        for norm in ("attention_norm", "ffn_norm"):
            yield Field(f"{layer}/{norm}/rsqrt", "<u4", (2 ** shape["var_trunc"],), 1, 2 ** 31 - 1)
            yield Field(f"{layer}/{norm}/code", "i1", (hidden, 2 ** shape["norm_trunc"]), -8, 7)
            yield Field(f"{layer}/{norm}/residual", "i1", (hidden, 2 ** shape["norm_trunc"]), -128, 127)
            yield Field(f"{layer}/{norm}/gamma", "<f4", (hidden,), -FLOAT_MAX, FLOAT_MAX)
            yield Field(f"{layer}/{norm}/beta", "<f4", (hidden,), -FLOAT_MAX, FLOAT_MAX)
    yield from _linear("pooler", shape, hidden, hidden, True)
    yield from _linear("classifier", shape, shape["labels"], hidden, False)


def public(shape, vocab_bytes):
    """The datasets of the public file; vocab_bytes 0: a model without words."""
    hidden = shape["hidden"]
    for name, rows in (("word", "vocab"), ("position", "max_seq"), ("type", "types")):
        yield Field(f"embedding/{name}", "<f4", (shape[rows], hidden), -FLOAT_MAX, FLOAT_MAX)
    for name in ("gamma", "beta"):
        yield Field(f"embedding/{name}", "<f4", (hidden,), -FLOAT_MAX, FLOAT_MAX)
    for name in ("code_step", "residual_step"):
        yield Field(f"embedding/{name}", "<f4", (1,), float(np.finfo(np.float32).tiny), FLOAT_MAX)
    if vocab_bytes:
        yield Field("vocab", "u1", (vocab_bytes,), 1, 255)


RULES = {"layers": (1, 256), "hidden": (8, 4096), "heads": (1, 4096), "ffn": (8, 4096), "vocab": (1, 1 << 20),
         "max_seq": (1, 512), "types": (1, 16), "labels": (1, 64), "var_trunc": (8, 10), "weight_bits": (1, 8)}


def check_shape(shape):
    """The rules of pq_shape_check. ValueError with the first that is broken."""
    for name, (low, high) in RULES.items():
        if not low <= shape[name] <= high:
            raise ValueError(f"model shape: {name} is {shape[name]}; use {low} to {high}")
    if shape["hidden"] % shape["heads"]:
        raise ValueError(f"model shape: hidden {shape['hidden']} is no multiple of heads {shape['heads']}")
    for name, allowed in (("trunc", (4, 5, 6, 8)), ("score_trunc", (4, 6)), ("norm_trunc", (6, 8))):
        if shape[name] not in allowed:
            raise ValueError(f"model shape: {name} is {shape[name]}; use one of {allowed}")
    if not shape["score_trunc"] <= shape["score_top"] <= 16:
        raise ValueError(f"model shape: score_top is {shape['score_top']}; use {shape['score_trunc']} to 16")
    if not shape["var_trunc"] <= shape["var_top"] <= 32:
        raise ValueError(f"model shape: var_top is {shape['var_top']}; use {shape['var_trunc']} to 32")
