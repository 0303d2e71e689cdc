"""What a report says about its own numbers: what was measured and emulated, where, and what is wrong with it."""
from __future__ import annotations

import pandas as pd

from formats import listed, megabytes, percent, plural, scaled
from measured import OURS, File, Measured, by_protocol, cores_of, plain_points
from tables import differs, floor_share
from tables_peers import settings_of_peers

FEW_REPETITIONS = 5
PAPER_LENGTH = 16  # tokens, the one length at which the paper's online time is known
SCALING_GOVERNORS = ("powersave", "ondemand", "conservative", "schedutil", "userspace")


def distinct(points: pd.DataFrame, name: str) -> str:
    return ", ".join(dict.fromkeys(str(v) for v in points[name] if v != ""))


def counts(points: list[pd.Series]) -> str:
    """The numbers of repetitions of these points."""
    return listed([str(n) for n in sorted({int(p.repetitions) for p in points})])


def machine(f: File) -> str:
    e = f.environment
    hosts = e.get("hosts", "unknown number of")
    names = f" ({e['host_names']})" if "host_names" in e else ""
    one = "all parties on one host" if hosts == "1" else f"{hosts} hosts"
    return (f"{f.path.name}: {e.get('cpu', 'CPU not recorded')}; {one}{names}; "
            f"{e.get('cores', 'unknown number of')} cores; {e.get('mpi', 'MPI not recorded')}; "
            f"build {e.get('build_type', 'not recorded')} with {e.get('compiler', 'unknown compiler')}, "
            f"commit {e.get('commit', 'not recorded')}; {e.get('utc', 'time not recorded')}")


def network(points: pd.DataFrame) -> str:
    nets = list(dict.fromkeys(points.net))
    emulated = [n for n in nets if n != "none"]
    real = f"the network as it is ({distinct(points[points.net == 'none'], 'transport')})" if "none" in nets else ""
    parts = ([real] if real else []) + ([f"**emulated**: {listed(emulated)}"] if emulated else [])
    return "; ".join(parts)


def what_was_measured(measured: Measured) -> list[str]:
    points = measured.points
    ours = points[points.system == OURS]
    lines = []
    for (model, *sizes), _ in points.groupby(["model", "layers", "hidden", "heads", "ffn"], sort=False):
        lines.append(f"Model {model}: {int(sizes[0])} layers, hidden {int(sizes[1])}, {int(sizes[2])} heads, "
                     f"feed-forward {int(sizes[3])}. {', '.join(dict.fromkeys(points[points.model == model].system))}.")
    if len(ours):
        lines += [
            "A repetition is one private inference by three parties. Online time runs from the barrier before P1 "
            "shares its input to the opened logits at P1; offline time is P0's making and sending of tables and masks.",
            f"Ranks per party: {distinct(ours, 'ranks_per_party')}; threads per rank: {distinct(ours, 'threads')}; "
            f"matrix kernel: {distinct(ours, 'kernel')}; messages: {network(ours)}.",
            "VALID: the logits equal the replay of the protocol on clear values, bit for bit, and bytes and rounds are "
            "those predicted."]
    lines += [machine(f) for f in measured.files]
    return lines + settings_of_peers(measured)


def headline(measured: Measured) -> list[str]:
    """The first protocol of ours in a sentence, at the length the paper reports and at the longest."""
    points = by_protocol(plain_points(measured.valid(ours=True)))
    if points.empty:
        return []
    points = points[(points.protocol == points.protocol.iloc[0]) & (points.file == points.file.iloc[0])]
    chosen = points[points.seq_len.isin([PAPER_LENGTH, points.seq_len.max()])]
    said = [f"**{p.seq_len} tokens: {scaled(p.online_ns / 1e6)} ms** online "
            f"[{scaled(p.online_ns_q1 / 1e6)}, {scaled(p.online_ns_q3 / 1e6)}], {megabytes(p.online_bytes)} MB sent, "
            f"{p.online_rounds:,.0f} rounds" + (f", {percent(share)} of what this machine allows" if (
                share := floor_share(p)) else "") for _, p in chosen.iterrows()]
    return [f"Protocol `{chosen.protocol.iloc[0]}`, model {chosen.model.iloc[0]}. " + "; ".join(said) + "."]


def accuracy(measured: Measured) -> list[str]:
    """A sentence for each VALID evaluation."""
    return [f"Accuracy of {e.model} on {e.evaluated:,} sentences of {e.data}: **{100 * e.mpc_accuracy:.1f} %** by "
            f"private inference [{100 * e.mpc_accuracy_low:.1f}, {100 * e.mpc_accuracy_high:.1f}], "
            f"{100 * e.plain_accuracy:.1f} % in the clear; {scaled(e.online_ns / 1e6)} ms online a sentence."
            for f in measured.files for _, e in f.evaluations.iterrows() if e.verdict != "INVALID" and e.evaluated]


