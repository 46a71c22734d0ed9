"""``jupiter app``: check and convert applications."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

commands = typer.Typer(help="Check and convert applications.", no_args_is_help=True)

AppPath = Annotated[Path, typer.Argument(help="Folder of the application, or its app.toml.")]


@commands.command()
def check(
    app: AppPath,
    as_json: Annotated[bool, typer.Option("--json", help="Print what was found as JSON.")] = False,
) -> None:
    """Say what an application is made of, or everything that is wrong with it."""
    from rich.console import Console

    from jupiter.cli.notes import tell
    from jupiter.cli.render import app_table
    from jupiter.orchestrator.loading import load_app

    found, notes = load_app(app)
    if as_json:
        facts = {
            "name": found.name,
            "tasks": list(found.graph.tasks),
            "edges": [[edge.source, edge.target] for edge in found.graph.edges],
            "entries": list(found.graph.entries),
            "sinks": list(found.sinks),
            "services": [service.name for service in found.services],
            "notes": [str(note) for note in notes],
        }
        sys.stdout.write(json.dumps(facts, indent=2) + "\n")
        return
    tell(notes)
    Console().print(app_table(found))


@commands.command()
def convert(
    app: AppPath,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="File to write; standard output if none.")
    ] = None,
) -> None:
    """Write an application as one app.toml."""
    from jupiter.cli.notes import tell
    from jupiter.errors import Fault, InputError
    from jupiter.formats import app_toml
    from jupiter.orchestrator.loading import load_app

    found, notes = load_app(app)
    tell(notes)
    text = app_toml.dumps(found)
    if output is None:
        sys.stdout.write(text)
        return
    try:
        output.write_text(text)
    except OSError as error:
        raise InputError(
            Fault(f"cannot be written: {error.strerror}", file=str(output), remedy="name another")
        ) from error
    sys.stderr.write(f"wrote {output}\n")
