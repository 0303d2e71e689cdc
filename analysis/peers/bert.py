"""The model that peers run: BERT's shape with random weights, and its logits in clear floating point.

Peers get what pqbert's parties get: the data owner holds the embedded, normalised text (the embedding is public and its
own business), the model owner holds everything from the first encoder layer to the classifier. Post-norm layers, GELU
in its tanh form, pooler on the first token, two classes, no padding. Weights are drawn as BERT draws them before
training (deviation 0.02), so values stay in the ranges that fixed point and iterative approximations are made for.
"""
from __future__ import annotations

from dataclasses import dataclass

import numpy as np

CLASSES = 2
EPSILON = 1e-5  # of LayerNorm
GELU_FACTOR, GELU_CUBIC = float(np.sqrt(2 / np.pi)), 0.044715

Weights = dict[str, np.ndarray]  # by name, "LAYER.NAME" inside the encoder


@dataclass(frozen=True)
class Shape:
    name: str
    layers: int
    hidden: int
    heads: int
    ffn: int

    @property
    def head_dim(self) -> int:
        return self.hidden // self.heads


SHAPES = {s.name: s for s in (Shape("bert-tiny", 2, 128, 2, 512), Shape("bert-mini", 4, 256, 4, 1024),
                              Shape("bert-base", 12, 768, 12, 3072), Shape("bert-large", 24, 1024, 16, 4096))}


def weight_shapes(shape: Shape) -> dict[str, tuple[int, ...]]:
    """Q, K and V are one matrix, as every implementation that cares for speed has them. Matrices are [inner][outer]."""
    h, f = shape.hidden, shape.ffn
    layer = {"qkv": (h, 3 * h), "qkv_bias": (3 * h,), "out": (h, h), "out_bias": (h,), "gamma1": (h,), "beta1": (h,),
             "ffn1": (h, f), "ffn1_bias": (f,), "ffn2": (f, h), "ffn2_bias": (h,), "gamma2": (h,), "beta2": (h,)}
    names = {f"{i}.{name}": dims for i in range(shape.layers) for name, dims in layer.items()}
    return {**names, "pooler": (h, h), "pooler_bias": (h,), "classifier": (h, CLASSES), "classifier_bias": (CLASSES,)}


def make_weights(shape: Shape, seed: int) -> Weights:
    """float32. The factor 1 / sqrt(head_dim) of the scores is folded into Q's columns: nobody multiplies by it."""
    draw = np.random.default_rng(seed)
    made: Weights = {}
    for name, dims in weight_shapes(shape).items():
        values = draw.normal(0.0, 0.02, dims).astype(np.float32)
        kind = name.split(".")[-1]
        if kind.startswith("gamma"):
            values += 1
        elif kind in ("qkv", "qkv_bias"):
            values[..., :shape.hidden] /= np.sqrt(shape.head_dim)
        made[name] = values
    return made


def normalise(x: np.ndarray) -> np.ndarray:
    centred = x - x.mean(-1, keepdims=True)
    return centred / np.sqrt((centred * centred).mean(-1, keepdims=True) + EPSILON)


def make_input(shape: Shape, seq: int, seed: int) -> np.ndarray:
    """[seq][hidden] float32, as an embedding with LayerNorm leaves it."""
    draw = np.random.default_rng([seed, seq])
    return normalise(draw.normal(0.0, 1.0, (seq, shape.hidden))).astype(np.float32)


def gelu(x: np.ndarray) -> np.ndarray:
    return 0.5 * x * (1 + np.tanh(GELU_FACTOR * (x + GELU_CUBIC * x**3)))


def softmax(x: np.ndarray) -> np.ndarray:
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def plain_logits(shape: Shape, weights: Weights, x: np.ndarray) -> np.ndarray:
    """[CLASSES] in float64."""
    w = {name: value.astype(np.float64) for name, value in weights.items()}
    x = x.astype(np.float64)
    seq = len(x)
    for i in range(shape.layers):
        qkv = x @ w[f"{i}.qkv"] + w[f"{i}.qkv_bias"]
        q, k, v = qkv.reshape(seq, 3, shape.heads, shape.head_dim).transpose(1, 2, 0, 3)
        context = (softmax(q @ k.transpose(0, 2, 1)) @ v).transpose(1, 0, 2).reshape(seq, shape.hidden)
        x = normalise(x + context @ w[f"{i}.out"] + w[f"{i}.out_bias"]) * w[f"{i}.gamma1"] + w[f"{i}.beta1"]
        inner = gelu(x @ w[f"{i}.ffn1"] + w[f"{i}.ffn1_bias"])
        x = normalise(x + inner @ w[f"{i}.ffn2"] + w[f"{i}.ffn2_bias"]) * w[f"{i}.gamma2"] + w[f"{i}.beta2"]
    pooled = np.tanh(x[:1] @ w["pooler"] + w["pooler_bias"])
    return (pooled @ w["classifier"] + w["classifier_bias"])[0]


def relative_error(found: np.ndarray, wanted: np.ndarray) -> float:
    """Largest difference over the largest value; not a number where something found is none."""
    return float(np.abs(np.asarray(found, np.float64) - wanted).max() / np.abs(wanted).max())
