"""The integer model on clear values: what `pqbert plain` computes, from the model files alone (protocols.md section
4). Independent of the C code; needs numpy. With arrays=torch the same lines run on torch tensors, which is how the
trainer's last stage sees the integer model.

Letters: B sequences of one length S, C channels. Values are integers in int64; sums of products are made by float32
matrix products, exact because every partial sum stays below 2^24 (checked). The embedding is in double, its sums in
the order of channels, as the program has it.
"""

import math

import numpy as np

import fields


def signed(v, bits):
    """Residues mod 2^bits as -2^(bits-1) .. 2^(bits-1) - 1."""
    v = v & ((1 << bits) - 1)
    return v - ((v >> (bits - 1)) << bits)


def _half_up(x):
    """C's lround of x >= 0."""
    whole = math.floor(x)
    return whole + (x - whole >= 0.5)


class Widths:
    """Widths of softmax for rows of `row` scores, and its tables."""

    def __init__(self, row):
        self.row = row
        self.exp_max = 255 if row <= 257 else 127
        self.sum_bits = (self.exp_max * row).bit_length()
        self.sum_trunc = min(8 if row <= 32 else 12, self.sum_bits)
        self.code_bits = 5 if row <= 64 else 4
        self.prob_bits = 8 if row <= 64 else 11
        self.context_top = self.prob_bits + 5

    def exp(self, scale):
        return [_half_up(self.exp_max * math.exp(-scale * d)) for d in range(16)]

    def code(self):
        """Of a truncated sum: where it lies, on a logarithmic scale, between exp_max and exp_max * row."""
        entries, steps, span = 1 << self.sum_trunc, float((1 << self.code_bits) - 1), math.log(self.row)
        unit = math.ldexp(1.0, self.sum_bits - self.sum_trunc)
        if not span > 0:
            return [0] * entries
        return [int(min(max(round(steps * math.log(unit * (v or entries) / self.exp_max) / span), 0), steps))
                for v in range(entries)]

    def division(self, exps):
        one, steps = math.ldexp(1.0, self.prob_bits), float((1 << self.code_bits) - 1)
        return [int(min(round(one * exps[d] / (self.exp_max * math.pow(self.row, code / steps))), one - 1))
                for d in range(16) for code in range(1 << self.code_bits)]


def embed(values, tokens):
    """4-bit codes and 8-bit residuals, int64 [B][S][C], of numpy tokens [B][S]."""
    seq = tokens.shape[1]
    total = values["embedding/word"][tokens].astype(np.float64)
    total += values["embedding/position"][:seq].astype(np.float64)
    total += values["embedding/type"][0].astype(np.float64)
    channels = total.shape[-1]
    mean = np.cumsum(total, -1)[..., -1:] / channels  # cumsum adds in order; sum would not
    away = total - mean
    variance = np.cumsum(away * away, -1)[..., -1:]
    inverse = 1.0 / np.sqrt(variance / channels + 1e-12)
    y = values["embedding/gamma"].astype(np.float64) * (away * inverse) + values["embedding/beta"].astype(np.float64)

    def quantise(step, low, high):
        return np.rint(np.clip(y / np.float64(values[f"embedding/{step}_step"][0]), low, high)).astype(np.int64)
    return quantise("code", -8, 7), quantise("residual", -127, 127)


