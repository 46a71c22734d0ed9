"""From the result files to the page that people read; figures without a result are not written."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from statistics import median
from typing import Any

from campaign.planted import BUGS
from campaign.real.render import render_real

Entry = dict[str, Any]

HEAD = """# Reliability

What Jupiter promises about a stream, how each promise is tried, and what came of it. This page is
written by `python -m campaign report` from `campaign/results.jsonl` and `campaign/real_results.jsonl`; a
figure without a result in those files is not here.

## Promises

| | Promise | How it can fail, and who would notice |
|---|---|---|
| P1 | an accepted input stays accepted | inputs whose acceptance was told and that a crash or power cut then takes: `lost` |
| P2 | every accepted item ends, as long as the disk of the home node survives | `lost`, `late` |
| P3 | its results appear once | `duplicated` |
| P4 | they are those of a serial run; joins never mix items | `wrong` |
| P5 | all of an item's results come from one execution of each task, also where tasks are not deterministic | `mixed` |
| P6 | with `--ordered`, items end in the order in which they were accepted | `misordered` |
| P7 | memory and files go back to nothing when a stream has ended; windows, cores and credits keep their bounds at all times | `leaks`, `broken` |

## How it is tried

The state machines of `control/` run unchanged in a simulated world. A seed decides the graph, the
nodes, the workload and what goes wrong: agents crash, computers lose power and with it what was not
synced, nodes vanish for good or come late, files cannot be read any more, disks are full, agents stand
still, links are cut in one direction or both, hold messages back, lose, double and reorder them, clocks
drift, tasks fail, hang and give nothing. An accepted input that cannot be read makes its item fail, and
no other. Journals are compacted when they are read, and must give the same state as before.
Then everything heals (the dead stay dead) and all items must end within two minutes of virtual time.
An oracle that shares no code with the dispatcher compares what came out with a serial run, file by
file, with the lineage of each. Runs in which no planned fault happened are counted as void.

    make campaign SEEDS=100000 FIRST=0
    python -m campaign show SEED         # what a seed means, shrunk where it fails
    python -m campaign planted           # plant every known bug, and find it
"""


def render(entries: Sequence[Entry]) -> str:
    """Return the page."""
    parts = [HEAD]
    seeds = [entry for entry in entries if entry["kind"] == "seeds"]
    planted = [entry for entry in entries if entry["kind"] == "planted"]
    if seeds:
        parts.append(_seeds(seeds))
    if planted:
        parts.append(_planted(planted[-1]))
    parts += render_real(entries)
    return "\n".join(parts)


def _seeds(entries: Sequence[Entry]) -> str:
    lines = [
        "\n## Results\n",
        "| Date | Code | Seeds | Void | Virtual hours | Events | Lost | Duplicated | Wrong | Mixed "
        "| Misordered | Late | Left behind | Other |",
        "|---|---|---|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for entry in entries:
        failed = entry["failed"]
        last = entry["first"] + entry["seeds"] - 1
        cells = [
            entry["date"],
            f"`{entry['control']}`",
            f"{entry['first']:,} to {last:,}",
            f"{entry['void']:,}",
            f"{entry['virtual_h']:,.0f}",
            f"{entry['events'] / 1e6:,.1f} M",
            *(str(failed[kind]) for kind in ("lost", "duplicated", "wrong", "mixed")),
            *(str(failed[kind]) for kind in ("misordered", "late", "leaks")),
            str(failed["ghost"] + failed["broken"]),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    newest = entries[-1]["control"]
    same = [entry for entry in entries if entry["control"] == newest]
    good = sum(entry["seeds"] - entry["void"] for entry in same if not entry["failing_seeds"])
    if good:
        lines.append(
            f"\nThe newest code (`{newest}`) went through {good:,} seeds without a failure: with 95 % "
            f"confidence fewer than one schedule of this kind in {good // 3:,} breaks a promise."
        )
    injected: Counter[str] = Counter()
    for entry in same:
        injected.update(entry["injected"])
    words = ", ".join(f"{count:,} x {kind}" for kind, count in sorted(injected.items()) if count)
    lines.append(f"\nFaults that really happened in these: {words}.\n")
    return "\n".join(lines)


def _planted(entry: Entry) -> str:
    found = {name: each for name, each in entry["bugs"].items() if each["seed"] is not None}
    middle = median(each["seed"] + 1 for each in found.values())
    lines = [
        "## Bugs planted on purpose\n",
        f"{len(found)} of {len(entry['bugs'])} were found within {entry['seeds']:,} seeds each, half of "
        f"them within {middle:g}.\n",
        "| Bug | Found by seed | As |",
        "|---|---|---|",
    ]
    for name, each in sorted(found.items(), key=lambda item: item[1]["seed"]):
        lines.append(f"| {BUGS[name].what} | {each['seed']:,} | {each['how']} |")
    for name, each in entry["bugs"].items():
        if each["seed"] is None:
            lines.append(f"| {BUGS[name].what} | **not found** | |")
    return "\n".join(lines) + "\n"
