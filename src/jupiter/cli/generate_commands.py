"""``jupiter generate``: make applications to experiment with."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from jupiter.errors import Fault, InputError

commands = typer.Typer(help="Make applications to experiment with.", no_args_is_help=True)

_OLD_SCRIPT = re.compile(r"task[0-9]+\.py")


@commands.callback()
def root() -> None:
    """Keep the name of the command even while there is only one."""


Config = Annotated[
    Path | None, typer.Option(help="A task_config.yml; what it leaves out has the seeds' defaults.")
]
Depth = Annotated[
    int | None,
    typer.Option("--depth", min=1, help="Levels between entry and exit, where they fit (depth)."),
]
WidthMin = Annotated[
    int | None, typer.Option("--width-min", min=1, help="Fewest tasks of a level (width_min).")
]
WidthMax = Annotated[
    int | None, typer.Option("--width-max", min=1, help="Most tasks of a level (width_max).")
]
Tasks = Annotated[
    int | None,
    typer.Option("--tasks", min=1, help="Tasks besides the entry and the exit (total_num)."),
]
Ccr = Annotated[
    float | None, typer.Option("--ccr", min=0, help="KB sent for each second computed (ccr).")
]
CompMean = Annotated[
    float | None, typer.Option("--comp-mean", min=0, help="Mean seconds of a task (comp_mu).")
]
CompSigma = Annotated[
    float | None,
    typer.Option("--comp-sigma", min=0, help="Their deviation in seconds (comp_sigma)."),
]
LinkSigma = Annotated[
    float | None,
    typer.Option(
        "--link-sigma",
        min=0,
        help="Deviation of the KB, as a share of their mean (link_comm_sigma).",
    ),
]
DegreeMean = Annotated[
    float | None, typer.Option("--degree-mean", min=0, help="Mean degree of a task (deg_mu).")
]
DegreeSigma = Annotated[
    float | None, typer.Option("--degree-sigma", min=0, help="Its deviation (deg_sigma).")
]


@commands.command()
def app(
    folder: Annotated[
        Path, typer.Argument(metavar="OUTPUT_FOLDER", help="Folder of the new application.")
    ],
    config: Config = None,
    depth: Depth = None,
    width_min: WidthMin = None,
    width_max: WidthMax = None,
    tasks: Tasks = None,
    ccr: Ccr = None,
    comp_mean: CompMean = None,
    comp_sigma: CompSigma = None,
    link_sigma: LinkSigma = None,
    degree_mean: DegreeMean = None,
    degree_sigma: DegreeSigma = None,
    seed: Annotated[int, typer.Option(min=0, help="Fixes everything that is drawn at random.")] = 0,
    seed_quirks: Annotated[
        bool,
        typer.Option("--seed-quirks", help="Draw as the first Jupiter does, oddities included."),
    ] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Write into a folder that is not empty.")
    ] = False,
) -> None:
    """Write an application of random shape whose tasks compute and send as they are told."""
    from rich.console import Console

    from jupiter.cli.notes import tell
    from jupiter.cli.render import generated_table
    from jupiter.formats import generated
    from jupiter.formats.task_config import TaskConfig
    from jupiter.orchestrator.loading import load_app, load_task_config

    found = TaskConfig()
    if config is not None:
        found, notes = load_task_config(config)
        tell(notes)
    given: dict[str, Any] = {
        "depth": depth,
        "width_min": width_min,
        "width_max": width_max,
        "total_num": tasks,
        "ccr": ccr,
        "comp_mu": comp_mean,
        "comp_sigma": comp_sigma,
        "link_comm_sigma": link_sigma,
        "deg_mu": degree_mean,
        "deg_sigma": degree_sigma,
    }
    found = replace(found, **{key: value for key, value in given.items() if value is not None})
    made = generated.generate(found, seed, seed_quirks=seed_quirks)
    _write(folder, generated.files(made), overwrite=overwrite)
    _, notes = load_app(folder)
    tell(notes)
    if not made.has_depth:
        levels = f"{found.total_num} tasks do not fit {found.depth} levels of "
        tell(
            [
                Fault(
                    f"{levels}{found.width_min} to {found.width_max}, so depth is not used",
                    level="note",
                )
            ]
        )
    Console().print(generated_table(made))


def _write(folder: Path, files: Mapping[str, str], *, overwrite: bool) -> None:
    """Write the files of an application; of an earlier one only scripts of tasks are removed.

    Raises:
        InputError: Something is there that must stay, or the folder cannot be written to.
    """
    try:
        _check_free(folder, overwrite=overwrite)
        for old in folder.glob("scripts/task*.py"):
            if _OLD_SCRIPT.fullmatch(old.name):
                old.unlink()
        for relative, text in files.items():
            path = folder / relative
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise InputError(
            Fault(
                f"cannot be written: {error.strerror}",
                file=str(error.filename or folder),
                remedy="name a folder that you may write to",
            )
        ) from error


def _check_free(folder: Path, *, overwrite: bool) -> None:
    from jupiter.formats import app_toml

    fault = None
    if folder.exists() and not folder.is_dir():
        fault = Fault("is no folder", file=str(folder), remedy="name another")
    elif folder.is_dir() and any(folder.iterdir()) and not overwrite:
        fault = Fault(
            "is not empty",
            file=str(folder),
            expected="an empty folder, or none",
            remedy="name another folder, or give --overwrite",
        )
    elif (folder / app_toml.FILE_NAME).exists():
        fault = Fault(
            "would be taken instead of what is generated",
            file=str(folder / app_toml.FILE_NAME),
            remedy="name another folder, or move this file away",
        )
    if fault is not None:
        raise InputError(fault)
