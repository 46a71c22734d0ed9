"""What a process says of itself while it works: one JSON object a line, on its error output.

Rare events only. The contents of items never get here, and a secret shows itself as one: it is
hidden by its type, not by what it looks like. All control characters are escaped, so that nothing
that a task or a peer says can look like a line of its own.
"""

from __future__ import annotations

import json
import os
from collections.abc import MutableMapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, Literal, Protocol

from jupiter.aio.clock import monotonic_s, wall_s
from jupiter.kit.imports import without

with without("rich"):  # for tracebacks in colour; nothing here shows any
    import structlog

Level = Literal["debug", "info", "warning", "error"]
Fields = MutableMapping[str, Any]

TEXT_MAX = 1000
"""Characters of one value; a traceback keeps its end."""
BURST_MAX = 50
"""Lines of one event in `BURST_S`; more are counted only, and the next line tells how many."""
BURST_S = 10.0
_NUMBERS = {"debug": 10, "info": 20, "warning": 30, "error": 40}
_HIDDEN = "[secret]"


class Secret:
    """A value that is never shown.

    Args:
        value: What to hide; `reveal` gives it back.
    """

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """Return the value."""
        return self._value

    def __repr__(self) -> str:
        return _HIDDEN

    __str__ = __repr__


class Log(Protocol):
    """Takes events; fields are keyword arguments."""

    def bind(self, **fields: object) -> Log:
        """Return one that adds fields to every event."""
        ...

    def debug(self, event: str, **fields: object) -> object:
        """Note what only helps to find a fault."""

    def info(self, event: str, **fields: object) -> object:
        """Note what is as it should be."""

    def warning(self, event: str, **fields: object) -> object:
        """Note what went wrong and is dealt with."""

    def error(self, event: str, **fields: object) -> object:
        """Note what went wrong for good."""


class _Sparse:
    """Drops what is said too often; faults are never dropped."""

    def __init__(self) -> None:
        self._seen: dict[str, list[float]] = {}  # by event: begin of the burst, lines, dropped

    def __call__(self, logger: object, method: str, fields: Fields) -> Fields:
        if method == "error":
            return fields
        now = monotonic_s()
        seen = self._seen.setdefault(str(fields["event"]), [now, 0, 0])
        if now - seen[0] > BURST_S:
            seen[0], seen[1] = now, 0
        seen[1] += 1
        if seen[1] > BURST_MAX:
            seen[2] += 1
            raise structlog.DropEvent
        if seen[2]:
            fields["not_shown"] = int(seen[2])
            seen[2] = 0
        return fields


def _stamp(logger: object, method: str, fields: Fields) -> Fields:
    at = datetime.fromtimestamp(wall_s(), UTC).isoformat(timespec="milliseconds")
    return {"at": at, "level": method, "event": fields.pop("event"), **fields}


def shown(value: object) -> object:
    """Return what may be shown of a value, by its type alone."""
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, str):
        return value if len(value) <= TEXT_MAX else f"…{value[-TEXT_MAX:]}"
    if isinstance(value, dict):
        return {str(key): shown(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [shown(each) for each in value]
    if isinstance(value, Secret):
        return _HIDDEN
    return f"[{type(value).__name__}]"


def _render(logger: object, method: str, fields: Fields) -> str:
    text = json.dumps({name: shown(value) for name, value in fields.items()})
    return text.replace("\x7f", "\\u007f")  # the one control character that JSON lets through


class _ErrorOutput:
    """Writes lines; where they cannot be written, work goes on without them."""

    def msg(self, line: str) -> None:
        """Write a line."""
        with suppress(OSError):
            os.write(2, line.encode() + b"\n")

    debug = info = warning = error = msg


def configure(level: Level = "info", **bound: object) -> None:
    """Say how much is told, and what stands in every line.

    Args:
        level: Least level that is told.
        bound: Fields of every event of this process.
    """
    structlog.contextvars.clear_contextvars()
    structlog.configure(
        processors=[
            lambda logger, method, fields: {**bound, **fields},
            _Sparse(),
            _stamp,
            _render,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(_NUMBERS[level]),
        logger_factory=lambda *args: _ErrorOutput(),
        cache_logger_on_first_use=False,
    )


def get_log(**fields: object) -> Log:
    """Return a log whose events have these fields; nothing is told before `configure`."""
    log: Log = structlog.get_logger(**fields)
    return log


def line_of(reason: str) -> str:
    """Return the first line of a reason."""
    return next(iter(reason.strip().splitlines()), "")


def last_words(text: str) -> str:
    """Return what the end of a log tells a person: errors, and lines that are none of ours."""
    words = []
    for line in text.splitlines():
        try:
            fields = json.loads(line)
        except ValueError:
            words.append(line)
            continue
        if isinstance(fields, dict) and fields.get("level") == "error":
            words.append(str(fields.get("reason") or fields.get("event")))
    return "\n".join(words).strip()


structlog.configure(
    wrapper_class=structlog.make_filtering_bound_logger(50),
    logger_factory=lambda *args: _ErrorOutput(),
)
