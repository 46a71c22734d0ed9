"""The one tree of errors; each says whether a retry can help and how the command line must end."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import ClassVar, Literal

FAULTS_SHOWN_MAX = 20
"""Faults printed for one input; the rest are counted. More would scroll the first one away."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong with an input.

    Printed as ``file:line:column: problem (got …; expected …). Try: remedy``.

    Attributes:
        problem: What is wrong, in one clause, no full stop.
        file: Path as the user wrote it; empty where the input is not a file.
        line: 1-based; 0 where the fault concerns the whole file.
        column: 1-based; 0 where no column applies.
        got: The offending value; empty where there is none to show.
        expected: The rule that it breaks.
        remedy: What to do about it.
        level: ``error`` refuses the input; ``warning`` and ``note`` are told only.
    """

    problem: str
    file: str = ""
    line: int = 0
    column: int = 0
    got: str = ""
    expected: str = ""
    remedy: str = ""
    level: Literal["error", "warning", "note"] = "error"

    def at(self, file: str) -> Fault:
        """Return the same fault, placed in another file."""
        return replace(self, file=file)

    def __str__(self) -> str:
        place = ":".join(
            part
            for part in (
                self.file,
                str(self.line) if self.line else "",
                str(self.column) if self.line and self.column else "",
            )
            if part
        )
        asides = [
            f"{word} {text}"
            for word, text in (("got", self.got), ("expected", self.expected))
            if text
        ]
        text = f"{place}: " if place else ""
        if self.level != "error":
            text += f"{self.level}: "
        text += self.problem
        if asides:
            text += f" ({'; '.join(asides)})"
        text += "."
        if self.remedy:
            text += f" Try: {self.remedy}"
        return text


class JupiterError(Exception):
    """The root of everything this package raises on purpose."""

    can_retry: ClassVar[bool] = False
    """Whether the same call may succeed later without anything being changed."""
    exit_code: ClassVar[int] = 1
    """1: the run failed. 2: bad input or usage."""


class InputError(JupiterError):
    """What the user gave cannot be used; holds every fault found, not only the first.

    Attributes:
        faults: At least one, in the order of the input.
    """

    exit_code = 2

    def __init__(self, faults: Iterable[Fault] | Fault) -> None:
        self.faults = (faults,) if isinstance(faults, Fault) else tuple(faults)
        super().__init__(self.faults)

    def __str__(self) -> str:
        lines = [str(fault) for fault in self.faults[:FAULTS_SHOWN_MAX]]
        hidden = len(self.faults) - len(lines)
        if hidden:
            lines.append(f"… and {hidden} more.")
        return "\n".join(lines)


class RunError(JupiterError):
    """A run was started and did not reach its end."""


class AgentError(RunError):
    """An agent could not be started, or was lost."""


class TransferError(RunError):
    """Bytes did not arrive as they were sent; sending them again may help."""

    can_retry = True


class TransferRefusedError(TransferError):
    """Bytes did not arrive, and never will unless something is changed."""

    can_retry = False


class TaskError(RunError):
    """The code of a task failed.

    Attributes:
        detail: Traceback or the end of the error output, for the trace.
    """

    can_retry = True

    def __init__(self, message: str, detail: str = "") -> None:
        super().__init__(message)
        self.detail = detail


class SchedulingError(JupiterError):
    """No schedule exists for a problem, for example because no link reaches a pinned node."""
