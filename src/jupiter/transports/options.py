"""How the options of a transport are read."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from pathlib import Path

from jupiter.errors import Fault, InputError
from jupiter.kit.names import nearest


def check_options(
    transport: str, options: Mapping[str, str], known: tuple[str, ...], needed: tuple[str, ...]
) -> None:
    """Refuse options that are missing, or that nobody knows.

    Raises:
        InputError: All that is wrong with them.
    """
    faults = []
    for name in options:
        if name not in known:
            near = nearest(name, known)
            faults.append(
                Fault(
                    f"transport {transport} has no such option",
                    got=name,
                    expected=", ".join(known),
                    remedy=f"did you mean {near}?" if near else "one of these names",
                )
            )
    faults += [
        Fault(f"transport {transport} needs the option {name}", remedy=f'add {name} = "..."')
        for name in needed
        if not options.get(name)
    ]
    if faults:
        raise InputError(faults)


def read_secret(reference: str, option: str) -> str:
    """Return what a reference such as ``file:/etc/jupiter/password`` stands for.

    Raises:
        InputError: It is no reference, or others could read the file.
    """
    kind, _, place = reference.partition(":")
    if kind != "file" or not place.startswith("/"):
        raise InputError(
            Fault(
                f"option {option} is no reference to a secret (value not shown)",
                expected="file:/absolute/path",
                remedy="write the secret into a file that only its owner can read, and name that",
            )
        )
    try:
        path = Path(place)
        mode = path.stat().st_mode
        if stat.S_IMODE(mode) & 0o077:
            raise InputError(
                Fault(
                    f"the file of option {option} can be read by others",
                    file=place,
                    got=f"mode {stat.S_IMODE(mode):04o}",
                    expected="0600",
                    remedy=f"chmod 600 {place}",
                )
            )
        return path.read_text().rstrip("\n")
    except OSError as error:
        raise InputError(
            Fault(
                f"the file of option {option} cannot be read: {os.strerror(error.errno or 0)}",
                file=place,
                remedy="name a file that this user can read",
            )
        ) from error
