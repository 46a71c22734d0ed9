"""The seeds' curve of a link: "a b c" means ``a·x² + b·x + c`` milliseconds for x Kbit."""

from __future__ import annotations

import math
from dataclasses import dataclass

from jupiter.formats.text import Content, Faults, Parsed, Word, parse_with, read_number, word_lines
from jupiter.kit.names import printable

BYTES_PER_KBIT = 125.0
"""Of execution profiles: 1000 bits. (Probe sizes were 1024 bits each; the seeds mixed the two.)"""
PROBES_KBIT = (8.0, 80.0, 800.0, 8_000.0, 80_000.0)
"""The sizes that the seeds measured; beyond the last one a curve is a guess."""


@dataclass(frozen=True, slots=True)
class Curve:
    """A fitted parabola in the seeds' units, highest power first."""

    a: float
    b: float
    c: float

    def milliseconds(self, kbit: float) -> float:
        """Return what the curve says, negative values included."""
        return self.a * kbit * kbit + self.b * kbit + self.c

    def transfer_s(self, size_bytes: float) -> float:
        """Return the seconds of a transfer, never less than 0."""
        return max(0.0, self.milliseconds(size_bytes / BYTES_PER_KBIT) / 1e3)


def parse(content: Content, file: str = "") -> Parsed[Curve]:
    """Return the curve that a text of three numbers stands for.

    Raises:
        InputError: There are not three finite numbers, or the curve is negative throughout.
    """
    return parse_with(read, content, file)


def read(content: Content, faults: Faults) -> Curve:
    """Return the curve, a flat one where there is none."""
    words = [word for line in word_lines(content, faults) for word in line.words]
    return read_words(words, Word(""), faults) or Curve(0.0, 0.0, 0.0)


def read_words(words: list[Word], at: Word, faults: Faults) -> Curve | None:
    """Return the curve of three words, or None after reporting why there is none.

    Args:
        words: Three are needed.
        at: Where to report that they are not three.
        faults: Taken in.
    """
    if len(words) != 3:
        faults.error(
            "link parameters are not three numbers",
            words[0] if words else at,
            got=printable(" ".join(words)),
            expected="a b c, for a·x² + b·x + c milliseconds and x Kbit",
            remedy="measure the link again, or write 0 for a missing power",
        )
        return None
    a, b, c = (
        read_number(word, faults, f"parameter {name}")
        for word, name in zip(words, "abc", strict=True)
    )
    if a is None or b is None or c is None:
        return None
    curve = Curve(a, b, c)
    _check_sign(curve, words[0], faults)
    return curve


def _check_sign(curve: Curve, at: Word, faults: Faults) -> None:
    """Refuse a curve that is negative for every probe; warn of one that is for some."""
    negative = [size for size in PROBES_KBIT if curve.milliseconds(size) < 0]
    if len(negative) == len(PROBES_KBIT):
        faults.error(
            "the curve of a link is negative for every size that was measured",
            at,
            got=dumps(curve),
            expected="a transfer takes time",
            remedy="measure the link again",
        )
    elif negative:
        faults.warn(
            f"the curve of a link is negative from {negative[0]:g} Kbit on, and is cut at 0 there",
            at,
            got=dumps(curve),
            remedy="measure the link again",
        )


def dumps(curve: Curve) -> str:
    """Return the three numbers, exactly."""
    return " ".join(_text(value) for value in (curve.a, curve.b, curve.c))


def _text(value: float) -> str:
    # The seeds' readers take a plain or an exponent form, as Python prints it.
    return repr(value if math.copysign(1, value) > 0 or value else 0.0)
