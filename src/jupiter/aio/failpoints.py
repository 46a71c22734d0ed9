"""Named places at which a process can be made to die, to prove that it may die anywhere.

A durable step has a point before and one after it. Nothing is armed unless the agent's
configuration says so; an unarmed point costs one comparison.
"""

from __future__ import annotations

import os
import signal

from jupiter.errors import Fault as _Fault
from jupiter.errors import InputError

NAMES = (
    "input.copy",
    "input.copied",
    "journal.append",
    "journal.appended",
    "journal.sync",
    "journal.files-synced",
    "journal.written",
    "journal.synced",
    "journal.kept",
    "journal.compact",
    "journal.compacted",
    "journal.swapped",
    "body.write",
    "body.written",
    "body.named",
    "word.acknowledge",
    "word.send",
    "attempt.run",
    "attempt.end",
    "outputs.kept",
    "inputs.hand",
    "inputs.drop",
    "outputs.drop",
    "item.accept",
    "item.resolve",
    "results.show",
    "results.renamed",
    "results.synced",
    "run.prepare",
    "run.prepared",
    "run.restore",
    "run.restored",
    "run.resumed",
    "run.stop",
    "run.removed",
    "epoch.begin",
    "workers.start",
    "workers.ready",
    "workers.stop",
    "facts.send",
    "facts.acknowledged",
    "bundle.file",
)
"""All of them; a test compares this list with the code."""

_armed = ""
_left = 0


def arm(spec: str) -> None:
    """Let this process kill itself at a point.

    Args:
        spec: ``NAME`` or ``NAME:N``, at the N-th time; empty disarms.

    Raises:
        InputError: There is no such point.
    """
    global _armed, _left
    name, _, count = spec.partition(":")
    if name and (name not in NAMES or (count and not count.isdecimal())):
        raise InputError(_Fault("unknown failpoint", got=spec, expected=", ".join(NAMES)))
    _armed, _left = name, int(count or 1)


def hit(name: str) -> None:
    """Die here if this point is armed."""
    global _left
    if name != _armed:
        return
    _left -= 1
    if not _left:
        os.kill(os.getpid(), signal.SIGKILL)
