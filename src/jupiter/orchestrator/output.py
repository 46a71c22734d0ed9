"""What a run leaves in its output folder."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

from jupiter.costs.fit import seed_parameters
from jupiter.errors import Fault, InputError
from jupiter.formats import chrome_trace, network_log, profiler_txt, runtime_logs, trace_jsonl
from jupiter.formats.link_parameters import Curve
from jupiter.formats.network_log import LogRow
from jupiter.formats.profiler_txt import ProfileRow
from jupiter.model.ids import NodeId
from jupiter.model.profile import Profiles
from jupiter.model.run import Report
from jupiter.orchestrator.planning import task_mapping
from jupiter.reports import html

RESULTS = "results"
TRACE = "trace.jsonl"
STORE = "jupiter.db"


def prepare(folder: Path, *, overwrite: bool) -> Path:
    """Return an empty folder for results inside the output folder.

    Raises:
        InputError: There are results of an earlier run, or the folder cannot be made.
    """
    results = folder / RESULTS
    try:
        if results.is_dir() and any(results.iterdir()):
            if not overwrite:
                raise InputError(
                    Fault(
                        "holds the results of an earlier run",
                        file=str(results),
                        expected="an empty folder, or none",
                        remedy="name another folder, or give --overwrite",
                    )
                )
            shutil.rmtree(results)
        results.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            Fault(
                f"cannot be used for output: {error.strerror}",
                file=str(folder),
                remedy="name a folder that you may write to",
            )
        ) from error
    return results


def write_report(folder: Path, report: Report, version: str) -> Path:
    """Write logs, traces, profiles and the page; return the page's path."""
    main = report.main
    texts: dict[str, Callable[[], str]] = {
        "runtime_tasks.txt": lambda: runtime_logs.tasks(main),
        "runtime_transfer_sender.txt": lambda: runtime_logs.transfers(main),
        TRACE: lambda: trace_jsonl.dumps(main),
        "trace.json": lambda: chrome_trace.dumps(main),
        "mapping.json": lambda: json.dumps(task_mapping(main.schedule), indent=2) + "\n",
        "report.html": lambda: html.render(report, version),
    }
    for name, text in texts.items():
        (folder / name).write_text(text(), encoding="utf-8")
    write_profiles(folder / "profiles", report.profiles)
    return folder / "report.html"


def write_profiles(folder: Path, profiles: Profiles) -> None:
    """Write profiles in the seeds' forms."""
    folder.mkdir(parents=True, exist_ok=True)
    output_bytes = _output_bytes(profiles)
    by_node: dict[NodeId, list[ProfileRow]] = {}
    for (task, node), found in profiles.executions.items():
        size = round(output_bytes.get(task, 0.0))
        by_node.setdefault(node, []).append(ProfileRow(task, found.median_s, size))
    for node, rows in by_node.items():
        (folder / f"profiler_{node}.txt").write_text(profiler_txt.dumps(rows))
    links = [
        LogRow(source, "", target, "", Curve(*seed_parameters(link.model)))
        for (source, target), link in profiles.links.items()
    ]
    (folder / "network_log.txt").write_text(network_log.dumps(links))
    resources = {
        node: {
            "cpu": round(sample.cpu_fraction * 100, 1),
            "memory": round(sample.memory_fraction * 100, 1),
            "last_update": sample.time_s,
        }
        for node, sample in profiles.resources.items()
    }
    (folder / "resources.json").write_text(json.dumps(resources, indent=2) + "\n")


def _output_bytes(profiles: Profiles) -> dict[str, float]:
    """Return what a task gives out in all: the most that any child gets counts once.

    The seeds sum the sizes of a task's output files. A scattering task's children get different
    files and a broadcasting one's the same, which the measured bytes of its edges cannot tell
    apart; equal sizes are taken for the same files.
    """
    sizes: dict[str, set[float]] = {}
    for edge, size in profiles.edge_bytes.items():
        sizes.setdefault(edge.source, set()).add(size)
    return {task: sum(found) for task, found in sizes.items()}
