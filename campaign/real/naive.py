"""An agent with a bug planted into it: trials that do not find it are worth nothing.

Run as ``python -m campaign.real.naive BUG`` in place of ``python -m jupiter.agent``. The bugs of
the simulated campaign can be planted, as agents run the same code.
"""

from __future__ import annotations

import sys

from campaign.planted import BUGS, with_bug
from jupiter.agent.__main__ import main

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
}
"""Bugs that trials must find, and the fault that shows each."""

WHAT = {name: BUGS[name].what for name in CANARIES}


def start(bug: str) -> None:
    """Serve as an agent with a bug."""
    with with_bug(bug):
        main()


if __name__ == "__main__":
    start(sys.argv[1])
