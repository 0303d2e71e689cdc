"""Roundings with a gradient."""

import math

import torch
from torch import nn


class _Straight(torch.autograd.Function):
    """value in the forward pass; all of the gradient to x."""

    @staticmethod
    def forward(ctx, x, value):
        return value

    @staticmethod
    def backward(ctx, gradient):
        return gradient, None


straight = _Straight.apply


class _Steps(torch.autograd.Function):
    """clamp(round(x / step), low, high) * step, with the gradients of learned step quantisation (LSQ, Esser et al.
    2020): to x inside of the range; to the step the rounding error inside, the limit outside, damped by 1/sqrt(n *
    high). given: codes to take instead of x's own, as the integer model computed them."""

    @staticmethod
    def forward(ctx, x, step, low, high, given):
        scaled = x / step
        code = torch.clamp(torch.round(scaled), low, high) if given is None else given
        ctx.save_for_backward(scaled, code, step)
        ctx.limits = low, high
        return code * step

    @staticmethod
    def backward(ctx, gradient):
        scaled, code, step = ctx.saved_tensors
        low, high = ctx.limits
        inside = (scaled >= low) & (scaled <= high)
        to_x = gradient * inside
        per_step = gradient * code - to_x * scaled
        damping = 1 / math.sqrt(per_step.numel() / step.numel() * max(-low, high))
        # a step per channel stands along the last dimension
        to_step = per_step.reshape(-1, step.numel()).sum(0).reshape(step.shape) if step.numel() > 1 \
            else per_step.sum().reshape(step.shape)
        return to_x, to_step * damping, None, None, None


class Codes(nn.Module):
    """A 4-bit activation code: real value = (code + zero) * step, code -8..7. channels: 1, or a step for each."""

    LOW, HIGH = -8, 7

    def __init__(self, channels=1, zero=0):
        super().__init__()
        self.step = nn.Parameter(torch.ones(channels))
        self.zero = zero
        self.on = False

    def start(self, x):
        """First step from data: 2 mean|x| / sqrt(high); one-sided codes reach from -step to 14 or 15 steps."""
        x = x.detach().reshape(-1, self.step.numel())
        high = self.HIGH + self.zero
        mean = x.abs().mean(0) if self.step.numel() > 1 else x.abs().mean().reshape(1)
        self.step.data.copy_((2 * mean / math.sqrt(high)).clamp(min=1e-6))

    def forward(self, x, given=None):
        if not self.on:
            return x
        if given is not None:
            given = given + self.zero
        return _Steps.apply(x, self.step.clamp(min=1e-6), self.LOW + self.zero, self.HIGH + self.zero, given)


def best_step(bits):
    """Step, in standard deviations, of the symmetric grid of 2^bits - 1 levels with the least squared error on a
    normal distribution."""
    x = torch.linspace(-5, 5, 20001, dtype=torch.float64)
    density = torch.exp(-x * x / 2)
    top = 2 ** (bits - 1) - 1
    steps = torch.linspace(0.5, 6, 551, dtype=torch.float64) / (top + 0.5)
    errors = [((x - torch.clamp(torch.round(x / s), -top, top) * s) ** 2 * density).sum() for s in steps]
    return float(steps[int(torch.argmin(torch.stack(errors)))])


class Weights:
    """What a linear layer of `bits` weights multiplies with: integers times one scale per row.

    1 bit: sign(W) * mean|row|. More: integers -top..top, top = 2^(bits-1) - 1, in steps of the row's deviation times
    best_step(bits). Gradients pass straight to the full-precision weights. bits 0: the weights themselves."""

    def __init__(self, bits):
        self.bits = bits
        self.factor = best_step(bits) if bits > 1 else None

    def scale(self, weight):
        """[out][1]"""
        weight = weight.detach()
        if self.bits == 1:
            return weight.abs().mean(1, keepdim=True).clamp(min=1e-8)
        return (self.factor * weight.pow(2).mean(1, keepdim=True).sqrt()).clamp(min=1e-8)

    def integers(self, weight, scale):
        if self.bits == 1:
            return torch.where(weight >= 0, 1.0, -1.0).to(weight.dtype)
        top = 2 ** (self.bits - 1) - 1
        return torch.clamp(torch.round(weight / scale), -top, top)

    def __call__(self, weight):
        if not self.bits:
            return weight
        scale = self.scale(weight)
        return straight(weight, self.integers(weight.detach(), scale) * scale)
