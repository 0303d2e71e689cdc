"""From a trained student to the integer model: ranges seen on training data, then multipliers, biases and tables.

Units. A layer with a table gets, per channel, as many accumulator units per real unit as put the range that was seen,
times the margin, on the whole ring; the table knows them, so nothing but resolution depends on it. A layer before
LayerNorm has 2^8 units per hidden code; `step` of a LayerNorm is the real value of one hidden code of its input.
"""

import math

import numpy as np
import torch

import fields
from network import GELU_ZERO

DEFAULTS = {"trunc": 6, "score_trunc": 6, "norm_trunc": 8, "var_trunc": 10, "weight_bits": 1}


def _numbers(tensor):
    return tensor.detach().double().cpu().numpy()


class Ranges:
    """Least and largest value of each channel at each place, as a network's `record` sees them."""

    def __init__(self, low=None, high=None):
        self.low, self.high = low or {}, high or {}

    def __call__(self, name, x):
        x = x.detach().reshape(-1, 1) if name.endswith(("score", "scores")) else x.detach().reshape(-1, x.shape[-1])
        if name.endswith("_norm.sum"):
            centred = x - x.mean(1, keepdim=True)
            spread = centred.pow(2).mean(1, keepdim=True).sqrt()
            self._merge(name[:-3] + "spread", spread)
            self._merge(name[:-3] + "normalised", centred / spread)
        self._merge(name, x)

    def _merge(self, name, x):
        low, high = _numbers(x.amin(0)), _numbers(x.amax(0))
        self.low[name] = np.minimum(self.low.get(name, low), low)
        self.high[name] = np.maximum(self.high.get(name, high), high)

    def reach(self, name):
        return np.maximum(np.abs(self.low[name]), np.abs(self.high[name]))


def measure(student, batches):
    """Ranges over token batches (tensors)."""
    ranges, training = Ranges(), student.training
    student.eval()
    student.record = ranges
    with torch.no_grad():
        for tokens in batches:
            student(tokens)
    student.record = None
    student.train(training)
    return ranges


def gelu(x):
    return 0.5 * x * (1 + np.vectorize(math.erf)(x * math.sqrt(0.5)))


def _codes(y, low=-8, high=7):
    return np.rint(np.clip(y, low, high))


def _indices(bits):
    """The signed value of each index of a table."""
    v = np.arange(1 << bits)
    return v - ((v >> (bits - 1)) << bits)


