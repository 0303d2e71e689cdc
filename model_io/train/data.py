"""Labelled text: lines `sentence<TAB>label`, in batches of one length.

The integer model has no padding mask: a sequence is as long as its text. So each batch holds sequences of one length,
and nothing is ever padded.
"""

import numpy as np


class DataError(Exception):
    """A mistake in a user's file; the message is one line."""


def read_labelled(path):
    """Texts and labels of a TSV file. A first line whose second field is `label` is a header."""
    texts, labels = [], []
    with open(path, encoding="utf-8", newline="\n") as lines:
        for number, line in enumerate(lines, 1):
            fields = line.rstrip("\r\n").split("\t")
            if number == 1 and fields[-1] == "label":
                continue
            if len(fields) != 2 or not fields[1].isdigit() or not fields[0].strip():
                raise DataError(f"{path}, line {number}: not sentence<TAB>label, the label a number from 0")
            texts.append(fields[0])
            labels.append(int(fields[1]))
    if not texts:
        raise DataError(f"{path}: no line with a sentence and a label")
    return texts, np.array(labels)


class Encoded:
    """Token ids and labels of texts; `batches` yields them."""

    def __init__(self, texts, labels, tokenizer, max_seq):
        self.ids = [tokenizer.encode(text, max_seq) for text in texts]
        self.labels = np.asarray(labels)
        self.length = np.array([len(ids) for ids in self.ids])

    def __len__(self):
        return len(self.ids)

    def batches(self, tokens, generator=None, sequences=64):
        """Arrays of indices of equally long sequences: at most `sequences`, and at most `tokens` tokens unless one
        sequence alone has more. Shuffled by `generator` (numpy), or in order without."""
        found = []
        for length in np.unique(self.length):
            members = np.flatnonzero(self.length == length)
            if generator is not None:
                generator.shuffle(members)
            size = int(max(1, min(sequences, tokens // length)))
            found += [members[i:i + size] for i in range(0, len(members), size)]
        if generator is not None:
            generator.shuffle(order := np.arange(len(found)))
            found = [found[i] for i in order]
        return found

    def tokens(self, batch):
        """int64 [batch][length]"""
        return np.array([self.ids[i] for i in batch], dtype=np.int64)
