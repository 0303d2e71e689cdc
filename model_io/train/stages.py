"""The training stages: a loop that can be stopped and resumed, and what each stage minimises."""

import math
import os
import time

import numpy as np
import torch
import torch.nn.functional as F

from quantisers import Weights


def settle(seed):
    """One seed for everything that is drawn."""
    torch.manual_seed(seed)
    np.random.seed(seed)


class Plan:
    """How long and how fast a stage learns, and where its state is kept."""

    def __init__(self, name, epochs, rate, step_rate=1e-3, decay=0.0, tokens=1024, seed=1, folder=None, save_every=500,
                 stop_after=None):
        self.name, self.epochs, self.rate, self.step_rate, self.decay = name, epochs, rate, step_rate, decay
        self.tokens, self.seed, self.folder, self.save_every = tokens, seed, folder, save_every
        self.stop_after = stop_after  # steps after which the loop stops as if it had been killed; for tests

    def state_path(self):
        return os.path.join(self.folder, f"{self.name}.state.pt")


def _groups(network, plan):
    steps, weights, others = [], [], []
    for name, parameter in network.named_parameters():
        if not parameter.requires_grad:
            continue
        if ".step" in name or name.endswith("offset"):
            steps.append(parameter)
        elif parameter.dim() > 1:
            weights.append(parameter)
        else:
            others.append(parameter)
    return [{"params": weights, "base": plan.rate, "weight_decay": plan.decay},
            {"params": others, "base": plan.rate, "weight_decay": 0.0},
            {"params": steps, "base": plan.step_rate, "weight_decay": 0.0}]


def store(path, state):
    """Whole or not at all."""
    torch.save(state, path + ".part")
    os.replace(path + ".part", path)


