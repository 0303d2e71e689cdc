"""Small BERT checkpoints with random weights, written with numpy and json alone, and their forward pass in numpy: what
the readers and the float pass of the program are held against.

Used by test_float_bert.py and by jobs/tests/test_import.py. write(folder, **changes) returns a Checkpoint."""

import json
import math
import pathlib
import struct

import numpy

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"] + [f"w{i}" for i in range(45)]
CONFIG = {"model_type": "bert", "hidden_size": 24, "num_hidden_layers": 3, "num_attention_heads": 3,
          "intermediate_size": 52, "vocab_size": len(WORDS), "max_position_embeddings": 40, "type_vocab_size": 2,
          "layer_norm_eps": 1e-6, "hidden_act": "gelu", "position_embedding_type": "absolute"}


def encode(array, dtype):
    """Bytes of float32 values as `dtype`, and the values they then are."""
    if dtype == "BF16":
        bits = (array.astype("<f4").view("<u4") + 0x8000) >> 16
        return bits.astype("<u2").tobytes(), (bits << 16).astype("<u4").view("<f4")
    kept = array.astype({"F64": "<f8", "F32": "<f4", "F16": "<f2"}[dtype])
    return kept.tobytes(), kept.astype("f4")


def write_safetensors(path, tensors, dtype="F32", dtypes=None):
    """Returns the values as they were stored."""
    header, data, stored = {"__metadata__": {"format": "pt"}}, b"", {}
    for name, array in tensors.items():
        kind = (dtypes or {}).get(name, dtype)
        raw, stored[name] = encode(array, kind)
        stored[name] = stored[name].reshape(array.shape)
        header[name] = {"dtype": kind, "shape": list(array.shape), "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    pathlib.Path(path).write_bytes(struct.pack("<Q", len(text)) + text + data)
    return stored


def names_and_shapes(config, labels, pooler):
    hidden, ffn = config["hidden_size"], config["intermediate_size"]
    dense = {"attention.self.query": (hidden, hidden), "attention.self.key": (hidden, hidden),
             "attention.self.value": (hidden, hidden), "attention.output.dense": (hidden, hidden),
             "intermediate.dense": (ffn, hidden), "output.dense": (hidden, ffn)}
    shapes = {"embeddings.word_embeddings.weight": (config["vocab_size"], hidden),
              "embeddings.position_embeddings.weight": (config["max_position_embeddings"], hidden),
              "embeddings.token_type_embeddings.weight": (config["type_vocab_size"], hidden)}
    norms = ["embeddings.LayerNorm"]
    for layer in range(config["num_hidden_layers"]):
        at = f"encoder.layer.{layer}."
        for name, shape in dense.items():
            shapes[at + name + ".weight"], shapes[at + name + ".bias"] = shape, shape[:1]
        norms += [at + "attention.output.LayerNorm", at + "output.LayerNorm"]
    for name in norms:
        shapes[name + ".weight"], shapes[name + ".bias"] = (hidden,), (hidden,)
    if pooler:
        shapes["pooler.dense.weight"], shapes["pooler.dense.bias"] = (hidden, hidden), (hidden,)
    if labels:
        shapes["classifier.weight"], shapes["classifier.bias"] = (labels, hidden), (labels,)
    return shapes


def random_tensors(config, labels, pooler, seed):
    random, tensors = numpy.random.default_rng(seed), {}
    for name, shape in names_and_shapes(config, labels, pooler).items():
        if name.endswith("LayerNorm.weight"):
            value = 1 + 0.2 * random.standard_normal(shape)
        elif name.endswith("bias"):
            value = 0.2 * random.standard_normal(shape)
        elif "embeddings" in name:
            value = random.standard_normal(shape) * (0.3 if "word" not in name else 1)
        else:
            value = random.standard_normal(shape) * 1.2 / math.sqrt(shape[1])
        tensors[name] = value.astype("f4")
    return tensors


class Checkpoint:
    def __init__(self, config, tensors):
        self.config, self.tensors = config, {name: value.astype("f8") for name, value in tensors.items()}

    def linear(self, name, x):
        return x @ self.tensors[name + ".weight"].T + self.tensors[name + ".bias"]

    def norm(self, name, x):
        x = x - x.mean(-1, keepdims=True)
        x = x / numpy.sqrt((x * x).mean(-1, keepdims=True) + self.config["layer_norm_eps"])
        return x * self.tensors[name + ".weight"] + self.tensors[name + ".bias"]

    def activation(self, x):
        kind = self.config["hidden_act"]
        if kind == "relu":
            return numpy.maximum(x, 0)
        if kind in ("silu", "swish"):
            return x / (1 + numpy.exp(-x))
        if kind == "tanh":
            return numpy.tanh(x)
        if kind == "gelu":
            return x * (1 + numpy.vectorize(math.erf)(x / math.sqrt(2))) / 2
        return x * (1 + numpy.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x ** 3))) / 2

    def forward(self, ids):
        """Hidden states behind the embedding and each layer, [tokens][hidden] each, and the logits."""
        heads, word = self.config["num_attention_heads"], self.tensors["embeddings.word_embeddings.weight"]
        x = word[ids] + self.tensors["embeddings.position_embeddings.weight"][:len(ids)]
        x = self.norm("embeddings.LayerNorm", x + self.tensors["embeddings.token_type_embeddings.weight"][0])
        states = [x]
        for layer in range(self.config["num_hidden_layers"]):
            at = f"encoder.layer.{layer}."
            q, k, v = (self.linear(at + "attention.self." + name, x).reshape(len(ids), heads, -1).swapaxes(0, 1)
                       for name in ("query", "key", "value"))
            scores = q @ k.swapaxes(1, 2) / math.sqrt(q.shape[2])
            scores = numpy.exp(scores - scores.max(-1, keepdims=True))
            context = (scores / scores.sum(-1, keepdims=True)) @ v
            context = context.swapaxes(0, 1).reshape(len(ids), -1)
            x = self.norm(at + "attention.output.LayerNorm", x + self.linear(at + "attention.output.dense", context))
            inner = self.activation(self.linear(at + "intermediate.dense", x))
            x = self.norm(at + "output.LayerNorm", x + self.linear(at + "output.dense", inner))
            states.append(x)
        return states, self.linear("classifier", numpy.tanh(self.linear("pooler.dense", x[:1])))[0]


def write(folder, labels=3, pooler=True, prefix="bert.", dtype="F32", seed=1, old_names=False, **changes):
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    config = {**CONFIG, **changes}
    tensors = random_tensors(config, labels, pooler, seed)

    def stored_name(name):
        if old_names:
            name = name.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta")
        return name if name.startswith("classifier") else prefix + name

    stored = write_safetensors(folder / "model.safetensors", {stored_name(n): t for n, t in tensors.items()}, dtype)
    (folder / "config.json").write_text(json.dumps(config), encoding="utf8")
    (folder / "vocab.txt").write_text("".join(word + "\n" for word in WORDS[:config["vocab_size"]]), encoding="utf8")
    return Checkpoint(config, {name: stored[stored_name(name)] for name in tensors})