class Converter:
    """One conversion. margins: by place (of integer.py's `wrapped`), where the default is not enough."""

    def __init__(self, student, ranges, precision, margin=1.25, margins=None):
        self.student, self.ranges = student, ranges
        self.shape = {name: student.shape[name] for name in fields.SHAPE[:8]} | DEFAULTS | precision
        self.margin, self.margins, self.values = margin, margins or {}, {}
        self.step = {name: _numbers(codes.step.clamp(min=1e-6)) for name, codes in student.quantisers().items()}

    def _margin(self, place):
        return self.margin * self.margins.get(place, 1)

    def _weights(self, linear):
        weights = self.student.weights
        weight = linear.weight.detach()
        scale = weights.scale(weight)
        return weight, _numbers(weights.integers(weight, scale)), _numbers(scale)[:, 0], _numbers(linear.bias)

    def _store(self, name, integers, multiplier, bias, scale, table=None):
        self.values |= {f"{name}/weight": integers, f"{name}/multiplier": multiplier,
                        f"{name}/bias": np.rint(bias).astype(np.int64) & 0xffff, f"{name}/scale": scale}
        if table is not None:
            self.values[f"{name}/table"] = table

    def _with_table(self, linear, step, place, seen, function):
        """weight, multiplier, bias, scale, table of channels whose real output y goes to code function(y)."""
        weight, integers, scale, bias = self._weights(linear)
        centre = (self.ranges.low[seen] + self.ranges.high[seen]) / 2
        reach = (self.ranges.high[seen] - self.ranges.low[seen]) / 2 * self._margin(place) + 1e-6
        ring = 2.0 ** 15 - 2.0 ** (15 - self.shape["trunc"])  # what rounds up to the end wraps
        wanted = ring * scale * step / reach
        if self.student.weights.bits > 1:  # wide weights whose sums would not fit: larger, so fewer, steps
            scale = scale * np.maximum(1 / wanted, 1)
            integers = _numbers(self.student.weights.integers(weight, torch.from_numpy(scale[:, None]).to(weight)))
            wanted = ring * scale * step / reach
        multiplier = np.clip(np.floor(wanted * (1 + 1e-12)), 1, 32767)
        per_unit = scale * step / multiplier
        shift = np.rint((bias - centre) / per_unit)
        index = _indices(self.shape["trunc"]) * 2.0 ** (16 - self.shape["trunc"])
        y = (index[None] - shift[:, None]) * per_unit[:, None] + bias[:, None]
        return integers, multiplier, shift, scale, function(y)

    def _before_norm(self, name, linear, step, zero, hidden_step):
        """attention_out and ffn2: 2^8 accumulator units per hidden code."""
        weight, integers, scale, bias = self._weights(linear)
        wanted = 256 * scale * step / hidden_step
        multiplier = np.rint(wanted)
        if self.student.weights.bits > 1:  # a coarse multiplier: another scale, for which it is exact
            multiplier = np.where(wanted < 16, np.ceil(wanted - 0.02), multiplier)
            scale = multiplier * hidden_step / (256 * step)
            integers = _numbers(self.student.weights.integers(weight, torch.from_numpy(scale[:, None]).to(weight)))
        multiplier = np.clip(multiplier, 1, 32767)
        shift = 256 * (bias + scale * step * zero * integers.sum(1)) / hidden_step
        # what the multiplier rounds away of a constant input is put back
        shift += zero * integers.sum(1) * (multiplier - 256 * scale * step / hidden_step)
        self._store(name, integers, multiplier, shift, scale)

    def _qkv(self, i, step):
        layer, hidden, heads = self.student.layer[i], self.shape["hidden"], self.shape["heads"]
        parts = []
        for place in ("query", "key", "value"):
            own = self.step[f"{i}.{place}"].reshape(-1, 1)
            parts.append(self._with_table(getattr(layer, place), step, f"{i}.qkv", f"{i}.{place}",
                                          lambda y, own=own: _codes(y / own)))
        order = np.arange(3 * hidden).reshape(3, heads, hidden // heads).swapaxes(0, 1).reshape(-1)
        self._store(f"layer_{i:03d}/qkv", *(np.concatenate(columns)[order] for columns in zip(*parts)))

    def _scores(self, i):
        layer, depth = f"layer_{i:03d}", self.shape["hidden"] // self.shape["heads"]
        product = self.step[f"{i}.query"] * self.step[f"{i}.key"] / math.sqrt(depth)
        unit = 2.0 ** (self.shape["score_top"] - self.shape["score_trunc"]) * product  # of a truncated score
        step, offset = self.step[f"{i}.score"], _numbers(self.student.layer[i].offset)
        clamp = np.zeros(64)
        if self.shape["score_trunc"] == 6:
            clamp = _codes((_indices(6) * unit - offset) / step)
        else:
            step = unit
        self.values |= {f"{layer}/score_clamp": clamp, f"{layer}/exp_scale": np.minimum(step, 100.0)}

    def _context(self, i):
        bits = fields.context_bits(self.shape["trunc"])
        value = _indices(bits)[None] * 2.0 ** (5 - bits) * self.step[f"{i}.value"][:, None]
        self.values[f"layer_{i:03d}/context"] = _codes(value / self.step[f"{i}.context"])

    def _norm(self, i, name, norm, next_step, room):
        """room [channels]: hidden codes that the next layer's output may add to the residual."""
        s, path, place = self.shape, f"layer_{i:03d}/{name}", f"{i}.{name}"
        largest = max(2.0, self.ranges.reach(f"{place}.normalised").max() * self._margin(place))
        unit = 2.0 ** (s["var_top"] - s["var_trunc"])
        v = np.arange(1 << s["var_trunc"])
        rsqrt = np.rint(2.0 ** 22 * 8 / largest / np.sqrt(unit * np.maximum(v, 0.5)))
        x = _indices(s["norm_trunc"]) * largest * 2.0 ** (1 - s["norm_trunc"])
        gamma, beta = _numbers(norm.weight), _numbers(norm.bias)
        y = gamma[:, None] * x[None] + beta[:, None]
        most = np.maximum(127 - room, 0)[:, None]
        self.values |= {f"{path}/rsqrt": np.clip(rsqrt, 1, 2 ** 31 - 1), f"{path}/code": _codes(y / self.step[place]),
                        f"{path}/residual": _codes(y / next_step, -most, most), f"{path}/gamma": gamma,
                        f"{path}/beta": beta}

    def _place(self, hidden_step):
        """Positions, the same for all layers: a score's at the nearest power of two to the largest that was seen, since
        half a bit more would cost half of its resolution; a variance's above the largest."""
        s, layers, hidden = self.shape, range(self.shape["layers"]), self.shape["hidden"]
        depth = hidden // s["heads"]
        score = [self.ranges.reach(f"{i}.scores")[0] * math.sqrt(depth)
                 / float(self.step[f"{i}.query"] * self.step[f"{i}.key"]) * self._margin(f"{i}.scores") for i in layers]
        s["score_top"] = min(16, max(s["score_trunc"], round(math.log2(max(score))) + 1))
        for i in layers:  # at most sqrt(2) beyond that: coarser queries make smaller scores
            self.step[f"{i}.query"] = self.step[f"{i}.query"] * max(1, score[i] / 2.0 ** (s["score_top"] - 1))
        spread = max(self.ranges.high[f"{place}.spread"][0] / step * math.sqrt(self._margin(f"{place}.variance"))
                     for place, step in hidden_step.items())
        s["var_top"] = min(32, max(s["var_trunc"], math.ceil(math.log2(1.1 * (hidden * spread) ** 2))))

    def convert(self):
        """(shape, values) for files.write and integer.Integer; also fills `hidden_step` and `logit`, the real values of
        a hidden code by LayerNorm and of a logit."""
        student, ranges, layers = self.student, self.ranges, range(self.shape["layers"])
        self.shape["weight_bits"] = student.weights.bits
        self.hidden_step = {f"{i}.{name}": ranges.reach(f"{i}.{name}.sum").max() * self._margin(f"{i}.{name}.sum") / 127
                            for i in layers for name in ("attention_norm", "ffn_norm")}
        self._place(self.hidden_step)
        room = {f"{i}.{name}": ranges.reach(f"{i}.{linear}") * self._margin(f"{i}.{name}.sum")
                / self.hidden_step[f"{i}.{name}"]
                for i in layers for name, linear in (("attention_norm", "attention_out"), ("ffn_norm", "ffn2"))}
        last = f"{self.shape['layers'] - 1}.ffn_norm"
        for i, layer in enumerate(student.layer):
            before = self.step[f"{i - 1}.ffn_norm" if i else "input"]
            middle, end, after = f"{i}.attention_norm", f"{i}.ffn_norm", f"{i + 1}.attention_norm"
            self._qkv(i, before)
            self._scores(i)
            self._context(i)
            self._before_norm(f"layer_{i:03d}/attention_out", layer.attention_out, self.step[f"{i}.context"], 0,
                              self.hidden_step[middle])
            self._norm(i, "attention_norm", layer.attention_norm, self.hidden_step[end], room[end])
            self._store(f"layer_{i:03d}/ffn1", *self._with_table(
                layer.ffn1, self.step[middle], f"{i}.ffn1", f"{i}.ffn1",
                lambda y, s=self.step[f"{i}.gelu"]: _codes(gelu(y) / s - GELU_ZERO)))
            self._before_norm(f"layer_{i:03d}/ffn2", layer.ffn2, self.step[f"{i}.gelu"], GELU_ZERO,
                              self.hidden_step[end])
            self._norm(i, "ffn_norm", layer.ffn_norm, *((1 / 16, np.zeros(self.shape["hidden"])) if end == last
                                                        else (self.hidden_step[after], room[after])))
        self._store("pooler", *self._with_table(student.pooler, self.step[last], "pooler", "pooler_sum",
                                                lambda y: _codes(np.tanh(y) / self.step["pooler"])))
        self._classifier()
        self._embedding()
        return self.shape, self.values

    def _classifier(self):
        _, integers, scale, bias = self._weights(self.student.classifier)
        largest = (scale * self.step["pooler"] * 8 * np.abs(integers).sum(1) + np.abs(bias)).max()
        self.logit = largest / 32000  # no sum can leave the ring
        multiplier = np.clip(np.rint(scale * self.step["pooler"] / self.logit), 1, 32767)
        self._store("classifier", integers, multiplier, bias / self.logit, scale)

    def _embedding(self):
        student = self.student
        self.values |= {"embedding/word": _numbers(student.word.weight),
                        "embedding/position": _numbers(student.position.weight),
                        "embedding/type": _numbers(student.kind.weight),
                        "embedding/gamma": _numbers(student.embedding_norm.weight),
                        "embedding/beta": _numbers(student.embedding_norm.bias),
                        "embedding/code_step": self.step["input"].reshape(1),
                        "embedding/residual_step": np.array([self.hidden_step["0.attention_norm"]])}
