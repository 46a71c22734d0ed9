"""``jupiter nodes``: check files of nodes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

commands = typer.Typer(help="Check files of nodes.", no_args_is_help=True)


@commands.callback()
def root() -> None:
    """Keep the name of the command even while there is only one."""


@commands.command()
def check(
    file: Annotated[Path, typer.Argument(help="A cluster.toml, or a nodes.txt of any kind.")],
) -> None:
    """Show the nodes and links of a file, or everything that is wrong with it."""
    from rich.console import Console

    from jupiter.cli.notes import tell
    from jupiter.cli.render import network_table
    from jupiter.orchestrator.loading import load_network

    network, notes = load_network(file)
    tell(notes)
    Console().print(network_table(network))
