"""Plays trials one after the other, as the first process of namespaces of its own.

Reads ``FAULT SEED`` lines on standard input and answers each with a line of JSON.
"""

from __future__ import annotations

import gc
import json
import sys
from importlib import import_module
from pathlib import Path

from campaign.real.kinds import make
from campaign.real.lab import build_hub
from campaign.real.plan import LIMIT_S
from campaign.real.trial import play

NAIVE_LIMIT_S = 12.0
"""Bugs make streams hang; that need not take long to see."""


def main() -> None:
    """Serve until the input ends."""
    folder = Path(sys.argv[1])
    bug = sys.argv[2] if len(sys.argv) > 2 else ""
    limit_s = NAIVE_LIMIT_S if bug else LIMIT_S
    build_hub()
    import_module("jupiter.aio.authority")  # now, and not in every controlling process
    gc.freeze()
    for line in sys.stdin:
        fault, seed = line.split()
        played = play(make(fault, int(seed)), folder / "trial", bug, limit_s)
        answer = {
            "fault": fault,
            "seed": int(seed),
            "is_void": played.verdict.is_void,
            "kinds": [*played.verdict.faults, *(["broken"] if played.broken else [])],
            "why": played.why,
            "injected": played.injected,
            "took_s": played.took_s,
            "redone_s": played.redone_s,
            "rates": played.rates,
            "logs": {} if played.is_good else played.logs,
        }
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
