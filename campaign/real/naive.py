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

from campaign.planted import with_bug
from jupiter.agent import journal
from jupiter.agent.__main__ import main
from jupiter.aio import channel, dial

SYNC_S = 0.03
CRAWL_S = 0.6
"""Longer than it takes until home hears what an agent has told."""
TINY_BYTES = 1 << 13


def _slowly(sync: Callable[[int], None], seconds: float) -> Callable[[int], None]:
    def wait(fd: int) -> None:
        select.select([], [], [], seconds)
        sync(fd)

    return wait


def _slow_sync() -> None:
    os.fsync = _slowly(os.fsync, SYNC_S)  # type: ignore[assignment]
    os.fdatasync = _slowly(os.fdatasync, SYNC_S)  # type: ignore[assignment]


def _crawling_sync() -> None:
    os.fdatasync = _slowly(os.fdatasync, CRAWL_S)  # type: ignore[assignment]


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
    "crawling-sync": ("every sync of a journal takes very long", _crawling_sync),
    "tiny-journal": ("journals are compacted early", _tiny_journal),
    "plain": ("connections are not encrypted", allow_plain),
    "no-sync": ("nothing is synced", _no_sync),
    "no-journal": ("acknowledged, but never written down", _no_journal),
}


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
