"""The commands; every error becomes a text and an exit code here, and nowhere else."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

import jupiter
from jupiter.cli import (
    app_commands,
    dlq_commands,
    generate_commands,
    nodes_commands,
    watch_commands,
)
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
cli.add_typer(dlq_commands.commands, name="dlq")


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
Placement = Annotated[
    str, typer.Option(help="Places each item: static, least-loaded, least-loaded-now.")
]
Ordered = Annotated[
    bool, typer.Option("--ordered", help="Results come in the order of the inputs.")
]
Durability = Annotated[
    Literal["none", "ingress", "hop"],
    typer.Option("--durability", help="What nodes keep when something goes wrong."),
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
    placement: Placement = "static",
    ordered: Ordered = False,
    repeats: Repeats = 5,
    seed: Seed = 0,
    reuse_profiles: Reuse = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace the results of an earlier run.")
    ] = False,
    durability: Durability = "ingress",
    orphans: Annotated[
        float, typer.Option(min=0, help="Seconds that agents go on if this command is killed.")
    ] = 30.0,
    engine: Annotated[str, typer.Option(help="Where agents run.")] = "local",
    isolation: Annotated[
        Literal["none", "best", "full"],
        typer.Option("--isolation", help="How far tasks are closed in; full: or do not run."),
    ] = "best",
    log_level: Annotated[
        Literal["debug", "info", "warning", "error"],
        typer.Option("--log-level", help="Least level of what agents say in their logs."),
    ] = "info",
    metrics: Annotated[
        str, typer.Option("--metrics", help="Answer GET /metrics on PORT, or HOST:PORT.")
    ] = "",
) -> None:
    """Profile, map, deploy, stream, collect and report."""
    from jupiter.cli.run_command import RunRequest, run_and_report
    from jupiter.settings import RunSettings

    settings = RunSettings(
        scheduler=scheduler,
        compare=tuple(compare),
        in_flight_max=in_flight,
        interval_s=1 / rate if rate else 0.0,
        placement=placement,
        is_ordered=ordered,
        durability=durability,
        orphan_s=orphans,
        isolation=isolation,
        log_level=log_level,
        profile_repeats=repeats,
        seed=seed,
    )
    request = RunRequest(
        app, cluster, inputs, output, settings, engine, reuse_profiles, overwrite, metrics
    )
    raise typer.Exit(run_and_report(request))


OutputFolder = Annotated[Path, typer.Argument(help="Output folder of the run.")]


@cli.command()
def resume(output: OutputFolder) -> None:
    """Go on with a run whose command was killed or stopped, exactly where it was."""
    from jupiter.cli.run_command import resume_and_report

    raise typer.Exit(resume_and_report(output))


@cli.command()
def stop(
    output: OutputFolder,
    forget: Annotated[
        bool, typer.Option("--forget", help="Give up what is under way; results so far stay.")
    ] = False,
) -> None:
    """End the agents of a run whose command is gone; the run can be resumed later."""
    from jupiter.cli.run_command import stop_run

    raise typer.Exit(stop_run(output, forget=forget))


watch_commands.add_to(cli)


ProblemPaths = Annotated[
    list[Path], typer.Argument(help="A problem in any format; or SAGA's two parts.")
]
OptionalCluster = Annotated[
    Path | None, typer.Option("--cluster", help="Nodes and links, for formats without them.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
Budget = Annotated[
    float | None,
    typer.Option("--budget", min=0, help="Search so many seconds for the best schedule."),
]


@cli.command("map")
def map_tasks(
    paths: Annotated[
        list[Path],
        typer.Argument(help="An application, or a problem in any format (or SAGA's two parts)."),
    ],
    cluster: OptionalCluster = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", help="Of an application: folder for the profiles. Of a problem: a file."
        ),
    ] = None,
    inputs: Annotated[list[Path], typer.Option("--input", help="As in run.")] = [],
    scheduler: Annotated[
        str | None, typer.Option(help="See the command schedulers; heft if not given.")
    ] = None,
    budget: Budget = None,
    explain: Annotated[
        list[str], typer.Option("--explain", help="Show what each node offered for a task.")
    ] = [],
    as_json: AsJson = False,
    from_: Annotated[str | None, typer.Option("--from", help="Format of the problem.")] = None,
    quirks: Annotated[
        bool, typer.Option("--quirks", help="Map a .tgff as the seeds' HEFT did, to the letter.")
    ] = False,
    compare: Annotated[
        list[str], typer.Option("--compare", help="Of an application: show this schedule, too.")
    ] = ["random", "single-node"],
    repeats: Repeats = 5,
    seed: Seed = 0,
    reuse_profiles: Reuse = False,
    engine: Annotated[str, typer.Option(help="Where agents run.")] = "local",
) -> None:
    """Show who goes where and why: an application is profiled first, a problem is taken as it is.

    Nothing is streamed.
    """
    from jupiter.cli.run_command import RunRequest, is_application, map_and_show
    from jupiter.settings import RunSettings

    if not is_application(paths):
        from jupiter.cli.problem_commands import MapRequest, map_problem

        raise typer.Exit(
            map_problem(
                MapRequest(
                    paths=paths,
                    scheduler=scheduler,
                    seed=seed,
                    budget_s=budget,
                    cluster=cluster,
                    format_name=from_,
                    explain=explain,
                    as_json=as_json,
                    quirks=quirks,
                    output=output,
                )
            )
        )
    if cluster is None or output is None:
        from jupiter.errors import Fault, InputError

        raise InputError(
            Fault(
                "an application is profiled on the nodes of a cluster before it is mapped",
                file=str(paths[0]),
                remedy="name them, and a folder for the profiles: --cluster FILE --output FOLDER",
            )
        )
    settings = RunSettings(
        scheduler=scheduler or "heft",
        compare=tuple(compare),
        profile_repeats=repeats,
        seed=seed,
    )
    request = RunRequest(paths[0], cluster, inputs, output, settings, engine, reuse_profiles, True)
    raise typer.Exit(map_and_show(request, explain, as_json=as_json))


@cli.command()
def simulate(
    app: AppPath,
    cluster: ClusterPath,
    profiles: Annotated[
        Path | None, typer.Option("--profiles", help="Output folder of an earlier run or map.")
    ] = None,
    costs: Annotated[
        Path | None, typer.Option("--costs", help="Or a problem with work and bytes by task.")
    ] = None,
    items: Annotated[int, typer.Option(min=1, help="Items that enter.")] = 100,
    rate: Annotated[float, typer.Option(min=0, help="Items offered a second; 0 for all.")] = 0.0,
    in_flight: Annotated[int, typer.Option(min=1, help="Items under way at once.")] = 32,
    scheduler: Annotated[
        str | None,
        typer.Option("--scheduler", help="Makes the mapping; default heft, or recorded."),
    ] = None,
    compare: Compare = [],
    change: Annotated[
        list[str], typer.Option("--set", help="Make it so: link:a->b=2, node:n1=0.5, latency=10.")
    ] = [],
    vary: Annotated[
        list[str], typer.Option("--vary", help="One stream for each factor: link=0.5,1,2.")
    ] = [],
    replay: Annotated[
        Path | None, typer.Option("--replay", help="Output folder of a run that is repeated.")
    ] = None,
    faults: Annotated[
        list[str],
        typer.Option("--faults", help="crash:n1@2+1, cut:a->b@0+5, random:5; see how-to."),
    ] = [],
    durability: Durability = "ingress",
    spread: Annotated[
        bool, typer.Option("--spread", help="Executions vary as they did when measured.")
    ] = False,
    placement: Placement = "static",
    ordered: Ordered = False,
    output: Annotated[
        Path | None, typer.Option("--output", help="Folder for the report, or the plot.")
    ] = None,
    as_json: AsJson = False,
    seed: Seed = 0,
) -> None:
    """Stream in virtual time, from kept measurements: same decisions and report as run."""
    from jupiter.cli.simulate_command import SimulateRequest, simulate_and_show
    from jupiter.settings import RunSettings

    settings = RunSettings(
        scheduler=scheduler or ("heft" if replay is None else "recorded"),
        compare=tuple(compare),
        in_flight_max=in_flight,
        interval_s=1 / rate if rate else 0.0,
        seed=seed,
        placement=placement,
        is_ordered=ordered,
    )
    request = SimulateRequest(
        app=app,
        cluster=cluster,
        profiles=profiles or (replay if costs is None else None),
        costs=costs,
        settings=settings,
        items=items,
        changes=change,
        vary=vary,
        replay=replay,
        faults=faults,
        durability=durability,
        varies=spread,
        output=output,
        as_json=as_json,
    )
    raise typer.Exit(simulate_and_show(request))


@cli.command()
def compare(
    paths: ProblemPaths,
    schedulers: Annotated[
        str, typer.Option("--schedulers", help="Names, separated by commas; or all.")
    ] = "",
    budget: Budget = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Picture of the figures (SVG).")
    ] = None,
    as_json: AsJson = False,
    seed: Seed = 0,
) -> None:
    """Compare schedulers on problems: makespan, period, SLR, speed-up and their own time."""
    from jupiter.cli.problem_commands import DEFAULT_COMPARED, compare_problems
    from jupiter.schedulers.base import SCHEDULERS, SLOW, find_scheduler

    names = [name.strip() for name in schedulers.split(",") if name.strip()]
    if names == ["all"]:
        names = [name for name in SCHEDULERS.names() if name not in SLOW]
    for name in names:
        find_scheduler(name)
    names = names or [*DEFAULT_COMPARED, "improve"]
    raise typer.Exit(compare_problems(paths, names, seed, budget, output, as_json))


@cli.command()
def convert(
    paths: ProblemPaths,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="File to write; its name says the format.")
    ] = None,
    from_: Annotated[str | None, typer.Option("--from", help="Format of the input.")] = None,
    to: Annotated[str | None, typer.Option("--to", help="Format of the output.")] = None,
    cluster: OptionalCluster = None,
) -> None:
    """Write a problem in another format: problem, saga, wfformat, ncsim, tgff, dot, graphml."""
    from jupiter.cli.problem_commands import convert as convert_problem

    raise typer.Exit(convert_problem(paths, output, from_, to, cluster))


@cli.command()
def schedulers() -> None:
    """List all schedulers."""
    from rich.console import Console

    from jupiter.cli.render import scheduler_table

    Console().print(scheduler_table())


@cli.command("warm-up")
def warm_up() -> None:
    """Compile the schedulers ahead of time, so that no large problem has to wait for it."""
    from rich.console import Console

    from jupiter.schedulers.warm_up import warm_up as compile_all

    console = Console(stderr=True)
    with console.status("compiling") as status:
        is_done = compile_all(lambda name: status.update(f"compiling {name}"))
    console.print("ready" if is_done else "numba is not installed; nothing to compile")


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
