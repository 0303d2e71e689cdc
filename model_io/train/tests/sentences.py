"""Sentences for tests: a thousand of our own, or those of a file."""

import os
import random

SUBJECTS = ["the film", "this movie", "a sly comedy", "the director's third picture", "her performance", "the plot",
            "every scene", "the dialogue", "its score", "the whole cast", "what begins as a thriller", "the script",
            "Amélie's café", "the naïve hero", "a 90-minute chase"]
VERBS = ["is", "feels", "turns out to be", "never stops being", "isn't", "could have been", "remains", "seems"]
JUDGEMENTS = ["moving and funny", "dull", "a gorgeous , heartfelt surprise", "too long by half", "utterly forgettable",
              "smart", "clumsy but charming", "a mess", "one of the year's best", "tiresome", "warm", "hollow",
              "worth seeing twice", "neither scary nor funny", "déjà vu", "unwatchable", "quietly devastating"]
ENDINGS = ["", ".", " !", " , and that is enough .", " -- at least until the last ten minutes .",
           " , which is a pity .",
           " (and I mean it) .", " ; bring tissues .", " for anyone over six .", " . . . almost .", " , 10/10 .",
           " , despite a score that drowns every word the actors say , a running joke about a parrot , and an ending "
           "that nobody in the theatre , critics included , seemed to understand or even to want ."]


def made(count, seed=1):
    """`count` sentences of templates, all different."""
    draw, found = random.Random(seed), {}
    while len(found) < count:
        text = " ".join(map(draw.choice, (SUBJECTS, VERBS, JUDGEMENTS))) + draw.choice(ENDINGS)
        found[draw.choice((text, text.capitalize(), text.upper()))] = None
    return list(found)


def real(count):
    """`count` sentences of the folder PQ_SST2, whole ones first; None where it is not set."""
    folder, found = os.environ.get("PQ_SST2"), []
    if not folder:
        return None
    for name in ("glue_dev.tsv", "dev.tsv"):
        with open(os.path.join(folder, name), encoding="utf-8") as lines:
            found += [line.split("\t")[0] for line in lines][1:]
    return found[:count]