def learn(network, data, loss_of, plan, evaluate=None, pipeline=None):
    """Adam, warm-up over 8 % of the steps, linear decay, gradient norm 1. loss_of(indices) gives the loss of a batch.
    The state of everything that changes is kept in plan.folder; a stage that was stopped goes on from it and ends in
    the same network as one that was not. pipeline: a Pipeline that is to keep up with the network, or None. Returns
    True when done, False when stopped by plan.stop_after."""
    if not plan.epochs:
        return True
    optimiser = torch.optim.AdamW(_groups(network, plan), lr=plan.rate, betas=(0.9, 0.98))
    per_epoch = [data.batches(plan.tokens, np.random.default_rng([plan.seed, epoch]))
                 for epoch in range(math.ceil(plan.epochs))]
    total = round(plan.epochs * len(per_epoch[0]))  # every epoch has as many batches
    ends = {(epoch + 1) * len(per_epoch[0]) for epoch in range(len(per_epoch))} | {total}
    order = [batch for epoch in per_epoch for batch in epoch]
    warm = max(1, total * 8 // 100)
    step, shown = 0, []
    if os.path.exists(plan.state_path()):
        state = torch.load(plan.state_path(), map_location="cpu")
        network.load_state_dict(state["network"])
        optimiser.load_state_dict(state["optimiser"])
        torch.set_rng_state(state["random"])
        step = state["step"]
        if pipeline:
            pipeline.restore(state["pipeline"])
        print(f"{plan.name}: resumed at step {step} of {total}", flush=True)
    began, done = time.monotonic(), 0
    network.train()
    while step < total:
        for group in optimiser.param_groups:
            group["lr"] = group["base"] * min((step + 1) / warm, (total - step) / max(1, total - warm))
        if pipeline:
            pipeline.follow(step)
        optimiser.zero_grad(set_to_none=True)
        loss = loss_of(order[step])
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()
        step, done = step + 1, done + 1
        shown.append(float(loss.detach()))
        if step % 100 == 0 or step == total:
            left = (time.monotonic() - began) / done * (total - step)
            print(f"{plan.name}: step {step} of {total}, loss {np.mean(shown[-100:]):.4f}, "
                  f"{left / 60:.0f} minutes left", flush=True)
        stop = plan.stop_after is not None and done >= plan.stop_after
        if step % plan.save_every == 0 or step in ends or stop:
            store(plan.state_path(), {"network": network.state_dict(), "optimiser": optimiser.state_dict(),
                                      "random": torch.get_rng_state(), "step": step,
                                      "pipeline": pipeline.state() if pipeline else None})
        if stop:
            return False
        if step in ends and evaluate:
            print(f"{plan.name}: {evaluate()}", flush=True)
            network.train()
    network.eval()
    return True


def device_tokens(network, data, batch):
    return torch.from_numpy(data.tokens(batch)).to(network.word.weight.device)


def logits_of(network, data, tokens=4096):
    """float64 numpy [sequences][labels]"""
    out = np.zeros((len(data), network.shape["labels"]))
    network.eval()
    with torch.no_grad():
        for batch in data.batches(tokens, sequences=256):
            out[batch] = network(device_tokens(network, data, batch))[0].double().cpu().numpy()
    return out


def describe(logits, labels):
    """`accuracy 81.42 % (710 of 872)`"""
    right = int((logits.argmax(1) == labels).sum())
    return f"accuracy {100 * right / len(labels):.2f} % ({right} of {len(labels)})"


def supervised(network, data, soft=None):
    """Cross-entropy with the labels; with `soft` (logits of a better teacher), the mean of that and the divergence
    from it."""
    device = network.word.weight.device
    labels = torch.from_numpy(data.labels).to(device)
    target = None if soft is None else torch.log_softmax(torch.from_numpy(soft).float().to(device), -1)

    def loss_of(batch):
        logits = network(device_tokens(network, data, batch))[0]
        loss = F.cross_entropy(logits, labels[batch])
        if target is None:
            return loss
        return 0.2 * loss + F.kl_div(torch.log_softmax(logits, -1), target[batch], log_target=True,
                                     reduction="batchmean")
    return loss_of


NORM_LIMIT = 8 * 0.85  # of normalised values; 8 is half the integer model's range


def _overflow(sums):
    """0.1 * sum over channels of relu(|x| / R - 0.85)^2, a token's mean, over every LayerNorm's normalised values."""
    total = 0
    for h in sums:
        x = F.layer_norm(h, h.shape[-1:])
        total = total + torch.relu(x.abs() - NORM_LIMIT).pow(2).sum(-1).mean() / 64
    return 0.1 * total


def distil(student, teacher, data, attention=0.1, pipeline=None):
    """Divergence of logits + mean squared error of layer outputs + attention * divergence of attention rows, and the
    overflow penalty. pipeline: for the last stage, what the integer model computes stands in the forward pass."""
    student.weights = student.weights or Weights(0)
    teacher.eval()

    def loss_of(batch):
        tokens = device_tokens(student, data, batch)
        with torch.no_grad():
            target, target_hidden, target_scores = teacher(tokens)
            given = pipeline.given(tokens) if pipeline else None
        sums = []
        student.record = lambda name, x: sums.append(x) if name.endswith("_norm.sum") else None
        logits, hidden, scores = student(tokens, given)
        student.record = None
        loss = F.kl_div(torch.log_softmax(logits, -1), torch.log_softmax(target, -1), log_target=True,
                        reduction="batchmean")
        loss = loss + sum(F.mse_loss(a, b) for a, b in zip(hidden, target_hidden)) / len(hidden) * 2
        if attention:
            rows = sum(F.kl_div(torch.log_softmax(a, -1), torch.log_softmax(b, -1), log_target=True, reduction="sum")
                       / b[..., 0].numel() for a, b in zip(scores, target_scores))
            loss = loss + attention * rows
        return loss + _overflow(sums)
    return loss_of


def switch_on(student, data, plan):
    """Starts every code's step from what a few batches of data show, and switches them on."""
    quantisers = student.quantisers()
    seen = {name: [] for name in quantisers}
    student.record = lambda name, x: seen[name].append(x.detach().cpu()) if name in seen else None
    student.eval()
    with torch.no_grad():
        for batch in data.batches(plan.tokens, np.random.default_rng(plan.seed))[:12]:
            student(device_tokens(student, data, batch))
    student.record = None
    for name, codes in quantisers.items():
        if name.endswith(".score"):
            _start_scores(student.layer[int(name.split(".")[0])], seen[name])
        else:
            width = codes.step.numel() if codes.step.numel() > 1 else 1
            codes.start(torch.cat([x.reshape(-1, width) for x in seen[name]]))
        codes.on = True


def _start_scores(layer, seen):
    """15 steps of at most half a unit; the largest score of nearly every row below the seventh."""
    every = torch.cat([x.reshape(-1) for x in seen])
    every = every[torch.randperm(len(every), generator=torch.Generator().manual_seed(1))[:1000000]]
    largest = torch.cat([x.amax(-1).reshape(-1) for x in seen])[:1000000]
    top = torch.quantile(largest, 0.995)
    step = ((top - torch.quantile(every, 0.02)) / 15).clamp(0.02, 0.5)
    layer.codes["score"].step.data.copy_(step.reshape(1))
    layer.offset.data.copy_((top - 7 * step).reshape(1))
