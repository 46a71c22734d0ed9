"""Plays trials one after the other, as the first process of namespaces of its own.

Reads ``FAULT SEED`` lines on standard input and answers each with a line of JSON.
"""

from __future__ import annotations

import gc
import json
import sys
from pathlib import Path

from campaign.real.engine import AGENT
from campaign.real.lab import build_hub
from campaign.real.plan import make
from campaign.real.trial import play


def main() -> None:
    """Serve until the input ends."""
    folder = Path(sys.argv[1])
    agent = ("-P", "-m", "campaign.real.naive", sys.argv[2]) if len(sys.argv) > 2 else AGENT
    build_hub()
    gc.freeze()
    for line in sys.stdin:
        fault, seed = line.split()
        played = play(make(fault, int(seed)), folder / "trial", agent)
        answer = {
            "fault": fault,
            "seed": int(seed),
            "is_void": played.verdict.is_void,
            "kinds": [*played.verdict.faults, *(["broken"] if played.broken else [])],
            "why": played.why,
            "injected": played.injected,
            "took_s": played.took_s,
            "redone_s": played.redone_s,
            "logs": {} if played.is_good else played.logs,
        }
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
