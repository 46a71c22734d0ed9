"""The commands of the real campaign: ``python -m campaign.real --help``."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from statistics import median
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeElapsedColumn
from rich.table import Table

from campaign.__main__ import KINDS as VERDICTS
from campaign.__main__ import REAL_RESULTS, REPORT, RESULTS, note
from campaign.__main__ import report as write_report
from campaign.real.canaries import CANARIES, fitting
from campaign.real.kinds import KINDS, make
from campaign.real.pool import Answer, deal, install_missing, play_all, reason_to_skip
from jupiter.aio.clock import monotonic_s

app = typer.Typer(add_completion=False, no_args_is_help=True)
screen = Console()

Jobs = Annotated[int, typer.Option(help="Labs at once.")]


def share(values: list[float], part: float) -> float:
    """Return the value that a part of all does not exceed."""
    return sorted(values)[min(len(values) - 1, int(part * len(values)))]


def summary(answers: list[Answer], took_s: float, first: int) -> dict[str, object]:
    """Return the figures of many trials, for the file of results."""
    by_fault = {}
    for fault in KINDS:
        those = [each for each in answers if each["fault"] == fault]
        injected: Counter[str] = Counter()
        for each in those:
            injected.update(each["injected"])
        if those:
            by_fault[fault] = {
                "trials": len(those),
                "void": sum(each["is_void"] for each in those),
                "failed": sorted(each["seed"] for each in those if each["kinds"]),
                "injected": dict(injected),
            }
    kinds = Counter(kind for each in answers for kind in each["kinds"])
    redone_s = [value for each in answers for value in each["redone_s"] if each["fault"] == "F01"]
    rates = [value for each in answers for value in each["rates"]]
    return {
        "kind": "real",
        "first": first,
        "trials": len(answers),
        "seconds": round(took_s, 1),
        "faults": by_fault,
        "failed": {kind: kinds[kind] for kind in (*VERDICTS, "broken")},
        "redone": {
            "kills": len(redone_s),
            "p50_s": round(share(redone_s, 0.5), 3),
            "p99_s": round(share(redone_s, 0.99), 3),
        }
        if redone_s
        else {},
        "rates": {"times": len(rates), "median": round(median(rates), 3)} if rates else {},
    }


def _check() -> None:
    install_missing()
    reason = reason_to_skip()
    if reason:
        screen.print(f"no labs can be built here: {reason}", markup=False)
        raise typer.Exit(2)


@app.command()
def run(
    trials: Annotated[int, typer.Option(help="How many.")] = 100,
    first: Annotated[int, typer.Option(help="The first seed of each fault.")] = 0,
    faults: Annotated[str, typer.Option(help="Only these, with commas between.")] = "",
    jobs: Jobs = 2,
    results: Annotated[Path | None, typer.Option(help="Append the figures here.")] = None,
    failures: Annotated[Path | None, typer.Option(help="Write what failed here.")] = None,
) -> None:
    """Play trials and judge each; exit code 1 where anything is not as promised."""
    _check()
    chosen = faults.split(",") if faults else list(KINDS)
    asked = list(deal({fault: KINDS[fault].slice for fault in chosen}, trials, first))
    start_s = monotonic_s()
    columns = ("{task.description}", BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=screen) as progress:
        bar = progress.add_task("trials", total=trials)
        answers = play_all(asked, jobs, lambda _: progress.advance(bar))
    found = summary(answers, monotonic_s() - start_s, first)
    bad = [each for each in answers if each["kinds"]]
    _show(found, bad)
    if failures is not None:
        failures.write_text("".join(json.dumps(each) + "\n" for each in bad))
    if results is not None:
        note(results, found)
    raise typer.Exit(1 if bad else 0)


def _show(found: dict[str, object], bad: list[Answer]) -> None:
    table = Table(title=f"{found['trials']:,} trials in {found['seconds']} s")
    for column in ("fault", "trials", "void", "failed", "what happened"):
        table.add_column(column)
    faults = found["faults"]
    assert isinstance(faults, dict)  # noqa: S101 - for the type checker
    for fault, each in faults.items():
        words = ", ".join(f"{n} x {kind}" for kind, n in sorted(each["injected"].items()))
        table.add_row(
            f"{fault} {KINDS[fault].what}",
            str(each["trials"]),
            str(each["void"]),
            str(len(each["failed"])),
            words,
        )
    screen.print(table)
    screen.print(f"not as promised: {found['failed']}", markup=False)
    screen.print(f"from a kill to the next item done: {found['redone']}", markup=False)
    screen.print(f"rate without a controlling process: {found['rates']}", markup=False)
    for each in bad[:20]:
        screen.print(f"{each['fault']} {each['seed']}: {each['why'][:1000]}", markup=False)
        screen.print(f"  python -m campaign.real show {each['fault']} {each['seed']}", markup=False)


@app.command()
def show(
    fault: str,
    seed: int,
    bug: Annotated[str, typer.Option(help="Plant this bug.")] = "",
    times: Annotated[int, typer.Option(help="Until it fails, so many times at most.")] = 1,
) -> None:
    """Print what a fault and a seed mean and what comes of it."""
    _check()
    screen.print(str(make(fault, seed)), markup=False)
    answers = play_all([(fault, seed)] * times, 1, bug=bug, until=lambda each: bool(each["kinds"]))
    last = answers[-1]
    screen.print(f"happened: {last['injected']}; took {last['took_s']:.1f} s", markup=False)
    for name, text in last["logs"].items():
        if text:
            screen.print(f"--- {name}\n{text}", markup=False)
    screen.print(last["why"] or "good", markup=False)
    raise typer.Exit(1 if last["kinds"] else 0)


@app.command()
def planted(
    trials: Annotated[int, typer.Option(help="Give up after so many of each.")] = 60,
    jobs: Jobs = 2,
    bugs: Annotated[str, typer.Option(help="Only these, with commas between.")] = "",
    results: Annotated[Path | None, typer.Option(help="Append the figures here.")] = None,
) -> None:
    """Plant bugs into the agents and see how many trials it takes to find each."""
    _check()
    found: dict[str, object] = {}
    for bug in bugs.split(",") if bugs else CANARIES:
        asked = fitting(bug, trials)
        fault = CANARIES[bug].fault
        answers = play_all(asked, jobs, bug=bug, until=lambda each: bool(each["kinds"]))
        bad = [each for each in answers if each["kinds"]]
        first = min(bad, key=lambda each: int(each["seed"])) if bad else None
        how = first["why"].split("\n")[0] if first else "not found"
        screen.print(f"{bug} by {fault} {first['seed'] if first else ''}: {how[:90]}", markup=False)
        found[bug] = {
            "fault": fault,
            "seed": first["seed"] if first else None,
            "needed": asked.index((fault, first["seed"])) + 1 if first else None,
            "how": first["kinds"][0] if first else "",
        }
    if results is not None:
        note(results, {"kind": "real planted", "trials": trials, "bugs": found})
    raise typer.Exit(0 if all(each["seed"] is not None for each in found.values()) else 1)  # type: ignore[index]


@app.command()
def report() -> None:
    """Write the results of both campaigns into the documentation."""
    write_report(RESULTS, REAL_RESULTS, REPORT)


if __name__ == "__main__":
    app()
