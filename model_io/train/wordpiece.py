"""BERT's uncased WordPiece, as the program's own (wordpiece.h) and the published one do it."""

import re
import unicodedata

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
LONGEST_WORD = 100  # characters; a longer word is [UNK]

CJK = [(0x4E00, 0x9FFF), (0x3400, 0x4DBF), (0x20000, 0x2A6DF), (0x2A700, 0x2B73F), (0x2B740, 0x2B81F),
       (0x2B820, 0x2CEAF), (0xF900, 0xFAFF), (0x2F800, 0x2FA1F)]


def _is_cjk(c):
    return ord(c) >= 0x3400 and any(low <= ord(c) <= high for low, high in CJK)


def _is_punctuation(c):
    return 33 <= ord(c) <= 47 or 58 <= ord(c) <= 64 or 91 <= ord(c) <= 96 or 123 <= ord(c) <= 126 \
        or unicodedata.category(c).startswith("P")


def _clean(c):
    if c in "\t\n\r":
        return " "
    category = unicodedata.category(c)
    if c in "\0\ufffd" or category in ("Cc", "Cf", "Cn", "Co", "Cs"):
        return ""
    return " " if c.isspace() or category == "Zs" else f" {c} " if _is_cjk(c) else c


def split_words(text):
    """Normalised words and punctuation marks of a text."""
    text = "".join(map(_clean, text))
    text = "".join(c for c in unicodedata.normalize("NFD", text) if unicodedata.category(c) != "Mn").lower()
    return "".join(f" {c} " if _is_punctuation(c) else c for c in text).split()


class Tokenizer:
    """words: the lines of a vocab.txt."""

    def __init__(self, words):
        self.words = list(words)
        self.id = {word: i for i, word in enumerate(self.words)}
        missing = [word for word in ("[UNK]", "[CLS]", "[SEP]") if word not in self.id]
        if missing or len(self.id) != len(self.words):
            raise ValueError(f"vocabulary: lacks {', '.join(missing)}" if missing else "vocabulary: a word stands twice")
        self.named = re.compile("(" + "|".join(re.escape(s) for s in SPECIAL if s in self.id) + ")")
        self.known = {}  # pieces of words met before

    @classmethod
    def read(cls, path):
        with open(path, encoding="utf-8", newline="\n") as lines:
            return cls(line.rstrip("\r\n") for line in lines)

    def text(self):
        """The text of vocab.txt."""
        return "".join(word + "\n" for word in self.words)

    def _pieces(self, word):
        pieces, start = [], 0
        while start < len(word):
            end = len(word) if len(word) <= LONGEST_WORD else start
            while end > start and ("##" if start else "") + word[start:end] not in self.id:
                end -= 1
            if end == start:
                return [self.id["[UNK]"]]
            pieces.append(self.id[("##" if start else "") + word[start:end]])
            start = end
        return pieces

    def encode(self, text, max_seq):
        """[CLS], the pieces, [SEP]; at most max_seq ids."""
        ids = []
        for part in self.named.split(text):
            if part in self.id and part in SPECIAL:
                ids.append(self.id[part])
                continue
            for word in split_words(part):
                if word not in self.known:
                    self.known[word] = self._pieces(word)
                ids += self.known[word]
        return [self.id["[CLS]"], *ids[:max_seq - 2], self.id["[SEP]"]]


def learn_words(texts, size):
    """A vocabulary of `size` WordPieces: byte-pair merges of the most frequent neighbours within words (Sennrich et
    al. 2016), ties broken by the pieces' text, so that the same texts give the same words."""
    count = {}
    for text in texts:
        for word in split_words(text):
            count[word] = count.get(word, 0) + 1
    words = [([word[0]] + ["##" + c for c in word[1:]], n) for word, n in sorted(count.items())]
    vocabulary = dict.fromkeys(SPECIAL + sorted({piece for pieces, _ in words for piece in pieces}))
    pairs, where = {}, {}
    for i, (pieces, n) in enumerate(words):
        for pair in zip(pieces, pieces[1:]):
            pairs[pair] = pairs.get(pair, 0) + n
            where.setdefault(pair, set()).add(i)
    while len(vocabulary) < size and pairs:
        best = max(pairs, key=lambda pair: (pairs[pair], pair))
        merged = best[0] + best[1][2:]
        vocabulary[merged] = None
        for i in sorted(where[best]):
            pieces, n = words[i]
            for pair in zip(pieces, pieces[1:]):
                pairs[pair] -= n
            joined, at = [], 0
            while at < len(pieces):
                both = tuple(pieces[at:at + 2]) == best
                joined.append(merged if both else pieces[at])
                at += 2 if both else 1
            words[i] = joined, n
            for pair in zip(joined, joined[1:]):
                pairs[pair] = pairs.get(pair, 0) + n
                where.setdefault(pair, set()).add(i)
        del pairs[best]
    return list(vocabulary)[:size]
