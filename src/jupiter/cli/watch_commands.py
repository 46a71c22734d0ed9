"""``jupiter status``, ``top`` and ``trace``: look at a run, and change nothing."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Annotated

import typer

OutputFolder = Annotated[Path, typer.Argument(help="Output folder of the run.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]


def status(output: OutputFolder, as_json: AsJson = False) -> None:
    """Show how a run stands: its nodes, its items, and what is wrong. 1 where something failed."""
    import msgspec
    from rich.console import Console

    from jupiter.cli.watch_tables import status_page
    from jupiter.orchestrator.observe import Observer, Sight

    async def look() -> Sight:
        async with Observer(output) as observer:
            return await observer.look()

    sight = asyncio.run(look())
    if as_json:
        text = msgspec.json.format(msgspec.json.encode(sight), indent=1).decode()
        sys.stdout.write(f"{text}\n")
    else:
        Console().print(status_page(sight))
    raise typer.Exit(0 if sight.is_well else 1)


def top(output: OutputFolder) -> None:
    """Watch a run as it goes: rates, queues and links, once a second; q quits."""
    from rich.console import Console

    from jupiter.cli.top import top as show

    raise typer.Exit(asyncio.run(show(output, Console())))


def trace(
    output: OutputFolder,
    item: Annotated[str, typer.Argument(help="Its id, or the name of its input.")],
    verbose: Annotated[
        bool, typer.Option("--verbose", help="Show tracebacks, and what stayed on its node.")
    ] = False,
) -> None:
    """Show the life of one item, from its input to its results. 1 where it failed."""
    from rich.console import Console

    from jupiter.cli.trace_view import waterfall
    from jupiter.orchestrator.history import read_history

    history = read_history(output)
    found = history.find(item)
    console = Console()
    console.print(waterfall(history, found, console.width, verbose=verbose))
    is_bad = found.status == "failed" or (found.status == "lost" and history.is_over)
    raise typer.Exit(1 if is_bad else 0)


def add_to(cli: typer.Typer) -> None:
    """Add the commands."""
    for command in (status, top, trace):
        cli.command()(command)