def file_warnings(f: File) -> list[str]:
    name, e, found = f.path.name, f.environment, []
    build = e.get("build_type", "not recorded")
    if build != "Release":
        found.append(f"{name}: build type {build}, not Release: times say nothing about the protocol")
    governor = e.get("governor", "unknown")
    if governor in SCALING_GOVERNORS:
        found.append(f"{name}: frequency governor {governor}: times vary with the clock")
    if e.get("commit", "").endswith("-dirty"):
        found.append(f"{name}: measured with changed sources ({e['commit']}): nobody else has this version")
    for column, what in (("clock_off_ns", "clocks disagreed, times are doubtful"),
                         ("range_wrapped", "values left their declared range: not what the model means")):
        if hit := int((f.runs[column] > 0).sum()):
            found.append(f"{name}: {plural(hit, 'repetition')} of {len(f.runs)}: {what}")
    for changed in f.changes:
        what = "; ".join(f"{n} {e.get(n, 'not recorded')}, then {v}" for n, v in changed.items())
        found.append(f"{name}: measured in several launches that differ: {what}")
    return found


def point_warnings(measured: Measured) -> list[str]:
    points = measured.points
    invalid = points.verdict == "INVALID"
    conditions = [
        (invalid, "INVALID, left out of times and figures"),
        (points.verdict == "UNCHECKED", "UNCHECKED: the result was not compared with anything"),
        ((points["repetitions"] < FEW_REPETITIONS) & ~invalid,
         f"fewer than {FEW_REPETITIONS} repetitions: quartiles say little"),
        (points.oversubscribed, "oversubscribed: more threads than cores, so that parties take turns or disturb each "
                                "other; on a core each they would be faster"),
        (points.apply(lambda p: differs(measured, p), axis=1), "measured bytes or rounds differ from the predicted"),
    ]
    return [f"{plural(int(hit.sum()), 'point')} of {len(points)}: {what}" for hit, what in conditions if hit.any()]


def evaluation_warnings(f: File) -> list[str]:
    found = []
    for _, e in f.evaluations.iterrows():
        name = f"{f.path.name}, {e.model} on {e.data}"
        if e.verdict == "INVALID":
            found.append(f"{name}: INVALID, left without accuracy and time of private inference")
        if e.evaluated < e.sentences:
            found.append(f"{name}: {e.evaluated} of {e.sentences} sentences, the shortest first: not all's accuracy")
        if e["mode"] == "INSECURE-BENCH":
            found.append(f"{name}: INSECURE-BENCH: the randomness was fixed by a seed")
        if e.range_wrapped:
            found.append(f"{name}: values left their declared range in batches of {e.range_wrapped} sentences")
        if e.cut:
            found.append(f"{name}: {plural(int(e.cut), 'sentence')} of {e.evaluated} cut to {e.max_tokens} tokens")
    return found


def warnings(measured: Measured) -> list[str]:
    found = [w for f in measured.files for w in (*file_warnings(f), *evaluation_warnings(f))]
    points = measured.points
    if points.empty:
        return found
    insecure = points[points["mode"] == "INSECURE-BENCH"]
    if (insecure.system == OURS).any():
        found.append("INSECURE-BENCH: the randomness was fixed by a seed; such a run protects nothing")
    if (insecure.system != OURS).any():
        found.append(f"INSECURE-BENCH: {distinct(insecure[insecure.system != OURS], 'system')} ran with a dealer that "
                     "sees everything; such a run protects nothing")
    return found + point_warnings(measured)


def notes(measured: Measured) -> list[str]:
    """What is true of the setting and no fault of it."""
    found = []
    if all(f.environment.get("hosts") == "1" for f in measured.files) and (measured.points.net == "none").any():
        found.append("All parties ran on one host: their messages went through memory or loopback, and no network was "
                     "measured where none is emulated.")
    if any(f.environment.get("governor", "unknown") == "unknown" for f in measured.files):
        found.append("The machine does not tell how its clock is governed (virtual machines do not): whether frequency "
                     "scaling disturbed the times is not known.")
    if any((cores_of(f.environment) or 3) < 3 for f in measured.files):
        found.append("Fewer than three cores: P0, P1 and P2 shared them. In `preprocessed` P0 is idle online, so P1 "
                     "and P2 had a core each; in `published` the three took turns.")
    return found
