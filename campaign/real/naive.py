"""An agent that was changed: with a bug planted into it, or on a disk that is slow.

Run as ``python -m campaign.real.naive NAME...`` in place of ``python -m jupiter.agent``. Trials
that do not find planted bugs are worth nothing. Those of the simulated campaign can be planted
here, too, as agents run the same code.
"""

from __future__ import annotations

import os
import select
import sys
from collections.abc import Callable
from contextlib import ExitStack

from campaign.planted import BUGS, with_bug
from jupiter.agent import journal
from jupiter.agent.__main__ import main
from jupiter.aio import channel, dial

SYNC_S = 0.03
TINY_BYTES = 1 << 13


def _slow_sync() -> None:
    def slowly(sync: Callable[[int], None]) -> Callable[[int], None]:
        def wait(fd: int) -> None:
            select.select([], [], [], SYNC_S)
            sync(fd)

        return wait

    os.fsync, os.fdatasync = slowly(os.fsync), slowly(os.fdatasync)  # type: ignore[assignment]


def _tiny_journal() -> None:
    journal.COMPACT_BYTES = TINY_BYTES


def _no_sync() -> None:
    os.fsync = os.fdatasync = lambda fd: None


def _no_journal() -> None:
    journal.Journal._write = lambda self, payloads: True  # type: ignore[method-assign]


def allow_plain() -> None:
    """Let connections without TLS be made: in a lab, none of them leaves the machine."""
    for module in (channel, dial):
        module.check_plain = lambda *hosts: None  # type: ignore[attr-defined]


CHANGES: dict[str, tuple[str, Callable[[], None]]] = {
    "slow-sync": ("every sync takes long", _slow_sync),
    "tiny-journal": ("journals are compacted early", _tiny_journal),
    "plain": ("connections are not encrypted", allow_plain),
    "no-sync": ("nothing is synced", _no_sync),
    "no-journal": ("acknowledged, but never written down", _no_journal),
}

CANARIES: dict[str, str] = {
    "join-by-arrival": "F13",
    "delete-on-send": "F21",
    "no-retry": "F03",
    "endless-retry": "F46",
    "lease-for-ever": "F01",
    "names-collide": "F44",
    "window-ignored": "F44",
    "order-ignored": "F13",
    "lineage-ignored": "F09",
    "no-sync": "F32",
    "no-journal": "F05",
    "no-new-epoch": "F05",
    "sink-forgets": "F05",
    "accept-before-sync": "F05",
}
"""Bugs that trials must find, and the fault that shows each."""

WHAT = {name: BUGS[name].what if name in BUGS else CHANGES[name][0] for name in CANARIES}


def start(*names: str) -> None:
    """Serve as an agent that was changed."""
    with ExitStack() as stack:
        for name in names:
            if name in CHANGES:
                CHANGES[name][1]()
            else:
                stack.enter_context(with_bug(name))
        main()


if __name__ == "__main__":
    start(*sys.argv[1:])
