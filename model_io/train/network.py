"""BERT's encoder with a classifier, full precision or with the roundings of the integer model.

Every value that the integer model holds as a code passes a quantiser of the same name (`Codes`), which does nothing
while it is off: so teacher and student are one network. `given`, where there is one, holds codes and values of the
same names as the integer model computed them (integer.py): they take the place of the network's own in the forward
pass, and gradients flow as if they were its own.
"""

import math

import torch
import torch.nn.functional as F
from torch import nn

from quantisers import Codes, Weights, straight

EPSILON = 1e-12  # of LayerNorm
GELU_ZERO = 7    # GELU's codes stand for -1 to 14 steps


def multiply(a, b, fast):
    """a @ b; `fast`: in bfloat16 with float32 sums, where processors have it."""
    if fast:
        return torch.matmul(a.bfloat16(), b.bfloat16()).float()
    return torch.matmul(a, b)


class Layer(nn.Module):
    def __init__(self, shape):
        super().__init__()
        hidden, ffn = shape["hidden"], shape["ffn"]
        self.query, self.key, self.value = (nn.Linear(hidden, hidden) for _ in range(3))
        self.attention_out = nn.Linear(hidden, hidden)
        self.attention_norm = nn.LayerNorm(hidden, eps=EPSILON)
        self.ffn1, self.ffn2 = nn.Linear(hidden, ffn), nn.Linear(ffn, hidden)
        self.ffn_norm = nn.LayerNorm(hidden, eps=EPSILON)
        self.codes = nn.ModuleDict({
            "query": Codes(), "key": Codes(), "score": Codes(), "value": Codes(hidden), "context": Codes(),
            "attention_norm": Codes(), "gelu": Codes(zero=GELU_ZERO), "ffn_norm": Codes()})
        self.offset = nn.Parameter(torch.zeros(1))  # of scores, before they become codes; softmax does not see it


class Network(nn.Module):
    def __init__(self, shape, dropout=0.1):
        """shape: layers, hidden, heads, ffn, vocab, max_seq, types, labels."""
        super().__init__()
        self.shape = dict(shape)
        hidden = shape["hidden"]
        self.word = nn.Embedding(shape["vocab"], hidden)
        self.position = nn.Embedding(shape["max_seq"], hidden)
        self.kind = nn.Embedding(shape["types"], hidden)
        self.embedding_norm = nn.LayerNorm(hidden, eps=EPSILON)
        self.layer = nn.ModuleList(Layer(shape) for _ in range(shape["layers"]))
        self.pooler, self.classifier = nn.Linear(hidden, hidden), nn.Linear(hidden, shape["labels"])
        self.codes = nn.ModuleDict({"input": Codes(), "pooler": Codes()})
        self.dropout = nn.Dropout(dropout)
        self.weights = Weights(0)
        self.fast = False
        self.record = None  # a function (name, value before its quantiser), for first steps and calibration
        for module in self.modules():
            if isinstance(module, (nn.Linear, nn.Embedding)):
                nn.init.normal_(module.weight, std=0.02)
            if isinstance(module, nn.Linear):
                nn.init.zeros_(module.bias)

    def quantisers(self):
        """{name: Codes}, named as in `given`."""
        found = {"input": self.codes["input"], "pooler": self.codes["pooler"]}
        for i, layer in enumerate(self.layer):
            found |= {f"{i}.{name}": codes for name, codes in layer.codes.items()}
        return found

    def _see(self, name, x):
        if self.record:
            self.record(name, x)
        return x

    def _code(self, codes, name, x, given):
        self._see(name, x)
        return codes(x, None if given is None else given[name])

    def _linear(self, linear, x):
        return multiply(x, self.weights(linear.weight).t(), self.fast) + linear.bias

    def _norm(self, norm, name, h, given):
        """Normalised values; the residual that goes on is the integer model's where it is given."""
        y = norm(self._see(name + ".sum", h))
        return y if given is None else straight(y, given[name + ".residual"])

    def _attention(self, layer, i, x, given):
        batch, seq, hidden = x.shape
        heads, depth = self.shape["heads"], hidden // self.shape["heads"]
        q, k, v = (self._code(layer.codes[name], f"{i}.{name}", self._linear(getattr(layer, name), x), given)
                   .reshape(batch, seq, heads, depth).transpose(1, 2) for name in ("query", "key", "value"))
        scores = self._see(f"{i}.scores", multiply(q, k.transpose(2, 3), self.fast) / math.sqrt(depth))
        scores = self._code(layer.codes["score"], f"{i}.score", scores - layer.offset, given)
        p = torch.softmax(scores, -1)
        if given is not None:
            p = straight(p, given[f"{i}.probability"])
        context = multiply(p, v, self.fast).transpose(1, 2).reshape(batch, seq, hidden)
        context = self._code(layer.codes["context"], f"{i}.context", context, given)
        return self._see(f"{i}.attention_out", self._linear(layer.attention_out, context)), scores

    def forward(self, tokens, given=None):
        """tokens [batch][seq]. Returns logits, the output of every layer (embedding first), the scores of every
        layer."""
        place = torch.arange(tokens.shape[1], device=tokens.device)
        x = self.embedding_norm(self.word(tokens) + self.position(place) + self.kind.weight[0])
        if given is not None:
            x = straight(x, given["residual"])
        hidden, scores = [x], []
        x = self.dropout(x)
        code = self._code(self.codes["input"], "input", x, given)
        for i, layer in enumerate(self.layer):
            out, s = self._attention(layer, i, code, given)
            scores.append(s)
            x = self._norm(layer.attention_norm, f"{i}.attention_norm", x + self.dropout(out), given)
            code = self._code(layer.codes["attention_norm"], f"{i}.attention_norm", x, given)
            inner = F.gelu(self._see(f"{i}.ffn1", self._linear(layer.ffn1, code)))
            inner = self._code(layer.codes["gelu"], f"{i}.gelu", inner, given)
            out = self._see(f"{i}.ffn2", self._linear(layer.ffn2, inner))
            x = self._norm(layer.ffn_norm, f"{i}.ffn_norm", x + self.dropout(out), given)
            code = self._code(layer.codes["ffn_norm"], f"{i}.ffn_norm", x, given)
            hidden.append(x)
        first = self._see("pooler_sum", self._linear(self.pooler, code[:, 0]))
        pooled = self._code(self.codes["pooler"], "pooler", torch.tanh(first), given)
        logits = self._linear(self.classifier, self.dropout(pooled))
        return (logits if given is None else straight(logits, given["logits"])), hidden, scores
