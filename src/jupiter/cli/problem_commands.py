"""``jupiter map``, ``compare`` and ``convert`` for problems in files."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.text import Text

from jupiter.aio import clock
from jupiter.cli.notes import tell
from jupiter.cli.render import bar, table
from jupiter.errors import Fault, InputError, SchedulingError
from jupiter.formats import dot
from jupiter.formats.saga_json import dumps_schedule
from jupiter.formats.tgff_problem import to_seed_problem
from jupiter.kit.units import show_seconds
from jupiter.model.ids import TaskId
from jupiter.model.problem import Problem
from jupiter.model.schedule import Schedule
from jupiter.orchestrator import problems
from jupiter.orchestrator.scheduling import SEARCH, schedule
from jupiter.reports.comparison import Row, compare, comparison_figure
from jupiter.schedulers.explain import explain, with_reasons
from jupiter.schedulers.heft_seed import SeedSchedule, heft_seed
from jupiter.schedulers.loads import period_s

ROWS_MAX = 60
DEFAULT_COMPARED = ("heft", "heft-duplication", "cpop", "peft", "look-ahead", "gdl", "single-node")


@dataclass(frozen=True)
class MapRequest:
    """What is to be mapped, and how it is to be shown."""

    paths: Sequence[Path]
    scheduler: str | None
    seed: int
    budget_s: float | None = None
    cluster: Path | None = None
    format_name: str | None = None
    explain: Sequence[str] = ()
    as_json: bool = False
    quirks: bool = False
    output: Path | None = None


def map_problem(request: MapRequest) -> int:
    """Map a problem and show the schedule; return the exit code."""
    loaded = problems.load_problem(request.paths, request.format_name, request.cluster)
    if request.quirks:
        return _map_with_quirks(loaded, request.as_json)
    tell(loaded.notes)
    found = schedule(
        loaded.problem, request.scheduler, budget_s=request.budget_s, seed=request.seed
    )
    if request.output is not None:
        write_text(request.output, _schedule_text(request.output, loaded.problem, found))
    if request.as_json:
        sys.stdout.write(json.dumps(as_json(loaded.problem, found), indent=1) + "\n")
        return 0
    console = Console()
    for task in request.explain:
        console.print(Text(explain(loaded.problem, found, TaskId(task))))
    if not request.explain:
        _show(console, loaded.problem, found)
    return 0


def as_json(problem: Problem, found: Schedule) -> dict[str, object]:
    """Return a schedule as plain values."""
    return {
        "scheduler": found.scheduler,
        "makespan_s": found.makespan_s,
        "period_s": period_s(problem, found),
        "assignments": [
            {
                "task": each.task,
                "node": each.node,
                "start_s": each.start_s,
                "finish_s": each.finish_s,
            }
            for each in found.assignments
        ],
        "replicas": found.replicas,
        "options": dict(found.options),
        "facts": dict(found.facts),
        "version": found.version,
        "problem": found.problem_digest,
    }


def _show(console: Console, problem: Problem, found: Schedule) -> None:
    is_short = len(found.assignments) <= ROWS_MAX
    explained = with_reasons(problem, found) if is_short else found
    rows = table(
        f"Schedule by {found.scheduler}", "task", "node", "because", "start", "finish", numbers=3
    )
    for each in explained.assignments[:ROWS_MAX]:
        rows.add_row(
            each.task,
            Text(each.node, style="bold"),
            each.reason,
            show_seconds(each.start_s),
            show_seconds(each.finish_s),
        )
    console.print(rows)
    if not is_short:
        console.print(f"… and {len(found.assignments) - ROWS_MAX} more; --json lists all")
    proof = ", proven to be the shortest" if found.facts.get("optimal") else ""
    console.print(
        f"Makespan {show_seconds(found.makespan_s)}{proof}; "
        f"period of a stream {show_seconds(period_s(problem, found))}"
    )


def _schedule_text(path: Path, problem: Problem, found: Schedule) -> str:
    """Return a schedule in the format that the name of the file asks for."""
    name = path.name.lower()
    if name.endswith((".dot", ".gv")):
        return dot.dumps(problem, found)
    if name.endswith("saga.json"):
        return dumps_schedule(problem, found)
    if name.endswith("mapping.json"):
        return json.dumps(dict(found.mapping), indent=1) + "\n"
    if name.endswith(".txt"):
        return "".join(f"{task} {node}\n" for task, node in found.mapping.items())
    return json.dumps(as_json(problem, found), indent=1) + "\n"


def _map_with_quirks(loaded: problems.Loaded, as_json: bool) -> int:
    """Show what the seeds' HEFT makes of a TGFF file, in the seeds' units."""
    tgff = loaded.tgff
    if tgff is None:
        raise InputError(
            Fault("only TGFF has the seeds' quirks", remedy="leave --quirks out, or name a .tgff")
        )
    found = heft_seed(to_seed_problem(tgff))
    if as_json:
        values = {
            "scheduler": "heft-seed",
            "makespan": found.makespan,
            "estimate_with_copies": found.estimate,
            "ranks": {tgff.tasks[k]: found.ranks[k] for k in found.order},
            "intervals": _intervals(tgff.tasks, tgff.processors, found),
        }
        sys.stdout.write(json.dumps(values, indent=1) + "\n")
        return 0
    rows = table("The seeds' HEFT, in their units", "node", "task", "start", "finish", numbers=2)
    for each in _intervals(tgff.tasks, tgff.processors, found):
        name = f"{each['task']} (copy, not deployed)" if each["is_copy"] else str(each["task"])
        rows.add_row(str(each["node"]), name, f"{each['start']:g}", f"{each['finish']:g}")
    console = Console()
    console.print(rows)
    console.print(
        f"Makespan {found.makespan:g}; {found.estimate:g} if the copies were deployed. The unit is "
        "the seeds' sum of tenths of seconds and milliseconds."
    )
    return 0


def _intervals(
    tasks: Sequence[str], nodes: Sequence[str], found: SeedSchedule
) -> list[dict[str, object]]:
    return [
        {
            "node": nodes[processor],
            "task": tasks[each.task],
            "start": each.start,
            "finish": each.finish,
            "is_copy": each.is_copy,
        }
        for processor, intervals in enumerate(found.intervals)
        for each in intervals
    ]


def compare_problems(
    paths: Sequence[Path],
    names: Sequence[str],
    seed: int,
    budget_s: float | None,
    output: Path | None,
    as_json: bool,
) -> int:
    """Run schedulers on problems and show them side by side; return the exit code."""
    rows: list[Row] = []
    for path in paths:
        loaded = problems.load_problem([path])
        tell(loaded.notes)
        for name in names:
            start_s = clock.monotonic_s()
            try:
                found = schedule(
                    loaded.problem, name, budget_s=budget_s if name == SEARCH else None, seed=seed
                )
            except SchedulingError as error:
                sys.stderr.write(f"{path}: {name}: {error}\n")
                continue
            took_s = clock.monotonic_s() - start_s
            rows.append(compare(loaded.name, loaded.problem, found, took_s))
    if output is not None:
        write_text(output, comparison_figure(rows))
    if as_json:
        values = [
            {field: getattr(row, field) for field in row.__dataclass_fields__} for row in rows
        ]
        sys.stdout.write(json.dumps(values, indent=1) + "\n")
        return 0 if rows else 1
    console = Console()
    for problem in dict.fromkeys(row.problem for row in rows):
        mine = [row for row in rows if row.problem == problem]
        shown = table(
            problem,
            *("scheduler", "", "makespan", "period", "SLR", "speed-up", "time"),
            numbers=2,
        )
        shown.columns[1].no_wrap = True
        longest = max(row.makespan_s for row in mine)
        for row in sorted(mine, key=lambda row: row.makespan_s):
            shown.add_row(
                row.scheduler,
                bar(row.makespan_s / longest if longest else 0.0, width=10),
                show_seconds(row.makespan_s),
                show_seconds(row.period_s),
                f"{row.slr:.2f}",
                f"{row.speed_up:.2f}",
                show_seconds(row.took_s),
            )
        console.print(shown)
    if output is not None:
        console.print(f"Plot: {output}")
    return 0 if rows else 1


def convert(
    paths: Sequence[Path],
    output: Path | None,
    from_: str | None,
    to: str | None,
    cluster: Path | None,
) -> int:
    """Write a problem in another format; return the exit code."""
    loaded = problems.load_problem(paths, from_, cluster)
    tell(loaded.notes)
    wanted = to or (problems.format_of(output) if output else "problem")
    if wanted not in problems.WRITERS:
        raise InputError(Fault("unknown format", got=wanted, expected=", ".join(problems.FORMATS)))
    text = problems.WRITERS[wanted](loaded.problem)
    if output is None:
        sys.stdout.write(text)
    else:
        write_text(output, text)
        sys.stderr.write(f"wrote {output} ({wanted})\n")
    return 0


def write_text(path: Path, text: str) -> None:
    """Write a file.

    Raises:
        InputError: It cannot be written.
    """
    try:
        path.write_text(text)
    except OSError as error:
        raise InputError(
            Fault(f"cannot be written: {error.strerror}", file=str(path), remedy="name another")
        ) from error
