"""The commands; every error becomes a text and an exit code here, and nowhere else."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

import jupiter
from jupiter.cli import app_commands, generate_commands, nodes_commands
from jupiter.errors import JupiterError

cli = typer.Typer(
    name="jupiter",
    help="Places streaming task graphs where measured nodes and links make them fastest.",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
)
cli.add_typer(app_commands.commands, name="app")
cli.add_typer(generate_commands.commands, name="generate")
cli.add_typer(nodes_commands.commands, name="nodes")


def _version(wanted: bool) -> None:
    if wanted:
        sys.stdout.write(f"jupiter {jupiter.__version__}\n")
        raise typer.Exit


@cli.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show and end.")
    ] = False,
) -> None:
    """Take the options that every command shares."""


AppPath = Annotated[Path, typer.Argument(help="Folder of the application, or its app.toml.")]
ClusterPath = Annotated[Path, typer.Option("--cluster", help="File with nodes and links.")]
Inputs = Annotated[
    list[Path], typer.Option("--input", help="A file is an item; of a folder every file is one.")
]
Scheduler = Annotated[str, typer.Option(help="Maps tasks to nodes: heft, random, single-node.")]
Compare = Annotated[
    list[str], typer.Option("--compare", help="Also stream through this schedule (repeatable).")
]
Seed = Annotated[int, typer.Option(min=0, help="Fixes everything that is drawn at random.")]
Repeats = Annotated[int, typer.Option(min=1, help="Runs of each task on each node.")]
Reuse = Annotated[
    bool, typer.Option("--reuse-profiles", help="Take earlier measurements of this code.")
]


@cli.command()
def run(
    app: AppPath,
    cluster: ClusterPath,
    inputs: Inputs,
    output: Annotated[Path, typer.Option("--output", help="Folder for results and reports.")],
    scheduler: Scheduler = "heft",
    compare: Compare = [],
    in_flight: Annotated[int, typer.Option(min=1, help="Items under way at once.")] = 32,
    rate: Annotated[float, typer.Option(min=0, help="Items offered a second; 0 for all.")] = 0.0,
    repeats: Repeats = 5,
    seed: Seed = 0,
    reuse_profiles: Reuse = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace the results of an earlier run.")
    ] = False,
    engine: Annotated[str, typer.Option(help="Where agents run.")] = "local",
) -> None:
    """Profile, map, deploy, stream, collect and report."""
    from jupiter.cli.run_command import RunRequest, run_and_report
    from jupiter.settings import RunSettings

    settings = RunSettings(
        scheduler=scheduler,
        compare=tuple(compare),
        in_flight_max=in_flight,
        interval_s=1 / rate if rate else 0.0,
        profile_repeats=repeats,
        seed=seed,
    )
    request = RunRequest(app, cluster, inputs, output, settings, engine, reuse_profiles, overwrite)
    raise typer.Exit(run_and_report(request))


@cli.command("map")
def map_tasks(
    app: AppPath,
    cluster: ClusterPath,
    output: Annotated[Path, typer.Option("--output", help="Folder for the profiles.")],
    inputs: Annotated[list[Path], typer.Option("--input", help="As in run.")] = [],
    scheduler: Scheduler = "heft",
    compare: Compare = ["random", "single-node"],
    repeats: Repeats = 5,
    seed: Seed = 0,
    reuse_profiles: Reuse = False,
    engine: Annotated[str, typer.Option(help="Where agents run.")] = "local",
) -> None:
    """Profile, then show who goes where and why, without streaming anything."""
    from jupiter.cli.run_command import RunRequest, map_and_show
    from jupiter.settings import RunSettings

    settings = RunSettings(
        scheduler=scheduler,
        compare=tuple(compare),
        profile_repeats=repeats,
        seed=seed,
    )
    request = RunRequest(app, cluster, inputs, output, settings, engine, reuse_profiles, True)
    raise typer.Exit(map_and_show(request))


def main() -> None:
    """Run a command; errors end as their text on the error output and their exit code."""
    try:
        cli(standalone_mode=True)
    except JupiterError as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.stderr.write("stopped\n")
        sys.exit(1)
    except BrokenPipeError:
        # Whoever read our output has gone; there is nobody left to tell.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)


if __name__ == "__main__":
    main()
