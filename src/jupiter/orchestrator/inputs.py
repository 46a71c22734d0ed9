"""Finds the items that a user named."""

from __future__ import annotations

import os
from pathlib import Path

from jupiter.errors import Fault, InputError
from jupiter.kit.order import natural_key
from jupiter.orchestrator.loading import missing


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
            faults.append(missing(path, "file or folder"))
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
