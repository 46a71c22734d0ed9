"""Pieces of SVG with everything escaped, and the colours that all figures share."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from html import escape

PALETTE = (
    "#0072b2",
    "#e69f00",
    "#009e73",
    "#cc79a7",
    "#d55e00",
    "#56b4e9",
    "#b8a800",
    "#6a51a3",
    "#7f7f7f",
    "#1b7837",
    "#8c510a",
    "#c51b7d",
)
"""Told apart by people with any kind of colour vision for the first eight (Okabe and Ito 2008)."""


CHAR_WIDTH = 7.4
"""Pixels of a bold letter of 13 pixels, the widest that is used, on the generous side."""


def colour(index: int) -> str:
    """Return the colour of the index-th thing; after the palette it starts again."""
    return PALETTE[index % len(PALETTE)]


def ink_on(background: str) -> str:
    """Return black or white, whichever is easier to read on a colour ``#rrggbb``."""
    red, green, blue = (int(background[k : k + 2], 16) for k in (1, 3, 5))
    return "#000" if 0.299 * red + 0.587 * green + 0.114 * blue > 140 else "#fff"


def number(value: float) -> str:
    """Return a coordinate, short and always finite."""
    return f"{value:.2f}".rstrip("0").rstrip(".") if math.isfinite(value) else "0"


def tag(name: str, *inside: str, title: str = "", **attributes: str | float) -> str:
    """Return an element; ``_`` in attribute names becomes ``-``, a trailing one is dropped.

    Args:
        name: Of the element.
        inside: Elements or escaped text.
        title: Shown when the pointer rests on it; escaped here.
        attributes: Values are escaped here.
    """
    words = [name]
    for key, value in attributes.items():
        shown = number(value) if isinstance(value, (int, float)) else escape(value)
        words.append(f'{key.rstrip("_").replace("_", "-")}="{shown}"')
    content = "".join(inside)
    if title:
        content = f"<title>{escape(title)}</title>{content}"
    return f"<{' '.join(words)}>{content}</{name}>" if content else f"<{' '.join(words)}/>"


def text(x: float, y: float, content: str, *, width: float = 0.0, **attributes: str | float) -> str:
    """Return a text, cut to a width in pixels where one is given."""
    shown = content
    room = int(width / CHAR_WIDTH) if width else len(content)
    if len(content) > room:
        shown = content[: max(1, room - 1)] + "…"
    whole = content if shown != content else ""
    return tag("text", escape(shown), title=whole, x=x, y=y, **attributes)


def figure(width: float, height: float, inside: Iterable[str], label: str) -> str:
    """Return a whole picture that shrinks with the page."""
    return tag(
        "svg",
        *inside,
        viewBox=f"0 0 {number(width)} {number(height)}",
        width="100%",
        role="img",
        aria_label=label,
        style=f"max-width:{number(width)}px",
    )


def ticks(most: float, count: int = 6) -> Sequence[float]:
    """Return about so many round values from 0 to a maximum."""
    if most <= 0 or not math.isfinite(most):
        return [0.0]
    rough = most / count
    base = 10.0 ** math.floor(math.log10(rough))
    step = next(base * k for k in (1, 2, 5, 10) if base * k >= rough)
    return [k * step for k in range(int(most / step + 1e-9) + 1)]