class Integer:
    """A model of files.py's shape and values. After a forward pass, `trace` holds the codes of every place where the
    student has a quantiser, and `wrapped` counts by place the values that left their ring."""

    def __init__(self, shape, values, arrays=np, device=None):
        self.shape, self.embedding = shape, values
        self.arrays, self.device = arrays, device
        self.tables = {}
        self.trace, self.wrapped = {}, {}
        self.draw = None  # a function (shape, high) giving random integers 0 .. high - 1
        self.values = {f.name: self._array(values[f.name]) for f in fields.secret(shape)
                       if not f.name.endswith(("scale", "gamma", "beta"))}
        self.exp_scale = [float(values[f"layer_{i:03d}/exp_scale"][0]) for i in range(shape["layers"])]
        for name, values in self.values.items():
            if name.endswith("multiplier") or name.endswith("bias"):
                self.values[name] = signed(values, 16)

    def _array(self, values):
        values = np.ascontiguousarray(values).astype(np.int64)
        return values if self.arrays is np else self.arrays.from_numpy(values).to(self.device)

    def _truncate(self, v, top, bits, is_signed):
        """Bits [top - bits, top) of v, rounded to nearest: floor(v / 2^(top-bits) + 1/2) mod 2^bits. With `draw`:
        rounded up as often as v is near the upper value, which is what truncating shares does."""
        unit = 1 << (top - bits)
        kept = ((v + (self.draw(v.shape, unit) if self.draw else unit >> 1)) & ((1 << top) - 1)) >> (top - bits)
        return signed(kept, bits) if is_signed else kept

    def _product(self, a, b, limit):
        """a @ b of integers; no |partial sum| exceeds limit."""
        assert limit < 1 << 24, "sums would not be exact in float32"
        if self.arrays is np:
            return (a.astype(np.float32) @ b.astype(np.float32)).astype(np.int64)
        return (a.float() @ b.float()).long()

    def _watch(self, what, exact, top, bits, is_signed=True):
        """Counts what leaves a ring whose bits [top - bits, top) are used."""
        half = 1 << (top - bits - 1) if top > bits else 0
        high = 1 << (top - 1 if is_signed else top)
        outside = (exact < (-high if is_signed else 0)) | (exact + half >= high)
        self.wrapped[what] = self.wrapped.get(what, 0) + int(outside.sum())

    def _sums(self, name, x, bits, what):
        weight = self.values[f"{name}/weight"]
        sums = self._product(x, weight.T, 8 * weight.shape[1] << (self.shape["weight_bits"] - 1))
        exact = self.values[f"{name}/multiplier"] * sums + self.values[f"{name}/bias"]
        self._watch(what, exact, 16, bits)
        return signed(exact, 16)

    def _look_up(self, name, index):
        """Entry index[..., c] mod 2^bits of channel c's table."""
        table = self.values[name]
        channels, entries = table.shape
        if name not in self.tables:
            self.tables[name] = table.reshape(-1), self._array(np.arange(channels) * entries)
        flat, first = self.tables[name]
        return flat[(index & (entries - 1)) + first]

    def _activate(self, name, x, what):
        t = self.shape["trunc"]
        return self._look_up(f"{name}/table", self._truncate(self._sums(name, x, t, what), 16, t, True))

    def _attention(self, i, x):
        s, layer, arrays = self.shape, f"layer_{i:03d}", self.arrays
        batch, seq, hidden = x.shape
        depth, w = hidden // s["heads"], Widths(seq)
        qkv = self._activate(f"{layer}/qkv", x, f"{i}.qkv").reshape(batch, seq, s["heads"], 3, depth)
        q, k, v = (qkv[:, :, :, j].swapaxes(1, 2) for j in range(3))
        for j, name in enumerate(("query", "key", "value")):
            self.trace[f"{i}.{name}"] = qkv[:, :, :, j].reshape(batch, seq, hidden)
        u = self._product(q, k.swapaxes(2, 3), 64 * depth)
        self._watch(f"{i}.scores", u, s["score_top"], s["score_trunc"])
        u = self._truncate(u, s["score_top"], s["score_trunc"], True)
        if s["score_trunc"] > 4:
            u = self.values[f"{layer}/score_clamp"][u & 63]
        exps = w.exp(self.exp_scale[i])
        exp, code, division = (self._array(np.array(t)) for t in (exps, w.code(), w.division(exps)))
        d = arrays.amax(u, -1)[..., None] - u
        total = self._truncate(exp[d].sum(-1), w.sum_bits, w.sum_trunc, False)
        p = division[(d << w.code_bits) + code[total][..., None]]
        self.trace[f"{i}.score"], self.trace[f"{i}.probability"] = u, p
        context = self._product(p, v, 8 * seq << w.prob_bits)
        self._watch(f"{i}.context", context, w.context_top, fields.context_bits(s["trunc"]))
        context = self._truncate(signed(context, 16), w.context_top, fields.context_bits(s["trunc"]), True)
        context = context.swapaxes(1, 2).reshape(batch, seq, hidden)
        self.trace[f"{i}.context"] = self._look_up(f"{layer}/context", context)
        return self.trace[f"{i}.context"]

    def _add_and_norm(self, i, linear, norm, x, residual):
        """residual + linear(x), normalised: the next codes and the next residual."""
        s, name, what = self.shape, f"layer_{i:03d}/{norm}", f"{i}.{norm}"
        b = self._truncate(self._sums(f"layer_{i:03d}/{linear}", x, 8, f"{i}.{linear}"), 16, 8, True)
        exact = residual + b
        self._watch(f"{what}.sum", exact, 8, 8)
        h = signed(exact, 8)
        n, total = h.shape[-1], h.sum(-1)[..., None]
        variance = n * (h * h).sum(-1)[..., None] - total * total
        self._watch(f"{what}.variance", variance, s["var_top"], s["var_trunc"], False)
        r = self.values[f"{name}/rsqrt"][self._truncate(variance, s["var_top"], s["var_trunc"], False)]
        y = (n * h - total) * r
        self._watch(what, y, 26, s["norm_trunc"])
        y = self._truncate(y, 26, s["norm_trunc"], True)
        self.trace[what] = self._look_up(f"{name}/code", y)
        self.trace[f"{what}.residual"] = self._look_up(f"{name}/residual", y)
        return self.trace[what], self.trace[f"{what}.residual"]

    def forward(self, tokens):
        """Logits, int64 [B][labels], of numpy tokens [B][S]."""
        code, residual = map(self._array, embed(self.embedding, tokens))
        self.trace = {"input": code, "residual": residual}
        for i in range(self.shape["layers"]):
            context = self._attention(i, code)
            code, residual = self._add_and_norm(i, "attention_out", "attention_norm", context, residual)
            self.trace[f"{i}.gelu"] = self._activate(f"layer_{i:03d}/ffn1", code, f"{i}.ffn1")
            code, residual = self._add_and_norm(i, "ffn2", "ffn_norm", self.trace[f"{i}.gelu"], residual)
        self.trace["pooler"] = self._activate("pooler", code[:, 0], "pooler")
        return self._sums("classifier", self.trace["pooler"], 16, "classifier")
