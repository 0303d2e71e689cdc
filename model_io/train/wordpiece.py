"""BERT's uncased WordPiece, as the program's own (wordpiece.h) and the published one do it."""

import heapq
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
            raise ValueError("vocabulary: " + (f"lacks {', '.join(missing)}" if missing else "a word stands twice"))
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


def _backwards(text):
    """A key that sorts texts from the last to the first."""
    return tuple(-ord(c) for c in text) + (1,)


class _Pairs:
    """Neighbouring pieces of words: how often they occur, and in which words. The most frequent comes first, of equals
    the last by its text."""

    def __init__(self):
        self.count, self.words, self.heap = {}, {}, []

    def add(self, pieces, times, word):
        for pair in zip(pieces, pieces[1:]):
            self.count[pair] = self.count.get(pair, 0) + times
            self.words.setdefault(pair, set()).add(word)
            heapq.heappush(self.heap, (-self.count[pair], _backwards(pair[0]), _backwards(pair[1]), pair))

    def remove(self, pieces, times):
        for pair in zip(pieces, pieces[1:]):
            if pair not in self.count:
                continue  # the one that was popped
            self.count[pair] -= times
            heapq.heappush(self.heap, (-self.count[pair], _backwards(pair[0]), _backwards(pair[1]), pair))

    def pop(self):
        while self.heap:
            count, _, _, pair = heapq.heappop(self.heap)
            if self.count.get(pair, 0) == -count > 0:  # otherwise the entry is out of date
                del self.count[pair]
                return pair, sorted(self.words.pop(pair))
        return None, []


def learn_words(texts, size):
    """A vocabulary of `size` WordPieces: byte-pair merges of the most frequent neighbours within words (Sennrich et
    al. 2016). The same texts give the same words."""
    count = {}
    for text in texts:
        for word in split_words(text):
            count[word] = count.get(word, 0) + 1
    words = [([word[0]] + ["##" + c for c in word[1:]], n) for word, n in sorted(count.items())]
    vocabulary = dict.fromkeys(SPECIAL + sorted({piece for pieces, _ in words for piece in pieces}))
    pairs = _Pairs()
    for i, (pieces, n) in enumerate(words):
        pairs.add(pieces, n, i)
    while len(vocabulary) < size:
        best, where = pairs.pop()
        if best is None:
            break
        merged = best[0] + best[1][2:]
        vocabulary[merged] = None
        for i in where:
            pieces, n = words[i]
            joined, at = [], 0
            while at < len(pieces):
                both = tuple(pieces[at:at + 2]) == best
                joined.append(merged if both else pieces[at])
                at += 2 if both else 1
            if joined != pieces:
                pairs.remove(pieces, n)
                pairs.add(joined, n, i)
                words[i] = joined, n
    return list(vocabulary)[:size]
