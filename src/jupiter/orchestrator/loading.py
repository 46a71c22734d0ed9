"""Reads applications, networks and inputs from disk; the rules are in `formats`."""

from __future__ import annotations

import os
from pathlib import Path

from jupiter.agent.worker_main import natural_key
from jupiter.errors import Fault, InputError
from jupiter.formats import cluster_toml
from jupiter.formats.application import APP_TOML, load_application
from jupiter.formats.text import FILE_BYTES_MAX, Parsed
from jupiter.kit.names import nearest
from jupiter.model.app import Application
from jupiter.model.network import Network

DESCRIBING = frozenset(
    {
        APP_TOML,
        "configuration.txt",
        "app_config.ini",
        "name_convert.txt",
        "input_node.txt",
        "config.json",
        "scripts/config.json",
    }
)
"""Files of an application folder that are read; all others are only looked for."""
FILES_MAX = 100_000


def load_app(path: Path) -> Parsed[Application]:
    """Return the application in a folder, or in one ``app.toml``.

    Raises:
        InputError: With all faults of all its files.
    """
    folder = path.parent if path.name == APP_TOML and path.is_file() else path
    if not folder.is_dir():
        raise _missing(path, "a folder with an application")
    names: list[str] = []
    for where, folders, leaves in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        names += [Path(where, leaf).relative_to(folder).as_posix() for leaf in sorted(leaves)]
        if len(names) > FILES_MAX:
            raise InputError(
                Fault(
                    "holds too many files for an application",
                    file=str(path),
                    expected=f"at most {FILES_MAX}",
                    remedy="name the application's own folder",
                )
            )
    contents = {name: read_file(folder / name) for name in names if name in DESCRIBING}
    name = folder.resolve().name
    return load_application(contents, frozenset(names), str(folder), name)


def load_network(path: Path) -> Parsed[Network]:
    """Return the network in a ``cluster.toml``.

    Raises:
        InputError: With all its faults.
    """
    if not path.is_file():
        raise _missing(path, "a file with nodes and links")
    return cluster_toml.parse(read_file(path), str(path))


def find_inputs(paths: list[Path]) -> list[tuple[Path, ...]]:
    """Return one entry an item: every file named, and every file in each folder named.

    Files of a folder come in natural order (``part10`` after ``part9``); hidden ones are left out.

    Raises:
        InputError: Something named is not there, cannot be read, or there is nothing at all.
    """
    faults: list[Fault] = []
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            inside = [p for p in path.iterdir() if p.is_file() and not p.name.startswith(".")]
            found += sorted(inside, key=lambda p: natural_key(p.name))
        elif path.is_file():
            found.append(path)
        else:
            faults += _missing(path, "a file or a folder").faults
    faults += [
        Fault("cannot be read", file=str(path), remedy="check its rights")
        for path in found
        if not os.access(path, os.R_OK)
    ]
    if not found and not faults:
        faults.append(
            Fault(
                "there is no input",
                file=", ".join(map(str, paths)),
                expected="at least one file",
                remedy="name files, or folders with files in them",
            )
        )
    if faults:
        raise InputError(faults)
    return [(path,) for path in found]


def read_file(path: Path) -> bytes:
    """Return a file's bytes, one more than allowed at most, so that a parser can refuse it.

    Raises:
        InputError: It cannot be read.
    """
    try:
        with path.open("rb") as file:
            return file.read(FILE_BYTES_MAX + 1)
    except OSError as error:
        raise InputError(
            Fault(f"cannot be read: {error.strerror}", file=str(path), remedy="check its rights")
        ) from error


def _missing(path: Path, expected: str) -> InputError:
    siblings: list[str] = []
    if path.parent.is_dir():
        siblings = sorted(each.name for each in path.parent.iterdir())[:1000]
    near = nearest(path.name, siblings)
    problem = "is not there" if not path.exists() else "is of the wrong kind"
    remedy = f"did you mean {path.parent / near}?" if near and near != path.name else ""
    return InputError(
        Fault(problem, file=str(path), expected=expected, remedy=remedy or "check the path")
    )
