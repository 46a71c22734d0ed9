"""``jupiter dlq``: the items that failed."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

commands = typer.Typer(help="List, show and retry items that failed.", no_args_is_help=True)

OutputFolder = Annotated[Path, typer.Argument(help="Output folder of the run.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]


@commands.command("list")
def list_letters(output: OutputFolder, as_json: AsJson = False) -> None:
    """List the items that failed, with the reasons."""
    import msgspec
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    from jupiter.cli.watch_tables import clean
    from jupiter.orchestrator.dead_letters import read_letters

    letters = read_letters(output)
    if as_json:
        text = msgspec.json.format(msgspec.json.encode(letters), indent=1).decode()
        sys.stdout.write(f"{text}\n")
        return
    console = Console()
    if not letters:
        console.print("No item has failed.")
        return
    made = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    for title in ("item", "input", "task", "tries", "reason", "state"):
        made.add_column(title, no_wrap=title != "state", overflow="ellipsis")
    for letter in letters:
        state = f"done in {letter.retried}" if letter.retried else "failed"
        if not letter.retried and not letter.files:
            state += ", input not kept"
        made.add_row(
            letter.item,
            clean(letter.name),
            letter.task,
            str(len(letter.attempts)),
            _short(clean(letter.reason)),
            state,
        )
    console.print(made)


def _short(reason: str) -> str:
    """Return a reason without what stands in the other columns."""
    head, mark, tail = reason.partition(": ")
    return tail if mark and head.startswith("task ") else reason


@commands.command()
def show(
    output: OutputFolder,
    item: Annotated[str, typer.Argument(help="Its id, or the name of its input.")],
) -> None:
    """Show one item that failed: its input, every attempt, the traceback."""
    from rich.console import Console
    from rich.text import Text

    from jupiter.cli.watch_tables import clean
    from jupiter.kit.units import show_seconds
    from jupiter.orchestrator.dead_letters import INPUT, find_letters, folder_of

    console = Console()
    for letter in find_letters(output, [item]):
        console.print(Text(f"item {letter.item}  {clean(letter.name)}", style="bold"))
        console.print(Text(clean(letter.reason), style="red"))
        for each in letter.attempts:
            took = show_seconds(each.seconds)
            line = f"  attempt {each.attempt} of {each.task} on {each.node}, {took}: {each.reason}"
            console.print(Text(clean(line)))
        for name in letter.files:
            path = folder_of(output, letter) / INPUT / name
            console.print(Text(f"input: {clean(str(path))}"), soft_wrap=True)
        if not letter.files:
            console.print(Text(f"input (not kept): {clean(', '.join(letter.sources))}"))
        if letter.retried:
            console.print(Text(f"done in {letter.retried}", style="green"))
        if letter.traceback:
            console.print(Text(f"\n{clean(letter.traceback)}"))


@commands.command()
def retry(
    output: OutputFolder,
    items: Annotated[
        list[str] | None, typer.Argument(help="Their ids, or the names of their inputs.")
    ] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="All items that failed and did not do well since.")
    ] = False,
) -> None:
    """Stream items that failed once more, as the run did; results go to OUTPUT/retry-N."""
    from rich.console import Console
    from rich.text import Text

    from jupiter.cli.notes import tell
    from jupiter.cli.run_command import run_to_end
    from jupiter.cli.screen import RichScreen
    from jupiter.cli.watch_tables import clean
    from jupiter.errors import Fault, InputError
    from jupiter.orchestrator import retry as again
    from jupiter.orchestrator import wiring
    from jupiter.orchestrator.dead_letters import find_letters, read_letters

    if bool(items) == everything:
        raise InputError(
            Fault(
                "which items?",
                file=str(output),
                expected="items, or --all",
                remedy=f"jupiter dlq list {output}",
            )
        )
    letters = find_letters(output, items) if items else read_letters(output)
    letters = [letter for letter in letters if items or not letter.retried]
    console = Console()
    if not letters:
        console.print("There is nothing to retry.")
        return
    plan = again.plan(output, letters)
    tell(plan.notes)
    engine = wiring.make_engine(plan.origin.engine, plan.settings)
    screen = RichScreen(Console(stderr=True))
    with screen.stage("Retrying", len(letters)) as tick:
        folder, record = run_to_end(again.run(plan, engine, tick))
    good = sum(item.status in ("done", "filtered") for item in record.items)
    console.print(f"{good} of {len(letters)} did well this time.")
    for letter, item in zip(letters, record.items, strict=False):
        if item.status not in ("done", "filtered"):
            console.print(Text(clean(f"  item {letter.item}: {item.detail}")))
    console.print(f"Results: {folder / 'results'}/", soft_wrap=True)
    raise typer.Exit(0 if good == len(letters) else 1)
