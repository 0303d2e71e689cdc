"""Accuracy: what `pqbert eval` measured, and what others report, quoted with what differs in their setting."""
from __future__ import annotations

import pandas as pd

import reference
from document import Table
from formats import megabytes, percent, plural, scaled
from measured import Measured
from tables_peers import Sources, named

FULL = "full precision"
FIRST_TASKS = ("GLUE avg", "GLUE SST-2")

DIFFERS = {
    "Lu et al. quantized BERT": "the design followed here: 1-bit weights, 4-bit activations, three parties; BERT-base, "
                                "distilled from a full-precision teacher",
    "PUMA": "three parties; BERT-base of full precision in fixed point, nothing trained for it; 500 samples a task",
    "MPCFormer": "two parties and a dealer; BERT-base of full precision, GeLU and softmax replaced and distilled",
    "BOLT": "two parties, homomorphic encryption and oblivious transfer; BERT-base in fixed point, functions "
            "approximated",
    "CipherPrune": "as BOLT, with tokens pruned under encryption",
}


def share(e: pd.Series, name: str) -> str:
    low, middle, high = (100 * e[f"{name}_accuracy{end}"] for end in ("_low", "", "_high"))
    return f"{middle:.1f} [{low:.1f}, {high:.1f}]"


def how(e: pd.Series) -> str:
    network = "" if e.net == "none" else f", network {e.net} (emulated)"
    insecure = "" if e["mode"] == "secure" else f", {e['mode']}"
    return f"{e.protocol}, {e.ranks_per_party} x {e.threads}, up to {e.batch} at once{network}{insecure}"


def model(e: pd.Series) -> str:
    return f"{e.model}: {plural(e.layers, 'layer')}, hidden {e.hidden}, weights of {plural(e.weight_bits, 'bit')}"


def own(measured: Measured) -> list[Table]:
    """How often the models are right, and what a sentence costs: a line per evaluation in each table. A wrong result
    has neither accuracy nor time."""
    first = ["file"] if measured.several else []
    right, cost = [], []
    for f in measured.files:
        for _, e in f.evaluations.iterrows():
            source = [f.path.stem] if measured.several else []
            valid = e.verdict != "INVALID" and e.evaluated > 0
            done = f"{e.evaluated:,}" + ("" if e.evaluated == e.sentences else f" of {e.sentences:,}")
            right.append([*source, model(e), e.data, done, share(e, "plain") if e.evaluated else "-",
                          share(e, "mpc") if valid else "-", percent(e.agreeing / e.evaluated) if valid else "-",
                          e.verdict])
            times = [scaled(e[f"{phase}_ns"] / 1e6) if valid else "-" for phase in ("online", "offline")]
            cost.append([*source, e.model, e.data, how(e), *times, megabytes(e.online_bytes),
                         megabytes(e.offline_bytes), f"{e.online_rounds:,}"])
    if not right:
        return []
    return [Table("accuracy", "Accuracy in % with its 95 % interval (Wilson), measured here. plain: the integer model "
                  "in the clear; MPC: private inference, every batch verified; alike: both decide the same.",
                  [*first, "model", "data", "sentences", "plain %", "MPC %", "alike", "verdict"], right,
                  left=2 + len(first)),
            Table("accuracy_cost", "What a sentence cost in the same evaluations: medians over the sentences, of the "
                  "batch over the sentences in it. Setting: protocol, ranks per party x threads. MB: 10^6 bytes, sums "
                  "over the three parties.",
                  [*first, "model", "data", "setting", "online ms", "offline ms", "online MB", "offline MB",
                   "rounds a batch"], cost, left=3 + len(first))]


def task_of(setting: str) -> str:
    return setting.split(",")[0]


def published(figures: pd.DataFrame, sources: Sources) -> Table:
    """A line per system, variant and task, with the full-precision score of the same source beside it."""
    scores = figures[figures.unit == "score"]
    scores = scores.assign(task=scores.setting.map(task_of), full=scores.setting.str.endswith(FULL))
    cited = scores.assign(setting="")  # which holds the task
    order = {task: i for i, task in enumerate(FIRST_TASKS)}
    rows = []
    for task in sorted(scores.task.unique(), key=lambda t: (order.get(t, len(order)), t)):
        of_task = scores[scores.task == task]
        for i, f in of_task[~of_task.full].iterrows():
            base = of_task[of_task.full & (of_task.system == f.system) & (of_task.paper == f.paper)]
            loss = f"{base.value.iloc[0] - f.value:.3g}" if len(base) else "-"
            rows.append([task, named(f), f.model, reference.printed(f),
                         reference.printed(base.iloc[0]) if len(base) else "-", loss, DIFFERS[f.system],
                         sources.cite(cited.loc[[i, *base.index]])])
    return Table("accuracy_quoted", "Accuracy as others report it. Loss: full precision less the private or quantised "
                 "model, of one source. GLUE scores out of 100, PUMA's out of 1. Data, models and training differ, and "
                 "the sources of MPCFormer, BOLT and CipherPrune do not say whether a score was measured under MPC.",
                 ["task", "system", "model", "private or quantised", FULL, "loss", "what differs from here", "source"],
                 rows, left=8, quoted=True)
