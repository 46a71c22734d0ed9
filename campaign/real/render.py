"""The part of the page about faults on real processes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from campaign.real.canaries import WHAT
from campaign.real.kinds import KINDS
from jupiter.aio.failpoints import NAMES

Entry = dict[str, Any]

HEAD = """
## Faults on real processes

The same promises, tried on what really runs: agents and their tasks as processes, each node in a network
namespace of its own on a bridge, with a folder or a small file system of its own. A fault and a seed
decide graph, workload, moments and durability. Processes are killed and stopped, cables pulled, packets
dropped, connections reset, transfers cut and changed, power cut (a node goes on with a copy of its disk
as it was at one moment, without what was not synced), disks filled and damaged. Every task writes down
which executions its inputs came from, so the same oracle sees what was lost, came twice, or was mixed.
After each trial it also looks for what was left: processes, mounts, namespaces, control groups, files. A
trial in which nothing of what was planned happened is void. Where data of home itself were damaged, of
which there is no second copy, a run may say so and end ("refused"), but not go on with them.

    make campaign-real TRIALS=1000                   # as root; needs iproute2 and nftables
    python -m campaign.real show F01 7               # what a fault and a seed mean, and what comes of it
    python -m campaign.real planted                  # plant bugs into the agents, and find them
"""


def render_real(entries: Sequence[Entry]) -> list[str]:
    """Return the part, or nothing where there are no results."""
    runs = [entry for entry in entries if entry["kind"] == "real"]
    planted = [entry for entry in entries if entry["kind"] == "real planted"]
    parts = [HEAD] if runs or planted else []
    if runs:
        parts.append(_runs(runs))
    if planted:
        parts.append(_planted(planted[-1]))
    return parts


def _runs(entries: Sequence[Entry]) -> str:
    newest = entries[-1]["control"]
    same = [entry for entry in entries if entry["control"] == newest]
    failed: Counter[str] = Counter()
    for entry in same:
        failed.update(entry["failed"])
    trials = sum(entry["trials"] for entry in same)
    words = ", ".join(f"{count} {kind}" for kind, count in failed.items())
    lines = [
        f"\nThe newest code that was tried (`{newest}`, {same[-1]['date']}) went through {trials:,} trials: {words}.\n",
        "| | Fault | Trials | Void | Not as promised | What really happened |",
        "|---|---|---|---|---|---|",
    ]
    for fault, kind in KINDS.items():
        those = [entry["faults"][fault] for entry in same if fault in entry["faults"]]
        if not those:
            continue
        happened: Counter[str] = Counter()
        for each in those:
            happened.update(each["injected"])
        cells = [
            fault,
            kind.what,
            f"{sum(each['trials'] for each in those):,}",
            f"{sum(each['void'] for each in those):,}",
            f"{sum(len(each['failed']) for each in those):,}",
            _words(happened),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    for entry in [entry for entry in same if entry["redone"]][-1:]:
        last = entry["redone"]
        lines.append(
            f"\nFrom the kill of an agent to the next item done that went another way because of it: half "
            f"within {last['p50_s']:.2f} s, 99 % within {last['p99_s']:.2f} s ({last['kills']} kills)."
        )
    for entry in [entry for entry in same if entry["rates"]][-1:]:
        last = entry["rates"]
        lines.append(
            f"\nWithout a controlling process, streams flowed at {100 * last['median']:.0f} % of their rate with "
            f"one (median of {last['times']} times)."
        )
    lines += [f"\n{words}" for words in _sums(same, failed)]
    return "\n".join([*lines, ""])


def _sums(entries: Sequence[Entry], failed: Counter[str]) -> list[str]:
    """Return sentences on what holds over all trials."""
    found = []
    cuts = [each for entry in entries if (each := entry["faults"].get("F32"))]
    times = sum(each["injected"].get("power", 0) for each in cuts)
    bad = sum(len(each["failed"]) for each in cuts)
    if times:
        what = "nothing that had been acknowledged was lost" if not bad else f"{bad} trials failed"
        found.append(f"The power of a node was cut {times:,} times: {what}.")
    kinds = "process, mount, namespace, control group or file"
    if not failed["leaks"]:
        found.append(f"After no trial was anything left behind: no {kinds}.")
    else:
        found.append(f"After {failed['leaks']} trials a {kinds} was left behind.")
    return found


def _words(happened: Counter[str]) -> str:
    words = [
        f"{n:,} x {what}" for what, n in sorted(happened.items()) if not what.startswith("at ")
    ]
    points = {what.removeprefix("at ") for what in happened if what.startswith("at ")}
    words += [f"{len(points & set(NAMES))} of {len(NAMES)} points"] if points else []
    return ", ".join(words)


def _planted(entry: Entry) -> str:
    lines = [
        "### Bugs planted into the agents\n",
        "| Bug | Fault that showed it | Trials needed | As |",
        "|---|---|---|---|",
    ]
    for name, each in entry["bugs"].items():
        needed = "**not found**" if each["needed"] is None else str(each["needed"])
        lines.append(f"| {WHAT.get(name, name)} | {each['fault']} | {needed} | {each['how']} |")
    return "\n".join(lines) + "\n"
